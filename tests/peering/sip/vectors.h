/* The messages of an INDEX.tsv, as ../shared/vectors/sip/README.md describes it: one row for each,
 * files relative to the folder of the index. */
#ifndef JUNCTOR_TESTS_PEERING_SIP_VECTORS_H
#define JUNCTOR_TESTS_PEERING_SIP_VECTORS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define VECTOR_COLUMNS 11

enum vector_column {
    COL_FILE = 0,
    COL_KIND = 4,
    COL_START = 5,
    COL_PARSER = 7,
    COL_UDP = 8,
    COL_STREAM = 9
};

struct vector {
    char *column[VECTOR_COLUMNS]; /* NULL where the row has no more */
    char *bytes;                  /* with a NUL after them that does not count */
    size_t len;
};

struct vectors {
    char *index; /* the columns point into it */
    struct vector *vector;
    size_t count;
};

/* Returns whether there is an index with rows. What is wrong in it is told and ends the program. */
bool vectors_load(struct vectors *vectors, const char *index);
void vectors_done(struct vectors *vectors);

/* Where ours is, and those of ../shared, which JUNCTOR_SHARED may name. */
void vectors_own_index(char *path, size_t size);
void vectors_shared_index(char *path, size_t size);

static inline struct slice vector_bytes(const struct vector *vector)
{
    return slice_make(vector->bytes, vector->len);
}

/* Takes the first alternative off "a|b|c"; false where there is none left. */
bool outcome_next(const char **outcomes, struct slice *word);
/* Is `word` one of the alternatives? */
bool outcome_has(const char *outcomes, const char *word);

#endif
