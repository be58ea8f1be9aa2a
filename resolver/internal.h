/* What the files of this folder share: the resolver itself and its questions.
 *
 * A search for an address: find.c takes it from the directory over numbers (enum.c) to what domains
 * publish (sipaddr.c), one question after the other.
 *
 * A lookup's way: locate.c takes it from step to step (NAPTR, SRV, addresses); each step is a
 * handful of questions; ask.c answers them from the cache, question.c asks the upstreams in turn,
 * once for all who wait; upstream.c is one such attempt. order.c and service.c decide, explain.c
 * tells. What comes of it is a plan (plan.c), in which each request makes its own search
 * (search.c), past what failed lately (avoid.c). */
#ifndef JUNCTOR_RESOLVER_INTERNAL_H
#define JUNCTOR_RESOLVER_INTERNAL_H

#include "base/list.h"
#include "base/netaddr.h"
#include "base/timers.h"
#include "resolver/avoid.h"
#include "resolver/cache.h"
#include "resolver/packet.h"
#include "resolver/plan.h"
#include "resolver/record.h"
#include "resolver/resolver.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define RESOLVER_ROUNDS        2     /* times that a silent upstream is asked one question */
#define RESOLVER_SILENT_MAX    3     /* timeouts in a row after which an upstream counts as down */
#define RESOLVER_DOWN_MS       10000 /* and is asked last, but by one question in so long */
#define RESOLVER_ENTROPY_AHEAD 7     /* what the kernel gives in one piece, 256 octets */
#define RESOLVER_SETTLE_MS     300   /* with the first target known, wait so long for the others */
#define RESOLVER_LOCATIONS_MAX 4096  /* lookups under way at once */
#define RESOLVER_FINDINGS_MAX  4096  /* searches under way at once */
#define RESOLVER_SPARES_MAX    64    /* ended ones of each that are kept for the next */

struct table;
struct resolver_net;

/* Owned by whoever called resolver_alloc; freed in the close callback of `tick`. */
struct resolver {
    uv_loop_t *loop;
    uint64_t ahead_ms;     /* of the loop's clock: how a test lets time pass */
    uv_timer_t tick;       /* due when the first of `timers` is */
    struct timers *timers; /* one per question and per location */
    struct resolver_conf conf;
    struct resolver_net *net;
    struct resolver_cache *cache;
    struct resolver_entropy entropy[RESOLVER_ENTROPY_AHEAD]; /* for the next questions */
    size_t entropy_left;
    struct resolver_plans *plans;
    struct resolver_avoid *avoid;
    resolver_down_h *is_down; /* NULL: nothing is known to be down */
    void *down_arg;
    uint64_t lottery; /* state of the draws among hosts of one rank */
    struct table *questions;
    struct list asked; /* the questions again, oldest first */
    struct list
        unlisted; /* those that others do not join any more: purged, or about to be dropped */
    struct list locations;
    struct list spare; /* ended locations */
    size_t location_count, spare_count;
    struct list findings;
    struct list spare_findings; /* ended searches */
    size_t finding_count, spare_finding_count;
    struct list keys_asked;
    size_t keys_count, keys_strangers;
    struct {
        unsigned silent; /* timeouts and refused packets since its last answer */
        uint64_t down_until_ms;
    } upstreams[RESOLVER_MAX_UPSTREAMS];
    struct resolver_stats stats; /* but for the gauges, which are counted elsewhere */
    bool closing;
};

uint64_t resolver_now_ms(const struct resolver *resolver);
/* Starts or restarts a timer that is due `delay_ms` from now. Returns 0 or -ENOMEM. */
int resolver_timer_start(struct resolver *resolver, struct timer *timer, uint64_t delay_ms,
                         timer_h *handler, void *arg);
/* Fills from the kernel's random source. Returns 0 or -EAGAIN (not seeded yet). */
int resolver_random(void *bytes, size_t size);

/* ---- questions (ask.c) ---- */

struct resolver_question;

/* How a question ended. */
struct resolver_outcome {
    int status;               /* 0, STATUS_NXDOMAIN, STATUS_NODATA: answered, with `set`; else
                                 STATUS_SERVFAIL or -ETIMEDOUT, with `cause` */
    struct resolver_set *set; /* valid during the call: take a reference to keep it */
    uint32_t ttl_s;           /* what is left of it */
    bool validated;           /* the set is, and the TTL that it came with is not over */
    bool cached;
    bool stale;        /* past its TTL, for nobody could be asked: it may lead, and prove nothing */
    uint64_t ends_ms;  /* where it is stale: until then it may lead */
    const char *cause; /* "SERVFAIL", "no answer" ...; lives for ever */
    int io_error;      /* -errno of the socket, or 0 */
    struct netaddr upstream; /* who failed; AF_UNSPEC where it was nobody */
};

typedef void resolver_outcome_h(const struct resolver_outcome *outcome, void *arg);

/* Somebody who waits for a question. Lives in the waiter. */
struct resolver_wait {
    struct list link;
    struct resolver_question *question; /* NULL when it does not wait */
    resolver_outcome_h *handler;
    void *arg;
};

/* Answers from the cache, joins the same question under way, or asks. Calls `handler` exactly
 * once, perhaps from inside, unless resolver_wait_cancel is called first.
 * name    as resolver_name_copy makes it; copied */
void resolver_ask(struct resolver *resolver, const char *name, enum resolver_type type,
                  struct resolver_wait *wait, resolver_outcome_h *handler, void *arg);
/* The same for what proves an identity or a port (TLSA, address records, ENUM): only trusted
 * upstreams are asked, only their answers count, and none is used beyond the TTL that it came with.
 */
void resolver_ask_trusted(struct resolver *resolver, const char *name, enum resolver_type type,
                          struct resolver_wait *wait, resolver_outcome_h *handler, void *arg);
/* A question that nobody waits for is given up. Harmless when it does not wait. */
void resolver_wait_cancel(struct resolver_wait *wait);
/* The answer past its TTL that one who cannot wait any longer may be led by; `set` is borrowed from
 * the cache. Returns whether there is one. */
bool resolver_stale_answer(struct resolver *resolver, const char *name, enum resolver_type type,
                           struct resolver_outcome *outcome);
/* Whom the question was sent to last; AF_UNSPEC when it does not wait. */
struct netaddr resolver_wait_upstream(const struct resolver_wait *wait);
/* Ends every question with STATUS_CANCELLED. */
void resolver_questions_end(struct resolver *resolver);

/* ---- plans (plans.c) ---- */

/* Keeps a plan while it is fresh, and for use where nobody answers until `ends_ms`. Its age is that
 * of the cache when its first question was asked. */
void resolver_plan_keep(struct resolver *resolver, struct resolver_plan *plan, uint64_t until_ms,
                        uint64_t ends_ms);
/* Is there a plan that could do where nobody answers? */
bool resolver_plan_has_stale(struct resolver *resolver, const struct resolver_target *target);
/* That plan, borrowed, which is at hand again for a little while; or NULL. (RFC 8767: it is made of
 * SRV, A and AAAA records, and leads to who must prove himself.) */
struct resolver_plan *resolver_plan_stale(struct resolver *resolver,
                                          const struct resolver_target *target);
/* DNS says that there is no way to this target any more. */
void resolver_plan_forget(struct resolver *resolver, const struct resolver_target *target);

/* ---- locations (location.c) ---- */

/* Ends every lookup with STATUS_CANCELLED. */
void resolver_locations_end(struct resolver *resolver);
/* Frees the memory of lookups that have ended. */
void resolver_locations_free(struct resolver *resolver);

/* ---- keys (tlsa.c) ---- */

/* Ends every question for keys with RESOLVER_KEYS_UNKNOWN. */
void resolver_keys_end(struct resolver *resolver);

/* ---- searches (finding.c) ---- */

/* For searches that may see all of it (lookup.c). */
extern const struct resolver_directory resolver_whole_directory;

/* Ends every search with STATUS_CANCELLED. */
void resolver_findings_end(struct resolver *resolver);
/* Frees the memory of searches that have ended. */
void resolver_findings_free(struct resolver *resolver);

#endif
