/* What the parts of an import by way of the daemon share: sending, and taking back. */
#ifndef JUNCTOR_TOOLS_IMPORT_REMOTE_H
#define JUNCTOR_TOOLS_IMPORT_REMOTE_H

#include "base/buf.h"
#include "tools/import.h"

#define REMOTE_FULL (-1) /* no exit code: the daemon has no room for so many at once */

/* What addresses that were added together are undone by. */
struct done {
    struct rows_place place;
    uint64_t sequence; /* version of the last one; they have one each, without gaps */
    uint16_t count;
    uint8_t level;
};

/* What was sent and never answered. */
struct pending {
    struct done done; /* count 0: nothing */
    uint64_t last_line;
    char key[CLIENT_MAX_KEY];
};

struct remote {
    struct import *import;
    bool trying; /* a dry run */
    unsigned level;
    size_t batch; /* at most so many at once: halved where the daemon has no room for more */

    struct buf items; /* the rows of a chunk, a comma before each but the first */
    size_t ends[STORE_IMPORT_MAX];
    struct rows_place places[STORE_IMPORT_MAX];
    struct store_address addresses[STORE_IMPORT_MAX];
    size_t count;

    struct buf body; /* of a request */
    struct done *done;
    size_t done_count;
    struct pending pending;
    uint64_t need, room; /* octets: what all takes at most, back and forth, and what there is */

    const char *new_domain; /* is not there yet, in a dry run: nothing can be asked about it */
    char asked_domain[STORE_DOMAIN_MAX + 1]; /* the last one that was asked for; "": none */
    bool asked_is_ours;
    char made_domain[STORE_DOMAIN_MAX + 1]; /* added by us; "": none */
    char made_version[64];
};

/* ---- import_remote.c ---- */

/* Puts a text into the body. Returns 0, or not. */
int remote_append(struct remote *remote, const char *text);
/* The body is empty, and a list of addresses begins in it. */
void remote_begin(struct remote *remote);
/* Sends the body as a POST with that key, patiently. Every answer but 2xx is said, but where
 * `may_halve`, a lack of room only makes REMOTE_FULL. On TOOL_DONE the caller owns answer->json. */
int remote_post(struct remote *remote, const char *path, const char *key, bool may_halve,
                struct client_answer *answer);
/* Remembers how to undo what was added. */
int remote_done_add(struct remote *remote, const struct done *done);

/* ---- import_place.c ---- */

/* Is the row of the domain that is not there yet, or served by it? Then it is judged here: counted,
 * or refused. Sets *code. */
bool remote_place_judge(struct remote *remote, const struct row *row, int *code);

/* ---- import_undo.c ---- */

/* Takes back what was added, and says what came of it. */
void remote_undo(struct remote *remote);
/* Says of which rows it is not known whether they were added, if there are any. */
void remote_pending_say(const struct remote *remote);

#endif
