/* Ports at their authority: every step is a row of the table (store_port_row), and all that follows
 * from it is in the same transaction. */
#include "store/apply.h"

#include "base/status.h"

#include <openssl/crypto.h>
#include <stdio.h>

/* ---- the table ---- */

/* The row that allows it, or NULL. */
static const struct store_port_row *row_find(int from, enum store_port_event event, unsigned by,
                                             enum store_port_kind kind)
{
    const struct store_port_row *row;
    for (size_t i = 0; (row = store_port_row(i)) != NULL; i++)
        if (row->from == from && row->event == event && (row->by & by) && (row->kinds & 1u << kind))
            return row;
    return NULL;
}

/* The same of a request, of which there may be two: committed at once, or not. */
static const struct store_port_row *row_find_ask(const struct store_port *port, unsigned by)
{
    const struct store_port_row *row, *last = NULL;
    for (size_t i = 0; (row = store_port_row(i)) != NULL; i++) {
        if (row->event != STORE_PORT_ASK || !(row->by & by) || !(row->kinds & 1u << port->kind))
            continue;
        if (!(row->effects & STORE_PORT_MOVES) && port->terms.window)
            return row;
        last = row;
    }
    return last;
}

/* ---- what a transition does ---- */

static int guard_read_or_new(const struct store_apply *apply, const struct store_address *address,
                             struct store_guard *guard, bool *is_new)
{
    int ret = store_guard_read(apply->txn, address, guard);
    *is_new = ret == STATUS_NOTFOUND;
    if (!*is_new)
        return ret;
    *guard = (struct store_guard){.address = *address, .created_ms = apply->position.time_ms};
    return 0;
}

static int guard_write(struct store_apply *apply, const struct store_guard *before,
                       struct store_guard *after)
{
    after->version = store_apply_version(apply);
    return store_apply_write(apply, apply->command->op, STORE_KIND_GUARD, before, after);
}

static int freeze(struct store_apply *apply, const struct store_port *port)
{
    struct store_guard guard, before;
    bool is_new;
    int ret = guard_read_or_new(apply, &port->address, &guard, &is_new);
    if (ret)
        return ret;
    before = guard;
    guard.frozen_until_ms = apply->position.time_ms + (uint64_t)port->terms.freeze * 1000;
    guard.code_for[0] = '\0';
    return guard_write(apply, is_new ? NULL : &before, &guard);
}

/* The address's record as it is when the gaining domain hosts it. A lock that the holder had set
 * ends there as at both hosts: a recovery goes over it, and he would not see it any more. */
static void record_move(struct store_record *record, const struct store_port *port)
{
    bool is_home = strcmp(port->gaining, record->address.domain) == 0;
    record->state = is_home ? STORE_ADDRESS_HOSTED : STORE_ADDRESS_PORTED_OUT;
    record->locked = false;
    memcpy(record->hosting, port->gaining, sizeof(record->hosting));
}

static void record_use_code(struct store_record *record)
{
    record->has_auth = false;
    record->auth_until_ms = 0;
    memset(record->auth_hash, 0, sizeof(record->auth_hash));
}

static int record_change(struct store_apply *apply, const struct store_port *port, unsigned effects)
{
    struct store_record record, before;
    int ret = store_record_read(apply->txn, &port->address, &before);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
    record = before;
    if (effects & STORE_PORT_MOVES)
        record_move(&record, port);
    if (effects & (STORE_PORT_MOVES | STORE_PORT_USES_CODE))
        record_use_code(&record);
    record.version = store_apply_version(apply);
    return store_apply_write(apply, apply->command->op, STORE_KIND_ADDRESS, &before, &record);
}

static bool order_visit(const struct store_port *other, void *arg)
{
    uint64_t *order = arg;
    if (other->role == STORE_PORT_AUTHORITY && other->commit_order >= *order)
        *order = other->commit_order + 1;
    return true;
}

/* Later than all commits of the address before, those too that another operator made who was its
 * authority then (a domain moves): of those only time tells, for their numbers are in no copy. */
static int order_next(const struct store_apply *apply, const struct store_address *address,
                      uint64_t *order)
{
    *order = apply->position.time_ms;
    return store_port_scan_address(apply->txn, address, SIZE_MAX, order_visit, order);
}

/* The port enters the row's state. `before` is NULL for a new one. */
static int port_enter(struct store_apply *apply, const struct store_port_row *row,
                      const struct store_port *before, struct store_port *port)
{
    uint64_t now_ms = apply->position.time_ms;
    int ret = 0;
    if (row->effects & (STORE_PORT_USES_CODE | STORE_PORT_MOVES))
        ret = record_change(apply, port, row->effects);
    if (ret == 0 && (row->effects & STORE_PORT_MOVES) && port->kind != STORE_PORT_UNDO)
        ret = freeze(apply, port);
    if (ret)
        return ret;
    port->state = row->to;
    store_port_times_set(port, row->effects, now_ms);
    port->version = store_apply_version(apply);
    if (row->effects & STORE_PORT_MOVES) {
        port->committed_ms = now_ms;
        ret = order_next(apply, &port->address, &port->commit_order);
    }
    if (ret == 0 && row->effects & STORE_PORT_TELLS_HOLDER)
        ret = store_port_owe_mail(apply, port);
    return ret ? ret : store_apply_write(apply, apply->command->op, STORE_KIND_PORT, before, port);
}

int store_port_step(struct store_apply *apply, const struct store_port *before,
                    enum store_port_event event, unsigned by, enum store_port_reason reason)
{
    const struct store_port_row *row = row_find((int)before->state, event, by, before->kind);
    struct store_port port = *before;
    if (!row)
        return STATUS_STATE;
    port.reason = reason;
    return port_enter(apply, row, before, &port);
}

/* ---- is the request to be accepted? ---- */

static bool hash_is_zero(const uint8_t hash[STORE_HASH_LEN])
{
    return !store_id_is_set(hash);
}

static int code_check(const struct store_apply *apply, const struct store_record *record,
                      const struct store_guard *guard)
{
    const struct store_port_order *order = &apply->command->order;
    bool is_bound = guard->code_for[0] && strcmp(guard->code_for, order->port.gaining) != 0;
    bool holds = record->has_auth && record->auth_until_ms > apply->position.time_ms && !is_bound &&
                 CRYPTO_memcmp(record->auth_hash, order->proof, STORE_HASH_LEN) == 0;
    return holds ? 0 : STATUS_PROOF;
}

static int key_check(const struct store_apply *apply, const struct store_guard *guard)
{
    uint8_t key[STORE_HASH_LEN];
    bool holds = store_guard_key(guard, apply->position.time_ms, key) &&
                 CRYPTO_memcmp(key, apply->command->order.proof, STORE_HASH_LEN) == 0;
    return holds ? 0 : STATUS_PROOF;
}

/* What is to be undone: the last commit, in its grace. The same host may have lost it since, and
 * got it again. */
static int undo_find(const struct store_apply *apply, const struct store_record *record,
                     struct store_port *undone)
{
    const struct store_port *port = &apply->command->order.port;
    int ret = store_port_read(apply->txn, STORE_PORT_AUTHORITY, port->undoes, undone);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_STATE : ret;
    bool fits = undone->state == STORE_PORT_COMMITTED &&
                strcmp(undone->gaining, record->hosting) == 0 &&
                strcmp(undone->losing, port->gaining) == 0 &&
                strcmp(undone->address.user, port->address.user) == 0 &&
                strcmp(undone->address.domain, port->address.domain) == 0;
    bool is_last = false;
    if (fits)
        ret = store_port_is_last(apply->txn, undone, &is_last);
    return ret ? ret : is_last ? 0 : STATUS_STATE;
}

static int undo_check(const struct store_apply *apply, const struct store_record *record,
                      const struct store_guard *guard)
{
    const struct store_port_order *order = &apply->command->order;
    struct store_port undone;
    int ret = undo_find(apply, record, &undone);
    if (ret)
        return ret;
    if (order->by_key)
        return key_check(apply, guard);
    bool holds = !hash_is_zero(undone.undo_hash) &&
                 CRYPTO_memcmp(undone.undo_hash, order->proof, STORE_HASH_LEN) == 0;
    return holds ? 0 : STATUS_PROOF;
}

static int proof_check(const struct store_apply *apply, const struct store_record *record,
                       const struct store_guard *guard)
{
    switch (apply->command->order.port.kind) {
    case STORE_PORT_CODE:
        return code_check(apply, record, guard);
    case STORE_PORT_RECOVERY:
        return key_check(apply, guard);
    case STORE_PORT_UNDO:
        return undo_check(apply, record, guard);
    case STORE_PORT_KIND_COUNT:
        break;
    }
    return STATUS_MALFORMED;
}

/* The holder's locks do not hold against himself: a recovery or an undo is proven by what only he
 * has, and a lock is also set by who took his account. */
static int obstacle_check(const struct store_apply *apply, const struct store_record *record,
                          const struct store_guard *guard)
{
    const struct store_port *port = &apply->command->order.port;
    struct store_port open;
    int ret = store_port_find_open(apply->txn, STORE_PORT_AUTHORITY, &port->address, &open);
    if (ret != STATUS_NOTFOUND)
        return ret ? ret : STATUS_PORTING;
    if (port->kind == STORE_PORT_CODE && record->locked)
        return STATUS_LOCKED;
    bool is_frozen = guard->frozen || guard->frozen_until_ms > apply->position.time_ms;
    return port->kind != STORE_PORT_UNDO && is_frozen ? STATUS_FROZEN : 0;
}

static bool record_can_move(const struct store_record *record)
{
    return record->state == STORE_ADDRESS_HOSTED || record->state == STORE_ADDRESS_PORTED_OUT;
}

static int open_check(struct store_apply *apply, struct store_record *record)
{
    const struct store_port *port = &apply->command->order.port;
    struct store_guard guard;
    bool is_new;
    int ret = store_record_read(apply->txn, &port->address, record);
    if (ret == 0 && !record_can_move(record))
        ret = STATUS_NOTFOUND;
    if (ret == 0)
        ret = guard_read_or_new(apply, &port->address, &guard, &is_new);
    if (ret == 0)
        ret = proof_check(apply, record, &guard);
    if (ret == 0 && strcmp(record->hosting, port->gaining) == 0)
        ret = STATUS_EXISTS;
    return ret ? ret : obstacle_check(apply, record, &guard);
}

/* ---- requests ---- */

bool store_port_is_same(const struct store_port *a, const struct store_port *b)
{
    return strcmp(a->gaining, b->gaining) == 0 && a->kind == b->kind &&
           strcmp(a->undoes, b->undoes) == 0 && strcmp(a->address.user, b->address.user) == 0 &&
           strcmp(a->address.domain, b->address.domain) == 0;
}

/* 0 where it is known, STATUS_MISMATCH, or STATUS_NOTFOUND. */
static int known_check(const struct store_apply *apply, const struct store_port *given)
{
    struct store_port known;
    int ret = store_port_read(apply->txn, given->role, given->id, &known);
    if (ret)
        return ret;
    return store_port_is_same(&known, given) ? 0 : STATUS_MISMATCH;
}

/* Which host would lose the address is not for the one who asks to say. */
static struct store_port port_asked(const struct store_apply *apply, enum store_port_role role)
{
    struct store_port port = apply->command->order.port;
    port.role = role;
    port.losing[0] = '\0';
    port.reason = STORE_PORT_NO_REASON;
    port.owed = port.reminder = 0;
    port.deadline_ms = port.committed_ms = port.order = port.commit_order = port.remind_ms = 0;
    port.created_ms = apply->position.time_ms;
    return port;
}

static int take_back(struct store_apply *apply, const struct store_port *undo)
{
    struct store_port undone;
    int ret = store_port_read(apply->txn, STORE_PORT_AUTHORITY, undo->undoes, &undone);
    return ret ? ret
               : store_port_step(apply, &undone, STORE_PORT_TAKE_BACK, STORE_PORT_BY_PORT,
                                 STORE_PORT_BY_HOLDER);
}

int store_apply_port_open(struct store_apply *apply)
{
    struct store_port port = port_asked(apply, STORE_PORT_AUTHORITY);
    struct store_record record;
    int ret = store_port_check(&port);
    if (ret == 0)
        ret = known_check(apply, &port);
    if (ret != STATUS_NOTFOUND)
        return ret;
    ret = open_check(apply, &record);
    if (ret)
        return ret;
    const struct store_port_row *row = row_find_ask(&port, apply->command->order.by);
    if (!row)
        return STATUS_STATE;
    memcpy(port.losing, record.hosting, sizeof(port.losing));
    port.owner[0] = port.display[0] = '\0';
    if (port.kind == STORE_PORT_UNDO)
        ret = take_back(apply, &port);
    return ret ? ret : port_enter(apply, row, NULL, &port);
}

/* ---- steps ---- */

/* A request that was given up before it came: it is known as cancelled, so that a late one is too.
 */
static int cancel_unknown(struct store_apply *apply)
{
    struct store_port port = port_asked(apply, STORE_PORT_AUTHORITY);
    const struct store_port_row *row =
        row_find(-1, STORE_PORT_CANCEL, apply->command->order.by, port.kind);
    int ret = store_port_check(&port);
    if (ret)
        return ret;
    if (!row)
        return STATUS_STATE;
    port.reason = apply->command->order.reason;
    return port_enter(apply, row, NULL, &port);
}

int store_apply_port_step(struct store_apply *apply)
{
    const struct store_port_order *order = &apply->command->order;
    struct store_port before;
    int ret = store_port_read(apply->txn, order->port.role, order->port.id, &before);
    if (ret == STATUS_NOTFOUND && order->port.role == STORE_PORT_AUTHORITY &&
        order->event == STORE_PORT_CANCEL)
        return cancel_unknown(apply);
    if (ret)
        return ret;
    if (!store_apply_expects(apply, before.version))
        return STATUS_CONFLICT;
    if (before.role == STORE_PORT_GAINING)
        return store_port_give_up(apply, &before, order->reason);
    if (before.role != STORE_PORT_AUTHORITY)
        return STATUS_STATE;
    return store_port_step(apply, &before, order->event, order->by, order->reason);
}

int store_port_due(struct store_apply *apply, const struct store_port *port)
{
    if (port->role == STORE_PORT_GAINING && port->state == STORE_PORT_REQUESTING)
        return store_port_give_up(apply, port, STORE_PORT_NO_ANSWER);
    if (port->role == STORE_PORT_GAINING && port->state == STORE_PORT_CANCELLING)
        return store_port_let_go(apply, port);
    if (port->deadline_ms > apply->position.time_ms)
        return store_port_remind(apply, port);
    if (port->role == STORE_PORT_AUTHORITY &&
        row_find((int)port->state, STORE_PORT_DUE, STORE_PORT_BY_TIMER, port->kind))
        return store_port_step(apply, port, STORE_PORT_DUE, STORE_PORT_BY_TIMER, port->reason);
    return store_apply_write(apply, apply->command->op, STORE_KIND_PORT, port, NULL);
}

/* ---- protection ---- */

static int guard_find(const struct store_apply *apply, struct store_record *record,
                      struct store_guard *guard, bool *is_new)
{
    const struct store_guard *given = &apply->command->guard;
    int ret = store_guard_check(given);
    if (ret == 0)
        ret = store_record_read(apply->txn, &given->address, record);
    if (ret == 0 && !record_can_move(record))
        ret = STATUS_NOTFOUND;
    return ret ? ret : guard_read_or_new(apply, &given->address, guard, is_new);
}

int store_apply_guard_put(struct store_apply *apply)
{
    struct store_guard guard = apply->command->guard, before;
    struct store_record record;
    bool is_new;
    int ret = guard_find(apply, &record, &before, &is_new);
    if (ret)
        return ret;
    if (!store_apply_expects(apply, before.version))
        return STATUS_CONFLICT;
    memcpy(guard.code_for, before.code_for, sizeof(guard.code_for));
    memset(guard.code_hash, 0, sizeof(guard.code_hash));
    guard.code_until_ms = 0;
    guard.created_ms = before.created_ms;
    return guard_write(apply, is_new ? NULL : &before, &guard);
}

/* The hash stands in the record of the address, as that of every code. */
static int code_write(struct store_apply *apply, const struct store_record *before)
{
    const struct store_guard *given = &apply->command->guard;
    struct store_record record = *before;
    record.has_auth = given->code_until_ms != 0;
    record.auth_until_ms = given->code_until_ms;
    memcpy(record.auth_hash, given->code_hash, sizeof(record.auth_hash));
    record.version = store_apply_version(apply);
    return store_apply_write(apply, STORE_GUARD_CODE, STORE_KIND_ADDRESS, before, &record);
}

int store_port_bind_code(struct store_apply *apply, const struct store_address *address,
                         const char *gaining)
{
    struct store_guard guard, before;
    bool is_new;
    int ret = guard_read_or_new(apply, address, &guard, &is_new);
    if (ret || strcmp(guard.code_for, gaining) == 0)
        return ret;
    before = guard;
    snprintf(guard.code_for, sizeof(guard.code_for), "%s", gaining);
    return guard_write(apply, is_new ? NULL : &before, &guard);
}

int store_apply_guard_code(struct store_apply *apply)
{
    const struct store_guard *given = &apply->command->guard;
    struct store_guard guard;
    struct store_record record;
    struct store_port open;
    bool is_new;
    int ret = guard_find(apply, &record, &guard, &is_new);
    if (ret == 0 && !store_apply_expects(apply, record.version))
        ret = STATUS_CONFLICT;
    if (ret)
        return ret;
    ret = store_port_find_open(apply->txn, STORE_PORT_AUTHORITY, &given->address, &open);
    if (ret != STATUS_NOTFOUND)
        return ret ? ret : STATUS_PORTING;
    ret = store_port_bind_code(apply, &given->address, given->code_for);
    return ret ? ret : code_write(apply, &record);
}
