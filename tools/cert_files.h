/* The files of a key roll-over: what is written is there whole or not at all. Functions return exit
 * codes, after saying what went wrong, where nothing else is said. */
#ifndef JUNCTOR_TOOLS_CERT_FILES_H
#define JUNCTOR_TOOLS_CERT_FILES_H

#include <stdbool.h>
#include <stdint.h>

#define CERT_PATH_MAX 4096
#define CERT_HEX_LEN  64
#define CERT_FILE_MAX 1048576 /* bytes of a file that is copied; a chain has a few thousand */

/* Owner, group and permissions are those of `like`. */
int cert_file_write(const char *path, const char *text, const char *like);
int cert_file_copy(const char *from, const char *to, const char *like);
/* What was made, renamed or removed in the folder of `path` outlasts a loss of power. */
int cert_folder_sync(const char *path);

/* The hash of a key as text. Returns `text`. */
char *cert_hex(const uint8_t hash[CERT_HEX_LEN / 2], char text[CERT_HEX_LEN + 1]);

/* What was seen of the next key in DNS. */
struct cert_seen {
    char key[CERT_HEX_LEN + 1]; /* the key's hash */
    int64_t since_s;            /* when every server had it first; 0: not yet */
    uint32_t ttl_s;             /* the longest TTL that any of them had, with the key or before */
};
/* False where there is no such file, or where it is not one of ours. */
bool cert_seen_read(const char *path, struct cert_seen *seen);
int cert_seen_write(const char *path, const struct cert_seen *seen, const char *like);

#endif
