#include "base/netaddr.h"
#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/table_key.h"

#include <errno.h>

#define DOMAIN_FORM     1
#define DOMAIN_SIZE_MAX (16 + STORE_CORES_MAX * (STORE_DOMAIN_MAX + 5))

/* ---- the record: form, version, policy, next hops; its name is the key ---- */

static int domain_encode(const struct store_domain *domain, char buffer[DOMAIN_SIZE_MAX],
                         struct slice *bytes)
{
    struct store_pack pack;
    store_pack_init(&pack, buffer, DOMAIN_SIZE_MAX);
    store_pack_u8(&pack, DOMAIN_FORM);
    store_pack_u64(&pack, domain->version);
    store_pack_u8(&pack, (uint8_t)domain->unknown);
    store_pack_u8(&pack, (uint8_t)domain->core_count);
    for (unsigned i = 0; i < domain->core_count; i++) {
        store_pack_string(&pack, domain->cores[i].host);
        store_pack_u16(&pack, domain->cores[i].port);
        store_pack_u8(&pack, domain->cores[i].transport);
    }
    return store_pack_done(&pack, bytes);
}

/* Fills only the next hops that there are: this is on the way of every message. */
static int domain_decode(const char *name, struct slice bytes, struct store_domain *domain)
{
    struct store_core cores[STORE_CORES_MAX];
    struct store_unpack unpack;
    store_unpack_init(&unpack, bytes);
    store_unpack_version(&unpack, DOMAIN_FORM);
    uint64_t version = store_unpack_u64(&unpack);
    unsigned unknown = store_unpack_u8(&unpack);
    unsigned count = store_unpack_u8(&unpack);
    if (unknown > STORE_UNKNOWN_CORE || count == 0 || count > STORE_CORES_MAX)
        return STATUS_CORRUPT;
    for (unsigned i = 0; i < count; i++) {
        store_unpack_string(&unpack, cores[i].host, sizeof(cores[i].host));
        cores[i].port = store_unpack_u16(&unpack);
        cores[i].transport = store_unpack_u8(&unpack);
    }
    int ret = store_unpack_done(&unpack);
    if (ret)
        return ret;
    memmove(domain->name, name, strlen(name) + 1); /* may be the same */
    domain->version = version;
    domain->unknown = (enum store_unknown_policy)unknown;
    domain->core_count = count;
    memcpy(domain->cores, cores, count * sizeof(cores[0]));
    return 0;
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
    struct table_key key;
    struct slice bytes;
    int ret = table_key_domain(&key, domain->name);
    if (ret == 0)
        ret = domain_encode(domain, buffer, &bytes);
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

static bool name_is_canonical(const char *name)
{
    char canonical[STORE_DOMAIN_MAX + 1];
    size_t len = strnlen(name, STORE_DOMAIN_MAX + 1);
    if (len > STORE_DOMAIN_MAX || store_domain_canonical(slice_make(name, len), canonical, NULL))
        return false;
    return strcmp(name, canonical) == 0;
}

static bool core_is_valid(const struct store_core *core)
{
    struct netaddr addr;
    size_t len = strnlen(core->host, sizeof(core->host));
    if (len == sizeof(core->host) || core->host[0] == '[')
        return false;
    return netaddr_from_ip(&addr, slice_make(core->host, len), 0) == 0 ||
           name_is_canonical(core->host);
}

int store_domain_check(const struct store_domain *domain)
{
    if (!name_is_canonical(domain->name) || (unsigned)domain->unknown > STORE_UNKNOWN_CORE ||
        domain->core_count == 0 || domain->core_count > STORE_CORES_MAX)
        return STATUS_MALFORMED;
    for (unsigned i = 0; i < domain->core_count; i++)
        if (!core_is_valid(&domain->cores[i]))
            return STATUS_MALFORMED;
    return 0;
}

void store_domain_text(struct store_text *text, const struct store_domain *domain)
{
    store_text_add(text, "unknown=%s", domain->unknown == STORE_UNKNOWN_CORE ? "core" : "reject");
    for (unsigned i = 0; i < domain->core_count; i++) {
        const struct store_core *core = &domain->cores[i];
        bool is_ipv6 = strchr(core->host, ':') != NULL;
        store_text_add(text, " core=%s%s%s:%u;transport=%u", is_ipv6 ? "[" : "", core->host,
                       is_ipv6 ? "]" : "", core->port, core->transport);
    }
}

/* ---- reading ---- */

int store_domain_get(struct store_reader *reader, const char *name, struct store_domain *domain)
{
    return store_domain_read(&reader->txn, name, domain);
}

struct domain_list {
    const char *after;
    size_t left;
    store_domain_h *each;
    void *arg;
};

static int domain_list_visit(struct slice key, struct slice value, void *arg)
{
    struct domain_list *list = arg;
    char name[STORE_DOMAIN_MAX + 1];
    struct store_domain domain = {0};
    int ret = table_key_to_domain(key, name);
    if (ret)
        return ret;
    if (list->after && strcmp(name, list->after) == 0)
        return 0;
    ret = domain_decode(name, value, &domain);
    if (ret)
        return ret;
    list->left--;
    return !list->each(&domain, list->arg) || list->left == 0;
}

int store_domain_list(struct store_reader *reader, const char *after, size_t max,
                      store_domain_h *each, void *arg)
{
    struct domain_list list = {.after = after, .left = max, .each = each, .arg = arg};
    struct table_key from = {.len = 0};
    if (max == 0)
        return 0;
    if (after && table_key_domain(&from, after))
        return -EINVAL;
    return store_scan(&reader->txn, TABLE_DOMAINS, table_key_bytes(&from), domain_list_visit,
                      &list);
}
