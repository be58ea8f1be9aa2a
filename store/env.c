#include "base/status.h"
#include "store/fault.h"
#include "store/internal.h"
#include "store/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_MODE 0700
#define FILE_MODE      0600
#define LOCK_FILE      "writer.lock"
#define DATA_FILE      "data.mdb" /* LMDB's name for it */
#define NEW_SUFFIX     ".new"
#define OPEN_TRIES     8
#define SIZE_TRIES     3
#define META_FREE_ROOT 10 /* 64-bit words of a meta page */
#define META_TXN       18
#define META_WORDS     19
#define FREE_TABLE     0 /* LMDB's list of free pages */
#define FREE_TAIL_MAX  8 /* pages at the end that may be missing, as they are free */

/* A new name is on disk when its directory is; a file that is synced may still have none. */
static int directory_sync(const char *path, struct store_fault *fault)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int ret = fd < 0 || fsync(fd) ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return ret ? store_fault_set(fault, ret, "cannot write the directory %.100s to disk: %s", path,
                                 status_text(ret))
               : 0;
}

static int directory_make(const char *path, struct store_fault *fault)
{
    char parent[PATH_MAX];
    if (mkdir(path, DIRECTORY_MODE) == 0)
        return snprintf(parent, sizeof(parent), "%s/..", path) < (int)sizeof(parent)
                   ? directory_sync(parent, fault)
                   : store_fault_set(fault, -ENAMETOOLONG, "the store's path is too long");
    if (errno == EEXIST)
        return 0;
    int ret = -errno;
    return store_fault_set(fault, ret, "cannot create the store's directory %.100s: %s", path,
                           status_text(ret));
}

int store_lock_take(const char *path, int *lock_fd, struct store_fault *fault)
{
    char name[PATH_MAX];
    int ret = directory_make(path, fault);
    if (ret)
        return ret;
    if (snprintf(name, sizeof(name), "%s/" LOCK_FILE, path) >= (int)sizeof(name))
        return store_fault_set(fault, -ENAMETOOLONG, "the store's path is too long");
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        ret = -errno;
        return store_fault_set(fault, ret, "cannot open %.100s: %s", name, status_text(ret));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *lock_fd = fd;
        return 0;
    }
    ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
    close(fd);
    if (ret == -EBUSY)
        return store_fault_set(fault, ret, "another process writes the store %.100s; only one may",
                               path);
    return store_fault_set(fault, ret, "cannot lock %.100s: %s", name, status_text(ret));
}

size_t store_map_size(const struct store_conf *conf)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = conf->map_size ? conf->map_size : STORE_MAP_SIZE;
    return size < page ? page : size / page * page;
}

/* The page where the list of free pages begins, as the newer of both meta pages of LMDB's format
 * (version 1) says: read, not mapped, for it may be one that is missing. */
static int free_root_read(int fd, size_t page_size, uint64_t *root)
{
    uint64_t meta[META_WORDS], newest = 0;
    for (off_t i = 0; i < 2; i++) {
        if (pread(fd, meta, sizeof(meta), i * (off_t)page_size) != (ssize_t)sizeof(meta))
            return STATUS_CORRUPT;
        if (i == 0 || meta[META_TXN] > newest) {
            newest = meta[META_TXN];
            *root = meta[META_FREE_ROOT];
        }
    }
    return 0;
}

/* Are all pages from `first` to `last` in the list of free ones? */
static int pages_are_free(MDB_env *env, size_t first, size_t last)
{
    MDB_txn *txn;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    size_t found = 0;
    int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (rc)
        return store_status_of(rc);
    rc = mdb_cursor_open(txn, FREE_TABLE, &cursor);
    while (rc == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        const size_t *pages = value.mv_data; /* their count, then each */
        size_t count = value.mv_size / sizeof(*pages);
        for (size_t i = 1; i < count && i <= pages[0]; i++)
            found += pages[i] >= first && pages[i] <= last;
    }
    if (cursor)
        mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    if (rc != MDB_NOTFOUND)
        return store_status_of(rc);
    return found == last - first + 1 ? 0 : STATUS_CORRUPT;
}

static int size_check(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat st;
    int fd, rc = mdb_env_get_fd(env, &fd);
    if (rc)
        return store_status_of(rc);
    mdb_env_info(env, &info);
    mdb_env_stat(env, &stat);
    if (fstat(fd, &st))
        return -errno;
    size_t pages = (size_t)st.st_size / stat.ms_psize;
    if (pages > info.me_last_pgno)
        return 0;
    /* A page that a transaction took at the end and gave back is never written. */
    uint64_t root;
    bool may_be_free = info.me_last_pgno - pages < FREE_TAIL_MAX &&
                       free_root_read(fd, stat.ms_psize, &root) == 0 && root < pages;
    return may_be_free ? pages_are_free(env, pages, info.me_last_pgno) : STATUS_CORRUPT;
}

int store_env_check_size(MDB_env *env)
{
    int ret = STATUS_CORRUPT; /* or its writer, another process, has changed it meanwhile */
    for (int i = 0; i < SIZE_TRIES && ret == STATUS_CORRUPT; i++)
        ret = size_check(env);
    return ret;
}

uint64_t store_journal_size(const struct store_conf *conf)
{
    uint64_t wanted = conf->journal_size ? conf->journal_size : STORE_JOURNAL_SIZE;
    uint64_t most = store_map_size(conf) / STORE_JOURNAL_SHARE;
    return wanted < most ? wanted : most;
}

/* Opens `path` with what all have alike; `flags` are LMDB's. */
static int env_open_at(struct store *store, const struct store_conf *conf, const char *path,
                       unsigned flags, struct store_fault *fault)
{
    /* one slot more, for the writer's own look at the free pages */
    unsigned readers = (conf->max_readers ? conf->max_readers : STORE_READERS) + 1;
    int rc = mdb_env_create(&store->env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(store->env, TABLE_COUNT);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(store->env, readers);
    if (rc == 0)
        rc = mdb_env_set_mapsize(store->env, store_map_size(conf));
    if (rc == 0)
        rc = mdb_env_open(store->env, path, flags | MDB_NOTLS, FILE_MODE);
    if (rc)
        return store_fault_set(fault, store_status_of(rc), "cannot open the store %.100s: %s", path,
                               mdb_strerror(rc));
    int ret = store_env_check_size(store->env);
    return ret ? store_fault_set(fault, ret,
                                 "the file of the store %.100s is shorter than it was written: "
                                 "restore a backup",
                                 path)
               : 0;
}

/* Makes a store without records beside its place and moves it there, so that whatever happens
 * meanwhile nobody finds half of one, which would pass for a damaged store. */
static int env_make(const struct store_conf *conf, const char *file, struct store_fault *fault)
{
    char made[PATH_MAX];
    struct store store = {.mode = STORE_WRITER};
    if (snprintf(made, sizeof(made), "%s" NEW_SUFFIX, file) >= (int)sizeof(made))
        return store_fault_set(fault, -ENAMETOOLONG, "the store's path is too long");
    unlink(made); /* of one who did not come to the end */
    int ret = env_open_at(&store, conf, made, MDB_NOSUBDIR | MDB_NOLOCK, fault);
    if (ret == 0)
        ret = store_schema_open(&store, NULL, fault);
    if (store.env)
        mdb_env_close(store.env);
    if (ret == 0 && rename(made, file)) {
        ret = -errno;
        store_fault_set(fault, ret, "cannot make the store %.100s: %s", file, status_text(ret));
    }
    if (ret)
        unlink(made);
    return ret ? ret : directory_sync(conf->path, fault);
}

static int env_make_once(const struct store_conf *conf, struct store_fault *fault)
{
    char file[PATH_MAX];
    struct stat st;
    if (snprintf(file, sizeof(file), "%s/" DATA_FILE, conf->path) >= (int)sizeof(file))
        return store_fault_set(fault, -ENAMETOOLONG, "the store's path is too long");
    if (stat(file, &st))
        return env_make(conf, file, fault);
    if (st.st_size > 0)
        return 0;
    return store_fault_set(fault, STATUS_CORRUPT,
                           "%.120s is empty, which no store is: restore a backup, or delete it "
                           "to begin with nothing",
                           file);
}

/* Is the file that was opened still the store's? */
static bool env_is_current(const struct store *store, const struct store_conf *conf)
{
    char name[PATH_MAX];
    struct stat opened, named;
    int fd;
    snprintf(name, sizeof(name), "%s/" DATA_FILE, conf->path);
    if (mdb_env_get_fd(store->env, &fd) || fstat(fd, &opened) || stat(name, &named))
        return false;
    return opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* A reader opens the file first and waits for the lock then: if a restore or a bulk load had that,
 * the file is another's by now. */
static int env_open(struct store *store, const struct store_conf *conf, struct store_fault *fault)
{
    unsigned flags = store->mode == STORE_READER ? MDB_RDONLY : 0;
    for (int tries = 0; tries < OPEN_TRIES; tries++) {
        int ret = env_open_at(store, conf, conf->path, flags, fault);
        if (ret)
            return ret;
        mdb_reader_check(store->env, NULL);
        if (env_is_current(store, conf))
            return 0;
        mdb_env_close(store->env);
        store->env = NULL;
    }
    return store_fault_set(fault, -EAGAIN, "the file of the store %.100s is being replaced",
                           conf->path);
}

static int store_build(struct store *store, const struct store_conf *conf,
                       struct store_fault *fault)
{
    int ret;
    if (store->mode == STORE_WRITER) {
        ret = store_lock_take(conf->path, &store->lock_fd, fault);
        if (ret == 0)
            ret = env_make_once(conf, fault);
        if (ret)
            return ret;
    }
    ret = env_open(store, conf, fault);
    if (ret == 0)
        ret = store_schema_open(store, conf, fault);
    if (ret || store->mode == STORE_READER)
        return ret;
    ret = store_writer_start(store, conf, &store->writer);
    return ret ? store_fault_set(fault, ret, "cannot start the store's writer: %s",
                                 status_text(ret))
               : 0;
}

int store_open(const struct store_conf *conf, enum store_mode mode, struct store **store,
               struct store_fault *fault)
{
    struct store *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return store_fault_set(fault, -ENOMEM, "no memory to open the store");
    opened->mode = mode;
    opened->lock_fd = -1;
    opened->journal_size = store_journal_size(conf);
    int ret = store_build(opened, conf, fault);
    if (ret) {
        store_close(opened);
        return ret;
    }
    *store = opened;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store->writer = store_writer_stop(store->writer);
    if (store->env)
        mdb_env_close(store->env);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    free(store);
}
