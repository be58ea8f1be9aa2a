/* What ports forbid to do with their addresses and domains meanwhile. */
#include "tests/store/model.h"

#include <string.h>

bool model_address_eq(const struct store_address *a, const struct store_address *b)
{
    return strcmp(a->user, b->user) == 0 && strcmp(a->domain, b->domain) == 0;
}

bool model_port_open_in(const struct model *model, enum store_port_role role,
                        const struct store_address *address)
{
    const struct shelf *ports = &model->records[STORE_KIND_PORT];
    for (size_t i = 0; i < ports->count; i++) {
        const struct store_port *port = shelf_at(ports, i);
        if (port->role == role && model_address_eq(&port->address, address) &&
            store_port_is_open(port->state))
            return true;
    }
    return false;
}

bool model_port_is_open(const struct model *model, const struct store_address *address)
{
    return model_port_open_in(model, STORE_PORT_AUTHORITY, address) ||
           model_port_open_in(model, STORE_PORT_GAINING, address) ||
           model_port_open_in(model, STORE_PORT_LOSING, address);
}

/* The old host's entry stays until the port cannot be undone any more. */
static bool is_in_grace(const struct model *model, const struct store_address *address)
{
    const struct shelf *ports = &model->records[STORE_KIND_PORT];
    const struct store_record *record = model_address(model, address);
    for (size_t i = 0; record && record->state == STORE_ADDRESS_MOVED && i < ports->count; i++) {
        const struct store_port *port = shelf_at(ports, i);
        if (port->role == STORE_PORT_LOSING && port->state == STORE_PORT_COMMITTED &&
            model_address_eq(&port->address, address))
            return true;
    }
    return false;
}

bool model_port_holds(const struct model *model, const struct store_address *address)
{
    return model_port_is_open(model, address) || is_in_grace(model, address);
}

bool model_port_awaited(const struct model *model, const char *domain)
{
    const struct shelf *ports = &model->records[STORE_KIND_PORT];
    for (size_t i = 0; i < ports->count; i++) {
        const struct store_port *port = shelf_at(ports, i);
        bool is_under_way = store_port_is_open(port->state);
        if (port->role == STORE_PORT_GAINING && is_under_way && strcmp(port->gaining, domain) == 0)
            return true;
        if (port->role == STORE_PORT_LOSING && strcmp(port->losing, domain) == 0 &&
            (is_under_way || port->state == STORE_PORT_COMMITTED))
            return true;
    }
    return false;
}
