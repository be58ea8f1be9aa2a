#include "peering/sip/internal.h"

#include "base/status.h"

/* Takes a token and white space around it off the front; NULL where there is none. */
static const char *token_next(const char *p, const char *end, struct slice *token)
{
    p = sip_skip_lws(p, end);
    const char *after = sip_span(p, end, SIP_C_TOKEN);
    if (after == p)
        return NULL;
    *token = slice_between(p, after);
    return sip_skip_lws(after, end);
}

/* sent-protocol = protocol-name SLASH protocol-version SLASH transport, then LWS. Name and version
 * are not judged: the start line says which version this is. */
static const char *sent_protocol_next(const char *p, const char *end, struct sip_via *via)
{
    struct slice token;

    for (int i = 0; i < 2; i++) {
        p = token_next(p, end, &token);
        if (p == NULL || p == end || *p++ != '/')
            return NULL;
    }
    p = token_next(p, end, &via->transport_text);
    if (p == NULL || p == slice_end(via->transport_text))
        return NULL;
    return p;
}

/* sent-by = host [ COLON port ] */
static const char *sent_by_next(const char *p, const char *end, struct sip_via *via)
{
    p = sip_host_next(p, end, &via->host, &via->host_kind);
    if (p == NULL)
        return NULL;
    const char *colon = sip_skip_lws(p, end);
    if (colon == end || *colon != ':')
        return p;
    return sip_port_next(sip_skip_lws(colon + 1, end), end, &via->port);
}

/* RFC 5118 section 4.5: an IPv6 address comes with and without brackets. */
static struct slice without_brackets(struct slice value)
{
    if (value.len >= 2 && value.p[0] == '[' && value.p[value.len - 1] == ']')
        return slice_make(value.p + 1, value.len - 2);
    return value;
}

static bool rport_take(const struct sip_param_item *item, struct sip_via *via)
{
    const char *end = slice_end(item->value);
    if (via->has_rport)
        return false;
    if (item->value.len > 0 && sip_port_next(item->value.p, end, &via->rport_port) != end)
        return false;
    via->has_rport = true;
    via->rport = item->bytes;
    return true;
}

/* A parameter that decides where responses go or which transaction this is must be there once. */
static bool via_param_take(const struct sip_param_item *item, struct sip_via *via)
{
    switch (item->name.len) {
    case 5:
        if (slice_eq_nocase(item->name, SLICE("rport")))
            return rport_take(item, via);
        if (slice_eq_nocase(item->name, SLICE("alias")))
            via->alias = true;
        return true;
    case 6:
        if (!slice_eq_nocase(item->name, SLICE("branch")))
            return true;
        if (via->branch.len > 0 || item->value.len == 0 || item->value.p[0] == '"')
            return false;
        via->branch = item->value;
        return true;
    case 8:
        if (!slice_eq_nocase(item->name, SLICE("received")))
            return true;
        if (via->received.len > 0)
            return false;
        via->received = without_brackets(item->value);
        return via->received.len > 0;
    default:
        return true;
    }
}

enum sip_via_fault sip_via_scan(const char *p, const char *end, struct sip_via *via,
                                const char **next)
{
    const char *begin = sip_skip_lws(p, end);
    struct sip_param_item item;

    *via = (struct sip_via){.port = 0};
    p = sent_protocol_next(begin, end, via);
    if (p == NULL)
        return SIP_VIA_PROTOCOL;
    p = sent_by_next(p, end, via);
    if (p == NULL)
        return SIP_VIA_SENT_BY;

    const char *params = sip_skip_lws(p, end);
    for (;;) {
        const char *param_end = sip_param_next(p, end, &item);
        if (param_end == p)
            break;
        if (param_end == NULL || !via_param_take(&item, via))
            return SIP_VIA_PARAMS;
        p = param_end;
    }
    if (p > params)
        via->params = slice_between(params, p);
    via->bytes = slice_between(begin, p);

    p = sip_skip_lws(p, end);
    if (p < end && *p != ',')
        return via->params.len > 0 ? SIP_VIA_PARAMS : SIP_VIA_SENT_BY;
    *next = p;
    return SIP_VIA_OK;
}

int sip_via_next(struct slice *list, struct sip_via *via)
{
    const char *end = slice_end(*list);
    const char *p = sip_skip_lws(list->p, end);
    struct sip_via decoded;
    const char *next;

    if (p == end)
        return STATUS_NOTFOUND;
    if (sip_via_scan(p, end, &decoded, &next) != SIP_VIA_OK || !sip_list_rest(next, end, list))
        return STATUS_MALFORMED;
    *via = decoded;
    return 0;
}

bool sip_branch_is_rfc3261(struct slice branch)
{
    struct slice cookie = SLICE("z9hG4bK");
    return branch.len > cookie.len && slice_starts_with_nocase(branch, cookie);
}
