/* Revocation lists (CRLs, RFC 5280 section 5) beside the trust anchors. What a list names is
 * refused, leaf or intermediate. An issuer without a list here is believed as before; so is one
 * whose list is past its date, for a CA or a cron job that is late must not end all calls: the
 * operator is told, and what the old list names stays refused. */
#ifndef JUNCTOR_PEERING_TRANSPORT_TLS_CRL_H
#define JUNCTOR_PEERING_TRANSPORT_TLS_CRL_H

#include "peering/transport/tls.h"
#include "peering/transport/tls_internal.h"

#include <openssl/x509_vfy.h>

/* The trust anchors of peers and, where there are some, those of our cores: a list counts for both.
 */
struct tls_crl_stores {
    X509_STORE *anchors[2];
    size_t count;
};

/* Adds the lists in these files. `doubt` (TLS_MAX_WHY bytes) gets a sentence where one is past its
 * date, else "". Returns 0, STATUS_MALFORMED, -ENOMEM or -errno with `why` (TLS_MAX_WHY bytes). */
int tls_crls_load(const struct tls_crl_stores *stores, const char *const *files, size_t count,
                  char *doubt, char *why);

/* X509_STORE_CTX_verify_cb: which complaints about lists count. */
int tls_crl_verify(int ok, X509_STORE_CTX *store);

/* When the certificate that verification stopped at was revoked; returns text. */
const char *tls_crl_date_text(X509_STORE_CTX *store, X509 *certificate, char text[TLS_TIME_TEXT]);

#endif
