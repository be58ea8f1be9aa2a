/* A store in a temporary directory, and commands in one line. */
#ifndef JUNCTOR_TESTS_STORE_FIXTURE_H
#define JUNCTOR_TESTS_STORE_FIXTURE_H

#include "store/store.h"

#include <stdatomic.h>

struct fixture {
    char path[256];
    struct store_conf conf;
    _Atomic int alarms;          /* counted by a test that sets conf.alarm */
    _Atomic uint64_t now_ms;     /* the store's clock; ten days at first, commands are at 1 s */
    struct store *store;         /* NULL while closed */
    struct store_reader *reader; /* NULL while closed */
};

/* For thousands of commits, each of which waits for the disk: stores are in memory from here on,
 * where there is such a place (tests/limited.sh). */
void fixture_in_memory(void);
/* Each asserts that it worked. */
void fixture_make(struct fixture *fixture, size_t map_size); /* directory only, nothing open */
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
/* Writes a record into the closed store with LMDB alone, to make what the store never would. */
void fixture_raw_put(struct fixture *fixture, const char *table, struct slice key,
                     struct slice value);
/* The table is gone, as in a store that is older than it. */
void fixture_raw_drop(struct fixture *fixture, const char *table);
void fixture_remove(struct fixture *fixture); /* closes and deletes */

/* cmocka's setup and teardown: an open store. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A domain without quarantine: what is released is gone. */
struct store_command command_domain(enum store_op op, const char *name, const char *core);
struct store_command command_address(enum store_op op, const char *address,
                                     enum store_address_state state, const char *hosting);
struct store_command command_key(uint8_t octet); /* a secret of that octet */

/* Submits and returns the verdict's status; the submission itself must succeed. */
int fixture_submit(struct fixture *fixture, const struct store_command *command);
int fixture_domain_add(struct fixture *fixture, const char *name);
int fixture_address_add(struct fixture *fixture, const char *address); /* hosted at its domain */

struct store_address address_of(const char *text); /* must parse */
/* Does the reader's snapshot (begun here) have the address, and not only its tombstone? */
bool fixture_has(struct fixture *fixture, const char *address);
struct store_stats fixture_stats(struct fixture *fixture);

#endif
