/* Telephone numbers as people write them, owners, and the user parts nobody may own. */
#include "base/status.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void numbers_lose_their_separators(void **state)
{
    static const struct {
        const char *text, *digits;
    } numbers[] = {
        {"+49301234567", "49301234567"},
        {"+49 30 1234-567", "49301234567"},
        {"tel:+49301234567", "49301234567"},
        {"TEL:+1-201-555-0123", "12015550123"}, /* RFC 3966 section 6 */
        {"+1 (201) 555.0123", "12015550123"},
        {"+(49)30", "4930"},
        {"+1 800 000 (00)", "180000000"},
        {"+911", "911"},
        {"+999999999999999", "999999999999999"},
        {"+9-9-9-9-9-9-9-9-9-9-9-9-9-9-9-", "999999999999999"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char digits[STORE_NUMBER_MAX + 1];
        struct store_fault fault = {""};
        if (store_number_parse(slice_of(numbers[i].text), digits, &fault))
            fail_msg("%s: %s", numbers[i].text, fault.text);
        assert_string_equal(digits, numbers[i].digits);
    }
}

static void what_is_no_number_is_refused_with_the_rule(void **state)
{
    static const struct {
        struct slice text;
        const char *words;
    } numbers[] = {
        {SLICE(""), "does not begin with '+'"},
        {SLICE("tel:"), "does not begin with '+'"},
        {SLICE("030123456"), "does not begin with '+'"},
        {SLICE(" +4930123456"), "does not begin with '+'"},
        {SLICE("sip:+4930123456"), "does not begin with '+'"},
        {SLICE("+"), "fewer than 3 digits"},
        {SLICE("+4-9"), "fewer than 3 digits"},
        {SLICE("+0049301234"), "'0' after '+'"},
        {SLICE("+-0301234"), "'0' after '+'"},
        {SLICE("+1234567890123456"), "more than 15 digits"},
        {SLICE("+49 (0)30 123456"), "'(0)' at position 5"},
        {SLICE("+4930x12"), "'x' at position 6"},
        {SLICE("tel:+4930#"), "'#' at position 10"},
        {SLICE("+49+30123"), "'+' at position 4"},
        {SLICE("+4930\x80"), "byte 0x80 at position 6"},
        {SLICE("+4930\0"), "byte 0x00 at position 6"},
        {SLICE("+4930\t12"), "byte 0x09 at position 6"},
        {SLICE("tel:+4930123;ext=7"), "parameters, from ';' at position 13"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char digits[STORE_NUMBER_MAX + 1] = "as before";
        struct store_fault fault = {""};
        assert_int_equal(store_number_parse(numbers[i].text, digits, &fault), STATUS_MALFORMED);
        assert_int_equal(store_number_parse(numbers[i].text, digits, NULL), STATUS_MALFORMED);
        assert_string_equal(digits, "as before");
        if (!strstr(fault.text, numbers[i].words))
            fail_msg("\"%s\" does not say \"%s\"", fault.text, numbers[i].words);
    }
}

/* One octet too far is found where the number ends with its memory. */
static void every_beginning_of_a_number_can_be_parsed(void **state)
{
    static const char text[] = "tel:+49 (0)30";
    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        char digits[STORE_NUMBER_MAX + 1], *copy = malloc(len ? len : 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        int ret = store_number_parse(slice_make(copy, len), digits, NULL);
        assert_int_equal(ret, len == strlen("tel:+49 (0") ? 0 : STATUS_MALFORMED);
        free(copy);
    }
}

static void an_owner_is_up_to_64_printable_characters(void **state)
{
    static const struct {
        struct slice owner;
        const char *words; /* NULL: good */
    } owners[] = {
        {SLICE("a"), NULL},
        {SLICE("!~"), NULL},
        {SLICE("customer:4711/ab"), NULL},
        {SLICE("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"), NULL},
        {SLICE("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefX"),
         "longer than 64 characters"},
        {SLICE(""), "empty"},
        {SLICE("al ice"), "' ' at position 3"},
        {SLICE("alice\n"), "byte 0x0A at position 6"},
        {SLICE("a\0b"), "byte 0x00 at position 2"},
        {SLICE("\x7f"), "byte 0x7F at position 1"},
        {SLICE("j\xc3\xbcrgen"), "byte 0xC3 at position 2"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(owners); i++) {
        struct store_fault fault = {""};
        int status = owners[i].words ? STATUS_MALFORMED : 0;
        assert_int_equal(store_owner_check(owners[i].owner, &fault), status);
        assert_int_equal(store_owner_check(owners[i].owner, NULL), status);
        if (status && !strstr(fault.text, owners[i].words))
            fail_msg("\"%s\" does not say \"%s\"", fault.text, owners[i].words);
    }
}

static void the_mailboxes_of_rfc_2142_are_reserved(void **state)
{
    static const char *const reserved[] = {
        "info",       "marketing", "sales", "support",   "abuse", "noc",  "security", "postmaster",
        "hostmaster", "usenet",    "news",  "webmaster", "www",   "uucp", "ftp",
    };
    static const char *const others[] = {"", "alice", "inf", "infos", "postmaster2", "root"};
    (void)state;
    for (size_t i = 0; i < COUNT(reserved); i++)
        assert_true(store_user_is_reserved(reserved[i]));
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(store_user_is_reserved(others[i]));
}

static void a_mail_address_is_kept_with_its_domain_in_ascii(void **state)
{
    static const struct {
        const char *text, *kept;
    } mails[] = {
        {"daniel@mail.example", "daniel@mail.example"},
        {"Daniel.M+sip@Mail.Example.", "Daniel.M+sip@mail.example"},
        {"j\xC3\xBCrgen@b\xC3\xBC"
         "cher.example",
         "j\xC3\xBCrgen@xn--bcher-kva.example"}, /* RFC 6531 section 3.3 */
        {"!#$%&'*+-/=?^_`{|}~@x.example", "!#$%&'*+-/=?^_`{|}~@x.example"},
    };
    char mail[STORE_MAIL_MAX + 1];
    struct store_fault fault;
    (void)state;
    for (size_t i = 0; i < COUNT(mails); i++) {
        if (store_mail_canonical(slice_of(mails[i].text), mail, &fault))
            fail_msg("%s: %s", mails[i].text, fault.text);
        assert_string_equal(mail, mails[i].kept);
    }
}

#define LABEL_60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."

static void what_is_no_mail_address_is_refused_with_the_rule(void **state)
{
    static const struct {
        struct slice text;
        const char *words;
    } mails[] = {
        {SLICE(""), "has no '@'"},
        {SLICE("daniel"), "has no '@'"},
        {SLICE("none"), "has no '@'"},
        {SLICE("-oQ/tmp@mail.example"), "begin with '-'"},
        {SLICE("@mail.example"), "is empty"},
        {SLICE(".a@mail.example"), "'.' too many"},
        {SLICE("a.@mail.example"), "'.' too many"},
        {SLICE("a..b@mail.example"), "'.' too many"},
        {SLICE("a b@mail.example"), "' ' at position 2"},
        {SLICE("a,b@mail.example"), "',' at position 2"},
        {SLICE("<a@mail.example>"), "'<' at position 1"},
        {SLICE("\"a\"@mail.example"), "'\"' at position 1"},
        {SLICE("a\nBcc: b@mail.example"), "byte 0x0A at position 2"},
        {SLICE("a\0b@mail.example"), "NUL"},
        {SLICE("a\xC2\x85@mail.example"), "byte 0xC2 at position 2"}, /* a C1 control */
        {SLICE("a\xFF@mail.example"), "byte 0xFF at position 2"},
        {SLICE("a@b@mail.example"), "'@'"},
        {SLICE("a@mail.example\n"), "byte 0x0A"},
        {SLICE("a@mail.example, b@mail.example"), "','"},
        {SLICE("a@[192.0.2.1]"), "'['"},
        {SLICE("a@192.0.2.1"), "IP address"},
        {SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@mail.example"),
         "longer than 64 octets"},
        {SLICE("aaaaaaaaaaaaaaaaaaaa@" LABEL_60 LABEL_60 LABEL_60 LABEL_60 "example"),
         "longer than 254 octets"},
    };
    char mail[STORE_MAIL_MAX + 1] = "untouched";
    (void)state;
    for (size_t i = 0; i < COUNT(mails); i++) {
        struct store_fault fault = {""};
        if (!store_mail_canonical(mails[i].text, mail, &fault))
            fail_msg("%.*s is taken", SLICE_ARG(mails[i].text));
        if (!strstr(fault.text, mails[i].words))
            fail_msg("%.*s: %s", SLICE_ARG(mails[i].text), fault.text);
        assert_int_equal(store_mail_canonical(mails[i].text, mail, NULL), STATUS_MALFORMED);
    }
    assert_string_equal(mail, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_lose_their_separators),
        cmocka_unit_test(what_is_no_number_is_refused_with_the_rule),
        cmocka_unit_test(every_beginning_of_a_number_can_be_parsed),
        cmocka_unit_test(an_owner_is_up_to_64_printable_characters),
        cmocka_unit_test(the_mailboxes_of_rfc_2142_are_reserved),
        cmocka_unit_test(a_mail_address_is_kept_with_its_domain_in_ascii),
        cmocka_unit_test(what_is_no_mail_address_is_refused_with_the_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
