#include "tools/seen.h"

#include "base/slice.h"
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SEEN_FIRST_SIZE 4096

int seen_init(struct seen *seen)
{
    *seen = (struct seen){.size = SEEN_FIRST_SIZE};
    if (getrandom(seen->keys, sizeof(seen->keys), 0) != sizeof(seen->keys))
        return -ENOMEM;
    seen->entries = calloc(seen->size, sizeof(*seen->entries));
    return seen->entries ? 0 : -ENOMEM;
}

void seen_done(struct seen *seen)
{
    free(seen->entries);
    seen->entries = NULL;
}

/* The hash of half a key; a domain cannot take octets of the user part before it. */
static uint64_t half(const uint8_t key[16], const struct store_address *address)
{
    return siphash_after(key, siphash(key, slice_of(address->user)), slice_of(address->domain));
}

static struct seen_entry entry_make(const struct seen *seen, const struct store_address *address)
{
    return (struct seen_entry){
        .first = half(seen->keys[0], address),
        .rest = half(seen->keys[1], address) >> 16,
        .used = 1,
    };
}

/* Where the entry is, or would be. */
static struct seen_entry *place_find(const struct seen *seen, const struct seen_entry *wanted)
{
    size_t at = wanted->first & (seen->size - 1);
    for (;; at = (at + 1) & (seen->size - 1)) {
        struct seen_entry *entry = &seen->entries[at];
        if (!entry->used || (entry->first == wanted->first && entry->rest == wanted->rest))
            return entry;
    }
}

struct seen_entry *seen_find(const struct seen *seen, const struct store_address *address)
{
    struct seen_entry wanted = entry_make(seen, address);
    struct seen_entry *entry = place_find(seen, &wanted);
    return entry->used ? entry : NULL;
}

static int grow(struct seen *seen)
{
    struct seen bigger = *seen;
    struct seen_entry *old = seen->entries;
    bigger.size = 2 * seen->size;
    bigger.entries = calloc(bigger.size, sizeof(*bigger.entries));
    if (!bigger.entries)
        return -ENOMEM;
    for (size_t i = 0; i < seen->size; i++)
        if (old[i].used)
            *place_find(&bigger, &old[i]) = old[i];
    seen->entries = bigger.entries;
    seen->size = bigger.size;
    free(old);
    return 0;
}

int seen_add(struct seen *seen, const struct store_address *address, uint8_t level)
{
    struct seen_entry wanted = entry_make(seen, address);
    if (place_find(seen, &wanted)->used)
        return -EEXIST;
    if (seen->count == SEEN_MAX || (seen->count + 1 > seen->size / 4 * 3 && grow(seen)))
        return -ENOMEM;
    wanted.level = level;
    *place_find(seen, &wanted) = wanted;
    seen->count++;
    return 0;
}
