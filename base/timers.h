/* Timers of one thread, driven by whoever holds the clock.
 *
 * The set knows no clock: the worker passes the loop's time, a test passes an invented one. Times
 * are milliseconds of any monotonic clock. Not thread-safe. Timers are embedded in the objects
 * that use them; starting and stopping allocates nothing once the set has grown to its working
 * size. */
#ifndef JUNCTOR_BASE_TIMERS_H
#define JUNCTOR_BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timers;

/* Called once when the timer is due; the timer is stopped by then and may be started again. */
typedef void timer_h(void *arg);

struct timer { /* private; clear with timer_init */
    uint64_t due_ms;
    uint64_t order; /* timers due together run in the order they were started */
    timer_h *handler;
    void *arg;
    size_t slot; /* place in the set plus one; 0 when not running */
};

/* At most `max` timers run at once (the bound on memory). NULL without memory. */
struct timers *timers_alloc(size_t max);
struct timers *timers_free(struct timers *timers);

void timer_init(struct timer *timer);
static inline bool timer_is_running(const struct timer *timer)
{
    return timer->slot != 0;
}

/* Starts or restarts. Returns 0, or -ENOMEM where `max` is reached or memory is out. */
int timer_start(struct timers *timers, struct timer *timer, uint64_t due_ms, timer_h *handler,
                void *arg);

/* Stops; harmless when it does not run. */
void timer_stop(struct timers *timers, struct timer *timer);

/* When the next timer is due, or UINT64_MAX. */
uint64_t timers_next_ms(const struct timers *timers);

/* Runs every timer due at or before `now_ms`, oldest first, including those that handlers start
 * meanwhile if they are due too. */
void timers_run(struct timers *timers, uint64_t now_ms);

#endif
