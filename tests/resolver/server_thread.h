/* The scripted DNS server on a thread of its own, for whoever asks from another loop. */
#ifndef JUNCTOR_TESTS_RESOLVER_SERVER_THREAD_H
#define JUNCTOR_TESTS_RESOLVER_SERVER_THREAD_H

#include "tests/resolver/server.h"

#include <pthread.h>

struct server_thread {
    uv_loop_t loop;
    uv_async_t stop;
    struct server server; /* its address may be read; the rest is the thread's */
    pthread_t thread;
};

/* `rules` must outlive it. */
void server_thread_start(struct server_thread *thread, const struct server_rule *rules);
void server_thread_stop(struct server_thread *thread);

#endif
