/* The files of a key roll-over, beside those that are served: what is written is there whole or not
 * at all. Every function returns an exit code, after saying what went wrong. */
#ifndef JUNCTOR_TOOLS_CERT_FILES_H
#define JUNCTOR_TOOLS_CERT_FILES_H

#include <stdbool.h>
#include <stdint.h>

#define CERT_PATH_MAX 4096
#define CERT_HEX_LEN  64

/* Owner, group and permissions are those of `like`. */
int cert_file_write(const char *path, const char *text, const char *like);

/* What was seen of the next key in DNS. */
struct cert_seen {
    char key[CERT_HEX_LEN + 1]; /* the key's hash */
    int64_t since_s;            /* when every server had it first */
    uint32_t ttl_s;             /* the longest TTL that any of them had since */
};
/* False where there is no such file, or where it is not one of ours. */
bool cert_seen_read(const char *path, struct cert_seen *seen);
int cert_seen_write(const char *path, const struct cert_seen *seen, const char *like);

/* Puts copies (hard links) of the next files in the place of the present ones, which stay as
 * FILE.old; the next ones stay, too, for the configuration names them. Both or none. */
int cert_files_switch(const char *next_key, const char *key, const char *next_chain,
                      const char *chain);

#endif
