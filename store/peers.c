#include "base/status.h"
#include "base/utf8.h"
#include "store/internal.h"
#include "store/table_key.h"

#include <errno.h>

#define PEER_FORM     1
#define PEER_SIZE_MAX (64 + STORE_PINS_MAX * STORE_HASH_LEN + STORE_TARIFF_MAX)

/* ---- the record: form, flags, budgets, pins, tariff, version, creation; the domain is the key
 * ---- */

#define FLAG_BLOCKED 0x01u
#define FLAG_TRUSTS  0x02u
#define FLAGS_ALL    (FLAG_BLOCKED | FLAG_TRUSTS)

void store_peer_pack(struct store_pack *pack, const struct store_peer *peer)
{
    unsigned flags = (peer->blocked ? FLAG_BLOCKED : 0) | (peer->trusts_identity ? FLAG_TRUSTS : 0);
    store_pack_u8(pack, PEER_FORM);
    store_pack_u8(pack, (uint8_t)flags);
    store_pack_number(pack, peer->requests_per_s);
    store_pack_number(pack, peer->calls_max);
    store_pack_u8(pack, (uint8_t)peer->pin_count);
    for (unsigned i = 0; i < peer->pin_count; i++)
        store_pack_bytes(pack, peer->pins[i], STORE_HASH_LEN);
    store_pack_string(pack, peer->tariff);
    store_pack_number(pack, peer->version);
    store_pack_number(pack, peer->created_ms);
}

static uint32_t unpack_budget(struct store_unpack *unpack)
{
    uint64_t budget = store_unpack_number(unpack);
    if (budget > UINT32_MAX)
        unpack->failed = true;
    return (uint32_t)budget;
}

void store_peer_unpack(struct store_unpack *unpack, struct store_peer *peer)
{
    store_unpack_version(unpack, PEER_FORM);
    unsigned flags = store_unpack_u8(unpack);
    peer->requests_per_s = unpack_budget(unpack);
    peer->calls_max = unpack_budget(unpack);
    unsigned count = store_unpack_u8(unpack);
    if (flags & ~FLAGS_ALL || count > STORE_PINS_MAX) {
        unpack->failed = true;
        return;
    }
    peer->blocked = flags & FLAG_BLOCKED;
    peer->trusts_identity = flags & FLAG_TRUSTS;
    peer->pin_count = count;
    for (unsigned i = 0; i < count; i++)
        store_unpack_bytes(unpack, peer->pins[i], STORE_HASH_LEN);
    store_unpack_string(unpack, peer->tariff, sizeof(peer->tariff));
    peer->version = store_unpack_number(unpack);
    peer->created_ms = store_unpack_number(unpack);
}

static int peer_decode(struct slice key, struct slice value, struct store_peer *peer)
{
    struct store_peer decoded = {.pin_count = 0};
    struct store_unpack unpack;
    int ret = table_key_to_domain(key, decoded.domain);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    store_peer_unpack(&unpack, &decoded);
    ret = store_unpack_done(&unpack);
    if (ret == 0)
        *peer = decoded;
    return ret;
}

int store_peer_read(const struct store_txn *txn, const char *domain, struct store_peer *peer)
{
    struct table_key key;
    struct slice value;
    int ret = table_key_domain(&key, domain);
    if (ret == 0)
        ret = store_get(txn, TABLE_PEERS, table_key_bytes(&key), &value);
    return ret ? ret : peer_decode(table_key_bytes(&key), value, peer);
}

int store_peer_write(const struct store_txn *txn, const struct store_peer *peer)
{
    char buffer[PEER_SIZE_MAX];
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_peer_pack(&pack, peer);
    int ret = table_key_domain(&key, peer->domain);
    if (ret == 0)
        ret = store_pack_done(&pack, &bytes);
    return ret ? ret : store_put(txn, TABLE_PEERS, table_key_bytes(&key), bytes);
}

int store_peer_remove(const struct store_txn *txn, const char *domain)
{
    struct table_key key;
    int ret = table_key_domain(&key, domain);
    return ret ? ret : store_del(txn, TABLE_PEERS, table_key_bytes(&key));
}

/* ---- rules ---- */

int store_peer_check(const struct store_peer *peer)
{
    if (store_name_check(peer->domain) || peer->pin_count > STORE_PINS_MAX ||
        strnlen(peer->tariff, sizeof(peer->tariff)) == sizeof(peer->tariff) ||
        !utf8_is_printable(peer->tariff))
        return STATUS_MALFORMED;
    return 0;
}

/* ---- reading ---- */

int store_peer_get(struct store_reader *reader, const char *domain, struct store_peer *peer)
{
    return store_peer_read(&reader->txn, domain, peer);
}

struct peer_list {
    store_peer_h *each;
    void *arg;
};

static int peer_list_visit(struct slice key, struct slice value, void *arg)
{
    struct peer_list *list = arg;
    struct store_peer peer;
    int ret = peer_decode(key, value, &peer);
    return ret ? ret : !list->each(&peer, list->arg);
}

int store_peer_list(struct store_reader *reader, const char *after, size_t max, store_peer_h *each,
                    void *arg)
{
    struct peer_list list = {.each = each, .arg = arg};
    struct table_key from = {.len = 0};
    if (after && table_key_domain(&from, after))
        return -EINVAL;
    return store_list(&reader->txn, TABLE_PEERS, SLICE(""), table_key_bytes(&from), max,
                      peer_list_visit, &list);
}
