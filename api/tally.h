/* The counters behind api_counters_read. Many threads add, without locks; nothing is ordered by
 * them. */
#ifndef JUNCTOR_API_TALLY_H
#define JUNCTOR_API_TALLY_H

#include "api/internal.h"

typedef atomic_uint_least64_t api_count;

struct api_route_tally {
    api_count answers[6];
    api_count durations[API_DURATION_COUNT];
    api_count duration_us;
};

struct api_tally {
    struct api_route_tally routes[API_MAX_ROUTES + 1];
    api_count auth_failures, auth_slowed, rate_limited;
    api_count connections[API_LISTENER_COUNT];
    api_count accepted[API_LISTENER_COUNT];
    api_count cut[API_LISTENER_COUNT];
    api_count streams;
    api_count submitted;
};

static inline void api_tally_add(api_count *count)
{
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

static inline void api_tally_sub(api_count *count)
{
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
}

/* One answer; `route` is NULL where none was found. */
void api_tally_answer(struct api_tally *tally, const struct api_route *route, unsigned status,
                      uint64_t duration_us);

#endif
