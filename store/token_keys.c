#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/table_key.h"

#define TOKEN_KEY_FORM     1
#define TOKEN_KEY_SIZE_MAX (1 + STORE_KEY_LEN + 16)

static int token_key_decode(uint32_t id, struct slice bytes, struct store_key *key)
{
    struct store_key decoded = {.id = id};
    struct store_unpack unpack;
    store_unpack_init(&unpack, bytes);
    store_unpack_version(&unpack, TOKEN_KEY_FORM);
    store_unpack_bytes(&unpack, decoded.secret, sizeof(decoded.secret));
    decoded.created_ms = store_unpack_u64(&unpack);
    decoded.retired_ms = store_unpack_u64(&unpack);
    int ret = store_unpack_done(&unpack);
    if (ret == 0)
        *key = decoded;
    return ret;
}

int store_token_key_last(const struct store_txn *txn, struct store_key *key)
{
    struct slice name, value;
    uint32_t id;
    int ret = store_last(txn, TABLE_TOKEN_KEYS, &name, &value);
    if (ret == 0)
        ret = table_key_to_u32(name, &id);
    return ret ? ret : token_key_decode(id, value, key);
}

int store_token_key_write(const struct store_txn *txn, const struct store_key *key)
{
    char buffer[TOKEN_KEY_SIZE_MAX];
    struct table_key name;
    struct store_pack pack;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_pack_u8(&pack, TOKEN_KEY_FORM);
    store_pack_bytes(&pack, key->secret, sizeof(key->secret));
    store_pack_u64(&pack, key->created_ms);
    store_pack_u64(&pack, key->retired_ms);
    int ret = store_pack_done(&pack, &bytes);
    if (ret)
        return ret;
    table_key_u32(&name, key->id);
    return store_put(txn, TABLE_TOKEN_KEYS, table_key_bytes(&name), bytes);
}

int store_key_current(struct store_reader *reader, struct store_key *key)
{
    return store_token_key_last(&reader->txn, key);
}

int store_key_get(struct store_reader *reader, uint32_t id, struct store_key *key)
{
    struct table_key name;
    struct slice value;
    table_key_u32(&name, id);
    int ret = store_get(&reader->txn, TABLE_TOKEN_KEYS, table_key_bytes(&name), &value);
    return ret ? ret : token_key_decode(id, value, key);
}
