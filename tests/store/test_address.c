/* Names in canonical form, and the sentences about names that have none. */
#include "base/status.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define L10  "aaaaaaaaaa"
#define L60  L10 L10 L10 L10 L10 L10
#define L63  L60 "aaa"
#define L120 L60 L60

struct accepted {
    const char *text, *user, *domain;
};

static const struct accepted addresses[] = {
    {"daniel@kamailio.example", "daniel", "kamailio.example"},
    {"Daniel@Kamailio.Example", "daniel", "kamailio.example"},
    {"sip:daniel@kamailio.example", "daniel", "kamailio.example"},
    {"SIPS:daniel@kamailio.example.", "daniel", "kamailio.example"},
    {"d%61niel@a.example", "daniel", "a.example"},
    {"d%41niel@a.example", "daniel", "a.example"},
    {"a%2bb@a.example", "a+b", "a.example"},
    {"a%20b@a.example", "a%20b", "a.example"},
    {"j%c3%bcrgen@a.example", "j%C3%BCrgen", "a.example"},
    {"100%25@a.example", "100%25", "a.example"},
    {"a%3Ab@a.example", "a%3Ab", "a.example"},
    {"-_.!~*'()&=+$,;?/@a.example", "-_.!~*'()&=+$,;?/", "a.example"},
    {"%2D%5F%2E%21%7E%2A%27%28%29%26%3D%2B%24%2C%3B%3F%2F@a.example", "-_.!~*'()&=+$,;?/",
     "a.example"},
    {"+4930123456@a.example", "+4930123456", "a.example"},
    {"a@b\xC3\xBC"
     "cher.example",
     "a", "xn--bcher-kva.example"},
    {"a@B\xC3\x9C"
     "CHER.example",
     "a", "xn--bcher-kva.example"},
    {"a@bu\xCC\x88"
     "cher.example",
     "a", "xn--bcher-kva.example"},
    {"a@stra\xC3\x9F"
     "e.example",
     "a", "xn--strae-oqa.example"},
    {"a@XN--bcher-KVA.example", "a", "xn--bcher-kva.example"},
    {"a@\xC3\xBC.example.", "a", "xn--tda.example"},
    {"a@localhost", "a", "localhost"},
    {"a@1and1.example", "a", "1and1.example"},
    {"a@" L63 ".example", "a", L63 ".example"},
    {"a@" L63 "." L63 "." L63 "." L60 "a", "a", L63 "." L63 "." L63 "." L60 "a"},
    {L120 "aaaaaaaa@a.example", L120 "aaaaaaaa", "a.example"},
    {L120 "aaaaa%20@a.example", L120 "aaaaa%20", "a.example"},
};

static void addresses_take_their_canonical_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct store_address address;
        struct store_fault fault = {""};
        if (store_address_parse(slice_of(addresses[i].text), &address, &fault))
            fail_msg("%s: %s", addresses[i].text, fault.text);
        assert_string_equal(address.user, addresses[i].user);
        assert_string_equal(address.domain, addresses[i].domain);
    }
}

static void a_canonical_form_is_its_own_canonical_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        char user[STORE_USER_MAX + 1], domain[STORE_DOMAIN_MAX + 1];
        assert_int_equal(store_user_canonical(slice_of(addresses[i].user), user, NULL), 0);
        assert_string_equal(user, addresses[i].user);
        assert_int_equal(store_domain_canonical(slice_of(addresses[i].domain), domain, NULL), 0);
        assert_string_equal(domain, addresses[i].domain);
    }
}

struct refused {
    const char *text, *fault;
};

#define USER_RULE   "allowed are letters, digits, -_.!~*'()&=+$,;?/ and other characters as %HH"
#define DOMAIN_RULE "allowed are letters, digits, '-' inside a label and '.' between labels"
#define IP_FAULT                                                                                   \
    "the domain is an IP address; an address needs a domain name, because only names can be proven"

static const struct refused refused[] = {
    {"daniel", "the address has no '@'; write it as user@domain"},
    {"", "the address has no '@'; write it as user@domain"},
    {"a@b@c.example", "the address has more than one '@'; write it as user@domain"},
    {"@a.example", "the user part is empty"},
    {"sip:@a.example", "the user part is empty"},
    {"a b@a.example", "the user part contains ' ' at position 2; " USER_RULE},
    {"tel:1@a.example", "the user part contains ':' at position 4; " USER_RULE},
    {"a\x01@a.example", "the user part contains byte 0x01 at position 2; " USER_RULE},
    {"\xC3\xBC@a.example", "the user part contains '\xC3\xBC' at position 1; write it as %C3%BC"},
    {"\"a\"@a.example", "the user part contains '\"' at position 1; " USER_RULE},
    {"bob%40opb.example@a.example",
     "the user part contains an escaped '@' (%40) at position 4; an address never has '@' in its "
     "user part"},
    {"a%00@a.example", "the user part contains the control character %00 at position 2; control "
                       "characters are not allowed"},
    {"a%0d%0A@a.example", "the user part contains the control character %0D at position 2; control "
                          "characters are not allowed"},
    {"a%7f@a.example", "the user part contains the control character %7F at position 2; control "
                       "characters are not allowed"},
    {"a%4@a.example", "the user part has '%' at position 2 without two hexadecimal digits after "
                      "it; write '%' itself as %25"},
    {"a%@a.example", "the user part has '%' at position 2 without two hexadecimal digits after "
                     "it; write '%' itself as %25"},
    {"a%g1@a.example", "the user part has '%' at position 2 without two hexadecimal digits after "
                       "it; write '%' itself as %25"},
    {L120 "aaaaaaaaa@a.example", "the user part is longer than 128 octets"},
    {L120 "aaaaaa%20@a.example", "the user part is longer than 128 octets"},
    {L120 "aaaaaaaa%20@a.example", "the user part is longer than 128 octets"},
    {"a@", "the domain is empty"},
    {"a@.", "label 1 of the domain is empty; there is a '.' too many"},
    {"a@.a.example", "label 1 of the domain is empty; there is a '.' too many"},
    {"a@a..example", "label 2 of the domain is empty; there is a '.' too many"},
    {"a@a.example..", "label 3 of the domain is empty; there is a '.' too many"},
    {"a@my_host.example", "the domain contains '_' at position 3; " DOMAIN_RULE},
    {"a@a.example:5060", "the domain contains ':' at position 10; " DOMAIN_RULE},
    {"a@a.example;transport=tcp", "the domain contains ';' at position 10; " DOMAIN_RULE},
    {"a@a .example", "the domain contains ' ' at position 2; " DOMAIN_RULE},
    {"a@-a.example", "label 1 of the domain begins or ends with '-'"},
    {"a@a-.example", "label 1 of the domain begins or ends with '-'"},
    {"a@" L63 "a.example", "label 1 of the domain has 64 octets; at most 63 are allowed"},
    {"a@" L63 "." L63 "." L63 "." L60 "aa", "the domain is longer than 253 octets"},
    {"a@192.0.2.1", IP_FAULT},
    {"a@2001:db8::1", IP_FAULT},
    {"a@[2001:db8::1]", IP_FAULT},
    {"a@\xC3\xBC_.example", "the domain contains '_' at position 3; " DOMAIN_RULE},
    {"a@\xC3\xBC\xEF\xBC\xBF.example", "the domain contains '_' at position 5; " DOMAIN_RULE},
    {"a@\xC2\xAD", "label 1 of the domain is empty; there is a '.' too many"},
    {"a@a.123", "the last label of the domain begins with a digit; no top-level domain does"},
};

static void faults_name_the_character_and_the_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct store_address address = {.user = "untouched"};
        struct store_fault fault = {""};
        if (store_address_parse(slice_of(refused[i].text), &address, &fault) != STATUS_MALFORMED)
            fail_msg("accepted: %s", refused[i].text);
        assert_string_equal(fault.text, refused[i].fault);
        assert_string_equal(address.user, "untouched");
        assert_int_equal(store_address_parse(slice_of(refused[i].text), &address, NULL),
                         STATUS_MALFORMED);
    }
}

static void invalid_international_names_are_refused(void **state)
{
    static const char *const names[] = {
        "\xFF.example",          /* not UTF-8 */
        "\xE2\x82.example",      /* cut short */
        "\xCC\x88o.example",     /* begins with a combining mark */
        "a\xE2\x80\x8E.example", /* left-to-right mark */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char out[STORE_DOMAIN_MAX + 1];
        struct store_fault fault = {""};
        if (store_domain_canonical(slice_of(names[i]), out, &fault) != STATUS_MALFORMED)
            fail_msg("accepted: %zu as %s", i, out);
        assert_non_null(strstr(fault.text, "IDNA 2008"));
    }
}

static void nul_bytes_are_refused_wherever_they_stand(void **state)
{
    static const struct slice texts[] = {
        {"a\0b@a.example", 13}, {"a@a\0.example", 12}, {"a@\xC3\xBC\0.example", 13}};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct store_address address;
        assert_int_equal(store_address_parse(texts[i], &address, NULL), STATUS_MALFORMED);
    }
}

static void a_very_long_international_name_is_refused(void **state)
{
    char name[4096], out[STORE_DOMAIN_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(name); i += 2)
        memcpy(name + i, "\xC3\xBC", 2);
    for (size_t len = 2; len <= sizeof(name); len += 2)
        if (len > 120)
            assert_int_equal(store_domain_canonical(slice_make(name, len), out, NULL),
                             STATUS_MALFORMED);
}

/* Every prefix from memory that ends where the prefix ends: the sanitizer sees one byte too far. */
static void prefixes_are_never_read_past_their_end(void **state)
{
    static const char text[] = "sip:D%C3%bcrk%20+1@B\xC3\xBC"
                               "cher.a-b.Example.";
    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        struct store_address address;
        char *copy = malloc(len ? len : 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        store_address_parse(slice_make(copy, len), &address, NULL);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_take_their_canonical_form),
        cmocka_unit_test(a_canonical_form_is_its_own_canonical_form),
        cmocka_unit_test(faults_name_the_character_and_the_rule),
        cmocka_unit_test(invalid_international_names_are_refused),
        cmocka_unit_test(nul_bytes_are_refused_wherever_they_stand),
        cmocka_unit_test(a_very_long_international_name_is_refused),
        cmocka_unit_test(prefixes_are_never_read_past_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
