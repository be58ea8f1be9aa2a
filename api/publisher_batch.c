/* A batch: what is served is read and judged, then the difference is sent. */
#include "api/publisher_internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES       3 /* where somebody changes what was just read */
#define SHOW_MAX    200
#define REFUSED_MAX 16 /* single sets, of a primary that has taken none: then it takes none */

/* ---- items ---- */

void publisher_batch_init(struct publisher_batch *batch, struct publisher_zone *zone,
                          enum publisher_mode mode)
{
    batch->zone = zone;
    batch->mode = mode;
    batch->dry_run = false;
    batch->report = NULL;
    batch->from = UINT64_MAX;
    batch->link = NULL;
    batch->count = 0;
}

bool publisher_batch_is_full(const struct publisher_batch *batch)
{
    return batch->count == UPDATE_BATCH_MAX;
}

struct publisher_item *publisher_batch_add(struct publisher_batch *batch, const char *name,
                                           enum zone_type type, const char *about)
{
    if (publisher_batch_is_full(batch))
        return NULL;
    struct publisher_item *item = &batch->items[batch->count];
    struct update_change *change = &batch->changes[batch->count++];
    *item = (struct publisher_item){.value_count = 0};
    snprintf(item->about, sizeof(item->about), "%s", about);
    *change = (struct update_change){.served.type = type, .wanted.type = type};
    snprintf(change->served.name, sizeof(change->served.name), "%s", name);
    snprintf(change->wanted.name, sizeof(change->wanted.name), "%s", name);
    return item;
}

void publisher_batch_want(struct publisher_batch *batch, struct update_set *set)
{
    struct update_set *wanted = &batch->changes[batch->count - 1].wanted;
    *wanted = *set;
    set->text = NULL;
    update_set_clear(set);
}

bool publisher_item_value(struct publisher_item *item, uint64_t hash)
{
    for (size_t i = 0; i < item->value_count; i++)
        if (item->values[i] == hash)
            return true;
    if (item->value_count == PUBLISHER_VALUES_MAX)
        return false;
    item->values[item->value_count++] = hash;
    return true;
}

static void items_drop(struct publisher_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        update_set_clear(&batch->changes[i].served);
        update_set_clear(&batch->changes[i].wanted);
    }
    batch->count = 0;
}

void publisher_batch_done(struct publisher_batch *batch)
{
    batch->link = update_link_close(batch->link);
    items_drop(batch);
}

/* ---- sending ---- */

/* What we are about to do must be known after a crash. */
static int intent_keep(struct publisher_batch *batch)
{
    bool any = false;
    for (size_t i = 0; i < batch->count; i++) {
        const struct update_change *change = &batch->changes[i];
        if (!batch->items[i].is_wanted || batch->items[i].is_address)
            continue;
        publisher_memory_sent(&batch->zone->memory, &change->wanted, batch->items[i].about,
                              update_set_hash(&change->served), update_set_hash(&change->wanted));
        any = true;
    }
    return any || batch->zone->memory.is_unsynced
               ? publisher_memory_flush(&batch->zone->memory, true)
               : 0;
}

/* The others go on without it. A primary that takes nothing at all is another matter. */
static int item_refuse(struct publisher_batch *batch, size_t index)
{
    batch->items[index].is_refused = true;
    batch->items[index].is_wanted = false;
    batch->refused++;
    memcpy(batch->refused_why, batch->zone->stats.why, sizeof(batch->refused_why));
    return batch->zone->stats.changed == 0 && batch->refused > REFUSED_MAX ? STATUS_DENIED : 0;
}

/* Halves what does not fit in one message, or has something in it that is refused. `indexes`: of
 * their items. */
static int changes_send(struct publisher_batch *batch, const struct update_change *changes,
                        const size_t *indexes, size_t count)
{
    struct publisher_stats *stats = &batch->zone->stats;
    int status = update_link_send(batch->link, changes, count, stats->why);
    if ((status == STATUS_LIMIT || status == -EPERM) && count > 1) {
        size_t half = count / 2;
        status = changes_send(batch, changes, indexes, half);
        if (status == 0)
            status = changes_send(batch, changes + half, indexes + half, count - half);
        return status;
    }
    if (status == -EPERM)
        return item_refuse(batch, indexes[0]);
    if (status == 0) {
        stats->updates++;
        stats->changed += count;
    }
    return status;
}

static int batch_send(struct publisher_batch *batch)
{
    struct update_change changes[UPDATE_BATCH_MAX]; /* their texts are the batch's */
    size_t indexes[UPDATE_BATCH_MAX], count = 0, refused = batch->refused;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].is_wanted) {
            indexes[count] = i;
            changes[count++] = batch->changes[i];
        }
    if (count == 0 || batch->dry_run)
        return 0;
    int status = intent_keep(batch);
    if (status != 0) {
        snprintf(batch->zone->stats.why, UPDATE_WHY_MAX, "%.512s: cannot be written: %s",
                 batch->zone->memory.path, status_text(status));
        return status;
    }
    status = changes_send(batch, changes, indexes, count);
    if (status == 0 && batch->refused == refused + count && batch->zone->stats.changed == 0)
        return STATUS_DENIED; /* as far as is known it takes nothing */
    return status;
}

/* ---- what came of it ---- */

static const char *show(const struct update_set *set, char text[SHOW_MAX])
{
    if (set->is_alias)
        return set->is_moved ? "a DNAME above it" : "a CNAME";
    if (set->count == 0)
        return "nothing";
    snprintf(text, SHOW_MAX, "%u %.*s%s", (unsigned)set->ttl_s, (int)strcspn(set->text, "\n"),
             set->text, set->count > 1 ? " and others" : "");
    return text;
}

static void refusal_tell(struct publisher_batch *batch, size_t index)
{
    const struct update_set *set = &batch->changes[index].served;
    log_write(batch->zone->publisher->log, LOG_WARNING, "publisher",
              "%s %s is refused, and the others go on without it: zone=%s for=%s: %s", set->name,
              zone_type_name(set->type), batch->zone->conf.name, batch->items[index].about,
              batch->refused_why);
}

static void difference_tell(struct publisher_batch *batch, size_t index)
{
    const struct update_change *change = &batch->changes[index];
    char served[SHOW_MAX], wanted[SHOW_MAX];
    log_write(batch->zone->publisher->log, LOG_WARNING, "publisher",
              "%s %s was changed by somebody else and is left alone: zone=%s for=%s served=\"%s\" "
              "expected=\"%s\"; \"junctor dns sync --force\" replaces it",
              change->served.name, zone_type_name(change->served.type), batch->zone->conf.name,
              batch->items[index].about, show(&change->served, served),
              show(&change->wanted, wanted));
}

/* Where it was a person's, he shall find out. */
static void form_tell(struct publisher_batch *batch, size_t index)
{
    const struct update_change *change = &batch->changes[index];
    char served[SHOW_MAX], wanted[SHOW_MAX];
    if (!publisher_item_is_by_form(&batch->items[index], &change->served) ||
        change->served.count == 0)
        return;
    batch->zone->stats.by_form++;
    log_write(batch->zone->publisher->log, LOG_NOTICE, "publisher",
              "%s %s was taken for ours by its form, for the journal no longer has what it was: "
              "zone=%s for=%s served=\"%s\" now=\"%s\"",
              change->served.name, zone_type_name(change->served.type), batch->zone->conf.name,
              batch->items[index].about, show(&change->served, served),
              show(&change->wanted, wanted));
}

static void difference_keep(struct publisher_batch *batch, size_t index)
{
    const struct update_set *set = &batch->changes[index].served;
    const struct publisher_entry *entry =
        publisher_memory_find(&batch->zone->memory, set->name, set->type);
    if ((!entry || !entry->differs) && batch->items[index].is_refused)
        refusal_tell(batch, index);
    else if (!entry || !entry->differs)
        difference_tell(batch, index);
    publisher_memory_differs(&batch->zone->memory, set, batch->items[index].about, true);
}

/* Where only the TTL is somebody else's, the records are ours all the same: they go on to follow
 * what they should be, with that TTL. Returns whether that is all. */
static bool ttl_keep(struct publisher_batch *batch, size_t index)
{
    const struct update_change *change = &batch->changes[index];
    const struct publisher_item *item = &batch->items[index];
    uint64_t hash = update_set_hash(&change->served);
    if (item->is_refused || !update_set_eq_data(&change->served, &change->wanted))
        return false;
    if (item->is_address)
        return true;
    publisher_memory_sent(&batch->zone->memory, &change->served, item->about, hash, hash);
    publisher_memory_ttl_kept(&batch->zone->memory, &change->served, true);
    return false;
}

static void item_keep(struct publisher_batch *batch, size_t index)
{
    const struct update_change *change = &batch->changes[index];
    const struct publisher_item *item = &batch->items[index];
    struct publisher_memory *memory = &batch->zone->memory;
    if (!item->is_agreed && !item->is_wanted) {
        if (!ttl_keep(batch, index))
            difference_keep(batch, index);
        return;
    }
    publisher_memory_differs(memory, &change->wanted, item->about, false);
    if (item->is_address) {
        if (item->is_wanted)
            form_tell(batch, index);
        return;
    }
    const struct update_set *now = item->is_wanted ? &change->wanted : &change->served;
    uint64_t hash = update_set_hash(now);
    if (item->is_wanted)
        publisher_memory_made(memory, now, item->about, hash);
    else
        publisher_memory_sent(memory, now, item->about, hash, hash);
    if (now->ttl_s == item->ttl_s)
        publisher_memory_ttl_kept(memory, now, false);
}

static enum publisher_action action_of(const struct publisher_item *item,
                                       const struct update_change *change)
{
    if (item->is_refused)
        return PUBLISHER_REFUSED;
    if (!item->is_wanted)
        return PUBLISHER_DIFFERS;
    if (change->wanted.count == 0)
        return PUBLISHER_REMOVE;
    bool is_there = change->served.count > 0 || change->served.is_alias;
    return !is_there ? PUBLISHER_ADD : PUBLISHER_REPLACE;
}

static void batch_report(const struct publisher_batch *batch)
{
    for (size_t i = 0; batch->report && i < batch->count; i++) {
        const struct publisher_item *item = &batch->items[i];
        batch->report->looked_at++;
        if (!item->is_agreed)
            publisher_report_add(batch->report, &batch->changes[i],
                                 action_of(item, &batch->changes[i]));
    }
}

static int batch_keep(struct publisher_batch *batch)
{
    batch_report(batch);
    if (batch->dry_run)
        return 0;
    for (size_t i = 0; i < batch->count; i++)
        item_keep(batch, i);
    int status = publisher_memory_flush(&batch->zone->memory, false);
    if (status != 0)
        snprintf(batch->zone->stats.why, UPDATE_WHY_MAX, "%.512s: cannot be written: %s",
                 batch->zone->memory.path, status_text(status));
    return status;
}

/* ---- all of it ---- */

static int link_open(struct publisher_batch *batch, struct update_place *place)
{
    const struct publisher_zone *zone = batch->zone;
    *place = (struct update_place){.primary = zone->conf.primary,
                                   .zone = zone->conf.name,
                                   .key = &zone->conf.key,
                                   .connect_ms = PUBLISHER_CONNECT_MS,
                                   .timeout_ms = PUBLISHER_TIMEOUT_MS,
                                   .cancel_fd = zone->publisher->cancel_fd};
    return update_link_open(place, &batch->link, batch->zone->stats.why);
}

/* Does the primary serve the zone itself? */
static int zone_ask(struct publisher_batch *batch)
{
    struct update_change apex = {.served.type = ZONE_NAPTR, .wanted.type = ZONE_NAPTR};
    memcpy(apex.served.name, batch->zone->conf.name, sizeof(apex.served.name));
    int status = update_link_read(batch->link, &apex, 1, batch->zone->stats.why);
    update_set_clear(&apex.served);
    return status == 0 && apex.is_refused ? STATUS_DENIED : status;
}

/* Reads what is served. Names that are delegated away hold nothing else up. */
static int batch_read(struct publisher_batch *batch)
{
    struct publisher_stats *stats = &batch->zone->stats;
    int status = update_link_read(batch->link, batch->changes, batch->count, stats->why);
    batch->refused = 0;
    for (size_t i = 0; status == 0 && i < batch->count; i++) {
        batch->items[i].is_refused = batch->changes[i].is_refused;
        batch->refused += batch->changes[i].is_refused ? 1 : 0;
    }
    if (status == 0 && batch->refused > 0) {
        memcpy(batch->refused_why, stats->why, sizeof(batch->refused_why));
        status = zone_ask(batch);
    }
    return status;
}

static int batch_try(struct publisher_batch *batch, bool again)
{
    int status = batch_read(batch);
    if (status == 0)
        status = publisher_batch_judge(batch, again);
    return status == 0 ? batch_send(batch) : status;
}

int publisher_batch_run(struct publisher_batch *batch)
{
    struct update_place place;
    if (batch->count == 0)
        return 0;
    for (size_t i = 0; i < batch->count; i++)
        batch->items[i].ttl_s = batch->changes[i].wanted.ttl_s;
    int status = link_open(batch, &place);
    if (status == 0)
        status = batch_try(batch, false);
    for (int tries = 1; status == STATUS_CONFLICT && tries < TRIES; tries++)
        status = batch_try(batch, true);
    if (status == 0)
        status = batch_keep(batch);
    publisher_batch_done(batch);
    return status;
}
