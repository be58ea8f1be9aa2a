/* One vector on its way through an edge of its own: what is sent, and what was seen then.
 *
 * The edge is started for this one message, with a directory in which it can be forwarded: each
 * domain that it names in Request-URI and Route is hosted, unknown addresses go to the core, and
 * the caller's address is served by another core than the called one, or by a peer. A request is
 * sent from an address in 127/8 that is ours alone, from the port that its topmost Via names, so
 * that answers find their way by the rules of RFC 3261 18.2.2. A response is sent by the core to a
 * request of the same transaction, with the edge's own Via put on top. */
#ifndef JUNCTOR_TESTS_PEERING_VECTORS_TRIAL_H
#define JUNCTOR_TESTS_PEERING_VECTORS_TRIAL_H

#include "tests/peering/sip/vectors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIAL_WAIT_MS  5000  /* for what must come; only a failure waits that long */
#define TRIAL_BRIEF_MS 300   /* an unfinished message's time, where that is to be seen */
#define TRIAL_LONG_MS  60000 /* the same everywhere else: nothing waits for it */

/* What the outcomes have the harness look out for, besides answers and messages passed on. */
enum trial_awaits {
    TRIAL_ANSWER,
    TRIAL_ALL,     /* messages passed on, even where the connection is closed after them */
    TRIAL_SILENCE, /* what comes before the answer to a later request of ours? */
    TRIAL_CLOSE,   /* of the connection, after an answer perhaps */
    TRIAL_TIMEOUT  /* of an unfinished message: it is given TRIAL_BRIEF_MS, else TRIAL_LONG_MS */
};

struct peer;

struct trial {
    const struct vector *vector;
    bool stream;
    const struct peer *peer; /* who sends it, over TLS from outside; NULL: a core does */
    enum trial_awaits awaits;
};

/* What was seen. */
struct seen {
    size_t requests;   /* in the octets, that are to be answered */
    size_t forwards;   /* messages that arrived on the other side */
    size_t answers;    /* final answers to the sender, those to forwarded requests included */
    size_t policies;   /* of them: by routing or policy, in the edge's own name */
    unsigned status;   /* of the last answer; 0: none */
    bool closed;       /* the connection, by the edge */
    uint64_t after_ms; /* then: how long after the octets were sent */
    char fault[512];   /* what else went wrong, or was changed in what was forwarded; "" */
};

void trial_run(const struct trial *trial, struct seen *seen);

#endif
