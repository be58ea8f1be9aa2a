/* The records of single addresses: where those of ours live that another operator serves. */
#include "base/status.h"
#include "resolver/address_label.h"
#include "resolver/enum.h"
#include "resolver/number_zone.h"
#include "resolver/zone.h"

#include <stdio.h>
#include <string.h>

#define PARENT_LABEL "_sipaddr"
#define PREFIX_LEN   (RESOLVER_LABEL_LEN + 1 + sizeof(PARENT_LABEL)) /* with its two dots */

bool zone_has_numbers(const struct zone_conf *conf, const char *domain)
{
    for (size_t i = 0; i < conf->tree_count; i++)
        if (resolver_is_in_tree(conf->trees[i], domain))
            return true;
    return false;
}

bool zone_publishes_addresses(const struct zone_conf *conf, const struct store_domain *domain)
{
    if (domain->move == STORE_MOVE_ARRIVING)
        return false; /* another operator has it still */
    if (zone_has_numbers(conf, domain->name))
        return !domain->unpublished;
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

/* A number whose own name is the zone's apex has none: that has a NAPTR record of the domain. */
static int number_name(const struct zone_conf *conf, const struct store_address *address,
                       char name[ZONE_NAME_MAX + 1])
{
    char digits[STORE_NUMBER_MAX + 1];
    if (!store_zone_number_digits(address, digits))
        return STATUS_LIMIT;
    for (size_t i = 0; i < conf->tree_count; i++)
        if (resolver_is_in_tree(conf->trees[i], address->domain))
            return resolver_enum_name(digits, conf->trees[i], name) ||
                           strcmp(name, address->domain) == 0
                       ? STATUS_LIMIT
                       : 0;
    return STATUS_LIMIT;
}

int zone_address_place(const struct zone_conf *conf, const struct store_address *address,
                       char name[ZONE_NAME_MAX + 1])
{
    return zone_has_numbers(conf, address->domain) ? number_name(conf, address, name)
                                                   : zone_address_name(address, name);
}

/* Has it a record, if nothing keeps it out of DNS? Of addresses those that are served elsewhere; of
 * numbers all, for nobody finds them otherwise. */
static bool has_record(const struct zone_conf *conf, const struct store_record *address)
{
    if (address->state == STORE_ADDRESS_PORTED_OUT)
        return true;
    return address->state == STORE_ADDRESS_HOSTED &&
           zone_has_numbers(conf, address->address.domain);
}

/* Nobody is sent anywhere for a blocked address. */
static bool is_published(const struct zone_conf *conf, const struct store_record *address)
{
    char name[ZONE_NAME_MAX + 1];
    return has_record(conf, address) && !address->blocked && !address->unpublished &&
           zone_address_place(conf, &address->address, name) == 0;
}

static void record_make(const struct zone_conf *conf, const struct store_record *address,
                        struct zone_record *record)
{
    record->type = ZONE_NAPTR;
    record->ttl_s = conf->address_ttl_s;
    zone_address_place(conf, &address->address, record->name);
    if (zone_has_numbers(conf, address->address.domain)) {
        snprintf(record->data, sizeof(record->data),
                 "10 10 \"u\" \"E2U+sip\" \"!^.*$!sip:%s@%s!\" .", address->address.user,
                 address->hosting);
        return;
    }
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
    if (!zone_publishes_addresses(conf, &domain) || !is_published(conf, &found))
        return STATUS_NOTFOUND;
    record_make(conf, &found, record);
    return 0;
}

bool zone_address_record_of(const struct zone_conf *conf, const struct store_record *address,
                            struct zone_record *record)
{
    char name[ZONE_NAME_MAX + 1];
    if (!has_record(conf, address) || zone_address_place(conf, &address->address, name))
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
    if (!is_published(steps->conf, address))
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
