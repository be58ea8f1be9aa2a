/* Responses of our own (section 8.2.6). */
#include "peering/sip/out.h"
#include "peering/sip/sip.h"

/* "SIP/2.0 NNN ", ";tag=", ";received=", "rport=65535", Content-Length and line ends. */
#define FIXED_TEXT_MAX 128

/* The line with the edits that were made to it. */
static void edited_line_put(struct sip_out *out, struct sip_edits *edits)
{
    size_t len = sip_edits_len(edits);
    if (edits->overflow || out->failed || len > out->size - out->len) {
        out->failed = true;
        return;
    }
    sip_edits_gather(edits, out->begin + out->len);
    out->len += len;
}

static void status_line_put(struct sip_out *out, unsigned status, struct slice reason)
{
    char code[] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
                   (char)('0' + status % 10), ' '};

    sip_out_put(out, SLICE("SIP/2.0 "));
    sip_out_put(out, slice_make(code, sizeof(code)));
    sip_out_put(out, reason);
    sip_out_put(out, SLICE("\r\n"));
}

static void vias_put(struct sip_out *out, struct arena *arena, const struct sip_msg *request,
                     const struct sip_reply *reply)
{
    const struct sip_header *via = sip_msg_header(request, SIP_H_VIA, NULL);
    struct sip_edits edits;

    if (via == NULL)
        return;
    sip_edits_init(&edits, via->line);
    sip_edits_mark_via(&edits, arena, &request->via, reply->received, reply->rport);
    edited_line_put(out, &edits);
    while ((via = sip_msg_header(request, SIP_H_VIA, via)) != NULL)
        sip_out_put(out, via->line);
}

static void first_line_put(struct sip_out *out, const struct sip_msg *request,
                           enum sip_header_id id)
{
    const struct sip_header *header = sip_msg_header(request, id, NULL);
    if (header != NULL)
        sip_out_put(out, header->line);
}

/* Every response but 100 has a tag in To (section 8.2.6.2). */
static void to_put(struct sip_out *out, const struct sip_msg *request,
                   const struct sip_reply *reply)
{
    const struct sip_header *to = sip_msg_header(request, SIP_H_TO, NULL);
    if (to == NULL)
        return;
    if (reply->status == 100 || reply->to_tag.len == 0 || request->to_tag.len > 0) {
        sip_out_put(out, to->line);
        return;
    }
    sip_out_put(out, slice_between(to->line.p, slice_end(to->value)));
    sip_out_put(out, SLICE(";tag="));
    sip_out_put(out, reply->to_tag);
    sip_out_put(out, slice_between(slice_end(to->value), slice_end(to->line)));
}

static void record_routes_put(struct sip_out *out, const struct sip_msg *request)
{
    const struct sip_header *header = NULL;
    while ((header = sip_msg_header(request, SIP_H_RECORD_ROUTE, header)) != NULL)
        sip_out_put(out, header->line);
}

/* Section 8.2.6.1: a 100 carries the Timestamp of the request. */
static void timestamp_put(struct sip_out *out, const struct sip_msg *request)
{
    const struct sip_header *header = sip_msg_header_named(request, "Timestamp");
    if (header != NULL)
        sip_out_put(out, header->line);
}

struct slice sip_reply_build(struct arena *arena, const struct sip_msg *request,
                             const struct sip_reply *reply)
{
    struct slice reason =
        slice_of(reply->reason != NULL ? reply->reason : sip_reason(reply->status));
    size_t head = (size_t)(request->headers_end - request->bytes.p);
    struct sip_out out =
        sip_out_open(arena, head + reason.len + reply->to_tag.len + reply->received.len +
                                reply->headers.len + FIXED_TEXT_MAX);

    status_line_put(&out, reply->status, reason);
    vias_put(&out, arena, request, reply);
    first_line_put(&out, request, SIP_H_FROM);
    to_put(&out, request, reply);
    first_line_put(&out, request, SIP_H_CALL_ID);
    first_line_put(&out, request, SIP_H_CSEQ);
    if (reply->status == 100)
        timestamp_put(&out, request);
    else if (reply->status < 300)
        record_routes_put(&out, request);
    sip_out_put(&out, reply->headers);
    sip_out_put(&out, SLICE("Content-Length: 0\r\n\r\n"));
    return sip_out_close(&out);
}
