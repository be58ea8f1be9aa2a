/* Which upstreams answer, and in which order to ask them. */
#ifndef JUNCTOR_RESOLVER_HEALTH_H
#define JUNCTOR_RESOLVER_HEALTH_H

#include "resolver/internal.h"

#include <stdbool.h>
#include <stddef.h>

/* An attempt ended without an answer, or the packet was refused. */
void resolver_upstream_silent(struct resolver *resolver, size_t upstream);
void resolver_upstream_answered(struct resolver *resolver, size_t upstream);

/* Is each trusted upstream down, and none due to be tried? Then whoever needs one may as well be
 * told at once. false where none is trusted. */
bool resolver_trusted_are_down(const struct resolver *resolver);

/* Their numbers as configured, but those that are down last. One is down that was silent
 * RESOLVER_SILENT_MAX times in a row, but for one order in RESOLVER_DOWN_MS, by which it is tried.
 * Returns how many; 0 where none is trusted and only those are wanted. */
size_t resolver_upstreams_order(struct resolver *resolver, bool trusted_only,
                                size_t order[RESOLVER_MAX_UPSTREAMS]);

#endif
