/* The writer: group commit, a full map, and being killed at any moment. */
#include "base/status.h"
#include "tests/store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)

/* ---- what must always hold: the journal tells exactly what is there ---- */

struct journal_check {
    struct fixture *fixture;
    uint64_t next;
    uint64_t added, deleted;
};

static bool journal_check_entry(const struct store_journal_entry *entry, void *arg)
{
    struct journal_check *check = arg;
    assert_int_equal(entry->sequence, check->next);
    check->next++;
    check->added += strcmp(entry->what, "address_add") == 0;
    check->deleted += strcmp(entry->what, "address_release") == 0;
    return true;
}

static bool record_check_journal(const struct store_record *record, void *arg)
{
    const struct journal_check *check = arg;
    assert_true(record->version >= 1 && record->version < check->next);
    return true;
}

static void journal_must_agree(struct fixture *f)
{
    struct journal_check check = {.fixture = f, .next = 1};
    struct store_stats stats = fixture_stats(f);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_journal_read(f->reader, 0, SIZE_MAX, journal_check_entry, &check), 0);
    assert_int_equal(
        store_address_list(f->reader, NULL, NULL, SIZE_MAX, record_check_journal, &check), 0);
    store_reader_end(f->reader);
    assert_int_equal(stats.last_sequence, check.next - 1);
    assert_int_equal(stats.addresses, check.added - check.deleted);
}

/* ---- group commit ---- */

#define THREADS    8
#define PER_THREAD 25

struct submitter {
    struct fixture *fixture;
    pthread_t thread;
    int number;
    int failures;
    int acknowledged;
    _Atomic pid_t tid; /* once it runs */
};

/* Half of what each submits is refused; each answer must be the right one. */
static void *submitter_main(void *arg)
{
    struct submitter *submitter = arg;
    atomic_store(&submitter->tid, gettid());
    for (int i = 0; i < PER_THREAD; i++) {
        char name[64];
        struct store_verdict verdict;
        snprintf(name, sizeof(name), "u%d-%d@opa.example", submitter->number, i);
        struct store_command command =
            command_address(STORE_ADDRESS_ADD, name, STORE_ADDRESS_HOSTED, "opa.example");
        submitter->failures += store_submit(submitter->fixture->store, &command, &verdict) != 0 ||
                               verdict.status != 0 || verdict.sequence == 0;
        submitter->failures += store_submit(submitter->fixture->store, &command, &verdict) != 0 ||
                               verdict.status != STATUS_EXISTS || verdict.sequence != 0;
    }
    return NULL;
}

static void submitters_start(struct submitter *submitters, struct fixture *f, void *(*main)(void *))
{
    for (int i = 0; i < THREADS; i++) {
        submitters[i] = (struct submitter){.fixture = f, .number = i};
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, main, &submitters[i]), 0);
    }
}

static void submitters_join(struct submitter *submitters)
{
    for (int i = 0; i < THREADS; i++) {
        pthread_join(submitters[i].thread, NULL);
        assert_int_equal(submitters[i].failures, 0);
    }
}

static void every_thread_gets_the_answer_to_its_own_command(void **state)
{
    struct fixture *f = *state;
    struct submitter submitters[THREADS];
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    submitters_start(submitters, f, submitter_main);
    submitters_join(submitters);
    assert_int_equal(fixture_stats(f).addresses, THREADS * PER_THREAD);
    journal_must_agree(f);
}

/* A process that holds LMDB's write lock from when it says so until its input closes. */
struct blocker {
    pid_t pid;
    int release;
};

static struct blocker blocker_start(const char *path)
{
    int ready[2], release[2];
    char octet;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(release), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        MDB_env *env;
        MDB_txn *txn;
        close(release[1]);
        if (mdb_env_create(&env) || mdb_env_open(env, path, 0, 0600) ||
            mdb_txn_begin(env, NULL, 0, &txn) || write(ready[1], "x", 1) != 1)
            _exit(1);
        while (read(release[0], &octet, 1) > 0)
            ;
        mdb_txn_abort(txn);
        mdb_env_close(env);
        _exit(0);
    }
    close(ready[1]);
    close(release[0]);
    assert_int_equal(read(ready[0], &octet, 1), 1);
    close(ready[0]);
    return (struct blocker){.pid = pid, .release = release[1]};
}

static void blocker_end(struct blocker *blocker)
{
    int status;
    close(blocker->release);
    assert_int_equal(waitpid(blocker->pid, &status, 0), blocker->pid);
    assert_int_equal(status, 0);
}

/* Waits until the thread sleeps: it has submitted and waits for its answer. */
static void thread_wait_asleep(struct submitter *submitter)
{
    char name[64], line[256], state = 'R';
    while (state != 'S') {
        usleep(1000);
        snprintf(name, sizeof(name), "/proc/self/task/%d/stat", (int)atomic_load(&submitter->tid));
        FILE *file = fopen(name, "r");
        if (!file)
            continue;
        if (fgets(line, sizeof(line), file) && strrchr(line, ')'))
            state = strrchr(line, ')')[2];
        fclose(file);
    }
}

static void submitters_wait_asleep(struct submitter *submitters)
{
    for (int i = 0; i < THREADS; i++) {
        while (atomic_load(&submitters[i].tid) == 0)
            usleep(1000);
        thread_wait_asleep(&submitters[i]);
    }
}

/* Of the closed store: how many transactions were committed since it was made. */
static size_t commits_count(const char *path)
{
    MDB_env *env;
    MDB_envinfo info;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_RDONLY, 0600), 0);
    mdb_env_info(env, &info);
    mdb_env_close(env);
    return info.me_last_txnid;
}

static void *submit_one(void *arg)
{
    struct submitter *submitter = arg;
    char name[64];
    struct store_verdict verdict;
    snprintf(name, sizeof(name), "u%d@opa.example", submitter->number);
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, name, STORE_ADDRESS_HOSTED, "opa.example");
    atomic_store(&submitter->tid, gettid());
    submitter->failures +=
        store_submit(submitter->fixture->store, &command, &verdict) != 0 || verdict.status != 0;
    return NULL;
}

static void commands_that_wait_together_share_a_commit(void **state)
{
    struct fixture f;
    struct submitter submitters[THREADS];
    (void)state;
    fixture_make(&f, 64 * MIB);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    fixture_close(&f);
    size_t before = commits_count(f.path);
    struct blocker blocker = blocker_start(f.path);
    fixture_open(&f);
    submitters_start(submitters, &f, submit_one);
    submitters_wait_asleep(submitters);
    blocker_end(&blocker);
    submitters_join(submitters);
    journal_must_agree(&f);
    fixture_close(&f);
    /* What the writer had taken when it was blocked, and the rest; the margin is for a thread that
     * slept for another reason. */
    assert_in_range(commits_count(f.path) - before, 1, THREADS / 2);
    fixture_remove(&f);
}

/* As submit_one, but the first thread's command meets a damaged record. */
static void *submit_one_or_fail(void *arg)
{
    struct submitter *submitter = arg;
    struct store_verdict verdict;
    if (submitter->number != 0)
        return submit_one(arg);
    struct store_command put = command_domain(STORE_DOMAIN_PUT, "bad.example", "192.0.2.1");
    atomic_store(&submitter->tid, gettid());
    submitter->failures +=
        store_submit(submitter->fixture->store, &put, &verdict) != STATUS_CORRUPT;
    return NULL;
}

static void a_command_that_fails_costs_no_other_its_commit(void **state)
{
    struct fixture f;
    struct submitter submitters[THREADS];
    (void)state;
    fixture_make(&f, 64 * MIB);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    fixture_close(&f);
    fixture_raw_put(&f, "domains", SLICE("bad.example"), SLICE("x"));
    struct blocker blocker = blocker_start(f.path);
    fixture_open(&f);
    submitters_start(submitters, &f, submit_one_or_fail);
    submitters_wait_asleep(submitters);
    blocker_end(&blocker);
    submitters_join(submitters);
    assert_int_equal(fixture_stats(&f).addresses, THREADS - 1);
    journal_must_agree(&f);
    fixture_remove(&f);
}

/* ---- a full map ---- */

/* A reader of the journal that never comes: nothing is trimmed, which would make room. */
static void journal_hold(struct fixture *f)
{
    struct store_command command = {.op = STORE_CURSOR_PUT,
                                    .expected_version = STORE_ANY_VERSION,
                                    .cursor = {.name = "reader"}};
    assert_int_equal(fixture_submit(f, &command), 0);
}

static int number_submit(struct fixture *f, enum store_op op, int number)
{
    char name[64];
    snprintf(name, sizeof(name), "user-%06d@opa.example", number);
    struct store_command command = command_address(op, name, STORE_ADDRESS_HOSTED, "opa.example");
    return fixture_submit(f, &command);
}

static bool number_has(struct fixture *f, int number)
{
    char name[64];
    snprintf(name, sizeof(name), "user-%06d@opa.example", number);
    return fixture_has(f, name);
}

static void a_full_store_refuses_and_loses_nothing(void **state)
{
    struct fixture f;
    int count = 0, status;
    (void)state;
    fixture_make(&f, 2 * MIB);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    journal_hold(&f);
    while ((status = number_submit(&f, STORE_ADDRESS_ADD, count)) == 0)
        assert_true(count++ < 100000);
    assert_int_equal(status, STATUS_FULL);
    assert_true(count > 100);
    assert_int_equal(fixture_stats(&f).addresses, count);
    assert_int_equal(number_submit(&f, STORE_ADDRESS_ADD, count), STATUS_FULL);
    assert_int_equal(fixture_stats(&f).last_sequence, count + 1);

    fixture_close(&f);
    fixture_open(&f);
    for (int i = 0; i <= count; i++)
        assert_int_equal(number_has(&f, i), i < count);
    assert_int_equal(number_submit(&f, STORE_ADDRESS_ADD, count), STATUS_FULL);
    /* The pages in hand are for deletions. */
    for (int i = 0; i < 100; i++)
        assert_int_equal(number_submit(&f, STORE_ADDRESS_RELEASE, i), 0);
    assert_int_equal(number_submit(&f, STORE_ADDRESS_RELEASE, 0), STATUS_NOTFOUND);
    assert_int_equal(fixture_stats(&f).addresses, count - 100);
    journal_must_agree(&f);
    fixture_remove(&f);
}

static void a_refusal_for_want_of_room_is_no_verdict(void **state)
{
    struct fixture f;
    int count = 0;
    (void)state;
    fixture_make(&f, 1 * MIB);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    while (number_submit(&f, STORE_ADDRESS_ADD, count) == 0)
        count++;
    struct store_command command = command_address(STORE_ADDRESS_ADD, "alice@opa.example",
                                                   STORE_ADDRESS_HOSTED, "opa.example");
    command.id[0] = 1;
    assert_int_equal(fixture_submit(&f, &command), STATUS_FULL);
    fixture_close(&f);
    f.conf.map_size = 4 * MIB;
    fixture_open(&f);
    assert_int_equal(fixture_submit(&f, &command), 0);
    fixture_remove(&f);
}

/* A snapshot held for long keeps every page that was freed since: the map fills although little is
 * stored, and LMDB notices only while it writes. */
static void a_map_that_fills_under_way_refuses_and_recovers(void **state)
{
    struct fixture f;
    int status = 0;
    (void)state;
    fixture_make(&f, 2 * MIB);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    assert_int_equal(store_reader_begin(f.reader), 0);
    int rounds = 0;
    while (status == 0) {
        assert_true(rounds++ < 10000);
        status = number_submit(&f, STORE_ADDRESS_ADD, 1);
        if (status == 0)
            status = number_submit(&f, STORE_ADDRESS_RELEASE, 1);
    }
    assert_int_equal(status, STATUS_FULL);
    store_reader_end(f.reader);
    journal_must_agree(&f);
    assert_int_equal(number_submit(&f, STORE_ADDRESS_ADD, 2), 0);
    assert_int_equal(number_submit(&f, STORE_ADDRESS_RELEASE, 2), 0);
    journal_must_agree(&f);
    fixture_remove(&f);
}

/* Each command may need far more room than it will: many together seem not to fit. */
static void what_fits_alone_is_not_refused_for_company(void **state)
{
    struct fixture f;
    struct submitter submitters[THREADS];
    (void)state;
    fixture_make(&f, MIB + MIB / 4);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    fixture_close(&f);
    struct blocker blocker = blocker_start(f.path);
    fixture_open(&f);
    submitters_start(submitters, &f, submit_one);
    submitters_wait_asleep(submitters);
    blocker_end(&blocker);
    submitters_join(submitters);
    assert_int_equal(fixture_stats(&f).addresses, THREADS);
    fixture_remove(&f);
}

static void *fill_main(void *arg)
{
    struct submitter *submitter = arg;
    for (int i = 0;; i++) {
        char name[64];
        struct store_verdict verdict;
        snprintf(name, sizeof(name), "u%d-%d@opa.example", submitter->number, i);
        struct store_command command =
            command_address(STORE_ADDRESS_ADD, name, STORE_ADDRESS_HOSTED, "opa.example");
        int ret = store_submit(submitter->fixture->store, &command, &verdict);
        submitter->failures += ret != 0 || (verdict.status && verdict.status != STATUS_FULL);
        if (ret || verdict.status)
            return NULL;
        submitter->acknowledged++;
    }
}

static void threads_that_fill_the_map_keep_what_was_acknowledged(void **state)
{
    struct fixture f;
    struct submitter submitters[THREADS];
    (void)state;
    fixture_make(&f, 2 * MIB);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    journal_hold(&f);
    submitters_start(submitters, &f, fill_main);
    int acknowledged = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(submitters[i].thread, NULL);
        assert_int_equal(submitters[i].failures, 0);
        for (int k = 0; k < submitters[i].acknowledged; k++) {
            char name[64];
            snprintf(name, sizeof(name), "u%d-%d@opa.example", i, k);
            assert_true(fixture_has(&f, name));
        }
        acknowledged += submitters[i].acknowledged;
    }
    assert_int_equal(fixture_stats(&f).addresses, acknowledged);
    journal_must_agree(&f);
    fixture_remove(&f);
}

/* ---- a file that cannot grow ---- */

/* The file may grow no more, as on a full disk: LMDB finds it out while it commits. (Of the
 * process; the blocker's and the victims' processes are none of it.) */
static void growth_forbid(struct fixture *f)
{
    char name[300];
    struct stat st;
    struct rlimit limit;
    snprintf(name, sizeof(name), "%s/data.mdb", f->path);
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    limit.rlim_cur = (rlim_t)st.st_size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void growth_allow(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_DFL);
}

/* Adds addresses until a submission fails or there are plenty. */
static void *add_until_failure(void *arg)
{
    struct submitter *submitter = arg;
    while (submitter->failures == 0 && submitter->acknowledged < 2000) {
        char name[64];
        struct store_verdict verdict = {.status = 0};
        snprintf(name, sizeof(name), "u%d-%d@opa.example", submitter->number,
                 submitter->acknowledged);
        struct store_command command =
            command_address(STORE_ADDRESS_ADD, name, STORE_ADDRESS_HOSTED, "opa.example");
        int ret = store_submit(submitter->fixture->store, &command, &verdict);
        submitter->failures = ret ? ret : verdict.status;
        submitter->acknowledged += submitter->failures == 0;
    }
    return NULL;
}

/* What was acknowledged is there, and what failed is not. */
static void additions_must_agree(struct fixture *f, const struct submitter *submitters)
{
    int acknowledged = 0;
    for (int i = 0; i < THREADS; i++) {
        char name[64];
        for (int k = 0; k <= submitters[i].acknowledged; k++) {
            snprintf(name, sizeof(name), "u%d-%d@opa.example", i, k);
            if (fixture_has(f, name) != (k < submitters[i].acknowledged))
                fail_msg("%s of %d acknowledged", name, submitters[i].acknowledged);
        }
        acknowledged += submitters[i].acknowledged;
    }
    assert_int_equal(fixture_stats(f).addresses, acknowledged);
    journal_must_agree(f);
}

static void a_failed_commit_is_told_and_costs_nothing_else(void **state)
{
    struct fixture f;
    struct submitter submitters[THREADS];
    (void)state;
    fixture_make(&f, 64 * MIB);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    growth_forbid(&f);
    submitters_start(submitters, &f, add_until_failure);
    for (int i = 0; i < THREADS; i++)
        pthread_join(submitters[i].thread, NULL);
    growth_allow();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(submitters[i].failures, -EFBIG);
    additions_must_agree(&f, submitters);

    for (int i = 0; i < THREADS; i++) { /* what failed works now */
        char name[64];
        snprintf(name, sizeof(name), "u%d-%d@opa.example", i, submitters[i].acknowledged++);
        assert_int_equal(fixture_address_add(&f, name), 0);
    }
    additions_must_agree(&f, submitters);
    fixture_close(&f);
    fixture_open(&f);
    additions_must_agree(&f, submitters);
    fixture_remove(&f);
}

/* ---- kill -9 ---- */

#define KILL_ROUNDS  20
#define KILL_THREADS 3

struct victim {
    struct store *store;
    int round, number, acks;
};

/* Adds addresses for ever and reports each one that was acknowledged. */
static void *victim_main(void *arg)
{
    struct victim *victim = arg;
    for (int i = 0;; i++) {
        char name[64];
        struct store_verdict verdict;
        int len = snprintf(name, sizeof(name), "r%d-%d-%d@opa.example\n", victim->round,
                           victim->number, i);
        name[len - 1] = '\0';
        struct store_command command =
            command_address(STORE_ADDRESS_ADD, name, STORE_ADDRESS_HOSTED, "opa.example");
        if (store_submit(victim->store, &command, &verdict) || verdict.status)
            _exit(2);
        name[len - 1] = '\n';
        if (write(victim->acks, name, (size_t)len) != len)
            _exit(3);
    }
    return NULL;
}

static void victim_process(const struct store_conf *conf, int round, int acks)
{
    struct victim victims[KILL_THREADS];
    struct store *store;
    pthread_t thread;
    if (store_open(conf, STORE_WRITER, &store, NULL))
        _exit(1);
    for (int i = 0; i < KILL_THREADS; i++) {
        victims[i] = (struct victim){.store = store, .round = round, .number = i, .acks = acks};
        if (pthread_create(&thread, NULL, victim_main, &victims[i]))
            _exit(1);
    }
    for (;;)
        pause();
}

/* Kills the process after `count` acknowledgements, at whatever it does then; checks all. */
static size_t kill_round(struct fixture *f, int round, int count)
{
    char name[64];
    int acks[2];
    size_t seen = 0;
    assert_int_equal(pipe(acks), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        close(acks[0]);
        victim_process(&f->conf, round, acks[1]);
    }
    close(acks[1]);
    FILE *file = fdopen(acks[0], "r");
    assert_non_null(file);
    char(*names)[64] = calloc(20000, sizeof(*names));
    assert_non_null(names);
    while (fgets(name, sizeof(name), file)) {
        assert_true(seen < 20000);
        name[strcspn(name, "\n")] = '\0';
        memcpy(names[seen++], name, sizeof(name));
        if (seen == (size_t)count)
            kill(pid, SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    fclose(file);
    fixture_open(f);
    for (size_t i = 0; i < seen; i++)
        if (!fixture_has(f, names[i]))
            fail_msg("acknowledged and lost: %s", names[i]);
    journal_must_agree(f);
    fixture_close(f);
    free(names);
    return seen;
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    struct fixture f;
    unsigned random = 12345;
    size_t seen = 0;
    (void)state;
    fixture_make(&f, 64 * MIB);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    fixture_close(&f);
    for (int round = 0; round < KILL_ROUNDS; round++) {
        random = random * 1103515245u + 12345u;
        seen += kill_round(&f, round, 1 + (int)(random >> 16) % 60);
    }
    fixture_open(&f);
    assert_true(fixture_stats(&f).addresses >= seen);
    fixture_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_kill_9),
        cmocka_unit_test(commands_that_wait_together_share_a_commit),
        cmocka_unit_test(a_command_that_fails_costs_no_other_its_commit),
        cmocka_unit_test_setup_teardown(every_thread_gets_the_answer_to_its_own_command,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test(a_full_store_refuses_and_loses_nothing),
        cmocka_unit_test(a_refusal_for_want_of_room_is_no_verdict),
        cmocka_unit_test(a_map_that_fills_under_way_refuses_and_recovers),
        cmocka_unit_test(what_fits_alone_is_not_refused_for_company),
        cmocka_unit_test(threads_that_fill_the_map_keep_what_was_acknowledged),
        cmocka_unit_test(a_failed_commit_is_told_and_costs_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
