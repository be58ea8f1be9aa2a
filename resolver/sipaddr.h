/* Address records: where single addresses of a domain live, as the domain itself publishes it
 * (design section 5). The reading side; zone.h makes them. Pure: no I/O, any thread.
 *
 * A set of records decides a port, so it counts only where it is validated: the caller sees to it.
 */
#ifndef JUNCTOR_RESOLVER_SIPADDR_H
#define JUNCTOR_RESOLVER_SIPADDR_H

#include "resolver/record.h"
#include "store/store.h"

#include <stdbool.h>

/* The name whose TXT record tells that a domain publishes them: "_sipaddr.opa.example".
 * Returns 0 or STATUS_LIMIT (longer than a name may be). */
int resolver_sipaddr_parent(const char *domain, char name[RESOLVER_NAME_MAX + 1]);

/* Does one of these TXT records say so: "v=sipaddr1", alone or followed by ';' or ' ' and what
 * later versions may add? */
bool resolver_sipaddr_published(const struct resolver_set *txt);

/* Why this record names no hosting domain: half a sentence for people, or NULL where it does. */
const char *resolver_sipaddr_refusal(const struct resolver_naptr *naptr);

/* The hosting domain that the usable record of the lowest order and preference names.
 * Returns 0 or STATUS_NOTFOUND, `hosting` then untouched. */
int resolver_sipaddr_hosting(const struct resolver_set *naptr, char hosting[STORE_DOMAIN_MAX + 1]);

#endif
