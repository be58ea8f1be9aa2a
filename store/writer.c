/* The one thread that writes.
 *
 * Submitters queue up; the writer takes what waits and commits it together (group commit), so that
 * a flush to disk is paid once for many. What is refused before the log (no room, a clock that is
 * ahead) is answered without it. If the batch cannot be committed, each of its commands
 * is tried alone: one refusal never costs another its commit. Dry runs are judged last, each in a
 * transaction that is thrown away. */
#include "store/writer.h"

#include "base/list.h"
#include "base/status.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define LOG_TRIM_MAX      1000 /* log entries dropped in one transaction */
#define COMMAND_BYTES_MAX ((size_t)STORE_IMPORT_MAX * STORE_ANY_SIZE_MAX)

struct store_writer {
    const struct store *store;
    pthread_t thread;
    struct store_timer timer;
    struct store_log log;
    store_clock_h *clock;
    store_alarm_h *alarm;
    void *arg; /* of both */
    uint64_t log_keep;
    struct buf bytes;                                /* commands of a batch, encoded */
    struct store_submission *batch[STORE_BATCH_MAX]; /* all of these the thread's own */
    struct slice encoded[STORE_BATCH_MAX];
    size_t room_pages;
    struct timespec look_due, check_due;

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t work;
    struct list queue;
    unsigned waiting; /* on the queue or in the batch */
    bool is_stopping;

    pthread_mutex_t watch_mutex; /* held while the watch runs */
    store_watch_h *watch;
    void *watch_arg;
};

static uint64_t clock_real(void *arg)
{
    struct timespec now;
    (void)arg;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- room ---- */

static size_t command_pages(const struct store_command *command)
{
    bool is_batch = command->op == STORE_ADDRESS_IMPORT || command->op == STORE_ADDRESS_UNDO;
    return STORE_COMMAND_PAGES + (is_batch ? STORE_RECORD_PAGES * command->batch.count : 0);
}

/* What makes room may use the pages in hand, as long as one command surely fits. */
static bool op_makes_room(enum store_op op)
{
    switch (op) {
    case STORE_DOMAIN_DEL:
    case STORE_ADDRESS_RELEASE:
    case STORE_ADDRESS_PURGE:
    case STORE_ADDRESS_UNDO:
    case STORE_NUMBER_DEL:
    case STORE_PEER_DEL:
    case STORE_TOKEN_DEL:
    case STORE_EXPIRE:
    case STORE_JOURNAL_TRIM:
    case STORE_CURSOR_DEL:
        return true;
    default:
        return false;
    }
}

static bool room_is_enough(const struct store_command *command, size_t room_pages)
{
    size_t needed = command_pages(command);
    return room_pages >= needed + (op_makes_room(command->op) ? 0 : STORE_HAND_PAGES);
}

/* ---- before the log ---- */

static void refuse(struct store_submission *submission, int ret, int status)
{
    submission->ret = ret;
    submission->verdict = (struct store_verdict){.status = status};
}

/* Takes its share of *room_pages. False: refused. */
static bool submission_admit(const struct store_writer *writer, uint64_t now_ms,
                             struct store_submission *submission, size_t *room_pages)
{
    const struct store_command *command = submission->command;
    if (command->time_ms > now_ms + STORE_CLOCK_AHEAD_MS) {
        refuse(submission, STATUS_CLOCK, 0);
        return false;
    }
    bool has_batch = command->op == STORE_ADDRESS_IMPORT || command->op == STORE_ADDRESS_UNDO;
    if ((has_batch && command->batch.count > STORE_IMPORT_MAX) ||
        strnlen(command->actor, STORE_ACTOR_MAX + 1) > STORE_ACTOR_MAX) {
        refuse(submission, 0, STATUS_MALFORMED);
        return false;
    }
    (void)writer;
    if (!room_is_enough(command, *room_pages)) {
        refuse(submission, 0, STATUS_FULL);
        return false;
    }
    size_t pages = command_pages(command);
    *room_pages -= pages < *room_pages ? pages : *room_pages;
    return true;
}

/* Keeps those of the batch that may go on, in their order. Returns how many. */
static size_t batch_admit(struct store_writer *writer, struct store_submission **batch,
                          size_t count)
{
    size_t room_pages = 0, kept = 0;
    uint64_t now_ms = writer->clock(writer->arg);
    /* Where the room cannot be told, there is none: commands are refused, not lost. */
    if (store_room_pages(writer->store, &room_pages))
        room_pages = 0;
    for (size_t i = 0; i < count; i++)
        if (submission_admit(writer, now_ms, batch[i], &room_pages))
            batch[kept++] = batch[i];
    return kept;
}

/* ---- commits ---- */

/* Puts the commands of the batch that are not local into the log. */
static int batch_log(struct store_writer *writer, struct store_submission **batch, size_t count,
                     uint64_t *last)
{
    size_t offsets[STORE_BATCH_MAX + 1], logged = 0;
    buf_consume(&writer->bytes, buf_len(&writer->bytes));
    for (size_t i = 0; i < count; i++) {
        if (store_op_is_local(batch[i]->command->op))
            continue;
        offsets[logged++] = buf_len(&writer->bytes);
        int ret = store_command_encode(batch[i]->command, &writer->bytes);
        if (ret)
            return ret;
    }
    offsets[logged] = buf_len(&writer->bytes);
    const char *bytes = buf_bytes(&writer->bytes).p;
    for (size_t i = 0; i < logged; i++)
        writer->encoded[i] = slice_make(bytes + offsets[i], offsets[i + 1] - offsets[i]);
    *last = 0;
    return logged ? writer->log.type->append(&writer->log, writer->encoded, logged, last) : 0;
}

static int batch_apply(struct store_writer *writer, const struct store_txn *txn,
                       struct store_submission **batch, size_t count)
{
    uint64_t last, logged = 0, done = 0;
    int ret = batch_log(writer, batch, count, &last);
    for (size_t i = 0; i < count; i++)
        logged += !store_op_is_local(batch[i]->command->op);
    for (size_t i = 0; ret == 0 && i < count; i++) {
        bool is_local = store_op_is_local(batch[i]->command->op);
        uint64_t index = is_local ? 0 : last - logged + ++done;
        ret = store_apply(txn, index, batch[i]->command, &batch[i]->verdict);
    }
    return ret;
}

/* The log is longer than wanted by more than a transaction's worth: shorten it. */
static int log_shorten(struct store_writer *writer, const struct store_txn *txn)
{
    uint64_t first, last;
    int ret = store_log_ends(txn, &first, &last);
    if (ret || last + 1 - first < writer->log_keep ||
        last + 1 - first - writer->log_keep < LOG_TRIM_MAX)
        return ret;
    return writer->log.type->trim(&writer->log, last + 1 - writer->log_keep, LOG_TRIM_MAX);
}

/* Applies and commits `count` commands in one transaction: all or none. */
static int batch_commit(struct store_writer *writer, struct store_submission **batch, size_t count)
{
    struct store_txn txn;
    int ret = store_txn_begin(writer->store, 0, &txn);
    if (ret)
        return ret;
    writer->log.txn = &txn;
    ret = batch_apply(writer, &txn, batch, count);
    if (ret == 0)
        ret = log_shorten(writer, &txn);
    writer->log.txn = NULL;
    if (ret == 0)
        return store_txn_commit(&txn);
    store_txn_abort(&txn);
    return ret;
}

static void submission_fail(struct store_submission *submission, int ret)
{
    bool is_full = ret == STATUS_FULL;
    refuse(submission, is_full ? 0 : ret, is_full ? STATUS_FULL : 0);
}

static void commit_alone(struct store_writer *writer, struct store_submission *submission)
{
    int ret = 0;
    if (batch_admit(writer, &submission, 1) == 1)
        ret = batch_commit(writer, &submission, 1);
    if (ret)
        submission_fail(submission, ret);
}

static void batch_write(struct store_writer *writer, struct store_submission **batch, size_t count)
{
    int ret = count ? batch_commit(writer, batch, count) : 0;
    if (ret == 0)
        return;
    /* After a failed flush the state of the disk is unknown: do not write more on top of it. */
    bool is_final = count == 1 || ret == -EIO;
    for (size_t i = 0; i < count; i++) {
        if (is_final)
            submission_fail(batch[i], ret);
        else
            commit_alone(writer, batch[i]);
    }
}

/* ---- dry runs ---- */

static void dry_run(const struct store_writer *writer, struct store_submission *submission)
{
    struct store_txn txn;
    int ret = store_txn_begin(writer->store, 0, &txn);
    if (ret == 0) {
        ret = store_apply(&txn, 0, submission->command, &submission->verdict);
        store_txn_abort(&txn);
    }
    if (ret)
        submission_fail(submission, ret);
}

/* Puts dry runs behind the others. Returns how many others there are. */
static size_t batch_part(struct store_submission **batch, size_t count)
{
    struct store_submission *dry[STORE_BATCH_MAX];
    size_t dry_count = 0, kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (batch[i]->command->dry_run)
            dry[dry_count++] = batch[i];
        else
            batch[kept++] = batch[i];
    }
    memcpy(batch + kept, dry, dry_count * sizeof(dry[0]));
    return kept;
}

static void batch_run(struct store_writer *writer, struct store_submission **batch, size_t count)
{
    struct store_submission *admitted[STORE_BATCH_MAX];
    memcpy(admitted, batch, count * sizeof(batch[0]));
    count = batch_admit(writer, admitted, count);
    size_t written = batch_part(admitted, count);
    batch_write(writer, admitted, written);
    for (size_t i = written; i < count; i++)
        dry_run(writer, admitted[i]);
}

/* ---- the thread ---- */

static bool time_is_past(const struct timespec *due)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > due->tv_sec || (now.tv_sec == due->tv_sec && now.tv_nsec >= due->tv_nsec);
}

static void due_set(struct timespec *due, unsigned after_ms)
{
    clock_gettime(CLOCK_MONOTONIC, due);
    due->tv_sec += after_ms / 1000;
}

/* Frees the reader slots of processes that died. */
static void readers_check(struct store_writer *writer)
{
    mdb_reader_check(writer->store->env, NULL);
    due_set(&writer->check_due, STORE_READER_CHECK_MS);
}

static void watch_tell(struct store_writer *writer)
{
    struct store_position position = {0};
    struct store_txn txn;
    pthread_mutex_lock(&writer->watch_mutex);
    if (writer->watch && store_txn_begin(writer->store, MDB_RDONLY, &txn) == 0) {
        int ret = store_position_get(&txn, &position);
        store_txn_abort(&txn);
        if (ret == 0)
            writer->watch(position.sequence, writer->watch_arg);
    }
    pthread_mutex_unlock(&writer->watch_mutex);
}

static void timer_done(struct store_submission *submission)
{
    (void)submission;
}

/* Does what is due by time. Where that was as much as one transaction takes, there is more: then
 * the next look is at once. */
static void timer_run(struct store_writer *writer)
{
    struct store_command commands[STORE_TIMER_COMMANDS];
    struct store_submission due[STORE_TIMER_COMMANDS], *batch[STORE_TIMER_COMMANDS];
    struct store_fault text;
    uint32_t done = 0;
    size_t count =
        store_timer_look(&writer->timer, writer->store, writer->clock(writer->arg), commands);
    for (size_t i = 0; i < count; i++) {
        due[i] = (struct store_submission){.command = &commands[i], .done = timer_done};
        batch[i] = &due[i];
    }
    if (count)
        batch_run(writer, batch, count);
    for (size_t i = 0; i < count; i++)
        done += due[i].ret == 0 ? due[i].verdict.count : 0;
    if (count)
        watch_tell(writer);
    if (count && store_timer_alarm(&writer->timer, writer->store, &text) && writer->alarm)
        writer->alarm(text.text, writer->arg);
    due_set(&writer->look_due, done ? 0 : STORE_TIMER_MS);
}

static void time_pass(struct store_writer *writer)
{
    if (time_is_past(&writer->check_due))
        readers_check(writer);
    if (time_is_past(&writer->look_due))
        timer_run(writer);
}

/* Waits, with the mutex held, for commands or for the time of a look. False: stop. */
static bool work_wait(struct store_writer *writer)
{
    while (list_is_empty(&writer->queue) && !writer->is_stopping &&
           !time_is_past(&writer->look_due))
        pthread_cond_timedwait(&writer->work, &writer->mutex, &writer->look_due);
    return !list_is_empty(&writer->queue) || !writer->is_stopping;
}

static size_t batch_take(struct store_writer *writer)
{
    size_t count = 0;
    while (count < STORE_BATCH_MAX && !list_is_empty(&writer->queue)) {
        struct list *link = list_first(&writer->queue);
        list_remove(link);
        writer->batch[count++] = container_of(link, struct store_submission, link);
    }
    return count;
}

/* A submission may be gone as soon as its `done` is called. */
static void batch_finish(struct store_writer *writer, size_t count)
{
    pthread_mutex_lock(&writer->mutex);
    writer->waiting -= (unsigned)count;
    pthread_mutex_unlock(&writer->mutex);
    for (size_t i = 0; i < count; i++)
        writer->batch[i]->done(writer->batch[i]);
}

static void *writer_main(void *arg)
{
    struct store_writer *writer = arg;
    pthread_mutex_lock(&writer->mutex);
    while (work_wait(writer)) {
        size_t count = batch_take(writer);
        pthread_mutex_unlock(&writer->mutex);
        if (count) {
            batch_run(writer, writer->batch, count);
            watch_tell(writer);
            batch_finish(writer, count);
        }
        time_pass(writer);
        pthread_mutex_lock(&writer->mutex);
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
    pthread_mutex_destroy(&writer->watch_mutex);
    buf_done(&writer->bytes);
    free(writer);
    return NULL;
}

static void writer_init(struct store_writer *writer, struct store *store,
                        const struct store_conf *conf)
{
    pthread_condattr_t attr;
    writer->store = store;
    writer->log.type = &store_log_embedded;
    writer->log_keep = conf->log_keep ? conf->log_keep : STORE_LOG_KEEP;
    writer->clock = conf->clock ? conf->clock : clock_real;
    writer->alarm = conf->alarm;
    writer->arg = conf->arg;
    store_timer_init(&writer->timer, conf);
    buf_init(&writer->bytes, STORE_BATCH_MAX * COMMAND_BYTES_MAX);
    list_init(&writer->queue);
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_mutex_init(&writer->watch_mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->work, &attr);
    pthread_condattr_destroy(&attr);
    readers_check(writer);
    due_set(&writer->look_due, 0);
}

int store_writer_start(struct store *store, const struct store_conf *conf,
                       struct store_writer **writer)
{
    struct store_writer *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    writer_init(made, store, conf);
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

void store_journal_watch(struct store *store, store_watch_h *watch, void *arg)
{
    struct store_writer *writer = store->writer;
    if (!writer)
        return;
    pthread_mutex_lock(&writer->watch_mutex);
    writer->watch = watch;
    writer->watch_arg = arg;
    pthread_mutex_unlock(&writer->watch_mutex);
}

/* ---- submitters ---- */

int store_submit_start(struct store *store, struct store_submission *submission)
{
    struct store_writer *writer = store->writer;
    if (!writer)
        return -EROFS;
    submission->ret = 0;
    pthread_mutex_lock(&writer->mutex);
    bool is_open = writer->waiting < STORE_QUEUE_MAX && !writer->is_stopping;
    if (is_open) {
        if (list_is_empty(&writer->queue))
            pthread_cond_signal(&writer->work);
        list_append(&writer->queue, &submission->link);
        writer->waiting++;
    }
    pthread_mutex_unlock(&writer->mutex);
    return is_open ? 0 : -EAGAIN;
}

/* Somebody who waits. */
struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool is_done;
};

static void waiter_wake(struct store_submission *submission)
{
    struct waiter *waiter = submission->arg;
    pthread_mutex_lock(&waiter->mutex);
    waiter->is_done = true;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->mutex);
}

int store_submit(struct store *store, const struct store_command *command,
                 struct store_verdict *verdict)
{
    struct waiter waiter = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    struct store_submission submission = {.command = command, .done = waiter_wake, .arg = &waiter};
    int ret = store_submit_start(store, &submission);
    if (ret)
        return ret;
    pthread_mutex_lock(&waiter.mutex);
    while (!waiter.is_done)
        pthread_cond_wait(&waiter.wake, &waiter.mutex);
    pthread_mutex_unlock(&waiter.mutex);
    pthread_cond_destroy(&waiter.wake);
    pthread_mutex_destroy(&waiter.mutex);
    if (submission.ret == 0)
        *verdict = submission.verdict;
    return submission.ret;
}
