#include "base/chars.h"
#include "base/status.h"
#include "store/internal.h"
#include "store/table_key.h"

#define CURSOR_FORM     1
#define CURSOR_SIZE_MAX 16

/* Each holds the journal back, and each trim looks at all of them. */
#define CURSORS_MAX 64

/* ---- the record: form, sequence, whether it is lost; the name is the key ---- */

static int cursor_key(struct table_key *key, const char *name)
{
    return table_key_text(key, name, STORE_CURSOR_NAME_MAX);
}

static int cursor_decode(struct slice key, struct slice value, struct store_cursor *cursor)
{
    struct store_cursor decoded;
    struct store_unpack unpack;
    int ret = table_key_to_text(key, decoded.name, sizeof(decoded.name));
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    store_unpack_version(&unpack, CURSOR_FORM);
    decoded.sequence = store_unpack_number(&unpack);
    unsigned lost = store_unpack_u8(&unpack);
    decoded.lost = lost == 1;
    ret = lost > 1 ? STATUS_CORRUPT : store_unpack_done(&unpack);
    if (ret == 0)
        *cursor = decoded;
    return ret;
}

int store_cursor_read(const struct store_txn *txn, const char *name, struct store_cursor *cursor)
{
    struct table_key key;
    struct slice value;
    int ret = cursor_key(&key, name);
    if (ret == 0)
        ret = store_get(txn, TABLE_CURSORS, table_key_bytes(&key), &value);
    return ret ? ret : cursor_decode(table_key_bytes(&key), value, cursor);
}

/* Is there room for a record with this key? */
static int cursor_room(const struct store_txn *txn, const struct table_key *key)
{
    struct slice value;
    uint64_t count;
    int ret = store_get(txn, TABLE_CURSORS, table_key_bytes(key), &value);
    if (ret != STATUS_NOTFOUND)
        return ret;
    ret = store_count(txn, TABLE_CURSORS, &count);
    if (ret)
        return ret;
    return count < CURSORS_MAX ? 0 : STATUS_LIMIT;
}

int store_cursor_write(const struct store_txn *txn, const struct store_cursor *cursor)
{
    char buffer[CURSOR_SIZE_MAX];
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_pack_u8(&pack, CURSOR_FORM);
    store_pack_number(&pack, cursor->sequence);
    store_pack_u8(&pack, cursor->lost);
    int ret = cursor_key(&key, cursor->name);
    if (ret == 0)
        ret = cursor_room(txn, &key);
    if (ret == 0)
        ret = store_pack_done(&pack, &bytes);
    return ret ? ret : store_put(txn, TABLE_CURSORS, table_key_bytes(&key), bytes);
}

int store_cursor_remove(const struct store_txn *txn, const char *name)
{
    struct table_key key;
    int ret = cursor_key(&key, name);
    return ret ? ret : store_del(txn, TABLE_CURSORS, table_key_bytes(&key));
}

/* ---- rules ---- */

int store_cursor_check(const struct store_cursor *cursor)
{
    size_t len = strnlen(cursor->name, sizeof(cursor->name));
    if (len == 0 || len > STORE_CURSOR_NAME_MAX)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < len; i++)
        if (!char_is_alnum(cursor->name[i]) && !strchr("-_.", cursor->name[i]))
            return STATUS_MALFORMED;
    return 0;
}

/* ---- what they hold back ---- */

static int cursors_low_visit(struct slice key, struct slice value, void *arg)
{
    uint64_t *low = arg;
    struct store_cursor cursor;
    int ret = cursor_decode(key, value, &cursor);
    if (ret == 0 && !cursor.lost && cursor.sequence < *low)
        *low = cursor.sequence;
    return ret;
}

int store_cursors_low(const struct store_txn *txn, uint64_t *sequence)
{
    uint64_t low = UINT64_MAX;
    int ret = store_scan(txn, TABLE_CURSORS, SLICE(""), cursors_low_visit, &low);
    if (ret == 0)
        *sequence = low;
    return ret;
}

/* Those that a trim leaves behind, gathered first: a scan does not write. */
struct cursors_late {
    struct store_cursor cursors[CURSORS_MAX];
    size_t count;
    uint64_t first;
};

static int cursors_late_visit(struct slice key, struct slice value, void *arg)
{
    struct cursors_late *late = arg;
    struct store_cursor cursor;
    int ret = cursor_decode(key, value, &cursor);
    if (ret)
        return ret;
    /* The entry after its sequence is the first it has not read. */
    if (cursor.lost || cursor.sequence >= late->first || cursor.sequence + 1 == late->first)
        return 0;
    if (late->count == CURSORS_MAX)
        return STATUS_CORRUPT;
    late->cursors[late->count++] = cursor;
    return 0;
}

int store_cursors_lose(const struct store_txn *txn, uint64_t first)
{
    struct cursors_late late = {.count = 0, .first = first};
    int ret = store_scan(txn, TABLE_CURSORS, SLICE(""), cursors_late_visit, &late);
    for (size_t i = 0; ret == 0 && i < late.count; i++) {
        late.cursors[i].lost = true;
        ret = store_cursor_write(txn, &late.cursors[i]);
    }
    return ret;
}

static int cursors_lost_visit(struct slice key, struct slice value, void *arg)
{
    struct store_cursor cursor;
    int ret = cursor_decode(key, value, &cursor);
    if (ret == 0 && cursor.lost)
        ++*(uint64_t *)arg;
    return ret;
}

int store_cursors_lost(const struct store_txn *txn, uint64_t *count)
{
    uint64_t lost = 0;
    int ret = store_scan(txn, TABLE_CURSORS, SLICE(""), cursors_lost_visit, &lost);
    if (ret == 0)
        *count = lost;
    return ret;
}

/* ---- reading ---- */

int store_cursor_get(struct store_reader *reader, const char *name, struct store_cursor *cursor)
{
    return store_cursor_read(&reader->txn, name, cursor);
}

struct cursor_list {
    store_cursor_h *each;
    void *arg;
};

static int cursor_list_visit(struct slice key, struct slice value, void *arg)
{
    struct cursor_list *list = arg;
    struct store_cursor cursor;
    int ret = cursor_decode(key, value, &cursor);
    return ret ? ret : !list->each(&cursor, list->arg);
}

int store_cursor_list(struct store_reader *reader, store_cursor_h *each, void *arg)
{
    struct cursor_list list = {.each = each, .arg = arg};
    return store_scan(&reader->txn, TABLE_CURSORS, SLICE(""), cursor_list_visit, &list);
}
