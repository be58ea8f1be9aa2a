#include "peering/sip/internal.h"

#define HOST_NAME_MAX_LEN  253 /* RFC 1035 section 2.3.4, without the final dot */
#define HOST_LABEL_MAX_LEN 63

/* Four numbers of 0..255. A leading zero is refused: some software reads it as octal. Returns the
 * byte after the last digit, or NULL. */
static const char *ip4_end(const char *p, const char *end)
{
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (p == end || *p++ != '.'))
            return NULL;
        const char *begin = p;
        unsigned value = 0;
        for (; p < end && char_is_digit(*p) && p - begin < 3; p++)
            value = value * 10 + (unsigned)(*p - '0');
        if (p == begin || value > 255 || (*begin == '0' && p - begin > 1))
            return NULL;
    }
    return p;
}

static bool is_ip4(struct slice text)
{
    return ip4_end(text.p, slice_end(text)) == slice_end(text);
}

static const char *hex_group_end(const char *p, const char *end)
{
    const char *begin = p;
    while (p < end && p - begin < 4 && char_hex(*p) >= 0)
        p++;
    return p;
}

/* An IPv6 address as in RFC 4291 section 2.2. ":::" before an embedded IPv4 address is taken for
 * "::", a fault of RFC 3261's grammar that RFC 5118 section 4.10 asks to tolerate. */
static bool is_ip6(struct slice text)
{
    const char *p = text.p;
    const char *end = slice_end(text);
    unsigned groups = 0;
    bool compressed = false;

    while (p < end) {
        if (end - p >= 2 && p[0] == ':' && p[1] == ':') {
            if (compressed)
                return false;
            compressed = true;
            p += 2;
            if (p == end)
                break;
            if (*p == ':' && is_ip4(slice_between(p + 1, end)))
                p++;
        } else if (groups > 0) {
            if (*p++ != ':')
                return false;
        }
        if (is_ip4(slice_between(p, end))) {
            groups += 2;
            break;
        }
        const char *after = hex_group_end(p, end);
        if (after == p)
            return false;
        groups++;
        p = after;
    }
    return compressed ? groups <= 7 : groups == 8;
}

/* hostname = *( domainlabel "." ) toplabel [ "." ]; the top label starts with a letter, so no name
 * looks like an address. */
static bool is_name(struct slice text)
{
    const char *p = text.p;
    const char *end = slice_end(text);

    if (end > p && end[-1] == '.')
        end--;
    if (end - p > HOST_NAME_MAX_LEN)
        return false;
    for (;;) {
        const char *label = p;
        while (p < end && *p != '.')
            p++;
        if (p == label || p - label > HOST_LABEL_MAX_LEN || *label == '-' || p[-1] == '-')
            return false;
        if (p == end)
            return char_is_alpha(*label);
        p++;
    }
}

static const char *ip6_reference_next(const char *p, const char *end, struct slice *host)
{
    const char *close = memchr(p, ']', (size_t)(end - p));
    if (close == NULL)
        return NULL;
    struct slice address = slice_between(p + 1, close);
    if (!is_ip6(address))
        return NULL;
    *host = address;
    return close + 1;
}

const char *sip_host_next(const char *p, const char *end, struct slice *host,
                          enum sip_host_kind *kind)
{
    if (p < end && *p == '[') {
        *kind = SIP_HOST_IP6;
        return ip6_reference_next(p, end, host);
    }
    const char *after = sip_span(p, end, SIP_C_HOST);
    struct slice text = slice_between(p, after);
    if (is_name(text))
        *kind = SIP_HOST_NAME;
    else if (is_ip4(text))
        *kind = SIP_HOST_IP4;
    else
        return NULL;
    *host = text;
    return after;
}

const char *sip_port_next(const char *p, const char *end, uint16_t *port)
{
    unsigned value = 0;
    const char *begin = p;

    for (; p < end && char_is_digit(*p); p++) {
        value = value * 10 + (unsigned)(*p - '0');
        if (value > UINT16_MAX)
            return NULL;
    }
    if (p == begin || value == 0)
        return NULL;
    *port = (uint16_t)value;
    return p;
}
