/* Ports: an address moves from one hosting domain to another (design section 8). The model is the
 * transfer of EPP (RFC 5731 section 3.2.4) with secure auth codes (RFC 9154).
 *
 * Three operators take part, and any two may be the same: the authority, whose domain the address
 * is of, the losing host and the gaining host. Each keeps a record of the port under its role; the
 * authority's decides, the others follow what it tells. What may happen is one table
 * (store_port_row), which docs/porting.md shows and a test holds against it.
 *
 * Everything here is read and written as the rest of store/store.h. Times are Unix time in ms. */
#ifndef JUNCTOR_STORE_PORTING_H
#define JUNCTOR_STORE_PORTING_H

#include "store/names.h"

struct store_reader;

enum store_port_role {
    STORE_PORT_AUTHORITY,
    STORE_PORT_GAINING,
    STORE_PORT_LOSING,
    STORE_PORT_ROLE_COUNT
};

/* By what the holder's will is proven. */
enum store_port_kind {
    STORE_PORT_CODE,     /* an auth code */
    STORE_PORT_RECOVERY, /* a signature with the recovery key */
    STORE_PORT_UNDO,     /* the secret of a port that was committed, or the recovery key */
    STORE_PORT_KIND_COUNT
};

enum store_port_state {
    STORE_PORT_REQUESTING, /* gaining: the authority has not answered yet */
    STORE_PORT_CANCELLING, /* gaining: given up; the authority has not confirmed, for 7 days at most
                            */
    STORE_PORT_PENDING,    /* until the end of the confirmation window */
    STORE_PORT_WAITING,    /* RECOVERY: until the end of the waiting time */
    STORE_PORT_DISPUTED,   /* RECOVERY: somebody objected; the authority's operator decides */
    STORE_PORT_COMMITTED,  /* the gaining domain hosts the address; may be undone */
    STORE_PORT_COMPLETED,  /* the same, and may not be undone any more */
    STORE_PORT_UNDONE,     /* committed, and taken back by another port */
    STORE_PORT_REJECTED,   /* by the losing host or, disputed, by the authority's operator */
    STORE_PORT_CANCELLED,  /* by the holder, or because the address was released or changed owner */
    STORE_PORT_REFUSED,    /* gaining: the authority did not accept it */
    STORE_PORT_STATE_COUNT
};

/* Why a port was refused, rejected or cancelled. Machine-readable; the texts never change. */
enum store_port_reason {
    STORE_PORT_NO_REASON,
    STORE_PORT_BY_HOLDER, /* "by-holder" */
    STORE_PORT_NO_ANSWER, /* "no-answer": the request never reached the authority */
    STORE_PORT_BAD_CODE,  /* "bad-code": wrong, used, expired, withdrawn or for another one */
    STORE_PORT_BAD_PROOF, /* "bad-proof": signature or undo secret */
    STORE_PORT_LOCKED_BY_HOLDER, /* "locked" */
    STORE_PORT_FROZEN,           /* "frozen": ported a short time ago, or by the operator */
    STORE_PORT_ALREADY_PENDING,  /* "port-pending": another port of it is under way */
    STORE_PORT_ALREADY_THERE,    /* "already-there": the gaining domain hosts it */
    STORE_PORT_NO_ADDRESS,       /* "no-address": unknown, an alias or a tombstone */
    STORE_PORT_NOT_UNDOABLE,     /* "not-undoable": no such committed port, or its time is over */
    STORE_PORT_RELEASED,         /* "released": the address was released, or its owner changed; of a
                                    completed one: so it could not be undone any more */
    STORE_PORT_FRAUD,            /* "fraud", of a rejection; as the next ones */
    STORE_PORT_NOT_THE_HOLDER,   /* "not-the-holder" */
    STORE_PORT_CONTRACT,         /* "contract" */
    STORE_PORT_LEGAL,            /* "legal" */
    STORE_PORT_OPERATOR,         /* "operator": another reason of the operator */
    STORE_PORT_REASON_COUNT
};

/* Who is still to be told of the port's state by the one who keeps the record. */
enum store_port_owed {
    STORE_PORT_OWES_AUTHORITY = 1, /* gaining: the request, or its cancelling */
    STORE_PORT_OWES_GAINING = 2,
    STORE_PORT_OWES_LOSING = 4,
    STORE_PORT_OWES_HOLDER = 8,    /* a message to the address, by whoever hosts it */
    STORE_PORT_OWES_OPERATOR = 16, /* disputed: the authority's own has to decide */
    STORE_PORT_OWES_MAIL = 32,     /* a mail to the holder, where the record of the address (of a
                                      number:     of the one it leads to) says where; of several records
                                      of     a port     at one node one owes it */
    STORE_PORT_OWED_ALL = 63
};

#define STORE_PORT_ID_LEN      32 /* hex digits */
#define STORE_PORT_RECEIPT_MAX 2047

/* How long each thing lasts, in s; the operator's policy at the moment of the request. */
struct store_port_terms {
    uint32_t window;  /* of confirmation; 0: none, it is committed at once */
    uint32_t wait;    /* RECOVERY */
    uint32_t dispute; /* RECOVERY */
    uint32_t grace;   /* undo is possible after commit */
    uint32_t freeze;  /* no other port after commit */
    uint32_t remind;  /* waiting: from one reminder to the next; 0: there are none */
};

struct store_port {
    enum store_port_role role;           /* with the id: the key */
    char id[STORE_PORT_ID_LEN + 1];      /* the public one: store_port_id() */
    char request[STORE_PORT_ID_LEN + 1]; /* the gaining host's own */
    enum store_port_kind kind;
    enum store_port_state state;
    enum store_port_reason reason;
    struct store_address address;
    char gaining[STORE_DOMAIN_MAX + 1];
    char losing[STORE_DOMAIN_MAX + 1]; /* "" while only the gaining host knows of it */
    unsigned owed;                     /* of enum store_port_owed */
    uint64_t deadline_ms;              /* when its state ends by itself; 0: does not */
    uint64_t told_ms;      /* at a host: the deadline as the authority told it; nothing ends by it
                              here. 0: none */
    uint64_t committed_ms; /* 0: is not */
    uint64_t
        order; /* at a host: the authority's version of the port when it told; never goes back */
    uint64_t commit_order; /* when the authority committed it, in ms, or more: of two ports of an
                              address the one with the higher is the later, whoever was its
                              authority then */
    char undoes[STORE_PORT_ID_LEN + 1]; /* UNDO: which port */
    uint8_t undo_hash[STORE_HASH_LEN];  /* SHA-256 of the undo secret; all zero: there is none */
    struct store_port_terms terms;      /* at the authority */
    uint32_t reminder;  /* how often both hosts were reminded that it waits; at a host: as told */
    uint64_t remind_ms; /* at the authority: when they are again; 0: they are not */
    uint8_t
        key_seen[STORE_HASH_LEN]; /* the receipt key (Ed25519) of the start: at the authority the
                                     one that signed then, at a host as it was published. All
                                     zero: there was none, or none was seen. Once known it never
                                     changes: receipts are signed by it, and held against it */
    char receipt[STORE_PORT_RECEIPT_MAX + 1]; /* at a host: the last one that the authority gave, as
                                                 it was told; "": none. Not in the journal */
    /* at the gaining host: who has it there */
    char owner[STORE_OWNER_MAX + 1];
    char display[STORE_DISPLAY_MAX + 1];
    uint64_t version, created_ms;
};

/* What every name of an enumeration is in JSON, logs and the table; never NULL. */
const char *store_port_role_text(enum store_port_role role);
const char *store_port_kind_text(enum store_port_kind kind);
const char *store_port_state_text(enum store_port_state state);
const char *store_port_reason_text(enum store_port_reason reason);
/* 0 or STATUS_MALFORMED. */
int store_port_role_parse(const char *text, enum store_port_role *role);
int store_port_kind_parse(const char *text, enum store_port_kind *kind);
int store_port_state_parse(const char *text, enum store_port_state *state);
int store_port_reason_parse(const char *text, enum store_port_reason *reason);
/* Is it one that somebody gives, and not what an authority finds by itself? */
bool store_port_reason_is_choice(enum store_port_reason reason);
/* When the store's timer looks at it: its deadline, or a reminder that comes before; 0: never. */
uint64_t store_port_due_ms(const struct store_port *port);
/* Is something still to come? Only one such port may be of an address. Committed is no such state:
 * it can be ported again when it is not frozen any more. */
bool store_port_is_open(enum store_port_state state);

/* The public id: the first 16 octets of SHA-256(gaining domain NUL request id), in hex. So the
 * gaining host knows it beforehand, and a request that is repeated is the same port. 0 or
 * STATUS_CRYPTO. */
int store_port_id(const char *gaining, const char *request, char id[STORE_PORT_ID_LEN + 1]);

/* ---- the table of transitions ---- */

/* What happens to a port. */
enum store_port_event {
    STORE_PORT_ASK,     /* the request comes; STORE_PORT_OPEN is its command */
    STORE_PORT_APPROVE, /* the losing host agrees */
    STORE_PORT_REJECT,  /* the losing host does not; disputed: the authority's operator upholds the
                           objection */
    STORE_PORT_CANCEL,  /* the holder, by the gaining host */
    STORE_PORT_OBJECT,  /* RECOVERY: the losing host, the holder by it or at the authority, or the
                           authority's operator */
    STORE_PORT_ALLOW,   /* disputed: the authority's operator overrules the objection */
    STORE_PORT_DUE,     /* its deadline is over */
    STORE_PORT_TAKE_BACK, /* a port that undoes it is committed */
    STORE_PORT_GO,        /* the address is released or changes its owner */
    STORE_PORT_EVENT_COUNT
};

/* Who may bring an event about. */
enum store_port_party {
    STORE_PORT_BY_GAINING = 1,  /* the proven gaining domain, for the holder */
    STORE_PORT_BY_LOSING = 2,   /* the proven losing domain */
    STORE_PORT_BY_OPERATOR = 4, /* the authority's */
    STORE_PORT_BY_TIMER = 8,
    STORE_PORT_BY_PORT = 16,  /* another command of the authority */
    STORE_PORT_BY_OWNER = 32, /* whose address it is at the authority */
    STORE_PORT_BY_ALL = 63
};

/* What a transition at the authority does besides; all of it in one transaction. */
enum store_port_effect {
    STORE_PORT_USES_CODE = 1, /* the auth code is gone */
    STORE_PORT_MOVES = 2, /* the address's hosting domain becomes the gaining one, and freezes */
    STORE_PORT_TELLS_GAINING = 4,
    STORE_PORT_TELLS_LOSING = 8,
    STORE_PORT_TELLS_HOLDER = 16
};

struct store_port_row {
    int from; /* of enum store_port_state, or -1: there is none yet */
    enum store_port_event event;
    unsigned by;    /* of enum store_port_party */
    unsigned kinds; /* bits 1 << enum store_port_kind */
    enum store_port_state to;
    unsigned effects; /* of enum store_port_effect */
};
/* The rows of the authority's table, in its order; NULL after the last. */
const struct store_port_row *store_port_row(size_t i);
const char *store_port_event_text(enum store_port_event event);
int store_port_event_parse(const char *text, enum store_port_event *event);

/* ---- what protects an address ---- */

/* At the authority, beside the address's record; an address without one has none of this. */
struct store_guard {
    struct store_address address;
    uint64_t frozen_until_ms; /* by the last port; 0: is not */
    bool frozen;              /* by the operator, until he ends it */
    char
        code_for[STORE_DOMAIN_MAX + 1]; /* the auth code is good for this gaining domain; "": any */
    uint8_t code_hash[STORE_HASH_LEN];  /* of a command only: the record of the address keeps it */
    uint64_t code_until_ms;             /* likewise */
    bool has_key, has_next_key;
    uint8_t key[STORE_HASH_LEN];      /* recovery key: Ed25519, RFC 8032 */
    uint8_t next_key[STORE_HASH_LEN]; /* takes its place at next_key_ms */
    uint64_t next_key_ms;
    uint64_t version, created_ms;
};
int store_guard_get(struct store_reader *reader, const struct store_address *address,
                    struct store_guard *guard);
/* The recovery key that is good at `now_ms`; false: none is. */
bool store_guard_key(const struct store_guard *guard, uint64_t now_ms, uint8_t key[STORE_HASH_LEN]);

/* ---- what a command takes ---- */

struct store_port_order {
    struct store_port port; /* OPEN, START, TELL: whole; else role and id name it. What is the
                               authority's to decide is not looked at */
    uint8_t proof[STORE_HASH_LEN]; /* OPEN: SHA-256 of the auth code or undo secret; with `by_key`
                                      the recovery key that a signature was verified with */
    bool by_key;
    enum store_port_event event;   /* STEP */
    unsigned by;                   /* STEP, OPEN: of enum store_port_party, who */
    enum store_port_reason reason; /* STEP */
    unsigned paid;                 /* PAID: of enum store_port_owed */
    uint32_t moved;                /* TELL: s, how long a losing host leads callers on */
    struct store_address target;   /* START, of a number: whom it leads to when it has come; else
                                      empty */
};

/* ---- reading ---- */

typedef bool store_port_h(const struct store_port *port, void *arg);
int store_port_get(struct store_reader *reader, enum store_port_role role, const char *id,
                   struct store_port *port);
/* In order of role and id, after `after` (role and id; NULL: all). */
int store_port_list(struct store_reader *reader, const struct store_port *after, size_t max,
                    store_port_h *each, void *arg);
/* Of one address. */
int store_port_address_list(struct store_reader *reader, const struct store_address *address,
                            size_t max, store_port_h *each, void *arg);
/* Those that owe somebody a notice, in no order. */
int store_port_owed_list(struct store_reader *reader, size_t max, store_port_h *each, void *arg);

#endif
