/* A store without a writer thread, for what applies a log by itself, and for looking at a file. */
#ifndef JUNCTOR_TESTS_STORE_REPLICA_H
#define JUNCTOR_TESTS_STORE_REPLICA_H

#include "store/internal.h"

struct replica {
    char path[300];
    struct store store;
    struct store_txn txn; /* where is_writing */
    bool is_writing;
    size_t batch, left; /* commands of a commit; those that the open one still takes */
};

/* In a folder of its own below `parent`, which is made; commits do not wait for the disk. Returns 0
 * or a store status. */
int replica_open(struct replica *replica, const char *parent, const char *name);
/* A folder that is there, with syncs (`flags` are LMDB's). */
int replica_open_at(struct replica *replica, const char *path, unsigned flags);
/* Applies the command; commits after every `batch` of them. */
int replica_apply(struct replica *replica, uint64_t index, const struct store_command *command,
                  struct store_verdict *verdict);
int replica_commit(struct replica *replica);  /* what is applied so far */
void replica_close(struct replica *replica);  /* aborts what is not committed */
void replica_remove(struct replica *replica); /* closes and deletes */

#endif
