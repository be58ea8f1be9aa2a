#include "tests/store/replica.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPLICA_MAP ((size_t)1 << 30)

int replica_open_at(struct replica *replica, const char *path, unsigned flags)
{
    memset(replica, 0, sizeof(*replica));
    snprintf(replica->path, sizeof(replica->path), "%s", path);
    replica->store.mode = STORE_WRITER;
    replica->store.lock_fd = -1;
    replica->batch = 1;
    int rc = mdb_env_create(&replica->store.env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(replica->store.env, TABLE_COUNT);
    if (rc == 0)
        rc = mdb_env_set_mapsize(replica->store.env, REPLICA_MAP);
    if (rc == 0)
        rc = mdb_env_open(replica->store.env, path, flags | MDB_NOTLS, 0600);
    return rc ? store_status_of(rc) : store_schema_open(&replica->store, NULL, NULL);
}

int replica_open(struct replica *replica, const char *parent, const char *name)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", parent, name);
    if (mkdir(path, 0700))
        return -errno;
    return replica_open_at(replica, path, MDB_NOSYNC);
}

int replica_apply(struct replica *replica, uint64_t index, const struct store_command *command,
                  struct store_verdict *verdict)
{
    int ret = 0;
    if (!replica->is_writing) {
        ret = store_txn_begin(&replica->store, 0, &replica->txn);
        replica->is_writing = ret == 0;
        replica->left = replica->batch;
    }
    if (ret == 0)
        ret = store_apply(&replica->txn, index, command, verdict);
    if (ret || --replica->left)
        return ret;
    return replica_commit(replica);
}

int replica_commit(struct replica *replica)
{
    if (!replica->is_writing)
        return 0;
    replica->is_writing = false;
    return store_txn_commit(&replica->txn);
}

void replica_close(struct replica *replica)
{
    if (replica->is_writing)
        store_txn_abort(&replica->txn);
    if (replica->store.env)
        mdb_env_close(replica->store.env);
    replica->is_writing = false;
    replica->store.env = NULL;
}

void replica_remove(struct replica *replica)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char name[320];
    replica_close(replica);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", replica->path, files[i]);
        unlink(name);
    }
    rmdir(replica->path);
}
