/* The tables alone, without a writer and without a schema: for the files of single kinds. */
#ifndef JUNCTOR_TESTS_STORE_BARE_H
#define JUNCTOR_TESTS_STORE_BARE_H

#include "store/internal.h"

struct bare {
    char path[256];
    struct store store;
    struct store_reader reader; /* sees what `txn` has written */
    struct store_txn txn;       /* a write under way, never committed */
};

/* cmocka's setup and teardown: empty tables. */
int bare_setup(void **state);
int bare_teardown(void **state);

#endif
