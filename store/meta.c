#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"

#define KEY_SCHEMA   SLICE("schema")
#define KEY_POSITION SLICE("position")
#define KEY_DOMAINS  SLICE("domains")

int store_schema_get(const struct store_txn *txn, uint32_t *version)
{
    struct store_unpack unpack;
    struct slice value;
    int ret = store_get(txn, TABLE_META, KEY_SCHEMA, &value);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    uint32_t number = store_unpack_u32(&unpack);
    ret = store_unpack_done(&unpack);
    if (ret == 0)
        *version = number;
    return ret;
}

int store_schema_put(const struct store_txn *txn, uint32_t version)
{
    char buffer[4];
    struct store_pack pack;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_pack_u32(&pack, version);
    return store_put(txn, TABLE_META, KEY_SCHEMA, slice_make(buffer, pack.len));
}

int store_position_get(const struct store_txn *txn, struct store_position *position)
{
    struct store_position read = {0};
    struct store_unpack unpack;
    struct slice value;
    int ret = store_get(txn, TABLE_META, KEY_POSITION, &value);
    if (ret == STATUS_NOTFOUND) {
        *position = read;
        return 0;
    }
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    read.index = store_unpack_u64(&unpack);
    read.sequence = store_unpack_u64(&unpack);
    read.time_ms = store_unpack_u64(&unpack);
    ret = store_unpack_done(&unpack);
    if (ret == 0)
        *position = read;
    return ret;
}

int store_position_put(const struct store_txn *txn, const struct store_position *position)
{
    char buffer[24];
    struct store_pack pack;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_pack_u64(&pack, position->index);
    store_pack_u64(&pack, position->sequence);
    store_pack_u64(&pack, position->time_ms);
    return store_put(txn, TABLE_META, KEY_POSITION, slice_make(buffer, pack.len));
}

int store_domains_version_read(const struct store_txn *txn, uint64_t *version)
{
    struct store_unpack unpack;
    struct slice value;
    uint64_t read = 0;
    int ret = store_get(txn, TABLE_META, KEY_DOMAINS, &value);
    if (ret == 0) {
        store_unpack_init(&unpack, value);
        read = store_unpack_u64(&unpack);
        ret = store_unpack_done(&unpack);
    }
    if (ret && ret != STATUS_NOTFOUND)
        return ret;
    *version = read;
    return 0;
}

int store_domains_version_raise(const struct store_txn *txn)
{
    char buffer[8];
    struct store_pack pack;
    uint64_t version;
    int ret = store_domains_version_read(txn, &version);
    if (ret)
        return ret;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_pack_u64(&pack, version + 1);
    return store_put(txn, TABLE_META, KEY_DOMAINS, slice_make(buffer, pack.len));
}
