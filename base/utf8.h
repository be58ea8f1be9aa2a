/* UTF-8 that may be shown to people. */
#ifndef JUNCTOR_BASE_UTF8_H
#define JUNCTOR_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Octets of the printable character at `p`, or 0 where there is none: at the terminator, at what is
 * no UTF-8 (RFC 3629), and at characters that do harm on a terminal or in a viewer (controls, line
 * separators, those that reorder the text around them). `p` is NUL-terminated. */
size_t utf8_printable_len(const char *p);

/* Is all of the text printable? The empty one is. */
bool utf8_is_printable(const char *text);

#endif
