/* Keys that come in any order and are wanted in order: an arena of their octets and an array of
 * where each begins, sorted by radix. For one thread; zero is an empty sorter. */
#ifndef JUNCTOR_STORE_SORTER_H
#define JUNCTOR_STORE_SORTER_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_SORTER_MAX       ((size_t)4 << 20)   /* keys held at a time */
#define STORE_SORTER_ARENA_MAX ((size_t)256 << 20) /* octets of all of them */

struct sorter_entry {
    uint64_t prefix; /* octets that tell most keys apart, as a number */
    uint32_t offset, len;
};

struct store_sorter {
    char *arena;
    struct sorter_entry *entries, *scratch;
    size_t arena_len, count;
    size_t max;    /* keys held at a time; 0: STORE_SORTER_MAX */
    size_t shared; /* octets that all keys begin with */
};

/* In the order of LMDB's keys: negative, 0 or positive. */
int store_key_compare(struct slice a, struct slice b);

/* Returns 0, -ENOMEM, or -ENOBUFS: what is there must be sorted, used and cleared first. */
int store_sorter_add(struct store_sorter *sorter, struct slice key);
void store_sorter_sort(struct store_sorter *sorter);
/* The key at place `i` < count; its octets are the sorter's until the next call that changes it. */
struct slice store_sorter_key(const struct store_sorter *sorter, size_t i);
void store_sorter_clear(struct store_sorter *sorter); /* keeps the memory */
void store_sorter_free(struct store_sorter *sorter);

#endif
