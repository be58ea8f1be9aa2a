/* Guests: addresses that are served here while another operator is their authority. What protects
 * them is kept there, so it comes first to the authority, and here once that has confirmed. */
#ifndef JUNCTOR_API_GUESTS_H
#define JUNCTOR_API_GUESTS_H

#include "api/internal.h"
#include "api/porting.h"

/* Also of one that is on its way to us. False in a daemon that asks no other operators. */
bool api_is_guest(const struct api_call *call, enum store_address_state state);
/* Only of one that has come. */
bool api_is_guest_here(const struct api_call *call, enum store_address_state state);

/* The end of a handler as api_submit: the command is tried here, so that the authority hears of
 * nothing that would be refused, then the authority does the errand (copied), then the command is
 * applied. Whatever fails between may be repeated. A dry run asks nobody. Takes call->memory over,
 * which must be free()able as it is. */
int api_errand_submit(struct api_call *call, const char *key, const struct porting_errand *errand,
                      api_then_h *then);
/* The same where nothing is to be changed here. */
int api_errand_run(struct api_call *call, const char *key, const struct porting_errand *errand,
                   api_then_h *then);
/* In `then`: what call->memory was before the errand; NULL: nothing. */
const void *api_errand_kept(const struct api_call *call);
/* In `then`: the errand, with what the authority said; as it was ordered, in a dry run. */
const struct porting_errand *api_errand_done(const struct api_call *call);

#endif
