#include "peering/proxy/told.h"

#include "base/list.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct table_link hashed;
    struct list link; /* on `used`, in the order in which they were told, or on `spare` */
    struct store_address address;
    struct told told;
    uint64_t since_ms, until_ms;
    uint64_t refused, refused_ms; /* hash of a peer, and when; 0: none was */
};

struct told_table {
    struct table *table;
    struct list used, spare;
    size_t fresh, max; /* entries from `fresh` on were never used: no page of theirs is touched */
    struct entry entries[];
};

struct told_table *told_alloc(size_t max)
{
    struct told_table *told = calloc(1, sizeof(*told) + max * sizeof(struct entry));
    if (!told)
        return NULL;
    list_init(&told->used);
    list_init(&told->spare);
    told->max = max;
    told->table = table_alloc(max);
    return told->table ? told : told_free(told);
}

struct told_table *told_free(struct told_table *table)
{
    if (table && table->table)
        table_free(table->table);
    free(table);
    return NULL;
}

static uint64_t hash_of(const struct told_table *table, const struct store_address *address)
{
    return table_hash_more(table->table, table_hash(table->table, slice_of(address->user)),
                           slice_of(address->domain));
}

static bool is_of(const struct table_link *link, const void *key)
{
    const struct entry *entry = container_of(link, struct entry, hashed);
    const struct store_address *address = key;
    return strcmp(entry->address.user, address->user) == 0 &&
           strcmp(entry->address.domain, address->domain) == 0;
}

static struct entry *entry_find(const struct told_table *table, const struct store_address *address)
{
    struct table_link *link = table_find(table->table, hash_of(table, address), is_of, address);
    return link ? container_of(link, struct entry, hashed) : NULL;
}

bool told_get(const struct told_table *table, const struct store_address *address, uint64_t now_ms,
              struct told *told, uint64_t *age_ms)
{
    const struct entry *entry = entry_find(table, address);
    if (!entry || now_ms >= entry->until_ms)
        return false;
    *told = entry->told;
    *age_ms = now_ms - entry->since_ms;
    return true;
}

static void entry_drop(struct told_table *table, struct entry *entry)
{
    table_remove(table->table, &entry->hashed);
    list_remove(&entry->link);
    list_append(&table->spare, &entry->link);
}

/* A place for one more: a spare one, else that of what was told first. */
static struct entry *entry_take(struct told_table *table)
{
    struct list *link = list_pop(&table->spare);
    if (!link && table->fresh < table->max) {
        struct entry *entry = &table->entries[table->fresh++];
        list_init(&entry->link);
        return entry;
    }
    if (!link) {
        entry_drop(table, container_of(list_first(&table->used), struct entry, link));
        link = list_pop(&table->spare);
    }
    return container_of(link, struct entry, link);
}

void told_put(struct told_table *table, const struct store_address *address,
              const struct told *told, unsigned for_s, uint64_t now_ms)
{
    const struct entry *known = entry_find(table, address);
    uint64_t refused = known ? known->refused : 0, refused_ms = known ? known->refused_ms : 0;
    told_forget(table, address);
    if (for_s == 0)
        return;
    struct entry *entry = entry_take(table);
    entry->refused = refused;
    entry->refused_ms = refused_ms;
    entry->address = *address;
    entry->told = *told;
    entry->since_ms = now_ms;
    entry->until_ms = now_ms + (uint64_t)for_s * 1000;
    bool is_kept = table_put(table->table, &entry->hashed, hash_of(table, address)) == 0;
    list_append(is_kept ? &table->used : &table->spare, &entry->link);
}

void told_forget(struct told_table *table, const struct store_address *address)
{
    struct entry *entry = entry_find(table, address);
    if (entry)
        entry_drop(table, entry);
}

static uint64_t peer_hash(const struct told_table *table, const char *peer)
{
    return table_hash(table->table, slice_of(peer));
}

void told_refused_put(struct told_table *table, const struct store_address *address,
                      const char *peer, uint64_t now_ms)
{
    struct entry *entry = entry_find(table, address);
    if (!entry)
        return;
    entry->refused = peer_hash(table, peer);
    entry->refused_ms = now_ms;
}

bool told_refused_get(const struct told_table *table, const struct store_address *address,
                      const char *peer, uint64_t now_ms, uint64_t within_ms)
{
    const struct entry *entry = entry_find(table, address);
    return entry && entry->refused_ms && entry->refused == peer_hash(table, peer) &&
           now_ms - entry->refused_ms < within_ms;
}
