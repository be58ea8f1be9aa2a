/* Dialog tokens: what later requests of a dialog need, carried by the dialog itself (design
 * section 4), and the To tags of stateless refusals.
 *
 * A token is the user part of our Record-Route URI: key id, side, hosted domain, peer domain, how
 * the peer's side is named, and an HMAC-SHA-256 (first 16 octets) that also covers Call-ID
 * and the caller's From tag. Text form: base64url without padding, so it needs no escaping in a SIP
 * URI. No state is kept: any worker or node that has the key verifies it. Every function is pure
 * and may be called from any thread; nothing here logs. */
#ifndef JUNCTOR_PEERING_PROXY_TOKEN_H
#define JUNCTOR_PEERING_PROXY_TOKEN_H

#include "base/slice.h"
#include "peering/transport/transport.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_TEXT_MAX    800 /* bytes of the text form, with terminator */
#define TOKEN_SPEAKER_LEN 16
#define TOKEN_RETIRED_MS  (7ull * 24 * 3600 * 1000) /* a retired key verifies for this long */

struct token {
    enum transport_side side;          /* from which side requests with it may come */
    bool caller;                       /* the holder made the call: From then has the covered tag */
    char hosted[STORE_DOMAIN_MAX + 1]; /* our domain in this dialog: core group and certificate */
    char peer[STORE_DOMAIN_MAX + 1];   /* proven peer domain; "" where both ends are our cores */
    char peer_core[STORE_DOMAIN_MAX + 1]; /* then the other core's domain; else "" */
    bool has_speaker; /* the peer's side is not named by an address of `peer`, but is the caller for
                         whom it was found to speak, or what our side dialled: */
    uint8_t speaker[TOKEN_SPEAKER_LEN]; /* verify_name of that */
};

/* What stands for an address in a token, and for any other name: the first octets of its SHA-256.
 * Return 0 or STATUS_CRYPTO. */
int token_speaker(const struct store_address *address, uint8_t speaker[TOKEN_SPEAKER_LEN]);
int token_name(struct slice text, uint8_t name[TOKEN_SPEAKER_LEN]);

/* Writes the text form. Returns its length, STATUS_MALFORMED (both `peer` and `peer_core` are set),
 * or STATUS_CRYPTO. */
int token_encode(const struct token *token, const struct store_key *key, struct slice call_id,
                 struct slice caller_tag, char text[TOKEN_TEXT_MAX]);

/* The key id a token names, to fetch the key with. Returns 0 or STATUS_MALFORMED. */
int token_key_id(struct slice text, uint32_t *key_id);

/* Verifies and decodes. `tags` are the request's From and To tags: the one of the caller, as the
 * token says who that is, must be the covered one, so that a caller cannot pose as the callee.
 * Returns 0; STATUS_MALFORMED (no token); STATUS_UNPROVEN (HMAC is wrong, other dialog, key retired
 * too long ago). Constant time in the HMAC comparison. */
int token_decode(struct slice text, const struct store_key *key, uint64_t now_ms,
                 struct slice call_id, const struct slice tags[2], struct token *token);

/* The To tag of a stateless response (RFC 3261 8.2.7): the same for every retransmission of the
 * request and its ACK, computed from top Via, From tag, Call-ID and CSeq number; 16 hex digits and
 * terminator. */
#define STATELESS_TAG_LEN 17
void stateless_tag(const uint8_t key[16], struct slice via, struct slice from_tag,
                   struct slice call_id, uint32_t cseq, char tag[STATELESS_TAG_LEN]);

#endif
