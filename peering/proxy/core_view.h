/* What is known of one next hop of a core, for people and programs to look at. */
#ifndef JUNCTOR_PEERING_PROXY_CORE_VIEW_H
#define JUNCTOR_PEERING_PROXY_CORE_VIEW_H

#include "base/netaddr.h"
#include "store/store.h"

#include <stdint.h>

#define CORE_WHY_MAX 256

enum core_state {
    CORE_UNKNOWN, /* not asked, or not often enough to tell */
    CORE_UP,      /* it answers */
    CORE_DOWN     /* it did not, twice in a row: passed over as long as another is not down */
};

struct core_view {
    char domain[STORE_DOMAIN_MAX + 1]; /* the first of those that it serves */
    unsigned domains;                  /* how many these are */
    struct store_core core;            /* as configured there */
    struct netaddr addr;               /* AF_UNSPEC: its name leads nowhere */
    uint8_t transport;                 /* where it has an address: of enum resolver_transport */
    enum core_state state;
    uint64_t since_ms;      /* Unix time at which the state began; 0: UNKNOWN */
    unsigned status;        /* of the last answer; 0: none came */
    char why[CORE_WHY_MAX]; /* the last check failed, or where there is no address: a sentence */
};

#endif
