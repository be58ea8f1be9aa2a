/* The file in which a zone's publisher remembers what it has sent. */
#include "api/publisher_internal.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAX ((size_t)1 << 22)
#define ADDED_MAX   ((size_t)1 << 20) /* bytes after which the file is written anew, at least */
#define TEXT_MAX    (ZONE_NAME_MAX + PUBLISHER_ABOUT_MAX + 128)

/* ---- entries ---- */

struct entry_key {
    const char *name;
    enum zone_type type;
};

static bool entry_match(const struct table_link *link, const void *arg)
{
    const struct publisher_entry *entry = container_of(link, struct publisher_entry, link);
    const struct entry_key *key = arg;
    return entry->type == key->type && strcmp(entry->name, key->name) == 0;
}

static uint64_t entry_hash(const struct publisher_memory *memory, const char *name,
                           enum zone_type type)
{
    uint64_t hash = table_hash(memory->table, slice_of(name));
    return table_hash_more(memory->table, hash, slice_make((const char *)&type, sizeof(type)));
}

struct publisher_entry *publisher_memory_find(const struct publisher_memory *memory,
                                              const char *name, enum zone_type type)
{
    const struct entry_key key = {name, type};
    struct table_link *link =
        table_find(memory->table, entry_hash(memory, name, type), entry_match, &key);
    return link ? container_of(link, struct publisher_entry, link) : NULL;
}

static void entry_free(struct publisher_entry *entry)
{
    free(entry->about);
    free(entry);
}

static int entry_append(struct publisher_memory *memory, struct publisher_entry *entry)
{
    if (memory->count == memory->room) {
        size_t room = memory->room ? 2 * memory->room : 64;
        struct publisher_entry **entries =
            realloc(memory->entries, room * sizeof(struct publisher_entry *));
        if (!entries)
            return -ENOMEM;
        memory->entries = entries;
        memory->room = room;
    }
    int status =
        table_put(memory->table, &entry->link, entry_hash(memory, entry->name, entry->type));
    if (status != 0)
        return status;
    entry->index = memory->count;
    memory->entries[memory->count++] = entry;
    return 0;
}

static void entry_remove(struct publisher_memory *memory, struct publisher_entry *entry)
{
    struct publisher_entry *last = memory->entries[--memory->count];
    memory->entries[entry->index] = last;
    last->index = entry->index;
    table_remove(memory->table, &entry->link);
    entry_free(entry);
}

/* The entry of this set, made where there is none; NULL without memory. */
static struct publisher_entry *entry_get(struct publisher_memory *memory, const char *name,
                                         enum zone_type type, const char *about)
{
    struct publisher_entry *entry = publisher_memory_find(memory, name, type);
    char *copy = strdup(about);
    if (!entry && copy) {
        size_t size = strlen(name) + 1;
        entry = calloc(1, sizeof(*entry) + size);
        if (entry) {
            memcpy(entry->name, name, size);
            entry->type = type;
        }
        if (entry && entry_append(memory, entry) != 0) {
            free(entry);
            entry = NULL;
        }
    }
    if (!entry || !copy) {
        free(copy);
        return NULL;
    }
    free(entry->about);
    entry->about = copy;
    return entry;
}

/* What says nothing any more is forgotten. */
static void entry_settle(struct publisher_memory *memory, struct publisher_entry *entry)
{
    bool is_gone =
        entry->is_sent && entry->before == 0 && entry->after == 0 && entry->late_count == 0;
    if (!entry->differs && (is_gone || !entry->is_sent))
        entry_remove(memory, entry);
}

/* The oldest makes room. */
static void late_add(struct publisher_entry *entry, uint64_t hash)
{
    for (size_t i = 0; i < entry->late_count; i++)
        if (entry->late[i] == hash)
            return;
    if (entry->late_count == PUBLISHER_LATE_MAX) {
        memmove(entry->late, entry->late + 1, sizeof(entry->late) - sizeof(entry->late[0]));
        entry->late_count--;
    }
    entry->late[entry->late_count++] = hash;
}

/* The same when it happens and when the file is read: so the file needs no line for what is late.
 */
static void entry_sent(struct publisher_memory *memory, struct publisher_entry *entry,
                       uint64_t before, uint64_t after)
{
    if (entry->is_sent && entry->before != entry->after && entry->after != before &&
        entry->after != after)
        late_add(entry, entry->after);
    entry->is_sent = true;
    entry->before = before;
    entry->after = after;
    entry_settle(memory, entry);
}

/* What was sent before can no longer be made: its conditions do not hold any more. */
static void entry_made(struct publisher_memory *memory, struct publisher_entry *entry,
                       uint64_t hash)
{
    entry->is_sent = true;
    entry->before = entry->after = hash;
    entry->late_count = 0;
    entry_settle(memory, entry);
}

static void entry_differs(struct publisher_memory *memory, struct publisher_entry *entry,
                          bool differs)
{
    if (entry->differs != differs)
        memory->differing += differs ? 1 : (size_t)-1;
    entry->differs = differs;
    entry_settle(memory, entry);
}

/* ---- the file ---- */

static void memory_fail(struct publisher_memory *memory, int status)
{
    if (memory->status == 0)
        memory->status = status;
    memory->added = SIZE_MAX / 2; /* the file may end within a line: the next flush renews it */
}

/* Returns 0, STATUS_LIMIT or -errno. */
static int line_write(int fd, size_t *added, const char *format, va_list args)
{
    char line[TEXT_MAX];
    int len = vsnprintf(line, sizeof(line), format, args);
    if (len < 0 || (size_t)len >= sizeof(line))
        return STATUS_LIMIT;
    errno = 0;
    ssize_t written = write(fd, line, (size_t)len);
    *added += (size_t)len;
    if (written == len)
        return 0;
    return errno ? -errno : -ENOSPC; /* a part of it was written */
}

__attribute__((format(printf, 2, 3))) static void line_add(struct publisher_memory *memory,
                                                           const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int status = line_write(memory->fd, &memory->added, format, args);
    va_end(args);
    if (status != 0)
        memory_fail(memory, status);
}

static void sent_add(struct publisher_memory *memory, const char *name, enum zone_type type,
                     const char *about, uint64_t before, uint64_t after)
{
    line_add(memory, "sent %s %u %016" PRIx64 " %016" PRIx64 " %s\n", name, (unsigned)type, before,
             after, about);
}

static void ttl_kept_add(struct publisher_memory *memory, const struct publisher_entry *entry)
{
    line_add(memory, "keeps %s %u %u %" PRIu32 " %s\n", entry->name, (unsigned)entry->type,
             (unsigned)entry->has_ttl, entry->ttl_s, entry->about);
}

/* Lines that make it as it is. */
static void entry_write(struct publisher_memory *memory, const struct publisher_entry *entry)
{
    for (size_t i = 0; i < entry->late_count; i++)
        sent_add(memory, entry->name, entry->type, entry->about, ~entry->late[i], entry->late[i]);
    sent_add(memory, entry->name, entry->type, entry->about, entry->before, entry->after);
    if (entry->has_ttl)
        ttl_kept_add(memory, entry);
}

static void differs_add(struct publisher_memory *memory, const char *name, enum zone_type type,
                        const char *about, bool differs)
{
    line_add(memory, "%s %s %u %s\n", differs ? "differs" : "agrees", name, (unsigned)type, about);
}

static void ttl_take(struct publisher_memory *memory, uint32_t ttl_s)
{
    if (!publisher_memory_has_ttl(memory, ttl_s))
        memory->ttls[memory->ttl_count++] = ttl_s;
}

static void gap_add(struct publisher_memory *memory)
{
    line_add(memory, "uncompared %u %" PRIu64 "\n", (unsigned)memory->gap, memory->gap_done);
}

static void line_take(struct publisher_memory *memory, const char *line)
{
    char word[16], name[ZONE_NAME_MAX + 1], about[PUBLISHER_ABOUT_MAX];
    unsigned type, records;
    uint32_t ttl_s;
    uint64_t before, after;
    struct publisher_entry *entry = NULL;
    if (sscanf(line, "done %" SCNu64, &before) == 1) {
        memory->done = before;
    } else if (sscanf(line, "compared %" SCNu64 " %u", &before, &records) == 2) {
        memory->gap = PUBLISHER_GAP_NONE;
        memory->ttl_count = 0;
        ttl_take(memory, (uint32_t)before);
        memory->compared_records = records != 0;
    } else if (sscanf(line, "uncompared %u %" SCNu64, &type, &before) == 2) {
        memory->gap = type < PUBLISHER_GAP_LOST ? (enum publisher_gap)type : PUBLISHER_GAP_LOST;
        memory->gap_done = before;
    } else if (sscanf(line, "ttl %" SCNu64, &before) == 1) {
        ttl_take(memory, (uint32_t)before);
    } else if (sscanf(line, "sent %253s %u %" SCNx64 " %" SCNx64 " %382s", name, &type, &before,
                      &after, about) == 5) {
        if ((entry = entry_get(memory, name, (enum zone_type)type, about)) != NULL)
            entry_sent(memory, entry, before, after);
    } else if (sscanf(line, "made %253s %u %" SCNx64 " %382s", name, &type, &after, about) == 4) {
        if ((entry = entry_get(memory, name, (enum zone_type)type, about)) != NULL)
            entry_made(memory, entry, after);
    } else if (sscanf(line, "keeps %253s %u %u %" SCNu32 " %382s", name, &type, &records, &ttl_s,
                      about) == 5) {
        if ((entry = publisher_memory_find(memory, name, (enum zone_type)type)) != NULL) {
            entry->has_ttl = records != 0;
            entry->ttl_s = ttl_s;
        }
    } else if (sscanf(line, "%15s %253s %u %382s", word, name, &type, about) == 4) {
        if ((entry = entry_get(memory, name, (enum zone_type)type, about)) != NULL)
            entry_differs(memory, entry, strcmp(word, "differs") == 0);
    }
}

static int file_read(struct publisher_memory *memory)
{
    char line[TEXT_MAX];
    FILE *file = fopen(memory->path, "re");
    if (!file)
        return errno == ENOENT ? 0 : -errno;
    while (fgets(line, sizeof(line), file)) {
        size_t len = strlen(line);
        if (len == 0 || line[len - 1] != '\n')
            break;
        line[len - 1] = '\0';
        line_take(memory, line);
    }
    int status = ferror(file) ? -EIO : 0;
    fclose(file);
    return status;
}

static void entries_write(struct publisher_memory *memory)
{
    if (memory->done != UINT64_MAX)
        line_add(memory, "done %" PRIu64 "\n", memory->done);
    if (memory->ttl_count > 0)
        line_add(memory, "compared %" PRIu32 " %d\n", memory->ttls[0], memory->compared_records);
    for (size_t i = 1; i < memory->ttl_count; i++)
        line_add(memory, "ttl %" PRIu32 "\n", memory->ttls[i]);
    if (memory->gap != PUBLISHER_GAP_NONE)
        gap_add(memory);
    for (size_t i = 0; i < memory->count; i++) {
        const struct publisher_entry *entry = memory->entries[i];
        if (entry->is_sent)
            entry_write(memory, entry);
        if (entry->differs)
            differs_add(memory, entry->name, entry->type, entry->about, true);
    }
}

/* The name becomes durable with its folder. */
static int folder_sync(const char *path)
{
    char folder[sizeof(((struct publisher_memory *)0)->path)];
    snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
    int fd = open(folder[0] != '\0' ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = fsync(fd) != 0 ? -errno : 0;
    close(fd);
    return status;
}

/* All that is remembered goes to `fd`, which is on disk then. */
static int entries_save(struct publisher_memory *memory, int fd)
{
    int before = memory->fd;
    memory->fd = fd;
    memory->added = 0;
    entries_write(memory);
    memory->fd = before;
    if (memory->status == 0 && fsync(fd) != 0)
        return -errno;
    return memory->status;
}

/* Written beside, synced, and renamed: at any moment one of the two is whole, and the one that has
 * the name is the one that is written to. After a failure the old one is, and the next flush tries
 * again. */
static int file_renew(struct publisher_memory *memory)
{
    char path[sizeof(memory->path) + 8];
    snprintf(path, sizeof(path), "%s.new", memory->path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    int status = fd < 0 ? -errno : entries_save(memory, fd);
    if (status == 0 && rename(path, memory->path) != 0)
        status = -errno;
    if (status != 0) {
        if (fd >= 0) {
            close(fd);
            unlink(path);
        }
        memory_fail(memory, status);
        return status;
    }
    if (memory->fd >= 0)
        close(memory->fd);
    memory->fd = fd;
    status = folder_sync(memory->path);
    if (status != 0)
        memory_fail(memory, status);
    return status;
}

/* ---- the whole ---- */

int publisher_memory_open(struct publisher_memory *memory, const char *folder, const char *zone)
{
    *memory = (struct publisher_memory){.done = UINT64_MAX, .gap = PUBLISHER_GAP_LOST, .fd = -1};
    int len = snprintf(memory->path, sizeof(memory->path), "%s/published.%s", folder, zone);
    if (len < 0 || (size_t)len >= sizeof(memory->path))
        return -ENAMETOOLONG;
    memory->table = table_alloc(ENTRIES_MAX);
    int status = memory->table ? file_read(memory) : -ENOMEM;
    if (status == 0)
        status = file_renew(memory);
    return status;
}

void publisher_memory_close(struct publisher_memory *memory)
{
    while (memory->count > 0)
        entry_remove(memory, memory->entries[memory->count - 1]);
    if (memory->fd >= 0)
        close(memory->fd);
    free(memory->entries);
    table_free(memory->table);
    *memory = (struct publisher_memory){.fd = -1};
}

void publisher_memory_sent(struct publisher_memory *memory, const struct update_set *set,
                           const char *about, uint64_t before, uint64_t after)
{
    struct publisher_entry *entry = publisher_memory_find(memory, set->name, set->type);
    if (entry ? entry->is_sent && entry->before == before && entry->after == after &&
                    strcmp(entry->about, about) == 0
              : before == 0 && after == 0)
        return;
    sent_add(memory, set->name, set->type, about, before, after);
    entry = entry_get(memory, set->name, set->type, about);
    if (entry)
        entry_sent(memory, entry, before, after);
    else
        memory_fail(memory, -ENOMEM);
}

void publisher_memory_made(struct publisher_memory *memory, const struct update_set *set,
                           const char *about, uint64_t hash)
{
    struct publisher_entry *entry = publisher_memory_find(memory, set->name, set->type);
    if (!entry && hash == 0)
        return;
    line_add(memory, "made %s %u %016" PRIx64 " %s\n", set->name, (unsigned)set->type, hash, about);
    entry = entry_get(memory, set->name, set->type, about);
    if (entry)
        entry_made(memory, entry, hash);
    else
        memory_fail(memory, -ENOMEM);
}

void publisher_memory_ttl_kept(struct publisher_memory *memory, const struct update_set *set,
                               bool kept)
{
    struct publisher_entry *entry = publisher_memory_find(memory, set->name, set->type);
    if (!entry || (entry->has_ttl == kept && (!kept || entry->ttl_s == set->ttl_s)))
        return;
    entry->has_ttl = kept;
    entry->ttl_s = set->ttl_s;
    ttl_kept_add(memory, entry);
}

void publisher_memory_differs(struct publisher_memory *memory, const struct update_set *set,
                              const char *about, bool differs)
{
    struct publisher_entry *entry = publisher_memory_find(memory, set->name, set->type);
    if ((entry && entry->differs) == differs)
        return;
    differs_add(memory, set->name, set->type, about, differs);
    entry = entry_get(memory, set->name, set->type, about);
    if (entry)
        entry_differs(memory, entry, differs);
    else
        memory_fail(memory, -ENOMEM);
}

void publisher_memory_done(struct publisher_memory *memory, uint64_t sequence)
{
    if (memory->done == sequence)
        return;
    memory->done = sequence;
    line_add(memory, "done %" PRIu64 "\n", sequence);
}

void publisher_memory_gap(struct publisher_memory *memory, enum publisher_gap gap)
{
    if (gap <= memory->gap)
        return;
    if (gap == PUBLISHER_GAP_LOST)
        memory->gap_done = memory->done == UINT64_MAX ? 0 : memory->done;
    memory->gap = gap;
    memory->is_unsynced = true;
    gap_add(memory);
}

bool publisher_memory_has_ttl(const struct publisher_memory *memory, uint32_t ttl_s)
{
    for (size_t i = 0; i < memory->ttl_count; i++)
        if (memory->ttls[i] == ttl_s)
            return true;
    return memory->ttl_count == PUBLISHER_TTLS_MAX;
}

void publisher_memory_ttl(struct publisher_memory *memory, uint32_t ttl_s)
{
    if (publisher_memory_has_ttl(memory, ttl_s))
        return;
    ttl_take(memory, ttl_s);
    memory->is_unsynced = true;
    line_add(memory, "ttl %" PRIu32 "\n", ttl_s);
}

void publisher_memory_compared(struct publisher_memory *memory, const struct zone_conf *records)
{
    memory->gap = PUBLISHER_GAP_NONE;
    memory->ttl_count = 0;
    ttl_take(memory, records->address_ttl_s);
    memory->compared_records = records->address_records;
    line_add(memory, "compared %" PRIu32 " %d\n", records->address_ttl_s, records->address_records);
}

uint64_t publisher_memory_published(const struct publisher_memory *memory)
{
    return memory->gap == PUBLISHER_GAP_LOST ? memory->gap_done : memory->done;
}

int publisher_memory_flush(struct publisher_memory *memory, bool sync)
{
    if (memory->status == 0 && memory->added > ADDED_MAX &&
        memory->added > memory->count * TEXT_MAX)
        file_renew(memory);
    else if (memory->status == 0 && sync && fdatasync(memory->fd) != 0)
        memory_fail(memory, -errno);
    memory->is_unsynced = memory->is_unsynced && !sync;
    int status = memory->status;
    memory->status = 0;
    return status;
}
