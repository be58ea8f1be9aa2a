#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/table_key.h"

#define ENTRY_FORM     1
#define ENTRY_SIZE_MAX (32 + STORE_ACTOR_MAX + 3 * STORE_TEXT_MAX)

/* ---- the entry: form, time, operation, actor, key, before, after ---- */

static const char *const op_names[] = {
    [STORE_DOMAIN_ADD] = "domain_add",   [STORE_DOMAIN_PUT] = "domain_put",
    [STORE_DOMAIN_DEL] = "domain_del",   [STORE_ADDRESS_ADD] = "address_add",
    [STORE_ADDRESS_DEL] = "address_del", [STORE_KEY_ADD] = "key_add",
};

#define OP_COUNT (sizeof(op_names) / sizeof(op_names[0]))

int store_journal_append(const struct store_txn *txn, const struct store_change *change)
{
    char buffer[ENTRY_SIZE_MAX];
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_pack_u8(&pack, ENTRY_FORM);
    store_pack_u64(&pack, change->position.time_ms);
    store_pack_u8(&pack, (uint8_t)change->command->op);
    store_pack_string(&pack, change->command->actor);
    store_pack_string(&pack, change->key.p);
    store_pack_string(&pack, change->before.p);
    store_pack_string(&pack, change->after.p);
    int ret = store_pack_done(&pack, &bytes);
    if (ret)
        return ret;
    table_key_u64(&key, change->position.sequence);
    return store_put(txn, TABLE_JOURNAL, table_key_bytes(&key), bytes);
}

/* ---- reading ---- */

struct journal_read {
    size_t left;
    store_journal_h *each;
    void *arg;
};

static int journal_visit(struct slice key, struct slice value, void *arg)
{
    struct journal_read *read = arg;
    char name[STORE_TEXT_MAX], before[STORE_TEXT_MAX], after[STORE_TEXT_MAX];
    struct store_journal_entry entry = {.key = name, .before = before, .after = after};
    struct store_unpack unpack;
    int ret = table_key_to_u64(key, &entry.sequence);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    store_unpack_version(&unpack, ENTRY_FORM);
    entry.time_ms = store_unpack_u64(&unpack);
    unsigned op = store_unpack_u8(&unpack);
    store_unpack_string(&unpack, entry.actor, sizeof(entry.actor));
    store_unpack_string(&unpack, name, sizeof(name));
    store_unpack_string(&unpack, before, sizeof(before));
    store_unpack_string(&unpack, after, sizeof(after));
    ret = store_unpack_done(&unpack);
    if (ret || op >= OP_COUNT)
        return STATUS_CORRUPT;
    entry.what = op_names[op];
    read->left--;
    return !read->each(&entry, read->arg) || read->left == 0;
}

int store_journal_read(struct store_reader *reader, uint64_t from_sequence, size_t max,
                       store_journal_h *each, void *arg)
{
    struct journal_read read = {.left = max, .each = each, .arg = arg};
    struct table_key from;
    if (max == 0)
        return 0;
    table_key_u64(&from, from_sequence);
    return store_scan(&reader->txn, TABLE_JOURNAL, table_key_bytes(&from), journal_visit, &read);
}
