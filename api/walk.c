/* /v1/route/{address}: the steps a call from the inside would take, and why.
 *
 * The same functions that the proxy calls do the work: resolver_lookup on the directory, then
 * resolver_locate on a thread and an event loop of this request's own. Nothing is sent to anybody
 * but DNS. */
#include "api/records.h"

#include "base/chars.h"
#include "base/status.h"
#include "peering/sip/sip.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define WALK_LINE 1024 /* bytes of a step's sentence */

/* One name located: its steps and hops are kept apart, as several are under way together. */
struct walk_target {
    struct walk *walk;
    struct resolver_target target;
    json_t *steps, *hops;
    int status;
    char why[400];
};

/* Lives in call->memory. */
struct walk {
    struct api_call *call;
    bool counted; /* one of API_MAX_WALKS */
    struct store_address address;
    char text[API_ADDRESS_TEXT_MAX];
    struct resolver_answer answer;
    uv_loop_t loop;
    struct walk_target targets[STORE_CORES_MAX];
    size_t target_count, pending;
    json_t *steps, *hops;
};

static const char *const rule_names[] = {
    [RESOLVER_HOSTED] = "hosted",       [RESOLVER_PORTED_OUT] = "ported-out",
    [RESOLVER_MOVED] = "moved",         [RESOLVER_ALIAS] = "alias",
    [RESOLVER_BLOCKED] = "blocked",     [RESOLVER_UNKNOWN_CORE] = "unknown-core",
    [RESOLVER_UNKNOWN] = "unknown",     [RESOLVER_AUTHORITY] = "authority",
    [RESOLVER_PUBLISHED] = "published", [RESOLVER_NO_NUMBER] = "no-number",
};

__attribute__((format(printf, 3, 4))) static void step_add(json_t *steps, const char *what,
                                                           const char *format, ...)
{
    char why[WALK_LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    /* A step without memory, or of bytes that are no text, is left out; the verdict stands. */
    json_array_append_new(steps, json_pack("{s:s, s:s}", "what", what, "why", why));
}

/* ---- locating ---- */

static void target_trace(const char *line, void *arg)
{
    struct walk_target *target = arg;
    step_add(target->steps, "dns", "%s", line);
}

static void target_done(int status, const struct resolver_hop *hops, size_t count, const char *why,
                        void *arg)
{
    struct walk_target *target = arg;
    target->status = status;
    if (status)
        snprintf(target->why, sizeof(target->why), "%s", why && *why ? why : status_text(status));
    for (size_t i = 0; !status && i < count; i++) {
        char address[NETADDR_TEXT_MAX], transport[8] = "";
        const char *name = sip_transport_name((enum sip_transport)hops[i].transport);
        for (size_t c = 0; name[c] && c < sizeof(transport) - 1; c++)
            transport[c] = char_lower(name[c]);
        json_array_append_new(
            target->hops, json_pack("{s:s, s:s, s:s}", "transport", transport, "address",
                                    netaddr_format(&hops[i].addr, address), "host", hops[i].host));
    }
    if (--target->walk->pending == 0)
        uv_stop(&target->walk->loop);
}

static void targets_locate(struct walk *walk, struct resolver *resolver)
{
    for (size_t i = 0; i < walk->target_count; i++) {
        struct walk_target *target = &walk->targets[i];
        struct resolver_location *location;
        target->status = resolver_locate(resolver, &target->target, target_done, target_trace,
                                         target, &location);
        if (target->status) {
            snprintf(target->why, sizeof(target->why), "%s: %s", target->target.host,
                     status_text(target->status));
            step_add(target->steps, "dns", "%s", target->why);
        } else {
            walk->pending++;
        }
    }
    if (walk->pending)
        uv_run(&walk->loop, UV_RUN_DEFAULT);
}

/* api_work_h: runs the lookups to their end; the resolver's own time limit bounds this. */
static int targets_run(struct api_call *call)
{
    struct walk *walk = call->memory;
    struct resolver *resolver;
    if (uv_loop_init(&walk->loop))
        return -ENOMEM;
    int status = resolver_alloc(&walk->loop, &call->api->resolver, &resolver);
    if (!status) {
        targets_locate(walk, resolver);
        resolver_free(resolver);
        uv_run(&walk->loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&walk->loop);
    return status;
}

static struct walk_target *target_add(struct walk *walk)
{
    struct walk_target *target = &walk->targets[walk->target_count++];
    target->walk = walk;
    target->steps = json_array();
    target->hops = json_array();
    return target;
}

static void targets_choose(struct walk *walk)
{
    const struct store_domain *core = &walk->answer.route.core;
    switch (walk->answer.rule) {
    case RESOLVER_HOSTED:
    case RESOLVER_UNKNOWN_CORE:
        for (unsigned i = 0; i < core->core_count; i++) {
            struct walk_target *target = target_add(walk);
            target->target = (struct resolver_target){.profile = RESOLVER_CORE,
                                                      .port = core->cores[i].port,
                                                      .transport = core->cores[i].transport};
            slice_to_cstr(slice_of(core->cores[i].host), target->target.host,
                          sizeof(target->target.host));
        }
        return;
    case RESOLVER_PORTED_OUT:
    case RESOLVER_MOVED:
    case RESOLVER_ALIAS:
    case RESOLVER_AUTHORITY:
    case RESOLVER_PUBLISHED: {
        struct walk_target *target = target_add(walk);
        target->target = (struct resolver_target){.profile = RESOLVER_PEER};
        slice_to_cstr(slice_of(walk->answer.hosting), target->target.host,
                      sizeof(target->target.host));
        return;
    }
    case RESOLVER_BLOCKED:
    case RESOLVER_UNKNOWN:
    case RESOLVER_NO_NUMBER:
        return;
    }
}

static bool walk_leaves(const struct walk *walk)
{
    switch (walk->answer.rule) {
    case RESOLVER_PORTED_OUT:
    case RESOLVER_MOVED:
    case RESOLVER_ALIAS:
    case RESOLVER_AUTHORITY:
    case RESOLVER_PUBLISHED:
        return true;
    default:
        return false;
    }
}

static bool walk_is_refused(const struct walk *walk)
{
    return walk->answer.rule == RESOLVER_UNKNOWN || walk->answer.rule == RESOLVER_BLOCKED ||
           walk->answer.rule == RESOLVER_NO_NUMBER;
}

/* ---- asking the directory ---- */

static int address_take(struct walk *walk)
{
    struct api_call *call = walk->call;
    struct store_fault fault;
    if (store_address_parse(slice_of(call->param), &walk->address, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "address", "%.512s: %s",
                               call->param, fault.text);
    api_address_format(&walk->address, walk->text);
    if (strcmp(call->param, walk->text) == 0)
        step_add(walk->steps, "address", "%s is in canonical form", walk->text);
    else
        step_add(walk->steps, "address", "%s is %s in canonical form", call->param, walk->text);
    return 0;
}

/* The address that a telephone number leads to. */
static int number_take(struct walk *walk)
{
    struct store_number number;
    char key[API_MAX_KEY_TEXT];
    if (api_record_find(walk->call, &api_kind_number, &number, key))
        return -EPROTO;
    walk->address = number.address;
    api_address_format(&walk->address, walk->text);
    step_add(walk->steps, "number", "%s leads to %s", key, walk->text);
    return 0;
}

/* What the record itself says, beyond the rule. Returns whether it is an alias. */
static bool record_explain(struct walk *walk, const struct store_record *record)
{
    char name[API_ADDRESS_TEXT_MAX], target[API_ADDRESS_TEXT_MAX], until[LOG_TIME_MAX];
    struct timespec time = {.tv_sec = (time_t)(record->until_ms / 1000)};
    api_address_format(&record->address, name);
    if (record->blocked)
        step_add(walk->steps, "blocked", "%s is blocked: it is not called and calls nobody", name);
    switch (record->state) {
    case STORE_ADDRESS_ALIAS:
        step_add(walk->steps, "alias", "%s is another name of %s", name,
                 api_address_format(&record->target, target));
        return !record->blocked;
    case STORE_ADDRESS_TOMBSTONE:
        step_add(walk->steps, "released",
                 "%s was released; nobody but its last owner gets it before %s", name,
                 log_time_format(time, until));
        return false;
    case STORE_ADDRESS_PREPARED:
        step_add(walk->steps, "prepared", "%s is prepared at %s, and not routed there yet", name,
                 record->hosting);
        return false;
    default:
        return false;
    }
}

/* What the caller may know of an address. */
enum sight {
    SIGHT_NOTHING, /* there is no record, or its domain is foreign */
    SIGHT_RECORD,
    SIGHT_HIDDEN /* what there is, is another operator's */
};

static int address_see(struct walk *walk, const struct store_address *address,
                       struct store_record *record, enum sight *sight)
{
    struct store_reader *reader = walk->call->reader;
    struct store_domain domain;
    int status = store_address_get(reader, address, record);
    if (status == 0) {
        *sight = api_may_record(walk->call, record) ? SIGHT_RECORD : SIGHT_HIDDEN;
        return 0;
    }
    if (status == STATUS_NOTFOUND)
        status = store_domain_get(reader, address->domain, &domain);
    *sight =
        status == 0 && !api_may_domain(walk->call, address->domain) ? SIGHT_HIDDEN : SIGHT_NOTHING;
    return status == STATUS_NOTFOUND ? 0 : status;
}

/* What is another operator's is answered like a foreign address that the directory does not know:
 * by its authority, or as the foreign target of the alias that leads there. */
static void answer_hide(struct walk *walk, const struct store_address *address, bool is_target)
{
    struct resolver_answer *answer = &walk->answer;
    *answer = (struct resolver_answer){.rule = is_target ? RESOLVER_ALIAS : RESOLVER_AUTHORITY};
    memcpy(answer->hosting, address->domain, sizeof(answer->hosting));
}

/* The address's own record and those that aliases lead to, as far as the directory knows and the
 * caller may see. */
static int records_explain(struct walk *walk)
{
    struct store_address address = walk->address;
    struct store_record record;
    for (int hop = 0; hop <= STORE_ALIAS_HOPS; hop++) {
        enum sight sight;
        int status = address_see(walk, &address, &record, &sight);
        if (!status && sight == SIGHT_HIDDEN)
            answer_hide(walk, &address, hop > 0);
        if (status || sight != SIGHT_RECORD || !record_explain(walk, &record))
            return status;
        address = record.target;
    }
    return 0;
}

/* Operators ask about their own domains and foreign ones. Another's domain of ours is not there for
 * them; and what is served here of a foreign domain, for another, is its authority's matter. */
static int directory_ask(struct walk *walk)
{
    struct api_call *call = walk->call;
    struct resolver_answer *answer = &walk->answer;
    int status = resolver_lookup(call->reader, &walk->address, answer);
    if (status)
        return status;
    if (answer->route.domain_is_ours && !api_may_domain(call, walk->address.domain))
        return STATUS_NOTFOUND;
    /* ported to another operator of this node: for this one it left */
    if (answer->rule == RESOLVER_HOSTED && !api_may_domain(call, answer->hosting))
        answer->rule = RESOLVER_PORTED_OUT;
    return records_explain(walk);
}

static int walk_lookup(struct walk *walk)
{
    struct api_call *call = walk->call;
    bool is_number = call->param[0] == '+' && !strchr(call->param, '@');
    if (is_number ? number_take(walk) : address_take(walk))
        return -EPROTO;
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = directory_ask(walk);
        store_reader_end(call->reader);
    }
    if (status)
        return api_problem_from_status(&call->problem, status, walk->text);
    const char *rule = resolver_rule_text(walk->answer.rule), *hosting = walk->answer.hosting;
    if (*hosting && strcmp(hosting, walk->address.domain) != 0)
        step_add(walk->steps, "directory", "%s; the hosting domain is %s", rule, hosting);
    else
        step_add(walk->steps, "directory", "%s", rule);
    return 0;
}

/* ---- explaining ---- */

/* Puts what the lookups found in order: all steps, then all hops. */
static void walk_gather(struct walk *walk)
{
    for (size_t i = 0; i < walk->target_count; i++) {
        struct walk_target *target = &walk->targets[i];
        json_array_extend(walk->steps, target->steps);
        json_array_extend(walk->hops, target->hops);
    }
    if (walk_leaves(walk) && json_array_size(walk->hops))
        step_add(walk->steps, "certificate",
                 "the far certificate must prove the SIP domain %s (RFC 5922)",
                 walk->answer.hosting);
}

static void verdict_format(const struct walk *walk, char *out, size_t size)
{
    const struct store_domain *core = &walk->answer.route.core;
    bool found = json_array_size(walk->hops) > 0;
    if (walk->answer.rule == RESOLVER_BLOCKED)
        snprintf(out, size, "refused: %s is blocked, or was released", walk->text);
    else if (walk_is_refused(walk))
        snprintf(out, size, "refused: %s does not exist at %s", walk->text, walk->address.domain);
    else if (!found)
        snprintf(out, size, "no way there: %s",
                 walk->target_count ? walk->targets[0].why : "the domain has no core");
    else if (walk_leaves(walk))
        snprintf(out, size, "goes to %s over mutual TLS", walk->answer.hosting);
    else
        snprintf(out, size,
                 "goes to the core of %s; a call from that core itself is answered 404, it must "
                 "route its own addresses",
                 core->name);
}

static json_t *walk_encode(struct walk *walk)
{
    char verdict[WALK_LINE];
    verdict_format(walk, verdict, sizeof(verdict));
    bool unknown = walk_is_refused(walk);
    return json_pack("{s:s, s:s, s:s?, s:O, s:O, s:s?, s:s}", "address", walk->text, "rule",
                     rule_names[walk->answer.rule], "hosting",
                     unknown ? NULL : walk->answer.hosting, "steps", walk->steps, "next_hops",
                     walk->hops, "must_prove", walk_leaves(walk) ? walk->answer.hosting : NULL,
                     "verdict", verdict);
}

static int walk_answer(struct walk *walk)
{
    walk_gather(walk);
    return api_call_reply(walk->call, 200, walk_encode(walk), 0);
}

/* The lookups are through, or never began. */
static int targets_then(struct api_call *call, const struct store_verdict *verdict)
{
    struct walk *walk = call->memory;
    if (verdict->status)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "%s: %s", walk->text,
                               status_text(verdict->status));
    return walk_answer(walk);
}

static int targets_begin(struct walk *walk)
{
    struct api_call *call = walk->call;
    walk->counted = api_walk_begin(call->api);
    if (!walk->counted)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL,
                               "%s: too many routes are being explained: try again", walk->text);
    return api_run(call, walk->text, targets_run, targets_then);
}

static void walk_done(void *memory)
{
    struct walk *walk = memory;
    for (size_t i = 0; i < walk->target_count; i++) {
        json_decref(walk->targets[i].steps);
        json_decref(walk->targets[i].hops);
    }
    json_decref(walk->steps);
    json_decref(walk->hops);
    if (walk->counted)
        api_walk_end(walk->call->api);
}

int api_walk_get(struct api_call *call)
{
    struct walk *walk = call->memory = calloc(1, sizeof(*walk));
    if (!walk)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    call->memory_done = walk_done;
    walk->call = call;
    walk->steps = json_array();
    walk->hops = json_array();
    int status = walk_lookup(walk);
    if (status)
        return status;
    targets_choose(walk);
    return walk->target_count ? targets_begin(walk) : walk_answer(walk);
}
