#include "base/netaddr.h"

#include "tests/test.h"

#include <errno.h>

static struct netaddr addr_of(const char *text)
{
    struct netaddr addr;
    if (netaddr_parse(&addr, slice_of(text), 5060) < 0)
        fail_msg("not an address: %s", text);
    return addr;
}

static void addresses_with_ports_are_parsed_and_printed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed, *ip;
        int family;
    } table[] = {
        {"192.0.2.1", "192.0.2.1:5060", "192.0.2.1", AF_INET},
        {"192.0.2.1:5061", "192.0.2.1:5061", "192.0.2.1", AF_INET},
        {"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0", AF_INET},
        {"255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255", AF_INET},
        {"2001:db8::1", "[2001:db8::1]:5060", "2001:db8::1", AF_INET6},
        {"[2001:DB8:0:0::1]", "[2001:db8::1]:5060", "2001:db8::1", AF_INET6},
        {"[2001:db8::1]:5061", "[2001:db8::1]:5061", "2001:db8::1", AF_INET6},
        {"[::]:5061", "[::]:5061", "::", AF_INET6},
        {"::1", "[::1]:5060", "::1", AF_INET6},
        {"[::ffff:192.0.2.1]:7", "[::ffff:192.0.2.1]:7", "::ffff:192.0.2.1", AF_INET6},
        {"[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
         "[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
         "1111:2222:3333:4444:5555:6666:7777:8888", AF_INET6},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct netaddr addr;
        char text[NETADDR_TEXT_MAX];
        assert_int_equal(netaddr_parse(&addr, slice_of(table[i].text), 5060), 0);
        assert_int_equal(addr.sa.sa_family, table[i].family);
        assert_string_equal(netaddr_format(&addr, text), table[i].printed);
        assert_string_equal(netaddr_format_ip(&addr, text), table[i].ip);
        assert_int_equal(netaddr_len(&addr), table[i].family == AF_INET
                                                 ? sizeof(struct sockaddr_in)
                                                 : sizeof(struct sockaddr_in6));
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const struct slice table[] = {
        SLICE(""),
        SLICE("example.org"),
        SLICE("localhost:5060"),
        SLICE("192.0.2"),
        SLICE("192.0.2.256"),
        SLICE("192.0.2.1.5"),
        SLICE("192.0.2.01"),
        SLICE("0x7f.0.0.1"),
        SLICE("2130706433"),
        SLICE(" 192.0.2.1"),
        SLICE("192.0.2.1 "),
        SLICE("192.0.2.1:"),
        SLICE("192.0.2.1:65536"),
        SLICE("192.0.2.1:000080"),
        SLICE("192.0.2.1:-1"),
        SLICE("192.0.2.1:sip"),
        SLICE("192.0.2.1\0"),
        SLICE("[192.0.2.1]:5060"),
        SLICE("[2001:db8::1"),
        SLICE("2001:db8::1]"),
        SLICE("[2001:db8::1]5060"),
        SLICE("[2001:db8::1]:"),
        SLICE("[2001:db8::1]]:5060"),
        SLICE("[[2001:db8::1]]:5060"),
        SLICE("[]:5060"),
        SLICE("[fe80::1%eth0]:5060"),
        SLICE("2001:db8::1::2"),
        SLICE("2001:db8:1:2:3:4:5:6:7"),
        SLICE("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"),
        SLICE(":5060"),
        SLICE(":"),
        {NULL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct netaddr addr = {.in4 = {.sin_family = AF_INET, .sin_port = 4711}};
        if (netaddr_parse(&addr, table[i], 5060) != -EINVAL)
            fail_msg("taken for an address: \"%.*s\"", SLICE_ARG(table[i]));
        assert_int_equal(addr.in4.sin_port, 4711);
    }
}

static void plain_ip_has_no_port(void **state)
{
    (void)state;
    struct netaddr addr;
    assert_int_equal(netaddr_from_ip(&addr, SLICE("192.0.2.1"), 5061), 0);
    assert_int_equal(netaddr_port(&addr), 5061);
    assert_int_equal(netaddr_from_ip(&addr, SLICE("[2001:db8::1]"), 5062), 0);
    assert_int_equal(netaddr_port(&addr), 5062);
    assert_int_equal(netaddr_from_ip(&addr, SLICE("2001:db8::1"), 5063), 0);
    assert_int_equal(netaddr_port(&addr), 5063);
    assert_int_equal(netaddr_from_ip(&addr, SLICE("192.0.2.1:5060"), 1), -EINVAL);
    assert_int_equal(netaddr_from_ip(&addr, SLICE("[2001:db8::1]:5060"), 1), -EINVAL);
    assert_int_equal(netaddr_port(&addr), 5063);
}

static void port_can_be_set(void **state)
{
    (void)state;
    struct netaddr addr = addr_of("192.0.2.1");
    netaddr_set_port(&addr, 65535);
    assert_int_equal(netaddr_port(&addr), 65535);
    addr = addr_of("::1");
    netaddr_set_port(&addr, 1);
    assert_int_equal(netaddr_port(&addr), 1);
    assert_int_equal(addr.in6.sin6_port, htons(1));
}

static void no_address_is_none(void **state)
{
    (void)state;
    struct netaddr none = {.sa = {.sa_family = AF_UNSPEC}};
    struct netaddr other = addr_of("0.0.0.0:0");
    char text[NETADDR_TEXT_MAX];
    assert_string_equal(netaddr_format(&none, text), "none");
    assert_string_equal(netaddr_format_ip(&none, text), "none");
    assert_int_equal(netaddr_len(&none), 0);
    assert_int_equal(netaddr_port(&none), 0);
    assert_false(netaddr_is_wildcard(&none));
    assert_false(netaddr_eq(&none, &other));
    assert_false(netaddr_eq_ip(&none, &other));
    netaddr_set_port(&none, 5060);
    assert_int_equal(netaddr_port(&none), 0);
}

static void wildcards_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool wildcard;
    } table[] = {
        {"0.0.0.0:5060", true}, {"[::]:5060", true}, {"0.0.0.1", false},
        {"127.0.0.1", false},   {"::1", false},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct netaddr addr = addr_of(table[i].text);
        assert_int_equal(netaddr_is_wildcard(&addr), table[i].wildcard);
    }
}

static void equal_looks_at_ip_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool eq, eq_ip;
    } table[] = {
        {"192.0.2.1:1", "192.0.2.1:1", true, true},
        {"192.0.2.1:1", "192.0.2.1:2", false, true},
        {"192.0.2.1:1", "192.0.2.2:1", false, false},
        {"[2001:db8::1]:1", "[2001:db8:0::1]:1", true, true},
        {"[2001:db8::1]:1", "[2001:db8::1]:2", false, true},
        {"[2001:db8::1]:1", "[2001:db8::2]:1", false, false},
        {"[::ffff:192.0.2.1]:1", "192.0.2.1:1", true, true},
        {"[::ffff:192.0.2.1]:1", "192.0.2.2:1", false, false},
        {"[::192.0.2.1]:1", "192.0.2.1:1", false, false}, /* compatible, not mapped */
        {"[::]:1", "0.0.0.0:1", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct netaddr a = addr_of(table[i].a);
        struct netaddr b = addr_of(table[i].b);
        assert_int_equal(netaddr_eq(&a, &b), table[i].eq);
        assert_int_equal(netaddr_eq(&b, &a), table[i].eq);
        assert_int_equal(netaddr_eq_ip(&a, &b), table[i].eq_ip);
    }
}

static void prefixes_contain_their_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *addr;
        bool contains;
    } table[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.4/30", "192.0.2.7", true},
        {"192.0.2.4/30", "192.0.2.8", false},
        {"192.0.2.4", "192.0.2.4", true},
        {"192.0.2.4", "192.0.2.5", false},
        {"192.0.2.5/32", "192.0.2.5", true},
        {"0.0.0.0/0", "203.0.113.1", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"0.0.0.0/0", "::ffff:203.0.113.1", true},
        {"::/0", "2001:db8::1", true},
        {"::/0", "203.0.113.1", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"2001:db8::1", "2001:db8::1", true},
        {"2001:db8::1/128", "2001:db8::2", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"::ffff:10.0.0.0/104", "11.1.2.3", false},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct netprefix prefix;
        assert_int_equal(netprefix_parse(&prefix, slice_of(table[i].prefix)), 0);
        struct netaddr addr = addr_of(table[i].addr);
        if (netprefix_contains(&prefix, &addr) != table[i].contains)
            fail_msg("%s and %s", table[i].prefix, table[i].addr);
    }
    struct netprefix all;
    assert_int_equal(netprefix_parse(&all, SLICE("0.0.0.0/0")), 0);
    struct netaddr none = {.sa = {.sa_family = AF_UNSPEC}};
    assert_false(netprefix_contains(&all, &none));
}

static void what_is_no_prefix_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/a",
        "10.0.0.1/8",
        "10.0.0.0/8/8",
        "10.0.0.0 /8",
        "10.0.0.0/ 8",
        "example/8",
        "2001:db8::/129",
        "2001:db8::1/64",
        "::ffff:10.0.0.0/90",
        "10.0.0.0:5060/8",
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct netprefix prefix = {.bits = 4711};
        if (netprefix_parse(&prefix, slice_of(table[i])) != -EINVAL)
            fail_msg("taken for a prefix: %s", table[i]);
        assert_int_equal(prefix.bits, 4711);
    }
}

static void a_prefix_is_written_as_it_is_read(void **state)
{
    static const char *const texts[] = {"192.0.2.1",     "192.0.2.0/24", "0.0.0.0/0",
                                        "2001:db8::/32", "2001:db8::1",  "::/0"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct netprefix prefix;
        char text[NETPREFIX_TEXT_MAX];
        assert_int_equal(netprefix_parse(&prefix, slice_of(texts[i])), 0);
        assert_string_equal(netprefix_format(&prefix, text), texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_with_ports_are_parsed_and_printed),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(plain_ip_has_no_port),
        cmocka_unit_test(port_can_be_set),
        cmocka_unit_test(no_address_is_none),
        cmocka_unit_test(wildcards_are_known),
        cmocka_unit_test(equal_looks_at_ip_and_port),
        cmocka_unit_test(prefixes_contain_their_addresses),
        cmocka_unit_test(what_is_no_prefix_is_refused),
        cmocka_unit_test(a_prefix_is_written_as_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
