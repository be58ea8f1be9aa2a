/* The directory on LMDB: which domains are ours, and where each address lives.
 *
 * One environment per edge. One thread of one process writes it (started by store_open with
 * STORE_WRITER); every other thread reads without locks through a struct store_reader of its own.
 *
 * Every write is a command (store_submit): one deterministic function applies it in one
 * transaction together with its journal entry. Commands that wait together share a commit; each is
 * on disk before store_submit returns. What is read is copied into the caller's arena or struct:
 * no pointer into the map leaves this folder.
 *
 * The life of a lookup: a worker begins its reader once per batch of messages, calls
 * store_route for each, and ends the reader before the loop turns.
 *
 * Names here are in canonical form: domains as lower-case A-labels without final dot; user parts
 * with needless percent-escapes undone and ASCII letters folded to lower case. An escape is
 * needless where its octet may stand as itself in a SIP user part (RFC 3261 section 25.1,
 * unreserved and user-unreserved): letters, digits and -_.!~*'()&=+$,;?/ always stand as
 * themselves, every other octet stays escaped, as %HH with upper-case digits. Lengths are those of
 * the canonical form. */
#ifndef JUNCTOR_STORE_STORE_H
#define JUNCTOR_STORE_STORE_H

#include "base/list.h"
#include "store/names.h"
#include "store/porting.h"

struct store;
struct store_reader;

/* ---- environment ---- */

enum store_mode {
    STORE_WRITER, /* this process writes: starts the writer thread */
    STORE_READER  /* reads only */
};

/* Unix time in ms; the node's clock. */
typedef uint64_t store_clock_h(void *arg);
/* Something the operator must look at, as a sentence. Called from the writer's thread. */
typedef void store_alarm_h(const char *text, void *arg);

struct store_conf {
    const char *path;     /* directory; created (0700) in mode STORE_WRITER */
    size_t map_size;      /* bytes of address space, the limit of the file; 0: 1 GiB. The same in
                             every process that opens it */
    unsigned max_readers; /* reader slots; 0: 126. The first process to open it decides */

    /* What the writer's timer renews and drops; each 0 for the default. */
    uint64_t key_age_ms;     /* the current dialog token key from this age on; 0: one day */
    uint64_t journal_age_ms; /* entries older than this; 0: 365 days */
    uint64_t journal_size;   /* bytes, and a quarter of the map at most; the oldest go first, as far
                                as   the cursors allow; 0: 256 MiB */
    uint64_t journal_max; /* bytes, and half of the map at most; past it no cursor holds an entry;
                             0: twice journal_size */
    uint64_t log_keep;    /* commands that stay readable in the log, however old and large; 0: the
                             last 10,000, none older than a day, all in a 16th of the map */

    store_clock_h *clock; /* NULL: CLOCK_REALTIME */
    store_alarm_h *alarm; /* NULL: nobody is told */
    void *arg;            /* for both */
};

/* Opens the environment and checks the schema version. An older schema is migrated by the writer,
 * after a copy of the file was made beside it (data.mdb.schema-N); a newer one is refused. Call
 * once per process, after fork. `fault` (may be NULL) gets a sentence for the operator on failure.
 * Nothing is scanned: the time does not depend on the number of records. Returns 0, STATUS_SCHEMA,
 * STATUS_CORRUPT, -EACCES, -ENOSPC, -EBUSY (another process writes it: flock), -ENOENT (mode
 * STORE_READER before the first writer) or another -errno. */
int store_open(const struct store_conf *conf, enum store_mode mode, struct store **store,
               struct store_fault *fault);
/* Commits what was submitted, stops the writer, closes. All readers must be freed. Accepts NULL. */
void store_close(struct store *store);

/* ---- reading ---- */

/* One per thread that reads. Returns 0 or STATUS_LIMIT (no slot), -ENOMEM. Free accepts NULL. */
int store_reader_alloc(struct store *store, struct store_reader **reader);
struct store_reader *store_reader_free(struct store_reader *reader);

/* Begins a snapshot; every read below needs one. Cheap (renews a parked transaction). Nesting is
 * allowed and counts: the snapshot is the outermost begin's. Returns 0, or a store status such as
 * -ESTALE (the writer came back with a larger map: open anew). */
int store_reader_begin(struct store_reader *reader);
void store_reader_end(struct store_reader *reader);

/* Every `..._get` returns 0, STATUS_NOTFOUND, STATUS_CORRUPT or a store status, its output
 * untouched on failure. Every `..._list` calls `each` in order of the key, starting after `after`
 * (NULL: from the start), at most `max` times; `each` returns false to stop early. */

/* A core's next hop as configured for a domain. */
struct store_core {
    char host[STORE_DOMAIN_MAX + 1]; /* IP literal without brackets, or host name */
    uint16_t port;                   /* 0: the transport's default */
    uint8_t transport;               /* number of enum resolver_transport, passed through */
    uint16_t priority, weight;       /* of a ranked domain, as in an SRV record (RFC 2782) */
};

enum store_unknown_policy {
    STORE_UNKNOWN_REJECT, /* an address that is not in the directory: 404 */
    STORE_UNKNOWN_CORE    /* ask the core */
};

/* Where a whole domain stands that moves to or comes from another operator
 * (docs/porting-operators.md has the table). */
enum store_domain_move {
    STORE_MOVE_NONE,    /* it is here */
    STORE_MOVE_LEAVING, /* it will go to the operator of move_to: its addresses are frozen, for they
                           are being copied */
    STORE_MOVE_GONE,    /* he has it: whoever still comes here for what was served here is led on to
                           move_to */
    STORE_MOVE_ARRIVING, /* it is being copied to here: for calls it is not here yet */
    STORE_MOVE_COUNT
};
/* "none", "leaving", "gone", "arriving"; never NULL. */
const char *store_domain_move_text(enum store_domain_move move);
/* Returns 0 or STATUS_MALFORMED. */
int store_domain_move_parse(const char *text, enum store_domain_move *move);

struct store_domain {
    char name[STORE_DOMAIN_MAX + 1];
    enum store_unknown_policy unknown;
    struct store_core cores[STORE_CORES_MAX]; /* in order of preference, unless `ranked` */
    unsigned core_count;                      /* at least 1 */
    bool ranked; /* its cores have priority and weight; else these are 0 and mean nothing */
    unsigned claims_per_owner;   /* addresses one owner may claim for himself; 0: none may */
    unsigned quarantine_days;    /* of a released address; 0: it is free at once */
    bool unpublished;            /* DNS does not tell where its single addresses live */
    bool redirects;              /* its core may redirect in the form of port data; else: 480 */
    enum store_domain_move move; /* changed by STORE_DOMAIN_MOVE alone */
    char move_to[STORE_DOMAIN_MAX + 1]; /* LEAVING, GONE: a domain of the operator who gets it, not
                                           itself; else "" */
    uint64_t version;                   /* journal sequence of its last change */
    uint64_t created_ms;                /* Unix time */
};
typedef bool store_domain_h(const struct store_domain *domain, void *arg);
int store_domain_get(struct store_reader *reader, const char *name, struct store_domain *domain);
int store_domain_list(struct store_reader *reader, const char *after, size_t max,
                      store_domain_h *each, void *arg);

/* "ours": a domain in the table of domains; every other is foreign. */
enum store_address_state {
    STORE_ADDRESS_HOSTED,     /* an address of our domain, served by its core */
    STORE_ADDRESS_PORTED_IN,  /* of a foreign domain, served by the core of `hosting`, ours */
    STORE_ADDRESS_PORTED_OUT, /* of our domain, served by `hosting`, another domain: mostly foreign,
                                 or another one of ours */
    STORE_ADDRESS_MOVED,      /* of a foreign domain, was served here, now by `hosting`, foreign;
                                 forgotten at until_ms unless that is 0 */
    STORE_ADDRESS_PREPARED,   /* of a foreign domain, will be served by `hosting`, ours: not yet
                                 routed */
    STORE_ADDRESS_ALIAS,      /* of our domain, another name of `target` */
    STORE_ADDRESS_TOMBSTONE,  /* of our domain, released: nobody but its last owner gets it before
                                 until_ms */
    STORE_ADDRESS_STATE_COUNT
};
/* "hosted", "ported-in" ...; never NULL. */
const char *store_address_state_text(enum store_address_state state);
/* Returns 0 or STATUS_MALFORMED. */
int store_address_state_parse(const char *text, enum store_address_state *state);

struct store_record {
    struct store_address address;
    enum store_address_state state;
    bool blocked;     /* not routed and no caller, whatever the state is */
    bool locked;      /* not to be released, ported or re-targeted until unlocked */
    bool unpublished; /* DNS does not tell where it lives, even if it is ported out */
    char hosting[STORE_DOMAIN_MAX +
                 1]; /* the domain that serves it; own domain when HOSTED, ALIAS or TOMBSTONE */
    char owner[STORE_OWNER_MAX + 1];     /* "": the operator itself */
    struct store_address target;         /* ALIAS; else empty */
    char display[STORE_DISPLAY_MAX + 1]; /* as the owner typed it; given empty: the address */
    uint64_t version;                    /* journal sequence of its last change */
    uint64_t created_ms;                 /* Unix time */
    uint64_t until_ms;                   /* TOMBSTONE, MOVED; else 0 */
    bool has_auth;                       /* an auth code (RFC 9154) was made and not used */
    uint8_t auth_hash[STORE_HASH_LEN];   /* SHA-256 of it */
    uint64_t auth_until_ms;              /* it is good until then */
    /* Where its holder is told of ports by mail, in canonical form; "": nowhere. The API tells it
     * to him and to operators, in the record alone: not where it tells of the journal. */
    char notify[STORE_MAIL_MAX + 1];
};
typedef bool store_record_h(const struct store_record *record, void *arg);
int store_address_get(struct store_reader *reader, const struct store_address *address,
                      struct store_record *record);
/* The addresses of one domain, or of all (domain NULL). Tombstones too. */
int store_address_list(struct store_reader *reader, const char *domain,
                       const struct store_address *after, size_t max, store_record_h *each,
                       void *arg);
/* The addresses of one owner, in one domain or in all (domain NULL). */
int store_owner_list(struct store_reader *reader, const char *owner, const char *domain,
                     const struct store_address *after, size_t max, store_record_h *each,
                     void *arg);
/* The addresses of one foreign domain that `hosting`, ours, serves or is to serve. */
int store_guest_list(struct store_reader *reader, const char *hosting, const char *domain,
                     const struct store_address *after, size_t max, store_record_h *each,
                     void *arg);

/* What routing asks, in one call: is the domain ours, is the address known, and who serves it?
 * Aliases are followed as far as the directory knows them. The message path's lookup: two LMDB gets
 * (a third for an address ported in, one more per alias), nothing allocated. Members whose
 * condition does not hold, and next hops past core_count, are left as they were. */
struct store_route {
    bool domain_is_ours;
    bool address_found; /* not for PREPARED and dangling aliases */
    bool blocked;       /* when address_found: also for a TOMBSTONE */
    bool aliased;       /* the address is an alias: `target` is the address that it finally names */
    enum store_address_state state;     /* when address_found; ALIAS: of a foreign address that the
                                           directory does not know; PORTED_IN also where one of our
                                           domains serves an address of another */
    char hosting[STORE_DOMAIN_MAX + 1]; /* when address_found; ALIAS: the target's domain */
    struct store_address target;        /* when aliased */
    struct store_domain core; /* when domain_is_ours, or the hosting domain is ours: the domain
                                 whose core serves the address (policy, next hops) */
};
int store_route(struct store_reader *reader, const struct store_address *address,
                struct store_route *route);

struct store_number {
    char digits[STORE_NUMBER_MAX + 1]; /* E.164 without '+' */
    struct store_address address;      /* in our directory */
    char zone[STORE_DOMAIN_MAX + 1];   /* apex of the ENUM zone that holds it: "+digits" of that
                                          domain is an address, whose record says who serves the
                                          number; "": it cannot be ported */
    uint64_t version, created_ms;
};
typedef bool store_number_h(const struct store_number *number, void *arg);
int store_number_get(struct store_reader *reader, const char *digits, struct store_number *number);
/* The number whose record this is, "+digits@zone": STATUS_NOTFOUND also where the number's own
 * record names another zone. */
int store_zone_number_get(struct store_reader *reader, const struct store_address *address,
                          struct store_number *number);
int store_number_list(struct store_reader *reader, const char *after, size_t max,
                      store_number_h *each, void *arg);
/* Those that lead to addresses of one domain, or to its guests: what it serves of foreign ones. */
int store_domain_number_list(struct store_reader *reader, const char *domain, const char *after,
                             size_t max, store_number_h *each, void *arg);

/* What leads to an address: each alias as "user@domain", each number as "+digits", in no order. */
typedef bool store_link_h(const char *text, void *arg);
int store_link_list(struct store_reader *reader, const struct store_address *address, size_t max,
                    store_link_h *each, void *arg);

/* Another operator's edge, by the SIP domain it proves. */
struct store_peer {
    char domain[STORE_DOMAIN_MAX + 1];
    bool blocked;
    bool trusts_identity;    /* P-Asserted-Identity is kept towards it (RFC 3325) */
    uint32_t requests_per_s; /* budgets; 0: the default */
    uint32_t calls_max;      /* INVITE transactions at once */
    uint8_t pins[STORE_PINS_MAX]
                [STORE_HASH_LEN];      /* SHA-256 of a SubjectPublicKeyInfo; one must match */
    unsigned pin_count;                /* 0: not pinned */
    char tariff[STORE_TARIFF_MAX + 1]; /* for billing, passed through; printable UTF-8 */
    uint64_t version, created_ms;
};
typedef bool store_peer_h(const struct store_peer *peer, void *arg);
int store_peer_get(struct store_reader *reader, const char *domain, struct store_peer *peer);
int store_peer_list(struct store_reader *reader, const char *after, size_t max, store_peer_h *each,
                    void *arg);

/* A bearer token of the API. Its text is made, and shown once, by the API; here is its hash only.
 */
enum store_scope {
    STORE_SCOPE_ADMIN,    /* everything */
    STORE_SCOPE_OPERATOR, /* its domains, their addresses and numbers */
    STORE_SCOPE_USER      /* the addresses of `owner` */
};
struct store_token {
    char id[STORE_TOKEN_ID_LEN + 1]; /* public part: lower-case letters and digits */
    uint8_t hash[STORE_HASH_LEN];    /* SHA-256 of the whole token text */
    enum store_scope scope;
    char owner[STORE_OWNER_MAX + 1]; /* USER: whose addresses; else "" */
    char domains[STORE_TOKEN_DOMAINS_MAX]
                [STORE_DOMAIN_MAX + 1]; /* OPERATOR: at least one, need not exist yet */
    unsigned domain_count;
    char note[STORE_TARIFF_MAX + 1]; /* what it is for */
    uint64_t version, created_ms;
    uint64_t until_ms; /* good until then; 0: until revoked. Dropped by the timer later */
};
typedef bool store_token_h(const struct store_token *token, void *arg);
int store_token_get(struct store_reader *reader, const char *id, struct store_token *token);
int store_token_list(struct store_reader *reader, const char *after, size_t max,
                     store_token_h *each, void *arg);

/* What was changed. */
enum store_kind {
    STORE_KIND_DOMAIN,
    STORE_KIND_ADDRESS,
    STORE_KIND_NUMBER,
    STORE_KIND_PEER,
    STORE_KIND_TOKEN,
    STORE_KIND_KEY,   /* a dialog token key: never told */
    STORE_KIND_STORE, /* the store itself: a bulk load, a trim of the journal */
    STORE_KIND_PORT,
    STORE_KIND_GUARD, /* what protects an address from being ported */
    STORE_KIND_COUNT
};

/* One record of any kind; `kind` of the entry says which. Secrets and their hashes are zero. */
union store_any {
    struct store_domain domain;
    struct store_record address;
    struct store_number number;
    struct store_peer peer;
    struct store_token token;
    struct store_port port;
    struct store_guard guard;
};

struct store_journal_entry {
    uint64_t sequence; /* they have no gaps */
    uint64_t time_ms;  /* store time */
    char actor[STORE_ACTOR_MAX + 1];
    const char *what; /* name of the operation, such as "address_add" */
    enum store_kind kind;
    const char
        *key; /* domain, address, number, token id ...; STORE_KIND_STORE: what happened, in words */
    bool
        erased; /* the address was released and its quarantine is over: before and after are gone */
    const union store_any *before, *after; /* NULL: there was none, or there is none any more */
};                                         /* pointers are valid during the callback */
typedef bool store_journal_h(const struct store_journal_entry *entry, void *arg);
/* From `from_sequence` on (0: the oldest there is). STATUS_TRIMMED where from_sequence was there
 * and is gone. */
int store_journal_read(struct store_reader *reader, uint64_t from_sequence, size_t max,
                       store_journal_h *each, void *arg);
/* Called from the writer's thread after each commit that added to the journal, with the last
 * sequence; must not block and must not call the store. One per store; set it before anything is
 * submitted, NULL to end it (waits for a call under way). */
typedef void store_watch_h(uint64_t sequence, void *arg);
void store_journal_watch(struct store *store, store_watch_h *watch, void *arg);

/* Readers of the journal that hold its trimming back: each names what it has read. */
struct store_cursor {
    char name[STORE_CURSOR_NAME_MAX + 1]; /* letters, digits and - _ . */
    uint64_t sequence;                    /* the last entry it has dealt with */
    bool lost; /* entries it had not read were trimmed: its reader must start anew from the records
                */
};
typedef bool store_cursor_h(const struct store_cursor *cursor, void *arg);
int store_cursor_get(struct store_reader *reader, const char *name, struct store_cursor *cursor);
int store_cursor_list(struct store_reader *reader, store_cursor_h *each, void *arg);

/* Keys of dialog tokens (design section 4). The current key is the one with the highest id. */
struct store_key {
    uint32_t id;
    uint8_t secret[STORE_KEY_LEN];
    uint64_t created_ms;
    uint64_t retired_ms; /* when its successor came; 0 for the current one */
};
int store_key_current(struct store_reader *reader, struct store_key *key);
int store_key_get(struct store_reader *reader, uint32_t id, struct store_key *key);

/* What passed between this node and a peer. Local statistics: not in the log, not in the journal.
 */
struct store_usage {
    char node[STORE_OWNER_MAX + 1];
    char peer[STORE_DOMAIN_MAX + 1];
    uint64_t period; /* start, Unix time in s */
    uint64_t attempts, answers, seconds, bytes;
};
typedef bool store_usage_h(const struct store_usage *usage, void *arg);
/* In order of period, node, peer, from `period` on. */
int store_usage_list(struct store_reader *reader, uint64_t period, size_t max, store_usage_h *each,
                     void *arg);

/* The journal's last sequence: whether anything changed since it was asked before, at the cost of
 * one lookup. */
int store_sequence_get(struct store_reader *reader, uint64_t *sequence);
/* A number that is another one after each change of a domain's record, and the same after any other
 * change, such as of an address. Of this store's file only: 0 in one that no domain was changed in
 * since it was made or loaded. At the cost of one lookup. */
int store_domains_version_get(struct store_reader *reader, uint64_t *version);

struct store_stats {
    uint64_t domains, addresses; /* addresses: tombstones too */
    uint64_t numbers, peers, tokens, verdicts;
    uint64_t first_sequence,
        last_sequence;            /* of the journal; first_sequence > last_sequence: it is empty */
    uint64_t journal_bytes;       /* in whole pages */
    uint64_t journal_size;        /* bytes, past which it is trimmed */
    uint64_t log_first, log_last; /* indexes of commands in the log */
    uint64_t cursors_lost;
    uint64_t store_time_ms;
    uint64_t map_used, map_size; /* bytes */
    unsigned readers;            /* slots in use at the busiest time, over all processes */
    uint64_t oldest_reader; /* how many commits ago the oldest snapshot in use was taken; 0: none
                               older */
};
/* For people and monitoring: walks the list of free pages and that of readers. */
int store_stats_get(struct store_reader *reader, struct store_stats *stats);

/* ---- writing ---- */

/* The numbers stand in logs and journals: they never change. */
enum store_op {
    STORE_DOMAIN_ADD =
        1,            /* `domain` without version and created_ms; likewise for every record below.
                     STATUS_INUSE while the directory has addresses of the then foreign domain */
    STORE_DOMAIN_PUT, /* replaces an existing one; it keeps its addresses, and stands where it stood
                         in a move */
    STORE_DOMAIN_DEL, /* `domain.name`; STATUS_INUSE while it has addresses (tombstones too), or
                         serves ported-in ones */

    /* `record`. Who serves it must be a claim that we can make (see the states), else
     * STATUS_MALFORMED; STATUS_NOTFOUND where the domain that must be ours is not. TOMBSTONE can
     * be added to an ARRIVING domain alone. STATUS_QUARANTINED: released, and not by this owner. An
     * alias whose target is of our domain needs that target (STATUS_NOTFOUND); STATUS_LOOP where
     * the target leads back, or the chain would have more than STORE_ALIAS_HOPS aliases, those
     * before it too. With `claim`: the owner takes it for himself, STATUS_DENIED where the domain
     * allows none or the user part is reserved, STATUS_LIMIT where he has as many there as it
     * allows (his tombstones count, but for the one that he takes back). */
    STORE_ADDRESS_ADD,
    STORE_ADDRESS_PUT, /* `record`, all of it but created_ms and the auth code. STATUS_LOCKED: it is
                          locked, and this would change more than `locked`. STATUS_NOTFOUND for a
                          tombstone */
    STORE_ADDRESS_RELEASE, /* `record.address`: our own becomes a tombstone for the domain's
                              quarantine, any other is gone. STATUS_LOCKED; STATUS_INUSE while an
                              alias or a number leads to it */
    STORE_ADDRESS_PURGE,   /* `record.address`: ends a tombstone now and erases its journal values.
                              Of PORTED_IN: as RELEASE, and no lock keeps it, for that is its
                              authority's to undo, which may be gone. Else STATUS_NOTFOUND */
    STORE_ADDRESS_AUTH,    /* `record.address`, `record.auth_hash`, `record.auth_until_ms` (0:
                              withdraws the code); good for any gaining domain */
    STORE_ADDRESS_IMPORT,  /* `batch`: adds up to STORE_IMPORT_MAX, all or (keep_going) those that
                              can be. Each has a journal entry of its own */
    STORE_ADDRESS_UNDO,    /* `batch`: takes an import back: those of the addresses whose version is
                              still record.version become what they were, mostly nothing, and
                              without tombstone. STATUS_CONFLICT: changed since, not imported, or
                              the import is no longer in the journal; STATUS_INUSE */

    STORE_NUMBER_ADD, /* `number`; STATUS_NOTFOUND where its address is not in the directory. With
                         `claim`, and a zone: where the directory has no address "+digits@zone" yet,
                         it gets one, served by whoever serves the number's address */
    STORE_NUMBER_PUT, /* the same */
    STORE_NUMBER_DEL, /* `number.digits` */
    STORE_PEER_ADD,
    STORE_PEER_PUT,
    STORE_PEER_DEL,
    STORE_TOKEN_ADD,
    STORE_TOKEN_DEL, /* `token.id` */
    STORE_KEY_ADD,   /* `key.secret`; becomes the current key and retires the one before */

    /* Proposed by the writer's own timer; also by tests. */
    STORE_EXPIRE, /* what is due at the command's time: tombstones, moved addresses, tokens; at most
                     1,000 records */
    STORE_JOURNAL_TRIM, /* entries before `sequence`, at most 1,000 */

    /* Local: not in the log. */
    STORE_CURSOR_PUT, /* `cursor`, which is then not lost; STATUS_TRIMMED where what follows its
                         sequence is gone */
    STORE_CURSOR_DEL,
    STORE_USAGE_ADD, /* `usage`: added to what is there */

    STORE_BULK_LOAD, /* no command: what the journal calls a bulk load */

    /* Ports: `order` (store/porting.h). */
    STORE_PORT_OPEN,   /* at the authority: the gaining host asks. Idempotent: what is known already
                          is 0 with nothing changed, STATUS_MISMATCH where it was for another address
                          or gaining domain. Else STATUS_NOTFOUND (no address that can be ported),
                          STATUS_PROOF, STATUS_EXISTS (the gaining domain hosts it), STATUS_PORTING
                          (another one is under way), STATUS_LOCKED, STATUS_FROZEN, STATUS_STATE
                          (UNDO: there is nothing to undo) */
    STORE_PORT_STEP,   /* at the authority, and a cancelling at the gaining host. STATUS_STATE where
                          no row of the table allows it */
    STORE_PORT_START,  /* at the gaining host: it will ask. STATUS_NOTFOUND where the gaining domain
                          is not ours, STATUS_EXISTS where it hosts the address already,
                          STATUS_PORTING */
    STORE_PORT_TELL,   /* at the gaining or losing host: what the authority says. What is older than
                          what is known is 0 with nothing changed */
    STORE_PORT_PAID,   /* somebody was told: these are owed no more */
    STORE_GUARD_PUT,   /* `guard`, whole; makes it where there is none. STATUS_NOTFOUND where we are
                          not the authority of such an address */
    STORE_GUARD_CODE,  /* `guard.address`, `guard.code_for`, `guard.code_hash`,
                          `guard.code_until_ms`: as STORE_ADDRESS_AUTH, good for one gaining domain
                          only ("": for any) */
    STORE_DOMAIN_MOVE, /* `domain.name`, `domain.move` and `domain.move_to`: from NONE to LEAVING
                          (STATUS_PORTING while a port of its addresses, or of one that it hosts, is
                          under way) or, where it has no addresses, ARRIVING; from LEAVING to GONE;
                          from each back to what was before. STATUS_STATE for any other step; 0 with
                          nothing changed where it stands there already */
    STORE_DOMAIN_CLEAR, /* `domain.name`: takes up to STORE_CLEAR_MAX of its addresses and of those
                           that it hosts away, without tombstones; when there are none any more, the
                           domain. STATUS_STATE unless it is GONE or ARRIVING; STATUS_INUSE where a
                           number leads to one of them */
    STORE_OP_COUNT
};

#define STORE_CLEAR_MAX 1000

#define STORE_ANY_VERSION UINT64_MAX

struct store_batch {
    const struct store_record *records;
    size_t count;
    bool keep_going;
    int *statuses; /* what became of each: 0 or why it was refused; NULL: nobody asks. Not told
                      again to a command that is repeated */
};

struct store_usage_batch {
    const struct store_usage *usages;
    size_t count; /* at most STORE_IMPORT_MAX */
};

/* A command carries everything its outcome depends on; applying it reads no clock and draws no
 * random number. */
struct store_command {
    uint8_t id[32]; /* SHA-256 over actor, method, path and Idempotency-Key; a second command with
                       the same id gets the first one's verdict, for 24 h. All zero: no verdict is
                       kept. STATUS_FULL is never kept: it may be tried again; nor is the verdict of
                       what is local, or of what cannot be told in bytes (a string without end, a
                       number out of bounds: STATUS_MALFORMED) */
    uint8_t body_hash[32]; /* SHA-256 of the request's body: the same id with another is
                              STATUS_MISMATCH */
    enum store_op op;
    uint64_t
        expected_version; /* of the record (PUT, DEL, RELEASE, PURGE, AUTH), or STORE_ANY_VERSION */
    char actor[STORE_ACTOR_MAX + 1];
    uint64_t time_ms; /* Unix time at the node that made the command */
    bool claim;       /* STORE_ADDRESS_ADD, STORE_NUMBER_ADD and _PUT */
    bool dry_run;     /* judged, and nothing is kept: neither change nor log nor verdict */
    union {
        struct store_domain domain;
        struct store_record record;
        struct store_number number;
        struct store_peer peer;
        struct store_token token;
        struct store_key key;
        struct store_cursor cursor;
        struct store_batch batch;
        struct store_usage_batch usage;
        struct store_port_order order;
        struct store_guard guard;
        uint64_t sequence;
    };
};

struct store_verdict {
    int status; /* 0, STATUS_EXISTS, STATUS_NOTFOUND, STATUS_CONFLICT, STATUS_INUSE, STATUS_FULL,
                   STATUS_MALFORMED (a record that is not canonical or complete),
                   STATUS_QUARANTINED, STATUS_LOCKED, STATUS_LOOP, STATUS_DENIED, STATUS_LIMIT,
                   STATUS_TRIMMED, STATUS_MISMATCH, STATUS_PORTING, STATUS_FROZEN, STATUS_PROOF,
                   STATUS_STATE */
    uint64_t sequence; /* journal sequence of the change: the record's version; of a batch, its last
                          one; 0 when refused or nothing changed */
    uint32_t count;    /* records changed */
    bool repeated;     /* the command was known: this is its first verdict */
};

/* Applies a command; returns when it is on disk (or refused). Blocks: never call it from a worker's
 * loop. Any thread. Returns 0 with *verdict set, or why it could not even be judged (-EROFS in
 * mode STORE_READER, -EAGAIN too many waiting, STATUS_CLOCK: its time is over STORE_CLOCK_AHEAD_MS
 * ahead of the node's clock, -ENOSPC, STATUS_CORRUPT: nothing was changed; -EIO: the disk failed
 * and the outcome is unknown, submit the same id again). Store time, which stamps the change, is
 * the highest time_ms of all commands so far: it never goes back. */
#define STORE_CLOCK_AHEAD_MS 5000
int store_submit(struct store *store, const struct store_command *command,
                 struct store_verdict *verdict);

/* The first verdict of the command with this id, as a repeated one would get it: STATUS_MISMATCH
 * where the body was another. Of `command` only id and body_hash are looked at. Returns 0 or
 * STATUS_NOTFOUND: it would be judged now. */
int store_verdict_find(struct store_reader *reader, const struct store_command *command,
                       struct store_verdict *verdict);

/* The same as store_submit without waiting: for whoever serves many from few threads. */
struct store_submission {
    const struct store_command *command; /* both stay where they are until `done` is called */
    /* Called once from the writer's thread, when the command is on disk or refused; must not block
     * and must not wait for the store. `ret` and `verdict` as store_submit. */
    void (*done)(struct store_submission *submission);
    void *arg;
    int ret;
    struct store_verdict verdict;
    struct list link; /* the store's */
};
/* Returns 0 (`done` will be called), -EROFS or -EAGAIN (it will not). Does not block. */
int store_submit_start(struct store *store, struct store_submission *submission);

/* ---- files ---- */

/* A compact copy of the whole store as of now, written to `file` (absolute, must not exist) while
 * everything goes on. Complete and on disk when it returns, or not there. Blocks; any thread; takes
 * a reader slot. Returns 0, -EEXIST, STATUS_LIMIT, -ENOSPC or another -errno. */
int store_backup(struct store *store, const char *file, struct store_fault *fault);

/* Puts a backup in the place of the store at conf->path, which no process may have open. The file
 * is checked first (schema, tables, every record readable). A store that has records is only
 * replaced with `replace`, and is kept beside as data.mdb.before-restore. Returns 0, -EBUSY,
 * -EEXIST (there are records), STATUS_SCHEMA, STATUS_CORRUPT or another -errno. */
int store_restore(const char *file, const struct store_conf *conf, bool replace,
                  struct store_fault *fault);

/* Bulk load into a store that has no addresses and that no process has open: a new file is built
 * without syncs, then synced and renamed over the old one. Nothing is changed before
 * store_bulk_commit returns 0. Sorted input (by domain, then user) is fastest; any order works. One
 * thread. */
struct store_bulk;
/* Returns 0, -EBUSY (open elsewhere), -EEXIST (it has addresses), STATUS_SCHEMA or as store_open.
 * `actor` and `time_ms` stand in the one journal entry that is written. */
int store_bulk_begin(const struct store_conf *conf, const char *actor, uint64_t time_ms,
                     struct store_bulk **bulk, struct store_fault *fault);
/* A domain that is not there yet. Returns 0, STATUS_EXISTS, STATUS_MALFORMED or what makes going on
 * senseless (-ENOMEM, -ENOSPC, STATUS_FULL). */
int store_bulk_domain(struct store_bulk *bulk, const struct store_domain *domain);
/* An address; as STORE_ADDRESS_ADD, but the targets of aliases may come later (checked by
 * store_bulk_commit). */
int store_bulk_address(struct store_bulk *bulk, const struct store_record *record);
/* Returns 0 with everything on disk, or why nothing was changed: STATUS_LOOP or STATUS_NOTFOUND (an
 * alias; *fault names it), -ENOSPC ... Frees `bulk`, on failure too. */
int store_bulk_commit(struct store_bulk *bulk, struct store_fault *fault);
/* Nothing happened. Accepts NULL. */
void store_bulk_abort(struct store_bulk *bulk);

#endif
