/* In which order the next hops of a domain's core are tried: as they are listed, or by priority and
 * weight as SRV records are (RFC 2782). */
#include "resolver/internal.h"
#include "resolver/order.h"

#include <stdio.h>

/* Within a priority those of weight 0 first, which gives them "a very small chance" in a draw; the
 * heavier first where nobody draws. */
static bool core_before(const struct store_core *a, const struct store_core *b, bool drawn)
{
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return drawn ? a->weight == 0 && b->weight != 0 : a->weight > b->weight;
}

static void cores_sort(const struct store_domain *domain, bool drawn,
                       const struct store_core *order[STORE_CORES_MAX])
{
    for (unsigned i = 0; i < domain->core_count; i++) {
        unsigned at = i;
        for (; domain->ranked && at > 0 && core_before(&domain->cores[i], order[at - 1], drawn);
             at--)
            order[at] = order[at - 1];
        order[at] = &domain->cores[i];
    }
}

/* Moves the core drawn among order[0..count), all of one priority, to the front. */
static void core_draw(const struct store_core **order, unsigned count, uint64_t *lottery)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += order[i]->weight;
    uint64_t wanted = resolver_order_draw(lottery) % ((uint64_t)sum + 1);
    unsigned chosen = 0;
    for (uint32_t running = order[0]->weight; running < wanted; running += order[chosen]->weight)
        chosen++;
    const struct store_core *core = order[chosen];
    for (; chosen > 0; chosen--)
        order[chosen] = order[chosen - 1];
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
    const struct store_core *order[STORE_CORES_MAX];
    cores_sort(domain, resolver != NULL, order);
    for (unsigned begin = 0, end = 0; begin < domain->core_count; begin++) {
        while (end < domain->core_count && order[end]->priority == order[begin]->priority)
            end++;
        if (domain->ranked && resolver)
            core_draw(&order[begin], end - begin, &resolver->lottery);
        resolver_core_target(order[begin], &targets[begin]);
    }
    return domain->core_count;
}
