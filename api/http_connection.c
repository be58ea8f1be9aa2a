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

/* libmicrohttpd finds a connection that is shut down at its end, and closes it. */
static void connection_cut(struct api_connection *connection)
{
    struct api_server *server = connection->server;
    api_tally_add(&server->api->tally->cut[server->kind]);
    connection->deadline_ms = 0;
    connection->cut = true;
    shutdown(connection->fd, SHUT_RDWR);
}

/* ---- how many ---- */

/* Those that are open where one more comes. */
struct crowd {
    size_t all, same;              /* at the listener, and of the new one's source */
    struct api_connection *oldest; /* of those that are unproven; NULL: none */
};

static void crowd_add(struct crowd *crowd, struct api_connection *other,
                      const struct api_connection *fresh)
{
    if (other->cut || other->server->kind != fresh->server->kind)
        return;
    crowd->all++;
    crowd->same += other->source.len == fresh->source.len &&
                   memcmp(other->source.key, fresh->source.key, other->source.len) == 0;
    if (!other->proved && !crowd->oldest) /* the list is in the order of their coming */
        crowd->oldest = other;
}

/* Nobody gets more than his share, and who proves nothing keeps nobody out. All of them have proved
 * something: then the spare ones are used, too. Locally only libmicrohttpd counts. */
static void room_make(struct api_http *http, struct api_connection *fresh)
{
    struct crowd crowd = {.all = 0};
    bool health = fresh->server->kind == API_ON_HEALTH;
    unsigned max = health ? API_HEALTH_CONNECTIONS : http->max_connections;
    if (fresh->server->kind == API_ON_SOCKET)
        return;
    list_each (it, next, &http->connections)
        crowd_add(&crowd, container_of(it, struct api_connection, link), fresh);
    if (crowd.same >= max / API_SOURCE_SHARE)
        connection_cut(fresh);
    else if (crowd.all >= max && crowd.oldest)
        connection_cut(crowd.oldest);
}

/* ---- how long ---- */

static void clock_start(struct api_connection *connection, uint64_t timeout_ms)
{
    connection->deadline_ms = timeout_ms && !connection->cut ? api_monotonic_ms() + timeout_ms : 0;
}

static uint64_t patience_ms(const struct api_http *http, const struct api_connection *connection)
{
    bool less = !connection->proved && API_UNPROVEN_MS < http->request_ms;
    return less ? API_UNPROVEN_MS : http->request_ms;
}

void api_connection_deadline(struct api_http *http, struct api_connection *connection,
                             uint64_t timeout_ms)
{
    if (!connection)
        return;
    pthread_mutex_lock(&http->lock);
    clock_start(connection, timeout_ms);
    pthread_mutex_unlock(&http->lock);
}

/* Until somebody has proved something, that was counted from the connection's begin on, or from the
 * last answer's end. */
void api_connection_began(struct api_http *http, struct api_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&http->lock);
    if (connection->proved)
        clock_start(connection, http->request_ms);
    pthread_mutex_unlock(&http->lock);
}

void api_connection_proved(struct api_http *http, struct api_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&http->lock);
    if (!connection->proved) {
        connection->proved = true;
        clock_start(connection, http->request_ms);
    }
    pthread_mutex_unlock(&http->lock);
}

/* The answer may be large, whoever asked. */
void api_connection_read(struct api_http *http, struct api_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&http->lock);
    if (!connection->proved)
        clock_start(connection, http->request_ms);
    pthread_mutex_unlock(&http->lock);
}

void api_connection_ended(struct api_http *http, struct api_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&http->lock);
    clock_start(connection, patience_ms(http, connection));
    pthread_mutex_unlock(&http->lock);
}

/* ---- begin and end ---- */

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
    clock_start(connection, patience_ms(http, connection));
    api_tally_add(&server->api->tally->accepted[server->kind]);
    api_tally_add(&server->api->tally->connections[server->kind]);
    pthread_mutex_lock(&http->lock);
    room_make(http, connection);
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
