#include "base/status.h"
#include "store/internal.h"

#include <errno.h>
#include <stdlib.h>

int store_reader_alloc(struct store *store, struct store_reader **reader)
{
    struct store_reader *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->txn.store = store;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &made->txn.txn);
    if (rc) {
        free(made);
        return store_status_of(rc);
    }
    mdb_txn_reset(made->txn.txn);
    *reader = made;
    return 0;
}

struct store_reader *store_reader_free(struct store_reader *reader)
{
    if (!reader)
        return NULL;
    mdb_txn_abort(reader->txn.txn);
    free(reader);
    return NULL;
}

int store_reader_begin(struct store_reader *reader)
{
    if (reader->depth == 0) {
        int rc = mdb_txn_renew(reader->txn.txn);
        if (rc)
            return store_status_of(rc);
    }
    reader->depth++;
    return 0;
}

void store_reader_end(struct store_reader *reader)
{
    if (--reader->depth == 0)
        mdb_txn_reset(reader->txn.txn);
}

int store_stats_get(struct store_reader *reader, struct store_stats *stats)
{
    const struct store_txn *txn = &reader->txn;
    struct store_stats read = {0};
    struct store_position position;
    MDB_envinfo info;
    MDB_stat stat;
    size_t free_pages = 0;
    int ret = store_count(txn, TABLE_DOMAINS, &read.domains);
    if (ret == 0)
        ret = store_count(txn, TABLE_ADDRESSES, &read.addresses);
    if (ret == 0)
        ret = store_position_get(txn, &position);
    if (ret == 0)
        ret = store_free_pages(txn->txn, &free_pages);
    if (ret)
        return ret;
    mdb_env_info(txn->store->env, &info);
    mdb_env_stat(txn->store->env, &stat);
    read.last_sequence = position.sequence;
    read.map_used = (uint64_t)(info.me_last_pgno + 1 - free_pages) * stat.ms_psize;
    read.map_size = info.me_mapsize;
    read.readers = info.me_numreaders;
    *stats = read;
    return 0;
}
