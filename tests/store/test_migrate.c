/* A store of an old schema becomes one of today: all of it, or it stays what it was. */
#include "base/status.h"
#include "store/internal.h"
#include "tests/store/files.h"
#include "tests/store/old_store.h"
#include "tests/test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB         ((size_t)1 << 20)
#define LARGE_COUNT 1500

struct migration {
    struct fixture f;
    struct store_fault fault;
};

/* ---- an old store ---- */

static void old_store_make(const char *path)
{
    struct old_store old;
    old_store_begin(&old, path);
    old_domain_add(&old, "opa.example", "core.opa.example");
    old_domain_add(&old, "opb.example", "192.0.2.1");
    old_address_add(&old, "alice", "opa.example", 0, "", "Alice@OpA.example");
    old_address_add(&old, "ported", "opa.example", 1, "elsewhere.example", "");
    old_address_add(&old, "guest", "foreign.example", 0, "opa.example", "guest@foreign.example");
    old_address_passed(&old, "bob", "opa.example");
    old_key_add(&old, 1, 7, 9000);
    old_key_add(&old, 2, 8, 0);
    old_verdict_add(&old);
    old_guests_put(&old, "opa.example", 1);
    old_store_end(&old, 77000);
}

static int migrate_setup(void **state)
{
    struct migration *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    fixture_make(&m->f, 64 * MIB);
    old_store_make(m->f.path);
    *state = m;
    return 0;
}

static int migrate_teardown(void **state)
{
    struct migration *m = *state;
    unlink(file_in(&m->f, "data.mdb.schema-1"));
    fixture_remove(&m->f); /* and nothing else was left behind */
    free(m);
    return 0;
}

static int open_ret(struct migration *m, enum store_mode mode)
{
    struct store *store;
    m->fault.text[0] = '\0';
    int ret = store_open(&m->f.conf, mode, &store, &m->fault);
    if (ret == 0)
        store_close(store);
    return ret;
}

static void open_must(struct migration *m)
{
    if (open_ret(m, STORE_WRITER))
        fail_msg("%s", m->fault.text);
}

static struct dump data_dump(const struct migration *m)
{
    return file_dump(file_in(&m->f, "data.mdb"), NULL);
}

/* ---- what becomes of it ---- */

static struct store_record record_get(struct migration *m, const char *text)
{
    struct store_address address = address_of(text);
    struct store_record record;
    assert_int_equal(store_reader_begin(m->f.reader), 0);
    assert_int_equal(store_address_get(m->f.reader, &address, &record), 0);
    store_reader_end(m->f.reader);
    return record;
}

static void every_record_is_there(void **state)
{
    struct migration *m = *state;
    fixture_open(&m->f);
    struct store_record record = record_get(m, "alice@opa.example");
    assert_int_equal(record.state, STORE_ADDRESS_HOSTED);
    assert_string_equal(record.hosting, "opa.example");
    assert_string_equal(record.display, "Alice@OpA.example");
    assert_int_equal(record.version, 3);
    assert_int_equal(record.created_ms, 3000);
    assert_string_equal(record.owner, "");
    assert_false(record.blocked || record.locked || record.unpublished || record.has_auth ||
                 record.until_ms);
    record = record_get(m, "ported@opa.example");
    assert_int_equal(record.state, STORE_ADDRESS_PORTED_OUT);
    assert_string_equal(record.hosting, "elsewhere.example");
    record = record_get(m, "guest@foreign.example");
    assert_int_equal(record.state, STORE_ADDRESS_PORTED_IN);
    assert_string_equal(record.hosting, "opa.example");
    assert_false(fixture_has(&m->f, "bob@opa.example"));
    struct store_stats stats = fixture_stats(&m->f);
    assert_int_equal(stats.domains, 2);
    assert_int_equal(stats.addresses, 3);
    assert_int_equal(stats.verdicts, 0);
    assert_int_equal(stats.last_sequence, 9);
    assert_int_equal(stats.store_time_ms, 77000);
}

static void domains_get_the_defaults_of_today(void **state)
{
    struct migration *m = *state;
    struct store_domain domain;
    fixture_open(&m->f);
    assert_int_equal(store_reader_begin(m->f.reader), 0);
    assert_int_equal(store_domain_get(m->f.reader, "opa.example", &domain), 0);
    store_reader_end(m->f.reader);
    assert_int_equal(domain.unknown, STORE_UNKNOWN_CORE);
    assert_int_equal(domain.core_count, 1);
    assert_string_equal(domain.cores[0].host, "core.opa.example");
    assert_int_equal(domain.cores[0].port, 5060);
    assert_int_equal(domain.cores[0].transport, 1);
    assert_int_equal(domain.version, 1);
    assert_int_equal(domain.created_ms, 1000);
    assert_int_equal(domain.quarantine_days, STORE_QUARANTINE_DAYS);
    assert_false(domain.unpublished);
    assert_int_equal(domain.claims_per_owner, 0);
}

static void token_keys_stay(void **state)
{
    struct migration *m = *state;
    struct store_key key;
    fixture_open(&m->f);
    assert_int_equal(store_reader_begin(m->f.reader), 0);
    assert_int_equal(store_key_current(m->f.reader, &key), 0);
    assert_int_equal(key.id, 2);
    assert_int_equal(key.secret[31], 8);
    assert_int_equal(store_key_get(m->f.reader, 1, &key), 0);
    assert_int_equal(key.retired_ms, 9000);
    store_reader_end(m->f.reader);
}

static bool entry_see(const struct store_journal_entry *entry, void *arg)
{
    static const struct {
        const char *what, *key;
        enum store_kind kind;
    } expected[] = {
        {"domain_add", "opa.example", STORE_KIND_DOMAIN},
        {"domain_add", "opb.example", STORE_KIND_DOMAIN},
        {"address_add", "alice@opa.example", STORE_KIND_ADDRESS},
        {"address_add", "ported@opa.example", STORE_KIND_ADDRESS},
        {"address_add", "guest@foreign.example", STORE_KIND_ADDRESS},
        {"address_add", "bob@opa.example", STORE_KIND_ADDRESS},
        {"address_release", "bob@opa.example", STORE_KIND_ADDRESS},
        {"key_add", "token key 1", STORE_KIND_KEY},
        {"key_add", "token key 2", STORE_KIND_KEY},
    };
    size_t *count = arg;
    assert_true(*count < COUNT_OF(expected));
    assert_int_equal(entry->sequence, *count + 1);
    assert_int_equal(entry->time_ms, entry->sequence * 1000);
    assert_string_equal(entry->actor, "admin");
    assert_string_equal(entry->what, expected[*count].what);
    assert_string_equal(entry->key, expected[*count].key);
    assert_int_equal(entry->kind, expected[*count].kind);
    assert_true(entry->erased);
    assert_null(entry->before);
    assert_null(entry->after);
    ++*count;
    return true;
}

static void the_journal_stays_without_its_texts(void **state)
{
    struct migration *m = *state;
    size_t count = 0;
    fixture_open(&m->f);
    assert_int_equal(store_reader_begin(m->f.reader), 0);
    assert_int_equal(store_journal_read(m->f.reader, 0, 99, entry_see, &count), 0);
    store_reader_end(m->f.reader);
    assert_int_equal(count, 9);
}

static void commands_go_on_where_they_were(void **state)
{
    struct migration *m = *state;
    struct store_command command = command_domain(STORE_DOMAIN_DEL, "opa.example", "192.0.2.1");
    struct store_verdict verdict;
    fixture_open(&m->f);
    assert_int_equal(fixture_submit(&m->f, &command), STATUS_INUSE);
    command = command_address(STORE_ADDRESS_RELEASE, "guest@foreign.example",
                              STORE_ADDRESS_PORTED_IN, "opa.example");
    assert_int_equal(store_submit(m->f.store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
    assert_int_equal(verdict.sequence, 10);
    command = command_address(STORE_ADDRESS_RELEASE, "alice@opa.example", STORE_ADDRESS_HOSTED,
                              "opa.example");
    assert_int_equal(fixture_submit(&m->f, &command), 0);
    fixture_close(&m->f);
    assert_int_equal(store_verify(file_in(&m->f, "data.mdb"), &m->fault), 0);
}

static void it_happens_once(void **state)
{
    struct migration *m = *state;
    struct stat first, second;
    open_must(m);
    assert_int_equal(stat(file_in(&m->f, "data.mdb.schema-1"), &first), 0);
    file_remove(file_in(&m->f, "data.mdb.schema-1"));
    struct dump before = data_dump(m);
    open_must(m);
    assert_true(dumps_are_same(before, data_dump(m)));
    assert_int_not_equal(stat(file_in(&m->f, "data.mdb.schema-1"), &second), 0);
}

static void an_empty_old_store_becomes_a_new_one(void **state)
{
    struct migration *m = *state;
    struct old_store old;
    file_remove(file_in(&m->f, "data.mdb"));
    old_store_begin(&old, m->f.path);
    old_store_end(&old, 0);
    fixture_open(&m->f);
    assert_int_equal(fixture_stats(&m->f).addresses, 0);
    assert_int_equal(fixture_domain_add(&m->f, "opa.example"), 0);
}

/* ---- the copy ---- */

static void a_copy_of_the_old_store_is_kept(void **state)
{
    struct migration *m = *state;
    struct stat st;
    struct dump before = data_dump(m);
    open_must(m);
    assert_true(dumps_are_same(before, file_dump(file_in(&m->f, "data.mdb.schema-1"), NULL)));
    assert_int_equal(stat(file_in(&m->f, "data.mdb.schema-1"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_copy_that_is_there_is_kept_as_it_is(void **state)
{
    struct migration *m = *state;
    struct stat first, second;
    open_must(m);
    assert_int_equal(stat(file_in(&m->f, "data.mdb.schema-1"), &first), 0);
    file_remove(file_in(&m->f, "data.mdb"));
    old_store_make(m->f.path); /* as if the program had been stopped behind the copy */
    open_must(m);
    assert_int_equal(stat(file_in(&m->f, "data.mdb.schema-1"), &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    assert_int_equal(first.st_mtim.tv_nsec, second.st_mtim.tv_nsec);
}

static void a_copy_of_something_else_is_replaced(void **state)
{
    struct migration *m = *state;
    struct old_store old;
    file_write(file_in(&m->f, "data.mdb.schema-1"), SLICE("cut off"));
    struct dump before = data_dump(m);
    open_must(m);
    assert_true(dumps_are_same(before, file_dump(file_in(&m->f, "data.mdb.schema-1"), NULL)));
    file_remove(file_in(&m->f, "data.mdb"));
    old_store_begin(&old, m->f.path); /* an old program went on with another store */
    old_domain_add(&old, "opz.example", "192.0.2.1");
    old_store_end(&old, 99000);
    before = data_dump(m);
    open_must(m);
    assert_true(dumps_are_same(before, file_dump(file_in(&m->f, "data.mdb.schema-1"), NULL)));
}

/* ---- what is refused ---- */

static void a_reader_waits_for_the_writer(void **state)
{
    struct migration *m = *state;
    assert_int_equal(open_ret(m, STORE_READER), STATUS_SCHEMA);
    assert_non_null(strstr(m->fault.text, "old schema version 1"));
    open_must(m);
    assert_int_equal(open_ret(m, STORE_READER), 0);
}

static void assert_unchanged(struct migration *m, struct dump before)
{
    assert_true(dumps_are_same(before, data_dump(m)));
}

static void a_schema_that_nobody_knows_is_refused(void **state)
{
    struct migration *m = *state;
    fixture_raw_put(&m->f, "meta", SLICE("schema"), SLICE("\0\0\0\0"));
    struct dump before = data_dump(m);
    assert_int_equal(open_ret(m, STORE_WRITER), STATUS_SCHEMA);
    assert_non_null(strstr(m->fault.text, "schema version 0"));
    assert_unchanged(m, before);
}

static void a_damaged_old_record_stops_it(void **state)
{
    static const struct {
        const char *table;
        struct slice key, value;
    } cases[] = {
        {"domains", SLICE("opz.example"), SLICE("x")},
        {"domains", SLICE("opz.example"), SLICE("\x01\0\0\0\0\0\0\0\x01\0\x09")},
        {"addresses", SLICE("opa.example\0zoe"), SLICE("x")},
        {"addresses", SLICE("opa.example\0zoe"),
         SLICE("\x01\x02\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\x01z")},
        {"addresses", SLICE("opa.example\0zoe"),
         SLICE("\x01\0\0\xff\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\x01z")},
        {"journal", SLICE("\0\0\0\0\0\0\0\x01"), SLICE("\x01")},
        {"journal", SLICE("\0\0\0\0\0\0\0\x02"),
         SLICE("\x01\0\0\0\0\0\0\0\x01\x09\0\x01z\0\0\0\0\0\0")},
        {"meta", SLICE("position"), SLICE("x")},
    };
    struct migration *m = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fixture_raw_put(&m->f, cases[i].table, cases[i].key, cases[i].value);
        struct dump before = data_dump(m);
        if (open_ret(m, STORE_WRITER) != STATUS_CORRUPT)
            fail_msg("case %zu was not found: %s", i, m->fault.text);
        assert_unchanged(m, before);
        unlink(file_in(&m->f, "data.mdb.schema-1"));
        file_remove(file_in(&m->f, "data.mdb"));
        old_store_make(m->f.path);
    }
}

/* ---- many records: no room, or killed on the way ---- */

static void old_store_make_large(const char *path)
{
    struct old_store old;
    old_store_begin(&old, path);
    old_domain_add(&old, "opa.example", "192.0.2.1");
    for (int i = 0; i < LARGE_COUNT; i++) {
        char user[32];
        snprintf(user, sizeof(user), "u%05d", i);
        old_address_add(&old, user, "opa.example", 0, "", user);
    }
    old_store_end(&old, 77000);
}

static int large_setup(void **state)
{
    struct migration *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    fixture_make(&m->f, 64 * MIB);
    old_store_make_large(m->f.path);
    *state = m;
    return 0;
}

static size_t file_size(const struct migration *m)
{
    struct stat st;
    assert_int_equal(stat(file_in(&m->f, "data.mdb"), &st), 0);
    return (size_t)st.st_size;
}

static void a_map_without_room_is_told_and_nothing_changes(void **state)
{
    struct migration *m = *state;
    struct dump before = data_dump(m);
    m->f.conf.map_size = file_size(m) + (size_t)16 * 4096;
    assert_int_equal(open_ret(m, STORE_WRITER), STATUS_FULL);
    assert_non_null(strstr(m->fault.text, "raise the limit"));
    assert_unchanged(m, before);
    m->f.conf.map_size = 64 * MIB;
    open_must(m);
}

static void a_full_disk_is_told_and_nothing_changes(void **state)
{
    struct migration *m = *state;
    struct dump before = data_dump(m);
    growth_limit(65536); /* the copy does not fit */
    int ret = open_ret(m, STORE_WRITER);
    growth_allow();
    assert_int_equal(ret, -EFBIG);
    assert_non_null(strstr(m->fault.text, "data.mdb.schema-1"));
    assert_false(file_is_there(file_in(&m->f, "data.mdb.schema-1")));
    growth_limit(file_size(m)); /* the copy does, but not the new records */
    ret = open_ret(m, STORE_WRITER);
    growth_allow();
    assert_int_equal(ret, -EFBIG);
    assert_unchanged(m, before);
    open_must(m);
}

static void kill_round(struct migration *m, unsigned delay_us)
{
    int started[2];
    char octet;
    assert_int_equal(pipe(started), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        if (write(started[1], "x", 1) != 1 || open_ret(m, STORE_WRITER))
            _exit(1);
        pause();
    }
    close(started[1]);
    assert_int_equal(read(started[0], &octet, 1), 1);
    close(started[0]);
    usleep(delay_us);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Each round begins with the old store; it ends with the old one or the new one. */
static void killed_at_any_moment_it_is_the_old_or_the_new_store(void **state)
{
    struct migration *m = *state;
    unsigned random = 815;
    struct dump old_file = file_read(file_in(&m->f, "data.mdb"));
    open_must(m);
    struct dump new_records = data_dump(m);
    for (int round = 0; round < 12; round++) {
        unlink(file_in(&m->f, "data.mdb.schema-1"));
        file_write(file_in(&m->f, "data.mdb"), slice_make(old_file.p, old_file.len));
        random = random * 1103515245u + 12345u;
        kill_round(m, (random >> 8) % 40000);
        open_must(m);
        struct dump found = data_dump(m);
        assert_int_equal(found.len, new_records.len);
        assert_memory_equal(found.p, new_records.p, found.len);
        dump_free(found);
    }
    dump_free(old_file);
    dump_free(new_records);
}

/* ---- backups of that time ---- */

static void a_backup_of_the_old_schema_can_be_restored(void **state)
{
    struct migration *m = *state;
    char name[400];
    struct fixture other;
    fixture_make(&other, 64 * MIB);
    snprintf(name, sizeof(name), "%s", file_in(&m->f, "data.mdb"));
    assert_int_equal(store_restore(name, &other.conf, false, &m->fault), 0);
    fixture_open(&other);
    assert_true(fixture_has(&other, "alice@opa.example"));
    fixture_close(&other);
    file_remove(file_in(&other, "data.mdb.schema-1"));
    fixture_remove(&other);
    fixture_raw_put(&m->f, "addresses", SLICE("opa.example\0zoe"), SLICE("x"));
    fixture_make(&other, 64 * MIB);
    assert_int_equal(store_restore(name, &other.conf, false, &m->fault), STATUS_CORRUPT);
    assert_non_null(strstr(m->fault.text, "addresses"));
    fixture_remove(&other);
}

/* ---- schemas that lack tables, and nothing else ---- */

/* Version 2 is from before there were ports, 3 from before addresses had a mail address. */
static void store_age(struct fixture *f, uint8_t version)
{
    static const char *const tables[] = {"ports", "port_addresses", "ports_owed", "guards"};
    const char schema[] = {0, 0, 0, (char)version};
    fixture_close(f);
    for (size_t i = 0; version < 3 && i < COUNT_OF(tables); i++)
        fixture_raw_drop(f, tables[i]);
    fixture_raw_put(f, "meta", SLICE("schema"), slice_make(schema, sizeof(schema)));
}

static void aged_make(struct fixture *f, uint8_t version)
{
    fixture_make(f, 64 * MIB);
    fixture_open(f);
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_address_add(f, "alice@opa.example"), 0);
    store_age(f, version);
}

/* Its records are there, and it can do what it could not: protect an address. */
static void aged_must_serve(struct fixture *f)
{
    struct store_command command = {.op = STORE_GUARD_PUT,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "tester",
                                    .time_ms = 2000};
    struct store_fault fault;
    command.guard.address = address_of("alice@opa.example");
    command.guard.frozen = true;
    fixture_open(f);
    assert_true(fixture_has(f, "alice@opa.example"));
    assert_int_equal(fixture_submit(f, &command), 0);
    fixture_close(f);
    assert_int_equal(store_verify(file_in(f, "data.mdb"), &fault), 0);
}

static void a_store_that_lacks_tables_gets_them(void **state)
{
    (void)state;
    for (uint8_t version = 2; version < STORE_SCHEMA_VERSION; version++) {
        struct fixture f;
        aged_make(&f, version);
        aged_must_serve(&f);
        fixture_remove(&f);
    }
}

static void so_does_a_backup_that_is_restored(void **state)
{
    (void)state;
    for (uint8_t version = 2; version < STORE_SCHEMA_VERSION; version++) {
        struct fixture f, other;
        struct store_fault fault = {""};
        char name[400];
        aged_make(&f, version);
        snprintf(name, sizeof(name), "%s", file_in(&f, "data.mdb"));
        struct dump before = file_dump(name, NULL);
        fixture_make(&other, 64 * MIB);
        if (store_restore(name, &other.conf, false, &fault))
            fail_msg("schema %u: %s", (unsigned)version, fault.text);
        assert_true(dumps_are_same(before, file_dump(name, NULL)));
        aged_must_serve(&other);
        fixture_remove(&other);
        fixture_remove(&f);
    }
}

static void a_backup_that_lacks_more_than_that_is_refused(void **state)
{
    struct fixture f, other;
    struct store_fault fault = {""};
    char name[400];
    (void)state;
    aged_make(&f, 2);
    fixture_raw_drop(&f, "owners");
    snprintf(name, sizeof(name), "%s", file_in(&f, "data.mdb"));
    fixture_make(&other, 64 * MIB);
    assert_int_equal(store_restore(name, &other.conf, false, &fault), STATUS_CORRUPT);
    assert_non_null(strstr(fault.text, "lacks one of its tables"));
    fixture_remove(&other);
    fixture_remove(&f);
}

#define MIGRATE_TEST(name) cmocka_unit_test_setup_teardown(name, migrate_setup, migrate_teardown)
#define LARGE_TEST(name)   cmocka_unit_test_setup_teardown(name, large_setup, migrate_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MIGRATE_TEST(every_record_is_there),
        MIGRATE_TEST(domains_get_the_defaults_of_today),
        MIGRATE_TEST(token_keys_stay),
        MIGRATE_TEST(the_journal_stays_without_its_texts),
        MIGRATE_TEST(commands_go_on_where_they_were),
        MIGRATE_TEST(it_happens_once),
        MIGRATE_TEST(an_empty_old_store_becomes_a_new_one),
        MIGRATE_TEST(a_copy_of_the_old_store_is_kept),
        MIGRATE_TEST(a_copy_that_is_there_is_kept_as_it_is),
        MIGRATE_TEST(a_copy_of_something_else_is_replaced),
        MIGRATE_TEST(a_reader_waits_for_the_writer),
        MIGRATE_TEST(a_schema_that_nobody_knows_is_refused),
        MIGRATE_TEST(a_damaged_old_record_stops_it),
        LARGE_TEST(a_map_without_room_is_told_and_nothing_changes),
        LARGE_TEST(a_full_disk_is_told_and_nothing_changes),
        LARGE_TEST(killed_at_any_moment_it_is_the_old_or_the_new_store),
        MIGRATE_TEST(a_backup_of_the_old_schema_can_be_restored),
        cmocka_unit_test(a_store_that_lacks_tables_gets_them),
        cmocka_unit_test(so_does_a_backup_that_is_restored),
        cmocka_unit_test(a_backup_that_lacks_more_than_that_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
