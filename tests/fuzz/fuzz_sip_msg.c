/* Arbitrary bytes to everything that reads SIP messages. Built by `make fuzz`; run as
 *   ./fuzz_sip_msg -max_len=4096 CORPUS tests/peering/sip/vectors
 * ../shared/vectors/sip/rfc4475/valid Beside crashes it finds disagreement: between framer and
 * parser, between a message and what is made of it. */
#include "base/arena.h"
#include "base/status.h"
#include "peering/sip/sip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTEWISE_MAX 512 /* longer inputs are not fed to the framer byte by byte */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void must_lie_in(struct slice outer, struct slice inner)
{
    must(inner.p == NULL || slice_contains(outer, inner));
}

static void try_uri(const struct sip_uri *uri)
{
    char out[256];
    struct sip_uri again;

    must_lie_in(uri->bytes, uri->user);
    must_lie_in(uri->bytes, uri->host);
    must_lie_in(uri->bytes, uri->params);
    must_lie_in(uri->bytes, uri->headers);
    (void)sip_uri_param(uri, "maddr", NULL);
    must(sip_unescape(uri->user, out, sizeof(out)) != -EINVAL);
    must(sip_uri_decode(uri->bytes, &again) == 0);
    must(slice_eq(again.user, uri->user) && slice_eq(again.host, uri->host));
}

/* All lists of the message, as if each were each kind of list. */
static void try_lists(const struct sip_msg *msg)
{
    for (size_t i = 0; i < msg->header_count; i++) {
        struct slice value = msg->headers[i].value;
        struct sip_nameaddr nameaddr;
        struct sip_via via;
        struct slice element;

        must_lie_in(msg->bytes, msg->headers[i].line);
        for (struct slice list = value; sip_list_next(&list, &element) == 0;)
            must_lie_in(value, element);
        for (struct slice list = value; sip_nameaddr_next(&list, &nameaddr) == 0;) {
            struct sip_nameaddr again;
            must_lie_in(value, nameaddr.bytes);
            must(sip_nameaddr_decode(nameaddr.bytes, &again) == 0);
            must(slice_eq(again.params, nameaddr.params));
            must(slice_eq(again.uri.bytes, nameaddr.uri.bytes));
            try_uri(&nameaddr.uri);
            (void)sip_param(nameaddr.params, "tag", &element);
        }
        for (struct slice list = value; sip_via_next(&list, &via) == 0;) {
            must_lie_in(value, via.bytes);
            must_lie_in(via.bytes, via.branch);
            must_lie_in(via.bytes, via.rport);
            must_lie_in(via.bytes, via.received);
        }
    }
}

static void try_edits(struct arena *arena, const struct sip_msg *msg)
{
    static struct sip_edits edits;
    const struct sip_header *route = NULL;

    sip_edits_init(&edits, msg->bytes);
    sip_edits_mark_via(&edits, arena, &msg->via, SLICE("2001:db8::1"), 5060);
    while ((route = sip_msg_header(msg, SIP_H_ROUTE, route)) != NULL && edits.count < 32) {
        struct slice list = route->value;
        struct slice element;
        for (int i = 0; sip_list_next(&list, &element) == 0; i++)
            if (i % 3 != 1)
                sip_edits_remove_element(&edits, route, element);
    }
    sip_edits_insert(&edits, msg->headers_end, SLICE("X: y\r\n"));
    size_t len = sip_edits_len(&edits);
    if (edits.overflow || len > SIP_MAX_MESSAGE)
        return;

    struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_msg edited;
    struct sip_fault fault;
    char *out = arena_get(arena, len);
    must(out != NULL);
    sip_edits_gather(&edits, out);
    int status =
        sip_msg_parse(slice_make(out, len), false, headers, SIP_MAX_HEADERS, &edited, &fault);
    if (status != 0) { /* the limits may be passed now, nothing else */
        must(msg->header_count == SIP_MAX_HEADERS || fault.status == 513);
        return;
    }
    must(slice_eq(edited.body, msg->body) && slice_eq(edited.from.bytes, msg->from.bytes));
    must(slice_eq(edited.via.received, SLICE("2001:db8::1")));
    must(slice_eq(edited.via.branch, msg->via.branch));
}

static void try_answer(struct arena *arena, const struct sip_msg *msg, bool good)
{
    struct sip_reply reply = {.status = good ? 404 : 400,
                              .to_tag = SLICE("t"),
                              .received = SLICE("192.0.2.1"),
                              .rport = 65535,
                              .headers = SLICE("Warning: 399 edge \"x\"\r\n")};
    struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_msg answer;
    struct sip_fault fault;

    struct slice bytes = sip_reply_build(arena, msg, &reply);
    must(bytes.p != NULL);
    int status = sip_msg_parse(bytes, true, headers, SIP_MAX_HEADERS, &answer, &fault);
    if (!good || (status != 0 && msg->header_count == SIP_MAX_HEADERS))
        return;
    must(status == 0 && slice_eq(answer.call_id, msg->call_id) && answer.to_tag.len > 0);
    must(slice_eq(answer.via.branch, msg->via.branch));
}

static void try_hop_requests(struct arena *arena, const struct sip_msg *msg)
{
    struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_msg built;
    struct sip_fault fault;

    struct slice ack = sip_ack_build(arena, msg, msg);
    struct slice cancel = sip_cancel_build(arena, msg);
    must(ack.p != NULL && cancel.p != NULL);
    must(sip_msg_parse(cancel, true, headers, SIP_MAX_HEADERS, &built, &fault) == 0);
    must(built.method == SIP_CANCEL && slice_eq(built.via.bytes, msg->via.bytes));
    must(built.cseq == msg->cseq && slice_eq(built.uri_text, msg->uri_text));
}

/* What there is of a message that cannot be framed is never taken for one. */
static void try_lost(struct slice head)
{
    struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_msg msg;
    struct sip_fault fault;
    must(sip_msg_parse(head, true, headers, SIP_MAX_HEADERS, &msg, &fault) == STATUS_MALFORMED);
}

/* What a connection sees: the same frame whether the bytes come at once or one by one, and a frame
 * that ends where the parser ends the message. */
static void try_frame(struct slice bytes, const struct sip_msg *msg, bool good)
{
    size_t scanned = 0;
    struct sip_frame frame = sip_frame(bytes, &scanned);

    if (frame.kind == SIP_FRAME_MESSAGE)
        must(frame.skip + frame.len <= bytes.len);
    if (frame.kind == SIP_FRAME_BAD && frame.len > 0)
        try_lost(slice_make(bytes.p + frame.skip, frame.len));
    if (good && msg->has_content_length)
        must(frame.kind == SIP_FRAME_MESSAGE && frame.skip == 0 && frame.len == msg->bytes.len);
    if (good && !msg->has_content_length)
        must(frame.kind == SIP_FRAME_BAD);
    if (bytes.len > BYTEWISE_MAX)
        return;

    size_t kept = 0;
    struct sip_frame step = {.kind = SIP_FRAME_INCOMPLETE};
    for (size_t len = 0; len <= bytes.len && step.kind == SIP_FRAME_INCOMPLETE; len++)
        step = sip_frame(slice_make(bytes.p, len), &kept);
    if (frame.kind != SIP_FRAME_INCOMPLETE && frame.fault.status != 513)
        must(step.kind == frame.kind && step.skip == frame.skip && step.len == frame.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena_pool *pool;
    struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_msg msg;
    struct sip_fault fault = {0, NULL};

    if (pool == NULL)
        pool = arena_pool_alloc(16384, 0);
    struct arena *arena = arena_alloc(pool, 0);
    must(arena != NULL);

    struct slice bytes = slice_make((const char *)data, size);
    (void)sip_msg_parse(bytes, true, headers, SIP_MAX_HEADERS, &msg, &fault);
    int status = sip_msg_parse(bytes, false, headers, SIP_MAX_HEADERS, &msg, &fault);
    must(status == 0 || (status == STATUS_MALFORMED && fault.reason != NULL));
    try_frame(bytes, &msg, status == 0);
    try_lists(&msg);
    if (sip_msg_can_answer(&msg))
        try_answer(arena, &msg, status == 0);
    if (status == 0) {
        struct sip_msg *copy = sip_msg_copy(arena, &msg);
        must(copy != NULL && slice_eq(copy->bytes, msg.bytes));
        try_edits(arena, copy);
        if (msg.is_request) {
            try_uri(&copy->uri);
            try_hop_requests(arena, copy);
        }
    }
    arena_free(arena);
    return 0;
}
