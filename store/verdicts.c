#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/table_key.h"

/* form, status, sequence, count, hash of the body */
#define VERDICT_FORM     2
#define VERDICT_SIZE_MAX 64
/* Old verdicts dropped per new one: two, so that the table shrinks after a busy day. */
#define VERDICT_TRIM_COUNT 2

int store_verdict_get(const struct store_txn *txn, const struct store_command *command,
                      struct store_verdict *verdict)
{
    struct store_verdict decoded = {.repeated = true};
    uint8_t body_hash[STORE_HASH_LEN];
    struct store_unpack unpack;
    struct slice value;
    int ret = store_get(txn, TABLE_VERDICTS, slice_make((const char *)command->id, 32), &value);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    store_unpack_version(&unpack, VERDICT_FORM);
    decoded.status = (int32_t)store_unpack_u32(&unpack);
    decoded.sequence = store_unpack_u64(&unpack);
    decoded.count = store_unpack_u32(&unpack);
    store_unpack_bytes(&unpack, body_hash, sizeof(body_hash));
    ret = store_unpack_done(&unpack);
    if (ret)
        return ret;
    if (memcmp(body_hash, command->body_hash, sizeof(body_hash)) != 0)
        decoded = (struct store_verdict){.status = STATUS_MISMATCH};
    *verdict = decoded;
    return 0;
}

int store_verdict_find(struct store_reader *reader, const struct store_command *command,
                       struct store_verdict *verdict)
{
    return store_verdict_get(&reader->txn, command, verdict);
}

struct oldest {
    struct table_key key;
    uint64_t time_ms;
    uint8_t id[32];
    bool found;
};

static int oldest_visit(struct slice key, struct slice value, void *arg)
{
    struct oldest *oldest = arg;
    (void)value;
    int ret = table_key_to_age(key, &oldest->time_ms, oldest->id);
    oldest->found = ret == 0;
    return ret ? ret : 1;
}

/* Drops the oldest verdict if its time is over. */
static int verdict_trim(const struct store_txn *txn, uint64_t time_ms)
{
    struct oldest oldest = {.found = false};
    int ret = store_scan(txn, TABLE_VERDICT_AGES, SLICE(""), oldest_visit, &oldest);
    if (ret || !oldest.found || time_ms - oldest.time_ms < STORE_VERDICT_KEEP_MS)
        return ret;
    table_key_age(&oldest.key, oldest.time_ms, oldest.id);
    ret = store_del(txn, TABLE_VERDICT_AGES, table_key_bytes(&oldest.key));
    return ret ? ret : store_del(txn, TABLE_VERDICTS, slice_make((const char *)oldest.id, 32));
}

int store_verdict_put(const struct store_txn *txn, const struct store_command *command,
                      uint64_t time_ms, const struct store_verdict *verdict)
{
    char buffer[VERDICT_SIZE_MAX];
    struct store_pack pack;
    struct table_key age;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_pack_u8(&pack, VERDICT_FORM);
    store_pack_u32(&pack, (uint32_t)verdict->status);
    store_pack_u64(&pack, verdict->sequence);
    store_pack_u32(&pack, verdict->count);
    store_pack_bytes(&pack, command->body_hash, sizeof(command->body_hash));
    int ret = store_pack_done(&pack, &bytes);
    for (int i = 0; ret == 0 && i < VERDICT_TRIM_COUNT; i++)
        ret = verdict_trim(txn, time_ms);
    if (ret == 0)
        ret = store_put(txn, TABLE_VERDICTS, slice_make((const char *)command->id, 32), bytes);
    if (ret)
        return ret;
    table_key_age(&age, time_ms, command->id);
    return store_put(txn, TABLE_VERDICT_AGES, table_key_bytes(&age), SLICE(""));
}
