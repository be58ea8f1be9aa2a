/* Intrusive hash table: the caller's objects carry their link.
 *
 * The hash is SipHash-2-4 with a key drawn at random per table, so that nobody outside can aim
 * for one bucket. The table grows by itself, a bucket at a time. Not thread-safe. */
#ifndef JUNCTOR_BASE_TABLE_H
#define JUNCTOR_BASE_TABLE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

struct table_link { /* private; embed in the object */
    struct table_link *next;
    uint64_t hash;
};

/* Does the object that owns `link` have the key `key`? `key` is what table_find got. */
typedef bool table_match_h(const struct table_link *link, const void *key);

/* At most `max` objects at once. NULL without memory. */
struct table *table_alloc(size_t max);
struct table *table_free(struct table *table); /* frees the table only, not the objects */
size_t table_count(const struct table *table);

/* The hash of some bytes under this table's key. */
uint64_t table_hash(const struct table *table, struct slice bytes);
/* Continue a hash with more bytes, for keys of several parts. Where one part ends matters: this is
 * not the hash of the parts written one after the other. */
uint64_t table_hash_more(const struct table *table, uint64_t hash, struct slice bytes);

/* Returns 0, or -ENOMEM where `max` is reached. Does not look for duplicates. */
int table_put(struct table *table, struct table_link *link, uint64_t hash);
struct table_link *table_find(const struct table *table, uint64_t hash, table_match_h *match,
                              const void *key);
/* Harmless where the link was put into this table once but is there no longer. */
void table_remove(struct table *table, struct table_link *link);

/* SipHash-2-4 of `bytes` under a 16-byte key (for hashes that must agree between threads). */
uint64_t siphash(const uint8_t key[16], struct slice bytes);
/* SipHash-2-4 of the eight bytes of `hash`, least significant first, followed by `bytes`. */
uint64_t siphash_after(const uint8_t key[16], uint64_t hash, struct slice bytes);

#endif
