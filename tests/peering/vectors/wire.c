#include "tests/peering/vectors/wire.h"

#include "peering/sip/sip.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_WIRES 4

uint64_t wire_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool open_bound(struct wire *wire, int type, in_addr_t ip, in_port_t port)
{
    const struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_addr.s_addr = ip, .sin_port = port};
    *wire = (struct wire){.fd = socket(AF_INET, type | SOCK_CLOEXEC, 0),
                          .stream = type == SOCK_STREAM,
                          .in = malloc(WIRE_ROOM)};
    return wire->in && wire->fd >= 0 &&
           bind(wire->fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0;
}

bool wire_open_udp(struct wire *wire, in_addr_t ip, in_port_t port)
{
    return open_bound(wire, SOCK_DGRAM, ip, port);
}

bool wire_listen(struct wire *wire, in_addr_t ip, in_port_t port)
{
    bool bound = open_bound(wire, SOCK_STREAM, ip, port);
    wire->listening = true;
    return bound && listen(wire->fd, 1) == 0;
}

bool wire_connect(struct wire *wire, in_addr_t ip, const struct sockaddr_in *to)
{
    return open_bound(wire, SOCK_STREAM, ip, 0) &&
           connect(wire->fd, (const struct sockaddr *)to, sizeof(*to)) == 0;
}

bool wire_connect_tls(struct wire *wire, in_addr_t ip, const struct sockaddr_in *to, SSL_CTX *ctx)
{
    if (!wire_connect(wire, ip, to) || !(wire->ssl = SSL_new(ctx)))
        return false;
    return SSL_set_fd(wire->ssl, wire->fd) == 1 && SSL_connect(wire->ssl) == 1;
}

void wire_close(struct wire *wire)
{
    if (wire->in == NULL)
        return;
    SSL_free(wire->ssl);
    if (wire->fd >= 0)
        close(wire->fd);
    free(wire->in);
    *wire = (struct wire){.fd = -1};
}

struct sockaddr_in wire_addr(const struct wire *wire)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    getsockname(wire->fd, (struct sockaddr *)&addr, &len);
    return addr;
}

static bool send_stream(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes = slice_skip(bytes, (size_t)n);
    }
    return true;
}

bool wire_send(struct wire *wire, struct slice bytes)
{
    if (wire->ssl)
        return SSL_write(wire->ssl, bytes.p, (int)bytes.len) == (int)bytes.len;
    if (wire->stream)
        return send_stream(wire->fd, bytes);
    return sendto(wire->fd, bytes.p, bytes.len, 0, (struct sockaddr *)&wire->peer,
                  sizeof(wire->peer)) == (ssize_t)bytes.len;
}

static void become_connection(struct wire *wire)
{
    int fd = accept4(wire->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    close(wire->fd);
    wire->fd = fd;
    wire->listening = false;
}

static void drop_taken(struct wire *wire)
{
    wire->len -= wire->taken;
    memmove(wire->in, wire->in + wire->taken, wire->len);
    wire->taken = 0;
}

/* All that has come, for poll does not tell of what OpenSSL has read already. */
static void receive_tls(struct wire *wire)
{
    int n;
    do {
        n = SSL_read(wire->ssl, wire->in + wire->len, (int)(WIRE_ROOM - wire->len));
        if (n > 0)
            wire->len += (size_t)n;
    } while (n > 0 && SSL_pending(wire->ssl) > 0);
    if (n <= 0 && SSL_get_error(wire->ssl, n) != SSL_ERROR_WANT_READ)
        wire->closed = true;
}

static void receive(struct wire *wire)
{
    socklen_t len = sizeof(wire->peer);
    ssize_t n;
    drop_taken(wire);
    if (wire->listening) {
        become_connection(wire);
        return;
    }
    if (wire->ssl) {
        receive_tls(wire);
        return;
    }
    if (wire->stream)
        n = recv(wire->fd, wire->in + wire->len, WIRE_ROOM - wire->len, 0);
    else
        n = recvfrom(wire->fd, wire->in, WIRE_ROOM, 0, (struct sockaddr *)&wire->peer, &len);
    if (n > 0)
        wire->len += (size_t)n;
    else if (wire->stream)
        wire->closed = true;
}

bool wires_wait(struct wire *const wires[], size_t count, uint64_t until_ms)
{
    struct pollfd fds[MAX_WIRES];
    uint64_t now_ms = wire_now_ms();
    for (size_t i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = wires[i]->closed ? -1 : wires[i]->fd, .events = POLLIN};
    if (now_ms >= until_ms || poll(fds, count, (int)(until_ms - now_ms)) <= 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (fds[i].revents)
            receive(wires[i]);
    return true;
}

bool wire_take(struct wire *wire, struct slice *message)
{
    struct sip_frame frame = {.kind = SIP_FRAME_MESSAGE};
    size_t scanned = 0;
    drop_taken(wire);
    if (wire->len == 0)
        return false;
    frame.len = wire->len;
    if (wire->stream)
        frame = sip_frame(slice_make(wire->in, wire->len), &scanned);
    if (frame.kind != SIP_FRAME_MESSAGE)
        return false;
    *message = slice_make(wire->in + frame.skip, frame.len);
    wire->taken = frame.skip + frame.len;
    return true;
}
