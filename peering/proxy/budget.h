/* How many questions about foreign callers may be asked (design 3.4), so that nobody can aim the
 * questions of an edge at a victim: not the peer that names the callers, and not towards the
 * authority that it names.
 *
 * One struct for all workers of an edge, without locks: each domain has a slot, found by a keyed
 * hash, with a few atomic numbers. Two domains in one slot share its budget, which nobody outside
 * can aim for. Fixed memory. Any thread; the clock is the caller's, milliseconds of
 * CLOCK_MONOTONIC.
 *
 * Who is right about his callers gets more: every success gives the question back and allows one
 * more at once, every failure halves what was gained. */
#ifndef JUNCTOR_PEERING_PROXY_BUDGET_H
#define JUNCTOR_PEERING_PROXY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum budget_kind {
    BUDGET_LOOKUPS, /* by peer, for the callers that it has not proven: 5 a minute, 2 at once */
    BUDGET_PROBES,  /* by authority: at most 10 in any second, 4 at once */
    BUDGET_KIND_COUNT
};

#define BUDGET_SLOTS       4096 /* domains told apart, of each kind */
#define BUDGET_CREDIT_MAX  30   /* what successes may add to the questions at once */
#define BUDGET_LOOKUPS_MAX 5    /* of one peer in a burst; one more every 12 s */
#define BUDGET_PROBES_MAX  4    /* to one authority in a burst; one more every 167 ms */

struct budgets;

/* `key` hashes the domains. NULL without memory. */
struct budgets *budgets_alloc(const uint8_t key[16]);
struct budgets *budgets_free(struct budgets *budgets); /* accepts NULL */

/* May one more question be asked now? If so it is under way until budget_give. */
bool budget_take(struct budgets *budgets, enum budget_kind kind, const char *domain,
                 uint64_t now_ms);
/* It was answered, or not. `is_success`: the caller was who the peer said. */
void budget_give(struct budgets *budgets, enum budget_kind kind, const char *domain,
                 bool is_success);

#endif
