/* What a reload cannot change. */
#include "tools/conf_internal.h"

#include <string.h>

static void changes_add(char *text, const char *section, const char *name)
{
    size_t len = strlen(text); /* what does not fit is cut */
    snprintf(text + len, CONF_MAX_WHY - len, "%s%s%s%s", len > 0 ? ", " : "", section,
             section[0] != '\0' && name[0] != '\0' ? ": " : "", name);
}

/* NULL: the file has none. */
static bool is_file_changed(const char *old, const char *new)
{
    return old && new ? strcmp(old, new) != 0 : old != new;
}

/* Of the settings that their type keeps at an offset in the conf. */
static bool is_changed(const struct conf_setting *setting, const void *old, const void *new)
{
    const char *a = (const char *)old + setting->offset, *b = (const char *)new + setting->offset;
    switch (setting->type) {
    case CONF_NUMBER:
        return *(const unsigned *)a != *(const unsigned *)b;
    case CONF_SIZE:
        return *(const size_t *)a != *(const size_t *)b;
    case CONF_SWITCH:
        return *(const bool *)a != *(const bool *)b;
    case CONF_FILE:
        return is_file_changed(*(const char *const *)a, *(const char *const *)b);
    case CONF_TEXT:
    case CONF_LIST:
        break;
    }
    return false;
}

/* ---- listeners ---- */

static bool is_place_eq(const struct transport_listener *a, const struct transport_listener *b)
{
    return a->side == b->side && a->transport == b->transport && netaddr_eq(&a->bind, &b->bind);
}

static bool is_listener_eq(const struct transport_listener *a, const struct transport_listener *b)
{
    return is_place_eq(a, b) && a->advertise_port == b->advertise_port &&
           strcmp(a->advertise_host, b->advertise_host) == 0;
}

static const struct transport_listener *listener_find(const struct transport_conf *conf,
                                                      const struct transport_listener *like)
{
    for (size_t i = 0; i < conf->listener_count; i++)
        if (is_place_eq(&conf->listeners[i], like))
            return &conf->listeners[i];
    return NULL;
}

static void listener_add(char *text, const struct transport_listener *listener)
{
    static const char *const sides[] = {
        [TRANSPORT_INSIDE] = "inside", [TRANSPORT_OUTSIDE] = "outside"};
    static const char *const transports[] = {
        [SIP_UDP] = "udp", [SIP_TCP] = "tcp", [SIP_TLS] = "tls", [SIP_SCTP] = "sctp"};
    char addr[NETADDR_TEXT_MAX], name[NETADDR_TEXT_MAX + 32];
    snprintf(name, sizeof(name), "%s \"%s:%s\"", sides[listener->side],
             transports[listener->transport], netaddr_format(&listener->bind, addr));
    changes_add(text, name, "");
}

/* Those that both have, in another order. The first of a kind is the one that is sent from. */
static bool is_reordered(const struct transport_conf *old, const struct transport_conf *new)
{
    size_t last = 0;
    for (size_t i = 0; i < new->listener_count; i++) {
        const struct transport_listener *found = listener_find(old, &new->listeners[i]);
        size_t place = found ? (size_t)(found - old->listeners) : last;
        if (place < last)
            return true;
        last = place;
    }
    return false;
}

static bool is_addresses_eq(const struct conf_addresses *a, const struct conf_addresses *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (!netaddr_eq_ip(&a->list[i], &b->list[i]))
            return false;
    return a->count == b->count;
}

/* Of the listeners that both have. */
static void addresses_compare(char *text, const struct junctord_conf *old,
                              const struct junctord_conf *new)
{
    const struct transport_conf *transport = &new->edge.transport;
    for (size_t i = 0; i < transport->listener_count; i++) {
        const struct transport_listener *listener = &transport->listeners[i];
        const struct transport_listener *found = listener_find(&old->edge.transport, listener);
        size_t place = found ? (size_t)(found - old->edge.transport.listeners) : i;
        if (found && !is_addresses_eq(&old->addresses[place], &new->addresses[i]))
            changes_add(text, "outside", "addresses");
    }
}

static void listeners_compare(char *text, const struct transport_conf *old,
                              const struct transport_conf *new)
{
    for (size_t i = 0; i < old->listener_count; i++) {
        const struct transport_listener *found = listener_find(new, &old->listeners[i]);
        if (!found || !is_listener_eq(found, &old->listeners[i]))
            listener_add(text, &old->listeners[i]);
    }
    for (size_t i = 0; i < new->listener_count; i++)
        if (!listener_find(old, &new->listeners[i]))
            listener_add(text, &new->listeners[i]);
    if (is_reordered(old, new))
        changes_add(text, "the order of listeners", "");
}

/* ---- resolvers ---- */

static bool is_upstreams_eq(const struct resolver_conf *a, const struct resolver_conf *b)
{
    for (size_t i = 0; i < a->upstream_count && i < b->upstream_count; i++)
        if (!netaddr_eq(&a->upstreams[i].addr, &b->upstreams[i].addr))
            return false;
    return a->upstream_count == b->upstream_count;
}

/* Is one that both have trusted by one of them only? */
static bool is_trust_changed(const struct resolver_conf *a, const struct resolver_conf *b)
{
    for (size_t i = 0; i < a->upstream_count; i++)
        for (size_t j = 0; j < b->upstream_count; j++)
            if (netaddr_eq(&a->upstreams[i].addr, &b->upstreams[j].addr) &&
                a->upstreams[i].trusted != b->upstreams[j].trusted)
                return true;
    return false;
}

static bool is_suffixes_eq(const struct resolver_conf *a, const struct resolver_conf *b)
{
    for (size_t i = 0; i < a->suffix_count && i < b->suffix_count; i++)
        if (strcmp(a->suffixes[i].name, b->suffixes[i].name) != 0)
            return false;
    return a->suffix_count == b->suffix_count;
}

/* Is a tree that both have trusted by one of them only? */
static bool is_suffix_trust_changed(const struct resolver_conf *a, const struct resolver_conf *b)
{
    for (size_t i = 0; i < a->suffix_count; i++)
        for (size_t j = 0; j < b->suffix_count; j++)
            if (strcmp(a->suffixes[i].name, b->suffixes[j].name) == 0 &&
                a->suffixes[i].trusted != b->suffixes[j].trusted)
                return true;
    return false;
}

/* ---- the API ---- */

static bool is_reserved_eq(const struct api_conf *a, const struct api_conf *b)
{
    for (size_t i = 0; i < a->reserved_count && i < b->reserved_count; i++)
        if (strcmp(a->reserved[i], b->reserved[i]) != 0)
            return false;
    return a->reserved_count == b->reserved_count;
}

static void federation_compare(char *text, const struct federation_conf *old,
                               const struct federation_conf *new)
{
    if (!netaddr_eq(&old->listen, &new->listen))
        changes_add(text, "federation", "listen");
    if (strcmp(old->advertise_host, new->advertise_host) != 0 ||
        old->advertise_port != new->advertise_port)
        changes_add(text, "federation", "advertise");
}

static void api_compare(char *text, const struct api_conf *old, const struct api_conf *new)
{
    if (old->mode != new->mode)
        changes_add(text, "api", "mode");
    if (old->group != new->group)
        changes_add(text, "api", "group");
    if (!netaddr_eq(&old->listen, &new->listen))
        changes_add(text, "api", "listen");
    if (!netaddr_eq(&old->health, &new->health))
        changes_add(text, "api", "health");
    if (!is_reserved_eq(old, new))
        changes_add(text, "api", "reserved");
}

static bool is_fail_over_eq(const struct edge_conf *a, const struct edge_conf *b)
{
    for (size_t i = 0; i < a->fail_over_count && i < b->fail_over_count; i++)
        if (a->fail_over[i] != b->fail_over[i])
            return false;
    return a->fail_over_count == b->fail_over_count;
}

const char *conf_fixed_changes(const struct junctord_conf *old, const struct junctord_conf *new,
                               char text[CONF_MAX_WHY])
{
    text[0] = '\0';
    for (size_t i = 0; i < conf_setting_count; i++) {
        const struct conf_setting *setting = &conf_settings[i];
        if ((setting->flags & CONF_FIXED) && is_changed(setting, old, new))
            changes_add(text, setting->section, setting->name);
    }
    if (!is_fail_over_eq(&old->edge, &new->edge))
        changes_add(text, "", "fail-over");
    if (!netaddr_eq(&old->edge.hep_server, &new->edge.hep_server))
        changes_add(text, "hep", "server");
    if (strcmp(old->edge.resolver.pstn, new->edge.resolver.pstn) != 0)
        changes_add(text, "pstn", "domain");
    api_compare(text, &old->api, &new->api);
    federation_compare(text, &old->federation, &new->federation);
    listeners_compare(text, &old->edge.transport, &new->edge.transport);
    addresses_compare(text, old, new);
    if (!is_upstreams_eq(&old->edge.resolver, &new->edge.resolver))
        changes_add(text, "dns", "upstreams");
    if (is_trust_changed(&old->edge.resolver, &new->edge.resolver))
        changes_add(text, "dns", "trusted");
    if (!is_suffixes_eq(&old->edge.resolver, &new->edge.resolver))
        changes_add(text, "dns", "enum");
    if (is_suffix_trust_changed(&old->edge.resolver, &new->edge.resolver))
        changes_add(text, "dns", "enum-trusted");
    return text;
}
