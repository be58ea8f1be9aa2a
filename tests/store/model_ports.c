/* Ports at their authority, and what protects an address. What may happen is the table that
 * docs/porting.md shows (tests/store/test_port_page.c). */
#include "tests/store/model.h"

#include "base/status.h"
#include "store/internal.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS     ((uint64_t)24 * 3600 * 1000)
#define KEEP_MS    (90 * DAY_MS) /* a port that is over */
#define UNKNOWN_MS DAY_MS        /* one that was cancelled before it came */

/* The operation under whose name what follows from a command is in the journal. */
static const char *name_of(const struct store_command *command)
{
    return store_op_text(command->op);
}

static bool can_move(const struct store_record *record)
{
    return record &&
           (record->state == STORE_ADDRESS_HOSTED || record->state == STORE_ADDRESS_PORTED_OUT);
}

/* ---- finding ---- */

struct store_port *model_port_find(const struct model *model, enum store_port_role role,
                                   const char *id)
{
    struct store_port like = {.role = role};
    snprintf(like.id, sizeof(like.id), "%s", id);
    return model_find(model, STORE_KIND_PORT, &like);
}

static struct store_port *port_find(const struct model *model, const char *id)
{
    return model_port_find(model, STORE_PORT_AUTHORITY, id);
}

static struct store_guard *guard_find(const struct model *model,
                                      const struct store_address *address)
{
    struct store_guard like = {.address = *address};
    return model_find(model, STORE_KIND_GUARD, &like);
}

/* The authority's first of the address in this state; NULL: there is none. */
static struct store_port *port_in_state(const struct model *model,
                                        const struct store_address *address,
                                        bool (*is_wanted)(enum store_port_state state))
{
    const struct shelf *ports = &model->records[STORE_KIND_PORT];
    for (size_t i = 0; i < ports->count; i++) {
        struct store_port *port = shelf_at(ports, i);
        if (port->role == STORE_PORT_AUTHORITY && model_address_eq(&port->address, address) &&
            is_wanted(port->state))
            return port;
    }
    return NULL;
}

static bool is_open(enum store_port_state state)
{
    return state == STORE_PORT_PENDING || state == STORE_PORT_WAITING ||
           state == STORE_PORT_DISPUTED;
}

static bool is_committed(enum store_port_state state)
{
    return state == STORE_PORT_COMMITTED;
}

static bool is_last(const struct model *model, const struct store_port *port)
{
    const struct shelf *ports = &model->records[STORE_KIND_PORT];
    for (size_t i = 0; i < ports->count; i++) {
        const struct store_port *other = shelf_at(ports, i);
        if (other->role == STORE_PORT_AUTHORITY &&
            model_address_eq(&other->address, &port->address) &&
            other->commit_order > port->commit_order)
            return false;
    }
    return true;
}

static uint64_t order_next(const struct model *model, const struct store_address *address)
{
    const struct shelf *ports = &model->records[STORE_KIND_PORT];
    uint64_t order = model->time_ms;
    for (size_t i = 0; i < ports->count; i++) {
        const struct store_port *other = shelf_at(ports, i);
        if (other->role == STORE_PORT_AUTHORITY && model_address_eq(&other->address, address) &&
            other->commit_order >= order)
            order = other->commit_order + 1;
    }
    return order;
}

/* A row of the table; NULL: there is none. */
static const struct store_port_row *row_find(int from, enum store_port_event event, unsigned by,
                                             enum store_port_kind kind)
{
    const struct store_port_row *row;
    for (size_t i = 0; (row = store_port_row(i)) != NULL; i++)
        if (row->from == from && row->event == event && row->by & by && row->kinds & 1u << kind)
            return row;
    return NULL;
}

/* ---- what protects an address ---- */

static struct store_guard guard_begin(const struct model *model,
                                      const struct store_address *address)
{
    const struct store_guard *known = guard_find(model, address);
    struct store_guard fresh = {.address = *address, .created_ms = model->time_ms};
    return known ? *known : fresh;
}

static void guard_write(struct model *model, const struct store_command *command,
                        struct store_guard *guard, struct model_outcome *outcome)
{
    const struct store_guard *before = guard_find(model, &guard->address);
    model_write(model, command, name_of(command), STORE_KIND_GUARD, before, guard, outcome);
}

void model_guard_drop(struct model *model, const struct store_command *command,
                      const struct store_address *address, struct model_outcome *outcome)
{
    const struct store_guard *guard = guard_find(model, address);
    if (guard)
        model_write(model, command, name_of(command), STORE_KIND_GUARD, guard, NULL, outcome);
}

void model_code_bind(struct model *model, const struct store_command *command,
                     const struct store_address *address, const char *gaining,
                     struct model_outcome *outcome)
{
    struct store_guard guard = guard_begin(model, address);
    if (strcmp(guard.code_for, gaining) == 0)
        return;
    snprintf(guard.code_for, sizeof(guard.code_for), "%s", gaining);
    guard_write(model, command, &guard, outcome);
}

void model_guard_put(struct model *model, const struct store_command *command,
                     struct model_outcome *outcome)
{
    const struct store_guard *given = &command->guard;
    struct store_guard before = guard_begin(model, &given->address), guard = *given;
    if (!model_address_is_canonical(&given->address))
        model_refuse(outcome, STATUS_MALFORMED);
    if (!can_move(model_address(model, &given->address)))
        model_refuse(outcome, STATUS_NOTFOUND);
    if (!model_expects(command, before.version))
        model_refuse(outcome, STATUS_CONFLICT);
    if (outcome->refusal_count)
        return;
    memcpy(guard.code_for, before.code_for, sizeof(guard.code_for));
    memset(guard.code_hash, 0, sizeof(guard.code_hash));
    guard.code_until_ms = 0;
    guard.created_ms = before.created_ms;
    guard_write(model, command, &guard, outcome);
}

void model_guard_code(struct model *model, const struct store_command *command,
                      struct model_outcome *outcome)
{
    const struct store_guard *given = &command->guard;
    const struct store_record *before = model_address(model, &given->address);
    if (!model_address_is_canonical(&given->address))
        model_refuse(outcome, STATUS_MALFORMED);
    if (!can_move(before))
        model_refuse(outcome, STATUS_NOTFOUND);
    else if (!model_expects(command, before->version))
        model_refuse(outcome, STATUS_CONFLICT);
    if (port_in_state(model, &given->address, is_open))
        model_refuse(outcome, STATUS_PORTING);
    if (outcome->refusal_count)
        return;
    model_code_bind(model, command, &given->address, given->code_for, outcome);
    struct store_record record = *before;
    record.has_auth = given->code_until_ms != 0;
    record.auth_until_ms = given->code_until_ms;
    memset(record.auth_hash, 0, sizeof(record.auth_hash));
    if (record.has_auth)
        memcpy(record.auth_hash, given->code_hash, sizeof(record.auth_hash));
    model_write(model, command, name_of(command), STORE_KIND_ADDRESS, before, &record, outcome);
}

/* ---- what a transition does ---- */

static void address_change(struct model *model, const struct store_command *command,
                           const struct store_port *port, bool moves, struct model_outcome *outcome)
{
    const struct store_record *before = model_address(model, &port->address);
    struct store_record record = *before;
    record.has_auth = false;
    record.auth_until_ms = 0;
    memset(record.auth_hash, 0, sizeof(record.auth_hash));
    if (moves) {
        bool is_home = strcmp(port->gaining, port->address.domain) == 0;
        record.state = is_home ? STORE_ADDRESS_HOSTED : STORE_ADDRESS_PORTED_OUT;
        record.locked = false;
        snprintf(record.hosting, sizeof(record.hosting), "%s", port->gaining);
    }
    model_write(model, command, name_of(command), STORE_KIND_ADDRESS, before, &record, outcome);
}

static void freeze(struct model *model, const struct store_command *command,
                   const struct store_port *port, struct model_outcome *outcome)
{
    struct store_guard guard = guard_begin(model, &port->address);
    guard.frozen_until_ms = model->time_ms + (uint64_t)port->terms.freeze * 1000;
    guard.code_for[0] = '\0';
    guard_write(model, command, &guard, outcome);
}

static uint64_t deadline_of(const struct store_port *port, uint64_t now_ms)
{
    switch (port->state) {
    case STORE_PORT_PENDING:
        return now_ms + port->terms.window * (uint64_t)1000;
    case STORE_PORT_WAITING:
        return now_ms + port->terms.wait * (uint64_t)1000;
    case STORE_PORT_DISPUTED:
        return now_ms + port->terms.dispute * (uint64_t)1000;
    case STORE_PORT_COMMITTED:
        return now_ms + port->terms.grace * (uint64_t)1000;
    default:
        return now_ms + (port->losing[0] ? KEEP_MS : UNKNOWN_MS);
    }
}

/* Whole steps from `last_ms` on; what is due with the deadline is not told of. */
static uint64_t remind_after(const struct store_port *port, uint64_t last_ms, uint64_t now_ms)
{
    uint64_t next_ms = last_ms;
    if (port->state != STORE_PORT_WAITING || port->terms.remind == 0)
        return 0;
    while (next_ms <= now_ms)
        next_ms += port->terms.remind * (uint64_t)1000;
    return next_ms < port->deadline_ms ? next_ms : 0;
}

/* The holder is written to by the record of the losing host, or else of the gaining one's, or else
 * of the authority's: of those that are ours. */
void model_mail_owe(const struct model *model, struct store_port *port)
{
    const struct store_record *record = model_address(model, &port->address);
    enum store_port_role speaker = STORE_PORT_AUTHORITY;
    if (port->losing[0] && model_domain(model, port->losing))
        speaker = STORE_PORT_LOSING;
    else if (model_domain(model, port->gaining))
        speaker = STORE_PORT_GAINING;
    if (speaker == port->role && record && record->notify[0])
        port->owed |= STORE_PORT_OWES_MAIL;
}

static void port_enter(struct model *model, const struct store_command *command,
                       const struct store_port_row *row, const struct store_port *before,
                       struct store_port *port, struct model_outcome *outcome)
{
    bool moves = row->effects & STORE_PORT_MOVES;
    if (moves || row->effects & STORE_PORT_USES_CODE)
        address_change(model, command, port, moves, outcome);
    if (moves && port->kind != STORE_PORT_UNDO)
        freeze(model, command, port, outcome);
    port->state = row->to;
    port->deadline_ms = deadline_of(port, model->time_ms);
    port->remind_ms = remind_after(port, model->time_ms, model->time_ms);
    port->owed &= ~(unsigned)STORE_PORT_OWES_OPERATOR;
    if (row->effects & STORE_PORT_TELLS_GAINING)
        port->owed |= STORE_PORT_OWES_GAINING;
    if (row->effects & STORE_PORT_TELLS_LOSING)
        port->owed |= STORE_PORT_OWES_LOSING;
    if (port->state == STORE_PORT_DISPUTED)
        port->owed |= STORE_PORT_OWES_OPERATOR;
    if (moves) {
        port->committed_ms = model->time_ms;
        port->commit_order = order_next(model, &port->address);
    }
    if (row->effects & STORE_PORT_TELLS_HOLDER)
        model_mail_owe(model, port);
    model_write(model, command, name_of(command), STORE_KIND_PORT, before, port, outcome);
}

static void port_step(struct model *model, const struct store_command *command,
                      const struct store_port *before, enum store_port_event event, unsigned by,
                      enum store_port_reason reason, struct model_outcome *outcome)
{
    const struct store_port_row *row = row_find((int)before->state, event, by, before->kind);
    struct store_port port = *before;
    if (!row) {
        model_refuse(outcome, STATUS_STATE);
        return;
    }
    port.reason = reason;
    port_enter(model, command, row, before, &port, outcome);
}

/* ---- requests ---- */

bool model_port_is_valid(const struct store_port *port)
{
    char id[STORE_PORT_ID_LEN + 1], name[STORE_DOMAIN_MAX + 1];
    return model_address_is_canonical(&port->address) &&
           memchr(port->gaining, '\0', sizeof(port->gaining)) &&
           store_domain_canonical(slice_of(port->gaining), name, NULL) == 0 &&
           strcmp(name, port->gaining) == 0 &&
           store_port_id(port->gaining, port->request, id) == 0 && strcmp(id, port->id) == 0 &&
           (port->kind == STORE_PORT_UNDO) == (port->undoes[0] != '\0');
}

static struct store_port port_asked(const struct model *model, const struct store_command *command)
{
    struct store_port port = command->order.port;
    port.role = STORE_PORT_AUTHORITY;
    port.losing[0] = '\0';
    port.created_ms = model->time_ms;
    return port;
}

static bool key_fits(const struct model *model, const struct store_command *command,
                     const struct store_guard *guard)
{
    bool is_next = guard->has_next_key && guard->next_key_ms <= model->time_ms;
    if (!is_next && !guard->has_key)
        return false;
    return memcmp(is_next ? guard->next_key : guard->key, command->order.proof, STORE_HASH_LEN) ==
           0;
}

static bool code_fits(const struct model *model, const struct store_command *command,
                      const struct store_record *record, const struct store_guard *guard)
{
    return record->has_auth && record->auth_until_ms > model->time_ms &&
           (!guard->code_for[0] || strcmp(guard->code_for, command->order.port.gaining) == 0) &&
           memcmp(record->auth_hash, command->order.proof, STORE_HASH_LEN) == 0;
}

static void undo_check(const struct model *model, const struct store_command *command,
                       const struct store_record *record, const struct store_guard *guard,
                       struct model_outcome *outcome)
{
    static const uint8_t none[STORE_HASH_LEN];
    const struct store_port *port = &command->order.port, *undone = port_find(model, port->undoes);
    if (!undone || undone->state != STORE_PORT_COMMITTED ||
        strcmp(undone->gaining, record->hosting) != 0 ||
        strcmp(undone->losing, port->gaining) != 0 ||
        !model_address_eq(&undone->address, &port->address) || !is_last(model, undone)) {
        model_refuse(outcome, STATUS_STATE);
        return;
    }
    bool fits = command->order.by_key
                    ? key_fits(model, command, guard)
                    : memcmp(undone->undo_hash, none, STORE_HASH_LEN) != 0 &&
                          memcmp(undone->undo_hash, command->order.proof, STORE_HASH_LEN) == 0;
    if (!fits)
        model_refuse(outcome, STATUS_PROOF);
}

static void ask_check(const struct model *model, const struct store_command *command,
                      const struct store_record *record, struct model_outcome *outcome)
{
    const struct store_port *port = &command->order.port;
    struct store_guard guard = guard_begin(model, &port->address);
    bool is_frozen = guard.frozen || guard.frozen_until_ms > model->time_ms;
    if (port->kind == STORE_PORT_CODE && !code_fits(model, command, record, &guard))
        model_refuse(outcome, STATUS_PROOF);
    if (port->kind == STORE_PORT_RECOVERY && !key_fits(model, command, &guard))
        model_refuse(outcome, STATUS_PROOF);
    if (port->kind == STORE_PORT_UNDO)
        undo_check(model, command, record, &guard, outcome);
    if (strcmp(record->hosting, port->gaining) == 0)
        model_refuse(outcome, STATUS_EXISTS);
    if (port_in_state(model, &port->address, is_open))
        model_refuse(outcome, STATUS_PORTING);
    if (port->kind == STORE_PORT_CODE && record->locked)
        model_refuse(outcome, STATUS_LOCKED);
    if (port->kind != STORE_PORT_UNDO && is_frozen)
        model_refuse(outcome, STATUS_FROZEN);
}

/* By code: at once where there is no window. */
static const struct store_port_row *row_of_ask(const struct store_port *port)
{
    const struct store_port_row *row, *last = NULL;
    for (size_t i = 0; (row = store_port_row(i)) != NULL; i++)
        if (row->event == STORE_PORT_ASK && row->kinds & 1u << port->kind) {
            last = row;
            if (row->to == STORE_PORT_PENDING && port->terms.window)
                return row;
        }
    return last;
}

bool model_port_is_same(const struct store_port *a, const struct store_port *b)
{
    return strcmp(a->gaining, b->gaining) == 0 && a->kind == b->kind &&
           strcmp(a->undoes, b->undoes) == 0 && model_address_eq(&a->address, &b->address);
}

void model_port_open(struct model *model, const struct store_command *command,
                     struct model_outcome *outcome)
{
    struct store_port port = port_asked(model, command);
    const struct store_record *record = model_address(model, &port.address);
    if (!model_port_is_valid(&port)) {
        model_refuse(outcome, STATUS_MALFORMED);
        return;
    }
    const struct store_port *known = port_find(model, port.id);
    if (known) {
        if (!model_port_is_same(known, &port))
            model_refuse(outcome, STATUS_MISMATCH);
        return;
    }
    if (can_move(record))
        ask_check(model, command, record, outcome);
    else
        model_refuse(outcome, STATUS_NOTFOUND);
    if (outcome->refusal_count)
        return;
    snprintf(port.losing, sizeof(port.losing), "%s", record->hosting);
    if (port.kind == STORE_PORT_UNDO)
        port_step(model, command, port_find(model, port.undoes), STORE_PORT_TAKE_BACK,
                  STORE_PORT_BY_PORT, STORE_PORT_BY_HOLDER, outcome);
    port_enter(model, command, row_of_ask(&port), NULL, &port, outcome);
}

/* ---- steps ---- */

static void cancel_unknown(struct model *model, const struct store_command *command,
                           struct model_outcome *outcome)
{
    struct store_port port = port_asked(model, command);
    const struct store_port_row *row =
        row_find(-1, STORE_PORT_CANCEL, command->order.by, port.kind);
    if (!model_port_is_valid(&port))
        model_refuse(outcome, STATUS_MALFORMED);
    if (!row)
        model_refuse(outcome, STATUS_STATE);
    if (outcome->refusal_count)
        return;
    port.reason = command->order.reason;
    port_enter(model, command, row, NULL, &port, outcome);
}

void model_port_step(struct model *model, const struct store_command *command,
                     struct model_outcome *outcome)
{
    const struct store_port_order *order = &command->order;
    bool is_ours = order->port.role == STORE_PORT_AUTHORITY;
    const struct store_port *before = model_port_find(model, order->port.role, order->port.id);
    if (!before && is_ours && order->event == STORE_PORT_CANCEL)
        cancel_unknown(model, command, outcome);
    else if (!before)
        model_refuse(outcome, STATUS_NOTFOUND);
    else if (!model_expects(command, before->version))
        model_refuse(outcome, STATUS_CONFLICT);
    else if (is_ours)
        port_step(model, command, before, order->event, order->by, order->reason, outcome);
    else if (before->role == STORE_PORT_GAINING)
        model_port_give_up(model, command, before, order->reason, outcome);
    else
        model_refuse(outcome, STATUS_STATE);
}

void model_port_paid(struct model *model, const struct store_command *command,
                     struct model_outcome *outcome)
{
    const struct store_port *before =
        model_port_find(model, command->order.port.role, command->order.port.id);
    if (!before)
        model_refuse(outcome, STATUS_NOTFOUND);
    else if (!model_expects(command, before->version))
        model_refuse(outcome, STATUS_CONFLICT);
    if (outcome->refusal_count)
        return;
    struct store_port port = *before;
    port.owed &= ~command->order.paid;
    if (port.owed != before->owed)
        model_write(model, command, name_of(command), STORE_KIND_PORT, before, &port, outcome);
}

static void port_remind(struct model *model, const struct store_command *command,
                        const struct store_port *before, struct model_outcome *outcome)
{
    struct store_port port = *before;
    port.reminder++;
    port.remind_ms = remind_after(before, before->remind_ms, model->time_ms);
    port.owed |= STORE_PORT_OWES_GAINING | STORE_PORT_OWES_LOSING;
    model_mail_owe(model, &port);
    model_write(model, command, name_of(command), STORE_KIND_PORT, before, &port, outcome);
}

void model_port_due(struct model *model, const struct store_command *command,
                    enum store_port_role role, const char *id, struct model_outcome *outcome)
{
    const struct store_port *before = model_port_find(model, role, id);
    bool is_gaining = role == STORE_PORT_GAINING;
    if (is_gaining && before->state == STORE_PORT_REQUESTING)
        model_port_give_up(model, command, before, STORE_PORT_NO_ANSWER, outcome);
    else if (is_gaining && before->state == STORE_PORT_CANCELLING)
        model_port_let_go(model, command, before, outcome);
    else if (before->deadline_ms > model->time_ms)
        port_remind(model, command, before, outcome);
    else if (role == STORE_PORT_AUTHORITY &&
             row_find((int)before->state, STORE_PORT_DUE, STORE_PORT_BY_TIMER, before->kind))
        port_step(model, command, before, STORE_PORT_DUE, STORE_PORT_BY_TIMER, before->reason,
                  outcome);
    else
        model_write(model, command, name_of(command), STORE_KIND_PORT, before, NULL, outcome);
}

/* ---- with the address ---- */

bool model_port_stops_going(const struct model *model, const struct store_address *address)
{
    const struct store_port *open = port_in_state(model, address, is_open);
    if (!model_domain(model, address->domain))
        return model_port_holds(model, address);
    return open && !row_find((int)open->state, STORE_PORT_GO, STORE_PORT_BY_PORT, open->kind);
}

void model_port_gone(struct model *model, const struct store_command *command,
                     const struct store_address *address, struct model_outcome *outcome)
{
    const struct store_port *port;
    if (!model_domain(model, address->domain))
        return;
    while ((port = port_in_state(model, address, is_open)) != NULL ||
           (port = port_in_state(model, address, is_committed)) != NULL)
        port_step(model, command, port, STORE_PORT_GO, STORE_PORT_BY_PORT, STORE_PORT_RELEASED,
                  outcome);
    model_guard_drop(model, command, address, outcome);
}
