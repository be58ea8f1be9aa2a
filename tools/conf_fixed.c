/* What a reload cannot change. */
#include "tools/conf_internal.h"

#include <string.h>

static void changes_add(char *text, const char *section, const char *name)
{
    size_t len = strlen(text);
    snprintf(text + len, CONF_MAX_WHY - len, "%s%s%s%s", len > 0 ? ", " : "", section,
             section[0] != '\0' && name[0] != '\0' ? ": " : "", name);
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
    case CONF_FILE:
        return strcmp(*(const char *const *)a, *(const char *const *)b) != 0;
    case CONF_TEXT:
    case CONF_LIST:
        break;
    }
    return false;
}

static bool listener_eq(const struct transport_listener *a, const struct transport_listener *b)
{
    return a->side == b->side && a->transport == b->transport && netaddr_eq(&a->bind, &b->bind) &&
           a->advertise_port == b->advertise_port &&
           strcmp(a->advertise_host, b->advertise_host) == 0;
}

static bool listeners_changed(const struct transport_conf *a, const struct transport_conf *b)
{
    for (size_t i = 0; i < a->listener_count && i < b->listener_count; i++)
        if (!listener_eq(&a->listeners[i], &b->listeners[i]))
            return true;
    return a->listener_count != b->listener_count;
}

static bool upstreams_changed(const struct resolver_conf *a, const struct resolver_conf *b)
{
    for (size_t i = 0; i < a->upstream_count && i < b->upstream_count; i++)
        if (!netaddr_eq(&a->upstreams[i].addr, &b->upstreams[i].addr) ||
            a->upstreams[i].trusted != b->upstreams[i].trusted)
            return true;
    return a->upstream_count != b->upstream_count;
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
    if (old->api.mode != new->api.mode)
        changes_add(text, "api", "mode");
    if (old->api.group != new->api.group)
        changes_add(text, "api", "group");
    if (listeners_changed(&old->edge.transport, &new->edge.transport))
        changes_add(text, "inside, outside", "");
    if (upstreams_changed(&old->edge.resolver, &new->edge.resolver))
        changes_add(text, "dns", "upstreams, trusted");
    return text;
}
