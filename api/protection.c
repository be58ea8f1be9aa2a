#include "api/protection.h"

#include "api/internal.h"

#include <openssl/crypto.h>
#include <string.h>

bool api_code_is_good(const struct store_record *record, const struct store_guard *guard,
                      struct slice code, uint64_t now_ms)
{
    uint8_t hash[STORE_HASH_LEN];
    return record->has_auth && record->auth_until_ms > now_ms && !guard->code_for[0] &&
           api_token_hash(code, hash) == 0 &&
           CRYPTO_memcmp(hash, record->auth_hash, sizeof(hash)) == 0;
}

static void key_set(struct store_guard *guard, const uint8_t key[STORE_HASH_LEN], uint64_t now_ms,
                    uint64_t delay_ms)
{
    guard->has_key = store_guard_key(guard, now_ms, guard->key);
    if (!guard->has_key)
        memset(guard->key, 0, sizeof(guard->key));
    guard->has_next_key = true;
    memcpy(guard->next_key, key, STORE_HASH_LEN);
    guard->next_key_ms = now_ms + delay_ms;
}

void api_key_order_fill(struct api_key_order *order, const struct store_record *record,
                        const struct store_guard *guard, const uint8_t key[STORE_HASH_LEN],
                        uint64_t now_ms, uint64_t delay_ms)
{
    order->use.op = STORE_GUARD_CODE;
    order->use.expected_version = record->version;
    order->use.guard = (struct store_guard){.address = record->address};
    order->put.op = STORE_GUARD_PUT;
    order->put.expected_version = guard->version;
    order->put.guard = *guard;
    order->put.guard.address = record->address;
    key_set(&order->put.guard, key, now_ms, delay_ms);
}

bool api_key_is_new(const struct store_guard *guard, uint64_t now_ms)
{
    return guard->has_next_key && guard->next_key_ms > now_ms;
}

void api_key_take_back(struct store_guard *guard)
{
    guard->has_next_key = false;
    guard->next_key_ms = 0;
    memset(guard->next_key, 0, sizeof(guard->next_key));
}
