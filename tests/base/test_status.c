#include "base/status.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

static const int codes[] = {
#define STATUS_CODE(name, number, text) STATUS_##name,
    STATUS_LIST(STATUS_CODE)
#undef STATUS_CODE
};

static void every_code_has_its_own_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(codes[i], codes[j]);
            assert_string_not_equal(status_text(codes[i]), status_text(codes[j]));
        }
    }
    assert_string_equal(status_text(STATUS_NOTFOUND), "no such record");
    assert_string_equal(status_text(STATUS_OK), "success");
}

static void codes_never_meet_an_errno(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        assert_true(codes[i] <= -1000);
    assert_string_equal(status_text(-ENOENT), "No such file or directory");
    assert_string_equal(status_text(-ETIMEDOUT), "Connection timed out");
}

static void what_is_no_code_has_a_text_too(void **state)
{
    (void)state;
    static const int odd[] = {1, 4711, -999, -2000, -2147483647 - 1, 2147483647};
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        assert_non_null(strstr(status_text(odd[i]), "unknown"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_own_text),
        cmocka_unit_test(codes_never_meet_an_errno),
        cmocka_unit_test(what_is_no_code_has_a_text_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
