#include "resolver/order.h"

#include "resolver/service.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Room for one full set. */
union any_set {
    struct resolver_set set;
    char room[sizeof(struct resolver_set) + RESOLVER_RECORDS_MAX * sizeof(struct resolver_record)];
};

static union any_set room, other_room;

static struct resolver_set *set_clear(union any_set *any)
{
    memset(any, 0, sizeof(*any));
    return &any->set;
}

static void naptr_add(struct resolver_set *set, unsigned order, unsigned preference,
                      const char *flags, const char *service, const char *replacement)
{
    struct resolver_naptr *naptr = &set->records[set->count++].naptr;
    naptr->order = (uint16_t)order;
    naptr->preference = (uint16_t)preference;
    naptr->flags = flags;
    naptr->service = service;
    naptr->replacement = replacement;
}

static void srv_add(struct resolver_set *set, unsigned priority, unsigned weight,
                    const char *target)
{
    struct resolver_srv *srv = &set->records[set->count++].srv;
    srv->priority = (uint16_t)priority;
    srv->weight = (uint16_t)weight;
    srv->port = 5061;
    srv->target = target;
}

static void only_sips_d2t_with_flag_s_is_usable(void **state)
{
    static const struct {
        const char *flags, *service, *replacement;
        bool with_regexp, usable;
    } cases[] = {
        {"s", "SIPS+D2T", "_sips._tcp.opb.example", false, true},
        {"S", "sips+d2t", "_sips._tcp.opb.example", false,
         true}, /* RFC 3403: case does not count */
        {"s", "SIP+D2T", "_sip._tcp.opb.example", false, false},
        {"s", "SIP+D2U", "_sip._udp.opb.example", false, false},
        {"s", "SIPS+D2S", "_sips._sctp.opb.example", false, false},
        {"s", "SIPS+D2T+X", "_sips._tcp.opb.example", false, false},
        {"s", "", "_sips._tcp.opb.example", false, false},
        {"u", "SIPS+D2T", "_sips._tcp.opb.example", false, false},
        {"a", "SIPS+D2T", "edge.opb.example", false, false},
        {"p", "SIPS+D2T", "edge.opb.example", false, false},
        {"", "SIPS+D2T", "more.opb.example", false, false},
        {"ss", "SIPS+D2T", "_sips._tcp.opb.example", false, false},
        {"s", "SIPS+D2T", "", false, false},
        {"s", "SIPS+D2T", "_sips._tcp.opb.example", true, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resolver_set *set = set_clear(&room);
        size_t order[RESOLVER_NAPTR_MAX];
        naptr_add(set, 1, 1, cases[i].flags, cases[i].service, cases[i].replacement);
        if (cases[i].with_regexp)
            set->records[0].naptr.regexp = SLICE("!^.*$!sip:x@opb.example!");
        assert_int_equal(resolver_order_naptr(set, RESOLVER_SERVICES_PEER, order),
                         cases[i].usable ? 1 : 0);
        assert_int_equal(resolver_naptr_refusal(&set->records[0].naptr, RESOLVER_SERVICES_PEER) ==
                             NULL,
                         cases[i].usable);
    }
}

static void naptr_goes_by_preference_within_the_lowest_usable_order(void **state)
{
    (void)state;
    struct resolver_set *set = set_clear(&room);
    size_t order[RESOLVER_NAPTR_MAX];
    naptr_add(set, 5, 1, "s", "SIP+D2U", "udp.example");
    naptr_add(set, 20, 1, "s", "SIPS+D2T", "late.example");
    naptr_add(set, 10, 50, "s", "SIPS+D2T", "second.example");
    naptr_add(set, 10, 7, "s", "SIPS+D2T", "first.example");
    assert_int_equal(resolver_order_naptr(set, RESOLVER_SERVICES_PEER, order), 2);
    assert_int_equal(order[0], 3);
    assert_int_equal(order[1], 2);
}

static void naptr_for_a_core_names_each_transport(void **state)
{
    static const struct {
        const char *service;
        int transport;
        bool usable;
    } cases[] = {{"SIP+D2U", RESOLVER_UDP, true},
                 {"sip+d2t", RESOLVER_TCP, true},
                 {"SIPS+D2T", RESOLVER_TLS, true},
                 {"SIP+D2S", RESOLVER_SCTP, false}, /* the proxy does not speak it */
                 {"SIPS+D2U", -1, false},
                 {"E2U+sip", -1, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resolver_set *set = set_clear(&room);
        naptr_add(set, 1, 1, "s", cases[i].service, "x.example");
        const struct resolver_naptr *naptr = &set->records[0].naptr;
        assert_int_equal(resolver_naptr_transport(naptr), cases[i].transport);
        assert_int_equal(resolver_naptr_refusal(naptr, RESOLVER_SERVICES_CORE) == NULL,
                         cases[i].usable);
    }
}

static void naptr_choice_is_bounded(void **state)
{
    (void)state;
    struct resolver_set *set = set_clear(&room);
    size_t order[RESOLVER_NAPTR_MAX];
    for (unsigned i = 0; i < RESOLVER_RECORDS_MAX; i++)
        naptr_add(set, 1, RESOLVER_RECORDS_MAX - i, "s", "SIPS+D2T", "x.example");
    assert_int_equal(resolver_order_naptr(set, RESOLVER_SERVICES_PEER, order), RESOLVER_NAPTR_MAX);
    for (size_t i = 0; i < RESOLVER_NAPTR_MAX; i++)
        assert_int_equal(order[i], RESOLVER_RECORDS_MAX - 1 - i);
}

static void hops_are_shared_among_hosts(void **state)
{
    static const struct {
        size_t has[4], gets[4];
    } cases[] = {
        {{16, 0, 0, 0}, {16, 0, 0, 0}}, {{16, 1, 0, 0}, {15, 1, 0, 0}},
        {{1, 16, 0, 0}, {1, 15, 0, 0}}, {{16, 16, 16, 0}, {6, 5, 5, 0}},
        {{16, 2, 16, 1}, {7, 2, 6, 1}}, {{4, 4, 4, 4}, {4, 4, 4, 4}},
        {{0, 0, 0, 0}, {0, 0, 0, 0}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t counts[4];
        memcpy(counts, cases[i].has, sizeof(counts));
        resolver_order_share(counts, 4, 16);
        assert_memory_equal(counts, cases[i].gets, sizeof(counts));
    }
}

static void srv_goes_by_priority_whatever_the_seed(void **state)
{
    (void)state;
    struct resolver_set *set = set_clear(&room);
    size_t order[RESOLVER_RECORDS_MAX];
    srv_add(set, 30, 65535, "c.example");
    srv_add(set, 10, 0, "a.example");
    srv_add(set, 20, 100, "b.example");
    srv_add(set, 65535, 1, "d.example");
    for (uint64_t seed = 0; seed < 1000; seed++) {
        assert_int_equal(resolver_order_srv(set, seed, order), 4);
        assert_int_equal(order[0], 1);
        assert_int_equal(order[1], 2);
        assert_int_equal(order[2], 0);
        assert_int_equal(order[3], 3);
    }
}

static void srv_order_is_a_permutation_even_of_a_full_set(void **state)
{
    (void)state;
    struct resolver_set *set = set_clear(&room);
    size_t order[RESOLVER_RECORDS_MAX];
    for (unsigned i = 0; i < RESOLVER_RECORDS_MAX; i++)
        srv_add(set, i % 3, i % 5 == 0 ? 0 : 65535, "x.example");
    for (uint64_t seed = 0; seed < 1000; seed++) {
        bool seen[RESOLVER_RECORDS_MAX] = {false};
        assert_int_equal(resolver_order_srv(set, seed, order), RESOLVER_RECORDS_MAX);
        for (size_t i = 0; i < RESOLVER_RECORDS_MAX; i++) {
            assert_false(seen[order[i]]);
            seen[order[i]] = true;
            if (i > 0)
                assert_true(set->records[order[i - 1]].srv.priority <=
                            set->records[order[i]].srv.priority);
        }
    }
}

static void srv_of_one_priority_is_drawn_by_weight(void **state)
{
    (void)state;
    enum { DRAWS = 100000 };
    struct resolver_set *set = set_clear(&room);
    size_t order[RESOLVER_RECORDS_MAX];
    srv_add(set, 1, 60, "a.example");
    srv_add(set, 1, 30, "b.example");
    srv_add(set, 1, 10, "c.example");
    srv_add(set, 1, 0, "zero.example");
    unsigned first[4] = {0};
    unsigned second_after_a[4] = {0};
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        resolver_order_srv(set, seed, order);
        first[order[0]]++;
        if (order[0] == 0)
            second_after_a[order[1]]++;
    }
    /* RFC 2782: 60, 30 and 10 of 101, the weight 0 one of 101; within half a per cent. */
    assert_in_range(first[0], DRAWS * 0.589, DRAWS * 0.599);
    assert_in_range(first[1], DRAWS * 0.292, DRAWS * 0.302);
    assert_in_range(first[2], DRAWS * 0.094, DRAWS * 0.104);
    assert_in_range(first[3], DRAWS * 0.005, DRAWS * 0.015);
    /* Then among the rest by the weights that are left: 30, 10 of 41. */
    assert_in_range(second_after_a[1], first[0] * 0.71, first[0] * 0.75);
    assert_in_range(second_after_a[2], first[0] * 0.22, first[0] * 0.27);
}

static void addresses_alternate_starting_with_ipv6(void **state)
{
    static const struct {
        unsigned aaaa, a;
        size_t max;
        const char *want; /* a letter per address: 6 or 4 with its number */
    } cases[] = {
        {0, 0, 16, ""},         {1, 0, 16, "60"},       {0, 2, 16, "4041"},
        {1, 1, 16, "6040"},     {2, 2, 16, "60406141"}, {1, 3, 16, "60404142"},
        {3, 1, 16, "60406162"}, {3, 3, 4, "60406141"},  {3, 3, 1, "60"},
        {2, 2, 0, ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resolver_set *aaaa = set_clear(&room);
        struct resolver_set *a = set_clear(&other_room);
        for (unsigned n = 0; n < cases[i].aaaa; n++)
            aaaa->records[aaaa->count++].aaaa.s6_addr[15] = (uint8_t)n;
        for (unsigned n = 0; n < cases[i].a; n++)
            a->records[a->count++].a.s_addr = htonl(n);
        struct netaddr addrs[16];
        char got[40] = "";
        size_t count = resolver_order_addresses(aaaa, a, 5061, addrs, cases[i].max);
        for (size_t n = 0; n < count; n++) {
            bool six = addrs[n].sa.sa_family == AF_INET6;
            unsigned number =
                six ? addrs[n].in6.sin6_addr.s6_addr[15] : ntohl(addrs[n].in4.sin_addr.s_addr);
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%c%u", six ? '6' : '4', number);
            assert_int_equal(netaddr_port(&addrs[n]), 5061);
        }
        assert_string_equal(got, cases[i].want);
    }
}

static void unanswered_family_leaves_the_other(void **state)
{
    (void)state;
    struct netaddr addr;
    struct resolver_set *a = set_clear(&room);
    a->count = 1;
    a->records[0].a.s_addr = htonl(0x7f001402);
    assert_int_equal(resolver_order_addresses(NULL, a, 5061, &addr, 1), 1);
    char text[NETADDR_TEXT_MAX];
    assert_string_equal(netaddr_format(&addr, text), "127.0.20.2:5061");
    assert_int_equal(resolver_order_addresses(NULL, NULL, 5061, &addr, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_sips_d2t_with_flag_s_is_usable),
        cmocka_unit_test(naptr_goes_by_preference_within_the_lowest_usable_order),
        cmocka_unit_test(naptr_for_a_core_names_each_transport),
        cmocka_unit_test(naptr_choice_is_bounded),
        cmocka_unit_test(hops_are_shared_among_hosts),
        cmocka_unit_test(srv_goes_by_priority_whatever_the_seed),
        cmocka_unit_test(srv_order_is_a_permutation_even_of_a_full_set),
        cmocka_unit_test(srv_of_one_priority_is_drawn_by_weight),
        cmocka_unit_test(addresses_alternate_starting_with_ipv6),
        cmocka_unit_test(unanswered_family_leaves_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
