/* How the keys of all tables are made. Keys sort as bytes, so that order is meaning: integers are
 * big-endian, and an address is domain NUL user, which keeps a domain's addresses together. */
#ifndef JUNCTOR_STORE_TABLE_KEY_H
#define JUNCTOR_STORE_TABLE_KEY_H

#include "base/slice.h"
#include "store/store.h"

/* The longest is an address; LMDB's own limit is 511. */
#define TABLE_KEY_MAX (STORE_DOMAIN_MAX + 1 + STORE_USER_MAX)

struct table_key {
    char p[TABLE_KEY_MAX];
    size_t len;
};

static inline struct slice table_key_bytes(const struct table_key *key)
{
    return slice_make(key->p, key->len);
}

/* 0, or STATUS_NOTFOUND for a name that no record can have (empty or too long). */
int table_key_domain(struct table_key *key, const char *domain);
int table_key_address(struct table_key *key, const struct store_address *address);
/* What the keys of all addresses of a domain begin with. */
int table_key_address_prefix(struct table_key *key, const char *domain);

void table_key_u32(struct table_key *key, uint32_t value);
void table_key_u64(struct table_key *key, uint64_t value);
/* Of a verdict in the order of age. */
void table_key_age(struct table_key *key, uint64_t time_ms, const uint8_t id[32]);

/* The reverse. 0 or STATUS_CORRUPT. */
int table_key_to_domain(struct slice key, char domain[STORE_DOMAIN_MAX + 1]);
int table_key_to_address(struct slice key, struct store_address *address);
int table_key_to_u32(struct slice key, uint32_t *value);
int table_key_to_u64(struct slice key, uint64_t *value);
int table_key_to_age(struct slice key, uint64_t *time_ms, uint8_t id[32]);

#endif
