/* Stateless answers: To tags are computed, retransmissions get the same bytes, and the ACK is known
 * by its tag (RFC 3261 8.2.7). */
#include "peering/proxy/proxy.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void refusal_set(struct refusal *refusal, unsigned status, const char *format, ...)
{
    va_list args;
    refusal->status = status;
    refusal->headers[0] = '\0';
    va_start(args, format);
    vsnprintf(refusal->warning, sizeof(refusal->warning), format, args);
    va_end(args);
}

void refusal_said(const struct sip_msg *response, char said[PROXY_SAID_MAX + 1])
{
    const struct sip_header *warning = sip_msg_header_named(response, "Warning");
    struct slice text = warning ? warning->value : slice_of("");
    size_t n = 0;
    text = slice_skip(text, slice_find(text, '"') + 1);
    while (text.len > 0 && text.p[0] != '"') {
        char c[8] = ""; /* a character, and what makes it end */
        if (text.p[0] == '\\' && text.len > 1)
            text = slice_skip(text, 1);
        memcpy(c, text.p, text.len < 4 ? text.len : 4);
        size_t printable = utf8_printable_len(c), size = printable ? printable : 1;
        if (n + size > PROXY_SAID_MAX)
            break;
        memcpy(said + n, printable ? c : "?", size);
        n += size;
        text = slice_skip(text, size);
    }
    said[n] = '\0';
}

/* A quoted-string must escape '"' and '\' and cannot hold control characters (25.1). */
static size_t quote(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (; *text && n + 2 < size; text++) {
        if (*text == '"' || *text == '\\')
            out[n++] = '\\';
        out[n++] = (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text;
    }
    out[n] = '\0';
    return n;
}

/* A Warning header line (20.43) with our name; empty where there is nothing to say. */
static struct slice warning_line(struct arena *arena, const struct transport_listener *listener,
                                 const char *text)
{
    char quoted[2 * PROXY_WARNING_MAX];
    if (!text[0])
        return slice_make("", 0);
    quote(text, quoted, sizeof(quoted));
    return arena_printf(arena, "Warning: 399 %s \"%s\"\r\n",
                        listener->advertise_host[0] ? listener->advertise_host : "junctor", quoted);
}

static void own_tag(const struct proxy *proxy, const struct sip_msg *request,
                    char tag[STATELESS_TAG_LEN])
{
    stateless_tag(proxy->tag_key, request->via.branch, request->from_tag, request->call_id,
                  request->cseq, tag);
}

bool proxy_is_own_ack(const struct proxy *proxy, const struct sip_msg *ack)
{
    char tag[STATELESS_TAG_LEN];
    own_tag(proxy, ack, tag);
    return slice_eq(ack->to_tag, slice_of(tag));
}

struct slice proxy_answer_build(struct proxy *proxy, struct arena *arena,
                                const struct origin *origin, const struct sip_msg *request,
                                const struct refusal *answer)
{
    char tag[STATELESS_TAG_LEN], ip[NETADDR_TEXT_MAX];
    own_tag(proxy, request, tag);
    struct slice warning = warning_line(arena, origin->listener, answer->warning);
    struct slice headers = arena_printf(arena, "%.*s%s", SLICE_ARG(warning), answer->headers);
    if (!warning.p || !headers.p)
        return (struct slice){NULL, 0};
    struct sip_reply reply = {
        .status = answer->status,
        .to_tag = slice_of(tag),
        .headers = headers,
        .received = slice_of(netaddr_format_ip(&origin->peer, ip)),
        .rport = request->via.has_rport ? netaddr_port(&origin->peer) : 0,
    };
    return sip_reply_build(arena, request, &reply);
}

void proxy_refuse(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                  const struct refusal *refusal)
{
    if (refusal->status >= 300) {
        atomic_fetch_add_explicit(&proxy->counters->refused, 1, memory_order_relaxed);
        line_refused(proxy, origin, request, refusal);
    }
    struct arena *arena = arena_alloc(proxy->pool, PROXY_CONTEXT_LIMIT);
    struct slice bytes = {NULL, 0};
    if (arena)
        bytes = proxy_answer_build(proxy, arena, origin, request, refusal);
    if (bytes.p) /* else memory is exhausted: the sender retransmits */
        proxy_send_response(proxy, origin, proxy_reply_port(origin, &request->via), bytes);
    arena_free(arena);
}
