/* Random commands over few names, so that collisions, conflicts and refusals are common: most are
 * well-formed, some are not, ids come again with the same body or with another. */
#ifndef JUNCTOR_TESTS_STORE_GENERATOR_H
#define JUNCTOR_TESTS_STORE_GENERATOR_H

#include "store/store.h"
#include "tests/store/dice.h"

#define GENERATOR_BATCH   24 /* records of an import, usages at once */
#define GENERATOR_HISTORY 16 /* commands that may come again */
#define GENERATOR_KNOWN   64 /* versions remembered */
#define GENERATOR_PORTS   16 /* that may be taken further, or back */
#define GENERATOR_RECORDS 32 /* addresses that may be changed a little */

/* A command with what it points to. It may be copied with generator_copy only. */
struct generator_slot {
    struct store_command command;
    struct store_record records[GENERATOR_BATCH];
    struct store_usage usages[GENERATOR_BATCH];
    int statuses[GENERATOR_BATCH];
};

struct generator_conf {
    const char *name; /* the actor is NAME-NUMBER, a new number for each command */
    bool local;       /* with what is not logged: cursors and statistics */
    bool dry_runs;
    bool upkeep; /* with what a timer proposes: to expire and to trim */
    bool ahead;  /* with times that are too far ahead */
};

struct generator {
    struct generator_conf conf;
    struct dice dice;
    unsigned long number;
    uint64_t now_ms, sequence; /* the clock, to be set; the last sequence told */
    struct generator_slot history[GENERATOR_HISTORY];
    unsigned history_count;
    struct {
        enum store_op op;
        char name[STORE_USER_MAX + STORE_DOMAIN_MAX + 2];
        uint64_t version;
    } known[GENERATOR_KNOWN];
    unsigned known_count;
    struct store_record records[GENERATOR_RECORDS]; /* as they were put last */
    unsigned record_count;
    struct store_port ports[GENERATOR_PORTS]; /* as they were asked for last */
    unsigned port_count;
    struct store_address guarded[GENERATOR_PORTS]; /* those that have codes and keys */
    unsigned guarded_count;
    struct store_address released[GENERATOR_RECORDS];
    unsigned released_count;
    struct store_batch undo; /* of the last import; its records are undo_records */
    struct store_record undo_records[GENERATOR_BATCH];
};

void generator_init(struct generator *generator, const struct generator_conf *conf, uint64_t seed);
void generator_next(struct generator *generator, struct generator_slot *slot);
/* What became of it: later commands expect these versions. */
void generator_learn(struct generator *generator, const struct generator_slot *slot,
                     const struct store_verdict *verdict);
void generator_copy(struct generator_slot *to, const struct generator_slot *from);

/* generator_names.c: all of a few names; `valid` is how many in a hundred follow the rules. */
void generator_domain_name(struct dice *dice, unsigned valid, char name[STORE_DOMAIN_MAX + 1]);
void generator_foreign_name(struct dice *dice, char name[STORE_DOMAIN_MAX + 1]);
void generator_address(struct dice *dice, unsigned valid, struct store_address *address);
void generator_owner(struct dice *dice, unsigned valid, char owner[STORE_OWNER_MAX + 1]);
void generator_mail(struct dice *dice, unsigned valid, char mail[STORE_MAIL_MAX + 1]);
void generator_digits(struct dice *dice, unsigned valid, char digits[STORE_NUMBER_MAX + 1]);
void generator_text(struct dice *dice, unsigned valid, char *text, size_t size);
void generator_token_id(struct dice *dice, unsigned valid, char id[STORE_TOKEN_ID_LEN + 1]);
void generator_cursor_name(struct dice *dice, unsigned valid, char name[STORE_CURSOR_NAME_MAX + 1]);

/* generator_records.c */
void generator_domain(struct generator *generator, struct store_domain *domain);
void generator_record(struct generator *generator, struct store_record *record);
/* One that was put before, a little different. */
void generator_record_change(struct generator *generator, struct store_record *record);
void generator_number(struct generator *generator, struct store_number *number);
void generator_peer(struct generator *generator, struct store_peer *peer);
void generator_token(struct generator *generator, struct store_token *token);
void generator_usage(struct generator *generator, struct store_usage *usage);

/* generator_ports.c */
void generator_port(struct generator *generator, enum store_op op, struct store_port_order *order);
void generator_guard(struct generator *generator, enum store_op op, struct store_guard *guard);

#endif
