/* Where a message came from, what that source has proven, and what that entitles it to, whichever
 * worker has its connection (private to peering/). */
#ifndef JUNCTOR_PEERING_PROXY_ORIGIN_H
#define JUNCTOR_PEERING_PROXY_ORIGIN_H

#include "peering/transport/transport.h"

#include <stdbool.h>
#include <stdint.h>

struct proxy;

/* What the connection of a message has proven, for a worker that does not have that connection: a
 * keyed hash of each domain, which nobody outside can aim at. */
struct proven {
    unsigned count;
    uint64_t hashes[TLS_MAX_IDENTITIES];
};

/* Where a message came from, as long as its request lives. */
struct origin {
    const struct transport_listener *listener;
    struct netaddr peer;
    struct conn *conn;           /* NULL for UDP, and for what another worker took in */
    const struct proven *proven; /* of the latter, while it is taken in; else NULL */
};

static inline enum sip_transport origin_transport(const struct origin *origin)
{
    return origin->conn ? conn_transport(origin->conn) : SIP_UDP;
}

/* What a connection (or NULL) has proven, for other workers. */
void origin_note_proven(const struct proxy *proxy, const struct conn *conn, struct proven *proven);
/* Did the source prove this SIP domain, here or at the worker that has its connection? Enough for
 * what is under way (conn_holds). */
bool origin_proves(const struct proxy *proxy, const struct origin *origin, const char *domain);

/* Whose transactions a source's requests may begin, repeat, confirm or cancel: those of all cores,
 * or those of a peer that has proven the same domain; without any, those of the connection.
 * Returns how many, at least one; the first is for what begins now, the others are for what began
 * before the peer's proofs were renewed, or over another of its connections. */
unsigned origin_realms(const struct proxy *proxy, const struct origin *origin,
                       uint64_t realms[TLS_MAX_IDENTITIES]);

/* Whom a request of ours was sent to. */
struct asked {
    enum transport_side side;
    const char *domain; /* outside: what it had to prove; inside: whose core it is, "" not known */
    const struct conn *conn;    /* NULL: none, or none any more */
    const struct netaddr *addr; /* of the hop */
};
/* May an answer to it come from there? Over the connection that it left by it may. Else from
 * outside only where the domain asked is proven. Inside from the address asked, or another of that
 * domain's cores, or one that `allow` lists: RFC 3261 18.1.2 does not tie a response to an address,
 * and a core may have several. */
bool origin_may_answer(struct proxy *proxy, const struct origin *origin, const struct asked *asked);

#endif
