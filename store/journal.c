#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/table_key.h"

#include <errno.h>

#define ENTRY_FORM     2
#define ENTRY_HEAD_MAX 128 /* all but the records and the text */
#define ENTRY_SIZE_MAX (ENTRY_HEAD_MAX + STORE_JOURNAL_TEXT_MAX + 2 * STORE_ANY_SIZE_MAX)

/* ---- the entry: form, time, operation, actor, kind, previous entry about the same, parts, then
 * the key in words or, of a record, its name and up to two times the record ---- */

#define PART_BEFORE 1u
#define PART_AFTER  2u
#define PART_ERASED 4u

static const char *const op_names[STORE_OP_COUNT] = {
    [STORE_DOMAIN_ADD] = "domain_add",
    [STORE_DOMAIN_PUT] = "domain_put",
    [STORE_DOMAIN_DEL] = "domain_del",
    [STORE_ADDRESS_ADD] = "address_add",
    [STORE_ADDRESS_PUT] = "address_put",
    [STORE_ADDRESS_RELEASE] = "address_release",
    [STORE_ADDRESS_PURGE] = "address_purge",
    [STORE_ADDRESS_AUTH] = "address_auth",
    [STORE_ADDRESS_IMPORT] = "address_import",
    [STORE_ADDRESS_UNDO] = "address_undo",
    [STORE_NUMBER_ADD] = "number_add",
    [STORE_NUMBER_PUT] = "number_put",
    [STORE_NUMBER_DEL] = "number_del",
    [STORE_PEER_ADD] = "peer_add",
    [STORE_PEER_PUT] = "peer_put",
    [STORE_PEER_DEL] = "peer_del",
    [STORE_TOKEN_ADD] = "token_add",
    [STORE_TOKEN_DEL] = "token_del",
    [STORE_KEY_ADD] = "key_add",
    [STORE_EXPIRE] = "expire",
    [STORE_BULK_LOAD] = "bulk_load",
    [STORE_PORT_OPEN] = "port_open",
    [STORE_PORT_STEP] = "port_step",
    [STORE_PORT_START] = "port_start",
    [STORE_PORT_TELL] = "port_tell",
    [STORE_PORT_PAID] = "port_paid",
    [STORE_GUARD_PUT] = "guard_put",
    [STORE_GUARD_CODE] = "guard_code",
    [STORE_DOMAIN_MOVE] = "domain_move",
    [STORE_DOMAIN_CLEAR] = "domain_clear",
};

const char *store_op_text(enum store_op op)
{
    bool is_known = (unsigned)op < STORE_OP_COUNT && op_names[op];
    return is_known ? op_names[op] : NULL;
}

/* What stands before the parts, decoded. */
struct entry_head {
    uint64_t time_ms;
    unsigned op, kind, parts;
    char actor[STORE_ACTOR_MAX + 1];
    char text[STORE_JOURNAL_TEXT_MAX + 1];
    uint64_t previous;
};

static void head_pack(struct store_pack *pack, const struct entry_head *head)
{
    store_pack_u8(pack, ENTRY_FORM);
    store_pack_number(pack, head->time_ms);
    store_pack_u8(pack, (uint8_t)head->op);
    store_pack_string(pack, head->actor);
    store_pack_u8(pack, (uint8_t)head->kind);
    store_pack_number(pack, head->previous);
    store_pack_string(pack, head->text);
    store_pack_u8(pack, (uint8_t)head->parts);
}

static void head_unpack(struct store_unpack *unpack, struct entry_head *head)
{
    store_unpack_version(unpack, ENTRY_FORM);
    head->time_ms = store_unpack_number(unpack);
    head->op = store_unpack_u8(unpack);
    store_unpack_string(unpack, head->actor, sizeof(head->actor));
    head->kind = store_unpack_u8(unpack);
    head->previous = store_unpack_number(unpack);
    store_unpack_string(unpack, head->text, sizeof(head->text));
    head->parts = store_unpack_u8(unpack);
    if (!store_op_text((enum store_op)head->op) || head->kind >= STORE_KIND_COUNT)
        unpack->failed = true;
}

int store_journal_append(const struct store_txn *txn, const struct store_change *change)
{
    char buffer[ENTRY_SIZE_MAX];
    struct entry_head head = {.time_ms = change->time_ms,
                              .op = change->op,
                              .kind = change->kind,
                              .previous = change->previous,
                              .parts = (change->before ? PART_BEFORE : 0) |
                                       (change->after ? PART_AFTER : 0)};
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    if (slice_to_cstr(slice_of(change->actor), head.actor, sizeof(head.actor)) ||
        slice_to_cstr(slice_of(change->text), head.text, sizeof(head.text)))
        return STATUS_MALFORMED;
    store_pack_init(&pack, buffer, sizeof(buffer));
    head_pack(&pack, &head);
    if (change->before)
        store_any_pack(&pack, change->kind, change->before, false);
    if (change->after)
        store_any_pack(&pack, change->kind, change->after, false);
    int ret = store_pack_done(&pack, &bytes);
    if (ret)
        return ret;
    table_key_u64(&key, change->sequence);
    return store_put(txn, TABLE_JOURNAL, table_key_bytes(&key), bytes);
}

/* ---- erasing ---- */

static int entry_read(const struct store_txn *txn, uint64_t sequence, struct entry_head *head)
{
    struct store_unpack unpack;
    struct table_key key;
    struct slice value;
    table_key_u64(&key, sequence);
    int ret = store_get(txn, TABLE_JOURNAL, table_key_bytes(&key), &value);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    head_unpack(&unpack, head);
    return unpack.failed ? STATUS_CORRUPT : 0;
}

/* The entry without its values. */
static int entry_strip(const struct store_txn *txn, uint64_t sequence, struct entry_head *head)
{
    char buffer[ENTRY_HEAD_MAX + STORE_JOURNAL_TEXT_MAX];
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    head->parts = PART_ERASED;
    store_pack_init(&pack, buffer, sizeof(buffer));
    head_pack(&pack, head);
    table_key_u64(&key, sequence);
    int ret = store_pack_done(&pack, &bytes);
    return ret ? ret : store_put(txn, TABLE_JOURNAL, table_key_bytes(&key), bytes);
}

/* What is erased leaves the chain, so that the next call goes on where this one ended. */
static int chain_shorten(const struct store_txn *txn, uint64_t sequence, uint64_t next)
{
    struct entry_head head;
    int ret = entry_read(txn, sequence, &head);
    if (ret)
        return ret;
    head.previous = next;
    ret = entry_strip(txn, sequence, &head);
    return ret ? ret : -EAGAIN;
}

int store_journal_erase(const struct store_txn *txn, uint64_t sequence, uint32_t max,
                        uint32_t *count)
{
    uint64_t next = sequence;
    for (uint32_t left = max; next && left; left--) {
        struct entry_head head;
        int ret = entry_read(txn, next, &head);
        if (ret == STATUS_NOTFOUND)
            return 0; /* trimmed, and so are all before it */
        if (ret == 0 && head.kind == STORE_KIND_STORE)
            return 0; /* a bulk load, from which it came with many others */
        if (ret == 0)
            ret = entry_strip(txn, next, &head);
        if (ret)
            return ret;
        next = head.previous;
        ++*count;
    }
    if (next == sequence)
        return -EAGAIN;
    return next ? chain_shorten(txn, sequence, next) : 0;
}

/* ---- the ends ---- */

struct end_visit {
    uint64_t sequence;
    bool found;
};

static int end_take(struct slice key, struct slice value, void *arg)
{
    struct end_visit *end = arg;
    (void)value;
    int ret = table_key_to_u64(key, &end->sequence);
    end->found = ret == 0;
    return ret ? ret : 1;
}

int store_journal_first(const struct store_txn *txn, uint64_t *sequence)
{
    struct store_position position;
    struct end_visit end = {.found = false};
    int ret = store_scan(txn, TABLE_JOURNAL, SLICE(""), end_take, &end);
    if (ret == 0 && !end.found)
        ret = store_position_get(txn, &position);
    if (ret)
        return ret;
    *sequence = end.found ? end.sequence : position.sequence + 1;
    return 0;
}

int store_journal_trim(const struct store_txn *txn, uint64_t sequence, size_t max, uint32_t *count)
{
    uint64_t first;
    int ret = store_journal_first(txn, &first);
    for (uint32_t dropped = 0; ret == 0 && first < sequence && dropped < max; dropped++, first++) {
        struct table_key key;
        table_key_u64(&key, first);
        ret = store_del(txn, TABLE_JOURNAL, table_key_bytes(&key));
        if (ret == STATUS_NOTFOUND)
            return 0; /* the end */
        if (ret == 0)
            ++*count;
    }
    return ret;
}

/* ---- reading ---- */

struct journal_read {
    store_journal_h *each;
    void *arg;
};

static int journal_visit(struct slice key, struct slice value, void *arg)
{
    struct journal_read *read = arg;
    union store_any before, after;
    struct entry_head head;
    struct store_unpack unpack;
    struct store_journal_entry entry = {.sequence = 0};
    int ret = table_key_to_u64(key, &entry.sequence);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    head_unpack(&unpack, &head);
    if (!unpack.failed && head.parts & PART_BEFORE)
        store_any_unpack(&unpack, (enum store_kind)head.kind, &before);
    if (!unpack.failed && head.parts & PART_AFTER)
        store_any_unpack(&unpack, (enum store_kind)head.kind, &after);
    ret = store_unpack_done(&unpack);
    if (ret)
        return ret;
    entry.time_ms = head.time_ms;
    memcpy(entry.actor, head.actor, sizeof(entry.actor));
    entry.what = store_op_text((enum store_op)head.op);
    entry.kind = (enum store_kind)head.kind;
    entry.key = head.text;
    entry.erased = head.parts & PART_ERASED;
    entry.before = head.parts & PART_BEFORE ? &before : NULL;
    entry.after = head.parts & PART_AFTER ? &after : NULL;
    return !read->each(&entry, read->arg);
}

int store_journal_read(struct store_reader *reader, uint64_t from_sequence, size_t max,
                       store_journal_h *each, void *arg)
{
    struct journal_read read = {.each = each, .arg = arg};
    struct table_key from;
    uint64_t first;
    int ret = store_journal_first(&reader->txn, &first);
    if (ret)
        return ret;
    if (from_sequence && from_sequence < first)
        return STATUS_TRIMMED;
    /* store_list begins after a key */
    table_key_u64(&from, (from_sequence ? from_sequence : first) - 1);
    return store_list(&reader->txn, TABLE_JOURNAL, SLICE(""), table_key_bytes(&from), max,
                      journal_visit, &read);
}

int store_journal_get(const struct store_txn *txn, uint64_t sequence, store_journal_h *each,
                      void *arg)
{
    struct journal_read read = {.each = each, .arg = arg};
    struct table_key key;
    struct slice value;
    table_key_u64(&key, sequence);
    int ret = store_get(txn, TABLE_JOURNAL, table_key_bytes(&key), &value);
    if (ret)
        return ret;
    ret = journal_visit(table_key_bytes(&key), value, &read);
    return ret < 0 ? ret : 0;
}

/* ---- what the timer asks ---- */

struct age_visit {
    uint64_t cutoff_ms, next;
    size_t left;
};

static int age_take(struct slice key, struct slice value, void *arg)
{
    struct age_visit *age = arg;
    struct store_unpack unpack;
    uint64_t sequence;
    int ret = table_key_to_u64(key, &sequence);
    store_unpack_init(&unpack, value);
    store_unpack_version(&unpack, ENTRY_FORM);
    uint64_t time_ms = store_unpack_number(&unpack);
    if (ret || unpack.failed)
        return STATUS_CORRUPT;
    if (time_ms >= age->cutoff_ms)
        return 1;
    age->next = sequence + 1;
    return --age->left == 0;
}

int store_journal_older(const struct store_txn *txn, uint64_t cutoff_ms, uint64_t *sequence)
{
    struct age_visit age = {.cutoff_ms = cutoff_ms, .left = STORE_EXPIRE_MAX};
    int ret = store_scan(txn, TABLE_JOURNAL, SLICE(""), age_take, &age);
    if (ret == 0)
        *sequence = age.next;
    return ret;
}
