/* /v1/cores: how the next hops of our cores are, as the edge has found out. */
#include "api/records.h"

#include <stdlib.h>

static const char *const state_names[] = {
    [CORE_UNKNOWN] = "unknown", [CORE_UP] = "up", [CORE_DOWN] = "down"};

const char *api_core_state_text(enum core_state state)
{
    return state_names[state];
}

struct core_view *api_cores_read(const struct api_parts *parts, size_t *count)
{
    bool runs = parts->edge && parts->cores_get;
    struct core_view *cores = calloc(API_MAX_CORES, sizeof(*cores));
    *count = cores && runs ? parts->cores_get(parts->edge, cores, API_MAX_CORES) : 0;
    return cores;
}

/* null where nothing is known. */
static json_t *core_encode(const struct core_view *view)
{
    struct store_core core = view->core;
    char text[API_CORE_TEXT_MAX], address[NETADDR_TEXT_MAX];
    bool found = view->addr.sa.sa_family != AF_UNSPEC;
    return json_pack("{s:s, s:s, s:i, s:s?, s:s?, s:s, s:o, s:o, s:s?}", "core",
                     api_core_encode(&core, false, text), "domain", view->domain, "domains",
                     (int)view->domains, "address",
                     found ? netaddr_format(&view->addr, address) : NULL, "transport",
                     found ? api_transport_text(view->transport) : NULL, "state",
                     state_names[view->state], "since", api_time_encode(view->since_ms), "answer",
                     view->status ? json_integer(view->status) : json_null(), "why",
                     view->why[0] ? view->why : NULL);
}

int api_cores_get(struct api_call *call)
{
    size_t count;
    struct core_view *cores = api_cores_read(&call->api->parts, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, core_encode(&cores[i]));
    free(cores);
    return api_call_reply(call, 200, json_pack("{s:o}", "cores", list), 0);
}
