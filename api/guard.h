/* Who asks how often, and who guesses tokens.
 *
 * Failed attempts are slowed per source address and per token id: neither many ids tried from one
 * source nor one id tried from many sources gets more guesses. An attempt takes from both buckets
 * before the token is looked at, and a right one gives back what it took, so that attempts at the
 * same time gain nothing. A source that has proved a token before has a bucket of its own for that
 * token: it goes on while others guess. All tables are bounded. Thread-safe. */
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

/* An attempt to prove who one is; `id` is "" where the text is no token. Begun with a `true`, it
 * counts as failed until api_guard_proved. */
struct api_attempt {
    struct api_source source;
    const char *id;
    bool was_known; /* private */
};
bool api_guard_try(struct api_guard *guard, struct api_attempt *attempt, uint64_t now_us,
                   unsigned *wait_s);
void api_guard_proved(struct api_guard *guard, const struct api_attempt *attempt, uint64_t now_us);

#endif
