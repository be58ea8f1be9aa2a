/* The services of RFC 3263: how NAPTR and SRV records name each transport, and which of them a
 * target may use. Pure. */
#ifndef JUNCTOR_RESOLVER_SERVICE_H
#define JUNCTOR_RESOLVER_SERVICE_H

#include "resolver/record.h"
#include "resolver/resolver.h"

#include <stdbool.h>
#include <stdint.h>

/* Sets of transports: one bit for each. */
#define RESOLVER_BIT(transport) (1U << (transport))
#define RESOLVER_SERVICES_PEER  RESOLVER_BIT(RESOLVER_TLS)
#define RESOLVER_SERVICES_CORE                                                                     \
    (RESOLVER_BIT(RESOLVER_UDP) | RESOLVER_BIT(RESOLVER_TCP) | RESOLVER_BIT(RESOLVER_TLS))

/* "_sips._tcp": where the SRV records of this target's transport stand. */
const char *resolver_target_label(const struct resolver_target *target,
                                  enum resolver_transport transport);
/* 5060, or 5061 for TLS. */
uint16_t resolver_service_port(enum resolver_transport transport);
/* "TLS" */
const char *resolver_transport_name(uint8_t transport);

/* Is its transport one of ours, or RESOLVER_ANY? The rest is for such targets only. */
bool resolver_target_is_valid(const struct resolver_target *target);
/* The transports whose NAPTR services count for this target. */
unsigned resolver_target_services(const struct resolver_target *target);
/* Those whose SRV sets are asked where no NAPTR names one (RFC 3263 section 4.1: _sips only for
 * who must have TLS). */
unsigned resolver_target_srv(const struct resolver_target *target);
/* The transport where no record names one, with its port. */
enum resolver_transport resolver_target_transport(const struct resolver_target *target);
uint16_t resolver_target_port(const struct resolver_target *target);
/* Does the search begin with NAPTR, or else with SRV? With a port neither counts, with a transport
 * NAPTR does not (sections 4.1, 4.2). */
bool resolver_target_asks_naptr(const struct resolver_target *target);
bool resolver_target_asks_srv(const struct resolver_target *target);

/* The transport that the NAPTR's service names; -1 where it is none of ours. */
int resolver_naptr_transport(const struct resolver_naptr *naptr);
/* Why this NAPTR does not count where the transports `allowed` may be used: half a sentence for
 * people, or NULL where it does (such a service, flag "s", a replacement and no expression). */
const char *resolver_naptr_refusal(const struct resolver_naptr *naptr, unsigned allowed);

#endif
