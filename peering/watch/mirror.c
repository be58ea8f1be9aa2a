/* From a message that passed to its copy for the capture server. */
#include "peering/watch/watch.h"

#include <netinet/in.h>
#include <string.h>

static uint8_t protocol_of(enum sip_transport transport)
{
    switch (transport) {
    case SIP_UDP:
        return IPPROTO_UDP;
    case SIP_TCP:
    case SIP_TLS:
        return IPPROTO_TCP;
    case SIP_SCTP:
        return IPPROTO_SCTP;
    }
    return IPPROTO_TCP;
}

void watch_mirror(struct hep *hep, const struct watch_hop *hop, const struct sip_msg *msg)
{
    char text[HEP_MESSAGE_MAX];
    bool cut;
    struct netaddr local = hop->local;
    if (local.sa.sa_family !=
        hop->remote.sa.sa_family) { /* a listener of the other family names us */
        memset(&local, 0, sizeof(local));
        local.sa.sa_family = hop->remote.sa.sa_family;
    }
    const struct hep_packet packet = {
        .from = hop->sent ? local : hop->remote,
        .to = hop->sent ? hop->remote : local,
        .protocol = protocol_of(hop->transport),
        .time_us = hop->time_us,
        .call_id = msg->call_id,
        .message = {text, watch_redact(msg->bytes, hep->media_keys, text, sizeof(text), &cut)},
    };
    hep_send(hep, &packet);
}
