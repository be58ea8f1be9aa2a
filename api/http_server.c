/* One MHD_Daemon: a listening socket and the threads that serve it. */
#include "api/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEALTH_THREADS 2
/* GnuTLS's words for TLS 1.2 and 1.3 with what it holds to be secure. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Escapes are undone by us, after the path was taken apart: an address may contain "/". */
static size_t url_keep(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg, (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void http_log(void *arg, const char *format,
                                                           va_list args)
{
    struct api *api = arg;
    char line[512];
    vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\n")] = '\0';
    log_write(api->parts.log, LOG_DEBUG, "api", "%s", line);
}

static unsigned connections_max(const struct api_server *server)
{
    unsigned max = server->api->http->max_connections;
    if (server->kind == API_ON_SOCKET)
        return max;
    return (server->kind == API_ON_HEALTH ? API_HEALTH_CONNECTIONS : max) + API_SPARE_CONNECTIONS;
}

static struct MHD_Daemon *daemon_start(struct api_server *server, int fd,
                                       const struct api_pair *pair)
{
    const struct api_http *http = server->api->http;
    bool health = server->kind == API_ON_HEALTH;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, pair ? pair->certificate : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, pair ? pair->key : NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME |
            (pair ? MHD_USE_TLS : 0),
        0, NULL, NULL, api_request_handle, server, MHD_OPTION_EXTERNAL_LOGGER, http_log,
        server->api, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)(health ? HEALTH_THREADS : API_THREADS), MHD_OPTION_CONNECTION_LIMIT,
        connections_max(server), MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)API_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, http->timeout_s, MHD_OPTION_URI_LOG_CALLBACK,
        api_request_begin, server, MHD_OPTION_NOTIFY_COMPLETED, api_request_done, server,
        MHD_OPTION_NOTIFY_CONNECTION, api_connection_event, server, MHD_OPTION_UNESCAPE_CALLBACK,
        url_keep, NULL, MHD_OPTION_ARRAY, pair ? tls : &tls[3], MHD_OPTION_END);
}

/* libmicrohttpd has a descriptor of its own: whether it closes that when it fails depends on where
 * it does. */
int api_server_start(struct api *api, enum api_listener_kind kind, int fd,
                     const struct api_pair *pair, struct api_server **server)
{
    struct api_server *self = calloc(1, sizeof(*self));
    int own = self ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (own >= 0) {
        self->api = api;
        self->kind = kind;
        self->fd = fd;
        self->own_fd = own;
        self->daemon = daemon_start(self, own, pair);
    }
    if (own >= 0 && self->daemon) {
        *server = self;
        return 0;
    }
    close(fd);
    free(self);
    return -ENOMEM;
}

void api_server_quiesce(struct api_server *server)
{
    MHD_quiesce_daemon(server->daemon);
    server->quiesced = true;
}

void api_server_stop(struct api_server *server)
{
    if (!server)
        return;
    MHD_stop_daemon(server->daemon);
    if (server->quiesced) /* then libmicrohttpd leaves its descriptor to us */
        close(server->own_fd);
    close(server->fd);
    free(server);
}
