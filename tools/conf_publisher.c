/* The zones that take updates. */
#include "tools/conf_internal.h"

#include "base/status.h"
#include "store/store.h"

#include <string.h>

int conf_begin_zone(struct conf_load *load, const char *text)
{
    struct publisher_conf *publisher = &load->conf->publisher;
    char zone[ZONE_NAME_MAX + 1];
    if (publisher->zone_count == PUBLISHER_ZONES_MAX)
        return conf_refuse(load, "more than %d zones", PUBLISHER_ZONES_MAX);
    char domain[STORE_DOMAIN_MAX + 1];
    bool is_ascii = true;
    for (const char *at = text; *at != '\0'; at++)
        is_ascii = is_ascii && (unsigned char)*at < 0x80;
    if (!is_ascii && store_domain_canonical(slice_of(text), domain, NULL) == 0)
        return conf_refuse(load, "expected the name as it stands in DNS: \"%s\"", domain);
    if (update_zone_name(slice_of(text), zone) != 0)
        return conf_refuse(load, "expected the name of a zone, such as \"opa.example\"");
    for (size_t i = 0; i < publisher->zone_count; i++)
        if (strcmp(publisher->zones[i].name, zone) == 0)
            return conf_refuse(load, "a second section for this zone");
    struct publisher_zone_conf *made = &publisher->zones[publisher->zone_count++];
    memcpy(made->name, zone, strlen(zone));
    load->object = made;
    return 0;
}

int conf_take_primary(struct conf_load *load, const char *text)
{
    struct publisher_zone_conf *zone = load->object;
    struct netaddr addr;
    if (netaddr_parse(&addr, slice_of(text), 53) != 0 || netaddr_port(&addr) == 0 ||
        netaddr_is_wildcard(&addr))
        return conf_refuse(load,
                           "expected the IP address of the zone's primary server, ADDRESS[:PORT], "
                           "such as \"192.0.2.53:53\" or \"[2001:db8::53]:53\", not \"%s\"",
                           text);
    memcpy(&zone->primary, &addr, netaddr_len(&addr)); /* the rest is zero */
    return 0;
}

/* The key is read here, once: `path` is what take_file made of the text. */
int conf_take_tsig(struct conf_load *load, const char *text)
{
    struct publisher_zone_conf *zone = load->object;
    char why[UPDATE_WHY_MAX];
    (void)text;
    if (update_key_read(zone->key_file, &zone->key, why) != 0)
        return conf_refuse(load, "%s", why);
    return 0;
}
