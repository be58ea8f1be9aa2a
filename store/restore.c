/* A backup in the place of the store. What is checked is the copy that will be the store, in its
 * folder and on its disk; until the last rename the old store is what it was. */
#include "base/status.h"
#include "store/alone.h"
#include "store/fault.h"
#include "store/file.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEFORE_NAME "data.mdb.before-restore"

/* ---- what is there ---- */

/* Tables whose records somebody would miss. */
static const enum store_table kept_tables[] = {
    TABLE_DOMAINS, TABLE_ADDRESSES,  TABLE_NUMBERS, TABLE_PEERS, TABLE_TOKENS,
    TABLE_JOURNAL, TABLE_TOKEN_KEYS, TABLE_CURSORS, TABLE_USAGE,
};

static int records_count(struct store *store, uint64_t *count)
{
    struct store_txn txn;
    int ret = store_txn_begin(store, MDB_RDONLY, &txn);
    if (ret)
        return ret;
    *count = 0;
    for (size_t i = 0; ret == 0 && i < sizeof(kept_tables) / sizeof(kept_tables[0]); i++) {
        uint64_t records = 0;
        ret = store_count(&txn, kept_tables[i], &records);
        *count += records;
    }
    store_txn_abort(&txn);
    return ret;
}

/* A store that cannot be read, or is of another schema, has what nobody can tell to be nothing. */
static bool target_is_empty(const char *name)
{
    struct store store;
    struct stat st;
    uint64_t count = 1;
    if (stat(name, &st) != 0)
        return errno == ENOENT;
    if (store_copy_open(&store, name, MDB_RDONLY, 0, NULL))
        return false;
    if (store_schema_open(&store, NULL, NULL) || records_count(&store, &count))
        count = 1;
    store_copy_close(&store);
    return count == 0;
}

static int target_check(const char *name, const char *path, bool replace, struct store_fault *fault)
{
    if (replace || target_is_empty(name))
        return 0;
    return store_fault_set(fault, -EEXIST,
                           "the store %.100s has records, or what cannot be read; say that it is "
                           "to be replaced",
                           path);
}

/* ---- the copy ---- */

/* Opens the backup, before anything is made for it. */
static int backup_open(const char *file, const struct store_conf *conf, int *fd,
                       struct store_fault *fault)
{
    struct stat st = {.st_size = 0};
    *fd = open(file, O_RDONLY | O_CLOEXEC);
    int ret = *fd < 0 || fstat(*fd, &st) ? -errno : 0;
    if (ret)
        return store_fault_set(fault, ret, "cannot open %.120s: %s", file, status_text(ret));
    if (conf->map_size && (uint64_t)st.st_size > conf->map_size)
        return store_fault_set(fault, STATUS_FULL,
                               "%.120s has %llu bytes, and the store may grow to %llu", file,
                               (unsigned long long)st.st_size, (unsigned long long)conf->map_size);
    return 0;
}

static int backup_copy(const char *file, int fd, const struct store_file *copy,
                       struct store_fault *fault)
{
    int ret = store_file_copy(fd, copy->fd);
    return ret ? store_fault_set(fault, ret, "cannot copy %.60s to %.60s: %s", file, copy->temp,
                                 status_text(ret))
               : 0;
}

static int copy_verify(const char *file, const struct store_file *copy, struct store_fault *fault)
{
    struct store_fault cause = {.text = ""};
    int ret = store_verify(copy->temp, &cause);
    return ret ? store_fault_set(fault, ret, "%.60s cannot be restored: %.100s", file, cause.text)
               : 0;
}

/* A second name for the old file, which it has in full before the new one takes the first. */
static int old_keep(const char *name, const char *path, struct store_fault *fault)
{
    char before[PATH_MAX], temp[PATH_MAX];
    int ret = store_file_path(before, path, BEFORE_NAME, fault);
    if (ret == 0)
        ret = store_file_path(temp, path, BEFORE_NAME ".new", fault);
    if (ret)
        return ret;
    unlink(temp);
    if (link(name, temp) || rename(temp, before))
        ret = errno == ENOENT ? 0 : -errno; /* there is none to keep */
    if (ret == 0)
        ret = store_file_sync_folder(name);
    return ret ? store_fault_set(fault, ret, "cannot keep the old store as %.100s: %s", before,
                                 status_text(ret))
               : 0;
}

static int restore_alone(const char *file, int fd, const struct store_conf *conf, bool replace,
                         struct store_fault *fault)
{
    char name[PATH_MAX];
    struct store_file copy;
    int ret = store_file_path(name, conf->path, "data.mdb", fault);
    if (ret == 0)
        ret = target_check(name, conf->path, replace, fault);
    if (ret == 0)
        ret = store_file_begin_alone(&copy, name, fault);
    if (ret)
        return ret;
    ret = backup_copy(file, fd, &copy, fault);
    if (ret == 0)
        ret = copy_verify(file, &copy, fault);
    if (ret == 0 && replace)
        ret = old_keep(name, conf->path, fault);
    if (ret == 0)
        return store_file_commit(&copy, true, fault);
    store_file_abort(&copy);
    return ret;
}

int store_restore(const char *file, const struct store_conf *conf, bool replace,
                  struct store_fault *fault)
{
    struct store_alone alone;
    int fd, ret = backup_open(file, conf, &fd, fault);
    if (ret == 0)
        ret = store_alone_begin(&alone, conf->path, fault);
    if (ret == 0) {
        ret = restore_alone(file, fd, conf, replace, fault);
        /* -EIO: in place, for what it is worth */
        store_alone_end(&alone, conf->path, ret == 0 || ret == -EIO);
    }
    if (fd >= 0)
        close(fd);
    return ret;
}
