/* The location routing function: from a domain to its next hops, step by step (RFC 3263
 * section 4). A step is a set of questions asked side by side; when the last one is answered
 * the next step is chosen. What is chosen is decided in order.c. */
#include "resolver/internal.h"

#include "base/status.h"
#include "resolver/explain.h"
#include "resolver/order.h"
#include "resolver/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASKS_MAX (2 * RESOLVER_MAX_TARGETS) /* AAAA and A of each target */
#define HELD_MAX (1 + RESOLVER_NAPTR_MAX)   /* the NAPTR set and the SRV sets */

enum locate_step {
    LOCATE_START,    /* entered by resolver_locate; left by the timer, so never from inside it */
    LOCATE_NAPTR,    /* the NAPTR set of the domain is asked */
    LOCATE_SRV,      /* the SRV sets that NAPTR names, or that of the domain */
    LOCATE_ADDRESSES /* AAAA and A of each target, in order of preference */
};

struct ask {
    struct resolver_wait wait;
    struct resolver_location *location;
    const char *name; /* in a held set, or of the location */
    enum resolver_type type;
    bool answered;
    struct resolver_outcome outcome; /* its set is a reference of ours */
};

struct target {
    const char *host; /* in a held set, or of the location */
    uint16_t port, weight;
    uint8_t transport;
    unsigned rank; /* those of a lower one come first, those of the same are drawn by weight */
};

/* Owned by the resolver's list of locations until `done` was called or it is cancelled; then
 * spare, so that after warm-up a lookup needs no heap. */
struct resolver_location {
    struct list link;
    struct resolver *resolver;
    struct resolver_target target;
    resolver_locate_h *done;
    struct resolver_teller teller;
    struct timer timer; /* the start, then the deadline */
    enum locate_step step;
    bool finished;
    bool late; /* the deadline has passed: no further questions */
    bool settling;

    struct ask asks[ASKS_MAX];
    size_t ask_count;
    size_t pending; /* asks without answer */

    bool from_naptr; /* a NAPTR record named the SRV sets */
    bool from_srv;   /* an SRV record named the targets */
    char srv_names[RESOLVER_NAPTR_MAX][RESOLVER_NAME_MAX + 1];
    uint8_t srv_transports[RESOLVER_NAPTR_MAX]; /* of the SRV sets that are asked */
    struct target targets[RESOLVER_MAX_TARGETS];
    size_t target_count;
    unsigned rank; /* of the last one */
    struct resolver_set *held[HELD_MAX];
    size_t held_count;
};

/* ---- the end ---- */

static void asks_drop(struct resolver_location *location)
{
    for (size_t i = 0; i < location->ask_count; i++) {
        struct ask *ask = &location->asks[i];
        if (!ask->answered)
            resolver_wait_cancel(&ask->wait);
        resolver_set_unref(ask->outcome.set);
    }
    location->ask_count = 0;
}

/* After this nothing in the resolver points at the location. */
static void location_detach(struct resolver_location *location)
{
    struct resolver *resolver = location->resolver;
    location->finished = true;
    timer_stop(resolver->timers, &location->timer);
    asks_drop(location);
    for (size_t i = 0; i < location->held_count; i++)
        resolver_set_unref(location->held[i]);
    location->held_count = 0;
    list_remove(&location->link);
    resolver->location_count--;
}

static void location_recycle(struct resolver_location *location)
{
    list_append(&location->resolver->spare, &location->link);
}

static void location_finish(struct resolver_location *location, int status,
                            const struct resolver_hop *hops, size_t count, const char *why)
{
    location_detach(location);
    location->done(status, hops, count, why, location->teller.arg);
    location_recycle(location);
}

static void location_fail(struct resolver_location *location, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `format` says what is wrong; the domain is put before it. */
static void location_fail(struct resolver_location *location, int status, const char *format, ...)
{
    char text[RESOLVER_LINE_MAX];
    char why[RESOLVER_LINE_MAX + STORE_DOMAIN_MAX + 3];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(why, sizeof(why), "%s: %s", location->target.host, text);
    resolver_tell(&location->teller, "%s", why);
    location_finish(location, status, NULL, 0, why);
}

/* ---- asking ---- */

static void step_done(struct resolver_location *location);

static void pending_drop(struct resolver_location *location)
{
    if (--location->pending == 0)
        step_done(location);
}

static void deadline_passed(void *arg);

/* With an address of a most preferred target at hand, a slow server of some other name must not
 * hold up the call. */
static void settle(struct resolver_location *location, const struct ask *ask)
{
    const struct target *target = &location->targets[(ask - location->asks) / 2];
    bool preferred = target->rank == location->targets[0].rank;
    if (location->settling || !preferred || ask->outcome.status != 0)
        return;
    location->settling = true;
    resolver_timer_start(location->resolver, &location->timer, RESOLVER_SETTLE_MS, deadline_passed,
                         location);
}

static void ask_answered(const struct resolver_outcome *outcome, void *arg)
{
    struct ask *ask = arg;
    struct resolver_location *location = ask->location;
    ask->answered = true;
    ask->outcome = *outcome;
    if (outcome->set)
        resolver_set_ref(outcome->set);
    if (location->step == LOCATE_ADDRESSES)
        settle(location, ask);
    pending_drop(location);
}

static void ask_add(struct resolver_location *location, enum resolver_type type, const char *name)
{
    struct ask *ask = &location->asks[location->ask_count++];
    memset(ask, 0, sizeof(*ask));
    ask->location = location;
    ask->name = name;
    ask->type = type;
}

/* Asks what was added. The count is one too high meanwhile, so that answers from the cache cannot
 * end the step before everything is asked. */
static void asks_start(struct resolver_location *location, enum locate_step step)
{
    location->step = step;
    location->pending = location->ask_count + 1;
    for (size_t i = 0; i < location->ask_count; i++) {
        struct ask *ask = &location->asks[i];
        resolver_ask(location->resolver, ask->name, ask->type, &ask->wait, ask_answered, ask);
    }
    pending_drop(location);
}

/* Keeps the sets of the finished step, for the next one uses names in them. */
static void asks_hold(struct resolver_location *location)
{
    for (size_t i = 0; i < location->ask_count; i++) {
        if (location->asks[i].outcome.set)
            location->held[location->held_count++] = location->asks[i].outcome.set;
        location->asks[i].outcome.set = NULL;
    }
    location->ask_count = 0;
}

/* The first ask that could not be answered, or NULL. */
static const struct ask *failed_ask(const struct resolver_location *location)
{
    for (size_t i = 0; i < location->ask_count; i++)
        if (!location->asks[i].outcome.set)
            return &location->asks[i];
    return NULL;
}

/* Is the name the domain's, or below it? */
static bool is_of_domain(const struct resolver_location *location, const char *name)
{
    size_t len = strlen(name), host_len = strlen(location->target.host);
    return len >= host_len && strcmp(name + len - host_len, location->target.host) == 0 &&
           (len == host_len || name[len - host_len - 1] == '.');
}

/* The question stands in the reason; the domain before it only where that does not name it. What it
 * was answered has been told already. */
static void fail_by(struct resolver_location *location, const struct ask *ask)
{
    char text[RESOLVER_LINE_MAX / 2], why[RESOLVER_LINE_MAX + STORE_DOMAIN_MAX + 3];
    bool named = is_of_domain(location, ask->name);
    snprintf(why, sizeof(why), "%s%s%s %s: %s", named ? "" : location->target.host,
             named ? "" : ": ", resolver_type_name(ask->type), ask->name,
             resolver_failure_text(&ask->outcome, text, sizeof(text)));
    location_finish(location, ask->outcome.status, NULL, 0, why);
}

/* ---- addresses ---- */

/* Puts a target behind those of its rank; before them where its weight is 0, which gives it the
 * very small chance that RFC 2782 wants. */
static void target_add(struct resolver_location *location, const struct target *target)
{
    if (location->target_count == RESOLVER_MAX_TARGETS)
        return;
    size_t at = location->target_count++;
    for (; at > 0 && target->weight == 0 && location->targets[at - 1].rank == target->rank; at--)
        location->targets[at] = location->targets[at - 1];
    location->targets[at] = *target;
}

static void addresses_start(struct resolver_location *location)
{
    for (size_t i = 0; i < location->target_count; i++) {
        ask_add(location, RESOLVER_AAAA, location->targets[i].host);
        ask_add(location, RESOLVER_A, location->targets[i].host);
    }
    asks_start(location, LOCATE_ADDRESSES);
}

static size_t hops_collect(const struct resolver_location *location,
                           struct resolver_hop hops[RESOLVER_MAX_HOPS])
{
    size_t count = 0;
    for (size_t i = 0; i < location->target_count; i++) {
        const struct target *target = &location->targets[i];
        struct netaddr addrs[RESOLVER_MAX_HOPS];
        size_t found = resolver_order_addresses(location->asks[2 * i].outcome.set,
                                                location->asks[2 * i + 1].outcome.set, target->port,
                                                addrs, RESOLVER_MAX_HOPS - count);
        for (size_t a = 0; a < found; a++, count++) {
            hops[count].addr = addrs[a];
            hops[count].transport = target->transport;
            memcpy(hops[count].host, target->host, strlen(target->host) + 1);
        }
    }
    return count;
}

static void location_succeed(struct resolver_location *location, const struct resolver_hop *hops,
                             size_t count)
{
    for (size_t i = 0; i < count; i++)
        resolver_tell_hop(&location->teller, i + 1, &hops[i]);
    location_finish(location, 0, hops, count, "");
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

static void addresses_done(struct resolver_location *location)
{
    struct resolver_hop hops[RESOLVER_MAX_HOPS];
    size_t count = hops_collect(location, hops);
    if (count > 0) {
        location_succeed(location, hops, count);
        return;
    }
    const struct ask *failed = failed_ask(location);
    if (failed)
        fail_by(location, failed);
    else if (location->from_srv)
        location_fail(location, STATUS_NOHOP, "no SRV target has an address: %s%s",
                      location->targets[0].host, location->target_count > 1 ? " and others" : "");
    else if (location->asks[0].outcome.status == STATUS_NXDOMAIN)
        location_fail(location, STATUS_NXDOMAIN, "NXDOMAIN: the domain does not exist");
    else
        location_fail(location, STATUS_NOHOP, "%s", nothing_text(&location->target));
}

static void addresses_of_domain(struct resolver_location *location)
{
    const struct resolver_target *asked = &location->target;
    const struct target target = {.host = asked->host,
                                  .port = resolver_target_port(asked),
                                  .transport = (uint8_t)resolver_target_transport(asked)};
    target_add(location, &target);
    addresses_start(location);
}

/* ---- SRV ---- */

/* The targets of the nth SRV set: by priority, and where there are too many of one, those that were
 * drawn first. */
static void srv_targets(struct resolver_location *location, size_t nth, uint64_t seed)
{
    const struct resolver_set *set = location->asks[nth].outcome.set;
    size_t order[RESOLVER_RECORDS_MAX];
    size_t count = resolver_order_srv(set, seed, order);
    for (size_t i = 0; i < count; i++) {
        const struct resolver_srv *srv = &set->records[order[i]].srv;
        if (i == 0 || srv->priority != set->records[order[i - 1]].srv.priority)
            location->rank++;
        const struct target target = {.host = srv->target,
                                      .port = srv->port,
                                      .weight = srv->weight,
                                      .transport = location->srv_transports[nth],
                                      .rank = location->rank};
        if (srv->target[0] != '\0')
            target_add(location, &target);
    }
}

/* The first SRV set with records, though they lead nowhere; or NULL. */
static const struct ask *ask_with_records(const struct resolver_location *location)
{
    for (size_t i = 0; i < location->ask_count; i++)
        if (location->asks[i].outcome.status == 0)
            return &location->asks[i];
    return NULL;
}

static void srv_done(struct resolver_location *location)
{
    uint64_t seed = 0; /* without random numbers the load is not shared, and all else works */
    resolver_random(&seed, sizeof(seed));
    for (size_t i = 0; i < location->ask_count; i++)
        if (location->asks[i].outcome.set)
            srv_targets(location, i, seed + i);

    const struct ask *failed = failed_ask(location), *with_records = ask_with_records(location);
    if (failed && (location->late || location->target_count == 0)) {
        fail_by(location, failed);
    } else if (location->target_count > 0) {
        location->from_srv = true;
        asks_hold(location);
        addresses_start(location);
    } else if (with_records) {
        location_fail(location, STATUS_NOHOP,
                      "SRV %s: its target is \".\" or no host name: no SIP%s is offered",
                      with_records->name,
                      location->target.profile == RESOLVER_PEER ? " over TLS" : "");
    } else if (location->from_naptr) {
        location_fail(location, STATUS_NOHOP, "NAPTR leads to SRV %s, which does not exist",
                      location->asks[0].name);
    } else {
        resolver_tell(&location->teller, "no SRV records: the domain's own addresses, port %u",
                      resolver_target_port(&location->target));
        asks_hold(location);
        addresses_of_domain(location);
    }
}

/* ---- NAPTR ---- */

static void srv_ask(struct resolver_location *location, const char *name, int transport)
{
    location->srv_transports[location->ask_count] = (uint8_t)transport;
    ask_add(location, RESOLVER_SRV, name);
}

static void srv_of_domain(struct resolver_location *location)
{
    unsigned wanted = resolver_target_srv(&location->target);
    for (int transport = RESOLVER_UDP; transport <= RESOLVER_SCTP; transport++) {
        char *name = location->srv_names[transport];
        if (!(wanted & RESOLVER_BIT(transport)))
            continue;
        int len = snprintf(name, sizeof(location->srv_names[0]), "%s.%s",
                           resolver_service_label((enum resolver_transport)transport),
                           location->target.host);
        if (len <= RESOLVER_NAME_MAX) /* else no such name can exist */
            srv_ask(location, name, transport);
    }
    if (location->ask_count > 0)
        asks_start(location, LOCATE_SRV);
    else
        addresses_of_domain(location);
}

static void naptr_done(struct resolver_location *location)
{
    const struct resolver_outcome *outcome = &location->asks[0].outcome;
    if (!outcome->set) {
        fail_by(location, &location->asks[0]);
        return;
    }
    if (outcome->status == STATUS_NXDOMAIN) { /* nothing is below it either (RFC 8020) */
        location_fail(location, STATUS_NXDOMAIN, "NXDOMAIN: the domain does not exist");
        return;
    }
    const struct resolver_set *set = outcome->set;
    size_t order[RESOLVER_NAPTR_MAX];
    size_t count = resolver_order_naptr(set, location->teller.services, order);
    asks_hold(location);
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
    asks_start(location, LOCATE_SRV);
}

/* ---- steps ---- */

static void step_done(struct resolver_location *location)
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

/* What is not answered by now is unknown; what is may suffice. */
static void deadline_passed(void *arg)
{
    struct resolver_location *location = arg;
    location->late = true;
    for (size_t i = 0; i < location->ask_count; i++) {
        struct ask *ask = &location->asks[i];
        if (ask->answered)
            continue;
        ask->answered = true;
        ask->outcome.status = -ETIMEDOUT;
        ask->outcome.cause = "no answer in time";
        ask->outcome.upstream = resolver_wait_upstream(&ask->wait);
        resolver_wait_cancel(&ask->wait);
    }
    step_done(location);
}

static void start_due(void *arg)
{
    struct resolver_location *location = arg;
    const struct resolver_target *target = &location->target;
    struct resolver_hop hop = {.transport = (uint8_t)resolver_target_transport(target)};
    if (netaddr_from_ip(&hop.addr, slice_of(target->host), resolver_target_port(target)) == 0) {
        memcpy(hop.host, target->host, sizeof(hop.host));
        location_succeed(location, &hop, 1);
        return;
    }
    if (resolver_timer_start(location->resolver, &location->timer,
                             location->resolver->conf.lookup_timeout_ms, deadline_passed,
                             location) < 0) {
        location_fail(location, STATUS_SERVFAIL, "no memory for a timer");
        return;
    }
    if (resolver_target_asks_naptr(target)) {
        ask_add(location, RESOLVER_NAPTR, target->host);
        asks_start(location, LOCATE_NAPTR);
    } else if (resolver_target_asks_srv(target)) {
        srv_of_domain(location);
    } else {
        addresses_of_domain(location);
    }
}

/* ---- the public functions ---- */

static struct resolver_location *location_alloc(struct resolver *resolver)
{
    struct list *spare = list_first(&resolver->spare);
    struct resolver_location *location;
    if (spare) {
        list_remove(spare);
        location = container_of(spare, struct resolver_location, link);
    } else {
        location = malloc(sizeof(*location));
        if (!location)
            return NULL;
    }
    memset(location, 0, sizeof(*location));
    list_init(&location->link);
    timer_init(&location->timer);
    location->resolver = resolver;
    return location;
}

static bool is_transport(const struct resolver_target *target)
{
    return target->profile == RESOLVER_PEER || target->transport <= RESOLVER_SCTP ||
           target->transport == RESOLVER_ANY;
}

/* A host name in lower case, or an IP literal as it is. */
static int target_copy(const struct resolver_target *from, struct resolver_target *to)
{
    struct netaddr addr;
    *to = *from;
    if (memchr(from->host, '\0', sizeof(from->host)) == NULL || !is_transport(from))
        return -EINVAL;
    if (netaddr_from_ip(&addr, slice_of(from->host), 0) == 0)
        return 0;
    return resolver_name_copy(slice_of(from->host), to->host);
}

int resolver_locate(struct resolver *resolver, const struct resolver_target *target,
                    resolver_locate_h *done, resolver_trace_h *trace, void *arg,
                    struct resolver_location **location)
{
    struct resolver_target copy;
    if (target_copy(target, &copy) < 0)
        return -EINVAL;
    if (resolver->closing || resolver->location_count >= RESOLVER_LOCATIONS_MAX)
        return -EAGAIN;
    struct resolver_location *made = location_alloc(resolver);
    if (!made)
        return -ENOMEM;
    made->target = copy;
    made->done = done;
    made->teller = (struct resolver_teller){trace, arg, resolver_target_services(&copy)};
    int status = resolver_timer_start(resolver, &made->timer, 0, start_due, made);
    if (status < 0) {
        free(made);
        return status;
    }
    list_append(&resolver->locations, &made->link);
    resolver->location_count++;
    *location = made;
    return 0;
}

void resolver_locate_cancel(struct resolver_location *location)
{
    if (location->finished)
        return;
    location_detach(location);
    location_recycle(location);
}

void resolver_locations_end(struct resolver *resolver)
{
    struct list *link;
    while ((link = list_first(&resolver->locations)))
        location_finish(container_of(link, struct resolver_location, link), STATUS_CANCELLED, NULL,
                        0, "the resolver is being closed");
}

void resolver_locations_free(struct resolver *resolver)
{
    list_each (link, next, &resolver->spare)
        free(container_of(link, struct resolver_location, link));
}
