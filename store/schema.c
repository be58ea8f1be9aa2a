#include "base/status.h"
#include "store/fault.h"
#include "store/internal.h"

#include <errno.h>

#define SCHEMA_BEFORE_PORTS 2 /* what it lacks are tables, and nothing in the others changed */
#define SCHEMA_BEFORE_MAIL  3 /* nothing in it changed; older programs cannot read what is new */

static const char *const table_names[TABLE_COUNT] = {
    [TABLE_META] = "meta",
    [TABLE_DOMAINS] = "domains",
    [TABLE_ADDRESSES] = "addresses",
    [TABLE_OWNERS] = "owners",
    [TABLE_LINKS] = "links",
    [TABLE_GUESTS] = "guests",
    [TABLE_DOMAIN_NUMBERS] = "domain_numbers",
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
    [TABLE_PORTS] = "ports",
    [TABLE_PORT_ADDRESSES] = "port_addresses",
    [TABLE_PORTS_OWED] = "ports_owed",
    [TABLE_GUARDS] = "guards",
};

static int tables_open(struct store *store, MDB_txn *txn, int from, int to, unsigned flags)
{
    for (int i = from; i < to; i++) {
        int rc = mdb_dbi_open(txn, table_names[i], flags, &store->tables[i]);
        if (rc)
            return store_status_of(rc);
    }
    return 0;
}

int store_tables_open(struct store *store, MDB_txn *txn, unsigned flags)
{
    return tables_open(store, txn, 0, TABLE_COUNT, flags);
}

/* An environment in which nothing was ever committed. */
static bool env_is_empty(struct store *store)
{
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    return info.me_last_txnid == 0;
}

static int txn_end(struct store_txn *txn, int ret)
{
    if (ret == 0)
        return store_txn_commit(txn); /* keeps the table handles, in a read transaction too */
    store_txn_abort(txn);
    return ret;
}

int store_schema_read(struct store *store, uint32_t *version, struct store_fault *fault)
{
    struct store_txn txn;
    int ret = store_txn_begin(store, MDB_RDONLY, &txn);
    if (ret)
        return store_fault_set(fault, ret, "cannot read the store: %s", status_text(ret));
    ret = store_status_of(
        mdb_dbi_open(txn.txn, table_names[TABLE_META], 0, &store->tables[TABLE_META]));
    if (ret == 0)
        ret = store_schema_get(&txn, version);
    ret = txn_end(&txn, ret);
    if (ret)
        return store_fault_set(fault, ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret,
                               "the store has no readable schema version: it is damaged or was "
                               "not made by this program");
    if (*version > STORE_SCHEMA_VERSION)
        return store_fault_set(fault, STATUS_SCHEMA,
                               "the store has schema version %u and this program knows versions "
                               "up to %d; start the newer program",
                               (unsigned)*version, STORE_SCHEMA_VERSION);
    return 0;
}

static int schema_attach(struct store *store, struct store_fault *fault)
{
    struct store_txn txn;
    int ret = store_txn_begin(store, MDB_RDONLY, &txn);
    if (ret == 0)
        ret = txn_end(&txn, store_tables_open(store, txn.txn, 0));
    return ret ? store_fault_set(fault, ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret,
                                 "the store lacks one of its tables: it is damaged")
               : 0;
}

static int schema_create(struct store *store, struct store_fault *fault)
{
    struct store_txn txn;
    if (store->mode == STORE_READER)
        return store_fault_set(fault, -ENOENT, "the store is empty: its writer never ran");
    int ret = store_txn_begin(store, 0, &txn);
    if (ret)
        return store_fault_set(fault, ret, "cannot write the store: %s", status_text(ret));
    ret = store_tables_open(store, txn.txn, MDB_CREATE);
    if (ret == 0)
        ret = store_schema_put(&txn, STORE_SCHEMA_VERSION);
    ret = txn_end(&txn, ret);
    return ret ? store_fault_set(fault, ret, "cannot create the store's tables: %s",
                                 status_text(ret))
               : 0;
}

bool store_schema_can_grow(uint32_t version)
{
    return version >= SCHEMA_BEFORE_PORTS && version < STORE_SCHEMA_VERSION;
}

/* A store from before there were ports gets their tables; the others must be there. */
int store_schema_grow(struct store *store, uint32_t version, struct store_fault *fault)
{
    struct store_txn txn;
    int ret = store_txn_begin(store, 0, &txn);
    if (ret)
        return store_fault_set(fault, ret, "cannot write the store: %s", status_text(ret));
    ret = tables_open(store, txn.txn, 0, TABLE_PORTS, 0);
    if (ret == 0)
        ret = tables_open(store, txn.txn, TABLE_PORTS, TABLE_COUNT,
                          version < SCHEMA_BEFORE_MAIL ? MDB_CREATE : 0);
    if (ret == 0)
        ret = store_schema_put(&txn, STORE_SCHEMA_VERSION);
    ret = txn_end(&txn, ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret);
    if (ret == STATUS_CORRUPT)
        return store_fault_set(fault, ret, "the store lacks one of its tables: it is damaged");
    return ret ? store_fault_set(fault, ret, "cannot create the store's tables: %s",
                                 status_text(ret))
               : 0;
}

int store_schema_open(struct store *store, const struct store_conf *conf, struct store_fault *fault)
{
    uint32_t version = 0;
    if (env_is_empty(store))
        return schema_create(store, fault);
    int ret = store_schema_read(store, &version, fault);
    if (ret)
        return ret;
    if (version < STORE_SCHEMA_VERSION && (store->mode == STORE_READER || !conf))
        return store_fault_set(fault, STATUS_SCHEMA,
                               "the store has the old schema version %u; its writer brings it up "
                               "to date when it starts",
                               (unsigned)version);
    if (version < SCHEMA_BEFORE_PORTS)
        ret = store_migrate(store, conf, version, fault);
    else if (store_schema_can_grow(version))
        ret = store_schema_grow(store, version, fault);
    return ret ? ret : schema_attach(store, fault);
}
