/* What every test program includes: cmocka with the headers that it asks for, in its order. */
#ifndef JUNCTOR_TESTS_TEST_H
#define JUNCTOR_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
