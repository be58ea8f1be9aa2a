#include "api/recovery_key.h"

#include "base/hex.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY_LEN ((size_t)RECOVERY_KEY_TEXT / 2)

static int fail(int status, char why[RECOVERY_WHY_MAX], const char *path, const char *what)
{
    snprintf(why, RECOVERY_WHY_MAX, "%s: %s", path, what);
    return status;
}

/* ---- a new pair ---- */

static FILE *private_create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (fd >= 0 && !file)
        close(fd);
    return file;
}

static int pair_write(const char *path, EVP_PKEY *pair, char why[RECOVERY_WHY_MAX])
{
    FILE *file = private_create(path);
    if (!file)
        return fail(-errno, why, path, strerror(errno));
    bool is_written = PEM_write_PrivateKey(file, pair, NULL, NULL, 0, NULL, NULL) == 1 &&
                      fflush(file) == 0 && fsync(fileno(file)) == 0;
    if (fclose(file) == 0 && is_written)
        return 0;
    unlink(path);
    return fail(-EIO, why, path, "the key cannot be written");
}

int recovery_key_make(const char *path, char half[RECOVERY_KEY_TEXT + 1],
                      char why[RECOVERY_WHY_MAX])
{
    uint8_t octets[KEY_LEN];
    size_t len = sizeof(octets);
    EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    int status = pair && EVP_PKEY_get_raw_public_key(pair, octets, &len) == 1
                     ? pair_write(path, pair, why)
                     : fail(STATUS_CRYPTO, why, path, "no key pair can be made");
    EVP_PKEY_free(pair);
    if (status)
        return status;
    hex_encode(octets, sizeof(octets), half);
    return 0;
}

/* ---- signing ---- */

static int pair_read(const char *path, EVP_PKEY **pair, char why[RECOVERY_WHY_MAX])
{
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(-errno, why, path, strerror(errno));
    *pair = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    if (*pair && EVP_PKEY_get_id(*pair) == EVP_PKEY_ED25519)
        return 0;
    EVP_PKEY_free(*pair);
    return fail(STATUS_MALFORMED, why, path, "is no private Ed25519 key in PEM");
}

int recovery_key_sign(const char *path, const char *text, uint8_t signature[RECOVERY_SIGNATURE_LEN],
                      char why[RECOVERY_WHY_MAX])
{
    size_t len = RECOVERY_SIGNATURE_LEN;
    EVP_PKEY *pair = NULL;
    int status = pair_read(path, &pair, why);
    if (status)
        return status;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_signed =
        context && EVP_DigestSignInit(context, NULL, NULL, NULL, pair) == 1 &&
        EVP_DigestSign(context, signature, &len, (const unsigned char *)text, strlen(text)) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pair);
    return is_signed ? 0 : fail(STATUS_CRYPTO, why, path, "cannot sign");
}
