/* Records as JSON, decoded strictly: an unknown field, a wrong type, a duplicate key or a byte that
 * is not UTF-8 refuses the whole body and names the place. Nothing here touches the store.
 * Decoders return 0 or -EPROTO with *problem set, their output untouched then; encoders return a
 * new reference, or NULL without memory. */
#ifndef JUNCTOR_API_JSON_H
#define JUNCTOR_API_JSON_H

#include "api/problem.h"
#include "base/slice.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>

/* The bytes of a body -> an object. */
int api_json_parse(struct slice bytes, json_t **object, struct api_problem *problem);

struct api_field {
    const char *name;
    json_type type;
    bool required;
};

/* Has the object these fields only, each of its type, and all required ones? */
int api_json_check(json_t *object, const struct api_field *fields, size_t count,
                   struct api_problem *problem);

/* One core's next hop as a SIP URI without user part, such as
 * "sip:192.0.2.1:5060;transport=udp"; without transport it is UDP. `field` names the place. */
int api_core_decode(struct slice text, const char *field, struct store_core *core,
                    struct api_problem *problem);
#define API_CORE_TEXT_MAX 320 /* "sip:[host]:port;transport=sctp" with terminator */
const char *api_core_encode(const struct store_core *core, char text[API_CORE_TEXT_MAX]);

/* {"name", "cores": [URI ...], "unknown": "reject" | "core"}; `unknown` is "reject" where absent.
 * name     the domain in the URL, of a PUT: then the field may be absent and must else agree, and
 *          "version" and "warnings" may stand there as a GET printed them; NULL for a POST */
int api_domain_decode(json_t *object, const char *name, struct store_domain *domain,
                      struct api_problem *problem);
json_t *api_domain_encode(const struct store_domain *domain);

/* {"address", "hosting"} as typed -> canonical address and display; record->hosting is the
 * canonical hosting domain, or "" where absent. State, version and time are not set. */
int api_address_decode(json_t *object, struct store_record *record, struct api_problem *problem);
json_t *api_address_encode(const struct store_record *record);

/* "user@domain" in canonical form. */
#define API_ADDRESS_TEXT_MAX (STORE_USER_MAX + STORE_DOMAIN_MAX + 2)
const char *api_address_format(const struct store_address *address,
                               char text[API_ADDRESS_TEXT_MAX]);

#endif
