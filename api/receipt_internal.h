/* What the files of receipts share (private to them). */
#ifndef JUNCTOR_API_RECEIPT_INTERNAL_H
#define JUNCTOR_API_RECEIPT_INTERNAL_H

#include "api/receipt.h"

#define RECEIPT_SEED_LEN      32 /* of a private key (RFC 8032 section 5.1.5) */
#define RECEIPT_SIGNATURE_LEN 64
#define RECEIPT_X_LEN         BASE64_LEN((size_t)RECEIPT_KEY_LEN)

/* Signs with this key of a domain; the caller names the key by `kid` inside of what is signed, so
 * it gets the key first. Returns 0, STATUS_NOTFOUND (that key is the domain's no more),
 * STATUS_CRYPTO. */
int receipt_sign(struct receipt_keys *keys, const char *domain, const uint8_t key[RECEIPT_KEY_LEN],
                 struct slice text, uint8_t signature[RECEIPT_SIGNATURE_LEN]);

/* Is this JWS of any payload signed with the key? What its header says is not looked at: Ed25519 is
 * all that is tried (RFC 8037 section 3.1). Returns 0, STATUS_MALFORMED, STATUS_UNPROVEN or
 * STATUS_CRYPTO, and a sentence in `why`. */
int receipt_signature_verify(struct slice jws, const uint8_t key[RECEIPT_KEY_LEN],
                             char why[RECEIPT_WHY_MAX]);

/* The public half as a JWK; a new reference, or NULL. */
json_t *receipt_jwk_encode(const char *domain, const uint8_t key[RECEIPT_KEY_LEN]);

#endif
