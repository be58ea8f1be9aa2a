/* Byte ring from one thread to one other thread, without locks.
 *
 * Records of any length up to a quarter of the ring, in order, each contiguous in memory. One
 * thread writes, one reads. A full ring refuses; nothing blocks. The workers' inboxes are made of
 * these, one per pair of workers. */
#ifndef JUNCTOR_BASE_RING_H
#define JUNCTOR_BASE_RING_H

#include <stddef.h>

struct ring;

/* `size` bytes, a power of two, at least 4096. NULL without memory or for a bad size. */
struct ring *ring_alloc(size_t size);
struct ring *ring_free(struct ring *ring);

/* Writer: room for a record of `len` bytes, aligned to 16, to be filled and then committed.
 * NULL where the ring is full or the record too long. At most one reservation at a time. */
void *ring_reserve(struct ring *ring, size_t len);
/* Writer: publishes the reserved record, shortened to `len` bytes. */
void ring_commit(struct ring *ring, size_t len);

/* Reader: the oldest record, or NULL. It stays valid until ring_release. */
const void *ring_peek(struct ring *ring, size_t *len);
/* Reader: gives the peeked record's room back. */
void ring_release(struct ring *ring);

#endif
