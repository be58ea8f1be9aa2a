#include "peering/transport/tls_dane.h"

#include "peering/transport/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <string.h>

enum { DANE_TA = 2, DANE_EE = 3 };
enum { SELECT_CERTIFICATE, SELECT_PUBLIC_KEY };
enum { MATCH_FULL, MATCH_SHA256, MATCH_SHA512 };

/* The selected part of a certificate; OPENSSL_free it. */
static int select_der(const struct tls_tlsa *tlsa, X509 *certificate, unsigned char **der)
{
    *der = NULL;
    switch (tlsa->selector) {
    case SELECT_CERTIFICATE:
        return i2d_X509(certificate, der);
    case SELECT_PUBLIC_KEY:
        return i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), der);
    default:
        return -1;
    }
}

static bool is_of(const struct tls_tlsa *tlsa, X509 *certificate)
{
    unsigned char *der, digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    int len = select_der(tlsa, certificate, &der);
    const EVP_MD *hash = tlsa->matching == MATCH_SHA256   ? EVP_sha256()
                         : tlsa->matching == MATCH_SHA512 ? EVP_sha512()
                                                          : NULL;
    bool fits = false;

    if (len > 0 && tlsa->matching == MATCH_FULL)
        fits = (size_t)len == tlsa->len && memcmp(der, tlsa->data, tlsa->len) == 0;
    else if (len > 0 && hash && EVP_Digest(der, (size_t)len, digest, &digest_len, hash, NULL))
        fits = digest_len == tlsa->len && memcmp(digest, tlsa->data, tlsa->len) == 0;
    OPENSSL_free(der);
    ERR_clear_error();
    return fits;
}

/* The certificates of the chain that the record is of; NULL where there is none. */
static X509_STORE *anchors_of(const struct tls_tlsa *tlsa, const X509 *leaf, STACK_OF(X509) * chain)
{
    X509_STORE *anchors = X509_STORE_new();
    bool any = false;

    for (int i = 0; anchors && i < sk_X509_num(chain); i++) {
        X509 *certificate = sk_X509_value(chain, i);

        if (X509_cmp(certificate, leaf) != 0 && is_of(tlsa, certificate))
            any = X509_STORE_add_cert(anchors, certificate) == 1 || any;
    }
    if (any)
        return anchors;
    X509_STORE_free(anchors);
    return NULL;
}

static bool is_anchored(const struct tls_tlsa *tlsa, X509 *leaf, STACK_OF(X509) * chain,
                        const char *domain, time_t now)
{
    X509_STORE *anchors = anchors_of(tlsa, leaf, chain);
    struct tls_verdict verdict;
    bool fits = anchors && tls_judge_chain(anchors, leaf, chain, now, domain, "", &verdict) == 0;

    X509_STORE_free(anchors);
    return fits;
}

bool tls_dane_fits(const struct tls_tlsa *tlsa, X509 *leaf, STACK_OF(X509) * chain,
                   const char *domain, time_t now)
{
    if (tlsa->usage == DANE_EE)
        return is_of(tlsa, leaf);
    return tlsa->usage == DANE_TA && is_anchored(tlsa, leaf, chain, domain, now);
}

bool tls_dane_lasts(const struct tls_tlsa *tlsa)
{
    return tlsa->usage == DANE_TA || tlsa->selector == SELECT_PUBLIC_KEY;
}
