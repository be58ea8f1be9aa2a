/* What protects an address from being ported: freeze, the bond of its auth code, recovery keys. */
#include "base/status.h"
#include "store/internal.h"
#include "store/table_key.h"

#define GUARD_FORM     1
#define GUARD_SIZE_MAX (64 + STORE_DOMAIN_MAX + 2 * STORE_HASH_LEN)

#define FLAG_FROZEN   1u
#define FLAG_KEY      2u
#define FLAG_NEXT_KEY 4u
#define FLAG_ALL      7u

/* ---- the record; the address is the key. Recovery keys are public ones, and no secrets ---- */

void store_guard_pack(struct store_pack *pack, const struct store_guard *guard)
{
    store_pack_u8(pack, GUARD_FORM);
    store_pack_u8(pack,
                  (uint8_t)((guard->frozen ? FLAG_FROZEN : 0) | (guard->has_key ? FLAG_KEY : 0) |
                            (guard->has_next_key ? FLAG_NEXT_KEY : 0)));
    store_pack_number(pack, guard->frozen_until_ms);
    store_pack_string(pack, guard->code_for);
    if (guard->has_key)
        store_pack_bytes(pack, guard->key, STORE_HASH_LEN);
    if (guard->has_next_key) {
        store_pack_bytes(pack, guard->next_key, STORE_HASH_LEN);
        store_pack_number(pack, guard->next_key_ms);
    }
    store_pack_number(pack, guard->version);
    store_pack_number(pack, guard->created_ms);
}

void store_guard_unpack(struct store_unpack *unpack, struct store_guard *guard)
{
    store_unpack_version(unpack, GUARD_FORM);
    unsigned flags = store_unpack_u8(unpack);
    if (flags > FLAG_ALL)
        unpack->failed = true;
    guard->frozen = flags & FLAG_FROZEN;
    guard->has_key = flags & FLAG_KEY;
    guard->has_next_key = flags & FLAG_NEXT_KEY;
    guard->frozen_until_ms = store_unpack_number(unpack);
    store_unpack_string(unpack, guard->code_for, sizeof(guard->code_for));
    if (guard->has_key)
        store_unpack_bytes(unpack, guard->key, STORE_HASH_LEN);
    if (guard->has_next_key) {
        store_unpack_bytes(unpack, guard->next_key, STORE_HASH_LEN);
        guard->next_key_ms = store_unpack_number(unpack);
    }
    guard->version = store_unpack_number(unpack);
    guard->created_ms = store_unpack_number(unpack);
}

int store_guard_read(const struct store_txn *txn, const struct store_address *address,
                     struct store_guard *guard)
{
    struct store_guard decoded = {.address = *address};
    struct store_unpack unpack;
    struct table_key key;
    struct slice value;
    int ret = table_key_address(&key, address);
    if (ret == 0)
        ret = store_get(txn, TABLE_GUARDS, table_key_bytes(&key), &value);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    store_guard_unpack(&unpack, &decoded);
    ret = store_unpack_done(&unpack);
    if (ret == 0)
        *guard = decoded;
    return ret;
}

int store_guard_write(const struct store_txn *txn, const struct store_guard *guard)
{
    char buffer[GUARD_SIZE_MAX];
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_guard_pack(&pack, guard);
    int ret = table_key_address(&key, &guard->address);
    if (ret == 0)
        ret = store_pack_done(&pack, &bytes);
    return ret ? ret : store_put(txn, TABLE_GUARDS, table_key_bytes(&key), bytes);
}

int store_guard_remove(const struct store_txn *txn, const struct store_address *address)
{
    struct table_key key;
    int ret = table_key_address(&key, address);
    return ret ? ret : store_del(txn, TABLE_GUARDS, table_key_bytes(&key));
}

int store_guard_check(const struct store_guard *guard)
{
    if (store_address_check(&guard->address) ||
        (guard->code_for[0] && store_name_check(guard->code_for)) ||
        (guard->has_next_key && guard->next_key_ms == 0))
        return STATUS_MALFORMED;
    return 0;
}

/* ---- reading ---- */

int store_guard_get(struct store_reader *reader, const struct store_address *address,
                    struct store_guard *guard)
{
    return store_guard_read(&reader->txn, address, guard);
}

bool store_guard_key(const struct store_guard *guard, uint64_t now_ms, uint8_t key[STORE_HASH_LEN])
{
    bool is_next = guard->has_next_key && guard->next_key_ms <= now_ms;
    if (!is_next && !guard->has_key)
        return false;
    memcpy(key, is_next ? guard->next_key : guard->key, STORE_HASH_LEN);
    return true;
}
