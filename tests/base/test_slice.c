#include "base/slice.h"

#include "base/chars.h"
#include "tests/test.h"

#include <errno.h>

static const struct slice nothing = {NULL, 0};

static void equal_means_same_bytes(void **state)
{
    (void)state;
    static const struct {
        struct slice a, b;
        bool eq, eq_nocase;
    } table[] = {
        {SLICE("invite"), SLICE("invite"), true, true},
        {SLICE("invite"), SLICE("INVITE"), false, true},
        {SLICE("invite"), SLICE("invit"), false, false},
        {SLICE("invite"), SLICE("invitf"), false, false},
        {SLICE("[]"), SLICE("{}"), false, false},     /* 0x20 apart, but no letters */
        {SLICE("\xc4"), SLICE("\xe4"), false, false}, /* letters in Latin-1 only */
        {SLICE("a\0b"), SLICE("a\0c"), false, false}, /* NUL ends nothing */
        {SLICE("@AZ"), SLICE("`az"), false, false},   /* just below 'A' */
        {SLICE(""), {NULL, 0}, true, true},
        {{NULL, 0}, {NULL, 0}, true, true},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        assert_int_equal(slice_eq(table[i].a, table[i].b), table[i].eq);
        assert_int_equal(slice_eq(table[i].b, table[i].a), table[i].eq);
        assert_int_equal(slice_eq_nocase(table[i].a, table[i].b), table[i].eq_nocase);
    }
}

static void prefix_is_found_only_at_the_start(void **state)
{
    (void)state;
    assert_true(slice_starts_with(SLICE("SIP/2.0 200"), SLICE("SIP/2.0 ")));
    assert_false(slice_starts_with(SLICE("sip/2.0 200"), SLICE("SIP/2.0 ")));
    assert_true(slice_starts_with_nocase(SLICE("sip/2.0 200"), SLICE("SIP/2.0 ")));
    assert_false(slice_starts_with(SLICE("SIP"), SLICE("SIP/2.0 ")));
    assert_false(slice_starts_with_nocase(SLICE("SIP"), SLICE("SIP/2.0 ")));
    assert_true(slice_starts_with(SLICE("SIP"), nothing));
    assert_true(slice_starts_with(nothing, nothing));
    assert_false(slice_starts_with_nocase(SLICE("xSIP"), SLICE("SIP")));
}

static void contains_means_inside_the_memory(void **state)
{
    (void)state;
    static const char memory[] = "0123456789";
    struct slice middle = slice_make(memory + 2, 5); /* bytes 2..6 */
    static const struct {
        size_t at, len;
        bool inside;
    } table[] = {
        {2, 5, true},  {2, 0, true},  {7, 0, true},  {6, 1, true},  {4, 2, true},
        {1, 2, false}, {6, 2, false}, {7, 1, false}, {8, 0, false}, {0, 10, false},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct slice inner = slice_make(memory + table[i].at, table[i].len);
        assert_int_equal(slice_contains(middle, inner), table[i].inside);
    }
    assert_false(slice_contains(middle, slice_make(memory + 3, SIZE_MAX)));
    assert_false(slice_contains(middle, nothing));
    assert_false(slice_contains(nothing, middle));
}

static void find_answers_the_offset_or_the_length(void **state)
{
    (void)state;
    assert_int_equal(slice_find(SLICE("a:b:c"), ':'), 1);
    assert_int_equal(slice_find(SLICE("abc"), ':'), 3);
    assert_int_equal(slice_find(SLICE("abc"), '\0'), 3);
    assert_int_equal(slice_find(SLICE("a\0c"), '\0'), 1);
    assert_int_equal(slice_find(nothing, ':'), 0);
}

static void skip_stops_at_the_end(void **state)
{
    (void)state;
    struct slice s = SLICE("abc");
    assert_true(slice_eq(slice_skip(s, 0), s));
    assert_true(slice_eq(slice_skip(s, 2), SLICE("c")));
    assert_true(slice_eq(slice_skip(s, 3), nothing));
    assert_true(slice_eq(slice_skip(s, SIZE_MAX), nothing));
    assert_ptr_equal(slice_skip(s, 9).p, s.p + 3);
    assert_null(slice_skip(nothing, 4).p);
}

static void trim_takes_linear_white_space_off(void **state)
{
    (void)state;
    static const struct {
        struct slice text, trimmed;
    } table[] = {
        {SLICE(" \t\r\n a b \r\n"), SLICE("a b")},
        {SLICE("a"), SLICE("a")},
        {SLICE("\r\n \t"), SLICE("")},
        {SLICE("\va\f"), SLICE("\va\f")}, /* white to isspace(), not to SIP */
        {SLICE("\0a\0"), SLICE("\0a\0")},
        {{NULL, 0}, {NULL, 0}},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        assert_true(slice_eq(slice_trim(table[i].text), table[i].trimmed));
}

static void numbers_are_digits_within_the_bound(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        uint64_t max;
        int status;
        uint64_t value;
    } table[] = {
        {SLICE("0"), 0, 0, 0},
        {SLICE("65535"), 65535, 0, 65535},
        {SLICE("65536"), 65535, -ERANGE, 0},
        {SLICE("007"), 7, 0, 7},
        {SLICE("8"), 7, -ERANGE, 0},
        {SLICE("18446744073709551615"), UINT64_MAX, 0, UINT64_MAX},
        {SLICE("18446744073709551616"), UINT64_MAX, -ERANGE, 0},
        {SLICE("99999999999999999999999999999999"), UINT64_MAX, -ERANGE, 0},
        {SLICE("99999999999999999999999999999x"), UINT64_MAX, -EINVAL, 0},
        {SLICE(""), UINT64_MAX, -EINVAL, 0},
        {{NULL, 0}, UINT64_MAX, -EINVAL, 0},
        {SLICE("-1"), UINT64_MAX, -EINVAL, 0},
        {SLICE("+1"), UINT64_MAX, -EINVAL, 0},
        {SLICE(" 1"), UINT64_MAX, -EINVAL, 0},
        {SLICE("1 "), UINT64_MAX, -EINVAL, 0},
        {SLICE("1\0"), UINT64_MAX, -EINVAL, 0},
        {SLICE("0x10"), UINT64_MAX, -EINVAL, 0},
        {SLICE(":"), UINT64_MAX, -EINVAL, 0}, /* the byte after '9' */
        {SLICE("/"), UINT64_MAX, -EINVAL, 0}, /* the byte before '0' */
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        uint64_t value = 4711;
        assert_int_equal(slice_to_u64(table[i].text, table[i].max, &value), table[i].status);
        assert_int_equal(value, table[i].status == 0 ? table[i].value : 4711);
    }
}

static void cstr_is_whole_or_empty(void **state)
{
    (void)state;
    char text[4] = "xxx";
    assert_int_equal(slice_to_cstr(SLICE("abc"), text, sizeof(text)), 0);
    assert_string_equal(text, "abc");
    assert_int_equal(slice_to_cstr(SLICE("abcd"), text, sizeof(text)), -ERANGE);
    assert_string_equal(text, "");
    assert_int_equal(slice_to_cstr(nothing, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(slice_to_cstr(SLICE("a\0b"), text, sizeof(text)), -ERANGE);
    assert_string_equal(text, "");
    text[0] = 'x';
    assert_int_equal(slice_to_cstr(nothing, text, 0), -ERANGE);
    assert_int_equal(text[0], 'x');
}

static void character_tests_know_ascii_only(void **state)
{
    (void)state;
    size_t digits = 0;
    size_t letters = 0;
    size_t hex = 0;
    size_t folded = 0;
    for (int i = -128; i < 128; i++) {
        char c = (char)i;
        digits += char_is_digit(c);
        letters += char_is_alpha(c);
        hex += char_hex(c) >= 0;
        folded += char_lower(c) != c;
        assert_int_equal(char_is_alnum(c), char_is_digit(c) || char_is_alpha(c));
        assert_int_equal(char_is_blank(c), c == ' ' || c == '\t');
    }
    assert_int_equal(digits, 10);
    assert_int_equal(letters, 52);
    assert_int_equal(hex, 22);
    assert_int_equal(folded, 26);
    assert_int_equal(char_hex('0'), 0);
    assert_int_equal(char_hex('a'), 10);
    assert_int_equal(char_hex('F'), 15);
    assert_int_equal(char_hex('g'), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_means_same_bytes),
        cmocka_unit_test(prefix_is_found_only_at_the_start),
        cmocka_unit_test(contains_means_inside_the_memory),
        cmocka_unit_test(find_answers_the_offset_or_the_length),
        cmocka_unit_test(skip_stops_at_the_end),
        cmocka_unit_test(trim_takes_linear_white_space_off),
        cmocka_unit_test(numbers_are_digits_within_the_bound),
        cmocka_unit_test(cstr_is_whole_or_empty),
        cmocka_unit_test(character_tests_know_ascii_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
