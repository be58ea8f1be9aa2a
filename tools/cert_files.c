#include "tools/cert_files.h"

#include "base/hex.h"
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

char *cert_hex(const uint8_t hash[CERT_HEX_LEN / 2], char text[CERT_HEX_LEN + 1])
{
    return hex_encode(hash, CERT_HEX_LEN / 2, text);
}

/* Some file systems have no fsync for folders, and do without. */
int cert_folder_sync(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool synced = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP);
    int code = synced ? TOOL_DONE
                      : tool_fail(TOOL_REFUSED, "%s: its folder cannot be written to disk: %s",
                                  path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(copy);
    return code;
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
    return code ? code : cert_folder_sync(path);
}

/* ---- copying ---- */

/* The whole of a small text file, terminated. */
static char *text_read(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(CERT_FILE_MAX + 1) : NULL;
    size_t len = text ? fread(text, 1, CERT_FILE_MAX + 1, file) : 0;
    bool whole = text && !ferror(file) && len <= CERT_FILE_MAX && !memchr(text, '\0', len);
    if (text && len > CERT_FILE_MAX)
        errno = EFBIG;
    else if (text && !ferror(file) && !whole)
        errno = EILSEQ;
    if (file)
        fclose(file);
    if (!whole) {
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}

int cert_file_copy(const char *from, const char *to, const char *like)
{
    char *text = text_read(from);
    if (!text)
        return failed(from);
    int code = cert_file_write(to, text, like);
    explicit_bzero(text, strlen(text));
    free(text);
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
