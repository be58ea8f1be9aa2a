#include "api/tally.h"

#define BOUND(us) us,
const uint64_t api_duration_bounds_us[API_DURATION_COUNT - 1] = {API_DURATIONS(BOUND)};
#undef BOUND

static size_t route_count(void)
{
    size_t count = 0;
    while (api_route_at(count))
        count++;
    return count;
}

static uint64_t count_read(const api_count *count)
{
    return atomic_load_explicit((api_count *)count, memory_order_relaxed);
}

static void counts_read(const api_count *counts, uint64_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = count_read(&counts[i]);
}

void api_tally_answer(struct api_tally *tally, const struct api_route *route, unsigned status,
                      uint64_t duration_us)
{
    size_t row = route ? (size_t)(route - api_route_at(0)) : route_count();
    size_t bucket = 0;
    while (bucket < API_DURATION_COUNT - 1 && duration_us > api_duration_bounds_us[bucket])
        bucket++;
    struct api_route_tally *counts = &tally->routes[row];
    api_tally_add(&counts->answers[status / 100 % 6]);
    api_tally_add(&counts->durations[bucket]);
    atomic_fetch_add_explicit(&counts->duration_us, duration_us, memory_order_relaxed);
}

void api_counters_read(const struct api *api, struct api_counters *counters)
{
    const struct api_tally *tally = api->tally;
    *counters = (struct api_counters){.route_count = route_count()};
    for (size_t i = 0; i <= counters->route_count; i++) {
        const struct api_route_tally *from = &tally->routes[i];
        struct api_route_counters *to = &counters->routes[i];
        counts_read(from->answers, to->answers, 6);
        counts_read(from->durations, to->durations, API_DURATION_COUNT);
        to->duration_us = count_read(&from->duration_us);
    }
    counters->auth_failures = count_read(&tally->auth_failures);
    counters->auth_slowed = count_read(&tally->auth_slowed);
    counters->rate_limited = count_read(&tally->rate_limited);
    counts_read(tally->connections, counters->connections, API_LISTENER_COUNT);
    counts_read(tally->accepted, counters->accepted, API_LISTENER_COUNT);
    counts_read(tally->cut, counters->cut, API_LISTENER_COUNT);
    counters->streams = count_read(&tally->streams);
    counters->submitted = count_read(&tally->submitted);
}
