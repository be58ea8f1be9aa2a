#include "base/status.h"
#include "store/internal.h"

#include <stdio.h>

/* ---- readers ---- */

struct oldest {
    uint64_t last, age;
};

/* A line of LMDB's reader list: process, thread, transaction ("-" where it reads nothing). */
static int reader_line(const char *line, void *arg)
{
    struct oldest *oldest = arg;
    unsigned long long thread, txn;
    int pid;
    if (sscanf(line, "%d %llx %llu", &pid, &thread, &txn) == 3 && txn < oldest->last &&
        oldest->last - txn > oldest->age)
        oldest->age = oldest->last - txn;
    return 0;
}

static void readers_add(const struct store_txn *txn, struct store_stats *stats)
{
    struct oldest oldest = {.age = 0};
    MDB_envinfo info;
    mdb_env_info(txn->store->env, &info);
    oldest.last = info.me_last_txnid;
    mdb_reader_list(txn->store->env, reader_line, &oldest);
    stats->oldest_reader = oldest.age;
    stats->readers = info.me_numreaders;
}

/* ---- the rest ---- */

static int counts_add(const struct store_txn *txn, struct store_stats *stats)
{
    const struct {
        enum store_table table;
        uint64_t *count;
    } counts[] = {
        {TABLE_DOMAINS, &stats->domains}, {TABLE_ADDRESSES, &stats->addresses},
        {TABLE_NUMBERS, &stats->numbers}, {TABLE_PEERS, &stats->peers},
        {TABLE_TOKENS, &stats->tokens},   {TABLE_VERDICTS, &stats->verdicts},
    };
    int ret = 0;
    for (size_t i = 0; ret == 0 && i < sizeof(counts) / sizeof(counts[0]); i++)
        ret = store_count(txn, counts[i].table, counts[i].count);
    return ret;
}

static int history_add(const struct store_txn *txn, struct store_stats *stats)
{
    struct store_position position;
    int ret = store_position_get(txn, &position);
    if (ret == 0)
        ret = store_journal_first(txn, &stats->first_sequence);
    if (ret == 0)
        ret = store_log_ends(txn, &stats->log_first, &stats->log_last);
    if (ret == 0)
        ret = store_table_bytes(txn, TABLE_JOURNAL, &stats->journal_bytes);
    if (ret == 0)
        ret = store_cursors_lost(txn, &stats->cursors_lost);
    if (ret)
        return ret;
    stats->last_sequence = position.sequence;
    stats->store_time_ms = position.time_ms;
    return 0;
}

static int map_add(const struct store_txn *txn, struct store_stats *stats)
{
    MDB_envinfo info;
    MDB_stat stat;
    size_t free_pages;
    int ret = store_free_pages(txn->txn, &free_pages);
    if (ret)
        return ret;
    mdb_env_info(txn->store->env, &info);
    mdb_env_stat(txn->store->env, &stat);
    stats->map_used = (uint64_t)(info.me_last_pgno + 1 - free_pages) * stat.ms_psize;
    stats->map_size = info.me_mapsize;
    stats->journal_size = txn->store->journal_size;
    return 0;
}

int store_stats_get(struct store_reader *reader, struct store_stats *stats)
{
    struct store_stats read = {0};
    int ret = counts_add(&reader->txn, &read);
    if (ret == 0)
        ret = history_add(&reader->txn, &read);
    if (ret == 0)
        ret = map_add(&reader->txn, &read);
    if (ret)
        return ret;
    readers_add(&reader->txn, &read);
    *stats = read;
    return 0;
}
