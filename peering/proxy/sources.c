/* Which sources are cores? The cores' next hops and the configured allow list. */
#include "peering/proxy/proxy.h"

#include "base/status.h"

#include <stdlib.h>

#define SOURCES_MAX        16384 /* IP addresses of all cores of all hosted domains */
#define SOURCES_REFRESH_MS 1000  /* a change of the directory is seen after at most this */

static bool allowed(const struct proxy *proxy, const struct netaddr *peer)
{
    for (size_t i = 0; i < proxy->allow_count; i++)
        if (netprefix_contains(&proxy->allow[i], peer))
            return true;
    return false;
}

static bool core_has_ip(const struct store_domain *domain, const struct netaddr *peer)
{
    for (unsigned i = 0; i < domain->core_count; i++) {
        struct netaddr ip;
        if (netaddr_from_ip(&ip, slice_of(domain->cores[i].host), 0) == 0 &&
            netaddr_eq_ip(&ip, peer))
            return true;
    }
    return false;
}

bool admit_source_is_core(const struct proxy *proxy, const struct origin *origin,
                          const struct store_domain *domain)
{
    return allowed(proxy, &origin->peer) || core_has_ip(domain, &origin->peer);
}

/* Any total order on family and address will do. */
static int by_ip(const void *left, const void *right)
{
    const struct netaddr *a = left, *b = right;
    if (a->sa.sa_family != b->sa.sa_family)
        return a->sa.sa_family < b->sa.sa_family ? -1 : 1;
    if (a->sa.sa_family == AF_INET)
        return memcmp(&a->in4.sin_addr, &b->in4.sin_addr, sizeof(a->in4.sin_addr));
    return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr));
}

struct collector {
    struct netaddr *ips;
    size_t count;
};

static bool collect(const struct store_domain *domain, void *arg)
{
    struct collector *collector = arg;
    for (unsigned i = 0; i < domain->core_count && collector->count < SOURCES_MAX; i++)
        if (netaddr_from_ip(&collector->ips[collector->count], slice_of(domain->cores[i].host),
                            0) == 0)
            collector->count++;
    return collector->count < SOURCES_MAX;
}

/* Read again only when the directory has changed, and at most once in SOURCES_REFRESH_MS. */
static void refresh(struct proxy *proxy)
{
    struct sources *sources = &proxy->sources;
    struct store_reader *reader = proxy_reader(proxy);
    uint64_t sequence;
    uint64_t now_ms = txn_layer_now_ms(proxy->txns);
    if (sources->ips && now_ms - sources->checked_ms < SOURCES_REFRESH_MS)
        return;
    sources->checked_ms = now_ms;
    if (!reader || store_sequence_get(reader, &sequence) != 0 ||
        (sources->ips && sequence == sources->sequence))
        return;
    struct collector collector = {malloc(SOURCES_MAX * sizeof(*collector.ips)), 0};
    if (!collector.ips)
        return;
    store_domain_list(reader, NULL, SIZE_MAX, collect, &collector);
    qsort(collector.ips, collector.count, sizeof(*collector.ips), by_ip);
    free(sources->ips);
    *sources = (struct sources){collector.ips, collector.count, sequence, now_ms};
}

bool sources_known(struct proxy *proxy, const struct netaddr *peer)
{
    if (allowed(proxy, peer))
        return true;
    refresh(proxy);
    return proxy->sources.ips &&
           bsearch(peer, proxy->sources.ips, proxy->sources.count, sizeof(*peer), by_ip) != NULL;
}

void sources_done(struct proxy *proxy)
{
    free(proxy->sources.ips);
    proxy->sources = (struct sources){NULL, 0, 0, 0};
}
