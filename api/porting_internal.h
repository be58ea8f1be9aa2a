/* What the engine's files share. The lock guards what is in memory only (secrets, retries,
 * budgets, terms) and is never held while the store or another operator is waited for. */
#ifndef JUNCTOR_API_PORTING_INTERNAL_H
#define JUNCTOR_API_PORTING_INTERNAL_H

#include "api/json.h"
#include "api/porting.h"
#include "api/rate.h"

#include <pthread.h>

#define PORTING_SOURCE        "porting"
#define PORTING_PATH          "/federation/v1/ports"
#define PORTING_ADDRESS_PATH  "/federation/v1/addresses/"
#define PORTING_NONCE_PATH    "/federation/v1/nonce"
#define PORTING_RETRY_COUNT   1024 /* others and ports that failed, remembered at once */
#define PORTING_PEERS_MAX     1024 /* whose wrong proofs are counted at once */
#define PORTING_DOMAIN_MAX_MS ((uint64_t)60 * 1000) /* until an operator is tried again */
#define PORTING_NOTICE_MAX    (EDGE_MESSAGE_MAX + 1)
#define PORTING_RETRY_KEY     (MAIL_ID_MAX + 1)
#define PORTING_CODES_MAX     64 /* auth codes whose holders are to be told */
#define PORTING_ARRIVED_MAX   64 /* addresses taken at once */
#define PORTING_KEYS_PATH     "/v1/keys"
#define PORTING_UNKNOWN       "no-port" /* reason: there is no such port */

/* What the holder gave to prove his will, for one request. */
struct porting_proof {
    char code[PORTING_CODE_MAX + 1]; /* or undo secret; "": signed */
    uint8_t signature[PORTING_SIGNATURE_LEN];
    char nonce[2 * PORTING_NONCE_LEN + 1];
    uint64_t expires;
};

struct porting_held {
    char id[STORE_PORT_ID_LEN + 1]; /* "": free */
    struct porting_proof proof;
};

/* Who or what is to be left alone until when. `key` is a domain, or "ID/ROLE/WHOM". */
struct porting_retry {
    char key[STORE_DOMAIN_MAX + 1]; /* "": free */
    char why[PORTING_WHY_MAX];      /* it failed the last time; "": it did not fail */
    uint64_t due_ms, wait_ms;
};

/* An auth code was made, or a recovery key left; its holder is to be told. */
struct porting_code {
    struct store_address address;
    char hosting[STORE_DOMAIN_MAX + 1], gaining[STORE_DOMAIN_MAX + 1];
    uint64_t key_from_ms; /* 0: it is a code */
};

struct porting {
    struct porting_parts parts;
    struct store_reader *reader; /* of porting_turn */
    struct store_port *turn;     /* PORTING_TURN_MAX, of porting_turn */
    size_t turn_count;
    uint64_t turn_now_ms;
    char turn_why[PORTING_WHY_MAX]; /* the last question failed; "": it did not, or no more is known
                                     */
    uint64_t seen;                  /* the journal's sequence at the last turn */
    uint8_t nonce_key[32];

    pthread_mutex_t lock;
    pthread_cond_t news;
    struct porting_conf conf;
    struct porting_held *held;     /* PORTING_HELD_MAX */
    struct porting_retry *retries; /* PORTING_RETRY_COUNT */
    struct api_rate *wrong;        /* proofs, by peer */
    struct api_rate *vain;         /* cancels of what never came, by peer */
    struct porting_code *codes;    /* PORTING_CODES_MAX */
    size_t code_count;
    uint64_t next_ms; /* the first retry that is due */
    struct porting_stats stats;
    bool kicked, stopping, started;
    pthread_t thread;
};

/* ---- porting.c ---- */

uint64_t porting_now_ms(const struct porting *porting); /* Unix time */
struct porting_conf porting_conf_get(struct porting *porting);
/* Those of a port that begins now. */
struct store_port_terms porting_terms_get(struct porting *porting);
/* Adds one to a counter of porting->stats. */
void porting_count(struct porting *porting, uint64_t *counter);
/* The thread looks at once. */
void porting_kick(struct porting *porting);
/* As store_submit with actor and time filled in; the status of the verdict, or why there is none.
 * `verdict` may be NULL. */
int porting_submit(struct porting *porting, const char *actor, struct store_command *command,
                   struct store_verdict *verdict);
/* Asks `to`, or this node itself where it hosts that domain. Returns as federation_ask. */
int porting_ask(struct porting *porting, const char *from, const char *to, const char *method,
                const char *path, const json_t *body, struct federation_answer *answer);
/* 0, STATUS_NOTFOUND or a store status. Any thread: with a reader of its own. */
int porting_port_get(struct porting *porting, enum store_port_role role, const char *id,
                     struct store_port *port);
int porting_record_get(struct porting *porting, const struct store_address *address,
                       struct store_record *record);
bool porting_domain_is_ours(struct porting *porting, const char *domain);

/* What the holder gave is remembered until it is dropped. STATUS_LIMIT: too many. */
int porting_hold(struct porting *porting, const char *id, const struct porting_proof *proof);
bool porting_held_get(struct porting *porting, const char *id, struct porting_proof *proof);
void porting_drop(struct porting *porting, const char *id);

/* ---- porting_retry.c ---- */

/* By a clock that nobody sets. */
uint64_t porting_retry_now_ms(const struct porting *porting);
/* Is this to be tried now? */
bool porting_retry_is_due(struct porting *porting, const char *key);
/* It failed: not before a while, twice as long as before, at most max_ms. `why`: in words. */
void porting_retry_later(struct porting *porting, const char *key, uint64_t max_ms,
                         const char *why);
/* Not before so long, whatever was before. */
void porting_retry_after(struct porting *porting, const char *key, uint64_t wait_ms);
void porting_retry_done(struct porting *porting, const char *key);

/* ---- porting_document.c ---- */

/* A port as operators tell it each other; a new reference, or NULL without memory. */
json_t *porting_encode(const struct store_port *port, uint64_t now_ms);
/* Adds what proves a request. Returns 0 or -ENOMEM. */
int porting_encode_proof(json_t *document, const struct porting_proof *proof,
                         const uint8_t undo_hash[STORE_HASH_LEN]);
/* Reads it: id, request, kind, address, gaining, and where they are there the others. Members that
 * are not known are left alone. Returns 0, or STATUS_MALFORMED with a sentence in `why`. */
int porting_decode(const json_t *document, struct store_port *port, const char **why);
int porting_decode_proof(const json_t *document, struct porting_proof *proof,
                         uint8_t undo_hash[STORE_HASH_LEN], const char **why);
/* Is it a state that a port has at its authority? */
bool porting_is_decision(enum store_port_state state);
/* Hex digits -> exactly `len` octets. */
bool porting_hex_decode(const char *text, uint8_t *octets, size_t len);
void porting_hex_encode(const uint8_t *octets, size_t len, char *text);
/* The text of a member, NULL where it is none. */
const char *porting_text_of(const json_t *document, const char *name);
/* Is it a text, null, or not there? What is anything else was meant for something. */
bool porting_text_fits(const json_t *document, const char *name);
/* The reason that a problem names. */
enum store_port_reason porting_reason_of(const json_t *problem);

/* Answers. Return 0 or -ENOMEM. */
int porting_reply(struct federation_answer *answer, json_t *body);
int porting_refuse(struct federation_answer *answer, unsigned status, const char *reason,
                   const char *detail);
/* What a status of the store means to whoever asked for a port of this kind. */
int porting_refuse_status(struct federation_answer *answer, int status, enum store_port_kind kind);
bool porting_proves(const struct federation_request *request, const char *domain);

/* ---- porting_proof.c ---- */

int porting_secret_make(char secret[PORTING_SECRET_LEN + 1]); /* 0 or STATUS_CRYPTO */
int porting_request_make(char request[STORE_PORT_ID_LEN + 1]);
int porting_hash(const char *text, uint8_t hash[STORE_HASH_LEN]);
/* The nonce of the authority for this address, gaining domain and expiry. */
int porting_nonce_make(const struct porting *porting, const struct store_address *address,
                       const char *gaining, uint64_t expires,
                       char nonce[2 * PORTING_NONCE_LEN + 1]);
/* What protects an address of ours: 0, STATUS_NOTFOUND or a store status. Any thread. */
int porting_guard_get(struct porting *porting, const struct store_address *address,
                      struct store_guard *guard);
/* Did the recovery key sign it, with a nonce of ours that is still good? Returns 0 with the key, or
 * STATUS_PROOF. */
int porting_signature_check(struct porting *porting, const struct store_port *port,
                            const struct porting_proof *proof, uint8_t key[STORE_HASH_LEN]);

/* ---- porting_authority.c: wrong proofs, which are counted for the peer that gives them ---- */

/* Takes one of its tries before a proof is looked at; false: it has none left. */
bool porting_wrong_take(struct porting *porting, const struct federation_request *request);
/* It was right. */
void porting_wrong_give(struct porting *porting, const struct federation_request *request);
/* It was wrong: counted in the metrics. */
void porting_wrong_count(struct porting *porting, const struct federation_request *request);
int porting_wrong_refuse(struct federation_answer *answer); /* as porting_refuse, 429 */

/* ---- handlers, as federation_handle_h ---- */

int porting_open_post(struct porting *porting, const struct federation_request *request,
                      struct federation_answer *answer);
int porting_step_post(struct porting *porting, const struct federation_request *request,
                      const char *id, enum store_port_event event,
                      struct federation_answer *answer);
int porting_known_get(struct porting *porting, const struct federation_request *request,
                      const char *id, struct federation_answer *answer);
int porting_address_get(struct porting *porting, const struct federation_request *request,
                        const struct store_address *address, struct federation_answer *answer);
int porting_nonce_post(struct porting *porting, const struct federation_request *request,
                       struct federation_answer *answer);
/* A step at the authority; how it ended is the answer. `by` of enum store_port_party. */
int porting_step(struct porting *porting, const struct store_port *port,
                 enum store_port_event event, unsigned by, enum store_port_reason reason,
                 const char *actor, struct federation_answer *answer);

/* ---- porting_holder.c: for the holder, by the host of an address of ours ---- */

/* A handler below the path of an address. */
typedef int porting_holder_h(struct porting *porting, const struct federation_request *request,
                             const struct store_address *address, struct federation_answer *answer);
porting_holder_h porting_code_put, porting_lock_put, porting_key_put, porting_release_post,
    porting_protection_get;

/* ---- porting_wish.c ---- */

/* As porting_ask; what is no answer, or another one than 200, becomes a problem. 0 or -EPROTO. */
int porting_demand(struct porting *porting, const char *from, const char *to, const char *method,
                   const char *path, const json_t *body, struct federation_answer *answer,
                   struct api_problem *problem);

/* ---- porting_arrived.c ---- */

/* Asks the authority of every prepared address that calls came for; the engine's thread. */
void porting_arrived_ask(struct porting *porting);

/* ---- porting_notice.c ---- */

/* What a host tells the holder of the state of a port; at most EDGE_MESSAGE_MAX bytes. */
const char *porting_notice_format(const struct store_port *port, char text[PORTING_NOTICE_MAX]);
/* As porting_notice_h; a number's holder is told at the address that it leads to. */
int porting_holder_tell(struct porting *porting, const char *domain,
                        const struct store_address *address, const char *text);
/* Who is told of this address: of a number the address that it leads to. */
void porting_holder_find(struct porting *porting, const struct store_address *address,
                         struct store_address *holder);
/* The address as it is named to its holder; returns a number's digits, or `name`. */
const char *porting_name_format(const struct store_address *address,
                                char name[API_ADDRESS_TEXT_MAX]);
/* Tells those whose auth codes were made since; the engine's thread. */
void porting_codes_tell(struct porting *porting);

/* ---- porting_mail.c ---- */

/* The same by mail, once; `domain`, ours, is who speaks. */
void porting_code_mail(struct porting *porting, const struct porting_code *code, const char *domain,
                       const char *text);
/* Gives the mailer what this port owes; it is paid when that has sent it. The engine's thread. */
void porting_mail_pay(struct porting *porting, struct store_port *port);

/* ---- porting_pay.c ---- */

/* Who is to be told, as his retries are remembered: a domain, or "holders" or "operator". */
const char *porting_target_of(const struct store_port *port, unsigned whom);
/* Is there anybody whom it is owed to and who is to be told now? */
bool porting_is_due(struct porting *porting, const struct store_port *port);
/* Asks the authority what it knows of a port of ours as the gaining host, and follows it. */
int porting_ask_known(struct porting *porting, const struct store_port *port);
/* Under which its retries are remembered; for STORE_PORT_OWES_MAIL another one for each thing that
 * there is to tell, and the id of the mail. Returns `key`. */
const char *porting_retry_key(const struct store_port *port, unsigned whom,
                              char key[PORTING_RETRY_KEY]);
/* These are owed no more. Returns a status, STATUS_CONFLICT where the port has gone on meanwhile.
 * Any thread. */
int porting_paid(struct porting *porting, struct store_port *port, unsigned whom);
/* Tells whom this port is owed to; how many were tried. */
size_t porting_pay(struct porting *porting, struct store_port *port);
/* What the authority said of a port is known here from now on, unless its receipt does not hold:
 * STATUS_UNPROVEN. `document`: what it said; NULL for a refusal. Returns a status. */
int porting_tell(struct porting *porting, enum store_port_role role, struct store_port *told,
                 const json_t *document, const char *actor);

/* ---- porting_receipt.c ---- */

/* porting_encode of a port at the authority, with the id of its receipt key, and with a receipt
 * once it is decided. */
json_t *porting_encode_signed(struct porting *porting, const struct store_port *port);
/* At the authority: port->key_seen becomes the key that signs now, so that all receipts of a port
 * that begins now are of it; all zero where we make none. */
void porting_key_choose(struct porting *porting, struct store_port *port);
/* At a host: told->key_seen becomes the authority's receipt key, the one of the start where one was
 * seen, else the one that the document names, as it is published. Blocks as porting_ask. */
void porting_key_see(struct porting *porting, enum store_port_role role, struct store_port *told,
                     const json_t *document);
/* Does the document's receipt hold against told->key_seen, and say what the document says? Then it
 * is told->receipt from now on. Without one only what is still open is believed. Returns 0, also
 * where no key was seen, or STATUS_UNPROVEN. */
int porting_receipt_take(struct porting *porting, struct store_port *told, const json_t *document);
/* The keys of our receipts, as a federation_handle_h. */
int porting_keys_get(struct porting *porting, const struct federation_request *request,
                     struct federation_answer *answer);

#endif
