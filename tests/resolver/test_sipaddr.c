/* Address records as they are read. */
#include "resolver/sipaddr.h"

#include "base/status.h"
#include "resolver/zone.h"
#include "tests/resolver/records.h"

#include <string.h>

/* What zone.c publishes lies below the parent that is asked first. */
static void the_parent_is_that_of_the_published_names(void **state)
{
    struct store_address address = {.user = "alice", .domain = "opa.example"};
    char parent[RESOLVER_NAME_MAX + 1], name[ZONE_NAME_MAX + 1], domain[STORE_DOMAIN_MAX + 1];
    (void)state;
    assert_int_equal(resolver_sipaddr_parent("opa.example", parent), 0);
    assert_string_equal(parent, "_sipaddr.opa.example");
    assert_int_equal(zone_address_name(&address, name), 0);
    assert_string_equal(strchr(name, '.') + 1, parent);
    memset(domain, 'a', sizeof(domain));
    domain[RESOLVER_NAME_MAX - 9] = '\0';
    assert_int_equal(resolver_sipaddr_parent(domain, parent), 0);
    domain[RESOLVER_NAME_MAX - 9] = 'a';
    domain[RESOLVER_NAME_MAX - 8] = '\0';
    assert_int_equal(resolver_sipaddr_parent(domain, parent), STATUS_LIMIT);
}

static void a_domain_publishes_where_its_text_says_so(void **state)
{
    static const struct {
        const char *text;
        bool published;
    } cases[] = {{"v=sipaddr1", true},   {"v=sipaddr1;x=y", true}, {"v=sipaddr1 x", true},
                 {"v=sipaddr10", false}, {"v=sipaddr2", false},    {"v=sipaddr", false},
                 {"V=sipaddr1", false},  {" v=sipaddr1", false},   {"", false},
                 {"v=spf1 -all", false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resolver_set *set = records_make(RESOLVER_TXT);
        assert_false(resolver_sipaddr_published(set));
        records_add_txt(set, "google-site-verification=x");
        records_add_txt(set, cases[i].text);
        if (resolver_sipaddr_published(set) != cases[i].published)
            fail_msg("%s", cases[i].text);
        resolver_set_unref(set);
    }
}

static void only_plain_host_records_count(void **state)
{
    static const struct {
        const char *flags, *service, *regexp, *replacement;
        bool counts;
    } cases[] = {
        {"", "SIP+host", "", "opb.example", true},
        {"", "sip+HOST", "", "opb.example", true},
        {"", "SIP+host", "", "", false},
        {"", "SIP+host", "", "opb_x.example", false},
        {"", "SIP+host", "", "192.0.2.1", false},
        {"", "SIP+host", "!.*!opb.example!", "", false},
        {"u", "SIP+host", "", "opb.example", false},
        {"", "SIP+D2T", "", "opb.example", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resolver_set *set = records_make(RESOLVER_NAPTR);
        char hosting[STORE_DOMAIN_MAX + 1] = "untouched";
        records_add_naptr(set, 10, 10, cases[i].flags, cases[i].service, cases[i].regexp,
                          cases[i].replacement);
        assert_int_equal(resolver_sipaddr_refusal(&set->records[0].naptr) == NULL, cases[i].counts);
        assert_int_equal(resolver_sipaddr_hosting(set, hosting),
                         cases[i].counts ? 0 : STATUS_NOTFOUND);
        assert_string_equal(hosting, cases[i].counts ? "opb.example" : "untouched");
        resolver_set_unref(set);
    }
}

static void the_first_by_order_and_preference_names_the_host(void **state)
{
    struct resolver_set *set = records_make(RESOLVER_NAPTR);
    char hosting[STORE_DOMAIN_MAX + 1];
    (void)state;
    records_add_naptr(set, 20, 1, "", "SIP+host", "", "later.example");
    records_add_naptr(set, 10, 20, "", "SIP+host", "", "second.example");
    records_add_naptr(set, 10, 10, "", "SIP+host", "", "first.example");
    records_add_naptr(set, 1, 1, "s", "SIP+host", "", "unusable.example");
    assert_int_equal(resolver_sipaddr_hosting(set, hosting), 0);
    assert_string_equal(hosting, "first.example");
    resolver_set_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parent_is_that_of_the_published_names),
        cmocka_unit_test(a_domain_publishes_where_its_text_says_so),
        cmocka_unit_test(only_plain_host_records_count),
        cmocka_unit_test(the_first_by_order_and_preference_names_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
