/* The certificate and the key of HTTPS, as PEM files. */
#ifndef JUNCTOR_API_PAIR_H
#define JUNCTOR_API_PAIR_H

#include "api/api.h"

#include <stdint.h>

#define API_MAX_PEM 262144 /* bytes of one file */

struct api_pair {
    char *certificate, *key;        /* text with terminator */
    uint8_t digest[STORE_HASH_LEN]; /* of both: has anything changed? */
};

/* Reads both and checks that they belong together and can serve. As api_pair_check. */
int api_pair_read(const char *certificate, const char *key, struct api_pair *pair,
                  char why[API_MAX_WHY]);
/* Wipes and frees; accepts an empty one. */
void api_pair_done(struct api_pair *pair);

#endif
