/* /v1/dns/sync: a domain's records are compared with what its primaries serve, and sent. */
#include "api/records.h"

#include "base/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Lives in call->memory. */
struct sync {
    char domain[STORE_DOMAIN_MAX + 1];
    struct publisher_order order;
    struct publisher_report report;
};

static int order_decode(struct api_call *call, struct sync *sync)
{
    static const struct api_field fields[] = {
        {"domain", JSON_STRING, API_REQUIRED},
        {"force", JSON_TRUE, 0},
        {NULL, JSON_NULL, 0},
    };
    if (api_json_check(call->body, fields, false, &call->problem) ||
        api_json_key(call->body, "domain", NULL, store_domain_canonical, sync->domain,
                     &call->problem))
        return -EPROTO;
    if (!api_may_domain(call, sync->domain))
        return api_not_yours(call, sync->domain);
    sync->order = (struct publisher_order){.domain = sync->domain,
                                           .force = api_json_bool(call->body, "force", false),
                                           .dry_run = call->dry_run};
    return 0;
}

static int sync_run(struct api_call *call)
{
    struct sync *sync = call->memory;
    return publisher_sync(call->api->parts.publisher, &sync->order, &sync->report);
}

/* ---- the answer ---- */

static json_t *set_encode(const char *text)
{
    json_t *array = json_array();
    while (text && *text) {
        size_t len = strcspn(text, "\n");
        /* What a primary serves may be of any bytes; ldns writes those outside ASCII as \DDD. */
        json_array_append_new(array, json_stringn(text, len));
        text += len + (text[len] == '\n');
    }
    return array;
}

static json_t *row_encode(const struct publisher_row *row)
{
    static const char *const actions[] = {[PUBLISHER_ADD] = "add",
                                          [PUBLISHER_REPLACE] = "replace",
                                          [PUBLISHER_REMOVE] = "remove",
                                          [PUBLISHER_DIFFERS] = "differs",
                                          [PUBLISHER_REFUSED] = "refused"};
    json_t *served = set_encode(row->served);
    if (row->is_alias)
        json_array_append_new(served, json_string("CNAME"));
    return json_pack("{s:s, s:s, s:s, s:I, s:o, s:I, s:o}", "name", row->name, "type",
                     zone_type_name(row->type), "action", actions[row->action], "served_ttl",
                     (json_int_t)row->served_ttl_s, "served", served, "wanted_ttl",
                     (json_int_t)row->wanted_ttl_s, "wanted", set_encode(row->wanted));
}

static json_t *report_encode(const struct sync *sync)
{
    const struct publisher_report *report = &sync->report;
    json_t *rows = json_array();
    for (size_t i = 0; i < report->row_count; i++)
        json_array_append_new(rows, row_encode(&report->rows[i]));
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "domain", sync->domain, "looked_at",
                     (json_int_t)report->looked_at, "changed", (json_int_t)report->changed,
                     "differing", (json_int_t)report->differing, "sets", rows);
}

static int sync_failed(struct api_call *call, const struct sync *sync, int status)
{
    if (status == STATUS_NOTFOUND)
        return api_problem_set(&call->problem, API_PROBLEM_NO_RECORD, "domain",
                               "%s: is in no zone that is published: the configuration needs "
                               "zone \"%s\" { primary = ... tsig = ... }",
                               sync->domain, sync->domain);
    if (status == STATUS_CANCELLED || status == -EAGAIN)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL,
                               "%s: the daemon ends, or has too much to do", sync->domain);
    return api_problem_set(&call->problem, API_PROBLEM_PRIMARY, "domain", "%.900s",
                           sync->report.why[0] ? sync->report.why : status_text(status));
}

static int sync_done(struct api_call *call, const struct store_verdict *verdict)
{
    struct sync *sync = call->memory;
    int status = verdict->status;
    if (status == 0 && !call->dry_run)
        log_write(call->api->parts.log, LOG_NOTICE, "api",
                  "dns sync done: actor=%s domain=%s force=%d changed=%zu differing=%zu",
                  call->actor, sync->domain, sync->order.force, sync->report.changed,
                  sync->report.differing);
    status = status == 0 ? api_call_reply(call, 200, report_encode(sync), 0)
                         : sync_failed(call, sync, status);
    publisher_report_done(&sync->report);
    return status;
}

int api_sync_post(struct api_call *call)
{
    struct sync *sync = call->memory = calloc(1, sizeof(*sync));
    if (!sync)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    if (order_decode(call, sync))
        return -EPROTO;
    if (!call->api->parts.publisher)
        return sync_failed(call, sync, STATUS_NOTFOUND);
    return api_run(call, sync->domain, sync_run, sync_done);
}
