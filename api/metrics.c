/* /metrics: the daemon in numbers, in Prometheus' text format 0.0.4.
 *
 * Names follow Prometheus' conventions: base units, _total for what only grows. A label has few
 * values: kinds, methods, patterns of routes, and the names of the journal's cursors. */
#include "api/json.h"
#include "api/metrics.h"

#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define METRICS_MAX    1048576 /* bytes of an answer; histograms of API_MAX_ROUTES fit */
#define METRICS_LINE   800
#define METRICS_LABELS 128 /* of a route */
#define CORES_MAX      256 /* next hops of cores */
#define METRICS_PEERS  100 /* told one by one */
#define CURSORS_MAX    64  /* told one by one; all of them count in junctor_journal_cursors */

void metrics_line_add(struct metrics *metrics, const char *format, ...)
{
    char line[METRICS_LINE];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(line) ||
        buf_append(&metrics->text, slice_make(line, (size_t)len)))
        metrics->failed = true;
}

void metrics_family_add(struct metrics *metrics, const char *name, const char *type,
                        const char *help)
{
    metrics_line_add(metrics, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_number_add(struct metrics *metrics, const char *name, const char *type,
                        const char *help, uint64_t value)
{
    metrics_family_add(metrics, name, type, help);
    metrics_line_add(metrics, "%s %" PRIu64 "\n", name, value);
}

static void time_add(struct metrics *metrics, const char *name, const char *help, uint64_t time_ms)
{
    metrics_family_add(metrics, name, "gauge", help);
    metrics_line_add(metrics, "%s %" PRIu64 ".%03u\n", name, time_ms / 1000,
                     (unsigned)(time_ms % 1000));
}

/* ---- the process ---- */

static void process_add(struct metrics *metrics, const struct api *api)
{
    metrics_family_add(metrics, "junctor_build_info", "gauge", "Always 1; the version is a label.");
    metrics_line_add(metrics, "junctor_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
    time_add(metrics, "process_start_time_seconds", "When the process began to serve, Unix time.",
             api->started_unix_ms);
}

/* ---- the store ---- */

static void records_add(struct metrics *metrics, const struct store_stats *stats)
{
    const struct {
        const char *kind;
        uint64_t count;
    } rows[] = {
        {"domain", stats->domains}, {"address", stats->addresses}, {"number", stats->numbers},
        {"peer", stats->peers},     {"token", stats->tokens},      {"verdict", stats->verdicts},
    };
    const char *name = "junctor_store_records";
    metrics_family_add(
        metrics, name, "gauge",
        "Records in the directory; addresses with their tombstones, verdicts kept for "
        "Idempotency-Key.");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        metrics_line_add(metrics, "%s{kind=\"%s\"} %" PRIu64 "\n", name, rows[i].kind,
                         rows[i].count);
}

static void store_add(struct metrics *metrics, const struct store_stats *stats)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } rows[] = {
        {"junctor_store_map_used_bytes", "Bytes of the directory's file in use.", stats->map_used},
        {"junctor_store_map_size_bytes", "Bytes that the directory's file may grow to.",
         stats->map_size},
        {"junctor_store_readers", "Reader slots in use at the busiest time, over all processes.",
         stats->readers},
        {"junctor_store_oldest_reader_commits",
         "Commits since the oldest snapshot in use was taken; a high number makes the file grow.",
         stats->oldest_reader},
        {"junctor_journal_first_sequence",
         "Oldest entry of the journal; more than the newest where the journal is empty.",
         stats->first_sequence},
        {"junctor_journal_last_sequence", "Newest entry of the journal.", stats->last_sequence},
        {"junctor_journal_bytes", "Size of the journal, in whole pages.", stats->journal_bytes},
        {"junctor_journal_cursors_lost", "Readers of the journal that must start anew.",
         stats->cursors_lost},
        {"junctor_log_first_index", "Oldest command in the log.", stats->log_first},
        {"junctor_log_last_index", "Newest command in the log.", stats->log_last},
    };
    records_add(metrics, stats);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        metrics_number_add(metrics, rows[i].name, "gauge", rows[i].help, rows[i].value);
    time_add(metrics, "junctor_store_time_seconds",
             "Store time, Unix time: the highest time of all changes.", stats->store_time_ms);
}

/* ---- cursors ---- */

struct cursors {
    struct store_cursor list[CURSORS_MAX];
    size_t count; /* in the list */
    size_t total;
};

static bool cursor_keep(const struct store_cursor *cursor, void *arg)
{
    struct cursors *cursors = arg;
    if (cursors->count < CURSORS_MAX)
        cursors->list[cursors->count++] = *cursor;
    cursors->total++;
    return true;
}

/* Their names need no escaping: letters, digits and -_. */
static void cursors_add(struct metrics *metrics, const struct cursors *cursors,
                        const struct store_stats *stats)
{
    const char *lag = "junctor_journal_cursor_lag_entries", *lost = "junctor_journal_cursor_lost";
    metrics_number_add(metrics, "junctor_journal_cursors", "gauge",
                       "Readers of the journal that hold its trimming back.", cursors->total);
    metrics_family_add(metrics, lag, "gauge",
                       "Entries of the journal that a reader has yet to deal with.");
    for (size_t i = 0; i < cursors->count; i++) {
        const struct store_cursor *cursor = &cursors->list[i];
        uint64_t behind =
            stats->last_sequence > cursor->sequence ? stats->last_sequence - cursor->sequence : 0;
        metrics_line_add(metrics, "%s{cursor=\"%s\"} %" PRIu64 "\n", lag, cursor->name, behind);
    }
    metrics_family_add(
        metrics, lost, "gauge",
        "1 where entries that a reader had not read were trimmed: it must start anew.");
    for (size_t i = 0; i < cursors->count; i++)
        metrics_line_add(metrics, "%s{cursor=\"%s\"} %d\n", lost, cursors->list[i].name,
                         cursors->list[i].lost);
}

static int directory_add(struct api_call *call, struct metrics *metrics)
{
    struct store_stats stats;
    struct cursors cursors = {.count = 0};
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = store_stats_get(call->reader, &stats);
        if (!status)
            status = store_cursor_list(call->reader, cursor_keep, &cursors);
        if (!status)
            status = metrics_ports_add(metrics, call->reader);
        store_reader_end(call->reader);
    }
    if (status)
        return api_problem_from_status(&call->problem, status, "directory");
    store_add(metrics, &stats);
    cursors_add(metrics, &cursors, &stats);
    return 0;
}

/* ---- the edge ---- */

static void dns_add(struct metrics *metrics, const struct resolver_stats *stats)
{
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } rows[] = {
        {"junctor_dns_questions_total", "counter", "DNS questions sent to upstreams.",
         stats->questions},
        {"junctor_dns_answers_total", "counter", "DNS answers that fitted a question.",
         stats->answers},
        {"junctor_dns_timeouts_total", "counter", "DNS questions an upstream left unanswered.",
         stats->timeouts},
        {"junctor_dns_hostile_total", "counter",
         "DNS messages dropped: they fitted no question, or were malformed.", stats->hostile},
        {"junctor_dns_failures_total", "counter", "DNS questions that no upstream could answer.",
         stats->failures},
        {"junctor_dns_cache_hits_total", "counter", "DNS questions answered from the cache.",
         stats->cache_hits},
        {"junctor_dns_stale_hits_total", "counter",
         "DNS questions and calls served beyond the TTL, for no upstream answered.",
         stats->stale_hits},
        {"junctor_dns_renewals_total", "counter", "Answers in use asked for ahead of their end.",
         stats->renewals},
        {"junctor_dns_plan_hits_total", "counter", "Targets whose next hops were at hand.",
         stats->plan_hits},
        {"junctor_dns_plans", "gauge", "Targets whose next hops are kept.", stats->plans},
        {"junctor_dns_avoided", "gauge", "Next hops that failed lately and are tried last.",
         stats->avoided},
        {"junctor_dns_cache_entries", "gauge", "DNS answers in the caches.", stats->cache_entries},
        {"junctor_dns_inflight", "gauge", "DNS questions under way.", stats->inflight},
        {"junctor_dns_upstreams_down", "gauge",
         "DNS upstreams that do not answer, added over the workers.", stats->upstreams_down},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        metrics_number_add(metrics, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
}

/* Those that are asked; no more than a dashboard can show. */
static void cores_add(struct metrics *metrics, const struct api_parts *parts)
{
    size_t count;
    struct core_view *cores = api_cores_read(parts, &count);
    char address[NETADDR_TEXT_MAX];
    metrics_family_add(
        metrics, "junctor_core_up", "gauge",
        "Does the next hop of a core answer OPTIONS? By its address; `domain` is the first "
        "that it serves.");
    for (size_t i = 0; cores && i < count && i < CORES_MAX; i++)
        if (cores[i].state != CORE_UNKNOWN)
            metrics_line_add(
                metrics,
                "junctor_core_up{domain=\"%s\",core=\"%s\",address=\"%s\",transport=\"%s\"} "
                "%d\n",
                cores[i].domain, cores[i].core.host, netaddr_format(&cores[i].addr, address),
                api_transport_text(cores[i].transport), cores[i].state == CORE_UP);
    free(cores);
}

static void guard_add(struct metrics *metrics, const struct guard_stats *stats)
{
    const char *name = "junctor_guard_refused_total";
    metrics_family_add(
        metrics, name, "counter",
        "Connections and requests refused, and reads put off, by the budget or rule.");
    for (int rule = GUARD_OK + 1; rule < GUARD_RULE_COUNT; rule++)
        metrics_line_add(metrics, "%s{rule=\"%s\"} %" PRIu64 "\n", name,
                         guard_rule_name((enum guard_rule)rule), stats->refused[rule]);
    metrics_number_add(
        metrics, "junctor_guard_failures_total", "counter",
        "Handshakes and first requests that came to nothing by the far side's fault.",
        stats->failures);
    metrics_number_add(metrics, "junctor_guard_bans_made_total", "counter",
                       "Addresses banned for failures.", stats->bans_made);
    metrics_number_add(metrics, "junctor_guard_bans", "gauge", "Bans in force.", stats->bans);
}

/* Nothing where no edge runs in this process. */
static void edge_add(struct metrics *metrics, const struct api_parts *parts)
{
    if (!parts->edge || !parts->edge_stats)
        return;
    struct edge_stats stats;
    parts->edge_stats(parts->edge, &stats);
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } rows[] = {
        {"junctor_edge_workers", "gauge", "SIP workers.", stats.workers},
        {"junctor_edge_transactions", "gauge", "SIP transactions under way.", stats.transactions},
        {"junctor_edge_connections", "gauge", "Connections open, TCP and TLS.", stats.connections},
        {"junctor_edge_peers", "gauge", "Connections to proven peers.", stats.peers},
        {"junctor_edge_requests_total", "counter", "SIP requests received.", stats.requests},
        {"junctor_edge_forwarded_total", "counter", "SIP requests forwarded.", stats.forwarded},
        {"junctor_edge_refused_total", "counter", "SIP requests refused.", stats.refused},
        {"junctor_edge_responses_total", "counter", "SIP responses received.", stats.responses},
        {"junctor_edge_dropped_total", "counter", "SIP messages dropped unanswered.",
         stats.dropped},
        {"junctor_edge_handed_over_total", "counter",
         "SIP messages that went to another worker, whose they were.", stats.handed_over},
        {"junctor_edge_copies_lost_total", "counter",
         "Copies of SIP messages that the capture server (HEP) did not get.", stats.copies_lost},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        metrics_number_add(metrics, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
    guard_add(metrics, &stats.guard);
    dns_add(metrics, &stats.dns);
}

/* The busiest peers one by one and the rest together, so that no flood of names becomes one of
 * time series. Numbers that lack a worker's would look like a restart: then there are none. */
static void peers_add(struct metrics *metrics, const struct api_parts *parts)
{
    const char *name = "junctor_peer_requests_total";
    struct watch_peer *list = calloc(METRICS_PEERS + 1, sizeof(*list));
    int count = -1;
    unsigned silent = 0;
    if (list && parts->edge && parts->peers_get) {
        count = parts->peers_get(parts->edge, list, METRICS_PEERS, &list[METRICS_PEERS], &silent);
        metrics_number_add(
            metrics, "junctor_edge_silent_workers", "gauge",
            "SIP workers too busy to tell of peers; if any, nothing is told of peers.", silent);
    }
    if (silent > 0)
        count = -1;
    if (count >= 0) {
        metrics_family_add(
            metrics, name, "counter",
            "SIP requests from and to peers, by how they ended; the 100 busiest peers have "
            "their name, the rest is peer=\"other\".");
        list[count] = list[METRICS_PEERS];
        snprintf(list[count].name, sizeof(list[count].name), "other");
    }
    for (int i = 0; i <= count; i++)
        for (enum watch_way way = 0; way < WATCH_WAY_COUNT; way++)
            for (enum watch_result result = 0; result < WATCH_RESULT_COUNT; result++)
                if (list[i].requests[way][result] > 0)
                    metrics_line_add(metrics,
                                     "%s{peer=\"%s\",direction=\"%s\",result=\"%s\"} %" PRIu64 "\n",
                                     name, list[i].name, watch_way_text(way),
                                     watch_result_text(result), list[i].requests[way][result]);
    free(list);
}

/* ---- the publisher ---- */

static void zones_add(struct metrics *metrics, const char *name, const char *type, const char *help,
                      const struct publisher_stats *zones, size_t count,
                      uint64_t (*value)(const struct publisher_stats *zone))
{
    metrics_family_add(metrics, name, type, help);
    for (size_t i = 0; i < count; i++)
        metrics_line_add(metrics, "%s{zone=\"%s\"} %" PRIu64 "\n", name, zones[i].zone,
                         value(&zones[i]));
}

static uint64_t zone_failing(const struct publisher_stats *zone)
{
    return zone->state == PUBLISHER_FAILING;
}

static uint64_t zone_sequence(const struct publisher_stats *zone)
{
    return zone->sequence;
}

static uint64_t zone_differing(const struct publisher_stats *zone)
{
    return zone->differing;
}

static uint64_t zone_changed(const struct publisher_stats *zone)
{
    return zone->changed;
}

static uint64_t zone_updates(const struct publisher_stats *zone)
{
    return zone->updates;
}

static uint64_t zone_failures(const struct publisher_stats *zone)
{
    return zone->failures;
}

static uint64_t zone_by_form(const struct publisher_stats *zone)
{
    return zone->by_form;
}

static void publisher_add(struct metrics *metrics, struct publisher *publisher)
{
    static const struct {
        const char *name, *type, *help;
        uint64_t (*value)(const struct publisher_stats *zone);
    } rows[] = {
        {"junctor_publisher_failing", "gauge", "1 where a zone's primary does not take updates.",
         zone_failing},
        {"junctor_publisher_sequence", "gauge", "The last entry of the journal that is published.",
         zone_sequence},
        {"junctor_publisher_differing_sets", "gauge",
         "Sets of records that somebody else changed, and that are left alone.", zone_differing},
        {"junctor_publisher_changed_sets_total", "counter", "Sets of records changed.",
         zone_changed},
        {"junctor_publisher_updates_total", "counter", "Updates that a primary has made.",
         zone_updates},
        {"junctor_publisher_failures_total", "counter", "Attempts that failed.", zone_failures},
        {"junctor_publisher_by_form_sets_total", "counter",
         "Sets of records changed of which only their form said that they were ours.",
         zone_by_form},
    };
    struct publisher_stats *zones = publisher ? calloc(PUBLISHER_ZONES_MAX, sizeof(*zones)) : NULL;
    if (!zones)
        return;
    size_t count = publisher_stats_get(publisher, zones, PUBLISHER_ZONES_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        zones_add(metrics, rows[i].name, rows[i].type, rows[i].help, zones, count, rows[i].value);
    free(zones);
}

/* ---- the API ---- */

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

static void api_add(struct metrics *metrics, const struct api_counters *counters)
{
    requests_add(metrics, counters);
    durations_add(metrics, counters);
    listeners_add(metrics, "junctor_api_connections", "gauge", "Connections open.",
                  counters->connections);
    listeners_add(metrics, "junctor_api_connections_accepted_total", "counter",
                  "Connections accepted.", counters->accepted);
    listeners_add(metrics, "junctor_api_connections_cut_total", "counter",
                  "Connections cut: over their time, too many of one source, or room for others.",
                  counters->cut);
    metrics_number_add(metrics, "junctor_api_streams", "gauge", "Clients that follow the journal.",
                       counters->streams);
    metrics_number_add(metrics, "junctor_api_changes_submitted_total", "counter",
                       "Changes handed to the store.", counters->submitted);
    metrics_number_add(metrics, "junctor_api_auth_failures_total", "counter",
                       "Requests with a token that is none, or not good any more.",
                       counters->auth_failures);
    metrics_number_add(metrics, "junctor_api_auth_slowed_total", "counter",
                       "Wrong tokens answered 429 after too many failures.", counters->auth_slowed);
    metrics_number_add(metrics, "junctor_api_rate_limited_total", "counter",
                       "Requests over their client's rate.", counters->rate_limited);
}

int api_metrics_get(struct api_call *call)
{
    struct metrics metrics = {.failed = false};
    struct api_counters counters;
    buf_init(&metrics.text, METRICS_MAX);
    process_add(&metrics, call->api);
    int status = directory_add(call, &metrics);
    if (!status) {
        edge_add(&metrics, &call->api->parts);
        cores_add(&metrics, &call->api->parts);
        peers_add(&metrics, &call->api->parts);
        publisher_add(&metrics, call->api->parts.publisher);
        metrics_porting_add(&metrics, call->api->parts.porting);
        api_counters_read(call->api, &counters);
        api_add(&metrics, &counters);
    }
    if (!status && metrics.failed)
        status = api_problem_set(&call->problem, API_PROBLEM_INTERNAL, NULL,
                                 "metrics: no memory, or they outgrew %d bytes", METRICS_MAX);
    if (status) {
        buf_done(&metrics.text);
        return status;
    }
    /* Nothing was consumed at the front: the allocation is the text, and the call's from now on. */
    return api_call_reply_text(call, "text/plain; version=0.0.4; charset=utf-8", metrics.text.p,
                               buf_len(&metrics.text));
}
