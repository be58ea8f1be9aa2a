#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUF_SIZE_MIN ((size_t)512)

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_done(struct buf *buf)
{
    free(buf->p);
    buf_init(buf, buf->max);
}

static void move_to_front(struct buf *buf)
{
    size_t len = buf_len(buf);
    if (!buf->p || buf->begin == 0)
        return;
    if (len > 0)
        memmove(buf->p, buf->p + buf->begin, len);
    buf->begin = 0;
    buf->end = len;
}

/* To at least `need` bytes, by doubling as far as the bound allows. */
static int grow(struct buf *buf, size_t need)
{
    size_t size = buf->size < BUF_SIZE_MIN ? BUF_SIZE_MIN : buf->size;
    while (size < need && size <= buf->max / 2)
        size *= 2;
    if (size < need || size > buf->max)
        size = buf->max;

    char *p = realloc(buf->p, size);
    if (!p)
        return -ENOMEM;
    buf->p = p;
    buf->size = size;
    return 0;
}

char *buf_reserve(struct buf *buf, size_t len)
{
    size_t content = buf_len(buf);
    if (len > buf->max - content)
        return NULL;
    if (buf->p && len <= buf->size - buf->end)
        return buf->p + buf->end;

    /* Moving costs the length of the content: worth it where that is less than what has been
     * consumed since, or where the bound leaves no choice. */
    move_to_front(buf);
    bool crowded = content > buf->size / 2 && buf->size < buf->max;
    if (!buf->p || len > buf->size - content || crowded) {
        if (grow(buf, crowded && content + len < buf->size ? buf->size + 1 : content + len) < 0)
            return NULL;
    }
    return buf->p + buf->end;
}

void buf_commit(struct buf *buf, size_t len)
{
    assert(len <= buf->size - buf->end);
    buf->end += len;
}

int buf_append(struct buf *buf, struct slice bytes)
{
    if (bytes.len == 0)
        return 0;
    char *p = buf_reserve(buf, bytes.len);
    if (!p)
        return -ENOBUFS;
    memcpy(p, bytes.p, bytes.len);
    buf_commit(buf, bytes.len);
    return 0;
}

void buf_consume(struct buf *buf, size_t len)
{
    assert(len <= buf_len(buf));
    buf->begin += len;
    if (buf->begin == buf->end)
        buf->begin = buf->end = 0;
}
