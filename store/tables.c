#include "base/status.h"
#include "store/internal.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_SIZE 4096

int store_status_of(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return 0;
    case MDB_NOTFOUND:
        return STATUS_NOTFOUND;
    case MDB_KEYEXIST:
        return STATUS_EXISTS;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return STATUS_FULL;
    case MDB_READERS_FULL:
        return STATUS_LIMIT;
    case MDB_MAP_RESIZED: /* the writer came back with a larger map: open anew */
        return -ESTALE;
    case MDB_PANIC:
        return -EIO;
    case MDB_BAD_TXN:
    case MDB_BAD_VALSIZE:
    case MDB_BAD_DBI:
    case MDB_BAD_RSLOT:
        return -EINVAL;
    default: /* the rest of LMDB's own codes (negative) all say that the file is not as it should */
        return rc > 0 ? -rc : STATUS_CORRUPT;
    }
}

/* LMDB does not write through the pointer, although its type would let it. */
static MDB_val val_of(struct slice bytes)
{
    return (MDB_val){.mv_size = bytes.len, .mv_data = (void *)bytes.p};
}

static struct slice slice_of_val(const MDB_val *val)
{
    return slice_make(val->mv_data, val->mv_size);
}

int store_txn_begin(const struct store *store, unsigned flags, struct store_txn *txn)
{
    txn->store = store;
    return store_status_of(mdb_txn_begin(store->env, NULL, flags, &txn->txn));
}

int store_txn_nest(const struct store_txn *outer, struct store_txn *inner)
{
    inner->store = outer->store;
    return store_status_of(mdb_txn_begin(outer->store->env, outer->txn, 0, &inner->txn));
}

/* Whether a page more fits behind the file's end: 0 or -errno. */
static int file_growth(MDB_env *env)
{
    char page[PROBE_SIZE] = {0};
    struct stat st;
    int fd;
    if (mdb_env_get_fd(env, &fd) || fstat(fd, &st))
        return 0;
    ssize_t len = pwrite(fd, page, sizeof(page), st.st_size);
    int ret = len < 0 ? -errno : len < (ssize_t)sizeof(page) ? -ENOSPC : 0;
    if (len > 0 && ftruncate(fd, st.st_size))
        return 0;
    return ret;
}

/* A write of pages that a full disk cuts short is an I/O error to LMDB, as if the disk had failed;
 * but those pages are nobody's yet, and nothing has happened. */
static int commit_status(MDB_env *env, int rc)
{
    int growth = rc == EIO ? file_growth(env) : 0;
    bool is_full = growth == -ENOSPC || growth == -EDQUOT || growth == -EFBIG;
    return is_full ? growth : store_status_of(rc);
}

int store_txn_commit(struct store_txn *txn)
{
    return commit_status(txn->store->env, mdb_txn_commit(txn->txn));
}

void store_txn_abort(struct store_txn *txn)
{
    mdb_txn_abort(txn->txn);
}

int store_get(const struct store_txn *txn, enum store_table table, struct slice key,
              struct slice *value)
{
    MDB_val k = val_of(key), v;
    int rc = mdb_get(txn->txn, txn->store->tables[table], &k, &v);
    if (rc == 0)
        *value = slice_of_val(&v);
    return store_status_of(rc);
}

int store_put(const struct store_txn *txn, enum store_table table, struct slice key,
              struct slice value)
{
    MDB_val k = val_of(key), v = val_of(value);
    return store_status_of(mdb_put(txn->txn, txn->store->tables[table], &k, &v, 0));
}

int store_append(const struct store_txn *txn, enum store_table table, struct slice key,
                 struct slice value)
{
    MDB_val k = val_of(key), v = val_of(value);
    return store_status_of(mdb_put(txn->txn, txn->store->tables[table], &k, &v, MDB_APPEND));
}

int store_del(const struct store_txn *txn, enum store_table table, struct slice key)
{
    MDB_val k = val_of(key);
    return store_status_of(mdb_del(txn->txn, txn->store->tables[table], &k, NULL));
}

int store_last(const struct store_txn *txn, enum store_table table, struct slice *key,
               struct slice *value)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    int rc = mdb_cursor_open(txn->txn, txn->store->tables[table], &cursor);
    if (rc)
        return store_status_of(rc);
    rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
    if (rc == 0) {
        *key = slice_of_val(&k);
        *value = slice_of_val(&v);
    }
    mdb_cursor_close(cursor);
    return store_status_of(rc);
}

int store_scan(const struct store_txn *txn, enum store_table table, struct slice from,
               store_scan_h *each, void *arg)
{
    MDB_cursor *cursor;
    MDB_val k = val_of(from), v;
    int rc = mdb_cursor_open(txn->txn, txn->store->tables[table], &cursor);
    if (rc)
        return store_status_of(rc);
    int ret = 0;
    rc = mdb_cursor_get(cursor, &k, &v, from.len ? MDB_SET_RANGE : MDB_FIRST);
    while (rc == 0 && ret == 0) {
        ret = each(slice_of_val(&k), slice_of_val(&v), arg);
        if (ret == 0)
            rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (ret)
        return ret < 0 ? ret : 0;
    return rc == MDB_NOTFOUND ? 0 : store_status_of(rc);
}

struct list_visit {
    struct slice prefix, after;
    size_t left;
    store_scan_h *each;
    void *arg;
};

static int list_visit(struct slice key, struct slice value, void *arg)
{
    struct list_visit *list = arg;
    if (!slice_starts_with(key, list->prefix))
        return 1;
    if (slice_eq(key, list->after))
        return 0;
    int ret = list->each(key, value, list->arg);
    return ret ? ret : --list->left == 0;
}

int store_list(const struct store_txn *txn, enum store_table table, struct slice prefix,
               struct slice after, size_t max, store_scan_h *each, void *arg)
{
    struct list_visit list = {
        .prefix = prefix, .after = after, .left = max, .each = each, .arg = arg};
    if (max == 0)
        return 0;
    return store_scan(txn, table, after.len ? after : prefix, list_visit, &list);
}

static int any_visit(struct slice key, struct slice value, void *arg)
{
    (void)key, (void)value;
    *(bool *)arg = true;
    return 1;
}

int store_any_under(const struct store_txn *txn, enum store_table table, struct slice prefix)
{
    bool found = false;
    int ret = store_list(txn, table, prefix, SLICE(""), 1, any_visit, &found);
    if (ret)
        return ret;
    return found ? 0 : STATUS_NOTFOUND;
}

int store_count(const struct store_txn *txn, enum store_table table, uint64_t *count)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->txn, txn->store->tables[table], &stat);
    if (rc == 0)
        *count = stat.ms_entries;
    return store_status_of(rc);
}

int store_table_bytes(const struct store_txn *txn, enum store_table table, uint64_t *bytes)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->txn, txn->store->tables[table], &stat);
    if (rc == 0)
        *bytes = (uint64_t)(stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) *
                 stat.ms_psize;
    return store_status_of(rc);
}
