/* Opening: who may, what is refused, and what damage is noticed. */
#include "base/status.h"
#include "tests/store/fixture.h"

#include <errno.h>
#include <lmdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int open_ret(struct fixture *f, enum store_mode mode, struct store_fault *fault)
{
    struct store *store;
    fault->text[0] = '\0';
    int ret = store_open(&f->conf, mode, &store, fault);
    if (ret == 0)
        store_close(store);
    return ret;
}

static void all_is_there_after_a_reopen(void **state)
{
    struct fixture f;
    struct store_stats stats;
    (void)state;
    fixture_make(&f, 0);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    assert_int_equal(fixture_address_add(&f, "alice@opa.example"), 0);
    fixture_close(&f);
    fixture_open(&f);
    assert_true(fixture_has(&f, "alice@opa.example"));
    assert_int_equal(fixture_address_add(&f, "bob@opa.example"), 0);
    stats = fixture_stats(&f);
    assert_int_equal(stats.domains, 1);
    assert_int_equal(stats.addresses, 2);
    assert_int_equal(stats.last_sequence, 3);
    assert_int_equal(stats.map_size, 1 << 30);
    assert_true(stats.map_used > 0 && stats.map_used < 1 << 20);
    assert_in_range(stats.readers, 1, 2); /* the writer looks at times, too */
    fixture_remove(&f);
}

static void files_are_for_the_owner_only(void **state)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "writer.lock"};
    struct fixture f;
    struct stat status;
    char name[300];
    (void)state;
    fixture_make(&f, 0);
    assert_int_equal(rmdir(f.path), 0);
    mode_t mask = umask(0);
    fixture_open(&f);
    umask(mask);
    assert_int_equal(stat(f.path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", f.path, names[i]);
        assert_int_equal(stat(name, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
    }
    fixture_remove(&f);
}

static void a_directory_that_cannot_be_made_is_told(void **state)
{
    struct fixture f = {.conf.path = "/proc/none/store"};
    struct store_fault fault;
    (void)state;
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), -ENOENT);
    assert_non_null(strstr(fault.text, "/proc/none/store"));
    assert_int_equal(open_ret(&f, STORE_READER, &fault), -ENOENT);
    assert_non_null(strstr(fault.text, "/proc/none/store"));
}

static void a_newer_schema_is_refused(void **state)
{
    struct fixture f;
    struct store_fault fault;
    (void)state;
    fixture_make(&f, 0);
    fixture_open(&f);
    fixture_close(&f);
    fixture_raw_put(&f, "meta", SLICE("schema"), SLICE("\0\0\0\x05"));
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), STATUS_SCHEMA);
    assert_string_equal(fault.text, "the store has schema version 5 and this program knows "
                                    "versions up to 4; start the newer program");
    assert_int_equal(open_ret(&f, STORE_READER, &fault), STATUS_SCHEMA);
    fixture_raw_put(&f, "meta", SLICE("schema"), SLICE("\0\0\0\x04"));
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), 0);
    fixture_remove(&f);
}

/* From before addresses had a mail address: it is the same but for its number. */
static void a_store_without_mail_addresses_becomes_a_new_one(void **state)
{
    struct fixture f;
    struct store_fault fault;
    (void)state;
    fixture_make(&f, 0);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    fixture_close(&f);
    fixture_raw_put(&f, "meta", SLICE("schema"), SLICE("\0\0\0\x03"));
    assert_int_equal(open_ret(&f, STORE_READER, &fault), STATUS_SCHEMA);
    fixture_open(&f);
    assert_int_equal(fixture_stats(&f).domains, 1);
    fixture_close(&f);
    assert_int_equal(open_ret(&f, STORE_READER, &fault), 0);
    fixture_remove(&f);
}

static void what_is_no_store_is_refused(void **state)
{
    struct fixture f;
    struct store_fault fault;
    char name[300];
    (void)state;
    fixture_make(&f, 0);
    fixture_raw_put(&f, "somebody", SLICE("else"), SLICE("'s"));
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), STATUS_CORRUPT);
    fixture_raw_put(&f, "meta", SLICE("schema"), SLICE("\0\0\x01"));
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), STATUS_CORRUPT);
    fixture_raw_put(&f, "meta", SLICE("schema"), SLICE("\0\0\0\x04"));
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), STATUS_CORRUPT);
    assert_string_equal(fault.text, "the store lacks one of its tables: it is damaged");
    snprintf(name, sizeof(name), "%s/data.mdb", f.path);
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    for (int i = 0; i < 8192; i++)
        fputc('x', file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), STATUS_CORRUPT);
    assert_non_null(strstr(fault.text, f.path));
    fixture_remove(&f);
}

/* Read through a map, what is missing would end the process. */
static void a_file_that_was_cut_is_refused(void **state)
{
    struct fixture f;
    struct store_fault fault;
    char name[300];
    (void)state;
    fixture_make(&f, 0);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    fixture_close(&f);
    snprintf(name, sizeof(name), "%s/data.mdb", f.path);
    assert_int_equal(truncate(name, (off_t)3 * 4096), 0);
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), STATUS_CORRUPT);
    assert_non_null(strstr(fault.text, "shorter than it was written"));
    assert_int_equal(open_ret(&f, STORE_READER, &fault), STATUS_CORRUPT);
    assert_int_equal(truncate(name, 0), 0);
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), STATUS_CORRUPT);
    assert_non_null(strstr(fault.text, "is empty"));
    fixture_remove(&f);
}

/* ---- free pages at the end, which LMDB need not have written ---- */

#define SPARE_PAGES 30
#define PAGES_MAX   4096

static MDB_env *raw_open(const char *path, unsigned flags)
{
    MDB_env *env;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 64), 0);
    assert_int_equal(mdb_env_set_mapsize(env, (size_t)1 << 30), 0);
    assert_int_equal(mdb_env_open(env, path, flags, 0600), 0);
    return env;
}

/* A table comes, with pages in one piece at the end, and may go: they are free from then on. */
static void table_make(const char *path, bool goes)
{
    static char bytes[SPARE_PAGES * 4096];
    MDB_env *env = raw_open(path, 0);
    MDB_val key = {5, "spare"}, value = {sizeof(bytes), bytes};
    MDB_txn *txn;
    MDB_dbi table;
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "spare", MDB_CREATE, &table), 0);
    assert_int_equal(mdb_put(txn, table, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    if (goes) {
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
        assert_int_equal(mdb_drop(txn, table, 1), 0);
        assert_int_equal(mdb_txn_commit(txn), 0);
    }
    mdb_env_close(env);
}

/* How many of the last pages are free; `count` is that of all. */
static size_t pages_free_at_end(const char *path, size_t *count)
{
    MDB_env *env = raw_open(path, MDB_RDONLY);
    bool is_free[PAGES_MAX] = {false};
    MDB_envinfo info;
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, value;
    size_t found = 0;
    assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_cursor_open(txn, 0, &cursor), 0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        const size_t *pages = value.mv_data;
        for (size_t i = 1; i <= pages[0]; i++) {
            assert_in_range(pages[i], 0, PAGES_MAX - 1);
            is_free[pages[i]] = true;
        }
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    assert_int_equal(mdb_env_info(env, &info), 0);
    mdb_env_close(env);
    *count = info.me_last_pgno + 1;
    while (is_free[info.me_last_pgno - found])
        found++;
    return found;
}

static void commit_one(struct fixture *f, unsigned number)
{
    char address[40];
    snprintf(address, sizeof(address), "a%u@opa.example", number);
    fixture_open(f);
    assert_int_equal(fixture_address_add(f, address), 0);
    fixture_close(f);
}

static void domain_make(struct fixture *f)
{
    fixture_make(f, 0);
    fixture_open(f);
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    fixture_close(f);
}

static void cut(const struct fixture *f, size_t pages)
{
    char name[300];
    snprintf(name, sizeof(name), "%s/data.mdb", f->path);
    assert_int_equal(truncate(name, (off_t)pages * 4096), 0);
}

static void free_pages_at_the_end_may_be_missing(void **state)
{
    struct fixture f;
    struct store_fault fault;
    size_t count, spare;
    (void)state;
    domain_make(&f);
    table_make(f.path, true);
    for (unsigned i = 0; (spare = pages_free_at_end(f.path, &count)) < 2; i++) {
        assert_true(i < 100);
        commit_one(&f, i);
    }
    for (size_t missing = 1; missing <= spare && missing <= 8; missing++) {
        cut(&f, count - missing);
        assert_int_equal(open_ret(&f, STORE_READER, &fault), 0);
    }
    fixture_open(&f);
    assert_int_equal(fixture_address_add(&f, "last@opa.example"), 0);
    assert_true(fixture_has(&f, "last@opa.example"));
    fixture_remove(&f);
}

/* The list of free pages itself is before it, as there was room for that. */
static void a_used_page_at_the_end_must_be_there(void **state)
{
    struct fixture f;
    struct store_fault fault;
    size_t count, spare;
    (void)state;
    domain_make(&f);
    for (unsigned i = 0; i < 4; i++)
        commit_one(&f, i);
    table_make(f.path, false);
    spare = pages_free_at_end(f.path, &count);
    assert_in_range(spare, 0, 7); /* so few that the list is asked */
    cut(&f, count - spare - 1);
    assert_int_equal(open_ret(&f, STORE_READER, &fault), STATUS_CORRUPT);
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), STATUS_CORRUPT);
    fixture_remove(&f);
}

/* ---- damaged records ---- */

static bool domain_never(const struct store_domain *domain, void *arg)
{
    (void)domain;
    (void)arg;
    return true;
}

static bool record_never(const struct store_record *record, void *arg)
{
    (void)record;
    (void)arg;
    return true;
}

static bool journal_never(const struct store_journal_entry *entry, void *arg)
{
    (void)entry;
    (void)arg;
    return true;
}

/* Every prefix of these, and they with one octet more, are damaged records. */
#define DOMAIN_RECORD  "\x02\x01\0\x01\x01z\0\0\0\0\0\0"
#define ADDRESS_RECORD "\x02\0\0\x02\x03\0\x01z"
#define JOURNAL_RECORD "\x02\x01\x01\x01z\0\0\0\0"

static void damage_check(struct fixture *f, bool is_damaged)
{
    const int expected = is_damaged ? STATUS_CORRUPT : 0;
    struct store_address address = address_of("a@opa.example");
    struct store_domain domain;
    struct store_record record;
    fixture_open(f);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_domain_get(f->reader, "opa.example", &domain), expected);
    assert_int_equal(store_domain_list(f->reader, NULL, 9, domain_never, NULL), expected);
    assert_int_equal(store_address_get(f->reader, &address, &record), expected);
    assert_int_equal(store_address_list(f->reader, NULL, NULL, 9, record_never, NULL), expected);
    assert_int_equal(store_journal_read(f->reader, 0, 9, journal_never, NULL), expected);
    struct store_route route;
    assert_int_equal(store_route(f->reader, &address, &route), expected);
    store_reader_end(f->reader);
    fixture_close(f);
}

static void damaged_records_are_corrupt_and_never_a_crash(void **state)
{
    const struct slice domain = SLICE(DOMAIN_RECORD), address = SLICE(ADDRESS_RECORD),
                       journal = SLICE(JOURNAL_RECORD);
    struct fixture f;
    (void)state;
    fixture_make(&f, 0);
    fixture_open(&f);
    fixture_close(&f);
    for (size_t len = 0; len <= address.len; len++) {
        size_t domain_len = len < domain.len ? len : domain.len - 1;
        size_t journal_len = len < journal.len ? len : journal.len - 1;
        if (len == address.len)
            domain_len = domain.len, journal_len = journal.len;
        fixture_raw_put(&f, "domains", SLICE("opa.example"), slice_make(domain.p, domain_len));
        fixture_raw_put(&f, "addresses", SLICE("opa.example\0a"), slice_make(address.p, len));
        fixture_raw_put(&f, "journal", SLICE("\0\0\0\0\0\0\0\x01"),
                        slice_make(journal.p, journal_len));
        damage_check(&f, len < address.len);
    }
    fixture_remove(&f);
}

static void a_command_on_a_damaged_record_fails_and_changes_nothing(void **state)
{
    struct fixture f;
    struct store_verdict verdict = {.status = 77};
    (void)state;
    fixture_make(&f, 0);
    fixture_open(&f);
    fixture_close(&f);
    fixture_raw_put(&f, "domains", SLICE("opa.example"), SLICE("x"));
    fixture_open(&f);
    struct store_command put = command_domain(STORE_DOMAIN_PUT, "opa.example", "192.0.2.1");
    assert_int_equal(store_submit(f.store, &put, &verdict), STATUS_CORRUPT);
    assert_int_equal(verdict.status, 77);
    assert_int_equal(fixture_domain_add(&f, "opb.example"), 0);
    assert_int_equal(fixture_stats(&f).last_sequence, 1);
    fixture_remove(&f);
}

/* ---- several processes ---- */

static void a_reader_process_reads_and_never_writes(void **state)
{
    struct fixture f;
    struct store_fault fault;
    struct store_verdict verdict;
    struct store *store;
    struct store_reader *reader;
    struct store_domain domain;
    (void)state;
    fixture_make(&f, 0);
    assert_int_not_equal(open_ret(&f, STORE_READER, &fault), 0);
    fixture_open(&f);
    assert_int_equal(fixture_domain_add(&f, "opa.example"), 0);
    fixture_close(&f);
    assert_int_equal(store_open(&f.conf, STORE_READER, &store, &fault), 0);
    assert_int_equal(store_reader_alloc(store, &reader), 0);
    assert_int_equal(store_reader_begin(reader), 0);
    assert_int_equal(store_domain_get(reader, "opa.example", &domain), 0);
    store_reader_end(reader);
    struct store_command put = command_domain(STORE_DOMAIN_PUT, "opa.example", "192.0.2.1");
    assert_int_equal(store_submit(store, &put, &verdict), -EROFS);
    store_reader_free(reader);
    store_close(store);
    fixture_remove(&f);
}

/* A process that opens the store for writing, says so, and stays until it is killed. */
static pid_t writer_process(struct fixture *f)
{
    int ready[2];
    char octet;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        struct store *store;
        if (store_open(&f->conf, STORE_WRITER, &store, NULL) == 0 && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &octet, 1), 1);
    close(ready[0]);
    return pid;
}

static void only_one_process_writes(void **state)
{
    struct fixture f;
    struct store_fault fault;
    char expected[200];
    (void)state;
    fixture_make(&f, 0);
    pid_t pid = writer_process(&f);
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), -EBUSY);
    snprintf(expected, sizeof(expected), "another process writes the store %.100s; only one may",
             f.path);
    assert_string_equal(fault.text, expected);
    assert_int_equal(open_ret(&f, STORE_READER, &fault), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(open_ret(&f, STORE_WRITER, &fault), 0);
    fixture_remove(&f);
}

static void readers_beyond_the_slots_are_refused(void **state)
{
    struct fixture f;
    struct store_reader *readers[8];
    size_t count = 0;
    int ret;
    (void)state;
    fixture_make(&f, 0);
    f.conf.max_readers = 4;
    fixture_open(&f);
    while (count < 8 && (ret = store_reader_alloc(f.store, &readers[count])) == 0)
        count++;
    assert_int_equal(ret, STATUS_LIMIT);
    assert_in_range(count, 3, 4); /* one is the fixture's; the writer takes one more at times */
    readers[0] = store_reader_free(readers[0]);
    assert_int_equal(store_reader_alloc(f.store, &readers[0]), 0);
    while (count)
        store_reader_free(readers[--count]);
    fixture_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_there_after_a_reopen),
        cmocka_unit_test(files_are_for_the_owner_only),
        cmocka_unit_test(a_directory_that_cannot_be_made_is_told),
        cmocka_unit_test(a_newer_schema_is_refused),
        cmocka_unit_test(a_store_without_mail_addresses_becomes_a_new_one),
        cmocka_unit_test(what_is_no_store_is_refused),
        cmocka_unit_test(a_file_that_was_cut_is_refused),
        cmocka_unit_test(free_pages_at_the_end_may_be_missing),
        cmocka_unit_test(a_used_page_at_the_end_must_be_there),
        cmocka_unit_test(damaged_records_are_corrupt_and_never_a_crash),
        cmocka_unit_test(a_command_on_a_damaged_record_fails_and_changes_nothing),
        cmocka_unit_test(a_reader_process_reads_and_never_writes),
        cmocka_unit_test(only_one_process_writes),
        cmocka_unit_test(readers_beyond_the_slots_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
