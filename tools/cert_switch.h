/* Another key and certificate in the place of the present ones: both or none, also where the
 * program is killed or the machine loses power in between.
 *
 * Everything is prepared first: copies of the present files as KEY.old and CHAIN.old, copies of the
 * next ones beside those that they replace. Then KEY.switch is written, which says from which key
 * to which; from then on the switch counts as begun. Two renames follow, and KEY.switch goes.
 * Whoever finds KEY.switch finishes the switch, or where that cannot be, takes it back; how far it
 * came is seen from the files themselves, so this may be broken off, too, and begun again. */
#ifndef JUNCTOR_TOOLS_CERT_SWITCH_H
#define JUNCTOR_TOOLS_CERT_SWITCH_H

#include "tools/cert_files.h"

#define CERT_SWITCH_SUFFIX ".switch" /* of the key's file: a switch is under way */

struct cert_pair {
    const char *key, *chain; /* files; where one is a link, the file behind it is meant */
};

struct cert_switch {
    const char *domain;
    struct cert_pair present, next;
    char was[CERT_HEX_LEN + 1], becomes[CERT_HEX_LEN + 1]; /* hashes of the keys */
};

/* Puts copies of the next files in the place of the present ones, and copies of these in KEY.old
 * and CHAIN.old; the next ones stay, for the configuration names them. KEY must be the key of
 * CHAIN, or the next one already; then KEY.old stays as it is. All returns are exit codes, after
 * saying what went wrong. */
int cert_switch_run(const struct cert_switch *change);

/* Was a switch broken off? */
bool cert_switch_is_open(const char *key_file);
/* Finishes it, and fills in the hashes; or takes it back, which is a refusal. `next` is not looked
 * at. */
int cert_switch_resume(struct cert_switch *change);

#endif
