/* The log determines the directory: whoever applies its commands in their order holds the same
 * records, indexes, journal and verdicts, byte for byte, however many he commits at once. */
#include "base/status.h"
#include "tests/store/fixture.h"
#include "tests/store/follow.h"
#include "tests/store/generator.h"
#include "tests/store/replica.h"
#include "tests/store/verify.h"
#include "tests/test.h"

#include <pthread.h>
#include <string.h>

#define LOGGED   100000
#define WINDOW   500 /* commands under way at once */
#define REPLICAS 4
#define BEGIN_MS ((uint64_t)1700000000000)
#define RANDOM   0 /* as a batch size: another one for each commit */

struct run {
    struct fixture f;
    struct generator generator;
    struct generator_slot slots[WINDOW];
    struct store_submission submissions[WINDOW];
    unsigned long refused;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    unsigned waiting;
};

/* ---- a log of random commands ---- */

static void window_wake(struct store_submission *submission)
{
    struct run *run = submission->arg;
    pthread_mutex_lock(&run->mutex);
    if (--run->waiting == 0)
        pthread_cond_signal(&run->wake);
    pthread_mutex_unlock(&run->mutex);
}

static void window_submit(struct run *run)
{
    run->waiting = WINDOW;
    for (unsigned i = 0; i < WINDOW; i++) {
        generator_next(&run->generator, &run->slots[i]);
        run->submissions[i] = (struct store_submission){
            .command = &run->slots[i].command, .done = window_wake, .arg = run};
    }
    for (unsigned i = 0; i < WINDOW; i++)
        assert_int_equal(store_submit_start(run->f.store, &run->submissions[i]), 0);
    pthread_mutex_lock(&run->mutex);
    while (run->waiting)
        pthread_cond_wait(&run->wake, &run->mutex);
    pthread_mutex_unlock(&run->mutex);
}

static void window_learn(struct run *run)
{
    for (unsigned i = 0; i < WINDOW; i++) {
        const struct store_submission *submission = &run->submissions[i];
        assert_true(submission->ret == 0 || submission->ret == STATUS_CLOCK);
        if (submission->ret)
            continue;
        run->refused += submission->verdict.status != 0;
        generator_learn(&run->generator, &run->slots[i], &submission->verdict);
    }
}

/* Time passes, by leaps now and then, so that verdicts and tombstones come to their end. */
static void log_fill(struct run *run)
{
    struct dice *dice = &run->generator.dice;
    while (fixture_stats(&run->f).log_last < LOGGED) {
        unsigned step_s = dice_percent(dice, 20) ? 24 * 3600 : 600;
        run->f.now_ms += (uint64_t)dice_roll(dice, step_s) * 1000;
        run->generator.now_ms = run->f.now_ms;
        window_submit(run);
        window_learn(run);
    }
}

static struct run *run_start(uint64_t *seed)
{
    const struct generator_conf conf = {
        .name = "tester", .local = true, .dry_runs = true, .upkeep = true, .ahead = true};
    struct run *run = calloc(1, sizeof(*run));
    assert_non_null(run);
    *seed = dice_seed("test_replay");
    fixture_make(&run->f, (size_t)1 << 30);
    run->f.conf.log_keep = UINT32_MAX;
    run->f.now_ms = BEGIN_MS;
    fixture_open(&run->f);
    generator_init(&run->generator, &conf, *seed);
    pthread_mutex_init(&run->mutex, NULL);
    pthread_cond_init(&run->wake, NULL);
    return run;
}

static void run_end(struct run *run)
{
    fixture_remove(&run->f);
    pthread_cond_destroy(&run->wake);
    pthread_mutex_destroy(&run->mutex);
    free(run);
}

/* ---- replicas ---- */

struct replay {
    struct replica replicas[REPLICAS];
    size_t sizes[REPLICAS]; /* of their batches */
    struct dice dice;
    uint64_t count;
};

static bool replay_command(uint64_t index, const struct store_command *command, struct slice bytes,
                           void *arg)
{
    struct replay *replay = arg;
    struct store_verdict verdicts[REPLICAS];
    (void)bytes;
    for (int i = 0; i < REPLICAS; i++) {
        struct replica *replica = &replay->replicas[i];
        const struct store_verdict *verdict = &verdicts[i];
        replica->batch =
            replay->sizes[i] == RANDOM ? 1 + dice_roll(&replay->dice, 600) : replay->sizes[i];
        int ret = replica_apply(replica, index, command, &verdicts[i]);
        if (ret)
            fail_msg("command %llu: %s", (unsigned long long)index, status_text(ret));
        if (verdict->status != verdicts[0].status || verdict->sequence != verdicts[0].sequence ||
            verdict->count != verdicts[0].count || verdict->repeated != verdicts[0].repeated)
            fail_msg("replicas differ about command %llu", (unsigned long long)index);
    }
    replay->count++;
    return true;
}

static struct store_position position_of(const struct store *store)
{
    struct store_position position;
    struct store_txn txn;
    assert_int_equal(store_txn_begin(store, MDB_RDONLY, &txn), 0);
    assert_int_equal(store_position_get(&txn, &position), 0);
    store_txn_abort(&txn);
    return position;
}

static void replica_check(const struct store *source, const struct store *replica)
{
    struct store_position expected = position_of(source), position = position_of(replica);
    assert_int_equal(position.index, expected.index);
    assert_int_equal(position.sequence, expected.sequence);
    assert_int_equal(position.time_ms, expected.time_ms);
    assert_true(verify_replicas(source, replica));
    assert_true(verify_tables(replica));
}

/* ---- trimming the log ---- */

static int index_note(uint64_t index, struct slice bytes, void *arg)
{
    (void)bytes;
    *(uint64_t *)arg = index;
    return 1;
}

/* What the log answers at `from`: its status, or 0 with the first index it has there in *index. */
static int log_read(struct store_log *log, uint64_t from, uint64_t *index)
{
    *index = 0;
    return log->type->read(log, from, 10, index_note, index);
}

static void log_trims_as_told(struct store *store)
{
    struct store_log log = {.type = &store_log_embedded};
    struct store_txn txn;
    uint64_t first, last, index;
    assert_int_equal(store_txn_begin(store, 0, &txn), 0);
    log.txn = &txn;
    assert_int_equal(store_log_ends(&txn, &first, &last), 0);
    assert_int_equal(first, 1);
    assert_int_equal(log_read(&log, 1, &index), 0);
    assert_int_equal(index, 1);

    /* no more than the maximum */
    assert_int_equal(log.type->trim(&log, 501, 200), 0);
    assert_int_equal(log_read(&log, 200, &index), STATUS_TRIMMED);
    assert_int_equal(log_read(&log, 201, &index), 0);
    assert_int_equal(index, 201);
    /* no further than told, and nothing the second time */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(log.type->trim(&log, 501, 1000), 0);
        assert_int_equal(log_read(&log, 500, &index), STATUS_TRIMMED);
        assert_int_equal(log_read(&log, 501, &index), 0);
        assert_int_equal(index, 501);
    }
    /* to the end: what comes next has the next index all the same */
    assert_int_equal(log.type->trim(&log, last + 10, SIZE_MAX), 0);
    assert_int_equal(log_read(&log, last, &index), STATUS_TRIMMED);
    assert_int_equal(log_read(&log, last + 1, &index), 0);
    assert_int_equal(index, 0);
    struct slice bytes = SLICE("command");
    assert_int_equal(log.type->append(&log, &bytes, 1, &index), 0);
    assert_int_equal(index, last + 1);
    store_txn_abort(&txn);
}

/* The writer drops what it need not keep, a little with each commit. */
static void writer_trims_its_log(struct run *run)
{
    struct store_command expire = {.op = STORE_EXPIRE, .actor = "tester", .time_ms = BEGIN_MS};
    run->f.conf.log_keep = 500;
    fixture_open(&run->f);
    uint64_t first = fixture_stats(&run->f).log_first;
    for (int i = 0; i < LOGGED / 1000 + 1; i++) {
        assert_int_equal(fixture_submit(&run->f, &expire), 0);
        uint64_t next = fixture_stats(&run->f).log_first;
        assert_true(next >= first);
        first = next;
    }
    struct store_stats stats = fixture_stats(&run->f);
    assert_in_range(stats.log_last + 1 - stats.log_first, 500, 500 + 1000);
    fixture_close(&run->f);
}

/* ---- the test ---- */

static void replicas_open(struct replay *replay, const struct run *run, uint64_t seed)
{
    static const size_t sizes[REPLICAS] = {1, 7, 256, RANDOM};
    memset(replay, 0, sizeof(*replay));
    replay->dice.state = seed;
    for (int i = 0; i < REPLICAS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "replica-%zu", sizes[i]);
        replay->sizes[i] = sizes[i];
        assert_int_equal(replica_open(&replay->replicas[i], run->f.path, name), 0);
    }
}

static void a_log_determines_the_directory(void **state)
{
    struct replica source;
    struct replay *replay = malloc(sizeof(*replay));
    uint64_t seed;
    (void)state;
    assert_non_null(replay);
    struct run *run = run_start(&seed);
    log_fill(run);
    fixture_close(&run->f);
    assert_int_equal(replica_open_at(&source, run->f.path, MDB_NOSYNC), 0);
    replicas_open(replay, run, seed);
    assert_true(follow_log(&source.store, 1, replay_command, replay));
    assert_true(replay->count >= LOGGED);
    for (int i = 0; i < REPLICAS; i++) {
        assert_int_equal(replica_commit(&replay->replicas[i]), 0);
        replica_check(&source.store, &replay->replicas[i].store);
        replica_remove(&replay->replicas[i]);
    }
    assert_true(verify_tables(&source.store));
    print_message("# %llu commands, %lu refused, %llu journal entries\n",
                  (unsigned long long)replay->count, run->refused,
                  (unsigned long long)position_of(&source.store).sequence);
    log_trims_as_told(&source.store);
    replica_close(&source);
    writer_trims_its_log(run);
    run_end(run);
    free(replay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_determines_the_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
