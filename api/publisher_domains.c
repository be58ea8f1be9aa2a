/* The sets of domains and hosts: few, so that all of them are compared with what was sent. */
#include "api/publisher_internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct wanted_set {
    struct update_set set;
    char about[STORE_DOMAIN_MAX + 1];
};

/* All that a zone should have. */
struct wanted {
    const struct publisher_zone *zone;
    struct wanted_set *sets;
    size_t count, room;
    size_t begin;      /* of those of the present domain */
    const char *about; /* the present domain */
    int status;
};

static struct update_set *set_find(struct wanted *wanted, const struct zone_record *record)
{
    for (size_t i = wanted->begin; i < wanted->count; i++) {
        struct update_set *set = &wanted->sets[i].set;
        if (set->type == record->type && strcmp(set->name, record->name) == 0)
            return set;
    }
    return NULL;
}

static struct update_set *set_make(struct wanted *wanted, const struct zone_record *record)
{
    if (wanted->count == wanted->room) {
        size_t room = wanted->room ? 2 * wanted->room : 64;
        struct wanted_set *sets = realloc(wanted->sets, room * sizeof(*sets));
        if (!sets)
            return NULL;
        wanted->sets = sets;
        wanted->room = room;
    }
    struct wanted_set *made = &wanted->sets[wanted->count++];
    *made = (struct wanted_set){.set.type = record->type};
    memcpy(made->set.name, record->name, sizeof(made->set.name));
    strncpy(made->about, wanted->about, sizeof(made->about) - 1);
    return &made->set;
}

static bool record_each(const struct zone_record *record, void *arg)
{
    struct wanted *wanted = arg;
    if (publisher_zone_of(wanted->zone->publisher, record->name) != wanted->zone)
        return true;
    struct update_set *set = set_find(wanted, record);
    if (!set)
        set = set_make(wanted, record);
    wanted->status = set ? update_set_add(set, record) : -ENOMEM;
    return wanted->status == 0;
}

static void domain_add(struct wanted *wanted, const char *name)
{
    const struct publisher *publisher = wanted->zone->publisher;
    wanted->begin = wanted->count;
    wanted->about = name;
    int status =
        zone_domain_records(publisher->records, wanted->zone->reader, name, record_each, wanted);
    if (wanted->status == 0 && status != STATUS_NOTFOUND)
        wanted->status = status;
}

static bool domain_each(const struct store_domain *domain, void *arg)
{
    struct wanted *wanted = arg;
    const char *zone = wanted->zone->conf.name;
    if (publisher_is_below(domain->name, zone) || publisher_is_below(zone, domain->name))
        domain_add(wanted, domain->name);
    return wanted->status == 0;
}

/* Those of our domains, and of hosts that are in none of them. */
static int wanted_gather(struct wanted *wanted)
{
    struct store_reader *reader = wanted->zone->reader;
    struct store_domain domain;
    int status = store_reader_begin(reader);
    if (status != 0)
        return status;
    status = store_domain_list(reader, NULL, SIZE_MAX, domain_each, wanted);
    if (status == 0 && wanted->status == 0 &&
        store_domain_get(reader, wanted->zone->conf.name, &domain) == STATUS_NOTFOUND)
        domain_add(wanted, wanted->zone->conf.name);
    store_reader_end(reader);
    return status == 0 ? wanted->status : status;
}

static void wanted_free(struct wanted *wanted)
{
    for (size_t i = 0; i < wanted->count; i++)
        update_set_clear(&wanted->sets[i].set);
    free(wanted->sets);
}

/* ---- against what was sent ---- */

static bool is_settled(const struct publisher_entry *entry, const struct update_set *set)
{
    return entry && entry->is_sent && !entry->differs && entry->late_count == 0 &&
           entry->before == entry->after && entry->after == update_set_hash(set);
}

static int order_text(const void *a, const void *b)
{
    const struct wanted_set *one = a, *two = b;
    int order = strcmp(one->set.name, two->set.name);
    return order ? order : (int)one->set.type - (int)two->set.type;
}

static bool is_wanted(const struct wanted *wanted, const struct publisher_entry *entry)
{
    struct wanted_set like = {.set.type = entry->type};
    strncpy(like.set.name, entry->name, sizeof(like.set.name) - 1);
    return bsearch(&like, wanted->sets, wanted->count, sizeof(like), order_text) != NULL;
}

/* Of those that should be. */
static int sets_compare(struct publisher_batch *batch, struct wanted *wanted, const char *domain,
                        bool all)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < wanted->count; i++) {
        struct wanted_set *one = &wanted->sets[i];
        const struct publisher_entry *entry =
            publisher_memory_find(&batch->zone->memory, one->set.name, one->set.type);
        if ((domain && strcmp(one->about, domain) != 0) || (!all && is_settled(entry, &one->set)))
            continue;
        publisher_batch_add(batch, one->set.name, one->set.type, one->about);
        struct update_set copy = one->set; /* its name stays for is_wanted */
        one->set.text = NULL;
        one->set.count = 0;
        publisher_batch_want(batch, &copy);
        if (publisher_batch_is_full(batch))
            status = publisher_batch_run(batch);
    }
    return status;
}

/* Is it the set of an address that nothing else would look at? At a start: any that differs. Of a
 * domain: whether it is in the directory still, is looked up later. */
static bool is_left_over(const struct publisher_entry *entry, const char *domain, bool all)
{
    const char *at = strchr(entry->about, '@');
    if (!at || !entry->differs)
        return false;
    return domain ? strcmp(at + 1, domain) == 0 : all;
}

/* Of those that were sent once, and should not be any more. From the last one on: an entry that is
 * forgotten meanwhile is replaced by a later one, which was looked at. */
static int entries_compare(struct publisher_batch *batch, const struct wanted *wanted,
                           const char *domain, bool all)
{
    const struct publisher_memory *memory = &batch->zone->memory;
    int status = 0;
    for (size_t i = memory->count; status == 0 && i-- > 0;) {
        if (i >= memory->count)
            continue;
        const struct publisher_entry *entry = memory->entries[i];
        bool is_concerned = !strchr(entry->about, '@') && !is_wanted(wanted, entry) &&
                            (!domain || strcmp(entry->about, domain) == 0);
        if (is_left_over(entry, domain, all))
            status = publisher_address_add(batch, entry, domain != NULL);
        else if (is_concerned)
            publisher_batch_add(batch, entry->name, entry->type, entry->about);
        if (status == 0 && publisher_batch_is_full(batch))
            status = publisher_batch_run(batch);
    }
    return status == 0 ? publisher_batch_run(batch) : status;
}

int publisher_domains_compare(struct publisher_batch *batch, const char *domain, bool all)
{
    struct wanted wanted = {.zone = batch->zone};
    int status = wanted_gather(&wanted);
    if (status == 0 && wanted.count > 0)
        qsort(wanted.sets, wanted.count, sizeof(*wanted.sets), order_text);
    if (status == 0)
        status = sets_compare(batch, &wanted, domain, all);
    if (status == 0)
        status = publisher_batch_run(batch);
    if (status == 0)
        status = entries_compare(batch, &wanted, domain, all);
    wanted_free(&wanted);
    return status;
}

int publisher_domains_check(struct publisher_zone *zone)
{
    struct publisher_batch batch;
    publisher_batch_init(&batch, zone, PUBLISHER_FOLLOW);
    int status = publisher_domains_compare(&batch, NULL, zone->check_all);
    publisher_batch_done(&batch);
    if (status == 0)
        zone->check = zone->check_all = false;
    return status;
}
