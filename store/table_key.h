/* How the keys of all tables are made. Keys sort as bytes, so that order is meaning: integers are
 * big-endian, and an address is domain NUL user, which keeps a domain's addresses together. */
#ifndef JUNCTOR_STORE_TABLE_KEY_H
#define JUNCTOR_STORE_TABLE_KEY_H

#include "base/slice.h"
#include "store/store.h"

/* The longest is an address with its owner; LMDB's own limit is 511. */
#define TABLE_KEY_MAX (STORE_OWNER_MAX + 1 + STORE_DOMAIN_MAX + 1 + STORE_USER_MAX)

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

/* Owner NUL, and domain NUL and user behind it. */
int table_key_owner_prefix(struct table_key *key, const char *owner);
int table_key_owner_domain(struct table_key *key, const char *owner, const char *domain);
int table_key_owner(struct table_key *key, const char *owner, const struct store_address *address);
/* The same where the address's own key is there. */
int table_key_owner_under(struct table_key *key, struct slice owner, struct slice address);
/* Domain NUL, and digits behind it. */
int table_key_domain_number(struct table_key *key, const char *domain, const char *digits);
/* Of what is due at a time: time, one letter for the kind of record, the record's own key. */
int table_key_deadline(struct table_key *key, uint64_t time_ms, char kind, struct slice record);

void table_key_u32(struct table_key *key, uint32_t value);
void table_key_u64(struct table_key *key, uint64_t value);
/* Of a verdict in the order of age. */
void table_key_age(struct table_key *key, uint64_t time_ms, const uint8_t id[32]);
/* A text of 1 to `max` octets, at most TABLE_KEY_MAX: digits, id of a token, name of a cursor. 0 or
 * STATUS_NOTFOUND. */
int table_key_text(struct table_key *key, const char *text, size_t max);
/* Of sums between a node and a peer: period, node NUL peer. 0 or STATUS_NOTFOUND. */
int table_key_usage(struct table_key *key, const struct store_usage *usage);

/* Of a port: role and id, always of this length. 0 or STATUS_NOTFOUND. */
#define TABLE_KEY_PORT_LEN (1 + STORE_PORT_ID_LEN)
int table_key_port(struct table_key *key, enum store_port_role role, const char *id);
/* The same behind its address and NUL, and what those of one address begin with. */
int table_key_address_port(struct table_key *key, const struct store_port *port);
int table_key_address_port_prefix(struct table_key *key, const struct store_address *address);

/* The reverse. 0 or STATUS_CORRUPT. */
int table_key_to_domain(struct slice key, char domain[STORE_DOMAIN_MAX + 1]);
int table_key_to_address(struct slice key, struct store_address *address);
int table_key_to_owner_address(struct slice key, struct store_address *address);
int table_key_to_domain_number(struct slice key, char digits[STORE_NUMBER_MAX + 1]);
int table_key_to_deadline(struct slice key, uint64_t *time_ms, char *kind, struct slice *record);
int table_key_to_u32(struct slice key, uint32_t *value);
int table_key_to_u64(struct slice key, uint64_t *value);
int table_key_to_age(struct slice key, uint64_t *time_ms, uint8_t id[32]);
/* Into a terminated string of `size` bytes. */
int table_key_to_text(struct slice key, char *text, size_t size);
int table_key_to_port(struct slice key, enum store_port_role *role, char id[STORE_PORT_ID_LEN + 1]);
/* Fills period, node and peer. */
int table_key_to_usage(struct slice key, struct store_usage *usage);

#endif
