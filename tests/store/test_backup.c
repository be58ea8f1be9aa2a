/* Backups that are taken while everything goes on, and what becomes a store again. */
#include "base/status.h"
#include "tests/store/files.h"
#include "tests/store/samples.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* ---- a store with something of everything, and a place for backups ---- */

struct backup {
    struct fixture from, to;
    char file[400]; /* in a folder of its own, `place` */
    char place[300];
    struct store_fault fault;
};

static struct store_command command_make(enum store_op op)
{
    return (struct store_command){
        .op = op, .expected_version = STORE_ANY_VERSION, .actor = "tester", .time_ms = 1000};
}

static void submit(struct fixture *f, struct store_command *command)
{
    assert_int_equal(fixture_submit(f, command), 0);
}

static void everything_add(struct fixture *f)
{
    struct store_command command = command_make(STORE_DOMAIN_ADD);
    command.domain = domain_make("opa.example");
    submit(f, &command);
    assert_int_equal(fixture_address_add(f, "alice@opa.example"), 0);
    command = command_address(STORE_ADDRESS_ADD, "owned@opa.example", STORE_ADDRESS_HOSTED,
                              "opa.example");
    strcpy(command.record.owner, "customer-4711");
    command.id[0] = 1; /* leaves a verdict */
    submit(f, &command);
    command =
        command_address(STORE_ADDRESS_ADD, "ally@opa.example", STORE_ADDRESS_ALIAS, "opa.example");
    command.record.target = address_of("alice@opa.example");
    submit(f, &command);
    command =
        command_address(STORE_ADDRESS_ADD, "gone@opb.example", STORE_ADDRESS_MOVED, "opc.example");
    command.record.until_ms = UINT64_MAX;
    submit(f, &command);
    command = command_address(STORE_ADDRESS_ADD, "guest@opb.example", STORE_ADDRESS_PORTED_IN,
                              "opa.example");
    submit(f, &command);
    command = command_make(STORE_NUMBER_ADD);
    command.number = number_make("49301234567");
    command.number.address = address_of("alice@opa.example");
    submit(f, &command);
    command = command_make(STORE_PEER_ADD);
    command.peer = peer_make("opb.example");
    submit(f, &command);
    command = command_make(STORE_TOKEN_ADD);
    command.token = token_make("abcdefghijkl", STORE_SCOPE_OPERATOR);
    command.token.until_ms = UINT64_MAX;
    submit(f, &command);
    command = command_key(7);
    submit(f, &command);
    command = command_make(STORE_CURSOR_PUT);
    strcpy(command.cursor.name, "publisher");
    command.cursor.sequence = 1;
    submit(f, &command);
    struct store_usage usage = {.node = "a", .peer = "opb.example", .period = 60, .attempts = 1};
    command = command_make(STORE_USAGE_ADD);
    command.usage = (struct store_usage_batch){.usages = &usage, .count = 1};
    submit(f, &command);
}

static int backup_setup(void **state)
{
    struct backup *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    fixture_make(&b->from, 64 * MIB);
    fixture_make(&b->to, 64 * MIB);
    fixture_open(&b->from);
    everything_add(&b->from);
    test_folder_make(b->place, sizeof(b->place));
    snprintf(b->file, sizeof(b->file), "%s/backup", b->place);
    *state = b;
    return 0;
}

static int backup_teardown(void **state)
{
    struct backup *b = *state;
    fixture_remove(&b->from);
    fixture_remove(&b->to);
    unlink(b->file);
    assert_int_equal(rmdir(b->place), 0); /* nothing was left behind */
    free(b);
    return 0;
}

static void backup_make(struct backup *b)
{
    if (store_backup(b->from.store, b->file, &b->fault))
        fail_msg("%s", b->fault.text);
}

static int restore(struct backup *b, bool replace)
{
    b->fault.text[0] = '\0';
    return store_restore(b->file, &b->to.conf, replace, &b->fault);
}

static void restore_must(struct backup *b, bool replace)
{
    if (restore(b, replace))
        fail_msg("%s", b->fault.text);
}

static struct dump data_dump(const struct fixture *f)
{
    return file_dump(file_in(f, "data.mdb"), NULL);
}

static void assert_restored(struct backup *b)
{
    assert_true(dumps_are_same(file_dump(b->file, NULL), data_dump(&b->to)));
}

/* ---- making one ---- */

static void a_backup_is_the_store_of_that_moment(void **state)
{
    struct backup *b = *state;
    struct stat st;
    struct dump before = data_dump(&b->from);
    backup_make(b);
    assert_int_equal(fixture_address_add(&b->from, "later@opa.example"), 0);
    assert_true(dumps_are_same(before, file_dump(b->file, NULL)));
    assert_int_equal(stat(b->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    restore_must(b, false);
    assert_restored(b);
    fixture_open(&b->to);
    assert_true(fixture_has(&b->to, "alice@opa.example"));
    assert_false(fixture_has(&b->to, "later@opa.example"));
    assert_int_equal(fixture_address_add(&b->to, "later@opa.example"), 0);
}

static void a_backup_never_takes_the_place_of_a_file(void **state)
{
    struct backup *b = *state;
    file_write(b->file, SLICE("precious"));
    assert_int_equal(store_backup(b->from.store, b->file, &b->fault), -EEXIST);
    assert_non_null(strstr(b->fault.text, "exists already"));
    struct dump kept = file_read(b->file);
    assert_int_equal(kept.len, 8);
    dump_free(kept);
    assert_int_equal(folder_count(b->place), 1);
}

static void a_place_that_cannot_be_written_is_told(void **state)
{
    struct backup *b = *state;
    assert_int_equal(store_backup(b->from.store, "backup", &b->fault), -EINVAL);
    assert_non_null(strstr(b->fault.text, "begin with '/'"));
    assert_int_equal(store_backup(b->from.store, "/proc/none/backup", &b->fault), -ENOENT);
    assert_non_null(strstr(b->fault.text, "/proc/none/backup"));
    assert_int_equal(store_backup(b->from.store, "/proc/none/backup", NULL), -ENOENT);
}

static void a_backup_that_does_not_fit_leaves_nothing(void **state)
{
    struct backup *b = *state;
    growth_limit(16384);
    int ret = store_backup(b->from.store, b->file, &b->fault);
    growth_allow();
    assert_int_equal(ret, -EFBIG);
    assert_non_null(strstr(b->fault.text, b->file));
    assert_int_equal(folder_count(b->place), 0);
    backup_make(b);
}

static void a_backup_needs_a_reader_slot(void **state)
{
    struct backup *b = *state;
    struct store_reader *readers[8];
    size_t count = 0;
    fixture_close(&b->from);
    unlink(file_in(&b->from, "lock.mdb"));
    b->from.conf.max_readers = 4;
    fixture_open(&b->from);
    /* the writer's thread takes a slot now and then, and gives it back */
    while (count < COUNT_OF(readers)) {
        if (store_reader_alloc(b->from.store, &readers[count]) == 0)
            count++;
        else if (store_backup(b->from.store, b->file, &b->fault) == 0)
            file_remove(b->file);
        else
            break;
    }
    assert_in_range(count, 1, COUNT_OF(readers) - 1);
    assert_non_null(strstr(b->fault.text, "too many readers"));
    while (count)
        store_reader_free(readers[--count]);
    backup_make(b);
}

/* Where LMDB's two meta pages say which page is the last in use. */
#define LAST_PAGE_OFFSET 136
#define PAGE_SIZE        4096

/* LMDB's compact form refuses a file with pages of which nobody knows. */
static void lost_pages_do_not_stop_a_backup(void **state)
{
    struct backup *b = *state;
    fixture_close(&b->from);
    struct dump before = data_dump(&b->from), bytes = file_read(file_in(&b->from, "data.mdb"));
    size_t last = 0;
    for (size_t meta = 0; meta < 2; meta++) {
        char *place = bytes.p + meta * PAGE_SIZE + LAST_PAGE_OFFSET;
        memcpy(&last, place, sizeof(last));
        last += 3;
        memcpy(place, &last, sizeof(last));
    }
    file_write(file_in(&b->from, "data.mdb"), slice_make(bytes.p, bytes.len));
    dump_free(bytes);
    assert_int_equal(truncate(file_in(&b->from, "data.mdb"), (off_t)(last + 3) * PAGE_SIZE), 0);
    fixture_open(&b->from);
    backup_make(b);
    assert_true(dumps_are_same(before, file_dump(b->file, NULL)));
    restore_must(b, false);
    assert_restored(b);
}

/* ---- while writers write ---- */

#define WRITERS 4
#define BACKUPS 6

struct writer {
    struct fixture *fixture;
    atomic_bool *stop;
    pthread_t thread;
    int number;
    _Atomic int added;
};

static void *writer_main(void *arg)
{
    struct writer *writer = arg;
    while (!atomic_load(writer->stop)) {
        char name[64];
        struct store_verdict verdict;
        snprintf(name, sizeof(name), "w%d-%d@opa.example", writer->number, writer->added);
        struct store_command command =
            command_address(STORE_ADDRESS_ADD, name, STORE_ADDRESS_HOSTED, "opa.example");
        snprintf(command.record.owner, sizeof(command.record.owner), "o%d", writer->added % 7);
        if (store_submit(writer->fixture->store, &command, &verdict) || verdict.status)
            return NULL;
        atomic_fetch_add(&writer->added, 1);
    }
    return NULL;
}

static int writers_added(struct writer *writers)
{
    int sum = 0;
    for (int i = 0; i < WRITERS; i++)
        sum += atomic_load(&writers[i].added);
    return sum;
}

static bool entry_count(const struct store_journal_entry *entry, void *arg)
{
    uint64_t *added = arg;
    *added += strcmp(entry->what, "address_add") == 0;
    return true;
}

/* Restoring checks every record and index; here that the journal tells exactly what is there. */
static void restored_must_agree(struct backup *b, int acknowledged)
{
    uint64_t added = 0;
    restore_must(b, true);
    fixture_open(&b->to);
    assert_int_equal(store_reader_begin(b->to.reader), 0);
    assert_int_equal(store_journal_read(b->to.reader, 0, SIZE_MAX, entry_count, &added), 0);
    store_reader_end(b->to.reader);
    assert_int_equal(fixture_stats(&b->to).addresses, added);
    assert_true(added >= (uint64_t)acknowledged);
    fixture_close(&b->to);
    unlink(file_in(&b->to, "data.mdb.before-restore"));
    file_remove(b->file);
}

static void backups_while_writers_write_are_consistent(void **state)
{
    struct backup *b = *state;
    struct writer writers[WRITERS];
    atomic_bool stop = false;
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.fixture = &b->from, .stop = &stop, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, writer_main, &writers[i]), 0);
    }
    for (int i = 0; i < BACKUPS; i++) {
        int acknowledged = writers_added(writers);
        while (writers_added(writers) < acknowledged + 20) /* they do write */
            sched_yield();
        acknowledged = writers_added(writers);
        backup_make(b);
        restored_must_agree(b, acknowledged);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
}

/* ---- restoring ---- */

static void records_are_replaced_only_on_demand_and_kept(void **state)
{
    struct backup *b = *state;
    backup_make(b);
    fixture_open(&b->to);
    fixture_close(&b->to);
    restore_must(b, false); /* an empty store is nothing to lose */
    fixture_open(&b->to);
    assert_int_equal(fixture_address_add(&b->to, "more@opa.example"), 0);
    fixture_close(&b->to);
    struct dump before = data_dump(&b->to);
    assert_int_equal(restore(b, false), -EEXIST);
    assert_non_null(strstr(b->fault.text, b->to.path));
    assert_int_equal(folder_count(b->to.path), 3);
    restore_must(b, true);
    assert_restored(b);
    assert_true(
        dumps_are_same(before, file_dump(file_in(&b->to, "data.mdb.before-restore"), NULL)));
    restore_must(b, true); /* and again, over what was kept then */
    assert_true(dumps_are_same(file_dump(b->file, NULL),
                               file_dump(file_in(&b->to, "data.mdb.before-restore"), NULL)));
    file_remove(file_in(&b->to, "data.mdb.before-restore"));
    assert_int_equal(folder_count(b->to.path), 3);
}

static void what_cannot_be_read_counts_as_records(void **state)
{
    struct backup *b = *state;
    backup_make(b);
    file_write(file_in(&b->to, "data.mdb"), SLICE("no store at all"));
    assert_int_equal(restore(b, false), -EEXIST);
    restore_must(b, true);
    assert_restored(b);
    file_remove(file_in(&b->to, "data.mdb.before-restore"));
}

static void a_store_that_somebody_writes_is_busy(void **state)
{
    struct backup *b = *state;
    backup_make(b);
    fixture_open(&b->to);
    assert_int_equal(restore(b, true), -EBUSY);
    assert_non_null(strstr(b->fault.text, "another process writes"));
    assert_int_equal(fixture_domain_add(&b->to, "opz.example"), 0);
}

/* A process that has the store open as a reader, without even a snapshot, until it is killed. */
static pid_t reader_process(const struct fixture *f)
{
    int ready[2];
    char octet;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct store *store;
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        if (store_open(&f->conf, STORE_READER, &store, NULL) == 0 && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &octet, 1), 1);
    close(ready[0]);
    return pid;
}

static void process_kill(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_store_that_somebody_reads_is_busy(void **state)
{
    struct backup *b = *state;
    char expected[64];
    backup_make(b);
    fixture_open(&b->to);
    fixture_close(&b->to);
    pid_t pid = reader_process(&b->to);
    assert_int_equal(restore(b, true), -EBUSY);
    snprintf(expected, sizeof(expected), "process %ld has the store", (long)pid);
    assert_non_null(strstr(b->fault.text, expected));
    process_kill(pid);
    restore_must(b, false);
    assert_restored(b);
}

/* ---- who opens the store meanwhile ---- */

/* Does the process wait for a lock? The kernel marks those with an arrow. */
static bool process_waits(pid_t pid)
{
    char line[200], wanted[32];
    bool found = false;
    FILE *locks = fopen("/proc/locks", "r");
    assert_non_null(locks);
    snprintf(wanted, sizeof(wanted), " %ld ", (long)pid);
    while (fgets(line, sizeof(line), locks))
        found = found || (strstr(line, "->") && strstr(line, wanted));
    fclose(locks);
    return found;
}

/* Opens the store for reading as soon as it can; exits 0 if alice is there. */
static pid_t opener_process(const struct fixture *f, int not_mine)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    close(not_mine);
    struct store *store;
    struct store_reader *reader;
    struct store_record record;
    struct store_address alice = address_of("alice@opa.example");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (store_open(&f->conf, STORE_READER, &store, NULL) || store_reader_alloc(store, &reader) ||
        store_reader_begin(reader))
        _exit(1);
    _exit(store_address_get(reader, &alice, &record) ? 2 : 0);
}

static void a_reader_that_waited_sees_the_new_store(void **state)
{
    struct backup *b = *state;
    int status, hold[2];
    backup_make(b);
    fixture_open(&b->to);
    fixture_close(&b->to);
    /* The backup comes from a pipe: the restore holds the store until it is written. */
    assert_int_equal(pipe(hold), 0);
    struct dump bytes = file_read(b->file);
    char pipe_name[64];
    snprintf(pipe_name, sizeof(pipe_name), "/proc/%ld/fd/%d", (long)getpid(), hold[0]);
    pid_t restorer = fork();
    assert_true(restorer >= 0);
    if (restorer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(hold[1]);
        _exit(store_restore(pipe_name, &b->to.conf, true, NULL) != 0);
    }
    assert_int_equal(write(hold[1], bytes.p, 1), 1);
    int left = 1;
    while (left > 0) { /* taken: so it has the locks */
        assert_int_equal(ioctl(hold[0], FIONREAD, &left), 0);
        sched_yield();
    }
    pid_t opener = opener_process(&b->to, hold[1]);
    while (!process_waits(opener))
        sched_yield();
    for (size_t at = 1; at < bytes.len;) {
        ssize_t len = write(hold[1], bytes.p + at, bytes.len - at);
        assert_true(len > 0);
        at += (size_t)len;
    }
    close(hold[1]);
    close(hold[0]);
    assert_int_equal(waitpid(restorer, &status, 0), restorer);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(waitpid(opener, &status, 0), opener);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    dump_free(bytes);
    file_remove(file_in(&b->to, "data.mdb.before-restore"));
}

/* ---- what is no whole backup ---- */

static void assert_refused(struct backup *b, int expected)
{
    struct dump before = data_dump(&b->to);
    assert_int_equal(restore(b, true), expected);
    assert_true(dumps_are_same(before, data_dump(&b->to)));
    assert_int_equal(folder_count(b->to.path), 3);
}

static void what_is_no_backup_is_refused(void **state)
{
    struct backup *b = *state;
    fixture_open(&b->to);
    fixture_close(&b->to);
    assert_refused(b, -ENOENT);
    file_write(b->file, SLICE(""));
    assert_int_not_equal(restore(b, true), 0);
    assert_int_equal(folder_count(b->to.path), 3);
    file_write(b->file, SLICE("no store at all"));
    assert_int_not_equal(restore(b, true), 0);
    file_remove(b->file);
    backup_make(b);
    struct dump whole = file_read(b->file);
    for (size_t len = 4096; len < whole.len; len += 4096) { /* cut off */
        file_write(b->file, slice_make(whole.p, len));
        assert_refused(b, STATUS_CORRUPT);
    }
    assert_non_null(strstr(b->fault.text, "cannot be restored"));
    dump_free(whole);
}

static void backup_patch(struct backup *b, const char *table, struct slice key, struct slice value)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {key.len, (void *)key.p}, v = {value.len, (void *)value.p};
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 32), 0);
    assert_int_equal(mdb_env_open(env, b->file, MDB_NOSUBDIR | MDB_NOLOCK, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void a_newer_schema_is_refused(void **state)
{
    struct backup *b = *state;
    fixture_open(&b->to);
    fixture_close(&b->to);
    backup_make(b);
    backup_patch(b, "meta", SLICE("schema"), SLICE("\0\0\0\x09"));
    assert_refused(b, STATUS_SCHEMA);
    assert_non_null(strstr(b->fault.text, "start the newer program"));
}

static void a_record_that_cannot_be_read_is_found_in_every_table(void **state)
{
    static const struct {
        const char *table;
        struct slice key, value;
    } cases[] = {
        {"domains", SLICE("opz.example"), SLICE("x")},
        {"addresses", SLICE("opa.example\0zoe"), SLICE("x")},
        {"numbers", SLICE("4912345"), SLICE("x")},
        {"peers", SLICE("opz.example"), SLICE("x")},
        {"tokens", SLICE("zzzzzzzzzzzz"), SLICE("x")},
        {"journal", SLICE("\0\0\0\0\0\0\0\x01"), SLICE("x")},
        {"journal", SLICE("\0\0\0\0\0\0\x09\x01"), SLICE("x")},
        {"verdicts", SLICE("short"), SLICE("x")},
        {"verdict_ages", SLICE("short"), SLICE("")},
        {"token_keys", SLICE("\0\0\0\x09"), SLICE("x")},
        {"cursors", SLICE("replica"), SLICE("x")},
        {"usage", SLICE("x"), SLICE("x")},
        {"log", SLICE("\0\0\0\0\0\0\0\x01"), SLICE("x")},
        {"guests", SLICE("opz.example"), SLICE("x")},
        {"deadlines", SLICE("short"), SLICE("")},
        {"owners", SLICE("nobody\0opa.example\0alice"), SLICE("")},
        {"links", SLICE("0123456789abcdef0123456789abcdef"), SLICE("x")},
        {"meta", SLICE("position"), SLICE("x")},
    };
    struct backup *b = *state;
    fixture_open(&b->to);
    fixture_close(&b->to);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        backup_make(b);
        backup_patch(b, cases[i].table, cases[i].key, cases[i].value);
        if (restore(b, true) != STATUS_CORRUPT)
            fail_msg("a damaged record of %s was not found", cases[i].table);
        file_remove(b->file);
        assert_int_equal(folder_count(b->to.path), 3);
    }
}

/* Whatever the octets are: refused, or a store that can be opened; never a crash. */
static void damaged_octets_never_crash(void **state)
{
    struct backup *b = *state;
    unsigned random = 4711;
    backup_make(b);
    struct dump whole = file_read(b->file);
    for (int round = 0; round < 60; round++) {
        struct dump damaged = {malloc(whole.len), whole.len};
        assert_non_null(damaged.p);
        memcpy(damaged.p, whole.p, whole.len);
        for (int i = 0; i < 8; i++) {
            random = random * 1103515245u + 12345u;
            size_t at = 8192 + (random >> 4) % (whole.len - 8192);
            damaged.p[at] ^= (char)(1 << (random & 7));
        }
        file_write(b->file, slice_make(damaged.p, damaged.len));
        int ret = restore(b, true);
        assert_true(ret == 0 || ret == STATUS_CORRUPT || ret == STATUS_SCHEMA);
        dump_free(damaged);
    }
    dump_free(whole);
    unlink(file_in(&b->to, "data.mdb.before-restore"));
}

/* ---- a full disk, and being killed ---- */

static void a_restore_that_does_not_fit_changes_nothing(void **state)
{
    struct backup *b = *state;
    fixture_open(&b->to);
    fixture_close(&b->to);
    backup_make(b);
    struct dump before = data_dump(&b->to);
    growth_limit(16384);
    int ret = restore(b, true);
    growth_allow();
    assert_int_equal(ret, -EFBIG);
    assert_true(dumps_are_same(before, data_dump(&b->to)));
    assert_int_equal(folder_count(b->to.path), 3);
    restore_must(b, true);
    file_remove(file_in(&b->to, "data.mdb.before-restore"));
}

/* Restores one of two backups after the other until it is killed, and tells of each. */
static void restorer_process(const struct store_conf *conf, const char *const files[2], int told)
{
    for (int i = 0;; i++)
        if (store_restore(files[i % 2], conf, true, NULL) || write(told, "x", 1) != 1)
            _exit(1);
}

static void kill_round(struct backup *b, const char *const files[2], unsigned random)
{
    int told[2], status;
    char octet;
    assert_int_equal(pipe(told), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        restorer_process(&b->to.conf, files, told[1]);
    }
    close(told[1]);
    for (unsigned i = 0; i <= random % 3; i++)
        assert_int_equal(read(told[0], &octet, 1), 1);
    usleep(random / 3 % 4000);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(told[0]);
}

/* The killed process's own helper may hold the lock for a moment yet. */
static void open_when_free(struct fixture *f)
{
    struct store *store;
    int ret;
    while ((ret = store_open(&f->conf, STORE_WRITER, &store, NULL)) == -EBUSY)
        sched_yield();
    assert_int_equal(ret, 0);
    store_close(store);
    fixture_open(f);
}

static void a_restore_killed_at_any_moment_leaves_a_whole_store(void **state)
{
    struct backup *b = *state;
    char other[450];
    unsigned random = 99;
    backup_make(b);
    snprintf(other, sizeof(other), "%s.other", b->file);
    assert_int_equal(fixture_address_add(&b->from, "later@opa.example"), 0);
    assert_int_equal(store_backup(b->from.store, other, &b->fault), 0);
    const char *const files[2] = {b->file, other};
    restore_must(b, true);
    for (int round = 0; round < 20; round++) {
        random = random * 1103515245u + 12345u;
        kill_round(b, files, random >> 8);
        bool is_old =
            dumps_are_same(file_dump(b->file, NULL), file_dump(file_in(&b->to, "data.mdb"), NULL));
        bool is_new =
            dumps_are_same(file_dump(other, NULL), file_dump(file_in(&b->to, "data.mdb"), NULL));
        assert_true(is_old != is_new);
        open_when_free(&b->to); /* and it is a store */
        assert_true(fixture_has(&b->to, "alice@opa.example"));
        fixture_close(&b->to);
    }
    unlink(file_in(&b->to, "data.mdb.new"));
    unlink(file_in(&b->to, "data.mdb.before-restore.new"));
    unlink(file_in(&b->to, "data.mdb.before-restore"));
    file_remove(other);
}

#define BACKUP_TEST(name) cmocka_unit_test_setup_teardown(name, backup_setup, backup_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUP_TEST(a_backup_is_the_store_of_that_moment),
        BACKUP_TEST(a_backup_never_takes_the_place_of_a_file),
        BACKUP_TEST(a_place_that_cannot_be_written_is_told),
        BACKUP_TEST(a_backup_that_does_not_fit_leaves_nothing),
        BACKUP_TEST(a_backup_needs_a_reader_slot),
        BACKUP_TEST(lost_pages_do_not_stop_a_backup),
        BACKUP_TEST(backups_while_writers_write_are_consistent),
        BACKUP_TEST(records_are_replaced_only_on_demand_and_kept),
        BACKUP_TEST(what_cannot_be_read_counts_as_records),
        BACKUP_TEST(a_store_that_somebody_writes_is_busy),
        BACKUP_TEST(a_store_that_somebody_reads_is_busy),
        BACKUP_TEST(a_reader_that_waited_sees_the_new_store),
        BACKUP_TEST(what_is_no_backup_is_refused),
        BACKUP_TEST(a_newer_schema_is_refused),
        BACKUP_TEST(a_record_that_cannot_be_read_is_found_in_every_table),
        BACKUP_TEST(damaged_octets_never_crash),
        BACKUP_TEST(a_restore_that_does_not_fit_changes_nothing),
        BACKUP_TEST(a_restore_killed_at_any_moment_leaves_a_whole_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
