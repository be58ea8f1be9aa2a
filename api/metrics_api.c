/* The REST API in /metrics. */
#include "api/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#define METRICS_LABELS 128 /* of a route */

static const char *const listener_names[API_LISTENER_COUNT] = {
    [API_ON_SOCKET] = "socket",
    [API_ON_HTTPS] = "https",
    [API_ON_HEALTH] = "health",
};

static void listeners_add(struct metrics *metrics, const char *name, const char *type,
                          const char *help, const uint64_t values[API_LISTENER_COUNT])
{
    metrics_family_add(metrics, name, type, help);
    for (size_t i = 0; i < API_LISTENER_COUNT; i++)
        metrics_line_add(metrics, "%s{listener=\"%s\"} %" PRIu64 "\n", name, listener_names[i],
                         values[i]);
}

/* The labels of a row of counters: the route's pattern, never a path that somebody asked for. */
static const char *route_labels(size_t index, char text[METRICS_LABELS])
{
    const struct api_route *route = api_route_at(index);
    snprintf(text, METRICS_LABELS, "method=\"%s\",route=\"%s\"",
             route ? api_method_text(route->method) : "other", route ? route->pattern : "none");
    return text;
}

static void requests_add(struct metrics *metrics, const struct api_counters *counters)
{
    const char *name = "junctor_api_requests_total";
    char labels[METRICS_LABELS];
    metrics_family_add(metrics, name, "counter",
                       "Requests answered, by route and class of status.");
    for (size_t i = 0; i <= counters->route_count; i++) {
        route_labels(i, labels);
        for (size_t digit = 2; digit <= 5; digit++)
            metrics_line_add(metrics, "%s{%s,code=\"%zuxx\"} %" PRIu64 "\n", name, labels, digit,
                             counters->routes[i].answers[digit]);
    }
}

static void durations_add(struct metrics *metrics, const struct api_counters *counters)
{
    const char *name = "junctor_api_request_duration_seconds";
    char labels[METRICS_LABELS];
    metrics_family_add(metrics, name, "histogram",
                       "From a request's first line to the end of its answer, by route.");
    for (size_t i = 0; i <= counters->route_count; i++) {
        const struct api_route_counters *route = &counters->routes[i];
        uint64_t count = 0;
        route_labels(i, labels);
        for (size_t bucket = 0; bucket < API_DURATION_COUNT - 1; bucket++) {
            count += route->durations[bucket];
            metrics_line_add(metrics, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name, labels,
                             (double)api_duration_bounds_us[bucket] / 1e6, count);
        }
        count += route->durations[API_DURATION_COUNT - 1];
        metrics_line_add(metrics, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, count);
        metrics_line_add(metrics, "%s_sum{%s} %" PRIu64 ".%06u\n", name, labels,
                         route->duration_us / 1000000, (unsigned)(route->duration_us % 1000000));
        metrics_line_add(metrics, "%s_count{%s} %" PRIu64 "\n", name, labels, count);
    }
}

void metrics_api_add(struct metrics *metrics, const struct api *api)
{
    struct api_counters counters;
    api_counters_read(api, &counters);
    requests_add(metrics, &counters);
    durations_add(metrics, &counters);
    listeners_add(metrics, "junctor_api_connections", "gauge", "Connections open.",
                  counters.connections);
    listeners_add(metrics, "junctor_api_connections_accepted_total", "counter",
                  "Connections accepted.", counters.accepted);
    listeners_add(metrics, "junctor_api_connections_cut_total", "counter",
                  "Connections cut: over their time, too many of one source, or room for others.",
                  counters.cut);
    metrics_number_add(metrics, "junctor_api_streams", "gauge", "Clients that follow the journal.",
                       counters.streams);
    metrics_number_add(metrics, "junctor_api_changes_submitted_total", "counter",
                       "Changes handed to the store.", counters.submitted);
    metrics_number_add(metrics, "junctor_api_auth_failures_total", "counter",
                       "Requests with a token that is none, or not good any more.",
                       counters.auth_failures);
    metrics_number_add(metrics, "junctor_api_auth_slowed_total", "counter",
                       "Wrong tokens answered 429 after too many failures.", counters.auth_slowed);
    metrics_number_add(metrics, "junctor_api_rate_limited_total", "counter",
                       "Requests over their client's rate.", counters.rate_limited);
}
