#include "api/api.h"
#include "api/guard.h"
#include "api/http.h"
#include "api/tally.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WALK_CACHE_MAX 256 /* record sets one route explanation can meet */

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t api_monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

uint64_t api_monotonic_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t api_now_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

bool api_walk_begin(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    bool may = api->walks < API_MAX_WALKS;
    if (may)
        api->walks++;
    pthread_mutex_unlock(&api->lock);
    return may;
}

void api_walk_end(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    api->walks--;
    pthread_mutex_unlock(&api->lock);
}

struct store_reader *api_reader_lend(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    while (api->reader_count == 0)
        pthread_cond_wait(&api->reader_back, &api->lock);
    struct store_reader *reader = api->readers[--api->reader_count];
    pthread_mutex_unlock(&api->lock);
    return reader;
}

void api_reader_return(struct api *api, struct store_reader *reader)
{
    pthread_mutex_lock(&api->lock);
    api->readers[api->reader_count++] = reader;
    pthread_cond_signal(&api->reader_back);
    pthread_mutex_unlock(&api->lock);
}

static int readers_alloc(struct api *api, char why[API_MAX_WHY])
{
    while (api->reader_count < API_READERS) {
        struct store_reader *reader;
        int status = store_reader_alloc(api->parts.store, &reader);
        if (status) {
            snprintf(why, API_MAX_WHY, "API: a reader of the directory: %s", status_text(status));
            return status;
        }
        api->readers[api->reader_count++] = reader;
    }
    return 0;
}

static int reserved_copy(struct api *api, const struct api_conf *conf)
{
    for (size_t i = 0; i < conf->reserved_count && i < API_MAX_RESERVED; i++) {
        char *user = strdup(conf->reserved[i]);
        if (!user)
            return -ENOMEM;
        api->reserved[api->reserved_count++] = user;
    }
    return 0;
}

static int memory_fail(char why[API_MAX_WHY])
{
    snprintf(why, API_MAX_WHY, "API: out of memory");
    return -ENOMEM;
}

static int listeners_start(struct api *api, const struct api_conf *conf, char why[API_MAX_WHY])
{
    int fd;
    int status = api_listen(conf, &fd, &api->socket_stat, why);
    if (status)
        return status;
    snprintf(api->socket, sizeof(api->socket), "%s", conf->socket);
    return api_http_start(api, conf, fd, why);
}

/* Only the file that api_listen made is removed: another daemon may have replaced it. */
static void socket_remove(const struct api *api)
{
    struct stat st;
    if (*api->socket && lstat(api->socket, &st) == 0 && st.st_dev == api->socket_stat.st_dev &&
        st.st_ino == api->socket_stat.st_ino)
        unlink(api->socket);
}

/* Copies what the caller need not keep. */
static struct api *api_alloc(const struct api_conf *conf, const struct api_parts *parts)
{
    struct api *api = calloc(1, sizeof(*api));
    if (!api)
        return NULL;
    pthread_mutex_init(&api->lock, NULL);
    pthread_cond_init(&api->reader_back, NULL);
    api->parts = *parts;
    api->group = conf->group;
    api->started_ms = api_monotonic_ms();
    api->started_unix_ms = api_now_ms();
    api->resolver = *parts->resolver;
    api->parts.resolver = NULL; /* the copy is used */
    api->parts.tls = NULL;
    api->parts.zone = NULL;
    api->resolver.cache_max = WALK_CACHE_MAX;
    api->guard = api_guard_alloc(conf->rate);
    api->tally = calloc(1, sizeof(*api->tally));
    if (api->guard && api->tally && reserved_copy(api, conf) == 0)
        return api;
    api_stop(api);
    return NULL;
}

int api_start(const struct api_conf *conf, const struct api_parts *parts, struct api **api,
              char why[API_MAX_WHY])
{
    struct api *self = api_alloc(conf, parts);
    if (!self)
        return memory_fail(why);
    int status = readers_alloc(self, why);
    /* Before anybody can ask: the first answer needs them as much as the last. */
    if (!status && ((parts->tls && api_certificates_set(self, parts->tls) != 0) ||
                    (parts->zone && api_zone_set(self, parts->zone) != 0)))
        status = memory_fail(why);
    if (!status)
        status = listeners_start(self, conf, why);
    if (!status)
        log_write(parts->log, LOG_NOTICE, "api", "listening: socket=%s", self->socket);
    if (status)
        api_stop(self);
    else
        *api = self;
    return status;
}

void api_drain(struct api *api)
{
    atomic_store(&api->draining, true);
}

void api_stop(struct api *api)
{
    if (!api)
        return;
    api_http_stop(api);
    socket_remove(api);
    while (api->reader_count > 0)
        store_reader_free(api->readers[--api->reader_count]);
    while (api->reserved_count > 0)
        free(api->reserved[--api->reserved_count]);
    api_certificates_free(api->certificates);
    free(api->zone);
    api_guard_free(api->guard);
    free(api->tally);
    pthread_cond_destroy(&api->reader_back);
    pthread_mutex_destroy(&api->lock);
    free(api);
}
