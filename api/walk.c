/* /v1/route/{address}: the steps a call from the inside would take, and why.
 *
 * The same functions that the proxy calls do the work: resolver_lookup on the directory, with the
 * eyes of the caller, then resolver_find and resolver_locate (walk_dns.c) on a thread of the
 * request's own. Nothing is sent to anybody but DNS. */
#include "api/walk.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const rule_names[] = {
    [RESOLVER_HOSTED] = "hosted",       [RESOLVER_PORTED_OUT] = "ported-out",
    [RESOLVER_MOVED] = "moved",         [RESOLVER_ALIAS] = "alias",
    [RESOLVER_BLOCKED] = "blocked",     [RESOLVER_UNKNOWN_CORE] = "unknown-core",
    [RESOLVER_UNKNOWN] = "unknown",     [RESOLVER_AUTHORITY] = "authority",
    [RESOLVER_PUBLISHED] = "published", [RESOLVER_NO_NUMBER] = "no-number",
    [RESOLVER_PSTN] = "pstn",
};

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
    struct resolver_target targets[STORE_CORES_MAX];
    size_t count;
    switch (walk->answer.rule) {
    case RESOLVER_HOSTED:
    case RESOLVER_UNKNOWN_CORE:
    case RESOLVER_PSTN:
        count = resolver_core_targets(NULL, core, targets);
        for (size_t i = 0; i < count; i++)
            target_add(walk)->target = targets[i];
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
    memcpy(walk->name, walk->text, sizeof(walk->name));
    if (strcmp(call->param, walk->text) == 0)
        walk_step(walk->steps, "address", "%s is in canonical form", walk->text);
    else
        walk_step(walk->steps, "address", "%s is %s in canonical form", call->param, walk->text);
    return 0;
}

/* What the record itself says, beyond the rule. Returns whether it is an alias. */
static bool record_explain(struct walk *walk, const struct store_record *record)
{
    char name[API_ADDRESS_TEXT_MAX], target[API_ADDRESS_TEXT_MAX], until[LOG_TIME_MAX];
    struct timespec time = {.tv_sec = (time_t)(record->until_ms / 1000)};
    api_address_format(&record->address, name);
    if (record->blocked)
        walk_step(walk->steps, "blocked", "%s is blocked: it is not called and calls nobody", name);
    switch (record->state) {
    case STORE_ADDRESS_ALIAS:
        walk_step(walk->steps, "alias", "%s is another name of %s", name,
                  api_address_format(&record->target, target));
        return !record->blocked;
    case STORE_ADDRESS_TOMBSTONE:
        walk_step(walk->steps, "released",
                  "%s was released; nobody but its last owner gets it before %s", name,
                  log_time_format(time, until));
        return false;
    case STORE_ADDRESS_PREPARED:
        walk_step(walk->steps, "prepared", "%s is prepared at %s, and not routed there yet", name,
                  record->hosting);
        return false;
    case STORE_ADDRESS_MOVED:
        walk_step(walk->steps, "moved", "%s was served here, and moved to %s%s%s", name,
                  record->hosting, record->until_ms ? "; callers are led on until " : "",
                  record->until_ms ? log_time_format(time, until) : "");
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
    *answer = (struct resolver_answer){.rule = is_target ? RESOLVER_ALIAS : RESOLVER_AUTHORITY,
                                       .route = {.aliased = is_target, .target = *address}};
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
        if (!status && sight == SIGHT_RECORD)
            status = walk_ports(walk, &record);
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

static void rule_explain(struct walk *walk, const char *what)
{
    const char *rule = resolver_rule_text(walk->answer.rule), *hosting = walk->answer.hosting;
    if (*hosting && strcmp(hosting, walk->address.domain) != 0)
        walk_step(walk->steps, what, "%s; the hosting domain is %s", rule, hosting);
    else
        walk_step(walk->steps, what, "%s", rule);
}

static int address_look_up(struct walk *walk)
{
    int status = directory_ask(walk);
    if (!status)
        rule_explain(walk, "directory");
    return status;
}

/* The number that was asked for leads to an address, which has secrets of its own. */
static int number_leads_to(struct walk *walk, const struct store_address *address)
{
    walk->address = *address;
    api_address_format(&walk->address, walk->text);
    walk_step(walk->steps, "number", "%s leads to %s", walk->name, walk->text);
    return address_look_up(walk);
}

/* ---- what the caller may see, to a search in DNS ---- */

static int eyes_lookup(struct store_reader *reader, const struct store_address *address,
                       struct resolver_answer *answer, void *arg)
{
    struct walk *walk = arg;
    (void)reader;
    bool is_told = strcmp(address->user, walk->address.user) == 0 &&
                   strcmp(address->domain, walk->address.domain) == 0;
    int status = is_told ? 0 : number_leads_to(walk, address);
    if (!status)
        *answer = walk->answer;
    return status;
}

static int eyes_number(struct store_reader *reader, const char *digits,
                       struct store_address *address, void *arg)
{
    struct walk *walk = arg;
    struct store_number number;
    int status = store_number_get(reader, digits, &number);
    if (status)
        return status;
    if (!api_kind_number.is_visible(walk->call, &number))
        return STATUS_NOTFOUND;
    *address = number.address;
    return 0;
}

static int eyes_domain(struct store_reader *reader, const char *name, void *arg)
{
    const struct walk *walk = arg;
    struct store_domain domain;
    return api_may_domain(walk->call, name) ? store_domain_get(reader, name, &domain)
                                            : STATUS_NOTFOUND;
}

static const struct resolver_directory eyes = {
    .lookup = eyes_lookup, .number = eyes_number, .domain = eyes_domain};

/* ---- whom the request names ---- */

static int number_take(struct walk *walk)
{
    return api_record_name(walk->call, &api_kind_number, walk->name);
}

/* A number that the caller's table does not have: ENUM may. */
static int number_look_up(struct walk *walk)
{
    struct api_call *call = walk->call;
    struct store_address address;
    int status = eyes_number(call->reader, walk->name + 1, &address, walk);
    if (status == STATUS_NOTFOUND && call->api->resolver.suffix_count > 0)
        return 0;
    return status ? status : number_leads_to(walk, &address);
}

static int walk_lookup(struct walk *walk)
{
    struct api_call *call = walk->call;
    bool is_number = call->param[0] == '+' && !strchr(call->param, '@');
    if (is_number ? number_take(walk) : address_take(walk))
        return -EPROTO;
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = is_number ? number_look_up(walk) : address_look_up(walk);
        store_reader_end(call->reader);
    }
    return status ? api_problem_from_status(&call->problem, status, walk->name) : 0;
}

/* ---- asking DNS whom a number names, and where an address lives ---- */

static bool walk_needs_search(const struct walk *walk)
{
    return !walk->text[0] ||
           resolver_find_needs_dns(&walk->call->api->resolver, &walk->address, &walk->answer);
}

static int found_take(struct walk *walk, const struct resolver_found *found)
{
    enum resolver_rule rule = walk->answer.rule;
    bool is_nowhere = found->answer.rule == RESOLVER_NO_NUMBER;
    if (is_nowhere && !(walk->call->who.bits & API_ADMIN))
        return api_problem_from_status(&walk->call->problem, STATUS_NOTFOUND, walk->name);
    walk->answer = found->answer;
    if (is_nowhere)
        return 0;
    walk->unknown = found->unknown;
    if (found->unknown)
        walk_step(walk->steps, "dns", "not found out: %s", found->why);
    if (walk->answer.rule != rule)
        rule_explain(walk, "address-record");
    targets_choose(walk);
    return 0;
}

/* A number that leads to another's address is told as one that leads nowhere: to operators, without
 * the steps. */
static int search_failed(struct walk *walk, int status, const char *why)
{
    struct api_problem *problem = &walk->call->problem;
    if (status == STATUS_NOTFOUND)
        return api_problem_from_status(problem, status, walk->name);
    if (!walk->text[0] && status != STATUS_SERVFAIL && status != -ETIMEDOUT)
        return api_problem_set(problem, API_PROBLEM_BUSY, NULL, "%s: %s", walk->name, why);
    snprintf(walk->failure, sizeof(walk->failure), "%s", why);
    return 0;
}

/* DNS may take its time, so the reader is none that is lent. */
static int walk_search(struct walk *walk)
{
    struct api_call *call = walk->call;
    struct resolver_found found;
    found.why[0] = '\0';
    int status = store_reader_alloc(call->api->parts.store, &call->reader);
    if (status)
        return status;
    status = walk_find(walk, &eyes, &found);
    call->reader = store_reader_free(call->reader);
    if (status == 0)
        return found_take(walk, &found);
    return search_failed(walk, status, found.why[0] ? found.why : status_text(status));
}

/* ---- explaining ---- */

/* The same rule backward (design section 3.4): who may call under this address? */
static void caller_explain(struct walk *walk)
{
    const char *domain = walk->address.domain, *hosting = walk->answer.hosting;
    if (!walk->text[0] || walk->answer.rule == RESOLVER_PSTN)
        return;
    if (!walk_leaves(walk))
        walk_step(walk->steps, "caller", "no peer may call as %s, only our own core", walk->text);
    else if (walk->answer.rule == RESOLVER_PORTED_OUT || walk->answer.rule == RESOLVER_ALIAS)
        walk_step(walk->steps, "caller", "only a peer that has proven %s may call as %s", hosting,
                  walk->text);
    else
        walk_step(walk->steps, "caller",
                  "a peer that has proven %s may call as %s; another one only if %s names it when "
                  "it is asked",
                  hosting, walk->text, domain);
}

/* Puts what the lookups found in order: all steps, then all hops. */
static void walk_gather(struct walk *walk)
{
    for (size_t i = 0; i < walk->target_count; i++) {
        struct walk_target *target = &walk->targets[i];
        json_array_extend(walk->steps, target->steps);
        json_array_extend(walk->hops, target->hops);
    }
    if (walk_leaves(walk) && json_array_size(walk->hops))
        walk_step(walk->steps, "certificate",
                  "the far certificate must prove the SIP domain %s (RFC 5922)",
                  walk->answer.hosting);
    caller_explain(walk);
}

static void verdict_format(const struct walk *walk, char *out, size_t size)
{
    const struct store_domain *core = &walk->answer.route.core;
    bool found = json_array_size(walk->hops) > 0;
    if (walk->failure[0])
        snprintf(out, size, "no way there: %s", walk->failure);
    else if (walk->answer.rule == RESOLVER_BLOCKED)
        snprintf(out, size, "refused: %s is blocked, or was released", walk->text);
    else if (walk->answer.rule == RESOLVER_NO_NUMBER)
        snprintf(out, size, "refused: %s leads to no address", walk->name);
    else if (walk_is_refused(walk))
        snprintf(out, size, "refused: %s does not exist at %s", walk->text, walk->address.domain);
    else if (!found)
        snprintf(out, size, "no way there: %s",
                 walk->target_count ? walk->targets[0].why : "the domain has no core");
    else if (walk_leaves(walk))
        snprintf(out, size, "goes to %s over mutual TLS", walk->answer.hosting);
    else if (walk->answer.rule == RESOLVER_PSTN)
        snprintf(out, size,
                 "goes to the core of %s, which leads to the telephone network; a call from that "
                 "core itself is answered 404",
                 core->name);
    else if (walk->unknown)
        snprintf(out, size,
                 "goes to the core of %s; a call from that core itself is answered 480, for where "
                 "the number leads could not be found out",
                 core->name);
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
    bool has_address = walk->text[0] != '\0'; /* a number may have led to none */
    bool is_pstn = walk->answer.rule == RESOLVER_PSTN;
    bool is_decided = has_address || is_pstn || walk->answer.rule == RESOLVER_NO_NUMBER;
    bool is_hosted = (has_address || is_pstn) && !walk_is_refused(walk);
    return json_pack(
        "{s:s, s:s, s:s?, s:O, s:O, s:s?, s:s}", "address", has_address ? walk->text : walk->name,
        "rule", is_decided ? rule_names[walk->answer.rule] : "not-found-out", "hosting",
        is_hosted ? walk->answer.hosting : NULL, "steps", walk->steps, "next_hops", walk->hops,
        "must_prove", walk_leaves(walk) ? walk->answer.hosting : NULL, "verdict", verdict);
}

static int walk_answer(struct walk *walk)
{
    walk_gather(walk);
    return api_call_reply(walk->call, 200, walk_encode(walk), 0);
}

/* api_work_h. */
static int walk_run(struct api_call *call)
{
    struct walk *walk = call->memory;
    int status = walk_needs_search(walk) ? walk_search(walk) : 0;
    if (!status && walk->target_count)
        status = walk_locate(walk);
    walk_dns_done(walk);
    return status;
}

static int walk_then(struct api_call *call, const struct store_verdict *verdict)
{
    struct walk *walk = call->memory;
    if (verdict->status == -EPROTO) /* the problem is set */
        return -EPROTO;
    if (verdict->status)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "%s: %s", walk->name,
                               status_text(verdict->status));
    return walk_answer(walk);
}

static int walk_begin(struct walk *walk)
{
    struct api_call *call = walk->call;
    walk->counted = api_walk_begin(call->api);
    if (!walk->counted)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL,
                               "%s: too many routes are being explained: try again", walk->name);
    return api_run(call, walk->name, walk_run, walk_then);
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
    if (walk_needs_search(walk))
        return walk_begin(walk);
    targets_choose(walk);
    return walk->target_count ? walk_begin(walk) : walk_answer(walk);
}
