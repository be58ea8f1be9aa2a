#include "resolver/service.h"

static const struct service {
    const char *name, *naptr, *label;
    uint16_t port;
} services[] = {[RESOLVER_UDP] = {"UDP", "SIP+D2U", "_sip._udp", 5060},
                [RESOLVER_TCP] = {"TCP", "SIP+D2T", "_sip._tcp", 5060},
                [RESOLVER_TLS] = {"TLS", "SIPS+D2T", "_sips._tcp", 5061},
                [RESOLVER_SCTP] = {"SCTP", "SIP+D2S", "_sip._sctp", 5060}};

#define SERVICES (sizeof(services) / sizeof(services[0]))

const char *resolver_target_label(const struct resolver_target *target,
                                  enum resolver_transport transport)
{
    return target->profile == RESOLVER_PORTING ? "_address-porting._tcp"
                                               : services[transport].label;
}

uint16_t resolver_service_port(enum resolver_transport transport)
{
    return services[transport].port;
}

const char *resolver_transport_name(uint8_t transport)
{
    return transport < SERVICES ? services[transport].name : "?";
}

/* ---- what a target may use ---- */

static bool is_any(const struct resolver_target *target)
{
    return target->profile == RESOLVER_CORE && target->transport == RESOLVER_ANY;
}

bool resolver_target_is_valid(const struct resolver_target *target)
{
    return target->profile != RESOLVER_CORE || target->transport < SERVICES || is_any(target);
}

unsigned resolver_target_services(const struct resolver_target *target)
{
    if (target->profile != RESOLVER_CORE)
        return RESOLVER_SERVICES_PEER;
    return is_any(target) ? RESOLVER_SERVICES_CORE : RESOLVER_BIT(target->transport);
}

unsigned resolver_target_srv(const struct resolver_target *target)
{
    unsigned set = resolver_target_services(target);
    return is_any(target) ? set & ~RESOLVER_SERVICES_PEER : set;
}

enum resolver_transport resolver_target_transport(const struct resolver_target *target)
{
    if (target->profile != RESOLVER_CORE)
        return RESOLVER_TLS;
    return is_any(target) ? RESOLVER_UDP : (enum resolver_transport)target->transport;
}

uint16_t resolver_target_port(const struct resolver_target *target)
{
    return target->port ? target->port : resolver_service_port(resolver_target_transport(target));
}

bool resolver_target_asks_naptr(const struct resolver_target *target)
{
    return target->port == 0 && (target->profile == RESOLVER_PEER || is_any(target));
}

bool resolver_target_asks_srv(const struct resolver_target *target)
{
    return target->port == 0;
}

/* ---- NAPTR ---- */

int resolver_naptr_transport(const struct resolver_naptr *naptr)
{
    for (size_t i = 0; i < SERVICES; i++)
        if (slice_eq_nocase(slice_of(naptr->service), slice_of(services[i].naptr)))
            return (int)i;
    return -1;
}

const char *resolver_naptr_refusal(const struct resolver_naptr *naptr, unsigned allowed)
{
    int transport = resolver_naptr_transport(naptr);
    if (transport < 0 || !(allowed & RESOLVER_BIT(transport)))
        return allowed == RESOLVER_SERVICES_PEER
                   ? "only SIPS+D2T counts between edges"
                   : "only SIP+D2U, SIP+D2T and SIPS+D2T count towards a core";
    if (!slice_eq_nocase(slice_of(naptr->flags), SLICE("s")))
        return "only the flag \"s\" leads to SRV records";
    if (naptr->regexp.len > 0)
        return "an expression and the flag \"s\" exclude each other";
    if (naptr->replacement[0] == '\0')
        return "it has no replacement";
    return NULL;
}
