#include "base/status.h"
#include "tests/peering/sip/sip_test.h"

#include <errno.h>

static void good_uris_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sip_scheme scheme;
        const char *user, *password, *host;
        enum sip_host_kind kind;
        unsigned port;
        const char *params, *headers;
    } table[] = {
        {"sip:example.com", SIP_SCHEME_SIP, "", "", "example.com", SIP_HOST_NAME, 0, "", ""},
        {"SIP:bob@Example.COM", SIP_SCHEME_SIP, "bob", "", "Example.COM", SIP_HOST_NAME, 0, "", ""},
        {"sips:bob:pw@h:5061;a=b;lr?X=y&Z=", SIP_SCHEME_SIPS, "bob", "pw", "h", SIP_HOST_NAME, 5061,
         ";a=b;lr", "X=y&Z="},
        /* RFC 3261 section 19.1.3 */
        {"sip:alice:secretword@atlanta.com;transport=tcp", SIP_SCHEME_SIP, "alice", "secretword",
         "atlanta.com", SIP_HOST_NAME, 0, ";transport=tcp", ""},
        {"sips:alice@atlanta.com?subject=project%20x&priority=urgent", SIP_SCHEME_SIPS, "alice", "",
         "atlanta.com", SIP_HOST_NAME, 0, "", "subject=project%20x&priority=urgent"},
        {"sip:+1-212-555-1212:1234@gateway.com;user=phone", SIP_SCHEME_SIP, "+1-212-555-1212",
         "1234", "gateway.com", SIP_HOST_NAME, 0, ";user=phone", ""},
        {"sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com", SIP_SCHEME_SIP, "", "",
         "atlanta.com", SIP_HOST_NAME, 0, ";method=REGISTER", "to=alice%40atlanta.com"},
        {"sip:alice;day=tuesday@atlanta.com", SIP_SCHEME_SIP, "alice;day=tuesday", "",
         "atlanta.com", SIP_HOST_NAME, 0, "", ""},
        {"sip:bob%40opb.example@opc.example", SIP_SCHEME_SIP, "bob%40opb.example", "",
         "opc.example", SIP_HOST_NAME, 0, "", ""},
        {"sip:a?b/c,d&e=f$g+h@x.y.", SIP_SCHEME_SIP, "a?b/c,d&e=f$g+h", "", "x.y.", SIP_HOST_NAME,
         0, "", ""},
        {"sip:bob:@h", SIP_SCHEME_SIP, "bob", "", "h", SIP_HOST_NAME, 0, "", ""},
        {"sip:192.0.2.4:05060", SIP_SCHEME_SIP, "", "", "192.0.2.4", SIP_HOST_IP4, 5060, "", ""},
        {"sip:[2001:db8::10]:5070;x=[::1]", SIP_SCHEME_SIP, "", "", "2001:db8::10", SIP_HOST_IP6,
         5070, ";x=[::1]", ""},
        {"sip:a@my_host.example", SIP_SCHEME_SIP, "a", "", "my_host.example", SIP_HOST_NAME, 0, "",
         ""},
        {"tel:+1-201-555-0123", SIP_SCHEME_TEL, "+1-201-555-0123", "", "", SIP_HOST_NAME, 0, "",
         ""},
        {"tel:7042;phone-context=example.com", SIP_SCHEME_TEL, "7042", "", "", SIP_HOST_NAME, 0,
         ";phone-context=example.com", ""},
        {"tel:*21#;phone-context=+49", SIP_SCHEME_TEL, "*21#", "", "", SIP_HOST_NAME, 0,
         ";phone-context=+49", ""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct sip_uri uri;
        assert_row(sip_uri_decode(slice_of(table[i].text), &uri) == 0, table[i].text);
        assert_int_equal(uri.scheme, table[i].scheme);
        assert_slice(uri.bytes, table[i].text);
        assert_slice(uri.user, table[i].user);
        assert_int_equal(uri.has_user, *table[i].user != '\0');
        assert_slice(uri.password, table[i].password);
        assert_slice(uri.host, table[i].host);
        assert_int_equal(uri.host_kind, table[i].kind);
        assert_int_equal(uri.port, table[i].port);
        assert_slice(uri.params, table[i].params);
        assert_slice(uri.headers, table[i].headers);
    }
}

static void other_schemes_are_known_by_their_name_only(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme;
    } table[] = {
        {"soap.beep://192.0.2.103:3002", "soap.beep"},
        {"nobodyKnowsThisScheme:totallyopaquecontent", "nobodyKnowsThisScheme"},
        {"http://www.example.com/?a=b;c,d", "http"},
        {"siptel:x", "siptel"},
        {"isbn:2983792873", "isbn"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct sip_uri uri;
        assert_row(sip_uri_decode(slice_of(table[i].text), &uri) == 0, table[i].text);
        assert_int_equal(uri.scheme, SIP_SCHEME_OTHER);
        assert_slice(uri.bytes, table[i].text);
        assert_slice(uri.scheme_text, table[i].scheme);
        assert_false(uri.has_user);
        assert_slice(uri.host, "");
    }
}

static void malformed_uris_are_refused_and_leave_the_result_alone(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "sip",
        "sip:",
        ":x",
        "1sip:x",
        "bob@example.com",
        "sip:@example.com",
        "sip:bob@",
        "sip::pw@example.com",
        "sip:bob:p:w@example.com",
        "sip:bob@a@b",
        "sip:a b@example.com",
        "sip:bob@example.com ",
        "sip:bob@exam ple.com",
        "sip:bob%4@example.com",
        "sip:bob%zz@example.com",
        "sip:b\xc3\xb6@example.com",
        "sip:bob\"@example.com",
        "sip:bob@example.com:",
        "sip:bob@example.com:0",
        "sip:bob@example.com:65536",
        "sip:bob@example.com:99999999999999999999",
        "sip:bob@example.com:50a",
        "sip:bob@example.com;",
        "sip:bob@example.com;;lr",
        "sip:bob@example.com;=x",
        "sip:bob@example.com;x=",
        "sip:bob@example.com;x=y=z",
        "sip:bob@example.com;x=\"y\"",
        "sip:bob@example.com;x= y",
        "sip:bob@example.com?",
        "sip:bob@example.com?a=<b>",
        "sip:bob@example.com/x",
        "sip:-a.example",
        "sip:a-.example",
        "sip:a..example",
        "sip:.example",
        "sip:.",
        "sip:example.1com",
        "sip:1.2.3",
        "sip:1.2.3.4.5",
        "sip:256.1.1.1",
        "sip:01.2.3.4",
        "sip:1.2.3.4.",
        "sip:2001:db8::10",
        "sip:[2001:db8::10",
        "sip:[]",
        "sip:[::1]x",
        "sip:[1:2:3:4:5:6:7]",
        "sip:[1:2:3:4:5:6:7:8:9]",
        "sip:[1::2::3]",
        "sip:[1:2:3:4:5:6:7::8:9]",
        "sip:[:1:2:3:4:5:6:7]",
        "sip:[1:2:3:4:5:6:7:]",
        "sip:[::12345]",
        "sip:[fe80::1%eth0]",
        "sip:[1:::2]",
        "sip:[::1.2.3.4:5]",
        "sip:[1:2:3:4:5:6:7:1.2.3.4]",
        "tel:",
        "tel:+",
        "tel:--",
        "tel:+12#3",
        "tel:+12a",
        "tel:1+2",
        "tel:123;",
        "tel:123?x=y",
        "tel:12 3",
        "http:",
        "http:<x>",
        "http:a b",
        "http:\"",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct sip_uri uri = {.port = 4711};
        assert_row(sip_uri_decode(slice_of(table[i]), &uri) == STATUS_MALFORMED, table[i]);
        assert_int_equal(uri.port, 4711);
    }
}

static void ip6_references_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {
        "sip:[::]",
        "sip:[::1]",
        "sip:[1::]",
        "sip:[1:2:3:4:5:6:7:8]",
        "sip:[1::8]",
        "sip:[1:2:3:4:5:6:7::]",
        "sip:[::2:3:4:5:6:7:8]",
        "sip:[2001:DB8::10:5070]",
        "sip:[::ffff:192.0.2.10]",
        "sip:[1:2:3:4:5:6:192.0.2.1]",
        "sip:[2001:db8::192.0.2.1]",
        "sip:[2001:db8:::192.0.2.1]", /* RFC 5118 section 4.10 */
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct sip_uri uri;
        assert_row(sip_uri_decode(slice_of(good[i]), &uri) == 0, good[i]);
        assert_int_equal(uri.host_kind, SIP_HOST_IP6);
        assert_int_equal(uri.host.len, strlen(good[i]) - strlen("sip:[]"));
    }
}

static void host_names_and_labels_have_a_longest_form(void **state)
{
    (void)state;
    char text[300] = "sip:";
    struct sip_uri uri;

    memset(text + 4, 'a', 63);
    assert_int_equal(sip_uri_decode(slice_make(text, 4 + 63), &uri), 0);
    text[4 + 63] = 'a';
    assert_int_equal(sip_uri_decode(slice_make(text, 4 + 64), &uri), STATUS_MALFORMED);

    for (size_t i = 0; i < 254; i++)
        text[4 + i] = i % 2 == 0 ? 'a' : '.';
    assert_int_equal(sip_uri_decode(slice_make(text, 4 + 253), &uri), 0);
    assert_int_equal(sip_uri_decode(slice_make(text, 4 + 254), &uri), 0); /* the final dot */
    text[4 + 254] = 'a';
    assert_int_equal(sip_uri_decode(slice_make(text, 4 + 255), &uri), STATUS_MALFORMED);
}

static void parameters_are_found_by_name(void **state)
{
    (void)state;
    struct slice params = SLICE(";lr;Transport=TCP ; tag\r\n =\t\"a;tag=b\\\"\" ;x;tag=2");
    struct slice value = SLICE("untouched");

    assert_true(sip_param(params, "LR", &value));
    assert_slice(value, "");
    assert_true(sip_param(params, "transport", &value));
    assert_slice(value, "TCP");
    assert_true(sip_param(params, "tag", &value));
    assert_slice(value, "\"a;tag=b\\\"\"");
    assert_true(sip_param(params, "x", NULL));
    value = SLICE("untouched");
    assert_false(sip_param(params, "l", &value));
    assert_false(sip_param(params, "lrx", &value));
    assert_false(sip_param(SLICE(""), "lr", &value));
    assert_false(sip_param(slice_make(NULL, 0), "lr", &value));
    assert_false(sip_param(SLICE(";a=\"unclosed;b"), "b", &value));
    assert_slice(value, "untouched");
}

static void an_escaped_name_of_a_uri_parameter_is_found(void **state)
{
    (void)state;
    struct sip_uri uri;
    struct slice value;

    assert_int_equal(sip_uri_decode(SLICE("sip:h;%6C%72;m%61Ddr=1.2.3.4;a%00=x"), &uri), 0);
    assert_true(sip_uri_param(&uri, "lr", NULL));
    assert_true(sip_uri_param(&uri, "maddr", &value));
    assert_slice(value, "1.2.3.4");
    assert_false(sip_uri_param(&uri, "a", NULL));
    assert_false(sip_uri_param(&uri, "madd", NULL));
    assert_false(sip_param(uri.params, "lr", NULL));

    assert_int_equal(sip_uri_decode(SLICE("sip:h;lr;maddr=1.2.3.4"), &uri), 0);
    assert_true(sip_uri_param(&uri, "maddr", &value));
    assert_slice(value, "1.2.3.4");
}

static void escapes_are_undone_once(void **state)
{
    (void)state;
    char out[16];

    assert_int_equal(sip_unescape(SLICE("sips%3Auser%40x"), out, sizeof(out)), 11);
    assert_memory_equal(out, "sips:user@x", 11);
    assert_int_equal(sip_unescape(SLICE("v%25%34%31"), out, sizeof(out)), 4);
    assert_memory_equal(out, "v%41", 4);
    assert_int_equal(sip_unescape(SLICE("%00%00"), out, sizeof(out)), 2);
    assert_memory_equal(out, "\0\0", 2);
    assert_int_equal(sip_unescape(SLICE(""), out, 0), 0);
    assert_int_equal(sip_unescape(SLICE("abcd"), out, 4), 4);
    assert_int_equal(sip_unescape(SLICE("abcd"), out, 3), -ERANGE);
    assert_int_equal(sip_unescape(SLICE("a%4"), out, sizeof(out)), -EINVAL);
    assert_int_equal(sip_unescape(SLICE("a%"), out, sizeof(out)), -EINVAL);
    assert_int_equal(sip_unescape(SLICE("%g0"), out, sizeof(out)), -EINVAL);
}

static void transports_have_their_names(void **state)
{
    (void)state;
    enum sip_transport transport = SIP_SCTP;

    assert_int_equal(sip_transport_parse(SLICE("UdP"), &transport), 0);
    assert_int_equal(transport, SIP_UDP);
    assert_int_equal(sip_transport_parse(SLICE("tls"), &transport), 0);
    assert_int_equal(transport, SIP_TLS);
    assert_int_equal(sip_transport_parse(SLICE("ws"), &transport), -EINVAL);
    assert_int_equal(sip_transport_parse(SLICE(""), &transport), -EINVAL);
    assert_int_equal(transport, SIP_TLS);
    assert_string_equal(sip_transport_name(SIP_SCTP), "SCTP");
    assert_string_equal(sip_transport_name(SIP_TCP), "TCP");
    assert_true(sip_transport_is_stream(SIP_TLS));
    assert_false(sip_transport_is_stream(SIP_UDP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_uris_are_taken_apart),
        cmocka_unit_test(other_schemes_are_known_by_their_name_only),
        cmocka_unit_test(malformed_uris_are_refused_and_leave_the_result_alone),
        cmocka_unit_test(ip6_references_are_checked),
        cmocka_unit_test(host_names_and_labels_have_a_longest_form),
        cmocka_unit_test(parameters_are_found_by_name),
        cmocka_unit_test(an_escaped_name_of_a_uri_parameter_is_found),
        cmocka_unit_test(escapes_are_undone_once),
        cmocka_unit_test(transports_have_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
