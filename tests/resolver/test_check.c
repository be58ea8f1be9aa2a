/* The comparison of what servers say, without any server. */
#include "resolver/check_internal.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_S 1700000000 /* 2023-11-14 */

/* One zone of two servers, the resolver, and what was found. */
struct fixture {
    struct check_conf conf;
    struct check_findings findings;
    struct check_targets targets;
    struct check check;
    struct check_zone zone;
    struct check_view views[CHECK_SERVERS_MAX];
    struct check_view resolver;
};

static struct fixture *fixture_make(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->findings.list = calloc(CHECK_FINDINGS_MAX, sizeof(*f->findings.list));
    assert_non_null(f->findings.list);
    f->conf = (struct check_conf){.domain = "opb.example", .now_s = NOW_S};
    f->check.conf = &f->conf;
    f->check.findings = &f->findings;
    f->check.targets = &f->targets;
    snprintf(f->zone.apex, sizeof(f->zone.apex), "opb.example");
    f->zone.server_count = 2;
    for (size_t i = 0; i < f->zone.server_count; i++) {
        snprintf(f->zone.servers[i].name, sizeof(f->zone.servers[i].name), "ns%zu.opb.example",
                 i + 1);
        netaddr_from_ip(&f->zone.servers[i].addr, SLICE("192.0.2.53"), 53);
        f->views[i].set = ldns_rr_list_new();
        f->views[i].signatures = ldns_rr_list_new();
    }
    f->resolver.set = ldns_rr_list_new();
    f->resolver.signatures = ldns_rr_list_new();
    return f;
}

static void fixture_free(struct fixture *f)
{
    check_views_done(f->views, f->zone.server_count);
    check_view_done(&f->resolver);
    if (f->check.wanted)
        ldns_rr_list_deep_free(f->check.wanted);
    free(f->findings.list);
    free(f);
}

static ldns_rr *record(const char *line)
{
    ldns_rr *rr = NULL;
    assert_int_equal(ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL), LDNS_STATUS_OK);
    ldns_rr2canonical(rr);
    return rr;
}

static void has(struct check_view *view, const char *line)
{
    assert_true(ldns_rr_list_push_rr(view->set, record(line)));
}

static void all_have(struct fixture *f, const char *line)
{
    has(&f->views[0], line);
    has(&f->views[1], line);
    has(&f->resolver, line);
}

static void want(struct fixture *f, const char *line)
{
    static const struct zone_record known; /* only whether there are any is asked of the conf */
    f->conf.wanted = &known;
    f->check.wanted = f->check.wanted ? f->check.wanted : ldns_rr_list_new();
    assert_true(ldns_rr_list_push_rr(f->check.wanted, record(line)));
}

static void compare(struct fixture *f, const char *name, ldns_rr_type type)
{
    struct check_subject subject = {.type = type};
    snprintf(subject.name, sizeof(subject.name), "%s", name);
    check_compare(&f->check, &f->zone, &subject, f->views, &f->resolver);
}

static const struct check_finding *only(const struct fixture *f, const char *code)
{
    assert_int_equal(f->findings.count, 1);
    assert_string_equal(f->findings.list[0].code, code);
    return &f->findings.list[0];
}

#define HOST "edge.opb.example"

static void what_all_have_is_right(void **state)
{
    (void)state;
    struct fixture *f = fixture_make();
    all_have(f, HOST ". 60 IN A 192.0.2.1");
    compare(f, HOST, LDNS_RR_TYPE_A);
    want(f, HOST ". 60 IN A 192.0.2.1");
    compare(f, HOST, LDNS_RR_TYPE_A);
    assert_int_equal(f->findings.count, 0);
    fixture_free(f);
}

static void what_one_lacks_is_told_at_that_one(void **state)
{
    (void)state;
    for (size_t lacks = 0; lacks < 2; lacks++) {
        struct fixture *f = fixture_make();
        all_have(f, HOST ". 60 IN A 192.0.2.1");
        has(&f->views[1 - lacks], HOST ". 60 IN A 192.0.2.2");
        compare(f, HOST, LDNS_RR_TYPE_A);
        const struct check_finding *finding = only(f, "contradictory");
        assert_int_equal(finding->severity, CHECK_ERROR);
        assert_string_equal(finding->where, lacks == 0 ? "ns1.opb.example (192.0.2.53)"
                                                       : "ns2.opb.example "
                                                         "(192.0.2.53)");
        assert_string_equal(finding->add, HOST ". 60 IN A 192.0.2.2");
        fixture_free(f);
    }
}

static void servers_that_do_not_answer_are_told_and_not_compared(void **state)
{
    (void)state;
    static const struct {
        enum check_view_kind kind;
        size_t findings;
    } cases[] = {{CHECK_VIEW_SILENT, 1}, {CHECK_VIEW_LAME, 1}, {CHECK_VIEW_UNASKED, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture *f = fixture_make();
        has(&f->views[0], HOST ". 60 IN A 192.0.2.1");
        has(&f->resolver, HOST ". 60 IN A 192.0.2.1");
        f->views[1].kind = cases[i].kind;
        compare(f, HOST, LDNS_RR_TYPE_A);
        assert_int_equal(f->findings.count, cases[i].findings);
        if (cases[i].findings)
            assert_string_equal(only(f, "unanswered")->where, "ns2.opb.example (192.0.2.53)");
        fixture_free(f);
    }
}

static void what_is_wanted_and_what_is_not_are_told(void **state)
{
    (void)state;
    struct fixture *f = fixture_make();
    want(f, HOST ". 60 IN A 192.0.2.1");
    all_have(f, HOST ". 60 IN A 192.0.2.2");
    compare(f, HOST, LDNS_RR_TYPE_A);
    assert_int_equal(f->findings.count, 2);
    assert_string_equal(f->findings.list[0].code, "missing");
    assert_string_equal(f->findings.list[0].add, HOST ". 60 IN A 192.0.2.1");
    assert_string_equal(f->findings.list[1].code, "stale");
    assert_string_equal(f->findings.list[1].remove, HOST ". 60 IN A 192.0.2.2");
    fixture_free(f);
}

static void naptr_records_of_other_services_are_not_ours(void **state)
{
    (void)state;
    struct fixture *f = fixture_make();
    const char *ours =
        "opb.example. 60 IN NAPTR 10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.opb.example.";
    want(f, ours);
    all_have(f, ours);
    all_have(f, "opb.example. 60 IN NAPTR 20 10 \"s\" \"SIP+D2U\" \"\" _sip._udp.opb.example.");
    compare(f, "opb.example", LDNS_RR_TYPE_NAPTR);
    assert_int_equal(f->findings.count, 0);
    all_have(f, "opb.example. 60 IN NAPTR 20 10 \"s\" \"sips+d2t\" \"\" _sips._tcp.old.example.");
    compare(f, "opb.example", LDNS_RR_TYPE_NAPTR);
    only(f, "extra");
    fixture_free(f);
}

static void what_only_the_resolver_has_or_lacks_is_old(void **state)
{
    (void)state;
    struct fixture *f = fixture_make();
    has(&f->resolver, HOST ". 60 IN A 192.0.2.1");
    compare(f, HOST, LDNS_RR_TYPE_A);
    only(f, "stale");
    fixture_free(f);
    f = fixture_make();
    has(&f->views[0], HOST ". 60 IN A 192.0.2.1");
    has(&f->views[1], HOST ". 60 IN A 192.0.2.1");
    compare(f, HOST, LDNS_RR_TYPE_A);
    only(f, "stale");
    fixture_free(f);
}

static void keys_and_name_servers_may_differ_for_a_while(void **state)
{
    (void)state;
    struct fixture *f = fixture_make();
    all_have(f, "opb.example. 60 IN NS ns1.opb.example.");
    has(&f->views[0], "opb.example. 60 IN NS ns2.opb.example.");
    compare(f, "opb.example", LDNS_RR_TYPE_NS);
    assert_int_equal(only(f, "contradictory")->severity, CHECK_WARNING);
    fixture_free(f);
}

static void too_long_sets_are_counted_and_not_compared(void **state)
{
    (void)state;
    struct fixture *f = fixture_make();
    has(&f->views[0], HOST ". 60 IN A 192.0.2.1");
    f->views[0].left_out = 3736; /* beyond 64 */
    ;
    compare(f, HOST, LDNS_RR_TYPE_A);
    assert_non_null(strstr(only(f, "limit")->what, "3800 A records"));
    fixture_free(f);
}

static void an_alias_counts_where_srv_records_lead(void **state)
{
    (void)state;
    struct fixture *f = fixture_make();
    all_have(f, "there.opc.example. 60 IN A 192.0.2.1");
    snprintf(f->resolver.alias, sizeof(f->resolver.alias), HOST ". 60 IN CNAME there.opc.example.");
    f->targets.count = 1;
    snprintf(f->targets.list[0].host, sizeof(f->targets.list[0].host), HOST);
    compare(f, HOST, LDNS_RR_TYPE_A);
    assert_int_equal(f->findings.count,
                     0); /* an address without SRV records may stand behind one */
    f->check.from_srv = true;
    compare(f, HOST, LDNS_RR_TYPE_A);
    const struct check_finding *finding = only(f, "alias");
    assert_string_equal(finding->remove, HOST ". 60 IN CNAME there.opc.example.");
    assert_string_equal(finding->add, HOST ". 60 IN A 192.0.2.1");
    fixture_free(f);
}

/* ---- signatures ---- */

#define SIGNATURE(from, to)                                                                        \
    HOST                                                                                           \
        ". 60 IN RRSIG A 13 3 60 " to " " from " 1234 opb.example. "                               \
        "oJB1W6WNGv+ldvQ3WDG0MQkg5IEhjRip8WTrPYGv07h108dUKGMeDPKijVCHX3DDKdfb+v6oB9wfuh3DTJXUAfI="

static void signatures(struct fixture *f)
{
    struct check_subject subject = {.name = HOST, .type = LDNS_RR_TYPE_A};
    check_signatures(&f->check, &f->zone, &subject, &f->zone.servers[0], &f->views[0]);
}

static void signatures_count_in_signed_zones_only(void **state)
{
    (void)state;
    struct fixture *f = fixture_make();
    all_have(f, HOST ". 60 IN A 192.0.2.1");
    signatures(f);
    assert_int_equal(f->findings.count, 0);
    f->zone.is_signed = true;
    signatures(f);
    assert_int_equal(only(f, "signature-missing")->severity, CHECK_ERROR);
    f->findings.count = 0;
    f->zone.insecure = true; /* nobody looks */
    signatures(f);
    assert_int_equal(only(f, "signature-missing")->severity, CHECK_WARNING);
    fixture_free(f);
}

static void the_times_of_signatures_are_held_against_now(void **state)
{
    (void)state;
    static const struct {
        const char *signature, *code;
    } cases[] = {{SIGNATURE("20200101000000", "20200201000000"), "signature-expired"},
                 {SIGNATURE("20240101000000", "20240201000000"), "signature-expired"},
                 {SIGNATURE("20231101000000", "20231116000000"), "signature-expiring"},
                 {SIGNATURE("20231101000000", "20231201000000"), NULL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture *f = fixture_make();
        f->zone.is_signed = true; /* by keys that are not known: only times can be judged */
        has(&f->views[0], HOST ". 60 IN A 192.0.2.1");
        assert_true(ldns_rr_list_push_rr(f->views[0].signatures, record(cases[i].signature)));
        signatures(f);
        if (cases[i].code)
            only(f, cases[i].code);
        else
            assert_int_equal(f->findings.count, 0);
        fixture_free(f);
    }
}

/* ---- addresses ---- */

static void addresses_that_not_everybody_reaches_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *ip, *word;
    } cases[] = {
        {"10.0.0.1", "private"},   {"172.31.255.255", "private"}, {"192.168.1.1", "private"},
        {"100.64.0.1", "private"}, {"fd00::1", "private"},        {"169.254.1.1", "link-local"},
        {"fe80::1", "link-local"}, {"127.0.0.1", "loopback"},     {"::1", "loopback"},
        {"172.32.0.1", NULL},      {"192.0.2.1", NULL},           {"100.128.0.1", NULL},
        {"2001:db8::1", NULL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct netaddr addr;
        assert_int_equal(netaddr_from_ip(&addr, slice_of(cases[i].ip), 5061), 0);
        const char *refusal = check_scope_refusal(&addr);
        if (cases[i].word)
            assert_non_null(refusal ? strstr(refusal, cases[i].word) : NULL);
        else
            assert_null(refusal);
        assert_int_equal(check_is_loopback(&addr),
                         cases[i].word && strcmp(cases[i].word, "loopback") == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_all_have_is_right),
        cmocka_unit_test(what_one_lacks_is_told_at_that_one),
        cmocka_unit_test(servers_that_do_not_answer_are_told_and_not_compared),
        cmocka_unit_test(what_is_wanted_and_what_is_not_are_told),
        cmocka_unit_test(naptr_records_of_other_services_are_not_ours),
        cmocka_unit_test(what_only_the_resolver_has_or_lacks_is_old),
        cmocka_unit_test(keys_and_name_servers_may_differ_for_a_while),
        cmocka_unit_test(too_long_sets_are_counted_and_not_compared),
        cmocka_unit_test(an_alias_counts_where_srv_records_lead),
        cmocka_unit_test(signatures_count_in_signed_zones_only),
        cmocka_unit_test(the_times_of_signatures_are_held_against_now),
        cmocka_unit_test(addresses_that_not_everybody_reaches_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
