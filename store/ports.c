/* The records of ports, and their indexes: by address, by deadline, and who is still to be told. */
#include "base/chars.h"
#include "base/status.h"
#include "base/utf8.h"
#include "store/internal.h"
#include "store/table_key.h"

#include <errno.h>

#define PORT_FORM 1
#define PORT_SIZE_MAX                                                                              \
    (288 + 2 * STORE_PORT_ID_LEN + 3 * STORE_DOMAIN_MAX + STORE_USER_MAX + STORE_OWNER_MAX +       \
     STORE_DISPLAY_MAX + 2 * STORE_HASH_LEN + STORE_PORT_RECEIPT_MAX)
_Static_assert(PORT_SIZE_MAX < STORE_ANY_SIZE_MAX, "a port is longer than any record may be");

/* ---- the record; role and id are the key ---- */

#define FLAG_HASH    1u /* the undo hash is there */
#define FLAG_KEY     2u /* and the receipt key that was seen */
#define FLAG_TOLD    4u /* and what is known of reminders */
#define FLAG_RECEIPT 8u /* and a receipt */
#define FLAG_ALL     15u

static bool hash_is_set(const uint8_t hash[STORE_HASH_LEN])
{
    return store_id_is_set(hash);
}

static void terms_pack(struct store_pack *pack, const struct store_port_terms *terms)
{
    store_pack_number(pack, terms->window);
    store_pack_number(pack, terms->wait);
    store_pack_number(pack, terms->dispute);
    store_pack_number(pack, terms->grace);
    store_pack_number(pack, terms->freeze);
}

static bool has_reminders(const struct store_port *port)
{
    return port->terms.remind || port->reminder || port->remind_ms;
}

static void reminders_pack(struct store_pack *pack, const struct store_port *port)
{
    store_pack_number(pack, port->terms.remind);
    store_pack_number(pack, port->reminder);
    store_pack_number(pack, port->remind_ms);
}

static uint32_t unpack_term(struct store_unpack *unpack)
{
    uint64_t term = store_unpack_number(unpack);
    if (term > UINT32_MAX)
        unpack->failed = true;
    return (uint32_t)term;
}

static void terms_unpack(struct store_unpack *unpack, struct store_port_terms *terms)
{
    terms->window = unpack_term(unpack);
    terms->wait = unpack_term(unpack);
    terms->dispute = unpack_term(unpack);
    terms->grace = unpack_term(unpack);
    terms->freeze = unpack_term(unpack);
}

/* Which of the parts that may lack are there. */
static uint8_t flags_of(const struct store_port *port, bool secrets)
{
    return (uint8_t)((secrets && hash_is_set(port->undo_hash) ? FLAG_HASH : 0) |
                     (hash_is_set(port->key_seen) ? FLAG_KEY : 0) |
                     (has_reminders(port) ? FLAG_TOLD : 0) |
                     (secrets && port->receipt[0] ? FLAG_RECEIPT : 0));
}

/* A receipt is no secret, but as long as all the rest: the journal has what it says. */
void store_port_pack(struct store_pack *pack, const struct store_port *port, bool secrets)
{
    uint8_t flags = flags_of(port, secrets);
    store_pack_u8(pack, PORT_FORM);
    store_pack_u8(pack, (uint8_t)port->kind);
    store_pack_u8(pack, (uint8_t)port->state);
    store_pack_u8(pack, (uint8_t)port->reason);
    store_pack_u8(pack, flags);
    store_pack_string(pack, port->request);
    store_pack_string(pack, port->address.user);
    store_pack_string(pack, port->address.domain);
    store_pack_string(pack, port->gaining);
    store_pack_string(pack, port->losing);
    store_pack_number(pack, port->owed);
    store_pack_number(pack, port->deadline_ms);
    store_pack_number(pack, port->told_ms);
    store_pack_number(pack, port->committed_ms);
    store_pack_number(pack, port->order);
    store_pack_number(pack, port->commit_order);
    store_pack_string(pack, port->undoes);
    if (flags & FLAG_HASH)
        store_pack_bytes(pack, port->undo_hash, STORE_HASH_LEN);
    if (flags & FLAG_KEY)
        store_pack_bytes(pack, port->key_seen, STORE_HASH_LEN);
    terms_pack(pack, &port->terms);
    store_pack_string(pack, port->owner);
    store_pack_string(pack, port->display);
    store_pack_number(pack, port->version);
    store_pack_number(pack, port->created_ms);
    if (flags & FLAG_TOLD)
        reminders_pack(pack, port);
    if (flags & FLAG_RECEIPT)
        store_pack_string(pack, port->receipt);
}

static unsigned unpack_below(struct store_unpack *unpack, unsigned count)
{
    unsigned number = store_unpack_u8(unpack);
    if (number >= count)
        unpack->failed = true;
    return unpack->failed ? 0 : number;
}

static void names_unpack(struct store_unpack *unpack, struct store_port *port)
{
    store_unpack_string(unpack, port->request, sizeof(port->request));
    store_unpack_string(unpack, port->address.user, sizeof(port->address.user));
    store_unpack_string(unpack, port->address.domain, sizeof(port->address.domain));
    store_unpack_string(unpack, port->gaining, sizeof(port->gaining));
    store_unpack_string(unpack, port->losing, sizeof(port->losing));
}

static void reminders_unpack(struct store_unpack *unpack, bool are_there, struct store_port *port)
{
    port->terms.remind = are_there ? unpack_term(unpack) : 0;
    port->reminder = are_there ? unpack_term(unpack) : 0;
    port->remind_ms = are_there ? store_unpack_number(unpack) : 0;
}

static void hash_unpack(struct store_unpack *unpack, bool is_there, uint8_t hash[STORE_HASH_LEN])
{
    memset(hash, 0, STORE_HASH_LEN);
    if (is_there)
        store_unpack_bytes(unpack, hash, STORE_HASH_LEN);
}

void store_port_unpack(struct store_unpack *unpack, struct store_port *port)
{
    store_unpack_version(unpack, PORT_FORM);
    port->kind = (enum store_port_kind)unpack_below(unpack, STORE_PORT_KIND_COUNT);
    port->state = (enum store_port_state)unpack_below(unpack, STORE_PORT_STATE_COUNT);
    port->reason = (enum store_port_reason)unpack_below(unpack, STORE_PORT_REASON_COUNT);
    unsigned flags = unpack_below(unpack, FLAG_ALL + 1);
    names_unpack(unpack, port);
    uint64_t owed = store_unpack_number(unpack);
    if (owed > STORE_PORT_OWED_ALL)
        unpack->failed = true;
    port->owed = (unsigned)(owed & STORE_PORT_OWED_ALL);
    port->deadline_ms = store_unpack_number(unpack);
    port->told_ms = store_unpack_number(unpack);
    port->committed_ms = store_unpack_number(unpack);
    port->order = store_unpack_number(unpack);
    port->commit_order = store_unpack_number(unpack);
    store_unpack_string(unpack, port->undoes, sizeof(port->undoes));
    hash_unpack(unpack, flags & FLAG_HASH, port->undo_hash);
    hash_unpack(unpack, flags & FLAG_KEY, port->key_seen);
    terms_unpack(unpack, &port->terms);
    store_unpack_string(unpack, port->owner, sizeof(port->owner));
    store_unpack_string(unpack, port->display, sizeof(port->display));
    port->version = store_unpack_number(unpack);
    port->created_ms = store_unpack_number(unpack);
    reminders_unpack(unpack, flags & FLAG_TOLD, port);
    port->receipt[0] = '\0';
    if (flags & FLAG_RECEIPT)
        store_unpack_string(unpack, port->receipt, sizeof(port->receipt));
}

static int port_decode(struct slice key, struct slice value, struct store_port *port)
{
    struct store_port decoded = {.version = 0};
    struct store_unpack unpack;
    int ret = table_key_to_port(key, &decoded.role, decoded.id);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    store_port_unpack(&unpack, &decoded);
    ret = store_unpack_done(&unpack);
    if (ret == 0)
        *port = decoded;
    return ret;
}

int store_port_read(const struct store_txn *txn, enum store_port_role role, const char *id,
                    struct store_port *port)
{
    struct table_key key;
    struct slice value;
    int ret = table_key_port(&key, role, id);
    if (ret == 0)
        ret = store_get(txn, TABLE_PORTS, table_key_bytes(&key), &value);
    return ret ? ret : port_decode(table_key_bytes(&key), value, port);
}

int store_port_write(const struct store_txn *txn, const struct store_port *port)
{
    char buffer[PORT_SIZE_MAX];
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_port_pack(&pack, port, true);
    int ret = table_key_port(&key, port->role, port->id);
    if (ret == 0)
        ret = store_pack_done(&pack, &bytes);
    return ret ? ret : store_put(txn, TABLE_PORTS, table_key_bytes(&key), bytes);
}

int store_port_remove(const struct store_txn *txn, enum store_port_role role, const char *id)
{
    struct table_key key;
    int ret = table_key_port(&key, role, id);
    return ret ? ret : store_del(txn, TABLE_PORTS, table_key_bytes(&key));
}

/* ---- rules ---- */

static bool id_is_valid(const char id[STORE_PORT_ID_LEN + 1])
{
    for (size_t i = 0; i < STORE_PORT_ID_LEN; i++)
        if (!char_is_digit(id[i]) && !(id[i] >= 'a' && id[i] <= 'f'))
            return false;
    return id[STORE_PORT_ID_LEN] == '\0';
}

/* The gaining domain's own number, and the public one that follows from it. */
static bool ids_are_valid(const struct store_port *port)
{
    char id[STORE_PORT_ID_LEN + 1];
    return id_is_valid(port->id) && id_is_valid(port->request) &&
           store_port_id(port->gaining, port->request, id) == 0 && strcmp(id, port->id) == 0 &&
           (port->undoes[0] == '\0' || id_is_valid(port->undoes)) &&
           (port->kind == STORE_PORT_UNDO) == (port->undoes[0] != '\0');
}

static bool numbers_are_valid(const struct store_port *port)
{
    return (unsigned)port->role < STORE_PORT_ROLE_COUNT &&
           (unsigned)port->kind < STORE_PORT_KIND_COUNT &&
           (unsigned)port->state < STORE_PORT_STATE_COUNT &&
           (unsigned)port->reason < STORE_PORT_REASON_COUNT && port->owed <= STORE_PORT_OWED_ALL;
}

static bool holder_is_valid(const struct store_port *port)
{
    size_t owner = strnlen(port->owner, sizeof(port->owner));
    return owner < sizeof(port->owner) &&
           (owner == 0 || store_owner_check(slice_make(port->owner, owner), NULL) == 0) &&
           strnlen(port->display, sizeof(port->display)) < sizeof(port->display) &&
           utf8_is_printable(port->display) &&
           strnlen(port->receipt, sizeof(port->receipt)) < sizeof(port->receipt);
}

int store_port_check(const struct store_port *port)
{
    if (!numbers_are_valid(port) || store_address_check(&port->address) ||
        store_name_check(port->gaining) || (port->losing[0] && store_name_check(port->losing)) ||
        !ids_are_valid(port) || !holder_is_valid(port))
        return STATUS_MALFORMED;
    return 0;
}

/* ---- indexes ---- */

static int address_set(const struct store_txn *txn, const struct store_port *port, bool is_there)
{
    struct table_key key;
    int ret = table_key_address_port(&key, port);
    if (ret)
        return ret;
    return is_there ? store_put(txn, TABLE_PORT_ADDRESSES, table_key_bytes(&key), SLICE(""))
                    : store_del(txn, TABLE_PORT_ADDRESSES, table_key_bytes(&key));
}

static int owed_set(const struct store_txn *txn, const struct store_port *port, bool is_there)
{
    struct table_key key;
    int ret = port->owed ? table_key_port(&key, port->role, port->id) : 0;
    if (ret || !port->owed)
        return ret;
    return is_there ? store_put(txn, TABLE_PORTS_OWED, table_key_bytes(&key), SLICE(""))
                    : store_del(txn, TABLE_PORTS_OWED, table_key_bytes(&key));
}

static int deadline_set(const struct store_txn *txn, const struct store_port *port, bool is_there)
{
    struct table_key name, key;
    uint64_t due_ms = store_port_due_ms(port);
    if (!due_ms)
        return 0;
    int ret = table_key_port(&name, port->role, port->id);
    if (ret == 0)
        ret = table_key_deadline(&key, due_ms, STORE_DUE_PORT, table_key_bytes(&name));
    if (ret)
        return ret;
    return is_there ? store_put(txn, TABLE_DEADLINES, table_key_bytes(&key), SLICE(""))
                    : store_del(txn, TABLE_DEADLINES, table_key_bytes(&key));
}

static int index_set(const struct store_txn *txn, const struct store_port *port, bool is_there)
{
    int ret = address_set(txn, port, is_there);
    if (ret == 0)
        ret = owed_set(txn, port, is_there);
    return ret ? ret : deadline_set(txn, port, is_there);
}

int store_port_index(const struct store_txn *txn, const struct store_port *port)
{
    return index_set(txn, port, true);
}

int store_port_unindex(const struct store_txn *txn, const struct store_port *port)
{
    return index_set(txn, port, false);
}

/* ---- finding ---- */

struct port_scan {
    const struct store_txn *txn;
    store_port_h *each;
    void *arg;
};

static int indexed_visit(struct slice key, struct slice value, void *arg)
{
    const struct port_scan *scan = arg;
    enum store_port_role role;
    char id[STORE_PORT_ID_LEN + 1];
    struct store_port port;
    (void)value;
    int ret = key.len < TABLE_KEY_PORT_LEN
                  ? STATUS_CORRUPT
                  : table_key_to_port(slice_skip(key, key.len - TABLE_KEY_PORT_LEN), &role, id);
    if (ret == 0)
        ret = store_port_read(scan->txn, role, id, &port);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
    return !scan->each(&port, scan->arg);
}

int store_port_scan_address(const struct store_txn *txn, const struct store_address *address,
                            size_t max, store_port_h *each, void *arg)
{
    struct port_scan scan = {txn, each, arg};
    struct table_key prefix;
    int ret = table_key_address_port_prefix(&prefix, address);
    return ret ? ret
               : store_list(txn, TABLE_PORT_ADDRESSES, table_key_bytes(&prefix), SLICE(""), max,
                            indexed_visit, &scan);
}

struct open_find {
    enum store_port_role role;
    struct store_port *port;
    bool found;
};

static bool open_visit(const struct store_port *port, void *arg)
{
    struct open_find *find = arg;
    if (port->role != find->role || !store_port_is_open(port->state))
        return true;
    *find->port = *port;
    find->found = true;
    return false;
}

int store_port_find_open(const struct store_txn *txn, enum store_port_role role,
                         const struct store_address *address, struct store_port *port)
{
    struct open_find find = {.role = role, .port = port};
    int ret = store_port_scan_address(txn, address, SIZE_MAX, open_visit, &find);
    if (ret == 0 && !find.found)
        ret = STATUS_NOTFOUND;
    return ret;
}

struct later_find {
    const struct store_port *port;
    bool found;
};

static bool later_visit(const struct store_port *other, void *arg)
{
    struct later_find *find = arg;
    bool is_alike =
        (other->role == STORE_PORT_AUTHORITY) == (find->port->role == STORE_PORT_AUTHORITY);
    find->found = is_alike && other->commit_order > find->port->commit_order;
    return !find->found;
}

int store_port_is_last(const struct store_txn *txn, const struct store_port *port, bool *is_last)
{
    struct later_find find = {.port = port};
    int ret = store_port_scan_address(txn, &port->address, SIZE_MAX, later_visit, &find);
    if (ret == 0)
        *is_last = !find.found;
    return ret;
}

static int decode_visit(struct slice key, struct slice value, void *arg)
{
    const struct port_scan *scan = arg;
    struct store_port port;
    int ret = port_decode(key, value, &port);
    return ret ? ret : !scan->each(&port, scan->arg);
}

struct domain_find {
    const char *domain;
    bool found;
};

static bool domain_visit(const struct store_port *port, void *arg)
{
    struct domain_find *find = arg;
    bool is_open = store_port_is_open(port->state);
    if (port->role == STORE_PORT_GAINING)
        find->found = is_open && strcmp(port->gaining, find->domain) == 0;
    else if (port->role == STORE_PORT_LOSING)
        find->found = (is_open || port->state == STORE_PORT_COMMITTED) &&
                      strcmp(port->losing, find->domain) == 0;
    return !find->found;
}

int store_port_scan(const struct store_txn *txn, const struct store_port *after, size_t max,
                    store_port_h *each, void *arg)
{
    struct port_scan scan = {txn, each, arg};
    struct table_key from = {.len = 0};
    if (after && table_key_port(&from, after->role, after->id))
        return -EINVAL;
    return store_list(txn, TABLE_PORTS, SLICE(""), table_key_bytes(&from), max, decode_visit,
                      &scan);
}

int store_port_domain_any(const struct store_txn *txn, const char *domain)
{
    struct domain_find find = {.domain = domain};
    int ret = store_port_scan(txn, NULL, SIZE_MAX, domain_visit, &find);
    return ret ? ret : find.found ? 0 : STATUS_NOTFOUND;
}

/* ---- reading ---- */

int store_port_get(struct store_reader *reader, enum store_port_role role, const char *id,
                   struct store_port *port)
{
    return store_port_read(&reader->txn, role, id, port);
}

int store_port_list(struct store_reader *reader, const struct store_port *after, size_t max,
                    store_port_h *each, void *arg)
{
    return store_port_scan(&reader->txn, after, max, each, arg);
}

int store_port_address_list(struct store_reader *reader, const struct store_address *address,
                            size_t max, store_port_h *each, void *arg)
{
    return store_port_scan_address(&reader->txn, address, max, each, arg);
}

int store_port_owed_list(struct store_reader *reader, size_t max, store_port_h *each, void *arg)
{
    struct port_scan scan = {&reader->txn, each, arg};
    return store_list(&reader->txn, TABLE_PORTS_OWED, SLICE(""), SLICE(""), max, indexed_visit,
                      &scan);
}
