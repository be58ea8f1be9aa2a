#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/table_key.h"

#include <errno.h>

#define RECORD_FORM     1
#define RECORD_SIZE_MAX (32 + STORE_DOMAIN_MAX + STORE_DISPLAY_MAX)

/* ---- the record: form, state, hosting domain, version, creation, display ----
 * The address is the key. A hosting domain that is the address's own is stored as the empty
 * string, which is how most of them are. */

static int record_encode(const struct store_record *record, char buffer[RECORD_SIZE_MAX],
                         struct slice *bytes)
{
    struct store_pack pack;
    bool is_home = strcmp(record->hosting, record->address.domain) == 0;
    store_pack_init(&pack, buffer, RECORD_SIZE_MAX);
    store_pack_u8(&pack, RECORD_FORM);
    store_pack_u8(&pack, (uint8_t)record->state);
    store_pack_string(&pack, is_home ? "" : record->hosting);
    store_pack_u64(&pack, record->version);
    store_pack_u64(&pack, record->created_ms);
    store_pack_string(&pack, record->display);
    return store_pack_done(&pack, bytes);
}

/* The first part, which is all that a route needs. */
static void unpack_host(struct store_unpack *unpack, const char *domain,
                        enum store_address_state *state, char hosting[STORE_DOMAIN_MAX + 1])
{
    store_unpack_version(unpack, RECORD_FORM);
    unsigned number = store_unpack_u8(unpack);
    store_unpack_string(unpack, hosting, STORE_DOMAIN_MAX + 1);
    if (unpack->failed || number > STORE_ADDRESS_PORTED_OUT) {
        unpack->failed = true;
        return;
    }
    *state = (enum store_address_state)number;
    if (hosting[0] == '\0')
        memcpy(hosting, domain, strlen(domain) + 1);
}

static int record_decode(const struct store_address *address, struct slice bytes,
                         struct store_record *record)
{
    struct store_record decoded = {.address = *address};
    struct store_unpack unpack;
    store_unpack_init(&unpack, bytes);
    unpack_host(&unpack, address->domain, &decoded.state, decoded.hosting);
    decoded.version = store_unpack_u64(&unpack);
    decoded.created_ms = store_unpack_u64(&unpack);
    store_unpack_string(&unpack, decoded.display, sizeof(decoded.display));
    int ret = store_unpack_done(&unpack);
    if (ret == 0)
        *record = decoded;
    return ret;
}

static int record_find(const struct store_txn *txn, const struct store_address *address,
                       struct slice *value)
{
    struct table_key key;
    int ret = table_key_address(&key, address);
    return ret ? ret : store_get(txn, TABLE_ADDRESSES, table_key_bytes(&key), value);
}

int store_record_read(const struct store_txn *txn, const struct store_address *address,
                      struct store_record *record)
{
    struct slice value;
    int ret = record_find(txn, address, &value);
    return ret ? ret : record_decode(address, value, record);
}

int store_record_host(const struct store_txn *txn, const struct store_address *address,
                      enum store_address_state *state, char hosting[STORE_DOMAIN_MAX + 1])
{
    struct store_unpack unpack;
    struct slice value;
    int ret = record_find(txn, address, &value);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    unpack_host(&unpack, address->domain, state, hosting);
    return unpack.failed ? STATUS_CORRUPT : 0;
}

int store_record_write(const struct store_txn *txn, const struct store_record *record)
{
    char buffer[RECORD_SIZE_MAX];
    struct table_key key;
    struct slice bytes;
    int ret = table_key_address(&key, &record->address);
    if (ret == 0)
        ret = record_encode(record, buffer, &bytes);
    return ret ? ret : store_put(txn, TABLE_ADDRESSES, table_key_bytes(&key), bytes);
}

int store_record_remove(const struct store_txn *txn, const struct store_address *address)
{
    struct table_key key;
    int ret = table_key_address(&key, address);
    return ret ? ret : store_del(txn, TABLE_ADDRESSES, table_key_bytes(&key));
}

static int record_any_visit(struct slice key, struct slice value, void *arg)
{
    struct slice *first = arg;
    (void)value;
    *first = key;
    return 1;
}

int store_record_any(const struct store_txn *txn, const char *domain)
{
    struct table_key prefix;
    struct slice first = {0};
    int ret = table_key_address_prefix(&prefix, domain);
    if (ret == 0)
        ret = store_scan(txn, TABLE_ADDRESSES, table_key_bytes(&prefix), record_any_visit, &first);
    if (ret)
        return ret;
    return slice_starts_with(first, table_key_bytes(&prefix)) ? 0 : STATUS_NOTFOUND;
}

/* ---- addresses ported in, counted per hosting domain ---- */

int store_guests_get(const struct store_txn *txn, const char *hosting, uint64_t *count)
{
    struct table_key key;
    struct slice value;
    int ret = table_key_domain(&key, hosting);
    if (ret == 0)
        ret = store_get(txn, TABLE_GUESTS, table_key_bytes(&key), &value);
    if (ret == STATUS_NOTFOUND) {
        *count = 0;
        return 0;
    }
    return ret ? ret : table_key_to_u64(value, count);
}

int store_guests_put(const struct store_txn *txn, const char *hosting, uint64_t count)
{
    struct table_key key, number;
    int ret = table_key_domain(&key, hosting);
    if (ret)
        return ret;
    if (count == 0)
        return store_del(txn, TABLE_GUESTS, table_key_bytes(&key));
    table_key_u64(&number, count);
    return store_put(txn, TABLE_GUESTS, table_key_bytes(&key), table_key_bytes(&number));
}

/* ---- rules ---- */

static int address_check(const struct store_address *address)
{
    struct store_address canonical;
    size_t user_len = strnlen(address->user, sizeof(address->user));
    size_t domain_len = strnlen(address->domain, sizeof(address->domain));
    if (user_len == sizeof(address->user) || domain_len == sizeof(address->domain) ||
        store_user_canonical(slice_make(address->user, user_len), canonical.user, NULL) ||
        store_domain_canonical(slice_make(address->domain, domain_len), canonical.domain, NULL))
        return STATUS_MALFORMED;
    bool is_canonical = strcmp(address->user, canonical.user) == 0 &&
                        strcmp(address->domain, canonical.domain) == 0;
    return is_canonical ? 0 : STATUS_MALFORMED;
}

int store_record_check(const struct store_record *record)
{
    char canonical[STORE_DOMAIN_MAX + 1];
    size_t len = strnlen(record->hosting, sizeof(record->hosting));
    if (address_check(&record->address) || len == sizeof(record->hosting) ||
        store_domain_canonical(slice_make(record->hosting, len), canonical, NULL) ||
        strcmp(record->hosting, canonical) != 0)
        return STATUS_MALFORMED;
    if ((unsigned)record->state > STORE_ADDRESS_PORTED_OUT ||
        strnlen(record->display, sizeof(record->display)) == sizeof(record->display))
        return STATUS_MALFORMED;
    return 0;
}

void store_record_text(struct store_text *text, const struct store_record *record)
{
    store_text_add(text, "state=%s hosting=%s display=%s",
                   record->state == STORE_ADDRESS_HOSTED ? "hosted" : "ported_out", record->hosting,
                   record->display);
}

/* ---- reading ---- */

int store_address_get(struct store_reader *reader, const struct store_address *address,
                      struct store_record *record)
{
    return store_record_read(&reader->txn, address, record);
}

struct record_list {
    struct slice prefix, after; /* keys; empty: any, none */
    size_t left;
    store_record_h *each;
    void *arg;
};

static int record_list_visit(struct slice key, struct slice value, void *arg)
{
    struct record_list *list = arg;
    struct store_address address;
    struct store_record record;
    if (!slice_starts_with(key, list->prefix))
        return 1;
    if (slice_eq(key, list->after))
        return 0;
    int ret = table_key_to_address(key, &address);
    if (ret == 0)
        ret = record_decode(&address, value, &record);
    if (ret)
        return ret;
    list->left--;
    return !list->each(&record, list->arg) || list->left == 0;
}

int store_address_list(struct store_reader *reader, const char *domain,
                       const struct store_address *after, size_t max, store_record_h *each,
                       void *arg)
{
    struct table_key prefix = {.len = 0}, from = {.len = 0};
    if (max == 0)
        return 0;
    if (domain && table_key_address_prefix(&prefix, domain))
        return -EINVAL;
    if (after && table_key_address(&from, after))
        return -EINVAL;
    struct record_list list = {.prefix = table_key_bytes(&prefix),
                               .after = table_key_bytes(&from),
                               .left = max,
                               .each = each,
                               .arg = arg};
    return store_scan(&reader->txn, TABLE_ADDRESSES, after ? list.after : list.prefix,
                      record_list_visit, &list);
}
