/* A request on its way in: who, what, and its body. */
#include "api/http.h"

#include "api/auth.h"
#include "api/json.h"
#include "api/json_depth.h"
#include "api/tally.h"

#include "base/slice.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A body over its bound, or of a refused request, is read on by so much, so that the client hears
 * the answer; then the connection is cut. */
#define DISCARD_MAX (16 * (size_t)API_MAX_BODY)

static const char *header_get(const struct api_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* ---- who ---- */

/* Only those who may talk get any further. */
static int socket_principal(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    uid_t uid = (uid_t)-1;
    const struct api_connection *connection = api_connection_of(exchange->connection);
    bool may = connection && api_socket_may_talk(connection->fd, call->api->group, &uid);
    snprintf(call->actor, sizeof(call->actor), "uid:%u", (unsigned)uid);
    if (!may)
        return api_problem_set(&call->problem, API_PROBLEM_FORBIDDEN, NULL,
                               "user %u: only root, the daemon's own user and its group may talk "
                               "to this socket",
                               (unsigned)uid);
    call->who.bits = API_ADMIN | API_LOCAL;
    call->who.scope = STORE_SCOPE_ADMIN;
    call->who.local = true;
    return 0;
}

static bool is_open(const struct api_call *call)
{
    return call->route && (call->route->scopes & API_ANYONE);
}

/* Where a stranger learns nothing: all that there is but for open routes, and all that there could
 * be under /v1. */
static bool needs_token(const struct api_call *call)
{
    if (call->route)
        return !is_open(call);
    return strncmp(call->path, "/v1", 3) == 0 && (call->path[3] == '/' || call->path[3] == '\0');
}

static int https_principal(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    const struct api_source *source = &api_connection_of(exchange->connection)->source;
    int status = needs_token(call)
                     ? api_authenticate(call, source, header_get(exchange, "Authorization"))
                     : 0;
    if (status && call->problem.kind != API_PROBLEM_UNAUTHORIZED)
        return status;
    int limited = api_rate_check(call, source); /* strangers count by their source */
    return limited ? limited : status;
}

static int health_principal(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    if (call->route && !(call->route->scopes & API_HEALTH))
        return api_problem_set(&call->problem, API_PROBLEM_NO_RESOURCE, NULL,
                               "%.256s: is not served on this address", call->path);
    call->who.bits = API_HEALTH;
    return api_rate_check(call, &api_connection_of(exchange->connection)->source);
}

static int principal_find(struct api_exchange *exchange)
{
    switch (exchange->server->kind) {
    case API_ON_SOCKET:
        return socket_principal(exchange);
    case API_ON_HTTPS:
        return https_principal(exchange);
    case API_ON_HEALTH:
        return health_principal(exchange);
    case API_LISTENER_COUNT:
        break;
    }
    return -EPROTO;
}

/* ---- what ---- */

static int size_check(struct api_exchange *exchange)
{
    struct api_problem *problem = &exchange->call.problem;
    if (exchange->url_len > API_MAX_URL)
        return api_problem_set(problem, API_PROBLEM_URL_TOO_LONG, NULL,
                               "the URL has %zu bytes; at most %d are read", exchange->url_len,
                               API_MAX_URL);
    int count = MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, NULL, NULL);
    if (count > API_MAX_HEADERS)
        return api_problem_set(problem, API_PROBLEM_HEADERS, NULL,
                               "there are %d headers; at most %d are read", count, API_MAX_HEADERS);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info && info->header_size > API_MAX_HEADER_SIZE)
        return api_problem_set(problem, API_PROBLEM_HEADERS, NULL,
                               "the headers have %zu bytes; at most %d are read", info->header_size,
                               API_MAX_HEADER_SIZE);
    return 0;
}

/* The route's problem is told only to those who may know of it. */
static int route_find(struct api_call *call)
{
    struct api_problem problem;
    int missing = api_route_find(call->method, call->path, &call->route, call->param, &problem);
    if (missing)
        call->problem = problem;
    return missing;
}

static int scope_check(struct api_call *call)
{
    if (is_open(call) || (call->route->scopes & call->who.bits))
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_FORBIDDEN, NULL, "%s %.256s: is not for %s",
                           call->method, call->path,
                           (call->route->scopes & API_LOCAL) ? "clients that come over the network"
                                                             : "the scope of this token");
}

static bool arg_is_known(const struct api_route *route, const char *name)
{
    bool dry_run = strcmp(name, "dry_run") == 0 && api_route_writes(route) &&
                   !(route->scopes & API_NO_DRY_RUN);
    return dry_run || api_route_has_arg(route, name);
}

static int arg_decode(struct api_call *call, const char *name, const char *value)
{
    struct api_problem *problem = &call->problem;
    if (!arg_is_known(call->route, name))
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

static int dry_run_decode(struct api_call *call)
{
    const char *text = api_call_arg(call, "dry_run");
    if (!text || strcmp(text, "false") == 0)
        return 0;
    if (strcmp(text, "true") != 0)
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "dry_run",
                               "dry_run: is '%.40s'; it must be true or false", text);
    call->dry_run = true;
    return 0;
}

static int args_decode(struct api_exchange *exchange)
{
    struct arg_walk walk = {.call = &exchange->call};
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, arg_add, &walk);
    return walk.status ? walk.status : dry_run_decode(&exchange->call);
}

static int headers_decode(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    call->if_match = header_get(exchange, "If-Match");
    call->last_event_id = header_get(exchange, "Last-Event-ID");
    if (call->route->method != API_POST)
        return 0;
    call->idempotency_key = header_get(exchange, "Idempotency-Key");
    size_t len = call->idempotency_key ? strlen(call->idempotency_key) : 1;
    if (len > 0 && len <= API_MAX_KEY)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_HEADER, "Idempotency-Key",
                           "Idempotency-Key: has %zu bytes; it must have 1 to %d", len,
                           API_MAX_KEY);
}

/* ---- the body ---- */

static size_t body_max(const struct api_call *call)
{
    return call->route && (call->route->scopes & API_LARGE) ? API_MAX_IMPORT : API_MAX_BODY;
}

static int body_too_large(struct api_call *call)
{
    return api_problem_set(&call->problem, API_PROBLEM_TOO_LARGE, NULL,
                           "the body is over %zu bytes", body_max(call));
}

static int length_check(struct api_exchange *exchange)
{
    const char *text = header_get(exchange, "Content-Length");
    uint64_t len;
    if (text && slice_to_u64(slice_of(text), body_max(&exchange->call), &len))
        return body_too_large(&exchange->call);
    return 0;
}

static enum MHD_Result body_add(struct api_exchange *exchange, const char *data, size_t *len)
{
    if (exchange->phase == EXCHANGE_REFUSED || buf_append(&exchange->body, slice_make(data, *len)))
        exchange->discarded += *len;
    *len = 0;
    return exchange->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static bool has_body(enum api_method method)
{
    return method == API_POST || method == API_PUT || method == API_PATCH;
}

static int media_type_check(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    bool patch = call->route->method == API_PATCH;
    const char *type = header_get(exchange, "Content-Type");
    struct slice media = slice_of(type ? type : "");
    media = slice_trim(slice_make(media.p, slice_find(media, ';')));
    if (slice_eq_nocase(media, SLICE("application/json")) ||
        (patch && slice_eq_nocase(media, SLICE("application/merge-patch+json"))))
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_MEDIA_TYPE, "Content-Type",
                           "Content-Type: is '%.64s'; it must be application/json%s",
                           type ? type : "", patch ? " or application/merge-patch+json" : "");
}

static int body_decode(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    if (exchange->discarded)
        return body_too_large(call);
    if (!has_body(call->route->method))
        return 0;
    int status = media_type_check(exchange);
    if (status)
        return status;
    struct slice bytes = buf_bytes(&exchange->body);
    if (api_token_hash(bytes, call->body_hash))
        return api_problem_set(&call->problem, API_PROBLEM_INTERNAL, NULL,
                               "the body cannot be hashed");
    status = api_json_depth(bytes, &call->problem);
    return status ? status : api_json_parse(bytes, &call->body, &call->problem);
}

/* ---- the turns of a request ---- */

/* All that the headers tell. */
static int exchange_check(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    if (size_check(exchange))
        return -EPROTO;
    int missing = route_find(call);
    struct api_problem route_problem = call->problem;
    if (principal_find(exchange))
        return -EPROTO;
    call->problem = route_problem;
    if (missing || scope_check(call) || args_decode(exchange) || headers_decode(exchange))
        return -EPROTO;
    return length_check(exchange);
}

/* Will the client wait for the answer before it sends its body, or is that too long to be read? */
static bool answers_at_once(const struct api_exchange *exchange)
{
    const char *text = header_get(exchange, "Content-Length");
    uint64_t len;
    return header_get(exchange, "Expect") ||
           (text && slice_to_u64(slice_of(text), DISCARD_MAX, &len));
}

static enum MHD_Result exchange_begin(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    exchange->phase = EXCHANGE_BODY;
    if (exchange_check(exchange)) {
        exchange->phase = EXCHANGE_REFUSED;
        return answers_at_once(exchange) ? api_problem_send(exchange) : MHD_YES;
    }
    buf_init(&exchange->body, body_max(call));
    return MHD_YES;
}

/* What the client sent is not kept while the store decides, or while the answer is taken. */
static void body_drop(struct api_exchange *exchange)
{
    json_decref(exchange->call.body);
    exchange->call.body = NULL;
    buf_done(&exchange->body);
}

/* A client takes its time over the body: who it is was true when it began. */
static int call_handle(struct api_call *call)
{
    call->reader = api_reader_lend(call->api);
    int status = api_authenticate_again(call);
    if (!status)
        status = call->route->handler(call);
    api_reader_return(call->api, call->reader);
    call->reader = NULL;
    return status;
}

static enum MHD_Result exchange_end(struct api_exchange *exchange)
{
    int status = -EPROTO;
    if (exchange->phase == EXCHANGE_BODY && body_decode(exchange) == 0)
        status = call_handle(&exchange->call);
    body_drop(exchange);
    if (exchange->phase == EXCHANGE_DECIDED)
        status = api_submission_finish(exchange);
    if (status == API_PENDING) {
        api_submission_start(exchange);
        return MHD_YES;
    }
    return status ? api_problem_send(exchange) : api_answer_send(exchange);
}

/* Called first with the headers, then for each piece of the body, then once more without any, and
 * once more after the connection slept. */
enum MHD_Result api_request_handle(void *arg, struct MHD_Connection *connection, const char *path,
                                   const char *method, const char *version, const char *data,
                                   size_t *len, void **memory)
{
    struct api_exchange *exchange = *memory;
    (void)arg, (void)connection, (void)version;
    if (!exchange)
        return MHD_NO;
    if (exchange->phase == EXCHANGE_NEW) {
        exchange->call.method = method;
        exchange->call.path = path;
        return exchange_begin(exchange);
    }
    if (*len)
        return body_add(exchange, data, len);
    return exchange_end(exchange);
}

/* The request line is complete; the URL is as it came. */
void *api_request_begin(void *arg, const char *url, struct MHD_Connection *connection)
{
    struct api_server *server = arg;
    struct api_http *http = server->api->http;
    struct api_exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return NULL;
    exchange->call.api = server->api;
    exchange->call.command.expected_version = STORE_ANY_VERSION;
    exchange->server = server;
    exchange->connection = connection;
    exchange->url_len = strlen(url);
    exchange->began_us = api_monotonic_us();
    api_connection_deadline(http, api_connection_of(connection), http->request_ms);
    pthread_mutex_lock(&http->lock);
    http->exchanges++;
    pthread_mutex_unlock(&http->lock);
    return exchange;
}

void api_request_done(void *arg, struct MHD_Connection *connection, void **memory,
                      enum MHD_RequestTerminationCode code)
{
    struct api_exchange *exchange = *memory;
    (void)arg, (void)code;
    if (!exchange)
        return;
    *memory = NULL;
    struct api_call *call = &exchange->call;
    struct api_http *http = call->api->http;
    api_connection_deadline(http, api_connection_of(connection), http->request_ms);
    api_stream_drop(call);
    body_drop(exchange);
    json_decref(call->reply);
    free(call->text);
    free(call->memory);
    buf_done(&exchange->body);
    OPENSSL_cleanse(call->secret, sizeof(call->secret));
    free(exchange);
    pthread_mutex_lock(&http->lock);
    http->exchanges--;
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
}
