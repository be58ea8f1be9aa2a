/* The edge in /metrics: calls, its DNS, its cores, its peers, and who was shut out. */
#include "api/json.h"
#include "api/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CORES_MAX     256 /* next hops of cores */
#define METRICS_PEERS 100 /* told one by one */

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
static void stats_add(struct metrics *metrics, const struct api_parts *parts)
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

void metrics_edge_add(struct metrics *metrics, const struct api_parts *parts)
{
    stats_add(metrics, parts);
    cores_add(metrics, parts);
    peers_add(metrics, parts);
}
