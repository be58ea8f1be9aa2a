/* Bulk load: what it makes is what commands would have made, or nothing. */
#include "base/status.h"
#include "store/bulk.h"
#include "tests/store/files.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB   ((size_t)1 << 20)
#define COUNT 3000 /* addresses of most tests: some by the lane and some without */

struct bulk {
    struct fixture f;
    struct store_bulk *load;
    struct store_fault fault;
};

static int bulk_setup(void **state)
{
    struct bulk *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    fixture_make(&b->f, 64 * MIB);
    *state = b;
    return 0;
}

static int bulk_teardown(void **state)
{
    struct bulk *b = *state;
    store_bulk_abort(b->load);
    fixture_remove(&b->f); /* and nothing was left behind */
    free(b);
    return 0;
}

static int begin(struct bulk *b)
{
    b->fault.text[0] = '\0';
    return store_bulk_begin(&b->f.conf, "loader", 5000, &b->load, &b->fault);
}

static void begin_must(struct bulk *b)
{
    if (begin(b))
        fail_msg("%s", b->fault.text);
}

static int commit(struct bulk *b)
{
    int ret = store_bulk_commit(b->load, &b->fault);
    b->load = NULL;
    return ret;
}

static void commit_must(struct bulk *b)
{
    if (commit(b))
        fail_msg("%s", b->fault.text);
}

static int domain_put(struct bulk *b, const char *name)
{
    struct store_command command = command_domain(STORE_DOMAIN_ADD, name, "192.0.2.1");
    return store_bulk_domain(b->load, &command.domain);
}

/* ---- records of every state, by number ---- */

static struct store_record record_of(int i)
{
    char name[64];
    snprintf(name, sizeof(name), "u%06d@%s", i, i % 3 == 2 ? "opb.example" : "opa.example");
    struct store_address address = address_of(name);
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, name, STORE_ADDRESS_HOSTED, address.domain);
    struct store_record record = command.record;
    if (i % 5)
        snprintf(record.owner, sizeof(record.owner), "owner-%d", i * 7919 % 101);
    if (i % 7 == 0)
        strcpy(record.display, "Somebody");
    if (i % 11 == 0) {
        record.state = STORE_ADDRESS_PORTED_OUT;
        strcpy(record.hosting, "elsewhere.example");
    }
    return record;
}

/* The rarer ones: foreign addresses and aliases. */
static struct store_record rare_of(int i)
{
    static const enum store_address_state states[] = {
        STORE_ADDRESS_PORTED_IN, STORE_ADDRESS_PREPARED, STORE_ADDRESS_MOVED, STORE_ADDRESS_ALIAS};
    char name[64];
    enum store_address_state state = states[i % 4];
    bool is_alias = state == STORE_ADDRESS_ALIAS;
    snprintf(name, sizeof(name), "r%06d@%s", i, is_alias ? "opa.example" : "foreign.example");
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, name, state,
                        state == STORE_ADDRESS_MOVED ? "elsewhere.example" : "opa.example");
    if (is_alias)
        command.record.target = address_of("u000001@opa.example");
    if (state == STORE_ADDRESS_MOVED)
        command.record.until_ms = UINT64_MAX - (uint64_t)i;
    snprintf(command.record.owner, sizeof(command.record.owner), "owner-%d", i % 3);
    return command.record;
}

static void load_must(struct bulk *b, const struct store_record *record)
{
    int ret = store_bulk_address(b->load, record);
    if (ret)
        fail_msg("%s@%s: %s", record->address.user, record->address.domain, status_text(ret));
}

/* In an order of which `step` tells: 1 is sorted within each domain. */
static void all_load(struct bulk *b, int step)
{
    begin_must(b);
    assert_int_equal(domain_put(b, "opa.example"), 0);
    assert_int_equal(domain_put(b, "opb.example"), 0);
    for (int i = 0; i < COUNT; i++) {
        struct store_record record = record_of((int)((long)i * step % COUNT));
        load_must(b, &record);
    }
    for (int i = 0; i < 40; i++) {
        struct store_record record = rare_of(i);
        load_must(b, &record);
    }
    commit_must(b);
}

/* ---- what is made ---- */

static const char *const index_tables[] = {"owners", "links", "guests", "deadlines", NULL};
static const char *const record_tables[] = {"addresses", "domains", NULL};

static void command_submit(struct fixture *f, const struct store_record *record)
{
    struct store_command command = {.op = STORE_ADDRESS_ADD,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "tester",
                                    .time_ms = 1000,
                                    .record = *record};
    assert_int_equal(fixture_submit(f, &command), 0);
}

static void indexes_are_those_of_commands(void **state)
{
    struct bulk *b = *state;
    struct fixture other;
    fixture_make(&other, 64 * MIB);
    fixture_open(&other);
    assert_int_equal(fixture_domain_add(&other, "opa.example"), 0);
    assert_int_equal(fixture_domain_add(&other, "opb.example"), 0);
    for (int i = 0; i < 400; i++) {
        struct store_record record = record_of(i);
        command_submit(&other, &record);
    }
    for (int i = 0; i < 40; i++) {
        struct store_record record = rare_of(i);
        command_submit(&other, &record);
    }
    fixture_close(&other);
    begin_must(b);
    assert_int_equal(domain_put(b, "opa.example"), 0);
    assert_int_equal(domain_put(b, "opb.example"), 0);
    for (int i = 0; i < 40; i++) {
        struct store_record record = rare_of(i); /* aliases before their target */
        load_must(b, &record);
    }
    for (int i = 0; i < 400; i++) {
        struct store_record record = record_of(i);
        load_must(b, &record);
    }
    commit_must(b);
    assert_true(dumps_are_same(file_dump(file_in(&b->f, "data.mdb"), index_tables),
                               file_dump(file_in(&other, "data.mdb"), index_tables)));
    fixture_remove(&other);
}

/* All but what tells when it was loaded. */
static void assert_same_record(const struct store_record *loaded, const struct store_record *given)
{
    assert_int_equal(loaded->state, given->state);
    assert_string_equal(loaded->address.user, given->address.user);
    assert_string_equal(loaded->address.domain, given->address.domain);
    assert_string_equal(loaded->hosting, given->hosting);
    assert_string_equal(loaded->owner, given->owner);
    assert_string_equal(loaded->display, given->display);
    assert_string_equal(loaded->target.user, given->target.user);
    assert_int_equal(loaded->until_ms, given->until_ms);
    assert_false(loaded->has_auth);
}

static void assert_loaded(struct bulk *b, const struct store_record *given)
{
    struct store_record record;
    assert_int_equal(store_address_get(b->f.reader, &given->address, &record), 0);
    assert_same_record(&record, given);
    assert_int_equal(record.version, 1);
    assert_int_equal(record.created_ms, 5000);
}

static void every_address_is_there_as_given(void **state)
{
    struct bulk *b = *state;
    all_load(b, 1);
    fixture_open(&b->f);
    assert_int_equal(fixture_stats(&b->f).addresses, COUNT + 40);
    assert_int_equal(store_reader_begin(b->f.reader), 0);
    for (int i = 0; i < COUNT; i++) {
        struct store_record record = record_of(i);
        assert_loaded(b, &record);
    }
    for (int i = 0; i < 40; i++) {
        struct store_record record = rare_of(i);
        assert_loaded(b, &record);
    }
    store_reader_end(b->f.reader);
    assert_int_equal(fixture_address_add(&b->f, "later@opa.example"), 0);
}

/* Loaded by us, restored by us: the check of a restore looks at every record and index. */
static void what_was_loaded_is_a_whole_store(void **state)
{
    struct bulk *b = *state;
    all_load(b, 7);
    assert_int_equal(store_verify(file_in(&b->f, "data.mdb"), &b->fault), 0);
}

static void the_order_makes_no_difference(void **state)
{
    static const int steps[] = {7, 1001, COUNT - 1};
    struct bulk *b = *state;
    all_load(b, 1);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct dump sorted = file_dump(file_in(&b->f, "data.mdb"), record_tables);
        struct dump indexes = file_dump(file_in(&b->f, "data.mdb"), index_tables);
        file_remove(file_in(&b->f, "data.mdb"));
        all_load(b, steps[i]);
        assert_true(dumps_are_same(sorted, file_dump(file_in(&b->f, "data.mdb"), record_tables)));
        assert_true(dumps_are_same(indexes, file_dump(file_in(&b->f, "data.mdb"), index_tables)));
    }
}

struct entries {
    unsigned count;
    char text[2][200];
};

static bool entry_keep(const struct store_journal_entry *entry, void *arg)
{
    struct entries *entries = arg;
    assert_string_equal(entry->what, "bulk_load");
    assert_string_equal(entry->actor, "loader");
    assert_int_equal(entry->kind, STORE_KIND_STORE);
    assert_int_equal(entry->time_ms, 5000);
    assert_null(entry->before);
    assert_null(entry->after);
    entries->count++;
    snprintf(entries->text[0], sizeof(entries->text[0]), "%s", entry->key);
    return true;
}

static void journal_text(struct bulk *b, int step, char text[200])
{
    struct entries entries = {.count = 0};
    all_load(b, step);
    fixture_open(&b->f);
    assert_int_equal(store_reader_begin(b->f.reader), 0);
    assert_int_equal(store_journal_read(b->f.reader, 0, 9, entry_keep, &entries), 0);
    store_reader_end(b->f.reader);
    fixture_close(&b->f);
    assert_int_equal(entries.count, 1);
    memcpy(text, entries.text[0], sizeof(entries.text[0]));
    file_remove(file_in(&b->f, "data.mdb"));
}

static void one_journal_entry_tells_count_and_hash(void **state)
{
    struct bulk *b = *state;
    char first[200], second[200], other[200];
    journal_text(b, 1, first);
    journal_text(b, 1, second);
    journal_text(b, 7, other);
    assert_non_null(strstr(first, "3040 addresses and 2 domains loaded, SHA-256 "));
    assert_int_equal(strlen(strstr(first, "SHA-256 ")), 8 + 64);
    assert_string_equal(first, second);
    assert_string_not_equal(first, other); /* they came in another order */
}

static void what_was_there_stays(void **state)
{
    struct bulk *b = *state;
    struct store_domain domain;
    struct store_key key;
    fixture_open(&b->f);
    assert_int_equal(fixture_domain_add(&b->f, "old.example"), 0);
    struct store_command command = command_key(9);
    assert_int_equal(fixture_submit(&b->f, &command), 0);
    fixture_close(&b->f);
    begin_must(b);
    assert_int_equal(domain_put(b, "old.example"), STATUS_EXISTS);
    assert_int_equal(domain_put(b, "opa.example"), 0);
    struct store_record record = record_of(1);
    load_must(b, &record);
    commit_must(b);
    fixture_open(&b->f);
    assert_int_equal(fixture_stats(&b->f).last_sequence, 3);
    assert_int_equal(fixture_stats(&b->f).domains, 2);
    assert_int_equal(store_reader_begin(b->f.reader), 0);
    assert_int_equal(store_domain_get(b->f.reader, "old.example", &domain), 0);
    assert_int_equal(domain.version, 1);
    assert_int_equal(store_domain_get(b->f.reader, "opa.example", &domain), 0);
    assert_int_equal(domain.version, 3);
    assert_int_equal(store_address_get(b->f.reader, &record.address, &record), 0);
    assert_int_equal(record.version, 3);
    assert_int_equal(store_key_current(b->f.reader, &key), 0);
    assert_int_equal(key.secret[0], 9);
    store_reader_end(b->f.reader);
}

/* More owners than are sorted at a time: the second lot goes between the first. */
static void owners_come_in_more_than_one_lot(void **state)
{
    struct bulk *b = *state;
    struct bulk_file file = {.owners = {.max = 10}};
    fixture_open(&b->f);
    fixture_close(&b->f);
    assert_int_equal(
        store_copy_open(&file.store, file_in(&b->f, "data.mdb"), 0, 64 * MIB, &b->fault), 0);
    assert_int_equal(store_schema_open(&file.store, NULL, &b->fault), 0);
    assert_int_equal(bulk_file_begin(&file), 0);
    for (int i = 0; i < 100; i++) {
        char key[32], owner[16];
        int key_len = snprintf(key, sizeof(key), "opa.example%cu%03d", 0, i);
        snprintf(owner, sizeof(owner), "o%02d", i * 37 % 100);
        struct bulk_address address = {.key = slice_make(key, (size_t)key_len),
                                       .value = SLICE("value"),
                                       .owner = slice_of(owner)};
        assert_int_equal(bulk_file_insert(&file, &address, true), 0);
    }
    assert_int_equal(bulk_file_owners(&file), 0);
    uint64_t count;
    assert_int_equal(store_count(&file.txn, TABLE_OWNERS, &count), 0);
    assert_int_equal(count, 100);
    bulk_file_done(&file);
}

/* ---- what is refused ---- */

static void a_record_that_no_command_could_add_is_refused(void **state)
{
    struct bulk *b = *state;
    begin_must(b);
    assert_int_equal(domain_put(b, "opa.example"), 0);
    assert_int_equal(domain_put(b, "opa.example"), STATUS_EXISTS);
    assert_int_equal(domain_put(b, "Opa.example"), STATUS_MALFORMED);
    for (int i = 0; i < 10; i++) { /* by the lane, some of it */
        struct store_record record = record_of(3 * i + 1);
        load_must(b, &record);
    }
    struct store_record record = record_of(1);
    assert_int_equal(store_bulk_address(b->load, &record), STATUS_EXISTS);
    record = record_of(28);
    assert_int_equal(store_bulk_address(b->load, &record), STATUS_EXISTS); /* the last one */
    strcpy(record.address.user, "UPPER");
    assert_int_equal(store_bulk_address(b->load, &record), STATUS_MALFORMED);
    record = record_of(2); /* of a domain that is not there */
    assert_int_equal(store_bulk_address(b->load, &record), STATUS_NOTFOUND);
    record = record_of(100);
    record.state = STORE_ADDRESS_TOMBSTONE;
    assert_int_equal(store_bulk_address(b->load, &record), STATUS_MALFORMED);
    record.state = STORE_ADDRESS_PORTED_OUT; /* but it is hosted at home */
    assert_int_equal(store_bulk_address(b->load, &record), STATUS_MALFORMED);
    record = rare_of(0);
    load_must(b, &record);
    assert_int_equal(domain_put(b, "foreign.example"), STATUS_INUSE);
    commit_must(b);
    fixture_open(&b->f);
    assert_int_equal(fixture_stats(&b->f).addresses, 11);
}

static void alias_load(struct bulk *b, const char *alias, const char *target)
{
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, alias, STORE_ADDRESS_ALIAS, "opa.example");
    command.record.target = address_of(target);
    load_must(b, &command.record);
}

static void aliases_must_lead_somewhere(void **state)
{
    struct bulk *b = *state;
    begin_must(b);
    assert_int_equal(domain_put(b, "opa.example"), 0);
    alias_load(b, "a@opa.example", "far@elsewhere.example"); /* its authority's business */
    alias_load(b, "b@opa.example", "nobody@opa.example");
    assert_int_equal(commit(b), STATUS_NOTFOUND);
    assert_non_null(strstr(b->fault.text, "b@opa.example leads to nobody@opa.example"));
    begin_must(b);
    assert_int_equal(domain_put(b, "opa.example"), 0);
    alias_load(b, "a@opa.example", "b@opa.example");
    alias_load(b, "b@opa.example", "c@opa.example");
    alias_load(b, "c@opa.example", "a@opa.example");
    assert_int_equal(commit(b), STATUS_LOOP);
    assert_non_null(strstr(b->fault.text, "opa.example leads to "));
    fixture_open(&b->f);
    assert_int_equal(fixture_stats(&b->f).addresses, 0);
    assert_int_equal(fixture_stats(&b->f).domains, 0);
    assert_int_equal(folder_count(b->f.path), 3);
}

static void a_store_with_addresses_is_refused(void **state)
{
    struct bulk *b = *state;
    all_load(b, 1);
    assert_int_equal(begin(b), -EEXIST);
    assert_non_null(strstr(b->fault.text, "has 3040 addresses"));
    assert_int_equal(folder_count(b->f.path), 3);
}

static void a_store_that_is_open_is_busy(void **state)
{
    struct bulk *b = *state;
    fixture_open(&b->f);
    assert_int_equal(begin(b), -EBUSY);
    fixture_close(&b->f);
    begin_must(b);
    struct store *store;
    assert_int_equal(store_open(&b->f.conf, STORE_WRITER, &store, &b->fault), -EBUSY);
    store_bulk_abort(b->load);
    b->load = NULL;
    assert_int_equal(store_open(&b->f.conf, STORE_WRITER, &store, &b->fault), 0);
    store_close(store);
}

static void an_aborted_load_leaves_nothing(void **state)
{
    struct bulk *b = *state;
    fixture_open(&b->f);
    assert_int_equal(fixture_domain_add(&b->f, "opa.example"), 0);
    fixture_close(&b->f);
    struct dump before = file_dump(file_in(&b->f, "data.mdb"), NULL);
    begin_must(b);
    for (int i = 0; i < COUNT; i += 3) {
        struct store_record record = record_of(i);
        load_must(b, &record);
    }
    store_bulk_abort(b->load);
    b->load = NULL;
    assert_int_equal(folder_count(b->f.path), 3);
    assert_true(dumps_are_same(before, file_dump(file_in(&b->f, "data.mdb"), NULL)));
}

/* ---- no room ---- */

/* Loads until it is refused or ends; the commit fails at the latest. */
static int load_all_ret(struct bulk *b)
{
    int ret = domain_put(b, "opa.example");
    for (int i = 0; ret == 0 && i < 300000; i++) {
        struct store_record record = record_of(1);
        snprintf(record.address.user, sizeof(record.address.user), "u%06d", i);
        ret = store_bulk_address(b->load, &record);
    }
    int last = commit(b);
    assert_true(ret == 0 || ret == last);
    return last;
}

static void a_disk_that_is_full_changes_nothing(void **state)
{
    struct bulk *b = *state;
    fixture_open(&b->f);
    fixture_close(&b->f);
    struct dump before = file_dump(file_in(&b->f, "data.mdb"), NULL);
    begin_must(b);
    growth_limit(5 * MIB);
    int ret = load_all_ret(b);
    growth_allow();
    assert_int_equal(ret, -EFBIG);
    assert_non_null(strstr(b->fault.text, "nothing was changed"));
    assert_true(dumps_are_same(before, file_dump(file_in(&b->f, "data.mdb"), NULL)));
    assert_int_equal(folder_count(b->f.path), 3);
}

static void a_map_that_is_full_changes_nothing(void **state)
{
    struct bulk *b = *state;
    b->f.conf.map_size = 4 * MIB;
    fixture_open(&b->f);
    fixture_close(&b->f);
    struct dump before = file_dump(file_in(&b->f, "data.mdb"), NULL);
    begin_must(b);
    assert_int_equal(load_all_ret(b), STATUS_FULL);
    assert_true(dumps_are_same(before, file_dump(file_in(&b->f, "data.mdb"), NULL)));
    assert_int_equal(folder_count(b->f.path), 3);
    fixture_open(&b->f);
    assert_int_equal(fixture_domain_add(&b->f, "opa.example"), 0);
}

/* ---- being killed ---- */

#define VICTIM_COUNT 20000

/* Loads, and tells of every thousandth address and of the end. */
static void victim_process(const struct store_conf *conf, int told)
{
    struct bulk b = {.f.conf = *conf};
    if (begin(&b) || domain_put(&b, "opa.example"))
        _exit(1);
    struct store_record record = record_of(1);
    for (int i = 0; i < VICTIM_COUNT; i++) {
        snprintf(record.address.user, sizeof(record.address.user), "u%06d", i);
        if (store_bulk_address(b.load, &record))
            _exit(2);
        if (i % 1000 == 0 && write(told, "x", 1) != 1)
            _exit(3);
    }
    if (write(told, "x", 1) != 1 || commit(&b))
        _exit(4);
    pause();
}

/* Kills it after `count` words of it, and a moment later. Returns how many addresses there are. */
static uint64_t kill_round(struct bulk *b, unsigned count, unsigned delay_us)
{
    int told[2], status;
    char octet;
    assert_int_equal(pipe(told), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
        victim_process(&b->f.conf, told[1]);
    }
    close(told[1]);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(read(told[0], &octet, 1), 1);
    usleep(delay_us);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(told[0]);
    fixture_open(&b->f);
    uint64_t addresses = fixture_stats(&b->f).addresses;
    fixture_close(&b->f);
    assert_int_equal(store_verify(file_in(&b->f, "data.mdb"), &b->fault), 0);
    return addresses;
}

static void a_load_killed_at_any_moment_is_whole_or_was_not(void **state)
{
    struct bulk *b = *state;
    unsigned random = 31337;
    for (int round = 0; round < 24; round++) {
        random = random * 1103515245u + 12345u;
        bool is_late = round % 2; /* at the end there is most to interrupt */
        unsigned count = is_late ? VICTIM_COUNT / 1000 + 1 : (random >> 8) % 20;
        uint64_t addresses = kill_round(b, count, (random >> 12) % 12000);
        assert_true(addresses == 0 || addresses == VICTIM_COUNT);
        if (addresses)
            file_remove(file_in(&b->f, "data.mdb"));
    }
    begin_must(b); /* what was left lying does not matter, */
    store_bulk_abort(b->load);
    b->load = NULL;
    assert_int_equal(folder_count(b->f.path), 3); /* and is gone */
}

/* ---- sorting ---- */

static void assert_sorted(struct store_sorter *sorter)
{
    store_sorter_sort(sorter);
    for (size_t i = 1; i < sorter->count; i++)
        assert_true(
            store_key_compare(store_sorter_key(sorter, i - 1), store_sorter_key(sorter, i)) <= 0);
}

/* Keys that share much, differ late, end early or are the same. */
static void keys_of_any_kind_are_sorted(void **state)
{
    static const char *const formats[] = {"%u", "customer-%u", "customer-number-%08u-at-home",
                                          "%c%u"};
    struct store_sorter sorter = {.max = 5000};
    unsigned random = 1;
    (void)state;
    for (size_t kind = 0; kind <= COUNT_OF(formats); kind++) {
        uint64_t sum = 0, sorted_sum = 0;
        for (int i = 0; i < 5000; i++) {
            char key[64];
            random = random * 1103515245u + 12345u;
            size_t format = kind < COUNT_OF(formats) ? kind : random % COUNT_OF(formats);
            int len = format == 3
                          ? snprintf(key, sizeof(key), formats[3], random >> 24, random >> 4)
                          : snprintf(key, sizeof(key), formats[format], (random >> 8) % 3000);
            assert_int_equal(store_sorter_add(&sorter, slice_make(key, (size_t)len)), 0);
            sum += (uint8_t)key[len - 1] * (uint64_t)len;
        }
        assert_int_equal(store_sorter_add(&sorter, SLICE("one more")), -ENOBUFS);
        assert_sorted(&sorter);
        for (size_t i = 0; i < sorter.count; i++) {
            struct slice key = store_sorter_key(&sorter, i);
            sorted_sum += (uint8_t)key.p[key.len - 1] * (uint64_t)key.len;
        }
        assert_int_equal(sum, sorted_sum);
        store_sorter_clear(&sorter);
    }
    store_sorter_free(&sorter);
}

#define BULK_TEST(name) cmocka_unit_test_setup_teardown(name, bulk_setup, bulk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BULK_TEST(indexes_are_those_of_commands),
        BULK_TEST(every_address_is_there_as_given),
        BULK_TEST(what_was_loaded_is_a_whole_store),
        BULK_TEST(the_order_makes_no_difference),
        BULK_TEST(one_journal_entry_tells_count_and_hash),
        BULK_TEST(what_was_there_stays),
        BULK_TEST(owners_come_in_more_than_one_lot),
        BULK_TEST(a_record_that_no_command_could_add_is_refused),
        BULK_TEST(aliases_must_lead_somewhere),
        BULK_TEST(a_store_with_addresses_is_refused),
        BULK_TEST(a_store_that_is_open_is_busy),
        BULK_TEST(an_aborted_load_leaves_nothing),
        BULK_TEST(a_disk_that_is_full_changes_nothing),
        BULK_TEST(a_map_that_is_full_changes_nothing),
        BULK_TEST(a_load_killed_at_any_moment_is_whole_or_was_not),
        cmocka_unit_test(keys_of_any_kind_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
