/* Messages that are too much: refused with 513 (RFC 3261 21.5.7), and others are served on. */
#include "tests/peering/proxy/stand.h"
#include "tests/peering/vectors/wire.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX    524288
#define ENDLESS_MAX 268435456 /* bytes after which a stream without end has no end */

#define START(method)                                                                              \
    method " sip:bob@two.example SIP/2.0\r\n"                                                      \
           "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKlimits;rport\r\nMax-Forwards: 70\r\n"         \
           "From: <sip:alice@one.example>;tag=f\r\nTo: <sip:bob@two.example>\r\n"                  \
           "Call-ID: limits\r\nCSeq: 1 " method "\r\nContent-Length: 0\r\n"

struct text {
    char p[TEXT_MAX];
    size_t len;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text->p + text->len, sizeof(text->p) - text->len, format, args);
    va_end(args);
    text->len += (size_t)len;
    assert_true(text->len < sizeof(text->p));
}

static void begin(struct text *text)
{
    text->len = 0;
    add(text, "%s", START("MESSAGE"));
}

static void begin_with_lines(struct text *text, unsigned lines, const char *line)
{
    begin(text);
    for (unsigned i = 0; i < lines; i++)
        add(text, "%s\r\n", line);
}

static struct slice bytes_of(const struct text *text)
{
    return slice_make(text->p, text->len);
}

/* ---- sockets ---- */

static struct wire caller(const struct stand *stand, bool stream)
{
    struct wire wire;
    bool opened = stream ? wire_connect(&wire, htonl(INADDR_LOOPBACK), &stand->edge_addr)
                         : wire_open_udp(&wire, htonl(INADDR_LOOPBACK), 0);
    assert_true(opened);
    wire.peer = stand->edge_addr;
    return wire;
}

/* The next message; fails where none comes, or the connection is closed first. */
static struct slice next_message(struct wire *wire)
{
    struct wire *const wires[] = {wire};
    uint64_t until_ms = wire_now_ms() + WAIT_MS;
    struct slice message;
    while (!wire_take(wire, &message))
        if (wire->closed || !wires_wait(wires, 1, until_ms))
            fail_msg("waited in vain for a message");
    return message;
}

static void expect_closed(struct wire *wire)
{
    struct wire *const wires[] = {wire};
    uint64_t until_ms = wire_now_ms() + WAIT_MS;
    while (!wire->closed)
        assert_true(wires_wait(wires, 1, until_ms));
}

static void assert_starts(struct slice message, const char *start)
{
    if (!slice_starts_with_nocase(message, slice_of(start)))
        fail_msg("expected %s, got %.*s", start, (int)(message.len < 200 ? message.len : 200),
                 message.p);
}

static void expect_served(struct stand *stand)
{
    struct call call = invite("sip:bob@two.example");
    char text[8192], sent[8192];
    call.method = "MESSAGE";
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE", sent);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

/* Where framing is lost, the answer is the last that the connection carries. */
static void expect_513(struct stand *stand, const struct text *text, bool stream, bool closes)
{
    struct wire wire = caller(stand, stream);
    wire_send(&wire, bytes_of(text)); /* the rest may meet a closed connection */
    assert_starts(next_message(&wire), "SIP/2.0 513 ");
    if (closes)
        expect_closed(&wire);
    wire_close(&wire);
    expect_served(stand);
}

/* ---- requests that are too much ---- */

static void a_giant_header_is_refused(void **state)
{
    struct stand *stand = *state;
    static struct text text;
    begin(&text);
    add(&text, "X: %040000d\r\n\r\n", 0);
    expect_513(stand, &text, false, false);
    expect_513(stand, &text, true, true);
}

static void a_giant_header_is_refused_before_its_end(void **state)
{
    struct stand *stand = *state;
    static struct text text;
    begin(&text);
    add(&text, "X: %040000d", 0);
    expect_513(stand, &text, false, false);
    expect_513(stand, &text, true, true);
}

static void ten_thousand_vias_are_refused(void **state)
{
    struct stand *stand = *state;
    static struct text text;
    begin_with_lines(&text, 10000, "v:SIP/2.0/UDP h;branch=z9hG4bKx");
    add(&text, "\r\n");
    expect_513(stand, &text, true, true);
    begin(&text);
    add(&text, "Via: SIP/2.0/UDP h");
    for (int i = 0; i < 10000; i++)
        add(&text, ",SIP/2.0/UDP h;branch=z9hG4bK%d", i);
    add(&text, "\r\n\r\n");
    expect_513(stand, &text, true, true);
}

static void a_header_bomb_is_refused(void **state)
{
    struct stand *stand = *state;
    static struct text text;
    begin_with_lines(&text, 5000, "x:");
    add(&text, "\r\n");
    expect_513(stand, &text, false, false);
    expect_513(stand, &text, true, false);
}

/* With our Via and Record-Route it would be more than the next of our kind takes. */
static void what_cannot_grow_is_refused(void **state)
{
    struct stand *stand = *state;
    static struct text text;
    begin(&text);
    add(&text, "X: %032000d\r\n\r\n", 0);
    expect_513(stand, &text, false, false);
    expect_513(stand, &text, true, false);
    begin_with_lines(&text, 245, "X: y");
    add(&text, "\r\n");
    expect_513(stand, &text, false, false);
}

static void a_message_that_is_too_long_is_refused_before_its_body(void **state)
{
    struct stand *stand = *state;
    static struct text text;
    begin(&text);
    text.len -= strlen("Content-Length: 0\r\n");
    add(&text, "Content-Length: 65500\r\n\r\n");
    expect_513(stand, &text, true, true);
}

/* ---- a stream that never ends ---- */

static void expect_end_of(struct stand *stand, const char *start)
{
    static struct text text;
    struct wire wire = caller(stand, true);
    size_t sent = 0;
    memset(text.p, 'x', TEXT_MAX);
    text.len = TEXT_MAX;
    assert_true(wire_send(&wire, slice_of(start)));
    while (wire_send(&wire, bytes_of(&text)))
        assert_true((sent += text.len) < ENDLESS_MAX);
    wire_close(&wire);
    expect_served(stand);
}

static void a_stream_without_end_is_closed(void **state)
{
    struct stand *stand = *state;
    expect_end_of(stand, "");
    expect_end_of(stand, START("MESSAGE"));
    expect_end_of(stand, START("MESSAGE") "X: y\r\n z");
}

/* ---- much, but not too much ---- */

static unsigned vias_of(struct slice bytes)
{
    static struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_msg msg;
    struct sip_fault fault;
    struct sip_via via;
    unsigned count = 0;
    assert_int_equal(sip_msg_parse(bytes, true, headers, SIP_MAX_HEADERS, &msg, &fault), 0);
    for (const struct sip_header *h = sip_msg_header(&msg, SIP_H_VIA, NULL); h;
         h = sip_msg_header(&msg, SIP_H_VIA, h)) {
        struct slice list = h->value;
        while (sip_via_next(&list, &via) == 0)
            count++;
    }
    return count;
}

static void answer_200(struct wire *core, struct slice request)
{
    static struct sip_header headers[SIP_MAX_HEADERS];
    struct arena_pool *pool = arena_pool_alloc(65536, 0);
    struct arena *arena = arena_alloc(pool, 0);
    struct sip_msg msg;
    struct sip_fault fault;
    const struct sip_reply reply = {.status = 200, .to_tag = SLICE("t")};
    assert_int_equal(sip_msg_parse(request, true, headers, SIP_MAX_HEADERS, &msg, &fault), 0);
    assert_true(wire_send(core, sip_reply_build(arena, &msg, &reply)));
    arena_free(arena);
    arena_pool_free(pool);
}

static void six_hundred_vias_come_back(void **state)
{
    struct stand *stand = *state;
    static struct text text;
    struct wire wire = caller(stand, false);
    struct wire core = {.fd = dup(stand->b1.fd), .in = malloc(WIRE_ROOM)};
    begin(&text);
    add(&text, "Via: SIP/2.0/UDP h");
    for (int i = 1; i < 599; i++)
        add(&text, ",SIP/2.0/UDP h;branch=z9hG4bK%d", i);
    add(&text, "\r\n\r\n");
    assert_true(wire_send(&wire, bytes_of(&text)));
    struct slice forwarded = next_message(&core);
    assert_int_equal(vias_of(forwarded), 601);
    answer_200(&core, forwarded);
    struct slice answered = next_message(&wire);
    assert_starts(answered, "SIP/2.0 200 ");
    assert_int_equal(vias_of(answered), 600);
    wire_close(&core);
    wire_close(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_giant_header_is_refused),
        STAND_TEST(a_giant_header_is_refused_before_its_end),
        STAND_TEST(ten_thousand_vias_are_refused),
        STAND_TEST(a_header_bomb_is_refused),
        STAND_TEST(what_cannot_grow_is_refused),
        STAND_TEST(a_message_that_is_too_long_is_refused_before_its_body),
        STAND_TEST(a_stream_without_end_is_closed),
        STAND_TEST(six_hundred_vias_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
