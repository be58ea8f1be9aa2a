/* What the source of a message has proven, and what that entitles it to, whichever worker has its
 * connection. */
#include "peering/proxy/plan.h"

#include "base/table.h"

static uint64_t hash_of(const struct proxy *proxy, const char *domain)
{
    return siphash(proxy->owner_key, slice_of(domain));
}

void origin_note_proven(const struct proxy *proxy, const struct conn *conn, struct proven *proven)
{
    const char *domain;
    proven->count = 0;
    while (conn && proven->count < TLS_MAX_IDENTITIES &&
           (domain = conn_identity(conn, proven->count)))
        proven->hashes[proven->count++] = hash_of(proxy, domain);
}

static bool was_proven(const struct proven *proven, uint64_t hash)
{
    for (unsigned i = 0; i < proven->count; i++)
        if (proven->hashes[i] == hash)
            return true;
    return false;
}

bool origin_proves(const struct proxy *proxy, const struct origin *origin, const char *domain)
{
    if (origin->conn)
        return conn_holds(origin->conn, domain);
    return origin->proven && was_proven(origin->proven, hash_of(proxy, domain));
}

#define REALM_CORES 0

/* No peer's is that of the cores. */
static uint64_t realm_of(uint64_t number)
{
    return number == REALM_CORES ? 1 : number;
}

unsigned origin_realms(const struct proxy *proxy, const struct origin *origin,
                       uint64_t realms[TLS_MAX_IDENTITIES])
{
    struct proven here;
    const struct proven *proven = origin->proven;
    if (origin->listener->side == TRANSPORT_INSIDE) {
        realms[0] = REALM_CORES;
        return 1;
    }
    if (origin->conn || !proven) {
        origin_note_proven(proxy, origin->conn, &here);
        proven = &here;
    }
    for (unsigned i = 0; i < proven->count; i++)
        realms[i] = realm_of(proven->hashes[i]);
    if (proven->count > 0)
        return proven->count;
    realms[0] = realm_of((uintptr_t)origin->conn); /* referenced as long as its transactions live */
    return 1;
}

static bool core_may_answer(struct proxy *proxy, const struct origin *origin,
                            const struct asked *asked)
{
    struct store_reader *reader;
    struct store_domain domain;
    if (netaddr_eq_ip(&origin->peer, asked->addr))
        return true;
    if (!asked->domain[0])
        return sources_known(proxy, &origin->peer);
    reader = proxy_reader(proxy);
    return reader && store_domain_get(reader, asked->domain, &domain) == 0 &&
           admit_source_is_core(proxy, origin, &domain);
}

bool origin_may_answer(struct proxy *proxy, const struct origin *origin, const struct asked *asked)
{
    if (origin->listener->side != asked->side)
        return false;
    if (origin->conn && origin->conn == asked->conn)
        return true;
    return asked->side == TRANSPORT_OUTSIDE ? origin_proves(proxy, origin, asked->domain)
                                            : core_may_answer(proxy, origin, asked);
}
