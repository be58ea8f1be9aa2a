#include "resolver/avoid.h"

#include "base/list.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct resolver_avoid {
    struct table *table;
    struct list failed; /* the one that failed longest ago first */
};

struct entry {
    struct table_link hashed;
    struct list failed;
    struct netaddr addr;
    uint8_t transport;
    bool testing; /* until_ms is then the test's end */
    unsigned failures;
    uint64_t until_ms;
    char domain[]; /* "" where it does not matter */
};

/* Only over TLS does it matter who must be proven. */
static const char *domain_of(const struct resolver_avoid_key *key)
{
    return key->transport == RESOLVER_TLS ? key->domain : "";
}

static bool entry_matches(const struct table_link *link, const void *key)
{
    const struct entry *entry = container_of(link, const struct entry, hashed);
    const struct resolver_avoid_key *wanted = key;
    return entry->transport == wanted->transport && netaddr_eq(&entry->addr, wanted->addr) &&
           strcmp(entry->domain, domain_of(wanted)) == 0;
}

static uint64_t entry_hash(const struct resolver_avoid *avoid, const struct resolver_avoid_key *key)
{
    const struct netaddr *addr = key->addr;
    bool six = addr->sa.sa_family == AF_INET6;
    struct slice ip = six ? slice_make((const char *)&addr->in6.sin6_addr, 16)
                          : slice_make((const char *)&addr->in4.sin_addr, 4);
    uint64_t hash = table_hash(avoid->table, ip);
    uint64_t rest = (uint64_t)netaddr_port(addr) << 8 | key->transport;
    hash = table_hash_more(avoid->table, hash, slice_make((const char *)&rest, sizeof(rest)));
    return table_hash_more(avoid->table, hash, slice_of(domain_of(key)));
}

static struct entry *entry_find(const struct resolver_avoid *avoid,
                                const struct resolver_avoid_key *key)
{
    if (table_count(avoid->table) == 0) /* as nearly always */
        return NULL;
    struct table_link *link = table_find(avoid->table, entry_hash(avoid, key), entry_matches, key);
    return link ? container_of(link, struct entry, hashed) : NULL;
}

static void entry_drop(struct resolver_avoid *avoid, struct entry *entry)
{
    table_remove(avoid->table, &entry->hashed);
    list_remove(&entry->failed);
    free(entry);
}

struct resolver_avoid *resolver_avoid_alloc(void)
{
    struct resolver_avoid *avoid = calloc(1, sizeof(*avoid));
    if (!avoid)
        return NULL;
    list_init(&avoid->failed);
    avoid->table = table_alloc(RESOLVER_AVOID_MAX);
    return avoid->table ? avoid : resolver_avoid_free(avoid);
}

struct resolver_avoid *resolver_avoid_free(struct resolver_avoid *avoid)
{
    if (!avoid)
        return NULL;
    list_each (link, next, &avoid->failed)
        entry_drop(avoid, container_of(link, struct entry, failed));
    if (avoid->table)
        table_free(avoid->table);
    free(avoid);
    return NULL;
}

size_t resolver_avoid_count(const struct resolver_avoid *avoid)
{
    return table_count(avoid->table);
}

bool resolver_avoid_is(struct resolver_avoid *avoid, const struct resolver_avoid_key *key,
                       uint64_t now_ms)
{
    struct entry *entry = entry_find(avoid, key);
    if (!entry)
        return false;
    if (now_ms < entry->until_ms)
        return true;
    if (now_ms - entry->until_ms >= RESOLVER_AVOID_STALE_MS) {
        entry_drop(avoid, entry);
        return false;
    }
    entry->testing = true;
    entry->until_ms = now_ms + RESOLVER_AVOID_TEST_MS;
    return false;
}

/* A new entry, by whose side an older one may have to go; NULL without memory. */
static struct entry *entry_add(struct resolver_avoid *avoid, const struct resolver_avoid_key *key)
{
    size_t domain_size = strlen(domain_of(key)) + 1;
    if (table_count(avoid->table) == RESOLVER_AVOID_MAX)
        entry_drop(avoid, container_of(list_first(&avoid->failed), struct entry, failed));
    struct entry *entry = calloc(1, sizeof(*entry) + domain_size);
    if (!entry)
        return NULL;
    entry->addr = *key->addr;
    entry->transport = key->transport;
    memcpy(entry->domain, domain_of(key), domain_size);
    list_init(&entry->failed);
    if (table_put(avoid->table, &entry->hashed, entry_hash(avoid, key)) < 0) {
        free(entry);
        return NULL;
    }
    return entry;
}

static uint64_t avoid_ms(unsigned failures)
{
    uint64_t ms = RESOLVER_AVOID_MS;
    while (--failures > 0 && ms < RESOLVER_AVOID_LONG_MS)
        ms *= 2;
    return ms;
}

/* Of many requests that meet the same failure, and of one that had no other choice while it was
 * avoided, none makes it worse: only a test does. */
bool resolver_avoid_failed(struct resolver_avoid *avoid, const struct resolver_avoid_key *key,
                           uint64_t now_ms)
{
    struct entry *entry = entry_find(avoid, key);
    if (entry && !entry->testing && now_ms < entry->until_ms)
        return false;
    if (!entry)
        entry = entry_add(avoid, key);
    if (!entry)
        return false;
    entry->testing = false;
    entry->until_ms = now_ms + avoid_ms(++entry->failures);
    list_remove(&entry->failed);
    list_append(&avoid->failed, &entry->failed);
    return true;
}

void resolver_avoid_worked(struct resolver_avoid *avoid, const struct resolver_avoid_key *key)
{
    struct entry *entry = entry_find(avoid, key);
    if (entry)
        entry_drop(avoid, entry);
}
