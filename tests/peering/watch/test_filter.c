#include "tests/peering/watch/message.h"

#include <errno.h>

#define REQUEST(uri, from, to, more)                                                               \
    "MESSAGE " uri " SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <" from                \
    ">;tag=a\r\nTo: <" to ">\r\nCall-ID: a\r\nCSeq: 1 MESSAGE\r\n" more                            \
    "Content-Length: 0\r\n\r\n"

static void the_text_of_a_filter_is_read(void **state)
{
    struct watch_filter filter;
    struct store_fault fault;
    (void)state;
    assert_int_equal(watch_filter_read("", &filter, &fault), 0);
    assert_string_equal(filter.domain, "");
    assert_int_equal(watch_filter_read("OPB.Example", &filter, &fault), 0);
    assert_string_equal(filter.domain, "opb.example");
    assert_string_equal(filter.user, "");
    assert_int_equal(watch_filter_read("B%6Fb@opb.example", &filter, &fault), 0);
    assert_string_equal(filter.address, "bob@opb.example");
    assert_int_equal(watch_filter_read("bob@", &filter, &fault), -EINVAL);
    assert_int_equal(watch_filter_read("a b", &filter, &fault), -EINVAL);
}

static const struct {
    const char *filter, *peer, *text;
    bool fits;
} cases[] = {
    {"", "", REQUEST("sip:b@y.example", "sip:a@x.example", "sip:b@y.example", ""), true},
    {"a@x.example", "", REQUEST("sip:b@y.example", "sip:%41@X.EXAMPLE", "sip:b@y.example", ""),
     true},
    {"b@y.example", "", REQUEST("sip:c@z.example", "sip:a@x.example", "sip:b@y.example", ""), true},
    {"b@y.example", "", REQUEST("sips:b@y.example", "sip:a@x.example", "sip:c@z.example", ""),
     true},
    {"b@y.example", "",
     REQUEST("sip:b%40y.example@z.example", "sip:a@x.example", "sip:c@z.example", ""), true},
    {"p@x.example", "",
     REQUEST("sip:b@y.example", "sip:anonymous@anonymous.invalid", "sip:b@y.example",
             "P-Asserted-Identity: <tel:+1>, <sip:p@x.example>\r\n"),
     true},
    {"b@y.example", "y.example",
     REQUEST("sip:c@y.example", "sip:a@x.example", "sip:c@y.example", ""), false},
    {"y.example", "", REQUEST("sip:c@y.example", "sip:a@x.example", "sip:c@z.example", ""), true},
    {"z.example", "z.example", REQUEST("sip:c@y.example", "sip:a@x.example", "sip:c@y.example", ""),
     true},
    {"z.example", "y.example", REQUEST("tel:+1", "sip:z.example@x.example", "sip:c@y.example", ""),
     false},
};

static void a_message_fits_where_it_names_the_address_or_domain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct message message;
        struct watch_filter filter;
        struct watch_hop hop = {.peer = cases[i].peer};
        assert_int_equal(watch_filter_read(cases[i].filter, &filter, NULL), 0);
        if (watch_filter_fits(&filter, &hop, message_read(&message, cases[i].text)) !=
            cases[i].fits)
            fail_msg("%zu: %s", i, cases[i].filter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_of_a_filter_is_read),
        cmocka_unit_test(a_message_fits_where_it_names_the_address_or_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
