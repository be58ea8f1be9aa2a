#include "api/http.h"
#include "api/json.h"

#include "base/buf.h"
#include "base/slice.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A body over its bound is read on up to here so that the client hears 413, then cut off. */
#define DISCARD_MAX (16 * (size_t)API_MAX_BODY)

/* One request from its first byte to the end of its response; libmicrohttpd keeps the pointer. */
struct exchange {
    struct api_call call;
    struct buf body;
    size_t discarded;
};

/* ---- sending ---- */

static enum MHD_Result document_send(struct MHD_Connection *connection, struct api_call *call,
                                     json_t *json, const char *type)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (json && !text)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text ? strlen(text) : 0, text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    char etag[32];
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (json)
        MHD_add_response_header(response, "Content-Type", type);
    if (call->version) {
        snprintf(etag, sizeof(etag), "\"%llu\"", (unsigned long long)call->version);
        MHD_add_response_header(response, "ETag", etag);
    }
    if (*call->location)
        MHD_add_response_header(response, "Location", call->location);
    if (call->status == 405) {
        char methods[40];
        MHD_add_response_header(response, "Allow", api_route_methods(call->path, methods));
    }
    if (call->status == 503)
        MHD_add_response_header(response, "Retry-After", "1");
    enum MHD_Result result = MHD_queue_response(connection, call->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result problem_send(struct MHD_Connection *connection, struct api_call *call)
{
    call->status = api_problem_status(call->problem.kind);
    call->version = 0;
    call->location[0] = '\0';
    enum log_level level = LOG_DEBUG;
    if (call->status == 403)
        level = LOG_WARNING;
    else if (call->status >= 500)
        level = LOG_ERROR;
    log_write(call->api->parts.log, level, "api", "%s %s refused: status=%u actor=%s why=\"%s\"",
              call->method, call->path, call->status, call->actor, call->problem.detail);
    json_t *json = api_problem_encode(&call->problem);
    if (!json)
        return MHD_NO;
    enum MHD_Result result = document_send(connection, call, json, "application/problem+json");
    json_decref(json);
    return result;
}

/* ---- receiving ---- */

/* Sets the actor. Only those who may talk get any further. */
static int peer_check(struct MHD_Connection *connection, struct api_call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    uid_t uid = (uid_t)-1;
    bool may = info && api_socket_may_talk(info->connect_fd, call->api->group, &uid);
    snprintf(call->actor, sizeof(call->actor), "uid:%u", (unsigned)uid);
    if (may)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_FORBIDDEN, NULL,
                           "user %u: only root, the daemon's own user and its group may talk to "
                           "this socket",
                           (unsigned)uid);
}

static int body_too_large(struct api_call *call)
{
    return api_problem_set(&call->problem, API_PROBLEM_TOO_LARGE, NULL, "the body is over %d bytes",
                           API_MAX_BODY);
}

static int length_check(struct MHD_Connection *connection, struct api_call *call)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    const char *expect = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Expect");
    /* A client that writes its body at once hears the answer only if that is read. */
    uint64_t max = expect ? API_MAX_BODY : DISCARD_MAX, len;
    if (text && slice_to_u64(slice_of(text), max, &len))
        return body_too_large(call);
    return 0;
}

static enum MHD_Result body_add(struct exchange *exchange, const char *data, size_t *len)
{
    if (buf_append(&exchange->body, slice_make(data, *len)))
        exchange->discarded += *len;
    *len = 0;
    return exchange->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static int arg_decode(struct api_call *call, const char *name, const char *value)
{
    struct api_problem *problem = &call->problem;
    if (!api_route_has_arg(call->route, name))
        return api_problem_set(problem, API_PROBLEM_PARAMETER, name,
                               "%.64s: there is no such parameter here", name);
    if (api_call_arg(call, name) || call->arg_count == API_MAX_ARGS)
        return api_problem_set(problem, API_PROBLEM_PARAMETER, name, "%s: stands there twice",
                               name);
    struct api_arg *arg = &call->args[call->arg_count];
    if (api_url_unescape(value ? value : "", arg->value, sizeof(arg->value)))
        return api_problem_set(problem, API_PROBLEM_PARAMETER, name,
                               "%s: is too long or has a bad %%-escape", name);
    snprintf(arg->name, sizeof(arg->name), "%s", name);
    call->arg_count++;
    return 0;
}

struct arg_walk {
    struct api_call *call;
    int status;
};

static enum MHD_Result arg_add(void *arg, enum MHD_ValueKind kind, const char *name,
                               const char *value)
{
    struct arg_walk *walk = arg;
    (void)kind;
    walk->status = arg_decode(walk->call, name, value);
    return walk->status ? MHD_NO : MHD_YES;
}

static int body_decode(struct MHD_Connection *connection, struct exchange *exchange)
{
    struct api_call *call = &exchange->call;
    if (exchange->discarded)
        return body_too_large(call);
    if (call->route->method != API_POST && call->route->method != API_PUT)
        return 0;
    const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Type");
    struct slice media = slice_of(type ? type : "");
    media = slice_trim(slice_make(media.p, slice_find(media, ';')));
    if (!slice_eq_nocase(media, SLICE("application/json")))
        return api_problem_set(&call->problem, API_PROBLEM_MEDIA_TYPE, "Content-Type",
                               "Content-Type: is '%.64s'; it must be application/json",
                               type ? type : "");
    return api_json_parse(buf_bytes(&exchange->body), &call->body, &call->problem);
}

static int call_decode(struct MHD_Connection *connection, struct exchange *exchange)
{
    struct api_call *call = &exchange->call;
    int status =
        api_route_find(call->method, call->path, &call->route, call->param, &call->problem);
    if (status)
        return status;
    struct arg_walk walk = {.call = call};
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, arg_add, &walk);
    if (walk.status)
        return walk.status;
    call->if_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-Match");
    if (call->route->method == API_POST)
        call->idempotency_key =
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Idempotency-Key");
    return body_decode(connection, exchange);
}

static int call_handle(struct api_call *call)
{
    call->reader = api_reader_lend(call->api);
    if (!call->reader)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL,
                               "too many requests are being served");
    int status = call->route->handler(call);
    api_reader_return(call->api, call->reader);
    return status;
}

static enum MHD_Result exchange_answer(struct MHD_Connection *connection, struct exchange *exchange)
{
    struct api_call *call = &exchange->call;
    if (call_decode(connection, exchange) || call_handle(call))
        return problem_send(connection, call);
    log_write(call->api->parts.log, LOG_DEBUG, "api", "%s %s answered: status=%u actor=%s",
              call->method, call->path, call->status, call->actor);
    return document_send(connection, call, call->reply, "application/json");
}

static enum MHD_Result exchange_begin(struct api *api, struct MHD_Connection *connection,
                                      const char *method, const char *path, void **memory)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return MHD_NO;
    *memory = exchange;
    buf_init(&exchange->body, API_MAX_BODY);
    struct api_call *call = &exchange->call;
    call->api = api;
    call->method = method;
    call->path = path;
    if (peer_check(connection, call) || length_check(connection, call))
        return problem_send(connection, call);
    return MHD_YES;
}

/* Called first with the headers, then for each piece of the body, then once more without any. */
static enum MHD_Result request_handle(void *arg, struct MHD_Connection *connection,
                                      const char *path, const char *method, const char *version,
                                      const char *data, size_t *len, void **memory)
{
    (void)version;
    if (!*memory)
        return exchange_begin(arg, connection, method, path, memory);
    if (*len)
        return body_add(*memory, data, len);
    return exchange_answer(connection, *memory);
}

static void request_done(void *arg, struct MHD_Connection *connection, void **memory,
                         enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    struct exchange *exchange = *memory;
    if (!exchange)
        return;
    json_decref(exchange->call.body);
    json_decref(exchange->call.reply);
    buf_done(&exchange->body);
    free(exchange);
    *memory = NULL;
}

/* ---- the daemon ---- */

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

int api_http_start(struct api *api, const struct api_conf *conf, int fd)
{
    unsigned connections = conf->max_connections ? conf->max_connections : API_CONNECTIONS;
    if (connections < API_THREADS)
        connections = API_THREADS;
    api->daemon = MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, request_handle, api,
        MHD_OPTION_EXTERNAL_LOGGER, http_log, api, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)API_THREADS, MHD_OPTION_CONNECTION_LIMIT,
        connections, MHD_OPTION_CONNECTION_TIMEOUT,
        conf->timeout_s ? conf->timeout_s : (unsigned)API_TIMEOUT_S, MHD_OPTION_NOTIFY_COMPLETED,
        request_done, NULL, MHD_OPTION_UNESCAPE_CALLBACK, url_keep, NULL, MHD_OPTION_END);
    return api->daemon ? 0 : -ENOMEM;
}

void api_http_stop(struct api *api)
{
    if (api->daemon)
        MHD_stop_daemon(api->daemon);
    api->daemon = NULL;
}
