/* The life of a lookup: its questions, its deadline, its end. */
#include "resolver/location.h"

#include "base/status.h"
#include "resolver/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    struct resolver *resolver = location->resolver;
    if (resolver->spare_count == RESOLVER_SPARES_MAX) {
        free(location);
        return;
    }
    resolver->spare_count++;
    list_append(&resolver->spare, &location->link);
}

static void location_finish(struct resolver_location *location, int status,
                            struct resolver_plan *plan, const struct resolver_hop *hops,
                            size_t count, const char *why)
{
    location_detach(location);
    if (location->found)
        location->found(status, plan, why, location->teller.arg);
    else
        location->done(status, hops, count, why, location->teller.arg);
    location_recycle(location);
}

/* Without an answer an old plan does; "no" is an answer. */
static void location_end(struct resolver_location *location, int status, const char *why)
{
    bool unknown = status == STATUS_SERVFAIL || status == -ETIMEDOUT;
    struct resolver_plan *plan = NULL;
    if (location->found && unknown)
        plan = resolver_plan_stale(location->resolver, &location->target);
    else if (!unknown)
        resolver_plan_forget(location->resolver, &location->target);
    location_finish(location, plan ? 0 : status, plan, NULL, 0, why);
}

void resolver_location_fail(struct resolver_location *location, int status, const char *format, ...)
{
    char text[RESOLVER_LINE_MAX];
    char why[RESOLVER_LINE_MAX + STORE_DOMAIN_MAX + 3];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(why, sizeof(why), "%s: %s", location->target.host, text);
    resolver_tell(&location->teller, "%s", why);
    location_end(location, status, why);
}

/* The question stands in the reason; the domain before it only where that does not name it. What it
 * was answered has been told already. */
void resolver_location_fail_by(struct resolver_location *location, const struct ask *ask)
{
    char text[RESOLVER_LINE_MAX / 2], why[RESOLVER_LINE_MAX + STORE_DOMAIN_MAX + 3];
    bool named = resolver_name_is_within(ask->name, location->target.host);
    snprintf(why, sizeof(why), "%s%s%s %s: %s", named ? "" : location->target.host,
             named ? "" : ": ", resolver_type_name(ask->type), ask->name,
             resolver_failure_text(&ask->outcome, text, sizeof(text)));
    location_end(location, ask->outcome.status, why);
}

/* Keeps the plan as long as what it is made of. One that lacks something is soon looked at again;
 * but where nobody answers then, it does as well as any: what it lacks was not in the cache either,
 * or is a "there is none". */
static void plan_keep(struct resolver_location *location, struct resolver_plan *plan)
{
    struct resolver *resolver = location->resolver;
    unsigned max_s = location->partial ? RESOLVER_PLAN_PARTIAL_S : RESOLVER_PLAN_MAX_S;
    uint64_t now_ms = resolver_now_ms(resolver), max_ms = now_ms + (uint64_t)max_s * 1000;
    uint64_t until_ms = location->until_ms < max_ms ? location->until_ms : max_ms;
    plan->age = location->age;
    resolver_plan_keep(resolver, plan, until_ms,
                       location->ends_ms > until_ms ? location->ends_ms : until_ms);
}

/* The hops of one search; tells them. */
static size_t hops_list(struct resolver_location *location, struct resolver_plan *plan,
                        struct resolver_hop hops[RESOLVER_MAX_HOPS])
{
    struct resolver_search search;
    size_t count = 0;
    resolver_search_begin(&search, location->resolver, plan, location->target.host);
    while (resolver_search_more(&search) && (resolver_search_next(&search, &hops[count]) ||
                                             resolver_search_next_avoided(&search, &hops[count]))) {
        resolver_tell_hop(&location->teller, count + 1, &hops[count]);
        count++;
    }
    resolver_search_done(&search);
    return count;
}

void resolver_location_succeed(struct resolver_location *location, struct resolver_plan *plan)
{
    struct resolver_hop hops[RESOLVER_MAX_HOPS];
    plan_keep(location, plan);
    size_t count = location->found ? 0 : hops_list(location, plan, hops);
    location_finish(location, 0, plan, hops, count, "");
    resolver_plan_unref(plan);
}

/* ---- asking ---- */

static void pending_drop(struct resolver_location *location)
{
    if (--location->pending == 0)
        resolver_location_step_done(location);
}

static void deadline_passed(void *arg);

/* With an address of a most preferred target at hand, a slow server of some other name must not
 * hold up the call. */
static void settle(struct resolver_location *location, const struct ask *ask)
{
    const struct host *host = &location->hosts[(ask - location->asks) / 2];
    bool preferred = host->rank == location->hosts[0].rank;
    if (location->settling || !preferred || ask->outcome.status != 0)
        return;
    location->settling = true;
    resolver_timer_start(location->resolver, &location->timer, RESOLVER_SETTLE_MS, deadline_passed,
                         location);
}

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Until when does what is known hold? */
static void note_end(struct resolver_location *location, const struct resolver_outcome *outcome)
{
    const struct resolver *resolver = location->resolver;
    if (!outcome->set) {
        location->partial = true;
        return;
    }
    uint64_t end_ms = resolver_now_ms(resolver) + (uint64_t)outcome->ttl_s * 1000;
    uint64_t stale_ms = (uint64_t)resolver->conf.stale_s * 1000;
    location->until_ms = min64(location->until_ms, end_ms);
    location->ends_ms =
        min64(location->ends_ms, outcome->stale ? outcome->ends_ms : end_ms + stale_ms);
}

/* Takes the answer over. */
static void ask_note(struct ask *ask, const struct resolver_outcome *outcome)
{
    ask->answered = true;
    ask->outcome = *outcome;
    if (outcome->set)
        resolver_set_ref(outcome->set);
    note_end(ask->location, outcome);
}

/* A floor that stretched the TTL makes nothing worse: what hangs on the way is asked for itself. */
enum resolver_path resolver_outcome_path(const struct resolver_outcome *outcome)
{
    if (!outcome->set || outcome->stale)
        return RESOLVER_PATH_UNKNOWN;
    if (outcome->set->validated)
        return RESOLVER_PATH_VALIDATED;
    return outcome->set->trusted ? RESOLVER_PATH_UNSIGNED : RESOLVER_PATH_UNKNOWN;
}

static void ask_answered(const struct resolver_outcome *outcome, void *arg)
{
    struct ask *ask = arg;
    struct resolver_location *location = ask->location;
    if (ask->proving && !outcome->set) {
        ask->proving = false;
        resolver_ask(location->resolver, ask->name, ask->type, &ask->wait, ask_answered, ask);
        return;
    }
    ask_note(ask, outcome);
    if (location->step == LOCATE_ADDRESSES)
        settle(location, ask);
    pending_drop(location);
}

/* Where nobody answered this by now, an answer past its TTL does. */
static void ask_give_up(struct ask *ask)
{
    struct resolver_outcome outcome;
    if (!resolver_stale_answer(ask->location->resolver, ask->name, ask->type, &outcome))
        outcome = (struct resolver_outcome){.status = -ETIMEDOUT,
                                            .cause = "no answer in time",
                                            .upstream = resolver_wait_upstream(&ask->wait)};
    resolver_wait_cancel(&ask->wait);
    ask_note(ask, &outcome);
}

void resolver_location_add(struct resolver_location *location, enum resolver_type type,
                           const char *name)
{
    struct ask *ask = &location->asks[location->ask_count++];
    memset(ask, 0, sizeof(*ask));
    list_init(&ask->wait.link);
    ask->location = location;
    ask->name = name;
    ask->type = type;
}

/* Where only some upstreams are trusted, the way to a peer is asked of those first: an answer of
 * another proves nothing, not even that a domain has no keys in DNS. */
static bool is_proving(const struct resolver_location *location)
{
    const struct resolver_conf *conf = &location->resolver->conf;
    bool trusted = false, others = false;
    for (size_t i = 0; i < conf->upstream_count; i++) {
        trusted = trusted || conf->upstreams[i].trusted;
        others = others || !conf->upstreams[i].trusted;
    }
    return location->target.profile != RESOLVER_CORE && trusted && others;
}

static void ask_start(struct ask *ask)
{
    struct resolver *resolver = ask->location->resolver;
    ask->proving = is_proving(ask->location);
    if (ask->proving)
        resolver_ask_trusted(resolver, ask->name, ask->type, &ask->wait, ask_answered, ask);
    else
        resolver_ask(resolver, ask->name, ask->type, &ask->wait, ask_answered, ask);
}

/* After the deadline nobody is asked but the cache.
 * The count is one too high meanwhile, so that answers from the cache cannot
 * end the step before everything is asked. */
void resolver_location_ask(struct resolver_location *location, enum locate_step step)
{
    if (location->hurried && step != LOCATE_NAPTR)
        location->hurried = resolver_timer_start(location->resolver, &location->timer,
                                                 location->resolver->conf.lookup_timeout_ms,
                                                 deadline_passed, location) < 0;
    location->step = step;
    location->pending = location->ask_count + 1;
    for (size_t i = 0; i < location->ask_count; i++) {
        struct ask *ask = &location->asks[i];
        if (location->late) {
            ask_give_up(ask);
            location->pending--;
        } else {
            ask_start(ask);
        }
    }
    pending_drop(location);
}

void resolver_location_hold(struct resolver_location *location)
{
    for (size_t i = 0; i < location->ask_count; i++) {
        if (location->asks[i].outcome.set)
            location->held[location->held_count++] = location->asks[i].outcome.set;
        location->asks[i].outcome.set = NULL;
    }
    location->ask_count = 0;
}

const struct ask *resolver_location_failed(const struct resolver_location *location)
{
    for (size_t i = 0; i < location->ask_count; i++)
        if (!location->asks[i].outcome.set)
            return &location->asks[i];
    return NULL;
}

/* What is not answered by now is unknown; what is may suffice. */
static void deadline_passed(void *arg)
{
    struct resolver_location *location = arg;
    location->late = true;
    for (size_t i = 0; i < location->ask_count; i++)
        if (!location->asks[i].answered)
            ask_give_up(&location->asks[i]);
    resolver_location_step_done(location);
}

/* There are stale answers for all but NAPTR: where that is not to be had at once, a stale plan does
 * for the whole. */
static unsigned patience_ms(struct resolver_location *location)
{
    const struct resolver_conf *conf = &location->resolver->conf;
    location->hurried = location->found && resolver_target_asks_naptr(&location->target) &&
                        conf->stale_wait_ms < conf->lookup_timeout_ms &&
                        resolver_plan_has_stale(location->resolver, &location->target);
    return location->hurried ? conf->stale_wait_ms : conf->lookup_timeout_ms;
}

static void start_due(void *arg)
{
    struct resolver_location *location = arg;
    struct resolver_plan *plan = resolver_plan_literal(&location->target);
    if (plan)
        resolver_location_succeed(location, plan);
    else if (resolver_timer_start(location->resolver, &location->timer, patience_ms(location),
                                  deadline_passed, location) < 0)
        resolver_location_fail(location, STATUS_SERVFAIL, "no memory for a timer");
    else
        resolver_location_start(location);
}

/* ---- the public functions ---- */

static struct resolver_location *location_alloc(struct resolver *resolver)
{
    struct list *spare = list_first(&resolver->spare);
    struct resolver_location *location;
    if (spare) {
        list_remove(spare);
        resolver->spare_count--;
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
    location->until_ms = location->ends_ms = UINT64_MAX;
    location->path = RESOLVER_PATH_VALIDATED;
    location->age = resolver_cache_age(resolver->cache);
    return location;
}

/* A host name in lower case, or an IP literal as it is. */
static int target_copy(const struct resolver_target *from, struct resolver_target *to)
{
    struct netaddr addr;
    *to = *from;
    if (memchr(from->host, '\0', sizeof(from->host)) == NULL || !resolver_target_is_valid(from))
        return -EINVAL;
    if (netaddr_from_ip(&addr, slice_of(from->host), 0) == 0)
        return 0;
    return resolver_name_copy(slice_of(from->host), to->host);
}

static int location_begin(struct resolver *resolver, const struct resolver_target *target,
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

int resolver_locate(struct resolver *resolver, const struct resolver_target *target,
                    resolver_locate_h *done, resolver_trace_h *trace, void *arg,
                    struct resolver_location **location)
{
    int status = location_begin(resolver, target, location);
    if (status < 0)
        return status;
    (*location)->done = done;
    (*location)->teller = (struct resolver_teller){trace, arg, resolver_target_services(target)};
    return 0;
}

int resolver_plan_find(struct resolver *resolver, const struct resolver_target *target,
                       resolver_plan_h *found, void *arg, struct resolver_location **location)
{
    int status = location_begin(resolver, target, location);
    if (status < 0)
        return status;
    (*location)->found = found;
    (*location)->teller = (struct resolver_teller){NULL, arg, resolver_target_services(target)};
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
    while ((link = list_pop(&resolver->locations)))
        location_finish(container_of(link, struct resolver_location, link), STATUS_CANCELLED, NULL,
                        NULL, 0, "the resolver is being closed");
}

void resolver_locations_free(struct resolver *resolver)
{
    list_each (link, next, &resolver->spare)
        free(container_of(link, struct resolver_location, link));
}
