/* What the update files share: messages. */
#ifndef JUNCTOR_RESOLVER_UPDATE_INTERNAL_H
#define JUNCTOR_RESOLVER_UPDATE_INTERNAL_H

#include "base/slice.h"
#include "resolver/update.h"

#include <ldns/ldns.h>

/* As update_set_add, of a record with data; makes it canonical. */
int update_set_add_rr(struct update_set *set, ldns_rr *rr);

/* Writes the sentence and returns `status`. */
int update_explain(char *why, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "192.0.2.53:53 (zone opa.example)": how sentences begin. Returns `text`. */
#define UPDATE_PLACE_MAX (NETADDR_TEXT_MAX + ZONE_NAME_MAX + 16)
const char *update_place_text(const struct update_place *place, char text[UPDATE_PLACE_MAX]);

/* ---- questions: which records has this name? ---- */

/* A question with this id, without recursion. The caller free()s *wire. Returns 0, -EINVAL or
 * -ENOMEM. */
int update_query_encode(const struct update_set *set, uint16_t id, uint8_t **wire, size_t *len);
/* Fills the set from the answer's bytes. As update_link_read; -EPERM: no authority for its name. */
int update_answer_decode(const struct update_place *place, struct slice bytes,
                         struct update_set *set, char why[UPDATE_WHY_MAX]);

/* ---- updates ---- */

struct update_request {
    uint16_t id;
    uint8_t *wire; /* free() it */
    size_t len;
    ldns_rdf *mac; /* of the request, which the answer's signature covers; update_request_done */
};

/* Builds and signs. Returns 0, STATUS_LIMIT, STATUS_CRYPTO, -EINVAL or -ENOMEM. */
int update_request_encode(const struct update_place *place, const struct update_change *changes,
                          size_t count, uint16_t id, struct update_request *request);
void update_request_done(struct update_request *request);
/* What became of it, from the answer's bytes. As update_link_send. */
int update_reply_decode(const struct update_place *place, const struct update_request *request,
                        struct slice bytes, char why[UPDATE_WHY_MAX]);

#endif
