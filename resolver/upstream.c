#include "resolver/upstream.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_PER_TURN 16 /* so that a flood on one socket does not starve the loop */
#define RESTING_MAX    64 /* sockets kept for the next questions */
#define READY_PER_TURN 64 /* sockets; the loop comes back for more */
#define LENGTH_LEN     2  /* of the length before each message on TCP */

/* Owned by the resolver; freed in the close callback of `poll`. */
struct resolver_net {
    uv_poll_t poll;
    int fd;                 /* the epoll set; -1 when closed */
    bool busy;              /* handlers are being called */
    struct list stopped;    /* exchanges that events at hand may still point to */
    struct list spare;      /* exchanges without a socket */
    struct list resting[2]; /* with one of the family, by is_inet6; in the set, and nobody's */
    size_t resting_count;
};

/* Owned by whoever started it until it stops. */
struct resolver_exchange {
    struct list link;
    struct resolver_net *net;
    int fd; /* -1: none */
    bool inet6, tcp;
    struct buf out;               /* TCP: what is still to be written */
    struct buf in;                /* TCP: the answer as far as it came */
    resolver_exchange_h *handler; /* NULL when stopped */
    void *arg;
};

/* ---- life of an exchange ---- */

/* With a resting socket where there is one and UDP is asked for. */
static struct resolver_exchange *exchange_alloc(struct resolver_net *net, bool inet6, bool tcp)
{
    struct list *link = tcp ? NULL : list_pop(&net->resting[inet6]);
    int fd = -1;
    if (link) {
        fd = container_of(link, struct resolver_exchange, link)->fd;
        net->resting_count--;
    } else {
        link = list_pop(&net->spare);
    }
    struct resolver_exchange *exchange =
        link ? container_of(link, struct resolver_exchange, link) : malloc(sizeof(*exchange));
    if (!exchange)
        return NULL;
    memset(exchange, 0, sizeof(*exchange));
    list_init(&exchange->link);
    exchange->net = net;
    exchange->fd = fd;
    exchange->inet6 = inet6;
    exchange->tcp = tcp;
    return exchange;
}

static void exchange_put_away(struct resolver_exchange *exchange)
{
    struct resolver_net *net = exchange->net;
    list_append(exchange->fd < 0 ? &net->spare : &net->resting[exchange->inet6], &exchange->link);
}

static void exchange_recycle(struct resolver_exchange *exchange)
{
    struct resolver_net *net = exchange->net;
    exchange->handler = NULL;
    buf_done(&exchange->out);
    buf_done(&exchange->in);
    if (net->busy)
        list_append(&net->stopped, &exchange->link);
    else
        exchange_put_away(exchange);
}

/* A process that is being forked may hold the socket open beyond close, so it leaves the set first.
 */
static void exchange_close(struct resolver_exchange *exchange)
{
    epoll_ctl(exchange->net->fd, EPOLL_CTL_DEL, exchange->fd, NULL);
    close(exchange->fd);
    exchange->fd = -1;
}

/* Gives up the socket's port; the next connect draws another. From then on nothing comes in, so
 * after the last datagram that is there it is silent. Returns whether it is. */
static bool socket_rest(int fd)
{
    static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    char rest;
    if (connect(fd, &nobody, sizeof(nobody)) < 0)
        return false;
    for (int i = 0; i < READS_PER_TURN; i++)
        if (recv(fd, &rest, sizeof(rest), 0) < 0 && errno == EAGAIN)
            return true;
    return false;
}

struct resolver_exchange *resolver_exchange_stop(struct resolver_exchange *exchange)
{
    if (!exchange)
        return NULL;
    struct resolver_net *net = exchange->net;
    if (!exchange->tcp && net->resting_count < RESTING_MAX && socket_rest(exchange->fd))
        net->resting_count++;
    else
        exchange_close(exchange);
    exchange_recycle(exchange);
    return NULL;
}

/* The socket is of interest for reading, or for writing. */
static int exchange_watch(struct resolver_exchange *exchange, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = exchange};
    return epoll_ctl(exchange->net->fd, operation, exchange->fd, &event) < 0 ? -errno : 0;
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
        exchange_watch(exchange, EPOLL_CTL_MOD, EPOLLIN);
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

/* ---- the set ---- */

/* An error of the socket is found by the call that is tried. */
static void exchange_ready(struct resolver_exchange *exchange, uint32_t events)
{
    if (!exchange->tcp)
        udp_readable(exchange);
    else if (events & EPOLLOUT)
        tcp_writable(exchange);
    else
        tcp_readable(exchange);
}

static void net_ready(uv_poll_t *poll, int status, int events)
{
    struct resolver_net *net = poll->data;
    struct epoll_event ready[READY_PER_TURN];
    (void)status, (void)events;
    int count = epoll_wait(net->fd, ready, READY_PER_TURN, 0);
    net->busy = true;
    for (int i = 0; i < count && net->fd >= 0; i++) {
        struct resolver_exchange *exchange = ready[i].data.ptr;
        if (exchange->handler)
            exchange_ready(exchange, ready[i].events);
    }
    net->busy = false;
    struct list *link;
    while ((link = list_pop(&net->stopped)))
        exchange_put_away(container_of(link, struct resolver_exchange, link));
}

int resolver_net_open(uv_loop_t *loop, struct resolver_net **net)
{
    struct resolver_net *made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    list_init(&made->stopped);
    list_init(&made->spare);
    list_init(&made->resting[0]);
    list_init(&made->resting[1]);
    made->poll.data = made;
    made->fd = epoll_create1(EPOLL_CLOEXEC);
    int status = made->fd < 0 ? -errno : uv_poll_init(loop, &made->poll, made->fd);
    if (status < 0) {
        if (made->fd >= 0)
            close(made->fd);
        free(made);
        return status;
    }
    uv_poll_start(&made->poll, UV_READABLE, net_ready); /* fails only with a bad handle */
    uv_unref((uv_handle_t *)&made->poll); /* a question's timer keeps the loop alive */
    *net = made;
    return 0;
}

static void exchanges_free(struct list *list)
{
    struct list *link;
    while ((link = list_pop(list))) {
        struct resolver_exchange *exchange = container_of(link, struct resolver_exchange, link);
        if (exchange->fd >= 0)
            close(exchange->fd);
        free(exchange);
    }
}

static void net_closed(uv_handle_t *handle)
{
    struct resolver_net *net = handle->data;
    exchanges_free(&net->spare);
    exchanges_free(&net->resting[0]);
    exchanges_free(&net->resting[1]);
    free(net);
}

void resolver_net_close(struct resolver_net *net)
{
    if (!net)
        return;
    /* uv_close takes the descriptor out of the loop's set; it may be closed at once after. */
    uv_close((uv_handle_t *)&net->poll, net_closed);
    close(net->fd);
    net->fd = -1;
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

/* Connected (UDP) or connecting (TCP). The kernel draws the source port. */
static int socket_connect(int fd, const struct netaddr *upstream)
{
    if (connect(fd, &upstream->sa, netaddr_len(upstream)) < 0 && errno != EINPROGRESS)
        return -errno;
    return 0;
}

/* A socket of its own, in the set. */
static int exchange_open(struct resolver_exchange *exchange)
{
    int family = exchange->inet6 ? AF_INET6 : AF_INET;
    int type = (exchange->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    exchange->fd = socket(family, type, 0);
    if (exchange->fd < 0)
        return -errno;
    return exchange_watch(exchange, EPOLL_CTL_ADD, exchange->tcp ? EPOLLOUT : EPOLLIN);
}

int resolver_exchange_start(struct resolver_net *net, const struct netaddr *upstream, bool tcp,
                            struct slice query, resolver_exchange_h *handler, void *arg,
                            struct resolver_exchange **exchange)
{
    struct resolver_exchange *started =
        exchange_alloc(net, upstream->sa.sa_family == AF_INET6, tcp);
    if (!started)
        return -ENOMEM;
    started->handler = handler;
    started->arg = arg;
    int status = started->fd < 0 ? exchange_open(started) : 0;
    if (status == 0)
        status = socket_connect(started->fd, upstream);
    if (status == 0)
        status = tcp ? tcp_queue(started, query) : udp_send(started, query);
    if (status < 0) {
        if (started->fd >= 0)
            exchange_close(started);
        exchange_recycle(started);
        return status;
    }
    *exchange = started;
    return 0;
}
