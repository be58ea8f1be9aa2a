/* Datagrams: received and sent in batches. */
#include "peering/transport/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where one recvmmsg puts what it received; touched pages only cost memory. */
struct udp_batch {
    struct mmsghdr header[UDP_BATCH];
    struct iovec iov[UDP_BATCH];
    struct netaddr from[UDP_BATCH];
    char bytes[UDP_BATCH][SIP_MAX_MESSAGE];
};

struct udp_batch *udp_batch_alloc(void)
{
    return malloc(sizeof(struct udp_batch));
}

static int receive_batch(int fd, struct udp_batch *batch)
{
    for (size_t i = 0; i < UDP_BATCH; i++) {
        batch->iov[i] = (struct iovec){batch->bytes[i], sizeof(batch->bytes[i])};
        batch->header[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &batch->from[i],
                                                        .msg_namelen = sizeof(batch->from[i]),
                                                        .msg_iov = &batch->iov[i],
                                                        .msg_iovlen = 1}};
    }
    return recvmmsg(fd, batch->header, UDP_BATCH, MSG_DONTWAIT, NULL);
}

/* Line ends and NULs are what keeps a NAT binding open; they are no message. */
static bool is_keep_alive(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.p[i] != '\r' && bytes.p[i] != '\n' && bytes.p[i] != '\0')
            return false;
    }
    return true;
}

void udp_receive(struct listener *listener)
{
    struct transport *transport = listener->transport;
    struct udp_batch *batch = transport->batch;

    for (int turn = 0; turn < UDP_BATCHES_PER_TURN && listener->fd >= 0; turn++) {
        int count = receive_batch(listener->fd, batch);

        for (int i = 0; i < count; i++) {
            struct transport_source source = {.listener = listener->conf, .peer = batch->from[i]};
            struct slice bytes = slice_make(batch->bytes[i], batch->header[i].msg_len);

            if (is_keep_alive(bytes))
                continue;
            transport->stats.received++;
            transport->message(&source, bytes, transport->arg);
        }
        if (count < UDP_BATCH)
            return;
    }
}

/* ---- sending ---- */

int udp_queue_open(struct listener *listener)
{
    listener->queue = calloc(1, sizeof(*listener->queue));
    if (!listener->queue)
        return -ENOMEM;
    buf_init(&listener->queue->bytes, (size_t)UDP_BATCH * SIP_MAX_DATAGRAM);
    return 0;
}

void udp_queue_close(struct listener *listener)
{
    if (!listener->queue)
        return;
    buf_done(&listener->queue->bytes);
    free(listener->queue);
    listener->queue = NULL;
}

static int send_rest(int fd, struct udp_queue *queue)
{
    struct mmsghdr header[UDP_BATCH];
    struct iovec iov[UDP_BATCH];
    char *bytes = queue->bytes.p + queue->bytes.begin;
    size_t count = queue->count - queue->sent;

    for (size_t i = 0; i < count; i++) {
        size_t entry = queue->sent + i;

        iov[i] = (struct iovec){bytes + queue->entry[entry].offset, queue->entry[entry].len};
        header[i] =
            (struct mmsghdr){.msg_hdr = {.msg_name = &queue->entry[entry].to,
                                         .msg_namelen = netaddr_len(&queue->entry[entry].to),
                                         .msg_iov = &iov[i],
                                         .msg_iovlen = 1}};
    }
    return sendmmsg(fd, header, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void note_unsent(struct udp_queue *queue, int error)
{
    const char *bytes = queue->bytes.p + queue->bytes.begin + queue->entry[queue->sent].offset;

    udp_lost_note(queue, slice_make(bytes, queue->entry[queue->sent].len), error);
    queue->sent++;
}

/* A datagram that the kernel does not take is noted; the ones behind it still go. Its first error
 * may be one that came by ICMP for an earlier datagram, so it is tried twice. A full socket buffer
 * loses the rest of the batch: SIP's retransmissions repair that, and waiting would only make the
 * answers late. */
void udp_flush(struct listener *listener)
{
    struct udp_queue *queue = listener->queue;
    size_t tried = UDP_BATCH;

    while (queue->sent < queue->count) {
        int sent = send_rest(listener->fd, queue);

        listener->transport->stats.writes++;
        if (sent > 0) {
            queue->sent += (size_t)sent;
            listener->transport->stats.sent += (size_t)sent;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR && tried != queue->sent) {
            tried = queue->sent;
        } else if (errno != EINTR) {
            note_unsent(queue, errno);
        }
    }
    buf_consume(&queue->bytes, buf_len(&queue->bytes));
    queue->count = queue->sent = 0;
}

static struct listener *find_open(struct transport *transport,
                                  const struct transport_listener *conf)
{
    for (size_t i = 0; i < transport->listener_count; i++) {
        struct listener *listener = &transport->listeners[i];

        if (listener->conf == conf && listener->fd >= 0 && listener->queue)
            return listener;
    }
    return NULL;
}

int transport_send_udp(struct transport *transport, const struct transport_listener *conf,
                       const struct netaddr *to, struct slice bytes)
{
    struct listener *listener = find_open(transport, conf);
    struct udp_queue *queue;
    size_t offset;

    if (!listener)
        return -ENOENT;
    if (bytes.len > SIP_MAX_DATAGRAM)
        return -EMSGSIZE;
    queue = listener->queue;
    if (queue->count == UDP_BATCH)
        udp_flush(listener);
    offset = buf_len(&queue->bytes);
    if (buf_append(&queue->bytes, bytes) < 0)
        return 0; /* out of memory: lost, as on the way */
    queue->entry[queue->count].offset = offset;
    queue->entry[queue->count].len = bytes.len;
    queue->entry[queue->count].to = *to;
    queue->count++;
    return 0;
}
