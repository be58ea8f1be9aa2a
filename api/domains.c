/* /v1/domains */
#include "api/internal.h"
#include "api/json.h"

#include <errno.h>
#include <stdio.h>

/* The answer about one domain, with what is known against it. */
static int domain_reply(struct api_call *call, unsigned status, const struct store_domain *domain)
{
    return api_call_reply(call, status,
                          api_domain_warn(call->api, domain->name, api_domain_encode(domain)),
                          domain->version);
}

/* The {name} of the path in canonical form. */
static int path_domain(struct api_call *call, char name[STORE_DOMAIN_MAX + 1])
{
    struct store_fault fault;
    if (store_domain_canonical(slice_of(call->param), name, &fault) == 0)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "name", "%.256s: %s", call->param,
                           fault.text);
}

static int domain_read(struct api_call *call, const char *name, struct store_domain *domain)
{
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = store_domain_get(call->reader, name, domain);
        store_reader_end(call->reader);
    }
    if (!status)
        return 0;
    api_problem_from_status(&call->problem, status, name);
    return -EPROTO;
}

struct domain_page {
    json_t *array;
    size_t limit;
    char last[STORE_DOMAIN_MAX + 1];
    bool more, failed;
};

/* The list is asked for one record more than the page holds, to know whether there is a next. */
static bool domain_page_add(const struct store_domain *domain, void *arg)
{
    struct domain_page *page = arg;
    if (json_array_size(page->array) == page->limit) {
        page->more = true;
        return false;
    }
    page->failed = json_array_append_new(page->array, api_domain_encode(domain)) != 0;
    snprintf(page->last, sizeof(page->last), "%s", domain->name);
    return !page->failed;
}

static int domain_cursor(struct api_call *call, char after[STORE_DOMAIN_MAX + 1])
{
    const char *cursor = api_call_arg(call, "cursor");
    struct store_fault fault;
    after[0] = '\0';
    if (cursor && store_domain_canonical(slice_of(cursor), after, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "cursor",
                               "cursor: is not the `next` of an earlier answer");
    return 0;
}

int api_domains_get(struct api_call *call)
{
    struct domain_page page = {.failed = false};
    char after[STORE_DOMAIN_MAX + 1];
    if (api_call_limit(call, &page.limit) || domain_cursor(call, after))
        return -EPROTO;
    page.array = json_array();
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = store_domain_list(call->reader, *after ? after : NULL, page.limit + 1,
                                   domain_page_add, &page);
        store_reader_end(call->reader);
    }
    if (!status && page.failed)
        status = -ENOMEM;
    if (status) {
        json_decref(page.array);
        return api_problem_from_status(&call->problem, status, "domains");
    }
    return api_call_reply(
        call, 200,
        json_pack("{s:o, s:s?}", "domains", page.array, "next", page.more ? page.last : NULL), 0);
}

/* What the command made, as it is stored. A key that was used before got the first command's
 * verdict: then what that one made must be the record that is there. */
static int domain_made(struct api_call *call, struct store_domain *domain, uint64_t version)
{
    struct store_domain found;
    if (domain_read(call, domain->name, &found) == 0 && found.version == version) {
        *domain = found;
        return 0;
    }
    if (call->idempotency_key)
        return api_problem_set(&call->problem, API_PROBLEM_KEY_REUSED, "Idempotency-Key",
                               "%s: the request first made with this key made something else, or "
                               "that was changed since",
                               domain->name);
    domain->version = version; /* changed since by another */
    return 0;
}

int api_domains_post(struct api_call *call)
{
    struct store_command command = {.op = STORE_DOMAIN_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_domain *domain = &command.domain;
    uint64_t version;
    if (api_domain_decode(call->body, NULL, domain, &call->problem) ||
        api_submit(call, &command, domain->name, &version) || domain_made(call, domain, version))
        return -EPROTO;
    snprintf(call->location, sizeof(call->location), "/v1/domains/%s", domain->name);
    char warning[API_WARNING_MAX];
    if (*api_domain_warning(call->api, domain->name, warning))
        log_write(call->api->parts.log, LOG_WARNING, "api", "%s", warning);
    return domain_reply(call, 201, domain);
}

int api_domain_get(struct api_call *call)
{
    char name[STORE_DOMAIN_MAX + 1];
    struct store_domain domain;
    if (path_domain(call, name) || domain_read(call, name, &domain))
        return -EPROTO;
    return domain_reply(call, 200, &domain);
}

int api_domain_put(struct api_call *call)
{
    struct store_command command = {.op = STORE_DOMAIN_PUT};
    char name[STORE_DOMAIN_MAX + 1];
    uint64_t version;
    if (path_domain(call, name) || api_call_expected(call, &command.expected_version) ||
        api_domain_decode(call->body, name, &command.domain, &call->problem) ||
        api_submit(call, &command, name, &version))
        return -EPROTO;
    command.domain.version = version;
    return domain_reply(call, 200, &command.domain);
}

int api_domain_delete(struct api_call *call)
{
    struct store_command command = {.op = STORE_DOMAIN_DEL};
    uint64_t version;
    if (path_domain(call, command.domain.name) ||
        api_call_expected(call, &command.expected_version) ||
        api_submit(call, &command, command.domain.name, &version))
        return -EPROTO;
    call->status = 204;
    return 0;
}
