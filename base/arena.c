#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Under AddressSanitizer memory that is not handed out is poisoned, so that a pointer used after
 * arena_free or past the end of the last piece is found although no malloc is involved. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, len)   ((void)(p), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(p, len) ((void)(p), (void)(len))
#endif

#define ARENA_ALIGN     _Alignof(max_align_t)
#define ARENA_BLOCK_MIN ((size_t)256) /* room for the arena itself and something to say */

struct block {
    struct block *next;
    size_t size;      /* of data[] */
    size_t used;      /* of data[] */
    size_t pool_cost; /* how many blocks of the pool it counts for */
    _Alignas(max_align_t) char data[];
};

struct arena_pool {
    size_t block_size; /* with header */
    size_t max_blocks; /* 0: no limit */
    size_t in_use;
    struct block *spare; /* blocks that arenas gave back */
};

struct arena {
    struct arena_pool *pool;
    struct block *blocks; /* the block that serves small pieces is the first; the last holds us */
    size_t limit;         /* SIZE_MAX: none */
    size_t total;         /* bytes handed out, rounded up to the alignment */
};

static size_t align_up(size_t size)
{
    return (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
}

struct arena_pool *arena_pool_alloc(size_t block_size, size_t max_blocks)
{
    if (block_size > SIZE_MAX / 2)
        return NULL;
    struct arena_pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return NULL;
    pool->block_size = align_up(block_size < ARENA_BLOCK_MIN ? ARENA_BLOCK_MIN : block_size);
    pool->max_blocks = max_blocks;
    return pool;
}

struct arena_pool *arena_pool_free(struct arena_pool *pool)
{
    if (!pool)
        return NULL;
    while (pool->spare) {
        struct block *block = pool->spare;
        pool->spare = block->next;
        ASAN_UNPOISON_MEMORY_REGION(block->data, block->size);
        free(block);
    }
    free(pool);
    return NULL;
}

size_t arena_pool_in_use(const struct arena_pool *pool)
{
    return pool->in_use;
}

static bool pool_allows(const struct arena_pool *pool, size_t cost)
{
    if (pool->max_blocks == 0)
        return true;
    return cost <= pool->max_blocks && pool->in_use <= pool->max_blocks - cost;
}

static struct block *block_init(struct block *block, struct arena_pool *pool, size_t size,
                                size_t cost)
{
    *block = (struct block){.size = size, .pool_cost = cost};
    ASAN_POISON_MEMORY_REGION(block->data, size);
    pool->in_use += cost;
    return block;
}

/* A block of the usual size. */
static struct block *block_get(struct arena_pool *pool)
{
    if (!pool_allows(pool, 1))
        return NULL;
    struct block *block = pool->spare;
    if (block)
        pool->spare = block->next;
    else
        block = malloc(pool->block_size);
    if (!block)
        return NULL;
    return block_init(block, pool, pool->block_size - sizeof(*block), 1);
}

/* A block for one piece of `size` bytes that no usual block can hold; it counts for as many
 * blocks as its memory would make, so that the bound of the pool is a bound on memory. */
static struct block *block_get_large(struct arena_pool *pool, size_t size)
{
    size_t whole = sizeof(struct block) + size;
    size_t cost = (whole + pool->block_size - 1) / pool->block_size;
    if (!pool_allows(pool, cost))
        return NULL;
    struct block *block = malloc(whole);
    return block ? block_init(block, pool, size, cost) : NULL;
}

static void block_put(struct arena_pool *pool, struct block *block)
{
    pool->in_use -= block->pool_cost;
    if (block->size != pool->block_size - sizeof(*block)) {
        ASAN_UNPOISON_MEMORY_REGION(block->data, block->size);
        free(block);
        return;
    }
    ASAN_POISON_MEMORY_REGION(block->data, block->size);
    block->next = pool->spare;
    pool->spare = block;
}

/* `size` bytes that the block is known to have; `rounded` is their aligned length. */
static void *block_take(struct block *block, size_t size, size_t rounded)
{
    char *p = block->data + block->used;
    block->used += rounded;
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    return p;
}

struct arena *arena_alloc(struct arena_pool *pool, size_t limit)
{
    struct block *block = block_get(pool);
    if (!block)
        return NULL;
    struct arena *arena = block_take(block, sizeof(*arena), align_up(sizeof(*arena)));
    *arena = (struct arena){.pool = pool, .blocks = block, .limit = limit ? limit : SIZE_MAX};
    return arena;
}

struct arena *arena_free(struct arena *arena)
{
    if (!arena)
        return NULL;
    struct arena_pool *pool = arena->pool;
    struct block *block = arena->blocks;
    while (block) { /* the arena itself goes with the last one */
        struct block *next = block->next;
        block_put(pool, block);
        block = next;
    }
    return NULL;
}

static void *get_large(struct arena *arena, size_t size, size_t rounded)
{
    struct block *block = block_get_large(arena->pool, rounded);
    if (!block)
        return NULL;
    /* Behind the first block, which may have room left for small pieces. */
    block->next = arena->blocks->next;
    arena->blocks->next = block;
    return block_take(block, size, rounded);
}

void *arena_get(struct arena *arena, size_t size)
{
    if (size > arena->limit - arena->total || size > SIZE_MAX / 4)
        return NULL;
    size_t rounded = align_up(size > 0 ? size : 1);

    void *p;
    struct block *block = arena->blocks;
    if (rounded > arena->pool->block_size - sizeof(*block)) {
        p = get_large(arena, size, rounded);
    } else {
        if (rounded > block->size - block->used) {
            block = block_get(arena->pool);
            if (!block)
                return NULL;
            block->next = arena->blocks;
            arena->blocks = block;
        }
        p = block_take(block, size, rounded);
    }
    if (p)
        arena->total +=
            rounded < arena->limit - arena->total ? rounded : arena->limit - arena->total;
    return p;
}

void *arena_zero(struct arena *arena, size_t size)
{
    void *p = arena_get(arena, size);
    return p ? memset(p, 0, size) : NULL;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    char *p = arena_get(arena, s.len);
    if (!p)
        return slice_make(NULL, 0);
    if (s.len > 0)
        memcpy(p, s.p, s.len);
    return slice_make(p, s.len);
}

char *arena_text(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *p = arena_get(arena, size);
    return p ? memcpy(p, text, size) : NULL;
}

/* Where the next small piece will lie, and how many bytes are left there. */
static char *next_place(const struct arena *arena, size_t *room)
{
    struct block *block = arena->blocks;
    *room = block->size - block->used;
    return block->data + block->used;
}

/* Mostly there is room for it where the next piece will lie, and formatting once is enough. */
struct slice arena_printf(struct arena *arena, const char *format, ...)
{
    size_t room;
    char *place = next_place(arena, &room);
    va_list args;
    va_start(args, format);
    ASAN_UNPOISON_MEMORY_REGION(place, room);
    int len = vsnprintf(place, room, format, args);
    ASAN_POISON_MEMORY_REGION(place, room);
    va_end(args);
    char *p = len < 0 ? NULL : arena_get(arena, (size_t)len + 1);
    if (!p)
        return slice_make(NULL, 0);
    if (p == place && (size_t)len < room)
        return slice_make(p, (size_t)len);

    va_start(args, format);
    vsnprintf(p, (size_t)len + 1, format, args);
    va_end(args);
    return slice_make(p, (size_t)len);
}
