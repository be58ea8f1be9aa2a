/* Requests of our own on a hop: ACK to a final response that is no 2xx, CANCEL. */
#include "peering/sip/out.h"
#include "peering/sip/sip.h"

#include <stdio.h>

/* Method, Via, CSeq, Max-Forwards, Content-Length and line ends. */
#define FIXED_TEXT_MAX 160

static void first_line_put(struct sip_out *out, const struct sip_msg *msg, enum sip_header_id id)
{
    const struct sip_header *header = sip_msg_header(msg, id, NULL);
    if (header != NULL)
        sip_out_put(out, header->line);
}

static void cseq_put(struct sip_out *out, uint32_t number, const char *method)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "CSeq: %u %s\r\n", (unsigned)number, method);
    sip_out_put(out, slice_make(text, (size_t)len));
}

/* Same Request-URI, topmost Via, From, Call-ID, CSeq number and Routes as the INVITE; To from
 * `to_of`. */
static struct slice hop_request_build(struct arena *arena, const struct sip_msg *invite,
                                      const struct sip_msg *to_of, const char *method)
{
    const struct sip_header *to = sip_msg_header(to_of, SIP_H_TO, NULL);
    const struct sip_header *route = NULL;
    size_t head = (size_t)(invite->headers_end - invite->bytes.p);
    struct sip_out out = sip_out_open(arena, head + to->line.len + FIXED_TEXT_MAX);

    sip_out_put(&out, slice_of(method));
    sip_out_put(&out, SLICE(" "));
    sip_out_put(&out, invite->uri_text);
    sip_out_put(&out, SLICE(" SIP/2.0\r\nVia: "));
    sip_out_put(&out, invite->via.bytes);
    sip_out_put(&out, SLICE("\r\nMax-Forwards: 70\r\n"));
    while ((route = sip_msg_header(invite, SIP_H_ROUTE, route)) != NULL)
        sip_out_put(&out, route->line);
    first_line_put(&out, invite, SIP_H_FROM);
    sip_out_put(&out, to->line);
    first_line_put(&out, invite, SIP_H_CALL_ID);
    cseq_put(&out, invite->cseq, method);
    sip_out_put(&out, SLICE("Content-Length: 0\r\n\r\n"));
    return sip_out_close(&out);
}

struct slice sip_ack_build(struct arena *arena, const struct sip_msg *invite,
                           const struct sip_msg *response)
{
    return hop_request_build(arena, invite, response, "ACK");
}

struct slice sip_cancel_build(struct arena *arena, const struct sip_msg *invite)
{
    return hop_request_build(arena, invite, invite, "CANCEL");
}
