/* The one thread that writes.
 *
 * Submitters queue up; the writer takes what waits and commits it together (group commit), so that
 * a flush to disk is paid once for many. After a commit that many had waited for it lingers a
 * moment for their next commands, which would else be divided over two. In between it looks what is
 * due by time. */
#include "store/writer.h"

#include "base/gate.h"
#include "base/list.h"
#include "base/status.h"
#include "store/committer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define DRY_RUNS_MAX  16 /* together: each is a transaction of its own */
#define RECORDS_MAX   ((size_t)4 * STORE_IMPORT_MAX) /* of imports together: how long others wait */
#define NS_PER_S      UINT64_C(1000000000)
#define LINGER_SHARE  4       /* of the last commit's time, one part is worth waiting */
#define LINGER_MAX_NS 1000000 /* and no more than this */

struct store_writer {
    const struct store *store;
    pthread_t thread;
    struct store_committer committer;
    struct store_timer timer;
    store_alarm_h *alarm;
    void *alarm_arg;
    struct store_submission *batch[STORE_BATCH_MAX]; /* all of these the thread's own */
    struct timespec look_due, check_due;
    uint64_t commit_ns; /* that the last batch took */

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t work;
    struct list queue; /* commands */
    struct list dry;   /* dry runs, whose turn comes after each batch of commands */
    bool is_dry_turn;
    unsigned queued;   /* on both */
    unsigned waiting;  /* on the queue or in the batch */
    unsigned expected; /* on the queue before the thread is woken */
    bool is_stopping;

    struct gate gate;            /* of those who wait in store_submit */
    pthread_mutex_t watch_mutex; /* held while the watch runs */
    store_watch_h *watch;
    void *watch_arg;
};

/* ---- the thread ---- */

static bool time_is_past(const struct timespec *due)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > due->tv_sec || (now.tv_sec == due->tv_sec && now.tv_nsec >= due->tv_nsec);
}

static void due_set_ns(struct timespec *due, uint64_t after_ns)
{
    clock_gettime(CLOCK_MONOTONIC, due);
    uint64_t ns = (uint64_t)due->tv_nsec + after_ns;
    due->tv_sec += (time_t)(ns / NS_PER_S);
    due->tv_nsec = (long)(ns % NS_PER_S);
}

static void due_set(struct timespec *due, unsigned after_ms)
{
    due_set_ns(due, (uint64_t)after_ms * 1000000);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
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
    size_t count = store_timer_look(&writer->timer, writer->store,
                                    store_committer_now(&writer->committer), commands);
    for (size_t i = 0; i < count; i++) {
        due[i] = (struct store_submission){.command = &commands[i], .done = timer_done};
        batch[i] = &due[i];
    }
    if (count)
        store_committer_run(&writer->committer, batch, count);
    store_committer_shorten(&writer->committer);
    for (size_t i = 0; i < count; i++)
        done += due[i].ret == 0 ? due[i].verdict.count : 0;
    if (count)
        watch_tell(writer);
    if (count && store_timer_alarm(&writer->timer, writer->store, &text) && writer->alarm)
        writer->alarm(text.text, writer->alarm_arg);
    due_set(&writer->look_due, done ? 0 : STORE_TIMER_MS);
}

static void time_pass(struct store_writer *writer)
{
    if (time_is_past(&writer->check_due))
        readers_check(writer);
    if (time_is_past(&writer->look_due))
        timer_run(writer);
}

/* With the mutex held: waits until `expected` commands are queued, until a time, or to stop. */
static void queue_wait(struct store_writer *writer, unsigned expected, const struct timespec *due)
{
    writer->expected = expected;
    while (writer->queued < expected && !writer->is_stopping && !time_is_past(due))
        pthread_cond_timedwait(&writer->work, &writer->mutex, due);
}

/* With the mutex held. Those whose commands were committed just now, `count` of them, are likely to
 * send more: waits for as many. */
static void linger(struct store_writer *writer, size_t count)
{
    struct timespec due;
    uint64_t ns = writer->commit_ns / LINGER_SHARE;
    due_set_ns(&due, ns < LINGER_MAX_NS ? ns : LINGER_MAX_NS);
    queue_wait(writer, (unsigned)count, &due);
}

/* Waits, with the mutex held, for commands or for the time of a look. False: stop. */
static bool work_wait(struct store_writer *writer)
{
    queue_wait(writer, 1, &writer->look_due);
    return writer->queued > 0 || !writer->is_stopping;
}

static size_t records_of(const struct store_command *command)
{
    return store_op_takes_batch(command->op) ? command->batch.count : 1;
}

/* From one of the queues, in its order. */
static size_t queue_take(struct store_writer *writer, struct list *queue, size_t max)
{
    size_t count = 0, records = 0;
    while (count < max && records < RECORDS_MAX && !list_is_empty(queue)) {
        struct list *link = list_first(queue);
        list_remove(link);
        writer->batch[count] = container_of(link, struct store_submission, link);
        records += records_of(writer->batch[count++]->command);
    }
    return count;
}

/* Commands and dry runs by turns, so that what is on disk is not told late, and neither starves. */
static size_t batch_take(struct store_writer *writer)
{
    bool is_dry =
        list_is_empty(&writer->queue) || (writer->is_dry_turn && !list_is_empty(&writer->dry));
    size_t count = is_dry ? queue_take(writer, &writer->dry, DRY_RUNS_MAX)
                          : queue_take(writer, &writer->queue, STORE_BATCH_MAX);
    writer->is_dry_turn = !is_dry;
    writer->queued -= (unsigned)count;
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
    gate_open(&writer->gate);
}

static void batch_run(struct store_writer *writer, size_t count)
{
    uint64_t start_ns = now_ns();
    store_committer_run(&writer->committer, writer->batch, count);
    writer->commit_ns = now_ns() - start_ns;
    watch_tell(writer);
    batch_finish(writer, count);
}

static void *writer_main(void *arg)
{
    struct store_writer *writer = arg;
    pthread_mutex_lock(&writer->mutex);
    while (work_wait(writer)) {
        size_t count = batch_take(writer);
        pthread_mutex_unlock(&writer->mutex);
        if (count)
            batch_run(writer, count);
        time_pass(writer);
        pthread_mutex_lock(&writer->mutex);
        if (count > 1)
            linger(writer, count);
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
    store_committer_done(&writer->committer);
    free(writer);
    return NULL;
}

static void writer_init(struct store_writer *writer, struct store *store,
                        const struct store_conf *conf)
{
    pthread_condattr_t attr;
    writer->store = store;
    writer->alarm = conf->alarm;
    writer->alarm_arg = conf->arg;
    store_committer_init(&writer->committer, store, conf);
    store_timer_init(&writer->timer, conf);
    list_init(&writer->queue);
    list_init(&writer->dry);
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
        list_append(submission->command->dry_run ? &writer->dry : &writer->queue,
                    &submission->link);
        writer->waiting++;
        if (++writer->queued == writer->expected)
            pthread_cond_signal(&writer->work);
    }
    pthread_mutex_unlock(&writer->mutex);
    return is_open ? 0 : -EAGAIN;
}

/* Behind it follows the opening of the gate. */
static void waited_done(struct store_submission *submission)
{
    atomic_bool *is_done = submission->arg;
    atomic_store(is_done, true);
}

int store_submit(struct store *store, const struct store_command *command,
                 struct store_verdict *verdict)
{
    unsigned seen;
    atomic_bool is_done = false;
    struct store_submission submission = {.command = command, .done = waited_done, .arg = &is_done};
    int ret = store_submit_start(store, &submission);
    if (ret)
        return ret;
    struct gate *gate = &store->writer->gate;
    while (seen = gate_look(gate), !atomic_load(&is_done))
        gate_wait(gate, seen);
    if (submission.ret == 0)
        *verdict = submission.verdict;
    return submission.ret;
}
