/* /v1/bans: addresses that are shut out for a while. They are the edge's, in memory, and no records
 * of the directory: nothing of them is in the journal. */
#include "api/records.h"

#include "base/status.h"
#include "peering/guard/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BAN_DEFAULT_S 3600

static int source_parse(struct slice text, struct netprefix *source)
{
    return netprefix_parse(source, text);
}

/* In Unix time, the same whenever it is asked: both clocks were looked at once. */
static uint64_t end_of(const struct api *api, const struct guard_ban *ban, uint64_t now_ms)
{
    return api->started_unix_ms + (now_ms - api->started_ms) + ban->left_ms;
}

static json_t *ban_encode(const struct api_call *call, const struct guard_ban *ban, uint64_t now_ms)
{
    char source[NETPREFIX_TEXT_MAX];
    json_t *json =
        json_pack("{s:s, s:o, s:b, s:s}", "source", netprefix_format(&ban->source, source), "until",
                  api_time_encode(end_of(call->api, ban, now_ms)), "automatic", ban->automatic,
                  "reason", ban->reason);
    return api_json_stamp(json, 0, ban->version);
}

/* ---- reading ---- */

/* The cursor, if there is one, is the last source of the page before. */
static int page_take(struct api_call *call, size_t *limit, struct netprefix *after, bool *has_after)
{
    const char *cursor = api_call_arg(call, "cursor");
    *has_after = cursor != NULL;
    if (api_call_limit(call, limit))
        return -EPROTO;
    if (cursor && source_parse(slice_of(cursor), after))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "cursor",
                               "cursor: is not the `next` of an earlier answer");
    return 0;
}

int api_bans_get(struct api_call *call)
{
    struct guard *guard = call->api->parts.guard;
    struct netprefix after;
    char next[NETPREFIX_TEXT_MAX];
    bool has_after, more = false;
    uint64_t now_ms = api_monotonic_ms();
    size_t limit, i = 0;
    if (page_take(call, &limit, &after, &has_after))
        return -EPROTO;
    struct guard_ban *bans = calloc(GUARD_MAX_BANS, sizeof(*bans));
    json_t *array = json_array();
    size_t count = guard && bans ? guard_ban_list(guard, bans, now_ms) : 0;
    while (has_after && i < count && guard_source_compare(&bans[i].source, &after) <= 0)
        i++;
    for (; bans && i < count && !more; i++) {
        json_array_append_new(array, ban_encode(call, &bans[i], now_ms));
        more = json_array_size(array) == limit && i + 1 < count;
        netprefix_format(&bans[i].source, next);
    }
    free(bans);
    return api_call_reply(call, 200,
                          json_pack("{s:o, s:s?}", "bans", array, "next", more ? next : NULL), 0);
}

/* The ban that the path names. */
static int ban_find(struct api_call *call, uint64_t now_ms, struct guard_ban *ban)
{
    struct guard *guard = call->api->parts.guard;
    struct netprefix source;
    if (source_parse(slice_of(call->param), &source))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "source",
                               "%.512s: is no IP address or network", call->param);
    if (!guard || guard_ban_get(guard, &source, now_ms, ban))
        return api_problem_from_status(&call->problem, STATUS_NOTFOUND, call->param);
    return 0;
}

int api_ban_get(struct api_call *call)
{
    struct guard_ban ban = {.left_ms = 0};
    uint64_t now_ms = api_monotonic_ms();
    if (ban_find(call, now_ms, &ban))
        return -EPROTO;
    return api_call_reply(call, 200, ban_encode(call, &ban, now_ms), ban.version);
}

/* ---- writing ---- */

static int ban_decode(struct api_call *call, struct guard_ban *ban)
{
    static const struct api_field fields[] = {
        {"source", JSON_STRING, API_REQUIRED},
        {"seconds", JSON_INTEGER, 0},
        {"reason", JSON_STRING, 0},
        {NULL, JSON_NULL, 0},
    };
    unsigned seconds;
    if (api_json_check(call->body, fields, false, &call->problem) ||
        api_json_number(call->body, "seconds", 1, GUARD_MAX_BAN_S, BAN_DEFAULT_S, &seconds,
                        &call->problem) ||
        api_json_note(call->body, "reason", ban->reason, sizeof(ban->reason), &call->problem))
        return -EPROTO;
    struct slice text = api_json_text(call->body, "source");
    if (source_parse(text, &ban->source))
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "source",
                               "source: is '%.*s'; it must be an IP address, or a network such as "
                               "192.0.2.0/24 without bits behind its prefix",
                               text.len < 256 ? (int)text.len : 256, text.p);
    ban->left_ms = (uint64_t)seconds * 1000;
    return 0;
}

static int ban_add(struct api_call *call, uint64_t now_ms, struct guard_ban *ban)
{
    struct guard *guard = call->api->parts.guard;
    char source[NETPREFIX_TEXT_MAX];
    if (!guard)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL,
                               "%s: no edge runs in this process",
                               netprefix_format(&ban->source, source));
    if (guard_ban_add(guard, ban, now_ms))
        return api_problem_set(&call->problem, API_PROBLEM_FULL, "source",
                               "%s: there are %d bans already; ban a network in place of many "
                               "addresses",
                               netprefix_format(&ban->source, source), GUARD_MAX_BANS);
    log_write(call->api->parts.log, LOG_NOTICE, "api", "ban added: actor=%s source=%s seconds=%u",
              call->actor, netprefix_format(&ban->source, source), (unsigned)(ban->left_ms / 1000));
    guard_ban_get(guard, &ban->source, now_ms, ban); /* now with its version */
    return 0;
}

int api_ban_post(struct api_call *call)
{
    struct guard_ban ban = {.automatic = false};
    char source[NETPREFIX_TEXT_MAX], escaped[3 * NETPREFIX_TEXT_MAX];
    uint64_t now_ms = api_monotonic_ms();
    if (ban_decode(call, &ban) || (!call->dry_run && ban_add(call, now_ms, &ban)))
        return -EPROTO;
    netprefix_format(&ban.source, source);
    snprintf(call->location, sizeof(call->location), "/v1/bans/%s",
             api_url_escape(source, escaped, sizeof(escaped)));
    return api_call_reply(call, 201, ban_encode(call, &ban, now_ms), ban.version);
}

int api_ban_delete(struct api_call *call)
{
    struct guard_ban ban = {.left_ms = 0};
    bool any = false;
    if (ban_find(call, api_monotonic_ms(), &ban) ||
        api_call_expects(call, ban.version, call->param, &any))
        return -EPROTO;
    if (!call->dry_run) {
        guard_ban_remove(call->api->parts.guard, &ban.source, api_monotonic_ms());
        log_write(call->api->parts.log, LOG_NOTICE, "api", "ban taken back: actor=%s source=%s",
                  call->actor, call->param);
    }
    call->status = 204;
    return 0;
}
