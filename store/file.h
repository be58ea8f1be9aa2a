/* Files that come into being whole or not at all: written under another name beside, flushed to
 * the disk, and only then given their name. */
#ifndef JUNCTOR_STORE_FILE_H
#define JUNCTOR_STORE_FILE_H

#include "store/store.h"

#include <limits.h>

struct store_file {
    char target[PATH_MAX], temp[PATH_MAX];
    int fd; /* of `temp`, for reading and writing; -1 when closed */
};

/* "FOLDER/NAME". Returns 0 or -ENAMETOOLONG. */
int store_file_path(char path[PATH_MAX], const char *folder, const char *name,
                    struct store_fault *fault);

/* Creates an empty file (0600) under a name of its own, which begins with that of `target`. Returns
 * 0, -EEXIST (there is a `target`) or another -errno. */
int store_file_begin(struct store_file *file, const char *target, struct store_fault *fault);
/* The same in a folder where nobody else makes files: the name is always TARGET.new, what a killed
 * process left under it is removed, and there may be a `target`. */
int store_file_begin_alone(struct store_file *file, const char *target, struct store_fault *fault);
/* Flushes the file and gives it its name, in the place of what has it only with `replace`. On
 * failure nothing has changed and the file is gone; but -EIO after a replacement says that the new
 * file is in place and may not outlive a power loss. */
int store_file_commit(struct store_file *file, bool replace, struct store_fault *fault);
/* The file is gone. Nothing happens after a commit. */
void store_file_abort(struct store_file *file);

/* All bytes of `from`, from where it stands. Returns 0 or -errno. */
int store_file_copy(int from, int to);
/* Makes what happened to the names in a file's folder last. Returns 0 or -errno. */
int store_file_sync_folder(const char *file);

#endif
