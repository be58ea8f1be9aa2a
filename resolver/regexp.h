/* The regexp field of a NAPTR record: DELIM expression DELIM replacement DELIM flags (RFC 3402
 * section 3.2). Pure; bounded against hostile fields as pattern.h says. */
#ifndef JUNCTOR_RESOLVER_REGEXP_H
#define JUNCTOR_RESOLVER_REGEXP_H

#include "base/slice.h"

#include <stddef.h>

#define RESOLVER_REGEXP_MAX 255 /* octets of the field: one <character-string> */

/* Applies the field to the application unique string, such as "+493012345". The result is the
 * replacement with its "\1" to "\9" filled in; what of the input did not match is no part of it.
 * field   delimiter: any octet but "\", 1-9 and the flag "i"; written "\" + delimiter where it is
 *         meant as itself; in the replacement "\\" is "\"
 * out     `size` octets; terminated
 * Returns NULL, or half a sentence for people about why this record cannot be used (malformed, does
 * not match, result longer than `size` or with NUL); `out` is then untouched. */
const char *resolver_regexp_apply(struct slice field, struct slice input, char *out, size_t size);

#endif
