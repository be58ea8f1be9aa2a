/* /v1/dns/purge: what DNS said of a name is forgotten, and asked anew. */
#include "api/records.h"

#include <stdlib.h>

/* Lives in call->memory. */
struct purge {
    char name[RESOLVER_PURGE_MAX + 1];
};

static int purge_decode(struct api_call *call, struct purge *purge)
{
    static const struct api_field fields[] = {
        {"name", JSON_STRING, API_REQUIRED},
        {NULL, JSON_NULL, 0},
    };
    if (api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    struct slice text = api_json_text(call->body, "name");
    if (resolver_purge_name(text, purge->name))
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "name",
                               "name: is '%.*s'; it must be a domain name, such as opb.example",
                               text.len < 256 ? (int)text.len : 256, text.p);
    return 0;
}

/* On a thread of its own, for it waits for the workers. Where no edge runs nothing is kept. */
static int purge_do(struct api_call *call)
{
    const struct purge *purge = call->memory;
    const struct api_parts *parts = &call->api->parts;
    if (parts->edge && parts->dns_purge)
        parts->dns_purge(parts->edge, purge->name);
    return 0;
}

static int purge_done(struct api_call *call, const struct store_verdict *verdict)
{
    const struct purge *purge = call->memory;
    (void)verdict;
    log_write(call->api->parts.log, LOG_NOTICE, "api", "DNS purge: actor=%s name=%s", call->actor,
              purge->name);
    return api_call_reply(call, 200, json_pack("{s:s}", "name", purge->name), 0);
}

int api_dns_purge_post(struct api_call *call)
{
    struct purge *purge = call->memory = calloc(1, sizeof(*purge));
    if (!purge)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    if (purge_decode(call, purge))
        return -EPROTO;
    return api_run(call, purge->name, purge_do, purge_done);
}
