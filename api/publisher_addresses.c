/* The sets of single addresses: many, so that nothing is remembered of them but what differs. Which
 * values one may have by us follows from the journal, or, where all are compared, from the address
 * itself. */
#include "api/publisher_internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES_MAX 10000 /* of the journal, looked at for one batch */
#define AHEAD_MAX   50000 /* and behind it, for domains */

static const char *address_text(const struct store_address *address, char text[PUBLISHER_ABOUT_MAX])
{
    snprintf(text, PUBLISHER_ABOUT_MAX, "%s@%s", address->user, address->domain);
    return text;
}

/* The hash of the data that an address may have had; 0 for none. */
static int value_of(const struct zone_conf *records, const struct store_record *address,
                    uint64_t *hash)
{
    struct zone_record record;
    *hash = 0;
    if (!address || !zone_address_record_of(records, address, &record))
        return 0;
    struct update_set set = {.type = record.type};
    memcpy(set.name, record.name, sizeof(set.name));
    int status = update_set_add(&set, &record);
    *hash = update_set_hash_data(&set);
    update_set_clear(&set);
    return status;
}

/* Was it left out of DNS, although it would have a record? */
static bool is_left_out(const union store_any *value)
{
    return value && (value->address.blocked || value->address.unpublished);
}

/* What it should have. Needs a begun reader. */
static int wanted_take(struct publisher_batch *batch, size_t index,
                       const struct store_address *address)
{
    const struct publisher *publisher = batch->zone->publisher;
    struct update_set *wanted = &batch->changes[index].wanted;
    struct zone_record record;
    int status = zone_address_record(publisher->records, batch->zone->reader, address, &record);
    if (status == 0)
        return update_set_add(wanted, &record);
    return status == STATUS_NOTFOUND ? 0 : status;
}

static struct publisher_item *address_add(struct publisher_batch *batch, const char *name,
                                          const struct store_address *address)
{
    char text[PUBLISHER_ABOUT_MAX];
    struct publisher_item *item =
        publisher_batch_add(batch, name, ZONE_NAPTR, address_text(address, text));
    item->is_address = true;
    return item;
}

/* What else may be there until all are compared. */
static void gap_mark(const struct publisher_zone *zone, struct publisher_item *item)
{
    item->is_new = zone->memory.gap >= PUBLISHER_GAP_MISSING;
    item->is_lost = item->is_lost || zone->memory.gap == PUBLISHER_GAP_LOST;
}

int publisher_address_add(struct publisher_batch *batch, const struct publisher_entry *entry,
                          bool is_gone)
{
    struct store_reader *reader = batch->zone->reader;
    struct store_address address;
    struct store_record record;
    uint64_t hash = 0;
    if (store_address_parse(slice_of(entry->about), &address, NULL) != 0)
        return 0;
    int status = store_reader_begin(reader);
    if (status != 0)
        return status;
    status = store_address_get(reader, &address, &record);
    if (status == STATUS_NOTFOUND || (status == 0 && !is_gone)) {
        struct publisher_item *item = address_add(batch, entry->name, &address);
        bool is_there = status == 0;
        status = is_there ? value_of(batch->zone->publisher->records, &record, &hash) : 0;
        if (status == 0 && is_there) {
            publisher_item_value(item, hash);
            status = wanted_take(batch, batch->count - 1, &address);
        }
    }
    store_reader_end(reader);
    return status;
}

/* ---- following ---- */

struct follow {
    struct publisher_batch *batch;
    struct store_address addresses[UPDATE_BATCH_MAX]; /* of the items */
    uint64_t last; /* the entry up to which all is in the batch */
    size_t looked_at;
    int status;
};

static struct publisher_item *item_find(struct follow *follow, const struct store_address *address)
{
    for (size_t i = 0; i < follow->batch->count; i++)
        if (strcmp(follow->addresses[i].user, address->user) == 0 &&
            strcmp(follow->addresses[i].domain, address->domain) == 0)
            return &follow->batch->items[i];
    return NULL;
}

/* NULL: the batch is full. */
static struct publisher_item *item_get(struct follow *follow, const char *name,
                                       const struct store_address *address)
{
    struct publisher_item *item = item_find(follow, address);
    if (item || publisher_batch_is_full(follow->batch))
        return item;
    follow->addresses[follow->batch->count] = *address;
    return address_add(follow->batch, name, address);
}

/* Whose record it was, of an entry that may have lost its values. */
static int address_of(const struct store_journal_entry *entry, struct store_address *address)
{
    const union store_any *value = entry->before ? entry->before : entry->after;
    if (!value)
        return store_address_parse(slice_of(entry->key), address, NULL);
    *address = value->address.address;
    return 0;
}

/* Returns whether there was room for it. */
static bool address_take(struct follow *follow, const struct store_journal_entry *entry)
{
    struct publisher_batch *batch = follow->batch;
    const struct publisher *publisher = batch->zone->publisher;
    char name[ZONE_NAME_MAX + 1];
    struct store_address address;
    uint64_t before, after;
    if (address_of(entry, &address) != 0 ||
        zone_address_place(publisher->records, &address, name) != 0 ||
        publisher_zone_of(publisher, name) != batch->zone)
        return true;
    follow->status =
        value_of(publisher->records, entry->before ? &entry->before->address : NULL, &before);
    if (follow->status == 0)
        follow->status =
            value_of(publisher->records, entry->after ? &entry->after->address : NULL, &after);
    if (follow->status != 0)
        return false;
    if (before == 0 && after == 0 && !entry->erased && !item_find(follow, &address))
        return true;
    struct publisher_item *item = item_get(follow, name, &address);
    if (!item || !publisher_item_value(item, before) || !publisher_item_value(item, after))
        return false;
    if ((is_left_out(entry->before) || is_left_out(entry->after)) && !publisher_item_value(item, 0))
        return false;
    item->is_lost = item->is_lost || entry->erased;
    return true;
}

/* Whether the records of a domain's addresses are published may hang on the domain itself. */
static bool is_switched(const struct publisher_zone *zone, const struct store_journal_entry *entry)
{
    const struct zone_conf *records = zone->publisher->records;
    return entry->before && entry->after &&
           zone_publishes_addresses(records, &entry->before->domain) !=
               zone_publishes_addresses(records, &entry->after->domain);
}

static bool entry_take(const struct store_journal_entry *entry, void *arg)
{
    struct follow *follow = arg;
    struct publisher_zone *zone = follow->batch->zone;
    if (++follow->looked_at > ENTRIES_MAX)
        return false;
    if (entry->kind == STORE_KIND_ADDRESS && !address_take(follow, entry))
        return false;
    if (entry->kind == STORE_KIND_DOMAIN)
        zone->check = true;
    if ((entry->kind == STORE_KIND_DOMAIN && is_switched(zone, entry)) ||
        (entry->kind == STORE_KIND_STORE && strcmp(entry->what, "bulk_load") == 0)) {
        zone->check = zone->walk = true;
        zone->walk_domain[0] = '\0';
        publisher_memory_gap(&zone->memory, PUBLISHER_GAP_MISSING);
    }
    follow->last = entry->sequence;
    return true;
}

/* Domains do not wait until all addresses before them are done, of which there may be many. */
static bool ahead_each(const struct store_journal_entry *entry, void *arg)
{
    struct publisher_zone *zone = arg;
    if (entry->kind == STORE_KIND_DOMAIN)
        zone->check = true;
    zone->looked = entry->sequence;
    return true;
}

static int ahead_look(struct follow *follow)
{
    struct publisher_zone *zone = follow->batch->zone;
    if (zone->looked < follow->last)
        zone->looked = follow->last;
    return store_journal_read(zone->reader, zone->looked + 1, AHEAD_MAX, ahead_each, zone);
}

static int journal_take(struct follow *follow)
{
    struct publisher_zone *zone = follow->batch->zone;
    struct store_reader *reader = zone->reader;
    uint64_t end = 0;
    int status = store_journal_read(reader, zone->memory.done + 1, SIZE_MAX, entry_take, follow);
    if (status == 0)
        status = follow->status;
    if (status == 0)
        status = store_sequence_get(reader, &end);
    zone->behind = end > follow->last;
    if (status == 0 && zone->behind)
        status = ahead_look(follow);
    for (size_t i = 0; status == 0 && i < follow->batch->count; i++) {
        gap_mark(zone, &follow->batch->items[i]); /* which an entry may have asked for */
        status = wanted_take(follow->batch, i, &follow->addresses[i]);
    }
    return status;
}

int publisher_follow(struct publisher_batch *batch)
{
    struct publisher_zone *zone = batch->zone;
    struct follow follow = {.batch = batch, .last = zone->memory.done};
    bool was_checking = zone->check; /* which has just failed */
    int status = store_reader_begin(zone->reader);
    if (status != 0)
        return status;
    batch->from = zone->memory.done + 1;
    status = journal_take(&follow);
    store_reader_end(zone->reader);
    if (status == 0 && zone->check && !was_checking)
        status = publisher_domains_check(zone);
    if (status == 0)
        status = publisher_batch_run(batch);
    if (status == 0)
        publisher_memory_done(&zone->memory, follow.last);
    return status;
}

/* ---- values that the batch itself does not have ---- */

static bool value_has(const struct publisher_batch *batch, const union store_any *value,
                      uint64_t served)
{
    uint64_t hash;
    if (served == 0 && is_left_out(value))
        return true;
    return value_of(batch->zone->publisher->records, value ? &value->address : NULL, &hash) == 0 &&
           hash == served;
}

static bool value_each(const struct store_journal_entry *entry, void *arg)
{
    struct publisher_batch *batch = arg;
    if (entry->kind != STORE_KIND_ADDRESS)
        return true;
    for (size_t i = 0; i < batch->count; i++) {
        struct publisher_item *item = &batch->items[i];
        if (!item->is_address || item->is_agreed || item->is_wanted ||
            strcmp(item->about, entry->key) != 0)
            continue;
        uint64_t served = update_set_hash_data(&batch->changes[i].served);
        item->is_found = item->is_found || value_has(batch, entry->before, served) ||
                         value_has(batch, entry->after, served);
        item->is_lost = item->is_lost || entry->erased;
    }
    return true;
}

int publisher_values_find(struct publisher_batch *batch)
{
    struct store_reader *reader = batch->zone->reader;
    int status = store_reader_begin(reader);
    if (status != 0)
        return status;
    status = store_journal_read(reader, batch->from, SIZE_MAX, value_each, batch);
    store_reader_end(reader);
    return status == STATUS_TRIMMED ? 0 : status;
}

/* ---- comparing all of them ---- */

struct walk {
    struct publisher_batch *batch;
    struct store_address *last;
    size_t looked_at;
    int status;
};

static bool record_each(const struct store_record *record, void *arg)
{
    struct walk *walk = arg;
    struct publisher_batch *batch = walk->batch;
    const struct publisher_zone *zone = batch->zone;
    const struct zone_conf *records = zone->publisher->records;
    char name[ZONE_NAME_MAX + 1];
    uint64_t hash;
    walk->looked_at++;
    *walk->last = record->address;
    if (zone_address_place(records, &record->address, name) != 0 ||
        publisher_zone_of(zone->publisher, name) != zone)
        return true;
    struct publisher_item *item = address_add(batch, name, &record->address);
    gap_mark(zone, item);
    walk->status = value_of(records, record, &hash);
    publisher_item_value(item, hash);
    return walk->status == 0;
}

int publisher_addresses_compare(struct publisher_batch *batch, const char *domain,
                                struct store_address *last, bool *more)
{
    struct store_reader *reader = batch->zone->reader;
    struct store_address after = *last;
    struct walk walk = {.batch = batch, .last = last};
    int status = store_reader_begin(reader);
    if (status != 0)
        return status;
    status = store_address_list(reader, domain, after.user[0] != '\0' ? &after : NULL,
                                UPDATE_BATCH_MAX, record_each, &walk);
    if (status == 0)
        status = walk.status;
    *more = walk.looked_at == UPDATE_BATCH_MAX;
    for (size_t i = 0; status == 0 && i < batch->count; i++) {
        struct store_address address;
        status = store_address_parse(slice_of(batch->items[i].about), &address, NULL);
        if (status == 0)
            status = wanted_take(batch, i, &address);
    }
    store_reader_end(reader);
    return status == 0 ? publisher_batch_run(batch) : status;
}

/* ---- of the whole zone ---- */

struct domain_next {
    const struct publisher_zone *zone;
    char name[ZONE_NAME_MAX + 1]; /* "": there is none */
};

/* Addresses of a domain have their names below it. */
static bool domain_each(const struct store_domain *domain, void *arg)
{
    struct domain_next *next = arg;
    const char *zone = next->zone->conf.name;
    if (!publisher_is_below(domain->name, zone) && !publisher_is_below(zone, domain->name))
        return true;
    memcpy(next->name, domain->name, sizeof(next->name));
    return false;
}

/* Goes on to the next domain of the zone, or to the end of the walk. */
static int walk_advance(struct publisher_zone *zone)
{
    struct store_reader *reader = zone->reader;
    struct domain_next next = {.zone = zone};
    const char *after = zone->walk_domain[0] != '\0' ? zone->walk_domain : NULL;
    int status = store_reader_begin(reader);
    if (status != 0)
        return status;
    status = store_domain_list(reader, after, SIZE_MAX, domain_each, &next);
    store_reader_end(reader);
    if (status != 0)
        return status;
    memcpy(zone->walk_domain, next.name, sizeof(next.name));
    zone->walk_last = (struct store_address){.user = ""};
    zone->walk = next.name[0] != '\0';
    if (!zone->walk)
        publisher_memory_compared(&zone->memory, zone->publisher->records);
    return 0;
}

int publisher_walk(struct publisher_batch *batch)
{
    struct publisher_zone *zone = batch->zone;
    struct store_address last = zone->walk_last;
    bool more = false;
    if (zone->walk_domain[0] == '\0')
        return walk_advance(zone);
    batch->from = zone->memory.done + 1; /* what is not followed yet may be served */
    int status = publisher_addresses_compare(batch, zone->walk_domain, &last, &more);
    if (status != 0)
        return status;
    zone->walk_last = last;
    return more ? 0 : walk_advance(zone);
}
