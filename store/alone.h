/* Having a store for oneself: nobody else has it open, and nobody opens it before the end.
 *
 * The one writer's lock keeps writers out, and LMDB's own lock file the readers: every process
 * that has an environment open holds a shared POSIX lock on the first octet of lock.mdb, and who
 * opens one waits there for whoever holds it exclusively. Such locks are a process's: a process
 * that has the store open must not call this. */
#ifndef JUNCTOR_STORE_ALONE_H
#define JUNCTOR_STORE_ALONE_H

#include "store/store.h"

struct store_alone {
    int writer_fd, lock_fd; /* -1: none */
};

/* Creates the store's folder if there is none. Returns 0, -EBUSY or another -errno. */
int store_alone_begin(struct store_alone *alone, const char *path, struct store_fault *fault);
/* Lets the others in. With `renewed`, data.mdb is another than before: the lock file, which tells
 * who reads what, is brought into step with it first. It is never removed: two processes would
 * each trust a lock file of their own. */
void store_alone_end(struct store_alone *alone, const char *path, bool renewed);

#endif
