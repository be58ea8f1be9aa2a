/* Ports at the two hosts: they follow what the authority says. */
#include "store/apply.h"

#include "base/status.h"

#include <stdio.h>

/* So long the gaining host tries to reach the authority with a request, and then to give it up: as
 * long as the auth code of that request can be good. */
#define REQUEST_MS ((uint64_t)3600 * 1000)
#define CANCEL_MS  (REQUEST_MS * 24 * 7)
/* No authority's grace is longer (porting { grace-s }). */
#define GRACE_MAX_MS (REQUEST_MS * 24 * 31)

static int port_write(struct store_apply *apply, const struct store_port *before,
                      struct store_port *port)
{
    port->version = store_apply_version(apply);
    return store_apply_write(apply, apply->command->op, STORE_KIND_PORT, before, port);
}

/* 0 with the answer, or a store status. */
static int is_ours(const struct store_apply *apply, const char *domain, bool *answer)
{
    int ret = store_domain_exists(apply->txn, domain);
    *answer = ret == 0;
    return ret == STATUS_NOTFOUND ? 0 : ret;
}

/* ---- the record of the address ---- */

static int record_write(struct store_apply *apply, const struct store_record *before,
                        struct store_record *record)
{
    record->version = store_apply_version(apply);
    return store_apply_write(apply, apply->command->op, STORE_KIND_ADDRESS, before, record);
}

static struct store_record record_new(const struct store_apply *apply,
                                      const struct store_port *port, enum store_address_state state)
{
    struct store_record record = {
        .address = port->address, .state = state, .created_ms = apply->position.time_ms};
    memcpy(record.hosting, port->gaining, sizeof(record.hosting));
    memcpy(record.owner, port->owner, sizeof(record.owner));
    memcpy(record.display, port->display, sizeof(record.display));
    if (record.display[0] == '\0')
        snprintf(record.display, sizeof(record.display), "%s@%s", port->address.user,
                 port->address.domain);
    return record;
}

static void holder_keep(struct store_record *record, const struct store_record *before)
{
    memcpy(record->owner, before->owner, sizeof(record->owner));
    memcpy(record->display, before->display, sizeof(record->display));
}

/* A foreign address that will be served here, unless another domain of ours serves it. */
static int prepare(struct store_apply *apply, const struct store_port *port)
{
    struct store_record record, before;
    int ret = store_record_read(apply->txn, &port->address, &before);
    if (ret && ret != STATUS_NOTFOUND)
        return ret;
    bool is_there = ret == 0;
    if (is_there && before.state != STORE_ADDRESS_MOVED)
        return 0;
    record = record_new(apply, port, STORE_ADDRESS_PREPARED);
    if (is_there) /* whoever asks for it now is not yet the one to whom an undo gives it back */
        holder_keep(&record, &before);
    return record_write(apply, is_there ? &before : NULL, &record);
}

/* The lock and the auth code were for the host before. */
static void end_at_host(struct store_record *record)
{
    record->locked = record->has_auth = false;
    record->auth_until_ms = 0;
    memset(record->auth_hash, 0, sizeof(record->auth_hash));
}

/* Until when callers are led on who come to the old host: as long as it wants to, and while the
 * port can be undone, which is the authority's word and not taken for more than a month. */
static uint64_t moved_until(const struct store_apply *apply, const struct store_port *port,
                            uint64_t from_ms)
{
    uint64_t until_ms = from_ms + (uint64_t)apply->command->order.moved * 1000;
    uint64_t most_ms = from_ms + GRACE_MAX_MS;
    uint64_t grace_ms = port->state == STORE_PORT_COMMITTED ? port->told_ms : 0;
    if (grace_ms > most_ms)
        grace_ms = most_ms;
    return until_ms < grace_ms ? grace_ms : until_ms;
}

struct loss_find {
    uint64_t order;
    struct store_port port; /* the latest commit that is known here */
};

static bool loss_visit(const struct store_port *port, void *arg)
{
    struct loss_find *find = arg;
    if (port->role != STORE_PORT_AUTHORITY && port->commit_order > find->order) {
        find->order = port->commit_order;
        find->port = *port;
    }
    return true;
}

/* Was it served here, and does its entry still lead callers on? Then `record` is that entry. */
static int loss_restore(const struct store_apply *apply, struct store_record *record, bool *leads)
{
    struct loss_find find = {.order = 0};
    bool ours = false;
    int ret = store_port_scan_address(apply->txn, &record->address, SIZE_MAX, loss_visit, &find);
    if (ret == 0 && find.order)
        ret = is_ours(apply, find.port.gaining, &ours);
    if (ret)
        return ret;
    record->state = STORE_ADDRESS_MOVED;
    record->until_ms = moved_until(apply, &find.port, find.port.committed_ms);
    memcpy(record->hosting, find.port.gaining, sizeof(record->hosting));
    *leads = find.order && !ours && record->until_ms > apply->position.time_ms;
    return 0;
}

/* What was prepared for a port that came to nothing. */
static int unprepare(struct store_apply *apply, const struct store_port *port)
{
    struct store_record before, after;
    bool leads;
    int ret = store_record_read(apply->txn, &port->address, &before);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    if (before.state != STORE_ADDRESS_PREPARED || strcmp(before.hosting, port->gaining) != 0)
        return 0;
    after = before;
    ret = loss_restore(apply, &after, &leads);
    if (ret == 0 && leads)
        return record_write(apply, &before, &after);
    if (ret == 0)
        ret = store_number_forget(apply, &port->address);
    if (ret)
        return ret;
    return store_apply_write(apply, apply->command->op, STORE_KIND_ADDRESS, &before, NULL);
}

/* The holder as the gaining host knows him; an undo takes him as he was. */
static void holder_take(struct store_record *record, const struct store_port *port)
{
    if (port->owner[0])
        memcpy(record->owner, port->owner, sizeof(record->owner));
    if (port->display[0])
        memcpy(record->display, port->display, sizeof(record->display));
}

/* The gaining domain is ours: from now on it serves the address. Whoever tells the losing host
 * alone brings it nothing, for it may never have asked. */
static int arrive(struct store_apply *apply, const struct store_port *port)
{
    struct store_record record, before;
    int ret = store_record_read(apply->txn, &port->address, &before);
    if (ret && ret != STATUS_NOTFOUND)
        return ret;
    if (ret == STATUS_NOTFOUND) {
        record = record_new(apply, port, STORE_ADDRESS_PORTED_IN);
        return record_write(apply, NULL, &record);
    }
    record = before;
    record.state = STORE_ADDRESS_PORTED_IN;
    record.until_ms = 0;
    end_at_host(&record);
    memcpy(record.hosting, port->gaining, sizeof(record.hosting));
    holder_take(&record, port);
    return record_write(apply, &before, &record);
}

/* It is served elsewhere: callers are led there for a while. */
static int leave(struct store_apply *apply, const struct store_port *port)
{
    struct store_record record, before;
    int ret = store_record_read(apply->txn, &port->address, &before);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    record = before;
    record.state = STORE_ADDRESS_MOVED;
    record.until_ms = moved_until(apply, port, apply->position.time_ms);
    record.blocked = false;
    end_at_host(&record);
    memcpy(record.hosting, port->gaining, sizeof(record.hosting));
    return record_write(apply, &before, &record);
}

/* At the authority its own transaction has moved it; what is still missing is the holder, who comes
 * home. */
static int come_home(struct store_apply *apply, const struct store_port *port)
{
    struct store_record record, before;
    int ret = store_record_read(apply->txn, &port->address, &before);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    record = before;
    bool is_another = record.created_ms > port->committed_ms; /* released, and given out anew */
    if (is_another || strcmp(port->gaining, record.hosting) != 0)
        return 0;
    holder_take(&record, port);
    return record_write(apply, &before, &record);
}

/* The address follows a commit, unless a later one is known. */
static int settle(struct store_apply *apply, const struct store_port *port)
{
    bool own, host, is_last;
    int ret = store_port_is_last(apply->txn, port, &is_last);
    if (ret == 0)
        ret = is_ours(apply, port->address.domain, &own);
    if (ret == 0)
        ret = is_ours(apply, port->gaining, &host);
    if (ret || !is_last)
        return ret;
    if (own)
        return port->role == STORE_PORT_GAINING ? come_home(apply, port) : 0;
    if (host)
        return port->role == STORE_PORT_GAINING ? arrive(apply, port) : 0;
    return leave(apply, port);
}

/* ---- the gaining host begins ---- */

static int start_check(const struct store_apply *apply, const struct store_port *port)
{
    struct store_port open;
    struct store_host host;
    bool own;
    int ret = store_port_check(port);
    if (ret == 0)
        ret = store_domain_exists(apply->txn, port->gaining);
    if (ret == 0)
        ret = store_port_find_open(apply->txn, STORE_PORT_GAINING, &port->address, &open);
    if (ret != STATUS_NOTFOUND)
        return ret ? ret : STATUS_PORTING;
    ret = is_ours(apply, port->gaining, &own);
    if (ret == 0 && !own)
        ret = STATUS_NOTFOUND;
    if (ret)
        return ret;
    ret = store_record_host(apply->txn, &port->address, &host);
    if (ret)
        return ret == STATUS_NOTFOUND ? 0 : ret;
    bool serves = host.state == STORE_ADDRESS_HOSTED || host.state == STORE_ADDRESS_PORTED_IN ||
                  host.state == STORE_ADDRESS_PORTED_OUT;
    return serves && strcmp(host.hosting, port->gaining) == 0 ? STATUS_EXISTS : 0;
}

int store_apply_port_start(struct store_apply *apply)
{
    const struct store_address *target = &apply->command->order.target;
    struct store_port port = apply->command->order.port, known;
    bool own;
    port.role = STORE_PORT_GAINING;
    port.state = STORE_PORT_REQUESTING;
    port.reason = STORE_PORT_NO_REASON;
    port.owed = STORE_PORT_OWES_AUTHORITY;
    port.committed_ms = port.order = port.commit_order = 0;
    port.created_ms = apply->position.time_ms;
    port.deadline_ms = apply->position.time_ms + REQUEST_MS;
    int ret = store_port_read(apply->txn, port.role, port.id, &known);
    if (ret == 0 && !store_port_is_same(&known, &port))
        return STATUS_MISMATCH;
    if (ret != STATUS_NOTFOUND)
        return ret; /* known: begun already */
    ret = start_check(apply, &port);
    if (ret == 0)
        ret = is_ours(apply, port.address.domain, &own);
    if (ret == 0 && target->user[0])
        ret = store_number_aim(apply, &port.address, target);
    if (ret == 0 && !own)
        ret = prepare(apply, &port);
    return ret ? ret : port_write(apply, NULL, &port);
}

int store_port_give_up(struct store_apply *apply, const struct store_port *before,
                       enum store_port_reason reason)
{
    struct store_port port = *before;
    if (!store_port_is_open(before->state))
        return STATUS_STATE;
    port.state = STORE_PORT_CANCELLING;
    port.reason = reason;
    if (before->state != STORE_PORT_CANCELLING)
        port.deadline_ms = apply->position.time_ms + CANCEL_MS;
    port.owed |= STORE_PORT_OWES_AUTHORITY;
    return port_write(apply, before, &port);
}

int store_port_let_go(struct store_apply *apply, const struct store_port *before)
{
    struct store_port port = *before;
    port.state = STORE_PORT_CANCELLED;
    port.deadline_ms = apply->position.time_ms + STORE_PORT_KEEP_MS;
    port.owed = STORE_PORT_OWES_HOLDER;
    int ret = store_port_owe_mail(apply, &port);
    if (ret == 0)
        ret = unprepare(apply, &port);
    return ret ? ret : port_write(apply, before, &port);
}

/* ---- what the authority says ---- */

/* The gaining host does not serve it. UNDONE too: whoever missed the commit hears of its end. */
static bool state_is_over(enum store_port_state state)
{
    return state == STORE_PORT_REJECTED || state == STORE_PORT_CANCELLED ||
           state == STORE_PORT_REFUSED || state == STORE_PORT_UNDONE;
}

/* Whoever gives up goes on doing so until he hears that it is over, one way or the other. */
static enum store_port_state state_told(const struct store_port *known, enum store_port_state told)
{
    bool goes_on = known && known->state == STORE_PORT_CANCELLING && store_port_is_open(told);
    return goes_on ? STORE_PORT_CANCELLING : told;
}

static bool state_is_commit(enum store_port_state state)
{
    return state == STORE_PORT_COMMITTED || state == STORE_PORT_COMPLETED;
}

/* What is known here of the port, with what was told. */
static struct store_port port_told(const struct store_apply *apply, const struct store_port *known)
{
    const struct store_port *told = &apply->command->order.port;
    struct store_port port = known ? *known : *told;
    port.state = state_told(known, told->state);
    port.order = told->order;
    port.commit_order = told->commit_order;
    port.committed_ms = told->committed_ms;
    port.told_ms = told->deadline_ms;
    memcpy(port.losing, told->losing, sizeof(port.losing));
    if (!store_id_is_set(port.key_seen))
        memcpy(port.key_seen, told->key_seen, sizeof(port.key_seen));
    if (told->receipt[0])
        memcpy(port.receipt, told->receipt, sizeof(port.receipt));
    if (port.state != STORE_PORT_CANCELLING) {
        port.reason = told->reason;
        port.owed &= ~(unsigned)STORE_PORT_OWES_AUTHORITY;
        port.deadline_ms = store_port_is_open(port.state) || told->state == STORE_PORT_COMMITTED
                               ? 0
                               : apply->position.time_ms + STORE_PORT_KEEP_MS;
    }
    if (!known) {
        port.owed = 0;
        port.owner[0] = port.display[0] = '\0';
        port.created_ms = apply->position.time_ms;
    }
    port.reminder = told->reminder;
    return port;
}

/* The holder is to hear of it. */
static int holder_owe(struct store_apply *apply, const struct store_port *known,
                      struct store_port *port)
{
    if (known && known->state == port->state && known->reminder >= port->reminder)
        return 0;
    port->owed |= STORE_PORT_OWES_HOLDER;
    return store_port_owe_mail(apply, port);
}

/* A refusal has no place in the authority's order, for it knows no such port: it is news only where
 * nothing else was heard of it. What is decided is news to whom it is open, whatever the order:
 * nothing leads back, and an authority that was restored from a backup counts from less. */
static bool is_old_news(const struct store_port *known, const struct store_port *told)
{
    if (told->state == STORE_PORT_REFUSED)
        return known->order != 0;
    bool is_decided = store_port_is_open(known->state) && !store_port_is_open(told->state);
    return !is_decided && known->order >= told->order;
}

/* Of an address, what its authority has told of without being asked. */
struct told_find {
    enum store_port_role role;
    size_t count;
    struct store_port oldest;
};

static bool told_visit(const struct store_port *port, void *arg)
{
    struct told_find *find = arg;
    bool is_told = port->role == STORE_PORT_LOSING || port->kind == STORE_PORT_UNDO;
    if (port->role != find->role || !is_told)
        return true;
    if (find->count++ == 0 || port->order < find->oldest.order)
        find->oldest = *port;
    return true;
}

/* The oldest one makes room for one that is new: no holder moves so often, and an authority that
 * makes ports up does not fill the store with them. */
static int room_make(struct store_apply *apply, const struct store_port *port)
{
    struct told_find find = {.role = port->role};
    int ret = store_port_scan_address(apply->txn, &port->address, SIZE_MAX, told_visit, &find);
    if (ret || find.count < STORE_PORT_TOLD_MAX)
        return ret;
    return store_apply_write(apply, apply->command->op, STORE_KIND_PORT, &find.oldest, NULL);
}

int store_apply_port_tell(struct store_apply *apply)
{
    const struct store_port *told = &apply->command->order.port;
    struct store_port known, port;
    if (told->role == STORE_PORT_AUTHORITY)
        return STATUS_MALFORMED;
    int ret = store_port_check(told);
    if (ret == 0)
        ret = store_port_read(apply->txn, told->role, told->id, &known);
    if (ret && ret != STATUS_NOTFOUND)
        return ret;
    bool is_known = ret == 0;
    if (is_known && !store_port_is_same(&known, told))
        return STATUS_MISMATCH;
    if (is_known && is_old_news(&known, told))
        return 0;
    bool was_commit = is_known && state_is_commit(known.state);
    port = port_told(apply, is_known ? &known : NULL);
    ret = is_known ? 0 : room_make(apply, &port);
    if (ret == 0)
        ret = holder_owe(apply, is_known ? &known : NULL, &port);
    if (ret)
        return ret;
    if (state_is_commit(port.state) && !was_commit)
        ret = settle(apply, &port);
    else if (state_is_over(port.state) && port.role == STORE_PORT_GAINING)
        ret = unprepare(apply, &port);
    return ret ? ret : port_write(apply, is_known ? &known : NULL, &port);
}

int store_apply_port_paid(struct store_apply *apply)
{
    const struct store_port_order *order = &apply->command->order;
    struct store_port before, port;
    int ret = store_port_read(apply->txn, order->port.role, order->port.id, &before);
    if (ret)
        return ret;
    if (!store_apply_expects(apply, before.version))
        return STATUS_CONFLICT;
    port = before;
    port.owed &= ~order->paid;
    return port.owed == before.owed ? 0 : port_write(apply, &before, &port);
}
