/* Linear hashing: the table has any number of buckets, not only powers of two, and grows by
 * splitting one bucket at a time, so no single insertion pays for a large rehash. Buckets live in
 * segments that double in size and never move. */
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TABLE_FIRST_BITS 6
#define TABLE_FIRST      ((size_t)1 << TABLE_FIRST_BITS) /* buckets of the first segment */
#define TABLE_SEGMENTS   (64 - TABLE_FIRST_BITS)

struct table {
    uint8_t key[16];
    size_t count;
    size_t max;
    size_t buckets; /* in use; those from buckets - level on are split from a lower one */
    size_t level;   /* the largest power of two that is not above `buckets` */
    struct table_link **segments[TABLE_SEGMENTS];
};

/* Segment 0 holds buckets [0, 64), segment n holds [64 << (n-1), 64 << n). */
static unsigned segment_of(size_t bucket)
{
    if (bucket < TABLE_FIRST)
        return 0;
    return 64 - (unsigned)__builtin_clzll(bucket) - TABLE_FIRST_BITS;
}

/* The first bucket of a segment. From segment 1 on it is also the number of its buckets. */
static size_t segment_first(unsigned segment)
{
    return segment == 0 ? 0 : TABLE_FIRST << (segment - 1);
}

static struct table_link **bucket_at(const struct table *table, size_t bucket)
{
    unsigned segment = segment_of(bucket);
    return &table->segments[segment][bucket - segment_first(segment)];
}

static struct table_link **bucket_of(const struct table *table, uint64_t hash)
{
    size_t bucket = hash & (2 * table->level - 1);
    if (bucket >= table->buckets)
        bucket -= table->level; /* not split yet */
    return bucket_at(table, bucket);
}

static int random_key(uint8_t key[16])
{
    ssize_t len;
    do
        len = getrandom(key, 16, 0);
    while (len < 0 && errno == EINTR);
    return len == 16 ? 0 : -EIO;
}

struct table *table_alloc(size_t max)
{
    struct table *table = calloc(1, sizeof(*table));
    if (!table)
        return NULL;
    table->segments[0] = calloc(TABLE_FIRST, sizeof(struct table_link *));
    if (!table->segments[0] || random_key(table->key) < 0)
        return table_free(table);
    table->max = max;
    table->buckets = table->level = TABLE_FIRST;
    return table;
}

struct table *table_free(struct table *table)
{
    if (!table)
        return NULL;
    for (size_t i = 0; i < TABLE_SEGMENTS; i++)
        free(table->segments[i]);
    free(table);
    return NULL;
}

size_t table_count(const struct table *table)
{
    return table->count;
}

uint64_t table_hash(const struct table *table, struct slice bytes)
{
    return siphash(table->key, bytes);
}

uint64_t table_hash_more(const struct table *table, uint64_t hash, struct slice bytes)
{
    return siphash_after(table->key, hash, bytes);
}

/* One more bucket, filled with what belongs there from the bucket that it splits. Without memory
 * for it the chains get longer, that is all. */
static void split_bucket(struct table *table)
{
    size_t bucket = table->buckets;
    unsigned segment = segment_of(bucket);
    if (!table->segments[segment]) {
        table->segments[segment] =
            reallocarray(NULL, segment_first(segment), sizeof(struct table_link *));
        if (!table->segments[segment])
            return;
    }
    if (bucket == 2 * table->level)
        table->level *= 2;
    table->buckets++;

    struct table_link **to = bucket_at(table, bucket);
    struct table_link **from = bucket_at(table, bucket - table->level);
    *to = NULL;
    while (*from) {
        struct table_link *link = *from;
        if ((link->hash & (2 * table->level - 1)) == bucket) {
            *from = link->next;
            link->next = *to;
            *to = link;
        } else {
            from = &link->next;
        }
    }
}

int table_put(struct table *table, struct table_link *link, uint64_t hash)
{
    if (table->count >= table->max)
        return -ENOMEM;
    if (table->count >= table->buckets)
        split_bucket(table);

    struct table_link **bucket = bucket_of(table, hash);
    link->hash = hash;
    link->next = *bucket;
    *bucket = link;
    table->count++;
    return 0;
}

struct table_link *table_find(const struct table *table, uint64_t hash, table_match_h *match,
                              const void *key)
{
    for (struct table_link *link = *bucket_of(table, hash); link; link = link->next) {
        if (link->hash == hash && match(link, key))
            return link;
    }
    return NULL;
}

void table_remove(struct table *table, struct table_link *link)
{
    struct table_link **at = bucket_of(table, link->hash);
    while (*at && *at != link)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = link->next;
    link->next = NULL;
    table->count--;
}
