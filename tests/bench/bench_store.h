/* The parts of the store's benchmark. `path` names folders of bench_path, which stay. */
#ifndef JUNCTOR_TESTS_BENCH_BENCH_STORE_H
#define JUNCTOR_TESTS_BENCH_BENCH_STORE_H

#include "tests/bench/load.h"

/* Loads a store of the addresses at `path`, and the addresses alone into bare LMDB at `bare_path`,
 * in turns; the last of each stay. */
void bench_import(const struct load *load, const char *path, const char *bare_path);

/* From a canonical address to the routing answer, against one bare mdb_get of the address's key.
 */
void bench_lookup(const struct load *load, const char *path, const char *bare_path);
/* The cost of a lookup, and of opening the store up to its first answer. */
void bench_scale(const struct load *load, const char *path, const char *size);

/* Commands of 64 threads that wait for each, against those of one; the report is `name`. */
void bench_commit(const struct load *load, const char *path, const char *name, double least);

#endif
