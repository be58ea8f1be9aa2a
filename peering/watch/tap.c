/* Rings between the workers and one reader. */
#include "peering/watch/watch.h"

#include "base/ring.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LANE_CALLS 256  /* Call-IDs remembered that have fitted */
#define LANE_SEEN  4096 /* messages remembered, to know retransmissions by */

/* From one worker. */
struct lane {
    struct ring *ring;
    _Atomic uint64_t dropped;
    uint64_t told;              /* of these; the reader's */
    uint64_t calls[LANE_CALLS]; /* hashes; the worker's, as the next ones */
    uint64_t seen[LANE_SEEN];
};

struct watch_tap {
    struct watch_filter filter;
    struct lane *peeked; /* whose record the reader has */
    unsigned lane_count;
    struct lane lanes[];
};

struct watch_tap *watch_tap_alloc(const struct watch_filter *filter, unsigned workers)
{
    struct watch_tap *tap = calloc(1, sizeof(*tap) + workers * sizeof(tap->lanes[0]));
    if (!tap)
        return NULL;
    tap->filter = *filter;
    tap->lane_count = workers;
    for (unsigned i = 0; i < workers; i++)
        if (!(tap->lanes[i].ring = ring_alloc(WATCH_RING_SIZE)))
            return watch_tap_free(tap);
    return tap;
}

struct watch_tap *watch_tap_free(struct watch_tap *tap)
{
    for (unsigned i = 0; tap && i < tap->lane_count; i++)
        ring_free(tap->lanes[i].ring);
    free(tap);
    return NULL;
}

#define HASH_START 0xcbf29ce484222325

/* FNV-1a; who makes Call-IDs collide sees more of his own messages shown. */
static uint64_t hash_add(uint64_t hash, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * 0x100000001b3;
    return hash;
}

static bool lane_wants(struct lane *lane, const struct watch_filter *filter,
                       const struct watch_hop *hop, const struct sip_msg *msg)
{
    if (!filter->domain[0])
        return true;
    uint64_t call = hash_add(HASH_START, msg->call_id);
    uint64_t *known = &lane->calls[call % LANE_CALLS];
    if (*known == call)
        return true;
    if (!watch_filter_fits(filter, hop, msg))
        return false;
    *known = call;
    return true;
}

/* A retransmission is the same bytes on the same way (RFC 3261 17): nothing in a message says so.
 */
static bool lane_again(struct lane *lane, const struct watch_hop *hop, struct slice bytes)
{
    char remote[NETADDR_TEXT_MAX];
    uint64_t hash = hash_add(HASH_START, hop->sent ? SLICE(">") : SLICE("<"));
    hash = hash_add(hash, slice_of(netaddr_format(&hop->remote, remote)));
    hash = hash_add(hash, bytes);
    uint64_t *known = &lane->seen[(hash ^ hash >> 32) % LANE_SEEN];
    bool again = *known == hash;
    *known = hash;
    return again;
}

void watch_tap_put(struct watch_tap *tap, unsigned worker, const struct watch_hop *hop,
                   const struct sip_msg *msg)
{
    struct lane *lane = &tap->lanes[worker];
    if (!lane_wants(lane, &tap->filter, hop, msg))
        return;
    bool again = lane_again(lane, hop, msg->bytes);
    size_t max = msg->bytes.len < WATCH_MESSAGE_MAX ? msg->bytes.len : WATCH_MESSAGE_MAX;
    struct watch_record *record = ring_reserve(lane->ring, sizeof(*record) + max);
    if (!record) {
        atomic_fetch_add_explicit(&lane->dropped, 1, memory_order_relaxed);
        return;
    }
    record->hop = *hop;
    record->hop.peer = NULL;
    record->worker = worker;
    record->again = again;
    snprintf(record->peer, sizeof(record->peer), "%s", hop->peer);
    record->len = watch_redact(msg->bytes, false, record->bytes, max, &record->cut);
    ring_commit(lane->ring, sizeof(*record) + record->len);
}

const struct watch_record *watch_tap_peek(struct watch_tap *tap)
{
    const struct watch_record *oldest = NULL;
    for (unsigned i = 0; i < tap->lane_count; i++) {
        size_t len;
        const struct watch_record *record = ring_peek(tap->lanes[i].ring, &len);
        if (!record || (oldest && oldest->hop.time_us <= record->hop.time_us))
            continue;
        oldest = record;
        tap->peeked = &tap->lanes[i];
    }
    return oldest;
}

void watch_tap_release(struct watch_tap *tap)
{
    ring_release(tap->peeked->ring);
}

static uint64_t lane_dropped(const struct lane *lane)
{
    return atomic_load_explicit(&lane->dropped, memory_order_relaxed) - lane->told;
}

bool watch_tap_ready(struct watch_tap *tap)
{
    bool ready = watch_tap_peek(tap) != NULL;
    for (unsigned i = 0; !ready && i < tap->lane_count; i++)
        ready = lane_dropped(&tap->lanes[i]) > 0;
    return ready;
}

uint64_t watch_tap_dropped(struct watch_tap *tap)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < tap->lane_count; i++) {
        uint64_t dropped = lane_dropped(&tap->lanes[i]);
        tap->lanes[i].told += dropped;
        sum += dropped;
    }
    return sum;
}

void watch_see(struct watch *watch, const struct watch_hop *hop, const struct sip_msg *msg)
{
    for (size_t i = 0; i < watch->tap_count; i++)
        watch_tap_put(watch->taps[i], watch->worker, hop, msg);
    if (watch->hep.fd >= 0)
        watch_mirror(&watch->hep, hop, msg);
}
