/* The part of a route's explanation that tells which port led an address where it is, and which is
 * about to. */
#include "api/ports.h"
#include "api/walk.h"

#include <string.h>

/* A node may have a port in three roles, the authority's first: hosts may not know yet. */
struct port_steps {
    struct walk *walk;
    struct store_port open, last; /* id "": none; of those committed the latest */
};

static bool is_committed(enum store_port_state state)
{
    return state == STORE_PORT_COMMITTED || state == STORE_PORT_COMPLETED;
}

static bool port_keep(const struct store_port *port, void *arg)
{
    struct port_steps *steps = arg;
    const struct api_call *call = steps->walk->call;
    if (!api_may_port(&call->who, call->reader, port))
        return true;
    bool is_known = strcmp(port->id, steps->last.id) == 0;
    if (store_port_is_open(port->state) && !*steps->open.id && !is_known)
        steps->open = *port;
    if (is_committed(port->state) && port->commit_order > steps->last.commit_order)
        steps->last = *port;
    return true;
}

/* RFC 3339; "" for none. */
static const char *time_text(uint64_t ms, char text[LOG_TIME_MAX])
{
    text[0] = '\0';
    return ms ? log_time_format((struct timespec){.tv_sec = (time_t)(ms / 1000)}, text) : text;
}

/* Whose word it is that the address lives there, and until when that may be taken back. */
static void last_explain(struct walk *walk, const struct store_port *port)
{
    char since[LOG_TIME_MAX], until[LOG_TIME_MAX];
    uint64_t grace_ms = port->state == STORE_PORT_COMMITTED ? api_port_deadline(port) : 0;
    walk_step(walk->steps, "ported", "authority %s names %s since %s (port %s%s%s)%s%s%s",
              port->address.domain, port->gaining, time_text(port->committed_ms, since), port->id,
              *port->undoes ? ", which took back port " : "", port->undoes,
              grace_ms ? ", grace until " : "", time_text(grace_ms, until),
              port->state == STORE_PORT_COMMITTED ? ", undo possible" : "");
}

/* Who is waited for, and what comes when the deadline is there. */
static const char *open_text(enum store_port_state state)
{
    switch (state) {
    case STORE_PORT_REQUESTING:
        return "asks the authority, which has not answered yet";
    case STORE_PORT_CANCELLING:
        return "was given up here, which the authority has not confirmed yet";
    case STORE_PORT_PENDING:
        return "is pending: its host may approve or reject it, else it moves then";
    case STORE_PORT_WAITING:
        return "is waiting: its host or holder may object, else it moves then";
    case STORE_PORT_DISPUTED:
        return "is disputed: its authority's operator decides, else it moves then";
    default:
        return "is under way";
    }
}

static void open_explain(struct walk *walk, const struct store_port *port)
{
    char until[LOG_TIME_MAX];
    uint64_t deadline_ms = api_port_deadline(port);
    walk_step(walk->steps, "port", "port %s to %s %s%s%s; nothing has moved yet", port->id,
              port->gaining, open_text(port->state), deadline_ms ? ", until " : "",
              time_text(deadline_ms, until));
}

int walk_ports(struct walk *walk, const struct store_record *record)
{
    struct port_steps steps = {.walk = walk};
    int status =
        store_port_address_list(walk->call->reader, &record->address, SIZE_MAX, port_keep, &steps);
    if (status)
        return status;
    /* else it was moved by hand since */
    if (*steps.last.id && strcmp(steps.last.gaining, record->hosting) == 0)
        last_explain(walk, &steps.last);
    if (*steps.open.id)
        open_explain(walk, &steps.open);
    return 0;
}
