#include "store/table_key.h"

#include "base/status.h"
#include "store/pack.h"

static int key_add_text(struct table_key *key, const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    if (len == 0 || len > max)
        return STATUS_NOTFOUND;
    memcpy(key->p + key->len, text, len);
    key->len += len;
    return 0;
}

int table_key_domain(struct table_key *key, const char *domain)
{
    key->len = 0;
    return key_add_text(key, domain, STORE_DOMAIN_MAX);
}

int table_key_address_prefix(struct table_key *key, const char *domain)
{
    int ret = table_key_domain(key, domain);
    if (ret)
        return ret;
    key->p[key->len++] = '\0';
    return 0;
}

int table_key_address(struct table_key *key, const struct store_address *address)
{
    int ret = table_key_address_prefix(key, address->domain);
    return ret ? ret : key_add_text(key, address->user, STORE_USER_MAX);
}

int table_key_owner_prefix(struct table_key *key, const char *owner)
{
    key->len = 0;
    int ret = key_add_text(key, owner, STORE_OWNER_MAX);
    if (ret)
        return ret;
    key->p[key->len++] = '\0';
    return 0;
}

int table_key_owner_domain(struct table_key *key, const char *owner, const char *domain)
{
    int ret = table_key_owner_prefix(key, owner);
    if (ret == 0)
        ret = key_add_text(key, domain, STORE_DOMAIN_MAX);
    if (ret)
        return ret;
    key->p[key->len++] = '\0';
    return 0;
}

int table_key_owner_under(struct table_key *key, struct slice owner, struct slice address)
{
    if (owner.len == 0 || owner.len > STORE_OWNER_MAX ||
        address.len > sizeof(key->p) - owner.len - 1)
        return STATUS_NOTFOUND;
    memcpy(key->p, owner.p, owner.len);
    key->p[owner.len] = '\0';
    memcpy(key->p + owner.len + 1, address.p, address.len);
    key->len = owner.len + 1 + address.len;
    return 0;
}

int table_key_owner(struct table_key *key, const char *owner, const struct store_address *address)
{
    int ret = table_key_owner_domain(key, owner, address->domain);
    return ret ? ret : key_add_text(key, address->user, STORE_USER_MAX);
}

int table_key_domain_number(struct table_key *key, const char *domain, const char *digits)
{
    int ret = table_key_address_prefix(key, domain);
    return ret ? ret : key_add_text(key, digits, STORE_NUMBER_MAX);
}

int table_key_deadline(struct table_key *key, uint64_t time_ms, char kind, struct slice record)
{
    struct store_pack pack;
    store_pack_init(&pack, key->p, sizeof(key->p));
    store_pack_u64(&pack, time_ms);
    store_pack_u8(&pack, (uint8_t)kind);
    store_pack_bytes(&pack, record.p, record.len);
    key->len = pack.len;
    return pack.failed ? STATUS_NOTFOUND : 0;
}

void table_key_u32(struct table_key *key, uint32_t value)
{
    struct store_pack pack;
    store_pack_init(&pack, key->p, sizeof(key->p));
    store_pack_u32(&pack, value);
    key->len = pack.len;
}

void table_key_u64(struct table_key *key, uint64_t value)
{
    struct store_pack pack;
    store_pack_init(&pack, key->p, sizeof(key->p));
    store_pack_u64(&pack, value);
    key->len = pack.len;
}

void table_key_age(struct table_key *key, uint64_t time_ms, const uint8_t id[32])
{
    struct store_pack pack;
    store_pack_init(&pack, key->p, sizeof(key->p));
    store_pack_u64(&pack, time_ms);
    store_pack_bytes(&pack, id, 32);
    key->len = pack.len;
}

int table_key_text(struct table_key *key, const char *text, size_t max)
{
    key->len = 0;
    return key_add_text(key, text, max);
}

int table_key_usage(struct table_key *key, const struct store_usage *usage)
{
    table_key_u64(key, usage->period);
    int ret = key_add_text(key, usage->node, STORE_OWNER_MAX);
    if (ret)
        return ret;
    key->p[key->len++] = '\0';
    return key_add_text(key, usage->peer, STORE_DOMAIN_MAX);
}

static int text_to_cstr(struct slice text, char *dest, size_t size)
{
    return text.len == 0 || slice_to_cstr(text, dest, size) ? STATUS_CORRUPT : 0;
}

int table_key_to_domain(struct slice key, char domain[STORE_DOMAIN_MAX + 1])
{
    return text_to_cstr(key, domain, STORE_DOMAIN_MAX + 1);
}

int table_key_to_address(struct slice key, struct store_address *address)
{
    size_t len = slice_find(key, '\0');
    int ret = text_to_cstr(slice_make(key.p, len), address->domain, sizeof(address->domain));
    return ret ? ret : text_to_cstr(slice_skip(key, len + 1), address->user, sizeof(address->user));
}

int table_key_to_owner_address(struct slice key, struct store_address *address)
{
    return table_key_to_address(slice_skip(key, slice_find(key, '\0') + 1), address);
}

int table_key_to_domain_number(struct slice key, char digits[STORE_NUMBER_MAX + 1])
{
    return text_to_cstr(slice_skip(key, slice_find(key, '\0') + 1), digits, STORE_NUMBER_MAX + 1);
}

int table_key_to_deadline(struct slice key, uint64_t *time_ms, char *kind, struct slice *record)
{
    struct store_unpack unpack;
    store_unpack_init(&unpack, key);
    *time_ms = store_unpack_u64(&unpack);
    *kind = (char)store_unpack_u8(&unpack);
    *record = unpack.left;
    return unpack.failed ? STATUS_CORRUPT : 0;
}

int table_key_to_u32(struct slice key, uint32_t *value)
{
    struct store_unpack unpack;
    store_unpack_init(&unpack, key);
    uint32_t number = store_unpack_u32(&unpack);
    int ret = store_unpack_done(&unpack);
    if (ret == 0)
        *value = number;
    return ret;
}

int table_key_to_u64(struct slice key, uint64_t *value)
{
    struct store_unpack unpack;
    store_unpack_init(&unpack, key);
    uint64_t number = store_unpack_u64(&unpack);
    int ret = store_unpack_done(&unpack);
    if (ret == 0)
        *value = number;
    return ret;
}

int table_key_to_age(struct slice key, uint64_t *time_ms, uint8_t id[32])
{
    struct store_unpack unpack;
    store_unpack_init(&unpack, key);
    *time_ms = store_unpack_u64(&unpack);
    store_unpack_bytes(&unpack, id, 32);
    return store_unpack_done(&unpack);
}

int table_key_to_text(struct slice key, char *text, size_t size)
{
    return text_to_cstr(key, text, size);
}

int table_key_to_usage(struct slice key, struct store_usage *usage)
{
    struct store_unpack unpack;
    store_unpack_init(&unpack, key);
    usage->period = store_unpack_u64(&unpack);
    if (unpack.failed)
        return STATUS_CORRUPT;
    size_t len = slice_find(unpack.left, '\0');
    int ret = text_to_cstr(slice_make(unpack.left.p, len), usage->node, sizeof(usage->node));
    if (ret)
        return ret;
    return text_to_cstr(slice_skip(unpack.left, len + 1), usage->peer, sizeof(usage->peer));
}

/* ---- ports ---- */

static int key_add_port(struct table_key *key, enum store_port_role role, const char *id)
{
    if (strnlen(id, STORE_PORT_ID_LEN + 1) != STORE_PORT_ID_LEN)
        return STATUS_NOTFOUND;
    key->p[key->len++] = (char)role;
    return key_add_text(key, id, STORE_PORT_ID_LEN);
}

int table_key_port(struct table_key *key, enum store_port_role role, const char *id)
{
    key->len = 0;
    return key_add_port(key, role, id);
}

int table_key_address_port_prefix(struct table_key *key, const struct store_address *address)
{
    int ret = table_key_address(key, address);
    if (ret)
        return ret;
    key->p[key->len++] = '\0';
    return 0;
}

int table_key_address_port(struct table_key *key, const struct store_port *port)
{
    int ret = table_key_address_port_prefix(key, &port->address);
    return ret ? ret : key_add_port(key, port->role, port->id);
}

int table_key_to_port(struct slice key, enum store_port_role *role, char id[STORE_PORT_ID_LEN + 1])
{
    if (key.len != TABLE_KEY_PORT_LEN || (unsigned char)key.p[0] >= STORE_PORT_ROLE_COUNT)
        return STATUS_CORRUPT;
    *role = (enum store_port_role)(unsigned char)key.p[0];
    return slice_to_cstr(slice_skip(key, 1), id, STORE_PORT_ID_LEN + 1) ? STATUS_CORRUPT : 0;
}
