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

int walk_ports(struct walk *walk, const struct store_address *address)
{
    struct port_steps steps = {.walk = walk};
    char time[LOG_TIME_MAX];
    int status = store_port_address_list(walk->call->reader, address, SIZE_MAX, port_keep, &steps);
    if (status)
        return status;
    if (*steps.last.id)
        walk_step(walk->steps, "port", "port %s brought it from %s to %s at %s", steps.last.id,
                  steps.last.losing, steps.last.gaining, time_text(steps.last.committed_ms, time));
    if (*steps.open.id) {
        uint64_t deadline_ms = api_port_deadline(&steps.open);
        walk_step(walk->steps, "port", "port %s to %s is %s%s%s: nothing has moved yet",
                  steps.open.id, steps.open.gaining, store_port_state_text(steps.open.state),
                  deadline_ms ? ", until " : "", time_text(deadline_ms, time));
    }
    return 0;
}
