/* What a transport asks before it believes a certificate: does DNS name the keys of this domain
 * (DANE), and what does the operator say of this peer? The transport knows neither DNS nor the
 * directory; who makes it gives it this table (peering/trust.c does; tests give their own). */
#ifndef JUNCTOR_PEERING_TRANSPORT_TRUST_H
#define JUNCTOR_PEERING_TRANSPORT_TRUST_H

#include "peering/transport/tls.h"
#include "peering/transport/tls_dane.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUST_MAX_PINS 4

enum trust_say {
    TRUST_ANCHORS, /* DNS names no keys, provably: trust anchors decide */
    TRUST_FITS,    /* DNS names the key that the far side has */
    TRUST_MISFITS, /* DNS names keys, and none is the far side's */
    TRUST_UNKNOWN  /* it could not be found out: nothing is proven */
};

struct trust_answer {
    enum trust_say say;
    uint32_t ttl_s;  /* for how long this holds; 0 for TRUST_UNKNOWN */
    const char *why; /* a sentence for TRUST_UNKNOWN */
};

/* Called exactly once, later, from the loop. */
typedef void trust_answer_h(const struct trust_answer *answer, void *arg);
/* Is this validated record that of the far side? */
typedef bool trust_fits_h(const struct tls_tlsa *tlsa, void *arg);

/* `domain` is what is to be proven. `host` and `port` are where the connection leads to, as DNS
 * named it; host "": it was accepted, and any server of the domain may be the caller. The strings
 * must live until the answer. */
struct trust_question {
    const char *domain, *host;
    uint16_t port;
    trust_fits_h *fits; /* called from the loop, before the answer */
    trust_answer_h *done;
    void *arg;
    bool is_stranger; /* asked because of a certificate that anybody may have made */
};

struct trust_asking; /* a question under way */

struct trust_peer {
    bool blocked;
    uint8_t pins[TRUST_MAX_PINS][TLS_KEY_HASH_LEN]; /* one must be that of the far side's key */
    unsigned pin_count;                             /* 0: not pinned */
};

struct transport_trust {
    /* NULL: DNS is not asked, and trust anchors decide. Returns 0 with *asking, or a status: then
     * `done` is not called; -EAGAIN: too many are under way, of strangers or in all. */
    int (*ask)(const struct trust_question *question, struct trust_asking **asking, void *arg);
    void (*cancel)(struct trust_asking *asking); /* `done` will not be called any more */
    /* What the operator says of a peer; zeroes where it says nothing. NULL: it says nothing of any.
     * Returns 0, or a status where that cannot be read. */
    int (*peer)(const char *domain, struct trust_peer *peer, void *arg);
    void *arg;
};

#endif
