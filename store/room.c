#include "store/internal.h"

#include <sys/statvfs.h>

/* Below this many untouched pages the free ones are counted too, which costs a walk. */
#define ROOM_PLENTY_PAGES (STORE_HAND_PAGES + 16 * STORE_COMMAND_PAGES)

/* LMDB's table of free pages: transaction -> list of page numbers, its length in front. It is the
 * first of the environment's own two tables. */
#define FREE_TABLE ((MDB_dbi)0)

int store_free_pages(MDB_txn *txn, size_t *pages)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    size_t sum = 0;
    int rc = mdb_cursor_open(txn, FREE_TABLE, &cursor);
    if (rc)
        return store_status_of(rc);
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        size_t count;
        memcpy(&count, value.mv_data, sizeof(count));
        sum += count;
    }
    mdb_cursor_close(cursor);
    if (rc != MDB_NOTFOUND)
        return store_status_of(rc);
    *pages = sum;
    return 0;
}

/* Pages that the disk still takes; SIZE_MAX where that is not told: the disk itself will tell. */
static size_t disk_pages(const struct store *store, size_t page_size)
{
    struct statvfs disk;
    int fd;
    if (mdb_env_get_fd(store->env, &fd) || fstatvfs(fd, &disk))
        return SIZE_MAX;
    return (size_t)(disk.f_bavail * (disk.f_frsize / 512) / (page_size / 512));
}

int store_room_get(const struct store *store, struct store_room *room)
{
    MDB_envinfo info;
    MDB_stat stat;
    MDB_txn *txn;
    size_t free_pages = 0;
    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &stat);
    size_t total = info.me_mapsize / stat.ms_psize;
    size_t used = info.me_last_pgno + 1;
    size_t untouched = total > used ? total - used : 0;
    size_t on_disk = disk_pages(store, stat.ms_psize);
    room->is_disk = on_disk < untouched;
    if (room->is_disk)
        untouched = on_disk;
    if (untouched < ROOM_PLENTY_PAGES) {
        int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
        if (rc)
            return store_status_of(rc);
        int ret = store_free_pages(txn, &free_pages);
        mdb_txn_abort(txn);
        if (ret)
            return ret;
    }
    room->pages = untouched + free_pages;
    return 0;
}
