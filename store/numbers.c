#include "base/chars.h"
#include "base/status.h"
#include "store/fault.h"
#include "store/internal.h"
#include "store/table_key.h"

#include <errno.h>

#define NUMBER_MIN 3 /* digits, with the country code */

#define NUMBER_FORM      1
#define NUMBER_FORM_ZONE 2 /* its zone follows the address */
#define NUMBER_SIZE_MAX  (32 + STORE_USER_MAX + 2 * STORE_DOMAIN_MAX)

/* ---- the record: form, address, version, creation; the digits are the key ---- */

void store_number_pack(struct store_pack *pack, const struct store_number *number)
{
    store_pack_u8(pack, number->zone[0] ? NUMBER_FORM_ZONE : NUMBER_FORM);
    store_pack_string(pack, number->address.user);
    store_pack_string(pack, number->address.domain);
    if (number->zone[0])
        store_pack_string(pack, number->zone);
    store_pack_number(pack, number->version);
    store_pack_number(pack, number->created_ms);
}

void store_number_unpack(struct store_unpack *unpack, struct store_number *number)
{
    struct store_address *address = &number->address;
    uint8_t form = store_unpack_u8(unpack);
    if (form != NUMBER_FORM && form != NUMBER_FORM_ZONE)
        unpack->failed = true;
    store_unpack_string(unpack, address->user, sizeof(address->user));
    store_unpack_string(unpack, address->domain, sizeof(address->domain));
    number->zone[0] = '\0';
    if (form == NUMBER_FORM_ZONE)
        store_unpack_string(unpack, number->zone, sizeof(number->zone));
    number->version = store_unpack_number(unpack);
    number->created_ms = store_unpack_number(unpack);
}

static int number_key(struct table_key *key, const char *digits)
{
    return table_key_text(key, digits, STORE_NUMBER_MAX);
}

static int number_decode(struct slice key, struct slice value, struct store_number *number)
{
    struct store_number decoded = {.version = 0};
    struct store_unpack unpack;
    int ret = table_key_to_text(key, decoded.digits, sizeof(decoded.digits));
    if (ret)
        return ret;
    store_unpack_init(&unpack, value);
    store_number_unpack(&unpack, &decoded);
    ret = store_unpack_done(&unpack);
    if (ret == 0)
        *number = decoded;
    return ret;
}

int store_number_read(const struct store_txn *txn, const char *digits, struct store_number *number)
{
    struct table_key key;
    struct slice value;
    int ret = number_key(&key, digits);
    if (ret == 0)
        ret = store_get(txn, TABLE_NUMBERS, table_key_bytes(&key), &value);
    return ret ? ret : number_decode(table_key_bytes(&key), value, number);
}

int store_number_write(const struct store_txn *txn, const struct store_number *number)
{
    char buffer[NUMBER_SIZE_MAX];
    struct store_pack pack;
    struct table_key key;
    struct slice bytes;
    store_pack_init(&pack, buffer, sizeof(buffer));
    store_number_pack(&pack, number);
    int ret = number_key(&key, number->digits);
    if (ret == 0)
        ret = store_pack_done(&pack, &bytes);
    return ret ? ret : store_put(txn, TABLE_NUMBERS, table_key_bytes(&key), bytes);
}

int store_number_remove(const struct store_txn *txn, const char *digits)
{
    struct table_key key;
    int ret = number_key(&key, digits);
    return ret ? ret : store_del(txn, TABLE_NUMBERS, table_key_bytes(&key));
}

/* ---- rules ---- */

int store_number_check(const struct store_number *number)
{
    size_t len = strnlen(number->digits, sizeof(number->digits));
    if (len < NUMBER_MIN || len > STORE_NUMBER_MAX || number->digits[0] == '0')
        return STATUS_MALFORMED;
    for (size_t i = 0; i < len; i++)
        if (!char_is_digit(number->digits[i]))
            return STATUS_MALFORMED;
    if (number->zone[0] &&
        (store_name_check(number->zone) || !store_number_fits(number->digits, number->zone)))
        return STATUS_MALFORMED;
    return store_address_check(&number->address);
}

/* ---- the zone that holds it ---- */

bool store_number_fits(const char *digits, const char *zone)
{
    size_t count = 0, len = strlen(digits);
    while (char_is_digit(zone[2 * count]) && zone[2 * count + 1] == '.')
        count++;
    if (count > len)
        return false;
    for (size_t i = 0; i < count; i++)
        if (zone[2 * (count - 1 - i)] != digits[i])
            return false;
    return true;
}

bool store_zone_number_digits(const struct store_address *address,
                              char digits[STORE_NUMBER_MAX + 1])
{
    char parsed[STORE_NUMBER_MAX + 1] = "";
    if (address->user[0] != '+' || store_number_parse(slice_of(address->user), parsed, NULL) ||
        strcmp(parsed, address->user + 1) != 0 || !store_number_fits(parsed, address->domain))
        return false;
    memcpy(digits, parsed, sizeof(parsed));
    return true;
}

int store_zone_number_read(const struct store_txn *txn, const struct store_address *address,
                           struct store_number *number)
{
    char digits[STORE_NUMBER_MAX + 1];
    struct store_number found;
    if (!store_zone_number_digits(address, digits))
        return STATUS_NOTFOUND;
    int ret = store_number_read(txn, digits, &found);
    if (ret == 0 && strcmp(found.zone, address->domain) != 0)
        ret = STATUS_NOTFOUND;
    if (ret == 0)
        *number = found;
    return ret;
}

/* ---- as people write them ---- */

/* RFC 3966 section 5.1.1; and the space, which people write and a URI cannot carry. */
static bool char_is_separator(char c)
{
    return c == '-' || c == '.' || c == '(' || c == ')' || c == ' ';
}

static int refuse_char(char c, size_t position, struct store_fault *fault)
{
    char quoted[FAULT_CHAR_MAX];
    if (c == ';')
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the number has parameters, from ';' at position %zu on; give it "
                               "without them",
                               position);
    return store_fault_set(fault, STATUS_MALFORMED,
                           "the number contains %s at position %zu; allowed are digits and the "
                           "separators - . ( ) and space",
                           store_fault_char(c, quoted), position);
}

/* "+49 (0)30": some countries drop that 0 and some do not, so it is not for us to choose. */
static bool is_trunk_prefix(struct slice text)
{
    return slice_starts_with(text, SLICE("(0)"));
}

/* The digits of `text` from offset `from` on. */
static int digits_take(struct slice text, size_t from, char digits[STORE_NUMBER_MAX + 1],
                       size_t *len, struct store_fault *fault)
{
    *len = 0;
    for (size_t i = from; i < text.len; i++) {
        char c = text.p[i];
        if (is_trunk_prefix(slice_skip(text, i)))
            return store_fault_set(fault, STATUS_MALFORMED,
                                   "the number has '(0)' at position %zu; write what is dialled "
                                   "from abroad",
                                   i + 1);
        if (char_is_separator(c))
            continue;
        if (!char_is_digit(c))
            return refuse_char(c, i + 1, fault);
        if (*len == STORE_NUMBER_MAX)
            return store_fault_set(fault, STATUS_MALFORMED, "the number has more than %d digits",
                                   STORE_NUMBER_MAX);
        digits[(*len)++] = c;
    }
    digits[*len] = '\0';
    return 0;
}

int store_number_parse(struct slice text, char digits[STORE_NUMBER_MAX + 1],
                       struct store_fault *fault)
{
    char parsed[STORE_NUMBER_MAX + 1] = "";
    size_t begin = slice_starts_with_nocase(text, SLICE("tel:")) ? 4 : 0, len;
    if (begin == text.len || text.p[begin] != '+')
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the number does not begin with '+'; write it with its country "
                               "code, as +49 30 123456");
    int ret = digits_take(text, begin + 1, parsed, &len, fault);
    if (ret)
        return ret;
    if (parsed[0] == '0')
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the number has '0' after '+'; no country code begins with 0");
    if (len < NUMBER_MIN)
        return store_fault_set(fault, STATUS_MALFORMED, "the number has fewer than %d digits",
                               NUMBER_MIN);
    memcpy(digits, parsed, len + 1);
    return 0;
}

/* ---- reading ---- */

int store_number_get(struct store_reader *reader, const char *digits, struct store_number *number)
{
    return store_number_read(&reader->txn, digits, number);
}

int store_zone_number_get(struct store_reader *reader, const struct store_address *address,
                          struct store_number *number)
{
    return store_zone_number_read(&reader->txn, address, number);
}

struct number_list {
    store_number_h *each;
    void *arg;
};

static int number_list_visit(struct slice key, struct slice value, void *arg)
{
    struct number_list *list = arg;
    struct store_number number;
    int ret = number_decode(key, value, &number);
    return ret ? ret : !list->each(&number, list->arg);
}

int store_number_list(struct store_reader *reader, const char *after, size_t max,
                      store_number_h *each, void *arg)
{
    struct number_list list = {.each = each, .arg = arg};
    struct table_key from = {.len = 0};
    if (after && number_key(&from, after))
        return -EINVAL;
    return store_list(&reader->txn, TABLE_NUMBERS, SLICE(""), table_key_bytes(&from), max,
                      number_list_visit, &list);
}

struct domain_number_list {
    const struct store_txn *txn;
    store_number_h *each;
    void *arg;
};

static int domain_number_visit(struct slice key, struct slice value, void *arg)
{
    struct domain_number_list *list = arg;
    char digits[STORE_NUMBER_MAX + 1];
    struct store_number number;
    (void)value;
    int ret = table_key_to_domain_number(key, digits);
    if (ret == 0)
        ret = store_number_read(list->txn, digits, &number);
    if (ret)
        return ret == STATUS_NOTFOUND ? STATUS_CORRUPT : ret;
    return !list->each(&number, list->arg);
}

int store_domain_number_list(struct store_reader *reader, const char *domain, const char *after,
                             size_t max, store_number_h *each, void *arg)
{
    struct domain_number_list list = {.txn = &reader->txn, .each = each, .arg = arg};
    struct table_key prefix, from = {.len = 0};
    if (table_key_address_prefix(&prefix, domain) ||
        (after && table_key_domain_number(&from, domain, after)))
        return -EINVAL;
    return store_list(&reader->txn, TABLE_DOMAIN_NUMBERS, table_key_bytes(&prefix),
                      table_key_bytes(&from), max, domain_number_visit, &list);
}
