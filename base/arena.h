/* Memory of one request: many small pieces, freed together.
 *
 * An arena takes blocks from its thread's pool; the pool keeps freed blocks for the next arena,
 * so that after warm-up a request touches the general heap not at all. Both are bounded: the
 * pool in blocks in use, an arena in bytes. Not thread-safe: a pool and its arenas belong to one
 * thread. */
#ifndef JUNCTOR_BASE_ARENA_H
#define JUNCTOR_BASE_ARENA_H

#include "base/slice.h"

#include <stddef.h>

struct arena_pool;
struct arena;

/* A pool of blocks of `block_size` bytes, at most `max_blocks` in use at once (0: no limit but
 * memory). Returns NULL without memory. The caller owns it; free it after all its arenas. */
struct arena_pool *arena_pool_alloc(size_t block_size, size_t max_blocks);
struct arena_pool *arena_pool_free(struct arena_pool *pool);

/* How many blocks are in use by arenas now. */
size_t arena_pool_in_use(const struct arena_pool *pool);

/* An empty arena (it lives in its own first block), at most `limit` bytes in all (0: the pool's
 * limit only). Returns NULL where the pool is exhausted. */
struct arena *arena_alloc(struct arena_pool *pool, size_t limit);

/* Gives everything back to the pool. Accepts NULL. Returns NULL. */
struct arena *arena_free(struct arena *arena);

/* `size` bytes, aligned for any type, not cleared; a piece larger than a block comes from the
 * heap. Returns NULL where arena, pool or memory is exhausted. */
void *arena_get(struct arena *arena, size_t size);

/* As arena_get, cleared to zero. */
void *arena_zero(struct arena *arena, size_t size);

/* A copy of the bytes of `s`; on exhaustion { NULL, 0 }. The copy of an empty slice has a pointer.
 */
struct slice arena_copy(struct arena *arena, struct slice s);

/* A copy of the string; NULL on exhaustion. */
char *arena_text(struct arena *arena, const char *text);

/* printf into the arena; NULL pointer on exhaustion. The result is also NUL-terminated (the
 * terminator is not counted). */
struct slice arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
