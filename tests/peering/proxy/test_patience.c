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

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_slow_answer_to_a_message_reaches_its_sender),
        STAND_TEST(a_message_without_an_answer_has_gone_to_one_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
