/* A store as one file: compact copies, and opening one that nobody else knows of. */
#include "base/status.h"
#include "store/fault.h"
#include "store/internal.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0600

int store_copy_write(MDB_env *env, int fd)
{
    int rc = mdb_env_copyfd2(env, fd, MDB_CP_COMPACT);
    if (rc != MDB_INCOMPATIBLE)
        return store_status_of(rc);
    /* The compact form needs every page accounted for. Where some are lost to the free list nothing
     * else is amiss, and the copy is as good with the holes in it. */
    if (lseek(fd, 0, SEEK_SET) || ftruncate(fd, 0))
        return -errno;
    return store_status_of(mdb_env_copyfd2(env, fd, 0));
}

int store_copy_open(struct store *store, const char *file, unsigned flags, size_t map_size,
                    struct store_fault *fault)
{
    *store =
        (struct store){.lock_fd = -1, .mode = flags & MDB_RDONLY ? STORE_READER : STORE_WRITER};
    int rc = mdb_env_create(&store->env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(store->env, TABLE_COUNT);
    if (rc == 0 && map_size)
        rc = mdb_env_set_mapsize(store->env, map_size);
    if (rc == 0)
        rc = mdb_env_open(store->env, file, flags | MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS,
                          FILE_MODE);
    int ret = rc ? store_status_of(rc) : store_env_check_size(store->env);
    if (ret == 0)
        return 0;
    store_copy_close(store);
    return store_fault_set(fault, ret, "cannot open %.120s: %s", file, status_text(ret));
}

void store_copy_close(struct store *store)
{
    if (store->env)
        mdb_env_close(store->env);
    store->env = NULL;
}
