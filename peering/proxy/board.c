#include "peering/proxy/board.h"

#include "base/table.h"
#include "peering/proxy/proxy.h"

#include <stdlib.h>

struct board *board_alloc(const uint8_t key[16])
{
    struct board *board = calloc(1, sizeof(*board));
    if (board)
        memcpy(board->key, key, sizeof(board->key));
    return board;
}

struct board *board_free(struct board *board)
{
    free(board);
    return NULL;
}

uint64_t board_hash(const struct board *board, const struct netaddr *addr, uint8_t transport,
                    const char *domain)
{
    bool six = addr->sa.sa_family == AF_INET6;
    struct slice ip = six ? slice_make((const char *)&addr->in6.sin6_addr, 16)
                          : slice_make((const char *)&addr->in4.sin_addr, 4);
    uint64_t place = (uint64_t)netaddr_port(addr) << 8 | transport;
    uint64_t hash = siphash_after(board->key, place, ip);
    if (transport == RESOLVER_TLS)
        hash = siphash_after(board->key, hash, slice_of(domain));
    return hash ? hash : 1;
}

static uint64_t at(const struct board *board, uint32_t i)
{
    return atomic_load_explicit(&board->down[i], memory_order_relaxed);
}

/* Its place, or `used`. */
static uint32_t find(const struct board *board, uint64_t hash, uint32_t used)
{
    uint32_t i = 0;
    while (i < used && at(board, i) != hash)
        i++;
    return i;
}

bool board_is_down(const struct board *board, uint64_t hash)
{
    uint32_t used = atomic_load_explicit(&board->used, memory_order_acquire);
    return find(board, hash, used) < used;
}

void board_set_down(struct board *board, uint64_t hash)
{
    uint32_t used = atomic_load_explicit(&board->used, memory_order_relaxed);
    if (find(board, hash, used) < used)
        return;
    uint32_t free = find(board, 0, used);
    if (free == BOARD_MAX)
        return;
    atomic_store_explicit(&board->down[free], hash, memory_order_relaxed);
    if (free == used)
        atomic_store_explicit(&board->used, used + 1, memory_order_release);
}

bool board_set_up(struct board *board, uint64_t hash)
{
    uint32_t used = atomic_load_explicit(&board->used, memory_order_relaxed);
    uint32_t place = find(board, hash, used);
    if (place == used)
        return false;
    atomic_store_explicit(&board->down[place], 0, memory_order_relaxed);
    while (used > 0 && at(board, used - 1) == 0)
        used--;
    atomic_store_explicit(&board->used, used, memory_order_release);
    atomic_fetch_add_explicit(&board->restored, 1, memory_order_release);
    return true;
}
