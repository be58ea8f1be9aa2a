/* Growable byte buffer with an upper bound: bytes are appended at the end and consumed from the
 * front. Used for stream reassembly and for what a connection has yet to write. Not thread-safe. */
#ifndef JUNCTOR_BASE_BUF_H
#define JUNCTOR_BASE_BUF_H

#include "base/slice.h"

#include <stddef.h>

struct buf {
    char *p;      /* allocation */
    size_t begin; /* first unread byte */
    size_t end;   /* one past the last byte */
    size_t size;  /* of the allocation */
    size_t max;   /* it never grows past this */
};

void buf_init(struct buf *buf, size_t max); /* allocates nothing yet */
void buf_done(struct buf *buf);             /* frees the memory; the buf may be used again */

static inline struct slice buf_bytes(const struct buf *buf)
{
    return slice_make(buf->p + buf->begin, buf->end - buf->begin);
}

static inline size_t buf_len(const struct buf *buf)
{
    return buf->end - buf->begin;
}

/* At least `len` writable bytes after the end (moves or grows what is there, so slices into it
 * end); NULL past `max` or without memory. */
char *buf_reserve(struct buf *buf, size_t len);
/* The first `len` reserved bytes are now content. */
void buf_commit(struct buf *buf, size_t len);
/* reserve + copy + commit. 0 or -ENOBUFS. */
int buf_append(struct buf *buf, struct slice bytes);
/* Drops `len` bytes at the front. When that empties it, the place is reused. */
void buf_consume(struct buf *buf, size_t len);

#endif
