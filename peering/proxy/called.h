/* The called address: what the directory says of it, and what a peer is told of one that does not
 * live here (design sections 3.1, 3.2; private to peering/proxy). */
#ifndef JUNCTOR_PEERING_PROXY_CALLED_H
#define JUNCTOR_PEERING_PROXY_CALLED_H

#include "peering/proxy/proxy.h"

#include <stdbool.h>

/* What the Request-URI leads to. */
struct called {
    struct store_address address;
    bool has_address; /* else only the domain is known */
    bool in_port_form;
    struct resolver_answer answer;
    /* Of a number that has come here by way of its ENUM zone (called_follow_number): as it was
     * asked for; then `address` is what it leads to, or "+digits@zone" where that is not here. Else
     * user "". */
    struct store_address asked;
    bool leads_here; /* `address` is what the number leads to */
};

static inline bool called_is_sip(const struct sip_uri *uri)
{
    return uri->scheme == SIP_SCHEME_SIP || uri->scheme == SIP_SCHEME_SIPS;
}

/* Asks the directory where the address of this URI, or its domain, lives. Returns false where it is
 * nothing that can be routed, with the refusal set. */
bool called_look_up(struct proxy *proxy, const struct sip_uri *uri, struct called *called,
                    struct refusal *refusal);
/* A peer asks for a number that an ENUM zone holds and our directory knows: under our own domain,
 * as ENUM says, or under the one that served it before and still leads callers on. Who serves it,
 * the record of its address in that zone says (design section 8). Everything else is left as it is.
 * Returns false where the directory cannot be read, with the refusal set. */
bool called_follow_number(struct proxy *proxy, struct called *called, struct refusal *refusal);
/* 404: nobody has this address. */
void called_refuse_unknown(const struct sip_msg *request, struct refusal *refusal);
/* 302 in port form (design 3.2): bob%40opb.example@opc.example. */
void called_redirect_ported(const struct sip_msg *request, const struct called *called,
                            struct refusal *refusal);
/* Is the called address served by a core of ours? Else tells the peer where it lives, or that it is
 * not there. */
bool called_is_served(const struct sip_msg *request, const struct called *called,
                      struct refusal *refusal);

#endif
