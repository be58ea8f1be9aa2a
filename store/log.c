/* The embedded log: a table of this store, written by the transaction that applies the commands. */
#include "base/status.h"
#include "store/internal.h"
#include "store/table_key.h"

struct log_end {
    uint64_t index;
    bool found;
};

static int log_end_take(struct slice key, struct slice value, void *arg)
{
    struct log_end *end = arg;
    (void)value;
    int ret = table_key_to_u64(key, &end->index);
    end->found = ret == 0;
    return ret ? ret : 1;
}

int store_log_ends(const struct store_txn *txn, uint64_t *first, uint64_t *last)
{
    struct store_position position;
    struct log_end end = {.found = false};
    int ret = store_position_get(txn, &position);
    if (ret == 0)
        ret = store_scan(txn, TABLE_LOG, SLICE(""), log_end_take, &end);
    if (ret)
        return ret;
    *last = position.index;
    *first = end.found ? end.index : position.index + 1;
    return 0;
}

static int embedded_append(struct store_log *log, const struct slice *commands, size_t count,
                           uint64_t *last)
{
    struct store_position position;
    int ret = store_position_get(log->txn, &position);
    for (size_t i = 0; ret == 0 && i < count; i++) {
        struct table_key key;
        table_key_u64(&key, ++position.index);
        ret = store_append(log->txn, TABLE_LOG, table_key_bytes(&key), commands[i]);
    }
    if (ret == 0)
        *last = position.index;
    return ret;
}

struct log_read {
    store_log_h *each;
    void *arg;
};

static int log_visit(struct slice key, struct slice value, void *arg)
{
    struct log_read *read = arg;
    uint64_t index;
    int ret = table_key_to_u64(key, &index);
    return ret ? ret : read->each(index, value, read->arg);
}

static int embedded_read(struct store_log *log, uint64_t from, size_t max, store_log_h *each,
                         void *arg)
{
    struct log_read read = {.each = each, .arg = arg};
    struct table_key after;
    uint64_t first, last;
    int ret = store_log_ends(log->txn, &first, &last);
    if (ret)
        return ret;
    if (from == 0)
        from = 1;
    if (from < first)
        return STATUS_TRIMMED;
    table_key_u64(&after, from - 1);
    return store_list(log->txn, TABLE_LOG, SLICE(""), table_key_bytes(&after), max, log_visit,
                      &read);
}

static int embedded_trim(struct store_log *log, uint64_t first, size_t max)
{
    uint64_t index, last;
    int ret = store_log_ends(log->txn, &index, &last);
    for (size_t left = max; ret == 0 && left && index < first && index <= last; left--, index++) {
        struct table_key key;
        table_key_u64(&key, index);
        ret = store_del(log->txn, TABLE_LOG, table_key_bytes(&key));
    }
    return ret;
}

const struct store_log_type store_log_embedded = {
    .append = embedded_append, .read = embedded_read, .trim = embedded_trim};
