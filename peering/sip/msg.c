/* One message: start line, index of the headers, then the headers that routing needs. After a fault
 * the rest is decoded all the same, as far as it goes, so that the sender can be answered; the
 * first fault is the one that is told. */
#include "peering/sip/internal.h"

#include "base/status.h"

#include <errno.h>

struct parse {
    struct sip_msg *msg;
    struct sip_fault fault;
    bool failed;
    bool stream;
    size_t header_max;
    const struct sip_header *first[SIP_H_COUNT];
};

static void parse_fail(struct parse *parse, unsigned status, const char *reason)
{
    if (parse->failed)
        return;
    parse->failed = true;
    parse->fault = (struct sip_fault){status, reason};
}

/* Headers with one value: what to say where there is none or more than one. */
static const struct {
    const char *missing; /* NULL: it may be missing */
    const char *twice;   /* NULL: it may be there twice */
} presence[SIP_H_COUNT] = {
    [SIP_H_VIA] = {"Via header is missing", NULL},
    [SIP_H_FROM] = {"From header is missing", "more than one From header"},
    [SIP_H_TO] = {"To header is missing", "more than one To header"},
    [SIP_H_CALL_ID] = {"Call-ID header is missing", "more than one Call-ID header"},
    [SIP_H_CSEQ] = {"CSeq header is missing", "more than one CSeq header"},
    [SIP_H_MAX_FORWARDS] = {NULL, "more than one Max-Forwards header"},
    [SIP_H_CONTENT_LENGTH] = {NULL, "more than one Content-Length header"},
};

#define NAMEADDR_REASONS(name)                                                                     \
    {                                                                                              \
        [SIP_NAMEADDR_QUOTES] = name " header: a quoted string is not closed or has a control "    \
                                     "character",                                                  \
        [SIP_NAMEADDR_DISPLAY] = name " header: the display name needs quotes",                    \
        [SIP_NAMEADDR_BRACKETS] = name " header: '<' without '>'",                                 \
        [SIP_NAMEADDR_URI] = name " header: the URI is malformed",                                 \
        [SIP_NAMEADDR_PARAMS] = name " header: what follows the URI is malformed",                 \
    }

static const char *const from_reasons[SIP_NAMEADDR_FAULT_COUNT] = NAMEADDR_REASONS("From");
static const char *const to_reasons[SIP_NAMEADDR_FAULT_COUNT] = NAMEADDR_REASONS("To");

static const char *const via_reasons[SIP_VIA_FAULT_COUNT] = {
    [SIP_VIA_PROTOCOL] = "Via header: it does not start with SIP/2.0/transport",
    [SIP_VIA_SENT_BY] = "Via header: host or port is malformed",
    [SIP_VIA_PARAMS] = "Via header: a parameter is malformed or there twice",
};

/* ---- index ---- */

/* quoted-pair is the only place in a header section for a NUL byte (section 25.1); intmeth of RFC
 * 4475 has one. Everywhere else some software would see the end of a string. */
static bool nul_bytes_are_quoted(struct slice line)
{
    bool quoted = false;

    for (size_t i = 0; i < line.len; i++) {
        if (line.p[i] == '\0')
            return false;
        if (line.p[i] == '"')
            quoted = !quoted;
        else if (line.p[i] == '\\' && quoted)
            i++;
    }
    return true;
}

static void header_add(struct parse *parse, struct slice line, bool has_nul)
{
    struct sip_msg *msg = parse->msg;
    struct sip_header *header = &msg->headers[msg->header_count];

    if (has_nul && !nul_bytes_are_quoted(line)) {
        parse_fail(parse, 400, "a header line has a NUL byte outside of a quoted pair");
        return;
    }
    if (sip_header_decode(line, header) != 0) {
        parse_fail(parse, 400, "a header line is not 'Name: value'");
        return;
    }
    msg->header_count++;
    if (parse->first[header->id] == NULL)
        parse->first[header->id] = header;
    else if (presence[header->id].twice != NULL)
        parse_fail(parse, 400, presence[header->id].twice);
}

/* Indexes the header lines from `p` on; returns the empty line, or `end` where there is none. */
static const char *headers_index(struct parse *parse, const char *p, const char *end)
{
    bool has_nul = memchr(p, '\0', (size_t)(end - p)) != NULL;

    while (!sip_at_empty_line(p, end)) {
        bool clean = true;
        const char *next = sip_line_end(p, end, &clean);
        if (next == NULL) {
            if (end - parse->msg->bytes.p <= SIP_MAX_HEADER)
                parse_fail(parse, 400, "the header section does not end with an empty line");
            return end;
        }
        if (parse->msg->header_count == parse->header_max) {
            parse_fail(parse, 513, "more than 256 header lines");
            return end;
        }
        /* A line that others may split elsewhere is not even copied into an answer. */
        if (clean)
            header_add(parse, slice_between(p, next), has_nul);
        else
            parse_fail(parse, 400, "a header line has a CR or LF alone; lines end in CR LF");
        p = next;
    }
    return p;
}

/* ---- headers that routing needs ---- */

static struct slice value_of(const struct parse *parse, enum sip_header_id id)
{
    return parse->first[id]->value;
}

static void via_decode(struct parse *parse)
{
    struct slice value = value_of(parse, SIP_H_VIA);
    struct sip_via via;
    const char *next;

    enum sip_via_fault fault = sip_via_scan(value.p, slice_end(value), &via, &next);
    if (fault != SIP_VIA_OK)
        parse_fail(parse, 400, via_reasons[fault]);
    else if (!sip_list_rest(next, slice_end(value), &value))
        parse_fail(parse, 400, "Via header: it ends in a comma");
    else
        parse->msg->via = via;
}

static void nameaddr_decode(struct parse *parse, enum sip_header_id id,
                            struct sip_nameaddr *nameaddr, struct slice *tag)
{
    const char *const *reasons = id == SIP_H_FROM ? from_reasons : to_reasons;
    struct slice value = value_of(parse, id);
    struct sip_nameaddr decoded;
    struct slice found_tag;
    const char *next;

    enum sip_nameaddr_fault fault =
        sip_nameaddr_scan(value.p, slice_end(value), &decoded, &found_tag, &next);
    if (fault == SIP_NAMEADDR_OK && next != slice_end(value))
        fault = SIP_NAMEADDR_PARAMS;
    if (fault != SIP_NAMEADDR_OK) {
        parse_fail(parse, 400, reasons[fault]);
        return;
    }
    *nameaddr = decoded;
    *tag = found_tag;
}

static void call_id_decode(struct parse *parse)
{
    struct slice value = value_of(parse, SIP_H_CALL_ID);

    if (value.len == 0 || sip_span(value.p, slice_end(value), SIP_C_WORD) != slice_end(value))
        parse_fail(parse, 400,
                   "Call-ID header: it is empty or has a character that is not allowed");
    else
        parse->msg->call_id = value;
}

/* CSeq = 1*DIGIT LWS Method */
static void cseq_decode(struct parse *parse)
{
    struct sip_msg *msg = parse->msg;
    struct slice value = value_of(parse, SIP_H_CSEQ);
    const char *end = slice_end(value);
    const char *digits_end = value.p;

    while (digits_end < end && char_is_digit(*digits_end))
        digits_end++;
    const char *method = sip_skip_lws(digits_end, end);
    if (digits_end == value.p || method == digits_end || method == end ||
        sip_span(method, end, SIP_C_TOKEN) != end) {
        parse_fail(parse, 400, "CSeq header: it is not a number and a method");
        return;
    }
    uint64_t number;
    if (slice_to_u64(slice_between(value.p, digits_end), UINT32_MAX, &number) != 0) {
        parse_fail(parse, 400, "CSeq number is over 2**32-1");
        return;
    }
    msg->cseq = (uint32_t)number;
    msg->cseq_method_text = slice_between(method, end);
    msg->cseq_method = sip_method_of(msg->cseq_method_text);
    if (msg->is_request && !slice_eq(msg->cseq_method_text, msg->method_text))
        parse_fail(parse, 400, "CSeq method is not the method of the request");
}

static void max_forwards_decode(struct parse *parse)
{
    uint64_t number;
    if (slice_to_u64(value_of(parse, SIP_H_MAX_FORWARDS), 255, &number) != 0) {
        parse_fail(parse, 400, "Max-Forwards header: it is not a number from 0 to 255");
        return;
    }
    parse->msg->has_max_forwards = true;
    parse->msg->max_forwards = (unsigned)number;
}

/* A datagram has no more. On a stream the framer would have waited, had it the room. */
static void body_missing(struct parse *parse, const char *reason)
{
    if (parse->stream)
        parse_fail(parse, 513, "the message is longer than 65535 bytes");
    else
        parse_fail(parse, 400, reason);
}

static void content_length_decode(struct parse *parse)
{
    struct sip_msg *msg = parse->msg;
    int status =
        sip_content_length_decode(value_of(parse, SIP_H_CONTENT_LENGTH), &msg->content_length);
    if (status == 0)
        msg->has_content_length = true;
    else if (status == -ERANGE)
        body_missing(parse, "Content-Length is larger than any message");
    else
        parse_fail(parse, 400, "Content-Length header: it is not a number");
}

static void required_headers_decode(struct parse *parse)
{
    struct sip_msg *msg = parse->msg;

    for (int id = 0; id < SIP_H_COUNT; id++)
        if (parse->first[id] == NULL && presence[id].missing != NULL)
            parse_fail(parse, 400, presence[id].missing);
    if (parse->first[SIP_H_VIA] != NULL)
        via_decode(parse);
    if (parse->first[SIP_H_FROM] != NULL)
        nameaddr_decode(parse, SIP_H_FROM, &msg->from, &msg->from_tag);
    if (parse->first[SIP_H_TO] != NULL)
        nameaddr_decode(parse, SIP_H_TO, &msg->to, &msg->to_tag);
    if (parse->first[SIP_H_CALL_ID] != NULL)
        call_id_decode(parse);
    if (parse->first[SIP_H_CSEQ] != NULL)
        cseq_decode(parse);
    if (parse->first[SIP_H_MAX_FORWARDS] != NULL)
        max_forwards_decode(parse);
    if (parse->first[SIP_H_CONTENT_LENGTH] != NULL)
        content_length_decode(parse);
}

/* ---- body ---- */

static void body_find(struct parse *parse, struct slice rest)
{
    struct sip_msg *msg = parse->msg;

    if (msg->has_content_length) {
        if (msg->content_length > rest.len)
            body_missing(parse, "Content-Length is larger than the body");
        else
            rest.len = msg->content_length;
    } else if (parse->stream) {
        parse_fail(parse, 400, "Content-Length header is missing, which a stream needs");
    }
    msg->body = rest;
    msg->bytes.len = (size_t)(slice_end(rest) - msg->bytes.p);
}

static void parse_sections(struct parse *parse, const char *end)
{
    struct sip_msg *msg = parse->msg;
    const char *p = msg->bytes.p;
    const char *newline = memchr(p, '\n', msg->bytes.len);

    if (newline == NULL || newline == p || newline[-1] != '\r' ||
        memchr(p, '\r', (size_t)(newline - 1 - p)) != NULL) {
        parse_fail(parse, 0, "the first line does not end in CR LF");
        return;
    }
    msg->start_line = slice_between(p, newline + 1);
    struct sip_fault fault = sip_start_line_decode(slice_between(p, newline - 1), msg);
    if (fault.reason != NULL)
        parse_fail(parse, fault.status, fault.reason);

    msg->headers_end = headers_index(parse, newline + 1, end);
    required_headers_decode(parse);
    if (msg->headers_end - p > SIP_MAX_HEADER)
        parse_fail(parse, 513, "start line and headers are longer than 32768 bytes");
    body_find(parse, slice_between(msg->headers_end == end ? end : msg->headers_end + 2, end));
}

int sip_msg_parse(struct slice bytes, bool stream, struct sip_header *headers, size_t header_max,
                  struct sip_msg *msg, struct sip_fault *fault)
{
    struct parse parse = {.msg = msg, .stream = stream, .header_max = header_max};

    *msg = (struct sip_msg){.bytes = bytes, .headers = headers};
    if (bytes.len == 0)
        parse_fail(&parse, 0, "no message");
    else if (bytes.len > SIP_MAX_MESSAGE)
        parse_fail(&parse, 0, "the message is longer than 65535 bytes");
    else
        parse_sections(&parse, slice_end(bytes));
    if (!parse.failed)
        return 0;
    *fault = parse.fault;
    if (!msg->is_request)
        fault->status = fault->status == 513 ? 513 : 0;
    return STATUS_MALFORMED;
}

bool sip_msg_can_answer(const struct sip_msg *msg)
{
    return msg->is_request && msg->method != SIP_ACK;
}
