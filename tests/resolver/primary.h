/* A real primary server on loopback, Knot DNS or BIND, that takes updates of the zone opa.example.
 */
#ifndef JUNCTOR_TESTS_RESOLVER_PRIMARY_H
#define JUNCTOR_TESTS_RESOLVER_PRIMARY_H

#include "resolver/update.h"

#include <sys/types.h>

#define PRIMARY_KEY   "publisher"
#define PRIMARY_OTHER "reader" /* a key that it knows, and that may update nothing */

struct primary {
    bool is_bind;
    char dir[64];
    pid_t pid;
    struct update_key key, other;
    struct update_place place; /* with the key that may update */
};

/* Is the program installed? */
bool primary_is_there(bool is_bind);
/* Returns when it answers. */
void primary_start(struct primary *primary, bool is_bind);
void primary_stop(struct primary *primary);

#endif
