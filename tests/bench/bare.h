/* LMDB alone, as well as it can be used: what the store is measured against. */
#ifndef JUNCTOR_TESTS_BENCH_BARE_H
#define JUNCTOR_TESTS_BENCH_BARE_H

#include "base/slice.h"

#include <lmdb.h>
#include <stdint.h>

/* The keys and values of a store's addresses, copied to memory one behind the other. */
struct bare_records {
    char *bytes;
    size_t len, count;
    size_t key_len, value_len; /* the same for all */
};
void bare_records_read(struct bare_records *records, const char *store_path);
void bare_records_done(struct bare_records *records);

/* Writes them, in order, to a new environment in an empty folder, which is on disk at the end: by
 * mdb_put with MDB_APPEND in one transaction. */
void bare_append(const struct bare_records *records, const char *path);
/* The same as fast as LMDB can do it. */
void bare_append_tuned(const struct bare_records *records, const char *path);

struct bare {
    MDB_env *env;
    MDB_dbi table;
    MDB_txn *txn; /* reset */
};
void bare_open(struct bare *bare, const char *path);
void bare_close(struct bare *bare);

#endif
