/* /v1/dns/records/{domain}: the records that should exist in DNS, page by page. The first page has
 * all but those of single addresses, and what stands against them. */
#include "api/moves.h"
#include "api/records.h"

#include "base/status.h"
#include "resolver/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int api_zone_set(struct api *api, const struct zone_conf *zone)
{
    struct zone_conf *fresh = malloc(sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    *fresh = *zone;
    pthread_mutex_lock(&api->lock);
    struct zone_conf *old = api->zone;
    api->zone = fresh;
    pthread_mutex_unlock(&api->lock);
    free(old);
    return 0;
}

/* As it is now; free() it. NULL without memory. */
static struct zone_conf *zone_copy(struct api *api)
{
    struct zone_conf *copy = malloc(sizeof(*copy));
    if (!copy)
        return NULL;
    pthread_mutex_lock(&api->lock);
    if (api->zone)
        *copy = *api->zone;
    else
        *copy = (struct zone_conf){.ttl_s = 0};
    pthread_mutex_unlock(&api->lock);
    return copy;
}

uint32_t api_zone_ttl(struct api *api)
{
    pthread_mutex_lock(&api->lock);
    uint32_t ttl_s = api->zone ? api->zone->ttl_s : 0;
    pthread_mutex_unlock(&api->lock);
    return ttl_s;
}

struct records {
    struct api_call *call;
    struct zone_conf *zone;
    char domain[STORE_DOMAIN_MAX + 1];
    struct zone_walk walk; /* behind the cursor, if there is one */
    size_t limit;
    json_t *array, *warnings;
    bool failed;
};

/* ---- the records ---- */

static json_t *record_encode(const struct zone_record *record)
{
    return json_pack("{s:s, s:s, s:I, s:s}", "name", record->name, "type",
                     zone_type_name(record->type), "ttl", (json_int_t)record->ttl_s, "data",
                     record->data);
}

static bool record_add(const struct zone_record *record, void *arg)
{
    struct records *records = arg;
    records->failed = json_array_append_new(records->array, record_encode(record)) != 0;
    return !records->failed;
}

/* One of an address: what has come before it counts for the size of the page. */
static bool record_add_within(const struct zone_record *record, void *arg)
{
    struct records *records = arg;
    return record_add(record, arg) && json_array_size(records->array) < records->limit;
}

static bool is_first_page(const struct records *records)
{
    return records->walk.last.user[0] == '\0';
}

static int records_read(struct records *records, struct store_reader *reader)
{
    bool first = is_first_page(records);
    int status = 0;
    if (first) {
        status = zone_domain_records(records->zone, reader, records->domain, record_add, records);
        if (status || records->failed)
            return status;
    }
    bool full = json_array_size(records->array) >= records->limit;
    status = zone_address_records(records->zone, reader, records->domain, full ? 1 : API_MAX_SCAN,
                                  &records->walk, record_add_within, records);
    return first && status == STATUS_NOTFOUND ? 0 : status; /* not ours, but around our hosts */
}

/* ---- what stands against them ---- */

static void warning_add(struct records *records, const char *text)
{
    if (json_array_append_new(records->warnings, json_string(text)))
        records->failed = true;
}

static int target_warn(struct records *records, struct store_reader *reader,
                       const struct zone_target *target)
{
    char text[2 * STORE_DOMAIN_MAX + 200], zone[STORE_DOMAIN_MAX + 1];
    int status = zone_target_inside(reader, target, records->domain);
    if (status == 0 && target->address_count == 0) {
        snprintf(text, sizeof(text),
                 "%s: its IP addresses are not known; give its outside listener addresses = "
                 "{\"...\"} in the configuration",
                 target->host);
        warning_add(records, text);
    }
    if (status != STATUS_NOTFOUND)
        return status;
    status = zone_of_host(reader, target->host, zone);
    if (status == STATUS_NOTFOUND) {
        snprintf(text, sizeof(text),
                 "%s: is in none of our domains: its A, AAAA and TLSA records belong into the zone "
                 "that it is in, see junctor dns records for that",
                 target->host);
        warning_add(records, text);
    }
    return status == STATUS_NOTFOUND ? 0 : status;
}

/* Those that no NAPTR or SRV record can mend. */
static int warnings_read(struct records *records, struct store_reader *reader)
{
    const struct zone_conf *zone = records->zone;
    char why[API_WARNING_MAX];
    if (zone->target_count == 0)
        warning_add(records,
                    "no outside listener is known by a host name, so no SRV record can lead here; "
                    "give one advertise = \"HOST\" in the configuration");
    if (*api_domain_warning(records->call->api, records->domain, why))
        warning_add(records, why);
    int status = 0;
    for (size_t i = 0; i < zone->target_count && status == 0; i++)
        status = target_warn(records, reader, &zone->targets[i]);
    return status;
}

/* ---- the request ---- */

/* The domain, and the cursor: an address of it, the last one looked at. */
static int params_take(struct records *records)
{
    struct api_call *call = records->call;
    const char *cursor = api_call_arg(call, "cursor");
    struct store_fault fault;
    if (store_domain_canonical(slice_of(call->param), records->domain, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "domain", "%.512s: %s",
                               call->param, fault.text);
    if (api_call_limit(call, &records->limit))
        return -EPROTO;
    if (cursor && (store_address_parse(slice_of(cursor), &records->walk.last, NULL) ||
                   strcmp(records->walk.last.domain, records->domain) != 0))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "cursor",
                               "cursor: is not the `next` of an earlier answer");
    if (!api_may_domain(call, records->domain))
        return api_not_yours(call, records->domain);
    return 0;
}

static int records_fill(struct records *records)
{
    struct store_reader *reader = records->call->reader;
    bool first = is_first_page(records);
    int status = store_reader_begin(reader);
    if (status)
        return status;
    status = records_read(records, reader);
    if (!status && first)
        status = warnings_read(records, reader);
    store_reader_end(reader);
    return !status && records->failed ? -ENOMEM : status;
}

static json_t *records_encode(struct records *records)
{
    char next[API_ADDRESS_TEXT_MAX];
    json_t *answer =
        json_pack("{s:O, s:s?}", "records", records->array, "next",
                  records->walk.more ? api_address_format(&records->walk.last, next) : NULL);
    if (json_array_size(records->warnings) && answer)
        json_object_set(answer, "warnings", records->warnings);
    return answer;
}

static int records_reply(struct records *records)
{
    struct api_call *call = records->call;
    int status = records_fill(records);
    if (status == STATUS_NOTFOUND)
        return api_not_yours(call, records->domain);
    if (status == STATUS_LIMIT)
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "domain",
                               "%s: the name of one of its records would be longer than the %d "
                               "octets that DNS allows",
                               records->domain, ZONE_NAME_MAX);
    if (status)
        return api_problem_from_status(&call->problem, status, records->domain);
    return api_call_reply(call, 200, records_encode(records), 0);
}

int api_dns_records_get(struct api_call *call)
{
    struct records records = {.call = call};
    if (params_take(&records))
        return -EPROTO;
    records.zone = zone_copy(call->api);
    records.array = json_array();
    records.warnings = json_array();
    int status = records.zone ? records_reply(&records)
                              : api_problem_from_status(&call->problem, -ENOMEM, records.domain);
    json_decref(records.array);
    json_decref(records.warnings);
    free(records.zone);
    return status;
}
