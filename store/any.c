/* A record of any kind, for what is done to all kinds alike. */
#include "base/status.h"
#include "store/internal.h"

#include <stdio.h>

static void address_name_pack(struct store_pack *pack, const struct store_address *address)
{
    store_pack_string(pack, address->user);
    store_pack_string(pack, address->domain);
}

static void address_name_unpack(struct store_unpack *unpack, struct store_address *address)
{
    store_unpack_string(unpack, address->user, sizeof(address->user));
    store_unpack_string(unpack, address->domain, sizeof(address->domain));
}

static void port_name_unpack(struct store_unpack *unpack, struct store_port *port)
{
    unsigned role = store_unpack_u8(unpack);
    if (role >= STORE_PORT_ROLE_COUNT)
        unpack->failed = true;
    else
        port->role = (enum store_port_role)role;
    store_unpack_string(unpack, port->id, sizeof(port->id));
}

void store_any_pack(struct store_pack *pack, enum store_kind kind, const void *record, bool secrets)
{
    switch (kind) {
    case STORE_KIND_DOMAIN: {
        const struct store_domain *domain = record;
        store_pack_string(pack, domain->name);
        store_domain_pack(pack, domain);
        return;
    }
    case STORE_KIND_ADDRESS: {
        const struct store_record *address = record;
        address_name_pack(pack, &address->address);
        store_record_pack(pack, address, secrets);
        return;
    }
    case STORE_KIND_NUMBER: {
        const struct store_number *number = record;
        store_pack_string(pack, number->digits);
        store_number_pack(pack, number);
        return;
    }
    case STORE_KIND_PEER: {
        const struct store_peer *peer = record;
        store_pack_string(pack, peer->domain);
        store_peer_pack(pack, peer);
        return;
    }
    case STORE_KIND_TOKEN: {
        const struct store_token *token = record;
        store_pack_string(pack, token->id);
        store_token_pack(pack, token, secrets);
        return;
    }
    case STORE_KIND_PORT: {
        const struct store_port *port = record;
        store_pack_u8(pack, (uint8_t)port->role);
        store_pack_string(pack, port->id);
        store_port_pack(pack, port, secrets);
        return;
    }
    case STORE_KIND_GUARD: {
        const struct store_guard *guard = record;
        address_name_pack(pack, &guard->address);
        store_guard_pack(pack, guard);
        return;
    }
    case STORE_KIND_KEY:
    case STORE_KIND_STORE:
    case STORE_KIND_COUNT:
        break;
    }
    pack->failed = true; /* these have no record that may be told */
}

void store_any_unpack(struct store_unpack *unpack, enum store_kind kind, union store_any *any)
{
    switch (kind) {
    case STORE_KIND_DOMAIN:
        store_unpack_string(unpack, any->domain.name, sizeof(any->domain.name));
        store_domain_unpack(unpack, &any->domain);
        return;
    case STORE_KIND_ADDRESS:
        address_name_unpack(unpack, &any->address.address);
        if (!unpack->failed)
            store_record_unpack(unpack, &any->address);
        return;
    case STORE_KIND_NUMBER:
        store_unpack_string(unpack, any->number.digits, sizeof(any->number.digits));
        store_number_unpack(unpack, &any->number);
        return;
    case STORE_KIND_PEER:
        store_unpack_string(unpack, any->peer.domain, sizeof(any->peer.domain));
        store_peer_unpack(unpack, &any->peer);
        return;
    case STORE_KIND_TOKEN:
        store_unpack_string(unpack, any->token.id, sizeof(any->token.id));
        store_token_unpack(unpack, &any->token);
        return;
    case STORE_KIND_PORT:
        port_name_unpack(unpack, &any->port);
        store_port_unpack(unpack, &any->port);
        return;
    case STORE_KIND_GUARD:
        address_name_unpack(unpack, &any->guard.address);
        store_guard_unpack(unpack, &any->guard);
        return;
    case STORE_KIND_KEY:
    case STORE_KIND_STORE:
    case STORE_KIND_COUNT:
        break;
    }
    unpack->failed = true;
}

/* ---- the same for all kinds; a key and a store itself have no record ---- */

int store_any_check(enum store_kind kind, const void *record)
{
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return store_domain_check(record);
    case STORE_KIND_ADDRESS:
        return store_record_check(record);
    case STORE_KIND_NUMBER:
        return store_number_check(record);
    case STORE_KIND_PEER:
        return store_peer_check(record);
    case STORE_KIND_TOKEN:
        return store_token_check(record);
    case STORE_KIND_PORT:
        return store_port_check(record);
    case STORE_KIND_GUARD:
        return store_guard_check(record);
    case STORE_KIND_KEY:
    case STORE_KIND_STORE:
    case STORE_KIND_COUNT:
        break;
    }
    return STATUS_MALFORMED;
}

int store_any_read(const struct store_txn *txn, enum store_kind kind, const void *like,
                   union store_any *any)
{
    const union store_any *name = like;
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return store_domain_read(txn, name->domain.name, &any->domain);
    case STORE_KIND_ADDRESS:
        return store_record_read(txn, &name->address.address, &any->address);
    case STORE_KIND_NUMBER:
        return store_number_read(txn, name->number.digits, &any->number);
    case STORE_KIND_PEER:
        return store_peer_read(txn, name->peer.domain, &any->peer);
    case STORE_KIND_TOKEN:
        return store_token_read(txn, name->token.id, &any->token);
    case STORE_KIND_PORT:
        return store_port_read(txn, name->port.role, name->port.id, &any->port);
    case STORE_KIND_GUARD:
        return store_guard_read(txn, &name->guard.address, &any->guard);
    case STORE_KIND_KEY:
    case STORE_KIND_STORE:
    case STORE_KIND_COUNT:
        break;
    }
    return STATUS_MALFORMED;
}

int store_any_put(const struct store_txn *txn, enum store_kind kind, const void *record)
{
    int ret;
    switch (kind) {
    case STORE_KIND_DOMAIN:
        ret = store_domain_write(txn, record);
        return ret ? ret : store_domains_version_raise(txn);
    case STORE_KIND_ADDRESS:
        ret = store_record_write(txn, record);
        return ret ? ret : store_record_index(txn, record);
    case STORE_KIND_NUMBER:
        ret = store_number_write(txn, record);
        return ret ? ret : store_number_index(txn, record);
    case STORE_KIND_PEER:
        return store_peer_write(txn, record);
    case STORE_KIND_TOKEN:
        ret = store_token_write(txn, record);
        return ret ? ret : store_token_index(txn, record);
    case STORE_KIND_PORT:
        ret = store_port_write(txn, record);
        return ret ? ret : store_port_index(txn, record);
    case STORE_KIND_GUARD:
        return store_guard_write(txn, record);
    case STORE_KIND_KEY:
    case STORE_KIND_STORE:
    case STORE_KIND_COUNT:
        break;
    }
    return STATUS_MALFORMED;
}

int store_any_unindex(const struct store_txn *txn, enum store_kind kind, const void *record)
{
    int ret = 0;
    if (kind == STORE_KIND_ADDRESS)
        ret = store_record_unindex(txn, record);
    else if (kind == STORE_KIND_NUMBER)
        ret = store_number_unindex(txn, record);
    else if (kind == STORE_KIND_TOKEN)
        ret = store_token_unindex(txn, record);
    else if (kind == STORE_KIND_PORT)
        ret = store_port_unindex(txn, record);
    /* An index that lacks what a record needs is damage, not an answer. */
    return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
}

int store_any_replace(const struct store_txn *txn, enum store_kind kind, const void *before,
                      const void *after)
{
    if (kind == STORE_KIND_ADDRESS && store_record_index_same(before, after))
        return store_record_write(txn, after);
    int ret = store_any_unindex(txn, kind, before);
    return ret ? ret : store_any_put(txn, kind, after);
}

static int any_remove(const struct store_txn *txn, enum store_kind kind,
                      const union store_any *record)
{
    int ret;
    switch (kind) {
    case STORE_KIND_DOMAIN:
        ret = store_domain_remove(txn, record->domain.name);
        return ret ? ret : store_domains_version_raise(txn);
    case STORE_KIND_ADDRESS:
        return store_record_remove(txn, &record->address.address);
    case STORE_KIND_NUMBER:
        return store_number_remove(txn, record->number.digits);
    case STORE_KIND_PEER:
        return store_peer_remove(txn, record->peer.domain);
    case STORE_KIND_TOKEN:
        return store_token_remove(txn, record->token.id);
    case STORE_KIND_PORT:
        return store_port_remove(txn, record->port.role, record->port.id);
    case STORE_KIND_GUARD:
        return store_guard_remove(txn, &record->guard.address);
    case STORE_KIND_KEY:
    case STORE_KIND_STORE:
    case STORE_KIND_COUNT:
        break;
    }
    return STATUS_MALFORMED;
}

int store_any_del(const struct store_txn *txn, enum store_kind kind, const void *record)
{
    int ret = store_any_unindex(txn, kind, record);
    return ret ? ret : any_remove(txn, kind, record);
}

void store_any_name(enum store_kind kind, const void *record, char text[STORE_JOURNAL_TEXT_MAX + 1])
{
    const union store_any *any = record;
    size_t size = STORE_JOURNAL_TEXT_MAX + 1;
    text[0] = '\0';
    switch (kind) {
    case STORE_KIND_DOMAIN:
        snprintf(text, size, "%s", any->domain.name);
        return;
    case STORE_KIND_ADDRESS:
        snprintf(text, size, "%s@%s", any->address.address.user, any->address.address.domain);
        return;
    case STORE_KIND_NUMBER:
        snprintf(text, size, "+%s", any->number.digits);
        return;
    case STORE_KIND_PEER:
        snprintf(text, size, "%s", any->peer.domain);
        return;
    case STORE_KIND_TOKEN:
        snprintf(text, size, "%s", any->token.id);
        return;
    case STORE_KIND_PORT:
        snprintf(text, size, "%s %s", store_port_role_text(any->port.role), any->port.id);
        return;
    case STORE_KIND_GUARD:
        snprintf(text, size, "%s@%s", any->guard.address.user, any->guard.address.domain);
        return;
    case STORE_KIND_KEY:
    case STORE_KIND_STORE:
    case STORE_KIND_COUNT:
        return;
    }
}

size_t store_any_size(enum store_kind kind)
{
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return sizeof(struct store_domain);
    case STORE_KIND_ADDRESS:
        return sizeof(struct store_record);
    case STORE_KIND_NUMBER:
        return sizeof(struct store_number);
    case STORE_KIND_PEER:
        return sizeof(struct store_peer);
    case STORE_KIND_TOKEN:
        return sizeof(struct store_token);
    case STORE_KIND_PORT:
        return sizeof(struct store_port);
    case STORE_KIND_GUARD:
        return sizeof(struct store_guard);
    case STORE_KIND_KEY:
    case STORE_KIND_STORE:
    case STORE_KIND_COUNT:
        break;
    }
    return 0;
}

struct store_stamps store_any_stamps(enum store_kind kind, union store_any *any)
{
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return (struct store_stamps){&any->domain.version, &any->domain.created_ms};
    case STORE_KIND_NUMBER:
        return (struct store_stamps){&any->number.version, &any->number.created_ms};
    case STORE_KIND_PEER:
        return (struct store_stamps){&any->peer.version, &any->peer.created_ms};
    case STORE_KIND_TOKEN:
        return (struct store_stamps){&any->token.version, &any->token.created_ms};
    case STORE_KIND_PORT:
        return (struct store_stamps){&any->port.version, &any->port.created_ms};
    case STORE_KIND_GUARD:
        return (struct store_stamps){&any->guard.version, &any->guard.created_ms};
    default:
        return (struct store_stamps){&any->address.version, &any->address.created_ms};
    }
}

uint64_t store_any_version(enum store_kind kind, const void *record)
{
    const union store_any *any = record;
    switch (kind) {
    case STORE_KIND_DOMAIN:
        return any->domain.version;
    case STORE_KIND_NUMBER:
        return any->number.version;
    case STORE_KIND_PEER:
        return any->peer.version;
    case STORE_KIND_TOKEN:
        return any->token.version;
    case STORE_KIND_PORT:
        return any->port.version;
    case STORE_KIND_GUARD:
        return any->guard.version;
    default:
        return any->address.version;
    }
}
