/* Calls that are given up: CANCEL in all its races (RFC 3261 9, 16.10). */
#include "tests/peering/proxy/stand.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void a_late_ringing_of_a_target_given_up_is_cancelled(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char late[8192], sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", late);
    expect(&stand->b2, "INVITE", sent);
    answer(stand, &stand->b1, late, "180 Ringing");
    expect(&stand->b1, "CANCEL sip:bob@two.example", text);
    answer(stand, &stand->b2, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

static void a_cancel_reaches_the_core_that_rings(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), cancel;
    char sent[8192], text[8192], invite_via[1024], cancel_via[1024];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    expect(&stand->a, "SIP/2.0 200", text);
    assert_non_null(strstr(text, "CSeq: 1 CANCEL\r\n"));
    expect(&stand->b1, "CANCEL sip:bob@two.example", text);
    header_of(sent, "Via", 0, invite_via);
    header_of(text, "Via", 0, cancel_via);
    assert_string_equal(invite_via, cancel_via);
    answer(stand, &stand->b1, text, "200 OK");
    answer(stand, &stand->b1, sent, "487 Request Terminated");
    expect(&stand->b1, "ACK", text);
    expect(&stand->a, "SIP/2.0 487", text);
}

/* With times so short that a test can see their ends. */
static void restart_hurried(struct stand *stand)
{
    stand->conf.times = (struct txn_times){10, 40, 50};
    stand_restart(stand);
}

static void expect_no_transactions(struct stand *stand)
{
    struct edge_stats stats;
    for (int waited_ms = 0; waited_ms < 2 * WAIT_MS; waited_ms += 20) {
        edge_stats_get(stand->edge, &stats);
        if (stats.transactions == 0)
            return;
        poll(NULL, 0, 20);
    }
    fail_msg("%zu transactions never end", (size_t)stats.transactions);
}

static void a_core_that_ignores_a_cancel_is_not_waited_for_for_ever(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), cancel;
    char sent[8192], text[8192];
    restart_hurried(stand);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    expect(&stand->b1, "CANCEL", text);
    expect(&stand->a, "SIP/2.0 487", text);
    expect_no_transactions(stand);
}

/* Timer C (RFC 3261 16.8): the search ended when it rang, and the core has no limit of its own. */
static void a_call_that_rings_without_end_is_ended(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    stand->conf.timer_c_ms = 100;
    restart_hurried(stand);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    expect(&stand->b1, "CANCEL sip:bob@two.example", text);
    answer(stand, &stand->b1, text, "200 OK");
    expect(&stand->a, "SIP/2.0 408", text);
    expect_nothing(&stand->b2);
    expect_no_transactions(stand);
}

/* Section 16.7 step 2. */
static void each_ringing_sets_timer_c_anew(void **state)
{
    enum { TIMER_C_MS = 2000, RINGS = 4, BETWEEN_MS = 700 };
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    stand->conf.timer_c_ms = TIMER_C_MS;
    stand_restart(stand);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    for (int i = 0; i < RINGS; i++) {
        answer(stand, &stand->b1, sent, "180 Ringing");
        expect(&stand->a, "SIP/2.0 180", text);
        if (receive(&stand->b1, text, BETWEEN_MS))
            fail_msg("not expected: %.200s", text);
    }
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
}

/* ---- a core over TCP ---- */

static struct core core_accept(const struct core *listening)
{
    struct pollfd pollfd = {.fd = listening->fd, .events = POLLIN};
    assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
    return (struct core){accept(listening->fd, NULL, NULL), listening->port};
}

static void answer_stream(const struct core *core, const char *request, const char *status)
{
    char text[8192];
    answer_text(core, request, status, text);
    assert_int_equal(send(core->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void a_cancel_reaches_a_core_whose_connection_broke(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:carol@three.example"), cancel;
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    struct core first = core_accept(&stand->c);
    expect(&first, "INVITE", sent);
    answer_stream(&first, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    close(first.fd);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    struct core second = core_accept(&stand->c);
    expect(&second, "CANCEL", text);
    answer_stream(&second, text, "200 OK");
    answer_stream(&second, sent, "487 Request Terminated");
    expect(&stand->a, "SIP/2.0 487", text);
    expect(&second, "ACK", text);
    close(second.fd);
}

/* Section 9.1: a CANCEL may overtake its INVITE, so it waits for a sign of life. */
static void a_cancel_waits_for_the_first_response(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:carol@three.example"), cancel;
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    struct core core = core_accept(&stand->c);
    expect(&core, "INVITE", sent);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    expect(&stand->a, "SIP/2.0 200", text);
    expect_nothing(&core);
    answer_stream(&core, sent, "100 Trying");
    expect(&core, "CANCEL", text);
    answer_stream(&core, text, "200 OK");
    answer_stream(&core, sent, "487 Request Terminated");
    expect(&stand->a, "SIP/2.0 487", text);
    expect(&core, "ACK", text);
    close(core.fd);
}

static void a_cancel_that_crosses_the_answer_changes_nothing(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), cancel;
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    do
        expect(&stand->a, "SIP/2.0 200", text);
    while (!strstr(text, "CSeq: 1 CANCEL\r\n"));
    expect_nothing(&stand->b1);
    answer(stand, &stand->b1, sent, "200 OK"); /* repeated, for want of an ACK */
    expect(&stand->a, "SIP/2.0 200", text);
}

/* The 200 was under way when the edge sent its CANCEL: somebody has picked up. */
static void a_2xx_that_crosses_the_cancel_goes_back(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), cancel;
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer(stand, &stand->b1, sent, "180 Ringing");
    expect(&stand->a, "SIP/2.0 180", text);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    expect(&stand->b1, "CANCEL", text);
    answer(stand, &stand->b1, text, "481 No Such Transaction");
    answer(stand, &stand->b1, sent, "200 OK");
    do
        expect(&stand->a, "SIP/2.0 200", text);
    while (!strstr(text, "CSeq: 1 INVITE\r\n"));
}

/* ---- a caller over TCP ---- */

static struct core connect_to(const struct stand *stand)
{
    struct core core = {socket(AF_INET, SOCK_STREAM, 0), 5060};
    assert_int_equal(
        connect(core.fd, (const struct sockaddr *)&stand->edge_addr, sizeof(stand->edge_addr)), 0);
    return core;
}

static void send_stream(const struct stand *stand, const struct core *core, const struct call *call)
{
    char text[8192];
    request_text(stand, core, call, text);
    assert_int_equal(send(core->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The kernel gives each connection to either worker. */
static void a_cancel_over_another_connection_finds_its_invite(void **state)
{
    enum { CALLS = 8 };
    struct stand *stand = *state;
    for (int i = 0; i < CALLS; i++) {
        struct call call = invite("sip:bob@two.example"), cancel;
        char sent[8192], text[8192];
        struct core first = connect_to(stand), second = connect_to(stand);
        call.headers = "Content-Length: 0\r\n";
        send_stream(stand, &first, &call);
        do
            expect(&stand->b1, "INVITE", sent);
        while (!strstr(sent, call.id));
        answer(stand, &stand->b1, sent, "180 Ringing");
        cancel = call;
        cancel.method = "CANCEL";
        send_stream(stand, &second, &cancel);
        expect(&second, "SIP/2.0 200", text);
        assert_non_null(strstr(text, "CSeq: 1 CANCEL\r\n"));
        expect(&stand->b1, "CANCEL", text);
        answer(stand, &stand->b1, text, "200 OK");
        answer(stand, &stand->b1, sent, "487 Request Terminated");
        do
            assert_true(receive(&first, text, WAIT_MS));
        while (!strstr(text, "SIP/2.0 487"));
        expect_nothing(&second);
        close(first.fd);
        close(second.fd);
    }
}

static void a_cancel_of_nothing_over_a_connection_is_told_so(void **state)
{
    struct stand *stand = *state;
    struct call cancel = invite("sip:bob@two.example");
    char text[8192];
    stand->conf.workers = 1;
    stand_restart(stand);
    struct core core = connect_to(stand);
    cancel.method = "CANCEL";
    cancel.headers = "Content-Length: 0\r\n";
    send_stream(stand, &core, &cancel);
    expect(&core, "SIP/2.0 481", text);
    close(core.fd);
}

/* Connects until the kernel takes no more, so that the edge's connection stays on its way. */
static bool fill_backlog(const struct core *core, int fds[8])
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons(core->port)};
    for (int i = 0; i < 8; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(connect(fds[i], (struct sockaddr *)&addr, sizeof(addr)) == 0 ||
                    errno == EINPROGRESS);
        struct pollfd pollfd = {.fd = fds[i], .events = POLLOUT};
        if (poll(&pollfd, 1, QUIET_MS) == 0)
            return true;
    }
    return false;
}

static void a_call_cancelled_before_its_connection_is_up_never_rings(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:carol@three.example"), cancel;
    char text[8192];
    int fds[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    bool full = fill_backlog(&stand->c, fds);
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 100", text);
    cancel = call;
    cancel.method = "CANCEL";
    send_request(stand, &stand->a, &cancel);
    expect(&stand->a, "SIP/2.0 487", text);
    struct pollfd pollfd = {.fd = stand->c.fd, .events = POLLIN};
    while (full && poll(&pollfd, 1, 1500) == 1) { /* the kernel's next try comes within 1 s */
        struct core core = core_accept(&stand->c);
        if (receive(&core, text, QUIET_MS))
            fail_msg("not expected: %.200s", text);
        close(core.fd);
    }
    for (int i = 0; i < 8; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (!full)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_late_ringing_of_a_target_given_up_is_cancelled),
        STAND_TEST(a_cancel_reaches_the_core_that_rings),
        STAND_TEST(a_core_that_ignores_a_cancel_is_not_waited_for_for_ever),
        STAND_TEST(a_call_that_rings_without_end_is_ended),
        STAND_TEST(each_ringing_sets_timer_c_anew),
        STAND_TEST(a_cancel_reaches_a_core_whose_connection_broke),
        STAND_TEST(a_cancel_waits_for_the_first_response),
        STAND_TEST(a_cancel_that_crosses_the_answer_changes_nothing),
        STAND_TEST(a_2xx_that_crosses_the_cancel_goes_back),
        STAND_TEST(a_cancel_over_another_connection_finds_its_invite),
        STAND_TEST(a_cancel_of_nothing_over_a_connection_is_told_so),
        STAND_TEST(a_call_cancelled_before_its_connection_is_up_never_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
