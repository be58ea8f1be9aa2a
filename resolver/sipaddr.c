#include "resolver/sipaddr.h"

#include "base/status.h"

#include <stdio.h>
#include <string.h>

int resolver_sipaddr_parent(const char *domain, char name[RESOLVER_NAME_MAX + 1])
{
    if (sizeof("_sipaddr.") - 1 + strlen(domain) > RESOLVER_NAME_MAX)
        return STATUS_LIMIT;
    snprintf(name, RESOLVER_NAME_MAX + 1, "_sipaddr.%s", domain);
    return 0;
}

bool resolver_sipaddr_published(const struct resolver_set *txt)
{
    const struct slice version = SLICE("v=sipaddr1");
    for (size_t i = 0; i < txt->count; i++) {
        struct slice text = txt->records[i].txt.text;
        if (!slice_starts_with(text, version))
            continue;
        if (text.len == version.len || text.p[version.len] == ';' || text.p[version.len] == ' ')
            return true;
    }
    return false;
}

const char *resolver_sipaddr_refusal(const struct resolver_naptr *naptr)
{
    char hosting[STORE_DOMAIN_MAX + 1];
    if (!slice_eq_nocase(slice_of(naptr->service), SLICE("SIP+host")))
        return "only SIP+host names a hosting domain";
    if (naptr->flags[0] != '\0')
        return "a record with a flag names no hosting domain";
    if (naptr->regexp.len > 0)
        return "an expression names no hosting domain";
    if (store_domain_canonical(slice_of(naptr->replacement), hosting, NULL) != 0)
        return "its replacement is no SIP domain";
    return NULL;
}

int resolver_sipaddr_hosting(const struct resolver_set *naptr, char hosting[STORE_DOMAIN_MAX + 1])
{
    const struct resolver_naptr *best = NULL;
    for (size_t i = 0; i < naptr->count; i++) {
        const struct resolver_naptr *record = &naptr->records[i].naptr;
        if (!resolver_sipaddr_refusal(record) && (!best || resolver_naptr_before(record, best)))
            best = record;
    }
    if (!best)
        return STATUS_NOTFOUND;
    return store_domain_canonical(slice_of(best->replacement), hosting, NULL);
}
