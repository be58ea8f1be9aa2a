#include "peering/sip/sip.h"

#include <errno.h>

enum sip_method sip_method_of(struct slice text)
{
    static const struct {
        struct slice text;
        enum sip_method method;
    } methods[] = {
        {{"INVITE", 6}, SIP_INVITE},   {{"ACK", 3}, SIP_ACK},
        {{"BYE", 3}, SIP_BYE},         {{"CANCEL", 6}, SIP_CANCEL},
        {{"OPTIONS", 7}, SIP_OPTIONS}, {{"REGISTER", 8}, SIP_REGISTER},
        {{"MESSAGE", 7}, SIP_MESSAGE},
    };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (slice_eq(methods[i].text, text))
            return methods[i].method;
    return SIP_METHOD_OTHER;
}

const char *sip_transport_name(enum sip_transport transport)
{
    switch (transport) {
    case SIP_UDP:
        return "UDP";
    case SIP_TCP:
        return "TCP";
    case SIP_TLS:
        return "TLS";
    case SIP_SCTP:
        return "SCTP";
    }
    return "UNKNOWN";
}

int sip_transport_parse(struct slice text, enum sip_transport *transport)
{
    static const enum sip_transport all[] = {SIP_UDP, SIP_TCP, SIP_TLS, SIP_SCTP};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (slice_eq_nocase(text, slice_of(sip_transport_name(all[i])))) {
            *transport = all[i];
            return 0;
        }
    }
    return -EINVAL;
}
