/* Ports at their two hosts, which follow what the authority tells. */
#include "tests/store/model.h"

#include "base/status.h"
#include "store/internal.h"

#include <stdio.h>
#include <string.h>

#define HOUR_MS      ((uint64_t)3600 * 1000)
#define CANCEL_MS    (7 * 24 * HOUR_MS)
#define GRACE_MAX_MS (31 * 24 * HOUR_MS)
#define KEEP_MS      (90 * 24 * HOUR_MS)

static void record_write(struct model *model, const struct store_command *command,
                         const struct store_record *before, struct store_record *record,
                         struct model_outcome *outcome)
{
    model_write(model, command, store_op_text(command->op), STORE_KIND_ADDRESS, before, record,
                outcome);
}

static void port_write(struct model *model, const struct store_command *command,
                       const struct store_port *before, struct store_port *port,
                       struct model_outcome *outcome)
{
    model_write(model, command, store_op_text(command->op), STORE_KIND_PORT, before, port, outcome);
}

/* ---- the record of the address ---- */

static struct store_record record_new(const struct model *model, const struct store_port *port,
                                      enum store_address_state state)
{
    struct store_record record = {
        .address = port->address, .state = state, .created_ms = model->time_ms};
    snprintf(record.hosting, sizeof(record.hosting), "%s", port->gaining);
    snprintf(record.owner, sizeof(record.owner), "%s", port->owner);
    snprintf(record.display, sizeof(record.display), "%s", port->display);
    if (!record.display[0])
        snprintf(record.display, sizeof(record.display), "%s@%s", port->address.user,
                 port->address.domain);
    return record;
}

static void prepare(struct model *model, const struct store_command *command,
                    const struct store_port *port, struct model_outcome *outcome)
{
    const struct store_record *before = model_address(model, &port->address);
    struct store_record record = record_new(model, port, STORE_ADDRESS_PREPARED);
    if (before && before->state != STORE_ADDRESS_MOVED)
        return;
    if (before) {
        memcpy(record.owner, before->owner, sizeof(record.owner));
        memcpy(record.display, before->display, sizeof(record.display));
    }
    record_write(model, command, before, &record, outcome);
}

/* Lock and code were for the host before. */
static void record_lead(struct store_record *record, enum store_address_state state,
                        const char *hosting, uint64_t until_ms)
{
    record->state = state;
    record->until_ms = until_ms;
    record->locked = record->has_auth = false;
    record->auth_until_ms = 0;
    memset(record->auth_hash, 0, sizeof(record->auth_hash));
    snprintf(record->hosting, sizeof(record->hosting), "%s", hosting);
}

static uint64_t moved_until(const struct store_command *command, const struct store_port *port,
                            uint64_t from_ms)
{
    uint64_t until_ms = from_ms + command->order.moved * (uint64_t)1000;
    uint64_t grace_ms = port->state == STORE_PORT_COMMITTED ? port->told_ms : 0;
    if (grace_ms > from_ms + GRACE_MAX_MS)
        grace_ms = from_ms + GRACE_MAX_MS;
    return grace_ms > until_ms ? grace_ms : until_ms;
}

/* The latest commit that hosts know of; NULL: there is none. */
static const struct store_port *loss_find(const struct model *model,
                                          const struct store_address *address)
{
    const struct shelf *ports = &model->records[STORE_KIND_PORT];
    const struct store_port *last = NULL;
    for (size_t i = 0; i < ports->count; i++) {
        const struct store_port *port = shelf_at(ports, i);
        if (port->role != STORE_PORT_AUTHORITY && model_address_eq(&port->address, address) &&
            port->commit_order > (last ? last->commit_order : 0))
            last = port;
    }
    return last;
}

static void unprepare(struct model *model, const struct store_command *command,
                      const struct store_port *port, struct model_outcome *outcome)
{
    const struct store_record *before = model_address(model, &port->address);
    if (!before || before->state != STORE_ADDRESS_PREPARED ||
        strcmp(before->hosting, port->gaining) != 0)
        return;
    const struct store_port *loss = loss_find(model, &port->address);
    struct store_record record = *before;
    if (loss && !model_domain(model, loss->gaining) &&
        moved_until(command, loss, loss->committed_ms) > model->time_ms) {
        record.state = STORE_ADDRESS_MOVED;
        record.until_ms = moved_until(command, loss, loss->committed_ms);
        snprintf(record.hosting, sizeof(record.hosting), "%s", loss->gaining);
        record_write(model, command, before, &record, outcome);
    } else {
        record_write(model, command, before, NULL, outcome);
    }
}

static void holder_take(struct store_record *record, const struct store_port *port)
{
    if (port->owner[0])
        memcpy(record->owner, port->owner, sizeof(record->owner));
    if (port->display[0])
        memcpy(record->display, port->display, sizeof(record->display));
}

static void arrive(struct model *model, const struct store_command *command,
                   const struct store_port *port, const struct store_record *before,
                   struct model_outcome *outcome)
{
    struct store_record record =
        before ? *before : record_new(model, port, STORE_ADDRESS_PORTED_IN);
    record_lead(&record, STORE_ADDRESS_PORTED_IN, port->gaining, 0);
    holder_take(&record, port);
    record_write(model, command, before, &record, outcome);
}

static void leave(struct model *model, const struct store_command *command,
                  const struct store_port *port, const struct store_record *before,
                  struct model_outcome *outcome)
{
    if (!before)
        return;
    struct store_record record = *before;
    record_lead(&record, STORE_ADDRESS_MOVED, port->gaining,
                moved_until(command, port, model->time_ms));
    record.blocked = false;
    record_write(model, command, before, &record, outcome);
}

static void come_home(struct model *model, const struct store_command *command,
                      const struct store_port *port, const struct store_record *before,
                      struct model_outcome *outcome)
{
    if (!before || before->created_ms > port->committed_ms ||
        strcmp(port->gaining, before->hosting) != 0)
        return;
    struct store_record record = *before;
    holder_take(&record, port);
    record_write(model, command, before, &record, outcome);
}

static void settle(struct model *model, const struct store_command *command,
                   const struct store_port *port, struct model_outcome *outcome)
{
    const struct store_record *before = model_address(model, &port->address);
    const struct store_port *last = loss_find(model, &port->address);
    bool is_gaining = port->role == STORE_PORT_GAINING;
    if (last && last->commit_order > port->commit_order)
        return;
    if (model_domain(model, port->address.domain)) {
        if (is_gaining)
            come_home(model, command, port, before, outcome);
    } else if (!model_domain(model, port->gaining)) {
        leave(model, command, port, before, outcome);
    } else if (is_gaining) {
        arrive(model, command, port, before, outcome);
    }
}

/* ---- the gaining host ---- */

static bool is_hosted_by(const struct store_record *record, const char *domain)
{
    return record && strcmp(record->hosting, domain) == 0 &&
           (record->state == STORE_ADDRESS_HOSTED || record->state == STORE_ADDRESS_PORTED_IN ||
            record->state == STORE_ADDRESS_PORTED_OUT);
}

void model_port_start(struct model *model, const struct store_command *command,
                      struct model_outcome *outcome)
{
    struct store_port port = command->order.port;
    const struct store_port *known = model_port_find(model, STORE_PORT_GAINING, port.id);
    port.role = STORE_PORT_GAINING;
    port.state = STORE_PORT_REQUESTING;
    port.owed = STORE_PORT_OWES_AUTHORITY;
    port.created_ms = model->time_ms;
    port.deadline_ms = model->time_ms + HOUR_MS;
    if (known) {
        if (!model_port_is_same(known, &port))
            model_refuse(outcome, STATUS_MISMATCH);
        return;
    }
    if (!model_port_is_valid(&port)) {
        model_refuse(outcome, STATUS_MALFORMED);
        return;
    }
    if (!model_domain(model, port.gaining))
        model_refuse(outcome, STATUS_NOTFOUND);
    if (model_port_open_in(model, STORE_PORT_GAINING, &port.address))
        model_refuse(outcome, STATUS_PORTING);
    if (is_hosted_by(model_address(model, &port.address), port.gaining))
        model_refuse(outcome, STATUS_EXISTS);
    if (outcome->refusal_count)
        return;
    if (!model_domain(model, port.address.domain))
        prepare(model, command, &port, outcome);
    port_write(model, command, NULL, &port, outcome);
}

void model_port_give_up(struct model *model, const struct store_command *command,
                        const struct store_port *before, enum store_port_reason reason,
                        struct model_outcome *outcome)
{
    struct store_port port = *before;
    if (!store_port_is_open(before->state)) {
        model_refuse(outcome, STATUS_STATE);
        return;
    }
    port.state = STORE_PORT_CANCELLING;
    port.reason = reason;
    if (before->state != STORE_PORT_CANCELLING)
        port.deadline_ms = model->time_ms + CANCEL_MS;
    port.owed |= STORE_PORT_OWES_AUTHORITY;
    port_write(model, command, before, &port, outcome);
}

void model_port_let_go(struct model *model, const struct store_command *command,
                       const struct store_port *before, struct model_outcome *outcome)
{
    struct store_port port = *before;
    port.state = STORE_PORT_CANCELLED;
    port.deadline_ms = model->time_ms + KEEP_MS;
    port.owed = STORE_PORT_OWES_HOLDER;
    model_mail_owe(model, &port);
    unprepare(model, command, &port, outcome);
    port_write(model, command, before, &port, outcome);
}

/* ---- what the authority says ---- */

static bool is_over(enum store_port_state state)
{
    return state == STORE_PORT_REJECTED || state == STORE_PORT_CANCELLED ||
           state == STORE_PORT_REFUSED || state == STORE_PORT_UNDONE;
}

static bool is_commit(enum store_port_state state)
{
    return state == STORE_PORT_COMMITTED || state == STORE_PORT_COMPLETED;
}

static struct store_port port_told(const struct model *model, const struct store_port *known,
                                   const struct store_port *told)
{
    struct store_port port = known ? *known : *told;
    bool goes_on =
        known && known->state == STORE_PORT_CANCELLING && store_port_is_open(told->state);
    port.state = goes_on ? STORE_PORT_CANCELLING : told->state;
    port.order = told->order;
    port.commit_order = told->commit_order;
    port.committed_ms = told->committed_ms;
    port.told_ms = told->deadline_ms;
    memcpy(port.losing, told->losing, sizeof(port.losing));
    if (port.state != STORE_PORT_CANCELLING) {
        bool stays = store_port_is_open(port.state) || port.state == STORE_PORT_COMMITTED;
        port.reason = told->reason;
        port.owed &= ~(unsigned)STORE_PORT_OWES_AUTHORITY;
        port.deadline_ms = stays ? 0 : model->time_ms + KEEP_MS;
    }
    if (!known) {
        port.owed = 0;
        port.owner[0] = port.display[0] = '\0';
        port.created_ms = model->time_ms;
    }
    port.reminder = told->reminder;
    if (!known || known->state != port.state || known->reminder < port.reminder) {
        port.owed |= STORE_PORT_OWES_HOLDER;
        model_mail_owe(model, &port);
    }
    return port;
}

void model_port_tell(struct model *model, const struct store_command *command,
                     struct model_outcome *outcome)
{
    const struct store_port *told = &command->order.port;
    const struct store_port *known = model_port_find(model, told->role, told->id);
    if (told->role == STORE_PORT_AUTHORITY || !model_port_is_valid(told))
        model_refuse(outcome, STATUS_MALFORMED);
    else if (known && !model_port_is_same(known, told))
        model_refuse(outcome, STATUS_MISMATCH);
    if (outcome->refusal_count)
        return;
    bool is_decided = known && store_port_is_open(known->state) && !store_port_is_open(told->state);
    if (known && (told->state == STORE_PORT_REFUSED ? known->order != 0
                                                    : !is_decided && known->order >= told->order))
        return;
    bool was_commit = known && is_commit(known->state);
    struct store_port port = port_told(model, known, told);
    if (is_commit(port.state) && !was_commit)
        settle(model, command, &port, outcome);
    else if (is_over(port.state) && port.role == STORE_PORT_GAINING)
        unprepare(model, command, &port, outcome);
    port_write(model, command, known, &port, outcome);
}
