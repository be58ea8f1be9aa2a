/* The one function that changes the directory. */
#include "store/apply.h"

#include "base/status.h"

/* ---- shared steps ---- */

uint64_t store_apply_version(const struct store_apply *apply)
{
    return apply->position.sequence + 1;
}

bool store_apply_expects(const struct store_apply *apply, uint64_t version)
{
    uint64_t expected = apply->command->expected_version;
    return expected == STORE_ANY_VERSION || expected == version;
}

int store_apply_journal(struct store_apply *apply, struct store_change *change)
{
    change->sequence = store_apply_version(apply);
    change->time_ms = apply->position.time_ms;
    change->actor = apply->command->actor;
    int ret = store_journal_append(apply->txn, change);
    if (ret)
        return ret;
    apply->position.sequence++;
    apply->count++;
    return 0;
}

int store_apply_write(struct store_apply *apply, enum store_op op, enum store_kind kind,
                      const void *before, const void *after)
{
    char name[STORE_JOURNAL_TEXT_MAX + 1];
    struct store_change change = {
        .op = op, .kind = kind, .text = name, .before = before, .after = after};
    int ret = 0;
    if (before)
        change.previous = store_any_version(kind, before);
    if (before && after)
        ret = store_any_replace(apply->txn, kind, before, after);
    else if (before)
        ret = store_any_del(apply->txn, kind, before);
    else
        ret = store_any_put(apply->txn, kind, after);
    store_any_name(kind, after ? after : before, name);
    return ret ? ret : store_apply_journal(apply, &change);
}

/* ---- one command ---- */

static store_apply_h *const operations[STORE_OP_COUNT] = {
    [STORE_DOMAIN_ADD] = store_apply_domain_add,
    [STORE_DOMAIN_PUT] = store_apply_domain_put,
    [STORE_DOMAIN_DEL] = store_apply_domain_del,
    [STORE_ADDRESS_ADD] = store_apply_address_add,
    [STORE_ADDRESS_PUT] = store_apply_address_put,
    [STORE_ADDRESS_RELEASE] = store_apply_release,
    [STORE_ADDRESS_PURGE] = store_apply_purge,
    [STORE_ADDRESS_AUTH] = store_apply_address_auth,
    [STORE_ADDRESS_IMPORT] = store_apply_import,
    [STORE_ADDRESS_UNDO] = store_apply_undo,
    [STORE_NUMBER_ADD] = store_apply_number_add,
    [STORE_NUMBER_PUT] = store_apply_number_put,
    [STORE_NUMBER_DEL] = store_apply_number_del,
    [STORE_PEER_ADD] = store_apply_peer_add,
    [STORE_PEER_PUT] = store_apply_peer_put,
    [STORE_PEER_DEL] = store_apply_peer_del,
    [STORE_TOKEN_ADD] = store_apply_token_add,
    [STORE_TOKEN_DEL] = store_apply_token_del,
    [STORE_KEY_ADD] = store_apply_key_add,
    [STORE_EXPIRE] = store_apply_expire,
    [STORE_JOURNAL_TRIM] = store_apply_journal_trim,
    [STORE_CURSOR_PUT] = store_apply_cursor_put,
    [STORE_CURSOR_DEL] = store_apply_cursor_del,
    [STORE_USAGE_ADD] = store_apply_usage_add,
    [STORE_PORT_OPEN] = store_apply_port_open,
    [STORE_PORT_STEP] = store_apply_port_step,
    [STORE_PORT_START] = store_apply_port_start,
    [STORE_PORT_TELL] = store_apply_port_tell,
    [STORE_PORT_PAID] = store_apply_port_paid,
    [STORE_GUARD_PUT] = store_apply_guard_put,
    [STORE_GUARD_CODE] = store_apply_guard_code,
    [STORE_DOMAIN_MOVE] = store_apply_domain_move,
    [STORE_DOMAIN_CLEAR] = store_apply_domain_clear,
};

bool store_status_is_verdict(int status)
{
    switch (status) {
    case 0:
    case STATUS_EXISTS:
    case STATUS_NOTFOUND:
    case STATUS_CONFLICT:
    case STATUS_INUSE:
    case STATUS_MALFORMED:
    case STATUS_QUARANTINED:
    case STATUS_LOCKED:
    case STATUS_LOOP:
    case STATUS_DENIED:
    case STATUS_LIMIT:
    case STATUS_TRIMMED:
    case STATUS_MISMATCH:
    case STATUS_PORTING:
    case STATUS_FROZEN:
    case STATUS_PROOF:
    case STATUS_STATE:
        return true;
    default:
        return false;
    }
}

static int operation_run(struct store_apply *apply)
{
    const struct store_command *command = apply->command;
    bool is_known = (unsigned)command->op < STORE_OP_COUNT && operations[command->op];
    if (!is_known || strnlen(command->actor, STORE_ACTOR_MAX + 1) > STORE_ACTOR_MAX)
        return STATUS_MALFORMED;
    int ret = store_move_check_frozen(apply);
    return ret ? ret : operations[command->op](apply);
}

/* Judges a command that has no verdict yet. Position, and with it store time, moves on with
 * refused ones too: they stand in the log. What does not stand there leaves no trace in what all
 * replicas share: neither store time nor a verdict. */
static int command_judge(const struct store_txn *txn, uint64_t index,
                         const struct store_command *command, struct store_verdict *verdict)
{
    struct store_apply apply = {.txn = txn, .command = command};
    int ret = store_position_get(txn, &apply.position);
    if (ret)
        return ret;
    uint64_t before = apply.position.sequence;
    bool is_local = store_op_is_local(command->op);
    if (index)
        apply.position.index = index;
    if (command->time_ms > apply.position.time_ms && !is_local)
        apply.position.time_ms = command->time_ms;
    int status = operation_run(&apply);
    if (!store_status_is_verdict(status))
        return status;
    bool changed = apply.position.sequence != before;
    *verdict = (struct store_verdict){.status = status,
                                      .sequence = changed ? apply.position.sequence : 0,
                                      .count = status ? 0 : apply.count};
    ret = store_position_put(txn, &apply.position);
    if (ret || is_local || !store_id_is_set(command->id))
        return ret;
    return store_verdict_put(txn, command, apply.position.time_ms, verdict);
}

/* A command that was judged before only takes its place in the log. */
static int command_skip(const struct store_txn *txn, uint64_t index)
{
    struct store_position position;
    int ret = store_position_get(txn, &position);
    if (ret || !index)
        return ret;
    position.index = index;
    return store_position_put(txn, &position);
}

int store_apply(const struct store_txn *txn, uint64_t index, const struct store_command *command,
                struct store_verdict *verdict)
{
    int ret =
        store_id_is_set(command->id) ? store_verdict_get(txn, command, verdict) : STATUS_NOTFOUND;
    if (ret == STATUS_NOTFOUND)
        return command_judge(txn, index, command, verdict);
    return ret ? ret : command_skip(txn, index);
}
