/* What the directory must do, written down once more as simply as can be: arrays in memory, no
 * LMDB, no bytes. The tests apply every command to the store and to this, and compare.
 *
 * It follows store.h, which says what forbids a command but not which refusal is told first where
 * several rules forbid it: a command must fail exactly if any rule forbids it, with the status of
 * one of these. */
#ifndef JUNCTOR_TESTS_STORE_MODEL_H
#define JUNCTOR_TESTS_STORE_MODEL_H

#include "base/table.h"
#include "store/store.h"
#include "tests/store/shelf.h"

#define MODEL_KINDS        STORE_KIND_COUNT /* shelves of those without records stay empty */
#define MODEL_REFUSALS_MAX 8
#define MODEL_EXPIRE_MAX   1000 /* records and journal values that one command drops */
#define MODEL_NAME_MAX     400

/* A state of a record that the journal tells; shared by the entry that made it and the one that
 * ended it. */
struct model_state {
    struct model_state *next; /* of all, to free them */
    union store_any any;      /* no more of it than its kind needs is there */
};

struct model_entry {
    uint64_t sequence, time_ms, previous;
    char actor[STORE_ACTOR_MAX + 1];
    const char *what;
    enum store_kind kind;
    char key[MODEL_NAME_MAX + 1];
    bool erased;
    const struct model_state *before, *after;
};

/* What must become of a command. Where refusals is empty it is done. */
struct model_outcome {
    int refusals[MODEL_REFUSALS_MAX];
    unsigned refusal_count;
    uint64_t sequence;
    uint32_t count;
    bool repeated;
};

struct model_verdict {
    struct table_link link;
    struct model_verdict *next; /* the next younger one */
    uint8_t id[32], body_hash[32];
    uint64_t time_ms;
    struct model_outcome outcome;
};

struct model {
    struct shelf records[MODEL_KINDS]; /* by enum store_kind: domains, addresses ... */
    struct shelf keys, cursors, usages;
    struct model_entry *entries; /* sequences first .. sequence; the first entry is entries[0] */
    size_t room;
    uint64_t first;
    uint64_t index, sequence, time_ms; /* of the last command, entry; store time */
    struct table *verdicts;
    struct model_verdict *oldest, *youngest;
    struct model_state *states;
};

void model_init(struct model *model);
void model_done(struct model *model);

/* The next command: judges and does it. `outcomes`, where not NULL, gets one for each record of a
 * batch. */
void model_apply(struct model *model, const struct store_command *command,
                 struct model_outcome *outcome, struct model_outcome *outcomes);
/* What would become of it. Not for commands that drop or erase entries of the journal. */
void model_dry_run(struct model *model, const struct store_command *command,
                   struct model_outcome *outcome);
bool model_allows(const struct model_outcome *outcome, const struct store_verdict *verdict);
/* Of several refusals this one was told; it must be the same for ever. */
void model_settle(struct model *model, const struct store_command *command,
                  const struct store_verdict *verdict);

/* ---- within the model ---- */

/* model.c */
void model_refuse(struct model_outcome *outcome, int status);
void *model_find(const struct model *model, enum store_kind kind, const void *like);
struct store_record *model_address(const struct model *model, const struct store_address *address);
struct store_domain *model_domain(const struct model *model, const char *name);
/* A record comes, changes or goes; `after` gets its version. NULL: there is none. */
void model_write(struct model *model, const struct store_command *command, const char *what,
                 enum store_kind kind, const void *before, void *after,
                 struct model_outcome *outcome);
struct model_entry *model_entry(const struct model *model, uint64_t sequence); /* NULL: trimmed */
struct model_entry *model_entry_add(struct model *model, const struct store_command *command,
                                    const char *what, enum store_kind kind, const char *key,
                                    struct model_outcome *outcome);
uint64_t model_version(enum store_kind kind, const void *record);
uint64_t *model_created(enum store_kind kind, void *record);
bool model_id_is_set(const uint8_t id[32]);
struct model_verdict *model_verdict_find(const struct model *model, const uint8_t id[32]);
void model_verdict_keep(struct model *model, const struct store_command *command,
                        const struct model_outcome *outcome);

/* model_apply.c */
bool model_expects(const struct store_command *command, uint64_t version);
void model_name(enum store_kind kind, const void *record, char name[MODEL_NAME_MAX + 1]);

/* model_rules.c: is it canonical and complete? */
bool model_record_is_valid(enum store_kind kind, const void *record);
bool model_address_is_canonical(const struct store_address *address);
bool model_cursor_is_valid(const struct store_cursor *cursor);
bool model_usage_is_valid(const struct store_usage *usage);

/* model_addresses.c */
typedef void model_step(struct model *model, const struct store_command *command,
                        struct model_outcome *outcome);
model_step model_address_add, model_address_put, model_address_auth, model_address_release,
    model_address_purge;
/* Erases the journal values of a released address, at most *budget of them, and with the last of
 * them the tombstone. */
void model_tombstone_end(struct model *model, const struct store_command *command,
                         const struct store_address *address, const char *what, uint32_t *budget,
                         struct model_outcome *outcome);
void model_import(struct model *model, const struct store_command *command,
                  struct model_outcome *outcome, struct model_outcome *outcomes);
void model_undo(struct model *model, const struct store_command *command,
                struct model_outcome *outcome, struct model_outcome *outcomes);

/* model_due.c */
model_step model_expire;

/* model_ports.c: at the authority */
model_step model_guard_put, model_guard_code, model_port_open, model_port_step, model_port_paid;
struct store_port *model_port_find(const struct model *model, enum store_port_role role,
                                   const char *id);
bool model_port_is_valid(const struct store_port *port);
bool model_port_is_same(const struct store_port *a, const struct store_port *b);
void model_mail_owe(const struct model *model, struct store_port *port);
/* Its deadline, or a reminder, is due. */
void model_port_due(struct model *model, const struct store_command *command,
                    enum store_port_role role, const char *id, struct model_outcome *outcome);
/* May the address not go, or get another owner? */
bool model_port_stops_going(const struct model *model, const struct store_address *address);
/* The address goes, or gets another owner: what ends with it. */
void model_port_gone(struct model *model, const struct store_command *command,
                     const struct store_address *address, struct model_outcome *outcome);
void model_guard_drop(struct model *model, const struct store_command *command,
                      const struct store_address *address, struct model_outcome *outcome);
void model_code_bind(struct model *model, const struct store_command *command,
                     const struct store_address *address, const char *gaining,
                     struct model_outcome *outcome);

/* model_port_rules.c */
bool model_address_eq(const struct store_address *a, const struct store_address *b);
/* Is a port of the address under way, in this role or in any? */
bool model_port_open_in(const struct model *model, enum store_port_role role,
                        const struct store_address *address);
bool model_port_is_open(const struct model *model, const struct store_address *address);
/* The same, or must its entry stay? */
bool model_port_holds(const struct model *model, const struct store_address *address);
/* May a port bring an address to this domain, or back to it? */
bool model_port_awaited(const struct model *model, const char *domain);

/* model_port_hosts.c */
model_step model_port_start, model_port_tell;
void model_port_give_up(struct model *model, const struct store_command *command,
                        const struct store_port *before, enum store_port_reason reason,
                        struct model_outcome *outcome);
void model_port_let_go(struct model *model, const struct store_command *command,
                       const struct store_port *before, struct model_outcome *outcome);

#endif
