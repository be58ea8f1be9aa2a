/* The records of a domain, its hosts and their keys; those of its addresses are in
 * zone_addresses.c. */
#include "resolver/zone.h"

#include "base/hex.h"
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One place is as good as another: an even choice by weight among all targets. */
#define ORDER          10u
#define WEIGHT         10u
#define RECEIPT_PARENT "_sipaddr-key."
#define TLSA_3_1_1     "3 1 1 " /* DANE-EE, SubjectPublicKeyInfo, SHA-256 (RFC 6698, RFC 7671) */

const char *zone_type_name(enum zone_type type)
{
    switch (type) {
    case ZONE_A:
        return "A";
    case ZONE_TXT:
        return "TXT";
    case ZONE_AAAA:
        return "AAAA";
    case ZONE_SRV:
        return "SRV";
    case ZONE_NAPTR:
        return "NAPTR";
    case ZONE_TLSA:
        return "TLSA";
    }
    return "TYPE0";
}

const char *zone_record_line(const struct zone_record *record, char line[ZONE_LINE_MAX])
{
    snprintf(line, ZONE_LINE_MAX, "%s. %u IN %s %s", record->name, record->ttl_s,
             zone_type_name(record->type), record->data);
    return line;
}

/* ---- the configuration ---- */

static struct zone_target *target_find(struct zone_conf *conf, const char *host, uint16_t port)
{
    for (size_t i = 0; i < conf->target_count; i++)
        if (conf->targets[i].port == port && strcmp(conf->targets[i].host, host) == 0)
            return &conf->targets[i];
    return NULL;
}

static bool target_has(const struct zone_target *target, const struct netaddr *addr)
{
    for (size_t i = 0; i < target->address_count; i++)
        if (netaddr_eq_ip(&target->addresses[i], addr))
            return true;
    return false;
}

int zone_target_add(struct zone_conf *conf, const char *host, uint16_t port,
                    const struct netaddr *addresses, size_t count)
{
    struct zone_target *target = target_find(conf, host, port);
    if (!target) {
        if (conf->target_count == ZONE_TARGETS_MAX)
            return STATUS_LIMIT;
        target = &conf->targets[conf->target_count++];
        *target = (struct zone_target){.port = port};
        snprintf(target->host, sizeof(target->host), "%s", host);
    }
    for (size_t i = 0; i < count; i++) {
        if (target_has(target, &addresses[i]))
            continue;
        if (target->address_count == ZONE_ADDRESSES_MAX)
            return STATUS_LIMIT;
        target->addresses[target->address_count++] = addresses[i];
    }
    return 0;
}

int zone_key_add(struct zone_conf *conf, const uint8_t key[ZONE_KEY_LEN])
{
    for (size_t i = 0; i < conf->key_count; i++)
        if (memcmp(conf->keys[i], key, ZONE_KEY_LEN) == 0)
            return 0;
    if (conf->key_count == ZONE_KEYS_MAX)
        return STATUS_LIMIT;
    memcpy(conf->keys[conf->key_count++], key, ZONE_KEY_LEN);
    return 0;
}

void zone_targets_take(struct zone_conf *conf, const struct zone_conf *from)
{
    memcpy(conf->targets, from->targets, sizeof(conf->targets));
    conf->target_count = from->target_count;
    conf->porting = from->porting;
    conf->receipt = from->receipt;
    conf->receipt_arg = from->receipt_arg;
}

/* The hosts that are named: those of SIP, and behind them that of the federation API. */
static size_t host_count(const struct zone_conf *conf)
{
    return conf->target_count + (conf->porting.host[0] != '\0');
}

static const struct zone_target *host_at(const struct zone_conf *conf, size_t index)
{
    return index < conf->target_count ? &conf->targets[index] : &conf->porting;
}

/* ---- one record after the other ---- */

struct zone_list {
    const struct zone_conf *conf;
    const char *domain;
    uint32_t ttl_s;
    bool inside[ZONE_TARGETS_MAX + 1]; /* by host: its host belongs to this domain's zone */
    struct zone_record record;         /* the one being made */
    zone_record_h *each;
    void *arg;
    bool stopped;
    int status; /* of the first step that failed; later steps do nothing */
};

static bool list_goes_on(const struct zone_list *list)
{
    return !list->stopped && list->status == 0;
}

/* The name of the next record. */
__attribute__((format(printf, 3, 4))) static void record_begin(struct zone_list *list,
                                                               enum zone_type type,
                                                               const char *format, ...)
{
    va_list args;
    if (!list_goes_on(list))
        return;
    list->record.type = type;
    list->record.ttl_s = list->ttl_s;
    va_start(args, format);
    int len = vsnprintf(list->record.name, sizeof(list->record.name), format, args);
    va_end(args);
    if (len < 0 || len > ZONE_NAME_MAX)
        list->status = STATUS_LIMIT;
}

/* Its data; then it goes out. */
__attribute__((format(printf, 2, 3))) static void record_end(struct zone_list *list,
                                                             const char *format, ...)
{
    va_list args;
    if (!list_goes_on(list))
        return;
    va_start(args, format);
    vsnprintf(list->record.data, sizeof(list->record.data), format, args);
    va_end(args);
    list->stopped = !list->each(&list->record, list->arg);
}

/* ---- which host stands in whose zone ---- */

/* `host` is `domain` or below it. */
static bool is_below(const char *host, const char *domain)
{
    size_t host_len = strlen(host), len = strlen(domain);
    if (host_len < len || strcmp(host + host_len - len, domain) != 0)
        return false;
    return host_len == len || host[host_len - len - 1] == '.';
}

int zone_of_host(struct store_reader *reader, const char *host, char domain[STORE_DOMAIN_MAX + 1])
{
    for (const char *name = host; name; name = strchr(name, '.')) {
        struct store_domain found;
        name += *name == '.';
        int status = store_domain_get(reader, name, &found);
        if (status == 0)
            memcpy(domain, found.name, sizeof(found.name));
        if (status != STATUS_NOTFOUND)
            return status;
    }
    return STATUS_NOTFOUND;
}

int zone_target_inside(struct store_reader *reader, const struct zone_target *target,
                       const char *domain)
{
    char zone[STORE_DOMAIN_MAX + 1];
    if (!is_below(target->host, domain))
        return STATUS_NOTFOUND;
    int status = zone_of_host(reader, target->host, zone);
    if (status == STATUS_NOTFOUND) /* whichever of the domains around it is asked for */
        return 0;
    return status == 0 && strcmp(zone, domain) != 0 ? STATUS_NOTFOUND : status;
}

/* Sets list->inside. Returns whether any is; a failure is in list->status. */
static bool inside_find(struct zone_list *list, struct store_reader *reader)
{
    bool any = false;
    for (size_t i = 0; i < host_count(list->conf) && list->status == 0; i++) {
        int status = zone_target_inside(reader, host_at(list->conf, i), list->domain);
        list->inside[i] = status == 0;
        any = any || status == 0;
        if (status != STATUS_NOTFOUND)
            list->status = status;
    }
    return any;
}

/* ---- the records ---- */

/* How peers find the domain's edge (RFC 3263 section 4.1): one NAPTR, an SRV for each target. */
static void service_add(struct zone_list *list)
{
    const struct zone_conf *conf = list->conf;
    if (conf->target_count == 0)
        return;
    record_begin(list, ZONE_NAPTR, "%s", list->domain);
    record_end(list, "%u %u \"s\" \"SIPS+D2T\" \"\" _sips._tcp.%s.", ORDER, ORDER, list->domain);
    for (size_t i = 0; i < conf->target_count; i++) {
        record_begin(list, ZONE_SRV, "_sips._tcp.%s", list->domain);
        record_end(list, "%u %u %u %s.", ORDER, WEIGHT, conf->targets[i].port,
                   conf->targets[i].host);
    }
}

/* How other operators find the federation API. */
static void porting_add(struct zone_list *list)
{
    const struct zone_target *porting = &list->conf->porting;
    if (porting->host[0] == '\0')
        return;
    record_begin(list, ZONE_SRV, "_address-porting._tcp.%s", list->domain);
    record_end(list, "%u %u %u %s.", ORDER, WEIGHT, porting->port, porting->host);
}

/* Has an earlier target of the same host this address? */
static bool is_told(const struct zone_list *list, size_t target, const struct netaddr *addr)
{
    const struct zone_target *own = host_at(list->conf, target);
    for (size_t i = 0; i < target; i++)
        if (strcmp(list->conf->targets[i].host, own->host) == 0 &&
            target_has(&list->conf->targets[i], addr))
            return true;
    return false;
}

static void addresses_add(struct zone_list *list, size_t target, enum zone_type type, int family)
{
    const struct zone_target *host = host_at(list->conf, target);
    for (size_t i = 0; i < host->address_count; i++) {
        char text[NETADDR_TEXT_MAX];
        const struct netaddr *addr = &host->addresses[i];
        if (addr->sa.sa_family != family || is_told(list, target, addr))
            continue;
        record_begin(list, type, "%s", host->host);
        record_end(list, "%s", netaddr_format_ip(addr, text));
    }
}

static void hosts_add(struct zone_list *list, enum zone_type type, int family)
{
    for (size_t i = 0; i < host_count(list->conf); i++)
        if (list->inside[i])
            addresses_add(list, i, type, family);
}

/* Where TLSA records of a service stand: RFC 6698 section 3, at the SRV target by RFC 7673. */
static void keys_add(struct zone_list *list)
{
    const struct zone_conf *conf = list->conf;
    for (size_t i = 0; i < conf->target_count; i++) {
        for (size_t k = 0; list->inside[i] && k < conf->key_count; k++) {
            char text[HEX_LEN(ZONE_KEY_LEN) + 1];
            record_begin(list, ZONE_TLSA, "_%u._tcp.%s", conf->targets[i].port,
                         conf->targets[i].host);
            record_end(list, TLSA_3_1_1 "%s", hex_encode(conf->keys[k], ZONE_KEY_LEN, text));
        }
    }
}

/* By which keys receipts of ports are signed (design section 8). */
static void receipts_add(struct zone_list *list)
{
    const struct zone_conf *conf = list->conf;
    char text[ZONE_RECEIPT_MAX];
    if (!conf->receipt || sizeof(RECEIPT_PARENT) - 1 + strlen(list->domain) > ZONE_NAME_MAX)
        return;
    for (size_t i = 0; i < ZONE_RECEIPTS_MAX && list_goes_on(list); i++) {
        if (!conf->receipt(list->domain, i, text, sizeof(text), conf->receipt_arg))
            return;
        record_begin(list, ZONE_TXT, RECEIPT_PARENT "%s", list->domain);
        record_end(list, "\"%s\"", text);
    }
}

/* Of a domain that is about to move. */
static uint32_t zone_ttl(const struct zone_conf *conf, const struct store_domain *domain)
{
    return domain->move != STORE_MOVE_NONE && conf->ttl_s > ZONE_MOVE_TTL_S ? ZONE_MOVE_TTL_S
                                                                            : conf->ttl_s;
}

int zone_domain_records(const struct zone_conf *conf, struct store_reader *reader,
                        const char *domain, zone_record_h *each, void *arg)
{
    struct zone_list list = {.conf = conf, .domain = domain, .each = each, .arg = arg};
    struct store_domain record;
    int ours = store_domain_get(reader, domain, &record);
    if (ours == 0 && record.move == STORE_MOVE_ARRIVING)
        ours = STATUS_NOTFOUND; /* another operator has it still */
    list.ttl_s = ours == 0 ? zone_ttl(conf, &record) : conf->ttl_s;
    bool has_hosts = inside_find(&list, reader);
    if (list.status != 0)
        return list.status;
    if (ours != 0 && (ours != STATUS_NOTFOUND || !has_hosts))
        return ours;

    if (ours == 0) {
        service_add(&list);
        porting_add(&list);
    }
    if (ours == 0 && zone_publishes_addresses(conf, &record) && !zone_has_numbers(conf, domain)) {
        record_begin(&list, ZONE_TXT, "_sipaddr.%s", domain);
        record_end(&list, "\"v=sipaddr1\"");
    }
    if (ours == 0)
        receipts_add(&list);
    hosts_add(&list, ZONE_A, AF_INET);
    hosts_add(&list, ZONE_AAAA, AF_INET6);
    keys_add(&list);
    return list.status;
}
