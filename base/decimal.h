/* Numbers as text, where printf would cost more than all around it. */
#ifndef JUNCTOR_BASE_DECIMAL_H
#define JUNCTOR_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_MAX 21 /* digits of any uint64_t, and the terminator */

/* Writes the digits of `value`, at least one, and a terminator. Returns how many digits. */
static inline size_t decimal_format(uint64_t value, char text[DECIMAL_MAX])
{
    char reversed[DECIMAL_MAX];
    size_t len = 0;
    do
        reversed[len++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    for (size_t i = 0; i < len; i++)
        text[i] = reversed[len - 1 - i];
    text[len] = '\0';
    return len;
}

#endif
