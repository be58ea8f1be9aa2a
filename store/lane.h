/* A second thread for work that only has to be done in order: octets are put into a buffer, and
 * full buffers are worked off behind the caller's back. */
#ifndef JUNCTOR_STORE_LANE_H
#define JUNCTOR_STORE_LANE_H

#include "base/slice.h"

#define STORE_LANE_BUFFERS 16
#define STORE_LANE_SIZE    ((size_t)256 << 10) /* of a buffer */

struct store_lane;

/* Works off what one or more calls of store_lane_room gave room for, none of it divided. Returns 0
 * or a failure, after which it is not called again. In the lane's thread. */
typedef int store_lane_h(struct slice bytes, void *arg);

/* Returns 0, -ENOMEM or -EAGAIN (no thread). */
int store_lane_start(struct store_lane **lane, store_lane_h *work, void *arg);
/* Room for `len` octets, at most STORE_LANE_SIZE, to be filled before the next call. */
char *store_lane_room(struct store_lane *lane, size_t len);
/* Waits until everything is worked off: until the next call of store_lane_room the thread touches
 * nothing. Returns 0 or the first failure, then and ever after. */
int store_lane_settle(struct store_lane *lane);
/* Accepts NULL; returns NULL. What was not settled may be left undone. */
struct store_lane *store_lane_stop(struct store_lane *lane);

#endif
