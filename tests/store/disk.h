/* A disk that can lose power, between LMDB and the real one.
 *
 * Why not the real thing: kill -9 leaves the kernel's page cache whole, so that it cannot tell
 * whether a write was synced; only a power cut can, and that cannot be had in a test. Block devices
 * that log writes (dm-log-writes) need root and a kernel module. So the program itself defines the
 * functions through which liblmdb.so reaches its file (`nm -D --undefined-only liblmdb.so` names
 * them); being in the executable, they come before libc's. They do what they should but for the
 * syncs, which are only noted: the file under the test is never cut off from power.
 *
 * What is noted is the history of the file data.mdb (or data.mdb.new, until it is renamed): each
 * write, each fdatasync, and the marks of the test in between (such as: this was acknowledged).
 * From it comes what a disk may hold when the power goes at some point of that history:
 *
 * - all that was written before the last sync that had returned (or itself through an O_DSYNC
 *   descriptor);
 * - of everything written later, sector by sector, any state that the sector had since then;
 * - the old name or the new one, until the folder was synced. */
#ifndef JUNCTOR_TESTS_STORE_DISK_H
#define JUNCTOR_TESTS_STORE_DISK_H

#include "tests/store/dice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts to note what happens to FOLDER/data.mdb. One recording at a time. */
void disk_start(const char *folder);
void disk_stop(void);
void disk_forget(void); /* frees the recording */
/* Notes a number of the test's. Any thread. */
void disk_mark(uint64_t number);

enum disk_kind {
    DISK_WRITE,
    DISK_WRITE_SYNCED, /* through a descriptor with O_DSYNC */
    DISK_SYNC,
    DISK_RENAME,
    DISK_FOLDER_SYNC, /* the file's name is on the disk */
    DISK_MARK,
};

struct disk_event {
    enum disk_kind kind;
    uint64_t number; /* of a mark */
    size_t offset, len;
    char *bytes;
};

size_t disk_events(const struct disk_event **events);
/* Did LMDB do to the file what this knows nothing of? Then nothing here proves anything. */
const char *disk_surprise(void);

/* What the disk holds when the power goes after `count` events. Where the next event is a write, it
 * is under way. */
struct disk_image {
    char *bytes, *cached; /* on the disk; as the kernel sees the file */
    size_t size, cached_size, room;
    size_t synced; /* events up to the last sync, which are in both */
};

void disk_image_init(struct disk_image *image);
void disk_image_done(struct disk_image *image);
/* Goes on to the last sync among the first `count` events; never back. */
void disk_image_advance(struct disk_image *image, size_t count);
/* What may be there, into a file in `folder`. `sector` is 512 or 4096. Returns 0 or -errno. */
int disk_image_cut(const struct disk_image *image, size_t count, size_t sector, struct dice *dice,
                   const char *folder);

#endif
