#include "base/status.h"
#include "store/internal.h"
#include "store/table_key.h"

#define USAGE_FORM     1
#define USAGE_SIZE_MAX 48

/* ---- the sums: form, attempts, answers, seconds, bytes; period, node and peer are the key ---- */

static int usage_decode(struct slice key, struct slice value, struct store_usage *usage)
{
    struct store_usage decoded;
    struct store_unpack unpack;
    int ret = table_key_to_usage(key, &decoded);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    store_unpack_version(&unpack, USAGE_FORM);
    decoded.attempts = store_unpack_number(&unpack);
    decoded.answers = store_unpack_number(&unpack);
    decoded.seconds = store_unpack_number(&unpack);
    decoded.bytes = store_unpack_number(&unpack);
    ret = store_unpack_done(&unpack);
    if (ret == 0)
        *usage = decoded;
    return ret;
}

static int usage_put(const struct store_txn *txn, const struct table_key *key,
                     const struct store_usage *usage)
{
    char buffer[USAGE_SIZE_MAX];
    struct store_pack pack;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_pack_u8(&pack, USAGE_FORM);
    store_pack_number(&pack, usage->attempts);
    store_pack_number(&pack, usage->answers);
    store_pack_number(&pack, usage->seconds);
    store_pack_number(&pack, usage->bytes);
    int ret = store_pack_done(&pack, &bytes);
    return ret ? ret : store_put(txn, TABLE_USAGE, table_key_bytes(key), bytes);
}

static uint64_t sum_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

int store_usage_write(const struct store_txn *txn, const struct store_usage *usage)
{
    struct store_usage sums;
    struct table_key key;
    struct slice value;
    int ret = table_key_usage(&key, usage);
    if (ret)
        return ret;
    ret = store_get(txn, TABLE_USAGE, table_key_bytes(&key), &value);
    if (ret == STATUS_NOTFOUND)
        return usage_put(txn, &key, usage);
    if (ret == 0)
        ret = usage_decode(table_key_bytes(&key), value, &sums);
    if (ret)
        return ret;
    sums.attempts = sum_saturated(sums.attempts, usage->attempts);
    sums.answers = sum_saturated(sums.answers, usage->answers);
    sums.seconds = sum_saturated(sums.seconds, usage->seconds);
    sums.bytes = sum_saturated(sums.bytes, usage->bytes);
    return usage_put(txn, &key, &sums);
}

struct usage_oldest {
    struct table_key key;
    bool found;
};

static int usage_oldest_visit(struct slice key, struct slice value, void *arg)
{
    struct usage_oldest *oldest = arg;
    (void)value;
    if (key.len > sizeof(oldest->key.p))
        return STATUS_CORRUPT;
    memcpy(oldest->key.p, key.p, key.len);
    oldest->key.len = key.len;
    oldest->found = true;
    return 1;
}

/* Drops the oldest sums if they are of a period before `period`; *dropped tells. */
static int usage_drop_oldest(const struct store_txn *txn, uint64_t period, bool *dropped)
{
    struct usage_oldest oldest = {.found = false};
    struct store_usage usage;
    *dropped = false;
    int ret = store_scan(txn, TABLE_USAGE, SLICE(""), usage_oldest_visit, &oldest);
    if (ret == 0 && oldest.found)
        ret = table_key_to_usage(table_key_bytes(&oldest.key), &usage);
    if (ret || !oldest.found || usage.period >= period)
        return ret;
    *dropped = true;
    return store_del(txn, TABLE_USAGE, table_key_bytes(&oldest.key));
}

int store_usage_trim(const struct store_txn *txn, uint64_t period, size_t max)
{
    bool dropped = true;
    int ret = 0;
    while (ret == 0 && dropped && max-- > 0)
        ret = usage_drop_oldest(txn, period, &dropped);
    return ret;
}

/* ---- rules ---- */

/* A node's name follows the rules of an owner's. */
int store_usage_check(const struct store_usage *usage)
{
    size_t len = strnlen(usage->node, sizeof(usage->node));
    int ret = store_owner_check(slice_make(usage->node, len), NULL);
    return ret ? ret : store_name_check(usage->peer);
}

/* ---- reading ---- */

struct usage_list {
    store_usage_h *each;
    void *arg;
};

static int usage_list_visit(struct slice key, struct slice value, void *arg)
{
    struct usage_list *list = arg;
    struct store_usage usage;
    int ret = usage_decode(key, value, &usage);
    return ret ? ret : !list->each(&usage, list->arg);
}

int store_usage_list(struct store_reader *reader, uint64_t period, size_t max, store_usage_h *each,
                     void *arg)
{
    struct usage_list list = {.each = each, .arg = arg};
    struct table_key from; /* a period alone comes before all keys that begin with it */
    table_key_u64(&from, period);
    return store_list(&reader->txn, TABLE_USAGE, SLICE(""), table_key_bytes(&from), max,
                      usage_list_visit, &list);
}
