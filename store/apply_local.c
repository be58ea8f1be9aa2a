/* What has to do with this node alone: its cursors, its statistics, and what trimming does to them.
 */
#include "store/apply.h"

#include "base/status.h"

/* Dropping entries is no change of the directory, and has no entry of its own. */
int store_apply_journal_trim(struct store_apply *apply)
{
    uint64_t first;
    int ret =
        store_journal_trim(apply->txn, apply->command->sequence, STORE_EXPIRE_MAX, &apply->count);
    if (ret == 0)
        ret = store_journal_first(apply->txn, &first);
    return ret ? ret : store_cursors_lose(apply->txn, first);
}

int store_apply_cursor_put(struct store_apply *apply)
{
    struct store_cursor cursor = apply->command->cursor;
    uint64_t first;
    int ret = store_cursor_check(&cursor);
    if (ret == 0 && cursor.sequence > apply->position.sequence)
        ret = STATUS_MALFORMED;
    if (ret == 0)
        ret = store_journal_first(apply->txn, &first);
    if (ret)
        return ret;
    if (cursor.sequence + 1 < first)
        return STATUS_TRIMMED;
    cursor.lost = false;
    apply->count = 1;
    return store_cursor_write(apply->txn, &cursor);
}

int store_apply_cursor_del(struct store_apply *apply)
{
    apply->count = 1;
    return store_cursor_remove(apply->txn, apply->command->cursor.name);
}

/* Twice as much goes as comes, so that the table shrinks after a busy time. */
static int usage_trim(const struct store_apply *apply, uint64_t newest)
{
    uint64_t period = newest > STORE_USAGE_KEEP_S ? newest - STORE_USAGE_KEEP_S : 0;
    return store_usage_trim(apply->txn, period, 2 * (size_t)apply->count);
}

int store_apply_usage_add(struct store_apply *apply)
{
    const struct store_usage_batch *batch = &apply->command->usage;
    uint64_t newest = 0;
    if (batch->count > STORE_IMPORT_MAX)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < batch->count; i++)
        if (store_usage_check(&batch->usages[i]))
            return STATUS_MALFORMED;
    int ret = 0;
    for (size_t i = 0; ret == 0 && i < batch->count; i++, apply->count++) {
        ret = store_usage_write(apply->txn, &batch->usages[i]);
        if (batch->usages[i].period > newest)
            newest = batch->usages[i].period;
    }
    return ret ? ret : usage_trim(apply, newest);
}
