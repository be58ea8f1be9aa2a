/* What passed between us and each peer, counted.
 *
 * One struct watch_peers per worker, which alone writes and copies it. Bounded: where there is no
 * room for a peer, the least used of a few gives its place up and is counted among the others;
 * first those that we only failed to reach. */
#ifndef JUNCTOR_PEERING_WATCH_PEERS_H
#define JUNCTOR_PEERING_WATCH_PEERS_H

#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WATCH_PEER_SETS ((size_t)128)
#define WATCH_PEER_WAYS ((size_t)4)
#define WATCH_MAX_PEERS (WATCH_PEER_SETS * WATCH_PEER_WAYS)

/* How a request ended. */
enum watch_result {
    WATCH_ANSWERED,  /* 2xx */
    WATCH_DECLINED,  /* another final answer of the far side */
    WATCH_CANCELLED, /* by the caller */
    WATCH_FAILED,    /* no target answered */
    WATCH_REFUSED,   /* by us, and never sent on */
    WATCH_RESULT_COUNT
};
/* "answered", "declined" ... */
const char *watch_result_text(enum watch_result result);

enum watch_way { WATCH_IN, WATCH_OUT, WATCH_WAY_COUNT }; /* from the peer; to the peer */
const char *watch_way_text(enum watch_way way);          /* "in", "out" */

struct watch_peer {
    char name[STORE_DOMAIN_MAX + 1]; /* "": the place is free */
    uint64_t requests[WATCH_WAY_COUNT][WATCH_RESULT_COUNT];
    uint64_t last_ms;    /* Unix time of the last one */
    uint64_t minute;     /* Unix time in minutes, of the two counts that follow */
    uint64_t this_count; /* requests in that minute, and in the one before */
    uint64_t before_count;
};

struct watch_peers {
    struct watch_peer sets[WATCH_PEER_SETS][WATCH_PEER_WAYS];
    struct watch_peer other; /* sum of those that gave their place up */
};

/* One request. `name` is a canonical domain, not empty. */
void watch_peers_count(struct watch_peers *peers, const char *name, enum watch_way way,
                       enum watch_result result, uint64_t now_ms);
/* All its requests. */
uint64_t watch_peer_total(const struct watch_peer *peer);
/* Requests in the last whole minute. */
uint64_t watch_peer_rate(const struct watch_peer *peer, uint64_t now_ms);
/* Adds the numbers of `from`. */
void watch_peer_add(struct watch_peer *to, const struct watch_peer *from);

/* Merges the `count` workers' numbers: the `max` busiest peers, busiest first, those we only failed
 * to reach last, into `list`, and the rest into *other. Returns how many; -ENOMEM. */
int watch_peers_merge(const struct watch_peers *all, size_t count, struct watch_peer *list,
                      size_t max, struct watch_peer *other);

#endif
