#include "store/alone.h"

#include "base/status.h"
#include "store/fault.h"
#include "store/file.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FILE_MODE 0600

/* The octet that LMDB locks. */
static struct flock octet_lock(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
}

static int octet_take(const char *path, int fd, struct store_fault *fault)
{
    struct flock lock = octet_lock();
    if (fcntl(fd, F_SETLK, &lock) == 0)
        return 0;
    int ret = errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
    if (ret == -EBUSY && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        return store_fault_set(fault, ret, "process %ld has the store %.100s open; stop it first",
                               (long)lock.l_pid, path);
    return store_fault_set(fault, ret, "cannot lock the store %.100s: %s", path, status_text(ret));
}

static int readers_keep_out(struct store_alone *alone, const char *path, struct store_fault *fault)
{
    char name[PATH_MAX];
    int ret = store_file_path(name, path, "lock.mdb", fault);
    if (ret)
        return ret;
    alone->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (alone->lock_fd < 0) {
        ret = -errno;
        return store_fault_set(fault, ret, "cannot open %.100s: %s", name, status_text(ret));
    }
    return octet_take(path, alone->lock_fd, fault);
}

int store_alone_begin(struct store_alone *alone, const char *path, struct store_fault *fault)
{
    *alone = (struct store_alone){.writer_fd = -1, .lock_fd = -1};
    int ret = store_lock_take(path, &alone->writer_fd, fault);
    if (ret == 0)
        ret = readers_keep_out(alone, path, fault);
    if (ret)
        store_alone_end(alone, path, false);
    return ret;
}

/* LMDB makes a lock file anew when it is the first to open an environment, which it is: its locks
 * and ours are the same process's. It lets the others in when it has. */
static void lock_file_renew(const char *path)
{
    MDB_env *env;
    if (mdb_env_create(&env))
        return;
    mdb_env_open(env, path, 0, FILE_MODE);
    mdb_env_close(env);
}

void store_alone_end(struct store_alone *alone, const char *path, bool renewed)
{
    if (renewed)
        lock_file_renew(path);
    if (alone->lock_fd >= 0)
        close(alone->lock_fd);
    if (alone->writer_fd >= 0)
        close(alone->writer_fd);
    *alone = (struct store_alone){.writer_fd = -1, .lock_fd = -1};
}
