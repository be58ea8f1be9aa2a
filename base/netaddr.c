#include "base/netaddr.h"

#include "base/decimal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int from_ipv4(struct netaddr *addr, const char *text, uint16_t port)
{
    struct in_addr ip;
    if (inet_pton(AF_INET, text, &ip) != 1)
        return -EINVAL;
    *addr =
        (struct netaddr){.in4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip}};
    return 0;
}

static int from_ipv6(struct netaddr *addr, const char *text, uint16_t port)
{
    struct in6_addr ip;
    if (inet_pton(AF_INET6, text, &ip) != 1)
        return -EINVAL;
    *addr = (struct netaddr){
        .in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = ip}};
    return 0;
}

int netaddr_from_ip(struct netaddr *addr, struct slice ip, uint16_t port)
{
    char text[INET6_ADDRSTRLEN];
    bool bracketed = ip.len >= 2 && ip.p[0] == '[' && ip.p[ip.len - 1] == ']';
    if (bracketed)
        ip = slice_make(ip.p + 1, ip.len - 2);
    if (slice_to_cstr(ip, text, sizeof(text)) < 0)
        return -EINVAL;
    if (bracketed || strchr(text, ':'))
        return from_ipv6(addr, text, port);
    return from_ipv4(addr, text, port);
}

/* The slice before a ":port" at the end of the text, or all of it. */
static struct slice host_part(struct slice text)
{
    size_t close = slice_find(text, ']');
    if (close < text.len)
        return slice_make(text.p, close + 1);
    size_t colon = slice_find(text, ':');
    if (colon == text.len)
        return text;
    /* A second colon: IPv6 without brackets, which cannot carry a port. */
    if (slice_find(slice_skip(text, colon + 1), ':') < text.len - colon - 1)
        return text;
    return slice_make(text.p, colon);
}

int netaddr_parse(struct netaddr *addr, struct slice text, uint16_t default_port)
{
    struct slice host = host_part(text);
    struct slice rest = slice_skip(text, host.len);
    uint64_t port = default_port;
    if (rest.len > 0) {
        if (rest.p[0] != ':' || rest.len > sizeof(":65535") - 1)
            return -EINVAL;
        if (slice_to_u64(slice_skip(rest, 1), UINT16_MAX, &port) < 0)
            return -EINVAL;
    }
    return netaddr_from_ip(addr, host, (uint16_t)port);
}

/* As inet_ntop writes it, in a tenth of the time: every message has a few. Returns the length. */
static size_t format_ipv4(const struct in_addr *ip, char text[NETADDR_TEXT_MAX])
{
    uint8_t bytes[sizeof(*ip)];
    size_t len = 0;
    memcpy(bytes, ip, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i > 0)
            text[len++] = '.';
        len += decimal_format(bytes[i], text + len);
    }
    return len;
}

const char *netaddr_format_ip(const struct netaddr *addr, char text[NETADDR_TEXT_MAX])
{
    const char *result = NULL;
    if (addr->sa.sa_family == AF_INET) {
        format_ipv4(&addr->in4.sin_addr, text);
        return text;
    }
    if (addr->sa.sa_family == AF_INET6)
        result = inet_ntop(AF_INET6, &addr->in6.sin6_addr, text, NETADDR_TEXT_MAX);
    if (!result)
        snprintf(text, NETADDR_TEXT_MAX, "none");
    return text;
}

const char *netaddr_format(const struct netaddr *addr, char text[NETADDR_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN + NETADDR_TEXT_MAX];
    unsigned port = netaddr_port(addr);
    if (addr->sa.sa_family == AF_INET) {
        size_t len = format_ipv4(&addr->in4.sin_addr, text);
        text[len++] = ':';
        decimal_format(port, text + len);
        return text;
    }
    netaddr_format_ip(addr, ip);
    if (addr->sa.sa_family == AF_INET6)
        snprintf(text, NETADDR_TEXT_MAX, "[%.*s]:%u", INET6_ADDRSTRLEN, ip, port);
    else
        snprintf(text, NETADDR_TEXT_MAX, "none");
    return text;
}

uint16_t netaddr_port(const struct netaddr *addr)
{
    if (addr->sa.sa_family == AF_INET)
        return ntohs(addr->in4.sin_port);
    if (addr->sa.sa_family == AF_INET6)
        return ntohs(addr->in6.sin6_port);
    return 0;
}

void netaddr_set_port(struct netaddr *addr, uint16_t port)
{
    if (addr->sa.sa_family == AF_INET)
        addr->in4.sin_port = htons(port);
    else if (addr->sa.sa_family == AF_INET6)
        addr->in6.sin6_port = htons(port);
}

socklen_t netaddr_len(const struct netaddr *addr)
{
    if (addr->sa.sa_family == AF_INET)
        return sizeof(addr->in4);
    if (addr->sa.sa_family == AF_INET6)
        return sizeof(addr->in6);
    return 0;
}

/* The bytes of the IP in network order, `*len` 4 or 16 of them (0: none). Those of an IPv4-mapped
 * IPv6 address (RFC 4291 section 2.5.5.2) are the four of the IPv4 address. */
static const uint8_t *ip_bytes(const struct netaddr *addr, size_t *len)
{
    if (addr->sa.sa_family == AF_INET) {
        *len = 4;
        return (const uint8_t *)&addr->in4.sin_addr;
    }
    if (addr->sa.sa_family == AF_INET6) {
        const uint8_t *bytes = addr->in6.sin6_addr.s6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr);
        *len = mapped ? 4 : 16;
        return mapped ? bytes + 12 : bytes;
    }
    *len = 0;
    return (const uint8_t *)"";
}

bool netaddr_is_wildcard(const struct netaddr *addr)
{
    if (addr->sa.sa_family == AF_INET)
        return addr->in4.sin_addr.s_addr == htonl(INADDR_ANY);
    return addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

bool netaddr_eq_ip(const struct netaddr *a, const struct netaddr *b)
{
    size_t a_len;
    size_t b_len;
    const uint8_t *a_bytes = ip_bytes(a, &a_len);
    const uint8_t *b_bytes = ip_bytes(b, &b_len);
    return a_len == b_len && memcmp(a_bytes, b_bytes, a_len) == 0;
}

bool netaddr_eq(const struct netaddr *a, const struct netaddr *b)
{
    return netaddr_port(a) == netaddr_port(b) && netaddr_eq_ip(a, b);
}

/* Do the first `bits` bits agree? */
static bool bits_eq(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

int netprefix_parse(struct netprefix *prefix, struct slice text)
{
    size_t slash = slice_find(text, '/');
    struct netprefix result;
    if (netaddr_from_ip(&result.addr, slice_make(text.p, slash), 0) < 0)
        return -EINVAL;

    bool ipv4 = result.addr.sa.sa_family == AF_INET;
    uint64_t bits = ipv4 ? 32 : 128;
    if (slash < text.len && slice_to_u64(slice_skip(text, slash + 1), bits, &bits) < 0)
        return -EINVAL;

    size_t len;
    const uint8_t *bytes = ip_bytes(&result.addr, &len);
    if (!ipv4 && len == 4) { /* mapped: from here on an IPv4 prefix */
        if (bits < 96)
            return -EINVAL;
        bits -= 96;
        struct in_addr ip;
        memcpy(&ip, bytes, sizeof(ip));
        result.addr = (struct netaddr){.in4 = {.sin_family = AF_INET, .sin_addr = ip}};
        bytes = ip_bytes(&result.addr, &len);
    }
    for (unsigned i = (unsigned)bits; i < 8 * len; i++) {
        if (bytes[i / 8] & (0x80U >> (i % 8)))
            return -EINVAL;
    }
    result.bits = (unsigned)bits;
    *prefix = result;
    return 0;
}

const char *netprefix_format(const struct netprefix *prefix, char text[NETPREFIX_TEXT_MAX])
{
    unsigned most = prefix->addr.sa.sa_family == AF_INET ? 32 : 128;
    netaddr_format_ip(&prefix->addr, text);
    if (prefix->bits < most) {
        size_t len = strlen(text);
        snprintf(text + len, NETPREFIX_TEXT_MAX - len, "/%u", prefix->bits);
    }
    return text;
}

bool netprefix_contains(const struct netprefix *prefix, const struct netaddr *addr)
{
    size_t prefix_len;
    size_t len;
    const uint8_t *prefix_bytes = ip_bytes(&prefix->addr, &prefix_len);
    const uint8_t *bytes = ip_bytes(addr, &len);
    return len > 0 && len == prefix_len && bits_eq(prefix_bytes, bytes, prefix->bits);
}
