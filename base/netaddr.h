/* Socket addresses as values: parse, print, compare, and CIDR prefixes. */
#ifndef JUNCTOR_BASE_NETADDR_H
#define JUNCTOR_BASE_NETADDR_H

#include "base/slice.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 or IPv6 address with port. family is AF_INET, AF_INET6 or AF_UNSPEC (none). */
struct netaddr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
    };
};

#define NETADDR_TEXT_MAX 64 /* "[ipv6]:port" with terminator */

/* "192.0.2.1", "2001:db8::1" or "[2001:db8::1]", never a name. Returns 0 or -EINVAL. */
int netaddr_from_ip(struct netaddr *addr, struct slice ip, uint16_t port);
/* "192.0.2.1:5060" or "[2001:db8::1]:5060"; without port `default_port`, and then
 * the brackets may be missing too. Returns 0 or -EINVAL. */
int netaddr_parse(struct netaddr *addr, struct slice text, uint16_t default_port);

/* "192.0.2.1:5060" or "[2001:db8::1]:5060"; AF_UNSPEC gives "none"; returns text. */
const char *netaddr_format(const struct netaddr *addr, char text[NETADDR_TEXT_MAX]);
/* "192.0.2.1" or "2001:db8::1", without port; returns text. */
const char *netaddr_format_ip(const struct netaddr *addr, char text[NETADDR_TEXT_MAX]);

uint16_t netaddr_port(const struct netaddr *addr);
void netaddr_set_port(struct netaddr *addr, uint16_t port);
socklen_t netaddr_len(const struct netaddr *addr);
bool netaddr_is_wildcard(const struct netaddr *addr);                 /* 0.0.0.0 or :: */
bool netaddr_eq(const struct netaddr *a, const struct netaddr *b);    /* IP and port */
bool netaddr_eq_ip(const struct netaddr *a, const struct netaddr *b); /* IP only; ::ffff:a.b.c.d
                                                                         equals a.b.c.d */

/* A CIDR prefix such as 10.0.0.0/8 or 2001:db8::/32; a plain IP is a full-length prefix. Bits
 * behind the prefix must be zero: 10.0.0.1/8 is refused as the typing error it probably is. An
 * IPv4-mapped IPv6 address counts as its IPv4 address, on both sides. */
struct netprefix {
    struct netaddr addr;
    unsigned bits;
};
int netprefix_parse(struct netprefix *prefix, struct slice text); /* 0 or -EINVAL */
#define NETPREFIX_TEXT_MAX (NETADDR_TEXT_MAX + 4)
/* "10.0.0.0/8", or "192.0.2.1" where it is one address; returns text. */
const char *netprefix_format(const struct netprefix *prefix, char text[NETPREFIX_TEXT_MAX]);
bool netprefix_contains(const struct netprefix *prefix, const struct netaddr *addr);

#endif
