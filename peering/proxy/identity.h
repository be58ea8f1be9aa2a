/* Who speaks for whom: what a connection's domain may assert, and what is removed from a message
 * because it may not, or shall not be told (private to peering/). */
#ifndef JUNCTOR_PEERING_PROXY_IDENTITY_H
#define JUNCTOR_PEERING_PROXY_IDENTITY_H

#include "peering/proxy/proxy.h"
#include "resolver/resolver.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- verify.c ---- */

enum verify_verdict {
    VERIFY_YES, /* the peer speaks for it */
    VERIFY_NO,  /* it does not */
    VERIFY_OPEN /* somebody must be asked */
};
struct verified {
    struct resolver_asked caller;    /* OPEN: whom to ask about */
    char host[STORE_DOMAIN_MAX + 1]; /* YES: the domain that serves it, proven by the connection */
    char why[PROXY_WARNING_MAX / 2]; /* NO: which rule says so */
};
/* As far as it is known without asking anybody: may this connection speak for the address of this
 * URI (From, P-Asserted-Identity)? */
enum verify_verdict verify_known(struct proxy *proxy, const struct conn *conn,
                                 const struct sip_uri *uri, struct verified *verified);
/* The same for P-Asserted-Identity, where sip:+49...@domain;user=phone asserts the number, which no
 * proven domain proves (design 3.5). */
enum verify_verdict verify_asserted(struct proxy *proxy, const struct conn *conn,
                                    const struct sip_uri *uri, struct verified *verified);
/* Does the user part contain '@'? The port form of a called address does (design 3.2), and nobody's
 * own address. */
bool verify_names_two(const struct sip_uri *uri);
/* The 403 for a caller that is not verified; `conn` has proven what it names. */
void verify_refuse(const struct conn *conn, const struct sip_uri *caller, const char *why,
                   struct refusal *refusal);
/* The canonical address of a sip: or sips: URI. Returns whether it has one. */
bool verify_address(const struct sip_uri *uri, struct store_address *address);
/* What stands in a token for the name in this URI: of an address or a number its canonical form,
 * else the URI as it is, but for parameters. Returns 0 or STATUS_CRYPTO. */
int verify_name(const struct sip_uri *uri, uint8_t name[TOKEN_SPEAKER_LEN]);

/* ---- identity.c ---- */

/* Edits that remove what a peer may not assert (each P-Asserted-Identity that does not
 * pass verify_known), or not be told: `peer` keeps P-Asserted-Identity only if it is marked as
 * trusting ours, and the message has no Privacy: id (design 3.5, RFC 3325 section 5 and 7). */
void identity_clean_from_peer(struct proxy *proxy, struct sip_edits *edits,
                              const struct sip_msg *msg, const struct conn *conn);
void identity_clean_to_peer(struct proxy *proxy, struct sip_edits *edits, const struct sip_msg *msg,
                            const char *peer);
/* Does the connection prove the domain of this URI? */
bool identity_is_proven(const struct conn *conn, const struct sip_uri *uri);
/* Does it hold it (conn_holds)? That is enough for what a dialog under way began with. */
bool identity_is_held(const struct conn *conn, const struct sip_uri *uri);
/* RFC 3323 4.1.1.3: a From that names nobody. */
bool identity_is_anonymous(const struct sip_uri *from);
/* The first sip: or sips: URI that P-Asserted-Identity names; from a peer (conn is not NULL) only
 * where it stays, being verified. */
bool identity_asserted(struct proxy *proxy, const struct sip_msg *msg, const struct conn *conn,
                       struct sip_uri *uri);

#endif
