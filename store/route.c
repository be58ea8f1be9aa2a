#include "base/status.h"
#include "store/internal.h"

/* ---- domains, remembered as long as nothing was written ----
 *
 * Nearly every lookup asks for one of few domains, and the directory changes seldom: a decoded
 * domain is good for all snapshots of the same commit. */

static unsigned slot_of(const char *name, size_t len)
{
    unsigned hash = (unsigned)len * 31 + (unsigned char)name[0];
    hash = hash * 31 + (unsigned char)name[len / 2];
    return hash % STORE_CACHE_SLOTS;
}

/* 0, STATUS_NOTFOUND or a store status; *slot is set where the answer is yes. */
static int domain_find(struct store_reader *reader, const char *name,
                       const struct store_domain **found)
{
    size_t len = strlen(name), txn_id = mdb_txn_id(reader->txn.txn);
    struct store_domain_slot *slot = &reader->domains[slot_of(name, len)];
    if (slot->txn_id != txn_id || strcmp(slot->domain.name, name) != 0) {
        slot->txn_id = 0;
        int ret = store_domain_read(&reader->txn, name, &slot->domain);
        if (ret && ret != STATUS_NOTFOUND)
            return ret;
        slot->is_there = ret == 0 && slot->domain.move != STORE_MOVE_ARRIVING;
        memcpy(slot->domain.name, name, len + 1);
        slot->txn_id = txn_id;
    }
    *found = &slot->domain;
    return slot->is_there ? 0 : STATUS_NOTFOUND;
}

/* "Not found" is one of the two answers here. */
static int answer_of(int ret, bool *is_found)
{
    *is_found = ret == 0;
    return ret == STATUS_NOTFOUND ? 0 : ret;
}

/* ---- the address ---- */

/* Follows aliases from *address, whose record is `host`, as far as the directory knows. *address
 * becomes what they finally name; is_found tells whether `host` is that one's record. */
static int aliases_follow(const struct store_txn *txn, struct store_address *address,
                          struct store_host *host, bool *is_found)
{
    for (int hop = 0; hop < STORE_ALIAS_HOPS; hop++) {
        *address = host->target;
        int ret = answer_of(store_record_host(txn, address, host), is_found);
        if (ret || !*is_found || host->state != STORE_ADDRESS_ALIAS || host->blocked)
            return ret;
    }
    *is_found = false; /* longer than any that could be written */
    return 0;
}

static bool host_is_served_here(const struct store_host *host)
{
    return host->state == STORE_ADDRESS_HOSTED || host->state == STORE_ADDRESS_PORTED_IN;
}

/* Of a domain that is only being copied to here nothing is known yet: its records have states that
 * a foreign domain's have not. */
static int arrival_settle(struct store_reader *reader, const struct store_address *address,
                          const struct store_host *host, bool *is_found)
{
    const struct store_domain *domain;
    bool is_ours;
    if (!*is_found || host->state == STORE_ADDRESS_PORTED_IN ||
        host->state == STORE_ADDRESS_MOVED || host->state == STORE_ADDRESS_PREPARED)
        return 0;
    int ret = answer_of(domain_find(reader, address->domain, &domain), &is_ours);
    *is_found = is_ours;
    return ret;
}

/* An alias that the directory cannot follow: the target is another operator's, or nobody's. */
static int dangling_answer(struct store_reader *reader, const struct store_address *target,
                           struct store_host *host, bool *is_found)
{
    const struct store_domain *domain;
    bool is_ours;
    int ret = answer_of(domain_find(reader, target->domain, &domain), &is_ours);
    *is_found = ret == 0 && !is_ours;
    host->state = STORE_ADDRESS_ALIAS;
    host->blocked = false;
    memcpy(host->hosting, target->domain, sizeof(host->hosting));
    return ret;
}

static int alias_answer(struct store_reader *reader, struct store_host *host, bool *is_found,
                        struct store_address *target)
{
    int ret = aliases_follow(&reader->txn, target, host, is_found);
    if (ret == 0)
        ret = arrival_settle(reader, target, host, is_found);
    if (ret)
        return ret;
    bool is_open = *is_found && host->state != STORE_ADDRESS_PREPARED;
    return is_open ? 0 : dangling_answer(reader, target, host, is_found);
}

/* The domain whose core serves the address, and whether the address's own is ours. */
static int core_answer(struct store_reader *reader, const struct store_address *address,
                       const struct store_host *host, struct store_route *route)
{
    const struct store_domain *domain;
    bool is_served = host && host_is_served_here(host);
    bool is_ours, has_core;
    int ret = answer_of(domain_find(reader, address->domain, &domain), &is_ours);
    if (ret == 0 && is_ours)
        store_domain_copy(&route->core, domain);
    if (ret || !is_served || strcmp(host->hosting, address->domain) == 0) {
        route->domain_is_ours = is_ours;
        return ret;
    }
    ret = answer_of(domain_find(reader, host->hosting, &domain), &has_core);
    if (ret || !has_core)
        return ret ? ret : STATUS_CORRUPT; /* a domain with guests is never deleted */
    store_domain_copy(&route->core, domain);
    route->domain_is_ours = is_ours;
    return 0;
}

/* The domain is another operator's by now: what was served here, or was left to the core to know,
 * is his, and callers are led on to him. */
static int move_settle(struct store_reader *reader, const struct store_address *address,
                       struct store_host *host, bool *is_found)
{
    const struct store_domain *domain;
    bool is_ours;
    int ret = answer_of(domain_find(reader, address->domain, &domain), &is_ours);
    bool is_his =
        !*is_found || host->state == STORE_ADDRESS_HOSTED || host->state == STORE_ADDRESS_ALIAS;
    if (ret || !is_ours || domain->move != STORE_MOVE_GONE || !is_his)
        return ret;
    host->state = STORE_ADDRESS_PORTED_OUT;
    host->blocked = *is_found && host->blocked;
    memcpy(host->hosting, domain->move_to, sizeof(host->hosting));
    *is_found = true;
    return 0;
}

/* Ported between two of our domains: it never leaves the house. */
static int host_settle(struct store_reader *reader, struct store_host *host)
{
    const struct store_domain *domain;
    bool is_ours;
    if (host->state != STORE_ADDRESS_PORTED_OUT)
        return 0;
    int ret = answer_of(domain_find(reader, host->hosting, &domain), &is_ours);
    if (ret == 0 && is_ours)
        host->state = STORE_ADDRESS_PORTED_IN;
    return ret;
}

int store_route(struct store_reader *reader, const struct store_address *address,
                struct store_route *route)
{
    struct store_address target;
    struct store_host host;
    bool is_found, is_alias;
    int ret = answer_of(store_record_host(&reader->txn, address, &host), &is_found);
    if (ret == 0)
        ret = arrival_settle(reader, address, &host, &is_found);
    if (ret == 0)
        ret = move_settle(reader, address, &host, &is_found);
    is_alias = is_found && host.state == STORE_ADDRESS_ALIAS && !host.blocked;
    if (ret == 0 && is_alias)
        ret = alias_answer(reader, &host, &is_found, &target);
    else if (is_found && host.state == STORE_ADDRESS_PREPARED)
        is_found = false;
    if (ret == 0 && is_alias)
        ret = move_settle(reader, &target, &host, &is_found);
    if (ret == 0 && is_found)
        ret = host_settle(reader, &host);
    if (ret == 0)
        ret = core_answer(reader, address, is_found ? &host : NULL, route);
    if (ret)
        return ret;
    route->address_found = is_found;
    route->aliased = is_alias;
    if (is_alias)
        route->target = target;
    if (!is_found)
        return 0;
    route->state = host.state;
    route->blocked = host.blocked || host.state == STORE_ADDRESS_TOMBSTONE;
    memcpy(route->hosting, host.hosting, strlen(host.hosting) + 1);
    return 0;
}
