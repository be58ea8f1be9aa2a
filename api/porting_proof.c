/* What proves the holder's will: codes, secrets, and signatures of recovery keys (RFC 8032). */
#include "api/porting_internal.h"

#include "base/status.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define SECRET_ALPHABET                                                                            \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" /* 64                       \
                                                                        */

/* 6 bits a character: 258 of them. */
int porting_secret_make(char secret[PORTING_SECRET_LEN + 1])
{
    uint8_t draw[PORTING_SECRET_LEN];
    if (getrandom(draw, sizeof(draw), 0) != (ssize_t)sizeof(draw))
        return STATUS_CRYPTO;
    for (size_t i = 0; i < PORTING_SECRET_LEN; i++)
        secret[i] = SECRET_ALPHABET[draw[i] % 64];
    secret[PORTING_SECRET_LEN] = '\0';
    explicit_bzero(draw, sizeof(draw));
    return 0;
}

int porting_request_make(char request[STORE_PORT_ID_LEN + 1])
{
    uint8_t draw[STORE_PORT_ID_LEN / 2];
    if (getrandom(draw, sizeof(draw), 0) != (ssize_t)sizeof(draw))
        return STATUS_CRYPTO;
    porting_hex_encode(draw, sizeof(draw), request);
    return 0;
}

int porting_hash(const char *text, uint8_t hash[STORE_HASH_LEN])
{
    return EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) ? 0 : STATUS_CRYPTO;
}

int porting_nonce_make(const struct porting *porting, const struct store_address *address,
                       const char *gaining, uint64_t expires, char nonce[2 * PORTING_NONCE_LEN + 1])
{
    char text[PORTING_TEXT_MAX];
    uint8_t digest[EVP_MAX_MD_SIZE];
    int len = snprintf(text, sizeof(text), "%s@%s\n%s\n%" PRIu64, address->user, address->domain,
                       gaining, expires);
    if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, porting->nonce_key,
                   sizeof(porting->nonce_key), (const unsigned char *)text, (size_t)len, digest,
                   sizeof(digest), NULL))
        return STATUS_CRYPTO;
    porting_hex_encode(digest, PORTING_NONCE_LEN, nonce);
    return 0;
}

size_t porting_text(enum store_port_kind kind, const struct store_address *address,
                    const char *gaining, const char *id, const char *nonce, uint64_t expires,
                    char text[PORTING_TEXT_MAX])
{
    return (size_t)snprintf(text, PORTING_TEXT_MAX,
                            "junctor-%s-v1\n%s\n%s@%s\n%s\n%s\n%s\n%" PRIu64 "\n",
                            kind == STORE_PORT_UNDO ? "undo" : "port", address->domain,
                            address->user, address->domain, gaining, id, nonce, expires);
}

void porting_request_of(const char nonce[2 * PORTING_NONCE_LEN + 1],
                        char request[STORE_PORT_ID_LEN + 1])
{
    snprintf(request, STORE_PORT_ID_LEN + 1, "%.*s", STORE_PORT_ID_LEN, nonce);
}

static bool nonce_is_good(const struct porting *porting, const struct store_port *port,
                          const struct porting_proof *proof)
{
    char nonce[2 * PORTING_NONCE_LEN + 1];
    uint64_t now = porting_now_ms(porting) / 1000;
    if (proof->expires <= now || proof->expires > now + PORTING_NONCE_S ||
        porting_nonce_make(porting, &port->address, port->gaining, proof->expires, nonce))
        return false;
    return CRYPTO_memcmp(nonce, proof->nonce, sizeof(nonce)) == 0;
}

static bool is_signed(const struct store_port *port, const struct porting_proof *proof,
                      const uint8_t key[STORE_HASH_LEN])
{
    char text[PORTING_TEXT_MAX];
    size_t len = porting_text(port->kind, &port->address, port->gaining, port->id, proof->nonce,
                              proof->expires, text);
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, STORE_HASH_LEN);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds = public && context &&
                 EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
                 EVP_DigestVerify(context, proof->signature, sizeof(proof->signature),
                                  (const unsigned char *)text, len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return holds;
}

int porting_guard_get(struct porting *porting, const struct store_address *address,
                      struct store_guard *guard)
{
    struct store_reader *reader;
    int status = store_reader_alloc(porting->parts.store, &reader);
    if (status)
        return status;
    status = store_reader_begin(reader);
    if (status == 0) {
        status = store_guard_get(reader, address, guard);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    return status;
}

int porting_signature_check(struct porting *porting, const struct store_port *port,
                            const struct porting_proof *proof, uint8_t key[STORE_HASH_LEN])
{
    struct store_guard guard;
    uint8_t found[STORE_HASH_LEN];
    int status = porting_guard_get(porting, &port->address, &guard);
    if (status)
        return status == STATUS_NOTFOUND ? STATUS_PROOF : status;
    if (!store_guard_key(&guard, porting_now_ms(porting), found) ||
        !nonce_is_good(porting, port, proof) || !is_signed(port, proof, found))
        return STATUS_PROOF;
    memcpy(key, found, STORE_HASH_LEN);
    return 0;
}
