#include "tools/check.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_CONF JUNCTOR_SYSCONFDIR "/junctor/junctord.conf"
#define DNS_PORT     53

static int conf_choose(const struct tool *tool, bool must, struct check_place *place)
{
    const char *file = tool_value(tool, OPT_CONFIG);
    if (conf_load(file ? file : DEFAULT_CONF, &place->conf, place->why) == 0)
        return TOOL_DONE;
    place->conf = NULL;
    return must || file ? tool_fail(TOOL_REFUSED, "%s", place->why) : TOOL_DONE;
}

int check_place_choose(const struct tool *tool, bool must, struct check_place *place)
{
    const char *resolver = tool_value(tool, OPT_RESOLVER);
    memset(place, 0, sizeof(*place));
    uint64_t port = tool_number(tool, OPT_DNS_PORT, DNS_PORT);
    if (port == 0 || port > UINT16_MAX)
        return tool_fail(TOOL_USAGE, "--dns-port: expected a number of 1 to 65535");
    place->port = (uint16_t)port;
    if (resolver && netaddr_parse(&place->resolver, slice_of(resolver), DNS_PORT))
        return tool_fail(TOOL_USAGE,
                         "--resolver: expected an IP address, perhaps with :PORT, not \"%s\"",
                         resolver);
    int code = conf_choose(tool, must, place);
    if (!resolver && place->conf)
        place->resolver = place->conf->edge.resolver.upstreams[0].addr;
    else if (!resolver)
        netaddr_parse(&place->resolver, SLICE("127.0.0.1"), DNS_PORT);
    return code;
}

void check_place_free(struct check_place *place)
{
    place->conf = conf_free(place->conf);
}
