/* /v1/addresses */
#include "api/internal.h"
#include "api/json.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The {address} of the path in canonical form, also as text. */
static int path_address(struct api_call *call, struct store_address *address,
                        char text[API_ADDRESS_TEXT_MAX])
{
    struct store_fault fault;
    if (store_address_parse(slice_of(call->param), address, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "address", "%.512s: %s",
                               call->param, fault.text);
    api_address_format(address, text);
    return 0;
}

static int address_read(struct api_call *call, const struct store_address *address,
                        struct store_record *record)
{
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = store_address_get(call->reader, address, record);
        store_reader_end(call->reader);
    }
    char text[API_ADDRESS_TEXT_MAX];
    if (!status)
        return 0;
    api_problem_from_status(&call->problem, status, api_address_format(address, text));
    return -EPROTO;
}

struct address_page {
    json_t *array;
    size_t limit;
    struct store_address last;
    bool more, failed;
};

/* The list is asked for one record more than the page holds, to know whether there is a next. */
static bool address_page_add(const struct store_record *record, void *arg)
{
    struct address_page *page = arg;
    if (json_array_size(page->array) == page->limit) {
        page->more = true;
        return false;
    }
    page->failed = json_array_append_new(page->array, api_address_encode(record)) != 0;
    page->last = record->address;
    return !page->failed;
}

struct address_query {
    char domain[STORE_DOMAIN_MAX + 1]; /* "": all */
    bool has_after;
    struct store_address after;
};

static int address_query_decode(struct api_call *call, struct address_query *query)
{
    const char *domain = api_call_arg(call, "domain");
    const char *cursor = api_call_arg(call, "cursor");
    struct store_fault fault;
    *query = (struct address_query){.has_after = cursor != NULL};
    if (domain && store_domain_canonical(slice_of(domain), query->domain, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "domain", "%.256s: %s",
                               domain, fault.text);
    if (cursor && store_address_parse(slice_of(cursor), &query->after, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "cursor",
                               "cursor: is not the `next` of an earlier answer");
    return 0;
}

static int address_page_read(struct api_call *call, const struct address_query *query,
                             struct address_page *page)
{
    int status = store_reader_begin(call->reader);
    if (status)
        return status;
    status = store_address_list(call->reader, *query->domain ? query->domain : NULL,
                                query->has_after ? &query->after : NULL, page->limit + 1,
                                address_page_add, page);
    store_reader_end(call->reader);
    return !status && page->failed ? -ENOMEM : status;
}

/* Is the domain one of ours? Returns 0, STATUS_NOTFOUND or a store status. */
static int domain_is_ours(struct api_call *call, const char *name)
{
    struct store_domain domain;
    int status = store_reader_begin(call->reader);
    if (status)
        return status;
    status = store_domain_get(call->reader, name, &domain);
    store_reader_end(call->reader);
    return status;
}

/* Nothing to list is no answer where the domain is not ours; addresses of a foreign one can be
 * hosted here. */
static int emptiness_check(struct api_call *call, const struct address_query *query)
{
    if (*query->domain == '\0' || query->has_after ||
        domain_is_ours(call, query->domain) != STATUS_NOTFOUND)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_NO_RECORD, "domain", "%s is not hosted here",
                           query->domain);
}

int api_addresses_get(struct api_call *call)
{
    struct address_query query;
    struct address_page page = {.failed = false};
    if (api_call_limit(call, &page.limit) || address_query_decode(call, &query))
        return -EPROTO;
    page.array = json_array();
    int status = address_page_read(call, &query, &page);
    if (status) {
        json_decref(page.array);
        return api_problem_from_status(&call->problem, status, "addresses");
    }
    if (json_array_size(page.array) == 0 && emptiness_check(call, &query)) {
        json_decref(page.array);
        return -EPROTO;
    }
    char next[API_ADDRESS_TEXT_MAX];
    return api_call_reply(call, 200,
                          json_pack("{s:o, s:s?}", "addresses", page.array, "next",
                                    page.more ? api_address_format(&page.last, next) : NULL),
                          0);
}

static int place_refuse(struct api_call *call, const char *field, const char *name,
                        const char *reason)
{
    return api_problem_set(&call->problem, API_PROBLEM_FIELD, field, "%s: %s", name, reason);
}

/* Where the address lives decides its state. An address of our domain is hosted there, or ported
 * out to a foreign domain; a foreign one can be hosted at a domain of ours (ported in). */
static int address_place(struct api_call *call, struct store_record *record)
{
    const char *own_name = record->address.domain;
    bool is_home = !*record->hosting || strcmp(record->hosting, own_name) == 0;
    int own = domain_is_ours(call, own_name);
    if (own && own != STATUS_NOTFOUND)
        return api_problem_from_status(&call->problem, own, own_name);
    if (is_home && own == STATUS_NOTFOUND)
        return place_refuse(call, "address", own_name,
                            "is not one of our domains: add it first, or name the one of ours that "
                            "hosts the address");
    int host = is_home ? 0 : domain_is_ours(call, record->hosting);
    if (host && host != STATUS_NOTFOUND)
        return api_problem_from_status(&call->problem, host, record->hosting);
    if (own == 0 && host == 0 && !is_home)
        return place_refuse(call, "hosting", record->hosting,
                            "is ours, as the address's own domain is, which serves it already");
    if (own == STATUS_NOTFOUND && host == STATUS_NOTFOUND)
        return place_refuse(call, "hosting", record->hosting,
                            "neither this domain nor the address's own is one of ours");
    if (is_home)
        snprintf(record->hosting, sizeof(record->hosting), "%s", own_name);
    if (is_home)
        record->state = STORE_ADDRESS_HOSTED;
    else
        record->state = host == 0 ? STORE_ADDRESS_PORTED_IN : STORE_ADDRESS_PORTED_OUT;
    return 0;
}

/* What the command made, as it is stored. A key that was used before got the first command's
 * verdict: then what that one made must be the record that is there. */
static int address_made(struct api_call *call, struct store_record *record, uint64_t version)
{
    struct store_record found;
    char text[API_ADDRESS_TEXT_MAX];
    if (address_read(call, &record->address, &found) == 0 && found.version == version) {
        *record = found;
        return 0;
    }
    if (call->idempotency_key)
        return api_problem_set(&call->problem, API_PROBLEM_KEY_REUSED, "Idempotency-Key",
                               "%s: the request first made with this key made something else, or "
                               "that was changed since",
                               api_address_format(&record->address, text));
    record->version = version; /* changed since by another */
    return 0;
}

int api_addresses_post(struct api_call *call)
{
    struct store_command command = {.op = STORE_ADDRESS_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_record *record = &command.record;
    char text[API_ADDRESS_TEXT_MAX], escaped[3 * API_ADDRESS_TEXT_MAX];
    uint64_t version;
    if (api_address_decode(call->body, record, &call->problem) || address_place(call, record))
        return -EPROTO;
    api_address_format(&record->address, text);
    if (api_submit(call, &command, text, &version) || address_made(call, record, version))
        return -EPROTO;
    snprintf(call->location, sizeof(call->location), "/v1/addresses/%s",
             api_url_escape(text, escaped, sizeof(escaped)));
    return api_call_reply(call, 201, api_address_encode(record), version);
}

int api_address_get(struct api_call *call)
{
    struct store_address address;
    struct store_record record;
    char text[API_ADDRESS_TEXT_MAX];
    if (path_address(call, &address, text) || address_read(call, &address, &record))
        return -EPROTO;
    return api_call_reply(call, 200, api_address_encode(&record), record.version);
}

int api_address_delete(struct api_call *call)
{
    struct store_command command = {.op = STORE_ADDRESS_RELEASE};
    char text[API_ADDRESS_TEXT_MAX];
    uint64_t version;
    if (path_address(call, &command.record.address, text) ||
        api_call_expected(call, &command.expected_version) ||
        api_submit(call, &command, text, &version))
        return -EPROTO;
    call->status = 204;
    return 0;
}
