#include "resolver/cache.h"

#include "base/list.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct resolver_cache {
    struct table *table;
    struct list used; /* entries, least recently used first */
    size_t octets;    /* that they take */
    struct resolver_cache_conf conf;
    uint64_t age;                                            /* purges so far */
    char purged[RESOLVER_PURGES_MAX][RESOLVER_NAME_MAX + 1]; /* purge number n at n % MAX */
};

struct entry {
    struct table_link hashed;
    struct list used;
    uint64_t expires_ms, ends_ms; /* fresh until, stale until */
    uint64_t proves_ms;           /* the end of its TTL as it came */
    uint64_t recheck_ms;          /* not before */
    uint64_t age;                 /* purges that it has outlived */
    uint32_t kept_s;              /* for so long it was fresh from the start */
    unsigned uses;
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

static size_t entry_octets(const struct entry *entry)
{
    return sizeof(*entry) + strlen(entry->name) + 1 + entry->set->size;
}

static void entry_drop(struct resolver_cache *cache, struct entry *entry)
{
    table_remove(cache->table, &entry->hashed);
    list_remove(&entry->used);
    cache->octets -= entry_octets(entry);
    resolver_set_unref(entry->set);
    free(entry);
}

struct resolver_cache *resolver_cache_alloc(const struct resolver_cache_conf *conf)
{
    struct resolver_cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        return NULL;
    list_init(&cache->used);
    cache->conf = *conf;
    cache->table = table_alloc(conf->max);
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

size_t resolver_cache_octets(const struct resolver_cache *cache)
{
    return cache->octets;
}

/* ---- purges ---- */

void resolver_cache_purge(struct resolver_cache *cache, const char *name)
{
    memcpy(cache->purged[cache->age % RESOLVER_PURGES_MAX], name, strlen(name) + 1);
    cache->age++;
}

uint64_t resolver_cache_age(const struct resolver_cache *cache)
{
    return cache->age;
}

bool resolver_cache_is_purged(const struct resolver_cache *cache, const char *name, uint64_t age)
{
    if (cache->age - age > RESOLVER_PURGES_MAX)
        return true;
    for (; age < cache->age; age++)
        if (resolver_name_is_within(name, cache->purged[age % RESOLVER_PURGES_MAX]))
            return true;
    return false;
}

/* Was the entry purged since it was last looked at? A purge only notes the name, and entries are
 * compared with it when they are next used. */
static bool is_purged(const struct resolver_cache *cache, struct entry *entry)
{
    bool purged = resolver_cache_is_purged(cache, entry->name, entry->age);
    entry->age = cache->age;
    return purged;
}

/* ---- get ---- */

static bool is_dead(const struct resolver_cache *cache, struct entry *entry, uint64_t now_ms)
{
    return entry->ends_ms <= now_ms || is_purged(cache, entry);
}

static bool is_about_to_end(const struct entry *entry, uint64_t now_ms)
{
    uint64_t whole_ms = (uint64_t)entry->kept_s * 1000;
    return entry->uses > RESOLVER_POPULAR &&
           entry->expires_ms - now_ms <= whole_ms / RESOLVER_RENEW_PART;
}

static uint32_t seconds_until(uint64_t end_ms, uint64_t now_ms)
{
    return end_ms > now_ms ? (uint32_t)((end_ms - now_ms + 999) / 1000) : 0;
}

bool resolver_cache_get(struct resolver_cache *cache, const char *name, enum resolver_type type,
                        uint64_t now_ms, struct resolver_cached *cached)
{
    struct entry_key key = {name, type};
    struct entry *entry = entry_find(cache, &key);
    if (!entry)
        return false;
    if (is_dead(cache, entry, now_ms)) {
        entry_drop(cache, entry);
        return false;
    }
    list_remove(&entry->used);
    list_append(&cache->used, &entry->used);
    entry->uses++;
    bool stale = entry->expires_ms <= now_ms;
    *cached = (struct resolver_cached){
        .set = entry->set,
        .ttl_s = stale ? RESOLVER_STALE_TTL_S : seconds_until(entry->expires_ms, now_ms),
        .stale = stale,
        .ends_ms = entry->ends_ms,
        .proves_s = seconds_until(entry->proves_ms, now_ms),
        .failed = entry->recheck_ms != 0,
        .recheck = now_ms >= entry->recheck_ms && (stale || is_about_to_end(entry, now_ms)),
    };
    return true;
}

void resolver_cache_failed(struct resolver_cache *cache, const char *name, enum resolver_type type,
                           uint64_t now_ms)
{
    struct entry_key key = {name, type};
    struct entry *entry = entry_find(cache, &key);
    if (entry)
        entry->recheck_ms = now_ms + RESOLVER_RECHECK_MS;
}

void resolver_cache_used(struct resolver_cache *cache, const char *name, unsigned uses)
{
    static const enum resolver_type types[] = {RESOLVER_NAPTR, RESOLVER_SRV, RESOLVER_AAAA,
                                               RESOLVER_A};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct entry_key key = {name, types[i]};
        struct entry *entry = entry_find(cache, &key);
        if (entry)
            entry->uses += uses;
    }
}

/* ---- put ---- */

static uint32_t kept_s(const struct resolver_cache *cache, const struct resolver_set *set)
{
    uint32_t max_s = cache->conf.ttl_max_s;
    if (set->status != 0 && max_s > RESOLVER_TTL_NEGATIVE_S)
        max_s = RESOLVER_TTL_NEGATIVE_S;
    if (set->status != 0 && set->ttl_s == 0) /* no SOA: it is not to be kept (RFC 2308 section 5) */
        return 0;
    uint32_t ttl_s = set->ttl_s > cache->conf.ttl_min_s ? set->ttl_s : cache->conf.ttl_min_s;
    return ttl_s < max_s ? ttl_s : max_s;
}

/* Old records may lead a call, for the far end proves itself; an old "there is none" may not, nor
 * anything that proves an identity or a port. */
static uint32_t stale_s(const struct resolver_cache *cache, const struct resolver_set *set)
{
    bool leads = set->type == RESOLVER_SRV || set->type == RESOLVER_A || set->type == RESOLVER_AAAA;
    return set->status == 0 && leads ? cache->conf.stale_s : 0;
}

static void make_room(struct resolver_cache *cache, size_t octets)
{
    while (table_count(cache->table) > 0 &&
           (table_count(cache->table) >= cache->conf.max ||
            cache->octets + octets > cache->conf.max * RESOLVER_ANSWER_OCTETS))
        entry_drop(cache, container_of(list_pop(&cache->used), struct entry, used));
}

static struct entry *entry_add(struct resolver_cache *cache, const struct entry_key *key,
                               struct resolver_set *set)
{
    size_t name_size = strlen(key->name) + 1;
    struct entry *entry = calloc(1, sizeof(*entry) + name_size);
    if (!entry)
        return NULL;
    memcpy(entry->name, key->name, name_size);
    entry->set = set;
    make_room(cache, entry_octets(entry));
    if (table_put(cache->table, &entry->hashed, entry_hash(cache, key)) < 0) {
        free(entry);
        return NULL;
    }
    list_append(&cache->used, &entry->used);
    cache->octets += entry_octets(entry);
    resolver_set_ref(set);
    return entry;
}

uint32_t resolver_cache_put(struct resolver_cache *cache, const char *name,
                            struct resolver_set *set, uint64_t age, uint64_t now_ms)
{
    struct entry_key key = {name, set->type};
    uint32_t fresh_s = kept_s(cache, set);
    if (resolver_cache_is_purged(cache, name, age))
        return fresh_s;
    struct entry *entry = entry_find(cache, &key);
    if (entry)
        entry_drop(cache, entry);
    if (fresh_s == 0 || !(entry = entry_add(cache, &key, set)))
        return fresh_s;
    entry->kept_s = fresh_s;
    entry->age = age;
    entry->expires_ms = now_ms + (uint64_t)fresh_s * 1000;
    entry->ends_ms = entry->expires_ms + (uint64_t)stale_s(cache, set) * 1000;
    entry->proves_ms = now_ms + (uint64_t)(set->ttl_s < fresh_s ? set->ttl_s : fresh_s) * 1000;
    return fresh_s;
}
