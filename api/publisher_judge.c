/* Whose is what is served, and what is to be done with it? */
#include "api/publisher_internal.h"

#include "base/status.h"

#include <errno.h>
#include <string.h>

#define FORM "10 10 \"\" \"SIP+host\" \"\" " /* how our record of an address begins */

/* ---- whose is it? ---- */

static bool has_our_form(const struct update_set *served)
{
    return served->count == 0 ||
           (served->count == 1 && strncmp(served->text, FORM, strlen(FORM)) == 0);
}

static bool is_value(const struct publisher_item *item, const struct update_set *served)
{
    uint64_t hash = update_set_hash_data(served);
    for (size_t i = 0; i < item->value_count; i++)
        if (item->values[i] == hash)
            return true;
    return item->is_found;
}

bool publisher_item_is_by_form(const struct publisher_item *item, const struct update_set *served)
{
    return item->is_lost && !is_value(item, served) && has_our_form(served);
}

static bool is_sent(const struct publisher_entry *entry, const struct update_set *served)
{
    uint64_t hash = update_set_hash(served);
    for (size_t i = 0; i < entry->late_count; i++)
        if (entry->late[i] == hash)
            return true;
    return hash == entry->before || hash == entry->after;
}

/* Is what is served our own? */
static bool is_ours(const struct publisher_batch *batch, size_t index)
{
    const struct publisher_item *item = &batch->items[index];
    const struct update_set *served = &batch->changes[index].served;
    if (item->is_address)
        return is_value(item, served) || publisher_item_is_by_form(item, served);
    const struct publisher_entry *entry =
        publisher_memory_find(&batch->zone->memory, served->name, served->type);
    return entry && entry->is_sent && is_sent(entry, served);
}

/* May nothing be there although it is not known that we left it so? */
static bool may_be_missing(const struct publisher_batch *batch, size_t index)
{
    const struct publisher_item *item = &batch->items[index];
    const struct update_set *served = &batch->changes[index].served;
    if (batch->mode != PUBLISHER_FOLLOW || item->is_new)
        return true;
    if (item->is_address)
        return false;
    const struct publisher_entry *entry =
        publisher_memory_find(&batch->zone->memory, served->name, served->type);
    return !entry || !entry->is_sent;
}

/* Did somebody else give our records another TTL? It stays when the data change. */
static bool is_ttl_kept(const struct publisher_batch *batch, size_t index)
{
    const struct publisher_item *item = &batch->items[index];
    const struct update_set *served = &batch->changes[index].served;
    if (item->is_address)
        return !item->is_lost && !publisher_memory_has_ttl(&batch->zone->memory, served->ttl_s);
    const struct publisher_entry *entry =
        publisher_memory_find(&batch->zone->memory, served->name, served->type);
    return entry && entry->has_ttl && entry->ttl_s == served->ttl_s;
}

/* Of the data that it should have, with another TTL. Of addresses, which may be many, a person's
 * TTL is told to those who ask only. */
static void ttl_judge(struct publisher_batch *batch, size_t index)
{
    struct publisher_item *item = &batch->items[index];
    item->is_wanted = is_ours(batch, index) && !is_ttl_kept(batch, index);
    item->is_agreed = !item->is_wanted && item->is_address && batch->mode == PUBLISHER_FOLLOW;
}

static void data_judge(struct publisher_batch *batch, size_t index)
{
    struct update_change *change = &batch->changes[index];
    bool is_there = change->served.count > 0;
    batch->items[index].is_wanted =
        is_ours(batch, index) || (!is_there && may_be_missing(batch, index));
    if (is_there && change->wanted.count > 0 && is_ttl_kept(batch, index))
        change->wanted.ttl_s = change->served.ttl_s;
}

static void item_judge(struct publisher_batch *batch, size_t index)
{
    struct update_change *change = &batch->changes[index];
    struct publisher_item *item = &batch->items[index];
    change->wanted.ttl_s = item->ttl_s;
    item->is_agreed = item->is_wanted = false;
    if (item->is_refused)
        return;
    if (change->served.is_alias)
        item->is_wanted = batch->mode == PUBLISHER_FORCE && !change->served.is_moved;
    else if (update_set_eq(&change->served, &change->wanted))
        item->is_agreed = true;
    else if (batch->mode == PUBLISHER_FORCE)
        item->is_wanted = true;
    else if (update_set_eq_data(&change->served, &change->wanted))
        ttl_judge(batch, index);
    else
        data_judge(batch, index);
}

/* Returns whether any address differs, so that more of its values are to be looked for. */
static bool items_judge(struct publisher_batch *batch)
{
    bool any = false;
    for (size_t i = 0; i < batch->count; i++) {
        item_judge(batch, i);
        any = any || (batch->items[i].is_address && !batch->items[i].is_agreed &&
                      !batch->items[i].is_wanted && !batch->items[i].is_refused);
    }
    return any;
}

static int batch_judge(struct publisher_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        batch->items[i].is_found = false;
    if (!items_judge(batch) || batch->from == UINT64_MAX)
        return 0;
    int status = publisher_values_find(batch);
    items_judge(batch);
    return status;
}

/* ---- what wildcards make up ---- */

/* Is it to be asked whether this set is there? Not of what is known to be ours, nor of addresses
 * that agree, which may be millions: ordinary work costs nothing. `again`: what was to be sent was
 * not there. */
static bool is_doubtful(const struct publisher_batch *batch, size_t index, bool again)
{
    const struct publisher_item *item = &batch->items[index];
    const struct update_set *served = &batch->changes[index].served;
    if (served->is_moved || (!served->is_alias && served->count == 0))
        return false;
    if (again && item->is_wanted)
        return true;
    return !(item->is_address && item->is_agreed) && !is_ours(batch, index);
}

/* Halves those of which some are there. */
static int absent_find(struct publisher_batch *batch, const struct update_change *changes,
                       const size_t *indexes, size_t count)
{
    int status = update_link_absent(batch->link, changes, count, batch->zone->stats.why);
    for (size_t i = 0; status == 0 && i < count; i++)
        update_set_clear(&batch->changes[indexes[i]].served);
    if (status == -EPERM) /* it does not tell: then it is what it looks like */
        return 0;
    if (status != STATUS_CONFLICT || count == 1)
        return status == STATUS_CONFLICT ? 0 : status;
    size_t half = count / 2;
    status = absent_find(batch, changes, indexes, half);
    if (status == 0)
        status = absent_find(batch, changes + half, indexes + half, count - half);
    return status;
}

/* Judges by what is there. */
static int batch_doubt(struct publisher_batch *batch, bool again)
{
    struct update_change changes[UPDATE_BATCH_MAX];
    size_t indexes[UPDATE_BATCH_MAX], count = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (is_doubtful(batch, i, again)) {
            changes[count] = batch->changes[i];
            indexes[count++] = i;
        }
    int status = count > 0 ? absent_find(batch, changes, indexes, count) : 0;
    return status == 0 && count > 0 ? batch_judge(batch) : status;
}

int publisher_batch_judge(struct publisher_batch *batch, bool again)
{
    int status = batch_judge(batch);
    return status == 0 ? batch_doubt(batch, again) : status;
}
