/* The bytes below the text form:
 *
 *     key id (4, big-endian) | flags (1) | hosted length (1) | hosted | far domain | speaker (16) |
 *     HMAC (16)
 *
 * flags bit 0: side is OUTSIDE; bit 1: the far domain is another core's, not a peer's; bit 2: the
 * holder is the caller; bit 3: there is a speaker. The far domain is what remains. Other flags are
 * kept for later forms and refused. The HMAC covers everything before it, then Call-ID and caller's
 * tag, each with its length in front. */
#include "peering/proxy/token.h"

#include "base/base64.h"
#include "base/status.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define HEAD_LEN 6
#define HMAC_LEN 16 /* of the 32 octets of SHA-256 (RFC 2104, section 5) */
#define RAW_MAX  (HEAD_LEN + 2 * STORE_DOMAIN_MAX + TOKEN_SPEAKER_LEN + HMAC_LEN)

#define FLAG_OUTSIDE  1
#define FLAG_FAR_CORE 2
#define FLAG_CALLER   4
#define FLAG_SPEAKER  8
#define FLAGS_ALL     (FLAG_OUTSIDE | FLAG_FAR_CORE | FLAG_CALLER | FLAG_SPEAKER)

_Static_assert(BASE64_LEN(RAW_MAX) < TOKEN_TEXT_MAX, "the longest token must fit");
_Static_assert(STORE_DOMAIN_MAX <= UINT8_MAX, "the length of a domain is one octet");

/* ---- the HMAC ---- */

static bool mac_add(EVP_MAC_CTX *ctx, struct slice part)
{
    const uint8_t len[4] = {(uint8_t)(part.len >> 24), (uint8_t)(part.len >> 16),
                            (uint8_t)(part.len >> 8), (uint8_t)part.len};
    return EVP_MAC_update(ctx, len, sizeof(len)) == 1 &&
           EVP_MAC_update(ctx, (const uint8_t *)part.p, part.len) == 1;
}

static int token_mac(const struct store_key *key, struct slice body, struct slice call_id,
                     struct slice caller_tag, uint8_t mac[HMAC_LEN])
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    uint8_t whole[EVP_MAX_MD_SIZE];
    size_t len = 0;
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    bool done = ctx && EVP_MAC_init(ctx, key->secret, sizeof(key->secret), params) == 1 &&
                mac_add(ctx, body) && mac_add(ctx, call_id) && mac_add(ctx, caller_tag) &&
                EVP_MAC_final(ctx, whole, &len, sizeof(whole)) == 1 && len >= HMAC_LEN;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(hmac);
    if (!done)
        return STATUS_CRYPTO;
    memcpy(mac, whole, HMAC_LEN);
    return 0;
}

/* ---- encode and decode ---- */

int token_encode(const struct token *token, const struct store_key *key, struct slice call_id,
                 struct slice caller_tag, char text[TOKEN_TEXT_MAX])
{
    bool far_is_core = token->peer_core[0] != '\0';
    if (far_is_core && token->peer[0] != '\0')
        return STATUS_MALFORMED;
    struct slice hosted = slice_of(token->hosted);
    struct slice far = slice_of(far_is_core ? token->peer_core : token->peer);

    uint8_t raw[RAW_MAX] = {
        (uint8_t)(key->id >> 24),
        (uint8_t)(key->id >> 16),
        (uint8_t)(key->id >> 8),
        (uint8_t)key->id,
        (uint8_t)((token->side == TRANSPORT_OUTSIDE ? FLAG_OUTSIDE : 0) |
                  (far_is_core ? FLAG_FAR_CORE : 0) | (token->caller ? FLAG_CALLER : 0) |
                  (token->has_speaker ? FLAG_SPEAKER : 0)),
        (uint8_t)hosted.len,
    };
    memcpy(raw + HEAD_LEN, hosted.p, hosted.len);
    memcpy(raw + HEAD_LEN + hosted.len, far.p, far.len);
    size_t len = HEAD_LEN + hosted.len + far.len;
    if (token->has_speaker) {
        memcpy(raw + len, token->speaker, TOKEN_SPEAKER_LEN);
        len += TOKEN_SPEAKER_LEN;
    }
    int status = token_mac(key, slice_make((const char *)raw, len), call_id, caller_tag, raw + len);
    if (status < 0)
        return status;
    return (int)base64_encode(raw, len + HMAC_LEN, text);
}

int token_name(struct slice text, uint8_t name[TOKEN_SPEAKER_LEN])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(text.p, text.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return STATUS_CRYPTO;
    memcpy(name, digest, TOKEN_SPEAKER_LEN);
    return 0;
}

int token_speaker(const struct store_address *address, uint8_t speaker[TOKEN_SPEAKER_LEN])
{
    char text[STORE_USER_MAX + STORE_DOMAIN_MAX + 2];
    snprintf(text, sizeof(text), "%s@%s", address->user, address->domain);
    return token_name(slice_of(text), speaker);
}

static uint32_t raw_key_id(const uint8_t *raw)
{
    return (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
}

static size_t speaker_len(const uint8_t *raw)
{
    return (raw[4] & FLAG_SPEAKER) != 0 ? TOKEN_SPEAKER_LEN : 0;
}

/* Text to bytes of the right form, nothing verified. Returns the length or STATUS_MALFORMED. */
static int token_raw(struct slice text, uint8_t raw[RAW_MAX])
{
    int len = base64_decode(text, raw, RAW_MAX);
    if (len < HEAD_LEN + HMAC_LEN || (size_t)len < HEAD_LEN + HMAC_LEN + speaker_len(raw))
        return STATUS_MALFORMED;
    size_t domains_len = (size_t)len - HEAD_LEN - HMAC_LEN - speaker_len(raw);
    size_t hosted_len = raw[5];
    if ((raw[4] & ~FLAGS_ALL) != 0 || hosted_len > STORE_DOMAIN_MAX || hosted_len > domains_len ||
        domains_len - hosted_len > STORE_DOMAIN_MAX)
        return STATUS_MALFORMED;
    return len;
}

int token_key_id(struct slice text, uint32_t *key_id)
{
    uint8_t raw[RAW_MAX];
    int len = token_raw(text, raw);
    if (len < 0)
        return len;
    *key_id = raw_key_id(raw);
    return 0;
}

static bool key_is_usable(const struct store_key *key, uint64_t now_ms)
{
    return key->retired_ms == 0 || now_ms < key->retired_ms ||
           now_ms - key->retired_ms <= TOKEN_RETIRED_MS;
}

static bool is_signed_by(const struct store_key *key, const uint8_t *raw, size_t len,
                         struct slice call_id, struct slice caller_tag)
{
    uint8_t mac[HMAC_LEN];
    struct slice body = slice_make((const char *)raw, len - HMAC_LEN);
    return token_mac(key, body, call_id, caller_tag, mac) == 0 &&
           CRYPTO_memcmp(mac, raw + len - HMAC_LEN, HMAC_LEN) == 0;
}

/* A domain of the token; its length is known to fit. */
static void domain_copy(char domain[STORE_DOMAIN_MAX + 1], const uint8_t *p, size_t len)
{
    memcpy(domain, p, len);
    domain[len] = '\0';
}

int token_decode(struct slice text, const struct store_key *key, uint64_t now_ms,
                 struct slice call_id, const struct slice tags[2], struct token *token)
{
    uint8_t raw[RAW_MAX];
    int len = token_raw(text, raw);
    if (len < 0)
        return len;
    if (raw_key_id(raw) != key->id || !key_is_usable(key, now_ms))
        return STATUS_UNPROVEN;
    bool caller = (raw[4] & FLAG_CALLER) != 0;
    if (!is_signed_by(key, raw, (size_t)len, call_id, tags[caller ? 0 : 1]))
        return STATUS_UNPROVEN;

    size_t hosted_len = raw[5];
    size_t far_len = (size_t)len - HEAD_LEN - HMAC_LEN - hosted_len - speaker_len(raw);
    *token =
        (struct token){.side = (raw[4] & FLAG_OUTSIDE) != 0 ? TRANSPORT_OUTSIDE : TRANSPORT_INSIDE,
                       .caller = caller};
    domain_copy(token->hosted, raw + HEAD_LEN, hosted_len);
    domain_copy((raw[4] & FLAG_FAR_CORE) != 0 ? token->peer_core : token->peer,
                raw + HEAD_LEN + hosted_len, far_len);
    token->has_speaker = speaker_len(raw) > 0;
    if (token->has_speaker)
        memcpy(token->speaker, raw + HEAD_LEN + hosted_len + far_len, TOKEN_SPEAKER_LEN);
    return 0;
}
