/* Which keys a server may have, by DNS: the pure part (DANE: RFC 6698, RFC 7671; for the targets of
 * SRV records RFC 7673). tlsa.c also asks (resolver_keys in resolver.h). */
#ifndef JUNCTOR_RESOLVER_TLSA_H
#define JUNCTOR_RESOLVER_TLSA_H

#include "resolver/record.h"
#include "resolver/resolver.h"

/* The name that is asked: "_5061._tcp.edge.opb.example" (RFC 6698 section 3). Returns 0, -EINVAL
 * (`host` is no name) or STATUS_LIMIT (longer than a name may be). */
int resolver_tlsa_name(const char *host, uint16_t port, char name[RESOLVER_NAME_MAX + 1]);

/* Why this record cannot vouch for a key: half a sentence for people, or NULL where it can. */
const char *resolver_tlsa_refusal(const struct resolver_tlsa *record);

/* What an answer of a trusted upstream means; `set` is NULL where there is none. `validated`: that
 * upstream vouches for it; otherwise it is proven that nobody signs the name, for a validating
 * resolver does not pass on what fails. */
enum resolver_keys_verdict resolver_tlsa_judge(const struct resolver_set *set, bool validated);

#endif
