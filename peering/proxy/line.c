/* One line of the log for each request that was decided: what it was, whose, where it went, what
 * came of it, and how long that took. */
#include "peering/proxy/context.h"

#include "base/decimal.h"

#include <stdio.h>
#include <time.h>

#define LINE_FIELDS   20
#define LINE_SAID_MAX 256 /* bytes of each thing that the text says */

struct line {
    struct log_field fields[LINE_FIELDS];
    size_t count;
    char digits[LINE_FIELDS][DECIMAL_MAX]; /* of fields that are numbers */
    /* Longer than a value: the log says that it is cut. */
    char uri[LOG_VALUE_MAX + 1], why[LOG_VALUE_MAX + 1];
};

static void add(struct line *line, const char *name, struct slice value)
{
    line->fields[line->count++] = (struct log_field){.name = name, .value = value};
}

static void add_number(struct line *line, const char *name, uint64_t value)
{
    char *digits = line->digits[line->count];
    decimal_format(value, digits);
    line->fields[line->count++] =
        (struct log_field){.name = name, .value = slice_of(digits), .number = true};
}

/* What does not happen has no time. */
static void add_time(struct line *line, const char *name, uint64_t from_ms, uint64_t at_ms)
{
    if (at_ms != 0)
        add_number(line, name, at_ms - from_ms);
}

/* A strict router's Request-URI has a dialog's token, which who has it may speak with. */
static void add_shortened(struct line *line, const char *name, struct slice value,
                          char out[LOG_VALUE_MAX + 1])
{
    bool cut;
    size_t len = watch_redact(value, false, out, LOG_VALUE_MAX + 1, &cut);
    add(line, name, slice_make(out, len));
}

/* What the line begins with. `status`: 0 where there was no answer. */
static void add_request(struct line *line, const struct sip_msg *request, unsigned status)
{
    add(line, "method", request->method_text);
    add_shortened(line, "uri", request->uri_text, line->uri);
    if (status > 0)
        add_number(line, "status", status);
}

static void add_parties(struct line *line, const struct sip_msg *request)
{
    add(line, "from", request->from.uri.bytes);
    add(line, "to", request->to.uri.bytes);
}

/* May it stand in the text, without quotes? A malformed request line has any bytes, which must not
 * pass for fields, or take their room. */
static bool is_plain(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.p[i] <= ' ' || value.p[i] >= 0x7f || value.p[i] == '"' || value.p[i] == '\\')
            return false;
    bool is_field = slice_find(value, '=') < slice_find(value, ':'); /* "call_id=x" is no URI */
    return value.len > 0 && value.len <= LINE_SAID_MAX && !is_field;
}

/* The result and the first two fields, "refused INVITE sip:bob@b.example". */
static void write_line(struct line *line, struct log *log, enum log_level level, const char *result,
                       const char *why)
{
    struct log_field *fields = line->fields;
    char text[3 * LINE_SAID_MAX];
    size_t n = strlen(result);
    memcpy(text, result, n);
    for (size_t i = 0; i < 2; i++) {
        fields[i].said = is_plain(fields[i].value);
        if (fields[i].said) {
            text[n++] = ' ';
            memcpy(text + n, fields[i].value.p, fields[i].value.len);
            n += fields[i].value.len;
        }
    }
    text[n] = '\0';
    add(line, "result", slice_of(result));
    line->fields[line->count - 1].said = true;
    if (why[0])
        add_shortened(line, "why", slice_of(why), line->why);
    log_event(log, level, "proxy", text, fields, line->count);
}

static const char *direction(const struct context *context)
{
    if (context->origin.listener->side == TRANSPORT_OUTSIDE)
        return "in";
    return context->plan->side == TRANSPORT_OUTSIDE ? "out" : "inside";
}

static struct slice or_dash(const char *text)
{
    return slice_of(text[0] ? text : "-");
}

/* Of calls between our own cores there is no peer. */
static void count(struct proxy *proxy, const char *peer, bool incoming, enum watch_result result)
{
    struct timespec now;
    if (!peer[0])
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    watch_peers_count(&proxy->watch.peers, peer, incoming ? WATCH_IN : WATCH_OUT, result,
                      (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

static enum watch_result result_of(const char *result, unsigned status)
{
    switch (result[0]) {
    case 'a':
        return status < 300 ? WATCH_ANSWERED : WATCH_DECLINED;
    case 'c':
        return WATCH_CANCELLED;
    case 'f':
        return WATCH_FAILED;
    default:
        return WATCH_REFUSED;
    }
}

void line_decided(const struct context *context, unsigned status, const char *result,
                  const char *why)
{
    struct log *log = context->proxy->log;
    enum log_level level = result[0] == 'a' || result[0] == 'c' ? LOG_INFO : LOG_NOTICE;
    uint64_t from_ms = context->started_ms, now_ms = txn_layer_now_ms(context->proxy->txns);
    struct line line = {.count = 0};
    char source[NETADDR_TEXT_MAX], addr[NETADDR_TEXT_MAX], target[NETADDR_TEXT_MAX + 300] = "-";
    count(context->proxy, context->plan->peer, context->origin.listener->side == TRANSPORT_OUTSIDE,
          result_of(result, status));
    if (!log_enabled(log, level))
        return;
    if (context->tries > 0)
        snprintf(target, sizeof(target), "%s/%s/%s", context->search->hop.host,
                 netaddr_format(&context->search->hop.addr, addr),
                 sip_transport_name(context->search->hop.transport));
    add_request(&line, context->request, status);
    add(&line, "direction", slice_of(direction(context)));
    add(&line, "peer", or_dash(context->plan->peer));
    add_parties(&line, context->request);
    add(&line, "sender", slice_of(netaddr_format(&context->origin.peer, source)));
    add(&line, "target", slice_of(target));
    add_number(&line, "tries", context->tries);
    add_time(&line, "sent_ms", from_ms, context->sent_ms);
    add_time(&line, "first_ms", from_ms, context->first_ms);
    add_time(&line, "total_ms", from_ms, now_ms);
    add(&line, "call_id", context->request->call_id);
    write_line(&line, log, level, result, why);
}

static bool is_stranger(struct proxy *proxy, const struct origin *origin)
{
    if (origin->listener->side == TRANSPORT_OUTSIDE)
        return !origin->conn || !conn_proven_domain(origin->conn)[0];
    return !sources_known(proxy, &origin->peer);
}

/* A domain of one's own is cheap, and what is over a budget has no end. */
static struct log_limit *limit_of(struct proxy *proxy, const struct origin *origin,
                                  const struct refusal *refusal)
{
    if (is_stranger(proxy, origin))
        return &proxy->strangers;
    bool outside = origin->listener->side == TRANSPORT_OUTSIDE;
    return outside && refusal->status == 503 ? &proxy->excess : NULL;
}

void line_refused(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                  const struct refusal *refusal)
{
    struct line line = {.count = 0};
    char source[NETADDR_TEXT_MAX];
    const char *peer = origin->conn ? conn_proven_domain(origin->conn) : "";
    bool outside = origin->listener->side == TRANSPORT_OUTSIDE;
    if (outside)
        count(proxy, peer, true, WATCH_REFUSED);
    struct log_limit *limit = limit_of(proxy, origin, refusal);
    if (!log_enabled(proxy->log, LOG_INFO) ||
        (limit && !log_limit_take(limit, txn_layer_now_ms(proxy->txns))))
        return;
    add_request(&line, request, refusal->status);
    add(&line, "direction", slice_of(outside ? "in" : "out"));
    add(&line, "peer", or_dash(outside ? peer : ""));
    add_parties(&line, request);
    add(&line, "sender", slice_of(netaddr_format(&origin->peer, source)));
    add(&line, "call_id", request->call_id);
    write_line(&line, proxy->log, LOG_INFO, "refused", refusal->warning);
}

void line_dropped(struct proxy *proxy, const struct origin *origin, const struct sip_msg *response,
                  const char *why)
{
    struct line line = {.count = 0};
    char source[NETADDR_TEXT_MAX];
    const char *peer = origin->conn ? conn_proven_domain(origin->conn) : "";
    bool outside = origin->listener->side == TRANSPORT_OUTSIDE;
    if (!log_enabled(proxy->log, LOG_NOTICE) ||
        !log_limit_take(&proxy->answers, txn_layer_now_ms(proxy->txns)))
        return;
    add_number(&line, "status", response->status);
    add(&line, "method", response->cseq_method_text);
    add(&line, "direction", slice_of(outside ? "out" : "inside")); /* of the request */
    add(&line, "peer", or_dash(outside ? peer : ""));
    add_parties(&line, response);
    add(&line, "sender", slice_of(netaddr_format(&origin->peer, source)));
    add(&line, "call_id", response->call_id);
    write_line(&line, proxy->log, LOG_NOTICE, "dropped", why);
}

void line_foreign_answer(struct proxy *proxy, const struct origin *origin,
                         const struct sip_msg *response)
{
    bool outside = origin->listener->side == TRANSPORT_OUTSIDE;
    line_dropped(proxy, origin, response,
                 outside ? "this connection has not proven the domain that was asked"
                         : "it comes from no core that was asked; if this is another address of "
                           "that core, list it in allow");
}
