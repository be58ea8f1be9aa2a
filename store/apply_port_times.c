/* When a port's states end, and whom it tells meanwhile that it waits. */
#include "store/apply.h"

static uint64_t deadline_of(const struct store_port *port, uint64_t now_ms)
{
    switch (port->state) {
    case STORE_PORT_PENDING:
        return now_ms + (uint64_t)port->terms.window * 1000;
    case STORE_PORT_WAITING:
        return now_ms + (uint64_t)port->terms.wait * 1000;
    case STORE_PORT_DISPUTED:
        return now_ms + (uint64_t)port->terms.dispute * 1000;
    case STORE_PORT_COMMITTED:
        return now_ms + (uint64_t)port->terms.grace * 1000;
    default: /* one that was cancelled before it came has no losing host */
        return now_ms + (port->losing[0] ? STORE_PORT_KEEP_MS : STORE_PORT_UNKNOWN_MS);
    }
}

static unsigned owed_by(const struct store_port *port, unsigned effects)
{
    return (effects & STORE_PORT_TELLS_GAINING ? STORE_PORT_OWES_GAINING : 0) |
           (effects & STORE_PORT_TELLS_LOSING ? STORE_PORT_OWES_LOSING : 0) |
           (port->state == STORE_PORT_DISPUTED ? STORE_PORT_OWES_OPERATOR : 0);
}

/* A reminder of the last moment is none: what it reminds of tells of itself. */
static uint64_t remind_next(const struct store_port *port, uint64_t last_ms, uint64_t now_ms)
{
    uint64_t step_ms = (uint64_t)port->terms.remind * 1000;
    if (port->state != STORE_PORT_WAITING || step_ms == 0)
        return 0;
    uint64_t next_ms = last_ms + step_ms * ((now_ms - last_ms) / step_ms + 1);
    return next_ms < port->deadline_ms ? next_ms : 0;
}

void store_port_times_set(struct store_port *port, unsigned effects, uint64_t now_ms)
{
    port->deadline_ms = deadline_of(port, now_ms);
    port->remind_ms = remind_next(port, now_ms, now_ms);
    port->owed &= ~(unsigned)STORE_PORT_OWES_OPERATOR;
    port->owed |= owed_by(port, effects);
}

int store_port_remind(struct store_apply *apply, const struct store_port *before)
{
    struct store_port port = *before;
    port.reminder++;
    port.remind_ms = remind_next(before, before->remind_ms, apply->position.time_ms);
    port.owed |= STORE_PORT_OWES_GAINING | STORE_PORT_OWES_LOSING;
    port.version = store_apply_version(apply);
    int ret = store_port_owe_mail(apply, &port);
    return ret ? ret : store_apply_write(apply, apply->command->op, STORE_KIND_PORT, before, &port);
}
