/* A process that writes is killed again and again, at random moments: while it opens the store,
 * while threads submit, while the timer expires and trims, during backups, while it closes. After
 * each time every command that was acknowledged is there with its verdict, every other is there
 * wholly or not at all, and journal, records and indexes agree. A backup is a store of its moment
 * or is not there. */
#include "base/status.h"
#include "tests/store/crash_writer.h"
#include "tests/store/fixture.h"
#include "tests/store/follow.h"
#include "tests/store/replica.h"
#include "tests/store/verify.h"
#include "tests/test.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS      200
#define ROUNDS_MAX 1000 /* a writer may come to its end before it is killed */
#define BEGIN_MS   ((uint64_t)1700000000000)
#define OFF_MS     ((uint64_t)24 * 3600 * 1000)
#define REPEATS    4 /* acknowledged ids asked again */

/* What a thread was told in this round. */
struct told {
    struct crash_ack acks[CRASH_COMMANDS];
    bool is_acked[CRASH_COMMANDS], is_logged[CRASH_COMMANDS];
};

struct run {
    struct fixture f;
    struct dice dice;
    struct crash_writer writer;
    struct model model;
    struct told told[CRASH_THREADS];
    uint64_t cursors[CRASH_THREADS], attempts[CRASH_THREADS]; /* at least */
    struct store_command repeats[REPEATS]; /* acknowledged in this round, with an id */
    struct store_verdict repeated[REPEATS];
    unsigned repeat_count;
    bool *used; /* sequences that were a version already */
    uint64_t used_size;
    bool is_backed_up[CRASH_BACKUPS]; /* told so in this round */
    unsigned kills, acked, unacked, timed, backups;
};

/* ---- what the writer tells ---- */

static void ack_take(struct run *run, const struct crash_ack *ack)
{
    assert_in_range(ack->thread, 0, CRASH_THREADS - 1);
    assert_int_equal(ack->ret, 0);
    switch (ack->kind) {
    case CRASH_ACK_CURSOR:
        run->cursors[ack->thread] = ack->verdict.sequence;
        return;
    case CRASH_ACK_USAGE:
        assert_int_equal(ack->verdict.status, 0);
        run->attempts[ack->thread]++;
        return;
    case CRASH_ACK_COMMAND:
        assert_in_range(ack->number, 0, CRASH_COMMANDS - 1);
        run->told[ack->thread].acks[ack->number] = *ack;
        run->told[ack->thread].is_acked[ack->number] = true;
        run->acked++;
        return;
    case CRASH_ACK_BACKUP:
        assert_in_range(ack->number, 0, CRASH_BACKUPS - 1);
        run->is_backed_up[ack->number] = true;
        return;
    }
}

/* Reads what is told, `max` of it at most. False: there will be no more. */
static bool acks_read(struct run *run, int fd, unsigned max)
{
    struct crash_ack ack;
    for (unsigned i = 0; i < max; i++) {
        ssize_t len = read(fd, &ack, sizeof(ack));
        if (len == 0)
            return false;
        assert_int_equal(len, sizeof(ack));
        ack_take(run, &ack);
    }
    return true;
}

/* ---- killing ---- */

static void random_sleep(struct dice *dice, unsigned max_us)
{
    usleep(dice_roll(dice, max_us));
}

/* At its beginning, in the midst of it, or towards its end. */
static void moment_wait(struct run *run, int fd)
{
    unsigned moment = dice_roll(&run->dice, 10);
    if (moment < 3) {
        random_sleep(&run->dice, 8000);
        return;
    }
    bool goes_on = acks_read(run, fd, 1 + dice_roll(&run->dice, moment < 9 ? 60 : 600));
    if (goes_on)
        random_sleep(&run->dice, 3000);
}

static void writer_kill(struct run *run, pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        run->kills += WTERMSIG(status) == SIGKILL;
    else if (WEXITSTATUS(status) != 0)
        fail_msg("the writer failed by itself");
}

static void writer_run(struct run *run)
{
    int fds[2];
    memset(run->told, 0, sizeof(run->told));
    memset(run->is_backed_up, 0, sizeof(run->is_backed_up));
    run->writer.backs_up = run->writer.round % 3 == 0;
    run->writer.seed = dice_u64(&run->dice);
    /* Sometimes the machine was off for long: then the timer has much to do at first. */
    run->writer.begin_ms += dice_percent(&run->dice, 30) ? OFF_MS : 1000;
    run->writer.began_us = crash_now_us();
    assert_int_equal(pipe(fds), 0);
    run->writer.pipe = fds[1];
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        crash_writer_main(&run->writer);
    }
    close(fds[1]);
    moment_wait(run, fds[0]);
    writer_kill(run, pid);
    acks_read(run, fds[0], UINT32_MAX); /* what it had told before it died */
    close(fds[0]);
    run->writer.begin_ms = crash_clock(&run->writer);
}

/* ---- what must be there ---- */

/* A version is given once, whatever happens. */
static void version_use(struct run *run, uint64_t sequence)
{
    if (sequence >= run->used_size) {
        uint64_t size = 2 * sequence + 1024;
        run->used = realloc(run->used, size);
        assert_non_null(run->used);
        memset(run->used + run->used_size, 0, size - run->used_size);
        run->used_size = size;
    }
    if (run->used[sequence])
        fail_msg("version %llu was given twice", (unsigned long long)sequence);
    run->used[sequence] = true;
}

static void repeat_keep(struct run *run, const struct store_command *command,
                        const struct store_verdict *verdict)
{
    if (!store_id_is_set(command->id) || verdict->repeated || verdict->status == STATUS_MISMATCH)
        return;
    unsigned i = run->repeat_count++ % REPEATS;
    run->repeats[i] = (struct store_command){.op = STORE_EXPIRE, .actor = "again"};
    memcpy(run->repeats[i].id, command->id, sizeof(command->id));
    memcpy(run->repeats[i].body_hash, command->body_hash, sizeof(command->body_hash));
    run->repeated[i] = *verdict;
}

/* A command in the log: was it acknowledged, and as it now is? */
static bool logged_check(const struct store_command *command, const struct model_outcome *outcome,
                         void *arg)
{
    struct run *run = arg;
    unsigned round, thread;
    unsigned long number;
    if (sscanf(command->actor, "crash-%u-%u-%lu", &round, &thread, &number) != 3) {
        run->timed += strcmp(command->actor, "timer") == 0;
        return true; /* the timer's, or one that was asked again */
    }
    assert_int_equal(round, run->writer.round);
    assert_in_range(thread, 0, CRASH_THREADS - 1);
    assert_in_range(number, 0, CRASH_COMMANDS - 1);
    struct told *told = &run->told[thread];
    assert_false(told->is_logged[number]);
    told->is_logged[number] = true;
    if (!told->is_acked[number]) {
        run->unacked++;
        return true;
    }
    const struct store_verdict *verdict = &told->acks[number].verdict;
    if (!model_allows(outcome, verdict))
        return verify_fail("%s was told: %s, sequence %llu, count %u", command->actor,
                           status_text(verdict->status), (unsigned long long)verdict->sequence,
                           (unsigned)verdict->count);
    if (verdict->sequence && !verdict->repeated)
        version_use(run, verdict->sequence);
    model_settle(&run->model, command, verdict);
    repeat_keep(run, command, verdict);
    return true;
}

/* What never reaches the log: dry runs, which are marked so, and what bytes cannot say. */
static void acked_must_be_logged(const struct run *run)
{
    for (unsigned thread = 0; thread < CRASH_THREADS; thread++)
        for (unsigned number = 0; number < CRASH_COMMANDS; number++) {
            const struct told *told = &run->told[thread];
            const struct crash_ack *ack = &told->acks[number];
            bool may_be_missing = ack->is_dry_run || ack->verdict.status == STATUS_MALFORMED;
            if (told->is_acked[number] && !told->is_logged[number] && !may_be_missing)
                fail_msg("crash-%u-%u-%u was acknowledged (%s) and is lost", run->writer.round,
                         thread, number, status_text(ack->verdict.status));
        }
}

static bool usage_find(const struct store_usage *usage, void *arg)
{
    struct store_usage *wanted = arg;
    if (strcmp(usage->node, wanted->node) == 0 && strcmp(usage->peer, wanted->peer) == 0)
        wanted->attempts = usage->attempts;
    return true;
}

/* A thread has one write under way at most: that may have been done, or not. */
static void local_check(struct run *run, struct store_reader *reader)
{
    assert_int_equal(store_reader_begin(reader), 0);
    for (unsigned thread = 0; thread < CRASH_THREADS; thread++) {
        struct store_cursor cursor = {.sequence = 0};
        struct store_usage usage;
        crash_cursor_name(thread, cursor.name);
        int ret = store_cursor_get(reader, cursor.name, &cursor);
        assert_true(ret == 0 || (ret == STATUS_NOTFOUND && run->cursors[thread] == 0));
        assert_true(cursor.sequence >= run->cursors[thread]);
        run->cursors[thread] = cursor.sequence;
        crash_usage(thread, &usage);
        usage.attempts = 0;
        assert_int_equal(store_usage_list(reader, 0, SIZE_MAX, usage_find, &usage), 0);
        assert_in_range(usage.attempts, run->attempts[thread], run->attempts[thread] + 1);
        run->attempts[thread] = usage.attempts;
    }
    store_reader_end(reader);
}

static void store_check(struct run *run)
{
    struct store_conf conf = crash_conf(&run->writer);
    struct store_reader *reader;
    struct store *store;
    struct store_fault fault = {""};
    int ret = store_open(&conf, STORE_READER, &store, &fault);
    if (ret == -ENOENT && run->model.index == 0 && run->acked == 0)
        return; /* the first writer did not come to making it */
    if (ret)
        fail_msg("round %u: %s: %s", run->writer.round, status_text(ret), fault.text);
    assert_int_equal(store_reader_alloc(store, &reader), 0);
    run->repeat_count = 0;
    assert_true(follow_model(store, &run->model, logged_check, run));
    acked_must_be_logged(run);
    assert_true(verify_model(reader, &run->model, 0, false, &run->dice));
    assert_true(verify_tables(store));
    local_check(run, reader);
    store_reader_free(reader);
    store_close(store);
}

/* The verdicts of acknowledged ids are the same as before. */
static void verdicts_check(struct run *run)
{
    struct store_conf conf = crash_conf(&run->writer);
    struct store *store;
    unsigned count = run->repeat_count < REPEATS ? run->repeat_count : REPEATS;
    if (count == 0)
        return;
    assert_int_equal(store_open(&conf, STORE_WRITER, &store, NULL), 0);
    for (unsigned i = 0; i < count; i++) {
        struct store_verdict verdict, expected = run->repeated[i];
        run->repeats[i].time_ms = run->writer.begin_ms;
        assert_int_equal(store_submit(store, &run->repeats[i], &verdict), 0);
        assert_true(verdict.repeated);
        assert_int_equal(verdict.status, expected.status);
        assert_int_equal(verdict.sequence, expected.sequence);
        assert_int_equal(verdict.count, expected.count);
    }
    store_close(store);
}

/* ---- backups ---- */

/* In a process of its own: the model goes as far as the backup, and in the test further. */
static bool backup_is_good(struct run *run, const char *name)
{
    struct store_reader *reader;
    struct replica copy;
    int ret = replica_open_at(&copy, name, MDB_NOSUBDIR | MDB_NOLOCK | MDB_RDONLY);
    if (ret)
        return verify_fail("backup %s: %s", name, status_text(ret));
    if (store_reader_alloc(&copy.store, &reader))
        return verify_fail("no reader");
    bool is_good = follow_model(&copy.store, &run->model, NULL, NULL) &&
                   verify_model(reader, &run->model, 0, false, &run->dice) &&
                   verify_tables(&copy.store);
    store_reader_free(reader);
    replica_close(&copy);
    return is_good;
}

static void backup_check(struct run *run, const char *name)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(backup_is_good(run, name) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s is no store of its moment", name);
    run->backups++;
}

/* While the model is where it was before this round. */
static void backups_check(struct run *run)
{
    for (unsigned long number = 0; number < CRASH_BACKUPS; number++) {
        char name[320];
        crash_backup_name(&run->writer, number, name, sizeof(name));
        if (access(name, F_OK) == 0)
            backup_check(run, name);
        else if (run->is_backed_up[number])
            fail_msg("%s was told to be complete", name);
    }
}

/* With what a killed process left of the one it was writing. */
static void backups_remove(const struct run *run)
{
    DIR *folder = opendir(run->f.path);
    struct dirent *entry;
    assert_non_null(folder);
    while ((entry = readdir(folder)))
        if (strncmp(entry->d_name, CRASH_BACKUP_PREFIX, strlen(CRASH_BACKUP_PREFIX)) == 0)
            assert_int_equal(unlinkat(dirfd(folder), entry->d_name, 0), 0);
    closedir(folder);
}

/* ---- the test ---- */

static void nothing_acknowledged_is_lost_by_kill(void **state)
{
    struct run *run = calloc(1, sizeof(*run));
    (void)state;
    assert_non_null(run);
    run->dice.state = dice_seed("test_crash");
    fixture_make(&run->f, 0);
    model_init(&run->model);
    run->writer = (struct crash_writer){.path = run->f.path, .begin_ms = BEGIN_MS};
    for (; run->kills < KILLS; run->writer.round++) {
        assert_true(run->writer.round < ROUNDS_MAX);
        writer_run(run);
        backups_check(run);
        backups_remove(run);
        store_check(run);
        if (run->writer.round % 8 == 0)
            verdicts_check(run);
    }
    print_message("# %u kills in %u rounds, %u acknowledged, %u done without, %u of the timer, "
                  "%u backups, journal from %llu to %llu\n",
                  run->kills, run->writer.round, run->acked, run->unacked, run->timed, run->backups,
                  (unsigned long long)run->model.first, (unsigned long long)run->model.sequence);
    assert_true(run->acked > KILLS && run->timed > 0 && run->backups > 0 && run->model.first > 1);
    fixture_remove(&run->f);
    model_done(&run->model);
    free(run->used);
    free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_by_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
