/* SipHash-2-4, from the description in Aumasson and Bernstein, "SipHash: a fast short-input PRF",
 * section 2: two rounds per word of eight bytes, four at the end. */
#include "base/table.h"

#include <endian.h>
#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

/* Eight bytes, least significant first, whatever the machine's own order is. */
static inline uint64_t load_word(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return le64toh(word);
}

/* The last ones, fewer than eight. */
static inline uint64_t load_rest(const uint8_t *p, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rotate_left(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

static inline struct sip sip_start(const uint8_t key[16])
{
    uint64_t k0 = load_word(key);
    uint64_t k1 = load_word(key + 8);
    return (struct sip){
        .v0 = k0 ^ 0x736f6d6570736575,
        .v1 = k1 ^ 0x646f72616e646f6d,
        .v2 = k0 ^ 0x6c7967656e657261,
        .v3 = k1 ^ 0x7465646279746573,
    };
}

/* The bytes, then the last word with the length of everything in its top byte. `before` is the
 * number of bytes that went in already, whole words only. */
static inline uint64_t sip_finish(struct sip *s, size_t before, struct slice bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    size_t words = bytes.len / 8;
    for (size_t i = 0; i < words; i++)
        sip_word(s, load_word(p + 8 * i));
    uint64_t last = (uint64_t)(before + bytes.len) << 56;
    if (bytes.len % 8 > 0)
        last |= load_rest(p + 8 * words, bytes.len % 8);
    sip_word(s, last);

    s->v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t siphash(const uint8_t key[16], struct slice bytes)
{
    struct sip s = sip_start(key);
    return sip_finish(&s, 0, bytes);
}

uint64_t siphash_after(const uint8_t key[16], uint64_t hash, struct slice bytes)
{
    struct sip s = sip_start(key);
    sip_word(&s, hash);
    return sip_finish(&s, sizeof(hash), bytes);
}
