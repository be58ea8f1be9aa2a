#include "tools/cert_files.h"

#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(const char *path)
{
    return tool_fail(TOOL_REFUSED, "%s: %s", path, strerror(errno));
}

static int path_make(char path[CERT_PATH_MAX], const char *file, const char *suffix)
{
    if (snprintf(path, CERT_PATH_MAX, "%s%s", file, suffix) < CERT_PATH_MAX)
        return TOOL_DONE;
    return tool_fail(TOOL_REFUSED, "%s: the name is too long", file);
}

/* A rename is lasting once its folder is on disk. */
static void folder_sync(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

/* ---- writing ---- */

static bool text_write(int fd, const char *text, const struct stat *like)
{
    size_t len = strlen(text);
    if (fchown(fd, like->st_uid, like->st_gid) || fchmod(fd, like->st_mode & 0777))
        return false;
    while (len > 0) {
        ssize_t written = write(fd, text, len);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            text += written;
            len -= (size_t)written;
        }
    }
    return fsync(fd) == 0;
}

int cert_file_write(const char *path, const char *text, const char *like)
{
    struct stat owner;
    char new[CERT_PATH_MAX];
    int code = path_make(new, path, ".new");
    if (code)
        return code;
    if (stat(like, &owner))
        return failed(like);
    unlink(new); /* of a run that was killed */
    int fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(new);
    bool written = text_write(fd, text, &owner);
    if (!written || rename(new, path)) {
        code = failed(path);
        unlink(new);
    }
    close(fd);
    folder_sync(path);
    return code;
}

/* ---- what was seen ---- */

bool cert_seen_read(const char *path, struct cert_seen *seen)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool read =
        fscanf(file, "%64s %" SCNd64 " %" SCNu32, seen->key, &seen->since_s, &seen->ttl_s) == 3;
    fclose(file);
    return read;
}

int cert_seen_write(const char *path, const struct cert_seen *seen, const char *like)
{
    char text[CERT_HEX_LEN + 64];
    snprintf(text, sizeof(text), "%s %" PRId64 " %" PRIu32 "\n", seen->key, seen->since_s,
             seen->ttl_s);
    return cert_file_write(path, text, like);
}

/* ---- switching ---- */

/* Another name, `to` with `suffix`, for the file `from`; what had that name is gone. */
static int link_make(const char *from, const char *to, const char *suffix, char path[CERT_PATH_MAX])
{
    int code = path_make(path, to, suffix);
    if (code)
        return code;
    if (unlink(path) && errno != ENOENT)
        return failed(path);
    return link(from, path) ? failed(path) : TOOL_DONE;
}

static int switch_rename(const char *new_key, const char *key, const char *old_key,
                         const char *new_chain, const char *chain)
{
    if (rename(new_key, key))
        return failed(key);
    if (rename(new_chain, chain) == 0)
        return TOOL_DONE;
    int code = failed(chain);
    if (rename(old_key, key))
        return failed(key);
    return code;
}

/* Everything that can fail is done before the first rename; a daemon looks at the files only when
 * it is told to, which is not before both are in place. */
int cert_files_switch(const char *next_key, const char *key, const char *next_chain,
                      const char *chain)
{
    char old_key[CERT_PATH_MAX], old_chain[CERT_PATH_MAX], new_key[CERT_PATH_MAX],
        new_chain[CERT_PATH_MAX];
    int code = link_make(key, key, ".old", old_key);
    if (code == TOOL_DONE)
        code = link_make(chain, chain, ".old", old_chain);
    if (code == TOOL_DONE)
        code = link_make(next_key, key, ".new", new_key);
    if (code == TOOL_DONE)
        code = link_make(next_chain, chain, ".new", new_chain);
    if (code == TOOL_DONE)
        code = switch_rename(new_key, key, old_key, new_chain, chain);
    folder_sync(key);
    folder_sync(chain);
    return code;
}
