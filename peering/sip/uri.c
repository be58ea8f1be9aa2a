#include "peering/sip/internal.h"

#include "base/status.h"

/* scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) */
static const char *scheme_end(const char *p, const char *end)
{
    if (p == end || !char_is_alpha(*p))
        return NULL;
    while (p < end && (char_is_alnum(*p) || *p == '+' || *p == '-' || *p == '.'))
        p++;
    return p < end && *p == ':' ? p : NULL;
}

static enum sip_scheme scheme_of(struct slice text)
{
    if (slice_eq_nocase(text, SLICE("sip")))
        return SIP_SCHEME_SIP;
    if (slice_eq_nocase(text, SLICE("sips")))
        return SIP_SCHEME_SIPS;
    if (slice_eq_nocase(text, SLICE("tel")))
        return SIP_SCHEME_TEL;
    return SIP_SCHEME_OTHER;
}

/* uri-parameters; unlike those of a header they hold neither quotes nor white space. */
static const char *uri_params_end(const char *p, const char *end)
{
    while (p < end && *p == ';') {
        const char *name = p + 1;
        p = sip_span_escaped(name, end, SIP_C_UPARAM);
        if (p == name)
            return NULL;
        if (p < end && *p == '=') {
            const char *value = p + 1;
            p = sip_span_escaped(value, end, SIP_C_UPARAM);
            if (p == value)
                return NULL;
        }
    }
    return p;
}

static enum sip_uri_fault params_and_headers_scan(const char *p, const char *end,
                                                  struct sip_uri *uri)
{
    const char *params = p;
    p = uri_params_end(p, end);
    if (p == NULL)
        return SIP_URI_PARAMS;
    uri->params = slice_between(params, p);
    if (p == end)
        return SIP_URI_OK;
    if (*p != '?')
        return SIP_URI_PARAMS;
    uri->headers = slice_between(p + 1, end);
    if (uri->headers.len == 0 || sip_span_escaped(p + 1, end, SIP_C_UHDR) != end)
        return SIP_URI_HEADERS;
    return SIP_URI_OK;
}

/* "@" is allowed nowhere but after userinfo, so the first one, if any, ends it. */
static enum sip_uri_fault userinfo_scan(const char *p, const char *at, struct sip_uri *uri)
{
    const char *after = sip_span_escaped(p, at, SIP_C_USER);
    if (after == p)
        return SIP_URI_USER;
    uri->user = slice_between(p, after);
    uri->has_user = true;
    if (after == at)
        return SIP_URI_OK;
    if (*after != ':' || sip_span_escaped(after + 1, at, SIP_C_PASS) != at)
        return SIP_URI_USER;
    uri->password = slice_between(after + 1, at);
    return SIP_URI_OK;
}

static enum sip_uri_fault sip_uri_rest_scan(const char *p, const char *end, struct sip_uri *uri)
{
    const char *at = memchr(p, '@', (size_t)(end - p));
    if (at != NULL) {
        enum sip_uri_fault fault = userinfo_scan(p, at, uri);
        if (fault != SIP_URI_OK)
            return fault;
        p = at + 1;
    }
    p = sip_host_next(p, end, &uri->host, &uri->host_kind);
    if (p == NULL)
        return SIP_URI_HOST;
    if (p < end && *p == ':') {
        p = sip_port_next(p + 1, end, &uri->port);
        if (p == NULL)
            return SIP_URI_PORT;
    }
    if (p < end && *p != ';' && *p != '?')
        return SIP_URI_HOST;
    return params_and_headers_scan(p, end, uri);
}

/* RFC 3966 section 3: a global number is "+" and digits, a local one may use hexadecimal digits,
 * "*" and "#"; both with visual separators. */
static enum sip_uri_fault tel_uri_rest_scan(const char *p, const char *end, struct sip_uri *uri)
{
    const char *after = sip_span(p, end, SIP_C_TEL);
    bool global = p < after && *p == '+';
    bool has_digit = false;

    for (const char *digit = global ? p + 1 : p; digit < after; digit++) {
        if (*digit == '+' || (global && (char_is_alpha(*digit) || *digit == '*' || *digit == '#')))
            return SIP_URI_USER;
        has_digit = has_digit || char_hex(*digit) >= 0 || *digit == '*' || *digit == '#';
    }
    if (!has_digit || (after < end && *after != ';'))
        return SIP_URI_USER;
    uri->user = slice_between(p, after);
    uri->has_user = true;
    p = uri_params_end(after, end);
    if (p != end)
        return SIP_URI_PARAMS;
    uri->params = slice_between(after, end);
    return SIP_URI_OK;
}

enum sip_uri_fault sip_uri_scan(struct slice text, struct sip_uri *uri)
{
    const char *end = slice_end(text);
    const char *colon = scheme_end(text.p, end);

    *uri = (struct sip_uri){.bytes = text};
    if (colon == NULL)
        return SIP_URI_SCHEME;
    uri->scheme_text = slice_between(text.p, colon);
    uri->scheme = scheme_of(uri->scheme_text);
    switch (uri->scheme) {
    case SIP_SCHEME_SIP:
    case SIP_SCHEME_SIPS:
        return sip_uri_rest_scan(colon + 1, end, uri);
    case SIP_SCHEME_TEL:
        return tel_uri_rest_scan(colon + 1, end, uri);
    case SIP_SCHEME_OTHER:
        break;
    }
    if (colon + 1 == end || sip_span(colon + 1, end, SIP_C_OPAQUE) != end)
        return SIP_URI_SCHEME;
    return SIP_URI_OK;
}

int sip_uri_decode(struct slice text, struct sip_uri *uri)
{
    struct sip_uri decoded;
    if (sip_uri_scan(text, &decoded) != SIP_URI_OK)
        return STATUS_MALFORMED;
    *uri = decoded;
    return 0;
}
