#include "store/lane.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct lane_buffer {
    size_t len;
    char p[STORE_LANE_SIZE];
};

/* The caller fills buffer `filled % STORE_LANE_BUFFERS`; the thread works on those from `done` on.
 */
struct store_lane {
    store_lane_h *work;
    void *arg;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows, but the caller's own buffer */
    pthread_cond_t changed;
    size_t filled, done;
    int failed;
    bool is_stopping;
    bool is_settled; /* the caller's own: nothing came since it last settled */
    struct lane_buffer buffers[STORE_LANE_BUFFERS];
};

static struct lane_buffer *buffer_at(struct store_lane *lane, size_t place)
{
    return &lane->buffers[place % STORE_LANE_BUFFERS];
}

/* ---- the thread ---- */

/* With the mutex held. False: stop. */
static bool work_wait(struct store_lane *lane)
{
    while (lane->done == lane->filled && !lane->is_stopping)
        pthread_cond_wait(&lane->changed, &lane->mutex);
    return !lane->is_stopping;
}

static void *lane_main(void *arg)
{
    struct store_lane *lane = arg;
    pthread_mutex_lock(&lane->mutex);
    while (work_wait(lane)) {
        const struct lane_buffer *buffer = buffer_at(lane, lane->done);
        int ret = lane->failed;
        pthread_mutex_unlock(&lane->mutex);
        if (ret == 0)
            ret = lane->work(slice_make(buffer->p, buffer->len), lane->arg);
        pthread_mutex_lock(&lane->mutex);
        lane->failed = ret;
        lane->done++;
        pthread_cond_broadcast(&lane->changed);
    }
    pthread_mutex_unlock(&lane->mutex);
    return NULL;
}

/* Signals are for the threads that expect them. */
static int thread_start(struct store_lane *lane)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&lane->thread, NULL, lane_main, lane);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -rc;
}

int store_lane_start(struct store_lane **lane, store_lane_h *work, void *arg)
{
    struct store_lane *made = malloc(sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->work = work;
    made->arg = arg;
    made->filled = made->done = 0;
    made->failed = 0;
    made->is_stopping = false;
    made->is_settled = true;
    made->buffers[0].len = 0;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->changed, NULL);
    int ret = thread_start(made);
    if (ret) {
        free(made);
        return ret;
    }
    *lane = made;
    return 0;
}

struct store_lane *store_lane_stop(struct store_lane *lane)
{
    if (!lane)
        return NULL;
    pthread_mutex_lock(&lane->mutex);
    lane->is_stopping = true;
    pthread_cond_broadcast(&lane->changed);
    pthread_mutex_unlock(&lane->mutex);
    pthread_join(lane->thread, NULL);
    pthread_cond_destroy(&lane->changed);
    pthread_mutex_destroy(&lane->mutex);
    free(lane);
    return NULL;
}

/* ---- the caller ---- */

/* Hands the buffer over and waits until at most `most` are still worked on. */
static int buffer_hand_over(struct store_lane *lane, size_t most)
{
    pthread_mutex_lock(&lane->mutex);
    lane->filled++;
    pthread_cond_broadcast(&lane->changed);
    while (lane->filled - lane->done > most)
        pthread_cond_wait(&lane->changed, &lane->mutex);
    int ret = lane->failed;
    pthread_mutex_unlock(&lane->mutex);
    buffer_at(lane, lane->filled)->len = 0;
    return ret;
}

char *store_lane_room(struct store_lane *lane, size_t len)
{
    struct lane_buffer *buffer = buffer_at(lane, lane->filled);
    if (len > sizeof(buffer->p) - buffer->len) {
        buffer_hand_over(lane, STORE_LANE_BUFFERS - 1);
        buffer = buffer_at(lane, lane->filled);
    }
    buffer->len += len;
    lane->is_settled = false;
    return buffer->p + buffer->len - len;
}

int store_lane_settle(struct store_lane *lane)
{
    if (lane->is_settled)
        return lane->failed; /* the thread waits: it is still what it was */
    lane->is_settled = true;
    return buffer_hand_over(lane, 0);
}
