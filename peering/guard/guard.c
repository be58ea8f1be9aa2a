/* A guard as a whole: its tables, its numbers. */
#include "peering/guard/guard.h"
#include "peering/guard/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct guard *guard_alloc(const struct guard_conf *conf)
{
    struct guard *guard = calloc(1, sizeof(*guard));
    if (!guard)
        return NULL;
    guard->conf = *conf;
    pthread_mutex_init(&guard->lock, NULL);
    if (getrandom(guard->key, sizeof(guard->key), 0) == (ssize_t)sizeof(guard->key) &&
        guard_table_init(&guard->sources, GUARD_MAX_SOURCES) == 0 &&
        guard_table_init(&guard->peers, GUARD_MAX_PEERS) == 0 &&
        guard_table_init(&guard->joined, GUARD_MAX_PEERS) == 0 &&
        guard_table_init(&guard->called, GUARD_MAX_CALLED) == 0 &&
        guard_table_init(&guard->standings, GUARD_MAX_STANDINGS) == 0)
        return guard;
    return guard_free(guard);
}

struct guard *guard_free(struct guard *guard)
{
    if (!guard)
        return NULL;
    guard_table_done(&guard->sources);
    guard_table_done(&guard->peers);
    guard_table_done(&guard->joined);
    guard_table_done(&guard->called);
    guard_table_done(&guard->standings);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
    return NULL;
}

const struct guard_conf *guard_conf_get(const struct guard *guard)
{
    return &guard->conf;
}

const char *guard_mode_refusal(enum guard_peering mode, bool listed, const char *domain, char *why,
                               size_t size)
{
    if (mode == GUARD_OPEN || (mode == GUARD_LISTED && listed))
        return NULL;
    if (mode == GUARD_CLOSED)
        snprintf(why, size, "this edge talks to no peer (its peering is closed)");
    else
        snprintf(why, size,
                 "%s is not among the peers of this edge, and it talks to those only (its peering "
                 "is listed)",
                 domain);
    return why;
}

const char *guard_rule_name(enum guard_rule rule)
{
    static const char *const names[GUARD_RULE_COUNT] = {
        [GUARD_OK] = "none",
        [GUARD_BANNED] = "banned",
        [GUARD_SOURCE_CONNECTIONS] = "source_connections",
        [GUARD_SOURCE_HANDSHAKES] = "source_handshakes",
        [GUARD_FIRST_REQUEST] = "first_request",
        [GUARD_PEER_CONNECTIONS] = "peer_connections",
        [GUARD_PEER_REQUESTS] = "peer_requests",
        [GUARD_PEER_TRANSACTIONS] = "peer_transactions",
        [GUARD_PEER_MESSAGES] = "peer_messages",
        [GUARD_FIRST_CONTACT] = "first_contact",
        [GUARD_CALLED] = "called",
        [GUARD_PEERING] = "peering",
    };
    return names[rule];
}

void guard_count(struct guard *guard, enum guard_rule rule)
{
    atomic_fetch_add_explicit(&guard->refused[rule], 1, memory_order_relaxed);
}

void guard_stats_get(struct guard *guard, uint64_t now_ms, struct guard_stats *stats)
{
    for (size_t i = 0; i < GUARD_RULE_COUNT; i++)
        stats->refused[i] = atomic_load_explicit(&guard->refused[i], memory_order_relaxed);
    stats->failures = atomic_load_explicit(&guard->failures, memory_order_relaxed);
    stats->bans_made = atomic_load_explicit(&guard->bans_made, memory_order_relaxed);
    stats->bans = 0;
    pthread_mutex_lock(&guard->lock);
    for (size_t i = 0; i < atomic_load(&guard->ban_count); i++)
        stats->bans += guard->bans[i].ends_ms > now_ms;
    pthread_mutex_unlock(&guard->lock);
}
