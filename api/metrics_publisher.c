/* The publisher in /metrics: each zone that it keeps. */
#include "api/metrics.h"

#include <inttypes.h>
#include <stdlib.h>

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

void metrics_publisher_add(struct metrics *metrics, struct publisher *publisher)
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
