#include "base/hex.h"

#include "tests/test.h"

#include <string.h>

static void what_is_encoded_is_decoded(void **state)
{
    uint8_t octets[256], back[256];
    char text[HEX_LEN(256) + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)i;
    assert_ptr_equal(hex_encode(octets, sizeof(octets), text), text);
    assert_int_equal(strlen(text), HEX_LEN(256));
    assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f10", 34);
    assert_true(hex_decode(slice_of(text), back, sizeof(back)));
    assert_memory_equal(back, octets, sizeof(octets));
    assert_string_equal(hex_encode(octets, 0, text), "");
}

static void no_octets_have_two_texts(void **state)
{
    static const char *const bad[] = {"",   "0",  "0g", "0A",  "A0", "/0",
                                      ":0", "`0", " 0", "00 ", "000"};
    uint8_t octet;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(hex_decode(slice_of(bad[i]), &octet, 1));
    assert_false(hex_decode(slice_make("0\0", 2), &octet, 1));
    assert_true(hex_is(SLICE("0123456789abcdef")));
    assert_false(hex_is(SLICE("0x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(no_octets_have_two_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
