/* SIP messages as one line of text, for tests: what matters is written out, the rest has defaults.
 *
 *     INVITE                          a request
 *     180 INVITE                      a response and its CSeq method
 *     200 INVITE to-tag=b             a value other than the default
 *     ACK branch=none                 without branch (RFC 2543)
 *
 * Values: branch, host and port (of the top Via), uri, from-tag, to-tag, call-id, cseq. */
#ifndef JUNCTOR_TESTS_PEERING_TXN_MESSAGE_H
#define JUNCTOR_TESTS_PEERING_TXN_MESSAGE_H

#include "base/arena.h"
#include "peering/sip/sip.h"

#define MESSAGE_TEXT_MAX 256

/* The message in the arena, parsed. NULL where the text names no message. */
const struct sip_msg *message_of(struct arena *arena, const char *text);

/* The text of a message: the start line's word or words, then what is not the default. */
const char *message_text(const struct sip_msg *msg, char text[MESSAGE_TEXT_MAX]);
/* The same for bytes that were sent; "garbage" where they are no message. */
const char *message_bytes_text(struct slice bytes, char text[MESSAGE_TEXT_MAX]);

#endif
