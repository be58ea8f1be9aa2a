#include "resolver/enum.h"

#include "base/chars.h"
#include "base/status.h"
#include "resolver/regexp.h"

#include <errno.h>
#include <string.h>

#define URI_MAX (sizeof("sips:") + sizeof(struct store_address) + 255) /* and some parameters */

int resolver_enum_name(const char *digits, const char *suffix, char name[RESOLVER_NAME_MAX + 1])
{
    size_t count = strlen(digits), suffix_len = strlen(suffix);
    if (count == 0 || count > STORE_NUMBER_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (!char_is_digit(digits[i]))
            return -EINVAL;
    if (2 * count + suffix_len > RESOLVER_NAME_MAX)
        return STATUS_LIMIT;
    for (size_t i = 0; i < count; i++) {
        name[2 * i] = digits[count - 1 - i];
        name[2 * i + 1] = '.';
    }
    memcpy(name + 2 * count, suffix, suffix_len + 1);
    return 0;
}

/* ---- which records count ---- */

/* Takes off what comes before the next `separator`. */
static struct slice take_item(struct slice *list, char separator)
{
    size_t len = slice_find(*list, separator);
    struct slice item = slice_make(list->p, len);
    *list = slice_skip(*list, len + 1);
    return item;
}

/* "sip", "sip:..." or "...:sip": an Enumservice whose URI is a SIP address (RFC 3764, RFC 4769). */
static bool is_sip_type(struct slice enumservice)
{
    while (enumservice.len > 0)
        if (slice_eq_nocase(take_item(&enumservice, ':'), SLICE("sip")))
            return true;
    return false;
}

/* "E2U" and the Enumservices are joined by "+"; in RFC 2916 "E2U" came last. */
static bool has_sip_service(struct slice service)
{
    bool e2u = false, sip = false;
    while (service.len > 0) {
        struct slice item = take_item(&service, '+');
        if (slice_eq_nocase(item, SLICE("E2U")))
            e2u = true;
        else
            sip = sip || is_sip_type(item);
    }
    return e2u && sip;
}

static bool is_terminal(const struct resolver_naptr *naptr)
{
    return naptr->flags[0] != '\0';
}

const char *resolver_enum_refusal(const struct resolver_naptr *naptr)
{
    bool has_regexp = naptr->regexp.len > 0, has_replacement = naptr->replacement[0] != '\0';
    if (has_regexp && has_replacement)
        return "an expression and a replacement exclude each other";
    if (!is_terminal(naptr))
        return has_regexp || has_replacement ? NULL : "it leads nowhere";
    if (!slice_eq_nocase(slice_of(naptr->flags), SLICE("u")))
        return "only the flag \"u\" leads to an address";
    if (!has_sip_service(slice_of(naptr->service)))
        return "only E2U+sip leads to a SIP address";
    return has_regexp ? NULL : "it has no expression";
}

size_t resolver_enum_order(const struct resolver_set *set, size_t order[ENUM_RULES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct resolver_naptr *naptr = &set->records[i].naptr;
        if (resolver_enum_refusal(naptr))
            continue;
        size_t at = count;
        while (at > 0 && resolver_naptr_before(naptr, &set->records[order[at - 1]].naptr))
            at--;
        if (at == ENUM_RULES_MAX)
            continue;
        count += count < ENUM_RULES_MAX;
        memmove(&order[at + 1], &order[at], (count - at - 1) * sizeof(order[0]));
        order[at] = i;
    }
    return count;
}

/* ---- what a record makes of the number ---- */

static const char *address_from_uri(struct slice uri, struct store_address *address)
{
    bool is_sip = slice_starts_with_nocase(uri, SLICE("sip:")) ||
                  slice_starts_with_nocase(uri, SLICE("sips:"));
    if (!is_sip)
        return "the result is no SIP address";
    size_t at = slice_find(uri, '@');
    struct slice host = slice_skip(uri, at + 1);
    if (host.len == 0)
        return "the result is no SIP address: it has no user";
    size_t params = slice_find(host, ';');
    if (slice_find(uri, '?') < uri.len && slice_find(host, '?') < host.len)
        return "the result has headers";
    if (slice_find(slice_make(host.p, params), ':') < params)
        return "the result has a port: it names a server and no address";
    uri.len = at + 1 + params;
    return store_address_parse(uri, address, NULL) == 0 ? NULL : "the result is no address";
}

static const char *next_from_text(const char *text, char next[RESOLVER_NAME_MAX + 1])
{
    struct slice name = slice_of(text);
    if (name.len > 1 && name.p[name.len - 1] == '.')
        name.len--;
    return resolver_name_copy(name, next) == 0 ? NULL : "the result is no name that can be asked";
}

const char *resolver_enum_apply(const struct resolver_naptr *naptr, const char *digits,
                                struct enum_result *result)
{
    /* The rules of all names are applied to the number, not to the last result (RFC 3402). */
    char number[1 + STORE_NUMBER_MAX + 1] = "+", text[URI_MAX];
    const char *fault = NULL;
    strncat(number, digits, STORE_NUMBER_MAX);
    if (naptr->regexp.len > 0)
        fault = resolver_regexp_apply(naptr->regexp, slice_of(number), text, sizeof(text));
    if (fault)
        return fault;
    if (is_terminal(naptr)) {
        result->next[0] = '\0';
        return address_from_uri(slice_of(text), &result->address);
    }
    if (naptr->regexp.len > 0)
        return next_from_text(text, result->next);
    memcpy(result->next, naptr->replacement, strlen(naptr->replacement) + 1);
    return NULL;
}
