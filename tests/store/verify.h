/* Does a store hold exactly what it must? Each check says on standard error what is wrong, and
 * returns false. */
#ifndef JUNCTOR_TESTS_STORE_VERIFY_H
#define JUNCTOR_TESTS_STORE_VERIFY_H

#include "store/internal.h"
#include "tests/store/dice.h"
#include "tests/store/model.h"

/* Says what is wrong; returns false. */
bool verify_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Are two records of a kind the same, as far as they mean anything? */
bool verify_same(enum store_kind kind, const void *a, const void *b);

/* verify.c: everything that can be read is as the model says: each record by get and by list, lists
 * of owners, keys, cursors, statistics, counts, and the journal from sequence `journal_from` on (0:
 * all of it). Begins and ends the reader. `dice` chooses pages of lists. `local`: also what is not
 * in the log. */
bool verify_model(struct store_reader *reader, const struct model *model, uint64_t journal_from,
                  bool local, struct dice *dice);

/* verify_tables.c: the indexes are what the records demand, byte for byte; verdicts and their ages
 * belong together; the journal has no gaps and no cursor is behind it unknowingly. */
bool verify_tables(const struct store *store);

/* Are all tables that the log determines the same in both, byte for byte? */
bool verify_replicas(const struct store *one, const struct store *other);

#endif
