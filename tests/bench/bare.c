#include "tests/bench/bare.h"

#include "tests/bench/bench.h"
#include "tests/bench/load.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define TABLE       "addresses"
#define TXN_RECORDS 65536

static void must(int rc, const char *what)
{
    if (rc)
        bench_fail("%s: %s", what, mdb_strerror(rc));
}

static MDB_env *env_open(const char *path, unsigned flags)
{
    MDB_env *env;
    must(mdb_env_create(&env), "mdb_env_create");
    must(mdb_env_set_maxdbs(env, 32), "mdb_env_set_maxdbs");
    must(mdb_env_set_mapsize(env, LOAD_MAP_SIZE), "mdb_env_set_mapsize");
    must(mdb_env_open(env, path, flags | MDB_NOTLS, 0600), "mdb_env_open");
    return env;
}

/* ---- the records ---- */

static void record_add(struct bare_records *records, size_t count, const MDB_val *key,
                       const MDB_val *value)
{
    if (records->count == 0) {
        records->key_len = key->mv_size;
        records->value_len = value->mv_size;
        records->bytes = malloc(count * (key->mv_size + value->mv_size));
        if (!records->bytes)
            bench_fail("no memory for %zu records", count);
    }
    if (key->mv_size != records->key_len || value->mv_size != records->value_len)
        bench_fail("the store's records are not all as long");
    memcpy(records->bytes + records->len, key->mv_data, key->mv_size);
    memcpy(records->bytes + records->len + key->mv_size, value->mv_data, value->mv_size);
    records->len += key->mv_size + value->mv_size;
    records->count++;
}

void bare_records_read(struct bare_records *records, const char *store_path)
{
    MDB_env *env = env_open(store_path, MDB_RDONLY);
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_stat stat;
    MDB_txn *txn;
    MDB_dbi table;
    *records = (struct bare_records){.count = 0};
    must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "mdb_txn_begin");
    must(mdb_dbi_open(txn, TABLE, 0, &table), "mdb_dbi_open");
    must(mdb_stat(txn, table, &stat), "mdb_stat");
    must(mdb_cursor_open(txn, table, &cursor), "mdb_cursor_open");
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0)
        record_add(records, stat.ms_entries, &key, &value);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    mdb_env_close(env);
}

void bare_records_done(struct bare_records *records)
{
    free(records->bytes);
    records->bytes = NULL;
}

/* ---- writing ---- */

static MDB_val next_val(const char **p, size_t len)
{
    MDB_val val = {len, (void *)*p};
    *p += len;
    return val;
}

void bare_append(const struct bare_records *records, const char *path)
{
    MDB_env *env = env_open(path, 0);
    const char *p = records->bytes;
    MDB_txn *txn;
    MDB_dbi table;
    must(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
    must(mdb_dbi_open(txn, TABLE, MDB_CREATE, &table), "mdb_dbi_open");
    for (size_t i = 0; i < records->count; i++) {
        MDB_val key = next_val(&p, records->key_len), value = next_val(&p, records->value_len);
        must(mdb_put(txn, table, &key, &value, MDB_APPEND), "mdb_put");
    }
    must(mdb_txn_commit(txn), "mdb_txn_commit");
    mdb_env_close(env);
}

/* With a cursor, in transactions that fit the processor's cache, flushed once. */
static void records_append(const struct bare_records *records, MDB_env *env)
{
    const char *p = records->bytes;
    for (size_t left = records->count; left;) {
        MDB_cursor *cursor;
        MDB_txn *txn;
        MDB_dbi table;
        must(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
        must(mdb_dbi_open(txn, TABLE, MDB_CREATE, &table), "mdb_dbi_open");
        must(mdb_cursor_open(txn, table, &cursor), "mdb_cursor_open");
        for (size_t i = 0; i < TXN_RECORDS && left; i++, left--) {
            MDB_val key = next_val(&p, records->key_len), value = next_val(&p, records->value_len);
            must(mdb_cursor_put(cursor, &key, &value, MDB_APPEND), "mdb_cursor_put");
        }
        must(mdb_txn_commit(txn), "mdb_txn_commit");
    }
}

void bare_append_tuned(const struct bare_records *records, const char *path)
{
    MDB_env *env = env_open(path, MDB_NOSYNC);
    records_append(records, env);
    must(mdb_env_sync(env, 1), "mdb_env_sync");
    mdb_env_close(env);
}

/* ---- reading ---- */

void bare_open(struct bare *bare, const char *path)
{
    bare->env = env_open(path, MDB_RDONLY);
    must(mdb_txn_begin(bare->env, NULL, MDB_RDONLY, &bare->txn), "mdb_txn_begin");
    must(mdb_dbi_open(bare->txn, TABLE, 0, &bare->table), "mdb_dbi_open");
    must(mdb_txn_commit(bare->txn), "mdb_txn_commit");
    must(mdb_txn_begin(bare->env, NULL, MDB_RDONLY, &bare->txn), "mdb_txn_begin");
    mdb_txn_reset(bare->txn);
}

void bare_close(struct bare *bare)
{
    mdb_txn_abort(bare->txn);
    mdb_env_close(bare->env);
}
