/* The publisher's thread, and how others speak with it. */
#include "api/publisher_internal.h"

#include "base/status.h"

#include <errno.h>
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

static void zones_free(struct publisher *publisher)
{
    while (publisher->zone_count > 0)
        publisher_zone_free(publisher->zones[--publisher->zone_count]);
    free(publisher->zones);
    publisher->zones = NULL;
}

/* Waits until all threads of zones have ended, or, with a limit, until it is over. */
static void threads_await(struct publisher *publisher, unsigned limit_ms)
{
    uint64_t until_ms = publisher_now_ms() + limit_ms;
    const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                   .tv_nsec = (long)(until_ms % 1000) * 1000000};
    while (publisher->running > 0 && !publisher->stopping && publisher_now_ms() < until_ms)
        pthread_cond_timedwait(&publisher->turn, &publisher->lock, &until);
}

/* Ends the threads: lets them finish what they are at, but not for long. */
static void zones_stop(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    publisher->ending = true;
    pthread_cond_broadcast(&publisher->news);
    threads_await(publisher, PUBLISHER_GRACE_MS);
    pthread_mutex_unlock(&publisher->lock);
    eventfd_write(publisher->cancel_fd, 1);
    for (size_t i = 0; i < publisher->zone_count; i++)
        if (publisher->zones[i]->is_started)
            pthread_join(publisher->zones[i]->thread, NULL);
    pthread_mutex_lock(&publisher->lock);
    eventfd_t count;
    if (!publisher->stopping) {
        eventfd_read(publisher->cancel_fd, &count);
        publisher->ending = false;
    }
    pthread_mutex_unlock(&publisher->lock);
}

/* ---- the cursor ---- */

/* The place of the zone that is furthest behind; UINT64_MAX: not known of each zone. */
static uint64_t place_find(struct publisher *publisher)
{
    uint64_t place = UINT64_MAX;
    pthread_mutex_lock(&publisher->lock);
    publisher->moved = false;
    for (size_t i = 0; i < publisher->zone_count; i++) {
        const struct publisher_zone *zone = publisher->zones[i];
        if (zone->place == UINT64_MAX) {
            place = UINT64_MAX;
            break;
        }
        if (zone->place < place)
            place = zone->place;
    }
    pthread_mutex_unlock(&publisher->lock);
    return place;
}

/* The journal is held back for the zone that is furthest behind. */
static void cursor_store(struct publisher *publisher)
{
    struct store_command command = {
        .op = STORE_CURSOR_PUT,
        .expected_version = STORE_ANY_VERSION,
        .actor = SOURCE,
        .cursor = {.name = PUBLISHER_CURSOR, .sequence = place_find(publisher)}};
    struct store_verdict verdict = {.status = 0};
    struct timespec now;
    if (command.cursor.sequence == UINT64_MAX || command.cursor.sequence == publisher->cursor)
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
    int status = publisher_place_read(publisher->reader, &cursor, &stats);
    publisher->zones = calloc(PUBLISHER_ZONES_MAX, sizeof(struct publisher_zone *));
    if (!publisher->zones)
        return -ENOMEM;
    publisher->cursor = UINT64_MAX;
    if (cursor.name[0] != '\0') /* a lost one is to be stored in any case */
        publisher->cursor = cursor.lost ? UINT64_MAX - 1 : cursor.sequence;
    for (size_t i = 0; i < conf->zone_count; i++) {
        struct publisher_zone *zone = publisher_zone_alloc(publisher, &conf->zones[i], i);
        if (!zone)
            return -ENOMEM;
        publisher->zones[publisher->zone_count++] = zone;
    }
    return status;
}

/* Starts their threads, which look for the zone of a name among all of them. */
static void zones_start(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    for (size_t i = 0; i < publisher->zone_count; i++)
        publisher->stats[i] = publisher->zones[i]->stats;
    publisher->stats_count = publisher->zone_count;
    pthread_mutex_unlock(&publisher->lock);
    for (size_t i = 0; i < publisher->zone_count; i++) {
        char addr[NETADDR_TEXT_MAX];
        log_write(publisher->log, LOG_NOTICE, SOURCE, "publishing: zone=%s primary=%s",
                  publisher->zones[i]->conf.name,
                  netaddr_format(&publisher->zones[i]->conf.primary, addr));
        publisher_zone_start(publisher->zones[i]);
    }
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
    zones_stop(publisher);
    cursor_store(publisher);
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
    zones_start(publisher);
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
    pthread_cond_signal(&publisher->turn);
    pthread_mutex_unlock(&publisher->lock);
    return 0;
}

/* ---- the thread that looks after those of the zones ---- */

/* Returns false where it shall end. */
static bool work_await(struct publisher *publisher)
{
    pthread_mutex_lock(&publisher->lock);
    while (!publisher->stopping && !publisher->moved &&
           (!publisher->next_conf || publisher->order_taken))
        pthread_cond_wait(&publisher->turn, &publisher->lock);
    publisher->reloading = !publisher->stopping && publisher->next_conf && !publisher->order_taken;
    bool goes_on = !publisher->stopping;
    pthread_mutex_unlock(&publisher->lock);
    return goes_on;
}

static void *publisher_run(void *arg)
{
    struct publisher *publisher = arg;
    while (work_await(publisher)) {
        if (publisher->reloading)
            conf_take(publisher);
        cursor_store(publisher);
        pthread_mutex_lock(&publisher->lock);
        publisher->reloading = false;
        pthread_cond_broadcast(&publisher->done);
        pthread_mutex_unlock(&publisher->lock);
    }
    zones_stop(publisher);
    cursor_store(publisher);
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
    pthread_cond_init(&publisher->turn, &attr);
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
        publisher->news_count++;
        pthread_cond_broadcast(&publisher->news);
    }
    pthread_mutex_unlock(&publisher->lock);
}

void publisher_stop(struct publisher *publisher)
{
    if (!publisher || publisher->stopped)
        return;
    pthread_mutex_lock(&publisher->lock);
    publisher->stopping = true;
    pthread_cond_signal(&publisher->turn);
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
    pthread_cond_destroy(&publisher->turn);
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
