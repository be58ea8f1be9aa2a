/* What the files of store/ share: the environment, its tables, and the steps of a write.
 *
 * LMDB's types and codes stay behind store_txn and store_get, _put, _del, _scan: the record files
 * see slices and status codes. A value that store_get or store_scan gives points into the map and
 * dies with the next write or the end of the transaction. */
#ifndef JUNCTOR_STORE_INTERNAL_H
#define JUNCTOR_STORE_INTERNAL_H

#include "base/slice.h"
#include "store/store.h"
#include "store/text.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_SCHEMA_VERSION  1
#define STORE_MAP_SIZE        ((size_t)1 << 30) /* default limit of the file */
#define STORE_READERS         126               /* default number of reader slots */
#define STORE_QUEUE_MAX       1024              /* commands that wait for the writer */
#define STORE_BATCH_MAX       256               /* commands in one commit */
#define STORE_READER_CHECK_MS 60000             /* how often slots of dead processes are freed */
#define STORE_VERDICT_KEEP_MS ((uint64_t)24 * 3600 * 1000)

/* Pages that one command may need at worst: copies of a path in each of the tables, with splits. */
#define STORE_COMMAND_PAGES 64
/* Pages that only deletions may use, so that a full store can still be emptied. */
#define STORE_HAND_PAGES 128

/* key -> value; see the file that owns each */
enum store_table {
    TABLE_META,         /* name -> schema version, position */
    TABLE_DOMAINS,      /* domain -> record */
    TABLE_ADDRESSES,    /* domain NUL user -> record */
    TABLE_GUESTS,       /* hosting domain -> number of addresses ported in to it */
    TABLE_JOURNAL,      /* sequence -> entry */
    TABLE_VERDICTS,     /* command id -> verdict */
    TABLE_VERDICT_AGES, /* time, command id -> nothing; the verdicts in order of age */
    TABLE_TOKEN_KEYS,   /* key id -> key of dialog tokens */
    TABLE_COUNT
};

struct store_writer;

struct store {
    MDB_env *env;
    MDB_dbi tables[TABLE_COUNT];
    enum store_mode mode;
    int lock_fd;                 /* holds the flock of the one writer; -1 in a reader */
    struct store_writer *writer; /* NULL in a reader */
};

struct store_txn {
    MDB_txn *txn;
    const struct store *store;
};

struct store_reader {
    struct store_txn txn; /* parked (reset) while depth is 0 */
    unsigned depth;
};

/* ---- tables.c ---- */

/* The status code of what LMDB returned. */
int store_status_of(int rc);

/* 0, STATUS_NOTFOUND or a store status. */
int store_get(const struct store_txn *txn, enum store_table table, struct slice key,
              struct slice *value);
int store_put(const struct store_txn *txn, enum store_table table, struct slice key,
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

int store_count(const struct store_txn *txn, enum store_table table, uint64_t *count);

/* ---- schema.c ---- */

/* Opens the tables; a writer creates them in an empty environment. As store_open. */
int store_schema_open(struct store *store, struct store_fault *fault);

/* ---- room.c ---- */

/* Pages that may still be filled: those past the end of the file's use and the free ones. */
int store_room_pages(const struct store *store, size_t *pages);
/* Pages that earlier transactions gave back. `txn` is a reader's. */
int store_free_pages(MDB_txn *txn, size_t *pages);

/* ---- meta.c ---- */

/* Where the history stands. All zero in an empty store. */
struct store_position {
    uint64_t sequence; /* of the last journal entry */
    uint64_t time_ms;  /* store time: the highest command time so far */
};
int store_position_get(const struct store_txn *txn, struct store_position *position);
int store_position_put(const struct store_txn *txn, const struct store_position *position);
/* STATUS_NOTFOUND in an empty environment. */
int store_schema_get(const struct store_txn *txn, uint32_t *version);
int store_schema_put(const struct store_txn *txn, uint32_t version);

/* ---- records: read and write one; the texts are for the journal ---- */

int store_domain_read(const struct store_txn *txn, const char *name, struct store_domain *domain);
int store_domain_write(const struct store_txn *txn, const struct store_domain *domain);
int store_domain_remove(const struct store_txn *txn, const char *name);
/* STATUS_MALFORMED unless canonical, complete and in bounds. */
int store_domain_check(const struct store_domain *domain);
void store_domain_text(struct store_text *text, const struct store_domain *domain);
/* 0 or STATUS_NOTFOUND. */
int store_domain_exists(const struct store_txn *txn, const char *name);

int store_record_read(const struct store_txn *txn, const struct store_address *address,
                      struct store_record *record);
int store_record_write(const struct store_txn *txn, const struct store_record *record);
int store_record_remove(const struct store_txn *txn, const struct store_address *address);
int store_record_check(const struct store_record *record);
void store_record_text(struct store_text *text, const struct store_record *record);
/* What a route needs of a record. */
int store_record_host(const struct store_txn *txn, const struct store_address *address,
                      enum store_address_state *state, char hosting[STORE_DOMAIN_MAX + 1]);
/* Is there an address whose domain is `domain`? Returns 0 or STATUS_NOTFOUND. */
int store_record_any(const struct store_txn *txn, const char *domain);

/* Addresses of foreign domains that `hosting` serves. */
int store_guests_get(const struct store_txn *txn, const char *hosting, uint64_t *count);
int store_guests_put(const struct store_txn *txn, const char *hosting, uint64_t count);

int store_token_key_last(const struct store_txn *txn, struct store_key *key);
int store_token_key_write(const struct store_txn *txn, const struct store_key *key);

/* 0 with the first verdict of command `id`, or STATUS_NOTFOUND. */
int store_verdict_get(const struct store_txn *txn, const uint8_t id[32],
                      struct store_verdict *verdict);
/* Keeps a verdict, and drops some that are past STORE_VERDICT_KEEP_MS at store time `time_ms`. */
int store_verdict_put(const struct store_txn *txn, const uint8_t id[32], uint64_t time_ms,
                      const struct store_verdict *verdict);

/* ---- journal.c ---- */

/* What a command did. */
struct store_change {
    const struct store_command *command;
    struct store_position position; /* this entry's sequence and time */
    struct store_text key, before, after;
};
int store_journal_append(const struct store_txn *txn, const struct store_change *change);

/* ---- apply.c ---- */

/* Applies a command: the one place where the directory changes. Deterministic: the outcome depends
 * on the command and the store alone, but for `room_pages`, which may only refuse (STATUS_FULL,
 * nothing changed, no verdict kept). Returns 0 with *verdict set, or why it could not be applied;
 * the transaction must then be aborted. */
int store_apply(const struct store_txn *txn, const struct store_command *command, size_t room_pages,
                struct store_verdict *verdict);

/* ---- writer.c ---- */

int store_writer_start(struct store *store, struct store_writer **writer);
/* Applies what waits, then ends the thread. Accepts NULL; returns NULL. */
struct store_writer *store_writer_stop(struct store_writer *writer);

#endif
