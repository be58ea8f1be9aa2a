/* Which hops of our cores are down, for all workers to see: one worker asks the cores and writes,
 * every worker reads on a message's path, and nobody locks.
 *
 * A hop is known by a keyed hash of its transport and address, over TLS also of the domain that it
 * must prove; nobody outside can aim for a collision. Most of the time none is down, and a look
 * costs one load. */
#ifndef JUNCTOR_PEERING_PROXY_BOARD_H
#define JUNCTOR_PEERING_PROXY_BOARD_H

#include "resolver/resolver.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BOARD_MAX 1024 /* hops that are down at once; further ones are told no worker */

struct board {
    uint8_t key[16];
    _Atomic uint32_t used;            /* places that may be taken, from the first */
    _Atomic uint32_t restored;        /* how often a hop came back */
    _Atomic uint64_t down[BOARD_MAX]; /* 0: free */
};

/* Never 0. `domain`: what the far side must prove over TLS. */
uint64_t board_hash(const struct board *board, const struct netaddr *addr, uint8_t transport,
                    const char *domain);
bool board_is_down(const struct board *board, uint64_t hash);

/* The writer only. */
void board_set_down(struct board *board, uint64_t hash);
/* Returns whether it was down. */
bool board_set_up(struct board *board, uint64_t hash);

#endif
