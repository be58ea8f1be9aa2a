#include "peering/sip/sip.h"

/* Where the bytes lie now, and where they lay. */
struct move {
    const char *from;
    const char *to;
};

static void slice_move(struct slice *s, struct move move)
{
    if (s->p != NULL)
        s->p = move.to + (s->p - move.from);
}

static void uri_move(struct sip_uri *uri, struct move move)
{
    slice_move(&uri->bytes, move);
    slice_move(&uri->scheme_text, move);
    slice_move(&uri->user, move);
    slice_move(&uri->password, move);
    slice_move(&uri->host, move);
    slice_move(&uri->params, move);
    slice_move(&uri->headers, move);
}

static void nameaddr_move(struct sip_nameaddr *nameaddr, struct move move)
{
    slice_move(&nameaddr->bytes, move);
    slice_move(&nameaddr->display, move);
    uri_move(&nameaddr->uri, move);
    slice_move(&nameaddr->params, move);
}

static void via_move(struct sip_via *via, struct move move)
{
    slice_move(&via->bytes, move);
    slice_move(&via->transport_text, move);
    slice_move(&via->host, move);
    slice_move(&via->params, move);
    slice_move(&via->branch, move);
    slice_move(&via->received, move);
    slice_move(&via->rport, move);
}

static void msg_move(struct sip_msg *msg, struct move move)
{
    slice_move(&msg->method_text, move);
    uri_move(&msg->uri, move);
    slice_move(&msg->uri_text, move);
    slice_move(&msg->reason, move);
    slice_move(&msg->start_line, move);
    via_move(&msg->via, move);
    nameaddr_move(&msg->from, move);
    nameaddr_move(&msg->to, move);
    slice_move(&msg->from_tag, move);
    slice_move(&msg->to_tag, move);
    slice_move(&msg->call_id, move);
    slice_move(&msg->cseq_method_text, move);
    slice_move(&msg->body, move);
    if (msg->headers_end != NULL)
        msg->headers_end = move.to + (msg->headers_end - move.from);
}

struct sip_msg *sip_msg_copy(struct arena *arena, const struct sip_msg *msg)
{
    struct sip_msg *copy = arena_get(arena, sizeof(*copy));
    struct sip_header *headers = arena_get(arena, (msg->header_count + 1) * sizeof(*headers));
    struct slice bytes = arena_copy(arena, msg->bytes);
    struct move move = {.from = msg->bytes.p, .to = bytes.p};

    if (copy == NULL || headers == NULL || bytes.p == NULL)
        return NULL;
    *copy = *msg;
    copy->bytes = bytes;
    copy->headers = headers;
    msg_move(copy, move);
    for (size_t i = 0; i < msg->header_count; i++) {
        headers[i] = msg->headers[i];
        slice_move(&headers[i].line, move);
        slice_move(&headers[i].name, move);
        slice_move(&headers[i].value, move);
    }
    return copy;
}
