#include "base/status.h"
#include "store/internal.h"

/* "Not found" is one of the two answers here. */
static int answer_of(int ret, bool *is_found)
{
    *is_found = ret == 0;
    return ret == STATUS_NOTFOUND ? 0 : ret;
}

int store_route(struct store_reader *reader, const struct store_address *address,
                struct store_route *route)
{
    const struct store_txn *txn = &reader->txn;
    enum store_address_state state = STORE_ADDRESS_HOSTED;
    char hosting[STORE_DOMAIN_MAX + 1];
    bool is_found, is_ours, has_core;
    int ret = answer_of(store_record_host(txn, address, &state, hosting), &is_found);
    if (ret)
        return ret;
    bool is_guest =
        is_found && state == STORE_ADDRESS_HOSTED && strcmp(hosting, address->domain) != 0;
    ret = answer_of(store_domain_read(txn, is_guest ? hosting : address->domain, &route->core),
                    &has_core);
    is_ours = has_core;
    if (ret == 0 && is_guest && !has_core)
        ret = STATUS_CORRUPT; /* a domain with guests is never deleted */
    if (ret == 0 && is_guest)
        ret = answer_of(store_domain_exists(txn, address->domain), &is_ours);
    if (ret)
        return ret;
    route->domain_is_ours = is_ours;
    route->address_found = is_found;
    if (is_found) {
        route->state = state;
        memcpy(route->hosting, hosting, strlen(hosting) + 1);
    }
    return 0;
}
