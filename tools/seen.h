/* The addresses of a file, kept as keyed hashes of 112 bits: who is there twice, and in which order
 * aliases can be added. */
#ifndef JUNCTOR_TOOLS_SEEN_H
#define JUNCTOR_TOOLS_SEEN_H

#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEEN_MAX                                                                                   \
    (1u << 27) /* addresses of one file: 16 octets each, at least half of them used                \
                */

/* How many aliases lead from the address to one that is none, within the file. */
enum {
    SEEN_ADDRESS = 0, /* is no alias */
    SEEN_UNKNOWN = 255
};

struct seen_entry {
    uint64_t first;
    uint64_t rest : 48;
    uint64_t level : 8;
    uint64_t turn : 6; /* the last pass over the file that took it; 0: none */
    uint64_t refused : 1;
    uint64_t used : 1;
};

struct seen {
    uint8_t keys[2][16];
    struct seen_entry *entries;
    size_t count, size; /* size is a power of two */
};

/* Returns 0 or -ENOMEM. */
int seen_init(struct seen *seen);
void seen_done(struct seen *seen);
/* The entry stays where it is until the next seen_add. NULL: it is not there. */
struct seen_entry *seen_find(const struct seen *seen, const struct store_address *address);
/* Returns 0, -EEXIST, or -ENOMEM (also past SEEN_MAX). */
int seen_add(struct seen *seen, const struct store_address *address, uint8_t level);

#endif
