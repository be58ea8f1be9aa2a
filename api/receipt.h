/* Receipts of ports: what became of a port, signed by the authority of the address, so that it can
 * be shown to anybody later (design section 8).
 *
 * A receipt is a JWS in compact form (RFC 7515) with EdDSA on Ed25519 (RFC 8037):
 *
 *     header   {"alg":"EdDSA","kid":KID,"typ":"port-receipt"}
 *     payload  {"kid","port","address","losing","gaining","authority","kind","decision","reason",
 *               "time","commit_order"}
 *
 * with decision and reason as store_port_state_text and store_port_reason_text have them, the time
 * as RFC 3339 has it; "reason" and "losing" are null where there is none. Only this form is
 * believed: another algorithm, another curve, another member or a second one of a name is refused.
 *
 * Every domain has a key of its own for this, apart from its TLS key: a PEM file in one directory,
 *
 *     opa.example.pem         signs
 *     opa.example+NAME.pem    is published: the next one, or those of old receipts
 *
 * All receipts of a port are signed by the key that signed when it began, as long as its private
 * half is there, for both hosts hold them against the key that they saw then. Keys are
 * made (0600) when a domain first needs one. The next key becomes the present one by
 * receipt_key_rotate, or by renaming the two files and receipt_keys_reload. */
#ifndef JUNCTOR_API_RECEIPT_H
#define JUNCTOR_API_RECEIPT_H

#include "base/base64.h"
#include "base/slice.h"
#include "store/store.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define RECEIPT_MAX      (STORE_PORT_RECEIPT_MAX + 1) /* characters, with terminator */
#define RECEIPT_WHY_MAX  400
#define RECEIPT_KEY_LEN  32                     /* of a public key: the JWK's "x" */
#define RECEIPT_KID_LEN  16                     /* the first characters of the thumbprint */
#define RECEIPT_HASH_LEN BASE64_LEN((size_t)32) /* characters of a thumbprint */
#define RECEIPT_KEYS_MAX 4096                   /* in the directory */
#define RECEIPT_TXT_MAX  (RECEIPT_KID_LEN + RECEIPT_HASH_LEN + 32)

/* ---- keys ---- */

/* The JWK's thumbprint (RFC 7638) in base64url; its first RECEIPT_KID_LEN characters are the key
 * id. Returns 0 or STATUS_CRYPTO. */
int receipt_thumbprint(const uint8_t key[RECEIPT_KEY_LEN], char thumbprint[RECEIPT_HASH_LEN + 1]);

struct receipt_keys;

/* Reads the directory and makes it (0700) where it is absent. `dir` is copied. `why` gets a
 * sentence on failure. Returns 0 or a negative status. */
int receipt_keys_open(const char *dir, struct receipt_keys **keys, char why[RECEIPT_WHY_MAX]);
/* Reads it again. On failure everything stays as it was. Any thread, as all below. */
int receipt_keys_reload(struct receipt_keys *keys, char why[RECEIPT_WHY_MAX]);
void receipt_keys_close(struct receipt_keys *keys); /* accepts NULL */

/* The public key that signs for this domain; it is made where there is none, so call it for our own
 * domains only. Returns 0, STATUS_CRYPTO, STATUS_LIMIT or -errno. */
int receipt_key_get(struct receipt_keys *keys, const char *domain, uint8_t key[RECEIPT_KEY_LEN]);
/* Another key signs for what begins from now on: the one of opa.example+next.pem where that is
 * there, else a new one. The present one becomes opa.example+KID.pem: it stays published, and signs
 * for the ports that began with it. Blocks on the disk. Returns 0 or a negative status with a
 * sentence in `why`: STATUS_MALFORMED where a file of the directory is no key, or that of the next
 * one has no private half. Then nothing has changed. */
int receipt_key_rotate(struct receipt_keys *keys, const char *domain, char why[RECEIPT_WHY_MAX]);
/* The public key that signs the receipts of a port of ours: the one of its start (port->key_seen),
 * or where that is unknown or gone as receipt_key_get, and with its statuses. */
int receipt_key_of(struct receipt_keys *keys, const struct store_port *port,
                   uint8_t key[RECEIPT_KEY_LEN]);
/* The text of the `index`th TXT record at _sipaddr-key.DOMAIN, "v=sipkey1; kid=...; h=...", the
 * signing key's first; false: there are no more. Makes a key as receipt_key_get. A zone_receipt_h
 * whose arg is the keys. */
bool receipt_key_txt(const char *domain, size_t index, char *text, size_t size, void *keys);
/* All keys: {"keys": [{"kty", "crv", "x", "kid", "use", "alg", "domain"} ...]} (RFC 7517), the
 * signing key of a domain before its others. A new reference, or NULL without memory. */
json_t *receipt_keys_encode(struct receipt_keys *keys);

/* ---- a domain's key in what another operator publishes ---- */

/* The key of `domain` with this id, or the one that signs now (kid NULL). Returns 0,
 * STATUS_NOTFOUND, or STATUS_MALFORMED (it is no set of such keys) with a sentence in `why`. */
int receipt_jwks_find(const json_t *jwks, const char *domain, const char *kid,
                      uint8_t key[RECEIPT_KEY_LEN], char why[RECEIPT_WHY_MAX]);

/* ---- receipts ---- */

/* What a port at the authority has become by `time_ms` (Unix time), signed by receipt_key_of.
 * Returns 0, STATUS_STATE (nothing is decided yet) or as receipt_key_get. */
int receipt_make(struct receipt_keys *keys, const struct store_port *port, uint64_t time_ms,
                 char jws[RECEIPT_MAX]);

struct receipt {
    char kid[RECEIPT_KID_LEN + 1];
    char port[STORE_PORT_ID_LEN + 1];
    struct store_address address;
    char losing[STORE_DOMAIN_MAX + 1]; /* "": nobody's */
    char gaining[STORE_DOMAIN_MAX + 1];
    char authority[STORE_DOMAIN_MAX + 1]; /* the address's domain */
    enum store_port_kind kind;
    enum store_port_state decision;
    enum store_port_reason reason;
    uint64_t time_ms;
    uint64_t commit_order; /* 0: was not committed */
};

/* What the receipt says, nothing verified: to find the key by. Returns 0, or STATUS_MALFORMED with
 * the rule it breaks in `why`. */
int receipt_read(struct slice jws, struct receipt *receipt, char why[RECEIPT_WHY_MAX]);
/* Is it signed with this key? Returns 0 with *receipt set, STATUS_MALFORMED, STATUS_UNPROVEN
 * (another key, or it was changed) or STATUS_CRYPTO, and a sentence in `why`. */
int receipt_verify(struct slice jws, const uint8_t key[RECEIPT_KEY_LEN], struct receipt *receipt,
                   char why[RECEIPT_WHY_MAX]);

#endif
