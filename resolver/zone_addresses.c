/* The records of single addresses: where those of ours live that another operator serves. */
#include "base/status.h"
#include "resolver/address_label.h"
#include "resolver/zone.h"

#include <stdio.h>
#include <string.h>

#define PARENT_LABEL "_sipaddr"
#define PREFIX_LEN   (RESOLVER_LABEL_LEN + 1 + sizeof(PARENT_LABEL)) /* with its two dots */

bool zone_publishes_addresses(const struct zone_conf *conf, const struct store_domain *domain)
{
    return conf->address_records && !domain->unpublished &&
           PREFIX_LEN + strlen(domain->name) <= ZONE_NAME_MAX;
}

int zone_address_name(const struct store_address *address, char name[ZONE_NAME_MAX + 1])
{
    char label[RESOLVER_LABEL_LEN + 1];
    if (PREFIX_LEN + strlen(address->domain) > ZONE_NAME_MAX)
        return STATUS_LIMIT;
    snprintf(name, ZONE_NAME_MAX + 1, "%s." PARENT_LABEL ".%s",
             resolver_address_label(address->user, label), address->domain);
    return 0;
}

/* Nobody is sent anywhere for a blocked address. */
static bool is_published(const struct store_record *address)
{
    return address->state == STORE_ADDRESS_PORTED_OUT && !address->blocked && !address->unpublished;
}

static void record_make(const struct zone_conf *conf, const struct store_record *address,
                        struct zone_record *record)
{
    record->type = ZONE_NAPTR;
    record->ttl_s = conf->address_ttl_s;
    zone_address_name(&address->address, record->name);
    snprintf(record->data, sizeof(record->data), "10 10 \"\" \"SIP+host\" \"\" %s.",
             address->hosting);
}

int zone_address_record(const struct zone_conf *conf, struct store_reader *reader,
                        const struct store_address *address, struct zone_record *record)
{
    struct store_domain domain;
    struct store_record found;
    int status = store_domain_get(reader, address->domain, &domain);
    if (status == 0)
        status = store_address_get(reader, address, &found);
    if (status != 0)
        return status;
    if (!zone_publishes_addresses(conf, &domain) || !is_published(&found))
        return STATUS_NOTFOUND;
    record_make(conf, &found, record);
    return 0;
}

bool zone_address_record_of(const struct zone_conf *conf, const struct store_record *address,
                            struct zone_record *record)
{
    char name[ZONE_NAME_MAX + 1];
    if (address->state != STORE_ADDRESS_PORTED_OUT || zone_address_name(&address->address, name))
        return false;
    record_make(conf, address, record);
    return true;
}

struct address_walk {
    const struct zone_conf *conf;
    struct zone_walk *walk;
    size_t looked_at;
    bool stopped;
    zone_record_h *each;
    void *arg;
};

static bool address_visit(const struct store_record *address, void *arg)
{
    struct address_walk *steps = arg;
    struct zone_record record;
    steps->looked_at++;
    steps->walk->last = address->address;
    if (!is_published(address))
        return true;
    record_make(steps->conf, address, &record);
    steps->stopped = !steps->each(&record, steps->arg);
    return !steps->stopped;
}

int zone_address_records(const struct zone_conf *conf, struct store_reader *reader,
                         const char *domain, size_t max, struct zone_walk *walk,
                         zone_record_h *each, void *arg)
{
    struct address_walk steps = {.conf = conf, .walk = walk, .each = each, .arg = arg};
    struct store_domain record;
    int status = store_domain_get(reader, domain, &record);
    walk->more = false;
    if (status != 0 || !zone_publishes_addresses(conf, &record))
        return status;
    struct store_address after = walk->last;
    status = store_address_list(reader, domain, after.user[0] != '\0' ? &after : NULL, max,
                                address_visit, &steps);
    walk->more = steps.stopped || steps.looked_at == max;
    return status;
}
