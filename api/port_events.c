/* /v1/ports/{id}/events: the states of one port as server-sent events, each as it comes. */
#include "api/auth.h"
#include "api/ports.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_HEAD_MAX 64 /* "id: N", "event: state", "data: " */

/* What one client has heard. */
struct port_events {
    struct api_principal who;
    char actor[STORE_ACTOR_MAX + 1];
    enum store_port_role role;
    char id[STORE_PORT_ID_LEN + 1];
    uint64_t told; /* the version of the port that was looked at last; 0: none */
    bool has_last;
    struct store_port last; /* as it was told */
};

static bool is_last(enum store_port_state state)
{
    return !store_port_is_open(state) && state != STORE_PORT_COMMITTED;
}

static int event_append(struct buf *out, const struct store_port *port)
{
    char head[EVENT_HEAD_MAX];
    json_t *json = api_port_show(port);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return -ENOMEM;
    snprintf(head, sizeof(head),
             "id: %llu\nevent: state\ndata: ", (unsigned long long)port->version);
    int status = buf_append(out, slice_of(head));
    if (!status)
        status = buf_append(out, slice_of(text));
    if (!status)
        status = buf_append(out, SLICE("\n\n"));
    free(text);
    return status;
}

static int state_read(const struct port_events *events, struct store_reader *reader,
                      struct store_port *port)
{
    int status = store_reader_begin(reader);
    if (status)
        return status;
    status = api_actor_is_good(reader, events->actor)
                 ? api_port_read(&events->who, reader, events->role, events->id, port)
                 : STATUS_DENIED;
    store_reader_end(reader);
    return status;
}

/* The record also changes where others have been told of it, which is nothing to see. */
static bool is_news(const struct port_events *events, const struct store_port *port)
{
    if (port->version == events->told)
        return false;
    return !events->has_last || port->state != events->last.state ||
           port->reason != events->last.reason ||
           api_port_deadline(port) != api_port_deadline(&events->last);
}

static int news_tell(struct port_events *events, struct buf *out, const struct store_port *port)
{
    events->has_last = true;
    events->last = *port;
    return event_append(out, port);
}

/* Ends behind the last state, and where the port or the right to see it is gone. */
static int events_more(struct api_stream *stream, struct store_reader *reader, struct buf *out)
{
    struct port_events *events = stream->arg;
    struct store_port port;
    int status = state_read(events, reader, &port);
    if (!status && is_news(events, &port))
        status = news_tell(events, out, &port);
    else if (!status && stream->tick)
        status = buf_append(out, SLICE(": still here\n\n"));
    if (status)
        return status;
    events->told = port.version;
    return is_last(port.state) ? STATUS_CLOSED : 0;
}

int api_port_events_get(struct api_call *call)
{
    struct store_port port;
    if (api_port_find(call, &port))
        return -EPROTO;
    struct port_events *events = calloc(1, sizeof(*events));
    if (!events)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    if (call->last_event_id)
        slice_to_u64(slice_of(call->last_event_id), INT64_MAX, &events->told);
    events->who = call->who;
    events->role = port.role;
    memcpy(events->id, port.id, sizeof(events->id));
    memcpy(events->actor, call->actor, sizeof(events->actor));
    return api_call_stream(
        call, &(struct api_stream){
                  .type = "text/event-stream", .more = events_more, .free = free, .arg = events});
}
