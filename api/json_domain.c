#include "api/json.h"

#include "base/chars.h"
#include "base/netaddr.h"
#include "peering/sip/sip.h"
#include "resolver/resolver.h"

#include <errno.h>
#include <stdio.h>

static const char *const policy_names[] = {
    [STORE_UNKNOWN_REJECT] = "reject",
    [STORE_UNKNOWN_CORE] = "core",
};
#define POLICY_COUNT (sizeof(policy_names) / sizeof(policy_names[0]))

static int core_refuse(struct api_problem *problem, const char *field, struct slice text,
                       const char *reason)
{
    return api_problem_set(problem, API_PROBLEM_FIELD, field,
                           "%.*s: %s; a core is written like sip:192.0.2.1:5060;transport=udp",
                           SLICE_ARG(text), reason);
}

/* Only ;transport= may stand there, once: a core is a place, and whatever else a URI can say would
 * be dropped silently. */
static int core_params_decode(const struct sip_uri *uri, uint8_t *transport, const char **reason)
{
    /* DNS may name the transport where neither it nor a port is given (RFC 3263 section 4.1). */
    bool dns_knows = uri->host_kind == SIP_HOST_NAME && uri->port == 0;
    *transport = dns_knows ? RESOLVER_ANY : RESOLVER_UDP;
    if (uri->params.len == 0)
        return 0;
    struct slice value;
    enum sip_transport named;
    *reason = "only the parameter transport is allowed";
    if (!slice_starts_with_nocase(uri->params, SLICE(";transport=")) ||
        !sip_param(uri->params, "transport", &value) ||
        value.len + strlen(";transport=") != uri->params.len)
        return -EPROTO;
    *reason = "the transport must be udp, tcp or tls";
    if (sip_transport_parse(value, &named) || named == SIP_SCTP)
        return -EPROTO;
    *transport = (uint8_t)named;
    return 0;
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

int api_core_decode(struct slice text, const char *field, struct store_core *core,
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
    uint8_t transport;
    const char *reason;
    if (core_params_decode(&uri, &transport, &reason))
        return core_refuse(problem, field, text, reason);
    struct store_core result = {.port = uri.port, .transport = transport};
    struct store_fault fault;
    if (core_host_decode(&uri, result.host, &fault))
        return core_refuse(problem, field, text, fault.text);
    *core = result;
    return 0;
}

const char *api_core_encode(const struct store_core *core, char text[API_CORE_TEXT_MAX])
{
    bool brackets = strchr(core->host, ':') != NULL;
    char port[8] = "";
    if (core->port)
        snprintf(port, sizeof(port), ":%u", core->port);
    bool given = core->transport != RESOLVER_ANY;
    const char *name = given ? sip_transport_name((enum sip_transport)core->transport) : "";
    int len = snprintf(text, API_CORE_TEXT_MAX, "sip:%s%s%s%s%s", brackets ? "[" : "", core->host,
                       brackets ? "]" : "", port, given ? ";transport=" : "");
    for (; *name && len < API_CORE_TEXT_MAX - 1; name++)
        text[len++] = char_lower(*name);
    text[len] = '\0';
    return text;
}

static int cores_decode(const json_t *array, struct store_domain *domain,
                        struct api_problem *problem)
{
    size_t count = json_array_size(array);
    if (count == 0 || count > STORE_CORES_MAX)
        return api_problem_set(problem, API_PROBLEM_FIELD, "cores",
                               "cores: there are %zu; a domain has 1 to %d", count,
                               STORE_CORES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        char field[API_FIELD_MAX];
        int status = api_json_item(array, "cores", i, &text, field, problem);
        if (!status)
            status = api_core_decode(text, field, &domain->cores[i], problem);
        if (status)
            return status;
    }
    domain->core_count = (unsigned)count;
    return 0;
}

int api_domain_decode(const json_t *object, const char *name, struct store_domain *domain,
                      struct api_problem *problem)
{
    static const struct api_field fields[] = {
        {"name", JSON_STRING, 0},
        {"cores", JSON_ARRAY, API_REQUIRED},
        {"unknown", JSON_STRING, 0},
        {"claims_per_owner", JSON_INTEGER, 0},
        {"quarantine_days", JSON_INTEGER, 0},
        {"address_records", JSON_TRUE, 0},
        {"warnings", JSON_ARRAY, API_PRINTED},
        {"created", JSON_STRING, API_PRINTED},
        {"version", JSON_INTEGER, API_PRINTED},
        {NULL, JSON_NULL, 0},
    };
    size_t unknown = STORE_UNKNOWN_REJECT;
    struct store_domain result = {.version = 0};
    if (api_json_check(object, fields, name != NULL, problem) ||
        api_json_key(object, "name", name, store_domain_canonical, result.name, problem) ||
        cores_decode(json_object_get(object, "cores"), &result, problem) ||
        api_json_choice(object, "unknown", policy_names, POLICY_COUNT, &unknown, problem) ||
        api_json_number(object, "claims_per_owner", 0, STORE_CLAIMS_MAX, 0,
                        &result.claims_per_owner, problem) ||
        api_json_number(object, "quarantine_days", 0, STORE_QUARANTINE_DAYS_MAX,
                        STORE_QUARANTINE_DAYS, &result.quarantine_days, problem))
        return -EPROTO;
    result.unknown = (enum store_unknown_policy)unknown;
    result.unpublished = !api_json_bool(object, "address_records", true);
    *domain = result;
    return 0;
}

json_t *api_domain_encode(const struct store_domain *domain)
{
    json_t *cores = json_array();
    for (unsigned i = 0; i < domain->core_count; i++) {
        char text[API_CORE_TEXT_MAX];
        if (json_array_append_new(cores, json_string(api_core_encode(&domain->cores[i], text)))) {
            json_decref(cores);
            return NULL;
        }
    }
    return api_json_stamp(json_pack("{s:s, s:o, s:s, s:I, s:I, s:b}", "name", domain->name, "cores",
                                    cores, "unknown", policy_names[domain->unknown],
                                    "claims_per_owner", (json_int_t)domain->claims_per_owner,
                                    "quarantine_days", (json_int_t)domain->quarantine_days,
                                    "address_records", !domain->unpublished),
                          domain->created_ms, domain->version);
}
