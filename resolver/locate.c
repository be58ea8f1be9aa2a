/* The location routing function: from a domain to its next hops, step by step (RFC 3263
 * section 4). A step is a set of questions asked side by side; when the last one is answered
 * the next step is chosen. What is chosen is decided in order.c and service.c. */
#include "resolver/location.h"

#include "base/status.h"
#include "resolver/service.h"

#include <stdio.h>
#include <string.h>

/* Of the name itself, not of what it is an alias of. */
static bool does_not_exist(const struct ask *ask)
{
    return ask->outcome.status == STATUS_NXDOMAIN && !ask->outcome.set->aliased;
}

/* A way is worth what its worst step is. */
static enum resolver_path worse(enum resolver_path a, enum resolver_path b)
{
    return a < b ? a : b;
}

/* ---- addresses ---- */

/* Puts a host behind those of its rank; before them where its weight is 0, which gives it the
 * very small chance that RFC 2782 wants. Those beyond the room are left for the next round. */
static void host_add(struct resolver_location *location, const struct host *host)
{
    if (location->host_count == RESOLVER_MAX_TARGETS) {
        location->more_hosts = true;
        return;
    }
    size_t at = location->host_count++;
    for (; at > 0 && host->weight == 0 && location->hosts[at - 1].rank == host->rank; at--)
        location->hosts[at] = location->hosts[at - 1];
    location->hosts[at] = *host;
}

static void addresses_start(struct resolver_location *location)
{
    for (size_t i = 0; i < location->host_count; i++) {
        resolver_location_add(location, RESOLVER_AAAA, location->hosts[i].name);
        resolver_location_add(location, RESOLVER_A, location->hosts[i].name);
    }
    resolver_location_ask(location, LOCATE_ADDRESSES);
}

/* By the sets that hold the host's addresses: AAAA and A. */
static enum resolver_path host_path(const struct host *host, const struct ask asks[2])
{
    enum resolver_path path = (enum resolver_path)host->path;
    for (size_t i = 0; i < 2; i++)
        if (asks[i].outcome.set && asks[i].outcome.status == 0)
            path = worse(path, resolver_outcome_path(&asks[i].outcome));
    return path;
}

/* The plan of what was found. */
static struct resolver_plan *plan_make(const struct resolver_location *location, size_t *addr_count)
{
    struct netaddr addrs[RESOLVER_MAX_TARGETS][RESOLVER_MAX_HOPS];
    struct resolver_plan_part parts[RESOLVER_MAX_TARGETS];
    const char *names[SRV_MAX];
    size_t counts[RESOLVER_MAX_TARGETS];
    for (size_t i = 0; i < location->host_count; i++) {
        const struct host *host = &location->hosts[i];
        parts[i] =
            (struct resolver_plan_part){.host = host->name,
                                        .weight = host->weight,
                                        .transport = host->transport,
                                        .path = (uint8_t)host_path(host, &location->asks[2 * i]),
                                        .rank = host->rank,
                                        .addrs = addrs[i]};
        counts[i] = resolver_order_addresses(location->asks[2 * i].outcome.set,
                                             location->asks[2 * i + 1].outcome.set, host->port,
                                             addrs[i], RESOLVER_MAX_HOPS);
    }
    resolver_order_share(counts, location->host_count, RESOLVER_MAX_HOPS);
    for (size_t i = 0; i < location->host_count; i++) {
        parts[i].addr_count = counts[i];
        *addr_count += counts[i];
    }
    for (size_t i = 0; i < location->srv_count; i++)
        names[i] = location->srv_sets[i].name;
    return resolver_plan_make(&location->target, parts, location->host_count, names,
                              location->srv_count);
}

/* Which questions found nothing. */
static const char *nothing_text(const struct resolver_target *target)
{
    if (resolver_target_asks_naptr(target))
        return target->profile == RESOLVER_PEER
                   ? "no NAPTR SIPS+D2T, no SRV _sips._tcp and no address records (AAAA, A)"
                   : "no NAPTR, no SRV and no address records (AAAA, A)";
    if (resolver_target_asks_srv(target))
        return "no SRV and no address records (AAAA, A)";
    return "no address records (AAAA, A); nothing else was asked, for a port was given (RFC "
           "3263 section 4.2)";
}

static bool next_hosts(struct resolver_location *location);

static void addresses_done(struct resolver_location *location)
{
    size_t addr_count = 0;
    struct resolver_plan *plan = plan_make(location, &addr_count);
    const struct ask *failed = resolver_location_failed(location);
    if (plan)
        resolver_location_succeed(location, plan);
    else if (addr_count > 0)
        resolver_location_fail(location, STATUS_SERVFAIL, "no memory");
    else if (failed)
        resolver_location_fail_by(location, failed);
    else if (next_hosts(location))
        return;
    else if (location->from_srv)
        resolver_location_fail(location, STATUS_NOHOP, "no SRV target has an address: %s%s",
                               location->hosts[0].name,
                               location->host_count + location->passed > 1 ? " and others" : "");
    else if (does_not_exist(&location->asks[0]))
        resolver_location_fail(location, STATUS_NXDOMAIN, "NXDOMAIN: the domain does not exist");
    else
        resolver_location_fail(location, STATUS_NOHOP, "%s", nothing_text(&location->target));
}

static void addresses_of_domain(struct resolver_location *location)
{
    const struct resolver_target *asked = &location->target;
    bool named = location->srv_first > 0; /* by a NAPTR record */
    enum resolver_transport transport =
        named ? (enum resolver_transport)location->srv_sets[0].transport
              : resolver_target_transport(asked);
    const struct host host = {.name = asked->host,
                              .port = asked->port ? asked->port : resolver_service_port(transport),
                              .transport = (uint8_t)transport,
                              .path = (uint8_t)location->path};
    if (resolver_target_asks_srv(asked))
        resolver_tell(&location->teller, "no SRV records: the domain's own addresses, port %u",
                      host.port);
    host_add(location, &host);
    addresses_start(location);
}

/* ---- SRV ---- */

/* May this record lead to a host? */
static bool srv_is_usable(const struct resolver_location *location, const struct srv_set *asked,
                          const struct resolver_srv *srv)
{
    if (srv->target[0] != '\0' && srv->port == 0 && location->rounds == 0)
        resolver_tell(&location->teller, "SRV %s: %s is passed over: port 0 is none", asked->name,
                      srv->target);
    return srv->target[0] != '\0' && srv->port != 0;
}

/* The targets of an SRV set: by priority, and where there are too many of one, those that were
 * drawn first. The first *pass of them are left out. */
static void srv_hosts(struct resolver_location *location, size_t nth, size_t *pass)
{
    const struct srv_set *asked = &location->srv_sets[nth];
    const struct resolver_set *set = asked->set;
    size_t order[RESOLVER_RECORDS_MAX];
    size_t count = resolver_order_srv(set, location->srv_seed + nth, order);
    for (size_t i = 0; i < count; i++) {
        const struct resolver_srv *srv = &set->records[order[i]].srv;
        if (i == 0 || srv->priority != set->records[order[i - 1]].srv.priority)
            location->rank++;
        const struct host host = {.name = srv->target,
                                  .port = srv->port,
                                  .weight = srv->weight,
                                  .transport = asked->transport,
                                  .path = (uint8_t)worse(location->path, asked->path),
                                  .rank = location->rank};
        if (!srv_is_usable(location, asked, srv))
            continue;
        if (*pass > 0)
            --*pass;
        else
            host_add(location, &host);
    }
}

/* The hosts of this round: those that the SRV sets name, behind those of earlier rounds. */
static void hosts_collect(struct resolver_location *location)
{
    size_t pass = location->passed;
    location->host_count = 0;
    location->rank = 0;
    location->more_hosts = false;
    for (size_t i = location->srv_first; i < location->srv_count; i++)
        if (location->srv_sets[i].set)
            srv_hosts(location, i, &pass);
}

/* None of the hosts has an address, but there are others. Returns whether they are asked for. */
static bool next_hosts(struct resolver_location *location)
{
    if (!location->more_hosts || location->late || location->rounds + 1 == ROUNDS_MAX)
        return false;
    for (size_t i = 0; i < location->ask_count; i++)
        location->asks[i].outcome.set = resolver_set_unref(location->asks[i].outcome.set);
    location->ask_count = 0;
    location->rounds++;
    location->passed += location->host_count;
    hosts_collect(location);
    resolver_tell(&location->teller, "no address so far: the next %zu hosts", location->host_count);
    addresses_start(location);
    return true;
}

/* The first SRV set with records, though they lead nowhere; or NULL. */
static const struct ask *ask_with_records(const struct resolver_location *location)
{
    for (size_t i = 0; i < location->ask_count; i++)
        if (location->asks[i].outcome.status == 0)
            return &location->asks[i];
    return NULL;
}

static void srv_of_domain(struct resolver_location *location);

static const char *offered_text(const struct resolver_target *target)
{
    switch (target->profile) {
    case RESOLVER_PEER:
        return "SIP over TLS";
    case RESOLVER_PORTING:
        return "federation API";
    case RESOLVER_CORE:
        break;
    }
    return "SIP";
}

/* RFC 3263 section 4.2 goes on with the domain's addresses where no SRV record is found. Where the
 * NAPTR record named another SRV set than the usual one, that may be there. */
static void srv_missing(struct resolver_location *location)
{
    const char *missing = location->asks[0].name;
    for (size_t i = 0; i < location->ask_count; i++)
        location->path = worse(location->path, resolver_outcome_path(&location->asks[i].outcome));
    resolver_location_hold(location);
    if (location->target.profile == RESOLVER_PORTING) {
        resolver_location_fail(location, STATUS_NOHOP,
                               "SRV %s: there is none: no federation API is offered", missing);
        return;
    }
    if (location->from_naptr) {
        location->from_naptr = false;
        resolver_tell(&location->teller, "NAPTR leads to SRV %s, which does not exist", missing);
        srv_of_domain(location);
        return;
    }
    addresses_of_domain(location);
}

static void srv_done(struct resolver_location *location)
{
    for (size_t i = 0; i < location->ask_count; i++) {
        struct srv_set *srv_set = &location->srv_sets[location->srv_first + i];
        srv_set->set = location->asks[i].outcome.set;
        srv_set->path = resolver_outcome_path(&location->asks[i].outcome);
    }
    location->srv_seed = resolver_order_draw(&location->resolver->lottery);
    hosts_collect(location);

    const struct ask *failed = resolver_location_failed(location);
    const struct ask *with_records = ask_with_records(location);
    if (failed && (location->late || location->host_count == 0)) {
        resolver_location_fail_by(location, failed);
    } else if (location->host_count > 0) {
        location->from_srv = true;
        resolver_location_hold(location);
        addresses_start(location);
    } else if (with_records) {
        resolver_location_fail(location, STATUS_NOHOP,
                               "SRV %s: its target is \".\", no host name, or has port 0: no "
                               "%s is offered",
                               with_records->name, offered_text(&location->target));
    } else {
        srv_missing(location);
    }
}

/* ---- NAPTR ---- */

static void srv_ask(struct resolver_location *location, const char *name, int transport)
{
    location->srv_sets[location->srv_count++] =
        (struct srv_set){.name = name, .transport = (uint8_t)transport};
    resolver_location_add(location, RESOLVER_SRV, name);
}

/* The transports whose SRV sets of the domain are asked: where NAPTR records have led nowhere,
 * still those that they name. */
static unsigned srv_wanted(const struct resolver_location *location)
{
    unsigned wanted = 0;
    for (size_t i = 0; i < location->srv_first; i++)
        wanted |= RESOLVER_BIT(location->srv_sets[i].transport);
    return wanted ? wanted : resolver_target_srv(&location->target);
}

/* A NAPTR record has led there, and there is nothing. */
static bool srv_was_asked(const struct resolver_location *location, const char *name)
{
    for (size_t i = 0; i < location->srv_first; i++)
        if (strcmp(location->srv_sets[i].name, name) == 0)
            return true;
    return false;
}

static void srv_of_domain(struct resolver_location *location)
{
    location->srv_first = location->srv_count;
    unsigned wanted = srv_wanted(location);
    for (int transport = RESOLVER_UDP; transport <= RESOLVER_SCTP; transport++) {
        char *name = location->srv_names[transport];
        if (!(wanted & RESOLVER_BIT(transport)))
            continue;
        int len =
            snprintf(name, sizeof(location->srv_names[0]), "%s.%s",
                     resolver_target_label(&location->target, (enum resolver_transport)transport),
                     location->target.host);
        /* a longer name cannot exist */
        if (len <= RESOLVER_NAME_MAX && !srv_was_asked(location, name))
            srv_ask(location, name, transport);
    }
    if (location->ask_count > 0)
        resolver_location_ask(location, LOCATE_SRV);
    else if (location->target.profile == RESOLVER_PORTING)
        resolver_location_fail(location, STATUS_NOHOP,
                               "SRV: a name so long cannot exist: no federation API is offered");
    else
        addresses_of_domain(location);
}

static void naptr_done(struct resolver_location *location)
{
    const struct resolver_outcome *outcome = &location->asks[0].outcome;
    if (!outcome->set) {
        resolver_location_fail_by(location, &location->asks[0]);
        return;
    }
    if (does_not_exist(&location->asks[0])) { /* nothing is below it either (RFC 8020) */
        resolver_location_fail(location, STATUS_NXDOMAIN, "NXDOMAIN: the domain does not exist");
        return;
    }
    location->path = worse(location->path, resolver_outcome_path(outcome));
    const struct resolver_set *set = outcome->set;
    size_t order[RESOLVER_NAPTR_MAX];
    size_t count = resolver_order_naptr(set, location->teller.services, order);
    resolver_location_hold(location);
    if (count == 0) {
        resolver_tell(&location->teller, "no NAPTR for SIP%s: SRV is next",
                      location->target.profile == RESOLVER_PEER ? " over TLS" : "");
        srv_of_domain(location);
        return;
    }
    location->from_naptr = true;
    for (size_t i = 0; i < count; i++)
        srv_ask(location, set->records[order[i]].naptr.replacement,
                resolver_naptr_transport(&set->records[order[i]].naptr));
    resolver_location_ask(location, LOCATE_SRV);
}

/* ---- steps ---- */

void resolver_location_step_done(struct resolver_location *location)
{
    for (size_t i = 0; i < location->ask_count; i++)
        resolver_tell_outcome(&location->teller, location->asks[i].name, location->asks[i].type,
                              &location->asks[i].outcome);
    switch (location->step) {
    case LOCATE_START:
        return;
    case LOCATE_NAPTR:
        naptr_done(location);
        return;
    case LOCATE_SRV:
        srv_done(location);
        return;
    case LOCATE_ADDRESSES:
        addresses_done(location);
        return;
    }
}

void resolver_location_start(struct resolver_location *location)
{
    const struct resolver_target *target = &location->target;
    if (resolver_target_asks_naptr(target)) {
        resolver_location_add(location, RESOLVER_NAPTR, target->host);
        resolver_location_ask(location, LOCATE_NAPTR);
    } else if (resolver_target_asks_srv(target)) {
        srv_of_domain(location);
    } else {
        addresses_of_domain(location);
    }
}
