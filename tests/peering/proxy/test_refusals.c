/* What an edge refuses or answers itself, and in which words. */
#include "tests/peering/proxy/stand.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void refusals_say_why(void **state)
{
    struct stand *stand = *state;
    static const struct {
        struct call call;
        const char *start, *warning;
    } rows[] = {
        {{"INVITE", "sip:nobody@two.example", .id = "r1"}, "SIP/2.0 404", "no such address"},
        {{"INVITE", "sip:alice@one.example", .id = "r2"}, "SIP/2.0 404", "the core that asks"},
        {{"INVITE", "sip:bob@two.example", "sip:eve@far.example", .id = "r3"},
         "SIP/2.0 403",
         "not an address hosted here"},
        {{"INVITE", "sip:bob@192.0.2.1", .id = "r4"}, "SIP/2.0 403", "is an IP address"},
        {{"INVITE", "sip:bob@two.example;maddr=192.0.2.1", .id = "r5"}, "SIP/2.0 403", "maddr"},
        {{"INVITE", "sip:bob@two.example;m%61ddr=192.0.2.1", .id = "r5a"}, "SIP/2.0 403", "maddr"},
        {{"INVITE", "sip:bob@two.example", .headers = "Route: <sip:192.0.2.1;lr>\r\n", .id = "r6"},
         "SIP/2.0 403",
         "preloaded Route"},
        {{"INVITE", "tel:030123;phone-context=one.example", .id = "r7"},
         "SIP/2.0 404",
         "country code"},
        {{"INVITE", "http://two.example/", .id = "r8"}, "SIP/2.0 416", "scheme http"},
        {{"INVITE", "sip:bob@two.example", .headers = "Proxy-Require: foo, bar\r\n", .id = "r9"},
         "SIP/2.0 420",
         "Unsupported: foo, bar\r\n"},
        {{"INVITE", "sips:bob@two.example", .id = "r10"}, "SIP/2.0 480", "over TLS"},
        {{"CANCEL", "sip:bob@two.example", .id = "r11"}, "SIP/2.0 481", "no transaction"},
        {{"INVITE", "sip:bob@two.example", .headers = "Max-Forwards: 1\r\n", .id = "r12"},
         "SIP/2.0 400",
         "Max-Forwards"},
        {{"REGISTER", "sip:one.example", .id = "r15"}, "SIP/2.0 404", "is no registrar"},
        {{"INVITE", "sip:bob@two.example", "sip:anonymous@anonymous.invalid", .id = "r16"},
         "SIP/2.0 403",
         "P-Asserted-Identity"},
        {{"OPTIONS", "sip:one.example", .id = "r13"}, "SIP/2.0 200", NULL},
        {{"OPTIONS", "sip:one.example", .headers = "Require: foo\r\n", .id = "r17"},
         "SIP/2.0 420",
         "Unsupported: foo\r\n"},
        {{"OPTIONS", "sip:one.example", .headers = "Proxy-Require: foo\r\n", .id = "r18"},
         "SIP/2.0 420",
         "Unsupported: foo\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect_refusal(stand, &rows[i].call, rows[i].start, rows[i].warning);
    expect_nothing(&stand->b1);
}

static void options_to_our_address_are_answered(void **state)
{
    struct stand *stand = *state;
    char uri[64];
    struct call call = {.method = "OPTIONS", .uri = uri, .id = "options"};
    snprintf(uri, sizeof(uri), "sip:127.0.0.1:%u", stand->port);
    expect_refusal(stand, &call, "SIP/2.0 200", NULL);
}

static void sips_needs_tls_in_a_dialog_too(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), info;
    char sent[8192], text[8192], towards_a[1024], towards_b[1024], routes[2200];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    snprintf(routes, sizeof(routes), "Route: %s,%s\r\n", towards_a, towards_b);
    info = call;
    info.method = "INFO";
    info.uri = "sips:bob@two.example";
    info.cseq = 2;
    info.headers = routes;
    info.to_tag = "bobs";
    expect_refusal(stand, &info, "SIP/2.0 480", "over TLS");
}

static void a_refusal_keeps_no_state_and_absorbs_its_ack(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:nobody@two.example"), ack;
    char first[8192], second[8192], tag[1024];
    struct edge_stats stats;
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 404", first);
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 404", second);
    assert_string_equal(first, second);
    header_of(first, "To", 0, tag);
    ack = call;
    ack.method = "ACK";
    ack.to_tag = strstr(tag, ";tag=") + 5;
    send_request(stand, &stand->a, &ack);
    expect_nothing(&stand->a);
    edge_stats_get(stand->edge, &stats);
    assert_int_equal(stats.transactions, 0);
}

/* Without the reason for the refusal, the ACK would pass as a request of its own. */
static void the_ack_of_a_refusal_goes_no_further(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), ack;
    char text[8192], tag[1024];
    call.headers = "Proxy-Require: foo\r\n";
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 420", text);
    header_of(text, "To", 0, tag);
    ack = call;
    ack.method = "ACK";
    ack.headers = NULL;
    ack.to_tag = strstr(tag, ";tag=") + 5;
    send_request(stand, &stand->a, &ack);
    expect_nothing(&stand->b1);
}

static void no_ack_is_ever_answered(void **state)
{
    struct stand *stand = *state;
    struct call ack = invite("sip:nobody@two.example");
    ack.method = "ACK";
    ack.to_tag = "not-one-of-ours";
    send_request(stand, &stand->a, &ack);
    expect_nothing(&stand->a);
}

static void malformed_requests_are_told_what_is_wrong(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char text[8192];
    request_text(stand, &stand->a, &call, text);
    char *cseq = strstr(text, "CSeq: 1 INVITE");
    memcpy(cseq, "CSeq: x INVITE", 14);
    send_text(stand, &stand->a, text);
    expect(&stand->a, "SIP/2.0 400", text);
    assert_non_null(strstr(text, "CSeq"));
}

static void draining_refuses_new_calls_only(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), again = invite("sip:bob@two.example");
    struct call options = {.method = "OPTIONS", .uri = "sip:one.example", .id = "drain"};
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    edge_drain(stand->edge);
    expect_refusal(stand, &options, "SIP/2.0 480", "draining");
    expect_refusal(stand, &again, "SIP/2.0 503", "Retry-After: ");
    assert_false(edge_idle(stand->edge));
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

static void draining_lets_dialogs_go_on_and_takes_no_connection(void **state)
{
    struct stand *stand = *state;
    struct call info = invite("sip:bob@two.example");
    char sent[8192], text[8192], towards_a[1024], towards_b[1024], routes[2200];
    send_request(stand, &stand->a, &info);
    expect(&stand->b1, "INVITE", sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    edge_drain(stand->edge);
    assert_true(edge_idle(stand->edge));

    snprintf(routes, sizeof(routes), "Route: %s,%s\r\n", towards_a, towards_b);
    info.method = "INFO";
    info.cseq = 2;
    info.headers = routes;
    info.to_tag = "bobs";
    send_request(stand, &stand->a, &info);
    expect(&stand->b1, "INFO", text);
    answer(stand, &stand->b1, text, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&stand->edge_addr, sizeof(stand->edge_addr)),
                     -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
}

static void a_second_edge_on_the_same_address_is_refused(void **state)
{
    struct stand *stand = *state;
    struct edge *second;
    char why[EDGE_MAX_WHY];
    assert_int_equal(edge_start(&stand->conf, stand->store, NULL, &second, why), -EADDRINUSE);
    assert_non_null(strstr(why, "cannot bind: Address already in use"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(refusals_say_why),
        STAND_TEST(options_to_our_address_are_answered),
        STAND_TEST(sips_needs_tls_in_a_dialog_too),
        STAND_TEST(a_refusal_keeps_no_state_and_absorbs_its_ack),
        STAND_TEST(the_ack_of_a_refusal_goes_no_further),
        STAND_TEST(no_ack_is_ever_answered),
        STAND_TEST(malformed_requests_are_told_what_is_wrong),
        STAND_TEST(draining_refuses_new_calls_only),
        STAND_TEST(draining_lets_dialogs_go_on_and_takes_no_connection),
        STAND_TEST(a_second_edge_on_the_same_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
