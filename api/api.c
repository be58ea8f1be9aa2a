#include "api/api.h"
#include "api/http.h"
#include "api/internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WALK_CACHE_MAX 256 /* record sets one route explanation can meet */

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t api_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

uint64_t api_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
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
    struct store_reader *reader = api->reader_count ? api->readers[--api->reader_count] : NULL;
    pthread_mutex_unlock(&api->lock);
    return reader;
}

void api_reader_return(struct api *api, struct store_reader *reader)
{
    pthread_mutex_lock(&api->lock);
    api->readers[api->reader_count++] = reader;
    pthread_mutex_unlock(&api->lock);
}

static int readers_alloc(struct api *api, char why[API_MAX_WHY])
{
    while (api->reader_count < API_THREADS) {
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

static int socket_start(struct api *api, const struct api_conf *conf, char why[API_MAX_WHY])
{
    int fd;
    int status = api_listen(conf, &fd, &api->socket_stat, why);
    if (status)
        return status;
    snprintf(api->socket, sizeof(api->socket), "%s", conf->socket);
    status = api_http_start(api, conf, fd);
    if (status)
        snprintf(why, API_MAX_WHY, "API socket %s: the HTTP server does not start: %s",
                 conf->socket, status_text(status));
    return status;
}

/* Only the file that api_listen made is removed: another daemon may have replaced it. */
static void socket_remove(const struct api *api)
{
    struct stat st;
    if (*api->socket && lstat(api->socket, &st) == 0 && st.st_dev == api->socket_stat.st_dev &&
        st.st_ino == api->socket_stat.st_ino)
        unlink(api->socket);
}

int api_start(const struct api_conf *conf, const struct api_parts *parts, struct api **api,
              char why[API_MAX_WHY])
{
    struct api *self = calloc(1, sizeof(*self));
    if (!self) {
        snprintf(why, API_MAX_WHY, "API socket %s: out of memory", conf->socket);
        return -ENOMEM;
    }
    pthread_mutex_init(&self->lock, NULL);
    self->parts = *parts;
    self->group = conf->group;
    self->started_ms = api_monotonic_ms();
    self->resolver = *parts->resolver;
    self->parts.resolver = NULL; /* the copy is used */
    self->parts.tls = NULL;
    self->resolver.cache_max = WALK_CACHE_MAX;
    int status = readers_alloc(self, why);
    if (!status)
        status = socket_start(self, conf, why);
    if (status) {
        api_stop(self);
        return status;
    }
    log_write(parts->log, LOG_NOTICE, "api", "listening: socket=%s", self->socket);
    if (parts->tls && (status = api_certificates_set(self, parts->tls)) != 0) {
        snprintf(why, API_MAX_WHY, "API socket %s: out of memory", conf->socket);
        api_stop(self);
        return status;
    }
    *api = self;
    return 0;
}

void api_stop(struct api *api)
{
    if (!api)
        return;
    api_http_stop(api);
    socket_remove(api);
    while (api->reader_count > 0)
        store_reader_free(api->readers[--api->reader_count]);
    api_certificates_free(api->certificates);
    pthread_mutex_destroy(&api->lock);
    free(api);
}
