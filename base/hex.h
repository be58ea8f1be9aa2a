/* Octets as lower-case hexadecimal digits, the only form that junctor writes and takes: so nothing
 * has two texts. Pure; any thread. */
#ifndef JUNCTOR_BASE_HEX_H
#define JUNCTOR_BASE_HEX_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Digits that `len` octets become, without terminator. */
#define HEX_LEN(len) ((size_t)2 * (len))

/* `text` has room for HEX_LEN(len) + 1. Returns it. */
char *hex_encode(const void *octets, size_t len, char *text);

/* Exactly `len` octets; false where the text has another length or another character. `octets` may
 * then be written to. */
bool hex_decode(struct slice text, void *octets, size_t len);

/* Nothing but digits, or empty. */
bool hex_is(struct slice text);

#endif
