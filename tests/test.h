/* What every test program includes: cmocka with the headers that it asks for, in its order. */
#ifndef JUNCTOR_TESTS_TEST_H
#define JUNCTOR_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Makes a folder in $TMPDIR; "make check" gives each program one of its own and removes it, however
 * the program ended. */
static inline void test_folder_make(char *path, size_t size)
{
    const char *tmp = getenv("TMPDIR");
    int len = snprintf(path, size, "%s/junctor-test-XXXXXX", tmp ? tmp : "/tmp");
    if (len < 0 || (size_t)len >= size)
        fail_msg("TMPDIR is longer than the tests have room for");
    assert_non_null(mkdtemp(path));
}

#endif
