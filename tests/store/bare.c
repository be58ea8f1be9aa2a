#include "tests/store/bare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void tables_open(struct bare *bare)
{
    for (int i = 0; i < TABLE_COUNT; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(mdb_dbi_open(bare->txn.txn, name, MDB_CREATE, &bare->store.tables[i]), 0);
    }
}

int bare_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    struct bare *bare = calloc(1, sizeof(*bare));
    assert_non_null(bare);
    snprintf(bare->path, sizeof(bare->path), "%s/junctor-bare-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(bare->path));
    assert_int_equal(mdb_env_create(&bare->store.env), 0);
    assert_int_equal(mdb_env_set_maxdbs(bare->store.env, TABLE_COUNT), 0);
    assert_int_equal(mdb_env_open(bare->store.env, bare->path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(bare->store.env, NULL, 0, &bare->txn.txn), 0);
    bare->txn.store = &bare->store;
    tables_open(bare);
    bare->reader = (struct store_reader){.txn = bare->txn, .depth = 1};
    *state = bare;
    return 0;
}

int bare_teardown(void **state)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    struct bare *bare = *state;
    mdb_txn_abort(bare->txn.txn);
    mdb_env_close(bare->store.env);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char name[300];
        snprintf(name, sizeof(name), "%s/%s", bare->path, files[i]);
        unlink(name);
    }
    assert_int_equal(rmdir(bare->path), 0);
    free(bare);
    return 0;
}
