#include "store/file.h"

#include "base/status.h"
#include "store/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE   0600
#define COPY_BUFFER 65536

int store_file_path(char path[PATH_MAX], const char *folder, const char *name,
                    struct store_fault *fault)
{
    int len = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return len < PATH_MAX ? 0
                          : store_fault_set(fault, -ENAMETOOLONG, "the store's path is too long");
}

/* ---- begin ---- */

static int names_set(struct store_file *file, const char *target, const char *suffix,
                     struct store_fault *fault)
{
    int len = snprintf(file->target, sizeof(file->target), "%s", target);
    int temp_len = snprintf(file->temp, sizeof(file->temp), "%s%s", target, suffix);
    file->fd = -1;
    if (len < PATH_MAX && temp_len < PATH_MAX)
        return 0;
    return store_fault_set(fault, -ENAMETOOLONG, "the name %.100s... is too long", target);
}

static int create_check(struct store_file *file, int fd, struct store_fault *fault)
{
    file->fd = fd;
    if (fd >= 0)
        return 0;
    int ret = -errno;
    return store_fault_set(fault, ret, "cannot create %.120s: %s", file->temp, status_text(ret));
}

int store_file_begin(struct store_file *file, const char *target, struct store_fault *fault)
{
    struct stat st;
    int ret = names_set(file, target, ".partial-XXXXXX", fault);
    if (ret)
        return ret;
    if (lstat(target, &st) == 0)
        return store_fault_set(fault, -EEXIST, "%.120s exists already", target);
    return create_check(file, mkostemp(file->temp, O_CLOEXEC), fault);
}

int store_file_begin_alone(struct store_file *file, const char *target, struct store_fault *fault)
{
    int ret = names_set(file, target, ".new", fault);
    if (ret)
        return ret;
    unlink(file->temp);
    return create_check(file, open(file->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE),
                        fault);
}

/* ---- end ---- */

int store_file_sync_folder(const char *file)
{
    char folder[PATH_MAX];
    int ret = 0;
    snprintf(folder, sizeof(folder), "%s", file);
    char *slash = strrchr(folder, '/');
    if (!slash)
        snprintf(folder, sizeof(folder), ".");
    else
        slash[slash == folder] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fsync(fd) && errno != EINVAL) /* a file system without folders that can be flushed */
        ret = -errno;
    close(fd);
    return ret;
}

/* A name is given only where nobody has it. */
static int name_give(const char *temp, const char *target)
{
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, target, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL)
        return -errno;
    /* this file system cannot do it in one step */
    if (link(temp, target))
        return -errno;
    unlink(temp);
    return 0;
}

static int file_flush(struct store_file *file)
{
    int ret = fsync(file->fd) ? -errno : 0;
    if (close(file->fd) && ret == 0)
        ret = -errno;
    file->fd = -1;
    return ret;
}

int store_file_commit(struct store_file *file, bool replace, struct store_fault *fault)
{
    int ret = file_flush(file);
    if (ret == 0 && replace)
        ret = rename(file->temp, file->target) ? -errno : 0;
    else if (ret == 0)
        ret = name_give(file->temp, file->target);
    if (ret) {
        unlink(file->temp);
        return store_fault_set(fault, ret, "cannot write %.120s: %s", file->target,
                               status_text(ret));
    }
    ret = store_file_sync_folder(file->target);
    if (ret == 0)
        return 0;
    if (!replace)
        unlink(file->target);
    return store_fault_set(fault, replace ? -EIO : ret, "cannot flush the folder of %.120s: %s",
                           file->target, status_text(ret));
}

void store_file_abort(struct store_file *file)
{
    if (file->fd < 0)
        return;
    close(file->fd);
    file->fd = -1;
    unlink(file->temp);
}

/* ---- copying ---- */

static int write_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, p, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        p += written;
        len -= (size_t)written;
    }
    return 0;
}

int store_file_copy(int from, int to)
{
    char buffer[COPY_BUFFER];
    for (;;) {
        ssize_t len = read(from, buffer, sizeof(buffer));
        if (len < 0 && errno == EINTR)
            continue;
        if (len <= 0)
            return len < 0 ? -errno : 0;
        int ret = write_all(to, buffer, (size_t)len);
        if (ret)
            return ret;
    }
}
