/* Numbers where addresses are named (see number_place.c). */
#ifndef JUNCTOR_API_NUMBER_PLACE_H
#define JUNCTOR_API_NUMBER_PLACE_H

#include "api/internal.h"

/* "+49301234567" or "tel:...", and no address? */
bool api_text_is_number(const char *text);
/* "+digits@zone", as the number table or our own domains say. Returns 0, STATUS_NOTFOUND (no ENUM
 * zone that we know of holds it) or a store status. */
int api_number_place(struct api_call *call, const char *digits, struct store_address *address);
/* The same of what somebody typed, in the parameter or field `name`. Returns 0 or -EPROTO with the
 * problem. */
int api_number_name(struct api_call *call, const char *text, const char *name,
                    struct store_address *address);
/* Is it a number's: "+digits" of a domain that is a zone of a configured tree of ENUM? */
bool api_address_is_number(const struct api *api, const struct store_address *address);

#endif
