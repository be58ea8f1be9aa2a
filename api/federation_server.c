/* The listener of the federation API: one libmicrohttpd daemon with a thread for each connection,
 * since a judgement may wait for DNS and a handler for the store. A connection has one request.
 *
 *   accept -> line -> handshake -> headers -> judged -> body -> handler -> answer -> end
 *
 * Who is not believed is answered 403 before his body is read. */
#include "api/federation_internal.h"
#include "api/internal.h"
#include "api/json.h"
#include "api/json_depth.h"

#include "base/buf.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTION_MEMORY 32768 /* of libmicrohttpd: bounds request line and headers */
#define SPARE             16    /* connections beyond ours, so that those over it come to us */
#define SILENCE_S         15    /* libmicrohttpd's own bound; ours is the line's deadline */

struct federation_server {
    struct federation *federation;
    federation_handle_h *handler;
    void *arg;
    struct MHD_Daemon *daemon;
    int fd; /* the listening socket */
    struct netaddr bound;
    struct federation_lines lines;
    pthread_t watcher;
    bool watched;
};

/* One request. */
struct exchange {
    struct federation_line *line;
    const char *method, *path;
    char query[FEDERATION_MAX_PATH];
    bool too_long; /* its URL */
    struct tls_verdict verdict;
    struct buf body;
    bool begun, over; /* its body: over the bound */
};

/* ---- what libmicrohttpd knows of a connection ---- */

static const union MHD_ConnectionInfo *info_of(struct MHD_Connection *connection,
                                               enum MHD_ConnectionInfoType what)
{
    return MHD_get_connection_info(connection, what);
}

static void *tls_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = info_of(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info ? info->tls_session : NULL;
}

static struct federation_line *line_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = info_of(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static int fd_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = info_of(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static struct netaddr addr_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = info_of(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info ? info->client_addr : NULL;
    struct netaddr addr = {.sa = {.sa_family = AF_UNSPEC}};
    if (from && from->sa_family == AF_INET)
        memcpy(&addr.in4, from, sizeof(addr.in4));
    else if (from && from->sa_family == AF_INET6)
        memcpy(&addr.in6, from, sizeof(addr.in6));
    return addr;
}

/* An address that is banned is not heard, as on SIP listeners. */
static bool is_banned(const struct federation_server *server, const struct netaddr *addr)
{
    struct guard *guard = server->federation->parts.guard;
    return guard && guard_is_banned(guard, addr, api_monotonic_ms());
}

static struct federation_line *line_begin(struct federation_server *server,
                                          struct MHD_Connection *connection)
{
    const struct netaddr addr = addr_of(connection);
    void *tls = tls_of(connection);
    struct federation_line *line =
        tls && !is_banned(server, &addr) ? calloc(1, sizeof(*line)) : NULL;
    if (!line) {
        if (tls)
            federation_session_refuse(tls);
        shutdown(fd_of(connection), SHUT_RDWR);
        return NULL;
    }
    line->fd = fd_of(connection);
    line->addr = addr;
    line->source = api_source_of(&line->addr);
    line->session.certs = federation_certs(server->federation);
    federation_session_begin(tls, &line->session);
    federation_line_add(&server->lines, line);
    return line;
}

/* MHD_NotifyConnectionCallback */
static void connection_event(void *arg, struct MHD_Connection *connection, void **context,
                             enum MHD_ConnectionNotificationCode code)
{
    struct federation_server *server = arg;
    struct federation_line *line = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = line_begin(server, connection);
    } else if (line) {
        federation_line_remove(&server->lines, line);
        federation_certs_unref(line->session.certs);
        free(line);
    }
}

/* ---- answers ---- */

static enum MHD_Result answer_send(struct federation_server *server,
                                   struct MHD_Connection *connection,
                                   struct federation_answer *answer)
{
    char *text = answer->body ? json_dumps(answer->body, JSON_COMPACT) : NULL;
    unsigned status = answer->status;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        text ? strlen(text) : 0, text, text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    federation_answer_done(answer);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    if (text)
        MHD_add_response_header(response, "Content-Type",
                                status >= 400 ? "application/problem+json" : "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "Connection", "close");
    federation_line_within(&server->lines, line_of(connection), FEDERATION_REQUEST_MS);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refusal_send(struct federation_server *server,
                                    struct MHD_Connection *connection, unsigned status,
                                    const char *reason, const char *detail)
{
    struct federation_answer answer = {.status = 0};
    if (federation_refuse(&answer, status, reason, "%s", detail))
        return MHD_NO;
    federation_tally_add(&server->federation->tally, NULL, NULL, status);
    return answer_send(server, connection, &answer);
}

/* ---- who ---- */

static void refusal_log(struct federation_server *server, const char *why)
{
    if (federation_log_may(&server->lines))
        log_write(server->federation->parts.log, LOG_NOTICE, "federation", "refused: %s", why);
}

static enum MHD_Result unproven_send(struct federation_server *server,
                                     struct MHD_Connection *connection, int status, const char *why)
{
    refusal_log(server, why);
    if (status == STATUS_UNPROVEN)
        return refusal_send(server, connection, 403, "unproven", why);
    return refusal_send(server, connection, 503, "unsure", why);
}

/* Returns as judge_ask. */
static int line_judge(struct federation_server *server, struct MHD_Connection *connection,
                      struct tls_verdict *verdict)
{
    struct judge_certificate chain[JUDGE_MAX_CERTIFICATES + 1];
    struct federation_line *line = line_of(connection);
    char name[NETADDR_TEXT_MAX];
    const struct judge_case about = {
        .chain = chain,
        .count = federation_session_chain(tls_of(connection), chain),
        .peer = netaddr_format(&line->addr, name),
    };
    federation_line_within(&server->lines, line, 0);
    int status = judge_ask(server->federation->judge, &about, verdict);
    if (status == 0)
        federation_line_proven(&server->lines, line);
    federation_line_within(&server->lines, line, FEDERATION_REQUEST_MS);
    return status;
}

/* All that the headers tell. */
static enum MHD_Result exchange_begin(struct federation_server *server,
                                      struct MHD_Connection *connection, struct exchange *exchange)
{
    char name[NETADDR_TEXT_MAX], why[FEDERATION_MAX_WHY];
    exchange->begun = true;
    if (!federation_source_may(&server->lines, exchange->line)) {
        snprintf(why, sizeof(why), "%s: more than %d requests in a minute",
                 netaddr_format(&exchange->line->addr, name), FEDERATION_RATE_PER_MINUTE);
        return refusal_send(server, connection, 429, "too-many", why);
    }
    int status = line_judge(server, connection, &exchange->verdict);
    if (status)
        return unproven_send(server, connection, status, exchange->verdict.why);
    if (!federation_domain_may(&server->lines, exchange->verdict.identities[0])) {
        snprintf(why, sizeof(why), "%s: more than %d requests in a minute",
                 exchange->verdict.identities[0], FEDERATION_RATE_PER_MINUTE);
        return refusal_send(server, connection, 429, "too-many", why);
    }
    if (exchange->too_long)
        return refusal_send(server, connection, 414, "url-too-long", "the URL is too long");
    return MHD_YES;
}

/* ---- what ---- */

static int body_parse(struct exchange *exchange, json_t **body, struct federation_answer *answer)
{
    struct slice bytes = buf_bytes(&exchange->body);
    struct api_problem problem;
    *body = NULL;
    if (exchange->over) {
        federation_refuse(answer, 413, "too-large", "the body has more than %d bytes",
                          FEDERATION_MAX_BODY);
        return -EPROTO;
    }
    if (bytes.len == 0)
        return 0;
    if (api_json_depth(bytes, &problem) == 0 && api_json_parse(bytes, body, &problem) == 0)
        return 0;
    federation_refuse(answer, 400, "malformed", "%s", problem.detail);
    return -EPROTO;
}

static void handler_call(struct federation_server *server, struct exchange *exchange, json_t *body,
                         struct federation_answer *answer)
{
    const struct federation_request request = {
        .method = exchange->method,
        .path = exchange->path,
        .query = exchange->query,
        .proven = (const char(*)[256])exchange->verdict.identities,
        .proven_count = exchange->verdict.identity_count,
        .served = exchange->line->session.served ? exchange->line->session.served : "",
        .body = body,
    };
    federation_line_within(&server->lines, exchange->line, 0);
    federation_answer(server->handler, server->arg, &request, answer);
}

static enum MHD_Result exchange_end(struct federation_server *server,
                                    struct MHD_Connection *connection, struct exchange *exchange)
{
    struct federation_answer answer = {.status = 0};
    json_t *body;
    if (body_parse(exchange, &body, &answer) == 0)
        handler_call(server, exchange, body, &answer);
    json_decref(body);
    federation_tally_add(&server->federation->tally, exchange->method, answer.route, answer.status);
    return answer.status ? answer_send(server, connection, &answer) : MHD_NO;
}

/* ---- libmicrohttpd's callbacks ---- */

/* Called first with the headers, then for each piece of the body, then once more without any. */
static enum MHD_Result request_handle(void *arg, struct MHD_Connection *connection,
                                      const char *path, const char *method, const char *version,
                                      const char *data, size_t *len, void **memory)
{
    struct federation_server *server = arg;
    struct exchange *exchange = *memory;
    (void)version;
    if (!exchange || !exchange->line)
        return MHD_NO;
    if (!exchange->begun) {
        exchange->method = method;
        exchange->path = path;
        return exchange_begin(server, connection, exchange);
    }
    if (*len == 0)
        return exchange_end(server, connection, exchange);
    exchange->over = exchange->over || buf_append(&exchange->body, slice_make(data, *len)) != 0;
    *len = 0;
    return MHD_YES;
}

/* The request line is complete; the URL is as it came. */
static void *request_begin(void *arg, const char *url, struct MHD_Connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    const char *query = strchr(url, '?');
    (void)arg;
    if (!exchange)
        return NULL;
    exchange->line = line_of(connection);
    exchange->too_long = strcspn(url, "?") >= FEDERATION_MAX_PATH;
    if (query && snprintf(exchange->query, sizeof(exchange->query), "%s", query + 1) >=
                     (int)sizeof(exchange->query))
        exchange->too_long = true;
    buf_init(&exchange->body, FEDERATION_MAX_BODY);
    return exchange;
}

static void request_done(void *arg, struct MHD_Connection *connection, void **memory,
                         enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *memory;
    (void)arg, (void)connection, (void)code;
    if (!exchange)
        return;
    buf_done(&exchange->body);
    free(exchange);
    *memory = NULL;
}

/* Escapes are undone by the handler, after the path was taken apart. */
static size_t url_keep(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg, (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void http_log(void *arg, const char *format,
                                                           va_list args)
{
    struct federation_server *server = arg;
    char line[512];
    vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\n")] = '\0';
    log_write(server->federation->parts.log, LOG_DEBUG, "federation", "%s", line);
}

/* ---- begin and end ---- */

static struct MHD_Daemon *daemon_start(struct federation_server *server)
{
    return MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
            MHD_USE_ERROR_LOG | MHD_USE_TLS | MHD_USE_ITC,
        0, NULL, NULL, request_handle, server, MHD_OPTION_EXTERNAL_LOGGER, http_log, server,
        MHD_OPTION_LISTEN_SOCKET, server->fd, MHD_OPTION_HTTPS_CERT_CALLBACK,
        federation_cert_callback(), MHD_OPTION_HTTPS_PRIORITIES, federation_tls_priorities(),
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(FEDERATION_CONNECTIONS + SPARE),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S, MHD_OPTION_URI_LOG_CALLBACK,
        request_begin, server, MHD_OPTION_NOTIFY_COMPLETED, request_done, server,
        MHD_OPTION_NOTIFY_CONNECTION, connection_event, server, MHD_OPTION_UNESCAPE_CALLBACK,
        url_keep, NULL, MHD_OPTION_END);
}

static void *watcher_run(void *arg)
{
    struct federation_server *server = arg;
    federation_lines_watch(&server->lines);
    return NULL;
}

/* On failure federation_server_stop frees what there is. */
static int server_open(struct federation_server *server, char why[API_MAX_WHY])
{
    const struct netaddr *addr = &server->federation->conf.listen;
    socklen_t len = sizeof(server->bound);
    int status = federation_lines_init(&server->lines);
    if (!status)
        status = api_listen_tcp(addr, "federation", &server->fd, why);
    if (status)
        return status;
    getsockname(server->fd, &server->bound.sa, &len);
    server->daemon = daemon_start(server);
    if (!server->daemon)
        return -ENOMEM;
    server->watched = pthread_create(&server->watcher, NULL, watcher_run, server) == 0;
    return server->watched ? 0 : -ENOMEM;
}

int federation_server_start(struct federation *federation, federation_handle_h *handler, void *arg,
                            char *why)
{
    struct federation_server *server = calloc(1, sizeof(*server));
    char text[NETADDR_TEXT_MAX], sentence[API_MAX_WHY] = "federation: the server does not start";
    int status = -ENOMEM;
    if (server) {
        server->federation = federation;
        server->handler = handler;
        server->arg = arg;
        server->fd = -1;
        status = server_open(server, sentence);
    }
    if (status) {
        federation_server_stop(server);
        snprintf(why, FEDERATION_MAX_WHY, "%s", sentence);
        return status;
    }
    federation->server = server;
    log_write(federation->parts.log, LOG_NOTICE, "federation", "listening: listen=%s",
              netaddr_format(&server->bound, text));
    return 0;
}

void federation_server_stop(struct federation_server *server)
{
    if (!server)
        return;
    if (server->daemon)
        MHD_stop_daemon(server->daemon); /* closes the listening socket */
    else if (server->fd >= 0)
        close(server->fd);
    if (server->watched) {
        federation_lines_end(&server->lines);
        pthread_join(server->watcher, NULL);
    }
    federation_lines_done(&server->lines);
    free(server);
}

void federation_server_bound(const struct federation_server *server, struct netaddr *bound)
{
    *bound = server->bound;
}
