/* What the handlers of ports share. */
#ifndef JUNCTOR_API_PORTS_H
#define JUNCTOR_API_PORTS_H

#include "api/records.h"

extern const struct api_kind api_kind_port;

/* May whoever this is see this port and, in its role, move it? Administrators all; operators where
 * the domain of that role is theirs: the address's, the gaining or the losing one; users where the
 * address is theirs, at the gaining host where they asked for it. Needs a snapshot. */
bool api_may_port(const struct api_principal *who, struct store_reader *reader,
                  const struct store_port *port);
/* The port that the {id} of the path names, in the first role that the caller may see: the
 * authority's decides. Returns 0 or -EPROTO. */
int api_port_find(struct api_call *call, struct store_port *port);
/* The same in one role; STATUS_NOTFOUND where it is not there or not his. Needs a snapshot. */
int api_port_read(const struct api_principal *who, struct store_reader *reader,
                  enum store_port_role role, const char *id, struct store_port *port);
/* A port with what is left until its deadline. */
json_t *api_port_show(const struct store_port *port);

/* The port of this id in one role, as far as the caller may move it there. Returns 0 or -EPROTO. */
int api_port_role_find(struct api_call *call, enum store_port_role role, const char *id,
                       struct store_port *port);
/* "gaining" of the body: one of our domains that the caller may take an address over for. */
int api_gaining_take(struct api_call *call, char gaining[STORE_DOMAIN_MAX + 1]);
/* Exactly `len` octets in hex; `what` they are is for the refusal. */
int api_hex_take(struct api_call *call, const char *name, const char *what, uint8_t *octets,
                 size_t len);
/* Does the body have a signature instead of the member `secret`? Both or none are refused. */
int api_proof_choose(struct api_call *call, const char *secret, bool *is_signed);
/* "signature", "nonce" and "expires": what the holder of a recovery key signed, and the number that
 * follows from it. */
int api_signature_take(struct api_call *call, struct porting_wish *wish);

/* An address that the caller may see, and its protection: an empty one where it has none yet. */
int api_guard_find(struct api_call *call, struct store_record *record, struct store_guard *guard,
                   char key[API_MAX_KEY_TEXT]);
/* Is it the holder's auth code (api_code_is_good), as far as is known here? */
int api_code_check(struct api_call *call, const struct store_record *record,
                   const struct store_guard *guard, struct slice code, const char *key);

api_handler_h api_port_nonce_post;
api_handler_h api_ports_get, api_port_get, api_port_receipt_get, api_port_events_get,
    api_port_check_post;
api_handler_h api_protection_get, api_freeze_put, api_recovery_key_put, api_recovery_key_delete;
api_handler_h api_port_post, api_port_undo_post, api_port_cancel_post, api_port_approve_post,
    api_port_reject_post, api_port_object_post, api_port_allow_post;

#endif
