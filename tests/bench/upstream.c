#include "tests/bench/upstream.h"

#include "tests/bench/bench.h"
#include "tests/resolver/dns.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TTL         3600
#define RECEIVE_MAX (1 << 22) /* octets of questions that may wait */

static void add(struct dns_packet *packet, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct dns_packet *packet, const char *format, ...)
{
    char line[1100];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    dns_add(packet, DNS_ANSWER, line);
}

static void answer(struct dns_packet *packet, const char *name, unsigned type)
{
    if (type == dns_type_number("NAPTR")) {
        add(packet, "%s %d NAPTR 10 10 s SIPS+D2T - _sips._tcp.%s", name, TTL, name);
    } else if (type == dns_type_number("SRV")) {
        const char *domain = name + strlen("_sips._tcp.");
        add(packet, "%s %d SRV 10 60 5061 a.%s", name, TTL, domain);
        add(packet, "%s %d SRV 10 40 5061 b.%s", name, TTL, domain);
    } else if (type == dns_type_number("A")) {
        add(packet, "%s %d A 192.0.2.1", name, TTL);
        add(packet, "%s %d A 192.0.2.2", name, TTL);
    } else {
        add(packet, "%s %d AAAA 2001:db8::1", name, TTL);
        add(packet, "%s %d AAAA 2001:db8::2", name, TTL);
    }
}

static void serve(int fd)
{
    static struct dns_packet packet;
    for (;;) {
        uint8_t query[512];
        char name[256];
        unsigned type;
        struct netaddr peer;
        socklen_t peer_len = sizeof(peer);
        ssize_t len = recvfrom(fd, query, sizeof(query), 0, &peer.sa, &peer_len);
        if (len < 12)
            continue;
        dns_question(query, (size_t)len, name, &type);
        dns_begin(&packet, query, (size_t)len, DNS_RA);
        answer(&packet, name, type);
        sendto(fd, packet.bytes, packet.len, 0, &peer.sa, peer_len);
    }
}

void upstream_start(struct upstream *upstream)
{
    int room = RECEIVE_MAX;
    socklen_t len = sizeof(upstream->addr);
    netaddr_from_ip(&upstream->addr, SLICE("127.0.0.1"), 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &upstream->addr.sa, netaddr_len(&upstream->addr)) != 0 ||
        getsockname(fd, &upstream->addr.sa, &len) != 0)
        bench_fail("no socket for the upstream: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)); /* as much as the system allows */
    upstream->pid = fork();
    if (upstream->pid < 0)
        bench_fail("no process for the upstream: %s", strerror(errno));
    if (upstream->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(fd);
    }
    close(fd);
}

void upstream_stop(struct upstream *upstream)
{
    kill(upstream->pid, SIGKILL);
    waitpid(upstream->pid, NULL, 0);
}
