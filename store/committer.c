/* What happens to commands that were taken together.
 *
 * What is refused before the log (no room, a clock that is ahead, what no bytes can say) is
 * answered without it. The rest shares a transaction: log, effects, journal, verdicts. If it cannot
 * be committed, each command is tried alone: one refusal never costs another its commit. Dry runs
 * are judged last, each in a transaction that is thrown away. */
#include "store/committer.h"

#include "base/status.h"

#include <errno.h>
#include <time.h>

#define BYTES_KEEP        ((size_t)1 << 20)
#define COMMAND_BYTES_MAX ((size_t)STORE_IMPORT_MAX * STORE_ANY_SIZE_MAX)

static uint64_t clock_real(void *arg)
{
    struct timespec now;
    (void)arg;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void store_committer_init(struct store_committer *committer, const struct store *store,
                          const struct store_conf *conf)
{
    committer->store = store;
    committer->log.type = &store_log_embedded;
    committer->log_bounds = (struct store_log_bounds){.count = conf->log_keep};
    if (!conf->log_keep)
        committer->log_bounds =
            (struct store_log_bounds){.count = STORE_LOG_KEEP,
                                      .bytes = store_map_size(conf) / STORE_LOG_SHARE,
                                      .age_ms = STORE_LOG_AGE_MS};
    committer->clock = conf->clock ? conf->clock : clock_real;
    committer->clock_arg = conf->arg;
    buf_init(&committer->bytes, STORE_BATCH_MAX * COMMAND_BYTES_MAX);
}

void store_committer_done(struct store_committer *committer)
{
    buf_done(&committer->bytes);
}

uint64_t store_committer_now(const struct store_committer *committer)
{
    return committer->clock(committer->clock_arg);
}

/* ---- room ---- */

static size_t command_pages(const struct store_command *command)
{
    bool has_batch = store_op_takes_batch(command->op);
    return STORE_COMMAND_PAGES + (has_batch ? STORE_RECORD_PAGES * command->batch.count : 0);
}

/* What makes room may use the pages in hand, as long as one command surely fits. */
static bool op_makes_room(enum store_op op)
{
    switch (op) {
    case STORE_DOMAIN_DEL:
    case STORE_ADDRESS_RELEASE:
    case STORE_ADDRESS_PURGE:
    case STORE_ADDRESS_UNDO:
    case STORE_NUMBER_DEL:
    case STORE_PEER_DEL:
    case STORE_TOKEN_DEL:
    case STORE_EXPIRE:
    case STORE_JOURNAL_TRIM:
    case STORE_CURSOR_DEL:
    case STORE_PORT_STEP: /* what others were promised must go on */
    case STORE_PORT_TELL:
    case STORE_PORT_PAID:
        return true;
    default:
        return false;
    }
}

static bool room_is_enough(const struct store_command *command, size_t room_pages)
{
    size_t needed = command_pages(command);
    return room_pages >= needed + (op_makes_room(command->op) ? 0 : STORE_HAND_PAGES);
}

/* ---- before the log ---- */

static void refuse(struct store_submission *submission, int ret, int status)
{
    submission->ret = ret;
    submission->verdict = (struct store_verdict){.status = status};
}

/* Is it one for the log? Else it has its answer. The room is for it alone. */
static bool submission_admit(uint64_t now_ms, struct store_submission *submission,
                             const struct store_room *room)
{
    const struct store_command *command = submission->command;
    if (command->time_ms > now_ms + STORE_CLOCK_AHEAD_MS) {
        refuse(submission, STATUS_CLOCK, 0);
        return false;
    }
    if (store_command_check(command)) {
        refuse(submission, 0, STATUS_MALFORMED);
        return false;
    }
    if (!room_is_enough(command, room->pages)) {
        refuse(submission, room->is_disk ? -ENOSPC : 0, room->is_disk ? 0 : STATUS_FULL);
        return false;
    }
    return true;
}

/* Keeps those of the batch that may go on, in their order, as far as all of them surely fit: each
 * may need much more than it will. Only what does not fit alone is refused for want of room; the
 * others' turn is after these. Sets *kept; returns how many were looked at, at least one. */
static size_t batch_admit(struct store_committer *committer, struct store_submission *const *batch,
                          size_t count, struct store_submission **admitted, size_t *kept)
{
    struct store_room room;
    size_t used = 0, i;
    uint64_t now_ms = store_committer_now(committer);
    /* Where the room cannot be told, there is none: commands are refused, not lost. */
    if (store_room_get(committer->store, &room))
        room = (struct store_room){.pages = 0};
    *kept = 0;
    for (i = 0; i < count; i++) {
        if (!submission_admit(now_ms, batch[i], &room))
            continue;
        if (*kept && !room_is_enough(batch[i]->command, room.pages - used))
            break;
        size_t pages = command_pages(batch[i]->command);
        used += pages < room.pages - used ? pages : room.pages - used;
        admitted[(*kept)++] = batch[i];
    }
    return i;
}

/* ---- commits ---- */

/* Empty again; the memory of an unusually large batch is given back. */
static void bytes_reset(struct buf *bytes)
{
    if (bytes->size > BYTES_KEEP)
        buf_done(bytes);
    else
        buf_consume(bytes, buf_len(bytes));
}

/* Puts the commands of the batch that are not local into the log. */
static int batch_log(struct store_committer *committer, struct store_submission **batch,
                     size_t count, uint64_t *last)
{
    size_t offsets[STORE_BATCH_MAX + 1], logged = 0;
    bytes_reset(&committer->bytes);
    for (size_t i = 0; i < count; i++) {
        if (store_op_is_local(batch[i]->command->op))
            continue;
        offsets[logged++] = buf_len(&committer->bytes);
        int ret = store_command_encode(batch[i]->command, &committer->bytes);
        if (ret)
            return ret;
    }
    offsets[logged] = buf_len(&committer->bytes);
    const char *bytes = buf_bytes(&committer->bytes).p;
    for (size_t i = 0; i < logged; i++)
        committer->encoded[i] = slice_make(bytes + offsets[i], offsets[i + 1] - offsets[i]);
    *last = 0;
    return logged ? committer->log.type->append(&committer->log, committer->encoded, logged, last)
                  : 0;
}

static int batch_apply(struct store_committer *committer, const struct store_txn *txn,
                       struct store_submission **batch, size_t count)
{
    uint64_t last, logged = 0, done = 0;
    int ret = batch_log(committer, batch, count, &last);
    for (size_t i = 0; i < count; i++)
        logged += !store_op_is_local(batch[i]->command->op);
    for (size_t i = 0; ret == 0 && i < count; i++) {
        bool is_local = store_op_is_local(batch[i]->command->op);
        uint64_t index = is_local ? 0 : last - logged + ++done;
        ret = store_apply(txn, index, batch[i]->command, &batch[i]->verdict);
    }
    return ret;
}

static int log_shorten(struct store_committer *committer, const struct store_txn *txn)
{
    uint64_t excess;
    int ret =
        store_log_excess(txn, &committer->log_bounds, store_committer_now(committer), &excess);
    return ret || !excess ? ret
                          : committer->log.type->trim(&committer->log, excess, STORE_LOG_TRIM_MAX);
}

/* Applies and commits `count` commands in one transaction: all or none. */
static int batch_commit(struct store_committer *committer, struct store_submission **batch,
                        size_t count)
{
    struct store_txn txn;
    int ret = store_txn_begin(committer->store, 0, &txn);
    if (ret)
        return ret;
    committer->log.txn = &txn;
    ret = batch_apply(committer, &txn, batch, count);
    if (ret == 0)
        ret = log_shorten(committer, &txn);
    committer->log.txn = NULL;
    if (ret == 0)
        return store_txn_commit(&txn);
    store_txn_abort(&txn);
    return ret;
}

static bool log_is_long(const struct store_committer *committer)
{
    struct store_txn txn;
    uint64_t excess = 0;
    if (store_txn_begin(committer->store, MDB_RDONLY, &txn))
        return false;
    int ret =
        store_log_excess(&txn, &committer->log_bounds, store_committer_now(committer), &excess);
    store_txn_abort(&txn);
    return ret == 0 && excess;
}

int store_committer_shorten(struct store_committer *committer)
{
    return log_is_long(committer) ? batch_commit(committer, NULL, 0) : 0;
}

static void submission_fail(struct store_submission *submission, int ret)
{
    bool is_full = ret == STATUS_FULL;
    refuse(submission, is_full ? 0 : ret, is_full ? STATUS_FULL : 0);
}

static void commit_alone(struct store_committer *committer, struct store_submission *submission)
{
    struct store_submission *admitted;
    size_t kept;
    int ret = 0;
    batch_admit(committer, &submission, 1, &admitted, &kept);
    if (kept)
        ret = batch_commit(committer, &admitted, 1);
    if (ret)
        submission_fail(submission, ret);
}

static void batch_write(struct store_committer *committer, struct store_submission **batch,
                        size_t count)
{
    int ret = count ? batch_commit(committer, batch, count) : 0;
    if (ret == 0)
        return;
    /* After a failed flush the state of the disk is unknown: do not write more on top of it. */
    bool is_final = count == 1 || ret == -EIO;
    for (size_t i = 0; i < count; i++) {
        if (is_final)
            submission_fail(batch[i], ret);
        else
            commit_alone(committer, batch[i]);
    }
}

/* ---- dry runs ---- */

static void dry_run(const struct store_committer *committer, struct store_submission *submission)
{
    struct store_txn txn;
    int ret = store_txn_begin(committer->store, 0, &txn);
    if (ret == 0) {
        ret = store_apply(&txn, 0, submission->command, &submission->verdict);
        store_txn_abort(&txn);
    }
    if (ret)
        submission_fail(submission, ret);
}

/* Puts dry runs behind the others. Returns how many others there are. */
static size_t batch_part(struct store_submission **batch, size_t count)
{
    struct store_submission *dry[STORE_BATCH_MAX];
    size_t dry_count = 0, kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (batch[i]->command->dry_run)
            dry[dry_count++] = batch[i];
        else
            batch[kept++] = batch[i];
    }
    for (size_t i = 0; i < dry_count; i++)
        batch[kept + i] = dry[i];
    return kept;
}

/* As many of them as surely fit. Returns how many. */
static size_t batch_run(struct store_committer *committer, struct store_submission *const *batch,
                        size_t count)
{
    struct store_submission *admitted[STORE_BATCH_MAX];
    size_t kept, taken = batch_admit(committer, batch, count, admitted, &kept);
    size_t written = batch_part(admitted, kept);
    batch_write(committer, admitted, written);
    for (size_t i = written; i < kept; i++)
        dry_run(committer, admitted[i]);
    return taken;
}

void store_committer_run(struct store_committer *committer, struct store_submission *const *batch,
                         size_t count)
{
    for (size_t done = 0; done < count;)
        done += batch_run(committer, batch + done, count - done);
}
