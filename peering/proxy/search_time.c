#include "peering/proxy/search_time.h"

void search_time_init(struct search_time *time, uint64_t span_ms)
{
    timer_init(&time->timer);
    time->left_ms = span_ms;
    time->since_ms = 0;
}

int search_time_run(struct search_time *time, struct timers *timers, uint64_t now_ms,
                    timer_h *handler, void *arg)
{
    if (timer_is_running(&time->timer))
        return 0;
    time->since_ms = now_ms;
    return timer_start(timers, &time->timer, now_ms + time->left_ms, handler, arg);
}

void search_time_stop(struct search_time *time, struct timers *timers, uint64_t now_ms)
{
    if (!timer_is_running(&time->timer))
        return;
    uint64_t used_ms = now_ms - time->since_ms;
    timer_stop(timers, &time->timer);
    time->left_ms -= used_ms < time->left_ms ? used_ms : time->left_ms;
}
