/* What an auth code may do beside a port, wherever it is given: at the address's authority, or to
 * it by the host. Pure: no store, no clock. */
#ifndef JUNCTOR_API_PROTECTION_H
#define JUNCTOR_API_PROTECTION_H

#include "base/slice.h"
#include "store/store.h"

/* Is this the auth code of the address? One for one gaining domain is none for this. `guard` is
 * empty where nothing protects the address. */
bool api_code_is_good(const struct store_record *record, const struct store_guard *guard,
                      struct slice code, uint64_t now_ms);

/* What leaves a recovery key, in this order: the code is gone before the key is there, so of two
 * requests with one code only one goes on. Fills op, expected_version and guard of both. The key
 * before stays in force until the new one is, `delay_ms` from now. */
struct api_key_order {
    struct store_command use, put;
};
void api_key_order_fill(struct api_key_order *order, const struct store_record *record,
                        const struct store_guard *guard, const uint8_t key[STORE_HASH_LEN],
                        uint64_t now_ms, uint64_t delay_ms);

/* Is there a key that does not work yet? That one alone may be taken back: whoever has the account,
 * but no auth code, must not be able to take a key away that works. */
bool api_key_is_new(const struct store_guard *guard, uint64_t now_ms);
void api_key_take_back(struct store_guard *guard);

#endif
