/* How long a target is waited for, and what ends the wait (RFC 3261 16.7, 17.1.2; RFC 4320). */
#include "tests/peering/proxy/stand.h"

#include <stdio.h>
#include <string.h>

/* One worker, so that each request knows what became of those before it. */
static void restart(struct stand *stand, unsigned t1_ms, unsigned search_ms)
{
    stand->conf.workers = 1;
    stand->conf.first_response_ms = 50;
    stand->conf.search_ms = search_ms;
    stand->conf.times.t1_ms = t1_ms;
    stand_restart(stand);
}

static struct call message(void)
{
    struct call call = invite("sip:bob@two.example");
    call.method = "MESSAGE";
    return call;
}

/* ---- what is no INVITE ---- */

static void a_slow_answer_to_a_message_reaches_its_sender(void **state)
{
    struct stand *stand = *state;
    struct call call = message();
    char sent[8192], text[8192];
    restart(stand, 500, 50);
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "MESSAGE", sent);
    expect_nothing(&stand->b2); /* though the time of a first response and of a search are over */
    expect_nothing(&stand->a);
    answer(stand, &stand->b1, sent, "200 OK");
    expect(&stand->a, "SIP/2.0 200", text);
    expect_nothing(&stand->b2);
}

/* It may have arrived: nobody else gets it, and the core is not blamed. */
static void a_message_without_an_answer_has_gone_to_one_core(void **state)
{
    struct stand *stand = *state;
    struct call first = message(), second = message();
    char text[8192];
    restart(stand, 5, WAIT_MS);
    send_request(stand, &stand->a, &first);
    expect(&stand->a, "SIP/2.0 480", text);
    while (receive(&stand->b1, text, QUIET_MS))
        ;
    send_request(stand, &stand->a, &second);
    do
        expect(&stand->b1, "MESSAGE", text);
    while (!strstr(text, second.id));
    expect_nothing(&stand->b2);
}

/* ---- where a datagram cannot arrive (RFC 3261 18.4) ---- */

/* Only what the network says makes it turn to another core before this test gives up. */
static void restart_patient(struct stand *stand)
{
    stand->conf.first_response_ms = stand->conf.search_ms = 3 * WAIT_MS;
    stand->conf.times.t1_ms = 500;
    stand_restart(stand);
}

/* Its port stays its own, but hears nobody except itself: ICMP says so to all others. */
static void make_deaf(const struct core *core)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons(core->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(core->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

/* Several times: the kernel tells any of the workers. */
static void a_core_whose_port_is_closed_is_left_at_once(void **state)
{
    struct stand *stand = *state;
    char sent[8192], text[8192];
    make_deaf(&stand->b1);
    for (int i = 0; i < 8; i++) {
        struct call call = i % 2 ? message() : invite("sip:bob@two.example");
        restart_patient(stand);
        send_request(stand, &stand->a, &call);
        do
            expect(&stand->b2, call.method, sent);
        while (!strstr(sent, call.id));
        answer(stand, &stand->b2, sent, "486 Busy Here");
        expect(&stand->a, "SIP/2.0 486", text);
    }
}

static void a_caller_hears_at_once_that_no_core_is_there(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char text[8192];
    make_deaf(&stand->b1);
    make_deaf(&stand->b2);
    restart_patient(stand);
    send_request(stand, &stand->a, &call);
    expect(&stand->a, "SIP/2.0 480", text);
    assert_non_null(strstr(text, "Connection refused"));
}

/* two.example's first core is at ::1 from now on, to which no listener of this edge can send. */
static void give_ipv6_core(struct stand *stand, unsigned count)
{
    struct store_command command = {.op = STORE_DOMAIN_PUT, .expected_version = STORE_ANY_VERSION};
    struct store_domain *domain = &command.domain;
    snprintf(domain->name, sizeof(domain->name), "two.example");
    domain->cores[0] =
        (struct store_core){.host = "::1", .port = stand->b1.port, .transport = SIP_UDP};
    domain->cores[1] =
        (struct store_core){.host = "127.0.0.1", .port = stand->b2.port, .transport = SIP_UDP};
    domain->core_count = count;
    assert_int_equal(stand_submit(stand, &command), 0);
}

static void a_core_of_a_family_without_listener_is_left_at_once(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example"), other = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    give_ipv6_core(stand, 2);
    restart_patient(stand);
    send_request(stand, &stand->a, &call);
    expect(&stand->b2, "INVITE", sent);
    answer(stand, &stand->b2, sent, "486 Busy Here");
    expect(&stand->a, "SIP/2.0 486", text);
    give_ipv6_core(stand, 1);
    send_request(stand, &stand->a, &other);
    expect(&stand->a, "SIP/2.0 480", text);
    assert_non_null(strstr(text, "no listener here for UDP over IPv6 towards ::1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_slow_answer_to_a_message_reaches_its_sender),
        STAND_TEST(a_message_without_an_answer_has_gone_to_one_core),
        STAND_TEST(a_core_whose_port_is_closed_is_left_at_once),
        STAND_TEST(a_caller_hears_at_once_that_no_core_is_there),
        STAND_TEST(a_core_of_a_family_without_listener_is_left_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
