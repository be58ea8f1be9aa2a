/* /v1/addresses: listing, showing. */
#include "api/records.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int address_parse(struct slice text, char *key, struct store_fault *fault)
{
    struct store_address address;
    int status = store_address_parse(text, &address, fault);
    if (!status)
        api_address_format(&address, key);
    return status;
}

static const char *address_key(const void *record, char key[API_MAX_KEY_TEXT])
{
    const struct store_record *address = record;
    return api_address_format(&address->address, key);
}

/* A key is canonical. */
static int address_get(struct store_reader *reader, const char *key, void *record)
{
    struct store_address address;
    int status = store_address_parse(slice_of(key), &address, NULL);
    return status ? status : store_address_get(reader, &address, record);
}

static bool address_is_visible(struct api_call *call, const void *record)
{
    return api_may_record(call, record);
}

static json_t *address_encode(struct api_call *call, const void *record)
{
    (void)call;
    return api_address_encode(record);
}

const struct api_kind api_kind_address = {
    .plural = "addresses",
    .parameter = "address",
    .version_at = offsetof(struct store_record, version),
    .del = STORE_ADDRESS_RELEASE,
    .parse = address_parse,
    .key = address_key,
    .get = address_get,
    .is_visible = address_is_visible,
    .encode = address_encode,
};

/* ---- the list ---- */

struct address_query {
    char domain[STORE_DOMAIN_MAX + 1]; /* "": all */
    char owner[STORE_OWNER_MAX + 1];   /* "": all */
    bool has_state;
    enum store_address_state state;
};

static int query_domain(struct api_call *call, struct address_query *query)
{
    const char *domain = api_call_arg(call, "domain");
    struct store_fault fault;
    if (domain && store_domain_canonical(slice_of(domain), query->domain, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "domain", "%.256s: %s",
                               domain, fault.text);
    if (domain || !(call->who.bits & API_OPERATOR))
        return 0;
    if (call->who.domain_count != 1)
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "domain",
                               "domain: is missing; name one of your domains");
    memcpy(query->domain, call->who.domains[0], sizeof(query->domain));
    return 0;
}

static int query_owner(struct api_call *call, struct address_query *query)
{
    const char *owner = api_call_arg(call, "owner");
    struct store_fault fault;
    if (!owner)
        return 0;
    if (store_owner_check(slice_of(owner), &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "owner", "owner: %s",
                               fault.text);
    return slice_to_cstr(slice_of(owner), query->owner, sizeof(query->owner));
}

static int query_decode(struct api_call *call, struct address_query *query)
{
    const char *state = api_call_arg(call, "state");
    *query = (struct address_query){.has_state = state != NULL};
    if (state && store_address_state_parse(state, &query->state))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "state",
                               "state: there is no state '%.40s'", state);
    return query_domain(call, query) ? -EPROTO : query_owner(call, query);
}

static bool address_is_wanted(const struct api_page *page, const void *record)
{
    const struct address_query *query = page->filter;
    const struct store_record *address = record;
    return (!*query->domain || strcmp(query->domain, address->address.domain) == 0) &&
           (!*query->owner || strcmp(query->owner, address->owner) == 0) &&
           (!query->has_state || query->state == address->state);
}

static bool address_each(const struct store_record *record, void *arg)
{
    return api_page_add(arg, record);
}

/* The next guest of each domain of an operator; no user: there is none. */
struct guest_heads {
    struct store_record of[STORE_TOKEN_DOMAINS_MAX];
};

static bool guest_keep(const struct store_record *record, void *arg)
{
    *(struct store_record *)arg = *record;
    return false;
}

static int guest_advance(struct store_reader *reader, const char *hosting, const char *domain,
                         const struct store_address *after, struct store_record *head)
{
    head->address.user[0] = '\0';
    return store_guest_list(reader, hosting, domain, after, 1, guest_keep, head);
}

static struct store_record *guest_least(struct guest_heads *heads, size_t count)
{
    struct store_record *least = NULL;
    for (size_t i = 0; i < count; i++) {
        struct store_record *head = &heads->of[i];
        if (head->address.user[0] &&
            (!least || strcmp(head->address.user, least->address.user) < 0))
            least = head;
    }
    return least;
}

/* Of a domain that is not his an operator sees what he serves. That is found by his own domains: a
 * domain of which he sees nothing is answered as fast as one that is not there. */
static int guests_list(struct api_page *page, const char *domain, const struct store_address *after)
{
    struct store_reader *reader = page->call->reader;
    const struct api_principal *who = &page->call->who;
    struct guest_heads heads;
    struct store_record *head;
    for (size_t i = 0; i < who->domain_count; i++) {
        int status = guest_advance(reader, who->domains[i], domain, after, &heads.of[i]);
        if (status)
            return status;
    }
    while ((head = guest_least(&heads, who->domain_count)) && api_page_add(page, head)) {
        struct store_address last = head->address;
        int status = guest_advance(reader, who->domains[head - heads.of], domain, &last, head);
        if (status)
            return status;
    }
    return 0;
}

/* By owner where it is a user's, or one is asked for: nobody has as many addresses as a domain. */
static int addresses_list(struct api_page *page, const struct address_query *query)
{
    struct api_call *call = page->call;
    const char *owner = call->who.bits & API_USER ? call->who.owner : query->owner;
    const char *domain = *query->domain ? query->domain : NULL;
    struct store_address address;
    bool has_after =
        *page->after && store_address_parse(slice_of(page->after), &address, NULL) == 0;
    const struct store_address *after = has_after ? &address : NULL;
    if ((call->who.bits & API_OPERATOR) && !api_may_domain(call, domain))
        return guests_list(page, domain, after);
    if (*owner)
        return store_owner_list(call->reader, owner, domain, after, SIZE_MAX, address_each, page);
    return store_address_list(call->reader, domain, after, SIZE_MAX, address_each, page);
}

/* Nothing to list is no answer where the domain is not ours; addresses of a foreign one can be
 * hosted here. Whoever may not see a domain hears the same, however much it has. */
static int emptiness_check(const struct api_page *page, const struct address_query *query)
{
    struct api_call *call = page->call;
    struct store_domain domain;
    if (page->looked_at || *page->after || !*query->domain || (call->who.bits & API_USER))
        return 0;
    if (api_may_domain(call, query->domain) &&
        store_domain_get(call->reader, query->domain, &domain) != STATUS_NOTFOUND)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_NO_RECORD, "domain", "%s is not hosted here",
                           query->domain);
}

int api_addresses_get(struct api_call *call)
{
    struct address_query query;
    struct api_page page;
    if (query_decode(call, &query) || api_page_begin(&page, call, &api_kind_address))
        return -EPROTO;
    page.is_wanted = address_is_wanted;
    page.filter = &query;
    int status = store_reader_begin(call->reader);
    if (status)
        return api_page_reply(&page, status);
    status = addresses_list(&page, &query);
    int refused = status || page.failed ? 0 : emptiness_check(&page, &query);
    store_reader_end(call->reader);
    if (!refused)
        return api_page_reply(&page, status);
    json_decref(page.array);
    return refused;
}
