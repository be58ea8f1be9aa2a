#include "resolver/resolver.h"

#include <string.h>

static void decide(const struct store_address *address, struct resolver_answer *answer)
{
    const struct store_route *route = &answer->route;
    const char *hosting = address->domain;
    if (route->address_found) {
        bool hosted = route->state == STORE_ADDRESS_HOSTED;
        answer->rule = hosted ? RESOLVER_HOSTED : RESOLVER_PORTED_OUT;
        hosting = route->hosting;
    } else if (!route->domain_is_ours) {
        answer->rule = RESOLVER_AUTHORITY;
    } else if (route->core.unknown == STORE_UNKNOWN_CORE) {
        answer->rule = RESOLVER_UNKNOWN_CORE;
    } else {
        answer->rule = RESOLVER_UNKNOWN;
        hosting = "";
    }
    memcpy(answer->hosting, hosting, strlen(hosting) + 1);
}

int resolver_lookup(struct store_reader *reader, const struct store_address *address,
                    struct resolver_answer *answer)
{
    int status = store_route(reader, address, &answer->route);
    if (status < 0)
        return status;
    decide(address, answer);
    return 0;
}

const char *resolver_rule_text(enum resolver_rule rule)
{
    switch (rule) {
    case RESOLVER_HOSTED:
        return "the address is in our directory: our core serves it";
    case RESOLVER_PORTED_OUT:
        return "the address is in our directory: it is ported out, another domain serves it";
    case RESOLVER_UNKNOWN_CORE:
        return "the domain is ours and does not know the address: our core is asked";
    case RESOLVER_UNKNOWN:
        return "the domain is ours and does not know the address: there is no such address";
    case RESOLVER_AUTHORITY:
        return "the domain is not one of ours: its own authority answers for it";
    }
    return "no rule";
}
