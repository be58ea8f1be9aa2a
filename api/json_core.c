/* One next hop of a core, as a SIP URI. */
#include "api/json.h"

#include "base/netaddr.h"
#include "peering/sip/sip.h"
#include "resolver/resolver.h"

#include <errno.h>
#include <stdio.h>

static int core_refuse(struct api_problem *problem, const char *field, struct slice text,
                       const char *reason)
{
    return api_problem_set(problem, API_PROBLEM_FIELD, field,
                           "%.*s: %s; a core is written like sip:192.0.2.1:5060;transport=udp",
                           SLICE_ARG(text), reason);
}

/* What the parameters of a core's URI say; each at most once. */
struct core_params {
    struct slice transport, priority, weight; /* p NULL: not given */
};

/* A core is a place: whatever else a URI can say would be dropped silently. */
static int core_params_split(struct slice params, struct core_params *given)
{
    while (params.len) {
        struct slice rest = slice_skip(params, 1);
        struct slice item = slice_make(rest.p, slice_find(rest, ';'));
        struct slice name = slice_make(item.p, slice_find(item, '='));
        struct slice *value = slice_eq_nocase(name, SLICE("transport"))  ? &given->transport
                              : slice_eq_nocase(name, SLICE("priority")) ? &given->priority
                              : slice_eq_nocase(name, SLICE("weight"))   ? &given->weight
                                                                         : NULL;
        if (!value || value->p || name.len == item.len)
            return -EPROTO;
        *value = slice_skip(item, name.len + 1);
        params = slice_skip(rest, item.len);
    }
    return 0;
}

/* Absent: 0. */
static int core_rank_decode(struct slice text, uint16_t *rank)
{
    uint64_t value = 0;
    if (text.p && slice_to_u64(text, UINT16_MAX, &value))
        return -EPROTO;
    *rank = (uint16_t)value;
    return 0;
}

static int core_params_decode(const struct sip_uri *uri, struct store_core *core, bool *ranked,
                              const char **reason)
{
    /* DNS may name the transport where neither it nor a port is given (RFC 3263 section 4.1). */
    bool dns_knows = uri->host_kind == SIP_HOST_NAME && uri->port == 0;
    struct core_params given = {.transport = {NULL, 0}};
    enum sip_transport named;
    core->transport = dns_knows ? RESOLVER_ANY : RESOLVER_UDP;
    *reason = "only the parameters transport, priority and weight are allowed, each once";
    if (core_params_split(uri->params, &given))
        return -EPROTO;
    *reason = "the transport must be udp, tcp or tls";
    if (given.transport.p) {
        if (sip_transport_parse(given.transport, &named) || named == SIP_SCTP)
            return -EPROTO;
        core->transport = (uint8_t)named;
    }
    *reason = "priority and weight are numbers from 0 to 65535";
    *ranked = given.priority.p || given.weight.p;
    return core_rank_decode(given.priority, &core->priority) ||
                   core_rank_decode(given.weight, &core->weight)
               ? -EPROTO
               : 0;
}

static int core_host_decode(const struct sip_uri *uri, char host[STORE_DOMAIN_MAX + 1],
                            struct store_fault *fault)
{
    if (uri->host_kind == SIP_HOST_NAME)
        return store_domain_canonical(uri->host, host, fault);
    struct netaddr addr;
    char text[NETADDR_TEXT_MAX];
    snprintf(fault->text, sizeof(fault->text), "the IP address is malformed");
    int status = netaddr_from_ip(&addr, uri->host, 0);
    if (!status)
        snprintf(host, STORE_DOMAIN_MAX + 1, "%s", netaddr_format_ip(&addr, text));
    return status;
}

int api_core_decode(struct slice text, const char *field, struct store_core *core, bool *ranked,
                    struct api_problem *problem)
{
    struct sip_uri uri;
    if (sip_uri_decode(text, &uri))
        return core_refuse(problem, field, text, "is not a SIP URI");
    if (uri.scheme != SIP_SCHEME_SIP)
        return core_refuse(problem, field, text,
                           "must begin with sip: (for TLS write ;transport=tls)");
    if (uri.has_user)
        return core_refuse(problem, field, text, "must not have a user part");
    if (uri.headers.len)
        return core_refuse(problem, field, text, "must not have headers");
    struct store_core result = {.port = uri.port};
    const char *reason;
    bool has_rank;
    if (core_params_decode(&uri, &result, &has_rank, &reason))
        return core_refuse(problem, field, text, reason);
    struct store_fault fault;
    if (core_host_decode(&uri, result.host, &fault))
        return core_refuse(problem, field, text, fault.text);
    *core = result;
    *ranked = has_rank;
    return 0;
}

const char *api_transport_text(uint8_t transport)
{
    static const char *const names[] = {[RESOLVER_UDP] = "udp",
                                        [RESOLVER_TCP] = "tcp",
                                        [RESOLVER_TLS] = "tls",
                                        [RESOLVER_SCTP] = "sctp"};
    return names[transport];
}

const char *api_core_encode(const struct store_core *core, bool ranked,
                            char text[API_CORE_TEXT_MAX])
{
    bool given = core->transport != RESOLVER_ANY;
    bool brackets = strchr(core->host, ':') != NULL;
    char port[8] = "", rank[40] = "";
    if (core->port)
        snprintf(port, sizeof(port), ":%u", core->port);
    if (ranked)
        snprintf(rank, sizeof(rank), ";priority=%u;weight=%u", core->priority, core->weight);
    snprintf(text, API_CORE_TEXT_MAX, "sip:%s%s%s%s%s%s%s", brackets ? "[" : "", core->host,
             brackets ? "]" : "", port, given ? ";transport=" : "",
             given ? api_transport_text(core->transport) : "", rank);
    return text;
}
