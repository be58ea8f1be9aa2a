/* What the files of store/ share: the environment, its tables, and the steps of a write.
 *
 * LMDB's types and codes stay behind store_txn and store_get, _put, _del, _scan: the record files
 * see slices and status codes. A value that store_get or store_scan gives points into the map and
 * dies with the next write or the end of the transaction. */
#ifndef JUNCTOR_STORE_INTERNAL_H
#define JUNCTOR_STORE_INTERNAL_H

#include "base/buf.h"
#include "base/slice.h"
#include "store/pack.h"
#include "store/store.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_SCHEMA_VERSION  4
#define STORE_MAP_SIZE        ((size_t)1 << 30) /* default limit of the file */
#define STORE_READERS         126               /* default number of reader slots */
#define STORE_QUEUE_MAX       1024              /* commands that wait for the writer */
#define STORE_BATCH_MAX       256               /* commands in one commit */
#define STORE_READER_CHECK_MS 60000             /* how often slots of dead processes are freed */
#define STORE_TIMER_MS        1000              /* how often the timer looks for what is due */
#define STORE_EXPIRE_MAX      1000 /* records, or journal entries, one command of the timer drops */
#define STORE_KEY_AGE_MS      ((uint64_t)24 * 3600 * 1000) /* a dialog token key is renewed */
#define STORE_JOURNAL_AGE_MS  ((uint64_t)365 * 24 * 3600 * 1000)
#define STORE_JOURNAL_SIZE    ((uint64_t)256 << 20)
#define STORE_JOURNAL_SHARE   4    /* of the map, one part is the journal's at most */
#define STORE_ALIASES_MAX     1000 /* that may lead to an address that becomes one itself */
#define STORE_LOG_KEEP        10000
#define STORE_LOG_AGE_MS      ((uint64_t)24 * 3600 * 1000)
#define STORE_LOG_SHARE       16   /* of the map, one part is the log's at most */
#define STORE_LOG_TRIM_MAX    1000 /* log entries dropped in one transaction */
#define STORE_USAGE_KEEP_S                                                                         \
    ((uint64_t)400 * 24 * 3600) /* statistics of a year, and of its month before */
#define STORE_VERDICT_KEEP_MS ((uint64_t)24 * 3600 * 1000)
/* A request that never came: as long as it may yet come, and any peer may fill the store with it.
 */
#define STORE_PORT_UNKNOWN_MS ((uint64_t)24 * 3600 * 1000)
#define STORE_PORT_KEEP_MS    ((uint64_t)90 * 24 * 3600 * 1000) /* a port that is over */
#define STORE_PORT_TOLD_MAX   64 /* ports of one address that a host has heard of, in each role */

/* Pages that one command may need at worst: copies of a path in each of the tables, with splits. */
#define STORE_COMMAND_PAGES 64
/* And per record of a batch: its leaves in the tables of addresses, of owners and of guests, its
 * journal entry. */
#define STORE_RECORD_PAGES 4
/* Pages that only deletions may use, so that a full store can still be emptied. */
#define STORE_HAND_PAGES 128

/* key -> value; see the file that owns each. Those marked "local" are this node's own: the commands
 * of the log do not change them. */
enum store_table {
    TABLE_META,      /* name -> schema version, position, version of the domains; local */
    TABLE_DOMAINS,   /* domain -> record */
    TABLE_ADDRESSES, /* domain NUL user -> record */
    TABLE_OWNERS,    /* owner NUL domain NUL user -> nothing; addresses that have an owner */
    TABLE_LINKS,  /* hash of an address, hash of an alias or number -> its text: what leads to the
                     address */
    TABLE_GUESTS, /* hash of a hosting domain, domain NUL user -> the hosting domain: the addresses
                     of foreign domains that it serves or is to serve */
    TABLE_DOMAIN_NUMBERS, /* domain NUL digits -> nothing: the numbers of a domain's addresses, and
                             of its guests */
    TABLE_NUMBERS,        /* digits -> record */
    TABLE_PEERS,          /* domain -> record */
    TABLE_TOKENS,         /* id -> record */
    TABLE_DEADLINES,      /* time, kind, key -> nothing: what the timer drops */
    TABLE_JOURNAL,        /* sequence -> entry */
    TABLE_VERDICTS,       /* command id -> verdict */
    TABLE_VERDICT_AGES,   /* time, command id -> nothing; the verdicts in order of age */
    TABLE_TOKEN_KEYS,     /* key id -> key of dialog tokens */
    TABLE_LOG,            /* index -> command; local */
    TABLE_CURSORS,        /* name -> cursor; local */
    TABLE_USAGE,          /* period, node NUL peer -> sums; local */
    TABLE_PORTS,          /* role, id -> record */
    TABLE_PORT_ADDRESSES, /* domain NUL user NUL, role, id -> nothing: the ports of an address */
    TABLE_PORTS_OWED,     /* role, id -> nothing: ports of which somebody is to be told */
    TABLE_GUARDS,         /* domain NUL user -> record */
    TABLE_COUNT
};

struct store_writer;

struct store {
    MDB_env *env;
    MDB_dbi tables[TABLE_COUNT];
    enum store_mode mode;
    int lock_fd;                 /* holds the flock of the one writer; -1 in a reader */
    struct store_writer *writer; /* NULL in a reader */
    uint64_t journal_size;       /* past which its oldest entries go */
};

struct store_txn {
    MDB_txn *txn;
    const struct store *store;
};

/* Domains that a reader met lately, decoded. */
#define STORE_CACHE_SLOTS 16
struct store_domain_slot {
    size_t txn_id; /* of the snapshot that it is from; 0: empty */
    bool is_there;
    struct store_domain domain; /* its name also where it is not there */
};

struct store_reader {
    struct store_txn txn; /* parked (reset) while depth is 0 */
    unsigned depth;
    struct store_domain_slot domains[STORE_CACHE_SLOTS];
};

/* ---- tables.c ---- */

/* The status code of what LMDB returned. */
int store_status_of(int rc);

/* A transaction of its own; `flags` are LMDB's (MDB_RDONLY). */
int store_txn_begin(const struct store *store, unsigned flags, struct store_txn *txn);
/* One within a writing transaction: it can be aborted alone. */
int store_txn_nest(const struct store_txn *outer, struct store_txn *inner);
int store_txn_commit(struct store_txn *txn); /* ends it, on failure too */
void store_txn_abort(struct store_txn *txn);

/* 0, STATUS_NOTFOUND or a store status. */
int store_get(const struct store_txn *txn, enum store_table table, struct slice key,
              struct slice *value);
int store_put(const struct store_txn *txn, enum store_table table, struct slice key,
              struct slice value);
/* Behind all other keys. */
int store_append(const struct store_txn *txn, enum store_table table, struct slice key,
                 struct slice value);
int store_del(const struct store_txn *txn, enum store_table table, struct slice key);
/* The record with the highest key. */
int store_last(const struct store_txn *txn, enum store_table table, struct slice *key,
               struct slice *value);

/* Returns 0 to go on, a positive number to stop, a negative status to fail. Does not write. */
typedef int store_scan_h(struct slice key, struct slice value, void *arg);
/* Visits records in key order, from the first one at or after `from`. Returns 0 or a status. */
int store_scan(const struct store_txn *txn, enum store_table table, struct slice from,
               store_scan_h *each, void *arg);

/* Visits at most `max` entries whose key begins with `prefix` and comes after the key `after`
 * (empty: all of them). */
int store_list(const struct store_txn *txn, enum store_table table, struct slice prefix,
               struct slice after, size_t max, store_scan_h *each, void *arg);
/* Is there a key that begins with `prefix`? 0 or STATUS_NOTFOUND. */
int store_any_under(const struct store_txn *txn, enum store_table table, struct slice prefix);
int store_count(const struct store_txn *txn, enum store_table table, uint64_t *count);

/* Of the pages it fills. */
int store_table_bytes(const struct store_txn *txn, enum store_table table, uint64_t *bytes);

/* ---- schema.c ---- */

/* Opens the tables; a writer creates them in an empty environment, and brings an old schema up to
 * date where there is a `conf`. As store_open. */
int store_schema_open(struct store *store, const struct store_conf *conf,
                      struct store_fault *fault);
/* Opens the table of meta data only. Returns 0, STATUS_CORRUPT or STATUS_SCHEMA (too new). */
int store_schema_read(struct store *store, uint32_t *version, struct store_fault *fault);
/* `flags` are LMDB's. Returns 0, STATUS_NOTFOUND (one is missing) or a store status. */
int store_tables_open(struct store *store, MDB_txn *txn, unsigned flags);
/* Is this old schema that of today but for tables and its number? Then that is quickly mended. As
 * store_open. */
bool store_schema_can_grow(uint32_t version);
int store_schema_grow(struct store *store, uint32_t version, struct store_fault *fault);

/* ---- migrate.c ---- */

/* Brings a store of schema `from` up to date in one transaction, after a copy of the file was put
 * beside it. As store_open; STATUS_FULL where the map has no room for it. */
int store_migrate(struct store *store, const struct store_conf *conf, uint32_t from,
                  struct store_fault *fault);
/* Can every record of that old schema be read? 0, STATUS_SCHEMA or STATUS_CORRUPT. */
int store_migrate_check(struct store *store, uint32_t from, struct store_fault *fault);

/* ---- env.c ---- */

/* The lock of the one writer, in a folder that is created if there is none: it holds as long as the
 * descriptor. Returns 0, -EBUSY or another -errno. */
int store_lock_take(const char *path, int *lock_fd, struct store_fault *fault);
/* In whole pages. */
size_t store_map_size(const struct store_conf *conf);
/* What is configured, as far as the map has room for it. */
uint64_t store_journal_size(const struct store_conf *conf);
/* LMDB believes the meta page; past the end of a shorter file the map would be a trap. A few pages
 * may be missing there that are free: LMDB does not write what a transaction took and gave back.
 * Returns 0, STATUS_CORRUPT or -errno. */
int store_env_check_size(MDB_env *env);

/* ---- copy.c ---- */

/* A compact copy of a snapshot, to an empty file. Returns 0 or a store status. */
int store_copy_write(MDB_env *env, int fd);
/* Opens a data file by its name, without locks: for files that nobody else writes. `flags` are
 * LMDB's; map_size 0: the file's own. The tables are not open yet. Returns 0, STATUS_CORRUPT or
 * -errno. */
int store_copy_open(struct store *store, const char *file, unsigned flags, size_t map_size,
                    struct store_fault *fault);
/* Accepts one that is not open. */
void store_copy_close(struct store *store);

/* ---- verify.c ---- */

/* Is the data file a whole store of a schema that this program knows, every record of it readable?
 * One that lacks nothing but tables of today gets them, in the file. Returns 0, STATUS_CORRUPT,
 * STATUS_SCHEMA or -errno. */
int store_verify(const char *file, struct store_fault *fault);

/* ---- room.c ---- */

/* Pages that may still be filled: those that the file may grow by, and the free ones in it. */
struct store_room {
    size_t pages;
    bool is_disk; /* it is the disk that bounds the file, and not the map */
};
int store_room_get(const struct store *store, struct store_room *room);
/* Pages that earlier transactions gave back. `txn` is a reader's. */
int store_free_pages(MDB_txn *txn, size_t *pages);

/* ---- meta.c ---- */

/* Where the history stands. All zero in an empty store. */
struct store_position {
    uint64_t index;    /* of the last command of the log that was applied */
    uint64_t sequence; /* of the last journal entry */
    uint64_t time_ms;  /* store time: the highest command time so far */
};
int store_position_get(const struct store_txn *txn, struct store_position *position);
int store_position_put(const struct store_txn *txn, const struct store_position *position);
/* STATUS_NOTFOUND in an empty environment. */
int store_schema_get(const struct store_txn *txn, uint32_t *version);
int store_schema_put(const struct store_txn *txn, uint32_t version);
/* What store_domains_version_get answers, and how each command that writes or removes a domain's
 * record makes it another. */
int store_domains_version_read(const struct store_txn *txn, uint64_t *version);
int store_domains_version_raise(const struct store_txn *txn);

/* ---- records: one file per kind ----
 *
 * `read` gives 0 or STATUS_NOTFOUND; `write` replaces; `remove` gives STATUS_NOTFOUND where there
 * is none. These three touch the kind's own table only: the indexes are apply's business. `check`
 * gives STATUS_MALFORMED unless every member is canonical, complete and in bounds; times and
 * versions are not looked at. `pack` and `unpack` are the record's value without its key, for the
 * table, the journal and the log alike; without `secrets` a hash is left out, and is zero when read
 * again. */

int store_domain_read(const struct store_txn *txn, const char *name, struct store_domain *domain);
int store_domain_write(const struct store_txn *txn, const struct store_domain *domain);
int store_domain_remove(const struct store_txn *txn, const char *name);
int store_domain_check(const struct store_domain *domain);
void store_domain_pack(struct store_pack *pack, const struct store_domain *domain);
void store_domain_unpack(struct store_unpack *unpack, struct store_domain *domain);
/* STATUS_MALFORMED unless it is a domain name in canonical form. */
int store_name_check(const char *name);
/* Copies only the next hops that there are. */
void store_domain_copy(struct store_domain *to, const struct store_domain *from);
/* 0 or STATUS_NOTFOUND. */
int store_domain_exists(const struct store_txn *txn, const char *name);

int store_record_read(const struct store_txn *txn, const struct store_address *address,
                      struct store_record *record);
int store_record_write(const struct store_txn *txn, const struct store_record *record);
int store_record_remove(const struct store_txn *txn, const struct store_address *address);
int store_record_check(const struct store_record *record);
/* All but the names of its two domains, which the caller knows to be canonical. */
int store_record_check_rest(const struct store_record *record);
/* Is the address in canonical form? 0 or STATUS_MALFORMED. */
int store_address_check(const struct store_address *address);
void store_record_pack(struct store_pack *pack, const struct store_record *record, bool secrets);
/* As it is when it is added: with these stamps, and without an auth code. */
void store_record_pack_new(struct store_pack *pack, const struct store_record *record,
                           uint64_t version, uint64_t created_ms);
void store_record_unpack(struct store_unpack *unpack, struct store_record *record);
/* What a route needs of a record. */
struct store_host {
    enum store_address_state state;
    bool blocked;
    char hosting[STORE_DOMAIN_MAX + 1];
    struct store_address target; /* of an ALIAS */
};
int store_record_host(const struct store_txn *txn, const struct store_address *address,
                      struct store_host *host);
/* Is there an address whose domain is `domain`? Returns 0 or STATUS_NOTFOUND. */
int store_record_any(const struct store_txn *txn, const char *domain);

int store_number_read(const struct store_txn *txn, const char *digits, struct store_number *number);
/* As store_zone_number_get. */
int store_zone_number_read(const struct store_txn *txn, const struct store_address *address,
                           struct store_number *number);
int store_number_write(const struct store_txn *txn, const struct store_number *number);
int store_number_remove(const struct store_txn *txn, const char *digits);
int store_number_check(const struct store_number *number);
void store_number_pack(struct store_pack *pack, const struct store_number *number);
void store_number_unpack(struct store_unpack *unpack, struct store_number *number);

int store_peer_read(const struct store_txn *txn, const char *domain, struct store_peer *peer);
int store_peer_write(const struct store_txn *txn, const struct store_peer *peer);
int store_peer_remove(const struct store_txn *txn, const char *domain);
int store_peer_check(const struct store_peer *peer);
void store_peer_pack(struct store_pack *pack, const struct store_peer *peer);
void store_peer_unpack(struct store_unpack *unpack, struct store_peer *peer);

int store_token_read(const struct store_txn *txn, const char *id, struct store_token *token);
int store_token_write(const struct store_txn *txn, const struct store_token *token);
int store_token_remove(const struct store_txn *txn, const char *id);
int store_token_check(const struct store_token *token);
void store_token_pack(struct store_pack *pack, const struct store_token *token, bool secrets);
void store_token_unpack(struct store_unpack *unpack, struct store_token *token);

int store_token_key_last(const struct store_txn *txn, struct store_key *key);
int store_token_key_write(const struct store_txn *txn, const struct store_key *key);

int store_port_read(const struct store_txn *txn, enum store_port_role role, const char *id,
                    struct store_port *port);
int store_port_write(const struct store_txn *txn, const struct store_port *port);
int store_port_remove(const struct store_txn *txn, enum store_port_role role, const char *id);
int store_port_check(const struct store_port *port);
void store_port_pack(struct store_pack *pack, const struct store_port *port, bool secrets);
void store_port_unpack(struct store_unpack *unpack, struct store_port *port);
/* Those of an address, as store_port_address_list. */
int store_port_scan_address(const struct store_txn *txn, const struct store_address *address,
                            size_t max, store_port_h *each, void *arg);
/* Is no later commit of its address known, of those that the authority keeps, or else of those that
 * hosts keep? 0 with the answer, or a store status. */
int store_port_is_last(const struct store_txn *txn, const struct store_port *port, bool *is_last);
/* Is there one that may still bring an address to this domain of ours, or back to it? 0 or
 * STATUS_NOTFOUND. Looks at all of them. */
int store_port_domain_any(const struct store_txn *txn, const char *domain);
/* As store_port_list. */
int store_port_scan(const struct store_txn *txn, const struct store_port *after, size_t max,
                    store_port_h *each, void *arg);
/* The one under way in this role. 0 or STATUS_NOTFOUND. */
int store_port_find_open(const struct store_txn *txn, enum store_port_role role,
                         const struct store_address *address, struct store_port *port);

int store_guard_read(const struct store_txn *txn, const struct store_address *address,
                     struct store_guard *guard);
int store_guard_write(const struct store_txn *txn, const struct store_guard *guard);
int store_guard_remove(const struct store_txn *txn, const struct store_address *address);
int store_guard_check(const struct store_guard *guard);
void store_guard_pack(struct store_pack *pack, const struct store_guard *guard);
void store_guard_unpack(struct store_unpack *unpack, struct store_guard *guard);

/* ---- cursors.c ---- */

int store_cursor_read(const struct store_txn *txn, const char *name, struct store_cursor *cursor);
int store_cursor_write(const struct store_txn *txn, const struct store_cursor *cursor);
int store_cursor_remove(const struct store_txn *txn, const char *name);
int store_cursor_check(const struct store_cursor *cursor);
/* The lowest sequence of those that are not lost; UINT64_MAX where there is none. */
int store_cursors_low(const struct store_txn *txn, uint64_t *sequence);
/* Marks lost whoever has not read an entry before `first`, the journal's new first. */
int store_cursors_lose(const struct store_txn *txn, uint64_t first);

int store_cursors_lost(const struct store_txn *txn, uint64_t *count);

/* ---- usage.c ---- */

int store_usage_check(const struct store_usage *usage);
/* Adds to what is there; sums stay at UINT64_MAX. */
int store_usage_write(const struct store_txn *txn, const struct store_usage *usage);
/* Drops at most `max` of the sums of periods before `period`. */
int store_usage_trim(const struct store_txn *txn, uint64_t period, size_t max);

/* ---- any.c: a record of any kind (but keys and the store itself, which have none) ---- */

/* With its key, for the journal and the log. */
void store_any_pack(struct store_pack *pack, enum store_kind kind, const void *record,
                    bool secrets);
void store_any_unpack(struct store_unpack *unpack, enum store_kind kind, union store_any *any);
int store_any_check(enum store_kind kind, const void *record);
/* `like` has the key. */
int store_any_read(const struct store_txn *txn, enum store_kind kind, const void *like,
                   union store_any *any);
/* Writes the record and its indexes; those of the record before must be gone. */
int store_any_put(const struct store_txn *txn, enum store_kind kind, const void *record);
int store_any_unindex(const struct store_txn *txn, enum store_kind kind, const void *record);
/* Writes `after` in the place of `before`, which has the same key, and its indexes where they are
 * others. */
int store_any_replace(const struct store_txn *txn, enum store_kind kind, const void *before,
                      const void *after);
/* Removes the record, as it is, and its indexes. */
int store_any_del(const struct store_txn *txn, enum store_kind kind, const void *record);
/* The key for people: a name, user@domain, +digits. */
#define STORE_JOURNAL_TEXT_MAX 400
void store_any_name(enum store_kind kind, const void *record,
                    char text[STORE_JOURNAL_TEXT_MAX + 1]);
size_t store_any_size(enum store_kind kind);
struct store_stamps {
    uint64_t *version, *created_ms;
};
uint64_t store_any_version(enum store_kind kind, const void *record);
struct store_stamps store_any_stamps(enum store_kind kind, union store_any *any);
/* Holds the largest packed record with its key. */
#define STORE_ANY_SIZE_MAX 6144

/* ---- indexes.c: kept with every change of an address or number ---- */

/* Kinds of records in the table of deadlines. */
#define STORE_DUE_ADDRESS 'a'
#define STORE_DUE_TOKEN   't'
#define STORE_DUE_PORT    'p'

/* Owner, link, guests and deadline of a record: all that `record` needs is put, or taken away. */
int store_record_index(const struct store_txn *txn, const struct store_record *record);
int store_record_unindex(const struct store_txn *txn, const struct store_record *record);
/* Do both need the same? Most changes leave the indexes alone, each of which would be a page more.
 */
bool store_record_index_same(const struct store_record *a, const struct store_record *b);
int store_token_index(const struct store_txn *txn, const struct store_token *token);
int store_token_unindex(const struct store_txn *txn, const struct store_token *token);
int store_port_index(const struct store_txn *txn, const struct store_port *port);
int store_port_unindex(const struct store_txn *txn, const struct store_port *port);
int store_number_index(const struct store_txn *txn, const struct store_number *number);
int store_number_unindex(const struct store_txn *txn, const struct store_number *number);
/* Does anything lead to the address? 0 or STATUS_NOTFOUND. */
/* As store_link_list. */
int store_link_scan(const struct store_txn *txn, const struct store_address *address, size_t max,
                    store_link_h *each, void *arg);
int store_links_any(const struct store_txn *txn, const struct store_address *address);
/* How many aliases the longest chain has that leads to the address, at most STORE_ALIAS_HOPS.
 * Returns 0, or STATUS_LIMIT where more than STORE_ALIASES_MAX lead there. */
int store_links_depth(const struct store_txn *txn, const struct store_address *address,
                      unsigned *depth);
/* How many addresses the owner has in the domain, at most `max`. */
int store_owner_count(const struct store_txn *txn, const char *owner, const char *domain,
                      unsigned max, unsigned *count);
/* Does `hosting` serve addresses of foreign domains? 0 or STATUS_NOTFOUND. */
int store_guests_any(const struct store_txn *txn, const char *hosting);
/* A row of the table of guests: 0 or STATUS_CORRUPT. */
int store_guest_check(struct slice key, struct slice value);

/* 0 with the first verdict of command `id`, or STATUS_NOTFOUND. */
/* Where the body was another, the verdict is STATUS_MISMATCH. */
int store_verdict_get(const struct store_txn *txn, const struct store_command *command,
                      struct store_verdict *verdict);
/* Keeps a verdict with the body's hash, and drops some that are past STORE_VERDICT_KEEP_MS at store
 * time `time_ms`. */
int store_verdict_put(const struct store_txn *txn, const struct store_command *command,
                      uint64_t time_ms, const struct store_verdict *verdict);

/* ---- command.c: commands as bytes, for the log ---- */

/* Is its argument `batch`, with records? */
bool store_op_takes_batch(enum store_op op);
/* STATUS_MALFORMED where bytes cannot say it: strings without end, counts and numbers out of
 * bounds, members that the state does not have. Everything else, malformed or not, is judged by
 * apply. */
int store_command_check(const struct store_command *command);
/* Appends a command that passes the check to `out`. Returns 0 or -ENOBUFS. */
int store_command_encode(const struct store_command *command, struct buf *out);
/* The records of a batch go to `records`, at least STORE_IMPORT_MAX of them. Returns 0 or
 * STATUS_CORRUPT. */
int store_command_decode(struct slice bytes, struct store_record *records,
                         struct store_command *command);
/* When it was made, without its arguments. */
int store_command_time(struct slice bytes, uint64_t *time_ms);
/* Not all zero? */
bool store_id_is_set(const uint8_t id[32]);
/* Is it applied here without a log? */
bool store_op_is_local(enum store_op op);

/* ---- log.c ---- */

/* The order of all commands. One process appends; replicas read from where they are; what all of
 * them have applied may be trimmed. */
struct store_log {
    const struct store_log_type *type;
    const struct store_txn *txn; /* embedded: entries become durable with what they do */
};
/* `bytes` is valid during the call. 0 goes on, above 0 stops, below 0 is a failure and stops. */
typedef int store_log_h(uint64_t index, struct slice bytes, void *arg);
struct store_log_type {
    /* Puts `count` commands behind the last one; *last becomes the index of the last of them. */
    int (*append)(struct store_log *log, const struct slice *commands, size_t count,
                  uint64_t *last);
    /* From index `from` on, at most `max`. STATUS_TRIMMED where `from` was there and is gone. */
    int (*read)(struct store_log *log, uint64_t from, size_t max, store_log_h *each, void *arg);
    /* Forgets what is before index `first`, at most `max` of it. */
    int (*trim)(struct store_log *log, uint64_t first, size_t max);
};
/* The indexes that the embedded log holds; first is last + 1 where it is empty. */
int store_log_ends(const struct store_txn *txn, uint64_t *first, uint64_t *last);
/* In the store's own transactions: the commit of a command's effects is its place in the order. */
extern const struct store_log_type store_log_embedded;

/* What of it may stay. */
struct store_log_bounds {
    uint64_t count;
    uint64_t bytes, age_ms; /* 0: unbounded */
};
/* The index before which commands are to be dropped, STORE_LOG_TRIM_MAX at a time; 0: none. */
int store_log_excess(const struct store_txn *txn, const struct store_log_bounds *bounds,
                     uint64_t now_ms, uint64_t *excess);

/* ---- journal.c ---- */

/* One entry to be written. */
struct store_change {
    uint64_t sequence, time_ms;
    const char *actor;
    enum store_op op;
    enum store_kind kind;
    uint64_t previous; /* sequence of the entry before about the same record, 0 if none: a record's
                          entries are a chain, found without an index */
    const char *text;  /* STORE_KIND_STORE: what happened; else NULL */
    const void *before, *after; /* records of that kind; NULL: none */
};
int store_journal_append(const struct store_txn *txn, const struct store_change *change);
/* Erases before and after of a record's entries, from `sequence` back along the chain, `max` of
 * them at most; *count grows by as many. Returns 0 when all are erased, -EAGAIN when there are
 * more: the same again goes on with those. */
int store_journal_erase(const struct store_txn *txn, uint64_t sequence, uint32_t max,
                        uint32_t *count);
/* The entry after the last of those older than `cutoff_ms`, looking at STORE_EXPIRE_MAX; 0: none
 * is. */
int store_journal_older(const struct store_txn *txn, uint64_t cutoff_ms, uint64_t *sequence);
/* One entry, as store_journal_read tells it. Returns 0 or STATUS_NOTFOUND: trimmed, or to come. */
int store_journal_get(const struct store_txn *txn, uint64_t sequence, store_journal_h *each,
                      void *arg);
/* The name of an operation in the journal, or NULL. */
const char *store_op_text(enum store_op op);
/* Drops entries before `sequence`, at most `max`. */
int store_journal_trim(const struct store_txn *txn, uint64_t sequence, size_t max, uint32_t *count);
/* The first entry's sequence; last + 1 where there is none. */
int store_journal_first(const struct store_txn *txn, uint64_t *sequence);

/* ---- apply.c ---- */

/* Applies a command: the one place where the directory changes. Deterministic: the outcome depends
 * on the command and the store alone. `index` is the command's in the log, 0 for a local one.
 * Returns 0 with *verdict set, or why it could not be applied; the transaction must then be
 * aborted. */
int store_apply(const struct store_txn *txn, uint64_t index, const struct store_command *command,
                struct store_verdict *verdict);

#endif
