/* A message of the operator's own to one of his addresses, at its core (edge_message). */
#include "tests/peering/proxy/stand.h"

#include "base/status.h"

#include <string.h>

static const struct store_address bob = {.user = "bob", .domain = "two.example"};

static int say(struct stand *stand, const char *text)
{
    return edge_message(stand->edge, "two.example", &bob, text);
}

static void it_arrives_at_the_core_and_says_who_it_is_from(void **state)
{
    struct stand *stand = *state;
    char text[8192], value[1024];
    assert_int_equal(say(stand, "Your address is moving to opc.example. \xc3\x84"), 0);
    expect(&stand->b1, "MESSAGE sip:bob@two.example SIP/2.0\r\n", text);
    header_of(text, "From", 0, value);
    assert_non_null(strstr(value, "<sip:two.example>;tag="));
    header_of(text, "To", 0, value);
    assert_string_equal(value, "<sip:bob@two.example>");
    header_of(text, "Content-Type", 0, value);
    assert_string_equal(value, "text/plain;charset=UTF-8");
    assert_string_equal(strstr(text, "\r\n\r\n") + 4,
                        "Your address is moving to opc.example. \xc3\x84");
    answer(stand, &stand->b1, text, "200 OK");
    expect_nothing(&stand->b1);
    expect_nothing(&stand->b2);
}

static void a_core_that_does_not_serve_now_is_no_end(void **state)
{
    struct stand *stand = *state;
    char text[8192];
    assert_int_equal(say(stand, "hello"), 0);
    expect(&stand->b1, "MESSAGE ", text);
    answer(stand, &stand->b1, text, "503 Service Unavailable");
    expect(&stand->b2, "MESSAGE sip:bob@two.example ", text);
    answer(stand, &stand->b2, text, "202 Accepted");
}

static void nor_is_a_silent_one(void **state)
{
    struct stand *stand = *state;
    char text[8192];
    stand->conf.first_response_ms = 200;
    stand_restart(stand);
    assert_int_equal(say(stand, "hello"), 0);
    expect(&stand->b2, "MESSAGE sip:bob@two.example ", text);
    answer(stand, &stand->b2, text, "200 OK");
}

static void a_refusal_is(void **state)
{
    struct stand *stand = *state;
    char text[8192];
    assert_int_equal(say(stand, "hello"), 0);
    expect(&stand->b1, "MESSAGE ", text);
    answer(stand, &stand->b1, text, "404 Not Found");
    expect_nothing(&stand->b2);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    struct stand *stand = *state;
    char text[EDGE_MESSAGE_MAX + 2];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(say(stand, text), STATUS_MALFORMED);
    assert_int_equal(say(stand, "hello\r\n\r\nBYE sip:bob@two.example SIP/2.0"), STATUS_MALFORMED);
    assert_int_equal(say(stand, "\xff"), STATUS_MALFORMED);
    assert_int_equal(edge_message(stand->edge, "opx.example", &bob, "hello"), STATUS_NOTFOUND);
    text[EDGE_MESSAGE_MAX] = '\0';
    assert_int_equal(say(stand, text), 0);
}

/* And what is still under way when the edge ends leaves nothing behind. */
static void so_many_are_under_way_and_no_more(void **state)
{
    struct stand *stand = *state;
    for (int i = 0; i < 64; i++)
        assert_int_equal(say(stand, "hello"), 0);
    assert_int_equal(say(stand, "hello"), STATUS_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(it_arrives_at_the_core_and_says_who_it_is_from),
        STAND_TEST(a_core_that_does_not_serve_now_is_no_end),
        STAND_TEST(nor_is_a_silent_one),
        STAND_TEST(a_refusal_is),
        STAND_TEST(what_cannot_be_sent_is_refused),
        STAND_TEST(so_many_are_under_way_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
