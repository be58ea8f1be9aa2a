#include "base/status.h"
#include "tests/peering/sip/sip_test.h"

#include <stdlib.h>

#define LINES                                                                                      \
    "Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds\r\n"                                \
    "Max-Forwards: 70\r\n"                                                                         \
    "To: Bob <sip:bob@biloxi.com>\r\n"                                                             \
    "From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"                                       \
    "Call-ID: a84b4c76e66710\r\n"                                                                  \
    "CSeq: 314159 INVITE\r\n"
#define INVITE "INVITE sip:bob@biloxi.com SIP/2.0\r\n" LINES

static void a_request_is_decoded(void **state)
{
    (void)state;
    static const char text[] = INVITE "Contact: <sip:alice@pc33.atlanta.com>\r\n"
                                      "Content-Type: application/sdp\r\n"
                                      "Content-Length: 4\r\n\r\nbodytrailing";
    struct parsed parsed;
    const struct sip_msg *msg = &parsed.msg;

    parse_good(&parsed, text);
    assert_true(msg->is_request);
    assert_int_equal(msg->method, SIP_INVITE);
    assert_slice(msg->method_text, "INVITE");
    assert_slice(msg->uri_text, "sip:bob@biloxi.com");
    assert_slice(msg->uri.user, "bob");
    assert_slice(msg->start_line, "INVITE sip:bob@biloxi.com SIP/2.0\r\n");
    assert_int_equal(msg->header_count, 9);
    assert_slice(msg->via.host, "pc33.atlanta.com");
    assert_slice(msg->from.display, "Alice");
    assert_slice(msg->from_tag, "1928301774");
    assert_slice(msg->to.uri.host, "biloxi.com");
    assert_slice(msg->to_tag, "");
    assert_slice(msg->call_id, "a84b4c76e66710");
    assert_int_equal(msg->cseq, 314159);
    assert_int_equal(msg->cseq_method, SIP_INVITE);
    assert_true(msg->has_max_forwards);
    assert_int_equal(msg->max_forwards, 70);
    assert_true(msg->has_content_length);
    assert_int_equal(msg->content_length, 4);
    assert_slice(msg->body, "body");
    assert_memory_equal(msg->headers_end, "\r\n\r\nbody" + 2, 2);
    /* Octets after the body belong to nothing (section 18.3). */
    assert_int_equal(msg->bytes.len, strlen(text) - strlen("trailing"));
}

static void a_response_is_decoded(void **state)
{
    (void)state;
    struct parsed parsed;

    parse_good(&parsed, "SIP/2.0 486 Busy Here\r\n" LINES "\r\n");
    assert_false(parsed.msg.is_request);
    assert_int_equal(parsed.msg.status, 486);
    assert_slice(parsed.msg.reason, "Busy Here");
    assert_int_equal(parsed.msg.cseq_method, SIP_INVITE);
    assert_false(sip_msg_can_answer(&parsed.msg));

    parse_good(&parsed, "sip/2.0 100 \r\n" LINES "\r\n");
    assert_int_equal(parsed.msg.status, 100);
    assert_slice(parsed.msg.reason, "");
    parse_good(&parsed, "SIP/2.0 699\r\n" LINES "\r\n");
    assert_int_equal(parsed.msg.status, 699);
    assert_slice(parsed.msg.reason, "");
}

static void compact_forms_and_folding_change_nothing(void **state)
{
    (void)state;
    struct parsed parsed;
    const struct sip_msg *msg = &parsed.msg;

    parse_good(&parsed, "BYE sip:a@b SIP/2.0\r\n"
                        "v :\r\n SIP/2.0/UDP\r\n\th;branch=z9hG4bKx\r\n , SIP/2.0/TCP g\r\n"
                        "F\t:sip:a@b\r\n ;tag=1\r\n"
                        "T:\r\n <sip:a@b>;tag\r\n = 2\r\n"
                        "i:c@d\r\n"
                        "cSEQ: 0009\r\n  BYE\r\n"
                        "max-FORWARDS:\t0068 \r\n"
                        "M: <sip:m>\r\n"
                        "c: text/plain\r\n"
                        "S: subject\r\n"
                        "k: timer\r\n"
                        "L:1\r\n"
                        "\r\n"
                        "x");
    assert_slice(msg->via.host, "h");
    assert_slice(msg->via.bytes, "SIP/2.0/UDP\r\n\th;branch=z9hG4bKx");
    assert_slice(msg->from_tag, "1");
    assert_slice(msg->to_tag, "2");
    assert_slice(msg->call_id, "c@d");
    assert_int_equal(msg->cseq, 9);
    assert_int_equal(msg->cseq_method, SIP_BYE);
    assert_int_equal(msg->max_forwards, 68);
    assert_int_equal(msg->content_length, 1);
    assert_slice(sip_msg_header(msg, SIP_H_CONTACT, NULL)->value, "<sip:m>");
    assert_slice(sip_msg_header(msg, SIP_H_CONTENT_TYPE, NULL)->value, "text/plain");
    assert_slice(sip_msg_header(msg, SIP_H_TO, NULL)->line, "T:\r\n <sip:a@b>;tag\r\n = 2\r\n");
    assert_slice(sip_msg_header_named(msg, "subject")->value, "subject");
    assert_slice(sip_msg_header_named(msg, "Supported")->value, "timer");
    assert_null(sip_msg_header_named(msg, "Event"));
}

static void headers_are_known_by_name_and_come_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum sip_header_id id;
    } table[] = {
        {"Route", SIP_H_ROUTE},
        {"record-route", SIP_H_RECORD_ROUTE},
        {"PROXY-REQUIRE", SIP_H_PROXY_REQUIRE},
        {"Require", SIP_H_REQUIRE},
        {"P-Asserted-Identity", SIP_H_P_ASSERTED_IDENTITY},
        {"P-Preferred-Identity", SIP_H_P_PREFERRED_IDENTITY},
        {"Remote-Party-ID", SIP_H_REMOTE_PARTY_ID},
        {"Privacy", SIP_H_PRIVACY},
        {"Retry-After", SIP_H_RETRY_AFTER},
        {"Contact", SIP_H_CONTACT},
        {"Content-Type", SIP_H_CONTENT_TYPE},
        {"Routes", SIP_H_OTHER},
        {"Rout", SIP_H_OTHER},
        {"C%6Fntact", SIP_H_OTHER},
        {"X", SIP_H_OTHER},
        {"Contract", SIP_H_OTHER},
        {"Requite", SIP_H_OTHER},
        {"P_Asserted_Identity", SIP_H_OTHER},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[512];
        struct parsed parsed;
        (void)snprintf(text, sizeof(text), INVITE "%s: 1\r\n%s : 2\r\n\r\n", table[i].name,
                       table[i].name);
        parse_good(&parsed, text);
        const struct sip_header *header = sip_msg_header(&parsed.msg, table[i].id, NULL);
        assert_row(header != NULL, table[i].name);
        assert_slice(header->value, "1");
        header = sip_msg_header(&parsed.msg, table[i].id, header);
        assert_row(header != NULL, table[i].name);
        assert_slice(header->value, "2");
        assert_null(sip_msg_header(&parsed.msg, table[i].id, header));
        assert_slice(sip_msg_header_named(&parsed.msg, table[i].name)->value, "1");
    }
}

static void faults_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *start, *lines;
        unsigned status;
        const char *reason;
        bool can_answer;
    } table[] = {
        {"INVITE  sip:a SIP/2.0", LINES, 400, "request line: more than one space after the method",
         true},
        {"INVITE sip:a  SIP/2.0", LINES, 400,
         "request line: white space in or after the Request-URI", true},
        {"INVITE sip:a SIP/2.0 ", LINES, 400,
         "request line: white space in or after the Request-URI", true},
        {"INVITE sip:a; lr SIP/2.0", LINES, 400,
         "request line: white space in or after the Request-URI", true},
        {"INVITE sip:a", LINES, 400, "request line: the SIP version is missing", true},
        {"INVITE sip:a HTTP/1.1", LINES, 400, "request line: the SIP version is missing", true},
        {"INVITE sip:a SIP/2.", LINES, 400, "request line: the SIP version is missing", true},
        {"INVITE sip:a SIP/2.0x", LINES, 400, "request line: the SIP version is missing", true},
        {"INVITE sip:a SIP/7.0", LINES, 505, "the SIP version is not 2.0", true},
        {"INVITE sip:2001::1 SIP/7.0", LINES, 505, "the SIP version is not 2.0", true},
        {"INVITE <sip:a> SIP/2.0", LINES, 400, "Request-URI is in angle brackets", true},
        {"INVITE sip:a@b?Route=c SIP/2.0", LINES, 400,
         "Request-URI carries header fields after '?'", true},
        {"INVITE bob SIP/2.0", LINES, 400, "Request-URI is not a URI", true},
        {"INVITE sip:a@b:0 SIP/2.0", LINES, 400,
         "Request-URI: the port is not a number from 1 to 65535", true},
        {"INVITE sip:a SIP/2.0", LINES "To: sip:x@y\r\n", 400, "more than one To header", true},
        {"INVITE sip:a SIP/2.0", LINES "f: sip:x@y\r\n", 400, "more than one From header", true},
        {"INVITE sip:a SIP/2.0", LINES "I: x\r\n", 400, "more than one Call-ID header", true},
        {"INVITE sip:a SIP/2.0", LINES "cseq: 314159 INVITE\r\n", 400, "more than one CSeq header",
         true},
        {"INVITE sip:a SIP/2.0", LINES "max-forwards: 70\r\n", 400,
         "more than one Max-Forwards header", true},
        {"INVITE sip:a SIP/2.0", LINES "l: 0\r\nContent-Length: 0\r\n", 400,
         "more than one Content-Length header", true},
        {"INVITE sip:a SIP/2.0", LINES "l: 1\r\n", 400, "Content-Length is larger than the body",
         true},
        {"INVITE sip:a SIP/2.0", LINES "l: 99999999999999999999\r\n", 400,
         "Content-Length is larger than any message", true},
        {"INVITE sip:a SIP/2.0", LINES "l: -1\r\n", 400,
         "Content-Length header: it is not a number", true},
        {"INVITE sip:a SIP/2.0", LINES "no colon\r\n", 400, "a header line is not 'Name: value'",
         true},
        {"INVITE sip:a SIP/2.0", LINES ": no name\r\n", 400, "a header line is not 'Name: value'",
         true},
        {"INVITE sip:a SIP/2.0", " folded\r\n" LINES, 400, "a header line is not 'Name: value'",
         true},
        {"INVITE sip:a SIP/2.0", LINES "X: a\nP-Asserted-Identity: <sip:x@y>\r\n", 400,
         "a header line has a CR or LF alone; lines end in CR LF", true},
        {"INVITE sip:a SIP/2.0", LINES "X: a\rb\r\n", 400,
         "a header line has a CR or LF alone; lines end in CR LF", true},
        {"INVITE sip:a SIP/2.0", LINES "X: a\r\r\n", 400,
         "a header line has a CR or LF alone; lines end in CR LF", true},
        {"INVITE sip:a SIP/2.0", "X: y\r\n", 400, "Via header is missing", true},
        {"INVITE sip:a SIP/2.0", "v: SIP/2.0/UDP h\r\n", 400, "From header is missing", true},
        {"INVITE sip:a SIP/2.0", "v: SIP/2.0/UDP h\r\nf: sip:a@b\r\n", 400, "To header is missing",
         true},
        {"INVITE sip:a SIP/2.0", "v: SIP/2.0/UDP h\r\nf: sip:a@b\r\nt: sip:a@b\r\n", 400,
         "Call-ID header is missing", true},
        {"INVITE sip:a SIP/2.0", "v: SIP/2.0/UDP h\r\nf: sip:a@b\r\nt: sip:a@b\r\ni: x\r\n", 400,
         "CSeq header is missing", true},
        {"OPTIONS sip:a SIP/2.0", LINES, 400, "CSeq method is not the method of the request", true},
        {"invite sip:a SIP/2.0", LINES, 400, "CSeq method is not the method of the request", true},
        {"ACK sip:a SIP/2.0", LINES, 400, "CSeq method is not the method of the request", false},
        /* nobody to answer */
        {"SIP/7.0 200 OK", LINES, 0, "status line: the SIP version is not 2.0", false},
        {"SIP/2.0 99 x", LINES, 0, "status line: the code is not a number from 100 to 699", false},
        {"SIP/2.0 700 x", LINES, 0, "status line: the code is not a number from 100 to 699", false},
        {"SIP/2.0 4294967301 x", LINES, 0, "status line: the code is not a number from 100 to 699",
         false},
        {"SIP/2.0 2000", LINES, 0, "status line: the code is not a number from 100 to 699", false},
        {"SIP/2.0 20", LINES, 0, "status line: the code is not a number from 100 to 699", false},
        {"SIP/2.0 200 OK", LINES "l: 1\r\n", 0, "Content-Length is larger than the body", false},
        {"", LINES, 0, "neither a request line nor a status line", false},
        {"INVITE", LINES, 0, "neither a request line nor a status line", false},
        {"IN\"VITE sip:a SIP/2.0", LINES, 0, "neither a request line nor a status line", false},
        {" INVITE sip:a SIP/2.0", LINES, 0, "neither a request line nor a status line", false},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[1024];
        struct parsed parsed;
        (void)snprintf(text, sizeof(text), "%s\r\n%s\r\n", table[i].start, table[i].lines);
        parse(&parsed, slice_of(text), false);
        assert_row(parsed.status == STATUS_MALFORMED, text);
        assert_row(parsed.fault.reason != NULL, text);
        assert_string_equal(parsed.fault.reason, table[i].reason);
        assert_row(parsed.fault.status == table[i].status, text);
        assert_row(sip_msg_can_answer(&parsed.msg) == table[i].can_answer, text);
    }
}

static void faults_of_single_headers_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *reason;
    } table[] = {
        {"Via", "", "Via header: it does not start with SIP/2.0/transport"},
        {"Via", "SIP/2.0/UDP h:x", "Via header: host or port is malformed"},
        {"Via", "SIP/2.0/UDP h;;", "Via header: a parameter is malformed or there twice"},
        {"Via", "SIP/2.0/UDP h,", "Via header: it ends in a comma"},
        {"From", "\"a <sip:a@b>",
         "From header: a quoted string is not closed or has a control character"},
        {"From", "B, A <sip:a@b>", "From header: the display name needs quotes"},
        {"From", "<sip:a@b", "From header: '<' without '>'"},
        {"To", "<sip:a b>", "To header: the URI is malformed"},
        {"To", "<sip:a@b>;tag=", "To header: what follows the URI is malformed"},
        {"To", "<sip:a@b>;tag=1;Tag=2", "To header: what follows the URI is malformed"},
        {"To", "<sip:a@b>;tag=\"1\"", "To header: what follows the URI is malformed"},
        {"To", "<sip:a@b>, <sip:c@d>", "To header: what follows the URI is malformed"},
        {"To", "", "To header: the URI is malformed"},
        {"Call-ID", "", "Call-ID header: it is empty or has a character that is not allowed"},
        {"Call-ID", "a b", "Call-ID header: it is empty or has a character that is not allowed"},
        {"Call-ID", "\xc3\xa4",
         "Call-ID header: it is empty or has a character that is not allowed"},
        {"CSeq", "", "CSeq header: it is not a number and a method"},
        {"CSeq", "1", "CSeq header: it is not a number and a method"},
        {"CSeq", "INVITE", "CSeq header: it is not a number and a method"},
        {"CSeq", "1INVITE", "CSeq header: it is not a number and a method"},
        {"CSeq", "-1 INVITE", "CSeq header: it is not a number and a method"},
        {"CSeq", "1 INVITE x", "CSeq header: it is not a number and a method"},
        {"CSeq", "4294967296 INVITE", "CSeq number is over 2**32-1"},
        {"Max-Forwards", "256", "Max-Forwards header: it is not a number from 0 to 255"},
        {"Max-Forwards", "", "Max-Forwards header: it is not a number from 0 to 255"},
        {"Max-Forwards", "7 0", "Max-Forwards header: it is not a number from 0 to 255"},
        {"Max-Forwards", "+7", "Max-Forwards header: it is not a number from 0 to 255"},
    };
    static const char *const good[][2] = {
        {"Via", "SIP/2.0/UDP h;branch=z9hG4bKx"},
        {"From", "<sip:a@b>;tag=1"},
        {"To", "<sip:a@b>"},
        {"Call-ID", "c"},
        {"CSeq", "4294967295 INVITE"},
        {"Max-Forwards", "255"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[1024] = "INVITE sip:a@b SIP/2.0\r\n";
        struct parsed parsed;
        for (size_t k = 0; k < COUNT_OF(good); k++) {
            bool bad = strcmp(good[k][0], table[i].name) == 0;
            size_t len = strlen(text);
            (void)snprintf(text + len, sizeof(text) - len, "%s: %s\r\n", good[k][0],
                           bad ? table[i].value : good[k][1]);
        }
        memcpy(text + strlen(text), "\r\n", sizeof("\r\n"));
        parse(&parsed, slice_of(text), false);
        assert_row(parsed.status == STATUS_MALFORMED, text);
        assert_string_equal(parsed.fault.reason, table[i].reason);
        assert_int_equal(parsed.fault.status, 400);
        assert_true(sip_msg_can_answer(&parsed.msg));
    }
}

static void the_end_of_the_headers_must_come(void **state)
{
    (void)state;
    struct parsed parsed;

    parse(&parsed, SLICE(INVITE), false);
    assert_int_equal(parsed.status, STATUS_MALFORMED);
    assert_string_equal(parsed.fault.reason, "the header section does not end with an empty line");
    assert_true(sip_msg_can_answer(&parsed.msg));
    parse(&parsed, SLICE(INVITE "\r"), false);
    assert_int_equal(parsed.status, STATUS_MALFORMED);
    parse(&parsed, SLICE("INVITE sip:a SIP/2.0"), false);
    assert_int_equal(parsed.status, STATUS_MALFORMED);
    assert_int_equal(parsed.fault.status, 0);
    parse(&parsed, SLICE(""), false);
    assert_int_equal(parsed.status, STATUS_MALFORMED);
    assert_int_equal(parsed.fault.status, 0);
    /* A body that starts with a space is no continuation of the empty line. */
    parse(&parsed, SLICE(INVITE "\r\n x"), false);
    assert_int_equal(parsed.status, 0);
    assert_slice(parsed.msg.body, " x");
}

static void a_stream_needs_content_length_and_a_datagram_does_not(void **state)
{
    (void)state;
    struct parsed parsed;

    parse(&parsed, SLICE(INVITE "\r\nbody"), false);
    assert_int_equal(parsed.status, 0);
    assert_false(parsed.msg.has_content_length);
    assert_slice(parsed.msg.body, "body");
    parse(&parsed, SLICE(INVITE "\r\nbody"), true);
    assert_int_equal(parsed.status, STATUS_MALFORMED);
    assert_string_equal(parsed.fault.reason,
                        "Content-Length header is missing, which a stream needs");
}

static void a_nul_byte_is_allowed_in_a_quoted_pair_only(void **state)
{
    (void)state;
    static const struct {
        struct slice line;
        int status;
    } table[] = {
        {SLICE("X: \"a\\\0b\"\r\n"), 0},
        {SLICE("X: \"a\0b\"\r\n"), STATUS_MALFORMED},
        {SLICE("X: a\\\0b\r\n"), STATUS_MALFORMED},
        {SLICE("X: \"\" a\0b\r\n"), STATUS_MALFORMED},
        {SLICE("X: \"\\\\\0\"\r\n"), STATUS_MALFORMED},
        {SLICE("X\0: b\r\n"), STATUS_MALFORMED},
        {SLICE("\0\r\n"), STATUS_MALFORMED},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[1024];
        struct parsed parsed;
        size_t len = strlen(INVITE);
        memcpy(text, INVITE, len);
        memcpy(text + len, table[i].line.p, table[i].line.len);
        memcpy(text + len + table[i].line.len, "\r\n\0",
               3); /* NUL in the body is nobody's matter */
        parse(&parsed, slice_make(text, len + table[i].line.len + 3), false);
        assert_int_equal(parsed.status, table[i].status);
    }
    struct parsed parsed;
    parse(&parsed, SLICE("INVITE sip:a SIP/2.0\0\r\n" LINES "\r\n"), false);
    assert_int_equal(parsed.status, STATUS_MALFORMED);
}

static void more_headers_or_bytes_than_the_limit_are_refused(void **state)
{
    (void)state;
    char *text = malloc(SIP_MAX_MESSAGE + 1);
    struct parsed parsed;
    size_t len = strlen(INVITE);

    assert_non_null(text);
    memcpy(text, INVITE, len);
    for (int i = 6; i < SIP_MAX_HEADERS; i++, len += 6)
        memcpy(text + len, "x: y\r\n", 6);
    memcpy(text + len, "\r\n", 2);
    parse(&parsed, slice_make(text, len + 2), false);
    assert_int_equal(parsed.status, 0);
    assert_int_equal(parsed.msg.header_count, SIP_MAX_HEADERS);
    memcpy(text + len, "x: y\r\n\r\n", 8);
    parse(&parsed, slice_make(text, len + 8), false);
    assert_int_equal(parsed.status, STATUS_MALFORMED);
    assert_string_equal(parsed.fault.reason, "more than 256 header lines");
    assert_int_equal(parsed.fault.status, 513);
    assert_true(sip_msg_can_answer(&parsed.msg));

    memset(text, 'x', SIP_MAX_MESSAGE + 1);
    memcpy(text, INVITE "\r\n", strlen(INVITE "\r\n"));
    parse(&parsed, slice_make(text, SIP_MAX_MESSAGE), false);
    assert_int_equal(parsed.status, 0);
    parse(&parsed, slice_make(text, SIP_MAX_MESSAGE + 1), false);
    assert_int_equal(parsed.status, STATUS_MALFORMED);

    memcpy(text, INVITE "X: ", strlen(INVITE "X: "));
    memcpy(text + SIP_MAX_HEADER - 2, "\r\n\r\n", 4);
    parse(&parsed, slice_make(text, SIP_MAX_HEADER + 2), false);
    assert_int_equal(parsed.status, 0);
    memcpy(text + SIP_MAX_HEADER - 2, "xxx\r\n\r\n", 7);
    parse(&parsed, slice_make(text, SIP_MAX_HEADER + 5), false);
    assert_int_equal(parsed.status, STATUS_MALFORMED);
    assert_int_equal(parsed.fault.status, 513);
    free(text);
}

static void methods_are_case_sensitive(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sip_method method;
    } table[] = {
        {"INVITE", SIP_INVITE},
        {"ACK", SIP_ACK},
        {"BYE", SIP_BYE},
        {"CANCEL", SIP_CANCEL},
        {"OPTIONS", SIP_OPTIONS},
        {"REGISTER", SIP_REGISTER},
        {"MESSAGE", SIP_MESSAGE},
        {"invite", SIP_METHOD_OTHER},
        {"RE%47IST%45R", SIP_METHOD_OTHER},
        {"SUBSCRIBE", SIP_METHOD_OTHER},
        {"", SIP_METHOD_OTHER},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        assert_row(sip_method_of(slice_of(table[i].text)) == table[i].method, table[i].text);
}

/* Is `inner` empty or in the bytes of the copy? */
static void assert_inside(const struct sip_msg *copy, struct slice inner)
{
    assert_true(inner.p == NULL || slice_contains(copy->bytes, inner));
}

static void a_copy_lives_in_the_arena_alone(void **state)
{
    (void)state;
    static const char text[] =
        "INVITE sips:b:pw@h:5;p=1 SIP/2.0\r\n"
        "Via: SIP/2.0/UDP h:5;rport=6;received=1.2.3.4;branch=z9hG4bKx\r\n"
        "From: \"A\" <sip:a@b>;tag=1\r\nTo: sip:c@d;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
        "\r\nbody";
    struct arena_pool *pool = arena_pool_alloc(8192, 0);
    struct arena *arena = arena_alloc(pool, 0);
    char *received = malloc(sizeof(text) - 1);
    struct parsed parsed;

    assert_non_null(received);
    memcpy(received, text, sizeof(text) - 1);
    parse(&parsed, slice_make(received, sizeof(text) - 1), false);
    assert_int_equal(parsed.status, 0);
    struct sip_msg *copy = sip_msg_copy(arena, &parsed.msg);
    assert_non_null(copy);
    memset(received, 'z', sizeof(text) - 1);
    free(received);
    memset(&parsed, 0, sizeof(parsed));

    assert_slice(copy->bytes, text);
    assert_slice(copy->method_text, "INVITE");
    assert_slice(copy->uri_text, "sips:b:pw@h:5;p=1");
    assert_slice(copy->uri.bytes, "sips:b:pw@h:5;p=1");
    assert_slice(copy->uri.scheme_text, "sips");
    assert_slice(copy->uri.user, "b");
    assert_slice(copy->uri.password, "pw");
    assert_slice(copy->uri.host, "h");
    assert_slice(copy->uri.params, ";p=1");
    assert_slice(copy->via.transport_text, "UDP");
    assert_slice(copy->via.host, "h");
    assert_slice(copy->via.branch, "z9hG4bKx");
    assert_slice(copy->via.received, "1.2.3.4");
    assert_slice(copy->via.rport, "rport=6");
    assert_slice(copy->from.display, "\"A\"");
    assert_slice(copy->from.params, ";tag=1");
    assert_slice(copy->from_tag, "1");
    assert_slice(copy->to.uri.bytes, "sip:c@d");
    assert_slice(copy->to_tag, "2");
    assert_slice(copy->call_id, "x");
    assert_slice(copy->cseq_method_text, "INVITE");
    assert_slice(copy->body, "body");
    assert_memory_equal(copy->headers_end, "\r\nbody", 6);
    assert_slice(sip_msg_header(copy, SIP_H_CALL_ID, NULL)->line, "Call-ID: x\r\n");
    assert_inside(copy, copy->start_line);
    assert_inside(copy, copy->reason);
    assert_inside(copy, copy->via.bytes);
    assert_inside(copy, copy->via.params);
    assert_inside(copy, copy->from.bytes);
    assert_inside(copy, copy->uri.headers);
    arena_free(arena);
    arena_pool_free(pool);
}

static void a_copy_needs_room(void **state)
{
    (void)state;
    struct arena_pool *pool = arena_pool_alloc(512, 0);
    struct parsed parsed;

    parse_good(&parsed, INVITE "\r\n");
    for (size_t limit = 64; limit < 4096; limit += 64) {
        struct arena *arena = arena_alloc(pool, limit);
        struct sip_msg *copy = sip_msg_copy(arena, &parsed.msg);
        if (copy != NULL)
            assert_slice(copy->bytes, INVITE "\r\n");
        else
            assert_true(limit < 3072);
        arena_free(arena);
    }
    arena_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_decoded),
        cmocka_unit_test(a_response_is_decoded),
        cmocka_unit_test(compact_forms_and_folding_change_nothing),
        cmocka_unit_test(headers_are_known_by_name_and_come_in_order),
        cmocka_unit_test(faults_are_told),
        cmocka_unit_test(faults_of_single_headers_are_told),
        cmocka_unit_test(the_end_of_the_headers_must_come),
        cmocka_unit_test(a_stream_needs_content_length_and_a_datagram_does_not),
        cmocka_unit_test(a_nul_byte_is_allowed_in_a_quoted_pair_only),
        cmocka_unit_test(more_headers_or_bytes_than_the_limit_are_refused),
        cmocka_unit_test(methods_are_case_sensitive),
        cmocka_unit_test(a_copy_lives_in_the_arena_alone),
        cmocka_unit_test(a_copy_needs_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
