#include "peering/sip/internal.h"

#include <errno.h>

/* Set in the caller's memory once the length of the message is known; the rest is then the number
 * of bytes to wait for. Without it, the number of bytes in which no end of the headers was found.
 */
#define LENGTH_KNOWN ((size_t)1 << (sizeof(size_t) * 8 - 1))

static struct sip_frame frame_of(enum sip_frame_kind kind, size_t skip, size_t len)
{
    return (struct sip_frame){.kind = kind, .skip = skip, .len = len};
}

static struct sip_frame frame_bad(size_t skip, size_t len, unsigned status, const char *reason)
{
    return (struct sip_frame){SIP_FRAME_BAD, skip, len, 0, {status, reason}};
}

/* CR LF before a start line is ignored (section 7.5): an answer to our ping. */
static size_t leading_crlf(struct slice bytes)
{
    return sip_at_empty_line(bytes.p, slice_end(bytes)) ? 2 : 0;
}

/* Finds the empty line that ends the header section; the same line ends count here as in
 * sip_msg_parse. Returns the byte after it; NULL where it has not come; *lone_lf tells of a line
 * end that is not CR LF. */
static const char *headers_end_find(const char *begin, const char *from, const char *end,
                                    bool *lone_lf)
{
    const char *newline;

    for (const char *p = from; p < end; p = newline + 1) {
        newline = memchr(p, '\n', (size_t)(end - p));
        if (newline == NULL)
            return NULL;
        if (newline == begin || newline[-1] != '\r') {
            *lone_lf = true;
            return NULL;
        }
        if (newline - begin >= 3 && newline[-2] == '\n')
            return newline + 1;
    }
    return NULL;
}

static const char *next_line(const char *p, const char *end)
{
    return (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
}

/* Reads Content-Length out of a complete header section. Returns NULL or what is wrong with it. A
 * continuation line starts with white space, so it is no header here either. */
static const char *content_length_find(const char *p, const char *end, size_t *len, bool *too_long)
{
    bool found = false;
    bool clean = true;

    for (p = next_line(p, end); !sip_at_empty_line(p, end); p = next_line(p, end)) {
        struct sip_header header;
        char first = (char)(*p | 0x20);
        if ((first != 'c' && first != 'l') ||
            sip_header_decode(slice_between(p, sip_line_end(p, end, &clean)), &header) != 0 ||
            header.id != SIP_H_CONTENT_LENGTH)
            continue;
        if (found)
            return "more than one Content-Length header";
        found = true;
        uint64_t length = 0;
        int status = slice_to_u64(header.value, SIP_MAX_SKIPPED, &length);
        *len = (size_t)length;
        *too_long = status == -ERANGE;
        if (status != 0)
            return *too_long ? "the message is longer than 65535 bytes"
                             : "Content-Length header: it is not a number";
    }
    return found ? NULL : "Content-Length header is missing, which a stream needs";
}

/* Nobody else's answers on the connection are to be lost with one. */
static struct sip_frame frame_too_long(struct slice bytes, size_t skip, size_t head, size_t body)
{
    static const char version[] = "SIP/2.0 ";
    struct sip_frame frame = frame_bad(skip, head, 513, "the message is longer than 65535 bytes");

    if (head < sizeof(version) || memcmp(bytes.p + skip, version, sizeof(version) - 1) != 0)
        return frame;
    frame.kind = SIP_FRAME_TOO_LONG;
    frame.rest = body;
    return frame;
}

/* The header section, `skip` to `skip + head`, is complete. */
static struct sip_frame frame_with_headers(struct slice bytes, size_t skip, size_t head,
                                           size_t *scanned)
{
    size_t body = 0;
    bool too_long = false;

    if (head > SIP_MAX_HEADER)
        return frame_bad(skip, head, 513, "start line and headers are longer than 32768 bytes");
    const char *reason =
        content_length_find(bytes.p + skip, bytes.p + skip + head, &body, &too_long);
    if (reason != NULL)
        return frame_bad(skip, head, too_long ? 513 : 400, reason);
    if (head + body > SIP_MAX_MESSAGE)
        return frame_too_long(bytes, skip, head, body);
    if (bytes.len < skip + head + body) {
        *scanned = LENGTH_KNOWN | (skip + head + body);
        return frame_of(SIP_FRAME_INCOMPLETE, skip, 0);
    }
    return frame_of(SIP_FRAME_MESSAGE, skip, head + body);
}

struct sip_frame sip_frame(struct slice bytes, size_t *scanned)
{
    if (bytes.len >= 4 && memcmp(bytes.p, "\r\n\r\n", 4) == 0)
        return frame_of(SIP_FRAME_PING, 4, 0);

    size_t skip = leading_crlf(bytes);
    if (*scanned & LENGTH_KNOWN) {
        size_t needed = *scanned & ~LENGTH_KNOWN;
        if (bytes.len < needed)
            return frame_of(SIP_FRAME_INCOMPLETE, skip, 0);
        return frame_of(SIP_FRAME_MESSAGE, skip, needed - skip);
    }

    const char *begin = bytes.p + skip;
    const char *from = *scanned > skip ? bytes.p + *scanned : begin;
    bool lone_lf = false;
    const char *head_end = headers_end_find(begin, from, slice_end(bytes), &lone_lf);
    if (lone_lf)
        return frame_bad(skip, 0, 400, "a line does not end in CR LF");
    if (head_end != NULL)
        return frame_with_headers(bytes, skip, (size_t)(head_end - begin), scanned);
    if (bytes.len - skip > SIP_MAX_HEADER)
        return frame_bad(skip, SIP_MAX_HEADER + 1, 513,
                         "start line and headers are longer than 32768 bytes");
    *scanned = bytes.len;
    return frame_of(SIP_FRAME_INCOMPLETE, skip, 0);
}
