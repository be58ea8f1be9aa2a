/* What the TLS files share: texts made of certificates, and how PEM files are opened. */
#ifndef JUNCTOR_PEERING_TRANSPORT_TLS_INTERNAL_H
#define JUNCTOR_PEERING_TRANSPORT_TLS_INTERNAL_H

#include <openssl/x509.h>

#include <stdbool.h>
#include <stddef.h>

#define TLS_TIME_TEXT  32
#define TLS_USAGE_TEXT 320

/* "2026-07-04T12:00:00Z", or "an unreadable date"; returns text. */
const char *tls_time_text(const ASN1_TIME *time, char text[TLS_TIME_TEXT]);

/* An RFC 2253 name in printable ASCII, shortened with "..." where it does not fit; returns text. */
const char *tls_name_text(const X509_NAME *name, char *text, size_t size);

/* Every DNS and URI entry of the subjectAltName as "DNS:a, URI:b", wildcards and URIs with users
 * included, odd bytes as '?'; "no subjectAltName" where there is none. Returns text. */
const char *tls_alt_names_text(const X509 *certificate, char *text, size_t size);

/* Is `domain` (lower case) among the SIP domains of the certificate (tls_identities)? */
bool tls_names_domain(const X509 *certificate, const char *domain);

/* May the certificate speak for a SIP service: no CA's own, and an extended key usage, if any, that
 * allows it? Where not, `why` gets what to say behind "the certificate". */
bool tls_usage_fits(X509 *leaf, char *why, size_t size);

/* The text of the latest OpenSSL error of this thread, whose queue is emptied. */
const char *tls_error_text(char *text, size_t size);

/* Writes the sentence, empties this thread's queue of OpenSSL errors, returns `status`. */
int tls_explain(char *why, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns 0, or -errno with `why`. */
int tls_check_readable(const char *file, char *why);

/* For PEM_read_bio_...: a key behind a passphrase is refused instead of asking at the terminal. */
int tls_no_passphrase(char *buf, int size, int writing, void *arg);

#endif
