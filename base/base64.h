/* base64url without padding (RFC 4648 section 5; RFC 7515 section 2). Pure; any thread. */
#ifndef JUNCTOR_BASE_BASE64_H
#define JUNCTOR_BASE_BASE64_H

#include "base/slice.h"

#include <stddef.h>

/* Characters that `len` bytes become, without terminator. */
#define BASE64_LEN(len) (((len)*4 + 2) / 3)

/* `text` has room for BASE64_LEN(len) + 1. Returns the characters written, terminator not counted.
 */
size_t base64_encode(const void *bytes, size_t len, char *text);

/* Returns the bytes written, or STATUS_MALFORMED: another character (padding is one), more than
 * `size` bytes, or bits left over at the end that are not zero: so nothing has two texts. `bytes`
 * may then be written to. */
int base64_decode(struct slice text, void *bytes, size_t size);

#endif
