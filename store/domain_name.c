#include "base/chars.h"
#include "base/netaddr.h"
#include "base/status.h"
#include "store/fault.h"
#include "store/store.h"

#include <idn2.h>

#define LABEL_MAX     63   /* octets of a label (RFC 1035 section 2.3.4) */
#define IDN_INPUT_MAX 1023 /* octets of UTF-8; a 253-octet name never comes from more */

/* Says why `domain` cannot be a host name, at the character that `position` (from 1) counts. */
static int domain_char_refuse(struct slice domain, size_t position, struct store_fault *fault)
{
    struct netaddr addr;
    char quoted[FAULT_CHAR_MAX];
    if (netaddr_from_ip(&addr, domain, 0) == 0)
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the domain is an IP address; an address needs a domain name, "
                               "because only names can be proven");
    return store_fault_set(fault, STATUS_MALFORMED,
                           "the domain contains %s at position %zu; allowed are letters, digits, "
                           "'-' inside a label and '.' between labels",
                           store_fault_char(domain.p[position - 1], quoted), position);
}

/* Refuses ASCII characters that no host name has (RFC 1123 section 2.1). libidn2 is not asked: it
 * drops some of them silently. */
static int chars_check(struct slice domain, bool *is_ascii, struct store_fault *fault)
{
    *is_ascii = true;
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.p[i];
        if ((uint8_t)c >= 0x80)
            *is_ascii = false;
        else if (!char_is_alnum(c) && c != '-' && c != '.')
            return domain_char_refuse(domain, i + 1, fault);
    }
    return 0;
}

static int label_check(struct slice label, size_t number, struct store_fault *fault)
{
    if (label.len == 0)
        return store_fault_set(fault, STATUS_MALFORMED,
                               "label %zu of the domain is empty; there is a '.' too many", number);
    if (label.len > LABEL_MAX)
        return store_fault_set(fault, STATUS_MALFORMED,
                               "label %zu of the domain has %zu octets; at most %d are allowed",
                               number, label.len, LABEL_MAX);
    if (label.p[0] == '-' || label.p[label.len - 1] == '-')
        return store_fault_set(fault, STATUS_MALFORMED,
                               "label %zu of the domain begins or ends with '-'", number);
    return 0;
}

/* The last label begins with a letter (RFC 3261 section 25.1, toplabel); what begins with a digit
 * would be taken for an IP address. */
static int top_label_check(struct slice domain, struct slice label, struct store_fault *fault)
{
    struct netaddr addr;
    if (char_is_alpha(label.p[0]))
        return 0;
    if (netaddr_from_ip(&addr, domain, 0) == 0)
        return domain_char_refuse(domain, 1, fault);
    return store_fault_set(fault, STATUS_MALFORMED,
                           "the last label of the domain begins with a digit; no top-level "
                           "domain does");
}

/* Host names of ASCII characters (RFC 1123 section 2.1). The way of every message: no allocation.
 */
static int domain_ascii(struct slice domain, char out[STORE_DOMAIN_MAX + 1],
                        struct store_fault *fault)
{
    char canonical[STORE_DOMAIN_MAX + 1];
    size_t begin = 0, number = 1;
    if (domain.len > 1 && domain.p[domain.len - 1] == '.')
        domain.len--;
    if (domain.len > STORE_DOMAIN_MAX)
        return store_fault_set(fault, STATUS_MALFORMED, "the domain is longer than %d octets",
                               STORE_DOMAIN_MAX);
    for (size_t i = 0; i <= domain.len; i++) {
        if (i < domain.len && domain.p[i] != '.') {
            canonical[i] = char_lower(domain.p[i]);
            continue;
        }
        struct slice label = slice_make(domain.p + begin, i - begin);
        int ret = label_check(label, number++, fault);
        if (ret == 0 && i == domain.len)
            ret = top_label_check(domain, label, fault);
        if (ret)
            return ret;
        canonical[i] = i < domain.len ? '.' : '\0';
        begin = i + 1;
    }
    memcpy(out, canonical, domain.len + 1);
    return 0;
}

/* Names with characters outside ASCII: IDNA 2008 with the mapping of UTS 46, so that what a person
 * types in upper case or composes otherwise is the same name. */
static int domain_idn(struct slice domain, char out[STORE_DOMAIN_MAX + 1],
                      struct store_fault *fault)
{
    char input[IDN_INPUT_MAX + 1], *ascii = NULL;
    bool is_ascii;
    if (slice_to_cstr(domain, input, sizeof(input)))
        return store_fault_set(fault, STATUS_MALFORMED, "the domain is longer than %d octets",
                               STORE_DOMAIN_MAX);
    int rc = idn2_to_ascii_8z(input, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc != IDN2_OK)
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the domain is no valid internationalized name (IDNA 2008): %s",
                               idn2_strerror(rc));
    /* The mapping may have made characters that no host name has, such as '_' of U+FF3F. */
    int ret = chars_check(slice_of(ascii), &is_ascii, fault);
    if (ret == 0)
        ret = domain_ascii(slice_of(ascii), out, fault);
    idn2_free(ascii);
    return ret;
}

int store_domain_canonical(struct slice domain, char out[STORE_DOMAIN_MAX + 1],
                           struct store_fault *fault)
{
    bool is_ascii;
    if (domain.len == 0)
        return store_fault_set(fault, STATUS_MALFORMED, "the domain is empty");
    int ret = chars_check(domain, &is_ascii, fault);
    if (ret)
        return ret;
    return is_ascii ? domain_ascii(domain, out, fault) : domain_idn(domain, out, fault);
}
