/* One question of the check: bytes out, bytes in, within the time there is. The sockets are
 * connected and their ports the kernel's choice, so only an answer from the server asked, with the
 * question asked, comes through. */
#include "resolver/check_internal.h"

#include "base/status.h"
#include "base/waiting.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_LEN   12
#define UDP_SIZE     1232 /* no path fragments it (DNS flag day 2020) */
#define UDP_ATTEMPTS 2
#define TCP_MAX      65535

struct exchange {
    const struct netaddr *server;
    const uint8_t *query;
    size_t query_len;
    struct waiting waiting;
    uint8_t answer[TCP_MAX];
    size_t answer_len;
};

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
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
    int fd = waiting_connect(&exchange->waiting, exchange->server, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    int status = send(fd, exchange->query, exchange->query_len, 0) < 0 ? -errno : 0;
    while (status == 0) {
        status = waiting_ready(&exchange->waiting, fd, POLLIN);
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

static int tcp_exchange(struct exchange *exchange)
{
    uint8_t length[2] = {(uint8_t)(exchange->query_len >> 8), (uint8_t)exchange->query_len};
    int fd = waiting_connect(&exchange->waiting, exchange->server, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int status = waiting_send(&exchange->waiting, fd, length, sizeof(length));
    if (status == 0)
        status = waiting_send(&exchange->waiting, fd, exchange->query, exchange->query_len);
    if (status == 0)
        status = waiting_receive(&exchange->waiting, fd, length, sizeof(length));
    exchange->answer_len = (size_t)length[0] << 8 | length[1];
    if (status == 0)
        status = waiting_receive(&exchange->waiting, fd, exchange->answer, exchange->answer_len);
    close(fd);
    if (status == 0 && !answer_fits(exchange))
        status = STATUS_MALFORMED;
    return status;
}

static int exchange_run(struct exchange *exchange, int64_t deadline_ms)
{
    int status = -ETIMEDOUT;
    for (int i = 0; i < UDP_ATTEMPTS && status == -ETIMEDOUT; i++) {
        exchange->waiting.until_ms = sooner(deadline_ms, waiting_now_ms() + CHECK_ATTEMPT_MS);
        status = udp_exchange(exchange);
    }
    if (status || !(exchange->answer[2] & 0x02)) /* TC */
        return status;
    exchange->waiting.until_ms = sooner(deadline_ms, waiting_now_ms() + CHECK_ATTEMPT_MS);
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
        id = (uint16_t)waiting_now_ms();
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

size_t check_resolver_choose(const struct netaddr *list, size_t count, const char *domain)
{
    struct check_conf conf = {.domain = domain};
    struct check *check = count > 1 ? calloc(1, sizeof(*check)) : NULL;
    size_t chosen = 0;
    for (size_t i = 0; check && i < count; i++) {
        ldns_pkt *packet = NULL;
        conf.deadline_ms = waiting_now_ms() + CHECK_CHOOSE_MS;
        check->conf = &conf;
        if (check_ask(check, &list[i], domain, LDNS_RR_TYPE_SOA, CHECK_ASK_RECURSIVE, &packet))
            continue;
        ldns_pkt_rcode rcode = ldns_pkt_get_rcode(packet);
        ldns_pkt_free(packet);
        if (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN) {
            chosen = i;
            break;
        }
    }
    free(check);
    return chosen;
}

int check_ask(struct check *check, const struct netaddr *server, const char *name,
              ldns_rr_type type, unsigned flags, ldns_pkt **answer)
{
    uint8_t *wire = NULL;
    size_t len = 0;
    if (waiting_now_ms() >= check->conf->deadline_ms) {
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
    exchange->waiting.cancel_fd = -1;
    status = exchange_run(exchange, check->conf->deadline_ms);
    if (status == 0 &&
        ldns_wire2pkt(answer, exchange->answer, exchange->answer_len) != LDNS_STATUS_OK)
        status = STATUS_MALFORMED;
    free(exchange);
    free(wire);
    return status;
}
