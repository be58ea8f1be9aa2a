/* Hops that failed lately, so that others are tried before them. A hop that failed is avoided for a
 * while; then the next request for which it comes up tests it, while all others go on avoiding it;
 * if that works it is as before, if not it is avoided for longer. Avoided never means refused:
 * where nothing else is left it is tried.
 *
 * Bounded: when there are too many, the one goes that failed longest ago. Knows no clock. Not
 * thread-safe. */
#ifndef JUNCTOR_RESOLVER_AVOID_H
#define JUNCTOR_RESOLVER_AVOID_H

#include "resolver/resolver.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESOLVER_AVOID_MAX      1024   /* hops */
#define RESOLVER_AVOID_MS       10000  /* after the first failure; doubled by each that follows */
#define RESOLVER_AVOID_LONG_MS  160000 /* at most */
#define RESOLVER_AVOID_TEST_MS  15000  /* a test that has not ended by then is made again */
#define RESOLVER_AVOID_STALE_MS 600000 /* nobody wanted it for so long: it is as before */

struct resolver_avoid;

/* NULL without memory. */
struct resolver_avoid *resolver_avoid_alloc(void);
/* Accepts NULL. Returns NULL. */
struct resolver_avoid *resolver_avoid_free(struct resolver_avoid *avoid);
size_t resolver_avoid_count(const struct resolver_avoid *avoid);

/* What identifies a hop: its transport and address; over TLS also the domain that must be proven
 * there, for a far side that cannot prove one may well prove another. */
struct resolver_avoid_key {
    const struct netaddr *addr;
    uint8_t transport;
    const char *domain;
};

/* Is it to be avoided now? false for one that is due for its test: the caller makes it. */
bool resolver_avoid_is(struct resolver_avoid *avoid, const struct resolver_avoid_key *key,
                       uint64_t now_ms);
/* Returns whether that is news: it was not avoided, or this was its test. */
bool resolver_avoid_failed(struct resolver_avoid *avoid, const struct resolver_avoid_key *key,
                           uint64_t now_ms);
void resolver_avoid_worked(struct resolver_avoid *avoid, const struct resolver_avoid_key *key);

#endif
