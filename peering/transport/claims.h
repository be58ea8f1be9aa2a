/* What a certificate proves, domain by domain. Belief is per identity (design section 6): each SIP
 * domain that it names is a claim; of a far side that we called only the domain called counts. What
 * the operator says of that peer comes first (blocked, pins), then DNS: where it names keys, one of
 * them must be the far side's, and it proves this one domain only; where it provably names none,
 * the chain to a trust anchor decides; where it cannot be asked, nothing is proven. */
#ifndef JUNCTOR_PEERING_TRANSPORT_CLAIMS_H
#define JUNCTOR_PEERING_TRANSPORT_CLAIMS_H

#include "peering/transport/tls.h"
#include "peering/transport/trust.h"

#include <openssl/x509.h>
#include <uv.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLAIMS_UNANCHORED 4   /* of a certificate that anybody may have made: DNS questions */
#define CLAIMS_MAX_S      300 /* then it is to be looked at again, whatever its TTL */
#define CLAIMS_NAME_MAX   336 /* bytes of claims_case.name */

enum claim_state { CLAIM_ASKED, CLAIM_PROVEN, CLAIM_REFUSED, CLAIM_UNKNOWN };

struct claims;

struct claim {
    struct claims *claims;
    char domain[256];
    enum claim_state state;
    bool known;                  /* set before claims_start: it was proven before, on this
                                    connection */
    bool by_keys;                /* proven: by DNS, not by a trust anchor */
    struct trust_asking *asking; /* private; NULL: DNS was not asked, or has answered */
};

/* Certificates and `trust` must live as long as the claims; the rest is copied. */
struct claims_case {
    uv_loop_t *loop;                     /* from which DNS answers */
    const struct transport_trust *trust; /* NULL: trust anchors decide alone */
    X509 *leaf;
    STACK_OF(X509) * chain; /* as it was sent */
    const char *name;       /* of the far side, in sentences */
    const char *far_domain; /* what must be proven; NULL: it called us, any will do */
    const char *far_host;   /* where DNS led us, with far_port; "": any server of the domain */
    uint16_t far_port;
    const struct tls_verdict *judged; /* what tls_judge says of the chain, */
    bool anchored;                    /* and whether that was 0 */
};

/* Each claim is decided: called once, from inside of claims_start or later from the loop. The
 * claims may be freed in it. */
typedef void claims_done_h(void *arg);

struct claims {
    struct claims_case about; /* private, with the three below */
    char name[CLAIMS_NAME_MAX], far_domain[256], far_host[256];
    claims_done_h *done;
    void *arg;
    size_t pending;    /* private: claims without answer, and one while they are being asked */
    uint64_t until_ms; /* by the loop's clock: the shortest TTL of what is proven */
    char unanchored[TLS_MAX_VERDICT]; /* private: why trust anchors prove nothing */
    char refusal[TLS_MAX_VERDICT];    /* why the first claim that is not proven is not; else "" */
    size_t count;
    struct claim claims[];
};

/* NULL without memory. */
struct claims *claims_alloc(const struct claims_case *about, claims_done_h *done, void *arg);
void claims_start(struct claims *claims);
/* Whoever has not answered yet counts as unknown; `done` is called. For claims under way only. */
void claims_give_up(struct claims *claims);
/* Could something not be found out? That is no fault of the far side. */
bool claims_are_unsure(const struct claims *claims);
/* Nobody is asked any more, and `done` will not be called. Accepts NULL. */
void claims_free(struct claims *claims);

#endif
