/* Does a TLSA record vouch for the certificate that came (DANE: RFC 6698, RFC 7671)? The pure part:
 * where the records come from, and whether they count, is the caller's matter. */
#ifndef JUNCTOR_PEERING_TRANSPORT_TLS_DANE_H
#define JUNCTOR_PEERING_TRANSPORT_TLS_DANE_H

#include <openssl/x509.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* RFC 6698 section 2.1. The data belongs to the caller. */
struct tls_tlsa {
    uint8_t usage, selector, matching;
    const uint8_t *data;
    size_t len;
};

/* Usage 3: the record is that of the leaf or of its key; names and dates of the certificate count
 * for nothing then (RFC 7671 section 5.1). Usage 2: it is that of another certificate in `chain`
 * (what was sent, with the leaf or without), which is the trust anchor: up to it the chain must
 * hold at `now`, and the leaf must name `domain` (section 5.2). Other usages vouch for nobody. */
bool tls_dane_fits(const struct tls_tlsa *tlsa, X509 *leaf, STACK_OF(X509) * chain,
                   const char *domain, time_t now);

/* Will it still do so once the certificate is renewed with the same key? Only where it fits. */
bool tls_dane_lasts(const struct tls_tlsa *tlsa);

#endif
