#include "api/rate.h"

#include "base/list.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct bucket {
    struct table_link link;
    struct list used; /* the one used longest ago is first */
    uint64_t full_us; /* when it is full again */
    size_t len;
    char key[API_RATE_KEY_MAX];
};

struct api_rate {
    struct table *table;
    struct list used;
    size_t max;
    unsigned burst;
    uint64_t interval_us;
};

struct api_rate *api_rate_alloc(size_t max, unsigned burst, uint64_t interval_us)
{
    struct api_rate *rate = calloc(1, sizeof(*rate));
    if (!rate)
        return NULL;
    list_init(&rate->used);
    rate->max = max;
    rate->burst = burst;
    rate->interval_us = interval_us;
    rate->table = table_alloc(max);
    return rate->table ? rate : api_rate_free(rate);
}

static void bucket_free(struct api_rate *rate, struct bucket *bucket)
{
    table_remove(rate->table, &bucket->link);
    list_remove(&bucket->used);
    free(bucket);
}

struct api_rate *api_rate_free(struct api_rate *rate)
{
    if (!rate)
        return NULL;
    for (struct list *first; (first = list_first(&rate->used)) != NULL;)
        bucket_free(rate, container_of(first, struct bucket, used));
    table_free(rate->table);
    free(rate);
    return NULL;
}

size_t api_rate_count(const struct api_rate *rate)
{
    return table_count(rate->table);
}

static bool bucket_match(const struct table_link *link, const void *key)
{
    const struct bucket *bucket = container_of(link, struct bucket, link);
    return slice_eq(slice_make(bucket->key, bucket->len), *(const struct slice *)key);
}

static struct bucket *bucket_find(const struct api_rate *rate, struct slice key)
{
    struct table_link *link =
        table_find(rate->table, table_hash(rate->table, key), bucket_match, &key);
    return link ? container_of(link, struct bucket, link) : NULL;
}

static struct bucket *bucket_alloc(struct api_rate *rate, struct slice key)
{
    if (key.len > API_RATE_KEY_MAX)
        return NULL;
    if (table_count(rate->table) == rate->max)
        bucket_free(rate, container_of(list_first(&rate->used), struct bucket, used));
    struct bucket *bucket = calloc(1, sizeof(*bucket));
    if (!bucket)
        return NULL;
    memcpy(bucket->key, key.p, key.len);
    bucket->len = key.len;
    list_init(&bucket->used);
    if (table_put(rate->table, &bucket->link, table_hash(rate->table, key)) == 0)
        return bucket;
    free(bucket);
    return NULL;
}

bool api_rate_take(struct api_rate *rate, struct slice key, uint64_t now_us, uint64_t *wait_us)
{
    struct bucket *bucket = bucket_find(rate, key);
    if (!bucket)
        bucket = bucket_alloc(rate, key);
    *wait_us = rate->interval_us;
    if (!bucket)
        return false;
    list_remove(&bucket->used);
    list_append(&rate->used, &bucket->used);
    uint64_t full_us = bucket->full_us > now_us ? bucket->full_us : now_us;
    uint64_t empty_us = now_us + (uint64_t)(rate->burst - 1) * rate->interval_us;
    if (full_us > empty_us) {
        *wait_us = full_us - empty_us;
        return false;
    }
    bucket->full_us = full_us + rate->interval_us;
    return true;
}

void api_rate_give(struct api_rate *rate, struct slice key)
{
    struct bucket *bucket = bucket_find(rate, key);
    if (bucket && bucket->full_us > rate->interval_us)
        bucket->full_us -= rate->interval_us;
}
