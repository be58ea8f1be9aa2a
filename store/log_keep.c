/* How much of the embedded log stays. Nobody but a test reads it yet, and it holds what the journal
 * erases: so it is kept for a day at most, and never fills the map. */
#include "base/status.h"
#include "store/internal.h"
#include "store/table_key.h"

struct age_visit {
    uint64_t cutoff_ms, next;
    size_t left;
};

static int age_visit(struct slice key, struct slice value, void *arg)
{
    struct age_visit *age = arg;
    uint64_t index, time_ms;
    int ret = table_key_to_u64(key, &index);
    if (ret == 0)
        ret = store_command_time(value, &time_ms);
    if (ret)
        return ret;
    if (time_ms >= age->cutoff_ms)
        return 1;
    age->next = index + 1;
    return --age->left == 0;
}

/* The index after the last of those too old; 0: none is. */
static int log_older(const struct store_txn *txn, uint64_t cutoff_ms, uint64_t *next)
{
    struct age_visit age = {.cutoff_ms = cutoff_ms, .left = STORE_LOG_TRIM_MAX};
    int ret = store_scan(txn, TABLE_LOG, SLICE(""), age_visit, &age);
    *next = age.next;
    return ret;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

int store_log_excess(const struct store_txn *txn, const struct store_log_bounds *bounds,
                     uint64_t now_ms, uint64_t *excess)
{
    uint64_t first, last, bytes = 0, old = 0, many = 0;
    int ret = store_log_ends(txn, &first, &last);
    if (ret == 0)
        ret = store_table_bytes(txn, TABLE_LOG, &bytes);
    if (ret == 0 && bounds->age_ms && now_ms > bounds->age_ms)
        ret = log_older(txn, now_ms - bounds->age_ms, &old);
    if (ret)
        return ret;
    /* by a good part at a time, for it is not worth looking at each commit */
    if (last + 1 - first >= bounds->count && last + 1 - first - bounds->count >= STORE_LOG_TRIM_MAX)
        many = last + 1 - bounds->count;
    if (bounds->bytes && bytes > bounds->bytes)
        many = later(many, first + (last + 1 - first) / 4 + 1);
    *excess = later(old, many);
    return 0;
}
