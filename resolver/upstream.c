#include "resolver/upstream.h"

#include "base/buf.h"
#include "base/status.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_PER_TURN 16 /* so that a flood on one socket does not starve the loop */
#define LENGTH_LEN     2  /* of the length before each message on TCP */

/* Owned by whoever started it until it stops; then by the loop until the handle is closed. */
struct resolver_exchange {
    uv_poll_t poll;
    int fd;
    bool tcp;
    struct buf out; /* TCP: what is still to be written */
    struct buf in;  /* TCP: the answer as far as it came */
    resolver_exchange_h *handler;
    void *arg;
};

static void exchange_closed(uv_handle_t *handle)
{
    struct resolver_exchange *exchange = handle->data;
    buf_done(&exchange->out);
    buf_done(&exchange->in);
    free(exchange);
}

struct resolver_exchange *resolver_exchange_stop(struct resolver_exchange *exchange)
{
    if (!exchange)
        return NULL;
    /* uv_close takes the descriptor out of the poll set; it may be closed at once after. */
    uv_close((uv_handle_t *)&exchange->poll, exchange_closed);
    close(exchange->fd);
    return NULL;
}

static void exchange_fail(struct resolver_exchange *exchange, int status)
{
    exchange->handler(status, slice_make(NULL, 0), exchange->arg);
    resolver_exchange_stop(exchange);
}

/* ---- UDP ---- */

static void udp_readable(struct resolver_exchange *exchange)
{
    for (int i = 0; i < READS_PER_TURN; i++) {
        char bytes[RESOLVER_UDP_MAX];
        ssize_t len = recv(exchange->fd, bytes, sizeof(bytes), MSG_TRUNC);
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (len < 0) {
            exchange_fail(exchange, -errno);
            return;
        }
        /* An over-long datagram is handed on empty: it matches no question. */
        size_t usable = (size_t)len <= sizeof(bytes) ? (size_t)len : 0;
        if (!exchange->handler(0, slice_make(bytes, usable), exchange->arg)) {
            resolver_exchange_stop(exchange);
            return;
        }
    }
}

/* ---- TCP ---- */

static void poll_ready(uv_poll_t *poll, int status, int events);

static void tcp_writable(struct resolver_exchange *exchange)
{
    struct slice out = buf_bytes(&exchange->out);
    ssize_t len = send(exchange->fd, out.p, out.len, MSG_NOSIGNAL);
    if (len < 0 && errno != EAGAIN && errno != EINTR) {
        exchange_fail(exchange, -errno);
        return;
    }
    if (len > 0)
        buf_consume(&exchange->out, (size_t)len);
    if (buf_len(&exchange->out) == 0)
        uv_poll_start(&exchange->poll, UV_READABLE, poll_ready);
}

/* The length of the whole frame, as far as it is known. */
static size_t tcp_frame_len(const struct buf *in)
{
    if (buf_len(in) < LENGTH_LEN)
        return LENGTH_LEN;
    const uint8_t *p = (const uint8_t *)buf_bytes(in).p;
    return LENGTH_LEN + ((size_t)p[0] << 8 | p[1]);
}

static void tcp_readable(struct resolver_exchange *exchange)
{
    size_t missing = tcp_frame_len(&exchange->in) - buf_len(&exchange->in);
    char *room = buf_reserve(&exchange->in, missing);
    if (!room) {
        exchange_fail(exchange, -EMSGSIZE);
        return;
    }
    ssize_t len = recv(exchange->fd, room, missing, 0);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) {
        exchange_fail(exchange, len < 0 ? -errno : STATUS_CLOSED);
        return;
    }
    buf_commit(&exchange->in, (size_t)len);
    if (buf_len(&exchange->in) < LENGTH_LEN ||
        buf_len(&exchange->in) < tcp_frame_len(&exchange->in))
        return;

    struct slice message = slice_skip(buf_bytes(&exchange->in), LENGTH_LEN);
    bool more = exchange->handler(0, message, exchange->arg);
    if (!more)
        resolver_exchange_stop(exchange);
    else
        buf_consume(&exchange->in, buf_len(&exchange->in));
}

/* What is wrong with the socket: libuv says -EBADF whatever it is. */
static int socket_error(int fd, int status)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error == 0)
        return status;
    return -error;
}

static void poll_ready(uv_poll_t *poll, int status, int events)
{
    struct resolver_exchange *exchange = poll->data;
    if (status < 0) {
        exchange_fail(exchange, socket_error(exchange->fd, status));
        return;
    }
    if (!exchange->tcp)
        udp_readable(exchange);
    else if (events & UV_WRITABLE)
        tcp_writable(exchange);
    else
        tcp_readable(exchange);
}

/* ---- start ---- */

static int udp_send(struct resolver_exchange *exchange, struct slice query)
{
    ssize_t len = send(exchange->fd, query.p, query.len, MSG_NOSIGNAL);
    return len < 0 ? -errno : 0;
}

static int tcp_queue(struct resolver_exchange *exchange, struct slice query)
{
    char length[LENGTH_LEN] = {(char)(query.len >> 8), (char)query.len};
    buf_init(&exchange->in, LENGTH_LEN + RESOLVER_TCP_MAX);
    buf_init(&exchange->out, LENGTH_LEN + query.len);
    int status = buf_append(&exchange->out, slice_make(length, sizeof(length)));
    return status < 0 ? status : buf_append(&exchange->out, query);
}

/* A connected (UDP) or connecting (TCP) socket. The kernel draws the source port. */
static int open_socket(const struct netaddr *upstream, bool tcp)
{
    int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(upstream->sa.sa_family, type, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, &upstream->sa, netaddr_len(upstream)) < 0 && errno != EINPROGRESS) {
        int status = -errno;
        close(fd);
        return status;
    }
    return fd;
}

int resolver_exchange_start(uv_loop_t *loop, const struct netaddr *upstream, bool tcp,
                            struct slice query, resolver_exchange_h *handler, void *arg,
                            struct resolver_exchange **exchange)
{
    struct resolver_exchange *started = calloc(1, sizeof(*started));
    if (!started)
        return -ENOMEM;
    started->tcp = tcp;
    started->handler = handler;
    started->arg = arg;
    started->poll.data = started;
    int status = started->fd = open_socket(upstream, tcp);
    if (status < 0)
        goto fail_memory;
    status = tcp ? tcp_queue(started, query) : udp_send(started, query);
    if (status < 0)
        goto fail_socket;
    status = uv_poll_init(loop, &started->poll, started->fd);
    if (status < 0)
        goto fail_socket;
    status = uv_poll_start(&started->poll, tcp ? UV_WRITABLE : UV_READABLE, poll_ready);
    if (status < 0) {
        resolver_exchange_stop(started);
        return status;
    }
    *exchange = started;
    return 0;

fail_socket:
    close(started->fd);
fail_memory:
    buf_done(&started->out);
    buf_done(&started->in);
    free(started);
    return status;
}
