/* Ports, and what protects an address. */
#include "api/json.h"

#include "base/hex.h"

static json_t *or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

/* Whole seconds that are left; null where there is no deadline. */
json_t *api_left_encode(uint64_t deadline_ms, uint64_t now_ms)
{
    if (deadline_ms == 0)
        return json_null();
    return json_integer(deadline_ms > now_ms ? (json_int_t)((deadline_ms - now_ms) / 1000) : 0);
}

uint64_t api_port_deadline(const struct store_port *port)
{
    if (!store_port_is_open(port->state) && port->state != STORE_PORT_COMMITTED)
        return 0; /* then it is only forgotten */
    bool is_host = port->role != STORE_PORT_AUTHORITY && port->order != 0;
    return is_host ? port->told_ms : port->deadline_ms;
}

/* Who is still to hear of its state. */
static json_t *owes_encode(unsigned owed)
{
    static const struct {
        unsigned bit;
        const char *name;
    } all[] = {{STORE_PORT_OWES_AUTHORITY, "authority"}, {STORE_PORT_OWES_GAINING, "gaining"},
               {STORE_PORT_OWES_LOSING, "losing"},       {STORE_PORT_OWES_HOLDER, "holder"},
               {STORE_PORT_OWES_OPERATOR, "operator"},   {STORE_PORT_OWES_MAIL, "mail"}};
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if ((owed & all[i].bit) && json_array_append_new(names, json_string(all[i].name))) {
            json_decref(names);
            return NULL;
        }
    return names;
}

json_t *api_port_encode(const struct store_port *port)
{
    char address[API_ADDRESS_TEXT_MAX];
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "id", port->id, "role",
        store_port_role_text(port->role), "kind", store_port_kind_text(port->kind), "state",
        store_port_state_text(port->state), "reason", or_null(store_port_reason_text(port->reason)),
        "address", api_address_format(&port->address, address), "gaining", port->gaining, "losing",
        or_null(port->losing), "deadline", api_time_encode(api_port_deadline(port)), "committed",
        api_time_encode(port->committed_ms), "undoes", or_null(port->undoes), "owner",
        or_null(port->owner), "owes", owes_encode(port->owed));
    return api_json_stamp(json, port->created_ms, port->version);
}

static json_t *key_encode(bool is_there, const uint8_t key[STORE_HASH_LEN])
{
    char text[HEX_LEN(STORE_HASH_LEN) + 1];
    return is_there ? json_string(hex_encode(key, STORE_HASH_LEN, text)) : json_null();
}

json_t *api_guard_encode(const struct store_guard *guard)
{
    char address[API_ADDRESS_TEXT_MAX];
    json_t *json = json_pack(
        "{s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "address",
        api_address_format(&guard->address, address), "frozen", guard->frozen, "frozen_until",
        api_time_encode(guard->frozen_until_ms), "code_for", or_null(guard->code_for),
        "recovery_key", key_encode(guard->has_key, guard->key), "next_recovery_key",
        key_encode(guard->has_next_key, guard->next_key), "next_recovery_key_from",
        api_time_encode(guard->has_next_key ? guard->next_key_ms : 0));
    return api_json_stamp(json, guard->created_ms, guard->version);
}
