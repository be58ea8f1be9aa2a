/* Which zone of ENUM holds a telephone number (RFC 6116), and so who is its authority when it is
 * ported: the closest name above it, in a configured tree, at which the zone's operator says where
 * his federation API is (SRV _address-porting._tcp, design section 8). Who answers there must prove
 * that name by his certificate, so the record appoints nobody; what is not validated, nor in a
 * trusted tree, does not count all the same. */
#ifndef JUNCTOR_RESOLVER_NUMBER_ZONE_H
#define JUNCTOR_RESOLVER_NUMBER_ZONE_H

#include "resolver/resolver.h"

/* The number's zone among the domains of our own directory: the longest that is in a configured
 * tree. Needs a begun reader. Returns 0, STATUS_NOTFOUND or a store status. */
int resolver_number_zone_ours(const struct resolver_conf *conf, struct store_reader *reader,
                              const char *digits, char zone[STORE_DOMAIN_MAX + 1]);

/* Is this domain the tree, or below it with labels of one digit each? */
bool resolver_is_in_tree(const char *tree, const char *domain);
/* Is this domain in a configured tree, so that its addresses are numbers: the tree itself, or below
 * it with labels of one digit each? */
bool resolver_is_number_zone(const struct resolver_conf *conf, const char *domain);

/* Called exactly once, later or from inside of resolver_number_zone_find. 0 with the zone's apex,
 * valid during the call; STATUS_NOHOP: there is none, in any configured tree; STATUS_UNPROVEN: what
 * DNS says is neither validated nor of a trusted tree; STATUS_SERVFAIL, -ETIMEDOUT,
 * STATUS_CANCELLED. `why` is a sentence for people where it is not 0. */
typedef void resolver_number_zone_h(int status, const char *zone, const char *why, void *arg);

/* Asks DNS, one name after the other, at most STORE_NUMBER_MAX + 1 in each tree, and stops at the
 * first that cannot be found out. `digits` as store_number_parse makes them. Returns 0 or -ENOMEM
 * (`done` will not be called). */
int resolver_number_zone_find(struct resolver *resolver, const char *digits,
                              resolver_number_zone_h *done, void *arg);

#endif
