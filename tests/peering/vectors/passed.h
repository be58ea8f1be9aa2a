/* Was a message passed on as a proxy must: with what RFC 3261 16.6 and 16.7 tell it to change, and
 * nothing else? */
#ifndef JUNCTOR_TESTS_PEERING_VECTORS_PASSED_H
#define JUNCTOR_TESTS_PEERING_VECTORS_PASSED_H

#include "peering/sip/sip.h"

#define PASSED_FAULT_MAX 512

/* `was` came to the edge and `is` left it. Both leave a sentence in `fault` where it differs. */
void passed_request(const struct sip_msg *was, const struct sip_msg *is,
                    char fault[PASSED_FAULT_MAX]);
/* `was` without the edge's own Via. */
void passed_response(const struct sip_msg *was, const struct sip_msg *is,
                     char fault[PASSED_FAULT_MAX]);

#endif
