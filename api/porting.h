/* The engine of ports: speaks for this node at every port it has a part in, as the authority of the
 * address, as the gaining host or as the losing one (store/porting.h, docs/porting.md).
 *
 * Its one thread looks at the store whenever something changed, and tells whoever is still owed a
 * notice: the authority a request, the hosts what the authority decided. A notice is paid when the
 * other side has acknowledged it; until then it is told again, after 1 s at first and at last once
 * an hour. Everything that must survive a crash is in the store; what the holder gave to prove his
 * will is in memory only.
 *
 * Where the other domain is hosted by this node too, its handler is called in the process. */
#ifndef JUNCTOR_API_PORTING_H
#define JUNCTOR_API_PORTING_H

#include "api/federation.h"
#include "api/mailer.h"
#include "api/problem.h"
#include "api/receipt.h"
#include "base/log.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTING_CODE_MAX       128 /* characters of an auth code or undo secret */
#define PORTING_SECRET_LEN     43  /* of an undo secret that is made here: 256 bits */
#define PORTING_SIGNATURE_LEN  64  /* Ed25519 */
#define PORTING_NONCE_LEN      32
#define PORTING_DAY_MS         ((uint64_t)86400 * 1000)
#define PORTING_KEY_DAYS       14   /* until a new recovery key works */
#define PORTING_NONCE_S        600  /* a nonce of the authority is good for so long */
#define PORTING_HELD_MAX       1024 /* requests whose secret is held at once */
#define PORTING_TURN_MAX       256  /* notices of one turn */
#define PORTING_RETRY_MS       ((uint64_t)1000)
#define PORTING_RETRY_MAX_MS   ((uint64_t)3600 * 1000)
#define PORTING_LOOK_MS        200 /* how often the thread looks whether the store changed */
#define PORTING_WRONG_BURST    10  /* wrong proofs of one peer at once, and then */
#define PORTING_WRONG_EVERY_US ((uint64_t)60 * 1000000)
#define PORTING_VAIN_BURST     100 /* cancels of what never came, each of which is remembered */
#define PORTING_VAIN_EVERY_US  ((uint64_t)10 * 1000000)

struct porting;

/* The section `porting` of junctord.conf; in s. */
struct porting_conf {
    struct store_port_terms terms; /* of ports whose authority we are */
    uint32_t moved;                /* a losing host leads callers on for so long */
    unsigned test_day_ms; /* for tests alone: of so many ms is a day where holders wait: until a key
                             works, until a recovery or a dispute ends, until the next reminder. 0:
                             a real day. `terms` are told as for real days */
};

/* As federation_ask, with its object last. */
typedef int porting_ask_h(const char *from_domain, const char *to_domain, const char *method,
                          const char *path, const json_t *body, struct federation_answer *answer,
                          void *arg);
/* As federation_number_zone, with its object last. */
typedef int porting_zone_h(const char *digits, char zone[STORE_DOMAIN_MAX + 1],
                           char why[FEDERATION_MAX_WHY], void *arg);
/* Tells the holder of an address, which `domain`, ours, hosts. Must not block for long. Returns 0
 * where it was taken, else it is tried again. */
typedef int porting_notice_h(const char *domain, const struct store_address *address,
                             const char *text, void *arg);

/* As mailer_send. What is given twice is the same mail. */
typedef int porting_mail_h(const struct mail *mail, mailer_done_h *done, void *done_arg, void *arg);

/* As edge_arrived_take: addresses for which calls came, and that their authority told us to be ours
 * by now. */
typedef size_t porting_arrived_h(struct store_address *list, size_t max, void *arg);

/* All of it must outlive the engine. */
struct porting_parts {
    struct store *store;
    porting_ask_h *ask; /* NULL: no other operator can be reached */
    void *ask_arg;
    porting_zone_h *zone; /* NULL: no number's zone is found in DNS */
    void *zone_arg;
    porting_notice_h *notice; /* NULL: nobody tells holders, and nothing is owed to them */
    void *notice_arg;
    porting_mail_h *mail; /* NULL: nobody is told by mail. What it took must have ended before
                             porting_stop */
    void *mail_arg;
    struct receipt_keys *receipts; /* NULL: no receipts are made */
    porting_arrived_h *arrived;    /* NULL: nobody knows of calls */
    void *arrived_arg;
    store_clock_h *clock; /* NULL: CLOCK_REALTIME */
    void *clock_arg;
    struct log *log; /* may be NULL */
};

/* Makes it; nothing runs yet. Returns 0, STATUS_LIMIT (no reader slot), STATUS_CRYPTO, -ENOMEM. */
int porting_open(const struct porting_conf *conf, const struct porting_parts *parts,
                 struct porting **porting);
/* Starts its thread. Returns 0 or -errno. */
int porting_start(struct porting *porting);
/* The thread has ended when it returns; what it was asking may take as long as `ask` does. Nobody
 * may be inside any other function. Accepts NULL. */
void porting_stop(struct porting *porting);
/* Other terms from now on; ports under way keep theirs. Any thread. */
void porting_reload(struct porting *porting, const struct porting_conf *conf);

#define PORTING_STATS_PEERS 32 /* counted by name: those who were first */

struct porting_wrong {
    char peer[STORE_DOMAIN_MAX + 1];
    uint64_t count;
};
/* Since the start. */
struct porting_stats {
    uint64_t wrong_proofs; /* given to us as the authority, by all */
    struct porting_wrong wrong[PORTING_STATS_PEERS];
    size_t wrong_count;
    uint64_t receipts_refused; /* decisions that were not followed */
};
void porting_stats_get(struct porting *porting, struct porting_stats *stats); /* any thread */

#define PORTING_WHY_MAX FEDERATION_MAX_WHY

/* Somebody who is owed a notice of a port could not be told yet. */
struct porting_trouble {
    char why[PORTING_WHY_MAX]; /* the last time, in words */
    uint64_t next_ms;          /* when he is tried again, Unix time */
};
/* Of `port`, as the store has it; false: nothing has failed, or not since the start. Any thread. */
bool porting_trouble_get(struct porting *porting, const struct store_port *port,
                         struct porting_trouble *trouble);

/* Tells all who are owed something and whose time has come; what the thread does, for whoever has
 * none started. Returns how many notices were tried. */
size_t porting_turn(struct porting *porting);

/* What other operators ask: a federation_handle_h with the engine as its argument. Any thread;
 * waits for the store. */
int porting_handle(void *porting, const struct federation_request *request,
                   struct federation_answer *answer);

/* ---- what holders and operators of this node want ---- */

struct porting_wish {
    enum store_port_event event;     /* ASK: a new port; CANCEL, APPROVE, REJECT, OBJECT, ALLOW */
    char actor[STORE_ACTOR_MAX + 1]; /* whose wish it is, for the journal; "": the engine's own */
    char id[STORE_PORT_ID_LEN + 1];  /* all but ASK */
    bool as_operator;                /* REJECT, OBJECT: at the authority, not the losing host */
    bool as_owner;                   /* of that: not its operator, but who has the address there */
    enum store_port_reason reason;   /* CANCEL, REJECT, OBJECT */

    enum store_port_kind kind;          /* ASK, as all below */
    struct store_address address;       /* not for UNDO; a number: "+digits" of its ENUM zone */
    struct store_address target;        /* of a number: whom it is to lead to; else user "" */
    char gaining[STORE_DOMAIN_MAX + 1]; /* ours; not for UNDO */
    char undoes[STORE_PORT_ID_LEN + 1]; /* UNDO */
    char owner[STORE_OWNER_MAX + 1];    /* who has it at the gaining host; "": the operator */
    char display[STORE_DISPLAY_MAX + 1];
    char code[PORTING_CODE_MAX + 1];     /* the auth code, or UNDO: the undo secret */
    char request[STORE_PORT_ID_LEN + 1]; /* the gaining host's own number; "": a new one */
    /* RECOVERY, and UNDO without a secret: what the holder signed (porting_text). Then `request` is
     * porting_request_of(nonce). */
    bool by_key;
    uint8_t signature[PORTING_SIGNATURE_LEN];
    char nonce[2 * PORTING_NONCE_LEN + 1]; /* hex */
    uint64_t expires;                      /* Unix time in s */
};

struct porting_made {
    char id[STORE_PORT_ID_LEN + 1];
    char undo_secret[PORTING_SECRET_LEN + 1]; /* of a new port, shown once; "": it has none */
};

/* Does what is wished, as far as it is for this node to do: a new port is in the store as
 * `requesting` when it returns, and the engine asks the authority; an approval, a rejection, an
 * objection or an undo that begins at the host that would lose the address is asked of the
 * authority at once, so it blocks as long as `ask` does. `made` may be NULL for all but ASK.
 * Whether the one who wishes may is for the caller to know. Returns 0 or -EPROTO with `problem`. */
int porting_begin(struct porting *porting, const struct porting_wish *wish,
                  struct porting_made *made, struct api_problem *problem);

/* The ENUM zone that holds the number whose `address->user` is "+digits" becomes its domain, as DNS
 * says. Blocks. Returns 0 or -EPROTO with `problem`. */
int porting_number_zone(struct porting *porting, struct store_address *address,
                        struct api_problem *problem);

#define PORTING_TEXT_MAX 1024
/* What the holder of a recovery key is to sign. */
struct porting_draw {
    struct store_address address;
    char gaining[STORE_DOMAIN_MAX + 1];
    char id[STORE_PORT_ID_LEN + 1]; /* that the port will have */
    char nonce[2 * PORTING_NONCE_LEN + 1];
    uint64_t expires;            /* Unix time in s: to be asked for before */
    char text[PORTING_TEXT_MAX]; /* porting_text */
};
/* Draws a nonce of the authority for `wish`, of which only the kind (RECOVERY or UNDO), address and
 * gaining domain, or `undoes`, are looked at; asks the authority where that is another. Nothing is
 * kept of it. Blocks. Returns 0 or -EPROTO with `problem`. */
int porting_draw(struct porting *porting, const struct porting_wish *wish,
                 struct porting_draw *draw, struct api_problem *problem);
/* The gaining host's own number of a port that is asked for with this nonce: so whoever signs
 * elsewhere has no more to keep than what he signed. */
void porting_request_of(const char nonce[2 * PORTING_NONCE_LEN + 1],
                        char request[STORE_PORT_ID_LEN + 1]);
/* So long after it was left a recovery key begins to work. Any thread. */
uint64_t porting_key_delay_ms(struct porting *porting);
/* ---- what the host of an address has its authority, another operator, do for the holder ---- */

enum porting_errand_kind {
    PORTING_ERRAND_CODE,    /* leaves the hash of an auth code, or withdraws it */
    PORTING_ERRAND_LOCK,    /* no port begins while it is locked; or ends that */
    PORTING_ERRAND_KEY,     /* leaves a recovery key, or takes one back that does not work yet */
    PORTING_ERRAND_RELEASE, /* the address ends */
    PORTING_ERRAND_SHOW,    /* what protects it */
    PORTING_ERRAND_KIND_COUNT
};

struct porting_errand {
    enum porting_errand_kind kind;
    char hosting[STORE_DOMAIN_MAX + 1]; /* ours, which serves it */
    struct store_address address;
    uint8_t hash[STORE_HASH_LEN];    /* CODE */
    uint64_t until_ms;               /* CODE: it is good so long; 0: withdraws it */
    uint64_t from_ms;                /* KEY: when it begins to work, as the authority said */
    char only[STORE_DOMAIN_MAX + 1]; /* CODE: good for this gaining domain; "": for any */
    bool locked;                     /* LOCK */
    char code[PORTING_CODE_MAX + 1]; /* KEY, RELEASE: proves the holder; KEY "": takes it back */
    uint8_t key[STORE_HASH_LEN];     /* KEY: Ed25519 */
    struct store_guard guard;        /* SHOW: as the authority said; no version */
};

/* Asks the authority; what it has done it does again, without harm, when asked again. Blocks.
 * Returns 0 once it has confirmed, or -EPROTO with `problem`. */
int porting_errand_do(struct porting *porting, struct porting_errand *errand,
                      struct api_problem *problem);

/* An auth code was made of an address that `hosting` serves, whose authority we are where that is
 * not ours; good for `gaining` ("": any). Its holder is told soon, once, on his phones by a host of
 * ours, and by mail where he has left where to; nothing survives a restart. Any thread; waits for
 * nobody. */
void porting_code_made(struct porting *porting, const char *hosting,
                       const struct store_address *address, const char *gaining);
/* The same of a recovery key that works from then on. */
void porting_key_left(struct porting *porting, const char *hosting,
                      const struct store_address *address, uint64_t from_ms);

/* The record of an address was changed. Where the holder is told at another mail address from now
 * on, or at none, he hears of that at the one before. Any thread; reads the store. */
void porting_notify_changed(struct porting *porting, const struct store_record *before,
                            const struct store_record *after);

/* The octets that a recovery key signs: seven lines, each ended by LF:
 *
 *     junctor-port-v1, or junctor-undo-v1 where it takes a port back
 *     AUTHORITY, the address's domain
 *     USER@DOMAIN, the address in canonical form
 *     GAINING domain
 *     PORT ID
 *     NONCE, 64 hex digits
 *     EXPIRES, Unix time in s, decimal
 *
 * Returns their number. */
size_t porting_text(enum store_port_kind kind, const struct store_address *address,
                    const char *gaining, const char *id, const char *nonce, uint64_t expires,
                    char text[PORTING_TEXT_MAX]);

#endif
