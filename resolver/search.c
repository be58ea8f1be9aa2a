/* The way of one request through the hops of a plan: rank by rank, within a rank by weight
 * (RFC 2782), of each host its addresses as they stand (RFC 8305). Nothing is drawn before it is
 * wanted, for most calls take the first hop. */
#include "resolver/internal.h"
#include "resolver/order.h"
#include "resolver/plan.h"

#include <string.h>

_Static_assert(RESOLVER_MAX_TARGETS <= 16, "a search has one bit for each host");
_Static_assert(RESOLVER_MAX_HOPS <= 16, "a search has one bit for each address of a host");

void resolver_search_begin(struct resolver_search *search, struct resolver *resolver,
                           struct resolver_plan *plan, const char *domain)
{
    memset(search, 0, sizeof(*search));
    search->domain = domain;
    search->resolver = resolver;
    search->plan = resolver_plan_ref(plan);
}

void resolver_search_done(struct resolver_search *search)
{
    search->plan = resolver_plan_unref(search->plan);
}

bool resolver_search_more(const struct resolver_search *search)
{
    return search->plan && search->given < search->plan->addr_count &&
           search->given < RESOLVER_MAX_HOPS;
}

/* The host that is drawn among those left of the rank, begin..end. */
static unsigned host_draw(struct resolver_search *search)
{
    const struct resolver_plan_host *hosts = search->plan->hosts;
    unsigned host = search->rank_begin;
    uint32_t sum = 0, running = 0;
    for (unsigned i = host; i < search->rank_end; i++)
        if (search->left & 1U << i)
            sum += hosts[i].weight;
    uint64_t draw = resolver_order_draw(&search->resolver->lottery) >> 32;
    uint64_t wanted = draw * ((uint64_t)sum + 1) >> 32; /* 0..sum */
    for (; host < search->rank_end; host++) {
        if (!(search->left & 1U << host))
            continue;
        running += hosts[host].weight;
        if (running >= wanted)
            break;
    }
    return host;
}

/* Turns to the next host. Returns false where there is none. */
static bool host_next(struct resolver_search *search)
{
    const struct resolver_plan *plan = search->plan;
    if (search->left == 0) {
        if (search->rank_end == plan->host_count)
            return false;
        search->rank_begin = search->rank_end;
        search->rank_end = plan->hosts[search->rank_begin].rank_end;
        search->left = (uint16_t)((1U << search->rank_end) - (1U << search->rank_begin));
    }
    search->host = (uint8_t)host_draw(search);
    search->left &= (uint16_t) ~(1U << search->host);
    search->addr = 0;
    return true;
}

/* Turns to the next address. Returns false where there is none. */
static bool addr_next(struct resolver_search *search)
{
    bool begun = search->rank_end > 0;
    if (begun && search->addr + 1 < search->plan->hosts[search->host].count) {
        search->addr++;
        return true;
    }
    return host_next(search);
}

/* Was it given already, being preferred? */
static bool is_taken(const struct resolver_search *search)
{
    return search->plan->hosts[search->host].first + search->addr + 1 == search->preferred;
}

static bool is_avoided(const struct resolver_search *search)
{
    const struct resolver *resolver = search->resolver;
    const struct resolver_plan_host *host = &search->plan->hosts[search->host];
    const struct resolver_avoid_key key = {&search->plan->addrs[host->first + search->addr],
                                           host->transport, search->domain};
    /* First, for the other look makes this request the test of a hop that failed. */
    if (resolver->is_down &&
        resolver->is_down(key.addr, key.transport, key.domain, resolver->down_arg))
        return true;
    return resolver_avoid_is(search->resolver->avoid, &key, resolver_now_ms(search->resolver));
}

void resolver_down_set(struct resolver *resolver, resolver_down_h *is_down, void *arg)
{
    resolver->is_down = is_down;
    resolver->down_arg = arg;
}

static void hop_give(struct resolver_search *search, size_t host_index, size_t addr,
                     struct resolver_hop *hop)
{
    const struct resolver_plan *plan = search->plan;
    const struct resolver_plan_host *host = &plan->hosts[host_index];
    const char *name = plan->text + host->name;
    hop->addr = plan->addrs[host->first + addr];
    hop->transport = host->transport;
    memcpy(hop->host, name, strlen(name) + 1);
    search->given++;
}

void resolver_search_prefer(struct resolver_search *search, const struct netaddr *addr)
{
    for (uint16_t i = 0; i < search->plan->addr_count && search->preferred == 0; i++)
        if (netaddr_eq(&search->plan->addrs[i], addr))
            search->preferred = i + 1;
}

static void preferred_give(struct resolver_search *search, struct resolver_hop *hop)
{
    size_t at = search->preferred - 1U, host = 0;
    while (at >= (size_t)search->plan->hosts[host].first + search->plan->hosts[host].count)
        host++;
    hop_give(search, host, at - search->plan->hosts[host].first, hop);
}

bool resolver_search_next(struct resolver_search *search, struct resolver_hop *hop)
{
    if (!resolver_search_more(search))
        return false;
    if (search->preferred > 0 && search->given == 0) {
        preferred_give(search, hop);
        return true;
    }
    while (addr_next(search)) {
        if (is_taken(search))
            continue;
        if (!is_avoided(search)) {
            hop_give(search, search->host, search->addr, hop);
            return true;
        }
        search->avoided[search->host] |= (uint16_t)(1U << search->addr);
    }
    return false;
}

bool resolver_search_next_avoided(struct resolver_search *search, struct resolver_hop *hop)
{
    if (!resolver_search_more(search))
        return false;
    for (size_t host = 0; host < search->plan->host_count; host++) {
        unsigned avoided = search->avoided[host];
        if (avoided == 0)
            continue;
        search->avoided[host] &= (uint16_t)(avoided - 1);
        hop_give(search, host, (size_t)__builtin_ctz(avoided), hop);
        return true;
    }
    return false;
}
