#include "tests/peering/sip/sip_test.h"

#define LINES                                                                                      \
    "v: SIP/2.0/UDP h;rport;branch=z9hG4bKx,\r\n SIP/2.0/TCP g;branch=z9hG4bKy\r\n"                \
    "Via: SIP/2.0/TLS f;branch=z9hG4bKz\r\n"                                                       \
    "Record-Route: <sip:p;lr>\r\n"                                                                 \
    "Timestamp: 54\r\n"                                                                            \
    "From: Alice <sip:alice@atlanta.com>\r\n ;tag=1\r\n"                                           \
    "t : Bob <sip:bob@biloxi.com> \r\n"                                                            \
    "Call-ID: c\r\n"                                                                               \
    "Record-Route: <sip:q;lr>\r\n"                                                                 \
    "Route: <sip:r1;lr>\r\n"                                                                       \
    "Subject: x\r\n"                                                                               \
    "Route: <sip:r2;lr>,<sip:r3>\r\n"                                                              \
    "CSeq: 7 INVITE\r\n"                                                                           \
    "Contact: <sip:alice@h>\r\n"                                                                   \
    "Content-Length: 4\r\n"                                                                        \
    "\r\n"                                                                                         \
    "body"
#define INVITE "INVITE sip:bob@biloxi.com SIP/2.0\r\n" LINES

#define REPLY_VIA                                                                                  \
    "v: SIP/2.0/UDP h;rport;branch=z9hG4bKx,\r\n SIP/2.0/TCP g;branch=z9hG4bKy\r\n"                \
    "Via: SIP/2.0/TLS f;branch=z9hG4bKz\r\n"
#define REPLY_FROM "From: Alice <sip:alice@atlanta.com>\r\n ;tag=1\r\n"
#define REPLY_REST "Call-ID: c\r\nCSeq: 7 INVITE\r\n"

struct room {
    struct arena_pool *pool;
    struct arena *arena;
};

static int setup(void **state)
{
    static struct room room;
    room.pool = arena_pool_alloc(4096, 0);
    room.arena = arena_alloc(room.pool, 0);
    *state = &room;
    return room.arena == NULL;
}

static int teardown(void **state)
{
    struct room *room = *state;
    room->arena = arena_free(room->arena);
    room->pool = arena_pool_free(room->pool);
    return 0;
}

static void a_response_copies_what_identifies_the_request(void **state)
{
    struct room *room = *state;
    struct parsed parsed;
    parse_good(&parsed, INVITE);

    struct sip_reply reply = {.status = 404, .to_tag = SLICE("t2")};
    assert_slice(sip_reply_build(room->arena, &parsed.msg, &reply),
                 "SIP/2.0 404 Not Found\r\n" REPLY_VIA REPLY_FROM
                 "t : Bob <sip:bob@biloxi.com>;tag=t2 \r\n" REPLY_REST "Content-Length: 0\r\n\r\n");

    reply = (struct sip_reply){.status = 100, .to_tag = SLICE("t2")};
    assert_slice(sip_reply_build(room->arena, &parsed.msg, &reply),
                 "SIP/2.0 100 Trying\r\n" REPLY_VIA REPLY_FROM
                 "t : Bob <sip:bob@biloxi.com> \r\n" REPLY_REST "Timestamp: 54\r\n"
                 "Content-Length: 0\r\n\r\n");

    reply = (struct sip_reply){.status = 200, .reason = "Fine", .to_tag = SLICE("t2")};
    assert_slice(sip_reply_build(room->arena, &parsed.msg, &reply),
                 "SIP/2.0 200 Fine\r\n" REPLY_VIA REPLY_FROM
                 "t : Bob <sip:bob@biloxi.com>;tag=t2 \r\n" REPLY_REST
                 "Record-Route: <sip:p;lr>\r\nRecord-Route: <sip:q;lr>\r\n"
                 "Content-Length: 0\r\n\r\n");
}

static void a_response_tells_where_the_request_came_from(void **state)
{
    struct room *room = *state;
    struct parsed parsed;
    parse_good(&parsed, INVITE);

    struct sip_reply reply = {.status = 480,
                              .headers = SLICE("Warning: 399 edge \"down\"\r\n"),
                              .received = SLICE("192.0.2.9"),
                              .rport = 5061};
    assert_slice(sip_reply_build(room->arena, &parsed.msg, &reply),
                 "SIP/2.0 480 Temporarily Unavailable\r\n"
                 "v: SIP/2.0/UDP h;rport=5061;branch=z9hG4bKx;received=192.0.2.9,\r\n"
                 " SIP/2.0/TCP g;branch=z9hG4bKy\r\n"
                 "Via: SIP/2.0/TLS f;branch=z9hG4bKz\r\n" REPLY_FROM
                 "t : Bob <sip:bob@biloxi.com> \r\n" REPLY_REST "Warning: 399 edge \"down\"\r\n"
                 "Content-Length: 0\r\n\r\n");
}

static void a_tag_that_is_there_stays(void **state)
{
    struct room *room = *state;
    struct parsed parsed;
    parse_good(&parsed, "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nf: sip:a@b;tag=1\r\n"
                        "To: sip:a@b;tag=2\r\ni: c\r\nCSeq: 8 BYE\r\n\r\n");
    struct sip_reply reply = {.status = 481, .to_tag = SLICE("t2"), .rport = 5061};
    assert_slice(sip_reply_build(room->arena, &parsed.msg, &reply),
                 "SIP/2.0 481 Call/Transaction Does Not Exist\r\nVia: SIP/2.0/UDP h\r\n"
                 "f: sip:a@b;tag=1\r\nTo: sip:a@b;tag=2\r\ni: c\r\nCSeq: 8 BYE\r\n"
                 "Content-Length: 0\r\n\r\n");
}

static void a_malformed_request_is_answered_with_what_is_there(void **state)
{
    struct room *room = *state;
    struct parsed parsed;

    parse(&parsed,
          SLICE("INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;;\r\nTo: \"a <sip:a@b>\r\n"
                "CSeq: x\r\nCSeq: y\r\nnonsense\r\n\r\n"),
          false);
    assert_true(sip_msg_can_answer(&parsed.msg));
    struct sip_reply reply = {.status = 400,
                              .reason = parsed.fault.reason,
                              .to_tag = SLICE("t"),
                              .received = SLICE("192.0.2.9"),
                              .rport = 1};
    assert_slice(sip_reply_build(room->arena, &parsed.msg, &reply),
                 "SIP/2.0 400 more than one CSeq header\r\nVia: SIP/2.0/UDP h;;\r\n"
                 "To: \"a <sip:a@b>;tag=t\r\nCSeq: x\r\nContent-Length: 0\r\n\r\n");
}

static void an_ack_repeats_the_request_and_the_responses_to(void **state)
{
    struct room *room = *state;
    struct parsed invite;
    struct parsed response;
    parse_good(&invite, INVITE);
    parse_good(&response, "SIP/2.0 486 Busy\r\nv: SIP/2.0/UDP h;branch=z9hG4bKx\r\n"
                          "f: <sip:alice@atlanta.com>;tag=1\r\nTO: <sip:bob@biloxi.com>;tag=9\r\n"
                          "i: c\r\nCSeq: 7 INVITE\r\nl: 0\r\n\r\n");
    assert_slice(sip_ack_build(room->arena, &invite.msg, &response.msg),
                 "ACK sip:bob@biloxi.com SIP/2.0\r\n"
                 "Via: SIP/2.0/UDP h;rport;branch=z9hG4bKx\r\n"
                 "Max-Forwards: 70\r\n"
                 "Route: <sip:r1;lr>\r\n"
                 "Route: <sip:r2;lr>,<sip:r3>\r\n" REPLY_FROM "TO: <sip:bob@biloxi.com>;tag=9\r\n"
                 "Call-ID: c\r\n"
                 "CSeq: 7 ACK\r\n"
                 "Content-Length: 0\r\n\r\n");
}

static void a_cancel_repeats_the_request(void **state)
{
    struct room *room = *state;
    struct parsed invite;
    struct parsed cancel;
    parse_good(&invite, INVITE);
    struct slice built = sip_cancel_build(room->arena, &invite.msg);
    assert_slice(built,
                 "CANCEL sip:bob@biloxi.com SIP/2.0\r\n"
                 "Via: SIP/2.0/UDP h;rport;branch=z9hG4bKx\r\n"
                 "Max-Forwards: 70\r\n"
                 "Route: <sip:r1;lr>\r\n"
                 "Route: <sip:r2;lr>,<sip:r3>\r\n" REPLY_FROM "t : Bob <sip:bob@biloxi.com> \r\n"
                 "Call-ID: c\r\n"
                 "CSeq: 7 CANCEL\r\n"
                 "Content-Length: 0\r\n\r\n");
    parse(&cancel, built, true);
    assert_int_equal(cancel.status, 0);
    assert_int_equal(cancel.msg.method, SIP_CANCEL);
}

static void an_exhausted_arena_gives_no_message(void **state)
{
    struct room *room = *state;
    struct parsed invite;
    parse_good(&invite, INVITE);
    struct sip_reply reply = {.status = 404, .received = SLICE("192.0.2.9"), .rport = 5061};
    bool failed = false;
    bool built = false;

    for (size_t limit = 16; limit < 2048; limit += 16) {
        struct arena *arena = arena_alloc(room->pool, limit);
        struct slice text = sip_reply_build(arena, &invite.msg, &reply);
        struct slice ack = sip_ack_build(arena, &invite.msg, &invite.msg);
        if (text.p == NULL) {
            failed = true;
            assert_int_equal(text.len, 0);
        } else {
            built = true;
            struct parsed parsed;
            parse(&parsed, text, true);
            assert_int_equal(parsed.status, 0);
            assert_slice(parsed.msg.via.received, "192.0.2.9");
        }
        assert_true(ack.p != NULL || ack.len == 0);
        arena_free(arena);
    }
    assert_true(failed && built);
}

static void statuses_have_their_standard_phrase(void **state)
{
    (void)state;
    assert_string_equal(sip_reason(100), "Trying");
    assert_string_equal(sip_reason(302), "Moved Temporarily");
    assert_string_equal(sip_reason(416), "Unsupported URI Scheme");
    assert_string_equal(sip_reason(483), "Too Many Hops");
    assert_string_equal(sip_reason(606), "Not Acceptable");
    assert_string_equal(sip_reason(499), "Unknown");
    assert_string_equal(sip_reason(0), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_copies_what_identifies_the_request),
        cmocka_unit_test(a_response_tells_where_the_request_came_from),
        cmocka_unit_test(a_tag_that_is_there_stays),
        cmocka_unit_test(a_malformed_request_is_answered_with_what_is_there),
        cmocka_unit_test(an_ack_repeats_the_request_and_the_responses_to),
        cmocka_unit_test(a_cancel_repeats_the_request),
        cmocka_unit_test(an_exhausted_arena_gives_no_message),
        cmocka_unit_test(statuses_have_their_standard_phrase),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
