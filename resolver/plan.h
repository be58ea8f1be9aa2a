/* Plans: what DNS says about a target, put together so that a call finds its first hop without a
 * question. A plan is one immutable piece of memory with the hosts of the SRV records by rank, each
 * with its addresses; plans are kept by target as long as the shortest TTL of their parts. Bounded:
 * when there are too many, one goes that was not used lately. Knows no clock. Not thread-safe. */
#ifndef JUNCTOR_RESOLVER_PLAN_H
#define JUNCTOR_RESOLVER_PLAN_H

#include "base/list.h"
#include "base/netaddr.h"
#include "base/table.h"
#include "resolver/resolver.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESOLVER_PLAN_MAX_S     3600 /* then its parts are looked at again, whatever their TTL */
#define RESOLVER_PLAN_PARTIAL_S 5    /* of a plan that lacks what could not be found out */

/* A host whose addresses are hops. */
struct resolver_plan_host {
    uint16_t weight;
    uint16_t name;    /* offset in the plan's text */
    uint16_t first;   /* of its addresses */
    uint8_t count;    /* 1..RESOLVER_MAX_HOPS */
    uint8_t rank_end; /* the index behind the last host of its rank */
    uint8_t transport;
    uint8_t path; /* of enum resolver_path, while the plan is fresh */
};

/* Reference counted. One of the references is the cache's while the plan is in it. */
struct resolver_plan {
    struct table_link hashed;
    struct list ring; /* of the cache; in the order in which they are looked at for dropping */
    uint64_t renew_ms, expires_ms, ends_ms; /* about to end, fresh until, stale until */
    uint64_t age;                           /* purges that it has outlived */
    unsigned refs;
    unsigned uses;
    bool renewing; /* its successor is being made */
    bool stale;    /* at hand again because nobody answers */
    uint16_t port;
    uint8_t profile, transport;
    bool recent; /* used since it was looked at */
    uint8_t host_count;
    uint16_t addr_count;
    uint16_t text_len;
    const struct netaddr *addrs;
    const char *text; /* the target's host, the names asked, those of hosts, also of hosts that are
                         left out: each with its end */
    struct resolver_plan_host hosts[];
};

/* What a plan is made of. Hosts come by rank; within a rank those of weight 0 first (RFC 2782). */
struct resolver_plan_part {
    const char *host;
    uint16_t weight;
    uint8_t transport;
    uint8_t path;
    unsigned rank;
    const struct netaddr *addrs; /* in the order they are tried (RFC 8305), with port */
    size_t addr_count;           /* 0: the host is left out */
};

/* With one reference. `names[0..name_count)`: what was asked besides the target's host and those of
 * the parts. At most RESOLVER_MAX_TARGETS parts. NULL without memory, or where no part has an
 * address. */
struct resolver_plan *resolver_plan_make(const struct resolver_target *target,
                                         const struct resolver_plan_part *parts, size_t part_count,
                                         const char *const *names, size_t name_count);
/* The plan of a target whose host is an IP address, with one reference; NULL where it is a name, or
 * without memory. */
struct resolver_plan *resolver_plan_literal(const struct resolver_target *target);
struct resolver_plan *resolver_plan_ref(struct resolver_plan *plan);
/* Accepts NULL. Returns NULL. */
struct resolver_plan *resolver_plan_unref(struct resolver_plan *plan);

struct resolver_plans;

/* At most `max` plans. NULL without memory. */
struct resolver_plans *resolver_plans_alloc(size_t max);
/* Accepts NULL. Returns NULL. */
struct resolver_plans *resolver_plans_free(struct resolver_plans *plans);
size_t resolver_plans_count(const struct resolver_plans *plans);

/* The plan, fresh or stale, borrowed; or NULL. The target's host must be in lower case to be found.
 */
struct resolver_plan *resolver_plans_find(struct resolver_plans *plans,
                                          const struct resolver_target *target, uint64_t now_ms);
/* Keeps the plan (one more reference) until its end, in place of an older one of its target;
 * silently does not where memory is out, for a cache may forget. */
void resolver_plans_keep(struct resolver_plans *plans, struct resolver_plan *plan);
/* Drops a plan that was found. */
void resolver_plans_drop(struct resolver_plans *plans, struct resolver_plan *plan);

#endif
