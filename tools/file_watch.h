/* The files that the configuration names: are they others than when they were read?
 *
 * Certificates, keys, trust anchors and revocation lists are replaced by programs (an ACME client,
 * a CA's own tool) that know nothing of us. So they are looked at from time to time. The
 * configuration itself is a person's: what he has not finished must not be taken because a
 * certificate came. */
#ifndef JUNCTOR_TOOLS_FILE_WATCH_H
#define JUNCTOR_TOOLS_FILE_WATCH_H

#include "tools/conf.h"

/* Marks of what stat(2) says of files: two that differ are of different files. */
struct file_watch {
    uint64_t conf_read, files_read; /* as they were when they were read */
    uint64_t files_seen;            /* at the last look */
};

enum file_change {
    FILES_SAME,      /* or still changing */
    FILES_CHANGED,   /* and nothing has changed since the look before */
    FILES_NOT_ALONE, /* the same, and the configuration has changed, too */
};

/* They were read just now, whether with success or not. `path` is the configuration's. */
void file_watch_take(struct file_watch *watch, const char *path, const struct junctord_conf *conf);
/* Each change is told once. Blocks for some calls of stat(2). */
enum file_change file_watch_look(struct file_watch *watch, const char *path,
                                 const struct junctord_conf *conf);

#endif
