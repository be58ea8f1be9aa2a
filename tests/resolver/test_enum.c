/* ENUM: names, which records count and in what order, and what they make of a number. */
#include "resolver/enum.h"

#include "base/status.h"
#include "tests/resolver/records.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void names_are_the_digits_backwards(void **state)
{
    char name[RESOLVER_NAME_MAX + 1] = "untouched", suffix[RESOLVER_NAME_MAX + 1];
    (void)state;
    /* RFC 6116 section 3.2 */
    assert_int_equal(resolver_enum_name("442079460148", "e164.arpa", name), 0);
    assert_string_equal(name, "8.4.1.0.6.4.9.7.0.2.4.4.e164.arpa");
    assert_int_equal(resolver_enum_name("123456789012345", "e164.example", name), 0);
    assert_string_equal(name, "5.4.3.2.1.0.9.8.7.6.5.4.3.2.1.e164.example");
    assert_int_equal(resolver_enum_name("", "e164.arpa", name), -EINVAL);
    assert_int_equal(resolver_enum_name("1234567890123456", "e164.arpa", name), -EINVAL);
    assert_int_equal(resolver_enum_name("+49", "e164.arpa", name), -EINVAL);
    memset(suffix, 'a', sizeof(suffix));
    suffix[RESOLVER_NAME_MAX - 6] = '\0';
    assert_int_equal(resolver_enum_name("123", suffix, name), 0);
    assert_int_equal(strlen(name), RESOLVER_NAME_MAX);
    assert_int_equal(resolver_enum_name("1234", suffix, name), STATUS_LIMIT);
}

static void only_records_of_sip_count(void **state)
{
    static const struct {
        const char *flags, *service, *regexp, *replacement;
        bool counts;
    } cases[] = {
        {"u", "E2U+sip", "!x!y!", "", true},
        {"U", "e2u+SIP", "!x!y!", "", true},
        {"u", "E2U+email:mailto+sip", "!x!y!", "", true},
        {"u", "E2U+sip+email:mailto", "!x!y!", "", true},
        {"u", "E2U+pstn:sip", "!x!y!", "", true},
        {"u", "sip+E2U", "!x!y!", "", true},
        {"", "", "", "next.example", true},
        {"", "E2U+sip", "!x!y!", "", true},
        {"u", "E2U+email:mailto", "!x!y!", "", false},
        {"u", "E2U+sips", "!x!y!", "", false},
        {"u", "E2U+siphon", "!x!y!", "", false},
        {"u", "E2U", "!x!y!", "", false},
        {"u", "sip", "!x!y!", "", false},
        {"u", "", "!x!y!", "", false},
        {"u", "++::", "!x!y!", "", false},
        {"u", "E2U+sip", "", "", false},
        {"u", "E2U+sip", "", "next.example", false},
        {"u", "E2U+sip", "!x!y!", "next.example", false},
        {"", "", "!x!y!", "next.example", false},
        {"", "", "", "", false},
        {"s", "E2U+sip", "!x!y!", "", false},
        {"uu", "E2U+sip", "!x!y!", "", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resolver_set *set = records_make(RESOLVER_NAPTR);
        records_add_naptr(set, 1, 1, cases[i].flags, cases[i].service, cases[i].regexp,
                          cases[i].replacement);
        size_t order[ENUM_RULES_MAX];
        if ((resolver_enum_refusal(&set->records[0].naptr) == NULL) != cases[i].counts ||
            resolver_enum_order(set, order) != cases[i].counts)
            fail_msg("case %zu: '%s' '%s'", i, cases[i].flags, cases[i].service);
        resolver_set_unref(set);
    }
}

static void records_come_by_order_and_preference(void **state)
{
    static const unsigned places[][2] = {{20, 1}, {10, 9}, {10, 3}, {30, 0}, {10, 3}, {5, 500}};
    static const size_t sorted[] = {5, 2, 4, 1, 0, 3};
    struct resolver_set *set = records_make(RESOLVER_NAPTR);
    size_t order[ENUM_RULES_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        records_add_naptr(set, places[i][0], places[i][1], "u", "E2U+sip", "!x!y!", "");
    assert_int_equal(resolver_enum_order(set, order), COUNT_OF(sorted));
    assert_memory_equal(order, sorted, sizeof(sorted));
    resolver_set_unref(set);
}

static void of_many_records_the_first_are_kept(void **state)
{
    struct resolver_set *set = records_make(RESOLVER_NAPTR);
    size_t order[ENUM_RULES_MAX];
    (void)state;
    for (unsigned i = 0; i < 50; i++) /* 37 and 50 have no common divisor: each preference once */
        records_add_naptr(set, 1, i * 37 % 50, "u", "E2U+sip", "!x!y!", "");
    assert_int_equal(resolver_enum_order(set, order), ENUM_RULES_MAX);
    for (unsigned i = 0; i < ENUM_RULES_MAX; i++)
        assert_int_equal(set->records[order[i]].naptr.preference, i);
    resolver_set_unref(set);
}

static void numbers_become_addresses(void **state)
{
    static const struct {
        const char *regexp, *user, *domain; /* user NULL: refused */
    } cases[] = {
        {"!^.*$!sip:info@example.com!", "info", "example.com"},
        {"!^.*$!SIPS:Info@Example.COM!", "info", "example.com"},
        {"!^(.*)$!sip:\\1@example.com;user=phone!", "+493012345", "example.com"},
        {"!^\\+49(.*)$!sip:0\\1@opb.example!", "03012345", "opb.example"},
        {"!^.*$!sip:a;b=c@opb.example;transport=udp;maddr=192.0.2.1!", "a;b=c", "opb.example"},
        {"!^.*$!sip:a?b@opb.example!", "a?b", "opb.example"},
        {"!^.*$!sip:bob%40opb.example@opc.example!", NULL, NULL},
        {"!^.*$!mailto:info@example.com!", NULL, NULL},
        {"!^.*$!tel:+4930!", NULL, NULL},
        {"!^.*$!info@example.com!", NULL, NULL},
        {"!^.*$!sip:example.com!", NULL, NULL},
        {"!^.*$!sip:info@!", NULL, NULL},
        {"!^.*$!sip:@example.com!", NULL, NULL},
        {"!^.*$!sip:a:secret@example.com!", NULL, NULL},
        {"!^.*$!sip:info@example.com:5060!", NULL, NULL},
        {"!^.*$!sip:info@example.com:5060;x!", NULL, NULL},
        {"!^.*$!sip:info@example.com?Route=evil!", NULL, NULL},
        {"!^.*$!sip:info@example.com;x?Route=evil!", NULL, NULL},
        {"!^.*$!sip:info@192.0.2.1!", NULL, NULL},
        {"!^.*$!sip:info@[2001:db8::1]!", NULL, NULL},
        {"!^.*$!sip:info@ex ample.com!", NULL, NULL},
        {"!^.*$!sip:in fo@example.com!", NULL, NULL},
        {"!^.*$!sip:a@b@example.com!", NULL, NULL},
        {"!^.*$!sip:a@example.com\r\nRoute: x!", NULL, NULL},
        {"!^.*$!!", NULL, NULL},
        {"!^\\+1(.*)$!sip:\\1@example.com!", NULL, NULL}, /* does not match */
        {"!^.*$!sip:info@example.com", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resolver_set *set = records_make(RESOLVER_NAPTR);
        struct enum_result result = {.next = "untouched"};
        records_add_naptr(set, 1, 1, "u", "E2U+sip", cases[i].regexp, "");
        const char *fault = resolver_enum_apply(&set->records[0].naptr, "493012345", &result);
        if ((fault == NULL) != (cases[i].user != NULL))
            fail_msg("%s: %s", cases[i].regexp, fault ? fault : "taken");
        if (!fault) {
            assert_string_equal(result.next, "");
            assert_string_equal(result.address.user, cases[i].user);
            assert_string_equal(result.address.domain, cases[i].domain);
        }
        resolver_set_unref(set);
    }
}

static void records_without_flag_lead_to_a_name(void **state)
{
    static const struct {
        const char *regexp, *replacement, *next; /* NULL: refused */
    } cases[] = {
        {"", "x.example", "x.example"},
        {"!^\\+49(.)(.)(.*)$!\\2.\\1.Provider.example.!", "", "0.3.provider.example"},
        {"!^.*$!provider example!", "", NULL},
        {"!^.*$!!", "", NULL},
        {"!^.*$!.!", "", NULL},
        {"!^\\+1$!x.example!", "", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resolver_set *set = records_make(RESOLVER_NAPTR);
        struct enum_result result;
        records_add_naptr(set, 1, 1, "", "", cases[i].regexp, cases[i].replacement);
        const char *fault = resolver_enum_apply(&set->records[0].naptr, "493012345", &result);
        assert_int_equal(fault == NULL, cases[i].next != NULL);
        if (!fault)
            assert_string_equal(result.next, cases[i].next);
        resolver_set_unref(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_the_digits_backwards),
        cmocka_unit_test(only_records_of_sip_count),
        cmocka_unit_test(records_come_by_order_and_preference),
        cmocka_unit_test(of_many_records_the_first_are_kept),
        cmocka_unit_test(numbers_become_addresses),
        cmocka_unit_test(records_without_flag_lead_to_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
