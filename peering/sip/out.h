/* A message being written into memory of known size. */
#ifndef JUNCTOR_PEERING_SIP_OUT_H
#define JUNCTOR_PEERING_SIP_OUT_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>

struct sip_out {
    char *begin;
    size_t len;
    size_t size;
    bool failed; /* sticky: no memory, or it did not fit */
};

/* `size` bytes of the arena to write into. */
static inline struct sip_out sip_out_open(struct arena *arena, size_t size)
{
    char *begin = arena_get(arena, size);
    return (struct sip_out){.begin = begin, .size = size, .failed = begin == NULL};
}

static inline void sip_out_put(struct sip_out *out, struct slice text)
{
    if (out->failed || text.len > out->size - out->len) {
        out->failed = true;
        return;
    }
    if (text.len > 0)
        memcpy(out->begin + out->len, text.p, text.len);
    out->len += text.len;
}

/* What was written; p == NULL where it failed. */
static inline struct slice sip_out_close(const struct sip_out *out)
{
    return out->failed ? slice_make(NULL, 0) : slice_make(out->begin, out->len);
}

#endif
