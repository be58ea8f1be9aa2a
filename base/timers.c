#include "base/timers.h"

#include <errno.h>
#include <stdlib.h>

#define TIMERS_SIZE_MIN ((size_t)64)

/* A binary heap: the children of place i are 2i+1 and 2i+2, and none is due before its parent.
 * The time is repeated here so that most comparisons touch the heap only. */
struct place {
    uint64_t due_ms;
    struct timer *timer;
};

struct timers {
    struct place *heap;
    size_t count;
    size_t size; /* places allocated */
    size_t max;
    uint64_t next_order;
};

struct timers *timers_alloc(size_t max)
{
    struct timers *timers = calloc(1, sizeof(*timers));
    if (timers)
        timers->max = max;
    return timers;
}

struct timers *timers_free(struct timers *timers)
{
    if (!timers)
        return NULL;
    for (size_t i = 0; i < timers->count; i++)
        timers->heap[i].timer->slot = 0;
    free(timers->heap);
    free(timers);
    return NULL;
}

void timer_init(struct timer *timer)
{
    *timer = (struct timer){0};
}

static bool is_before(struct place a, struct place b)
{
    return a.due_ms < b.due_ms || (a.due_ms == b.due_ms && a.timer->order < b.timer->order);
}

static void place_set(struct timers *timers, size_t i, struct place place)
{
    timers->heap[i] = place;
    place.timer->slot = i + 1;
}

/* Finds the right place for `place`, the free place being `i`, towards the root ... */
static size_t sift_up(struct timers *timers, size_t i, struct place place)
{
    while (i > 0 && is_before(place, timers->heap[(i - 1) / 2])) {
        place_set(timers, i, timers->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    return i;
}

/* ... and towards the leaves. */
static size_t sift_down(struct timers *timers, size_t i, struct place place)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= timers->count)
            return i;
        if (child + 1 < timers->count && is_before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!is_before(timers->heap[child], place))
            return i;
        place_set(timers, i, timers->heap[child]);
        i = child;
    }
}

static void place_put(struct timers *timers, size_t i, struct place place)
{
    i = sift_up(timers, i, place);
    i = sift_down(timers, i, place);
    place_set(timers, i, place);
}

static int timers_grow(struct timers *timers)
{
    if (timers->count >= timers->max)
        return -ENOMEM;
    if (timers->count < timers->size)
        return 0;

    size_t size = timers->size ? timers->size * 2 : TIMERS_SIZE_MIN;
    if (size > timers->max)
        size = timers->max;
    struct place *heap = reallocarray(timers->heap, size, sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    timers->heap = heap;
    timers->size = size;
    return 0;
}

int timer_start(struct timers *timers, struct timer *timer, uint64_t due_ms, timer_h *handler,
                void *arg)
{
    size_t i = timers->count;
    if (timer_is_running(timer)) {
        i = timer->slot - 1;
    } else {
        int status = timers_grow(timers);
        if (status < 0)
            return status;
        timers->count++;
    }
    timer->due_ms = due_ms;
    timer->order = timers->next_order++;
    timer->handler = handler;
    timer->arg = arg;
    place_put(timers, i, (struct place){due_ms, timer});
    return 0;
}

void timer_stop(struct timers *timers, struct timer *timer)
{
    if (!timer_is_running(timer))
        return;
    size_t i = timer->slot - 1;
    struct place last = timers->heap[--timers->count];
    timer->slot = 0;
    if (i < timers->count)
        place_put(timers, i, last);
}

uint64_t timers_next_ms(const struct timers *timers)
{
    return timers->count > 0 ? timers->heap[0].due_ms : UINT64_MAX;
}

void timers_run(struct timers *timers, uint64_t now_ms)
{
    while (timers->count > 0 && timers->heap[0].due_ms <= now_ms) {
        struct timer *timer = timers->heap[0].timer;
        timer_h *handler = timer->handler;
        void *arg = timer->arg;
        timer_stop(timers, timer); /* first: the handler may free the timer */
        handler(arg);
    }
}
