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

#include "base/arena.h"
#include "base/netaddr.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_DOMAIN_MAX  253 /* octets of a domain name in text (RFC 1035) */
#define STORE_USER_MAX    128 /* octets of a canonical user part */
#define STORE_CORES_MAX   8   /* next hops of one domain's core */
#define STORE_ACTOR_MAX   64
#define STORE_DISPLAY_MAX 400 /* what the owner typed */
#define STORE_KEY_LEN     32  /* octets of a dialog token key */

struct store;
struct store_reader;

/* ---- addresses in canonical form ---- */

struct store_address {
    char user[STORE_USER_MAX + 1];
    char domain[STORE_DOMAIN_MAX + 1];
};

/* What is wrong with a name a person typed: a whole sentence naming the character and the rule,
 * such as "the user part contains ' ' at position 4; allowed are letters, digits and -_.+~...". */
struct store_fault {
    char text[200];
};

/* "Daniel@Kamailio.example" (also with a leading "sip:" or "sips:") -> canonical. Refuses, with
 * *fault: no or two '@'; a user part that contains '@' after unescaping (design 3.2), is empty,
 * over STORE_USER_MAX octets or has a bad escape, NUL, control characters or characters that a SIP
 * user part cannot carry unescaped; a domain that is no host name (labels of letters, digits and
 * inner
 * '-', 1 to 63 octets, the last one beginning with a letter; IDNA 2008 by libidn2 outside ASCII) or
 * an IP literal. Escaped octets above 0x7F are kept. `fault` may be NULL. Returns 0 or
 * STATUS_MALFORMED, *address then untouched. */
int store_address_parse(struct slice text, struct store_address *address,
                        struct store_fault *fault);

/* The user part alone, as it stands in a SIP URI (escaped). Returns 0 or STATUS_MALFORMED; also for
 * the user part of a port redirect (bob%40opb.example), which is no address of its own.
 * Fast path of messages: no allocation. `fault` may be NULL. */
int store_user_canonical(struct slice user, char out[STORE_USER_MAX + 1],
                         struct store_fault *fault);
/* The domain alone; one final dot is dropped. ASCII names take a fast path without libidn2 and
 * without allocation. Same returns. */
int store_domain_canonical(struct slice domain, char out[STORE_DOMAIN_MAX + 1],
                           struct store_fault *fault);

/* ---- environment ---- */

enum store_mode {
    STORE_WRITER, /* this process writes: starts the writer thread */
    STORE_READER  /* reads only */
};

struct store_conf {
    const char *path;     /* directory; created (0700) in mode STORE_WRITER */
    size_t map_size;      /* bytes of address space, the limit of the file; 0: 1 GiB. The same in
                             every process that opens it */
    unsigned max_readers; /* reader slots; 0: 126. The first process to open it decides */
};

/* Opens the environment and checks the schema version. Call once per process, after fork.
 * `fault` (may be NULL) gets a sentence for the operator on failure. Returns 0, STATUS_SCHEMA,
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

/* A core's next hop as configured for a domain. */
struct store_core {
    char host[STORE_DOMAIN_MAX + 1]; /* IP literal without brackets, or host name */
    uint16_t port;                   /* 0: the transport's default */
    uint8_t transport;               /* number of enum sip_transport, passed through */
};

enum store_unknown_policy {
    STORE_UNKNOWN_REJECT, /* an address that is not in the directory: 404 */
    STORE_UNKNOWN_CORE    /* ask the core */
};

struct store_domain {
    char name[STORE_DOMAIN_MAX + 1];
    enum store_unknown_policy unknown;
    struct store_core cores[STORE_CORES_MAX]; /* in order of preference */
    unsigned core_count;                      /* at least 1 */
    uint64_t version;                         /* journal sequence of its last change */
};

enum store_address_state {
    STORE_ADDRESS_HOSTED,    /* served by this operator's core; the address's domain may be
                                foreign (ported in) */
    STORE_ADDRESS_PORTED_OUT /* an address of our domain that `hosting` serves */
};

struct store_record {
    struct store_address address;
    enum store_address_state state;
    char hosting[STORE_DOMAIN_MAX + 1];  /* the domain that serves it; own domain when HOSTED and
                                            not ported in */
    char display[STORE_DISPLAY_MAX + 1]; /* as the owner typed it */
    uint64_t version;
    uint64_t created_ms; /* Unix time */
};

/* Every function returns 0, STATUS_NOTFOUND, STATUS_CORRUPT or a store status. */
int store_domain_get(struct store_reader *reader, const char *name, struct store_domain *domain);
int store_address_get(struct store_reader *reader, const struct store_address *address,
                      struct store_record *record);

/* What routing asks, in one call: is the domain ours, is the address known, and who serves it?
 * The message path's lookup: two LMDB gets (a third for an address ported in), nothing allocated.
 * Members whose condition does not hold, and next hops past core_count, are left as they were. */
struct store_route {
    bool domain_is_ours;
    bool address_found;
    enum store_address_state state;     /* when address_found */
    char hosting[STORE_DOMAIN_MAX + 1]; /* when address_found */
    struct store_domain core; /* when domain_is_ours, or the hosting domain is ours: the domain
                                 whose core serves the address (policy, next hops) */
};
int store_route(struct store_reader *reader, const struct store_address *address,
                struct store_route *route);

/* Lists in order of the key, starting after `after` (NULL: from the start), at most `max`.
 * `each` returns false to stop early. */
typedef bool store_domain_h(const struct store_domain *domain, void *arg);
typedef bool store_record_h(const struct store_record *record, void *arg);
int store_domain_list(struct store_reader *reader, const char *after, size_t max,
                      store_domain_h *each, void *arg);
/* The addresses of one domain, or of all (domain NULL). */
int store_address_list(struct store_reader *reader, const char *domain,
                       const struct store_address *after, size_t max, store_record_h *each,
                       void *arg);

struct store_journal_entry {
    uint64_t sequence;
    uint64_t time_ms;
    char actor[STORE_ACTOR_MAX + 1];
    const char *what; /* name of the operation, such as "address_add" */
    const char *key;  /* domain or address it changed */
    const char
        *before; /* the old record as words name=value, "" if there was none; never secrets */
    const char *after;
}; /* pointers are valid during the callback */
typedef bool store_journal_h(const struct store_journal_entry *entry, void *arg);
int store_journal_read(struct store_reader *reader, uint64_t from_sequence, size_t max,
                       store_journal_h *each, void *arg);

/* Keys of dialog tokens (design section 4). The current key is the one with the highest id. */
struct store_key {
    uint32_t id;
    uint8_t secret[STORE_KEY_LEN];
    uint64_t created_ms;
    uint64_t retired_ms; /* when its successor came; 0 for the current one */
};
int store_key_current(struct store_reader *reader, struct store_key *key);
int store_key_get(struct store_reader *reader, uint32_t id, struct store_key *key);

struct store_stats {
    uint64_t domains, addresses, last_sequence;
    uint64_t map_used, map_size; /* bytes */
    unsigned readers;            /* slots in use at the busiest time, over all processes */
};
int store_stats_get(struct store_reader *reader, struct store_stats *stats);

/* ---- writing ---- */

enum store_op {
    STORE_DOMAIN_ADD, /* `domain` without version */
    STORE_DOMAIN_PUT, /* replaces an existing one; it keeps its addresses */
    STORE_DOMAIN_DEL, /* `domain.name`; refused with STATUS_INUSE while it has addresses, or serves
                         ported-in ones */
    /* `record` without version and created_ms. Either the address's domain is ours and it is HOSTED
     * there or PORTED_OUT to a foreign one (else STATUS_MALFORMED); or it is foreign and HOSTED at
     * a domain of ours. STATUS_NOTFOUND where the domain that must be ours is not. */
    STORE_ADDRESS_ADD,
    STORE_ADDRESS_DEL, /* `record.address` */
    STORE_KEY_ADD      /* `key.secret`; becomes the current key and retires the one before */
};

#define STORE_ANY_VERSION UINT64_MAX

/* A command carries everything its outcome depends on; applying it reads no clock and draws no
 * random number. */
struct store_command {
    uint8_t id[32]; /* SHA-256 over actor, method, path and Idempotency-Key; a second command with
                       the same id gets the first one's verdict, for 24 h. All zero: no verdict is
                       kept. STATUS_FULL is never kept: it may be tried again */
    enum store_op op;
    uint64_t expected_version; /* of the record (PUT, DEL), or STORE_ANY_VERSION */
    char actor[STORE_ACTOR_MAX + 1];
    uint64_t time_ms; /* Unix time at the node that made the command */
    union {
        struct store_domain domain;
        struct store_record record;
        struct store_key key;
    };
};

struct store_verdict {
    int status; /* 0, STATUS_EXISTS, STATUS_NOTFOUND, STATUS_CONFLICT, STATUS_INUSE, STATUS_FULL,
                   STATUS_MALFORMED (a record that is not canonical or has no core) */
    uint64_t sequence; /* journal sequence of the change: the record's version; 0 when refused */
};

/* Applies a command; returns when it is on disk (or refused). Blocks: never call it from a worker's
 * loop. Any thread. Returns 0 with *verdict set, or why it could not even be judged (-EROFS in
 * mode STORE_READER, -EAGAIN too many waiting, -ENOSPC, STATUS_CORRUPT: nothing was changed; -EIO:
 * the disk failed and the outcome is unknown, submit the same id again). Store time, which stamps
 * the change, is the highest time_ms of all commands so far: it never goes back. */
int store_submit(struct store *store, const struct store_command *command,
                 struct store_verdict *verdict);

#endif
