#include "resolver/order.h"

#include "resolver/service.h"

#include <string.h>

size_t resolver_order_naptr(const struct resolver_set *set, unsigned allowed,
                            size_t order[RESOLVER_NAPTR_MAX])
{
    size_t sorted[RESOLVER_RECORDS_MAX];
    size_t usable = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct resolver_naptr *naptr = &set->records[i].naptr;
        if (resolver_naptr_refusal(naptr, allowed))
            continue;
        size_t at = usable++;
        for (; at > 0 && resolver_naptr_before(naptr, &set->records[sorted[at - 1]].naptr); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = i;
    }

    size_t count = 0;
    while (count < usable && count < RESOLVER_NAPTR_MAX &&
           set->records[sorted[count]].naptr.order == set->records[sorted[0]].naptr.order) {
        order[count] = sorted[count];
        count++;
    }
    return count;
}

/* splitmix64 */
uint64_t resolver_order_draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static bool srv_before(const struct resolver_srv *a, const struct resolver_srv *b)
{
    if (a->priority != b->priority)
        return a->priority < b->priority;
    /* Weight 0 comes first: RFC 2782 gives those "a very small chance". */
    return a->weight == 0 && b->weight != 0;
}

/* Moves the record drawn among order[begin..end), all of one priority, to order[begin]. */
static void draw_by_weight(const struct resolver_set *set, size_t *order, size_t begin, size_t end,
                           uint64_t *state)
{
    uint32_t sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += set->records[order[i]].srv.weight;
    uint64_t wanted = resolver_order_draw(state) % ((uint64_t)sum + 1);

    size_t chosen = begin;
    uint32_t running = set->records[order[begin]].srv.weight;
    while (running < wanted)
        running += set->records[order[++chosen]].srv.weight;

    size_t record = order[chosen];
    memmove(&order[begin + 1], &order[begin], (chosen - begin) * sizeof(order[0]));
    order[begin] = record;
}

size_t resolver_order_srv(const struct resolver_set *set, uint64_t seed,
                          size_t order[RESOLVER_RECORDS_MAX])
{
    for (size_t i = 0; i < set->count; i++) {
        size_t at = i;
        for (; at > 0 && srv_before(&set->records[i].srv, &set->records[order[at - 1]].srv); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }

    uint64_t state = seed;
    size_t end = 0;
    for (size_t begin = 0; begin < set->count; begin++) {
        uint16_t priority = set->records[order[begin]].srv.priority;
        while (end < set->count && set->records[order[end]].srv.priority == priority)
            end++;
        draw_by_weight(set, order, begin, end, &state);
    }
    return set->count;
}

void resolver_order_share(size_t *counts, size_t count, size_t max)
{
    size_t total = 0, highest = 0;
    for (size_t i = 0; i < count; i++) {
        total += counts[i];
        highest = counts[i] > highest ? counts[i] : highest;
    }
    for (; total > max && highest > 0; highest--)
        for (size_t i = count; i-- > 0 && total > max;)
            if (counts[i] == highest) {
                counts[i]--;
                total--;
            }
}

static size_t set_count(const struct resolver_set *set)
{
    return set ? set->count : 0;
}

static struct netaddr addr_of_aaaa(const struct in6_addr *ip, uint16_t port)
{
    struct netaddr addr;
    memset(&addr, 0, sizeof(addr));
    addr.in6.sin6_family = AF_INET6;
    addr.in6.sin6_addr = *ip;
    addr.in6.sin6_port = htons(port);
    return addr;
}

static struct netaddr addr_of_a(const struct in_addr *ip, uint16_t port)
{
    struct netaddr addr;
    memset(&addr, 0, sizeof(addr));
    addr.in4.sin_family = AF_INET;
    addr.in4.sin_addr = *ip;
    addr.in4.sin_port = htons(port);
    return addr;
}

size_t resolver_order_addresses(const struct resolver_set *aaaa, const struct resolver_set *a,
                                uint16_t port, struct netaddr *addrs, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < set_count(aaaa) || i < set_count(a); i++) {
        if (i < set_count(aaaa) && count < max)
            addrs[count++] = addr_of_aaaa(&aaaa->records[i].aaaa, port);
        if (i < set_count(a) && count < max)
            addrs[count++] = addr_of_a(&a->records[i].a, port);
    }
    return count;
}
