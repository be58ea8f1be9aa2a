/* The one thread that writes.
 *
 * Submitters queue up; the writer takes what waits and commits it together (group commit), so that
 * a flush to disk is paid once for many. If the batch cannot be committed, each of its commands
 * is tried alone: one refusal never costs another its commit. */
#include "base/list.h"
#include "base/status.h"
#include "store/internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* A submitter that waits; lives on its stack. */
struct pending {
    struct list link;
    const struct store_command *command;
    struct store_verdict verdict;
    int ret;
    bool is_done;
    pthread_cond_t wake;
};

struct store_writer {
    const struct store *store;
    pthread_t thread;
    pthread_mutex_t mutex; /* of all below, but batch */
    pthread_cond_t work;
    struct list queue;
    unsigned waiting; /* on the queue or in the batch */
    bool is_stopping;
    struct pending *batch[STORE_BATCH_MAX]; /* the writer's own */
    struct timespec check_due;
};

/* ---- commits ---- */

/* Applies and commits `count` commands in one transaction: all or none. */
static int batch_commit(const struct store *store, struct pending **batch, size_t count,
                        size_t room_pages)
{
    struct store_txn txn = {.store = store};
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn.txn);
    if (rc)
        return store_status_of(rc);
    for (size_t i = 0; i < count; i++) {
        int ret = store_apply(&txn, batch[i]->command, room_pages, &batch[i]->verdict);
        if (ret) {
            mdb_txn_abort(txn.txn);
            return ret;
        }
        room_pages -= room_pages < STORE_COMMAND_PAGES ? room_pages : STORE_COMMAND_PAGES;
    }
    return store_status_of(mdb_txn_commit(txn.txn));
}

static void pending_fail(struct pending *pending, int ret)
{
    bool is_full = ret == STATUS_FULL;
    pending->ret = is_full ? 0 : ret;
    if (is_full)
        pending->verdict = (struct store_verdict){.status = STATUS_FULL};
}

static void commit_alone(const struct store *store, struct pending *pending)
{
    size_t room_pages;
    int ret = store_room_pages(store, &room_pages);
    if (ret == 0)
        ret = batch_commit(store, &pending, 1, room_pages);
    if (ret)
        pending_fail(pending, ret);
}

static void batch_apply(struct store_writer *writer, size_t count, size_t room_pages)
{
    int ret = batch_commit(writer->store, writer->batch, count, room_pages);
    if (ret == 0)
        return;
    /* After a failed flush the state of the disk is unknown: do not write more on top of it. */
    bool is_final = count == 1 || ret == -EIO;
    for (size_t i = 0; i < count; i++) {
        if (is_final)
            pending_fail(writer->batch[i], ret);
        else
            commit_alone(writer->store, writer->batch[i]);
    }
}

/* ---- the thread ---- */

static bool time_is_past(const struct timespec *due)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > due->tv_sec || (now.tv_sec == due->tv_sec && now.tv_nsec >= due->tv_nsec);
}

/* Frees the reader slots of processes that died. */
static void readers_check(struct store_writer *writer)
{
    mdb_reader_check(writer->store->env, NULL);
    clock_gettime(CLOCK_MONOTONIC, &writer->check_due);
    writer->check_due.tv_sec += STORE_READER_CHECK_MS / 1000;
}

/* Waits, with the mutex held, for commands or for the time of a check. False: stop. */
static bool work_wait(struct store_writer *writer)
{
    while (list_is_empty(&writer->queue) && !writer->is_stopping &&
           !time_is_past(&writer->check_due))
        pthread_cond_timedwait(&writer->work, &writer->mutex, &writer->check_due);
    return !list_is_empty(&writer->queue) || !writer->is_stopping;
}

/* As many as surely fit, but at least one. */
static size_t batch_take(struct store_writer *writer, size_t room_pages)
{
    size_t fitting =
        room_pages > STORE_HAND_PAGES ? (room_pages - STORE_HAND_PAGES) / STORE_COMMAND_PAGES : 0;
    size_t max = fitting < 1 ? 1 : fitting > STORE_BATCH_MAX ? STORE_BATCH_MAX : fitting;
    size_t count = 0;
    while (count < max && !list_is_empty(&writer->queue)) {
        struct list *link = list_first(&writer->queue);
        list_remove(link);
        writer->batch[count++] = container_of(link, struct pending, link);
    }
    return count;
}

static void batch_finish(struct store_writer *writer, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        writer->batch[i]->is_done = true;
        pthread_cond_signal(&writer->batch[i]->wake);
    }
    writer->waiting -= (unsigned)count;
}

static void *writer_main(void *arg)
{
    struct store_writer *writer = arg;
    pthread_mutex_lock(&writer->mutex);
    while (work_wait(writer)) {
        size_t room_pages = 0;
        pthread_mutex_unlock(&writer->mutex);
        if (time_is_past(&writer->check_due))
            readers_check(writer);
        /* Where the room cannot be told, there is none: commands are refused, not lost. */
        if (store_room_pages(writer->store, &room_pages))
            room_pages = 0;
        pthread_mutex_lock(&writer->mutex);
        size_t count = batch_take(writer, room_pages);
        pthread_mutex_unlock(&writer->mutex);
        if (count)
            batch_apply(writer, count, room_pages);
        pthread_mutex_lock(&writer->mutex);
        batch_finish(writer, count);
    }
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

/* Signals are for the threads that expect them. */
static int thread_start(struct store_writer *writer)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&writer->thread, NULL, writer_main, writer);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -rc;
}

static struct store_writer *writer_free(struct store_writer *writer)
{
    pthread_cond_destroy(&writer->work);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
    return NULL;
}

int store_writer_start(struct store *store, struct store_writer **writer)
{
    pthread_condattr_t attr;
    struct store_writer *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->store = store;
    list_init(&made->queue);
    pthread_mutex_init(&made->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&made->work, &attr);
    pthread_condattr_destroy(&attr);
    readers_check(made);
    int ret = thread_start(made);
    if (ret) {
        writer_free(made);
        return ret;
    }
    *writer = made;
    return 0;
}

struct store_writer *store_writer_stop(struct store_writer *writer)
{
    if (!writer)
        return NULL;
    pthread_mutex_lock(&writer->mutex);
    writer->is_stopping = true;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
    return writer_free(writer);
}

/* ---- submitters ---- */

int store_submit(struct store *store, const struct store_command *command,
                 struct store_verdict *verdict)
{
    struct store_writer *writer = store->writer;
    struct pending pending = {.command = command, .wake = PTHREAD_COND_INITIALIZER};
    if (!writer)
        return -EROFS;
    pthread_mutex_lock(&writer->mutex);
    if (writer->waiting >= STORE_QUEUE_MAX || writer->is_stopping) {
        pthread_mutex_unlock(&writer->mutex);
        return -EAGAIN;
    }
    list_append(&writer->queue, &pending.link);
    writer->waiting++;
    pthread_cond_signal(&writer->work);
    while (!pending.is_done)
        pthread_cond_wait(&pending.wake, &writer->mutex);
    pthread_mutex_unlock(&writer->mutex);
    pthread_cond_destroy(&pending.wake);
    if (pending.ret == 0)
        *verdict = pending.verdict;
    return pending.ret;
}
