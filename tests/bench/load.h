/* Directories of any number of addresses: keys of 22 octets (domain NUL user), each with an owner
 * of 8 octets, the owners in random order. */
#ifndef JUNCTOR_TESTS_BENCH_LOAD_H
#define JUNCTOR_TESTS_BENCH_LOAD_H

#include "store/store.h"

#define LOAD_DOMAIN    "opa.example"
#define LOAD_USER_LEN  10
#define LOAD_OWNER_LEN 8
#define LOAD_KEY_LEN   22
#define LOAD_MAP_SIZE  ((size_t)4 << 30)

/* The names to come, as text, so that no clock sees how they are made. */
struct load {
    uint32_t count;
    char (*users)[LOAD_USER_LEN]; /* "u" and nine digits */
    char (*owners)[LOAD_OWNER_LEN];
};
void load_init(struct load *load, uint32_t count);
void load_done(struct load *load);

void load_address(const struct load *load, uint32_t i, struct store_address *address);
void load_record(const struct load *load, uint32_t i, struct store_record *record);

struct store_conf load_conf(const char *path);
/* Loads the store at conf->path, which is empty. */
void load_store(const struct load *load, const struct store_conf *conf);

#endif
