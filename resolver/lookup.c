#include "base/status.h"
#include "resolver/internal.h"

#include <stdio.h>
#include <string.h>

/* An address that the directory has. */
static enum resolver_rule decide_found(const struct store_route *route)
{
    if (route->blocked)
        return RESOLVER_BLOCKED;
    switch (route->state) {
    case STORE_ADDRESS_HOSTED:
    case STORE_ADDRESS_PORTED_IN:
        return RESOLVER_HOSTED;
    case STORE_ADDRESS_PORTED_OUT:
        return RESOLVER_PORTED_OUT;
    case STORE_ADDRESS_MOVED:
        return RESOLVER_MOVED;
    case STORE_ADDRESS_ALIAS:
        return RESOLVER_ALIAS;
    case STORE_ADDRESS_PREPARED:
    case STORE_ADDRESS_TOMBSTONE:
    case STORE_ADDRESS_STATE_COUNT:
        break;
    }
    return RESOLVER_BLOCKED;
}

static void decide(const struct store_address *address, struct resolver_answer *answer)
{
    const struct store_route *route = &answer->route;
    const char *hosting = address->domain;
    if (route->address_found) {
        answer->rule = decide_found(route);
        hosting = answer->rule == RESOLVER_BLOCKED ? "" : route->hosting;
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

/* ---- numbers ---- */

/* "+digits" as an address of this domain. */
static void number_at(const char *digits, const char *domain, struct store_address *address)
{
    snprintf(address->user, sizeof(address->user), "+%s", digits);
    snprintf(address->domain, sizeof(address->domain), "%s", domain);
}

/* One that its ENUM zone holds: the record of its address there says who serves it. */
static int number_judge(const struct resolver_answer *answer, struct resolver_number *number)
{
    switch (answer->rule) {
    case RESOLVER_HOSTED:
        number->is_here = true;
        number->leads_to = number->entry.address;
        return 0;
    case RESOLVER_PORTED_OUT:
    case RESOLVER_MOVED:
        number_at(number->entry.digits, answer->hosting, &number->leads_to);
        return 0;
    case RESOLVER_BLOCKED:
        number->leads_to = number->at_zone;
        return 0;
    case RESOLVER_ALIAS:
    case RESOLVER_UNKNOWN_CORE:
    case RESOLVER_UNKNOWN:
    case RESOLVER_AUTHORITY: /* prepared, or gone: DNS knows */
    case RESOLVER_PUBLISHED:
    case RESOLVER_PSTN:
    case RESOLVER_NO_NUMBER:
        break;
    }
    return STATUS_NOTFOUND;
}

int resolver_number_get(struct store_reader *reader, const char *digits,
                        struct resolver_number *number)
{
    struct resolver_number found = {.is_here = false};
    struct resolver_answer answer;
    int status = store_number_get(reader, digits, &found.entry);
    if (status)
        return status;
    if (found.entry.zone[0]) {
        number_at(digits, found.entry.zone, &found.at_zone);
        status = resolver_lookup(reader, &found.at_zone, &answer);
        if (status == 0)
            status = number_judge(&answer, &found);
    } else {
        found.is_here = true;
        found.leads_to = found.entry.address;
    }
    if (status == 0)
        *number = found;
    return status;
}

/* ---- the directory of a search that sees all of it ---- */

static int whole_lookup(struct store_reader *reader, const struct store_address *address,
                        struct resolver_answer *answer, void *arg)
{
    (void)arg;
    return resolver_lookup(reader, address, answer);
}

static int whole_number(struct store_reader *reader, const char *digits,
                        struct store_address *address, void *arg)
{
    struct resolver_number number;
    (void)arg;
    int status = resolver_number_get(reader, digits, &number);
    if (status == 0)
        *address = number.leads_to;
    return status;
}

static int whole_domain(struct store_reader *reader, const char *name, void *arg)
{
    struct store_domain domain;
    (void)arg;
    return store_domain_get(reader, name, &domain);
}

const struct resolver_directory resolver_whole_directory = {
    .lookup = whole_lookup, .number = whole_number, .domain = whole_domain};

const char *resolver_rule_text(enum resolver_rule rule)
{
    switch (rule) {
    case RESOLVER_HOSTED:
        return "the address is in our directory: our core serves it";
    case RESOLVER_PORTED_OUT:
        return "the address is in our directory: it is ported out, another domain serves it";
    case RESOLVER_MOVED:
        return "the address is in our directory: it moved from here to another domain";
    case RESOLVER_ALIAS:
        return "the address is in our directory: it is another name of an address elsewhere";
    case RESOLVER_BLOCKED:
        return "the address is in our directory: it is blocked, or was released";
    case RESOLVER_UNKNOWN_CORE:
        return "the domain is ours and does not know the address: our core is asked";
    case RESOLVER_UNKNOWN:
        return "the domain is ours and does not know the address: there is no such address";
    case RESOLVER_AUTHORITY:
        return "the domain is not one of ours: its own authority answers for it";
    case RESOLVER_PUBLISHED:
        return "the domain is not one of ours: it publishes, validated, who serves this address";
    case RESOLVER_PSTN:
        return "the telephone number leads to no address: our core for the telephone network takes "
               "it";
    case RESOLVER_NO_NUMBER:
        return "the telephone number leads to no address";
    }
    return "no rule";
}
