/* The connections that are open, and how long each may go on. */
#include "api/http.h"

#include "api/tally.h"

#include <stdlib.h>
#include <string.h>

struct api_connection *api_connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static int connection_fd(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static void address_get(struct MHD_Connection *connection, struct netaddr *addr)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info ? info->client_addr : NULL;
    *addr = (struct netaddr){.sa = {.sa_family = AF_UNSPEC}};
    if (from && from->sa_family == AF_INET)
        memcpy(&addr->in4, from, sizeof(addr->in4));
    else if (from && from->sa_family == AF_INET6)
        memcpy(&addr->in6, from, sizeof(addr->in6));
}

/* Has this source as many open connections as one may have? All of them, locally. */
static bool is_one_too_many(const struct api_http *http, const struct api_connection *connection)
{
    size_t count = 0;
    if (connection->server->kind == API_ON_SOCKET)
        return false;
    list_each (it, next, &http->connections) {
        const struct api_connection *other = container_of(it, struct api_connection, link);
        count += other->server->kind == connection->server->kind &&
                 other->source.len == connection->source.len &&
                 memcmp(other->source.key, connection->source.key, other->source.len) == 0;
    }
    unsigned max =
        connection->server->kind == API_ON_HEALTH ? API_HEALTH_CONNECTIONS : http->max_connections;
    return count >= max / 2;
}

/* libmicrohttpd finds a connection that is shut down at its end, and closes it. */
static void connection_cut(struct api_connection *connection)
{
    struct api_server *server = connection->server;
    api_tally_add(&server->api->tally->cut[server->kind]);
    connection->deadline_ms = 0;
    shutdown(connection->fd, SHUT_RDWR);
}

static struct api_connection *connection_begin(struct api_server *server,
                                               struct MHD_Connection *handle)
{
    struct api_http *http = server->api->http;
    struct api_connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        shutdown(connection_fd(handle), SHUT_RDWR);
        return NULL;
    }
    connection->server = server;
    connection->fd = connection_fd(handle);
    address_get(handle, &connection->addr);
    connection->source = api_source_of(&connection->addr);
    connection->deadline_ms = api_monotonic_ms() + http->request_ms;
    api_tally_add(&server->api->tally->accepted[server->kind]);
    api_tally_add(&server->api->tally->connections[server->kind]);
    pthread_mutex_lock(&http->lock);
    if (is_one_too_many(http, connection))
        connection_cut(connection);
    list_append(&http->connections, &connection->link);
    server->connections++;
    pthread_mutex_unlock(&http->lock);
    return connection;
}

static void connection_end(struct api_connection *connection)
{
    struct api_server *server = connection->server;
    struct api_http *http = server->api->http;
    api_tally_sub(&server->api->tally->connections[server->kind]);
    pthread_mutex_lock(&http->lock);
    list_remove(&connection->link);
    server->connections--;
    pthread_mutex_unlock(&http->lock);
    free(connection);
}

void api_connection_event(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *context = connection_begin(arg, connection);
    else if (*context)
        connection_end(*context);
}

void api_connection_deadline(struct api_http *http, struct api_connection *connection,
                             uint64_t timeout_ms)
{
    if (!connection)
        return;
    pthread_mutex_lock(&http->lock);
    connection->deadline_ms = timeout_ms ? api_monotonic_ms() + timeout_ms : 0;
    pthread_mutex_unlock(&http->lock);
}

void api_connections_sweep(struct api *api)
{
    struct api_http *http = api->http;
    uint64_t now_ms = api_monotonic_ms();
    pthread_mutex_lock(&http->lock);
    list_each (it, next, &http->connections) {
        struct api_connection *connection = container_of(it, struct api_connection, link);
        if (connection->deadline_ms && now_ms >= connection->deadline_ms)
            connection_cut(connection);
    }
    pthread_mutex_unlock(&http->lock);
}
