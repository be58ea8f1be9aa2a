#include "base/netaddr.h"
#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/table_key.h"

#include <errno.h>

#define DOMAIN_FORM      2
#define FLAG_UNPUBLISHED 0x80u /* in the octet of the policy */
#define FLAG_RANKED      0x40u /* likewise: priority and weight behind each next hop */
#define FLAG_REDIRECTS   0x20u /* likewise */
#define FLAG_MOVES       0x10u /* likewise: how and to whom it moves stands at the end */
#define FLAGS            (FLAG_UNPUBLISHED | FLAG_RANKED | FLAG_REDIRECTS | FLAG_MOVES)
#define DOMAIN_SIZE_MAX  (64 + STORE_CORES_MAX * (STORE_DOMAIN_MAX + 9) + STORE_DOMAIN_MAX)

/* ---- the record: form, version, policy, next hops, limits, creation; its name is the key ---- */

static void core_pack(struct store_pack *pack, const struct store_core *core, bool ranked)
{
    store_pack_string(pack, core->host);
    store_pack_u16(pack, core->port);
    store_pack_u8(pack, core->transport);
    if (ranked) {
        store_pack_u16(pack, core->priority);
        store_pack_u16(pack, core->weight);
    }
}

static void core_unpack(struct store_unpack *unpack, bool ranked, struct store_core *core)
{
    store_unpack_string(unpack, core->host, sizeof(core->host));
    core->port = store_unpack_u16(unpack);
    core->transport = store_unpack_u8(unpack);
    core->priority = ranked ? store_unpack_u16(unpack) : 0;
    core->weight = ranked ? store_unpack_u16(unpack) : 0;
}

void store_domain_pack(struct store_pack *pack, const struct store_domain *domain)
{
    store_pack_u8(pack, DOMAIN_FORM);
    store_pack_number(pack, domain->version);
    store_pack_u8(
        pack,
        (uint8_t)((unsigned)domain->unknown | (domain->unpublished ? FLAG_UNPUBLISHED : 0) |
                  (domain->ranked ? FLAG_RANKED : 0) | (domain->redirects ? FLAG_REDIRECTS : 0) |
                  (domain->move ? FLAG_MOVES : 0)));
    store_pack_u8(pack, (uint8_t)domain->core_count);
    for (unsigned i = 0; i < domain->core_count; i++)
        core_pack(pack, &domain->cores[i], domain->ranked);
    store_pack_number(pack, domain->claims_per_owner);
    store_pack_number(pack, domain->quarantine_days);
    store_pack_number(pack, domain->created_ms);
    if (domain->move) {
        store_pack_u8(pack, (uint8_t)domain->move);
        store_pack_string(pack, domain->move_to);
    }
}

static void move_unpack(struct store_unpack *unpack, bool moves, struct store_domain *domain)
{
    unsigned move = moves ? store_unpack_u8(unpack) : STORE_MOVE_NONE;
    if (move >= STORE_MOVE_COUNT || (moves && move == STORE_MOVE_NONE)) {
        unpack->failed = true;
        return;
    }
    domain->move = (enum store_domain_move)move;
    domain->move_to[0] = '\0';
    if (moves)
        store_unpack_string(unpack, domain->move_to, sizeof(domain->move_to));
}

void store_domain_unpack(struct store_unpack *unpack, struct store_domain *domain)
{
    store_unpack_version(unpack, DOMAIN_FORM);
    domain->version = store_unpack_number(unpack);
    unsigned octet = store_unpack_u8(unpack), unknown = octet & ~FLAGS;
    unsigned count = store_unpack_u8(unpack);
    if (unknown > STORE_UNKNOWN_CORE || count == 0 || count > STORE_CORES_MAX) {
        unpack->failed = true;
        return;
    }
    domain->unknown = (enum store_unknown_policy)unknown;
    domain->unpublished = octet & FLAG_UNPUBLISHED;
    domain->ranked = octet & FLAG_RANKED;
    domain->redirects = octet & FLAG_REDIRECTS;
    domain->core_count = count;
    for (unsigned i = 0; i < count; i++)
        core_unpack(unpack, domain->ranked, &domain->cores[i]);
    uint64_t claims = store_unpack_number(unpack), days = store_unpack_number(unpack);
    if (claims > STORE_CLAIMS_MAX || days > STORE_QUARANTINE_DAYS_MAX)
        unpack->failed = true;
    domain->claims_per_owner = (unsigned)claims;
    domain->quarantine_days = (unsigned)days;
    domain->created_ms = store_unpack_number(unpack);
    move_unpack(unpack, octet & FLAG_MOVES, domain);
}

static int domain_decode(const char *name, struct slice bytes, struct store_domain *domain)
{
    struct store_unpack unpack;
    struct store_domain decoded;
    store_unpack_init(&unpack, bytes);
    store_domain_unpack(&unpack, &decoded);
    int ret = store_unpack_done(&unpack);
    if (ret)
        return ret;
    memcpy(decoded.name, name, strlen(name) + 1);
    store_domain_copy(domain, &decoded);
    return 0;
}

void store_domain_copy(struct store_domain *to, const struct store_domain *from)
{
    memcpy(to->name, from->name, strlen(from->name) + 1);
    memcpy(to->cores, from->cores, from->core_count * sizeof(from->cores[0]));
    to->core_count = from->core_count;
    to->ranked = from->ranked;
    to->unknown = from->unknown;
    to->claims_per_owner = from->claims_per_owner;
    to->quarantine_days = from->quarantine_days;
    to->unpublished = from->unpublished;
    to->redirects = from->redirects;
    to->move = from->move;
    memcpy(to->move_to, from->move_to, strlen(from->move_to) + 1);
    to->version = from->version;
    to->created_ms = from->created_ms;
}

int store_domain_read(const struct store_txn *txn, const char *name, struct store_domain *domain)
{
    struct table_key key;
    struct slice value;
    int ret = table_key_domain(&key, name);
    if (ret == 0)
        ret = store_get(txn, TABLE_DOMAINS, table_key_bytes(&key), &value);
    return ret ? ret : domain_decode(name, value, domain);
}

int store_domain_write(const struct store_txn *txn, const struct store_domain *domain)
{
    char buffer[DOMAIN_SIZE_MAX];
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    int ret = table_key_domain(&key, domain->name);
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_domain_pack(&pack, domain);
    if (ret == 0)
        ret = store_pack_done(&pack, &bytes);
    return ret ? ret : store_put(txn, TABLE_DOMAINS, table_key_bytes(&key), bytes);
}

int store_domain_remove(const struct store_txn *txn, const char *name)
{
    struct table_key key;
    int ret = table_key_domain(&key, name);
    return ret ? ret : store_del(txn, TABLE_DOMAINS, table_key_bytes(&key));
}

int store_domain_exists(const struct store_txn *txn, const char *name)
{
    struct table_key key;
    struct slice value;
    int ret = table_key_domain(&key, name);
    return ret ? ret : store_get(txn, TABLE_DOMAINS, table_key_bytes(&key), &value);
}

/* ---- rules ---- */

int store_name_check(const char *name)
{
    char canonical[STORE_DOMAIN_MAX + 1];
    size_t len = strnlen(name, STORE_DOMAIN_MAX + 1);
    if (len > STORE_DOMAIN_MAX || store_domain_canonical(slice_make(name, len), canonical, NULL))
        return STATUS_MALFORMED;
    return strcmp(name, canonical) == 0 ? 0 : STATUS_MALFORMED;
}

static bool core_is_valid(const struct store_core *core)
{
    struct netaddr addr;
    size_t len = strnlen(core->host, sizeof(core->host));
    if (len == sizeof(core->host) || core->host[0] == '[')
        return false;
    return netaddr_from_ip(&addr, slice_make(core->host, len), 0) == 0 ||
           store_name_check(core->host) == 0;
}

int store_domain_check(const struct store_domain *domain)
{
    if (store_name_check(domain->name) || (unsigned)domain->unknown > STORE_UNKNOWN_CORE ||
        domain->core_count == 0 || domain->core_count > STORE_CORES_MAX ||
        domain->claims_per_owner > STORE_CLAIMS_MAX ||
        domain->quarantine_days > STORE_QUARANTINE_DAYS_MAX)
        return STATUS_MALFORMED;
    for (unsigned i = 0; i < domain->core_count; i++)
        if (!core_is_valid(&domain->cores[i]))
            return STATUS_MALFORMED;
    return domain->move || domain->move_to[0] ? STATUS_MALFORMED : 0;
}

/* ---- moves ---- */

static const char *const move_names[STORE_MOVE_COUNT] = {
    [STORE_MOVE_NONE] = "none",
    [STORE_MOVE_LEAVING] = "leaving",
    [STORE_MOVE_GONE] = "gone",
    [STORE_MOVE_ARRIVING] = "arriving",
};

const char *store_domain_move_text(enum store_domain_move move)
{
    return (unsigned)move < STORE_MOVE_COUNT ? move_names[move] : "unknown";
}

int store_domain_move_parse(const char *text, enum store_domain_move *move)
{
    for (int i = 0; i < STORE_MOVE_COUNT; i++)
        if (strcmp(text, move_names[i]) == 0) {
            *move = (enum store_domain_move)i;
            return 0;
        }
    return STATUS_MALFORMED;
}

/* ---- reading ---- */

int store_domain_get(struct store_reader *reader, const char *name, struct store_domain *domain)
{
    return store_domain_read(&reader->txn, name, domain);
}

struct domain_list {
    store_domain_h *each;
    void *arg;
};

static int domain_list_visit(struct slice key, struct slice value, void *arg)
{
    struct domain_list *list = arg;
    char name[STORE_DOMAIN_MAX + 1];
    struct store_domain domain = {0};
    int ret = table_key_to_domain(key, name);
    if (ret == 0)
        ret = domain_decode(name, value, &domain);
    return ret ? ret : !list->each(&domain, list->arg);
}

int store_domain_list(struct store_reader *reader, const char *after, size_t max,
                      store_domain_h *each, void *arg)
{
    struct domain_list list = {.each = each, .arg = arg};
    struct table_key from = {.len = 0};
    if (after && table_key_domain(&from, after))
        return -EINVAL;
    return store_list(&reader->txn, TABLE_DOMAINS, SLICE(""), table_key_bytes(&from), max,
                      domain_list_visit, &list);
}
