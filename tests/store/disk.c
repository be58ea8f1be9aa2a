#undef _FORTIFY_SOURCE /* its inline functions would stand in the way of ours */
#include "tests/store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define FDS_MAX   1024
#define FILE_NAME "data.mdb"

enum fd_kind { FD_OTHER, FD_FILE, FD_FILE_SYNCED, FD_FOLDER };

static struct {
    pthread_mutex_t mutex;
    bool is_on;
    char folder[300];
    uint8_t fds[FDS_MAX]; /* enum fd_kind */
    struct disk_event *events;
    size_t count, room;
    const char *surprise;
} disk = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- recording ---- */

void disk_start(const char *folder)
{
    pthread_mutex_lock(&disk.mutex);
    snprintf(disk.folder, sizeof(disk.folder), "%s", folder);
    memset(disk.fds, FD_OTHER, sizeof(disk.fds));
    disk.is_on = true;
    pthread_mutex_unlock(&disk.mutex);
}

void disk_stop(void)
{
    pthread_mutex_lock(&disk.mutex);
    disk.is_on = false;
    pthread_mutex_unlock(&disk.mutex);
}

void disk_forget(void)
{
    for (size_t i = 0; i < disk.count; i++)
        free(disk.events[i].bytes);
    free(disk.events);
    disk.events = NULL;
    disk.count = disk.room = 0;
}

size_t disk_events(const struct disk_event **events)
{
    *events = disk.events;
    return disk.count;
}

const char *disk_surprise(void)
{
    return disk.surprise;
}

/* With the mutex held. */
static void event_add(const struct disk_event *event)
{
    if (disk.count == disk.room) {
        disk.room = disk.room ? 2 * disk.room : 1024;
        disk.events = realloc(disk.events, disk.room * sizeof(*disk.events));
        if (!disk.events)
            abort();
    }
    disk.events[disk.count++] = *event;
}

void disk_mark(uint64_t number)
{
    pthread_mutex_lock(&disk.mutex);
    event_add(&(struct disk_event){.kind = DISK_MARK, .number = number});
    pthread_mutex_unlock(&disk.mutex);
}

static enum fd_kind fd_kind(int fd)
{
    pthread_mutex_lock(&disk.mutex);
    bool is_known = disk.is_on && fd >= 0 && fd < FDS_MAX;
    enum fd_kind kind = is_known ? (enum fd_kind)disk.fds[fd] : FD_OTHER;
    pthread_mutex_unlock(&disk.mutex);
    return kind;
}

static bool fd_is_file(int fd)
{
    enum fd_kind kind = fd_kind(fd);
    return kind == FD_FILE || kind == FD_FILE_SYNCED;
}

static void write_note(int fd, const void *bytes, size_t len, size_t offset)
{
    bool is_synced = fd_kind(fd) == FD_FILE_SYNCED;
    struct disk_event event = {.kind = is_synced ? DISK_WRITE_SYNCED : DISK_WRITE,
                               .offset = offset,
                               .len = len,
                               .bytes = malloc(len)};
    if (!event.bytes)
        abort();
    memcpy(event.bytes, bytes, len);
    pthread_mutex_lock(&disk.mutex);
    event_add(&event);
    pthread_mutex_unlock(&disk.mutex);
}

static void surprise_note(int fd, const char *what)
{
    if (fd_is_file(fd))
        disk.surprise = what;
}

/* ---- what stands in for libc ---- */

static enum fd_kind path_kind(const char *path, int flags)
{
    size_t len = strlen(disk.folder);
    if (!disk.is_on || strncmp(path, disk.folder, len) != 0)
        return FD_OTHER;
    if (path[len] == '\0')
        return FD_FOLDER;
    if (strcmp(path + len, "/" FILE_NAME) != 0 && strcmp(path + len, "/" FILE_NAME ".new") != 0)
        return FD_OTHER;
    return flags & O_DSYNC ? FD_FILE_SYNCED : FD_FILE;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    pthread_mutex_lock(&disk.mutex);
    enum fd_kind kind = path_kind(path, flags);
    if (kind == FD_FILE_SYNCED)
        flags &= ~(O_DSYNC | O_SYNC);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && fd < FDS_MAX)
        disk.fds[fd] = (uint8_t)kind;
    pthread_mutex_unlock(&disk.mutex);
    return fd;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    if (fd_is_file(fd))
        write_note(fd, bytes, len, (size_t)offset);
    return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    if (fd_is_file(fd))
        write_note(fd, bytes, len, (size_t)syscall(SYS_lseek, fd, 0, SEEK_CUR));
    return syscall(SYS_write, fd, bytes, len);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (fd_is_file(fd)) {
        size_t offset = (size_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
        for (int i = 0; i < count; offset += parts[i].iov_len, i++)
            write_note(fd, parts[i].iov_base, parts[i].iov_len, offset);
    }
    return syscall(SYS_writev, fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (fd_is_file(fd)) {
        size_t at = (size_t)offset;
        for (int i = 0; i < count; at += parts[i].iov_len, i++)
            write_note(fd, parts[i].iov_base, parts[i].iov_len, at);
    }
    return syscall(SYS_pwritev, fd, parts, count, (unsigned long)offset, 0ul);
}

/* Real syncs would only cost time. */
static int sync_note(int fd)
{
    enum fd_kind kind = fd_kind(fd);
    if (kind == FD_OTHER)
        return 0;
    pthread_mutex_lock(&disk.mutex);
    event_add(&(struct disk_event){.kind = kind == FD_FOLDER ? DISK_FOLDER_SYNC : DISK_SYNC});
    pthread_mutex_unlock(&disk.mutex);
    return 0;
}

int fdatasync(int fd)
{
    return sync_note(fd);
}

int fsync(int fd)
{
    return sync_note(fd);
}

int rename(const char *from, const char *to)
{
    pthread_mutex_lock(&disk.mutex);
    if (path_kind(from, 0) == FD_FILE && path_kind(to, 0) == FD_FILE)
        event_add(&(struct disk_event){.kind = DISK_RENAME});
    pthread_mutex_unlock(&disk.mutex);
    return (int)syscall(SYS_rename, from, to);
}

int ftruncate(int fd, off_t size)
{
    surprise_note(fd, "ftruncate");
    return (int)syscall(SYS_ftruncate, fd, size);
}

/* The map is read-only: there is nothing in it to be synced. */
int msync(void *at, size_t len, int flags)
{
    if (disk.is_on)
        disk.surprise = "msync";
    return (int)syscall(SYS_msync, at, len, flags);
}

/* ---- the disk ---- */

void disk_image_init(struct disk_image *image)
{
    memset(image, 0, sizeof(*image));
}

void disk_image_done(struct disk_image *image)
{
    free(image->bytes);
    free(image->cached);
}

static void image_room(struct disk_image *image, size_t size)
{
    if (size <= image->room)
        return;
    size_t room = 2 * size;
    image->bytes = realloc(image->bytes, room);
    image->cached = realloc(image->cached, room);
    if (!image->bytes || !image->cached)
        abort();
    memset(image->bytes + image->room, 0, room - image->room);
    memset(image->cached + image->room, 0, room - image->room);
    image->room = room;
}

static bool event_writes(const struct disk_event *event)
{
    return event->kind == DISK_WRITE || event->kind == DISK_WRITE_SYNCED;
}

static void cache_write(struct disk_image *image, const struct disk_event *event)
{
    size_t end = event->offset + event->len;
    image_room(image, end + 4096);
    memcpy(image->cached + event->offset, event->bytes, event->len);
    if (end > image->cached_size)
        image->cached_size = end;
}

void disk_image_advance(struct disk_image *image, size_t count)
{
    size_t end = count;
    while (end > image->synced && disk.events[end - 1].kind != DISK_SYNC)
        end--;
    for (; image->synced < end; image->synced++)
        if (event_writes(&disk.events[image->synced]))
            cache_write(image, &disk.events[image->synced]);
    if (image->cached_size)
        memcpy(image->bytes, image->cached, image->cached_size);
    image->size = image->cached_size;
}

/* The kernel writes a sector back, as it is now. */
static void sector_write(struct disk_image *image, size_t at, size_t sector)
{
    size_t end = at + sector < image->cached_size ? at + sector : image->cached_size;
    memcpy(image->bytes + at, image->cached + at, end - at);
    if (end > image->size)
        image->size = end;
}

static void event_write(struct disk_image *image, const struct disk_event *event, size_t sector,
                        unsigned percent, struct dice *dice)
{
    cache_write(image, event);
    for (size_t at = event->offset / sector * sector; at < event->offset + event->len; at += sector)
        if (dice_percent(dice, percent))
            sector_write(image, at, sector);
}

static int file_write(const char *file, const char *bytes, size_t size)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    size_t done = 0;
    while (done < size) {
        ssize_t len = write(fd, bytes + done, size - done);
        if (len <= 0)
            break;
        done += (size_t)len;
    }
    close(fd);
    return done == size ? 0 : -EIO;
}

/* The names that the file has or may have. */
static const char *name_choose(size_t count, struct dice *dice)
{
    bool is_renamed = false, is_synced = false;
    for (size_t i = 0; i < count; i++) {
        is_renamed |= disk.events[i].kind == DISK_RENAME;
        is_synced |= is_renamed && disk.events[i].kind == DISK_FOLDER_SYNC;
    }
    bool has_name = is_synced || (is_renamed && dice_percent(dice, 50));
    return has_name ? FILE_NAME : FILE_NAME ".new";
}

int disk_image_cut(const struct disk_image *image, size_t count, size_t sector, struct dice *dice,
                   const char *folder)
{
    char file[400];
    static const unsigned percents[] = {0, 10, 50, 90, 100};
    unsigned percent = percents[dice_roll(dice, 5)];
    struct disk_image copy = {.size = image->size, .cached_size = image->cached_size};
    image_room(&copy, image->room ? image->room : 4096);
    if (image->room) {
        memcpy(copy.bytes, image->bytes, image->room);
        memcpy(copy.cached, image->cached, image->room);
    }
    for (size_t i = image->synced; i <= count && i < disk.count; i++) {
        const struct disk_event *event = &disk.events[i];
        bool has_returned = i < count;
        if (event_writes(event))
            event_write(&copy, event, sector,
                        event->kind == DISK_WRITE_SYNCED && has_returned ? 100 : percent, dice);
    }
    /* The file may have grown before its new sectors were written. */
    if (dice_percent(dice, 50))
        copy.size = copy.cached_size;
    snprintf(file, sizeof(file), "%s/%s", folder, name_choose(count, dice));
    int ret = file_write(file, copy.bytes, copy.size);
    disk_image_done(&copy);
    return ret;
}
