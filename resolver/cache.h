/* Answers by (name, type), kept as long as their TTL allows, and those that may route a call beyond
 * it for use when nobody can be asked (RFC 8767). Bounded: when it is full the answer that was used
 * least recently goes. Knows no clock: the caller passes the time. Not thread-safe. */
#ifndef JUNCTOR_RESOLVER_CACHE_H
#define JUNCTOR_RESOLVER_CACHE_H

#include "resolver/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESOLVER_TTL_NEGATIVE_S 3600  /* RFC 2308 section 5 advises one to three hours */
#define RESOLVER_POPULAR        3     /* uses after which an answer is renewed before it ends */
#define RESOLVER_RENEW_PART     10    /* in the last tenth of its time */
#define RESOLVER_RECHECK_MS     10000 /* after a failure an answer is not renewed for so long */
#define RESOLVER_STALE_TTL_S    5     /* what a stale answer may be kept elsewhere */
#define RESOLVER_ANSWER_OCTETS  1024  /* most answers take less; few may take very much more */
#define RESOLVER_PURGES_MAX     32    /* purges remembered; one more, and older answers go all */

struct resolver_cache_conf {
    size_t max;         /* answers, and RESOLVER_ANSWER_OCTETS of memory for each */
    uint32_t ttl_min_s; /* a shorter TTL counts as this; 0: TTL 0 is not kept at all, as an absence
                           without TTL never is */
    uint32_t ttl_max_s; /* a longer one as this */
    uint32_t stale_s;   /* SRV, A and AAAA records are kept so long beyond their TTL */
};

struct resolver_cached {
    struct resolver_set *set; /* the cache's: take a reference to keep it beyond the next put */
    uint32_t ttl_s;           /* that it still has */
    uint32_t proves_s; /* what is left of the TTL that it came with: no floor stretches that */
    bool stale;        /* its TTL is over */
    uint64_t ends_ms;  /* until then it may be used, fresh or stale */
    bool failed;       /* since it came, the question was asked in vain */
    bool recheck; /* ask for it anew: it is popular and about to end, or stale; and the last failure
                     to find out is long enough ago */
};

struct resolver_cache;

/* NULL without memory. */
struct resolver_cache *resolver_cache_alloc(const struct resolver_cache_conf *conf);
/* Accepts NULL. Returns NULL. */
struct resolver_cache *resolver_cache_free(struct resolver_cache *cache);
size_t resolver_cache_count(const struct resolver_cache *cache);
/* Of memory that its answers take. */
size_t resolver_cache_octets(const struct resolver_cache *cache);

/* Is there an answer, fresh or stale? */
bool resolver_cache_get(struct resolver_cache *cache, const char *name, enum resolver_type type,
                        uint64_t now_ms, struct resolver_cached *cached);

/* Keeps the set (one more reference) in place of an older one; silently does not where the name was
 * purged meanwhile, or where memory is out, for a cache may forget. `age` is what
 * resolver_cache_age said when the question was asked. Returns for how many seconds the set may be
 * used, kept or not. */
uint32_t resolver_cache_put(struct resolver_cache *cache, const char *name,
                            struct resolver_set *set, uint64_t age, uint64_t now_ms);

/* The question could not be answered: what is kept of it is not rechecked for a while. */
void resolver_cache_failed(struct resolver_cache *cache, const char *name, enum resolver_type type,
                           uint64_t now_ms);

/* Forgets what is known of a name and of all below it, also what is being asked just now. Costs the
 * same however much is kept. */
void resolver_cache_purge(struct resolver_cache *cache, const char *name);
/* Grows with every purge: an answer to a question asked before a purge may be old. */
uint64_t resolver_cache_age(const struct resolver_cache *cache);
/* Was this name purged, or one above it, since the cache was of that age? */
bool resolver_cache_is_purged(const struct resolver_cache *cache, const char *name, uint64_t age);
/* What is kept of the name was used so often by those who keep it elsewhere. */
void resolver_cache_used(struct resolver_cache *cache, const char *name, unsigned uses);

#endif
