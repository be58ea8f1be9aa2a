/* Texts that may be shown: valid UTF-8 without what does harm. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void printable_texts_are_told_from_others(void **state)
{
    static const char *const good[] = {
        "",
        " ",
        "~",
        "a b",
        "\xc2\xa0",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
    };
    static const char *const bad[] = {
        "\x01",
        "a\n",
        "\x1f",
        "\x7f", /* controls */
        "\xc2\x80",
        "\xc2\x9f", /* C1 */
        "\x80",
        "\xbf",
        "\xc3",
        "a\xe2\x82", /* no lead, cut short */
        "\xc3(",
        "\xe2\x82(",
        "\xf0\x9f\x98(", /* another character in between */
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",
        "\xed\xbf\xbf", /* surrogates */
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xff", /* over U+10FFFF */
        "\xe2\x80\xa8",
        "\xe2\x80\xae",
        "\xe2\x81\xa6", /* line separator, reordering */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(utf8_is_printable(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(utf8_is_printable(bad[i]));
}

/* In memory of its own size, so that one octet after the terminator is found. */
static void nothing_after_the_terminator_is_looked_at(void **state)
{
    static const char text[] = "\xf0\x9f\x98\x80";
    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        char *copy = calloc(1, len + 1);
        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_int_equal(utf8_printable_len(copy), len < 4 ? 0 : 4);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_texts_are_told_from_others),
        cmocka_unit_test(nothing_after_the_terminator_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
