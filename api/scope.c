/* What a principal may see and change. */
#include "api/internal.h"

#include "base/status.h"

#include <errno.h>
#include <string.h>

bool api_principal_has(const struct api_principal *who, const char *domain)
{
    if (who->bits & API_ADMIN)
        return true;
    if (!(who->bits & API_OPERATOR))
        return false;
    for (unsigned i = 0; i < who->domain_count; i++)
        if (strcmp(who->domains[i], domain) == 0)
            return true;
    return false;
}

bool api_may_domain(const struct api_call *call, const char *domain)
{
    return api_principal_has(&call->who, domain);
}

/* Does the domain that hosts it serve an address of another authority's? Then it is its too. */
static bool is_guest(const struct store_record *record)
{
    return record->state == STORE_ADDRESS_PORTED_IN || record->state == STORE_ADDRESS_PREPARED;
}

bool api_may_record(const struct api_call *call, const struct store_record *record)
{
    if (call->who.bits & API_USER)
        return strcmp(call->who.owner, record->owner) == 0;
    return api_may_domain(call, record->address.domain) ||
           (is_guest(record) && api_may_domain(call, record->hosting));
}

int api_not_yours(struct api_call *call, const char *name)
{
    api_problem_from_status(&call->problem, STATUS_NOTFOUND, name);
    return -EPROTO;
}

bool api_user_is_reserved(const struct api *api, const char *user)
{
    for (size_t i = 0; i < api->reserved_count; i++)
        if (strcmp(api->reserved[i], user) == 0)
            return true;
    return store_user_is_reserved(user);
}
