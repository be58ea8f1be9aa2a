/* What happens on a connection's socket: connecting, reading messages, writing, deadlines. */
#include "peering/transport/internal.h"

#include <stdio.h>

static void conn_on_poll(uv_poll_t *poll, int status, int events);

static int wanted_events(const struct conn *conn)
{
    bool write;

    switch (conn->state) {
    case CONN_CONNECTING:
        return UV_WRITABLE;
    case CONN_HANDSHAKE:
        return conn->ssl_wants_write ? UV_WRITABLE : UV_READABLE;
    case CONN_READY:
        write = (conn->write_blocked && !conn->ssl_write_wants_read) || conn->ssl_wants_write ||
                conn->write_failed;
        return (conn->paused || conn->throttled ? 0 : UV_READABLE) | (write ? UV_WRITABLE : 0);
    case CONN_VERDICT:
    case CONN_CLOSED:
        break;
    }
    return 0;
}

void conn_poll_update(struct conn *conn)
{
    int wanted = wanted_events(conn);
    char name[CONN_NAME_MAX];

    if (conn->state == CONN_CLOSED || wanted == conn->polled)
        return;
    conn->polled = wanted;
    if (wanted == 0)
        uv_poll_stop(&conn->poll);
    else if (uv_poll_start(&conn->poll, wanted, conn_on_poll) < 0)
        conn_close(conn, "%s: the socket cannot be watched", conn_name(conn, name));
}

/* ---- deadlines ---- */

static void on_timer(void *arg);

/* One timer: until the connection is ready it bounds connecting and handshake together, then it
 * looks for idleness; traffic only moves active_ms, the timer follows when it is due. */
static uint64_t deadline_ms(const struct conn *conn)
{
    uint64_t first_ms = gate_first_request_by_ms(conn), ms = conn->active_ms;

    if (conn->state != CONN_READY)
        return ms + conn->transport->connect_timeout_ms;
    ms += conn->transport->idle_timeout_ms;
    return first_ms < ms ? first_ms : ms;
}

void conn_start(struct conn *conn)
{
    char name[CONN_NAME_MAX];

    if (timer_start(conn->transport->timers, &conn->timer, deadline_ms(conn), on_timer, conn) < 0)
        conn_close(conn, "%s: out of timers", conn_name(conn, name));
    conn_poll_update(conn);
}

static void close_slow(struct conn *conn, const char *name)
{
    unsigned timeout_ms = conn->transport->connect_timeout_ms;

    gate_failed(conn, "the TLS handshake was not finished in time");
    if (conn->accepted)
        conn_accuse(conn, "%s: closed, the TLS handshake was not finished within %u ms", name,
                    timeout_ms);
    conn_close(conn, "%s: the TLS handshake was not finished within %u ms", name, timeout_ms);
}

static void on_timer(void *arg)
{
    struct conn *conn = arg;
    struct transport *transport = conn->transport;
    char name[CONN_NAME_MAX];

    conn_name(conn, name);
    if (conn->state == CONN_CONNECTING)
        conn_close(conn, "%s: no answer to connect within %u ms", name,
                   transport->connect_timeout_ms);
    else if (conn->state == CONN_VERDICT)
        verdict_late(conn);
    else if (conn->state != CONN_READY)
        close_slow(conn, name);
    else if (gate_first_request_by_ms(conn) <= uv_now(transport->loop))
        gate_close_late(conn);
    else if (deadline_ms(conn) <= uv_now(transport->loop))
        conn_close(conn, "%s: nothing was sent or received for %u ms", name,
                   transport->idle_timeout_ms);
    else
        conn_start(conn);
}

static void on_message_timer(void *arg)
{
    struct conn *conn = arg;
    char name[CONN_NAME_MAX];

    conn_name(conn, name);
    gate_failed(conn, "a message was not complete in time");
    conn_accuse(conn, "%s: closed, a message was not complete within %u ms", name,
                conn->transport->message_timeout_ms);
    conn_close(conn, "%s: a message was not complete within %u ms", name,
               conn->transport->message_timeout_ms);
}

/* ---- reading ---- */

/* The far side went away: why, as far as we can tell. A server that refuses our certificate under
 * TLS 1.3 does so after our handshake is finished, and all we see is that it closes. */
/* It shook hands and said nothing: what its operator must be asked is known to his edge only. */
static void close_unanswered(struct conn *conn, const char *name)
{
    const char *ours = conn->key.our_domain;

    if (ours[0])
        conn_close(conn,
                   "%s: closed by the far side before it answered; its edge may have refused our "
                   "certificate of %s (its log says why; junctor dns check %s tells here whether "
                   "DNS names its key)",
                   name, ours, ours);
    else
        conn_close(conn,
                   "%s: closed by the far side before it answered; it may want a certificate, and "
                   "none was shown",
                   name);
}

static void close_gone(struct conn *conn)
{
    bool in_message = timer_is_running(&conn->message_timer);
    char name[CONN_NAME_MAX];

    conn_name(conn, name);
    if (conn->ssl && !conn->accepted && !conn->heard)
        close_unanswered(conn, name);
    else
        conn_close(conn, "%s: closed by the far side%s", name,
                   in_message ? " in the middle of a message" : "");
}

/* Has a message begun, or are these only the line ends of keep-alives? */
static bool is_message_begun(struct slice bytes)
{
    size_t i = 0;

    while (i < bytes.len && (bytes.p[i] == '\r' || bytes.p[i] == '\n'))
        i++;
    return i < bytes.len;
}

static void start_message_timer(struct conn *conn)
{
    struct transport *transport = conn->transport;
    char name[CONN_NAME_MAX];

    if (timer_is_running(&conn->message_timer))
        return;
    if (timer_start(transport->timers, &conn->message_timer,
                    uv_now(transport->loop) + transport->message_timeout_ms, on_message_timer,
                    conn) < 0)
        conn_close(conn, "%s: out of timers", conn_name(conn, name));
}

static void watch_completion(struct conn *conn)
{
    if (is_message_begun(buf_bytes(&conn->in)))
        start_message_timer(conn);
}

static void close_bad(struct conn *conn, const struct sip_fault *fault)
{
    const char *reason = fault->reason ? fault->reason : "not a SIP message";
    char name[CONN_NAME_MAX];

    conn_name(conn, name);
    gate_failed(conn, reason);
    conn_accuse(conn, "%s: closed, framing is lost: %s", name, reason);
    conn_close(conn, "%s: framing is lost: %s", name, reason);
}

static void hand_over(struct conn *conn, const struct sip_frame *frame)
{
    struct transport *transport = conn->transport;
    struct transport_source source = {
        .listener = conn->listener, .peer = conn->key.addr, .conn = conn};
    struct slice message = slice_make(buf_bytes(&conn->in).p + frame->skip, frame->len);

    timer_stop(transport->timers, &conn->message_timer);
    transport->stats.received++;
    transport->message(&source, message, transport->arg);
    buf_consume(&conn->in, frame->skip + frame->len);
    conn->scanned = 0;
    gate_message(conn);
}

/* Of a response that is too long its transaction hears; what is behind it is still to be found. */
static void skip_begin(struct conn *conn, const struct sip_frame *frame)
{
    conn->skipping = frame->rest;
    hand_over(conn, frame);
    if (conn->state == CONN_READY)
        start_message_timer(conn);
}

static void skip_some(struct conn *conn)
{
    size_t len = buf_len(&conn->in) < conn->skipping ? buf_len(&conn->in) : conn->skipping;

    buf_consume(&conn->in, len);
    conn->skipping -= len;
    if (conn->skipping == 0)
        timer_stop(conn->transport->timers, &conn->message_timer);
}

/* Before the connection is closed: what can be read of the message may tell whom to answer. */
static void refuse_bad(struct conn *conn, const struct sip_frame *frame)
{
    if (frame->len > 0) {
        hand_over(conn, frame);
        conn_flush(conn);
    }
    if (conn->state == CONN_READY)
        close_bad(conn, &frame->fault);
}

/* Handlers may close the connection; its buffers stay until the last reference goes. */
static void take_messages(struct conn *conn)
{
    gate_check_bans(conn->transport); /* one that was made while the loop slept */
    while (conn->state == CONN_READY && !conn->throttled && buf_len(&conn->in) > 0 &&
           !verdict_is_over(conn)) {
        if (conn->skipping > 0) {
            skip_some(conn);
            continue;
        }
        struct sip_frame frame = sip_frame(buf_bytes(&conn->in), &conn->scanned);

        switch (frame.kind) {
        case SIP_FRAME_INCOMPLETE:
            watch_completion(conn);
            return;
        case SIP_FRAME_MESSAGE:
            hand_over(conn, &frame);
            break;
        case SIP_FRAME_PING:
            buf_consume(&conn->in, frame.skip);
            conn->scanned = 0;
            conn_send(conn, SLICE("\r\n"));
            break;
        case SIP_FRAME_TOO_LONG:
            skip_begin(conn, &frame);
            break;
        case SIP_FRAME_BAD:
            refuse_bad(conn, &frame);
            return;
        }
    }
}

static void give_back_large(struct buf *buf)
{
    if (buf_len(buf) == 0 && buf->size > CONN_KEEP_BUFFER)
        buf_done(buf);
}

/* Reads until the socket is drained or its share of the turn used up (stream.c sees to both). */
void conn_read(struct conn *conn)
{
    char name[CONN_NAME_MAX];

    while (conn_is_open(conn) && !conn->throttled) {
        char *p = buf_reserve(&conn->in, CONN_READ_SIZE);
        size_t len = 0;

        if (!p) {
            conn_close(conn, "%s: no memory for what arrives", conn_name(conn, name));
            return;
        }
        switch (stream_read(conn, p, CONN_READ_SIZE, &len)) {
        case STREAM_DONE:
            buf_commit(&conn->in, len);
            conn->heard = true;
            conn_mark_active(conn);
            take_messages(conn);
            break;
        case STREAM_BLOCKED:
            give_back_large(&conn->in);
            return;
        case STREAM_EOF:
            close_gone(conn);
            return;
        case STREAM_FAILED:
            conn_close(conn, "%s: connection lost: %s", conn_name(conn, name), conn->fault);
            return;
        }
    }
}

void conn_take(struct conn *conn)
{
    take_messages(conn);
    conn_read(conn);
}

/* ---- writing ---- */

void conn_flush(struct conn *conn)
{
    enum stream_result result = STREAM_DONE;
    char name[CONN_NAME_MAX];

    if (conn->state != CONN_READY)
        return;
    while (result == STREAM_DONE && !conn->write_failed && buf_len(&conn->out) > 0) {
        size_t len = 0;

        result = stream_write(conn, buf_bytes(&conn->out), &len);
        if (result != STREAM_DONE)
            break;
        buf_consume(&conn->out, len);
        conn_mark_active(conn);
    }
    if (result == STREAM_FAILED) {
        conn_close(conn, "%s: connection lost: %s", conn_name(conn, name), conn->fault);
        return;
    }
    /* Reset by the far side: what it said before, an alert perhaps, is still to be read. */
    conn->write_failed = conn->write_failed || result == STREAM_EOF;
    conn->write_blocked = buf_len(&conn->out) > 0;
    give_back_large(&conn->out);
    conn_poll_update(conn);
}

static void exchange(struct conn *conn, int events)
{
    if ((events & UV_READABLE) || conn->ssl_wants_write || conn->write_failed)
        conn_read(conn);
    if (conn->state != CONN_READY)
        return;
    if (conn->write_failed)
        close_gone(conn);
    else if (((events & UV_WRITABLE) || conn->ssl_write_wants_read) && conn->write_blocked)
        conn_flush(conn);
}

/* ---- connecting ---- */

static void on_connected(struct conn *conn)
{
    int error = 0;
    socklen_t len = sizeof(error);
    char name[CONN_NAME_MAX];

    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        conn_close(conn, "%s: %s", conn_name(conn, name), stream_errno_text(error));
        return;
    }
    if (conn->ssl) {
        conn_set_state(conn, CONN_HANDSHAKE);
        conn_handshake(conn);
        return;
    }
    conn_become_ready(conn);
}

/* libuv reports an error condition as a status and stops polling; the reads and writes of the
 * state at hand then find out what it was, after what arrived before it. */
static void conn_on_poll(uv_poll_t *poll, int status, int events)
{
    struct conn *conn = conn_ref(poll->data);

    conn->reads_left = CONN_READS_PER_TURN;
    if (status < 0) {
        conn->polled = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    switch (conn->state) {
    case CONN_CONNECTING:
        on_connected(conn);
        break;
    case CONN_HANDSHAKE:
        conn_handshake(conn);
        break;
    case CONN_READY:
        exchange(conn, events);
        break;
    case CONN_VERDICT:
    case CONN_CLOSED:
        break;
    }
    gate_check_bytes(conn);
    conn_poll_update(conn);
    conn_unref(conn);
}
