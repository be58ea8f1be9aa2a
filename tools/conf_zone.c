/* What the configuration says of the records that should exist in DNS. */
#include "tools/conf_internal.h"

#include "base/status.h"

#include <string.h>

_Static_assert(TLS_KEY_HASH_LEN == ZONE_KEY_LEN, "TLSA records have the hash of a key");
_Static_assert(2 * TLS_MAX_DOMAINS <= ZONE_KEYS_MAX, "each certificate has two keys");
_Static_assert(TRANSPORT_MAX_LISTENERS <= ZONE_TARGETS_MAX, "each listener is a target");

_Static_assert(RESOLVER_MAX_SUFFIXES <= ZONE_TREES_MAX, "each tree of ENUM may have zones of ours");

#define TLS_PORT 5061 /* where peers connect to if no port is named (RFC 3261 section 19.1.2) */

static bool is_ip(const char *host)
{
    struct netaddr addr;
    return netaddr_from_ip(&addr, slice_of(host), 0) == 0;
}

/* An SRV record leads to a name: a listener that is known by its IP address alone has none. */
static int add_target(struct conf_load *load, size_t index)
{
    const struct transport_listener *listener = &load->conf->edge.transport.listeners[index];
    const struct conf_addresses *addresses = &load->conf->addresses[index];
    uint16_t port = listener->advertise_port != 0 ? listener->advertise_port : TLS_PORT;
    if (listener->side != TRANSPORT_OUTSIDE || is_ip(listener->advertise_host))
        return 0;
    const struct netaddr *list = addresses->count > 0 ? addresses->list : &listener->bind;
    size_t count = addresses->count > 0 ? addresses->count : !netaddr_is_wildcard(&listener->bind);
    if (zone_target_add(&load->conf->zone, listener->advertise_host, port, list, count) == 0)
        return 0;
    conf_look_at(load, "outside", NULL, "addresses", load->listener_lines[index]);
    return conf_refuse(load, "more than %d addresses of %s", ZONE_ADDRESSES_MAX,
                       listener->advertise_host);
}

static int add_keys(struct conf_load *load, const struct tls_certificate_conf *certificate)
{
    uint8_t key[TLS_KEY_HASH_LEN];
    char why[TLS_MAX_WHY];
    int status = tls_chain_key_hash(certificate->chain_file, key, why);
    if (status == 0)
        status = zone_key_add(&load->conf->zone, key);
    if (status == 0 && certificate->next_key_file) {
        status = tls_next_key_hash(certificate->next_key_file, key, why);
        if (status == 0)
            status = zone_key_add(&load->conf->zone, key);
    }
    return status == 0 ? 0 : conf_refuse(load, "%s", why);
}

static bool is_host_of_sip(const struct zone_conf *zone, const char *host)
{
    for (size_t i = 0; i < zone->target_count; i++)
        if (strcmp(zone->targets[i].host, host) == 0)
            return true;
    return false;
}

/* A host that peers reach, too, has the addresses that they do. */
static void set_porting(struct conf_load *load)
{
    const struct federation_conf *federation = &load->conf->federation;
    struct zone_target *porting = &load->conf->zone.porting;
    if (federation->advertise_host[0] == '\0')
        return;
    snprintf(porting->host, sizeof(porting->host), "%s", federation->advertise_host);
    porting->port =
        federation->advertise_port ? federation->advertise_port : netaddr_port(&federation->listen);
    if (netaddr_is_wildcard(&federation->listen) ||
        is_host_of_sip(&load->conf->zone, porting->host))
        return;
    porting->addresses[0] = federation->listen;
    porting->address_count = 1;
}

static void add_trees(struct conf_load *load)
{
    const struct resolver_conf *dns = &load->conf->edge.resolver;
    struct zone_conf *zone = &load->conf->zone;
    for (size_t i = 0; i < dns->suffix_count; i++)
        memcpy(zone->trees[i], dns->suffixes[i].name, sizeof(zone->trees[i]));
    zone->tree_count = dns->suffix_count;
}

int conf_fill_zone(struct conf_load *load)
{
    const struct tls_conf *tls = &load->conf->edge.tls;
    int status = 0;
    for (size_t i = 0; status == 0 && i < load->conf->edge.transport.listener_count; i++)
        status = add_target(load, i);
    set_porting(load);
    add_trees(load);
    for (size_t i = 0; status == 0 && !load->unjudged && i < tls->certificate_count; i++) {
        conf_look_at(load, "certificate", tls->certificates[i].domain, NULL,
                     load->certificate_lines[i]);
        status = add_keys(load, &tls->certificates[i]);
    }
    return status;
}
