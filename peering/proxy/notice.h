/* A word of the operator to one of his own: a SIP MESSAGE (RFC 3428) to an address that we serve,
 * at its core, from the hosting domain itself. A client transaction of our own; the targets of the
 * core in turn, until one of them gives a final answer. What became of it is logged, nobody waits.
 */
#ifndef JUNCTOR_PEERING_PROXY_NOTICE_H
#define JUNCTOR_PEERING_PROXY_NOTICE_H

#include "store/store.h"

#define NOTICE_MAX      64    /* under way at once in one worker */
#define NOTICE_TEXT_MAX 500   /* bytes: with its headers it stays below 1300 (RFC 3428 section 8) */
#define NOTICE_LIMIT_MS 32000 /* for all targets together */

struct proxy;

struct notice_words {
    const char *domain; /* ours, which serves the address */
    const struct store_address *address;
    const char *text; /* UTF-8, one line */
};

/* Copies what it needs. Returns 0 (it is on its way), STATUS_NOTFOUND (the domain is not ours, or
 * has no core), STATUS_LIMIT (NOTICE_MAX are), -ENOMEM or a store status. */
int notice_send(struct proxy *proxy, const struct notice_words *words);
/* Ends all of them without a word. */
void notice_end_all(struct proxy *proxy);

#endif
