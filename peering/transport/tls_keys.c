/* What TLSA records say of our keys. */
#include "peering/transport/tls.h"
#include "peering/transport/tls_internal.h"

#include "base/status.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <string.h>

#define ERROR_TEXT 160

/* `key` as it stands in its certificate: a copy by X509_PUBKEY_dup may be encoded otherwise
 * (OpenSSL 3.0). */
static int hash_key(const X509_PUBKEY *key, uint8_t hash[TLS_KEY_HASH_LEN])
{
    unsigned char *der = NULL;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    int len = key ? i2d_X509_PUBKEY(key, &der) : -1;
    bool made = len > 0 && EVP_Digest(der, (size_t)len, digest, &digest_len, EVP_sha256(), NULL);
    OPENSSL_free(der);
    if (!made || digest_len != TLS_KEY_HASH_LEN)
        return STATUS_MALFORMED;
    memcpy(hash, digest, TLS_KEY_HASH_LEN);
    return 0;
}

static int key_hash(const X509_PUBKEY *key, const char *file, uint8_t hash[TLS_KEY_HASH_LEN],
                    char *why)
{
    if (hash_key(key, hash) == 0)
        return 0;
    return tls_explain(why, STATUS_MALFORMED, "%s: its public key cannot be encoded", file);
}

int tls_key_hash(const X509 *certificate, uint8_t hash[TLS_KEY_HASH_LEN])
{
    int status = hash_key(X509_get_X509_PUBKEY(certificate), hash);
    ERR_clear_error();
    return status;
}

int tls_chain_key_hash(const char *chain_file, uint8_t hash[TLS_KEY_HASH_LEN], char *why)
{
    char error[ERROR_TEXT];
    int status = tls_check_readable(chain_file, why);
    if (status < 0)
        return status;
    BIO *bio = BIO_new_file(chain_file, "r");
    X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, tls_no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (!leaf)
        return tls_explain(why, STATUS_MALFORMED, "%s: no certificate could be read: %s",
                           chain_file, tls_error_text(error, sizeof(error)));
    status = key_hash(X509_get_X509_PUBKEY(leaf), chain_file, hash, why);
    X509_free(leaf);
    return status;
}

/* A private key, or else a public one. */
static EVP_PKEY *key_read(const char *file)
{
    BIO *bio = BIO_new_file(file, "r");
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, tls_no_passphrase, NULL) : NULL;
    if (!key && bio && BIO_reset(bio) == 0)
        key = PEM_read_bio_PUBKEY(bio, NULL, tls_no_passphrase, NULL);
    BIO_free(bio);
    return key;
}

int tls_next_key_hash(const char *key_file, uint8_t hash[TLS_KEY_HASH_LEN], char *why)
{
    X509_PUBKEY *public = NULL;
    int status = tls_check_readable(key_file, why);
    if (status < 0)
        return status;
    EVP_PKEY *key = key_read(key_file);
    if (!key)
        return tls_explain(why, STATUS_MALFORMED,
                           "%s: no key could be read; expected a private key without passphrase, "
                           "or a public key, in PEM",
                           key_file);
    X509_PUBKEY_set(&public, key);
    status = key_hash(public, key_file, hash, why);
    X509_PUBKEY_free(public);
    EVP_PKEY_free(key);
    return status;
}
