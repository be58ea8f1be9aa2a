/* Who sends a request over HTTPS: bearer tokens (RFC 6750), looked up in the directory every time,
 * so that a revoked one is worth nothing at once. */
#ifndef JUNCTOR_API_AUTH_H
#define JUNCTOR_API_AUTH_H

#include "api/guard.h"
#include "api/internal.h"

/* Sets principal and actor. `authorization` is that header, NULL where absent. Returns 0, or
 * -EPROTO: unauthorized, in the same words whatever is wrong with it, or, after too many failures,
 * rate-limited in place of that; or that the directory cannot be read. */
int api_authenticate(struct api_call *call, const struct api_source *source,
                     const char *authorization);
/* The same token once more, after the client had time: before what it sent is acted on. Needs
 * call->reader. Returns 0 or -EPROTO: unauthorized, or that the directory cannot be read. */
int api_authenticate_again(struct api_call *call);
/* Is the token of this actor ("token:ID") still good? Actors without one always are. Needs a
 * snapshot of `reader`. For answers that outlast their request. */
bool api_actor_is_good(struct store_reader *reader, const char *actor);
/* One more request of whoever this is by now: 0 or -EPROTO, rate-limited. */
int api_rate_check(struct api_call *call, const struct api_source *source);
/* May whoever calls ask another operator for one more address? Operators always may. */
int api_port_rate_check(struct api_call *call);

#endif
