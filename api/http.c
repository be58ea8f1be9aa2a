/* A request on its way in: who, what, and its body. */
#include "api/http.h"

#include "api/auth.h"
#include "api/json.h"
#include "api/json_depth.h"
#include "api/tally.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                     ? api_authenticate(call, source, api_header_get(exchange, "Authorization"))
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

/* ---- the body ---- */

static enum MHD_Result body_add(struct api_exchange *exchange, const char *data, size_t *len)
{
    if (exchange->phase == EXCHANGE_REFUSED || buf_append(&exchange->body, slice_make(data, *len)))
        exchange->discarded += *len;
    *len = 0;
    return exchange->discarded > API_DISCARD_MAX ? MHD_NO : MHD_YES;
}

static bool has_body(enum api_method method)
{
    return method == API_POST || method == API_PUT || method == API_PATCH;
}

static int body_decode(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    if (exchange->discarded)
        return api_body_too_large(call);
    if (!has_body(call->route->method))
        return 0;
    int status = api_media_type_check(exchange);
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
    if (api_headers_check(exchange))
        return -EPROTO;
    int missing = route_find(call);
    struct api_problem route_problem = call->problem;
    if (principal_find(exchange))
        return -EPROTO;
    call->problem = route_problem;
    if (missing || scope_check(call) || args_decode(exchange) || api_headers_decode(exchange))
        return -EPROTO;
    return api_length_check(exchange);
}

static enum MHD_Result exchange_begin(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    exchange->phase = EXCHANGE_BODY;
    int status = exchange_check(exchange);
    if (call->who.bits & API_ALL)
        api_connection_proved(call->api->http, api_connection_of(exchange->connection));
    if (status) {
        exchange->phase = EXCHANGE_REFUSED;
        return api_answers_at_once(exchange) ? api_problem_send(exchange) : MHD_YES;
    }
    buf_init(&exchange->body, api_body_max(call));
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
        status = api_repeat_find(call);
    if (!status)
        status = call->route->handler(call);
    api_reader_return(call->api, call->reader);
    call->reader = NULL;
    return status;
}

static enum MHD_Result exchange_end(struct api_exchange *exchange)
{
    int status = -EPROTO;
    api_connection_read(exchange->call.api->http, api_connection_of(exchange->connection));
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
    (void)arg, (void)connection;
    if (!exchange)
        return MHD_NO;
    if (exchange->phase == EXCHANGE_NEW) {
        exchange->call.method = method;
        exchange->call.path = path;
        exchange->is_1_1 = strcmp(version, "HTTP/1.1") == 0;
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
    api_connection_began(http, api_connection_of(connection));
    pthread_mutex_lock(&http->lock);
    http->exchanges++;
    pthread_mutex_unlock(&http->lock);
    return exchange;
}

void api_call_forget(struct api_call *call)
{
    if (call->memory && call->memory_done)
        call->memory_done(call->memory);
    free(call->memory);
    call->memory = NULL;
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
    api_connection_ended(http, api_connection_of(connection));
    api_stream_drop(call);
    body_drop(exchange);
    json_decref(call->reply);
    free(call->text);
    api_call_forget(call);
    buf_done(&exchange->body);
    OPENSSL_cleanse(call->secret, sizeof(call->secret));
    free(exchange);
    pthread_mutex_lock(&http->lock);
    http->exchanges--;
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
}
