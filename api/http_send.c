/* A request on its way out: the answer, or the problem. */
#include "api/http.h"

#include "api/tally.h"

#include "base/slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_last(const struct api_exchange *exchange)
{
    struct api_http *http = exchange->call.api->http;
    pthread_mutex_lock(&http->lock);
    bool last = http->stopping;
    pthread_mutex_unlock(&http->lock);
    return last || exchange->closes || atomic_load(&exchange->server->retired);
}

static void header_add(struct MHD_Response *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

static void number_add(struct MHD_Response *response, const char *name, const char *format,
                       unsigned long long number)
{
    char text[32];
    snprintf(text, sizeof(text), format, number);
    header_add(response, name, text);
}

static void headers_add(struct MHD_Response *response, const struct api_exchange *exchange)
{
    const struct api_call *call = &exchange->call;
    char methods[API_METHODS_TEXT];
    header_add(response, "Cache-Control", "no-store");
    if (call->version)
        number_add(response, "ETag", "\"%llu\"", call->version);
    if (*call->location)
        header_add(response, "Location", call->location);
    if (call->dry_run)
        header_add(response, "Dry-Run", "true");
    if (call->status == 401)
        header_add(response, "WWW-Authenticate", "Bearer");
    if (call->status == 405)
        header_add(response, "Allow", api_route_methods(call->path, methods));
    if (call->retry_after_s)
        number_add(response, "Retry-After", "%llu", call->retry_after_s);
    else if (call->status == 503)
        header_add(response, "Retry-After", "1");
    if (is_last(exchange))
        header_add(response, "Connection", "close");
}

static enum MHD_Result response_queue(struct api_exchange *exchange, struct MHD_Response *response,
                                      const char *type)
{
    struct api_call *call = &exchange->call;
    if (!response)
        return MHD_NO;
    headers_add(response, exchange);
    if (type)
        header_add(response, "Content-Type", type);
    api_tally_answer(call->api->tally, call->route, call->status,
                     api_monotonic_us() - exchange->began_us);
    enum MHD_Result result = MHD_queue_response(exchange->connection, call->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Takes over `text`, which may be NULL. */
static enum MHD_Result text_send(struct api_exchange *exchange, char *text, size_t len,
                                 const char *type)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(text);
    return response_queue(exchange, response, type);
}

static enum MHD_Result json_send(struct api_exchange *exchange, const json_t *json,
                                 const char *type)
{
    char *text = json_dumps(json, JSON_COMPACT);
    return text ? text_send(exchange, text, strlen(text), type) : MHD_NO;
}

static ssize_t nothing_read(void *arg, uint64_t position, char *out, size_t max)
{
    (void)arg, (void)position, (void)out, (void)max;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

/* The headers of a stream: its length is not known, so the connection ends. Otherwise libmicrohttpd
 * would send the last chunk of what was never begun. */
static enum MHD_Result stream_head_send(struct api_exchange *exchange)
{
    const char *type = exchange->call.stream.type;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1, nothing_read, NULL, NULL);
    api_stream_drop(&exchange->call);
    exchange->closes = true;
    if (response)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response_queue(exchange, response, type);
}

enum MHD_Result api_answer_send(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    log_write(call->api->parts.log, LOG_DEBUG, "api", "%s %s answered: status=%u actor=%s",
              call->method, call->path, call->status, call->actor);
    if (call->stream.more && strcmp(call->method, "HEAD") == 0)
        return stream_head_send(exchange);
    if (call->stream.more)
        return response_queue(exchange, api_stream_response(exchange), call->stream.type);
    if (call->reply)
        return json_send(exchange, call->reply, "application/json");
    char *text = call->text;
    call->text = NULL;
    return text_send(exchange, text, call->text_len, text ? call->type : NULL);
}

enum MHD_Result api_problem_send(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    call->status = api_problem_status(call->problem.kind);
    call->version = 0;
    call->location[0] = '\0';
    api_refusal_log(call);
    json_t *json = api_problem_encode(&call->problem);
    if (!json)
        return MHD_NO;
    enum MHD_Result result = json_send(exchange, json, "application/problem+json");
    json_decref(json);
    return result;
}
