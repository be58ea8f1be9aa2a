/* What is derived from records of addresses and numbers, and kept in step with them: who owns what,
 * what leads where, which guests a domain serves, and what is due when. */
#include "base/status.h"
#include "store/internal.h"
#include "store/table_key.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

/* Of SHA-256: two names are too long to be the parts of one key. */
#define HASH_LEN 16

static int hash_add(struct table_key *key, const char *text)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (!EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL))
        return STATUS_CRYPTO;
    memcpy(key->p + key->len, digest, HASH_LEN);
    key->len += HASH_LEN;
    return 0;
}

/* ---- owners ---- */

static int owner_put(const struct store_txn *txn, const struct store_record *record)
{
    struct table_key key;
    int ret = table_key_owner(&key, record->owner, &record->address);
    return ret ? ret : store_put(txn, TABLE_OWNERS, table_key_bytes(&key), SLICE(""));
}

static int owner_del(const struct store_txn *txn, const struct store_record *record)
{
    struct table_key key;
    int ret = table_key_owner(&key, record->owner, &record->address);
    return ret ? ret : store_del(txn, TABLE_OWNERS, table_key_bytes(&key));
}

static int count_visit(struct slice key, struct slice value, void *arg)
{
    (void)key, (void)value;
    ++*(unsigned *)arg;
    return 0;
}

int store_owner_count(const struct store_txn *txn, const char *owner, const char *domain,
                      unsigned max, unsigned *count)
{
    struct table_key prefix;
    unsigned found = 0;
    int ret = table_key_owner_domain(&prefix, owner, domain);
    if (ret == 0)
        ret = store_list(txn, TABLE_OWNERS, table_key_bytes(&prefix), SLICE(""), max, count_visit,
                         &found);
    if (ret == 0)
        *count = found;
    return ret;
}

/* ---- links: what leads to an address ---- */

#define LINK_TEXT_MAX (STORE_USER_MAX + STORE_DOMAIN_MAX + 2)

static void link_text(const struct store_address *address, char text[LINK_TEXT_MAX])
{
    snprintf(text, LINK_TEXT_MAX, "%s@%s", address->user, address->domain);
}

static int link_prefix(struct table_key *key, const struct store_address *target)
{
    char text[LINK_TEXT_MAX];
    link_text(target, text);
    key->len = 0;
    return hash_add(key, text);
}

/* `from` is the text of an alias or "+digits". */
static int link_set(const struct store_txn *txn, const struct store_address *target,
                    const char *from, bool is_there)
{
    struct table_key key;
    int ret = link_prefix(&key, target);
    if (ret == 0)
        ret = hash_add(&key, from);
    if (ret)
        return ret;
    return is_there ? store_put(txn, TABLE_LINKS, table_key_bytes(&key), slice_of(from))
                    : store_del(txn, TABLE_LINKS, table_key_bytes(&key));
}

static int alias_set(const struct store_txn *txn, const struct store_record *record, bool is_there)
{
    char text[LINK_TEXT_MAX];
    link_text(&record->address, text);
    return link_set(txn, &record->target, text, is_there);
}

int store_links_any(const struct store_txn *txn, const struct store_address *address)
{
    struct table_key prefix;
    int ret = link_prefix(&prefix, address);
    return ret ? ret : store_any_under(txn, TABLE_LINKS, table_key_bytes(&prefix));
}

struct link_visit {
    store_link_h *each;
    void *arg;
};

static int link_list_visit(struct slice key, struct slice value, void *arg)
{
    const struct link_visit *visit = arg;
    char text[LINK_TEXT_MAX];
    (void)key;
    if (slice_to_cstr(value, text, sizeof(text)))
        return STATUS_CORRUPT;
    return !visit->each(text, visit->arg);
}

int store_link_scan(const struct store_txn *txn, const struct store_address *address, size_t max,
                    store_link_h *each, void *arg)
{
    struct link_visit visit = {.each = each, .arg = arg};
    struct table_key prefix;
    int ret = link_prefix(&prefix, address);
    return ret ? ret
               : store_list(txn, TABLE_LINKS, table_key_bytes(&prefix), SLICE(""), max,
                            link_list_visit, &visit);
}

int store_link_list(struct store_reader *reader, const struct store_address *address, size_t max,
                    store_link_h *each, void *arg)
{
    return store_link_scan(&reader->txn, address, max, each, arg);
}

/* The aliases that lead to one address, and those that lead to them. */
struct depth_visit {
    const struct store_txn *txn;
    unsigned left;  /* aliases that may still be looked at */
    unsigned hops;  /* from the address to what is looked at now */
    unsigned depth; /* the most of them so far */
};

static int depth_find(struct depth_visit *visit, const struct store_address *address);

static int depth_visit(struct slice key, struct slice value, void *arg)
{
    struct depth_visit *visit = arg;
    struct store_address alias;
    (void)key;
    if (value.len && value.p[0] == '+' && slice_find(value, '@') == value.len)
        return 0; /* a number */
    if (visit->left-- == 0)
        return STATUS_LIMIT;
    int ret = store_address_parse(value, &alias, NULL);
    return ret ? STATUS_CORRUPT : depth_find(visit, &alias);
}

static int depth_find(struct depth_visit *visit, const struct store_address *address)
{
    struct table_key prefix;
    if (visit->hops > visit->depth)
        visit->depth = visit->hops;
    if (visit->hops == STORE_ALIAS_HOPS)
        return 0;
    int ret = link_prefix(&prefix, address);
    visit->hops++;
    if (ret == 0)
        ret = store_list(visit->txn, TABLE_LINKS, table_key_bytes(&prefix), SLICE(""), SIZE_MAX,
                         depth_visit, visit);
    visit->hops--;
    return ret;
}

int store_links_depth(const struct store_txn *txn, const struct store_address *address,
                      unsigned *depth)
{
    struct depth_visit visit = {.txn = txn, .left = STORE_ALIASES_MAX};
    int ret = depth_find(&visit, address);
    *depth = visit.depth;
    return ret;
}

/* ---- numbers: what leads where, and whose they are ---- */

static int number_link_set(const struct store_txn *txn, const struct store_number *number,
                           bool is_there)
{
    char text[STORE_NUMBER_MAX + 2];
    snprintf(text, sizeof(text), "+%s", number->digits);
    return link_set(txn, &number->address, text, is_there);
}

static int domain_number_set(const struct store_txn *txn, const char *domain, const char *digits,
                             bool is_there)
{
    struct table_key key;
    int ret = table_key_domain_number(&key, domain, digits);
    if (ret)
        return ret;
    return is_there ? store_put(txn, TABLE_DOMAIN_NUMBERS, table_key_bytes(&key), SLICE(""))
                    : store_del(txn, TABLE_DOMAIN_NUMBERS, table_key_bytes(&key));
}

static bool state_is_guest(enum store_address_state state)
{
    return state == STORE_ADDRESS_PORTED_IN || state == STORE_ADDRESS_PREPARED;
}

/* The number is its address's domain's, and that of the one which serves a guest. An address that
 * moved is forgotten in time, whatever leads to it. */
static int number_set(const struct store_txn *txn, const struct store_number *number, bool is_there)
{
    struct store_host host;
    int found = store_record_host(txn, &number->address, &host);
    if (found && found != STATUS_NOTFOUND)
        return found;
    int ret = domain_number_set(txn, number->address.domain, number->digits, is_there);
    if (ret == 0 && found == 0 && state_is_guest(host.state))
        ret = domain_number_set(txn, host.hosting, number->digits, is_there);
    return ret ? ret : number_link_set(txn, number, is_there);
}

int store_number_index(const struct store_txn *txn, const struct store_number *number)
{
    return number_set(txn, number, true);
}

int store_number_unindex(const struct store_txn *txn, const struct store_number *number)
{
    return number_set(txn, number, false);
}

/* ---- guests: addresses of foreign domains, by the domain that serves them ---- */

static int guest_prefix(struct table_key *key, const char *hosting)
{
    key->len = 0;
    return hash_add(key, hosting);
}

static int guest_key(struct table_key *key, const char *hosting,
                     const struct store_address *address)
{
    struct table_key name;
    int ret = guest_prefix(key, hosting);
    if (ret == 0)
        ret = table_key_address(&name, address);
    if (ret)
        return ret;
    memcpy(key->p + key->len, name.p, name.len);
    key->len += name.len;
    return 0;
}

int store_guests_any(const struct store_txn *txn, const char *hosting)
{
    struct table_key prefix;
    int ret = guest_prefix(&prefix, hosting);
    return ret ? ret : store_any_under(txn, TABLE_GUESTS, table_key_bytes(&prefix));
}

/* The next number that leads to the guest. */
struct link_next {
    struct table_key after; /* its key, to go on from */
    char digits[STORE_NUMBER_MAX + 1];
};

static int link_next_take(struct slice key, struct slice value, void *arg)
{
    struct link_next *next = arg;
    memcpy(next->after.p, key.p, key.len);
    next->after.len = key.len;
    if (value.len == 0 || value.p[0] != '+' || slice_find(value, '@') != value.len)
        return 0; /* an alias */
    return slice_to_cstr(slice_skip(value, 1), next->digits, sizeof(next->digits)) ? STATUS_CORRUPT
                                                                                   : 1;
}

/* Numbers that lead to a guest are also those of the domain that serves it. */
static int guest_numbers_set(const struct store_txn *txn, const struct store_record *record,
                             bool is_there)
{
    struct link_next next = {.after = {.len = 0}};
    struct table_key prefix;
    int ret = link_prefix(&prefix, &record->address);
    while (ret == 0) {
        next.digits[0] = '\0';
        ret = store_list(txn, TABLE_LINKS, table_key_bytes(&prefix), table_key_bytes(&next.after),
                         SIZE_MAX, link_next_take, &next);
        if (ret || !next.digits[0])
            break;
        ret = domain_number_set(txn, record->hosting, next.digits, is_there);
    }
    return ret;
}

static int guest_set(const struct store_txn *txn, const struct store_record *record, bool is_there)
{
    struct table_key key;
    int ret = guest_key(&key, record->hosting, &record->address);
    if (ret == 0)
        ret = is_there
                  ? store_put(txn, TABLE_GUESTS, table_key_bytes(&key), slice_of(record->hosting))
                  : store_del(txn, TABLE_GUESTS, table_key_bytes(&key));
    return ret ? ret : guest_numbers_set(txn, record, is_there);
}

int store_guest_check(struct slice key, struct slice value)
{
    char hosting[STORE_DOMAIN_MAX + 1];
    struct store_address address;
    struct table_key prefix;
    int ret = slice_to_cstr(value, hosting, sizeof(hosting)) ? STATUS_CORRUPT : 0;
    if (ret == 0)
        ret = guest_prefix(&prefix, hosting);
    if (ret == 0 && !slice_starts_with(key, table_key_bytes(&prefix)))
        ret = STATUS_CORRUPT;
    return ret ? ret : table_key_to_address(slice_skip(key, HASH_LEN), &address);
}

struct guest_list {
    const struct store_txn *txn;
    store_record_h *each;
    void *arg;
};

static int guest_list_visit(struct slice key, struct slice value, void *arg)
{
    const struct guest_list *list = arg;
    struct store_address address;
    struct store_record record;
    (void)value;
    int ret = table_key_to_address(slice_skip(key, HASH_LEN), &address);
    if (ret == 0)
        ret = store_record_read(list->txn, &address, &record);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
    return !list->each(&record, list->arg);
}

int store_guest_list(struct store_reader *reader, const char *hosting, const char *domain,
                     const struct store_address *after, size_t max, store_record_h *each, void *arg)
{
    struct guest_list list = {.txn = &reader->txn, .each = each, .arg = arg};
    struct table_key name, prefix, from = {.len = 0};
    int ret = guest_prefix(&prefix, hosting);
    if (ret)
        return ret;
    if (table_key_address_prefix(&name, domain) || (after && guest_key(&from, hosting, after)))
        return -EINVAL;
    memcpy(prefix.p + prefix.len, name.p, name.len);
    prefix.len += name.len;
    return store_list(&reader->txn, TABLE_GUESTS, table_key_bytes(&prefix), table_key_bytes(&from),
                      max, guest_list_visit, &list);
}

/* ---- deadlines ---- */

static int deadline_key(struct table_key *key, const struct store_record *record)
{
    struct table_key name;
    int ret = table_key_address(&name, &record->address);
    return ret ? ret
               : table_key_deadline(key, record->until_ms, STORE_DUE_ADDRESS,
                                    table_key_bytes(&name));
}

static int deadline_put(const struct store_txn *txn, const struct store_record *record)
{
    struct table_key key;
    int ret = deadline_key(&key, record);
    return ret ? ret : store_put(txn, TABLE_DEADLINES, table_key_bytes(&key), SLICE(""));
}

static int deadline_del(const struct store_txn *txn, const struct store_record *record)
{
    struct table_key key;
    int ret = deadline_key(&key, record);
    return ret ? ret : store_del(txn, TABLE_DEADLINES, table_key_bytes(&key));
}

static int token_deadline(const struct store_token *token, struct table_key *key)
{
    return table_key_deadline(key, token->until_ms, STORE_DUE_TOKEN, slice_of(token->id));
}

int store_token_index(const struct store_txn *txn, const struct store_token *token)
{
    struct table_key key;
    if (token->until_ms == 0)
        return 0;
    int ret = token_deadline(token, &key);
    return ret ? ret : store_put(txn, TABLE_DEADLINES, table_key_bytes(&key), SLICE(""));
}

int store_token_unindex(const struct store_txn *txn, const struct store_token *token)
{
    struct table_key key;
    if (token->until_ms == 0)
        return 0;
    int ret = token_deadline(token, &key);
    return ret ? ret : store_del(txn, TABLE_DEADLINES, table_key_bytes(&key));
}

/* ---- all that an address needs ---- */

int store_record_index(const struct store_txn *txn, const struct store_record *record)
{
    int ret = 0;
    if (record->owner[0])
        ret = owner_put(txn, record);
    if (ret == 0 && record->state == STORE_ADDRESS_ALIAS)
        ret = alias_set(txn, record, true);
    if (ret == 0 && state_is_guest(record->state))
        ret = guest_set(txn, record, true);
    if (ret == 0 && record->until_ms)
        ret = deadline_put(txn, record);
    return ret;
}

bool store_record_index_same(const struct store_record *a, const struct store_record *b)
{
    return a->state == b->state && a->until_ms == b->until_ms && strcmp(a->owner, b->owner) == 0 &&
           strcmp(a->hosting, b->hosting) == 0 && strcmp(a->target.user, b->target.user) == 0 &&
           strcmp(a->target.domain, b->target.domain) == 0;
}

int store_record_unindex(const struct store_txn *txn, const struct store_record *record)
{
    int ret = 0;
    if (record->owner[0])
        ret = owner_del(txn, record);
    if (ret == 0 && record->state == STORE_ADDRESS_ALIAS)
        ret = alias_set(txn, record, false);
    if (ret == 0 && state_is_guest(record->state))
        ret = guest_set(txn, record, false);
    if (ret == 0 && record->until_ms)
        ret = deadline_del(txn, record);
    /* An index that lacks what a record needs is damage, not an answer. */
    return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
}
