#include "base/chars.h"
#include "base/status.h"
#include "store/fault.h"
#include "store/store.h"

#include <stdio.h>

#define USER_RULE "allowed are letters, digits, -_.!~*'()&=+$,;?/ and other characters as %%HH"

/* What may stand unescaped in a user part: RFC 3261 section 25.1, unreserved and user-unreserved.
 */
static bool user_char_is_plain(char c)
{
    if (char_is_alnum(c))
        return true;
    switch (c) {
    case '-':
    case '_':
    case '.':
    case '!':
    case '~':
    case '*':
    case '\'':
    case '(':
    case ')':
    case '&':
    case '=':
    case '+':
    case '$':
    case ',':
    case ';':
    case '?':
    case '/':
        return true;
    default:
        return false;
    }
}

/* The octet that the escape at the front of `text` stands for. Returns 0 or STATUS_MALFORMED. */
static int user_escape_decode(struct slice text, size_t position, char *octet,
                              struct store_fault *fault)
{
    int high = text.len > 1 ? char_hex(text.p[1]) : -1;
    int low = text.len > 2 ? char_hex(text.p[2]) : -1;
    if (high < 0 || low < 0)
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the user part has '%%' at position %zu without two hexadecimal "
                               "digits after it; write '%%' itself as %%25",
                               position);
    int value = high << 4 | low;
    if (value == '@')
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the user part contains an escaped '@' (%%40) at position %zu; "
                               "an address never has '@' in its user part",
                               position);
    if (value < 0x20 || value == 0x7f)
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the user part contains the control character %%%02X at position "
                               "%zu; control characters are not allowed",
                               (unsigned)value, position);
    *octet = (char)value;
    return 0;
}

/* The octets of the character at the front of `text`, if it is one of UTF-8 beyond ASCII; else 0.
 */
static size_t char_len(struct slice text)
{
    uint8_t lead = (uint8_t)text.p[0];
    size_t len = lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.len < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if (((uint8_t)text.p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* What a user part may not contain as it is, at the front of `text`. */
static int char_refuse(struct slice text, size_t position, struct store_fault *fault)
{
    char quoted[FAULT_CHAR_MAX], escaped[3 * 4 + 1];
    size_t len = char_len(text);
    for (size_t i = 0; i < len; i++)
        snprintf(escaped + 3 * i, 4, "%%%02X", (unsigned)(uint8_t)text.p[i]);
    if (len)
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the user part contains '%.*s' at position %zu; write it as %s",
                               (int)len, text.p, position, escaped);
    return store_fault_set(fault, STATUS_MALFORMED,
                           "the user part contains %s at position %zu; " USER_RULE,
                           store_fault_char(*text.p, quoted), position);
}

int store_user_canonical(struct slice user, char out[STORE_USER_MAX + 1], struct store_fault *fault)
{
    static const char hex[] = "0123456789ABCDEF";
    char canonical[STORE_USER_MAX + 3]; /* an escape may pass the end before it is noticed */
    size_t len = 0;
    if (user.len == 0)
        return store_fault_set(fault, STATUS_MALFORMED, "the user part is empty");
    for (size_t i = 0; i < user.len && len <= STORE_USER_MAX; i++) {
        char c = user.p[i];
        if (c == '%') {
            int ret = user_escape_decode(slice_skip(user, i), i + 1, &c, fault);
            if (ret)
                return ret;
            i += 2;
        } else if (!user_char_is_plain(c)) {
            return char_refuse(slice_skip(user, i), i + 1, fault);
        }
        if (user_char_is_plain(c)) {
            canonical[len++] = char_lower(c);
            continue;
        }
        canonical[len++] = '%';
        canonical[len++] = hex[(uint8_t)c >> 4];
        canonical[len++] = hex[(uint8_t)c & 15];
    }
    if (len > STORE_USER_MAX)
        return store_fault_set(fault, STATUS_MALFORMED, "the user part is longer than %d octets",
                               STORE_USER_MAX);
    memcpy(out, canonical, len);
    out[len] = '\0';
    return 0;
}

/* Without "sip:" or "sips:" in front; both name the same address. */
static struct slice scheme_skip(struct slice text)
{
    if (slice_starts_with_nocase(text, SLICE("sips:")))
        return slice_skip(text, 5);
    if (slice_starts_with_nocase(text, SLICE("sip:")))
        return slice_skip(text, 4);
    return text;
}

int store_address_parse(struct slice text, struct store_address *address, struct store_fault *fault)
{
    struct store_address parsed;
    text = scheme_skip(text);
    size_t at = slice_find(text, '@');
    if (at == text.len)
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the address has no '@'; write it as user@domain");
    struct slice domain = slice_skip(text, at + 1);
    if (slice_find(domain, '@') < domain.len)
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the address has more than one '@'; write it as user@domain");
    int ret = store_user_canonical(slice_make(text.p, at), parsed.user, fault);
    if (ret)
        return ret;
    ret = store_domain_canonical(domain, parsed.domain, fault);
    if (ret)
        return ret;
    *address = parsed;
    return 0;
}
