/* The inside of a guard: tables of slots that all workers use at once, and the list of bans. */
#ifndef JUNCTOR_PEERING_GUARD_INTERNAL_H
#define JUNCTOR_PEERING_GUARD_INTERNAL_H

#include "peering/guard/guard.h"

#include <pthread.h>
#include <stdatomic.h>

#define GUARD_WAYS    8 /* slots in which a key may be */
#define GUARD_BUCKETS 4

/* One source, peer, or pair. What a bucket is for depends on the table. */
struct guard_slot {
    _Atomic uint64_t key; /* 0: free */
    _Atomic uint64_t used_ms;
    _Atomic uint64_t good_until_ms;
    _Atomic uint64_t bucket_us[GUARD_BUCKETS]; /* when it is full again (GCRA) */
    _Atomic uint32_t held; /* connections or transactions that count here: not to be taken */
    _Atomic uint32_t answered;
    _Atomic uint32_t requests; /* per second, as last granted by the directory; 0: the default */
};

struct guard_table {
    struct guard_slot *slots;
    size_t count; /* a power of two */
};

enum { SOURCE_HANDSHAKES, SOURCE_FAILURES, SOURCE_EXCESS_SECOND, SOURCE_EXCESSES };
enum { PEER_REQUESTS, PEER_MESSAGES, PEER_FIRST };
enum { CALLED_CALLS };

struct ban {
    struct guard_ban ban; /* left_ms is not used */
    uint64_t ends_ms;
};

struct guard {
    struct guard_conf conf;
    uint8_t key[16];
    struct guard_table sources, peers, joined, called, standings; /* joined: their connections */

    pthread_mutex_t lock; /* guards the bans */
    struct ban bans[GUARD_MAX_BANS];
    uint64_t ban_version;     /* of the last one that was made */
    _Atomic size_t ban_count; /* changed under the lock only */
    _Atomic unsigned ban_changes;

    _Atomic uint64_t refused[GUARD_RULE_COUNT];
    _Atomic uint64_t failures, bans_made;
};

/* ---- slots.c ---- */
int guard_table_init(struct guard_table *table, size_t count); /* 0 or -ENOMEM */
void guard_table_done(struct guard_table *table);
/* The key's slot; a new one where it has none. NULL where all it could have are held. */
struct guard_slot *guard_slot_get(const struct guard_table *table, uint64_t key, uint64_t now_ms);
/* NULL where it has none. */
struct guard_slot *guard_slot_find(const struct guard_table *table, uint64_t key);

/* How often: `burst` at once, `rate` in each `period_ms`. */
struct guard_rate {
    uint64_t burst, rate, period_ms;
};
/* Takes one. Returns 0, or the milliseconds until there is one. A rate of 0 has no bound. */
uint64_t guard_bucket_take(_Atomic uint64_t *bucket_us, const struct guard_rate *rate,
                           uint64_t now_ms);

/* ---- sources.c ---- */
/* The address itself, or the /64 of an IPv6 one. */
struct netprefix guard_source_of(const struct netaddr *addr);
uint64_t guard_source_key(const struct guard *guard, const struct netaddr *addr);

#endif
