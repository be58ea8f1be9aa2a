/* Listening sockets: opening them, and accepting connections. */
#include "peering/transport/internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const struct transport_listener *conf, const char *step, int error, char *why)
{
    static const char *const names[] = {
        [SIP_UDP] = "udp", [SIP_TCP] = "tcp", [SIP_TLS] = "tls", [SIP_SCTP] = "sctp"};
    char addr[NETADDR_TEXT_MAX];

    snprintf(why, TRANSPORT_MAX_WHY, "%s:%s: cannot %s: %s", names[conf->transport],
             netaddr_format(&conf->bind, addr), step, strerror(error));
    return -error;
}

/* A bound socket. Every worker binds the same address (`shared`) and the kernel spreads what
 * arrives. */
static int open_socket(const struct transport_listener *conf, bool shared, char *why)
{
    int on = 1, size = UDP_SOCKET_BUFFER, error;
    bool udp = conf->transport == SIP_UDP;
    int fd = socket(conf->bind.sa.sa_family,
                    (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return fail(conf, "open a socket", errno, why);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (conf->bind.sa.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (udp) {
        udp_lost_listen(fd, conf->bind.sa.sa_family);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    } else {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (bind(fd, &conf->bind.sa, netaddr_len(&conf->bind)) < 0) {
        error = errno;
        close(fd);
        return fail(conf, "bind", error, why);
    }
    if (!udp && listen(fd, LISTENER_BACKLOG) < 0) {
        error = errno;
        close(fd);
        return fail(conf, "listen", error, why);
    }
    return fd;
}

int transport_probe(const struct transport_conf *conf, char *why)
{
    for (size_t i = 0; i < conf->listener_count; i++) {
        int fd = open_socket(&conf->listeners[i], false, why);
        if (fd < 0)
            return fd;
        close(fd);
    }
    return 0;
}

static void accept_some(struct listener *listener);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    socklen_t len = sizeof(status);

    (void)events;
    if (status < 0) { /* an error condition: libuv stopped polling, the socket itself goes on */
        getsockopt(listener->fd, SOL_SOCKET, SO_ERROR, &status, &len);
        if (listener->conf->transport == SIP_UDP)
            udp_lost_read(listener);
        uv_poll_start(poll, UV_READABLE, on_poll);
    } else if (listener->conf->transport == SIP_UDP) {
        udp_receive(listener);
    } else {
        accept_some(listener);
    }
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;

    transport_handle_closed(listener->transport);
}

int listener_open(struct transport *transport, const struct transport_listener *conf, char *why)
{
    struct listener *listener = &transport->listeners[transport->listener_count];
    struct netaddr bound = conf->bind;
    socklen_t len = sizeof(bound.in6);
    int fd, status;

    if (conf->transport == SIP_SCTP)
        return fail(conf, "serve SCTP", EPROTONOSUPPORT, why);
    fd = open_socket(conf, true, why);
    if (fd < 0)
        return fd;
    status = uv_poll_init(transport->loop, &listener->poll, fd);
    if (status < 0) {
        close(fd);
        return fail(conf, "poll", -status, why);
    }
    getsockname(fd, &bound.sa, &len);
    listener->transport = transport;
    listener->conf = conf;
    listener->fd = fd;
    listener->port = netaddr_port(&bound);
    listener->poll.data = listener;
    timer_init(&listener->pause);
    transport->handles++;
    transport->listener_count++;
    if (conf->transport == SIP_UDP && udp_queue_open(listener) < 0)
        return fail(conf, "queue", ENOMEM, why);
    status = uv_poll_start(&listener->poll, UV_READABLE, on_poll);
    return status < 0 ? fail(conf, "poll", -status, why) : 0;
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    timer_stop(listener->transport->timers, &listener->pause);
    uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    close(listener->fd);
    listener->fd = -1;
    udp_queue_close(listener);
}

/* ---- accepting ---- */

static void on_pause_over(void *arg)
{
    struct listener *listener = arg;

    uv_poll_start(&listener->poll, UV_READABLE, on_poll);
}

/* Without descriptors or memory accept would fail again at once, and for ever. */
static void pause_accepting(struct listener *listener, int error)
{
    struct transport *transport = listener->transport;

    log_write(transport->log, LOG_ERROR, "transport", "cannot accept connections: %s",
              strerror(error));
    if (timer_start(transport->timers, &listener->pause,
                    uv_now(transport->loop) + LISTENER_PAUSE_MS, on_pause_over, listener) == 0)
        uv_poll_stop(&listener->poll);
}

static bool is_full(struct transport *transport, enum transport_side side,
                    const struct netaddr *peer)
{
    char addr[NETADDR_TEXT_MAX];

    if (gate_makes_room(transport, side))
        return false;
    transport->stats.refused++;
    if (!transport->full)
        log_limit_write(&transport->fullness, uv_now(transport->loop), LOG_WARNING,
                        "%s: refused, %zu connections are open; limits: connections is reached",
                        netaddr_format(peer, addr), transport->stats.connections);
    transport->full = true;
    return true;
}

static void take(struct listener *listener, int fd, const struct netaddr *peer)
{
    struct conn_key key = {
        .side = listener->conf->side, .transport = listener->conf->transport, .addr = *peer};
    bool tls = key.transport == SIP_TLS;
    struct gate_pass pass;
    struct conn *conn;
    char name[CONN_NAME_MAX];

    if (!gate_admits(listener, peer, &pass)) {
        close(fd);
        return;
    }
    if (is_full(listener->transport, key.side, peer)) {
        guard_release(pass.slot);
        close(fd);
        return;
    }
    conn = conn_alloc(listener->transport, fd, &key, listener->conf,
                      tls ? CONN_HANDSHAKE : CONN_READY);
    if (!conn) {
        guard_release(pass.slot);
        return;
    }
    conn->accepted = true;
    gate_entered(conn, &pass);
    if (tls && conn_tls_attach(conn) < 0)
        conn_close(conn, "%s: no memory for TLS", conn_name(conn, name));
    else
        conn_start(conn);
}

static void accept_some(struct listener *listener)
{
    for (int i = 0; i < LISTENER_ACCEPTS_PER_TURN && listener->fd >= 0; i++) {
        struct netaddr peer = {.in6 = {.sin6_family = AF_UNSPEC}};
        socklen_t len = sizeof(peer.in6);
        int fd = accept4(listener->fd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            take(listener, fd, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(listener, errno);
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}
