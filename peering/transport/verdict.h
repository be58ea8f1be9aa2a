/* Between verdict.c, which judges a connection as a whole, and claim.c, which finds out about one
 * SIP domain that the far side's certificate names. Nobody else includes this. */
#ifndef JUNCTOR_PEERING_TRANSPORT_VERDICT_H
#define JUNCTOR_PEERING_TRANSPORT_VERDICT_H

#include "peering/transport/internal.h"
#include "peering/transport/trust.h"

enum claim_state { CLAIM_ASKED, CLAIM_PROVEN, CLAIM_REFUSED, CLAIM_UNKNOWN };

struct claim {
    struct verdict *verdict;
    char domain[256];
    enum claim_state state;
    bool by_keys;                /* proven: by DNS, not by a trust anchor */
    struct trust_asking *asking; /* NULL: DNS was not asked, or has answered */
};

/* Owned by its connection until it is finished or dropped. */
struct verdict {
    struct conn *conn;
    bool is_renewal, anchored;
    uint64_t until_ms; /* the shortest TTL */
    size_t pending;    /* claims without answer, and one while they are being asked */
    struct timer patience;
    char unanchored[TLS_MAX_VERDICT]; /* why trust anchors prove nothing */
    char refusal[TLS_MAX_VERDICT];    /* why the first claim is not proven */
    size_t count;
    struct claim claims[];
};

/* Who is asked about this connection; NULL: nobody. */
const struct transport_trust *verdict_trust(const struct conn *conn);
bool verdict_asks_dns(const struct conn *conn);

/* The domains that the connection may come to prove. Returns how many. */
size_t claims_collect(const struct conn *conn, const struct tls_verdict *judged, bool anchored,
                      char domains[TLS_MAX_IDENTITIES][256]);
/* Decides, or asks DNS: then verdict->pending counts it until verdict_pending_drop. */
void claim_start(struct claim *claim);
/* Whoever has not answered by now counts as unknown. */
void claim_give_up(struct claim *claim);
/* One that was waited for is there; with the last one the verdict is finished, and gone. */
void verdict_pending_drop(struct verdict *verdict);

#endif
