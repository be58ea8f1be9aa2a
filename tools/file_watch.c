#include "tools/file_watch.h"

#include "base/table.h"

#include <string.h>
#include <sys/stat.h>

/* A file that is not there has a mark, too. */
static uint64_t mark_file(uint64_t mark, const char *path)
{
    static const uint8_t key[16] = {0}; /* nobody gains by two files with one mark */
    struct stat st;
    if (!path || path[0] == '\0')
        return mark;
    if (stat(path, &st) != 0)
        memset(&st, 0, sizeof(st));
    const uint64_t seen[] = {(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
                             (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec};
    return siphash_after(key, mark, slice_make((const char *)seen, sizeof(seen)));
}

static uint64_t mark_all(const struct junctord_conf *conf)
{
    const struct tls_conf *tls = &conf->edge.tls;
    uint64_t mark = mark_file(0, tls->anchors_file);
    mark = mark_file(mark, tls->core_anchors_file);
    for (size_t i = 0; i < tls->crl_count; i++)
        mark = mark_file(mark, tls->crl_files[i]);
    for (size_t i = 0; i < tls->certificate_count; i++) {
        mark = mark_file(mark, tls->certificates[i].chain_file);
        mark = mark_file(mark, tls->certificates[i].key_file);
        mark = mark_file(mark, tls->certificates[i].next_key_file);
    }
    mark = mark_file(mark, conf->api.certificate);
    return mark_file(mark, conf->api.key);
}

void file_watch_take(struct file_watch *watch, const char *path, const struct junctord_conf *conf)
{
    watch->conf_read = mark_file(0, path);
    watch->files_read = watch->files_seen = mark_all(conf);
}

enum file_change file_watch_look(struct file_watch *watch, const char *path,
                                 const struct junctord_conf *conf)
{
    uint64_t now = mark_all(conf), before = watch->files_seen;
    watch->files_seen = now;
    if (now == watch->files_read || now != before)
        return FILES_SAME;
    watch->files_read = now;
    return mark_file(0, path) == watch->conf_read ? FILES_CHANGED : FILES_NOT_ALONE;
}
