/* /v1/domains/{name}/move and .../clear: a whole domain goes to another operator, or comes from
 * one. docs/porting-operators.md has the steps in their order. */
#include "api/moves.h"

#include "base/log.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TTL_UNKNOWN_S 86400

int api_move_domain(struct api_call *call, struct store_domain *domain)
{
    char name[API_MAX_KEY_TEXT];
    return api_record_find(call, &api_kind_domain, domain, name);
}

/* Some refusals mean something else here than for records. */
static int refusal(struct api_call *call, int status)
{
    if (status == STATUS_STATE)
        return api_problem_set(&call->problem, API_PROBLEM_STATE, "move",
                               "%s: that is no step from where its move stands, or it goes to "
                               "another operator already",
                               call->name);
    if (status == STATUS_MALFORMED)
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "move_to",
                               "move_to: must be a domain of the operator that it goes to");
    if (status == STATUS_INUSE)
        return api_problem_set(&call->problem, API_PROBLEM_IN_USE, NULL,
                               "%s: stands in the way of a move: addresses of other domains that "
                               "it hosts (move them on first), numbers that lead to its addresses "
                               "(delete them first), or addresses that are here already",
                               call->name);
    return api_problem_from_status(&call->problem, status, call->name);
}

/* ---- where it stands ---- */

struct standing {
    uint64_t since_ms, ttl_s;
};

static bool entry_each(const struct store_journal_entry *entry, void *arg)
{
    *(uint64_t *)arg = entry->time_ms;
    return true;
}

/* Since when the domain is as it is. What the journal has forgotten is long ago. Begins a reader.
 */
static int standing_read(struct api_call *call, const struct store_domain *domain,
                         struct standing *standing)
{
    *standing = (struct standing){.since_ms = domain->created_ms, .ttl_s = api_zone_ttl(call->api)};
    if (standing->ttl_s == 0)
        standing->ttl_s = TTL_UNKNOWN_S;
    int status = store_reader_begin(call->reader);
    if (status)
        return status;
    status = store_journal_read(call->reader, domain->version, 1, entry_each, &standing->since_ms);
    store_reader_end(call->reader);
    return status == STATUS_TRIMMED ? 0 : status;
}

/* From when on nobody remembers what DNS said before the last step; 0: it does not move. */
static uint64_t safe_ms(const struct store_domain *domain, const struct standing *standing)
{
    return domain->move ? standing->since_ms + standing->ttl_s * 1000 : 0;
}

int api_domain_move_get(struct api_call *call)
{
    struct store_domain domain;
    struct standing standing;
    if (api_move_domain(call, &domain))
        return -EPROTO;
    int status = standing_read(call, &domain, &standing);
    if (status)
        return api_problem_from_status(&call->problem, status, domain.name);
    json_t *json = json_pack("{s:s, s:s, s:o, s:o, s:o}", "domain", domain.name, "move",
                             store_domain_move_text(domain.move), "move_to",
                             *domain.move_to ? json_string(domain.move_to) : json_null(), "since",
                             api_time_encode(domain.move ? standing.since_ms : 0), "safe_from",
                             api_time_encode(safe_ms(&domain, &standing)));
    return api_call_reply(call, 200, json, 0);
}

/* ---- steps ---- */

static int step_done(struct api_call *call, const struct store_verdict *verdict)
{
    struct store_domain domain;
    if (verdict->status)
        return refusal(call, verdict->status);
    if (api_record_read(call, &api_kind_domain, call->name, &domain))
        return -EPROTO;
    if (call->dry_run)
        domain.move = call->command.domain.move;
    return api_call_reply(call, 200, api_domain_encode(&domain), 0);
}

static int step_decode(struct api_call *call, struct store_domain *domain)
{
    static const struct api_field fields[] = {
        {"move", JSON_STRING, API_REQUIRED},
        {"move_to", JSON_STRING, 0},
        {NULL, JSON_NULL, 0},
    };
    const char *names[STORE_MOVE_COUNT];
    size_t move = STORE_MOVE_NONE;
    for (size_t i = 0; i < STORE_MOVE_COUNT; i++)
        names[i] = store_domain_move_text((enum store_domain_move)i);
    if (api_json_check(call->body, fields, false, &call->problem) ||
        api_json_choice(call->body, "move", names, STORE_MOVE_COUNT, &move, &call->problem) ||
        (json_object_get(call->body, "move_to") &&
         api_json_key(call->body, "move_to", NULL, store_domain_canonical, domain->move_to,
                      &call->problem)))
        return -EPROTO;
    domain->move = (enum store_domain_move)move;
    return 0;
}

int api_domain_move_post(struct api_call *call)
{
    struct store_domain given = {.version = 0}, domain;
    if (api_move_domain(call, &domain) || step_decode(call, &given))
        return -EPROTO;
    memcpy(given.name, domain.name, sizeof(given.name));
    call->command.op = STORE_DOMAIN_MOVE;
    call->command.expected_version = STORE_ANY_VERSION;
    call->command.domain = given;
    call->then_always = true;
    return api_submit(call, domain.name, step_done);
}

/* ---- the end ---- */

static int clear_done(struct api_call *call, const struct store_verdict *verdict)
{
    struct store_domain domain;
    if (verdict->status)
        return refusal(call, verdict->status);
    int status = store_reader_begin(call->reader);
    if (status == 0) {
        status = store_domain_get(call->reader, call->name, &domain);
        store_reader_end(call->reader);
    }
    bool done = status == STATUS_NOTFOUND;
    return api_call_reply(
        call, 200, json_pack("{s:I, s:b}", "cleared", (json_int_t)verdict->count, "done", done), 0);
}

/* Whoever remembers what DNS said may still call here. */
static int clear_check(struct api_call *call, const struct store_domain *domain)
{
    struct standing standing;
    char when[LOG_TIME_MAX];
    if (domain->move != STORE_MOVE_GONE || api_json_bool(call->body, "force", false))
        return 0;
    int status = standing_read(call, domain, &standing);
    if (status)
        return api_problem_from_status(&call->problem, status, domain->name);
    uint64_t safe = safe_ms(domain, &standing);
    if (api_now_ms() >= safe)
        return 0;
    return api_problem_set(
        &call->problem, API_PROBLEM_STATE, "move",
        "%s: not before %s, for whoever remembers its old DNS records may still "
        "call here; \"force\": true does it all the same",
        domain->name, log_time_format((struct timespec){.tv_sec = (time_t)(safe / 1000)}, when));
}

int api_domain_clear_post(struct api_call *call)
{
    static const struct api_field fields[] = {{"force", JSON_TRUE, 0}, {NULL, JSON_NULL, 0}};
    struct store_domain domain;
    if (api_json_check(call->body, fields, false, &call->problem) ||
        api_move_domain(call, &domain) || clear_check(call, &domain))
        return -EPROTO;
    call->command.op = STORE_DOMAIN_CLEAR;
    call->command.expected_version = STORE_ANY_VERSION;
    memcpy(call->command.domain.name, domain.name, sizeof(domain.name));
    call->then_always = true;
    return api_submit(call, domain.name, clear_done);
}
