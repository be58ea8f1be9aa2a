/* Positions only ever grow; a position modulo the size is an offset. The writer owns `head`, the
 * reader `tail`; each publishes its own with release and reads the other's with acquire, and keeps
 * the last value it saw so that the other's cache line is touched only when that is not enough. */
#include "base/ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define RING_ALIGN      ((size_t)16)
#define RING_SIZE_MIN   ((size_t)4096)
#define RING_CACHE_LINE 64
#define RING_SKIP       SIZE_MAX /* in place of a length: go on at the start of the ring */

struct record {
    _Alignas(16) size_t len;
    _Alignas(16) char data[];
};

struct ring {
    size_t size;
    char *bytes;

    /* Writer. */
    _Alignas(RING_CACHE_LINE) atomic_size_t head; /* end of what the reader may see */
    size_t seen_tail;
    size_t reserved_at; /* position of the reserved record */
    size_t reserved_len;

    /* Reader. */
    _Alignas(RING_CACHE_LINE) atomic_size_t tail; /* start of the oldest record */
    size_t seen_head;
};

struct ring *ring_alloc(size_t size)
{
    if (size < RING_SIZE_MIN || (size & (size - 1)) != 0 || size > SIZE_MAX / 2)
        return NULL;
    struct ring *ring = aligned_alloc(RING_CACHE_LINE, sizeof(*ring));
    char *bytes = aligned_alloc(RING_CACHE_LINE, size);
    if (!ring || !bytes) {
        free(ring);
        free(bytes);
        return NULL;
    }
    ring->size = size;
    ring->bytes = bytes;
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    ring->seen_tail = ring->seen_head = 0;
    ring->reserved_at = ring->reserved_len = 0;
    return ring;
}

struct ring *ring_free(struct ring *ring)
{
    if (!ring)
        return NULL;
    free(ring->bytes);
    free(ring);
    return NULL;
}

static struct record *record_at(const struct ring *ring, size_t position)
{
    return (struct record *)(void *)(ring->bytes + (position & (ring->size - 1)));
}

/* What a record takes in the ring, its header included. */
static size_t record_size(size_t len)
{
    return sizeof(struct record) + ((len + RING_ALIGN - 1) & ~(RING_ALIGN - 1));
}

void *ring_reserve(struct ring *ring, size_t len)
{
    if (len > ring->size / 4)
        return NULL;
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t to_end = ring->size - (head & (ring->size - 1));
    size_t skip = record_size(len) > to_end ? to_end : 0;
    size_t need = skip + record_size(len);

    if (need > ring->size - (head - ring->seen_tail)) {
        ring->seen_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (need > ring->size - (head - ring->seen_tail))
            return NULL;
    }
    if (skip > 0) /* the reader sees it only together with the record that follows */
        record_at(ring, head)->len = RING_SKIP;
    ring->reserved_at = head + skip;
    ring->reserved_len = len;
    return record_at(ring, ring->reserved_at)->data;
}

void ring_commit(struct ring *ring, size_t len)
{
    assert(len <= ring->reserved_len);
    record_at(ring, ring->reserved_at)->len = len;
    atomic_store_explicit(&ring->head, ring->reserved_at + record_size(len), memory_order_release);
}

const void *ring_peek(struct ring *ring, size_t *len)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail == ring->seen_head) {
        ring->seen_head = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail == ring->seen_head)
            return NULL;
    }
    const struct record *record = record_at(ring, tail);
    if (record->len == RING_SKIP) {
        tail += ring->size - (tail & (ring->size - 1));
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
        record = record_at(ring, tail);
    }
    *len = record->len;
    return record->data;
}

void ring_release(struct ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    assert(tail != ring->seen_head);
    size_t size = record_size(record_at(ring, tail)->len);
    atomic_store_explicit(&ring->tail, tail + size, memory_order_release);
}
