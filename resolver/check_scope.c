/* Addresses that not everybody can reach. Pure. */
#include "resolver/check_internal.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char private_net[] = "it is private: only hosts of the same network reach it";
static const char link_local[] = "it is link-local: only hosts on the same link reach it";
static const char loopback[] = "it is loopback: each host reaches itself there";

/* RFC 1918, 3927, 4193, 4291, 6598. */
static const struct scope {
    const char *prefix;
    const char *why;
} scopes[] = {
    {"10.0.0.0/8", private_net},    {"172.16.0.0/12", private_net}, {"192.168.0.0/16", private_net},
    {"100.64.0.0/10", private_net}, {"fc00::/7", private_net},      {"169.254.0.0/16", link_local},
    {"fe80::/10", link_local},      {"127.0.0.0/8", loopback},      {"::1/128", loopback}};

const char *check_scope_refusal(const struct netaddr *addr)
{
    for (size_t i = 0; i < COUNT(scopes); i++) {
        struct netprefix prefix;
        if (netprefix_parse(&prefix, slice_of(scopes[i].prefix)) == 0 &&
            netprefix_contains(&prefix, addr))
            return scopes[i].why;
    }
    return NULL;
}

bool check_is_loopback(const struct netaddr *addr)
{
    return check_scope_refusal(addr) == loopback;
}
