/* Certificates made in the test: any names, usages and dates. */
#ifndef JUNCTOR_TESTS_PEERING_TRANSPORT_CERTS_H
#define JUNCTOR_TESTS_PEERING_TRANSPORT_CERTS_H

#include <openssl/x509.h>
#include <stdbool.h>

#define CERT_DAY_S 86400L

struct cert {
    X509 *x509;
    EVP_PKEY *key;
};

struct cert_spec {
    const char *cn;
    const char
        *alt; /* subjectAltName in OpenSSL's notation, "URI:sip:a.example,DNS:b"; NULL: none */
    const char *usage;       /* extendedKeyUsage, "serverAuth"; NULL: none */
    const char *constraints; /* basicConstraints; NULL: "CA:FALSE" */
    const char *curve;       /* of the key; NULL: "P-256" */
    long begin_s, end_s;     /* validity, relative to now; both 0: from yesterday for 30 days */
};

/* Issued by `issuer`, or self-signed where that is NULL. Fails the test on any error. */
struct cert cert_make(const struct cert_spec *spec, const struct cert *issuer);
struct cert cert_make_ca(const char *cn);
void cert_free(struct cert *cert);

/* The revocation list of `issuer`, signed by `signer`, with `revoked` in it (or nobody, where that
 * is NULL). The next one is due in so many days. */
X509_CRL *crl_make(const struct cert *issuer, const struct cert *signer, const struct cert *revoked,
                   int days);
/* Appends it to the file, PEM or DER, and frees it. */
void crl_write(X509_CRL *crl, bool der, const char *file);

/* Writes PEM files; `chain` may be NULL or a further certificate to append. */
void cert_write(const struct cert *cert, const struct cert *chain, const char *cert_file,
                const char *key_file);

#endif
