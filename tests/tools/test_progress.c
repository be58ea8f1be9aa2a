/* What the progress line says on terminals of different widths. */
#include "tests/test.h"
#include "tools/progress.h"

#include <string.h>

static const struct progress importing = {.what = "importing", .total = 1000000};
static const struct progress_state state = {.at = 250000, .count = 250000, .refused = 12};

static void assert_line(unsigned columns, const char *expected)
{
    char text[PROGRESS_LINE_MAX];
    assert_string_equal(progress_line(&importing, &state, 5000, columns, text), expected);
    assert_true(strlen(text) < columns);
}

static void a_narrow_line_loses_whole_parts(void **unused)
{
    (void)unused;
    assert_line(100, "importing  [#######......................]  25%  "
                     "250,000 addresses, 50,000/s, ETA 00:15, 12 refused");
    assert_line(69, "importing   25%  250,000 addresses, 50,000/s, ETA 00:15, 12 refused");
    assert_line(60, "importing   25%  250,000 addresses, 50,000/s, 12 refused");
    assert_line(50, "importing   25%  250,000 addresses, 12 refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_narrow_line_loses_whole_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
