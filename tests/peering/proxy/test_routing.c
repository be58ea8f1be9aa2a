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

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_request_that_comes_back_as_it_was_is_a_loop),
        STAND_TEST(a_request_that_comes_back_for_another_is_a_spiral),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
