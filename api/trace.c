/* /v1/trace: the messages that pass, as server-sent events, while somebody looks. */
#include "api/auth.h"
#include "api/records.h"

#include "base/status.h"
#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_FIELD_MAX 512 /* bytes of a header field's value that are shown */
/* A byte that is no text becomes three. */
#define TRACE_TEXT_MAX (3 * WATCH_MESSAGE_MAX + 1)

/* What one client looks at. */
struct trace {
    struct api *api;
    struct watch_tap *tap; /* NULL where no edge runs in this process: nothing passes */
    char actor[STORE_ACTOR_MAX + 1];
    char text[TRACE_TEXT_MAX];
};

/* ---- text of any bytes ---- */

/* The text with what is not printable replaced by U+FFFD, but for line ends and tabs. */
static const char *text_make(struct trace *trace, struct slice bytes)
{
    size_t len = 0;
    for (size_t i = 0; i < bytes.len;) {
        char c[8] = ""; /* a character, and what makes it end */
        size_t left = bytes.len - i;
        memcpy(c, bytes.p + i, left < 4 ? left : 4);
        size_t size = utf8_printable_len(c);
        if (size == 0 && (!c[0] || !strchr("\r\n\t", c[0]))) {
            memcpy(trace->text + len, "\xef\xbf\xbd", 3);
            len += 3;
            i++;
            continue;
        }
        size += size == 0;
        memcpy(trace->text + len, c, size);
        len += size;
        i += size;
    }
    trace->text[len] = '\0';
    return trace->text;
}

static json_t *field(struct trace *trace, struct slice value)
{
    if (value.len > TRACE_FIELD_MAX)
        value.len = TRACE_FIELD_MAX;
    return json_string(text_make(trace, value));
}

/* ---- one message ---- */

static const char *transport_text(enum sip_transport transport)
{
    static const char *const names[] = {
        [SIP_UDP] = "udp", [SIP_TCP] = "tcp", [SIP_TLS] = "tls", [SIP_SCTP] = "sctp"};
    return names[transport];
}

static json_t *hop_encode(const struct watch_record *record)
{
    char local[NETADDR_TEXT_MAX], remote[NETADDR_TEXT_MAX], time[LOG_TIME_MAX];
    const struct watch_hop *hop = &record->hop;
    const struct timespec at = {.tv_sec = (time_t)(hop->time_us / 1000000),
                                .tv_nsec = (long)(hop->time_us % 1000000) * 1000};
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s?}", "time", log_time_format(at, time),
                     "worker", (int)record->worker, "way", hop->sent ? "sent" : "received", "side",
                     hop->side == TRANSPORT_INSIDE ? "inside" : "outside", "transport",
                     transport_text(hop->transport), "local", netaddr_format(&hop->local, local),
                     "remote", netaddr_format(&hop->remote, remote), "peer",
                     record->peer[0] ? record->peer : NULL);
}

/* What is cut, or was passed on though parts of it are odd, is decoded as far as that goes. */
static json_t *record_encode(struct trace *trace, const struct watch_record *record)
{
    struct slice bytes = {record->bytes, record->len};
    struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_fault fault;
    struct sip_msg msg;
    char cseq[64], status[16];
    json_t *json = hop_encode(record);
    (void)sip_msg_parse(bytes, true, headers, SIP_MAX_HEADERS, &msg, &fault);
    snprintf(cseq, sizeof(cseq), "%" PRIu32 " %.*s", msg.cseq,
             (int)(msg.cseq_method_text.len < 40 ? msg.cseq_method_text.len : 40),
             msg.cseq_method_text.p);
    snprintf(status, sizeof(status), "%u ", msg.status);
    json_object_set_new(json, "method",
                        msg.is_request ? field(trace, msg.method_text) : json_null());
    json_object_set_new(json, "uri", msg.is_request ? field(trace, msg.uri_text) : json_null());
    json_object_set_new(json, "status",
                        msg.is_request ? json_null() : json_integer((json_int_t)msg.status));
    json_object_set_new(json, "reason", msg.is_request ? json_null() : field(trace, msg.reason));
    json_object_set_new(json, "cseq", json_string(cseq));
    json_object_set_new(json, "call_id", field(trace, msg.call_id));
    json_object_set_new(json, "from", field(trace, msg.from.uri.bytes));
    json_object_set_new(json, "to", field(trace, msg.to.uri.bytes));
    json_object_set_new(json, "again", json_boolean(record->again));
    json_object_set_new(json, "cut", json_boolean(record->cut));
    json_object_set_new(json, "message", json_string(text_make(trace, bytes)));
    return json;
}

/* ---- the stream ---- */

/* Whole events only: what has no room waits. Takes over `json`. */
static int event_append(struct buf *out, const char *event, json_t *json)
{
    char *data = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!data)
        return -ENOMEM;
    size_t len = strlen("event: \ndata: \n\n") + strlen(event) + strlen(data);
    char *place = buf_reserve(out, len + 1);
    if (place) {
        snprintf(place, len + 1, "event: %s\ndata: %s\n\n", event, data);
        buf_commit(out, len);
    }
    free(data);
    return place ? 0 : -ENOBUFS;
}

static int records_append(struct trace *trace, struct buf *out)
{
    const struct watch_record *record;
    int status = 0;
    while (!status && (record = watch_tap_peek(trace->tap))) {
        status = event_append(out, "message", record_encode(trace, record));
        if (!status)
            watch_tap_release(trace->tap);
    }
    if (status)
        return status == -ENOBUFS && buf_len(out) > 0 ? 0 : status;
    uint64_t dropped = watch_tap_dropped(trace->tap);
    if (dropped)
        status = event_append(out, "dropped", json_pack("{s:I}", "dropped", (json_int_t)dropped));
    return status;
}

/* The end of its token ends it, before one more word. */
static int trace_more(struct api_stream *stream, struct store_reader *reader, struct buf *out)
{
    struct trace *trace = stream->arg;
    int status = store_reader_begin(reader);
    if (status)
        return status;
    bool good = api_actor_is_good(reader, trace->actor);
    store_reader_end(reader);
    if (!good)
        return STATUS_DENIED;
    status = trace->tap ? records_append(trace, out) : 0;
    if (!status && stream->tick && buf_len(out) == 0)
        status = buf_append(out, SLICE(": still here\n\n"));
    return status;
}

static bool trace_ready(void *arg)
{
    const struct trace *trace = arg;
    return trace->tap && watch_tap_ready(trace->tap);
}

static void trace_free(void *arg)
{
    struct trace *trace = arg;
    if (trace->tap)
        edge_tap_close(trace->api->parts.edge, trace->tap);
    free(trace);
}

static int trace_open(struct api_call *call, const struct watch_filter *filter, struct trace *trace)
{
    trace->api = call->api;
    memcpy(trace->actor, call->actor, sizeof(trace->actor));
    if (!call->api->parts.edge)
        return 0;
    int status = edge_tap_open(call->api->parts.edge, filter, &trace->tap);
    if (status == STATUS_LIMIT)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL,
                               "%d clients look at messages already", WATCH_MAX_TAPS);
    if (status)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    log_write(call->api->parts.log, LOG_NOTICE, "api", "trace: actor=%s match=%s", call->actor,
              filter->user[0] ? filter->address : filter->domain);
    return 0;
}

int api_trace_get(struct api_call *call)
{
    const char *match = api_call_arg(call, "match");
    struct watch_filter filter;
    struct store_fault fault;
    if (watch_filter_read(match ? match : "", &filter, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "match",
                               "match: must be an address or a domain: %s", fault.text);
    struct trace *trace = calloc(1, sizeof(*trace));
    if (!trace)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    if (trace_open(call, &filter, trace)) {
        free(trace);
        return -EPROTO;
    }
    return api_call_stream(call, &(struct api_stream){.type = "text/event-stream",
                                                      .more = trace_more,
                                                      .ready = trace_ready,
                                                      .free = trace_free,
                                                      .arg = trace});
}
