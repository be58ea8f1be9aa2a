/* HEP version 3: copies of messages for a capture server, one datagram each.
 *
 * Sent at once and never waited for; what the socket does not take is lost and counted. The copies
 * lack what taps do not show (see watch.h). */
#ifndef JUNCTOR_PEERING_WATCH_HEP_H
#define JUNCTOR_PEERING_WATCH_HEP_H

#include "base/netaddr.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEP_PACKET_MAX  65507 /* bytes of a datagram */
#define HEP_CALL_ID_MAX 256   /* bytes of a Call-ID; what is longer is cut */
/* All chunks with their heads, but for the message. */
#define HEP_HEAD_MAX    (160 + HEP_CALL_ID_MAX)
#define HEP_MESSAGE_MAX (HEP_PACKET_MAX - HEP_HEAD_MAX)

struct hep {
    int fd; /* connected; < 0: off */
    uint32_t id;
    bool media_keys; /* of SDP are copied too; hep_open clears it */
    uint64_t lost;
};

/* One message on its way. */
struct hep_packet {
    struct netaddr from, to; /* of one family */
    uint8_t protocol;        /* of IP: IPPROTO_UDP, IPPROTO_TCP */
    uint64_t time_us;        /* Unix time */
    struct slice call_id;    /* correlates the messages of a call */
    struct slice message;    /* at most HEP_MESSAGE_MAX */
};

/* `server` AF_UNSPEC: off. Returns 0 or -errno. */
int hep_open(struct hep *hep, const struct netaddr *server, uint32_t id);
void hep_close(struct hep *hep);
void hep_send(struct hep *hep, const struct hep_packet *packet);
/* The datagram; returns its length. Pure. */
size_t hep_pack(const struct hep_packet *packet, uint32_t id, char out[HEP_PACKET_MAX]);

#endif
