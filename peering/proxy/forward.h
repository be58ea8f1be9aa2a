/* What is written: a request as it goes out, a response as it goes back (private to peering/). */
#ifndef JUNCTOR_PEERING_PROXY_FORWARD_H
#define JUNCTOR_PEERING_PROXY_FORWARD_H

#include "base/arena.h"
#include "peering/proxy/plan.h"

#include <stdbool.h>

struct forward {
    struct proxy *proxy;
    struct arena *arena;
    const struct origin *origin;
    const struct sip_msg *request;
    const struct plan *plan;
    const struct transport_listener *out; /* names us in Via */
    enum sip_transport transport;
    const struct transport_listener *route_out; /* and in Record-Route: where TCP is used for the */
    enum sip_transport route_transport;         /* length alone, the dialog goes on by UDP */
    const char *branch;
};

/* The request as it goes out, gathered in the arena. p == NULL on exhaustion or without a token
 * key. */
struct slice forward_request(const struct forward *forward);
/* The response as it goes back: topmost Via removed, identities cleaned where it comes from a peer
 * (else NULL) or goes to one (its domain; else NULL). p == NULL on exhaustion, or where no Via
 * would be left (16.7 step 3). */
struct slice forward_response(struct proxy *proxy, struct arena *arena,
                              const struct sip_msg *response, const struct conn *from_peer,
                              const char *to_peer);
/* Does a request of this method get Record-Route? */
bool forward_records_route(enum sip_method method);

#endif
