#include "api/address_state.h"

#include <string.h>

static const struct {
    bool home_is_ours;
    enum api_host host;
} rules[STORE_ADDRESS_TOMBSTONE] = {
    [STORE_ADDRESS_HOSTED] = {true, API_AT_HOME},
    [STORE_ADDRESS_PORTED_IN] = {false, API_HOST_OURS},
    [STORE_ADDRESS_PORTED_OUT] = {true, API_HOST_OTHER},
    [STORE_ADDRESS_MOVED] = {false, API_HOST_FOREIGN},
    [STORE_ADDRESS_PREPARED] = {false, API_HOST_OURS},
    [STORE_ADDRESS_ALIAS] = {true, API_AT_HOME},
};

bool api_state_home_is_ours(enum store_address_state state)
{
    return rules[state].home_is_ours;
}

enum api_host api_state_host(enum store_address_state state)
{
    return rules[state].host;
}

enum store_address_state api_state_derive(const struct store_record *record, bool has_target,
                                          bool home_is_ours)
{
    if (has_target)
        return STORE_ADDRESS_ALIAS;
    if (strcmp(record->hosting, record->address.domain) == 0)
        return STORE_ADDRESS_HOSTED;
    return home_is_ours ? STORE_ADDRESS_PORTED_OUT : STORE_ADDRESS_PORTED_IN;
}
