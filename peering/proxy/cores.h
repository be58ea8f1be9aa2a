/* The cores as one worker knows them (private to peering/).
 *
 * Each worker keeps a list of the distinct next hops of all hosted domains' cores (a place each),
 * read again when a domain has changed, and where their names lead, found by the worker's own
 * resolver. So a source is known as a core at the cost of a search, by address or by name.
 *
 * Worker 0 also asks every hop OPTIONS once in a while (core_check.c). A hop that failed twice is
 * down until it answers: it stands on the board that all workers see, and searches pass it over.
 * With nothing else left it is still tried. */
#ifndef JUNCTOR_PEERING_PROXY_CORES_H
#define JUNCTOR_PEERING_PROXY_CORES_H

#include "base/list.h"
#include "base/table.h"
#include "peering/proxy/board.h"
#include "peering/proxy/proxy.h"

#define CORES_MAX        4096  /* next hops of all cores of all hosted domains */
#define CORES_IPS_MAX    16384 /* their IP addresses */
#define CORES_REFRESH_MS 1000  /* a change of the directory is seen after at most this */
#define CORES_TICK_MS    250   /* how often is looked what is due */
#define CORES_STARTS_MAX 64    /* lookups, and checks, begun at once */
#define CORES_LOCATE_MS  10000 /* where a name leads is asked anew; the cache honours its TTL */
#define CORES_FAILURES   2     /* in a row: then it is down */

/* A next hop as configured, once for all domains that have it; over TLS, or where DNS may say TLS,
 * once for each domain, for that is what must be proven. */
struct core_place {
    struct table_link hashed;
    struct list link;
    struct cores *cores;
    char domain[STORE_DOMAIN_MAX + 1];
    struct store_core core;
    unsigned domains; /* that have it */
    bool is_ip;       /* its host is `ip` */
    struct netaddr ip;
    struct resolver_location *location; /* a lookup under way */
    uint64_t due_ms;                    /* the next lookup */
    char why[CORE_WHY_MAX];             /* its name leads nowhere */
    struct list hops;
    unsigned hop_count;
};

struct core_check;

struct core_hop {
    struct list link;
    struct core_place *place;
    struct resolver_hop hop;
    bool seen; /* in the answer that is being taken in */
    enum core_state state;
    uint64_t since_ms; /* Unix time */
    unsigned failures; /* in a row */
    unsigned status;
    char why[CORE_WHY_MAX];
    uint64_t due_ms;          /* the next check */
    struct core_check *check; /* NULL: none is under way */
};

struct cores {
    struct proxy *proxy;
    struct board *board;
    unsigned check_ms; /* between two checks of a hop; 0: this worker asks nobody */
    struct table *places;
    struct list list;   /* the same, in the order they were met */
    struct list checks; /* those under way, and those that are told and about to end */
    struct timer tick;
    bool read; /* the directory was */
    uint64_t domains_version;
    unsigned homeless; /* next hops that found all of CORES_MAX taken; it counts each domain's */
    bool homeless_told;
    char homeless_domain[STORE_DOMAIN_MAX + 1]; /* the first one of them */
    uint64_t read_ms, stranger_ms; /* looked at it in a tick, and for the sake of a stranger */
    uint32_t restored;             /* of the board, as far as this worker has acted on it */
    struct netaddr *ips;
    size_t ip_count;
    bool ips_stale;
};

/* ---- cores.c, besides what proxy.h has for the worker ---- */

/* Ends lookups and checks. Harmless where it was not started. */
void cores_stop(struct proxy *proxy);

/* Is this IP address one of a core's? Reads the directory anew where that is due. */
bool cores_have_ip(struct proxy *proxy, const struct netaddr *peer);
/* The same of one domain's core, as far as names have been looked up. */
bool cores_domain_has_ip(const struct proxy *proxy, const struct store_domain *domain,
                         const struct netaddr *peer);

/* ---- core_check.c ---- */

/* Asks the hop OPTIONS. What comes of it is told to core_checked once: at once where it cannot be
 * asked at all. `wait_ms`: then it has failed. */
void core_check_start(struct core_hop *hop, unsigned wait_ms);
/* Nothing will be told any more. */
void core_check_stop(struct core_check *check);
/* All of them, told or not. */
void core_checks_stop(struct cores *cores);
/* status    of its final answer; 0: none came, `why` says why */
void core_checked(struct core_hop *hop, unsigned status, const char *why);

#endif
