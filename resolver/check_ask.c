/* One question of the check: bytes out, bytes in, within the time there is. The sockets are
 * connected and their ports the kernel's choice, so only an answer from the server asked, with the
 * question asked, comes through. */
#include "resolver/check_internal.h"

#include "base/status.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEADER_LEN   12
#define UDP_SIZE     1232 /* no path fragments it (DNS flag day 2020) */
#define UDP_ATTEMPTS 2
#define TCP_MAX      65535

struct exchange {
    const struct netaddr *server;
    const uint8_t *query;
    size_t query_len;
    int64_t until_ms;
    uint8_t answer[TCP_MAX];
    size_t answer_len;
};

int64_t check_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* 0, -ETIMEDOUT or -errno. */
static int wait_for(int fd, short events, int64_t until_ms)
{
    struct pollfd entry = {.fd = fd, .events = events};
    int got;
    do {
        int64_t left_ms = until_ms - check_now_ms();
        if (left_ms <= 0)
            return -ETIMEDOUT;
        got = poll(&entry, 1, (int)left_ms);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    return got == 0 ? -ETIMEDOUT : 0;
}

static int socket_connect(const struct exchange *exchange, int type)
{
    int fd = socket(exchange->server->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;
    socklen_t len = sizeof(error);
    if (fd < 0)
        return -errno;
    int status = connect(fd, &exchange->server->sa, netaddr_len(exchange->server)) ? -errno : 0;
    if (status == -EINPROGRESS) {
        status = wait_for(fd, POLLOUT, exchange->until_ms);
        if (status == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0)
            status = -error;
    }
    if (status) {
        close(fd);
        return status;
    }
    return fd;
}

/* Id, QR, opcode, and the question as it was asked. */
static bool answer_fits(const struct exchange *exchange)
{
    const uint8_t *answer = exchange->answer, *query = exchange->query;
    size_t end = HEADER_LEN;
    while (query[end])
        end += query[end] + 1U;
    end += 5;
    return exchange->answer_len >= end && memcmp(answer, query, 2) == 0 &&
           (answer[2] & 0xf8) == 0x80 && answer[4] == 0 && answer[5] == 1 &&
           memcmp(answer + HEADER_LEN, query + HEADER_LEN, end - HEADER_LEN) == 0;
}

static int udp_exchange(struct exchange *exchange)
{
    int fd = socket_connect(exchange, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    int status = send(fd, exchange->query, exchange->query_len, 0) < 0 ? -errno : 0;
    while (status == 0) {
        status = wait_for(fd, POLLIN, exchange->until_ms);
        if (status)
            break;
        ssize_t got = recv(fd, exchange->answer, sizeof(exchange->answer), 0);
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            status = -errno;
        exchange->answer_len = got < 0 ? 0 : (size_t)got;
        if (got >= 0 && answer_fits(exchange))
            break;
    }
    close(fd);
    return status;
}

static int bytes_send(int fd, const uint8_t *bytes, size_t len, int64_t until_ms)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        }
        int status = len > 0 ? wait_for(fd, POLLOUT, until_ms) : 0;
        if (status)
            return status;
    }
    return 0;
}

static int bytes_receive(int fd, uint8_t *bytes, size_t len, int64_t until_ms)
{
    while (len > 0) {
        int status = wait_for(fd, POLLIN, until_ms);
        if (status)
            return status;
        ssize_t got = recv(fd, bytes, len, 0);
        if (got == 0)
            return -ECONNRESET;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (got > 0) {
            bytes += got;
            len -= (size_t)got;
        }
    }
    return 0;
}

static int tcp_exchange(struct exchange *exchange)
{
    uint8_t length[2] = {(uint8_t)(exchange->query_len >> 8), (uint8_t)exchange->query_len};
    int fd = socket_connect(exchange, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int status = bytes_send(fd, length, sizeof(length), exchange->until_ms);
    if (status == 0)
        status = bytes_send(fd, exchange->query, exchange->query_len, exchange->until_ms);
    if (status == 0)
        status = bytes_receive(fd, length, sizeof(length), exchange->until_ms);
    exchange->answer_len = (size_t)length[0] << 8 | length[1];
    if (status == 0)
        status = bytes_receive(fd, exchange->answer, exchange->answer_len, exchange->until_ms);
    close(fd);
    if (status == 0 && !answer_fits(exchange))
        status = STATUS_MALFORMED;
    return status;
}

static int exchange_run(struct exchange *exchange, int64_t deadline_ms)
{
    int status = -ETIMEDOUT;
    for (int i = 0; i < UDP_ATTEMPTS && status == -ETIMEDOUT; i++) {
        exchange->until_ms = sooner(deadline_ms, check_now_ms() + CHECK_ATTEMPT_MS);
        status = udp_exchange(exchange);
    }
    if (status || !(exchange->answer[2] & 0x02)) /* TC */
        return status;
    exchange->until_ms = sooner(deadline_ms, check_now_ms() + CHECK_ATTEMPT_MS);
    return tcp_exchange(exchange);
}

static int query_encode(const char *name, ldns_rr_type type, unsigned flags, uint8_t **wire,
                        size_t *len)
{
    uint16_t id;
    ldns_rdf *owner = ldns_dname_new_frm_str(name);
    ldns_pkt *packet = owner ? ldns_pkt_query_new(owner, type, LDNS_RR_CLASS_IN, 0) : NULL;
    if (!packet) {
        ldns_rdf_deep_free(owner);
        return owner ? -ENOMEM : STATUS_MALFORMED;
    }
    if (getrandom(&id, sizeof(id), 0) != sizeof(id))
        id = (uint16_t)check_now_ms();
    ldns_pkt_set_id(packet, id);
    ldns_pkt_set_rd(packet, (flags & CHECK_ASK_RECURSIVE) != 0);
    ldns_pkt_set_ad(packet, (flags & CHECK_ASK_RECURSIVE) != 0);
    ldns_pkt_set_cd(packet, (flags & CHECK_ASK_UNCHECKED) != 0);
    ldns_pkt_set_edns_udp_size(packet, UDP_SIZE);
    ldns_pkt_set_edns_do(packet, true);
    ldns_status status = ldns_pkt2wire(wire, packet, len);
    ldns_pkt_free(packet);
    return status == LDNS_STATUS_OK ? 0 : -ENOMEM;
}

int check_ask(struct check *check, const struct netaddr *server, const char *name,
              ldns_rr_type type, unsigned flags, ldns_pkt **answer)
{
    uint8_t *wire = NULL;
    size_t len = 0;
    if (check_now_ms() >= check->conf->deadline_ms) {
        check->late = true;
        return STATUS_LIMIT;
    }
    int status = query_encode(name, type, flags, &wire, &len);
    if (status)
        return status;
    struct exchange *exchange = malloc(sizeof(*exchange));
    if (!exchange) {
        free(wire);
        return -ENOMEM;
    }
    exchange->server = server;
    exchange->query = wire;
    exchange->query_len = len;
    status = exchange_run(exchange, check->conf->deadline_ms);
    if (status == 0 &&
        ldns_wire2pkt(answer, exchange->answer, exchange->answer_len) != LDNS_STATUS_OK)
        status = STATUS_MALFORMED;
    free(exchange);
    free(wire);
    return status;
}
