/* Answers that do not end: a buffer for what their client has not taken yet, and sleep while there
 * is nothing to say.
 *
 * A stream sleeps by suspending its connection. Whoever wakes it takes its mark `asleep` away under
 * the lock first: only one does, and until he has, the stream cannot end. */
#include "api/http.h"

#include "api/tally.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct stream {
    struct list link; /* api_http.streams */
    struct api_stream call;
    struct api *api;
    struct api_server *server;
    struct MHD_Connection *connection;
    struct buf out;
    uint64_t spoken_ms; /* when it last had something to say; guarded by api_http.lock */
    bool asleep, ended; /* asleep is guarded by api_http.lock */
    bool half_closed;   /* he was asked since he closed his end; guarded as that */
};

int api_call_stream(struct api_call *call, const struct api_stream *stream)
{
    struct api_http *http = call->api->http;
    pthread_mutex_lock(&http->lock);
    bool may = http->stream_count < API_MAX_STREAMS;
    if (may)
        http->stream_count++;
    pthread_mutex_unlock(&http->lock);
    if (!may) {
        if (stream->free)
            stream->free(stream->arg);
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL,
                               "%d clients follow the journal or a trace already", API_MAX_STREAMS);
    }
    api_tally_add(&call->api->tally->streams);
    call->stream = *stream;
    call->status = 200;
    return 0;
}

static void call_drop(struct api *api, struct api_stream *stream)
{
    if (stream->free)
        stream->free(stream->arg);
    api_tally_sub(&api->tally->streams);
    pthread_mutex_lock(&api->http->lock);
    api->http->stream_count--;
    pthread_mutex_unlock(&api->http->lock);
    *stream = (struct api_stream){.more = NULL};
}

void api_stream_drop(struct api_call *call)
{
    if (call->stream.more)
        call_drop(call->api, &call->stream);
}

static void stream_free(void *arg)
{
    struct stream *stream = arg;
    struct api_http *http = stream->api->http;
    pthread_mutex_lock(&http->lock);
    list_remove(&stream->link);
    pthread_mutex_unlock(&http->lock);
    call_drop(stream->api, &stream->call);
    buf_done(&stream->out);
    free(stream);
}

/* Sleeps, unless something came since `wakes` was read. Returns whether it does. */
static bool stream_sleep(struct stream *stream, uint64_t wakes)
{
    struct api_http *http = stream->api->http;
    pthread_mutex_lock(&http->lock);
    bool sleeps = wakes == http->wakes && !http->stopping && !atomic_load(&stream->server->retired);
    if (sleeps) {
        MHD_suspend_connection(stream->connection);
        stream->asleep = true;
    }
    pthread_mutex_unlock(&http->lock);
    return sleeps;
}

/* The wakes so far; *ends where the stream must not go on. */
static uint64_t wakes_read(const struct stream *stream, bool *ends)
{
    struct api_http *http = stream->api->http;
    pthread_mutex_lock(&http->lock);
    uint64_t wakes = http->wakes;
    *ends = http->stopping || atomic_load(&stream->server->retired);
    pthread_mutex_unlock(&http->lock);
    return wakes;
}

static void stream_fill(struct stream *stream)
{
    struct store_reader *reader = api_reader_lend(stream->api);
    int status = stream->call.more(&stream->call, reader, &stream->out);
    api_reader_return(stream->api, reader);
    stream->call.tick = false;
    stream->ended = status < 0;
}

static ssize_t stream_take(struct stream *stream, char *out, size_t max)
{
    size_t len = buf_len(&stream->out) < max ? buf_len(&stream->out) : max;
    memcpy(out, buf_bytes(&stream->out).p, len);
    buf_consume(&stream->out, len);
    pthread_mutex_lock(&stream->api->http->lock);
    stream->spoken_ms = api_monotonic_ms();
    pthread_mutex_unlock(&stream->api->http->lock);
    return (ssize_t)len;
}

/* MHD_ContentReaderCallback: asked whenever the client can take more. */
static ssize_t stream_read(void *arg, uint64_t position, char *out, size_t max)
{
    struct stream *stream = arg;
    (void)position;
    for (;;) {
        bool ends;
        uint64_t wakes = wakes_read(stream, &ends);
        if (buf_len(&stream->out) == 0 && !stream->ended && !ends)
            stream_fill(stream);
        if (buf_len(&stream->out) > 0)
            return stream_take(stream, out, max);
        if (stream->ended || ends)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (stream_sleep(stream, wakes))
            return 0;
    }
}

struct MHD_Response *api_stream_response(struct api_exchange *exchange)
{
    struct api_call *call = &exchange->call;
    struct api_http *http = call->api->http;
    struct stream *stream = calloc(1, sizeof(*stream));
    struct MHD_Response *response = NULL;
    if (stream)
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, API_STREAM_BUFFER,
                                                     stream_read, stream, stream_free);
    if (!response) {
        free(stream);
        return NULL;
    }
    stream->call = call->stream;
    call->stream.more = NULL;
    stream->api = call->api;
    stream->server = exchange->server;
    stream->connection = exchange->connection;
    stream->spoken_ms = api_monotonic_ms();
    buf_init(&stream->out, API_STREAM_BUFFER);
    pthread_mutex_lock(&http->lock);
    list_append(&http->streams, &stream->link);
    pthread_mutex_unlock(&http->lock);
    api_connection_deadline(http, api_connection_of(exchange->connection), 0);
    return response;
}

/* Why a stream that sleeps is woken. */
enum wake { WAKE_NEWS, WAKE_SILENT, WAKE_READY, WAKE_GONE };

/* Whoever closed his end may be gone, which a sleeping connection would not notice, or only have
 * ended his requests and read on (RFC 9112 9.6): one word shows which. */
static bool may_be_gone(struct stream *stream)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(stream->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd poll_fd = {.fd = info ? info->connect_fd : -1,
                             .events = stream->half_closed ? 0 : POLLRDHUP};
    bool may = poll(&poll_fd, 1, 0) > 0;
    stream->half_closed |= may;
    return may;
}

static bool is_due(struct stream *stream, enum wake wake, uint64_t now_ms)
{
    switch (wake) {
    case WAKE_NEWS:
        return true;
    case WAKE_SILENT:
        return now_ms - stream->spoken_ms >= API_STREAM_TICK_MS;
    case WAKE_READY:
        return stream->call.ready && stream->call.ready(stream->call.arg);
    case WAKE_GONE:
        return may_be_gone(stream);
    }
    return false;
}

static void streams_wake(struct api_http *http, enum wake wake)
{
    struct MHD_Connection *sleepers[API_MAX_STREAMS];
    size_t count = 0;
    uint64_t now_ms = api_monotonic_ms();
    pthread_mutex_lock(&http->lock);
    list_each (it, next, &http->streams) {
        struct stream *stream = container_of(it, struct stream, link);
        if (!stream->asleep || !is_due(stream, wake, now_ms))
            continue;
        stream->asleep = false;
        stream->call.tick = wake == WAKE_SILENT || wake == WAKE_GONE; /* what is written shows it */
        sleepers[count++] = stream->connection;
    }
    pthread_mutex_unlock(&http->lock);
    while (count > 0)
        MHD_resume_connection(sleepers[--count]);
}

void api_streams_wake(uint64_t sequence, void *arg)
{
    struct api_http *http = arg;
    (void)sequence;
    pthread_mutex_lock(&http->lock);
    http->wakes++;
    pthread_mutex_unlock(&http->lock);
    streams_wake(http, WAKE_NEWS);
}

void api_streams_poll(struct api_http *http)
{
    streams_wake(http, WAKE_READY);
    streams_wake(http, WAKE_GONE);
}

void api_streams_tick(struct api_http *http)
{
    streams_wake(http, WAKE_SILENT);
}
