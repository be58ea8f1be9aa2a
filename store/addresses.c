#include "base/chars.h"
#include "base/status.h"
#include "store/internal.h"
#include "store/pack.h"
#include "store/table_key.h"

#include <errno.h>

#define RECORD_FORM      2
#define RECORD_FORM_MAIL 3 /* one with a mail address */
#define RECORD_SIZE_MAX                                                                            \
    (128 + STORE_HASH_LEN + 2 * STORE_DOMAIN_MAX + STORE_USER_MAX + STORE_OWNER_MAX +              \
     STORE_DISPLAY_MAX + STORE_MAIL_MAX)
#define ADDRESS_TEXT_MAX (STORE_USER_MAX + STORE_DOMAIN_MAX + 2)

/* ---- the record: form, state with flags, hosting domain, target, version, creation, owner,
 * display, end, auth code, mail address ----
 *
 * The address is the key. What most records have alike takes one octet: a hosting domain that is
 * the address's own and a display that is the address itself are stored as the empty string. What
 * a route needs comes first. */

#define STATE_MASK       0x07u
#define FLAG_UNPUBLISHED 0x08u
#define FLAG_BLOCKED     0x10u
#define FLAG_LOCKED      0x20u
#define FLAG_AUTH        0x40u
#define FLAG_AUTH_HASH   0x80u  /* and the hash is there */
#define FLAG_MAIL        0x100u /* not in the octet: the form says so */

_Static_assert(STORE_ADDRESS_STATE_COUNT <= STATE_MASK + 1, "a state has three bits");

static const char *const state_names[STORE_ADDRESS_STATE_COUNT] = {
    [STORE_ADDRESS_HOSTED] = "hosted",         [STORE_ADDRESS_PORTED_IN] = "ported-in",
    [STORE_ADDRESS_PORTED_OUT] = "ported-out", [STORE_ADDRESS_MOVED] = "moved",
    [STORE_ADDRESS_PREPARED] = "prepared",     [STORE_ADDRESS_ALIAS] = "alias",
    [STORE_ADDRESS_TOMBSTONE] = "tombstone",
};

const char *store_address_state_text(enum store_address_state state)
{
    return (unsigned)state < STORE_ADDRESS_STATE_COUNT ? state_names[state] : "no state";
}

int store_address_state_parse(const char *text, enum store_address_state *state)
{
    for (int i = 0; i < STORE_ADDRESS_STATE_COUNT; i++) {
        if (strcmp(text, state_names[i]) != 0)
            continue;
        *state = (enum store_address_state)i;
        return 0;
    }
    return STATUS_MALFORMED;
}

static bool state_has_end(enum store_address_state state)
{
    return state == STORE_ADDRESS_TOMBSTONE || state == STORE_ADDRESS_MOVED;
}

static const char *address_text(const struct store_address *address, char text[ADDRESS_TEXT_MAX])
{
    size_t user = strlen(address->user), domain = strlen(address->domain);
    memcpy(text, address->user, user);
    text[user] = '@';
    memcpy(text + user + 1, address->domain, domain + 1);
    return text;
}

static bool record_is_home(const struct store_record *record)
{
    return strcmp(record->hosting, record->address.domain) == 0;
}

/* All but the auth code, of which `flags` tell, and the mail address. */
static void fields_pack(struct store_pack *pack, const struct store_record *record, unsigned flags,
                        uint64_t version, uint64_t created_ms)
{
    char text[ADDRESS_TEXT_MAX];
    bool is_plain = strcmp(record->display, address_text(&record->address, text)) == 0;
    flags |= (record->blocked ? FLAG_BLOCKED : 0) | (record->locked ? FLAG_LOCKED : 0) |
             (record->unpublished ? FLAG_UNPUBLISHED : 0);
    store_pack_u8(pack, record->notify[0] ? RECORD_FORM_MAIL : RECORD_FORM);
    store_pack_u8(pack, (uint8_t)((unsigned)record->state | flags));
    store_pack_string(pack, record_is_home(record) ? "" : record->hosting);
    if (record->state == STORE_ADDRESS_ALIAS) {
        store_pack_string(pack, record->target.user);
        store_pack_string(pack, record->target.domain);
    }
    store_pack_number(pack, version);
    store_pack_number(pack, created_ms);
    store_pack_string(pack, record->owner);
    store_pack_string(pack, is_plain ? "" : record->display);
    if (state_has_end(record->state))
        store_pack_number(pack, record->until_ms);
}

/* What has none is written as it always was. */
static void mail_pack(struct store_pack *pack, const struct store_record *record)
{
    if (record->notify[0])
        store_pack_string(pack, record->notify);
}

void store_record_pack_new(struct store_pack *pack, const struct store_record *record,
                           uint64_t version, uint64_t created_ms)
{
    fields_pack(pack, record, 0, version, created_ms);
    mail_pack(pack, record);
}

void store_record_pack(struct store_pack *pack, const struct store_record *record, bool secrets)
{
    bool has_hash = record->has_auth && secrets;
    unsigned flags = (record->has_auth ? FLAG_AUTH : 0) | (has_hash ? FLAG_AUTH_HASH : 0);
    fields_pack(pack, record, flags, record->version, record->created_ms);
    if (record->has_auth)
        store_pack_number(pack, record->auth_until_ms);
    if (has_hash)
        store_pack_bytes(pack, record->auth_hash, STORE_HASH_LEN);
    mail_pack(pack, record);
}

/* The first part, which is all that a route needs. The address is known. */
static unsigned unpack_host(struct store_unpack *unpack, const char *domain,
                            struct store_host *host)
{
    unsigned form = store_unpack_u8(unpack);
    unsigned octet = store_unpack_u8(unpack), state = octet & STATE_MASK;
    store_unpack_string(unpack, host->hosting, sizeof(host->hosting));
    bool is_stray_hash = (octet & FLAG_AUTH_HASH) && !(octet & FLAG_AUTH);
    bool is_known = form == RECORD_FORM || form == RECORD_FORM_MAIL;
    if (unpack->failed || !is_known || state >= STORE_ADDRESS_STATE_COUNT || is_stray_hash) {
        unpack->failed = true;
        return 0;
    }
    host->state = (enum store_address_state)state;
    host->blocked = octet & FLAG_BLOCKED;
    if (host->hosting[0] == '\0')
        memcpy(host->hosting, domain, strlen(domain) + 1);
    if (host->state == STORE_ADDRESS_ALIAS) {
        store_unpack_string(unpack, host->target.user, sizeof(host->target.user));
        store_unpack_string(unpack, host->target.domain, sizeof(host->target.domain));
    }
    return octet | (form == RECORD_FORM_MAIL ? FLAG_MAIL : 0);
}

void store_record_unpack(struct store_unpack *unpack, struct store_record *record)
{
    struct store_host host = {.state = STORE_ADDRESS_HOSTED};
    unsigned flags = unpack_host(unpack, record->address.domain, &host);
    record->state = host.state;
    record->blocked = host.blocked;
    record->locked = flags & FLAG_LOCKED;
    record->unpublished = flags & FLAG_UNPUBLISHED;
    record->has_auth = flags & FLAG_AUTH;
    memcpy(record->hosting, host.hosting, sizeof(record->hosting));
    record->target = host.target;
    record->version = store_unpack_number(unpack);
    record->created_ms = store_unpack_number(unpack);
    store_unpack_string(unpack, record->owner, sizeof(record->owner));
    store_unpack_string(unpack, record->display, sizeof(record->display));
    if (!unpack->failed && record->display[0] == '\0')
        address_text(&record->address, record->display);
    record->until_ms = state_has_end(record->state) ? store_unpack_number(unpack) : 0;
    record->auth_until_ms = record->has_auth ? store_unpack_number(unpack) : 0;
    memset(record->auth_hash, 0, sizeof(record->auth_hash));
    if (flags & FLAG_AUTH_HASH)
        store_unpack_bytes(unpack, record->auth_hash, sizeof(record->auth_hash));
    record->notify[0] = '\0';
    if (flags & FLAG_MAIL)
        store_unpack_string(unpack, record->notify, sizeof(record->notify));
}

static int record_decode(const struct store_address *address, struct slice bytes,
                         struct store_record *record)
{
    struct store_record decoded = {.address = *address};
    struct store_unpack unpack;
    store_unpack_init(&unpack, bytes);
    store_record_unpack(&unpack, &decoded);
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
                      struct store_host *host)
{
    struct store_unpack unpack;
    struct slice value;
    int ret = record_find(txn, address, &value);
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    unpack_host(&unpack, address->domain, host);
    return unpack.failed ? STATUS_CORRUPT : 0;
}

int store_record_write(const struct store_txn *txn, const struct store_record *record)
{
    char buffer[RECORD_SIZE_MAX];
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    int ret = table_key_address(&key, &record->address);
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_record_pack(&pack, record, true);
    if (ret == 0)
        ret = store_pack_done(&pack, &bytes);
    return ret ? ret : store_put(txn, TABLE_ADDRESSES, table_key_bytes(&key), bytes);
}

int store_record_remove(const struct store_txn *txn, const struct store_address *address)
{
    struct table_key key;
    int ret = table_key_address(&key, address);
    return ret ? ret : store_del(txn, TABLE_ADDRESSES, table_key_bytes(&key));
}

int store_record_any(const struct store_txn *txn, const char *domain)
{
    struct table_key prefix;
    int ret = table_key_address_prefix(&prefix, domain);
    return ret ? ret : store_any_under(txn, TABLE_ADDRESSES, table_key_bytes(&prefix));
}

/* ---- rules ---- */

/* Made of what is its own canonical form, as most are. */
static bool user_is_simple(const char *user, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!char_is_digit(user[i]) && (user[i] < 'a' || user[i] > 'z'))
            return false;
    return true;
}

static int user_check(const char user[STORE_USER_MAX + 1])
{
    char canonical[STORE_USER_MAX + 1];
    size_t len = strnlen(user, STORE_USER_MAX + 1);
    if (len && len <= STORE_USER_MAX && user_is_simple(user, len))
        return 0;
    if (len > STORE_USER_MAX || store_user_canonical(slice_make(user, len), canonical, NULL))
        return STATUS_MALFORMED;
    return memcmp(user, canonical, len + 1) == 0 ? 0 : STATUS_MALFORMED;
}

int store_address_check(const struct store_address *address)
{
    int ret = user_check(address->user);
    return ret ? ret : store_name_check(address->domain);
}

static int notify_check(const char notify[STORE_MAIL_MAX + 1])
{
    char canonical[STORE_MAIL_MAX + 1];
    size_t len = strnlen(notify, STORE_MAIL_MAX + 1);
    if (len == 0)
        return 0;
    if (len > STORE_MAIL_MAX || store_mail_canonical(slice_make(notify, len), canonical, NULL))
        return STATUS_MALFORMED;
    return memcmp(notify, canonical, len + 1) == 0 ? 0 : STATUS_MALFORMED;
}

/* The members that a state demands or forbids. */
static int record_check_state(const struct store_record *record)
{
    bool is_alias = record->state == STORE_ADDRESS_ALIAS;
    bool has_target = record->target.user[0] || record->target.domain[0];
    if ((unsigned)record->state >= STORE_ADDRESS_STATE_COUNT || is_alias != has_target)
        return STATUS_MALFORMED;
    if (is_alias && store_address_check(&record->target))
        return STATUS_MALFORMED;
    return record->until_ms && !state_has_end(record->state) ? STATUS_MALFORMED : 0;
}

int store_record_check_rest(const struct store_record *record)
{
    size_t owner_len = strnlen(record->owner, sizeof(record->owner));
    if (user_check(record->address.user))
        return STATUS_MALFORMED;
    if (owner_len == sizeof(record->owner) ||
        (owner_len && store_owner_check(slice_make(record->owner, owner_len), NULL)))
        return STATUS_MALFORMED;
    if (strnlen(record->display, sizeof(record->display)) == sizeof(record->display))
        return STATUS_MALFORMED;
    return notify_check(record->notify) ? STATUS_MALFORMED : record_check_state(record);
}

int store_record_check(const struct store_record *record)
{
    if (store_name_check(record->address.domain) || store_name_check(record->hosting))
        return STATUS_MALFORMED;
    return store_record_check_rest(record);
}

/* ---- reading ---- */

int store_address_get(struct store_reader *reader, const struct store_address *address,
                      struct store_record *record)
{
    return store_record_read(&reader->txn, address, record);
}

struct record_list {
    const struct store_txn *txn;
    store_record_h *each;
    void *arg;
};

static int record_list_visit(struct slice key, struct slice value, void *arg)
{
    struct record_list *list = arg;
    struct store_address address;
    struct store_record record;
    int ret = table_key_to_address(key, &address);
    if (ret == 0)
        ret = record_decode(&address, value, &record);
    return ret ? ret : !list->each(&record, list->arg);
}

int store_address_list(struct store_reader *reader, const char *domain,
                       const struct store_address *after, size_t max, store_record_h *each,
                       void *arg)
{
    struct table_key prefix = {.len = 0}, from = {.len = 0};
    if (domain && table_key_address_prefix(&prefix, domain))
        return -EINVAL;
    if (after && table_key_address(&from, after))
        return -EINVAL;
    struct record_list list = {.txn = &reader->txn, .each = each, .arg = arg};
    return store_list(&reader->txn, TABLE_ADDRESSES, table_key_bytes(&prefix),
                      table_key_bytes(&from), max, record_list_visit, &list);
}

static int owner_list_visit(struct slice key, struct slice value, void *arg)
{
    struct record_list *list = arg;
    struct store_address address;
    struct store_record record;
    (void)value;
    int ret = table_key_to_owner_address(key, &address);
    if (ret == 0)
        ret = store_record_read(list->txn, &address, &record);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
    return !list->each(&record, list->arg);
}

int store_owner_list(struct store_reader *reader, const char *owner, const char *domain,
                     const struct store_address *after, size_t max, store_record_h *each, void *arg)
{
    struct table_key prefix, from = {.len = 0};
    int ret = domain ? table_key_owner_domain(&prefix, owner, domain)
                     : table_key_owner_prefix(&prefix, owner);
    if (ret || (after && table_key_owner(&from, owner, after)))
        return -EINVAL;
    struct record_list list = {.txn = &reader->txn, .each = each, .arg = arg};
    return store_list(&reader->txn, TABLE_OWNERS, table_key_bytes(&prefix), table_key_bytes(&from),
                      max, owner_list_visit, &list);
}
