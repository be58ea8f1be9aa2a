/* Short texts built piece by piece: keys and records as the journal shows them. */
#ifndef JUNCTOR_STORE_TEXT_H
#define JUNCTOR_STORE_TEXT_H

#include <stddef.h>

/* Holds a domain with STORE_CORES_MAX next hops of the longest names. */
#define STORE_TEXT_MAX 3072

struct store_text {
    char p[STORE_TEXT_MAX];
    size_t len;
};

/* Appends; start from a zeroed text. What does not fit is cut off. */
void store_text_add(struct store_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
