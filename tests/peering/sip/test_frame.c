#include "base/status.h"
#include "tests/peering/sip/sip_test.h"

#include <stdlib.h>

#define REGISTER                                                                                   \
    "REGISTER sip:example.com SIP/2.0\r\n"                                                         \
    "Via: SIP/2.0/TCP h;branch=z9hG4bKx\r\n"                                                       \
    "l : 0\r\n"                                                                                    \
    "\r\n"
#define MESSAGE                                                                                    \
    "MESSAGE sip:bob@example.com SIP/2.0\r\n"                                                      \
    "X: 1\r\n"                                                                                     \
    "  Content-Length: 3\r\n"                                                                      \
    "CONTENT-length:\r\n"                                                                          \
    " 0007\r\n"                                                                                    \
    "\r\n"                                                                                         \
    " \r\n\r\nab"

/* Feeds `bytes` one by one, as a connection does: what is complete is taken off the front. Writes
 * one letter per frame into `kinds`: M, P, B (and then stops). Returns what is left over. */
static struct slice feed(struct slice bytes, char *kinds)
{
    struct slice stream = slice_make(bytes.p, 0);
    size_t scanned = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        stream.len++;
        struct sip_frame frame = sip_frame(stream, &scanned);
        if (frame.kind == SIP_FRAME_INCOMPLETE)
            continue;
        *kinds++ = frame.kind == SIP_FRAME_MESSAGE ? 'M' : frame.kind == SIP_FRAME_PING ? 'P' : 'B';
        if (frame.kind == SIP_FRAME_BAD)
            break;
        stream = slice_skip(stream, frame.skip + frame.len);
        scanned = 0;
    }
    *kinds = '\0';
    return stream;
}

static struct sip_frame frame_once(const char *text)
{
    size_t scanned = 0;
    return sip_frame(slice_of(text), &scanned);
}

static void a_message_ends_where_content_length_says(void **state)
{
    (void)state;
    struct sip_frame frame = frame_once(MESSAGE "SIP/2.0 200 OK\r\n");
    assert_int_equal(frame.kind, SIP_FRAME_MESSAGE);
    assert_int_equal(frame.skip, 0);
    assert_int_equal(frame.len, strlen(MESSAGE));

    frame = frame_once("\r\n" REGISTER);
    assert_int_equal(frame.kind, SIP_FRAME_MESSAGE);
    assert_int_equal(frame.skip, 2);
    assert_int_equal(frame.len, strlen(REGISTER));
}

static void bytes_that_come_one_by_one_make_the_same_messages(void **state)
{
    (void)state;
    static const struct {
        struct slice bytes;
        const char *kinds;
        size_t left;
    } table[] = {
        {SLICE(""), "", 0},
        {SLICE(REGISTER MESSAGE REGISTER), "MMM", 0},
        {SLICE(REGISTER "\r\n" MESSAGE), "MM", 0}, /* dblreq of RFC 4475 section 3.1.1.8 */
        {SLICE("\r\n\r\n" REGISTER "\r\n\r\n" MESSAGE "\r\n\r\n"), "PMPMP", 0},
        {SLICE("\r\n\r\n\r\n" REGISTER "\r\n"), "PM", 2},
        {SLICE(REGISTER "INVITE x SIP/2.0\r\nl: 4\r\n\r\nabc"), "M", 29},
        {SLICE(REGISTER "a\n"), "MB", 2},
        {SLICE(REGISTER "INVITE x SIP/2.0\r\n\r\n"), "MB", 20},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char kinds[16];
        struct slice left = feed(table[i].bytes, kinds);
        assert_string_equal(kinds, table[i].kinds);
        assert_int_equal(left.len, table[i].left);
    }
}

static void all_prefixes_of_a_message_are_incomplete(void **state)
{
    (void)state;
    for (size_t len = 0; len < strlen("\r\n" MESSAGE); len++) {
        size_t scanned = 0;
        struct sip_frame frame = sip_frame(slice_make("\r\n" MESSAGE, len), &scanned);
        assert_int_equal(frame.kind, SIP_FRAME_INCOMPLETE);
    }
}

/* Who cannot be told where the message ends is told why: the parser refuses what there is of it. */
static void assert_answerable(const char *text, const struct sip_frame *frame)
{
    struct parsed parsed;
    parse(&parsed, slice_make(text + frame->skip, frame->len), true);
    assert_int_equal(parsed.status, STATUS_MALFORMED);
    assert_int_equal(parsed.fault.status, frame->fault.status);
    assert_string_equal(parsed.fault.reason, frame->fault.reason);
    assert_true(sip_msg_can_answer(&parsed.msg));
}

static void framing_is_lost_where_the_length_is_not_known(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        unsigned status;
        const char *reason;
    } table[] = {
        {"", 400, "Content-Length header is missing, which a stream needs"},
        {"Content-Lengthy: 0\r\nlx: 0\r\n", 400,
         "Content-Length header is missing, which a stream needs"},
        {"Content-Length: -999\r\n", 400, "Content-Length header: it is not a number"},
        {"Content-Length:\r\n", 400, "Content-Length header: it is not a number"},
        {"l: 1 2\r\n", 400, "Content-Length header: it is not a number"},
        {"l: 0x10\r\n", 400, "Content-Length header: it is not a number"},
        {"Content-Length: 13\r\nX: y\r\nl: 5\r\n", 400, "more than one Content-Length header"},
        {"l: 5\r\nl: 5\r\n", 400, "more than one Content-Length header"},
        {"l: 65536\r\n", 513, "the message is longer than 65535 bytes"},
        {"l: 65500\r\n", 513, "the message is longer than 65535 bytes"},
        {"l: 99999999999999999999999\r\n", 513, "the message is longer than 65535 bytes"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[256];
        int len = snprintf(text, sizeof(text),
                           "\r\nINVITE sip:a@b SIP/2.0\r\nv: SIP/2.0/TCP h\r\nf: sip:a@b\r\n"
                           "t: sip:a@b\r\ni: c\r\nCSeq: 1 INVITE\r\n%s\r\nbody",
                           table[i].headers);
        struct sip_frame frame = frame_once(text);
        assert_row(frame.kind == SIP_FRAME_BAD, table[i].headers);
        assert_row(frame.fault.status == table[i].status, table[i].headers);
        assert_string_equal(frame.fault.reason, table[i].reason);
        /* skip and len bound the header section */
        assert_int_equal(frame.skip, 2);
        assert_int_equal(frame.len, len - 2 - 4);
        assert_answerable(text, &frame);
    }
}

static void a_line_end_that_is_not_crlf_loses_framing(void **state)
{
    (void)state;
    static const char *const table[] = {
        "\n",
        "INVITE sip:a@b SIP/2.0\n",
        "INVITE sip:a@b SIP/2.0\r\nl: 0\n",
        "INVITE sip:a@b SIP/2.0\r\nl: 0\n\n",
        "INVITE sip:a@b SIP/2.0\r\nl: 0\r\n\n",
        "INVITE sip:a@b SIP/2.0\r\nX: a\n\r\nl: 0\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct sip_frame frame = frame_once(table[i]);
        assert_row(frame.kind == SIP_FRAME_BAD, table[i]);
        assert_int_equal(frame.fault.status, 400);
        assert_int_equal(frame.len, 0);
    }
}

#define MANDATORY "v: SIP/2.0/TCP h\r\nf: sip:a@b\r\nt: sip:a@b\r\ni: c\r\nCSeq: 1 A\r\nl: 0\r\n"

static void long_messages_are_refused_before_they_have_come(void **state)
{
    (void)state;
    size_t size = SIP_MAX_HEADER + 16;
    char *text = malloc(size);
    size_t scanned = 0;

    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "A b:c SIP/2.0\r\n" MANDATORY "X:", strlen("A b:c SIP/2.0\r\n" MANDATORY "X:"));
    assert_int_equal(sip_frame(slice_make(text, SIP_MAX_HEADER), &scanned).kind,
                     SIP_FRAME_INCOMPLETE);
    struct sip_frame frame = sip_frame(slice_make(text, SIP_MAX_HEADER + 1), &scanned);
    assert_int_equal(frame.kind, SIP_FRAME_BAD);
    assert_int_equal(frame.fault.status, 513);
    assert_answerable(text, &frame);

    memcpy(text + SIP_MAX_HEADER - 4, "\r\n\r\n", 4);
    scanned = 0;
    frame = sip_frame(slice_make(text, SIP_MAX_HEADER), &scanned);
    assert_int_equal(frame.kind, SIP_FRAME_MESSAGE);
    assert_int_equal(frame.len, SIP_MAX_HEADER);

    memcpy(text + SIP_MAX_HEADER - 4, "yyy\r\n\r\n", 7);
    scanned = 0;
    frame = sip_frame(slice_make(text, size), &scanned);
    assert_int_equal(frame.kind, SIP_FRAME_BAD);
    assert_int_equal(frame.fault.status, 513);
    assert_answerable(text, &frame);
    free(text);
}

static void of_a_response_that_is_too_long_the_end_is_known(void **state)
{
    static const struct {
        const char *text;
        enum sip_frame_kind kind;
        size_t rest;
    } table[] = {
        {"SIP/2.0 200 OK\r\nl: 65536\r\n\r\n", SIP_FRAME_TOO_LONG, 65536},
        {"SIP/2.0 200 OK\r\nl: 65510\r\n\r\n", SIP_FRAME_TOO_LONG, 65510},
        {"SIP/2.0 200 OK\r\nl: 1048576\r\n\r\n", SIP_FRAME_TOO_LONG, 1048576},
        {"SIP/2.0 200 OK\r\nl: 1048577\r\n\r\n", SIP_FRAME_BAD, 0},
        {"SIP/2.0X 200 OK\r\nl: 65536\r\n\r\n", SIP_FRAME_BAD, 0},
        {"A sip:b SIP/2.0\r\nl: 65536\r\n\r\n", SIP_FRAME_BAD, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        size_t scanned = 0;
        struct sip_frame frame = sip_frame(slice_of(table[i].text), &scanned);

        assert_row(frame.kind == table[i].kind, table[i].text);
        assert_row(frame.len == strlen(table[i].text) && frame.rest == table[i].rest,
                   table[i].text);
        assert_int_equal(frame.fault.status, 513);
    }
}

static void the_largest_message_passes(void **state)
{
    (void)state;
    char *text = malloc(SIP_MAX_MESSAGE);
    size_t scanned = 0;

    assert_non_null(text);
    memset(text, 'x', SIP_MAX_MESSAGE);
    memcpy(text, "A b SIP/2.0\r\nl:65513\r\n\r\n", 24);
    struct sip_frame frame = sip_frame(slice_make(text, SIP_MAX_MESSAGE), &scanned);
    assert_int_equal(frame.kind, SIP_FRAME_BAD);
    memcpy(text, "A b SIP/2.0\r\nl:65511\r\n\r\n", 24);
    assert_int_equal(sip_frame(slice_make(text, SIP_MAX_MESSAGE - 1), &scanned).kind,
                     SIP_FRAME_INCOMPLETE);
    frame = sip_frame(slice_make(text, SIP_MAX_MESSAGE), &scanned);
    assert_int_equal(frame.kind, SIP_FRAME_MESSAGE);
    assert_int_equal(frame.len, SIP_MAX_MESSAGE);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_ends_where_content_length_says),
        cmocka_unit_test(bytes_that_come_one_by_one_make_the_same_messages),
        cmocka_unit_test(all_prefixes_of_a_message_are_incomplete),
        cmocka_unit_test(framing_is_lost_where_the_length_is_not_known),
        cmocka_unit_test(a_line_end_that_is_not_crlf_loses_framing),
        cmocka_unit_test(long_messages_are_refused_before_they_have_come),
        cmocka_unit_test(of_a_response_that_is_too_long_the_end_is_known),
        cmocka_unit_test(the_largest_message_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
