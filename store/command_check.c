/* Which commands can be told in bytes. The others are refused before the log: nobody could read
 * them there, and what is left out of the bytes would be judged here and not elsewhere. */
#include "base/status.h"
#include "store/internal.h"

static bool text_ends(const char *text, size_t size)
{
    return strnlen(text, size) < size;
}

static bool address_fits(const struct store_address *address)
{
    return text_ends(address->user, sizeof(address->user)) &&
           text_ends(address->domain, sizeof(address->domain));
}

static bool domain_fits(const struct store_domain *domain)
{
    if (!text_ends(domain->name, sizeof(domain->name)) ||
        (unsigned)domain->unknown > STORE_UNKNOWN_CORE || domain->core_count == 0 ||
        domain->core_count > STORE_CORES_MAX || domain->claims_per_owner > STORE_CLAIMS_MAX ||
        domain->quarantine_days > STORE_QUARANTINE_DAYS_MAX ||
        (unsigned)domain->move >= STORE_MOVE_COUNT ||
        !text_ends(domain->move_to, sizeof(domain->move_to)))
        return false;
    for (unsigned i = 0; i < domain->core_count; i++)
        if (!text_ends(domain->cores[i].host, sizeof(domain->cores[i].host)))
            return false;
    return true;
}

/* A target and an end are written with the states that have them; no hosting domain at all would
 * read as the address's own. */
static bool record_fits(const struct store_record *record)
{
    bool has_target = record->target.user[0] || record->target.domain[0];
    bool may_end = record->state == STORE_ADDRESS_TOMBSTONE || record->state == STORE_ADDRESS_MOVED;
    return (unsigned)record->state < STORE_ADDRESS_STATE_COUNT && address_fits(&record->address) &&
           record->hosting[0] && text_ends(record->hosting, sizeof(record->hosting)) &&
           text_ends(record->owner, sizeof(record->owner)) && address_fits(&record->target) &&
           text_ends(record->display, sizeof(record->display)) &&
           text_ends(record->notify, sizeof(record->notify)) &&
           (!has_target || record->state == STORE_ADDRESS_ALIAS) &&
           (record->until_ms == 0 || may_end);
}

static bool peer_fits(const struct store_peer *peer)
{
    return text_ends(peer->domain, sizeof(peer->domain)) && peer->pin_count <= STORE_PINS_MAX &&
           text_ends(peer->tariff, sizeof(peer->tariff));
}

static bool token_fits(const struct store_token *token)
{
    if (!text_ends(token->id, sizeof(token->id)) || (unsigned)token->scope > STORE_SCOPE_USER ||
        !text_ends(token->owner, sizeof(token->owner)) ||
        token->domain_count > STORE_TOKEN_DOMAINS_MAX ||
        !text_ends(token->note, sizeof(token->note)))
        return false;
    for (unsigned i = 0; i < token->domain_count; i++)
        if (!text_ends(token->domains[i], sizeof(token->domains[i])))
            return false;
    return true;
}

/* An undo names its addresses; the rest of its records is not looked at. */
static bool batch_fits(const struct store_batch *batch, bool is_import)
{
    if (batch->count == 0 || batch->count > STORE_IMPORT_MAX)
        return false;
    for (size_t i = 0; i < batch->count; i++)
        if (is_import ? !record_fits(&batch->records[i])
                      : !address_fits(&batch->records[i].address))
            return false;
    return true;
}

static bool order_fits(const struct store_port_order *order)
{
    const struct store_port *port = &order->port;
    return (unsigned)port->role < STORE_PORT_ROLE_COUNT &&
           (unsigned)port->kind < STORE_PORT_KIND_COUNT &&
           (unsigned)port->state < STORE_PORT_STATE_COUNT &&
           (unsigned)port->reason < STORE_PORT_REASON_COUNT && port->owed <= STORE_PORT_OWED_ALL &&
           text_ends(port->id, sizeof(port->id)) &&
           text_ends(port->request, sizeof(port->request)) &&
           text_ends(port->undoes, sizeof(port->undoes)) && address_fits(&port->address) &&
           text_ends(port->gaining, sizeof(port->gaining)) &&
           text_ends(port->losing, sizeof(port->losing)) &&
           text_ends(port->owner, sizeof(port->owner)) &&
           text_ends(port->display, sizeof(port->display)) && address_fits(&order->target) &&
           (unsigned)order->event < STORE_PORT_EVENT_COUNT && order->by <= STORE_PORT_BY_ALL &&
           (unsigned)order->reason < STORE_PORT_REASON_COUNT && order->paid <= STORE_PORT_OWED_ALL;
}

static bool guard_fits(const struct store_guard *guard)
{
    return address_fits(&guard->address) && text_ends(guard->code_for, sizeof(guard->code_for));
}

static bool argument_fits(const struct store_command *command)
{
    switch (command->op) {
    case STORE_DOMAIN_ADD:
    case STORE_DOMAIN_PUT:
        return domain_fits(&command->domain);
    case STORE_DOMAIN_DEL:
    case STORE_DOMAIN_CLEAR:
        return text_ends(command->domain.name, sizeof(command->domain.name));
    case STORE_DOMAIN_MOVE:
        return text_ends(command->domain.name, sizeof(command->domain.name)) &&
               (unsigned)command->domain.move < STORE_MOVE_COUNT &&
               text_ends(command->domain.move_to, sizeof(command->domain.move_to));
    case STORE_ADDRESS_ADD:
    case STORE_ADDRESS_PUT:
        return record_fits(&command->record);
    case STORE_ADDRESS_RELEASE:
    case STORE_ADDRESS_PURGE:
    case STORE_ADDRESS_AUTH:
        return address_fits(&command->record.address);
    case STORE_ADDRESS_IMPORT:
    case STORE_ADDRESS_UNDO:
        return batch_fits(&command->batch, command->op == STORE_ADDRESS_IMPORT);
    case STORE_NUMBER_ADD:
    case STORE_NUMBER_PUT:
        return text_ends(command->number.digits, sizeof(command->number.digits)) &&
               text_ends(command->number.zone, sizeof(command->number.zone)) &&
               address_fits(&command->number.address);
    case STORE_NUMBER_DEL:
        return text_ends(command->number.digits, sizeof(command->number.digits));
    case STORE_PEER_ADD:
    case STORE_PEER_PUT:
        return peer_fits(&command->peer);
    case STORE_PEER_DEL:
        return text_ends(command->peer.domain, sizeof(command->peer.domain));
    case STORE_TOKEN_ADD:
        return token_fits(&command->token);
    case STORE_TOKEN_DEL:
        return text_ends(command->token.id, sizeof(command->token.id));
    case STORE_KEY_ADD:
    case STORE_EXPIRE:
    case STORE_JOURNAL_TRIM:
    case STORE_CURSOR_PUT:
    case STORE_CURSOR_DEL:
    case STORE_USAGE_ADD:
        return true;
    case STORE_PORT_OPEN:
    case STORE_PORT_STEP:
    case STORE_PORT_START:
    case STORE_PORT_TELL:
    case STORE_PORT_PAID:
        return order_fits(&command->order);
    case STORE_GUARD_PUT:
    case STORE_GUARD_CODE:
        return guard_fits(&command->guard);
    case STORE_BULK_LOAD:
    case STORE_OP_COUNT:
        break;
    }
    return false;
}

int store_command_check(const struct store_command *command)
{
    if (!text_ends(command->actor, sizeof(command->actor)) || !argument_fits(command))
        return STATUS_MALFORMED;
    return 0;
}
