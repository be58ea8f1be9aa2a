/* How often each of many may do something: a token bucket per key, in a table that never grows past
 * its bound. Where a new key finds it full, the one that was used longest ago is forgotten.
 *
 * A bucket is one number, the time at which it will be full again (the generic cell rate
 * algorithm). Not thread-safe: its owner locks it. Times are monotonic microseconds. */
#ifndef JUNCTOR_API_RATE_H
#define JUNCTOR_API_RATE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API_RATE_KEY_MAX 48 /* bytes */

struct api_rate;

/* Each of at most `max` keys may do `burst` things at once, and one more every `interval_us`. NULL
 * without memory. */
struct api_rate *api_rate_alloc(size_t max, unsigned burst, uint64_t interval_us);
struct api_rate *api_rate_free(struct api_rate *rate); /* accepts NULL */
size_t api_rate_count(const struct api_rate *rate);

/* Takes one from the key's bucket, which a new key has full. Where it is empty (or there is no
 * memory for a new one): false, and *wait_us is the time until there is one. */
bool api_rate_take(struct api_rate *rate, struct slice key, uint64_t now_us, uint64_t *wait_us);
/* What was taken for nothing; no harm where the key was forgotten. */
void api_rate_give(struct api_rate *rate, struct slice key);

#endif
