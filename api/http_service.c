/* All listeners together: their start, their end, another certificate, and the keeper. */
#include "api/http.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RETIRED_LEAST_MS 1000 /* for connections that were being accepted */

/* ---- waiting ---- */

/* Waits for `cond` at most until `until_ms`; false where that is over. The lock is held. */
static bool wait_until(struct api_http *http, pthread_cond_t *cond, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    return pthread_cond_timedwait(cond, &http->lock, &until) == 0;
}

static void conds_init(struct api_http *http)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&http->changed, &attr);
    pthread_cond_init(&http->end, &attr);
    pthread_condattr_destroy(&attr);
}

static int start_fail(char why[API_MAX_WHY], const char *what, int status)
{
    snprintf(why, API_MAX_WHY, "API %s: the HTTP server does not start: %s", what,
             status_text(status));
    return status;
}

/* ---- another certificate ---- */

static bool retired_is_full(struct api_http *http)
{
    pthread_mutex_lock(&http->lock);
    bool full = http->retired_count == API_MAX_RETIRED;
    pthread_mutex_unlock(&http->lock);
    return full;
}

/* The new server accepts before the old one ceases to: nobody finds the address closed. */
static int server_replace(struct api *api, const struct api_pair *pair)
{
    struct api_http *http = api->http;
    struct api_server *old = http->servers[API_ON_HTTPS], *fresh;
    int fd = fcntl(old->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int status = api_server_start(api, API_ON_HTTPS, fd, pair, &fresh);
    if (status)
        return status;
    api_server_quiesce(old);
    atomic_store(&old->retired, true);
    pthread_mutex_lock(&http->lock);
    old->retired_ms = api_monotonic_ms();
    http->servers[API_ON_HTTPS] = fresh;
    http->retired[http->retired_count++] = old;
    pthread_mutex_unlock(&http->lock);
    memcpy(http->pair_digest, pair->digest, sizeof(pair->digest));
    api_streams_wake(0, http); /* they end; their clients come back and go on where they were */
    return 0;
}

/* Serves what waits, where it can; on failure it waits on. The lock of pairs is held. */
static int next_serve(struct api *api)
{
    struct api_http *http = api->http;
    if (!http->next.certificate || http->stopping || retired_is_full(http))
        return 0;
    int status = server_replace(api, &http->next);
    if (!status)
        api_pair_done(&http->next);
    return status;
}

static void next_retry(struct api *api)
{
    struct api_http *http = api->http;
    pthread_mutex_lock(&http->pair_lock);
    bool waited = http->next.certificate;
    next_serve(api);
    if (waited && !http->next.certificate)
        log_write(api->parts.log, LOG_NOTICE, "api", "the certificate that waited is served");
    pthread_mutex_unlock(&http->pair_lock);
}

/* Takes the pair over. The lock of pairs is held. */
static int pair_take(struct api *api, struct api_pair *pair, const char *certificate,
                     char why[API_MAX_WHY])
{
    struct api_http *http = api->http;
    api_pair_done(&http->next); /* the latest counts */
    if (memcmp(pair->digest, http->pair_digest, sizeof(pair->digest)) == 0) {
        api_pair_done(pair);
        return 0;
    }
    http->next = *pair;
    int status = next_serve(api);
    if (status) {
        api_pair_done(&http->next);
        return start_fail(why, "listen", status);
    }
    if (http->next.certificate)
        log_write(api->parts.log, LOG_NOTICE, "api",
                  "%s: waits until one of %d certificates before it has no connection left",
                  certificate, API_MAX_RETIRED);
    return 0;
}

int api_pair_reload(struct api *api, const char *certificate, const char *key,
                    char why[API_MAX_WHY])
{
    struct api_http *http = api->http;
    struct api_pair pair;
    if (api->http->https.sa.sa_family == AF_UNSPEC)
        return 0;
    int status = api_pair_read(certificate, key, &pair, why);
    if (status)
        return status;
    pthread_mutex_lock(&http->pair_lock);
    status = pair_take(api, &pair, certificate, why);
    pthread_mutex_unlock(&http->pair_lock);
    return status;
}

/* ---- the keeper ---- */

/* A server whose certificate was replaced and whose connections have ended; NULL where there is
 * none. */
static struct api_server *retired_take(struct api_http *http)
{
    struct api_server *done = NULL;
    uint64_t now_ms = api_monotonic_ms();
    pthread_mutex_lock(&http->lock);
    for (size_t i = 0; !done && i < http->retired_count; i++) {
        struct api_server *server = http->retired[i];
        if (server->connections > 0 || now_ms - server->retired_ms < RETIRED_LEAST_MS)
            continue;
        done = server;
        http->retired[i] = http->retired[--http->retired_count];
    }
    pthread_mutex_unlock(&http->lock);
    return done;
}

static bool keeper_sleep(struct api_http *http)
{
    uint64_t until_ms = api_monotonic_ms() + API_KEEPER_MS;
    pthread_mutex_lock(&http->lock);
    while (!http->keeper_ends && wait_until(http, &http->end, until_ms))
        ;
    bool goes_on = !http->keeper_ends;
    pthread_mutex_unlock(&http->lock);
    return goes_on;
}

static void *keeper_run(void *arg)
{
    struct api *api = arg;
    while (keeper_sleep(api->http)) {
        api_connections_sweep(api);
        api_streams_poll(api->http);
        api_streams_tick(api->http);
        api_refusals_tick(api->http);
        api_server_stop(retired_take(api->http));
        next_retry(api);
    }
    return NULL;
}

static void keeper_stop(struct api_http *http)
{
    if (!http->has_keeper)
        return;
    pthread_mutex_lock(&http->lock);
    http->keeper_ends = true;
    pthread_cond_signal(&http->end);
    pthread_mutex_unlock(&http->lock);
    pthread_join(http->keeper, NULL);
    http->has_keeper = false;
}

/* ---- start ---- */

static int socket_start(struct api *api, int fd, char why[API_MAX_WHY])
{
    int status = api_server_start(api, API_ON_SOCKET, fd, NULL, &api->http->servers[API_ON_SOCKET]);
    return status ? start_fail(why, "socket", status) : 0;
}

static int tcp_start(struct api *api, enum api_listener_kind kind, const struct netaddr *addr,
                     const struct api_pair *pair, char why[API_MAX_WHY])
{
    const char *what = kind == API_ON_HTTPS ? "listen" : "health";
    struct netaddr *bound = kind == API_ON_HTTPS ? &api->http->https : &api->http->health;
    char text[NETADDR_TEXT_MAX];
    int fd;
    int status = api_listen_tcp(addr, what, &fd, why);
    if (status)
        return status;
    socklen_t len = sizeof(*bound);
    getsockname(fd, &bound->sa, &len);
    status = api_server_start(api, kind, fd, pair, &api->http->servers[kind]);
    if (status)
        return start_fail(why, what, status);
    log_write(api->parts.log, LOG_NOTICE, "api", "listening: %s=%s", what,
              netaddr_format(bound, text));
    return 0;
}

static int https_start(struct api *api, const struct api_conf *conf, char why[API_MAX_WHY])
{
    struct api_pair pair;
    if (conf->listen.sa.sa_family == AF_UNSPEC)
        return 0;
    if (!conf->certificate || !conf->key) {
        snprintf(why, API_MAX_WHY, "API listen: needs certificate and key");
        return -EINVAL;
    }
    int status = api_pair_read(conf->certificate, conf->key, &pair, why);
    if (status)
        return status;
    memcpy(api->http->pair_digest, pair.digest, sizeof(pair.digest));
    status = tcp_start(api, API_ON_HTTPS, &conf->listen, &pair, why);
    api_pair_done(&pair);
    return status;
}

static int health_start(struct api *api, const struct api_conf *conf, char why[API_MAX_WHY])
{
    if (conf->health.sa.sa_family == AF_UNSPEC)
        return 0;
    return tcp_start(api, API_ON_HEALTH, &conf->health, NULL, why);
}

static struct api_http *http_alloc(const struct api_conf *conf)
{
    struct api_http *http = calloc(1, sizeof(*http));
    if (!http)
        return NULL;
    http->max_connections = conf->max_connections ? conf->max_connections : API_CONNECTIONS;
    if (http->max_connections < API_THREADS)
        http->max_connections = API_THREADS;
    http->timeout_s = conf->timeout_s ? conf->timeout_s : API_TIMEOUT_S;
    http->request_ms =
        1000 * (uint64_t)(conf->request_timeout_s ? conf->request_timeout_s : API_REQUEST_S);
    pthread_mutex_init(&http->lock, NULL);
    pthread_mutex_init(&http->refusals_lock, NULL);
    pthread_mutex_init(&http->pair_lock, NULL);
    conds_init(http);
    list_init(&http->connections);
    list_init(&http->streams);
    return http;
}

/* store_watch_h: of all that follow the journal in this process. */
static void journal_grew(uint64_t sequence, void *arg)
{
    struct api *api = arg;
    api_streams_wake(sequence, api->http);
    publisher_wake(api->parts.publisher, sequence);
}

int api_http_start(struct api *api, const struct api_conf *conf, int fd, char why[API_MAX_WHY])
{
    api->http = http_alloc(conf);
    if (!api->http) {
        close(fd);
        return start_fail(why, "socket", -ENOMEM);
    }
    store_journal_watch(api->parts.store, journal_grew, api);
    publisher_wake(api->parts.publisher, UINT64_MAX); /* of what came before */
    int status = api_refusals_start(api->http, api->parts.log);
    if (status) {
        close(fd);
        return start_fail(why, "socket", status);
    }
    status = socket_start(api, fd, why);
    if (!status)
        status = https_start(api, conf, why);
    if (!status)
        status = health_start(api, conf, why);
    if (!status && (status = -pthread_create(&api->http->keeper, NULL, keeper_run, api)) != 0)
        return start_fail(why, "keeper", status);
    api->http->has_keeper = status == 0;
    return status;
}

void api_bound(const struct api *api, struct netaddr *https, struct netaddr *health)
{
    *https = api->http->https;
    *health = api->http->health;
}

/* ---- end ---- */

static void servers_quiesce(struct api_http *http)
{
    for (size_t i = 0; i < API_LISTENER_COUNT; i++) {
        if (!http->servers[i])
            continue;
        api_server_quiesce(http->servers[i]);
        shutdown(http->servers[i]->fd, SHUT_RDWR); /* who connects now is refused at once */
    }
}

static void servers_stop(struct api_http *http)
{
    for (size_t i = 0; i < API_LISTENER_COUNT; i++)
        api_server_stop(http->servers[i]);
    while (http->retired_count > 0)
        api_server_stop(http->retired[--http->retired_count]);
}

/* Until every request was answered, or for API_STOP_MS after the last verdict only slow clients
 * were left; then until nothing sleeps. Each connection is good for one more answer at most. */
static void requests_finish(struct api_http *http)
{
    uint64_t until_ms = api_monotonic_ms() + API_STOP_MS;
    bool in_time = true;
    pthread_mutex_lock(&http->lock);
    while (http->exchanges > 0 && in_time) {
        if (http->pending == 0) {
            in_time = wait_until(http, &http->changed, until_ms);
        } else {
            pthread_cond_wait(&http->changed, &http->lock);
            until_ms = api_monotonic_ms() + API_STOP_MS;
        }
    }
    http->closed = true;
    while (http->pending > 0)
        pthread_cond_wait(&http->changed, &http->lock);
    pthread_mutex_unlock(&http->lock);
}

static void http_free(struct api_http *http)
{
    pthread_cond_destroy(&http->changed);
    pthread_cond_destroy(&http->end);
    pthread_mutex_destroy(&http->lock);
    pthread_mutex_destroy(&http->refusals_lock);
    pthread_mutex_destroy(&http->pair_lock);
    api_pair_done(&http->next);
    free(http);
}

void api_http_stop(struct api *api)
{
    struct api_http *http = api->http;
    if (!http)
        return;
    pthread_mutex_lock(&http->pair_lock); /* no server comes from here on */
    pthread_mutex_lock(&http->lock);
    http->stopping = true;
    pthread_mutex_unlock(&http->lock);
    pthread_mutex_unlock(&http->pair_lock);
    store_journal_watch(api->parts.store, NULL, NULL);
    servers_quiesce(http);
    api_streams_wake(0, http);
    requests_finish(http);
    keeper_stop(http);
    servers_stop(http);
    api_refusals_stop(http);
    http_free(http);
    api->http = NULL;
}
