/* /v1/status */
#include "api/records.h"

#include "config.h"

#include <errno.h>
#include <stdlib.h>

static json_t *store_part(const struct store_stats *stats)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"domains", stats->domains},
        {"addresses", stats->addresses},
        {"numbers", stats->numbers},
        {"peers", stats->peers},
        {"tokens", stats->tokens},
        {"verdicts", stats->verdicts},
        {"first_sequence", stats->first_sequence},
        {"last_sequence", stats->last_sequence},
        {"journal_bytes", stats->journal_bytes},
        {"log_first", stats->log_first},
        {"log_last", stats->log_last},
        {"cursors_lost", stats->cursors_lost},
        {"map_used", stats->map_used},
        {"map_size", stats->map_size},
        {"readers", stats->readers},
        {"oldest_reader", stats->oldest_reader},
    };
    json_t *part = json_object();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        json_object_set_new(part, rows[i].name, json_integer((json_int_t)rows[i].value));
    json_object_set_new(part, "store_time", api_time_encode(stats->store_time_ms));
    return part;
}

/* null where no edge runs in this process. */
static json_t *edge_part(const struct api_parts *parts)
{
    if (!parts->edge || !parts->edge_stats)
        return json_null();
    struct edge_stats stats;
    parts->edge_stats(parts->edge, &stats);
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "workers",
                     (int)stats.workers, "transactions", (json_int_t)stats.transactions,
                     "connections", (json_int_t)stats.connections, "peers", (json_int_t)stats.peers,
                     "requests", (json_int_t)stats.requests, "forwarded",
                     (json_int_t)stats.forwarded, "refused", (json_int_t)stats.refused, "responses",
                     (json_int_t)stats.responses, "dropped", (json_int_t)stats.dropped,
                     "handed_over", (json_int_t)stats.handed_over);
}

static json_t *zone_part(const struct publisher_stats *zone)
{
    char primary[NETADDR_TEXT_MAX];
    return json_pack("{s:s, s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I}", "zone", zone->zone,
                     "primary", netaddr_format(&zone->primary, primary), "state",
                     publisher_state_text(zone->state), "why", zone->why[0] ? zone->why : NULL,
                     "sequence", (json_int_t)zone->sequence, "differing",
                     (json_int_t)zone->differing, "changed", (json_int_t)zone->changed, "updates",
                     (json_int_t)zone->updates, "failures", (json_int_t)zone->failures, "by_form",
                     (json_int_t)zone->by_form);
}

/* The zones that are published; none where there is no publisher. */
static json_t *publisher_part(struct publisher *publisher)
{
    json_t *part = json_array();
    struct publisher_stats *zones = publisher ? calloc(PUBLISHER_ZONES_MAX, sizeof(*zones)) : NULL;
    size_t count = zones ? publisher_stats_get(publisher, zones, PUBLISHER_ZONES_MAX) : 0;
    for (size_t i = 0; i < count; i++)
        json_array_append_new(part, zone_part(&zones[i]));
    free(zones);
    return part;
}

int api_stats_read(struct api_call *call, struct store_stats *stats)
{
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = store_stats_get(call->reader, stats);
        store_reader_end(call->reader);
    }
    if (!status)
        return 0;
    api_problem_from_status(&call->problem, status, "directory");
    return -EPROTO;
}

int api_status_get(struct api_call *call)
{
    struct store_stats stats;
    if (api_stats_read(call, &stats))
        return -EPROTO;
    uint64_t uptime_ms = api_monotonic_ms() - call->api->started_ms;
    return api_call_reply(call, 200,
                          json_pack("{s:s, s:I, s:o, s:o, s:o}", "version", PACKAGE_VERSION,
                                    "uptime_s", (json_int_t)(uptime_ms / 1000), "store",
                                    store_part(&stats), "edge", edge_part(&call->api->parts),
                                    "published", publisher_part(call->api->parts.publisher)),
                          0);
}
