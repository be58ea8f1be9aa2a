#include "api/json.h"

static const char *const kind_names[STORE_KIND_COUNT] = {
    [STORE_KIND_DOMAIN] = "domain", [STORE_KIND_ADDRESS] = "address",
    [STORE_KIND_NUMBER] = "number", [STORE_KIND_PEER] = "peer",
    [STORE_KIND_TOKEN] = "token",   [STORE_KIND_KEY] = "key",
    [STORE_KIND_STORE] = "store",   [STORE_KIND_PORT] = "port",
    [STORE_KIND_GUARD] = "guard",
};

static json_t *record_encode(enum store_kind kind, const union store_any *record)
{
    if (!record)
        return json_null();
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return api_domain_encode(&record->domain);
    case STORE_KIND_ADDRESS:
        return api_address_encode_public(&record->address);
    case STORE_KIND_NUMBER:
        return api_number_encode(&record->number);
    case STORE_KIND_PEER:
        return api_peer_encode(&record->peer);
    case STORE_KIND_TOKEN:
        return api_token_encode(&record->token);
    case STORE_KIND_PORT:
        return api_port_encode(&record->port);
    case STORE_KIND_GUARD:
        return api_guard_encode(&record->guard);
    case STORE_KIND_KEY: /* never told */
    case STORE_KIND_STORE:
    case STORE_KIND_COUNT:
        break;
    }
    return json_null();
}

json_t *api_entry_encode(const struct store_journal_entry *entry)
{
    return json_pack("{s:I, s:o, s:s, s:s, s:s, s:s, s:b, s:o, s:o}", "sequence",
                     (json_int_t)entry->sequence, "time", api_time_encode(entry->time_ms), "actor",
                     entry->actor, "what", entry->what, "kind", kind_names[entry->kind], "key",
                     entry->key, "erased", entry->erased, "before",
                     record_encode(entry->kind, entry->before), "after",
                     record_encode(entry->kind, entry->after));
}
