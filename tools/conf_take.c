/* Values with a form of their own: addresses, networks, permissions. */
#include "tools/conf_internal.h"

#include "base/status.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/un.h>

int conf_take_log_level(struct conf_load *load, const char *text)
{
    if (log_level_parse(text, &load->conf->log_level) == 0)
        return 0;
    return conf_refuse(load, "expected error, warning, notice, info or debug, not \"%s\"", text);
}

int conf_take_log_format(struct conf_load *load, const char *text)
{
    if (log_format_parse(text, &load->conf->log_format) == 0)
        return 0;
    return conf_refuse(load, "expected text or json, not \"%s\"", text);
}

int conf_take_peering(struct conf_load *load, const char *text)
{
    static const char *const names[] = {
        [GUARD_OPEN] = "open", [GUARD_LISTED] = "listed", [GUARD_CLOSED] = "closed"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], text) == 0) {
            load->conf->edge.peering = (enum guard_peering)i;
            return 0;
        }
    }
    return conf_refuse(load, "expected open, listed or closed, not \"%s\"", text);
}

int conf_take_socket(struct conf_load *load, const char *text)
{
    size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    if (!load->by_default)
        load->conf->socket_line = load->line;
    if (strlen(text) <= most)
        return 0;
    return conf_refuse(load, "a socket's name can have %zu bytes, this one has %zu: \"%s\"", most,
                       strlen(text), text);
}

int conf_take_store(struct conf_load *load, const char *text)
{
    (void)text;
    if (!load->by_default)
        load->conf->store_line = load->line;
    return 0;
}

int conf_take_journal(struct conf_load *load, const char *text)
{
    (void)text;
    if (!load->by_default)
        load->journal_line = load->line;
    return 0;
}

int conf_take_mode(struct conf_load *load, const char *text)
{
    mode_t mode = 0;
    size_t len = strlen(text);
    bool octal = len >= 3 && len <= 4 && strspn(text, "01234567") == len;
    for (size_t i = 0; octal && i < len; i++)
        mode = mode << 3 | (mode_t)(text[i] - '0');
    if (!octal || mode > 0777 || (mode & 0600) != 0600)
        return conf_refuse(load, "expected permissions such as 0660, not \"%s\"", text);
    load->conf->api.mode = mode;
    return 0;
}

int conf_take_group(struct conf_load *load, const char *text)
{
    const struct group *group = getgrnam(text);
    if (!group)
        return conf_refuse(load, "there is no group \"%s\" on this machine", text);
    load->conf->api.group = group->gr_gid;
    return 0;
}

/* ---- listeners ---- */

/* Compared as bytes later, so no byte of it is left to chance. */
static void addr_keep(struct netaddr *dest, const struct netaddr *addr)
{
    memset(dest, 0, sizeof(*dest));
    memcpy(dest, addr, netaddr_len(addr));
}

/* "2001:db8::1" or "::1:5060": whether the last number is a port cannot be told. */
static bool lacks_brackets(struct slice address)
{
    size_t colon = slice_find(address, ':');
    return address.len > 0 && address.p[0] != '[' && colon < address.len &&
           slice_find(slice_skip(address, colon + 1), ':') < address.len - colon - 1;
}

static int refuse_listener(struct conf_load *load, bool outside, const char *text)
{
    if (lacks_brackets(slice_skip(slice_of(text), slice_find(slice_of(text), ':') + 1)))
        return conf_refuse(load,
                           "an IPv6 address stands in brackets: write [::1]:5060, not ::1:5060");
    if (outside)
        return conf_refuse(load,
                           "expected \"tls:ADDRESS[:PORT]\" such as \"tls:192.0.2.1:5061\" or "
                           "\"tls:[2001:db8::1]:5061\"");
    return conf_refuse(load, "expected \"TRANSPORT:ADDRESS[:PORT]\" with udp, tcp or tls, such as "
                             "\"udp:192.0.2.1:5060\" or \"udp:[2001:db8::1]:5060\"");
}

/* "udp:192.0.2.1:5060", "tls:[::1]", "tcp:*:5060". Without port the transport's default. */
static int parse_listener(struct slice text, struct transport_listener *listener)
{
    static const struct slice any = {"0.0.0.0", 7};
    struct slice name = slice_make(text.p, slice_find(text, ':'));
    struct slice rest = slice_skip(text, name.len + 1);
    uint64_t port;
    struct netaddr addr;
    if (rest.len == 0 || sip_transport_parse(name, &listener->transport) < 0 ||
        listener->transport == SIP_SCTP)
        return -EINVAL;
    port = listener->transport == SIP_TLS ? 5061 : 5060;
    if (rest.p[0] == '*') {
        rest = slice_skip(rest, 1);
        if (rest.len > 0 &&
            (rest.p[0] != ':' || slice_to_u64(slice_skip(rest, 1), UINT16_MAX, &port) < 0))
            return -EINVAL;
        if (netaddr_from_ip(&addr, any, (uint16_t)port) < 0)
            return -EINVAL;
    } else if (lacks_brackets(rest) || netaddr_parse(&addr, rest, (uint16_t)port) < 0) {
        return -EINVAL;
    }
    if (netaddr_port(&addr) == 0)
        return -EINVAL;
    addr_keep(&listener->bind, &addr);
    return 0;
}

/* TCP and TLS are one port space. SO_REUSEPORT would let both be bound, and the kernel would hand
 * connections to either. */
static bool same_socket(const struct transport_listener *a, const struct transport_listener *b)
{
    return sip_transport_is_stream(a->transport) == sip_transport_is_stream(b->transport) &&
           netaddr_eq(&a->bind, &b->bind);
}

static int begin_listener(struct conf_load *load, enum transport_side side, const char *text)
{
    struct transport_conf *transport = &load->conf->edge.transport;
    if (transport->listener_count == TRANSPORT_MAX_LISTENERS)
        return conf_refuse(load, "more than %d listeners", TRANSPORT_MAX_LISTENERS);
    struct transport_listener *listener = &transport->listeners[transport->listener_count];
    listener->side = side;
    if (parse_listener(slice_of(text), listener) < 0 ||
        (side == TRANSPORT_OUTSIDE && listener->transport != SIP_TLS))
        return refuse_listener(load, side == TRANSPORT_OUTSIDE, text);
    for (size_t i = 0; i < transport->listener_count; i++)
        if (same_socket(&transport->listeners[i], listener))
            return conf_refuse(load, "the listener in line %u has this address and port",
                               load->listener_lines[i]);
    load->listener_lines[transport->listener_count++] = load->line;
    load->object = listener;
    return 0;
}

int conf_begin_inside(struct conf_load *load, const char *text)
{
    return begin_listener(load, TRANSPORT_INSIDE, text);
}

int conf_begin_outside(struct conf_load *load, const char *text)
{
    return begin_listener(load, TRANSPORT_OUTSIDE, text);
}

static void advertise_ip(struct transport_listener *listener, const struct netaddr *addr)
{
    char ip[NETADDR_TEXT_MAX];
    snprintf(listener->advertise_host, sizeof(listener->advertise_host),
             addr->sa.sa_family == AF_INET6 ? "[%s]" : "%s", netaddr_format_ip(addr, ip));
    listener->advertise_port = netaddr_port(addr);
}

/* A host name or an IP address; without port, none is written into Via and Record-Route. */
int conf_take_advertise(struct conf_load *load, const char *text)
{
    struct transport_listener *listener = load->object;
    struct slice host = slice_make(text, slice_find(slice_of(text), ':'));
    struct netaddr addr = {.sa = {.sa_family = AF_UNSPEC}};
    struct store_fault fault;
    char name[STORE_DOMAIN_MAX + 1];
    uint64_t port = 0;
    bool bad = false;
    if (netaddr_parse(&addr, slice_of(text), 0) == 0 && !netaddr_is_wildcard(&addr)) {
        advertise_ip(listener, &addr);
        return 0;
    }
    if (text[host.len] == ':')
        bad = slice_to_u64(slice_of(text + host.len + 1), UINT16_MAX, &port) < 0 || port == 0;
    if (bad || netaddr_is_wildcard(&addr))
        return conf_refuse(load, "expected HOST[:PORT], a host name or an IP address, not \"%s\"",
                           text);
    if (store_domain_canonical(host, name, &fault) != 0)
        return conf_refuse(load, "expected HOST[:PORT], not \"%s\": %s", text, fault.text);
    snprintf(listener->advertise_host, sizeof(listener->advertise_host), "%s", name);
    listener->advertise_port = (uint16_t)port;
    return 0;
}

int conf_take_address(struct conf_load *load, const char *text)
{
    const struct transport_listener *listener = load->object;
    size_t index = (size_t)(listener - load->conf->edge.transport.listeners);
    struct conf_addresses *addresses = &load->conf->addresses[index];
    struct netaddr addr;
    if (addresses->count == ZONE_ADDRESSES_MAX)
        return conf_refuse(load, "more than %d addresses", ZONE_ADDRESSES_MAX);
    if (netaddr_from_ip(&addr, slice_of(text), 0) < 0 || netaddr_is_wildcard(&addr))
        return conf_refuse(load, "expected an IP address without port, not \"%s\"", text);
    addr_keep(&addresses->list[addresses->count++], &addr);
    return 0;
}

int conf_end_listener(struct conf_load *load, const char *title)
{
    struct transport_listener *listener = load->object;
    (void)title;
    if (listener->advertise_host[0] != '\0')
        return 0;
    if (netaddr_is_wildcard(&listener->bind))
        return conf_refuse(load, "a wildcard listener needs advertise = \"HOST[:PORT]\"");
    advertise_ip(listener, &listener->bind);
    return 0;
}

/* ---- certificates ---- */

int conf_begin_certificate(struct conf_load *load, const char *text)
{
    struct tls_conf *tls = &load->conf->edge.tls;
    struct store_fault fault;
    char domain[STORE_DOMAIN_MAX + 1];
    if (tls->certificate_count == TLS_MAX_DOMAINS)
        return conf_refuse(load, "more than %d certificates", TLS_MAX_DOMAINS);
    if (store_domain_canonical(slice_of(text), domain, &fault) != 0)
        return conf_refuse(load, "expected a domain: %s", fault.text);
    for (size_t i = 0; i < tls->certificate_count; i++)
        if (strcmp(load->conf->certificates[i].domain, domain) == 0)
            return conf_refuse(load, "line %u has a certificate for this domain already",
                               load->certificate_lines[i]);
    struct tls_certificate_conf *certificate = &load->conf->certificates[tls->certificate_count];
    certificate->domain = conf_keep(load, domain);
    if (!certificate->domain)
        return conf_refuse(load, "out of memory");
    load->certificate_lines[tls->certificate_count++] = load->line;
    load->object = certificate;
    return 0;
}

int conf_take_anchors(struct conf_load *load, const char *text)
{
    (void)text;
    load->anchors_line = load->line;
    return 0;
}

int conf_take_crl(struct conf_load *load, const char *text)
{
    struct tls_conf *tls = &load->conf->edge.tls;
    if (text[0] == '\0')
        return conf_refuse(load, "expected the name of a file");
    if (tls->crl_count == TLS_MAX_CRLS)
        return conf_refuse(load, "more than %d files", TLS_MAX_CRLS);
    const char *name = conf_keep_file(load, text);
    if (!name)
        return conf_refuse(load, "out of memory");
    load->conf->crls[tls->crl_count++] = name;
    load->crls_line = load->line;
    return 0;
}

int conf_take_core_anchors(struct conf_load *load, const char *text)
{
    (void)text;
    load->core_anchors_line = load->line;
    return 0;
}

/* ---- the API ---- */

static int take_tcp(struct conf_load *load, const char *text, struct netaddr *dest)
{
    struct netaddr addr;
    if (lacks_brackets(slice_of(text)) || netaddr_parse(&addr, slice_of(text), 0) < 0 ||
        netaddr_port(&addr) == 0)
        return conf_refuse(load,
                           "expected \"ADDRESS:PORT\" such as \"192.0.2.1:8443\" or "
                           "\"[2001:db8::1]:8443\", not \"%s\"",
                           text);
    addr_keep(dest, &addr);
    return 0;
}

int conf_take_listen(struct conf_load *load, const char *text)
{
    load->listen_line = load->line;
    return take_tcp(load, text, &load->conf->api.listen);
}

int conf_take_health(struct conf_load *load, const char *text)
{
    return take_tcp(load, text, &load->conf->api.health);
}

/* ---- the federation API ---- */

int conf_take_federation(struct conf_load *load, const char *text)
{
    return take_tcp(load, text, &load->conf->federation.listen);
}

/* An SRV record leads to a name. */
int conf_take_federation_advertise(struct conf_load *load, const char *text)
{
    struct federation_conf *federation = &load->conf->federation;
    struct slice host = slice_make(text, slice_find(slice_of(text), ':'));
    struct netaddr addr;
    struct store_fault fault;
    char name[STORE_DOMAIN_MAX + 1];
    uint64_t port = 0;
    if ((text[host.len] == ':' &&
         (slice_to_u64(slice_of(text + host.len + 1), UINT16_MAX, &port) < 0 || port == 0)) ||
        netaddr_from_ip(&addr, host, 0) == 0)
        return conf_refuse(load, "expected HOST[:PORT] with the name of a host, not \"%s\"", text);
    if (store_domain_canonical(host, name, &fault) != 0)
        return conf_refuse(load, "expected HOST[:PORT], not \"%s\": %s", text, fault.text);
    snprintf(federation->advertise_host, sizeof(federation->advertise_host), "%s", name);
    federation->advertise_port = (uint16_t)port;
    return 0;
}

int conf_end_federation(struct conf_load *load, const char *title)
{
    const struct federation_conf *federation = &load->conf->federation;
    (void)title;
    if (federation->advertise_host[0] != '\0' && federation->listen.sa.sa_family == AF_UNSPEC)
        return conf_refuse(load, "advertise needs listen = \"ADDRESS:PORT\"");
    return 0;
}

int conf_take_hep(struct conf_load *load, const char *text)
{
    struct slice rest = slice_skip(slice_of(text), strlen("udp:"));
    struct netaddr addr;
    if (!slice_starts_with_nocase(slice_of(text), SLICE("udp:")) || lacks_brackets(rest) ||
        netaddr_parse(&addr, rest, 9060) < 0 || netaddr_port(&addr) == 0 ||
        netaddr_is_wildcard(&addr))
        return conf_refuse(load,
                           "expected \"udp:ADDRESS[:PORT]\" such as \"udp:192.0.2.9:9060\" or "
                           "\"udp:[2001:db8::9]:9060\", not \"%s\"",
                           text);
    addr_keep(&load->conf->edge.hep_server, &addr);
    return 0;
}

int conf_take_pair(struct conf_load *load, const char *text)
{
    (void)text;
    load->pair_line = load->line;
    return 0;
}

int conf_take_sendmail(struct conf_load *load, const char *text)
{
    (void)text;
    load->mail_line = load->line;
    return 0;
}

int conf_take_mail_from(struct conf_load *load, const char *text)
{
    struct store_fault fault;
    char mail[STORE_MAIL_MAX + 1];
    if (store_mail_canonical(slice_of(text), mail, &fault) != 0)
        return conf_refuse(load, "expected a mail address: %s", fault.text);
    load->mail_line = load->mail_line ? load->mail_line : load->line;
    load->conf->mailer.from = conf_keep(load, mail);
    return load->conf->mailer.from ? 0 : conf_refuse(load, "out of memory");
}

int conf_take_reserved(struct conf_load *load, const char *text)
{
    struct api_conf *api = &load->conf->api;
    struct store_fault fault;
    char user[STORE_USER_MAX + 1];
    if (api->reserved_count == API_MAX_RESERVED)
        return conf_refuse(load, "more than %d user parts", API_MAX_RESERVED);
    if (store_user_canonical(slice_of(text), user, &fault) != 0)
        return conf_refuse(load, "expected the user part of an address: %s", fault.text);
    const char *kept = conf_keep(load, user);
    if (!kept)
        return conf_refuse(load, "out of memory");
    load->conf->reserved[api->reserved_count++] = kept;
    return 0;
}

/* ---- networks and resolvers ---- */

int conf_take_allow(struct conf_load *load, const char *text)
{
    struct edge_conf *edge = &load->conf->edge;
    struct netprefix prefix;
    if (edge->allow_count == EDGE_MAX_ALLOW)
        return conf_refuse(load, "more than %d networks", EDGE_MAX_ALLOW);
    if (netprefix_parse(&prefix, slice_of(text)) < 0)
        return conf_refuse(load,
                           "expected an IP address or a network such as \"192.0.2.0/24\" (no bits "
                           "set behind the prefix), not \"%s\"",
                           text);
    edge->allow[edge->allow_count++] = prefix;
    return 0;
}

int conf_take_fail_over(struct conf_load *load, const char *text)
{
    struct edge_conf *edge = &load->conf->edge;
    uint64_t status;
    if (edge->fail_over_count == EDGE_MAX_FAIL_OVER)
        return conf_refuse(load, "more than %d answers", EDGE_MAX_FAIL_OVER);
    if (slice_to_u64(slice_of(text), 599, &status) < 0 || status < 400)
        return conf_refuse(
            load, "expected a SIP status from 400 to 599 such as \"500\", not \"%s\"", text);
    edge->fail_over[edge->fail_over_count++] = (uint16_t)status;
    return 0;
}

/* A multicast or broadcast address, or one of no use yet (RFC 1112 section 4, RFC 4291
 * section 2.7).
 */
static bool is_many(const struct netaddr *addr)
{
    if (addr->sa.sa_family == AF_INET)
        return ntohl(addr->in4.sin_addr.s_addr) >> 24 >= 224;
    return addr->in6.sin6_addr.s6_addr[0] == 0xff;
}

static int parse_upstream(struct conf_load *load, const char *text, struct netaddr *addr)
{
    if (netaddr_parse(addr, slice_of(text), 53) == 0 && netaddr_port(addr) != 0 &&
        !netaddr_is_wildcard(addr) && !is_many(addr))
        return 0;
    return conf_refuse(load,
                       "expected the IP address of a resolver, ADDRESS[:PORT], such as "
                       "\"127.0.0.1:53\" or \"[::1]:53\", not \"%s\"",
                       text);
}

bool conf_is_loopback(const struct netaddr *addr)
{
    static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
    if (addr->sa.sa_family == AF_INET)
        return ntohl(addr->in4.sin_addr.s_addr) >> 24 == 127;
    return memcmp(&addr->in6.sin6_addr, &loopback, sizeof(loopback)) == 0;
}

int conf_take_upstream(struct conf_load *load, const char *text)
{
    struct resolver_conf *dns = &load->conf->edge.resolver;
    struct netaddr addr;
    if (dns->upstream_count == RESOLVER_MAX_UPSTREAMS)
        return conf_refuse(load, "more than %d upstreams", RESOLVER_MAX_UPSTREAMS);
    int status = parse_upstream(load, text, &addr);
    if (status != 0)
        return status;
    for (size_t i = 0; i < dns->upstream_count; i++)
        if (netaddr_eq(&dns->upstreams[i].addr, &addr))
            return conf_refuse(load, "\"%s\" is in the list twice", text);
    addr_keep(&dns->upstreams[dns->upstream_count].addr, &addr);
    dns->upstreams[dns->upstream_count++].trusted = conf_is_loopback(&addr);
    return 0;
}

int conf_trust_nobody(struct conf_load *load)
{
    struct resolver_conf *dns = &load->conf->edge.resolver;
    for (size_t i = 0; i < dns->upstream_count; i++)
        dns->upstreams[i].trusted = false;
    load->trust_listed = true;
    return 0;
}

int conf_end_dns(struct conf_load *load, const char *title)
{
    const struct resolver_conf *dns = &load->conf->edge.resolver;
    (void)title;
    if (dns->attempt_timeout_ms > dns->lookup_timeout_ms)
        return conf_refuse(load, "attempt-timeout-ms = %u is above timeout-ms = %u",
                           dns->attempt_timeout_ms, dns->lookup_timeout_ms);
    if (dns->ttl_min_s > dns->ttl_max_s)
        return conf_refuse(load, "ttl-min-s = %u is above ttl-max-s = %u", dns->ttl_min_s,
                           dns->ttl_max_s);
    return 0;
}

/* Comes after the upstreams, in the table's order. The first one ends the trust in loopback. */
int conf_take_trusted(struct conf_load *load, const char *text)
{
    struct resolver_conf *dns = &load->conf->edge.resolver;
    struct netaddr addr;
    int status = parse_upstream(load, text, &addr);
    if (status != 0)
        return status;
    if (!load->trust_listed)
        conf_trust_nobody(load);
    for (size_t i = 0; i < dns->upstream_count; i++) {
        if (netaddr_eq(&dns->upstreams[i].addr, &addr)) {
            dns->upstreams[i].trusted = true;
            return 0;
        }
    }
    return conf_refuse(load, "\"%s\" is none of the upstreams", text);
}

static int parse_suffix(struct conf_load *load, const char *text, char name[STORE_DOMAIN_MAX + 1])
{
    struct store_fault fault;
    if (store_domain_canonical(slice_of(text), name, &fault) == 0)
        return 0;
    return conf_refuse(load, "expected the name of a tree, such as \"e164.arpa\": %s", fault.text);
}

/* Its place in the list, or suffix_count. */
static size_t find_suffix(const struct resolver_conf *dns, const char *name)
{
    size_t i = 0;
    while (i < dns->suffix_count && strcmp(dns->suffixes[i].name, name) != 0)
        i++;
    return i;
}

int conf_take_enum(struct conf_load *load, const char *text)
{
    struct resolver_conf *dns = &load->conf->edge.resolver;
    char name[STORE_DOMAIN_MAX + 1];
    if (dns->suffix_count == RESOLVER_MAX_SUFFIXES)
        return conf_refuse(load, "more than %d trees", RESOLVER_MAX_SUFFIXES);
    int status = parse_suffix(load, text, name);
    if (status != 0)
        return status;
    if (find_suffix(dns, name) < dns->suffix_count)
        return conf_refuse(load, "\"%s\" is in the list twice", text);
    memcpy(dns->suffixes[dns->suffix_count++].name, name, strlen(name) + 1);
    return 0;
}

/* Comes after `enum`, in the table's order. */
int conf_take_enum_trusted(struct conf_load *load, const char *text)
{
    struct resolver_conf *dns = &load->conf->edge.resolver;
    char name[STORE_DOMAIN_MAX + 1];
    int status = parse_suffix(load, text, name);
    if (status != 0)
        return status;
    size_t i = find_suffix(dns, name);
    if (i == dns->suffix_count)
        return conf_refuse(load, "\"%s\" is none of the trees in enum", text);
    dns->suffixes[i].trusted = true;
    return 0;
}

int conf_take_pstn(struct conf_load *load, const char *text)
{
    struct store_fault fault;
    if (store_domain_canonical(slice_of(text), load->conf->edge.resolver.pstn, &fault) == 0)
        return 0;
    return conf_refuse(load, "expected a hosted domain: %s", fault.text);
}
