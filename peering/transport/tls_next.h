/* A key that is to be served next, and the request for its certificate; as PEM texts. */
#ifndef JUNCTOR_PEERING_TRANSPORT_TLS_NEXT_H
#define JUNCTOR_PEERING_TRANSPORT_TLS_NEXT_H

/* A new private key of the kind and size of the one in `like_file`. Returns 0, STATUS_MALFORMED,
 * STATUS_CRYPTO, -ENOMEM or -errno with `why` (TLS_MAX_WHY bytes). *pem: tls_pem_free. */
int tls_next_key_make(const char *like_file, char **pem, char *why);

/* A request (PKCS #10) for a certificate of the private key in `key_file` that names the SIP domain
 * as RFC 5922 has it: URI:sip:DOMAIN, and DNS:DOMAIN for CAs that issue nothing else. As above. */
int tls_next_request_make(const char *key_file, const char *domain, char **pem, char *why);

/* Wipes and frees it. Accepts NULL. */
void tls_pem_free(char *pem);

#endif
