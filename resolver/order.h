/* In which order to try what DNS answered (RFC 3263 section 4, RFC 3403, RFC 2782, RFC 8305).
 * Pure: records and a random number in, an order out. */
#ifndef JUNCTOR_RESOLVER_ORDER_H
#define JUNCTOR_RESOLVER_ORDER_H

#include "base/netaddr.h"
#include "resolver/record.h"

#include <stddef.h>
#include <stdint.h>

#define RESOLVER_NAPTR_MAX 8 /* NAPTR records of one domain whose SRV sets are asked */

/* Indexes of the records of a NAPTR set that are usable for the transports `allowed` (service.h),
 * by preference; of the lowest order only, for a client must not go on to another order once one
 * matched (RFC 3403 section 4.1). Returns how many. */
size_t resolver_order_naptr(const struct resolver_set *set, unsigned allowed,
                            size_t order[RESOLVER_NAPTR_MAX]);

/* The next number of a cheap sequence: load sharing needs no better. */
uint64_t resolver_order_draw(uint64_t *state);

/* Indexes of all records of an SRV set: by priority, within one priority drawn by weight
 * (RFC 2782). The same seed gives the same order. Returns how many. */
size_t resolver_order_srv(const struct resolver_set *set, uint64_t seed,
                          size_t order[RESOLVER_RECORDS_MAX]);

/* Shares `max` hops among hosts that have so many addresses each: none has more than it needs, and
 * none gets fewer than another while it needs more. */
void resolver_order_share(size_t *counts, size_t count, size_t max);

/* The addresses of one host with `port`, alternating between the families, IPv6 first (RFC 8305
 * section 4). Either set may be NULL or negative. Returns how many, at most `max`. */
size_t resolver_order_addresses(const struct resolver_set *aaaa, const struct resolver_set *a,
                                uint16_t port, struct netaddr *addrs, size_t max);

#endif
