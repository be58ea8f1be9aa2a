/* What each state of an address says about the domain that it is of and the one that hosts it
 * (enum store_address_state), for whoever judges a body before the store does. Any thread. */
#ifndef JUNCTOR_API_ADDRESS_STATE_H
#define JUNCTOR_API_ADDRESS_STATE_H

#include "store/store.h"

#include <stdbool.h>

enum api_host {
    API_AT_HOME,      /* the address's own domain */
    API_HOST_OURS,    /* another one, of ours */
    API_HOST_OTHER,   /* another one, ours or foreign */
    API_HOST_FOREIGN, /* another one, foreign */
};

/* Is the address's own domain one of ours? Not for TOMBSTONE, as below. */
bool api_state_home_is_ours(enum store_address_state state);
enum api_host api_state_host(enum store_address_state state);

/* The state of a body that names none. */
enum store_address_state api_state_derive(const struct store_record *record, bool has_target,
                                          bool home_is_ours);

#endif
