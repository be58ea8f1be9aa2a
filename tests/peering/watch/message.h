/* Messages for the tests of taps. */
#ifndef JUNCTOR_TESTS_PEERING_WATCH_MESSAGE_H
#define JUNCTOR_TESTS_PEERING_WATCH_MESSAGE_H

#include "peering/watch/watch.h"
#include "tests/test.h"

#include <string.h>

struct message {
    struct sip_header headers[SIP_MAX_HEADERS];
    struct sip_msg msg;
};

/* Parses a text; `text` must live as long. */
static inline const struct sip_msg *message_read(struct message *message, const char *text)
{
    struct sip_fault fault;
    assert_int_equal(sip_msg_parse(slice_of(text), false, message->headers, SIP_MAX_HEADERS,
                                   &message->msg, &fault),
                     0);
    return &message->msg;
}

#endif
