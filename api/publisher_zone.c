/* The thread of a zone: opens what it remembers, follows the journal, carries orders out. */
#include "api/publisher_internal.h"

#include "base/status.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOURCE "publisher"

/* ---- making ---- */

struct publisher_zone *publisher_zone_alloc(struct publisher *publisher,
                                            const struct publisher_zone_conf *conf, size_t index)
{
    struct publisher_zone *zone = calloc(1, sizeof(*zone));
    if (!zone)
        return NULL;
    zone->publisher = publisher;
    zone->index = index;
    zone->conf = *conf;
    zone->place = UINT64_MAX;
    zone->memory.fd = -1;
    zone->wait_ms = PUBLISHER_RETRY_MS;
    zone->stats.primary = conf->primary;
    zone->stats.state = PUBLISHER_WORKING;
    memcpy(zone->stats.zone, conf->name, sizeof(zone->stats.zone));
    return zone;
}

void publisher_zone_free(struct publisher_zone *zone)
{
    publisher_memory_close(&zone->memory);
    store_reader_free(zone->reader);
    explicit_bzero(&zone->conf.key, sizeof(zone->conf.key));
    free(zone);
}

/* ---- opening ---- */

/* Every address is compared; what came before `last` need not be read. */
static void zone_restart(struct publisher_zone *zone, uint64_t last, const char *why)
{
    log_write(zone->publisher->log, LOG_NOTICE, SOURCE,
              "comparing every address with what is served: zone=%s entry=%llu: %s",
              zone->conf.name, (unsigned long long)last, why);
    publisher_memory_gap(&zone->memory, PUBLISHER_GAP_LOST);
    publisher_memory_done(&zone->memory, last);
}

/* Other settings than those the addresses were compared with? */
static void settings_take(struct publisher_zone *zone)
{
    struct publisher_memory *memory = &zone->memory;
    const struct zone_conf *records = zone->publisher->records;
    if (memory->compared_records != records->address_records)
        publisher_memory_gap(memory, PUBLISHER_GAP_MISSING);
    if (memory->ttl_count == 0 || memory->ttls[0] != records->address_ttl_s)
        publisher_memory_gap(memory, PUBLISHER_GAP_TTL);
    publisher_memory_ttl(memory, records->address_ttl_s);
    zone->walk = memory->gap != PUBLISHER_GAP_NONE;
}

static const char *loss_of(const struct publisher_memory *memory, const struct store_cursor *cursor,
                           uint64_t done, const struct store_stats *stats)
{
    if (memory->done == UINT64_MAX)
        return "it is published for the first time, or the file of what was is gone";
    if (cursor->name[0] == '\0')
        return "the cursor is gone";
    if (cursor->lost || done + 1 < stats->first_sequence)
        return "the journal no longer has what is not published yet (store, journal-max)";
    return memory->done > stats->last_sequence ? "the journal is another one, or an older one"
                                               : NULL;
}

/* Where to go on: at the zone's own place, or at the cursor where that is further back. */
static void zone_place(struct publisher_zone *zone, const struct store_cursor *cursor,
                       const struct store_stats *stats)
{
    uint64_t done = zone->memory.done;
    if (cursor->name[0] != '\0' && cursor->sequence < done)
        done = cursor->sequence;
    const char *loss = loss_of(&zone->memory, cursor, done, stats);
    zone->check = zone->check_all = true;
    if (loss)
        zone_restart(zone, stats->last_sequence, loss);
    else
        publisher_memory_done(&zone->memory, done);
    settings_take(zone);
}

int publisher_place_read(struct store_reader *reader, struct store_cursor *cursor,
                         struct store_stats *stats)
{
    int status = store_reader_begin(reader);
    *cursor = (struct store_cursor){.name = ""};
    if (status != 0)
        return status;
    status = store_stats_get(reader, stats);
    if (status == 0)
        status = store_cursor_get(reader, PUBLISHER_CURSOR, cursor);
    store_reader_end(reader);
    return status == STATUS_NOTFOUND ? 0 : status;
}

static int open_failed(struct publisher_zone *zone, int status, const char *what)
{
    snprintf(zone->stats.why, sizeof(zone->stats.why),
             "%.512s: cannot be used: %s; nothing of zone %s is published until it can", what,
             status_text(status), zone->conf.name);
    return status;
}

/* Until this succeeds nothing is known of the zone, and nothing is sent. */
static int zone_open(struct publisher_zone *zone)
{
    struct store_cursor cursor;
    struct store_stats stats;
    char path[sizeof(zone->memory.path)];
    int status = zone->reader ? 0 : store_reader_alloc(zone->publisher->store, &zone->reader);
    if (status == 0)
        status = publisher_place_read(zone->reader, &cursor, &stats);
    if (status != 0)
        return open_failed(zone, status, "the directory (store, max-readers)");
    status = publisher_memory_open(&zone->memory, zone->publisher->folder, zone->conf.name);
    if (status != 0) {
        memcpy(path, zone->memory.path, sizeof(path));
        publisher_memory_close(&zone->memory);
        return open_failed(zone, status, path);
    }
    zone_place(zone, &cursor, &stats);
    zone->is_open = true;
    return 0;
}

/* ---- a turn ---- */

static void zone_failed(struct publisher_zone *zone, int status)
{
    struct publisher_stats *stats = &zone->stats;
    if (status == STATUS_CANCELLED)
        return;
    if (stats->why[0] == '\0')
        snprintf(stats->why, sizeof(stats->why), "zone %s: %s", zone->conf.name,
                 status_text(status));
    log_write(zone->publisher->log, stats->state == PUBLISHER_FAILING ? LOG_INFO : LOG_WARNING,
              SOURCE, "%s; the next attempt is in %u ms, or after the next change", stats->why,
              zone->wait_ms);
    stats->state = PUBLISHER_FAILING;
    stats->failures++;
    zone->failed_ms = publisher_now_ms();
    zone->retry_ms = zone->failed_ms + zone->wait_ms;
    zone->wait_ms =
        2 * zone->wait_ms > PUBLISHER_RETRY_MAX ? PUBLISHER_RETRY_MAX : 2 * zone->wait_ms;
}

static bool zone_has_work(const struct publisher_zone *zone)
{
    return zone->check || zone->walk || zone->behind;
}

static void zone_succeeded(struct publisher_zone *zone, uint64_t changed)
{
    struct publisher_stats *stats = &zone->stats;
    if (stats->state == PUBLISHER_FAILING)
        log_write(zone->publisher->log, LOG_NOTICE, SOURCE, "zone %s is published again",
                  zone->conf.name);
    if (stats->changed != changed)
        log_write(zone->publisher->log, LOG_INFO, SOURCE, "published: zone=%s sets=%llu entry=%llu",
                  zone->conf.name, (unsigned long long)(stats->changed - changed),
                  (unsigned long long)zone->memory.done);
    stats->why[0] = '\0';
    stats->state = zone->walk            ? PUBLISHER_COMPARING
                   : zone_has_work(zone) ? PUBLISHER_WORKING
                                         : PUBLISHER_CURRENT;
    zone->retry_ms = 0;
    zone->wait_ms = PUBLISHER_RETRY_MS;
}

/* What the journal has that is gone is compared anew. */
static int zone_follow(struct publisher_batch *batch)
{
    struct publisher_zone *zone = batch->zone;
    struct store_cursor cursor;
    struct store_stats stats;
    int status = publisher_follow(batch);
    if (status != STATUS_TRIMMED)
        return status;
    status = publisher_place_read(zone->reader, &cursor, &stats);
    if (status == 0)
        zone_restart(zone, stats.last_sequence,
                     "the journal no longer has what is not published yet (store, journal-max)");
    zone->walk = true;
    zone->walk_domain[0] = '\0';
    zone->check = zone->check_all = true;
    return status;
}

/* Was that about the records, and not about the primary as such? */
static bool is_partial(int status)
{
    return status == STATUS_DENIED || status == STATUS_SERVFAIL || status == STATUS_CONFLICT;
}

/* Records of domains that cannot be published hold no address back. */
static int zone_publish(struct publisher_zone *zone)
{
    struct publisher_batch batch;
    char why[UPDATE_WHY_MAX];
    int checked = zone->check ? publisher_domains_check(zone) : 0;
    int status = is_partial(checked) ? 0 : checked;
    memcpy(why, zone->stats.why, sizeof(why));
    if (status == 0) {
        publisher_batch_init(&batch, zone, PUBLISHER_FOLLOW);
        status = zone_follow(&batch);
        publisher_batch_done(&batch);
    }
    if (status == 0 && zone->walk && !zone->behind) {
        publisher_batch_init(&batch, zone, PUBLISHER_FOLLOW);
        status = publisher_walk(&batch);
        publisher_batch_done(&batch);
    }
    if (status == 0)
        status = publisher_memory_flush(&zone->memory, false);
    if (status == 0 && checked != 0)
        memcpy(zone->stats.why, why, sizeof(why));
    return status == 0 ? checked : status;
}

void publisher_zone_turn(struct publisher_zone *zone)
{
    uint64_t changed = zone->stats.changed;
    if (zone->retry_ms > publisher_now_ms())
        return;
    zone->stats.why[0] = '\0';
    int status = zone->is_open ? 0 : zone_open(zone);
    if (status == 0)
        status = zone_publish(zone);
    if (status == 0)
        zone_succeeded(zone, changed);
    else
        zone_failed(zone, status);
}

/* ---- the thread ---- */

/* For those who ask, and for the cursor, which follows the places of the zones. */
static void stats_copy(struct publisher_zone *zone)
{
    struct publisher *publisher = zone->publisher;
    zone->stats.sequence = zone->is_open ? publisher_memory_published(&zone->memory) : 0;
    zone->stats.differing = zone->memory.differing;
    pthread_mutex_lock(&publisher->lock);
    publisher->stats[zone->index] = zone->stats;
    if (zone->is_open && zone->place != zone->memory.done) {
        zone->place = zone->memory.done;
        publisher->moved = true;
        pthread_cond_signal(&publisher->turn);
    }
    pthread_mutex_unlock(&publisher->lock);
}

/* When there is something to do without news; UINT64_MAX: never. */
static uint64_t next_ms(const struct publisher_zone *zone)
{
    return zone->retry_ms > 0 || zone_has_work(zone) ? zone->retry_ms : UINT64_MAX;
}

static void news_wait(struct publisher *publisher, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    if (until_ms == UINT64_MAX)
        pthread_cond_wait(&publisher->news, &publisher->lock);
    else
        pthread_cond_timedwait(&publisher->news, &publisher->lock, &until);
}

/* Who changes something has perhaps mended something, too, and does not wait for the end of a long
 * back-off, but for that of the shortest. */
static void news_take(struct publisher_zone *zone)
{
    uint64_t soon_ms = zone->failed_ms + PUBLISHER_RETRY_MS;
    if (zone->retry_ms > soon_ms)
        zone->retry_ms = soon_ms;
}

/* Returns false where the thread shall end. */
static bool work_await(struct publisher_zone *zone)
{
    struct publisher *publisher = zone->publisher;
    uint64_t next = next_ms(zone);
    pthread_mutex_lock(&publisher->lock);
    while (zone->heard == publisher->news_count && !publisher->ending && !zone->order &&
           publisher_now_ms() < next)
        news_wait(publisher, next);
    bool gather = zone->heard != publisher->news_count && !zone->order && publisher_now_ms() < next;
    bool goes_on = !publisher->ending;
    pthread_mutex_unlock(&publisher->lock);
    if (goes_on && gather) /* what comes together is sent together; the end cuts it short */
        poll(&(struct pollfd){.fd = publisher->cancel_fd, .events = POLLIN}, 1,
             PUBLISHER_GATHER_MS);
    pthread_mutex_lock(&publisher->lock);
    if (zone->heard != publisher->news_count)
        news_take(zone);
    zone->heard = publisher->news_count;
    pthread_mutex_unlock(&publisher->lock);
    return goes_on;
}

/* An order that fails says so itself; how the zone is does not change by it. */
static int order_run(struct publisher_zone *zone, const struct publisher_order *order,
                     struct publisher_report *report)
{
    int status = zone->is_open ? 0 : zone_open(zone);
    if (status == 0)
        status = publisher_order_run(zone, order, report);
    if (status != 0 && zone->stats.why[0] == '\0')
        snprintf(zone->stats.why, sizeof(zone->stats.why), "zone %s: %s", zone->conf.name,
                 status_text(status));
    if (status != 0)
        memcpy(report->why, zone->stats.why, sizeof(report->why));
    if (zone->stats.state != PUBLISHER_FAILING)
        zone->stats.why[0] = '\0';
    if (status == 0 && zone->retry_ms > 0) /* what failed before may go on now */
        zone->retry_ms = 1;
    return status;
}

static void order_take(struct publisher_zone *zone)
{
    struct publisher *publisher = zone->publisher;
    pthread_mutex_lock(&publisher->lock);
    const struct publisher_order *order = zone->order;
    struct publisher_report *report = zone->report;
    pthread_mutex_unlock(&publisher->lock);
    if (!order)
        return;
    int status = order_run(zone, order, report);
    pthread_mutex_lock(&publisher->lock);
    zone->order = NULL;
    zone->order_status = status;
    pthread_cond_broadcast(&publisher->done);
    pthread_mutex_unlock(&publisher->lock);
}

static void *zone_run(void *arg)
{
    struct publisher_zone *zone = arg;
    do {
        publisher_zone_turn(zone);
        order_take(zone);
        stats_copy(zone);
    } while (work_await(zone));
    pthread_mutex_lock(&zone->publisher->lock);
    zone->publisher->running--;
    pthread_cond_signal(&zone->publisher->turn);
    pthread_mutex_unlock(&zone->publisher->lock);
    return NULL;
}

int publisher_zone_start(struct publisher_zone *zone)
{
    struct publisher *publisher = zone->publisher;
    pthread_mutex_lock(&publisher->lock);
    int status = -pthread_create(&zone->thread, NULL, zone_run, zone);
    zone->is_started = status == 0;
    zone->heard = publisher->news_count;
    publisher->running += status == 0 ? 1 : 0;
    if (status != 0) {
        zone->stats.state = PUBLISHER_FAILING;
        snprintf(zone->stats.why, sizeof(zone->stats.why), "zone %s: no thread for it: %s",
                 zone->conf.name, status_text(status));
        log_write(publisher->log, LOG_ERROR, SOURCE, "%s", zone->stats.why);
        publisher->stats[zone->index] = zone->stats;
    }
    pthread_mutex_unlock(&publisher->lock);
    return status;
}
