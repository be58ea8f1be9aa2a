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

int store_domains_version_get(struct store_reader *reader, uint64_t *version)
{
    return store_domains_version_read(&reader->txn, version);
}

int store_sequence_get(struct store_reader *reader, uint64_t *sequence)
{
    struct store_position position;
    int ret = store_position_get(&reader->txn, &position);
    if (ret == 0)
        *sequence = position.sequence;
    return ret;
}
