/* Records as JSON, decoded strictly: an unknown field, a wrong type, a duplicate key or a byte that
 * is not UTF-8 refuses the whole body and names the place. Nothing here touches the store.
 * Decoders return 0 or -EPROTO with *problem set, their output untouched then; encoders return a
 * new reference, or NULL without memory.
 *
 * Encoders leave out "version" and "created" where they are 0: what a dry run would make has none.
 * Decoders of a PUT accept and ignore them, so that what a GET printed can be put. */
#ifndef JUNCTOR_API_JSON_H
#define JUNCTOR_API_JSON_H

#include "api/problem.h"
#include "base/slice.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>

#define API_BUDGET_MAX     1000000 /* requests per second, or calls at once, of one peer */
#define API_TOKEN_DAYS_MAX 3650
#define API_DAY_MS         ((uint64_t)86400 * 1000)
#define API_AUTH_DAYS      7 /* default */
#define API_AUTH_DAYS_MAX  90

/* The bytes of a body -> an object. */
int api_json_parse(struct slice bytes, json_t **object, struct api_problem *problem);

/* ---- fields ---- */

enum api_field_flag {
    API_REQUIRED = 1,
    API_NULLABLE = 2, /* null may stand there */
    API_PRINTED = 4   /* set by the directory: in a PUT it is ignored, elsewhere there is no such
                         field */
};

struct api_field {
    const char *name; /* NULL ends a table of them */
    json_type type;   /* JSON_TRUE: true or false */
    unsigned flags;   /* of enum api_field_flag */
};

/* Has the object these fields only, each of its type, and all required ones? */
int api_json_check(const json_t *object, const struct api_field *fields, bool is_put,
                   struct api_problem *problem);

/* What stands there; "" or `absent` where the field is absent (or null). Their types are checked.
 */
struct slice api_json_text(const json_t *object, const char *name);
bool api_json_bool(const json_t *object, const char *name, bool absent);
int api_json_number(const json_t *object, const char *name, unsigned min, unsigned max,
                    unsigned absent, unsigned *value, struct api_problem *problem);
/* One of `texts`: its index; *index is untouched where the field is absent. */
int api_json_choice(const json_t *object, const char *name, const char *const *texts, size_t count,
                    size_t *index, struct api_problem *problem);
/* The text at array[i]; `field` gets its place, "name[i]", for problems. */
int api_json_item(const json_t *array, const char *name, size_t i, struct slice *text,
                  char field[API_FIELD_MAX], struct api_problem *problem);
/* Text for people, kept as it is: printable, at most `size` - 1 bytes. */
int api_json_note(const json_t *object, const char *name, char *out, size_t size,
                  struct api_problem *problem);

/* Makes the canonical form of a name, as store_domain_canonical and store_number_parse do. */
typedef int api_canonical_h(struct slice text, char *out, struct store_fault *fault);
/* The field that names the record. `key` is the canonical name in the URL of a PUT: the field may
 * then be absent, and must else agree. NULL for a POST: the field must be there. */
int api_json_key(const json_t *object, const char *name, const char *key,
                 api_canonical_h *canonical, char *out, struct api_problem *problem);

/* "2026-07-04T12:00:00.123000Z"; null for 0. */
json_t *api_time_encode(uint64_t ms);
/* RFC 3339, in UTC, from 1970 to 9999. `name` is the field. */
int api_time_decode(struct slice text, const char *name, uint64_t *ms, struct api_problem *problem);
/* Adds "created" and "version" where they are not 0. Takes over `record`; returns it, or NULL
 * without memory. Accepts NULL. */
json_t *api_json_stamp(json_t *record, uint64_t created_ms, uint64_t version);

/* ---- domains ---- */

/* One core's next hop as a SIP URI without user part, such as
 * "sip:192.0.2.1:5060;transport=udp"; without transport it is UDP. Its rank may stand there as in
 * an SRV record (RFC 2782): ";priority=10;weight=60". `field` names the place.
 * ranked    is set: priority or weight were given; each that was not is 0 */
int api_core_decode(struct slice text, const char *field, struct store_core *core, bool *ranked,
                    struct api_problem *problem);
/* "udp", "tcp", "tls", "sctp": of a number of enum resolver_transport. */
const char *api_transport_text(uint8_t transport);
#define API_CORE_TEXT_MAX                                                                          \
    340 /* "sip:[host]:port;transport=sctp;priority=N;weight=N" with terminator */
/* ranked    it is one of a ranked domain */
const char *api_core_encode(const struct store_core *core, bool ranked,
                            char text[API_CORE_TEXT_MAX]);

/* {"name", "cores": [URI ...], "unknown": "reject" | "core", "claims_per_owner", "quarantine_days"}
 * name     the domain in the URL, of a PUT: then the field may be absent and must else agree, and
 *          what else a GET printed may stand there; NULL for a POST. The same below. */
int api_domain_decode(const json_t *object, const char *name, struct store_domain *domain,
                      struct api_problem *problem);
json_t *api_domain_encode(const struct store_domain *domain);

/* ---- addresses ---- */

/* What a body says about an address: the record it makes, and what of it stood there, as the state
 * may follow from that. */
struct api_address_body {
    struct store_record record;              /* canonical; "" where nothing was said */
    bool has_state, has_hosting, has_target; /* stood there, and was not null */
    bool moves;                              /* hosting or target stood there */
};
/* {"address", "hosting", "owner", "target", "state", "blocked", "locked", "published", "notify"} of
 * a new one. What was typed as address is kept for display. */
int api_address_decode(const json_t *object, struct api_address_body *body,
                       struct api_problem *problem);
/* A merge patch (RFC 7396) of {"hosting", "owner", "target", "state", "blocked", "locked",
 * "published", "display", "notify"} on body->record. null takes away: served at home, the
 * operator's own, no target, the canonical form displayed, nobody told by mail. The mail address of
 * an owner goes with him. */
int api_address_merge(const json_t *object, struct api_address_body *body,
                      struct api_problem *problem);
json_t *api_address_encode(const struct store_record *record);
/* The same without what only its holder and operators may know. */
json_t *api_address_encode_public(const struct store_record *record);

/* "owner": untouched where absent, "" where null. */
int api_owner_decode(const json_t *object, char owner[STORE_OWNER_MAX + 1],
                     struct api_problem *problem);

/* "user@domain" in canonical form. */
#define API_ADDRESS_TEXT_MAX (STORE_USER_MAX + STORE_DOMAIN_MAX + 2)
const char *api_address_format(const struct store_address *address,
                               char text[API_ADDRESS_TEXT_MAX]);

/* ---- numbers, peers, tokens, cursors ---- */

/* An address in a field, in canonical form. */
int api_address_field(const json_t *object, const char *name, struct store_address *address,
                      struct api_problem *problem);

/* {"number": "+49...", "address"}; `digits` without '+'. */
int api_number_decode(const json_t *object, const char *digits, struct store_number *number,
                      struct api_problem *problem);
json_t *api_number_encode(const struct store_number *number);

/* {"domain", "blocked", "trusts_identity", "requests_per_s", "calls_max", "pins": [64 hex digits
 * ...], "tariff"} */
int api_peer_decode(const json_t *object, const char *domain, struct store_peer *peer,
                    struct api_problem *problem);
json_t *api_peer_encode(const struct store_peer *peer);

/* {"scope", "owner", "domains", "note", "until" or "days"} of a new one; id and hash are not set.
 */
int api_token_decode(const json_t *object, uint64_t now_ms, struct store_token *token,
                     struct api_problem *problem);
json_t *api_token_encode(const struct store_token *token);
const char *api_scope_text(enum store_scope scope); /* "admin" ... */
json_t *api_names_encode(const char names[][STORE_DOMAIN_MAX + 1], size_t count);

json_t *api_cursor_encode(const struct store_cursor *cursor);

/* ---- ports ---- */

/* {"id", "role", "kind", "state", "reason", "address", "gaining", "losing", "deadline",
 * "committed", "undoes", "owner", "owes"}; null where there is none. No secret and no hash of one.
 */
json_t *api_port_encode(const struct store_port *port);
/* When its state ends by itself, at a host as the authority told it; 0: it does not. */
uint64_t api_port_deadline(const struct store_port *port);
/* {"address", "frozen", "frozen_until", "code_for", "recovery_key", "next_recovery_key",
 * "next_recovery_key_from"}; keys in hex, they are public. */
json_t *api_guard_encode(const struct store_guard *guard);
/* Whole seconds until then, 0 where it is past; null where there is no deadline. */
json_t *api_left_encode(uint64_t deadline_ms, uint64_t now_ms);

/* ---- the journal ---- */

json_t *api_entry_encode(const struct store_journal_entry *entry);

#endif
