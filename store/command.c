/* Commands as bytes: form, operation and its own form, id, body hash, expected version, actor,
 * time, then what the operation takes. */
#include "base/buf.h"
#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"

#define COMMAND_FORM     1
#define COMMAND_HEAD_MAX 256

/* The form of an operation's arguments; it grows with the operation, so that a replica knows what
 * it cannot apply. */
#define OP_FORM       1
#define OP_FORM_START 2 /* STORE_PORT_START of a number: whom it leads to */

static bool has_target(const struct store_command *command)
{
    return command->op == STORE_PORT_START && command->order.target.user[0] != '\0';
}

bool store_op_is_local(enum store_op op)
{
    return op == STORE_CURSOR_PUT || op == STORE_CURSOR_DEL || op == STORE_USAGE_ADD;
}

/* Operations whose argument is one record: its kind, else -1. */
static int op_kind(enum store_op op)
{
    switch (op) {
    case STORE_DOMAIN_ADD:
    case STORE_DOMAIN_PUT:
    case STORE_DOMAIN_DEL:
    case STORE_DOMAIN_CLEAR:
        return STORE_KIND_DOMAIN;
    case STORE_ADDRESS_ADD:
    case STORE_ADDRESS_PUT:
    case STORE_ADDRESS_RELEASE:
    case STORE_ADDRESS_PURGE:
    case STORE_ADDRESS_AUTH:
        return STORE_KIND_ADDRESS;
    case STORE_NUMBER_ADD:
    case STORE_NUMBER_PUT:
    case STORE_NUMBER_DEL:
        return STORE_KIND_NUMBER;
    case STORE_PEER_ADD:
    case STORE_PEER_PUT:
    case STORE_PEER_DEL:
        return STORE_KIND_PEER;
    case STORE_TOKEN_ADD:
    case STORE_TOKEN_DEL:
        return STORE_KIND_TOKEN;
    case STORE_GUARD_PUT:
        return STORE_KIND_GUARD;
    default:
        return -1;
    }
}

/* The hash of a code, and until when it is good (0: it is withdrawn); the rest of the record is not
 * looked at. */
static void auth_pack(struct store_pack *pack, const struct store_record *record)
{
    store_pack_string(pack, record->address.user);
    store_pack_string(pack, record->address.domain);
    store_pack_number(pack, record->auth_until_ms);
    store_pack_bytes(pack, record->auth_hash, STORE_HASH_LEN);
}

static void auth_unpack(struct store_unpack *unpack, struct store_record *record)
{
    store_unpack_string(unpack, record->address.user, sizeof(record->address.user));
    store_unpack_string(unpack, record->address.domain, sizeof(record->address.domain));
    record->auth_until_ms = store_unpack_number(unpack);
    store_unpack_bytes(unpack, record->auth_hash, STORE_HASH_LEN);
}

static void guard_code_pack(struct store_pack *pack, const struct store_guard *guard)
{
    store_pack_string(pack, guard->address.user);
    store_pack_string(pack, guard->address.domain);
    store_pack_string(pack, guard->code_for);
    store_pack_number(pack, guard->code_until_ms);
    store_pack_bytes(pack, guard->code_hash, STORE_HASH_LEN);
}

static void guard_code_unpack(struct store_unpack *unpack, struct store_guard *guard)
{
    store_unpack_string(unpack, guard->address.user, sizeof(guard->address.user));
    store_unpack_string(unpack, guard->address.domain, sizeof(guard->address.domain));
    store_unpack_string(unpack, guard->code_for, sizeof(guard->code_for));
    guard->code_until_ms = store_unpack_number(unpack);
    store_unpack_bytes(unpack, guard->code_hash, STORE_HASH_LEN);
}

static void move_pack(struct store_pack *pack, const struct store_domain *domain)
{
    store_pack_string(pack, domain->name);
    store_pack_u8(pack, (uint8_t)domain->move);
    store_pack_string(pack, domain->move_to);
}

static void move_unpack(struct store_unpack *unpack, struct store_domain *domain)
{
    store_unpack_string(unpack, domain->name, sizeof(domain->name));
    unsigned move = store_unpack_u8(unpack);
    if (move >= STORE_MOVE_COUNT)
        unpack->failed = true;
    domain->move = (enum store_domain_move)(unpack->failed ? 0 : move);
    store_unpack_string(unpack, domain->move_to, sizeof(domain->move_to));
}

static bool op_takes_order(enum store_op op)
{
    return op == STORE_PORT_OPEN || op == STORE_PORT_STEP || op == STORE_PORT_START ||
           op == STORE_PORT_TELL || op == STORE_PORT_PAID;
}

static void order_pack(struct store_pack *pack, const struct store_port_order *order)
{
    store_any_pack(pack, STORE_KIND_PORT, &order->port, true);
    store_pack_bytes(pack, order->proof, STORE_HASH_LEN);
    store_pack_u8(pack, order->by_key);
    store_pack_u8(pack, (uint8_t)order->event);
    store_pack_number(pack, (uint64_t)order->by);
    store_pack_u8(pack, (uint8_t)order->reason);
    store_pack_number(pack, order->paid);
    store_pack_number(pack, order->moved);
}

static void order_unpack(struct store_unpack *unpack, struct store_port_order *order)
{
    store_any_unpack(unpack, STORE_KIND_PORT, (union store_any *)&order->port);
    store_unpack_bytes(unpack, order->proof, STORE_HASH_LEN);
    order->by_key = store_unpack_u8(unpack) != 0;
    unsigned event = store_unpack_u8(unpack);
    uint64_t by = store_unpack_number(unpack);
    unsigned reason = store_unpack_u8(unpack);
    uint64_t paid = store_unpack_number(unpack), moved = store_unpack_number(unpack);
    if (event >= STORE_PORT_EVENT_COUNT || by > STORE_PORT_BY_ALL ||
        reason >= STORE_PORT_REASON_COUNT || paid > STORE_PORT_OWED_ALL || moved > UINT32_MAX) {
        unpack->failed = true;
        return;
    }
    order->event = (enum store_port_event)event;
    order->by = (unsigned)by;
    order->reason = (enum store_port_reason)reason;
    order->paid = (unsigned)paid;
    order->moved = (uint32_t)moved;
}

/* A deletion names its record and carries nothing else. */
static bool op_takes_name_only(enum store_op op)
{
    return op == STORE_DOMAIN_DEL || op == STORE_DOMAIN_CLEAR || op == STORE_ADDRESS_RELEASE ||
           op == STORE_ADDRESS_PURGE || op == STORE_NUMBER_DEL || op == STORE_PEER_DEL ||
           op == STORE_TOKEN_DEL;
}

/* ---- names ---- */

static void name_pack(struct store_pack *pack, const struct store_command *command)
{
    switch (op_kind(command->op)) {
    case STORE_KIND_DOMAIN:
        store_pack_string(pack, command->domain.name);
        return;
    case STORE_KIND_ADDRESS:
        store_pack_string(pack, command->record.address.user);
        store_pack_string(pack, command->record.address.domain);
        return;
    case STORE_KIND_NUMBER:
        store_pack_string(pack, command->number.digits);
        return;
    case STORE_KIND_PEER:
        store_pack_string(pack, command->peer.domain);
        return;
    default:
        store_pack_string(pack, command->token.id);
    }
}

static void name_unpack(struct store_unpack *unpack, struct store_command *command)
{
    struct store_address *address = &command->record.address;
    switch (op_kind(command->op)) {
    case STORE_KIND_DOMAIN:
        store_unpack_string(unpack, command->domain.name, sizeof(command->domain.name));
        return;
    case STORE_KIND_ADDRESS:
        store_unpack_string(unpack, address->user, sizeof(address->user));
        store_unpack_string(unpack, address->domain, sizeof(address->domain));
        return;
    case STORE_KIND_NUMBER:
        store_unpack_string(unpack, command->number.digits, sizeof(command->number.digits));
        return;
    case STORE_KIND_PEER:
        store_unpack_string(unpack, command->peer.domain, sizeof(command->peer.domain));
        return;
    default:
        store_unpack_string(unpack, command->token.id, sizeof(command->token.id));
    }
}

/* ---- arguments ---- */

/* All that is not a batch. */
static void argument_pack(struct store_pack *pack, const struct store_command *command)
{
    int kind = op_kind(command->op);
    if (op_takes_name_only(command->op))
        name_pack(pack, command);
    else if (command->op == STORE_ADDRESS_AUTH)
        auth_pack(pack, &command->record);
    else if (op_takes_order(command->op))
        order_pack(pack, &command->order);
    else if (command->op == STORE_GUARD_CODE)
        guard_code_pack(pack, &command->guard);
    else if (command->op == STORE_DOMAIN_MOVE)
        move_pack(pack, &command->domain);
    else if (kind >= 0)
        store_any_pack(pack, (enum store_kind)kind, &command->domain, true);
    else if (command->op == STORE_KEY_ADD)
        store_pack_bytes(pack, command->key.secret, STORE_KEY_LEN);
    else if (command->op == STORE_JOURNAL_TRIM)
        store_pack_number(pack, command->sequence);
    else if (command->op != STORE_EXPIRE)
        pack->failed = true; /* local, or none that we know */
}

static void argument_unpack(struct store_unpack *unpack, struct store_command *command)
{
    int kind = op_kind(command->op);
    if (op_takes_name_only(command->op))
        name_unpack(unpack, command);
    else if (command->op == STORE_ADDRESS_AUTH)
        auth_unpack(unpack, &command->record);
    else if (op_takes_order(command->op))
        order_unpack(unpack, &command->order);
    else if (command->op == STORE_GUARD_CODE)
        guard_code_unpack(unpack, &command->guard);
    else if (command->op == STORE_DOMAIN_MOVE)
        move_unpack(unpack, &command->domain);
    else if (kind >= 0)
        store_any_unpack(unpack, (enum store_kind)kind, (union store_any *)&command->domain);
    else if (command->op == STORE_KEY_ADD)
        store_unpack_bytes(unpack, command->key.secret, STORE_KEY_LEN);
    else if (command->op == STORE_JOURNAL_TRIM)
        command->sequence = store_unpack_number(unpack);
    else if (command->op != STORE_EXPIRE)
        unpack->failed = true;
}

bool store_op_takes_batch(enum store_op op)
{
    return op == STORE_ADDRESS_IMPORT || op == STORE_ADDRESS_UNDO;
}

/* An undo names its addresses, each with the version that may go. */
static void batch_record_pack(struct store_pack *pack, const struct store_record *record,
                              bool is_undo)
{
    if (!is_undo) {
        store_any_pack(pack, STORE_KIND_ADDRESS, record, true);
        return;
    }
    store_pack_string(pack, record->address.user);
    store_pack_string(pack, record->address.domain);
    store_pack_number(pack, record->version);
}

static void batch_record_unpack(struct store_unpack *unpack, struct store_record *record,
                                bool is_undo)
{
    memset(record, 0, sizeof(*record));
    if (!is_undo) {
        store_any_unpack(unpack, STORE_KIND_ADDRESS, (union store_any *)record);
        return;
    }
    store_unpack_string(unpack, record->address.user, sizeof(record->address.user));
    store_unpack_string(unpack, record->address.domain, sizeof(record->address.domain));
    record->version = store_unpack_number(unpack);
}

static int batch_encode(const struct store_batch *batch, bool is_undo, struct buf *out)
{
    char buffer[STORE_ANY_SIZE_MAX];
    for (size_t i = 0; i < batch->count; i++) {
        struct store_pack pack;
        struct slice bytes;
        store_pack_init(&pack, buffer, sizeof(buffer));
        batch_record_pack(&pack, &batch->records[i], is_undo);
        int ret = store_pack_done(&pack, &bytes);
        if (ret == 0)
            ret = buf_append(out, bytes);
        if (ret)
            return ret;
    }
    return 0;
}

static void batch_unpack(struct store_unpack *unpack, bool is_undo, struct store_record *records,
                         struct store_batch *batch)
{
    batch->keep_going = store_unpack_u8(unpack) != 0;
    batch->count = store_unpack_number(unpack);
    batch->records = records;
    batch->statuses = NULL;
    if (batch->count > STORE_IMPORT_MAX)
        unpack->failed = true;
    for (size_t i = 0; !unpack->failed && i < batch->count; i++)
        batch_record_unpack(unpack, &records[i], is_undo);
}

/* ---- the whole ---- */

/* An id that nobody remembers the verdict of is all zero, and takes one octet. */
static void ids_pack(struct store_pack *pack, const struct store_command *command)
{
    bool is_kept = store_id_is_set(command->id);
    store_pack_u8(pack, is_kept);
    if (!is_kept)
        return;
    store_pack_bytes(pack, command->id, sizeof(command->id));
    store_pack_bytes(pack, command->body_hash, sizeof(command->body_hash));
}

static void ids_unpack(struct store_unpack *unpack, struct store_command *command)
{
    memset(command->id, 0, sizeof(command->id));
    memset(command->body_hash, 0, sizeof(command->body_hash));
    if (store_unpack_u8(unpack) == 0)
        return;
    store_unpack_bytes(unpack, command->id, sizeof(command->id));
    store_unpack_bytes(unpack, command->body_hash, sizeof(command->body_hash));
}

bool store_id_is_set(const uint8_t id[32])
{
    for (int i = 0; i < 32; i++)
        if (id[i])
            return true;
    return false;
}

int store_command_encode(const struct store_command *command, struct buf *out)
{
    char buffer[COMMAND_HEAD_MAX + STORE_ANY_SIZE_MAX];
    bool has_batch = store_op_takes_batch(command->op);
    struct store_pack pack;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_pack_u8(&pack, COMMAND_FORM);
    store_pack_u8(&pack, (uint8_t)command->op);
    store_pack_u8(&pack, has_target(command) ? OP_FORM_START : OP_FORM);
    ids_pack(&pack, command);
    store_pack_u64(&pack, command->expected_version);
    store_pack_string(&pack, command->actor);
    store_pack_number(&pack, command->time_ms);
    store_pack_u8(&pack, command->claim);
    if (has_batch) {
        store_pack_u8(&pack, command->batch.keep_going);
        store_pack_number(&pack, command->batch.count);
    } else {
        argument_pack(&pack, command);
    }
    if (has_target(command)) {
        store_pack_string(&pack, command->order.target.user);
        store_pack_string(&pack, command->order.target.domain);
    }
    int ret = store_pack_done(&pack, &bytes);
    if (ret == 0)
        ret = buf_append(out, bytes);
    return ret || !has_batch
               ? ret
               : batch_encode(&command->batch, command->op == STORE_ADDRESS_UNDO, out);
}

/* Returns the form of the operation's arguments. */
static uint8_t head_unpack(struct store_unpack *unpack, struct store_command *command)
{
    store_unpack_version(unpack, COMMAND_FORM);
    memset(command, 0, sizeof(*command));
    command->op = (enum store_op)store_unpack_u8(unpack);
    uint8_t form = store_unpack_u8(unpack);
    if (form != OP_FORM && (form != OP_FORM_START || command->op != STORE_PORT_START))
        unpack->failed = true;
    ids_unpack(unpack, command);
    command->expected_version = store_unpack_u64(unpack);
    store_unpack_string(unpack, command->actor, sizeof(command->actor));
    command->time_ms = store_unpack_number(unpack);
    command->claim = store_unpack_u8(unpack) != 0;
    return form;
}

int store_command_decode(struct slice bytes, struct store_record *records,
                         struct store_command *command)
{
    struct store_unpack unpack;
    store_unpack_init(&unpack, bytes);
    struct store_address *target = &command->order.target;
    uint8_t form = head_unpack(&unpack, command);
    if (unpack.failed)
        return STATUS_CORRUPT;
    if (store_op_takes_batch(command->op))
        batch_unpack(&unpack, command->op == STORE_ADDRESS_UNDO, records, &command->batch);
    else
        argument_unpack(&unpack, command);
    if (form == OP_FORM_START) {
        store_unpack_string(&unpack, target->user, sizeof(target->user));
        store_unpack_string(&unpack, target->domain, sizeof(target->domain));
    }
    return store_unpack_done(&unpack);
}

int store_command_time(struct slice bytes, uint64_t *time_ms)
{
    struct store_command command;
    struct store_unpack unpack;
    store_unpack_init(&unpack, bytes);
    head_unpack(&unpack, &command);
    *time_ms = command.time_ms;
    return unpack.failed ? STATUS_CORRUPT : 0;
}
