/* Comparing one domain on demand. */
#include "api/publisher_internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void publisher_report_add(struct publisher_report *report, const struct update_change *change,
                          enum publisher_action action)
{
    if (action == PUBLISHER_DIFFERS || action == PUBLISHER_REFUSED)
        report->differing++;
    else
        report->changed++;
    if (!report->rows || report->row_count == PUBLISHER_ROWS_MAX)
        return;
    struct publisher_row *row = &report->rows[report->row_count++];
    *row = (struct publisher_row){.type = change->served.type,
                                  .action = action,
                                  .is_alias = change->served.is_alias,
                                  .served_ttl_s = change->served.ttl_s,
                                  .wanted_ttl_s = change->wanted.ttl_s};
    memcpy(row->name, change->served.name, sizeof(row->name));
    /* Without memory a row says less. */
    row->served = change->served.text ? strdup(change->served.text) : NULL;
    row->wanted = change->wanted.text ? strdup(change->wanted.text) : NULL;
}

void publisher_report_done(struct publisher_report *report)
{
    for (size_t i = 0; i < report->row_count; i++) {
        free(report->rows[i].served);
        free(report->rows[i].wanted);
    }
    free(report->rows);
    *report = (struct publisher_report){.rows = NULL};
}

static void order_batch(struct publisher_batch *batch, struct publisher_zone *zone,
                        const struct publisher_order *order, struct publisher_report *report)
{
    publisher_batch_init(batch, zone, order->force ? PUBLISHER_FORCE : PUBLISHER_SYNC);
    batch->dry_run = order->dry_run;
    batch->report = report;
    batch->from = zone->memory.done + 1;
}

static int addresses_run(struct publisher_zone *zone, const struct publisher_order *order,
                         struct publisher_report *report)
{
    struct publisher_batch batch;
    struct store_address last = {.user = ""};
    uint64_t turn_ms = publisher_now_ms();
    bool more = true;
    int status = 0;
    while (status == 0 && more) {
        order_batch(&batch, zone, order, report);
        status = publisher_addresses_compare(&batch, order->domain, &last, &more);
        publisher_batch_done(&batch);
        if (publisher_now_ms() - turn_ms < PUBLISHER_GATHER_MS)
            continue;
        publisher_zone_turn(zone); /* changes that came meanwhile do not wait */
        turn_ms = publisher_now_ms();
    }
    return status;
}

int publisher_order_run(struct publisher_zone *zone, const struct publisher_order *order,
                        struct publisher_report *report)
{
    struct publisher_batch batch;
    order_batch(&batch, zone, order, report);
    int status = publisher_domains_compare(&batch, order->domain, true);
    publisher_batch_done(&batch);
    return status == 0 ? addresses_run(zone, order, report) : status;
}

/* ---- for the zones that it concerns ---- */

/* Its own zone, and those below it that take parts of its names. */
static bool is_concerned(const struct publisher *publisher, const struct publisher_zone *zone,
                         const char *domain)
{
    return publisher_zone_of(publisher, domain) == zone ||
           publisher_is_below(zone->conf.name, domain);
}

/* Has the zone's thread carry it out. With the lock. */
static int zone_order(struct publisher_zone *zone, const struct publisher_order *order,
                      struct publisher_report *report)
{
    struct publisher *publisher = zone->publisher;
    if (!zone->is_started) {
        memcpy(report->why, zone->stats.why, sizeof(report->why));
        return -EAGAIN;
    }
    zone->order = order;
    zone->report = report;
    pthread_cond_broadcast(&publisher->news);
    while (zone->order && !publisher->stopped)
        pthread_cond_wait(&publisher->done, &publisher->lock);
    return zone->order ? STATUS_CANCELLED : zone->order_status;
}

/* One order at a time, and none while the zones are others: the next one waits. */
int publisher_sync(struct publisher *publisher, const struct publisher_order *order,
                   struct publisher_report *report)
{
    *report = (struct publisher_report){.rows = calloc(PUBLISHER_ROWS_MAX, sizeof(*report->rows))};
    pthread_mutex_lock(&publisher->lock);
    while ((publisher->order_taken || publisher->next_conf || publisher->reloading) &&
           !publisher->stopped)
        pthread_cond_wait(&publisher->done, &publisher->lock);
    int status = publisher->stopped ? STATUS_CANCELLED : STATUS_NOTFOUND;
    publisher->order_taken = true;
    for (size_t i = 0; i < publisher->zone_count && (status == 0 || status == STATUS_NOTFOUND); i++)
        if (is_concerned(publisher, publisher->zones[i], order->domain))
            status = zone_order(publisher->zones[i], order, report);
    publisher->order_taken = false;
    pthread_cond_signal(&publisher->turn); /* a reload may wait */
    pthread_cond_broadcast(&publisher->done);
    pthread_mutex_unlock(&publisher->lock);
    return status;
}
