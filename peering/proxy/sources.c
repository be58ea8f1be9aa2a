/* Which sources are cores? The cores' next hops and the configured allow list. */
#include "peering/proxy/cores.h"
#include "peering/proxy/plan.h"

static bool allowed(const struct proxy *proxy, const struct netaddr *peer)
{
    for (size_t i = 0; i < proxy->allow_count; i++)
        if (netprefix_contains(&proxy->allow[i], peer))
            return true;
    return false;
}

/* Has it proven, by a certificate that our anchors for cores hold good, the domain or the name of
 * one of its cores? */
static bool proves_core(const struct proxy *proxy, const struct origin *origin,
                        const struct store_domain *domain)
{
    if (origin->listener->side != TRANSPORT_INSIDE)
        return false;
    bool proven = origin_proves(proxy, origin, domain->name);
    for (unsigned i = 0; !proven && i < domain->core_count; i++)
        proven = origin_proves(proxy, origin, domain->cores[i].host);
    return proven;
}

bool admit_source_is_core(const struct proxy *proxy, const struct origin *origin,
                          const struct store_domain *domain)
{
    return allowed(proxy, &origin->peer) || cores_domain_has_ip(proxy, domain, &origin->peer) ||
           proves_core(proxy, origin, domain);
}

bool sources_known(struct proxy *proxy, const struct netaddr *peer)
{
    return allowed(proxy, peer) || cores_have_ip(proxy, peer);
}
