/* How long a request may search for somebody who answers it (design section 4): one span for all
 * its targets and redirects together. It stands still while a target that has answered
 * provisionally is waited for, which has limits of its own (timer C, timer F), and goes on with
 * what was left of it where that target then leads to another one.
 *
 * Knows no clock: the caller passes milliseconds of a monotonic one. Not thread-safe. */
#ifndef JUNCTOR_PEERING_PROXY_SEARCH_TIME_H
#define JUNCTOR_PEERING_PROXY_SEARCH_TIME_H

#include "base/timers.h"

#include <stdint.h>

struct search_time { /* private; clear with search_time_init */
    struct timer timer;
    uint64_t left_ms; /* when it began to run, or stood still, last */
    uint64_t since_ms;
};

void search_time_init(struct search_time *time, uint64_t span_ms);
/* It runs from now on; harmless when it does already. `handler` is called, from timers_run, once
 * nothing is left of it. Returns 0 or -ENOMEM. */
int search_time_run(struct search_time *time, struct timers *timers, uint64_t now_ms,
                    timer_h *handler, void *arg);
/* It stands still from now on; harmless when it does already. */
void search_time_stop(struct search_time *time, struct timers *timers, uint64_t now_ms);

#endif
