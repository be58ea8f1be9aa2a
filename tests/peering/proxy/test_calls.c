/* What comes out of an edge for calls that go in: forwarding, dialogs, fail-over. */
#include "tests/peering/proxy/stand.h"
#include "tests/resolver/dns.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void a_call_between_two_cores_is_set_up_and_ended_from_either_side(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192], towards_b[1024], towards_a[1024], routes[2200];
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 100", text);
    expect(&stand->b1, "INVITE sip:bob@two.example SIP/2.0", sent);
    assert_int_equal(lines_of(sent, "Via:"), 2);
    assert_int_equal(lines_of(sent, "Record-Route:"), 2);
    assert_non_null(strstr(sent, "Max-Forwards: 69\r\n"));
    assert_non_null(strstr(sent, ";received=127.0.0.1"));
    assert_non_null(strstr(sent, "Content-Length: 0\r\n"));
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    assert_int_equal(lines_of(text, "Via:"), 1);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);

    /* the ACK follows the route set to the address b gave */
    snprintf(routes, sizeof(routes), "Route: %s\r\nRoute: %s\r\n", towards_a, towards_b);
    struct call ack = call;
    ack.method = "ACK";
    ack.uri = "sip:bob@127.0.0.1";
    ack.headers = routes;
    ack.to_tag = "bobs";
    snprintf(ack.id, sizeof(ack.id), "%s", call.id);
    char ack_text[8192];
    request_text(stand, &stand->a, &ack, ack_text);
    memcpy(strstr(ack_text, "INVITE;"), "ACKACK", 6); /* an ACK to a 2xx has a branch of its own */
    send_text(stand, &stand->a, ack_text);
    expect(&stand->b1, "ACK sip:bob@127.0.0.1 SIP/2.0", text);
    assert_int_equal(lines_of(text, "Route:"), 0);
    assert_int_equal(lines_of(text, "Record-Route:"), 0);

    /* b hangs up: its route set is in the order of the request */
    char bye[8192], from[1024], to[1024];
    header_of(sent, "From", 0, from);
    header_of(sent, "To", 0, to);
    snprintf(
        bye, sizeof(bye),
        "BYE sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKbye\r\n"
        "Max-Forwards: 70\r\nFrom: %s;tag=bobs\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 7 BYE\r\n"
        "Route: %s, %s\r\n\r\n",
        stand->b1.port, to, from, call.id, towards_b, towards_a);
    send_text(stand, &stand->b1, bye);
    expect(&stand->a, "BYE sip:alice@127.0.0.1 SIP/2.0", text);
    assert_int_equal(lines_of(text, "Record-Route:"), 0);
    answer(stand, &stand->a, text, "200 OK");
    expect(&stand->b1, "SIP/2.0 200", text);
}

static void a_token_is_refused_in_another_dialog_or_without_its_tag(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), other;
    char sent[8192], text[8192], towards_a[1024], routes[1100];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "486 Busy Here");
    expect(&stand->a, "SIP/2.0 486", text);
    expect(&stand->b1, "ACK", text);
    snprintf(routes, sizeof(routes), "Route: %s\r\n", towards_a);
    other = invite("sip:bob@127.0.0.1");
    other.method = "INFO";
    other.headers = routes;
    other.to_tag = "bobs";
    expect_refusal(stand, &other, "SIP/2.0 403", "not valid for this dialog");
}

/* The port is not ours, though the address is: what has no port has 5060. */
static void the_route_of_a_core_on_our_own_address_stays(void **state)
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
    snprintf(routes, sizeof(routes), "Route: %s,%s, <sip:127.0.0.1;lr>\r\n", towards_a, towards_b);
    info = call;
    info.method = "INFO";
    info.cseq = 2;
    info.headers = routes;
    info.to_tag = "bobs";
    send_request(stand, &stand->a, &info);
    expect(&stand->b1, "INFO", text);
    assert_non_null(strstr(text, "Route: <sip:127.0.0.1;lr>\r\n"));
}

static void the_core_that_has_the_dialog_gets_its_requests(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), ack;
    char sent[8192], text[8192], uri[64], towards_a[1024], towards_b[1024], routes[2200];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent); /* and stays silent */
    expect(&stand->b2, "INVITE", sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b2, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    snprintf(uri, sizeof(uri), "sip:bob@127.0.0.1:%u", stand->b2.port);
    snprintf(routes, sizeof(routes), "Route: %s,%s\r\n", towards_a, towards_b);
    ack = call;
    ack.method = "ACK"; /* no answer could make the edge turn to another core */
    ack.cseq = 2;
    ack.uri = uri;
    ack.headers = routes;
    ack.to_tag = "bobs";
    send_request(stand, &stand->a, &ack);
    expect(&stand->b2, "ACK", text);
}

/* One worker, so that every request knows what became of those before it, and as patient with a
 * core as the test is. */
static void use_one_worker(struct stand *stand)
{
    stand->conf.workers = 1;
    stand->conf.first_response_ms = WAIT_MS;
    stand->conf.search_ms = 3 * WAIT_MS;
    stand_restart(stand);
}

/* The INVITE of this call; others that come before it are repeated ones. */
static void expect_invite(const struct core *core, const struct call *call, char text[8192])
{
    do
        expect(core, "INVITE", text);
    while (!strstr(text, call->id));
}

/* A call that core b1 does not take, so that it goes to b2. */
static void let_b1_fail(struct stand *stand)
{
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect_invite(&stand->b1, &call, sent);
    answer(stand, &stand->b1, sent, "503 Service Unavailable");
    expect_invite(&stand->b2, &call, sent);
    answer(stand, &stand->b2, sent, "486 Busy Here");
    expect(&stand->a, "SIP/2.0 486", text);
}

static void a_silent_or_full_core_is_passed_over(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent); /* and stays silent */
    expect(&stand->b2, "INVITE", sent);
    answer(stand, &stand->b2, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);

    use_one_worker(stand);
    while (receive(&stand->b1, text, QUIET_MS))
        ; /* retransmissions of the first */
    call = invite("sip:bob@two.example");
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "503 Service Unavailable");
    expect(&stand->b2, "INVITE", sent);
    answer(stand, &stand->b2, sent,
           "503 Full\r\nWarning: 399 b2 \"say \\\"please\\\"\xff\x1b[2J\"");
    expect(&stand->a, "SIP/2.0 480", text);
    assert_non_null(strstr(text, "Warning: 399 127.0.0.1 \"127.0.0.1 answered 503; "
                                 "127.0.0.1 answered 503: say \\\"please\\\"??[2J\"\r\n"));
}

/* The next INVITE that reaches one of the two cores reaches this one, and is answered. */
static void call_through(struct stand *stand, struct core *core, struct core *other)
{
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect_invite(core, &call, sent);
    answer(stand, core, sent, "486 Busy Here");
    expect(&stand->a, "SIP/2.0 486", text);
    while (receive(other, text, QUIET_MS)) /* an ACK, perhaps */
        assert_null(strstr(text, call.id));
}

static void a_core_that_failed_is_the_last_until_it_answers(void **state)
{
    struct stand *stand = *state;
    struct call call;
    char sent[8192], text[8192];
    use_one_worker(stand);
    let_b1_fail(stand);
    call_through(stand, &stand->b2, &stand->b1);
    call = invite("sip:bob@two.example");
    send_request(stand, &stand->a, &call);
    expect_invite(&stand->b2, &call, sent);
    answer(stand, &stand->b2, sent, "503 Service Unavailable");
    expect_invite(&stand->b1, &call, sent);
    answer(stand, &stand->b1, sent, "486 Busy Here");
    expect(&stand->a, "SIP/2.0 486", text);
    call_through(stand, &stand->b1, &stand->b2);
}

static void a_dialog_stays_with_its_core_whatever_failed(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), info;
    char sent[8192], text[8192], towards_a[1024], towards_b[1024], routes[2200], uri[64];
    use_one_worker(stand);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    let_b1_fail(stand);
    snprintf(uri, sizeof(uri), "sip:bob@127.0.0.1:%u", stand->b1.port);
    snprintf(routes, sizeof(routes), "Route: %s,%s\r\n", towards_a, towards_b);
    info = call;
    info.method = "INFO";
    info.cseq = 2;
    info.uri = uri;
    info.headers = routes;
    info.to_tag = "bobs";
    send_request(stand, &stand->a, &info);
    expect(&stand->b1, "INFO", sent);
    answer(stand, &stand->b1, sent, "200 OK");
    while (receive(&stand->b2, text, QUIET_MS))
        assert_null(strstr(text, "INFO"));
}

/* ---- a core that is found by DNS ---- */

static void dns_add_both(struct dns_packet *packet, const char *first, const char *second)
{
    dns_add(packet, DNS_ANSWER, first);
    dns_add(packet, DNS_ANSWER, second);
}

/* Answers so many questions: the core has b1, and for want of it b2. */
static void answer_dns(const struct stand *stand, int fd, int questions)
{
    char first[128], second[128];
    snprintf(first, sizeof(first), "_sip._udp.core.test 60 SRV 1 0 %u b1.test", stand->b1.port);
    snprintf(second, sizeof(second), "_sip._udp.core.test 60 SRV 2 0 %u b2.test", stand->b2.port);
    while (questions-- > 0) {
        static struct dns_packet packet;
        struct sockaddr_in from;
        socklen_t len = sizeof(from);
        uint8_t query[512];
        char name[256], line[300];
        unsigned type;
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        ssize_t size = recvfrom(fd, query, sizeof(query), 0, (struct sockaddr *)&from, &len);
        dns_question(query, (size_t)size, name, &type);
        dns_begin(&packet, query, (size_t)size, DNS_RA);
        snprintf(line, sizeof(line), "%s 60 A 127.0.0.1", name);
        if (type == dns_type_number("SRV"))
            dns_add_both(&packet, first, second);
        else if (type == dns_type_number("A"))
            dns_add(&packet, DNS_ANSWER, line);
        else
            dns_add(&packet, DNS_AUTHORITY, "test 60 SOA ns h 1 2 3 4 60");
        sendto(fd, packet.bytes, packet.len, 0, (struct sockaddr *)&from, len);
    }
}

/* Core two.example, found at core.test, by an edge whose only upstream is the socket returned. */
static int use_named_core(struct stand *stand)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    stand_name_core(stand, "two.example", "core.test");
    stand->conf.resolver.upstreams[0].addr.in4 = addr;
    stand->conf.resolver.attempt_timeout_ms = stand->conf.resolver.lookup_timeout_ms = WAIT_MS;
    use_one_worker(stand);
    return fd;
}

static void a_dialog_stays_where_it_is_in_a_core_found_by_dns(void **state)
{
    enum { QUESTIONS = 5 }; /* SRV, and A and AAAA of each */
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), info;
    char sent[8192], text[8192], towards_a[1024], towards_b[1024], routes[2200], uri[64];
    int dns = use_named_core(stand);
    send_request(stand, &stand->a, &call);
    answer_dns(stand, dns, QUESTIONS);
    expect_invite(&stand->b1, &call, sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    let_b1_fail(stand);
    call_through(stand, &stand->b2, &stand->b1); /* as do all calls now, without a question */

    snprintf(uri, sizeof(uri), "sip:bob@127.0.0.1:%u", stand->b1.port);
    snprintf(routes, sizeof(routes), "Route: %s,%s\r\n", towards_a, towards_b);
    info = call;
    info.method = "INFO";
    info.cseq = 2;
    info.uri = uri;
    info.headers = routes;
    info.to_tag = "bobs";
    send_request(stand, &stand->a, &info);
    expect(&stand->b1, "INFO", sent);
    answer(stand, &stand->b1, sent, "200 OK");
    while (receive(&stand->b2, text, QUIET_MS))
        assert_null(strstr(text, "INFO"));
    close(dns);
}

static void a_flood_of_ringing_does_not_drown_the_answer(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192], headers[6100] = "X-Padding: ", ringing[8192];
    memset(headers + 11, 'x', 6000);
    memcpy(headers + 6011, "\r\n", 3);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    char via[1024], via2[1024], from[1024], to[1024], id[1024];
    header_of(sent, "Via", 0, via);
    header_of(sent, "Via", 1, via2);
    header_of(sent, "From", 0, from);
    header_of(sent, "To", 0, to);
    header_of(sent, "Call-ID", 0, id);
    snprintf(ringing, sizeof(ringing),
             "SIP/2.0 183 Progress\r\nVia: %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=bobs\r\n"
             "Call-ID: %s\r\nCSeq: 1 INVITE\r\n%sContent-Length: 0\r\n\r\n",
             via, via2, from, to, id, headers);
    for (int i = 0; i < 60; i++) {
        send_text(stand, &stand->b1, ringing);
        while (receive(&stand->a, text, 5))
            ;
    }
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

/* The caller could not make anything of it, and would wait for ever. */
static void a_response_without_the_callers_via_is_not_passed_on(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    call.method = "MESSAGE";
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE", sent);
    char *second = strstr(strstr(sent, "Via:") + 1, "Via:"), *after = strstr(second, "\r\n") + 2;
    memmove(second, after, strlen(after) + 1);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 480", text);
}

static void an_unknown_method_passes_unchanged(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:%42ob@TWO.example;x-parameter=1");
    char text[8192], original[8192];
    call.method = "FROBNICATE";
    call.headers = "X-Strange :  some \r\n  folded value\r\nContent-Type: a/b\r\n";
    call.body = "\r\nbody of \x01\x02 octets";
    request_text(stand, &stand->a, &call, original);
    send_text(stand, &stand->a, original);
    expect(&stand->b1, "FROBNICATE sip:bob@two.example;x-parameter=1 SIP/2.0", text);
    assert_non_null(strstr(text, "X-Strange :  some \r\n  folded value\r\nContent-Type: a/b\r\n"));
    assert_non_null(strstr(text, "Content-Length: 17\r\n\r\nbody of \x01\x02 octets"));
    answer(stand, &stand->b1, text, "299 Frobnicated");
    expect(&stand->a, "SIP/2.0 299 Frobnicated", text);
}

/* Waits for DNS move no timers: those of the answer start when it is sent. */
static void the_answer_after_a_slow_lookup_is_sent_once(void **state)
{
    struct stand *stand = *state;
    struct sockaddr_in silent = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(silent);
    int dns = socket(AF_INET, SOCK_DGRAM, 0);
    char why[EDGE_MAX_WHY], text[8192];
    assert_int_equal(bind(dns, (struct sockaddr *)&silent, len), 0);
    assert_int_equal(getsockname(dns, (struct sockaddr *)&silent, &len), 0);
    edge_stop(stand->edge);
    stand->conf.resolver.upstreams[0].addr.in4 = silent;
    stand->conf.resolver.attempt_timeout_ms = stand->conf.resolver.lookup_timeout_ms = 700;
    stand->conf.times = txn_times_default; /* T1 is 500 ms, less than the lookup takes */
    assert_int_equal(edge_start(&stand->conf, stand->store, NULL, &stand->edge, why), 0);

    struct call call = invite("sip:carol@far.example"), ack = call;
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 480", text);
    ack.method = "ACK";
    send_request(stand, &stand->a, &ack);
    expect_nothing(&stand->a);
    close(dns);
}

/* RFC 3261 16.6 step 4: each that may make a dialog or may be the first that is heard of one. */
static void requests_that_may_make_a_dialog_record_their_route(void **state)
{
    struct stand *stand = *state;
    static const struct {
        const char *method;
        int routes;
    } rows[] = {{"INVITE", 2},  {"SUBSCRIBE", 2},  {"REFER", 2},   {"NOTIFY", 2}, {"UPDATE", 2},
                {"PUBLISH", 2}, {"NEWFANGLED", 2}, {"MESSAGE", 0}, {"OPTIONS", 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct call call = invite("sip:bob@two.example");
        char text[8192];
        call.method = rows[i].method;
        send_request(stand, &stand->a, &call);
        expect(&stand->b1, rows[i].method, text);
        if (lines_of(text, "Record-Route:") != rows[i].routes)
            fail_msg("not %d Record-Routes: %s", rows[i].routes, text);
        answer(stand, &stand->b1, text, "299 Heard");
        expect(&stand->a, "SIP/2.0 299", text);
    }
}

static void max_forwards_counts_down_or_begins(void **state)
{
    struct stand *stand = *state;
    static const struct {
        const char *sent, *start, *line; /* what comes back or arrives at core b1 */
    } rows[] = {{"Max-Forwards: 70\r\n", "MESSAGE", "Max-Forwards: 69\r\n"},
                {"Max-Forwards: 1\r\n", "MESSAGE", "Max-Forwards: 0\r\n"},
                {"", "MESSAGE", "Max-Forwards: 70\r\n"},
                {"Max-Forwards: 0\r\n", "SIP/2.0 483", "Max-Forwards has reached 0"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct call call = invite("sip:bob@two.example");
        char original[8192], text[8192];
        call.method = "MESSAGE";
        request_text(stand, &stand->a, &call, original);
        const char *own = strstr(original, "Max-Forwards:");
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(own - original), original, rows[i].sent,
                 strstr(own, "\r\n") + 2);
        send_text(stand, &stand->a, text);
        bool arrives = strcmp(rows[i].start, "MESSAGE") == 0;
        expect(arrives ? &stand->b1 : &stand->a, rows[i].start, text);
        assert_non_null(strstr(text, rows[i].line));
        assert_int_equal(lines_of(text, "Max-Forwards:"), arrives ? 1 : 0);
        if (!arrives)
            continue;
        answer(stand, &stand->b1, text, "299 Heard");
        expect(&stand->a, "SIP/2.0 299", text);
    }
}

/* Its token names the key it was made with; the key that came after signs new dialogs. */
static void a_dialog_goes_on_when_the_key_changes(void **state)
{
    struct stand *stand = *state;
    struct store_command command = {.op = STORE_KEY_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_verdict verdict;
    struct call call = invite("sip:bob@two.example"), info;
    char sent[8192], text[8192], towards_a[1024], towards_b[1024], routes[2200];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    header_of(sent, "Record-Route", 0, towards_b);
    header_of(sent, "Record-Route", 1, towards_a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);

    snprintf(command.actor, sizeof(command.actor), "test");
    memset(command.key.secret, 'k', sizeof(command.key.secret));
    assert_int_equal(store_submit(stand->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
    snprintf(routes, sizeof(routes), "Route: %s,%s\r\n", towards_a, towards_b);
    info = call;
    info.method = "INFO";
    info.cseq = 2;
    info.headers = routes;
    info.to_tag = "bobs";
    send_request(stand, &stand->a, &info);
    expect(&stand->b1, "INFO", text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_call_between_two_cores_is_set_up_and_ended_from_either_side),
        STAND_TEST(a_token_is_refused_in_another_dialog_or_without_its_tag),
        STAND_TEST(the_route_of_a_core_on_our_own_address_stays),
        STAND_TEST(the_core_that_has_the_dialog_gets_its_requests),
        STAND_TEST(a_silent_or_full_core_is_passed_over),
        STAND_TEST(a_core_that_failed_is_the_last_until_it_answers),
        STAND_TEST(a_dialog_stays_with_its_core_whatever_failed),
        STAND_TEST(a_dialog_stays_where_it_is_in_a_core_found_by_dns),
        STAND_TEST(a_flood_of_ringing_does_not_drown_the_answer),
        STAND_TEST(a_response_without_the_callers_via_is_not_passed_on),
        STAND_TEST(an_unknown_method_passes_unchanged),
        STAND_TEST(requests_that_may_make_a_dialog_record_their_route),
        STAND_TEST(max_forwards_counts_down_or_begins),
        STAND_TEST(a_dialog_goes_on_when_the_key_changes),
        STAND_TEST(the_answer_after_a_slow_lookup_is_sent_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
