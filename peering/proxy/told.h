/* What authorities told this worker about single addresses: who serves them (design 3.3 and 3.4).
 *
 * A redirect that was followed and the answer to a probe are the same knowledge: it leads the next
 * call, and it judges the next caller. Bounded: when the table is full, what was told the longest
 * time ago goes. All memory is taken at the start. Knows no clock, the caller passes milliseconds
 * of a monotonic one. Not thread-safe. */
#ifndef JUNCTOR_PEERING_PROXY_TOLD_H
#define JUNCTOR_PEERING_PROXY_TOLD_H

#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOLD_MAX       8192 /* addresses remembered by each worker: about 5 MiB once all are used */
#define TOLD_DEFAULT_S 300  /* a redirect without `expires`, and an answer that has no such time */
#define TOLD_LONGEST_S 3600 /* whatever `expires` says */
#define TOLD_UNKNOWN_S 30   /* that an authority could not be asked */

struct told {
    char host[STORE_DOMAIN_MAX + 1]; /* the domain that serves it; "": its own, it is not ported */
    bool unknown;                    /* the authority gave no answer that says so */
};

/* What one worker has to tell the others. */
struct told_news {
    struct store_address address;
    struct told told;
    unsigned for_s; /* 0: what was told of it is to be forgotten */
};

struct told_table;

/* NULL without memory. */
struct told_table *told_alloc(size_t max);
struct told_table *told_free(struct told_table *table); /* accepts NULL */

/* What was told of this address and still holds; *age_ms: how long ago. Returns whether there is
 * anything. */
bool told_get(const struct told_table *table, const struct store_address *address, uint64_t now_ms,
              struct told *told, uint64_t *age_ms);
/* Remembers it for so many seconds in place of what was known. */
void told_put(struct told_table *table, const struct store_address *address,
              const struct told *told, unsigned for_s, uint64_t now_ms);
void told_forget(struct told_table *table, const struct store_address *address);

/* The authority was asked because this peer claimed the address, and the peer was refused on its
 * answer. Of an address the last such peer is remembered, while anything is told of it. */
void told_refused_put(struct told_table *table, const struct store_address *address,
                      const char *peer, uint64_t now_ms);
/* Was it so within the last `within_ms`? */
bool told_refused_get(const struct told_table *table, const struct store_address *address,
                      const char *peer, uint64_t now_ms, uint64_t within_ms);

#endif
