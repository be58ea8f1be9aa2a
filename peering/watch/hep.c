#include "peering/watch/hep.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Chunk types of the generic vendor, 0. */
enum chunk {
    CHUNK_FAMILY = 1,
    CHUNK_PROTOCOL = 2,
    CHUNK_FROM_IP4 = 3,
    CHUNK_TO_IP4 = 4,
    CHUNK_FROM_IP6 = 5,
    CHUNK_TO_IP6 = 6,
    CHUNK_FROM_PORT = 7,
    CHUNK_TO_PORT = 8,
    CHUNK_SECONDS = 9,
    CHUNK_MICROSECONDS = 10,
    CHUNK_TYPE = 11, /* of the message: 1 is SIP */
    CHUNK_CAPTURE_ID = 12,
    CHUNK_MESSAGE = 15,
    CHUNK_CORRELATION = 17
};

#define CHUNK_HEAD 6 /* vendor, type, length */

struct out {
    char *bytes;
    size_t len;
};

static void put_16(char *p, size_t value)
{
    p[0] = (char)(value >> 8 & 255);
    p[1] = (char)(value & 255);
}

static void put_chunk(struct out *out, enum chunk type, const void *value, size_t len)
{
    char *p = out->bytes + out->len;
    put_16(p, 0);
    put_16(p + 2, type);
    put_16(p + 4, CHUNK_HEAD + len);
    if (len > 0)
        memcpy(p + CHUNK_HEAD, value, len);
    out->len += CHUNK_HEAD + len;
}

/* Big-endian, in `size` octets. */
static void put_number(struct out *out, enum chunk type, uint32_t value, size_t size)
{
    const char bytes[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8),
                           (char)value};
    put_chunk(out, type, bytes + 4 - size, size);
}

static void put_addresses(struct out *out, const struct hep_packet *packet)
{
    bool six = packet->from.sa.sa_family == AF_INET6;
    put_number(out, CHUNK_FAMILY, six ? AF_INET6 : AF_INET, 1);
    put_number(out, CHUNK_PROTOCOL, packet->protocol, 1);
    if (six) {
        put_chunk(out, CHUNK_FROM_IP6, &packet->from.in6.sin6_addr, 16);
        put_chunk(out, CHUNK_TO_IP6, &packet->to.in6.sin6_addr, 16);
    } else {
        put_chunk(out, CHUNK_FROM_IP4, &packet->from.in4.sin_addr, 4);
        put_chunk(out, CHUNK_TO_IP4, &packet->to.in4.sin_addr, 4);
    }
    put_number(out, CHUNK_FROM_PORT, netaddr_port(&packet->from), 2);
    put_number(out, CHUNK_TO_PORT, netaddr_port(&packet->to), 2);
}

size_t hep_pack(const struct hep_packet *packet, uint32_t id, char bytes[HEP_PACKET_MAX])
{
    struct out out = {.bytes = bytes, .len = 6};
    size_t call_len = packet->call_id.len < HEP_CALL_ID_MAX ? packet->call_id.len : HEP_CALL_ID_MAX;
    memcpy(bytes, "HEP3", 4);
    put_addresses(&out, packet);
    put_number(&out, CHUNK_SECONDS, (uint32_t)(packet->time_us / 1000000), 4);
    put_number(&out, CHUNK_MICROSECONDS, (uint32_t)(packet->time_us % 1000000), 4);
    put_number(&out, CHUNK_TYPE, 1, 1);
    put_number(&out, CHUNK_CAPTURE_ID, id, 4);
    put_chunk(&out, CHUNK_CORRELATION, packet->call_id.p, call_len);
    put_chunk(&out, CHUNK_MESSAGE, packet->message.p,
              packet->message.len < HEP_MESSAGE_MAX ? packet->message.len : HEP_MESSAGE_MAX);
    put_16(bytes + 4, out.len);
    return out.len;
}

int hep_open(struct hep *hep, const struct netaddr *server, uint32_t id)
{
    *hep = (struct hep){.fd = -1, .id = id};
    if (server->sa.sa_family == AF_UNSPEC)
        return 0;
    int fd = socket(server->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, &server->sa, netaddr_len(server)) != 0) {
        int status = -errno;
        close(fd);
        return status;
    }
    hep->fd = fd;
    return 0;
}

void hep_close(struct hep *hep)
{
    if (hep->fd >= 0)
        close(hep->fd);
    hep->fd = -1;
}

void hep_send(struct hep *hep, const struct hep_packet *packet)
{
    char bytes[HEP_PACKET_MAX];
    size_t len = hep_pack(packet, hep->id, bytes);
    if (send(hep->fd, bytes, len, MSG_NOSIGNAL) < 0)
        hep->lost++;
}
