/* The publisher's thread, and how others speak with it. */
#include "api/publisher_internal.h"

#include "base/status.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SOURCE "publisher"

uint64_t publisher_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const char *publisher_state_text(enum publisher_state state)
{
    switch (state) {
    case PUBLISHER_CURRENT:
        return "current";
    case PUBLISHER_WORKING:
        return "working";
    case PUBLISHER_COMPARING:
        return "comparing";
    case PUBLISHER_FAILING:
        return "failing";
    }
    return "failing";
}

/* ---- zones ---- */

bool publisher_is_below(const char *name, const char *zone)
{
    size_t len = strlen(name), zone_len = strlen(zone);
    if (len < zone_len || strcmp(name + len - zone_len, zone) != 0)
        return false;
    return len == zone_len || name[len - zone_len - 1] == '.';
}

struct publisher_zone *publisher_zone_of(const struct publisher *publisher, const char *name)
{
    struct publisher_zone *closest = NULL;
    for (size_t i = 0; i < publisher->zone_count; i++) {
        struct publisher_zone *zone = publisher->zones[i];
        if (publisher_is_below(name, zone->conf.name) &&
            (!closest || strlen(zone->conf.name) > strlen(closest->conf.name)))
            closest = zone;
    }
    return closest;
}

static void zone_free(struct publisher_zone *zone)
{
    publisher_memory_close(&zone->memory);
    explicit_bzero(&zone->conf.key, sizeof(zone->conf.key));
    free(zone);
}

static void zones_free(struct publisher *publisher)
{
    while (publisher->zone_count > 0)
        zone_free(publisher->zones[--publisher->zone_count]);
    free(publisher->zones);
    publisher->zones = NULL;
}

/* Every address is compared; what came before `last` need not be read. */
static void zone_restart(struct publisher_zone *zone, uint64_t last)
{
    zone->walk = true;
    publisher_memory_compared(&zone->memory, false, zone->publisher->records);
    publisher_memory_done(&zone->memory, last);
}

/* Where to go on: at the zone's own place, or at the cursor where that is further back. */
static void zone_place(struct publisher_zone *zone, const struct store_cursor *cursor,
                       const struct store_stats *stats)
{
    const struct publisher_memory *memory = &zone->memory;
    const struct zone_conf *records = zone->publisher->records;
    uint64_t done = memory->done, last = stats->last_sequence;
    bool is_known = done != UINT64_MAX && cursor->name[0] != '\0' && !cursor->lost;
    if (is_known && cursor->sequence < done)
        done = cursor->sequence;
    zone->check = zone->check_all = true;
    if (!is_known || memory->done > last || done + 1 < stats->first_sequence)
        zone_restart(zone, last);
    else
        publisher_memory_done(&zone->memory, done);
    zone->walk = zone->walk || !memory->compared ||
                 memory->compared_records != records->address_records ||
                 memory->compared_ttl_s != records->address_ttl_s;
}

static int zone_make(struct publisher *publisher, const struct publisher_zone_conf *conf,
                     const struct store_cursor *cursor, const struct store_stats *stats)
{
    struct publisher_zone *zone = calloc(1, sizeof(*zone));
    if (!zone)
        return -ENOMEM;
    zone->publisher = publisher;
    zone->conf = *conf;
    zone->wait_ms = PUBLISHER_RETRY_MS;
    zone->stats.primary = conf->primary;
    zone->stats.state = PUBLISHER_WORKING;
    memcpy(zone->stats.zone, conf->name, sizeof(zone->stats.zone));
    int status = publisher_memory_open(&zone->memory, publisher->folder, conf->name);
    if (status != 0) {
        log_write(publisher->log, LOG_ERROR, SOURCE, "%s: cannot be used: %s", zone->memory.path,
                  status_text(status));
        zone_free(zone);
        return status;
    }
    publisher->zones[publisher->zone_count++] = zone;
    zone_place(zone, cursor, stats);
    return 0;
}

/* ---- the cursor ---- */

static int place_read(struct publisher *publisher, struct store_cursor *cursor,
                      struct store_stats *stats)
{
    int status = store_reader_begin(publisher->reader);
    *cursor = (struct store_cursor){.name = ""};
    if (status != 0)
        return status;
    status = store_stats_get(publisher->reader, stats);
    if (status == 0)
        status = store_cursor_get(publisher->reader, PUBLISHER_CURSOR, cursor);
    store_reader_end(publisher->reader);
    return status == STATUS_NOTFOUND ? 0 : status;
}

/* The journal is held back for the zone that is furthest behind. */
static void cursor_store(struct publisher *publisher)
{
    struct store_command command = {.op = STORE_CURSOR_PUT,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = SOURCE,
                                    .cursor = {.name = PUBLISHER_CURSOR, .sequence = UINT64_MAX}};
    struct store_verdict verdict = {.status = 0};
    struct timespec now;
    for (size_t i = 0; i < publisher->zone_count; i++)
        if (publisher->zones[i]->memory.done < command.cursor.sequence)
            command.cursor.sequence = publisher->zones[i]->memory.done;
    if (publisher->zone_count == 0 || command.cursor.sequence == publisher->cursor)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    command.time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    int status = store_submit(publisher->store, &command, &verdict);
    if (status == 0)
        status = verdict.status;
    if (status == 0)
        publisher->cursor = command.cursor.sequence;
    else
        log_write(publisher->log, LOG_WARNING, SOURCE, "the cursor \"%s\" cannot be kept: %s",
                  PUBLISHER_CURSOR, status_text(status));
}

/* ---- configuration ---- */

static int zones_make(struct publisher *publisher, const struct publisher_conf *conf)
{
    struct store_cursor cursor;
    struct store_stats stats;
    int status = place_read(publisher, &cursor, &stats);
    publisher->zones = calloc(PUBLISHER_ZONES_MAX, sizeof(struct publisher_zone *));
    if (status == 0 && !publisher->zones)
        status = -ENOMEM;
    publisher->cursor = UINT64_MAX;
    if (cursor.name[0] != '\0') /* a lost one is to be stored in any case */
        publisher->cursor = cursor.lost ? UINT64_MAX - 1 : cursor.sequence;
    for (size_t i = 0; status == 0 && i < conf->zone_count; i++) {
        int made = zone_make(publisher, &conf->zones[i], &cursor, &stats);
        if (made == -ENOMEM)
            status = made;
    }
    return status;
}

/* Takes what a reload left. */
static void conf_take(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    struct publisher_conf *conf = publisher->next_conf;
    struct zone_conf *records = publisher->next_records;
    publisher->next_conf = NULL;
    publisher->next_records = NULL;
    pthread_mutex_unlock(&publisher->lock);
    if (!conf)
        return;
    zones_free(publisher);
    free(publisher->records);
    publisher->records = records;
    int status = zones_make(publisher, conf);
    if (status != 0)
        log_write(publisher->log, LOG_ERROR, SOURCE, "not everything is published: %s",
                  status_text(status));
    if (publisher->zone_count == 0 && publisher->cursor != UINT64_MAX)
        log_write(publisher->log, LOG_WARNING, SOURCE,
                  "no zone is published, and the journal is held back for its publisher: \"junctor "
                  "cursor del %s\" ends that",
                  PUBLISHER_CURSOR);
    for (size_t i = 0; i < publisher->zone_count; i++) {
        char addr[NETADDR_TEXT_MAX];
        log_write(publisher->log, LOG_NOTICE, SOURCE, "publishing: zone=%s primary=%s",
                  publisher->zones[i]->conf.name,
                  netaddr_format(&publisher->zones[i]->conf.primary, addr));
    }
    explicit_bzero(conf, sizeof(*conf));
    free(conf);
}

int publisher_reload(struct publisher *publisher, const struct publisher_conf *conf,
                     const struct zone_conf *records)
{
    struct publisher_conf *next_conf = malloc(sizeof(*next_conf));
    struct zone_conf *next_records = malloc(sizeof(*next_records));
    if (!next_conf || !next_records) {
        free(next_conf);
        free(next_records);
        return -ENOMEM;
    }
    *next_conf = *conf;
    *next_records = *records;
    pthread_mutex_lock(&publisher->lock);
    free(publisher->next_conf);
    free(publisher->next_records);
    publisher->next_conf = next_conf;
    publisher->next_records = next_records;
    publisher->woken = true;
    pthread_cond_signal(&publisher->news);
    pthread_mutex_unlock(&publisher->lock);
    return 0;
}

/* ---- a zone's turn ---- */

static void zone_failed(struct publisher_zone *zone, int status)
{
    struct publisher_stats *stats = &zone->stats;
    if (status == STATUS_CANCELLED)
        return;
    if (stats->why[0] == '\0')
        snprintf(stats->why, sizeof(stats->why), "zone %s: %s", zone->conf.name,
                 status_text(status));
    log_write(zone->publisher->log, stats->state == PUBLISHER_FAILING ? LOG_INFO : LOG_WARNING,
              SOURCE, "%s; the next attempt is in %u ms", stats->why, zone->wait_ms);
    stats->state = PUBLISHER_FAILING;
    stats->failures++;
    zone->retry_ms = publisher_now_ms() + zone->wait_ms;
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
    status = place_read(zone->publisher, &cursor, &stats);
    if (status == 0)
        zone_restart(zone, stats.last_sequence);
    zone->walk_domain[0] = '\0';
    zone->check = zone->check_all = true;
    return status;
}

static void zone_turn(struct publisher_zone *zone)
{
    struct publisher_batch batch;
    uint64_t changed = zone->stats.changed;
    zone->stats.why[0] = '\0';
    int status = zone->check ? publisher_domains_check(zone) : 0;
    if (status == 0) {
        publisher_batch_init(&batch, zone, PUBLISHER_FOLLOW);
        status = zone_follow(&batch);
        publisher_batch_done(&batch);
    }
    if (status == 0 && zone->walk) {
        publisher_batch_init(&batch, zone, PUBLISHER_FOLLOW);
        status = publisher_walk(&batch);
        publisher_batch_done(&batch);
    }
    if (status == 0)
        status = publisher_memory_flush(&zone->memory, false);
    if (status == 0)
        zone_succeeded(zone, changed);
    else
        zone_failed(zone, status);
}

/* Those that failed come last: they may take long. */
void publisher_zones_turn(struct publisher *publisher)
{
    for (size_t i = 0; i < publisher->zone_count; i++)
        if (publisher->zones[i]->retry_ms == 0)
            zone_turn(publisher->zones[i]);
    for (size_t i = 0; i < publisher->zone_count; i++)
        if (publisher->zones[i]->retry_ms > 0 &&
            publisher->zones[i]->retry_ms <= publisher_now_ms())
            zone_turn(publisher->zones[i]);
}

/* ---- the thread ---- */

static void stats_copy(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    for (size_t i = 0; i < publisher->zone_count; i++) {
        struct publisher_zone *zone = publisher->zones[i];
        zone->stats.sequence = zone->memory.done;
        zone->stats.differing = zone->memory.differing;
        publisher->stats[i] = zone->stats;
    }
    publisher->stats_count = publisher->zone_count;
    pthread_mutex_unlock(&publisher->lock);
}

/* When there is something to do without news; UINT64_MAX: never. */
static uint64_t next_ms(const struct publisher *publisher)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < publisher->zone_count; i++) {
        const struct publisher_zone *zone = publisher->zones[i];
        bool is_due = zone->retry_ms > 0 || zone_has_work(zone);
        if (is_due && zone->retry_ms < next)
            next = zone->retry_ms;
    }
    return next;
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

/* Returns false where the thread shall end. */
static bool work_await(struct publisher *publisher)
{
    uint64_t next = next_ms(publisher);
    pthread_mutex_lock(&publisher->lock);
    while (!publisher->woken && !publisher->stopping && !publisher->order &&
           publisher_now_ms() < next)
        news_wait(publisher, next);
    bool gather = publisher->woken && !publisher->order && publisher_now_ms() < next;
    bool goes_on = !publisher->stopping;
    pthread_mutex_unlock(&publisher->lock);
    if (goes_on && gather) /* what comes together is sent together; the end cuts it short */
        poll(&(struct pollfd){.fd = publisher->cancel_fd, .events = POLLIN}, 1,
             PUBLISHER_GATHER_MS);
    pthread_mutex_lock(&publisher->lock);
    publisher->woken = false;
    pthread_mutex_unlock(&publisher->lock);
    return goes_on;
}

static void order_take(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    const struct publisher_order *order = publisher->order_done ? NULL : publisher->order;
    pthread_mutex_unlock(&publisher->lock);
    if (!order)
        return;
    int status = publisher_order_run(publisher, order, publisher->report);
    pthread_mutex_lock(&publisher->lock);
    publisher->order = NULL;
    publisher->order_status = status;
    publisher->order_done = true;
    pthread_cond_broadcast(&publisher->done);
    pthread_mutex_unlock(&publisher->lock);
}

static void *publisher_run(void *arg)
{
    struct publisher *publisher = arg;
    do {
        conf_take(publisher);
        stats_copy(publisher); /* the turn may take long */
        publisher_zones_turn(publisher);
        order_take(publisher);
        cursor_store(publisher);
        stats_copy(publisher);
    } while (work_await(publisher));
    return NULL;
}

/* ---- what others call ---- */

static int publisher_init(struct publisher *publisher, const char *folder)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&publisher->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&publisher->news, &attr);
    pthread_cond_init(&publisher->done, &attr);
    pthread_condattr_destroy(&attr);
    publisher->stopped = true;
    publisher->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    publisher->folder = strdup(folder);
    publisher->stats = calloc(PUBLISHER_ZONES_MAX, sizeof(*publisher->stats));
    if (publisher->cancel_fd < 0)
        return -errno;
    return publisher->folder && publisher->stats ? 0 : -ENOMEM;
}

int publisher_start(const struct publisher_conf *conf, const struct zone_conf *records,
                    struct store *store, const char *folder, struct log *log,
                    struct publisher **publisher)
{
    struct publisher *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->store = store;
    made->log = log;
    int status = publisher_init(made, folder);
    if (status == 0)
        status = publisher_reload(made, conf, records);
    if (status == 0)
        status = store_reader_alloc(store, &made->reader);
    if (status == 0)
        status = -pthread_create(&made->thread, NULL, publisher_run, made);
    if (status != 0) {
        publisher_free(made);
        return status;
    }
    made->stopped = false;
    *publisher = made;
    return 0;
}

void publisher_wake(struct publisher *publisher, uint64_t sequence)
{
    if (!publisher)
        return;
    pthread_mutex_lock(&publisher->lock);
    if (sequence != publisher->heard) { /* not each commit adds to the journal */
        publisher->heard = sequence;
        publisher->woken = true;
        pthread_cond_signal(&publisher->news);
    }
    pthread_mutex_unlock(&publisher->lock);
}

void publisher_stop(struct publisher *publisher)
{
    if (!publisher || publisher->stopped)
        return;
    pthread_mutex_lock(&publisher->lock);
    publisher->stopping = true;
    pthread_cond_signal(&publisher->news);
    pthread_mutex_unlock(&publisher->lock);
    eventfd_write(publisher->cancel_fd, 1);
    pthread_join(publisher->thread, NULL);
    pthread_mutex_lock(&publisher->lock);
    publisher->stopped = true;
    pthread_cond_broadcast(&publisher->done);
    pthread_mutex_unlock(&publisher->lock);
}

struct publisher *publisher_free(struct publisher *publisher)
{
    if (!publisher)
        return NULL;
    zones_free(publisher);
    store_reader_free(publisher->reader);
    if (publisher->next_conf)
        explicit_bzero(publisher->next_conf, sizeof(*publisher->next_conf));
    free(publisher->next_conf);
    free(publisher->next_records);
    free(publisher->records);
    free(publisher->stats);
    free(publisher->folder);
    if (publisher->cancel_fd >= 0)
        close(publisher->cancel_fd);
    pthread_cond_destroy(&publisher->news);
    pthread_cond_destroy(&publisher->done);
    pthread_mutex_destroy(&publisher->lock);
    free(publisher);
    return NULL;
}

size_t publisher_stats_get(struct publisher *publisher, struct publisher_stats *stats, size_t max)
{
    pthread_mutex_lock(&publisher->lock);
    size_t count = publisher->stats_count < max ? publisher->stats_count : max;
    memcpy(stats, publisher->stats, count * sizeof(*stats));
    pthread_mutex_unlock(&publisher->lock);
    return count;
}

/* One order at a time: the next one waits. */
int publisher_sync(struct publisher *publisher, const struct publisher_order *order,
                   struct publisher_report *report)
{
    *report = (struct publisher_report){.rows = NULL};
    pthread_mutex_lock(&publisher->lock);
    while (publisher->order_taken && !publisher->stopped)
        pthread_cond_wait(&publisher->done, &publisher->lock);
    int status = publisher->stopped ? STATUS_CANCELLED : 0;
    if (status == 0) {
        publisher->order_taken = true;
        publisher->order_done = false;
        publisher->order = order;
        publisher->report = report;
        pthread_cond_signal(&publisher->news);
        while (!publisher->order_done && !publisher->stopped)
            pthread_cond_wait(&publisher->done, &publisher->lock);
        status = publisher->order_done ? publisher->order_status : STATUS_CANCELLED;
        publisher->order = NULL;
        publisher->order_taken = false;
        pthread_cond_broadcast(&publisher->done);
    }
    pthread_mutex_unlock(&publisher->lock);
    return status;
}
