/* Datagrams that did not arrive, as far as the kernel knows: it did not take them, or an ICMP error
 * came for them. They wait here until the loop's turn is at its end, for whoever sent one may be
 * the very caller of udp_flush. */
#include "peering/transport/internal.h"

#include <errno.h>
#include <string.h>
/* after the others: it needs struct timespec */
#include <linux/errqueue.h>

#define ICMP_UNREACHABLE  3 /* types and codes of RFC 792 and 4443 */
#define ICMP_BAD          12
#define ICMP_TOO_BIG      4
#define ICMP6_UNREACHABLE 1
#define ICMP6_BAD         4

void udp_lost_listen(int fd, int family)
{
    int on = 1;

    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
    else
        setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
}

void udp_lost_note(struct udp_queue *queue, struct slice bytes, int error)
{
    struct udp_lost *lost = &queue->lost[queue->lost_count];

    if (queue->lost_count == UDP_LOST_MAX || error == ENOBUFS || error == ENOMEM)
        return; /* lost without a word, as on the way */
    lost->error = error;
    lost->len = bytes.len < sizeof(lost->bytes) ? bytes.len : sizeof(lost->bytes);
    memcpy(lost->bytes, bytes.p, lost->len);
    queue->lost_count++;
}

/* RFC 3261 18.4: what cannot be reached, or was not understood, has failed. What was too long for a
 * link is sent in fragments next time; what took too many hops may find another way. */
static bool is_failure(const struct sock_extended_err *error)
{
    if (error->ee_origin == SO_EE_ORIGIN_ICMP)
        return error->ee_type == ICMP_BAD ||
               (error->ee_type == ICMP_UNREACHABLE && error->ee_code != ICMP_TOO_BIG);
    return error->ee_origin == SO_EE_ORIGIN_ICMP6 &&
           (error->ee_type == ICMP6_UNREACHABLE || error->ee_type == ICMP6_BAD);
}

static const struct sock_extended_err *error_of(struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;

        if (v4 || v6)
            return (const struct sock_extended_err *)(const void *)CMSG_DATA(c);
    }
    return NULL;
}

/* One error, with the beginning of the datagram it came for. False: there is none. */
static bool read_one(struct listener *listener)
{
    char bytes[UDP_LOST_BYTES];
    union {
        struct cmsghdr align;
        char bytes[512];
    } control;
    struct iovec iov = {bytes, sizeof(bytes)};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t len = recvmsg(listener->fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
    const struct sock_extended_err *error = len < 0 ? NULL : error_of(&header);

    if (error && is_failure(error))
        udp_lost_note(listener->queue, slice_make(bytes, (size_t)len), (int)error->ee_errno);
    return len >= 0;
}

void udp_lost_read(struct listener *listener)
{
    for (int i = 0; i < UDP_LOST_MAX && read_one(listener); i++)
        ;
}

bool udp_lost_tell(struct listener *listener)
{
    struct transport *transport = listener->transport;
    struct udp_queue *queue = listener->queue;
    bool any = false;

    for (size_t i = 0; queue && i < queue->lost_count; i++) { /* telling may add some */
        struct udp_lost lost = queue->lost[i];

        any = true;
        if (transport->lost)
            transport->lost(slice_make(lost.bytes, lost.len), lost.error, transport->arg);
    }
    if (queue)
        queue->lost_count = 0;
    return any;
}
