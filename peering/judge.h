/* Who is at the other end of a TLS connection that is not the proxy's own: the same verdict that
 * SIP peers get (design section 6, peering/transport/claims.h, peering/trust.h), for threads that
 * may wait for DNS. The federation API is judged by it on both of its sides.
 *
 * A caller's key is checked against the TLSA records of its own SIP service, and so is a server's:
 * an operator has one key for all that it does between operators. Besides, the edge's peering mode
 * holds (open, listed, closed). Any thread, several at once. */
#ifndef JUNCTOR_PEERING_JUDGE_H
#define JUNCTOR_PEERING_JUDGE_H

#include "peering/guard/guard.h"
#include "peering/transport/tls.h"
#include "resolver/resolver.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

#define JUDGE_MAX_MS           10000 /* for DNS, and for a place among those that are judged */
#define JUDGE_MAX_AT_ONCE      8     /* judgements under way: each has a resolver of its own */
#define JUDGE_MAX_CERTIFICATES 10    /* of one chain; more are refused */
#define JUDGE_MAX_DER          65536 /* bytes of them all */
#define JUDGE_KEPT             64    /* verdicts remembered, */
#define JUDGE_KEPT_S           60    /* for so long at most; that of a chain that proves nothing */
#define JUDGE_REFUSED_S        5     /* for less, as somebody may be mending it */

struct judge;

struct judge_conf {
    struct store *store;                  /* what the operator says of peers */
    const struct resolver_conf *resolver; /* copied */
    enum guard_peering peering;
};

/* One certificate as it came. */
struct judge_certificate {
    const unsigned char *der;
    size_t len;
};

struct judge_case {
    const struct judge_certificate *chain; /* leaf first */
    size_t count;                          /* 0: none was sent */
    const char *far_domain; /* whom we called, canonical; NULL: it called us, and may be anybody */
    const char *peer;       /* its name in sentences: "192.0.2.1:40000" */
};

/* References the context. NULL without memory. */
struct judge *judge_alloc(const struct judge_conf *conf, struct tls_context *context);
/* Nobody may be judged any more. Accepts NULL; returns NULL. */
struct judge *judge_free(struct judge *judge);
/* Other trust anchors and another mode from now on; what is remembered is forgotten. */
void judge_set(struct judge *judge, struct tls_context *context, enum guard_peering peering);

/* Blocks for DNS, JUDGE_MAX_MS at most, unless the verdict of the same chain and domain is
 * remembered. Returns 0 with the proven domains in *verdict; STATUS_UNPROVEN with verdict->why
 * saying what was seen and what is missing; -EAGAIN, the same but it could not be found out now;
 * -ENOMEM or a store status, with a sentence too. */
int judge_ask(struct judge *judge, const struct judge_case *about, struct tls_verdict *verdict);

#endif
