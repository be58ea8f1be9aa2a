/* Where a request goes by what it carries: loops, strict routers before and behind us, tokens (RFC
 * 3261 16.3 step 4, 16.4, 16.6 step 6; design section 4). */
#include "tests/peering/proxy/stand.h"

#include <stdio.h>
#include <string.h>

/* ---- loops ---- */

/* The message as a proxy would send it on: with a Via of its own, to this Request-URI. */
static void send_on(struct stand *stand, const struct core *core, const char *sent, const char *uri)
{
    static unsigned serial;
    char text[8192];
    const char *start = strchr(sent, ' '), *rest = strstr(sent, "\r\n") + 2;
    snprintf(text, sizeof(text),
             "%.*s %s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKon%u\r\n%s",
             (int)(start - sent), sent, uri, core->port, ++serial, rest);
    send_text(stand, core, text);
}

static void a_request_that_comes_back_as_it_was_is_a_loop(void **state)
{
    struct stand *stand = *state;
    static const char *const methods[] = {"INVITE", "MESSAGE", "FROBNICATE"};
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        struct call call = invite("sip:bob@two.example");
        char sent[8192], text[8192];
        call.method = methods[i];
        send_request(stand, &stand->a, &call);
        expect(&stand->b1, methods[i], sent);
        send_on(stand, &stand->b1, sent, "sip:bob@two.example");
        expect(&stand->b1, "SIP/2.0 482", text);
        assert_non_null(strstr(text, "has been here before"));
        answer(stand, &stand->b1, sent, "486 Busy Here");
        expect(&stand->a, "SIP/2.0 486", text);
    }
}

/* The callee's core may send it on to somebody else: from there on it is another way. */
static void a_request_that_comes_back_for_another_is_a_spiral(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    call.method = "MESSAGE";
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE", sent);
    send_on(stand, &stand->b1, sent, "sip:bob@two.example;again");
    expect(&stand->b1, "MESSAGE sip:bob@two.example;again SIP/2.0", sent);
    assert_int_equal(lines_of(sent, "Via:"), 4);
    send_on(stand, &stand->b1, sent, "sip:bob@two.example;again");
    expect(&stand->b1, "SIP/2.0 482", text);
}

/* ---- strict routers ---- */

/* A call from core a to b1, as far as its routes are concerned. */
struct dialog {
    struct call call;
    char towards_a[1024], towards_b[1024];
    char uri_a[1024]; /* the first of them without brackets */
    char routes[2200];
};

static struct dialog set_up_call(struct stand *stand)
{
    struct dialog dialog = {.call = invite("sip:bob@two.example")};
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &dialog.call);
    expect(&stand->b1, "INVITE", sent);
    header_of(sent, "Record-Route", 0, dialog.towards_b);
    header_of(sent, "Record-Route", 1, dialog.towards_a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    snprintf(dialog.uri_a, sizeof(dialog.uri_a), "%.*s", (int)strcspn(dialog.towards_a + 1, ">"),
             dialog.towards_a + 1);
    dialog.call.method = "INFO";
    dialog.call.to_tag = "bobs";
    dialog.call.cseq = 2;
    return dialog;
}

/* It has our Record-Route value in the Request-URI, and where it wants to go last in Route. */
static void a_strict_router_before_us_is_understood(void **state)
{
    struct stand *stand = *state;
    struct dialog dialog = set_up_call(stand);
    char routes[2200], text[8192];
    static const char *const forms[] = {"Route: %s, <sip:bob@127.0.0.1;x=1>\r\n",
                                        "Route: %s\r\nRoute: <sip:bob@127.0.0.1;x=1>\r\n"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        snprintf(routes, sizeof(routes), forms[i], dialog.towards_b);
        dialog.call.uri = dialog.uri_a;
        dialog.call.headers = routes;
        dialog.call.cseq++;
        send_request(stand, &stand->a, &dialog.call);
        expect(&stand->b1, "INFO sip:bob@127.0.0.1;x=1 SIP/2.0\r\n", text);
        assert_int_equal(lines_of(text, "Route:"), 0);
        answer(stand, &stand->b1, text, "200 OK");
        expect(&stand->a, "SIP/2.0 200", text);
    }
}

/* Without a branch of RFC 3261, repetitions are known by the Request-URI among others. */
static void what_a_strict_router_repeats_is_forwarded_once(void **state)
{
    struct stand *stand = *state;
    struct dialog dialog = set_up_call(stand);
    char routes[2200], sent[8192], text[8192];
    snprintf(routes, sizeof(routes), "Route: %s, <sip:bob@127.0.0.1>\r\n", dialog.towards_b);
    dialog.call.uri = dialog.uri_a;
    dialog.call.headers = routes;
    request_text(stand, &stand->a, &dialog.call, sent);
    memcpy(strstr(sent, "z9hG4bK"), "oldstyl", 7);
    send_text(stand, &stand->a, sent);
    expect(&stand->b1, "INFO", text);
    answer(stand, &stand->b1, text, "299 Heard");
    expect(&stand->a, "SIP/2.0 299", text);
    send_text(stand, &stand->a, sent);
    expect(&stand->a, "SIP/2.0 299", text);
    while (receive(&stand->b1, text, QUIET_MS)) /* 200 OK has been repeated, perhaps */
        assert_null(strstr(text, "INFO"));
}

static void a_strict_router_behind_us_gets_what_it_expects(void **state)
{
    struct stand *stand = *state;
    struct dialog dialog = set_up_call(stand);
    char routes[2300], text[8192], route[1024];
    static const char *const forms[] = {
        "Route: %s, %s, <sip:old@127.0.0.1>, <sip:older@127.0.0.1;lr>\r\n",
        "Route: %s, %s\r\nRoute: <sip:old@127.0.0.1>\r\nRoute: <sip:older@127.0.0.1;lr>\r\n"};
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        snprintf(routes, sizeof(routes), forms[i], dialog.towards_a, dialog.towards_b);
        dialog.call.uri = "sip:bob@127.0.0.1;x=1";
        dialog.call.headers = routes;
        dialog.call.cseq++;
        send_request(stand, &stand->a, &dialog.call);
        expect(&stand->b1, "INFO sip:old@127.0.0.1 SIP/2.0\r\n", text);
        assert_int_equal(lines_of(text, "Route:"), 2);
        header_of(text, "Route", 0, route);
        assert_string_equal(route, "<sip:older@127.0.0.1;lr>");
        header_of(text, "Route", 1, route);
        assert_string_equal(route, "<sip:bob@127.0.0.1;x=1>");
        answer(stand, &stand->b1, text, "200 OK");
        expect(&stand->a, "SIP/2.0 200", text);
    }
    dialog.call.cseq++;
    snprintf(routes, sizeof(routes), "Route: %s, %s, <sip:old@127.0.0.1>\r\n", dialog.towards_a,
             dialog.towards_b);
    send_request(stand, &stand->a, &dialog.call);
    expect(&stand->b1, "INFO sip:old@127.0.0.1 SIP/2.0\r\n", text);
    header_of(text, "Route", 0, route);
    assert_string_equal(route, "<sip:bob@127.0.0.1;x=1>");
}

/* ---- dialog tokens ---- */

/* An INFO by the route set, as the caller has it. */
static void send_info(struct stand *stand, struct dialog *dialog)
{
    snprintf(dialog->routes, sizeof(dialog->routes), "Route: %s,%s\r\n", dialog->towards_a,
             dialog->towards_b);
    dialog->call.uri = "sip:bob@192.0.2.7:5070"; /* the phone's own, which only its core knows */
    dialog->call.headers = dialog->routes;
    dialog->call.cseq++;
    send_request(stand, &stand->a, &dialog->call);
}

static void expect_info(struct stand *stand)
{
    char text[8192];
    expect(&stand->b1, "INFO sip:bob@192.0.2.7:5070 SIP/2.0\r\n", text);
    answer(stand, &stand->b1, text, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

/* It has put no Route of its own there: the Request-URI is the phone's, and not where we send. */
static void a_core_that_does_not_record_route_gets_the_dialog(void **state)
{
    struct stand *stand = *state;
    struct dialog dialog = set_up_call(stand);
    send_info(stand, &dialog);
    expect_info(stand);
}

static void a_token_does_not_serve_the_other_end(void **state)
{
    struct stand *stand = *state;
    struct dialog dialog = set_up_call(stand);
    char text[8192], info[8192];
    snprintf(info, sizeof(info),
             "INFO sip:alice@127.0.0.1 SIP/2.0\r\n"
             "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKother\r\nMax-Forwards: 70\r\n"
             "From: <sip:bob@two.example>;tag=bobs\r\nTo: <sip:alice@one.example>;tag=f%s\r\n"
             "Call-ID: %s\r\nCSeq: 9 INFO\r\nRoute: %s\r\nContent-Length: 0\r\n\r\n",
             stand->b1.port, dialog.call.id, dialog.call.id, dialog.towards_a);
    send_text(stand, &stand->b1, info);
    expect(&stand->b1, "SIP/2.0 403", text);
    assert_non_null(strstr(text, "not valid for this dialog"));
}

static void a_token_without_a_dialog_opens_no_way(void **state)
{
    struct stand *stand = *state;
    struct dialog dialog = set_up_call(stand);
    char text[8192];
    dialog.call.to_tag = NULL;
    send_info(stand, &dialog);
    expect(&stand->a, "SIP/2.0 403", text);
    assert_non_null(strstr(text, "is an IP address"));
}

/* Over UDP a request's branch picks the worker. */
static void every_worker_serves_a_dialog(void **state)
{
    enum { REQUESTS = 24 };
    struct stand *stand = *state;
    struct dialog dialog = set_up_call(stand);
    struct edge_stats before, after;
    edge_stats_get(stand->edge, &before);
    for (int i = 0; i < REQUESTS; i++) {
        send_info(stand, &dialog);
        expect_info(stand);
    }
    edge_stats_get(stand->edge, &after);
    assert_int_equal(after.workers, 2);
    assert_int_equal(after.refused, before.refused);
    assert_true(after.handed_over > before.handed_over); /* some were the other worker's */
}

static void a_dialog_outlives_a_restart(void **state)
{
    struct stand *stand = *state;
    struct dialog dialog = set_up_call(stand);
    stand_restart(stand);
    send_info(stand, &dialog);
    expect_info(stand);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_request_that_comes_back_as_it_was_is_a_loop),
        STAND_TEST(a_request_that_comes_back_for_another_is_a_spiral),
        STAND_TEST(a_strict_router_before_us_is_understood),
        STAND_TEST(what_a_strict_router_repeats_is_forwarded_once),
        STAND_TEST(a_strict_router_behind_us_gets_what_it_expects),
        STAND_TEST(a_core_that_does_not_record_route_gets_the_dialog),
        STAND_TEST(a_token_does_not_serve_the_other_end),
        STAND_TEST(a_token_without_a_dialog_opens_no_way),
        STAND_TEST(every_worker_serves_a_dialog),
        STAND_TEST(a_dialog_outlives_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
