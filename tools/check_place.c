#include "tools/check.h"

#include "base/waiting.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_CONF JUNCTOR_SYSCONFDIR "/junctor/junctord.conf"
#define DNS_PORT     53

/* Leaves the certificates that can be shown; where none can, `why` says so. */
static void certificates_keep(struct check_place *place)
{
    struct tls_conf *tls = &place->conf->edge.tls;
    size_t kept = 0;
    for (size_t i = 0; i < tls->certificate_count; i++) {
        const struct tls_conf one = {.certificates = &tls->certificates[i], .certificate_count = 1};
        struct tls_context *context;
        char why[TLS_MAX_WHY];
        if (tls_context_load(&one, &context, why)) {
            snprintf(place->why, sizeof(place->why), "%s", why);
            continue;
        }
        tls_context_unref(context);
        place->conf->certificates[kept++] = tls->certificates[i];
    }
    tls->certificate_count = kept;
    if (kept > 0)
        place->why[0] = '\0';
}

static int conf_choose(const struct tool *tool, bool must, struct check_place *place)
{
    const char *file = tool_value(tool, OPT_CONFIG);
    if (conf_load_unjudged(file ? file : DEFAULT_CONF, &place->conf, place->why)) {
        place->conf = NULL;
        return must || file ? tool_fail(TOOL_REFUSED, "%s", place->why) : TOOL_DONE;
    }
    if (!must)
        certificates_keep(place);
    return TOOL_DONE;
}

/* Of the upstreams those that the edge believes, as long as there are any, in its order. */
static void upstream_choose(const struct tool *tool, struct check_place *place)
{
    const struct resolver_conf *conf = &place->conf->edge.resolver;
    struct netaddr list[RESOLVER_MAX_UPSTREAMS];
    size_t count = 0;
    for (size_t i = 0; i < conf->upstream_count; i++)
        place->trusted = place->trusted || conf->upstreams[i].trusted;
    for (size_t i = 0; i < conf->upstream_count; i++)
        if (conf->upstreams[i].trusted == place->trusted)
            list[count++] = conf->upstreams[i].addr;
    place->resolver = list[check_resolver_choose(list, count, tool->operands[0])];
}

int check_place_choose(const struct tool *tool, bool must, struct check_place *place)
{
    const char *resolver = tool_value(tool, OPT_RESOLVER);
    memset(place, 0, sizeof(*place));
    place->start_ms = waiting_now_ms();
    uint64_t port = tool_number(tool, OPT_DNS_PORT, DNS_PORT);
    if (port == 0 || port > UINT16_MAX)
        return tool_fail(TOOL_USAGE, "--dns-port: expected a number of 1 to 65535");
    place->port = (uint16_t)port;
    if (resolver && netaddr_parse(&place->resolver, slice_of(resolver), DNS_PORT))
        return tool_fail(TOOL_USAGE,
                         "--resolver: expected an IP address, perhaps with :PORT, not \"%s\"",
                         resolver);
    int code = conf_choose(tool, must, place);
    if (!resolver && place->conf) {
        upstream_choose(tool, place);
        return code;
    }
    place->trusted = true; /* whoever names one, or runs one here, means it */
    if (!resolver)
        netaddr_parse(&place->resolver, SLICE("127.0.0.1"), DNS_PORT);
    return code;
}

void check_place_free(struct check_place *place)
{
    place->conf = conf_free(place->conf);
}
