#include "peering/transport/tls_next.h"

#include "base/status.h"
#include "peering/transport/tls.h"
#include "peering/transport/tls_internal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_TEXT      160
#define COMMON_NAME_MAX 64 /* RFC 5280, ub-common-name */

static int key_read(const char *file, EVP_PKEY **key, char *why)
{
    int status = tls_check_readable(file, why);
    if (status < 0)
        return status;
    BIO *bio = BIO_new_file(file, "r");
    *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, tls_no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (*key)
        return 0;
    return tls_explain(why, STATUS_MALFORMED,
                       "%s: no private key could be read; expected PEM without passphrase", file);
}

/* What was written into `bio`, as a string; frees `bio`. */
static char *pem_take(BIO *bio)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);
    char *pem = len > 0 ? malloc((size_t)len + 1) : NULL;
    if (pem) {
        memcpy(pem, bytes, (size_t)len);
        pem[len] = '\0';
    }
    BIO_free(bio);
    return pem;
}

void tls_pem_free(char *pem)
{
    if (pem)
        OPENSSL_cleanse(pem, strlen(pem));
    free(pem);
}

static int crypto_failed(const char *what, char *why)
{
    char error[ERROR_TEXT];
    return tls_explain(why, STATUS_CRYPTO, "%s could not be made: %s", what,
                       tls_error_text(error, sizeof(error)));
}

static EVP_PKEY *key_generate(EVP_PKEY *like)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(like, NULL);
    bool ready = ctx && EVP_PKEY_keygen_init(ctx) == 1;
    if (ready && EVP_PKEY_get_base_id(like) == EVP_PKEY_RSA)
        ready = EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, EVP_PKEY_get_bits(like)) == 1;
    if (!ready || EVP_PKEY_keygen(ctx, &key) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

int tls_next_key_make(const char *like_file, char **pem, char *why)
{
    EVP_PKEY *like;
    int status = key_read(like_file, &like, why);
    if (status)
        return status;
    EVP_PKEY *key = key_generate(like);
    BIO *bio = BIO_new(BIO_s_secmem());
    EVP_PKEY_free(like);
    if (!key || !bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        BIO_free(bio);
        EVP_PKEY_free(key);
        return crypto_failed("a key", why);
    }
    EVP_PKEY_free(key);
    *pem = pem_take(bio);
    return *pem ? 0 : tls_explain(why, -ENOMEM, "out of memory");
}

static bool names_add(X509_REQ *request, const char *domain)
{
    char names[600];
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    snprintf(names, sizeof(names), "URI:sip:%.253s,DNS:%.253s", domain, domain);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    bool added = extensions && extension && sk_X509_EXTENSION_push(extensions, extension) > 0;
    if (!added)
        X509_EXTENSION_free(extension);
    added = added && X509_REQ_add_extensions(request, extensions) == 1;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return added;
}

/* CAs look at the names; the subject is for people, where it fits. */
static bool request_fill(X509_REQ *request, EVP_PKEY *key, const char *domain)
{
    X509_NAME *subject = X509_REQ_get_subject_name(request);
    if (strlen(domain) <= COMMON_NAME_MAX &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)domain, -1,
                                   -1, 0) != 1)
        return false;
    int hash = NID_undef;
    bool fixed =
        EVP_PKEY_get_default_digest_nid(key, &hash) == 2 && hash == NID_undef; /* Ed25519 */
    return names_add(request, domain) && X509_REQ_set_pubkey(request, key) == 1 &&
           X509_REQ_sign(request, key, fixed ? NULL : EVP_sha256()) > 0;
}

int tls_next_request_make(const char *key_file, const char *domain, char **pem, char *why)
{
    EVP_PKEY *key;
    int status = key_read(key_file, &key, why);
    if (status)
        return status;
    X509_REQ *request = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());
    bool made = request && bio && request_fill(request, key, domain) &&
                PEM_write_bio_X509_REQ(bio, request) == 1;
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    if (!made) {
        BIO_free(bio);
        return crypto_failed("a certificate request", why);
    }
    *pem = pem_take(bio);
    return *pem ? 0 : tls_explain(why, -ENOMEM, "out of memory");
}
