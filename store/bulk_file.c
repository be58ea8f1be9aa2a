#include "store/bulk.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>

#define TXN_RECORDS   65536 /* of one transaction: how many pages wait in memory */
#define FRAME_HEAD    5     /* two octets of length of key and value each, one of the owner's */
#define PREFETCH_KEYS 12

/* ---- transactions: of a file that nobody sees, so that they may be many ---- */

static int txn_open(struct bulk_file *file)
{
    int ret = store_txn_begin(&file->store, 0, &file->txn);
    if (ret)
        return ret;
    file->txn_count = 0;
    return store_status_of(
        mdb_cursor_open(file->txn.txn, file->store.tables[TABLE_ADDRESSES], &file->cursor));
}

/* A cursor of a writing transaction ends with it. */
static int txn_renew(struct bulk_file *file)
{
    int ret = bulk_file_commit(file);
    return ret ? ret : txn_open(file);
}

static int record_count(struct bulk_file *file)
{
    return ++file->txn_count < TXN_RECORDS ? 0 : txn_renew(file);
}

/* The disk begins at once with what the last flush will wait for. */
static void writing_start(const struct bulk_file *file)
{
    int fd;
    if (mdb_env_get_fd(file->store.env, &fd) == 0)
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int bulk_file_commit(struct bulk_file *file)
{
    int ret = store_txn_commit(&file->txn);
    file->txn.txn = NULL;
    writing_start(file);
    return ret;
}

/* ---- begin and end ---- */

int bulk_file_begin(struct bulk_file *file)
{
    file->digest = EVP_MD_CTX_new();
    if (!file->digest)
        return -ENOMEM;
    if (!EVP_DigestInit_ex(file->digest, EVP_sha256(), NULL))
        return STATUS_CRYPTO;
    return txn_open(file);
}

void bulk_file_done(struct bulk_file *file)
{
    if (file->txn.txn)
        store_txn_abort(&file->txn);
    file->txn.txn = NULL;
    store_copy_close(&file->store);
    store_sorter_free(&file->owners);
    EVP_MD_CTX_free(file->digest);
    file->digest = NULL;
}

/* ---- frames ---- */

size_t bulk_frame_len(const struct bulk_address *address)
{
    return FRAME_HEAD + address->key.len + address->value.len + address->owner.len;
}

void bulk_frame_write(const struct bulk_address *address, char *frame)
{
    frame[0] = (char)(address->key.len >> 8);
    frame[1] = (char)address->key.len;
    frame[2] = (char)(address->value.len >> 8);
    frame[3] = (char)address->value.len;
    frame[4] = (char)address->owner.len;
    frame += FRAME_HEAD;
    memcpy(frame, address->key.p, address->key.len);
    frame += address->key.len;
    memcpy(frame, address->value.p, address->value.len);
    frame += address->value.len;
    memcpy(frame, address->owner.p, address->owner.len);
}

static struct bulk_address frame_read(const char *frame)
{
    const uint8_t *head = (const uint8_t *)frame;
    size_t key_len = (size_t)head[0] << 8 | head[1], value_len = (size_t)head[2] << 8 | head[3];
    const char *p = frame + FRAME_HEAD;
    return (struct bulk_address){.key = slice_make(p, key_len),
                                 .value = slice_make(p + key_len, value_len),
                                 .owner = slice_make(p + key_len + value_len, head[4])};
}

/* ---- owners: keys in any order ---- */

/* One transaction's worth of sorted keys, from place `first` on. They lie anywhere in their memory:
 * most of the time would go by waiting for it. */
static int owners_put_some(struct bulk_file *file, size_t first, unsigned flags)
{
    const struct store_sorter *owners = &file->owners;
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(file->txn.txn, file->store.tables[TABLE_OWNERS], &cursor);
    for (size_t i = first; rc == 0 && i < owners->count && i < first + TXN_RECORDS; i++) {
        struct slice key = store_sorter_key(owners, i);
        MDB_val k = {.mv_size = key.len, .mv_data = (void *)key.p}, v = {.mv_size = 0};
        if (i + PREFETCH_KEYS < owners->count)
            __builtin_prefetch(store_sorter_key(owners, i + PREFETCH_KEYS).p);
        rc = mdb_cursor_put(cursor, &k, &v, flags);
    }
    return rc ? store_status_of(rc) : txn_renew(file); /* which closes the cursor, too */
}

/* Behind what is there as long as the table was empty. */
int bulk_file_owners(struct bulk_file *file)
{
    uint64_t before = 0;
    int ret = store_count(&file->txn, TABLE_OWNERS, &before);
    store_sorter_sort(&file->owners);
    for (size_t i = 0; ret == 0 && i < file->owners.count; i += TXN_RECORDS)
        ret = owners_put_some(file, i, before ? 0 : MDB_APPEND);
    store_sorter_clear(&file->owners);
    return ret;
}

static int owner_add(struct bulk_file *file, const struct bulk_address *address)
{
    struct table_key key;
    int ret = table_key_owner_under(&key, address->owner, address->key);
    if (ret == 0)
        ret = store_sorter_add(&file->owners, table_key_bytes(&key));
    if (ret != -ENOBUFS)
        return ret;
    ret = bulk_file_owners(file);
    return ret ? ret : store_sorter_add(&file->owners, table_key_bytes(&key));
}

/* ---- addresses ---- */

static int address_put(struct bulk_file *file, const struct bulk_address *address, unsigned flags)
{
    MDB_val k = {.mv_size = address->key.len, .mv_data = (void *)address->key.p};
    MDB_val v = {.mv_size = address->value.len, .mv_data = (void *)address->value.p};
    int ret = store_status_of(mdb_cursor_put(file->cursor, &k, &v, flags));
    if (ret == 0)
        ret = record_count(file);
    if (ret == 0 && address->owner.len)
        ret = owner_add(file, address);
    file->addresses += ret == 0;
    return ret;
}

int bulk_file_append(struct slice frames, void *arg)
{
    struct bulk_file *file = arg;
    int ret = bulk_file_digest(file, frames);
    while (ret == 0 && frames.len) {
        struct bulk_address address = frame_read(frames.p);
        ret = address_put(file, &address, MDB_APPEND);
        frames = slice_skip(frames, bulk_frame_len(&address));
    }
    return ret;
}

int bulk_file_insert(struct bulk_file *file, const struct bulk_address *address, bool is_last)
{
    char frame[BULK_FRAME_MAX];
    int ret = address_put(file, address, is_last ? MDB_APPEND : MDB_NOOVERWRITE);
    if (ret)
        return ret;
    bulk_frame_write(address, frame);
    return bulk_file_digest(file, slice_make(frame, bulk_frame_len(address)));
}

int bulk_file_digest(struct bulk_file *file, struct slice bytes)
{
    return EVP_DigestUpdate(file->digest, bytes.p, bytes.len) ? 0 : STATUS_CRYPTO;
}
