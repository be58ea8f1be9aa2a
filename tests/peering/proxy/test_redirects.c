/* Redirects between cores of this edge: none of a core's is port data, and whoever follows one that
 * was finds the address (design 3.2, 3.3). Between edges: tests/integration/test_redirects.py. */
#include "tests/peering/proxy/stand.h"

#include <stdio.h>
#include <string.h>

static void answer_with(struct stand *stand, const char *request, const char *contact)
{
    char text[8192], whole[9000];
    answer_text(&stand->b1, request, "302 Moved Temporarily", text);
    char *line = strstr(text, "Contact: ");
    snprintf(whole, sizeof(whole), "%.*sContact: %s%s", (int)(line - text), text, contact,
             strstr(line, "\r\n"));
    send_text(stand, &stand->b1, whole);
}

static void a_redirect_that_looks_like_port_data_is_480(void **state)
{
    static const char *const contacts[] = {
        "<sip:bob%40two.example@opc.example>;expires=60",
        "<sips:bob%40two.example@opc.example>",
        "<sip:bob@elsewhere.example>, <sip:eve%40three.example@opc.example>",
    };
    struct stand *stand = *state;
    for (size_t i = 0; i < COUNT_OF(contacts); i++) {
        struct call call = invite("sip:bob@two.example");
        char sent[8192], text[8192];
        send_request(stand, &stand->a, &call);
        expect(&stand->b1, "INVITE", sent);
        answer_with(stand, sent, contacts[i]);
        expect(&stand->a, "SIP/2.0 480", text);
        assert_non_null(strstr(text, "in the form of port data"));
        assert_null(strstr(text, "Contact"));
        expect(&stand->b1, "ACK", text);
    }
}

static void a_core_that_may_give_port_data_is_passed_on(void **state)
{
    struct stand *stand = *state;
    struct store_command command = {.op = STORE_DOMAIN_PUT, .expected_version = STORE_ANY_VERSION};
    struct store_domain *two = &command.domain;
    snprintf(two->name, sizeof(two->name), "two.example");
    snprintf(two->cores[0].host, sizeof(two->cores[0].host), "127.0.0.1");
    two->cores[0].port = stand->b1.port;
    two->cores[0].transport = SIP_UDP;
    two->core_count = 1;
    two->redirects = true;
    assert_int_equal(stand_submit(stand, &command), 0);
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer_with(stand, sent, "<sip:bob%40two.example@opc.example>;expires=60");
    expect(&stand->a, "SIP/2.0 302 Moved Temporarily", text);
    assert_non_null(strstr(text, "Contact: <sip:bob%40two.example@opc.example>;expires=60\r\n"));
}

static void every_other_redirect_passes_unchanged(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:bob@two.example");
    char sent[8192], text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE", sent);
    answer_with(stand, sent, "<sip:bob@elsewhere.example>;q=0.7, <tel:+4930123>");
    expect(&stand->a, "SIP/2.0 302 Moved Temporarily", text);
    assert_non_null(strstr(text, "Contact: <sip:bob@elsewhere.example>;q=0.7, <tel:+4930123>\r\n"));
}

static void an_address_within_ours_is_the_one_that_is_called(void **state)
{
    struct stand *stand = *state;
    struct call call = invite("sip:B%6fb%40two.example@three.example;x=y");
    char text[8192];
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE sip:bob@two.example;x=y SIP/2.0", text);
    struct call nobody = invite("sip:nobody%40two.example@three.example");
    expect_refusal(stand, &nobody, "SIP/2.0 404", "no such address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(a_redirect_that_looks_like_port_data_is_480),
        STAND_TEST(a_core_that_may_give_port_data_is_passed_on),
        STAND_TEST(every_other_redirect_passes_unchanged),
        STAND_TEST(an_address_within_ours_is_the_one_that_is_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
