/* Mail addresses, as far as somebody is told by mail: local part and domain, nothing quoted. */
#include "base/chars.h"
#include "base/status.h"
#include "base/utf8.h"
#include "store/fault.h"
#include "store/store.h"

#define LOCAL_MAX 64 /* octets (RFC 5321 section 4.5.3.1.1) */

/* RFC 5322 section 3.2.3, atext. */
static bool char_is_atext(char c)
{
    return char_is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Octets of the character at `p` that may stand in a local part without quotes, or 0: those of
 * ASCII, and what RFC 6531 section 3.3 adds to them. */
static size_t local_char_len(const char *p)
{
    if ((unsigned char)*p >= 0x80)
        return utf8_printable_len(p);
    return char_is_atext(*p) || *p == '.' ? 1 : 0;
}

/* Words between dots (RFC 5322 section 3.2.3, dot-atom). One that begins with '-' might be taken
 * for an option by whoever sends the mail. */
static int local_check(const char *local, size_t len, struct store_fault *fault)
{
    char quoted[FAULT_CHAR_MAX];
    if (local[0] == '-')
        return store_fault_set(fault, STATUS_MALFORMED, "a mail address may not begin with '-'");
    if (len == 0 || local[0] == '.' || local[len - 1] == '.' || strstr(local, ".."))
        return store_fault_set(fault, STATUS_MALFORMED,
                               "what stands before the '@' of a mail address is empty, or has a "
                               "'.' too many");
    for (size_t i = 0, step; i < len; i += step) {
        step = local_char_len(local + i);
        if (step == 0)
            return store_fault_set(fault, STATUS_MALFORMED,
                                   "the mail address contains %s at position %zu, which may not "
                                   "stand before its '@'",
                                   store_fault_char(local[i], quoted), i + 1);
    }
    return 0;
}

int store_mail_canonical(struct slice text, char out[STORE_MAIL_MAX + 1], struct store_fault *fault)
{
    char local[LOCAL_MAX + 1], domain[STORE_DOMAIN_MAX + 1];
    size_t at = slice_find(text, '@');
    if (at == text.len)
        return store_fault_set(fault, STATUS_MALFORMED,
                               "the mail address has no '@'; write it as user@domain");
    if (slice_to_cstr(slice_make(text.p, at), local, sizeof(local)))
        return store_fault_set(fault, STATUS_MALFORMED,
                               "what stands before the '@' of the mail address is longer than %d "
                               "octets, or contains a NUL octet",
                               LOCAL_MAX);
    int ret = local_check(local, at, fault);
    if (ret == 0)
        ret = store_domain_canonical(slice_skip(text, at + 1), domain, fault);
    if (ret)
        return ret;
    size_t domain_len = strlen(domain);
    if (at + 1 + domain_len > STORE_MAIL_MAX)
        return store_fault_set(fault, STATUS_MALFORMED, "the mail address is longer than %d octets",
                               STORE_MAIL_MAX);
    memcpy(out, local, at);
    out[at] = '@';
    memcpy(out + at + 1, domain, domain_len + 1);
    return 0;
}
