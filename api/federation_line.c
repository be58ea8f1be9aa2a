/* The connections of the federation's listener: how many, of whom, for how long, and how many
 * requests. */
#include "api/federation_internal.h"
#include "api/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define WATCH_MS     250  /* how often somebody looks */
#define SOURCES_MAX  1024 /* buckets of each table */
#define DOMAINS_MAX  1024
#define LOG_BURST    20 /* refusals in the log at once, */
#define LOG_EVERY_US 6000000
#define RATE_US      (60 * UINT64_C(1000000) / FEDERATION_RATE_PER_MINUTE)

int federation_lines_init(struct federation_lines *lines)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&lines->end, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&lines->lock, NULL);
    list_init(&lines->list);
    lines->ends = false;
    lines->sources = api_rate_alloc(SOURCES_MAX, FEDERATION_RATE_PER_MINUTE, RATE_US);
    lines->domains = api_rate_alloc(DOMAINS_MAX, FEDERATION_RATE_PER_MINUTE, RATE_US);
    lines->refusals = api_rate_alloc(1, LOG_BURST, LOG_EVERY_US);
    return lines->sources && lines->domains && lines->refusals ? 0 : -ENOMEM;
}

void federation_lines_done(struct federation_lines *lines)
{
    api_rate_free(lines->sources);
    api_rate_free(lines->domains);
    api_rate_free(lines->refusals);
    pthread_cond_destroy(&lines->end);
    pthread_mutex_destroy(&lines->lock);
}

/* ---- how many ---- */

/* libmicrohttpd finds a connection that is shut down at its end, and closes it. The lock is held.
 */
static void line_cut(struct federation_line *line)
{
    line->cut = true;
    line->deadline_ms = 0;
    shutdown(line->fd, SHUT_RDWR);
}

static bool is_same_source(const struct federation_line *a, const struct federation_line *b)
{
    return a->source.len == b->source.len &&
           memcmp(a->source.key, b->source.key, a->source.len) == 0;
}

/* Nobody gets more than his share, and who proves nothing keeps nobody out. The lock is held. */
static void room_make(struct federation_lines *lines, struct federation_line *fresh)
{
    struct federation_line *oldest = NULL;
    size_t all = 0, same = 0;
    list_each (it, next, &lines->list) {
        struct federation_line *line = container_of(it, struct federation_line, link);
        if (line->cut)
            continue;
        all++;
        same += is_same_source(line, fresh);
        if (!line->proven && !oldest)
            oldest = line;
    }
    if (same >= FEDERATION_CONNECTIONS / FEDERATION_SOURCE_SHARE)
        line_cut(fresh);
    else if (all >= FEDERATION_CONNECTIONS)
        line_cut(oldest ? oldest : fresh);
}

void federation_line_add(struct federation_lines *lines, struct federation_line *line)
{
    pthread_mutex_lock(&lines->lock);
    line->deadline_ms = api_monotonic_ms() + FEDERATION_HANDSHAKE_MS;
    room_make(lines, line);
    list_append(&lines->list, &line->link);
    pthread_mutex_unlock(&lines->lock);
}

void federation_line_remove(struct federation_lines *lines, struct federation_line *line)
{
    pthread_mutex_lock(&lines->lock);
    list_remove(&line->link);
    pthread_mutex_unlock(&lines->lock);
}

/* ---- how long ---- */

void federation_line_within(struct federation_lines *lines, struct federation_line *line,
                            uint64_t ms)
{
    pthread_mutex_lock(&lines->lock);
    line->deadline_ms = ms && !line->cut ? api_monotonic_ms() + ms : 0;
    pthread_mutex_unlock(&lines->lock);
}

void federation_line_proven(struct federation_lines *lines, struct federation_line *line)
{
    pthread_mutex_lock(&lines->lock);
    line->proven = true;
    pthread_mutex_unlock(&lines->lock);
}

static void lines_sweep(struct federation_lines *lines)
{
    uint64_t now_ms = api_monotonic_ms();
    list_each (it, next, &lines->list) {
        struct federation_line *line = container_of(it, struct federation_line, link);
        if (line->deadline_ms && now_ms >= line->deadline_ms)
            line_cut(line);
    }
}

void federation_lines_watch(struct federation_lines *lines)
{
    pthread_mutex_lock(&lines->lock);
    while (!lines->ends) {
        uint64_t until_ms = api_monotonic_ms() + WATCH_MS;
        const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                       .tv_nsec = (long)(until_ms % 1000) * 1000000};
        pthread_cond_timedwait(&lines->end, &lines->lock, &until);
        lines_sweep(lines);
    }
    pthread_mutex_unlock(&lines->lock);
}

void federation_lines_end(struct federation_lines *lines)
{
    pthread_mutex_lock(&lines->lock);
    lines->ends = true;
    pthread_cond_signal(&lines->end);
    pthread_mutex_unlock(&lines->lock);
}

/* ---- how many requests ---- */

static bool rate_take(struct federation_lines *lines, struct api_rate *rate, struct slice key)
{
    uint64_t wait_us;
    pthread_mutex_lock(&lines->lock);
    bool may = api_rate_take(rate, key, api_monotonic_us(), &wait_us);
    pthread_mutex_unlock(&lines->lock);
    return may;
}

bool federation_source_may(struct federation_lines *lines, const struct federation_line *line)
{
    return rate_take(lines, lines->sources, slice_make(line->source.key, line->source.len));
}

/* A domain may be longer than a key of the table. */
bool federation_domain_may(struct federation_lines *lines, const char *domain)
{
    uint8_t hash[STORE_HASH_LEN];
    return api_token_hash(slice_of(domain), hash) == 0 &&
           rate_take(lines, lines->domains, slice_make((const char *)hash, sizeof(hash)));
}

bool federation_log_may(struct federation_lines *lines)
{
    return rate_take(lines, lines->refusals, SLICE("refusals"));
}
