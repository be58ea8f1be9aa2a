/* The rate is the generic cell rate algorithm: a slot holds the time until which its questions are
 * paid for; a question that would move it too far ahead of now is refused. */
#include "peering/proxy/budget.h"

#include "base/slice.h"
#include "base/table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct rule {
    unsigned burst;
    unsigned interval_ms; /* one more */
    unsigned at_once;
};

static const struct rule rules[BUDGET_KIND_COUNT] = {
    [BUDGET_LOOKUPS] = {BUDGET_LOOKUPS_MAX, 12000, 2},
    /* a burst and what one second adds to it are ten */
    [BUDGET_PROBES] = {BUDGET_PROBES_MAX, 167, 4},
};

struct slot {
    _Atomic uint64_t paid_ms;
    _Atomic uint32_t under_way, credit;
};

struct budgets {
    uint8_t key[16];
    struct slot slots[BUDGET_KIND_COUNT][BUDGET_SLOTS];
};

struct budgets *budgets_alloc(const uint8_t key[16])
{
    struct budgets *budgets = calloc(1, sizeof(*budgets));
    if (budgets)
        memcpy(budgets->key, key, sizeof(budgets->key));
    return budgets;
}

struct budgets *budgets_free(struct budgets *budgets)
{
    free(budgets);
    return NULL;
}

static struct slot *slot_of(struct budgets *budgets, enum budget_kind kind, const char *domain)
{
    return &budgets->slots[kind][siphash(budgets->key, slice_of(domain)) % BUDGET_SLOTS];
}

static bool pay(struct slot *slot, const struct rule *rule, uint64_t now_ms)
{
    uint64_t paid_ms = atomic_load_explicit(&slot->paid_ms, memory_order_relaxed), next_ms;
    do {
        next_ms = (paid_ms > now_ms ? paid_ms : now_ms) + rule->interval_ms;
        if (next_ms > now_ms + (uint64_t)rule->burst * rule->interval_ms)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&slot->paid_ms, &paid_ms, next_ms,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void pay_back(struct slot *slot, const struct rule *rule)
{
    uint64_t paid_ms = atomic_load_explicit(&slot->paid_ms, memory_order_relaxed), next_ms;
    do
        next_ms = paid_ms > rule->interval_ms ? paid_ms - rule->interval_ms : 0;
    while (!atomic_compare_exchange_weak_explicit(&slot->paid_ms, &paid_ms, next_ms,
                                                  memory_order_relaxed, memory_order_relaxed));
}

bool budget_take(struct budgets *budgets, enum budget_kind kind, const char *domain,
                 uint64_t now_ms)
{
    struct slot *slot = slot_of(budgets, kind, domain);
    uint32_t most = rules[kind].at_once + atomic_load_explicit(&slot->credit, memory_order_relaxed);
    bool is_free = atomic_fetch_add_explicit(&slot->under_way, 1, memory_order_relaxed) < most;
    if (is_free && pay(slot, &rules[kind], now_ms))
        return true;
    atomic_fetch_sub_explicit(&slot->under_way, 1, memory_order_relaxed);
    return false;
}

/* Two threads at a time may lose one of their changes, which does no harm. */
static void judge(struct slot *slot, bool is_success)
{
    uint32_t credit = atomic_load_explicit(&slot->credit, memory_order_relaxed);
    uint32_t changed = !is_success ? credit / 2 : credit < BUDGET_CREDIT_MAX ? credit + 1 : credit;
    atomic_store_explicit(&slot->credit, changed, memory_order_relaxed);
}

void budget_give(struct budgets *budgets, enum budget_kind kind, const char *domain,
                 bool is_success)
{
    struct slot *slot = slot_of(budgets, kind, domain);
    if (is_success)
        pay_back(slot, &rules[kind]);
    judge(slot, is_success);
    atomic_fetch_sub_explicit(&slot->under_way, 1, memory_order_relaxed);
}
