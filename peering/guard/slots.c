/* Slots that all workers use at once, and the buckets in them. */
#include "peering/guard/internal.h"

#include <errno.h>
#include <stdlib.h>

#define USED_STEP_MS 100 /* a slot's time is written at most so often: workers share its line */

static uint64_t get(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

int guard_table_init(struct guard_table *table, size_t count)
{
    table->slots = calloc(count, sizeof(*table->slots));
    table->count = count;
    return table->slots ? 0 : -ENOMEM;
}

void guard_table_done(struct guard_table *table)
{
    free(table->slots);
    table->slots = NULL;
}

static struct guard_slot *set_of(const struct guard_table *table, uint64_t key)
{
    return &table->slots[(key & (table->count - 1)) / GUARD_WAYS * GUARD_WAYS];
}

static struct guard_slot *find_in(struct guard_slot *set, uint64_t key)
{
    for (size_t i = 0; i < GUARD_WAYS; i++)
        if (get(&set[i].key) == key)
            return &set[i];
    return NULL;
}

struct guard_slot *guard_slot_find(const struct guard_table *table, uint64_t key)
{
    return find_in(set_of(table, key), key);
}

/* When it was used last; a source in good standing counts as used later than any other. */
static uint64_t age_of(const struct guard_slot *slot)
{
    uint64_t used_ms = get(&slot->used_ms), good_until_ms = get(&slot->good_until_ms);
    return used_ms > good_until_ms ? used_ms : good_until_ms;
}

/* Free, or else used longest ago among those that count nothing; NULL: all count something. */
static struct guard_slot *victim_in(struct guard_slot *set)
{
    struct guard_slot *oldest = NULL;
    for (size_t i = 0; i < GUARD_WAYS; i++) {
        struct guard_slot *slot = &set[i];
        if (get(&slot->key) == 0)
            return slot;
        if (atomic_load_explicit(&slot->held, memory_order_relaxed) == 0 &&
            (!oldest || age_of(slot) < age_of(oldest)))
            oldest = slot;
    }
    return oldest;
}

/* `held` is left as it is: whoever found the slot a moment ago gives back what he takes. */
static bool claim(struct guard_slot *slot, uint64_t key)
{
    uint64_t old = get(&slot->key);
    if (!atomic_compare_exchange_strong(&slot->key, &old, key))
        return false;
    atomic_store_explicit(&slot->good_until_ms, 0, memory_order_relaxed);
    for (size_t i = 0; i < GUARD_BUCKETS; i++)
        atomic_store_explicit(&slot->bucket_us[i], 0, memory_order_relaxed);
    atomic_store_explicit(&slot->answered, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->requests, 0, memory_order_relaxed);
    return true;
}

struct guard_slot *guard_slot_get(const struct guard_table *table, uint64_t key, uint64_t now_ms)
{
    struct guard_slot *set = set_of(table, key), *slot;
    while (!(slot = find_in(set, key))) {
        slot = victim_in(set);
        if (!slot)
            return NULL;
        if (claim(slot, key))
            break;
    }
    if (get(&slot->used_ms) + USED_STEP_MS <= now_ms || get(&slot->used_ms) == 0)
        atomic_store_explicit(&slot->used_ms, now_ms, memory_order_relaxed);
    return slot;
}

uint64_t guard_bucket_take(_Atomic uint64_t *bucket_us, const struct guard_rate *rate,
                           uint64_t now_ms)
{
    if (rate->rate == 0)
        return 0;
    uint64_t now_us = now_ms * 1000, interval_us = rate->period_ms * 1000 / rate->rate;
    uint64_t empty_us = now_us + (rate->burst - 1) * interval_us;
    uint64_t old_us = get(bucket_us), full_us;
    do {
        full_us = old_us > now_us ? old_us : now_us;
        if (full_us > empty_us)
            return (full_us - empty_us + 999) / 1000;
    } while (!atomic_compare_exchange_weak(bucket_us, &old_us, full_us + interval_us));
    return 0;
}
