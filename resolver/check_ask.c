/* The questions of the check: bytes out, bytes in, within the time there is. Each question has a
 * thread, for a server that is slow must not cost the time of all others. The sockets are connected
 * and their ports the kernel's choice, so only an answer from the server asked, with the question
 * asked, comes through. */
#include "resolver/check_internal.h"

#include "base/status.h"
#include "base/waiting.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
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

static int exchange_run(struct exchange *exchange, int64_t deadline_ms, bool once)
{
    int status = -ETIMEDOUT;
    for (int i = 0; i < (once ? 1 : UDP_ATTEMPTS) && status == -ETIMEDOUT; i++) {
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

/* ---- one question ---- */

static int question_exchange(struct check_question *question, struct exchange *exchange,
                             int64_t deadline_ms)
{
    uint8_t *wire = NULL;
    int status =
        query_encode(question->name, question->type, question->flags, &wire, &exchange->query_len);
    if (status)
        return status;
    exchange->server = question->server;
    exchange->query = wire;
    exchange->waiting.cancel_fd = -1;
    status = exchange_run(exchange, deadline_ms, question->once);
    if (status == 0 &&
        ldns_wire2pkt(&question->answer, exchange->answer, exchange->answer_len) != LDNS_STATUS_OK)
        status = STATUS_MALFORMED;
    free(wire);
    return status;
}

static void question_ask(struct check_question *question, int64_t deadline_ms)
{
    question->answer = NULL;
    question->status = STATUS_LIMIT;
    if (waiting_now_ms() >= deadline_ms)
        return;
    struct exchange *exchange = malloc(sizeof(*exchange));
    question->status = exchange ? question_exchange(question, exchange, deadline_ms) : -ENOMEM;
    free(exchange);
    if (question->status == -ETIMEDOUT && waiting_now_ms() >= deadline_ms)
        question->status = STATUS_LIMIT;
}

/* ---- all of them ---- */

struct asker {
    pthread_t thread;
    bool runs;
    struct check_question *question;
    int64_t deadline_ms;
};

static void *asker_run(void *arg)
{
    const struct asker *asker = arg;
    question_ask(asker->question, asker->deadline_ms);
    return NULL;
}

bool check_is_late(struct check *check)
{
    if (waiting_now_ms() >= check->conf->deadline_ms)
        check->late = true;
    return check->late;
}

int check_ask_all(struct check *check, struct check_question *questions, size_t count)
{
    struct asker askers[CHECK_SERVERS_MAX];
    int status = 0;
    for (size_t i = 0; i < count; i++) {
        askers[i] =
            (struct asker){.question = &questions[i], .deadline_ms = check->conf->deadline_ms};
        askers[i].runs = i + 1 < count && /* the last one is this thread's */
                         pthread_create(&askers[i].thread, NULL, asker_run, &askers[i]) == 0;
        if (!askers[i].runs)
            asker_run(&askers[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (askers[i].runs)
            pthread_join(askers[i].thread, NULL);
        if (questions[i].status == STATUS_LIMIT)
            check->late = true;
        if (questions[i].status == -ENOMEM)
            status = -ENOMEM;
    }
    for (size_t i = 0; i < count && status; i++)
        ldns_pkt_free(questions[i].answer);
    return status;
}

/* ---- which resolver? ---- */

size_t check_resolver_choose(const struct netaddr *list, size_t count, const char *domain)
{
    for (size_t i = 0; count > 1 && i < count; i++) {
        struct check_question question = {.server = &list[i],
                                          .name = domain,
                                          .type = LDNS_RR_TYPE_SOA,
                                          .flags = CHECK_ASK_RECURSIVE};
        question_ask(&question, waiting_now_ms() + CHECK_CHOOSE_MS);
        if (question.status)
            continue;
        ldns_pkt_rcode rcode = ldns_pkt_get_rcode(question.answer);
        ldns_pkt_free(question.answer);
        if (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN)
            return i;
    }
    return 0;
}
