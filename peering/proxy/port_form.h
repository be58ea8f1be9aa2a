/* Port data in SIP (design 3.2 and 3.3): a redirect whose Contact is
 * <sip:bob%40opb.example@opc.example> says that opc.example serves bob@opb.example. Any SIP element
 * can follow it, for it is an ordinary URI; only edges read more into it. Pure. */
#ifndef JUNCTOR_PEERING_PROXY_PORT_FORM_H
#define JUNCTOR_PEERING_PROXY_PORT_FORM_H

#include "peering/sip/sip.h"
#include "store/store.h"

#include <stdbool.h>

/* The address that the user part of a sip: or sips: URI holds. Returns whether it does. */
bool port_form_address(const struct sip_uri *uri, struct store_address *address);

struct port_form {
    char host[STORE_DOMAIN_MAX + 1]; /* canonical: the domain that serves the address */
    unsigned for_s;                  /* so long this may be remembered */
};

/* Is this response port data for `address`, from whoever may give it? It must be a 302 with one
 * Contact, a sip: or sips: URI with a domain name as host, without port, maddr and headers. `sips`:
 * the request was for a sips: URI, which never leads to a sip: one. */
bool port_form_read(const struct sip_msg *response, const struct store_address *address, bool sips,
                    struct port_form *form);

/* Has any Contact of this redirect (3xx) an address in its user part, so that somebody might take
 * it for port data? */
bool port_form_poses(const struct sip_msg *response);

#endif
