/* Connections that are dead before anybody knows: to cores, and of callers. */
#include "tests/peering/proxy/stand.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One worker: a connection belongs to a worker, and the second request must find it. */
static void restart_alone(struct stand *stand)
{
    stand->conf.workers = 1;
    stand_restart(stand);
}

static struct core core_accept(const struct core *listening)
{
    struct pollfd pollfd = {.fd = listening->fd, .events = POLLIN};
    assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
    return (struct core){accept(listening->fd, NULL, NULL), listening->port};
}

static void expect_no_connection(const struct core *listening)
{
    struct pollfd pollfd = {.fd = listening->fd, .events = POLLIN};
    assert_int_equal(poll(&pollfd, 1, QUIET_MS), 0);
}

static struct call message(void)
{
    struct call call = invite("sip:carol@three.example");
    call.method = "MESSAGE";
    return call;
}

/* Carol's core serves one MESSAGE and has the connection open still. */
static struct core connection_in_use(struct stand *stand)
{
    struct call call = message();
    char text[8192], sent[8192];
    send_request(stand, &stand->a, &call);
    struct core core = core_accept(&stand->c);
    expect(&core, "MESSAGE", sent);
    answer_text(&core, sent, "200 OK", text);
    assert_int_equal(send(core.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    expect(&stand->a, "SIP/2.0 200", text);
    return core;
}

/* With the same branch: a core that has it already takes it for a retransmission. */
static void a_call_on_a_connection_that_broke_goes_on_over_another_once(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:carol@three.example");
    char sent[8192], again[8192], text[8192], via[1024], via_again[1024];
    restart_alone(stand);
    struct core first = connection_in_use(stand);
    send_request(stand, &stand->a, &call);
    expect(&first, "INVITE", sent);
    close(first.fd);
    struct core second = core_accept(&stand->c);
    expect(&second, "INVITE", again);
    header_of(sent, "Via", 0, via);
    header_of(again, "Via", 0, via_again);
    assert_string_equal(via, via_again);
    close(second.fd);
    expect(&stand->a, "SIP/2.0 480", text);
    expect_no_connection(&stand->c);
}

static void the_other_connection_carries_the_answer(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:carol@three.example");
    char sent[8192], text[8192];
    call.method = "OPTIONS"; /* no harm if it arrives twice */
    restart_alone(stand);
    struct core first = connection_in_use(stand);
    send_request(stand, &stand->a, &call);
    expect(&first, "OPTIONS", sent);
    close(first.fd);
    struct core second = core_accept(&stand->c);
    expect(&second, "OPTIONS", sent);
    answer_text(&second, sent, "202 Accepted", text);
    assert_int_equal(send(second.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    expect(&stand->a, "SIP/2.0 202", text);
    close(second.fd);
}

/* A connection made for the request itself was no chance lost by others. */
static void a_new_connection_has_no_second_chance(void **state)
{
    struct stand *stand = *state;
    struct call call = message();
    char text[8192];
    send_request(stand, &stand->a, &call);
    struct core core = core_accept(&stand->c);
    expect(&core, "MESSAGE", text);
    close(core.fd);
    expect(&stand->a, "SIP/2.0 480", text);
    expect_no_connection(&stand->c);
}

/* three.example has b1 as well from now on, after c. */
static void add_second_core(struct stand *stand)
{
    struct store_command command = {.op = STORE_DOMAIN_PUT, .expected_version = STORE_ANY_VERSION};
    struct store_domain *domain = &command.domain;
    snprintf(domain->name, sizeof(domain->name), "three.example");
    domain->cores[0] =
        (struct store_core){.host = "127.0.0.1", .port = stand->c.port, .transport = SIP_TCP};
    domain->cores[1] =
        (struct store_core){.host = "127.0.0.1", .port = stand->b1.port, .transport = SIP_UDP};
    domain->core_count = 2;
    assert_int_equal(stand_submit(stand, &command), 0);
}

/* RFC 3261 16.9 would have it sent to the next target, and somebody would read it twice. */
static void a_text_that_may_have_arrived_is_not_delivered_again(void **state)
{
    struct stand *stand = *state;
    struct call call = message();
    char sent[8192], text[8192];
    restart_alone(stand);
    add_second_core(stand);
    struct core core = connection_in_use(stand);
    send_request(stand, &stand->a, &call);
    expect(&core, "MESSAGE", sent);
    close(core.fd);
    expect(&stand->a, "SIP/2.0 480", text);
    assert_non_null(strstr(text, "it may have been delivered"));
    expect_no_connection(&stand->c);
    expect_nothing(&stand->b1);
}

static void reset_connection(const struct core *core)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(core->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(core->fd);
}

/* A long text fills the window of a core that does not read; what follows cannot have arrived. */
static void a_text_that_cannot_have_arrived_is_sent_again(void **state)
{
    static char content[6501];
    struct stand *stand = *state;
    struct call filling = message(), call = message();
    char text[8192], id[1024];
    int small = 4096;
    struct pollfd pollfd = {.events = POLLIN};
    restart_alone(stand);
    setsockopt(stand->c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    struct core core = connection_in_use(stand);
    memset(content, 'x', sizeof(content) - 1);
    memcpy(content, "\r\n", 2);
    filling.body = content;
    send_request(stand, &stand->a, &filling);
    pollfd.fd = core.fd;
    assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
    send_request(stand, &stand->a, &call);
    expect_nothing(&stand->a);
    reset_connection(&core);
    struct core second = core_accept(&stand->c);
    expect(&second, "MESSAGE", text);
    header_of(text, "Call-ID", 0, id);
    assert_non_null(strstr(id, call.id));
    assert_null(strstr(text, "xxxx"));
    expect(&stand->a, "SIP/2.0 480", text);
    header_of(text, "Call-ID", 0, id);
    assert_non_null(strstr(id, filling.id));
    close(second.fd);
}

static void call_carol(struct stand *stand, struct core *core, char sent[8192])
{
    struct call call = invite("sip:carol@three.example");
    send_request(stand, &stand->a, &call);
    *core = core_accept(&stand->c);
    expect(core, "INVITE", sent);
}

/* It has said what there was to say: the next call goes there again. */
static void a_connection_that_closes_with_its_answer_did_not_fail(void **state)
{
    struct stand *stand = *state;
    struct core core;
    char sent[8192], text[8192];
    add_second_core(stand);
    restart_alone(stand);
    call_carol(stand, &core, sent);
    answer_text(&core, sent, "200 OK", text);
    assert_int_equal(send(core.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    close(core.fd);
    expect(&stand->a, "SIP/2.0 200", text);
    expect_nothing(&stand->b1); /* and the edge has seen the end of the connection */
    call_carol(stand, &core, sent);
    assert_false(receive(&stand->b1, text, 0)); /* the second, and not asked before it */
    close(core.fd);
}

/* The content that is too long is passed over, and the connection has others' answers still. */
static void an_answer_that_is_too_long_ends_its_request_alone(void **state)
{
    static char content[70000];
    struct stand *stand = *state;
    struct call first = message(), second = message();
    char sent_first[8192], sent[8192], text[8192];
    restart_alone(stand);
    add_second_core(stand);
    struct core core = connection_in_use(stand);
    send_request(stand, &stand->a, &first);
    expect(&core, "MESSAGE", sent_first);
    send_request(stand, &stand->a, &second);
    expect(&core, "MESSAGE", sent);
    answer_text(&core, sent_first, "200 OK", text);
    snprintf(strstr(text, "Content-Length: 0"), 100, "Content-Length: %zu\r\n\r\n",
             sizeof(content));
    assert_int_equal(send(core.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    expect(&stand->a, "SIP/2.0 502", text);
    assert_non_null(strstr(text, "the answer of three.example is longer than 65535 bytes"));
    memset(content, 'x', sizeof(content));
    assert_int_equal(send(core.fd, content, sizeof(content), MSG_NOSIGNAL), sizeof(content));
    answer_text(&core, sent, "200 OK", text);
    assert_int_equal(send(core.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    expect(&stand->a, "SIP/2.0 200", text);
    expect_no_connection(&stand->c); /* nothing was delivered twice */
    expect_nothing(&stand->b1);
    close(core.fd);
}

static void answer_and_close(struct core *core, const char *sent, const char *status)
{
    char text[8192];
    answer_text(core, sent, status, text);
    assert_int_equal(send(core->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    close(core->fd);
}

/* It comes over a connection of its own, in case the core is there still. */
static void expect_cancel(const struct stand *stand)
{
    struct core core = core_accept(&stand->c);
    char text[8192];
    expect(&core, "CANCEL", text);
    close(core.fd);
}

static void a_core_that_took_note_and_vanished_is_left_for_the_next(void **state)
{
    struct stand *stand = *state;
    struct core core;
    char sent[8192], text[8192];
    add_second_core(stand);
    call_carol(stand, &core, sent);
    answer_and_close(&core, sent, "100 Trying");
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    expect_cancel(stand);
}

static void a_core_that_rang_and_vanished_does_not_hold_the_call_for_minutes(void **state)
{
    struct stand *stand = *state;
    struct core core;
    char sent[8192], text[8192];
    call_carol(stand, &core, sent);
    answer_and_close(&core, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 408", text);
    assert_non_null(strstr(text, "no final response in time after its connection closed"));
    expect_cancel(stand);
}

static struct core connect_edge(const struct stand *stand)
{
    struct core core = {socket(AF_INET, SOCK_STREAM, 0), stand->c.port};
    assert_int_equal(
        connect(core.fd, (const struct sockaddr *)&stand->edge_addr, sizeof(stand->edge_addr)), 0);
    return core;
}

/* The call is at core b1 by now: carol's says, over a connection of its own, that it rings. */
static void rings_in_vain(struct stand *stand, const char *sent, const char *next)
{
    struct core core = connect_edge(stand);
    char text[8192];
    answer_and_close(&core, sent, "180 Ringing");
    expect_cancel(stand);
    answer(stand, &stand->b1, next, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

static void what_rings_after_its_connection_broke_is_cancelled(void **state)
{
    struct stand *stand = *state;
    struct core core;
    char sent[8192], next[8192];
    add_second_core(stand);
    call_carol(stand, &core, sent);
    close(core.fd);
    expect(&stand->b1, "INVITE", next);
    rings_in_vain(stand, sent, next);
}

static void what_rings_after_it_was_given_up_and_broke_is_cancelled(void **state)
{
    struct stand *stand = *state;
    struct core core;
    char sent[8192], next[8192];
    add_second_core(stand);
    call_carol(stand, &core, sent);
    expect(&stand->b1, "INVITE", next); /* after its silence */
    close(core.fd);
    rings_in_vain(stand, sent, next);
}

/* RFC 3261 18.2.2: from a connection that the core opens, since the call's has closed. */
static void what_rang_may_answer_on_another_connection(void **state)
{
    struct stand *stand = *state;
    struct core core, other;
    char sent[8192], text[8192];
    stand->conf.first_response_ms = WAIT_MS;
    stand->conf.search_ms = 3 * WAIT_MS;
    stand_restart(stand);
    call_carol(stand, &core, sent);
    answer_and_close(&core, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    other = connect_edge(stand);
    answer_and_close(&other, sent, "200 OK");
    do
        expect(&stand->a, "SIP/2.0 ", text);
    while (strncmp(text, "SIP/2.0 1", 9) == 0);
    assert_memory_equal(text, "SIP/2.0 200", 11);
}

/* ---- callers over TCP ---- */

/* An INVITE to bob over a connection that its caller closes, with this port in its Via. Core b1 has
 * it then. */
static void call_and_vanish(struct stand *stand, uint16_t port, char sent[8192])
{
    struct call call = invite("sip:bob@two.example");
    struct core caller = {socket(AF_INET, SOCK_STREAM, 0), port};
    char text[8192];
    assert_int_equal(
        connect(caller.fd, (const struct sockaddr *)&stand->edge_addr, sizeof(stand->edge_addr)),
        0);
    call.headers = "Content-Length: 0\r\n";
    request_text(stand, &caller, &call, text);
    assert_int_equal(send(caller.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    expect(&caller, "SIP/2.0 100", text);
    expect(&stand->b1, "INVITE", sent);
    close(caller.fd);
}

/* RFC 3261 18.2.2: to where the caller is, at the port that its Via names. */
static void an_answer_finds_a_caller_whose_connection_broke(void **state)
{
    struct stand *stand = *state;
    char sent[8192], text[8192];
    call_and_vanish(stand, stand->c.port, sent);
    answer(stand, &stand->b1, sent, "180 Ringing");
    struct core back = core_accept(&stand->c);
    expect(&back, "SIP/2.0 180", text);
    close(back.fd);
}

/* RFC 3261 16.9: else any caller could end calls by its Via. */
static void an_answer_that_finds_nobody_cancels_nothing(void **state)
{
    struct stand *stand = *state;
    char sent[8192], text[8192];
    struct core nobody = {socket(AF_INET, SOCK_STREAM, 0), 0};
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    assert_int_equal(bind(nobody.fd, (struct sockaddr *)&addr, len), 0); /* and does not listen */
    assert_int_equal(getsockname(nobody.fd, (struct sockaddr *)&addr, &len), 0);
    call_and_vanish(stand, ntohs(addr.sin_port), sent);
    answer(stand, &stand->b1, sent, "180 Ringing");
    while (receive(&stand->b1, text, 2 * QUIET_MS)) /* the INVITE, perhaps, repeated before */
        assert_null(strstr(text, "CANCEL"));
    close(nobody.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_call_on_a_connection_that_broke_goes_on_over_another_once),
        STAND_TEST(the_other_connection_carries_the_answer),
        STAND_TEST(a_text_that_may_have_arrived_is_not_delivered_again),
        STAND_TEST(a_text_that_cannot_have_arrived_is_sent_again),
        STAND_TEST(a_new_connection_has_no_second_chance),
        STAND_TEST(a_connection_that_closes_with_its_answer_did_not_fail),
        STAND_TEST(an_answer_that_is_too_long_ends_its_request_alone),
        STAND_TEST(a_core_that_took_note_and_vanished_is_left_for_the_next),
        STAND_TEST(a_core_that_rang_and_vanished_does_not_hold_the_call_for_minutes),
        STAND_TEST(what_rings_after_its_connection_broke_is_cancelled),
        STAND_TEST(what_rings_after_it_was_given_up_and_broke_is_cancelled),
        STAND_TEST(what_rang_may_answer_on_another_connection),
        STAND_TEST(an_answer_finds_a_caller_whose_connection_broke),
        STAND_TEST(an_answer_that_finds_nobody_cancels_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
