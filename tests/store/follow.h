/* The log of a store, read so that the model can follow it. */
#ifndef JUNCTOR_TESTS_STORE_FOLLOW_H
#define JUNCTOR_TESTS_STORE_FOLLOW_H

#include "store/internal.h"
#include "tests/store/model.h"

/* A command out of the log, and its bytes there; both valid during the call. */
typedef bool follow_h(uint64_t index, const struct store_command *command, struct slice bytes,
                      void *arg);
/* Calls `each` for every command from index `from` on, until it returns false. Returns false, and
 * says so, where the log cannot be read or a command in it cannot be decoded. */
bool follow_log(const struct store *store, uint64_t from, follow_h *each, void *arg);

/* The commands that were acknowledged, by their actor. */
typedef bool follow_check_h(const struct store_command *command,
                            const struct model_outcome *outcome, void *arg);
/* The model does all that it has not done yet; `check` (may be NULL) sees what became of it. */
bool follow_model(const struct store *store, struct model *model, follow_check_h *check, void *arg);

#endif
