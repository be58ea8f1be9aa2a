#include "tests/store/files.h"

#include "tests/test.h"

#include <dirent.h>
#include <lmdb.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

const char *file_in(const struct fixture *fixture, const char *name)
{
    static char names[4][400];
    static unsigned next;
    char *file = names[next++ % COUNT_OF(names)];
    snprintf(file, sizeof(names[0]), "%s/%s", fixture->path, name);
    return file;
}

/* ---- dumps ---- */

static void dump_add(struct dump *dump, const void *p, size_t len)
{
    dump->p = realloc(dump->p, dump->len + sizeof(len) + len);
    assert_non_null(dump->p);
    memcpy(dump->p + dump->len, &len, sizeof(len));
    if (len)
        memcpy(dump->p + dump->len + sizeof(len), p, len);
    dump->len += sizeof(len) + len;
}

static void table_dump(struct dump *dump, MDB_txn *txn, const char *name)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_dbi table;
    dump_add(dump, name, strlen(name));
    assert_int_equal(mdb_dbi_open(txn, name, 0, &table), 0);
    assert_int_equal(mdb_cursor_open(txn, table, &cursor), 0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        dump_add(dump, key.mv_data, key.mv_size);
        dump_add(dump, value.mv_data, value.mv_size);
    }
    mdb_cursor_close(cursor);
}

/* The names of all tables are the keys of the unnamed one. */
static void all_dump(struct dump *dump, MDB_txn *txn)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_dbi main_table;
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &main_table), 0);
    assert_int_equal(mdb_cursor_open(txn, main_table, &cursor), 0);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)key.mv_size, (const char *)key.mv_data);
        table_dump(dump, txn, name);
    }
    mdb_cursor_close(cursor);
}

struct dump file_dump(const char *file, const char *const *tables)
{
    struct dump dump = {.len = 0};
    MDB_env *env;
    MDB_txn *txn;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 32), 0);
    int rc = mdb_env_open(env, file, MDB_RDONLY | MDB_NOLOCK | MDB_NOSUBDIR, 0600);
    if (rc)
        fail_msg("%s: %s", file, mdb_strerror(rc));
    assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    if (!tables)
        all_dump(&dump, txn);
    for (; tables && *tables; tables++)
        table_dump(&dump, txn, *tables);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return dump;
}

struct dump dump_free(struct dump dump)
{
    free(dump.p);
    return (struct dump){.len = 0};
}

bool dumps_are_same(struct dump a, struct dump b)
{
    bool is_same = a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
    dump_free(a);
    dump_free(b);
    return is_same;
}

/* ---- files ---- */

bool file_is_there(const char *file)
{
    return access(file, F_OK) == 0;
}

void file_remove(const char *file)
{
    if (unlink(file))
        fail_msg("there is no %s", file);
}

void file_write(const char *file, struct slice bytes)
{
    FILE *stream = fopen(file, "w");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes.p, 1, bytes.len, stream), bytes.len);
    assert_int_equal(fclose(stream), 0);
}

struct dump file_read(const char *file)
{
    struct dump bytes = {.len = 0};
    struct stat st;
    FILE *stream = fopen(file, "r");
    assert_non_null(stream);
    assert_int_equal(fstat(fileno(stream), &st), 0);
    bytes.len = (size_t)st.st_size;
    bytes.p = malloc(bytes.len + 1);
    assert_non_null(bytes.p);
    assert_int_equal(fread(bytes.p, 1, bytes.len, stream), bytes.len);
    fclose(stream);
    return bytes;
}

size_t folder_count(const char *path)
{
    DIR *folder = opendir(path);
    size_t count = 0;
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return count;
}

void folder_remove(const char *path)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "writer.lock"};
    char file[400];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(file, sizeof(file), "%s/%s", path, names[i]);
        unlink(file);
    }
    assert_int_equal(rmdir(path), 0);
}

/* ---- a full disk ---- */

void growth_limit(size_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    limit.rlim_cur = (rlim_t)size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

void growth_allow(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_DFL);
}
