/* What the headers of a request say: how large it is, what its body is, and on what condition. */
#include "api/http.h"

#include "base/chars.h"
#include "base/slice.h"

#include <string.h>

const char *api_header_get(const struct api_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* The headers that say where a request ends, and for whom it is. */
struct framing {
    unsigned lengths, codings, hosts;
    bool is_chunked; /* the last coding */
    bool is_odd;     /* a name that is none */
};

/* RFC 9110 section 5.6.2; libmicrohttpd takes "Content-Length " for another header. */
static bool is_token(const char *name)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (const char *p = name; *p; p++)
        if (!char_is_alnum(*p) && !strchr(marks, *p))
            return false;
    return *name != '\0';
}

static enum MHD_Result framing_add(void *arg, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct framing *framing = arg;
    (void)kind;
    framing->is_odd = framing->is_odd || !is_token(name);
    if (slice_eq_nocase(slice_of(name), SLICE("Host")))
        framing->hosts++;
    if (slice_eq_nocase(slice_of(name), SLICE("Content-Length")))
        framing->lengths++;
    if (slice_eq_nocase(slice_of(name), SLICE("Transfer-Encoding"))) {
        framing->codings++;
        framing->is_chunked = value && slice_eq_nocase(slice_of(value), SLICE("chunked"));
    }
    return MHD_YES;
}

static int framing_refuse(struct api_exchange *exchange, const char *name, const char *why)
{
    exchange->closes = true;
    return api_problem_set(&exchange->call.problem, API_PROBLEM_HEADER, name, "%s: %s", name, why);
}

/* Whoever stands before us may read such a request as another one: RFC 9112 section 6.3. */
static int framing_check(struct api_exchange *exchange)
{
    struct framing framing = {.lengths = 0};
    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, framing_add, &framing);
    if (framing.is_odd)
        return framing_refuse(exchange, "headers", "one has a name that is no token (RFC 9110)");
    if (framing.lengths > 0 && framing.codings > 0)
        return framing_refuse(exchange, "Content-Length", "stands there with Transfer-Encoding");
    if (framing.lengths > 1)
        return framing_refuse(exchange, "Content-Length", "stands there twice");
    if (framing.codings > 1 || (framing.codings == 1 && !framing.is_chunked))
        return framing_refuse(exchange, "Transfer-Encoding", "must be chunked, and nothing else");
    if (framing.hosts > 1 || (framing.hosts == 0 && exchange->is_1_1)) /* RFC 9112 section 3.2 */
        return api_problem_set(&exchange->call.problem, API_PROBLEM_HEADER, "Host",
                               "Host: stands there %u times; it must stand there once",
                               framing.hosts);
    return 0;
}

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

int api_headers_check(struct api_exchange *exchange)
{
    int status = framing_check(exchange);
    return status ? status : size_check(exchange);
}

int api_headers_decode(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    call->if_match = api_header_get(exchange, "If-Match");
    call->last_event_id = api_header_get(exchange, "Last-Event-ID");
    if (call->route->method != API_POST)
        return 0;
    call->idempotency_key = api_header_get(exchange, "Idempotency-Key");
    size_t len = call->idempotency_key ? strlen(call->idempotency_key) : 1;
    if (len > 0 && len <= API_MAX_KEY)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_HEADER, "Idempotency-Key",
                           "Idempotency-Key: has %zu bytes; it must have 1 to %d", len,
                           API_MAX_KEY);
}

/* ---- the body ---- */

size_t api_body_max(const struct api_call *call)
{
    return call->route && (call->route->scopes & API_LARGE) ? API_MAX_IMPORT : API_MAX_BODY;
}

int api_body_too_large(struct api_call *call)
{
    return api_problem_set(&call->problem, API_PROBLEM_TOO_LARGE, NULL,
                           "the body is over %zu bytes", api_body_max(call));
}

int api_length_check(struct api_exchange *exchange)
{
    const char *text = api_header_get(exchange, "Content-Length");
    uint64_t len;
    if (text && slice_to_u64(slice_of(text), api_body_max(&exchange->call), &len))
        return api_body_too_large(&exchange->call);
    return 0;
}

/* JSON is UTF-8 (RFC 8259 section 8.1); who says otherwise would be misread. `params`: what follows
 * the media type. */
static bool charset_is_utf8(struct slice params)
{
    while (params.len > 0) {
        params = slice_skip(params, 1); /* the semicolon */
        struct slice param = slice_make(params.p, slice_find(params, ';'));
        params = slice_skip(params, param.len);
        struct slice name = slice_make(param.p, slice_find(param, '='));
        struct slice value = slice_trim(slice_skip(param, name.len + (name.len < param.len)));
        if (slice_eq_nocase(slice_trim(name), SLICE("charset")) &&
            !slice_eq_nocase(value, SLICE("utf-8")) && !slice_eq_nocase(value, SLICE("\"utf-8\"")))
            return false;
    }
    return true;
}

int api_media_type_check(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    bool patch = call->route->method == API_PATCH;
    const char *type = api_header_get(exchange, "Content-Type");
    struct slice all = slice_of(type ? type : "");
    struct slice media = slice_make(all.p, slice_find(all, ';'));
    if (!charset_is_utf8(slice_skip(all, media.len)))
        return api_problem_set(&call->problem, API_PROBLEM_MEDIA_TYPE, "Content-Type",
                               "Content-Type: is '%.64s'; its charset must be utf-8", type);
    media = slice_trim(media);
    if (slice_eq_nocase(media, SLICE("application/json")) ||
        (patch && slice_eq_nocase(media, SLICE("application/merge-patch+json"))))
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_MEDIA_TYPE, "Content-Type",
                           "Content-Type: is '%.64s'; it must be application/json%s",
                           type ? type : "", patch ? " or application/merge-patch+json" : "");
}

bool api_answers_at_once(const struct api_exchange *exchange)
{
    const char *text = api_header_get(exchange, "Content-Length");
    uint64_t len;
    return exchange->closes || api_header_get(exchange, "Expect") ||
           (text && slice_to_u64(slice_of(text), API_DISCARD_MAX, &len));
}
