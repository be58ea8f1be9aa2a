#include "resolver/cache.h"

#include "base/list.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct resolver_cache {
    struct table *table;
    struct list used; /* entries, least recently used first */
    size_t max;
};

struct entry {
    struct table_link hashed;
    struct list used;
    uint64_t expires_ms;
    struct resolver_set *set;
    char name[]; /* terminated */
};

struct entry_key {
    const char *name;
    enum resolver_type type;
};

static bool entry_matches(const struct table_link *link, const void *key)
{
    const struct entry *entry = container_of(link, const struct entry, hashed);
    const struct entry_key *wanted = key;
    return entry->set->type == wanted->type && strcmp(entry->name, wanted->name) == 0;
}

static uint64_t entry_hash(const struct resolver_cache *cache, const struct entry_key *key)
{
    uint16_t type = (uint16_t)key->type;
    uint64_t hash = table_hash(cache->table, slice_of(key->name));
    return table_hash_more(cache->table, hash, slice_make((const char *)&type, sizeof(type)));
}

static struct entry *entry_find(const struct resolver_cache *cache, const struct entry_key *key)
{
    struct table_link *link = table_find(cache->table, entry_hash(cache, key), entry_matches, key);
    return link ? container_of(link, struct entry, hashed) : NULL;
}

static void entry_drop(struct resolver_cache *cache, struct entry *entry)
{
    table_remove(cache->table, &entry->hashed);
    list_remove(&entry->used);
    resolver_set_unref(entry->set);
    free(entry);
}

struct resolver_cache *resolver_cache_alloc(size_t max)
{
    struct resolver_cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        return NULL;
    list_init(&cache->used);
    cache->max = max;
    cache->table = table_alloc(max);
    return cache->table ? cache : resolver_cache_free(cache);
}

struct resolver_cache *resolver_cache_free(struct resolver_cache *cache)
{
    if (!cache)
        return NULL;
    list_each (link, next, &cache->used)
        entry_drop(cache, container_of(link, struct entry, used));
    if (cache->table)
        table_free(cache->table);
    free(cache);
    return NULL;
}

size_t resolver_cache_count(const struct resolver_cache *cache)
{
    return table_count(cache->table);
}

struct resolver_set *resolver_cache_get(struct resolver_cache *cache, const char *name,
                                        enum resolver_type type, uint64_t now_ms, uint32_t *ttl_s)
{
    struct entry_key key = {name, type};
    struct entry *entry = entry_find(cache, &key);
    if (!entry)
        return NULL;
    if (entry->expires_ms <= now_ms) {
        entry_drop(cache, entry);
        return NULL;
    }
    list_remove(&entry->used);
    list_append(&cache->used, &entry->used);
    *ttl_s = (uint32_t)((entry->expires_ms - now_ms + 999) / 1000);
    return entry->set;
}

static uint32_t kept_s(const struct resolver_set *set)
{
    uint32_t max_s = set->status == 0 ? RESOLVER_TTL_MAX_S : RESOLVER_TTL_NEGATIVE_S;
    if (set->ttl_s < RESOLVER_TTL_MIN_S)
        return RESOLVER_TTL_MIN_S;
    return set->ttl_s < max_s ? set->ttl_s : max_s;
}

void resolver_cache_put(struct resolver_cache *cache, const char *name, struct resolver_set *set,
                        uint64_t now_ms)
{
    struct entry_key key = {name, set->type};
    struct entry *entry = entry_find(cache, &key);
    if (entry)
        entry_drop(cache, entry);
    if (table_count(cache->table) >= cache->max)
        entry_drop(cache, container_of(list_first(&cache->used), struct entry, used));

    size_t name_size = strlen(name) + 1;
    entry = calloc(1, sizeof(*entry) + name_size);
    if (!entry)
        return;
    memcpy(entry->name, name, name_size);
    if (table_put(cache->table, &entry->hashed, entry_hash(cache, &key)) < 0) {
        free(entry);
        return;
    }
    entry->set = resolver_set_ref(set);
    entry->expires_ms = now_ms + (uint64_t)kept_s(set) * 1000;
    list_append(&cache->used, &entry->used);
}
