#include "tests/resolver/server_thread.h"

#include "tests/test.h"

static void stop_came(uv_async_t *stop)
{
    uv_stop(stop->loop);
}

static void *serve(void *arg)
{
    struct server_thread *thread = arg;
    uv_run(&thread->loop, UV_RUN_DEFAULT);
    return NULL;
}

void server_thread_start(struct server_thread *thread, const struct server_rule *rules)
{
    assert_int_equal(uv_loop_init(&thread->loop), 0);
    assert_int_equal(uv_async_init(&thread->loop, &thread->stop, stop_came), 0);
    server_start(&thread->server, &thread->loop, rules);
    assert_int_equal(pthread_create(&thread->thread, NULL, serve, thread), 0);
}

void server_thread_stop(struct server_thread *thread)
{
    uv_async_send(&thread->stop);
    pthread_join(thread->thread, NULL);
    server_stop(&thread->server);
    uv_close((uv_handle_t *)&thread->stop, NULL);
    uv_run(&thread->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&thread->loop), 0);
}
