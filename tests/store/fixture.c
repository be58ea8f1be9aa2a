#include "tests/store/fixture.h"

#include "base/status.h"

#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t fixture_clock(void *arg)
{
    struct fixture *fixture = arg;
    return atomic_load(&fixture->now_ms);
}

void fixture_in_memory(void)
{
    const char *memory = getenv("JUNCTOR_MEMORY");
    if (memory && *memory)
        setenv("TMPDIR", memory, 1);
}

void fixture_make(struct fixture *fixture, size_t map_size)
{
    const char *tmp = getenv("TMPDIR");
    memset(fixture, 0, sizeof(*fixture));
    snprintf(fixture->path, sizeof(fixture->path), "%s/junctor-store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(fixture->path));
    fixture->conf.path = fixture->path;
    fixture->conf.map_size = map_size;
    fixture->conf.clock = fixture_clock;
    fixture->conf.arg = fixture;
    fixture->conf.key_age_ms = UINT64_MAX; /* commands are at 1 s, and their key is to stay */
    atomic_store(&fixture->now_ms, (uint64_t)10 * 24 * 3600 * 1000);
}

void fixture_open(struct fixture *fixture)
{
    struct store_fault fault = {""};
    if (store_open(&fixture->conf, STORE_WRITER, &fixture->store, &fault))
        fail_msg("%s", fault.text);
    assert_int_equal(store_reader_alloc(fixture->store, &fixture->reader), 0);
}

void fixture_close(struct fixture *fixture)
{
    fixture->reader = store_reader_free(fixture->reader);
    store_close(fixture->store);
    fixture->store = NULL;
}

void fixture_remove(struct fixture *fixture)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "writer.lock"};
    char name[300];
    fixture_close(fixture);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", fixture->path, files[i]);
        unlink(name);
    }
    assert_int_equal(rmdir(fixture->path), 0);
}

/* Opened with LMDB alone, with room for the tables of any schema. */
static MDB_env *raw_begin(struct fixture *f, MDB_txn **txn)
{
    MDB_env *env;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 32), 0);
    assert_int_equal(mdb_env_open(env, f->path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, txn), 0);
    return env;
}

static void raw_end(MDB_env *env, MDB_txn *txn)
{
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

void fixture_raw_put(struct fixture *f, const char *table, struct slice key, struct slice value)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {key.len, (void *)key.p}, v = {value.len, (void *)value.p};
    MDB_env *env = raw_begin(f, &txn);
    assert_int_equal(mdb_dbi_open(txn, table, MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    raw_end(env, txn);
}

void fixture_raw_drop(struct fixture *f, const char *table)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_env *env = raw_begin(f, &txn);
    assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
    assert_int_equal(mdb_drop(txn, dbi, 1), 0);
    raw_end(env, txn);
}

int fixture_setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));
    assert_non_null(fixture);
    fixture_make(fixture, (size_t)64 << 20);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture_remove(*state);
    free(*state);
    return 0;
}

struct store_address address_of(const char *text)
{
    struct store_address address;
    struct store_fault fault;
    if (store_address_parse(slice_of(text), &address, &fault))
        fail_msg("%s: %s", text, fault.text);
    return address;
}

static struct store_command command_of(enum store_op op)
{
    return (struct store_command){
        .op = op, .expected_version = STORE_ANY_VERSION, .actor = "tester", .time_ms = 1000};
}

struct store_command command_domain(enum store_op op, const char *name, const char *core)
{
    struct store_command command = command_of(op);
    snprintf(command.domain.name, sizeof(command.domain.name), "%s", name);
    snprintf(command.domain.cores[0].host, sizeof(command.domain.cores[0].host), "%s", core);
    command.domain.cores[0].port = 5060;
    command.domain.core_count = 1;
    return command;
}

struct store_command command_address(enum store_op op, const char *address,
                                     enum store_address_state state, const char *hosting)
{
    struct store_command command = command_of(op);
    struct store_record *record = &command.record;
    record->address = address_of(address);
    record->state = state;
    snprintf(record->hosting, sizeof(record->hosting), "%s", hosting);
    snprintf(record->display, sizeof(record->display), "%s", address);
    return command;
}

struct store_command command_key(uint8_t octet)
{
    struct store_command command = command_of(STORE_KEY_ADD);
    memset(command.key.secret, octet, sizeof(command.key.secret));
    return command;
}

int fixture_submit(struct fixture *fixture, const struct store_command *command)
{
    struct store_verdict verdict;
    assert_int_equal(store_submit(fixture->store, command, &verdict), 0);
    return verdict.status;
}

int fixture_domain_add(struct fixture *fixture, const char *name)
{
    struct store_command command = command_domain(STORE_DOMAIN_ADD, name, "192.0.2.1");
    return fixture_submit(fixture, &command);
}

int fixture_address_add(struct fixture *fixture, const char *address)
{
    struct store_address parsed = address_of(address);
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, address, STORE_ADDRESS_HOSTED, parsed.domain);
    return fixture_submit(fixture, &command);
}

bool fixture_has(struct fixture *fixture, const char *text)
{
    struct store_address address = address_of(text);
    struct store_record record;
    assert_int_equal(store_reader_begin(fixture->reader), 0);
    int ret = store_address_get(fixture->reader, &address, &record);
    store_reader_end(fixture->reader);
    assert_true(ret == 0 || ret == STATUS_NOTFOUND);
    return ret == 0 && record.state != STORE_ADDRESS_TOMBSTONE;
}

struct store_stats fixture_stats(struct fixture *fixture)
{
    struct store_stats stats;
    assert_int_equal(store_reader_begin(fixture->reader), 0);
    assert_int_equal(store_stats_get(fixture->reader, &stats), 0);
    store_reader_end(fixture->reader);
    return stats;
}
