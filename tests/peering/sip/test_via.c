#include "base/status.h"
#include "tests/peering/sip/sip_test.h"

static void good_vias_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *transport, *host;
        enum sip_host_kind kind;
        unsigned port;
        const char *params, *branch, *received, *rport;
        unsigned rport_port;
        bool alias;
    } table[] = {
        {"SIP/2.0/UDP 192.0.2.1", "UDP", "192.0.2.1", SIP_HOST_IP4, 0, "", "", "", "", 0, false},
        {"SIP/2.0/TLS pc33.atlanta.com:5061;branch=z9hG4bK776;alias", "TLS", "pc33.atlanta.com",
         SIP_HOST_NAME, 5061, ";branch=z9hG4bK776;alias", "z9hG4bK776", "", "", 0, true},
        {"SIP/2.0/UDP h;rport;branch=b", "UDP", "h", SIP_HOST_NAME, 0, ";rport;branch=b", "b", "",
         "rport", 0, false},
        {"SIP/2.0/UDP h;branch=b;RPORT=5071;Received=10.0.0.1", "UDP", "h", SIP_HOST_NAME, 0,
         ";branch=b;RPORT=5071;Received=10.0.0.1", "b", "10.0.0.1", "RPORT=5071", 5071, false},
        {"SIP/2.0/TCP [2001:db8::9:1]:6050;received=[2001:db8::9:255];branch=x", "TCP",
         "2001:db8::9:1", SIP_HOST_IP6, 6050, ";received=[2001:db8::9:255];branch=x", "x",
         "2001:db8::9:255", "", 0, false},
        {"SIP/2.0/TCP [2001:db8::9:1];received=2001:db8::9:255;branch=x", "TCP", "2001:db8::9:1",
         SIP_HOST_IP6, 0, ";received=2001:db8::9:255;branch=x", "x", "2001:db8::9:255", "", 0,
         false},
        /* RFC 4475 section 3.1.1.1 */
        {"SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw", "UDP", "192.0.2.2",
         SIP_HOST_IP4, 0, ";branch=390skdjuw", "390skdjuw", "", "", 0, false},
        {"SIP/2.0/UDP h : 5060 ;\r\n  branch  =   b  ", "UDP", "h", SIP_HOST_NAME, 5060,
         ";\r\n  branch  =   b", "b", "", "", 0, false},
        {"SIP/2.0/UNKNOWN t4.example.com;x=\"a,b\";branch=b", "UNKNOWN", "t4.example.com",
         SIP_HOST_NAME, 0, ";x=\"a,b\";branch=b", "b", "", "", 0, false},
        {"SIP/7.0/UDP c;maddr=1.2.3.4;ttl=4", "UDP", "c", SIP_HOST_NAME, 0, ";maddr=1.2.3.4;ttl=4",
         "", "", "", 0, false},
        {"SIP/2.0/UDP h;rport = 5 ;x", "UDP", "h", SIP_HOST_NAME, 0, ";rport = 5 ;x", "", "",
         "rport = 5", 5, false},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct slice list = slice_of(table[i].text);
        struct sip_via via;
        assert_row(sip_via_next(&list, &via) == 0, table[i].text);
        assert_true(slice_eq(via.bytes, slice_trim(slice_of(table[i].text))));
        assert_slice(via.transport_text, table[i].transport);
        assert_slice(via.host, table[i].host);
        assert_int_equal(via.host_kind, table[i].kind);
        assert_int_equal(via.port, table[i].port);
        assert_slice(via.params, table[i].params);
        assert_slice(via.branch, table[i].branch);
        assert_slice(via.received, table[i].received);
        assert_int_equal(via.has_rport, *table[i].rport != '\0');
        assert_slice(via.rport, table[i].rport);
        assert_int_equal(via.rport_port, table[i].rport_port);
        assert_int_equal(via.alias, table[i].alias);
        assert_int_equal(sip_via_next(&list, &via), STATUS_NOTFOUND);
    }
}

static void malformed_vias_are_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0 h",
        "SIP/2.0/ h",
        "/2.0/UDP h",
        "SIP/2.0/UDP/x h",
        "SIP/2.0/UDPh",
        "SIP/2.0/UDP h x",
        "SIP/2.0/UDP 192.0.2.15;;,;,,", /* RFC 4475 section 3.1.2.1 */
        "SIP/2.0/UDP h;",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:x",
        "SIP/2.0/UDP h:0",
        "SIP/2.0/UDP h:65536",
        "SIP/2.0/UDP ::1",
        "SIP/2.0/UDP [::1",
        "SIP/2.0/UDP h;branch=",
        "SIP/2.0/UDP h;branch",
        "SIP/2.0/UDP h;branch=\"x\"",
        "SIP/2.0/UDP h;branch=a;branch=b",
        "SIP/2.0/UDP h;rport;rport=4",
        "SIP/2.0/UDP h;rport=x",
        "SIP/2.0/UDP h;rport=70000",
        "SIP/2.0/UDP h;received",
        "SIP/2.0/UDP h;received=1.2.3.4;received=5.6.7.8",
        "SIP/2.0/UDP h;x=\"y",
        "SIP/2.0/UDP h,",
        ",SIP/2.0/UDP h",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct slice list = slice_of(table[i]);
        struct sip_via via = {.port = 4711};
        assert_row(sip_via_next(&list, &via) == STATUS_MALFORMED, table[i]);
        assert_int_equal(via.port, 4711);
        assert_slice(list, table[i]);
    }
}

static void vias_come_off_a_list_one_by_one(void **state)
{
    (void)state;
    struct slice list = SLICE("SIP  / 2.0  / TCP     spindle.example.com   ;\r\n"
                              "  branch  =   z9hG4bK9ikj8  ,\r\n"
                              " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n"
                              " z9hG4bK30239");
    struct sip_via via;

    assert_int_equal(sip_via_next(&list, &via), 0);
    assert_slice(via.host, "spindle.example.com");
    assert_slice(via.branch, "z9hG4bK9ikj8");
    assert_int_equal(sip_via_next(&list, &via), 0);
    assert_slice(via.host, "192.168.255.111");
    assert_slice(via.branch, "z9hG4bK30239");
    assert_int_equal(sip_via_next(&list, &via), STATUS_NOTFOUND);
}

static void only_a_branch_with_cookie_and_more_is_of_rfc3261(void **state)
{
    (void)state;
    assert_true(sip_branch_is_rfc3261(SLICE("z9hG4bKx")));
    assert_false(sip_branch_is_rfc3261(SLICE("z9hG4bK"))); /* RFC 4475 section 3.2.1 */
    assert_false(sip_branch_is_rfc3261(SLICE("390skdjuw")));
    assert_false(sip_branch_is_rfc3261(SLICE("")));
    assert_false(sip_branch_is_rfc3261(slice_make(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_vias_are_taken_apart),
        cmocka_unit_test(malformed_vias_are_refused),
        cmocka_unit_test(vias_come_off_a_list_one_by_one),
        cmocka_unit_test(only_a_branch_with_cookie_and_more_is_of_rfc3261),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
