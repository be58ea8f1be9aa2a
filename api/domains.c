/* /v1/domains */
#include "api/records.h"

#include "base/netaddr.h"
#include "base/status.h"
#include "resolver/resolver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int domain_get(struct store_reader *reader, const char *key, void *record)
{
    return store_domain_get(reader, key, record);
}

static bool domain_each(const struct store_domain *domain, void *arg)
{
    return api_page_add(arg, domain);
}

/* The least of an operator's domains after `after` (NULL: of all of them), or NULL. */
static const char *name_next(const struct api_principal *who, const char *after)
{
    const char *least = NULL;
    for (unsigned i = 0; i < who->domain_count; i++) {
        const char *name = who->domains[i];
        if ((!after || strcmp(name, after) > 0) && (!least || strcmp(name, least) < 0))
            least = name;
    }
    return least;
}

static int domain_list_of(struct store_reader *reader, const struct api_principal *who,
                          const char *after, struct api_page *page)
{
    while ((after = name_next(who, after)) != NULL) {
        struct store_domain domain;
        int status = store_domain_get(reader, after, &domain);
        if (status && status != STATUS_NOTFOUND)
            return status;
        if (!status && !api_page_add(page, &domain))
            return 0;
    }
    return 0;
}

static int domain_list(struct store_reader *reader, const char *after, struct api_page *page)
{
    const struct api_principal *who = &page->call->who;
    if (who->scope == STORE_SCOPE_OPERATOR)
        return domain_list_of(reader, who, after, page);
    return store_domain_list(reader, after, SIZE_MAX, domain_each, page);
}

static bool domain_is_visible(struct api_call *call, const void *record)
{
    const struct store_domain *domain = record;
    return api_may_domain(call, domain->name);
}

/* The edge would send itself what is for the domain. */
static bool core_is_us(const struct api_parts *parts, const struct store_core *core)
{
    uint16_t port = core->port ? core->port : core->transport == RESOLVER_TLS ? 5061 : 5060;
    struct netaddr addr;
    return parts->listens && netaddr_from_ip(&addr, slice_of(core->host), port) == 0 &&
           parts->listens(parts->edge, &addr, (enum sip_transport)core->transport);
}

static int domain_decode(struct api_call *call, const char *key, void *record)
{
    struct store_domain *domain = record;
    if (api_domain_decode(call->body, key, domain, &call->problem))
        return -EPROTO;
    for (unsigned i = 0; i < domain->core_count; i++) {
        char field[API_FIELD_MAX], text[API_CORE_TEXT_MAX];
        snprintf(field, sizeof(field), "cores[%u]", i);
        if (core_is_us(&call->api->parts, &domain->cores[i]))
            return api_problem_set(&call->problem, API_PROBLEM_FIELD, field,
                                   "%s: there this edge itself listens; a core is the server "
                                   "behind it, which on the same machine has a port of its own",
                                   api_core_encode(&domain->cores[i], domain->ranked, text));
    }
    return 0;
}

/* With what is known against it. */
static json_t *domain_encode(struct api_call *call, const void *record)
{
    const struct store_domain *domain = record;
    return api_domain_warn(call->api, domain->name, api_domain_encode(domain));
}

const struct api_kind api_kind_domain = {
    .plural = "domains",
    .parameter = "name",
    .version_at = offsetof(struct store_domain, version),
    .created_at = offsetof(struct store_domain, created_ms),
    .add = STORE_DOMAIN_ADD,
    .put = STORE_DOMAIN_PUT,
    .del = STORE_DOMAIN_DEL,
    .parse = store_domain_canonical,
    .key = api_key_first,
    .get = domain_get,
    .list = domain_list,
    .is_visible = domain_is_visible,
    .decode = domain_decode,
    .encode = domain_encode,
};

static int domain_made(struct api_call *call, const struct store_verdict *verdict)
{
    const struct store_domain *domain = api_command_record(call);
    char warning[API_WARNING_MAX];
    if (!call->dry_run && *api_domain_warning(call->api, domain->name, warning))
        log_write(call->api->parts.log, LOG_WARNING, "api", "%s", warning);
    return api_record_made(call, &api_kind_domain, verdict);
}

int api_domain_post(struct api_call *call)
{
    return api_record_add(call, &api_kind_domain, domain_made);
}
