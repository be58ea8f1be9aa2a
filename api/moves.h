/* A whole domain goes to another operator, or comes from one: its steps (moves.c), and the copy of
 * all that belongs to it (move_copy.c). */
#ifndef JUNCTOR_API_MOVES_H
#define JUNCTOR_API_MOVES_H

#include "api/records.h"

/* The domain that the path names. As api_record_find. */
int api_move_domain(struct api_call *call, struct store_domain *domain);

/* The TTL of our domains' records in DNS, s, when they do not move; 0: not known. */
uint32_t api_zone_ttl(struct api *api);

api_handler_h api_domain_move_get, api_domain_move_post, api_domain_clear_post;
api_handler_h api_domain_copy_get, api_domain_copy_post;

#endif
