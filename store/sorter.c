#include "store/sorter.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define DIGITS 8 /* octets of a prefix, the lowest first */

/* ---- memory: address space for the most that may come, of which only what is touched is taken, in
 * large pages where the system has them: keys are read in no order ---- */

static void *space_take(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, size, MADV_HUGEPAGE);
    return p;
}

static void space_give(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

#define ENTRIES_SIZE (STORE_SORTER_MAX * sizeof(struct sorter_entry))

static int spaces_take(struct store_sorter *sorter)
{
    sorter->arena = space_take(STORE_SORTER_ARENA_MAX);
    sorter->entries = space_take(ENTRIES_SIZE);
    sorter->scratch = space_take(ENTRIES_SIZE);
    if (sorter->arena && sorter->entries && sorter->scratch)
        return 0;
    store_sorter_free(sorter);
    return -ENOMEM;
}

void store_sorter_free(struct store_sorter *sorter)
{
    space_give(sorter->arena, STORE_SORTER_ARENA_MAX);
    space_give(sorter->entries, ENTRIES_SIZE);
    space_give(sorter->scratch, ENTRIES_SIZE);
    *sorter = (struct store_sorter){.max = sorter->max};
}

/* ---- collecting ---- */

static size_t shared_len(struct slice a, struct slice b, size_t max)
{
    size_t len = 0;
    while (len < max && len < a.len && len < b.len && a.p[len] == b.p[len])
        len++;
    return len;
}

int store_sorter_add(struct store_sorter *sorter, struct slice key)
{
    size_t max = sorter->max ? sorter->max : STORE_SORTER_MAX;
    if (sorter->count == max || key.len > STORE_SORTER_ARENA_MAX - sorter->arena_len)
        return -ENOBUFS;
    if (!sorter->arena && spaces_take(sorter))
        return -ENOMEM;
    sorter->shared =
        sorter->count == 0 ? key.len : shared_len(store_sorter_key(sorter, 0), key, sorter->shared);
    sorter->entries[sorter->count++] =
        (struct sorter_entry){.offset = (uint32_t)sorter->arena_len, .len = (uint32_t)key.len};
    memcpy(sorter->arena + sorter->arena_len, key.p, key.len);
    sorter->arena_len += key.len;
    return 0;
}

struct slice store_sorter_key(const struct store_sorter *sorter, size_t i)
{
    return slice_make(sorter->arena + sorter->entries[i].offset, sorter->entries[i].len);
}

void store_sorter_clear(struct store_sorter *sorter)
{
    sorter->count = 0;
    sorter->arena_len = 0;
}

/* ---- sorting ---- */

/* The octets behind what all keys share; a key that ends earlier sorts first, or is a tie. */
static uint64_t prefix_of(struct slice key, size_t shared)
{
    uint64_t prefix = 0;
    for (size_t i = shared; i < shared + DIGITS; i++)
        prefix = prefix << 8 | (i < key.len ? (uint8_t)key.p[i] : 0);
    return prefix;
}

static unsigned digit_of(const struct sorter_entry *entry, unsigned digit)
{
    return (unsigned)(entry->prefix >> (8 * digit)) & 0xff;
}

static void entries_count(const struct store_sorter *sorter, size_t counts[DIGITS][256])
{
    for (size_t i = 0; i < sorter->count; i++)
        for (unsigned digit = 0; digit < DIGITS; digit++)
            counts[digit][digit_of(&sorter->entries[i], digit)]++;
}

/* One pass of a radix sort: by one octet of the prefix, equal ones staying as they stand. */
static void entries_deal(const struct sorter_entry *from, struct sorter_entry *to, size_t count,
                         unsigned digit, const size_t counts[256])
{
    size_t places[256], sum = 0;
    for (int i = 0; i < 256; i++) {
        places[i] = sum;
        sum += counts[i];
    }
    for (size_t i = 0; i < count; i++)
        to[places[digit_of(&from[i], digit)]++] = from[i];
}

static void radix_sort(struct store_sorter *sorter)
{
    size_t counts[DIGITS][256] = {{0}};
    entries_count(sorter, counts);
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        struct sorter_entry *sorted = sorter->scratch;
        if (counts[digit][digit_of(&sorter->entries[0], digit)] == sorter->count)
            continue; /* all have the same octet */
        entries_deal(sorter->entries, sorted, sorter->count, digit, counts[digit]);
        sorter->scratch = sorter->entries;
        sorter->entries = sorted;
    }
}

int store_key_compare(struct slice a, struct slice b)
{
    int order = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int entries_compare(const void *a, const void *b, void *arg)
{
    const struct store_sorter *sorter = arg;
    const struct sorter_entry *one = a, *two = b;
    return store_key_compare(slice_make(sorter->arena + one->offset, one->len),
                             slice_make(sorter->arena + two->offset, two->len));
}

/* Keys whose prefixes do not tell them apart. Those that came in order are in order. */
static void ties_sort(struct store_sorter *sorter)
{
    struct sorter_entry *entries = sorter->entries;
    for (size_t first = 0, end; first < sorter->count; first = end) {
        bool sorted = true;
        for (end = first + 1; end < sorter->count && entries[end].prefix == entries[first].prefix;
             end++)
            sorted = sorted && entries_compare(&entries[end - 1], &entries[end], sorter) <= 0;
        if (!sorted)
            qsort_r(&entries[first], end - first, sizeof(*entries), entries_compare, sorter);
    }
}

void store_sorter_sort(struct store_sorter *sorter)
{
    if (sorter->count == 0)
        return;
    for (size_t i = 0; i < sorter->count; i++)
        sorter->entries[i].prefix = prefix_of(store_sorter_key(sorter, i), sorter->shared);
    radix_sort(sorter);
    ties_sort(sorter);
}
