/* Applies commands in batches: the writer thread's own, no locks. */
#ifndef JUNCTOR_STORE_COMMITTER_H
#define JUNCTOR_STORE_COMMITTER_H

#include "store/internal.h"

struct store_committer {
    const struct store *store;
    struct store_log log;
    struct store_log_bounds log_bounds;
    store_clock_h *clock;
    void *clock_arg;
    struct buf bytes; /* commands of a batch, encoded */
    struct slice encoded[STORE_BATCH_MAX];
};

void store_committer_init(struct store_committer *committer, const struct store *store,
                          const struct store_conf *conf);
void store_committer_done(struct store_committer *committer);
/* The node's clock, Unix time in ms. */
uint64_t store_committer_now(const struct store_committer *committer);
/* Judges `count` submissions, at most STORE_BATCH_MAX: on return each has its `ret` and `verdict`,
 * and what was accepted is on disk. */
void store_committer_run(struct store_committer *committer, struct store_submission *const *batch,
                         size_t count);
/* Drops what of the log is over its bounds, where no command comes to do it. Returns 0 or a
 * failure, which the next call may not meet. */
int store_committer_shorten(struct store_committer *committer);

#endif
