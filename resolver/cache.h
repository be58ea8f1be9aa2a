/* Answers by (name, type), kept as long as their TTL allows. Bounded: when it is full the answer
 * that was used least recently goes. Knows no clock: the caller passes the time. Not thread-safe.
 */
#ifndef JUNCTOR_RESOLVER_CACHE_H
#define JUNCTOR_RESOLVER_CACHE_H

#include "resolver/record.h"

#include <stddef.h>
#include <stdint.h>

#define RESOLVER_TTL_MIN_S      1     /* one call never asks the same thing twice */
#define RESOLVER_TTL_MAX_S      86400 /* a mistyped TTL heals within a day */
#define RESOLVER_TTL_NEGATIVE_S 3600  /* RFC 2308 section 5 advises one to three hours */

struct resolver_cache;

/* At most `max` answers. NULL without memory. */
struct resolver_cache *resolver_cache_alloc(size_t max);
/* Accepts NULL. Returns NULL. */
struct resolver_cache *resolver_cache_free(struct resolver_cache *cache);
size_t resolver_cache_count(const struct resolver_cache *cache);

/* The fresh answer with the seconds it still has, or NULL. The set is the cache's: take a reference
 * to keep it beyond the next put. */
struct resolver_set *resolver_cache_get(struct resolver_cache *cache, const char *name,
                                        enum resolver_type type, uint64_t now_ms, uint32_t *ttl_s);

/* Keeps the set (one more reference) in place of an older one; silently does not where memory is
 * out, for a cache may forget. */
void resolver_cache_put(struct resolver_cache *cache, const char *name, struct resolver_set *set,
                        uint64_t now_ms);

#endif
