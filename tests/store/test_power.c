/* The power goes at a random moment: whatever of the writes that were not synced has reached the
 * disk by then, the store opens, holds every command that was acknowledged, and is consistent. (Why
 * the disk is a mock stands in disk.h.) */
#include "base/status.h"
#include "tests/store/disk.h"
#include "tests/store/fixture.h"
#include "tests/store/follow.h"
#include "tests/store/generator.h"
#include "tests/store/replica.h"
#include "tests/store/verify.h"
#include "tests/test.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMANDS 3000
#define WINDOW   8 /* commands that wait together at most */
#define CUTS     300
#define BEGIN_MS ((uint64_t)1700000000000)
#define HOUR_MS  ((uint64_t)3600 * 1000)

struct run {
    struct fixture f;
    struct dice dice;
    struct generator generator;
    struct generator_slot slots[WINDOW];
    struct store_submission submissions[WINDOW];
    struct store_verdict verdicts[COMMANDS + WINDOW];
    int rets[COMMANDS + WINDOW];
    uint64_t indexes[COMMANDS + WINDOW]; /* in the log; 0: not there */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    unsigned waiting, count;
    struct replica whole; /* the store as it was closed */
    struct model model;   /* up to what was acknowledged at the cut */
    char folder[300];     /* of what is left after a cut */
};

/* ---- a history of writes ---- */

/* Called when the command is on disk, as the store says: from here on it may not be lost. */
static void window_done(struct store_submission *submission)
{
    struct run *run = submission->arg;
    unsigned long number;
    if (sscanf(submission->command->actor, "tester-%lu", &number) == 1) {
        run->verdicts[number] = submission->verdict;
        run->rets[number] = submission->ret;
        disk_mark(number);
    }
    pthread_mutex_lock(&run->mutex);
    if (--run->waiting == 0)
        pthread_cond_signal(&run->wake);
    pthread_mutex_unlock(&run->mutex);
}

static void window_run(struct run *run)
{
    run->count = 1 + dice_roll(&run->dice, WINDOW);
    run->waiting = run->count;
    run->f.now_ms += dice_u64(&run->dice) % HOUR_MS;
    run->generator.now_ms = run->f.now_ms;
    for (unsigned i = 0; i < run->count; i++) {
        generator_next(&run->generator, &run->slots[i]);
        run->submissions[i] = (struct store_submission){
            .command = &run->slots[i].command, .done = window_done, .arg = run};
    }
    for (unsigned i = 0; i < run->count; i++)
        assert_int_equal(store_submit_start(run->f.store, &run->submissions[i]), 0);
    pthread_mutex_lock(&run->mutex);
    while (run->waiting)
        pthread_cond_wait(&run->wake, &run->mutex);
    pthread_mutex_unlock(&run->mutex);
    for (unsigned i = 0; i < run->count; i++)
        if (run->submissions[i].ret == 0)
            generator_learn(&run->generator, &run->slots[i], &run->submissions[i].verdict);
}

static bool index_note(uint64_t index, const struct store_command *command, struct slice bytes,
                       void *arg)
{
    struct run *run = arg;
    unsigned long number;
    (void)bytes;
    if (sscanf(command->actor, "tester-%lu", &number) == 1 && number < COMMANDS + WINDOW)
        run->indexes[number] = index;
    return true;
}

/* Everything was written with syncs that were none: they are noted. */
static void history_record(struct run *run)
{
    run->f.conf.journal_size = (uint64_t)128 << 10; /* so that there is something to trim */
    run->f.conf.log_keep = UINT32_MAX;
    run->f.now_ms = BEGIN_MS;
    disk_start(run->f.path);
    fixture_open(&run->f);
    while (run->generator.number < COMMANDS)
        window_run(run);
    fixture_close(&run->f);
    disk_stop();
    if (disk_surprise())
        fail_msg("LMDB called %s, which the mock of the disk does not know", disk_surprise());
    assert_int_equal(replica_open_at(&run->whole, run->f.path, MDB_NOSYNC), 0);
    assert_true(follow_log(&run->whole.store, 1, index_note, run));
}

/* ---- what must be left ---- */

struct partly {
    struct run *run;
    uint64_t end;
};

static bool model_advance(uint64_t index, const struct store_command *command, struct slice bytes,
                          void *arg)
{
    struct partly *partly = arg;
    struct model_outcome outcome;
    unsigned long number;
    (void)bytes;
    if (index > partly->end)
        return false;
    model_apply(&partly->run->model, command, &outcome, NULL);
    if (sscanf(command->actor, "tester-%lu", &number) == 1) {
        assert_int_equal(partly->run->rets[number], 0);
        assert_true(model_allows(&outcome, &partly->run->verdicts[number]));
        model_settle(&partly->run->model, command, &partly->run->verdicts[number]);
    }
    return true;
}

/* The model does what was acknowledged among the first `count` events. */
static void acknowledged_apply(struct run *run, const struct disk_event *events, size_t from,
                               size_t count)
{
    struct partly partly = {.run = run, .end = run->model.index};
    for (size_t i = from; i < count; i++)
        if (events[i].kind == DISK_MARK && run->indexes[events[i].number] > partly.end)
            partly.end = run->indexes[events[i].number];
    if (partly.end > run->model.index)
        assert_true(follow_log(&run->whole.store, run->model.index + 1, model_advance, &partly));
}

/* It can be written to again, and goes on where it was. */
static bool store_goes_on(const struct store_conf *conf, uint64_t index)
{
    struct store_command expire = {.op = STORE_EXPIRE, .actor = "after", .time_ms = BEGIN_MS};
    struct store_verdict verdict;
    struct store_fault fault = {""};
    struct store *store;
    if (store_open(conf, STORE_WRITER, &store, &fault))
        return verify_fail("%s", fault.text);
    int ret = store_submit(store, &expire, &verdict);
    bool is_good = (ret == 0 && verdict.status == 0) || verify_fail("%s", status_text(ret));
    is_good = is_good && verify_tables(store);
    store_close(store);
    (void)index;
    return is_good;
}

/* In a process of its own, as the model goes further here than in the test: what was not
 * acknowledged may be there. */
static bool left_is_good(struct run *run)
{
    struct store_conf conf = run->f.conf;
    struct store_reader *reader;
    struct store_fault fault = {""};
    struct store *store;
    uint64_t acknowledged = run->model.index;
    conf.path = run->folder;
    int ret = store_open(&conf, STORE_READER, &store, &fault);
    if (ret == -ENOENT && acknowledged == 0)
        return store_goes_on(&conf, 0);
    if (ret)
        return verify_fail("%s", fault.text);
    if (store_reader_alloc(store, &reader))
        return verify_fail("no reader");
    bool is_good = follow_model(store, &run->model, NULL, NULL) &&
                   verify_model(reader, &run->model, 0, false, &run->dice) && verify_tables(store);
    store_reader_free(reader);
    store_close(store);
    return is_good && store_goes_on(&conf, run->model.index);
}

static bool left_check(struct run *run)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(left_is_good(run) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void left_remove(const struct run *run)
{
    static const char *const files[] = {"data.mdb", "data.mdb.new", "lock.mdb", "writer.lock"};
    char name[320];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", run->folder, files[i]);
        unlink(name);
    }
}

/* ---- the cuts ---- */

static int count_order(const void *a, const void *b)
{
    const size_t *one = a, *other = b;
    return *one < *other ? -1 : *one > *other;
}

/* At each event of the beginning, where the file is made, the rest anywhere. */
static void cuts_choose(struct dice *dice, size_t count, size_t cuts[CUTS])
{
    for (size_t i = 0; i < CUTS; i++)
        cuts[i] = i < CUTS / 5 ? i / 2 : dice_u64(dice) % (count + 1);
    qsort(cuts, CUTS, sizeof(cuts[0]), count_order);
}

static void cut_check(struct run *run, const struct disk_image *image, size_t count)
{
    size_t sector = dice_percent(&run->dice, 50) ? 512 : 4096;
    uint64_t state = run->dice.state;
    assert_int_equal(disk_image_cut(image, count, sector, &run->dice, run->folder), 0);
    if (!left_check(run))
        fail_msg("power lost after event %zu, sectors of %zu, dice at %llu, command %llu "
                 "acknowledged",
                 count, sector, (unsigned long long)state, (unsigned long long)run->model.index);
    left_remove(run);
}

static void cuts_check(struct run *run)
{
    const struct disk_event *events;
    struct disk_image image;
    size_t count = disk_events(&events), cuts[CUTS], done = 0;
    disk_image_init(&image);
    cuts_choose(&run->dice, count, cuts);
    for (size_t i = 0; i < CUTS; i++) {
        acknowledged_apply(run, events, done, cuts[i]);
        done = cuts[i];
        disk_image_advance(&image, cuts[i]);
        cut_check(run, &image, cuts[i]);
    }
    disk_image_done(&image);
}

static void the_mock_must_have_seen(const struct run *run)
{
    const struct disk_event *events;
    size_t counts[DISK_MARK + 1] = {0}, count = disk_events(&events);
    bool has_name = false;
    for (size_t i = 0; i < count; i++) {
        counts[events[i].kind]++;
        has_name |= events[i].kind == DISK_FOLDER_SYNC;
        if (events[i].kind == DISK_MARK && !has_name)
            fail_msg("acknowledged before the name of the file was on disk");
    }
    print_message("# %zu writes, %zu synced ones, %zu syncs, %zu acknowledgements\n",
                  counts[DISK_WRITE], counts[DISK_WRITE_SYNCED], counts[DISK_SYNC],
                  counts[DISK_MARK]);
    assert_int_equal(counts[DISK_MARK], run->generator.number);
    assert_true(counts[DISK_WRITE] > counts[DISK_SYNC] && counts[DISK_SYNC] > COMMANDS / WINDOW);
}

static void nothing_acknowledged_is_lost_with_the_power(void **state)
{
    const struct generator_conf conf = {
        .name = "tester", .local = true, .dry_runs = true, .upkeep = true};
    struct run *run = calloc(1, sizeof(*run));
    (void)state;
    assert_non_null(run);
    run->dice.state = dice_seed("test_power");
    fixture_make(&run->f, 0);
    snprintf(run->folder, sizeof(run->folder), "%s/left", run->f.path);
    assert_int_equal(mkdir(run->folder, 0700), 0);
    generator_init(&run->generator, &conf, dice_u64(&run->dice));
    model_init(&run->model);
    pthread_mutex_init(&run->mutex, NULL);
    pthread_cond_init(&run->wake, NULL);
    history_record(run);
    the_mock_must_have_seen(run);
    cuts_check(run);
    replica_close(&run->whole);
    disk_forget();
    model_done(&run->model);
    assert_int_equal(rmdir(run->folder), 0);
    fixture_remove(&run->f);
    free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_with_the_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
