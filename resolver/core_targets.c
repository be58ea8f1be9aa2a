/* In which order the next hops of a domain's core are tried: as they are listed, or by priority and
 * weight as SRV records are (RFC 2782). */
#include "resolver/internal.h"
#include "resolver/order.h"

#include <stdio.h>
#include <string.h>

/* Within a priority those of weight 0 first, which gives them "a very small chance" in a draw; the
 * heavier first where nobody draws. */
static bool core_before(const struct store_core *a, const struct store_core *b, bool drawn)
{
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return drawn ? a->weight == 0 && b->weight != 0 : a->weight > b->weight;
}

/* Indexes of the cores. */
static void cores_sort(const struct store_domain *domain, bool drawn,
                       uint8_t order[STORE_CORES_MAX])
{
    const struct store_core *cores = domain->cores;
    for (unsigned i = 0; i < domain->core_count; i++) {
        unsigned at = i;
        for (; domain->ranked && at > 0 && core_before(&cores[i], &cores[order[at - 1]], drawn);
             at--)
            order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
}

/* Moves the core drawn among order[0..count), all of one priority, to the front. Where nobody has a
 * weight all are alike: RFC 2782 leaves that open, and the first of them should not get all calls.
 */
static void core_draw(const struct store_core *cores, uint8_t *order, unsigned count,
                      uint64_t *lottery)
{
    uint32_t sum = 0, running = cores[order[0]].weight;
    for (unsigned i = 0; i < count; i++)
        sum += cores[order[i]].weight;
    uint64_t drawn = resolver_order_draw(lottery), wanted = drawn % ((uint64_t)sum + 1);
    unsigned chosen = sum == 0 ? (unsigned)(drawn % count) : 0;
    while (running < wanted)
        running += cores[order[++chosen]].weight;
    uint8_t core = order[chosen];
    memmove(&order[1], &order[0], chosen * sizeof(order[0]));
    order[0] = core;
}

void resolver_core_target(const struct store_core *core, struct resolver_target *target)
{
    *target = (struct resolver_target){
        .profile = RESOLVER_CORE, .port = core->port, .transport = core->transport};
    snprintf(target->host, sizeof(target->host), "%s", core->host);
}

size_t resolver_core_targets(struct resolver *resolver, const struct store_domain *domain,
                             struct resolver_target targets[STORE_CORES_MAX])
{
    uint8_t order[STORE_CORES_MAX] = {0};
    const struct store_core *cores = domain->cores;
    cores_sort(domain, resolver != NULL, order);
    for (unsigned begin = 0, end = 0; begin < domain->core_count; begin++) {
        while (end < domain->core_count &&
               cores[order[end]].priority == cores[order[begin]].priority)
            end++;
        if (domain->ranked && resolver)
            core_draw(cores, &order[begin], end - begin, &resolver->lottery);
        resolver_core_target(&cores[order[begin]], &targets[begin]);
    }
    return domain->core_count;
}
