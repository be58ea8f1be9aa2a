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

const char *conf_fixed_changes(const struct junctord_conf *old, const struct junctord_conf *new,
                               char text[CONF_MAX_WHY])
{
    const struct transport_conf *a = &old->edge.transport, *b = &new->edge.transport;
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
    if (a->listener_count != b->listener_count ||
        memcmp(a->listeners, b->listeners, sizeof(a->listeners)) != 0)
        changes_add(text, "inside, outside", "");
    if (memcmp(old->edge.resolver.upstreams, new->edge.resolver.upstreams,
               sizeof(old->edge.resolver.upstreams)) != 0)
        changes_add(text, "dns", "upstreams, trusted");
    return text;
}
