#include "api/pair.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int pair_fail(char why[API_MAX_WHY], const char *path, int status, const char *what)
{
    snprintf(why, API_MAX_WHY, "%.256s: %s", path, what ? what : status_text(status));
    return status;
}

static int fd_read(int fd, char *text, size_t size)
{
    size_t len = 0;
    while (len < size) {
        ssize_t got = read(fd, text + len, size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0; /* the rest is zero */
        len += (size_t)got;
    }
    return -EFBIG;
}

/* The file as terminated text; NULL, with *status and *why, where it cannot be read. */
static char *file_read(const char *path, int *status, char why[API_MAX_WHY])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *status = pair_fail(why, path, -errno, NULL);
        return NULL;
    }
    char *text = calloc(1, API_MAX_PEM);
    *status = text ? fd_read(fd, text, API_MAX_PEM) : -ENOMEM;
    close(fd);
    if (*status == 0)
        return text;
    free(text);
    pair_fail(why, path, *status, NULL);
    return NULL;
}

/* A key with a passphrase must not make the daemon ask for it on the terminal. */
static int passphrase_none(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return 0;
}

static X509 *certificate_parse(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, passphrase_none, NULL) : NULL;
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *key_parse(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, passphrase_none, NULL) : NULL;
    BIO_free(bio);
    return key;
}

static int pair_match(const struct api_pair *pair, const char *certificate_path,
                      const char *key_path, char why[API_MAX_WHY])
{
    X509 *certificate = certificate_parse(pair->certificate);
    EVP_PKEY *key = key_parse(pair->key);
    int status = 0;
    if (!certificate)
        status = pair_fail(why, certificate_path, STATUS_CRYPTO, "holds no PEM certificate");
    else if (!key)
        status =
            pair_fail(why, key_path, STATUS_CRYPTO, "holds no PEM private key without passphrase");
    else if (X509_check_private_key(certificate, key) != 1)
        status =
            pair_fail(why, key_path, STATUS_CRYPTO, "this key does not belong to the certificate");
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error(); /* nobody else on this thread shall find them */
    return status;
}

static int pair_digest(struct api_pair *pair)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, pair->certificate, strlen(pair->certificate) + 1) == 1 &&
              EVP_DigestUpdate(ctx, pair->key, strlen(pair->key)) == 1 &&
              EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    if (ok)
        memcpy(pair->digest, digest, sizeof(pair->digest));
    return ok ? 0 : STATUS_CRYPTO;
}

int api_pair_read(const char *certificate, const char *key, struct api_pair *pair,
                  char why[API_MAX_WHY])
{
    int status;
    struct api_pair read = {.certificate = file_read(certificate, &status, why)};
    if (read.certificate)
        read.key = file_read(key, &status, why);
    if (read.key)
        status = pair_match(&read, certificate, key, why);
    if (read.key && !status && (status = pair_digest(&read)) != 0)
        pair_fail(why, certificate, status, NULL);
    if (status)
        api_pair_done(&read);
    else
        *pair = read;
    return status;
}

void api_pair_done(struct api_pair *pair)
{
    if (pair->key)
        OPENSSL_cleanse(pair->key, strlen(pair->key));
    free(pair->certificate);
    free(pair->key);
    *pair = (struct api_pair){.certificate = NULL};
}

int api_pair_check(const char *certificate, const char *key, char why[API_MAX_WHY])
{
    struct api_pair pair;
    int status = api_pair_read(certificate, key, &pair, why);
    if (!status)
        api_pair_done(&pair);
    return status;
}
