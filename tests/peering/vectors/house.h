/* An edge that can forward a given message. */
#ifndef JUNCTOR_TESTS_PEERING_VECTORS_HOUSE_H
#define JUNCTOR_TESTS_PEERING_VECTORS_HOUSE_H

#include "tests/peering/proxy/stand.h"

#define HOUSE_CALLERS "callers.example" /* whose core, or peer, the callers are at */

/* The core of the called domains, at 127.0.0.1. */
struct called_core {
    uint16_t port;
    enum sip_transport transport;
    bool for_peer; /* it is a peer that serves the callers */
};

/* The directory and the names that this request needs; before the edge is started. */
void house_provide(struct stand *stand, const struct sip_msg *request,
                   const struct called_core *core);

#endif
