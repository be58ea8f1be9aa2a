#include "peering/watch/peers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *watch_result_text(enum watch_result result)
{
    static const char *const names[WATCH_RESULT_COUNT] = {[WATCH_ANSWERED] = "answered",
                                                          [WATCH_DECLINED] = "declined",
                                                          [WATCH_CANCELLED] = "cancelled",
                                                          [WATCH_FAILED] = "failed",
                                                          [WATCH_REFUSED] = "refused"};
    return names[result];
}

const char *watch_way_text(enum watch_way way)
{
    return way == WATCH_IN ? "in" : "out";
}

uint64_t watch_peer_total(const struct watch_peer *peer)
{
    uint64_t sum = 0;
    for (size_t way = 0; way < WATCH_WAY_COUNT; way++)
        for (size_t result = 0; result < WATCH_RESULT_COUNT; result++)
            sum += peer->requests[way][result];
    return sum;
}

/* Brings the two counts to this minute. */
static void minute_turn(struct watch_peer *peer, uint64_t minute)
{
    if (minute <= peer->minute)
        return;
    peer->before_count = minute == peer->minute + 1 ? peer->this_count : 0;
    peer->this_count = 0;
    peer->minute = minute;
}

uint64_t watch_peer_rate(const struct watch_peer *peer, uint64_t now_ms)
{
    struct watch_peer now = *peer;
    minute_turn(&now, now_ms / 60000);
    return now.before_count;
}

void watch_peer_add(struct watch_peer *to, const struct watch_peer *from)
{
    struct watch_peer turned = *from;
    for (size_t way = 0; way < WATCH_WAY_COUNT; way++)
        for (size_t result = 0; result < WATCH_RESULT_COUNT; result++)
            to->requests[way][result] += from->requests[way][result];
    if (from->last_ms > to->last_ms)
        to->last_ms = from->last_ms;
    minute_turn(to, from->minute);
    minute_turn(&turned, to->minute);
    to->this_count += turned.this_count;
    to->before_count += turned.before_count;
}

/* FNV-1a. */
static size_t set_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
    return (size_t)((hash ^ hash >> 32) % WATCH_PEER_SETS);
}

/* Whom we never had a connection with comes after all others: anybody can invent domains for us to
 * fail at. */
static bool is_met(const struct watch_peer *peer)
{
    uint64_t sum =
        peer->requests[WATCH_OUT][WATCH_ANSWERED] + peer->requests[WATCH_OUT][WATCH_DECLINED];
    for (size_t result = 0; result < WATCH_RESULT_COUNT; result++)
        sum += peer->requests[WATCH_IN][result];
    return sum > 0;
}

/* < 0: `a` counts less than `b`. */
static int use_compare(const struct watch_peer *a, const struct watch_peer *b)
{
    uint64_t x = watch_peer_total(a), y = watch_peer_total(b);
    if (is_met(a) != is_met(b))
        return is_met(a) ? 1 : -1;
    return (x > y) - (x < y);
}

/* Its place, or the one of the least used of its set, which goes to the others. */
static struct watch_peer *place_of(struct watch_peers *peers, const char *name)
{
    struct watch_peer *set = peers->sets[set_of(name)], *least = set;
    for (size_t i = 0; i < WATCH_PEER_WAYS; i++) {
        if (strcmp(set[i].name, name) == 0)
            return &set[i];
        if (use_compare(&set[i], least) < 0)
            least = &set[i];
    }
    watch_peer_add(&peers->other, least);
    *least = (struct watch_peer){.name = ""};
    snprintf(least->name, sizeof(least->name), "%s", name);
    return least;
}

void watch_peers_count(struct watch_peers *peers, const char *name, enum watch_way way,
                       enum watch_result result, uint64_t now_ms)
{
    struct watch_peer *peer = place_of(peers, name);
    minute_turn(peer, now_ms / 60000);
    peer->requests[way][result]++;
    peer->this_count++;
    peer->last_ms = now_ms;
}

/* ---- of all workers ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct watch_peer *)a)->name, ((const struct watch_peer *)b)->name);
}

static int by_use(const void *a, const void *b)
{
    int order = use_compare(b, a);
    return order ? order : by_name(a, b);
}

static size_t all_copy(const struct watch_peers *all, size_t count, struct watch_peer *flat)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t set = 0; set < WATCH_PEER_SETS; set++)
            for (size_t way = 0; way < WATCH_PEER_WAYS; way++)
                if (all[i].sets[set][way].name[0])
                    flat[n++] = all[i].sets[set][way];
    return n;
}

/* Those of one name become one; `flat` is sorted by name. */
static size_t same_merge(struct watch_peer *flat, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (n > 0 && strcmp(flat[n - 1].name, flat[i].name) == 0)
            watch_peer_add(&flat[n - 1], &flat[i]);
        else
            flat[n++] = flat[i];
    return n;
}

int watch_peers_merge(const struct watch_peers *all, size_t count, struct watch_peer *list,
                      size_t max, struct watch_peer *other)
{
    struct watch_peer *flat = calloc(count * WATCH_MAX_PEERS, sizeof(*flat));
    if (!flat)
        return -ENOMEM;
    size_t n = all_copy(all, count, flat);
    qsort(flat, n, sizeof(*flat), by_name);
    n = same_merge(flat, n);
    qsort(flat, n, sizeof(*flat), by_use);
    *other = (struct watch_peer){.name = ""};
    for (size_t i = 0; i < count; i++)
        watch_peer_add(other, &all[i].other);
    for (size_t i = max; i < n; i++)
        watch_peer_add(other, &flat[i]);
    n = n < max ? n : max;
    memcpy(list, flat, n * sizeof(*flat));
    free(flat);
    return (int)n;
}
