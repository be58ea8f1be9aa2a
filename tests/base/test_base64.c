#include "base/base64.h"

#include "base/status.h"
#include "tests/test.h"

#include <string.h>

static void what_is_encoded_is_what_the_rfc_says(void **state)
{
    /* RFC 4648 section 10, without padding; the last one has both characters that base64url has in
     * place of those of base64. */
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        char text[BASE64_LEN((size_t)6) + 1], bytes[6];
        size_t len = strlen(pairs[i][0]);
        assert_int_equal(base64_encode(pairs[i][0], len, text), BASE64_LEN(len));
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(base64_decode(slice_of(text), bytes, sizeof(bytes)), len);
        assert_memory_equal(bytes, pairs[i][0], len);
    }
}

static void no_bytes_have_two_texts(void **state)
{
    static const char *const bad[] = {"Zg==", "Zh", "Z",    "Zm9v ", "Zm9v\n",
                                      "+w",   "/w", "Zm8=", "Zm9"};
    char bytes[8];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(base64_decode(slice_of(bad[i]), bytes, sizeof(bytes)), STATUS_MALFORMED);
}

static void more_than_there_is_room_for_is_refused(void **state)
{
    char bytes[3];
    (void)state;
    assert_int_equal(base64_decode(SLICE("Zm9v"), bytes, 3), 3);
    assert_int_equal(base64_decode(SLICE("Zm9v"), bytes, 2), STATUS_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_what_the_rfc_says),
        cmocka_unit_test(no_bytes_have_two_texts),
        cmocka_unit_test(more_than_there_is_room_for_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
