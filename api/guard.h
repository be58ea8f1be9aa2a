/* Who asks how often, and who guesses tokens or auth codes.
 *
 * Failed attempts are slowed per source address and per token id: neither many ids tried from one
 * source nor one id tried from many sources gets more answers. Right tokens are never slowed, for
 * then whoever knows an id, which is no secret, could lock its owner out. A guesser gains nothing
 * by that: what he has to guess has 256 bits. All tables are bounded. Thread-safe. */
#ifndef JUNCTOR_API_GUARD_H
#define JUNCTOR_API_GUARD_H

#include "base/netaddr.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define API_GUARD_KEYS           4096 /* of each table */
#define API_GUARD_SOURCE_BURST   20   /* failures of one source address at once, */
#define API_GUARD_SOURCE_WAIT_S  3    /* and one more after this time */
#define API_GUARD_TOKEN_BURST    10   /* failures at one token id from anywhere, */
#define API_GUARD_TOKEN_WAIT_S   6    /* and one more */
#define API_GUARD_PORT_BURST     5    /* ports that one user asks for at once, */
#define API_GUARD_PORT_WAIT_S    600  /* and one more */
#define API_GUARD_SOURCE_KEY_MAX 9    /* bytes of struct api_source */

struct api_guard;

/* Where a request comes from: an IPv4 address, or the /64 of an IPv6 one, which is one site. */
struct api_source {
    size_t len;
    char key[API_GUARD_SOURCE_KEY_MAX];
};
struct api_source api_source_of(const struct netaddr *addr);

/* `rate`: requests per second of one client, twice as many at once; 0: no bound. NULL without
 * memory. */
struct api_guard *api_guard_alloc(unsigned rate);
struct api_guard *api_guard_free(struct api_guard *guard); /* accepts NULL */

/* May this client make one more request? `client` is a token id, or "" for the source. Else
 * *wait_s. */
bool api_guard_request(struct api_guard *guard, const struct api_source *source, const char *client,
                       uint64_t now_us, unsigned *wait_s);

/* One wrong token; `id` is "" where the text is no token. Returns whether it may be told so, else
 * *wait_s: this source, or whoever tries this id, has failed too often. */
bool api_guard_failed(struct api_guard *guard, const struct api_source *source, const char *id,
                      uint64_t now_us, unsigned *wait_s);

/* May this user ask another operator for one more address? Else *wait_s. Wrong codes count against
 * all of a host's users there, so no user may try as many as the host may. */
bool api_guard_port(struct api_guard *guard, const char *token, uint64_t now_us, unsigned *wait_s);

#endif
