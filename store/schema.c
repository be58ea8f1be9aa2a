#include "base/status.h"
#include "store/fault.h"
#include "store/internal.h"

#include <errno.h>

static const char *const table_names[TABLE_COUNT] = {
    [TABLE_META] = "meta",
    [TABLE_DOMAINS] = "domains",
    [TABLE_ADDRESSES] = "addresses",
    [TABLE_OWNERS] = "owners",
    [TABLE_LINKS] = "links",
    [TABLE_GUESTS] = "guests",
    [TABLE_NUMBERS] = "numbers",
    [TABLE_PEERS] = "peers",
    [TABLE_TOKENS] = "tokens",
    [TABLE_DEADLINES] = "deadlines",
    [TABLE_JOURNAL] = "journal",
    [TABLE_VERDICTS] = "verdicts",
    [TABLE_VERDICT_AGES] = "verdict_ages",
    [TABLE_TOKEN_KEYS] = "token_keys",
    [TABLE_LOG] = "log",
    [TABLE_CURSORS] = "cursors",
    [TABLE_USAGE] = "usage",
};

static int tables_open(struct store *store, MDB_txn *txn, enum store_table first,
                       enum store_table end, unsigned flags)
{
    for (int i = (int)first; i < (int)end; i++) {
        int rc = mdb_dbi_open(txn, table_names[i], flags, &store->tables[i]);
        if (rc)
            return store_status_of(rc);
    }
    return 0;
}

/* An environment in which nothing was ever committed. */
static bool env_is_empty(struct store *store)
{
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    return info.me_last_txnid == 0;
}

static int schema_check(struct store *store, const struct store_txn *txn, struct store_fault *fault)
{
    uint32_t version;
    int ret = tables_open(store, txn->txn, TABLE_META, TABLE_META + 1, 0);
    if (ret == 0)
        ret = store_schema_get(txn, &version);
    if (ret)
        return store_fault_set(fault, ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret,
                               "the store has no readable schema version: it is damaged or was "
                               "not made by this program");
    if (version > STORE_SCHEMA_VERSION)
        return store_fault_set(fault, STATUS_SCHEMA,
                               "the store has schema version %u and this program knows versions "
                               "up to %d; start the newer program",
                               (unsigned)version, STORE_SCHEMA_VERSION);
    if (version < STORE_SCHEMA_VERSION)
        return store_fault_set(fault, STATUS_SCHEMA, "the store has the old schema version %u",
                               (unsigned)version);
    ret = tables_open(store, txn->txn, TABLE_META + 1, TABLE_COUNT, 0);
    if (ret)
        return store_fault_set(fault, ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret,
                               "the store lacks one of its tables: it is damaged");
    return 0;
}

static int schema_create(struct store *store, const struct store_txn *txn,
                         struct store_fault *fault)
{
    int ret = tables_open(store, txn->txn, TABLE_META, TABLE_COUNT, MDB_CREATE);
    if (ret == 0)
        ret = store_schema_put(txn, STORE_SCHEMA_VERSION);
    return ret ? store_fault_set(fault, ret, "cannot create the store's tables: %s",
                                 status_text(ret))
               : 0;
}

int store_schema_open(struct store *store, struct store_fault *fault)
{
    struct store_txn txn = {.store = store};
    bool is_empty = env_is_empty(store);
    if (is_empty && store->mode == STORE_READER)
        return store_fault_set(fault, -ENOENT, "the store is empty: its writer never ran");
    int rc = mdb_txn_begin(store->env, NULL, is_empty ? 0 : MDB_RDONLY, &txn.txn);
    if (rc)
        return store_fault_set(fault, store_status_of(rc), "cannot read the store: %s",
                               mdb_strerror(rc));
    int ret = is_empty ? schema_create(store, &txn, fault) : schema_check(store, &txn, fault);
    if (ret) {
        mdb_txn_abort(txn.txn);
        return ret;
    }
    rc = mdb_txn_commit(txn.txn); /* keeps the table handles, in a read transaction too */
    return rc ? store_fault_set(fault, store_status_of(rc), "cannot write the store: %s",
                                mdb_strerror(rc))
              : 0;
}
