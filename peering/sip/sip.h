/* SIP messages as bytes plus an index (RFC 3261 section 7 and 25).
 *
 * A received message is parsed without copying: every slice below points into the received bytes.
 * What routing needs is decoded (start line, URIs, topmost Via, tags, CSeq ...); every other header
 * is known by its place only and is passed on byte for byte. Forwarding never changes those bytes:
 * it collects edits (struct sip_edits) that are applied while the message is gathered into the
 * place it is sent from. The life of a request: sip_frame finds where it ends on a stream,
 * sip_msg_parse indexes it, the proxy adds edits, sip_edits_gather writes the result.
 *
 * Nothing here performs I/O, reads a clock or has global state. Every function may be called from
 * any thread on its own objects. Nothing here logs. */
#ifndef JUNCTOR_PEERING_SIP_SIP_H
#define JUNCTOR_PEERING_SIP_SIP_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIP_MAX_MESSAGE   65535   /* bytes, what a UDP datagram can hold; streams keep to it too */
#define SIP_MAX_DATAGRAM  65507   /* bytes that IPv4 and UDP leave of it */
#define SIP_SAFE_DATAGRAM 1300    /* a longer request had better go by TCP (18.1.1) */
#define SIP_MAX_SKIPPED   1048576 /* bytes of content of a response that is passed over */
#define SIP_MAX_HEADER    32768   /* bytes of start line and headers together */
#define SIP_MAX_HEADERS   256     /* header lines of one message; more are refused */
#define SIP_MAX_EDITS     64      /* edits of one forwarded message */

enum sip_transport { SIP_UDP, SIP_TCP, SIP_TLS, SIP_SCTP };

/* "UDP", "TCP", "TLS", "SCTP": the Via form. */
const char *sip_transport_name(enum sip_transport transport);
/* "udp", "tcp", "tls", "sctp" in any case. Returns 0 or -EINVAL (unknown). */
int sip_transport_parse(struct slice text, enum sip_transport *transport);
static inline bool sip_transport_is_stream(enum sip_transport transport)
{
    return transport != SIP_UDP;
}

/* ---- URIs (RFC 3261 section 19.1, RFC 3966 for tel) ---- */

enum sip_scheme { SIP_SCHEME_SIP, SIP_SCHEME_SIPS, SIP_SCHEME_TEL, SIP_SCHEME_OTHER };
enum sip_host_kind { SIP_HOST_NAME, SIP_HOST_IP4, SIP_HOST_IP6 };

struct sip_uri {
    struct slice bytes; /* the whole URI */
    enum sip_scheme scheme;
    struct slice scheme_text; /* without the colon */
    struct slice user;        /* escaped as received, user parameters included; empty if none. For
                                 tel: the number with its punctuation, no parameters */
    bool has_user;            /* "sip:@host" has an empty user and is malformed */
    struct slice password;
    struct slice host; /* without brackets for IPv6 */
    enum sip_host_kind host_kind;
    uint16_t port;        /* 0 when absent */
    struct slice params;  /* from the first ';' (included) to the headers; empty if none */
    struct slice headers; /* after '?', without it */
};

/* Decodes exactly `text`. For schemes other than sip, sips, tel only scheme and bytes are set.
 * Returns 0 or STATUS_MALFORMED. */
int sip_uri_decode(struct slice text, struct sip_uri *uri);

/* Value of a parameter in a ";name=value;name" list, name compared without case; *value is empty
 * for a flag; surrounding quotes are kept. Returns whether it is there. `value` may be NULL. */
bool sip_param(struct slice params, const char *name, struct slice *value);

/* The same in the parameters of a URI, where a name may be escaped too (";%6C%72" is ";lr"):
 * whoever looks for a parameter that must not be there uses this one. */
bool sip_uri_param(const struct sip_uri *uri, const char *name, struct slice *value);

/* Undoes %HH escapes into out (at most `size` bytes). Returns the length, or -EINVAL (bad escape)
 * or -ERANGE. NUL bytes may result: the result is bytes, not a string. */
int sip_unescape(struct slice text, char *out, size_t size);

/* ---- name-addr and lists (From, To, Contact, Route, P-Asserted-Identity ...) ---- */

struct sip_nameaddr {
    struct slice bytes;   /* the whole list element, trimmed */
    struct slice display; /* quotes kept; empty if none */
    struct sip_uri uri;
    bool brackets;       /* <uri>; without, parameters belong to the header */
    struct slice params; /* of the header, from the first ';' */
};

/* Decodes exactly one element (From, To). Returns 0 or STATUS_MALFORMED. */
int sip_nameaddr_decode(struct slice text, struct sip_nameaddr *nameaddr);

/* Takes the first element off a comma list (commas in quotes and brackets do not count).
 * Returns 0, STATUS_NOTFOUND at the end of the list, or STATUS_MALFORMED. */
int sip_nameaddr_next(struct slice *list, struct sip_nameaddr *nameaddr);

/* Takes the first element of any comma list. Same returns. */
int sip_list_next(struct slice *list, struct slice *element);

/* ---- Via (RFC 3261 section 20.42, RFC 3581) ---- */

struct sip_via {
    struct slice bytes; /* this Via value only, trimmed */
    struct slice transport_text;
    struct slice host; /* sent-by, without brackets */
    enum sip_host_kind host_kind;
    uint16_t port; /* 0 when absent */
    struct slice params;
    struct slice branch;   /* empty if none */
    struct slice received; /* without brackets */
    bool has_rport;        /* rport, with or without a value */
    struct slice rport;    /* "rport" or "rport=1234" as received, without the ';' */
    uint16_t rport_port;   /* 0 when without value */
    bool alias;            /* RFC 5923 */
};

/* Takes the first Via off a comma list. Returns as sip_nameaddr_next. */
int sip_via_next(struct slice *list, struct sip_via *via);

/* Does the branch start with z9hG4bK and carry something after it? */
bool sip_branch_is_rfc3261(struct slice branch);

/* ---- messages ---- */

enum sip_method {
    SIP_INVITE,
    SIP_ACK,
    SIP_BYE,
    SIP_CANCEL,
    SIP_OPTIONS,
    SIP_REGISTER,
    SIP_MESSAGE,
    SIP_METHOD_OTHER /* every other one, known by its text only */
};

/* Methods are case-sensitive (section 7.1). */
enum sip_method sip_method_of(struct slice text);

enum sip_header_id {
    SIP_H_OTHER,
    SIP_H_VIA,
    SIP_H_FROM,
    SIP_H_TO,
    SIP_H_CALL_ID,
    SIP_H_CSEQ,
    SIP_H_MAX_FORWARDS,
    SIP_H_ROUTE,
    SIP_H_RECORD_ROUTE,
    SIP_H_CONTACT,
    SIP_H_CONTENT_LENGTH,
    SIP_H_CONTENT_TYPE,
    SIP_H_PROXY_REQUIRE,
    SIP_H_REQUIRE,
    SIP_H_P_ASSERTED_IDENTITY,
    SIP_H_P_PREFERRED_IDENTITY,
    SIP_H_REMOTE_PARTY_ID,
    SIP_H_PRIVACY,
    SIP_H_RETRY_AFTER,
    SIP_H_COUNT
};

struct sip_header {
    enum sip_header_id id; /* compact forms are recognised */
    struct slice line;     /* the whole line(s) with folding and final line end */
    struct slice name;
    struct slice value; /* trimmed; folded lines still contain their line ends */
};

/* A parsed message. Value type: copying the struct copies no bytes. */
struct sip_msg {
    struct slice bytes; /* start line to end of body */
    bool is_request;

    /* request */
    enum sip_method method;
    struct slice method_text;
    struct sip_uri uri;    /* Request-URI, brackets of a faulty "<uri>" included in uri_text only */
    struct slice uri_text; /* its place in the bytes */

    /* response */
    unsigned status; /* 100..699 */
    struct slice reason;

    struct slice start_line; /* with its line end */
    struct sip_header *headers;
    size_t header_count;

    /* Decoded; exactly one of each is required but for Max-Forwards and Content-Length. */
    struct sip_via via; /* topmost */
    struct sip_nameaddr from, to;
    struct slice from_tag, to_tag; /* empty if none */
    struct slice call_id;
    uint32_t cseq;
    enum sip_method cseq_method;
    struct slice cseq_method_text;
    bool has_max_forwards;
    unsigned max_forwards;
    bool has_content_length;
    size_t content_length;

    const char *headers_end; /* the empty line that ends the header section */
    struct slice body;
};

/* Why a message was refused: what the sender is told. `status` is the SIP status that fits
 * (400, 505, 513; 0: not a request, there is nobody to answer, but 513 where a response is too
 * long), `reason` a text fit for a Warning or a reason phrase such as "CSeq number is over
 * 2**32-1". */
struct sip_fault {
    unsigned status;
    const char *reason;
};

/* Parses one message.
 * bytes    the message: a whole datagram, or a frame found by sip_frame
 * stream   whether it came over a stream. There Content-Length is required and already honoured;
 *          in a datagram the body is Content-Length bytes, further bytes are ignored (18.3), or all
 *          the rest where the header is absent; more than there is is malformed
 * headers  room for `header_max` entries; msg->headers points to it
 * Lines end in CR LF; a CR or LF alone is malformed, as others may see a line end there.
 * Returns 0; STATUS_MALFORMED with *fault set. On STATUS_MALFORMED whatever could be decoded before
 * the fault is set in *msg, and `sip_msg_can_answer` tells whether that suffices for an answer. */
int sip_msg_parse(struct slice bytes, bool stream, struct sip_header *headers, size_t header_max,
                  struct sip_msg *msg, struct sip_fault *fault);

/* Is this (perhaps malformed) message a request other than ACK, so that it can be answered? A
 * header that is missing in it is then missing in the response too, as in `insuf` of RFC 4475
 * section 3.3.1. Where Via cannot be read, its source is all there is to answer to. */
bool sip_msg_can_answer(const struct sip_msg *msg);

/* A copy of the message, its bytes and its index, in the arena. NULL on exhaustion. */
struct sip_msg *sip_msg_copy(struct arena *arena, const struct sip_msg *msg);

/* The next header of this kind after `prev` (NULL: the first one), or NULL. */
const struct sip_header *sip_msg_header(const struct sip_msg *msg, enum sip_header_id id,
                                        const struct sip_header *prev);
/* The first header of this name, in any case; for headers without an id. */
const struct sip_header *sip_msg_header_named(const struct sip_msg *msg, const char *name);

/* ---- framing on streams (section 18.3; keep-alives of RFC 5626 section 3.5.1) ---- */

enum sip_frame_kind {
    SIP_FRAME_INCOMPLETE, /* wait for more bytes */
    SIP_FRAME_MESSAGE,    /* a message of `len` bytes starts at `skip` */
    SIP_FRAME_PING,       /* CRLF CRLF: answer CRLF, then drop `skip` bytes */
    SIP_FRAME_TOO_LONG,   /* a response's header section of `len` bytes at `skip`: sip_msg_parse
                             refuses it; its content, `rest` bytes behind it, is to be passed over */
    SIP_FRAME_BAD         /* framing is lost: close the connection; `fault` says why. Where `len` is
                             not 0, the header section, or what is read of one that is too long, is
                             there: sip_msg_parse refuses it, with what is needed for an answer */
};

struct sip_frame {
    enum sip_frame_kind kind;
    size_t skip; /* bytes before the message (single CRLFs), or of a ping */
    size_t len, rest;
    struct sip_fault fault;
};

/* Looks at what has arrived so far. `scanned` is the caller's memory between calls on the same
 * unconsumed bytes (0 at first, and again after a message was consumed), so that a message arriving
 * byte by byte costs linear time. A request over SIP_MAX_MESSAGE or a header section over
 * SIP_MAX_HEADER is SIP_FRAME_BAD with status 513; of a response, others share whose connection,
 * the end is known all the same (SIP_FRAME_TOO_LONG) unless it is too far away (SIP_MAX_SKIPPED).
 */
struct sip_frame sip_frame(struct slice bytes, size_t *scanned);

/* ---- edits ---- */

struct sip_edit {
    const char *at;   /* place in the message */
    size_t remove;    /* bytes taken out there */
    struct slice put; /* bytes put in their place; must live until gathered */
};

struct sip_edits {
    struct slice bytes;
    struct sip_edit edit[SIP_MAX_EDITS];
    size_t count;
    bool overflow; /* sticky: an edit did not fit or an input slice was an exhausted arena's */
};

/* Starts an empty list over the bytes of a message. */
void sip_edits_init(struct sip_edits *edits, struct slice bytes);
/* Edits at the same place apply in the order they were added. Where removals overlap, a byte is
 * removed once. A place outside of the bytes, or a text with a NULL pointer, sets `overflow`. */
void sip_edits_insert(struct sip_edits *edits, const char *at, struct slice put);
void sip_edits_replace(struct sip_edits *edits, struct slice old, struct slice put);
void sip_edits_remove(struct sip_edits *edits, struct slice old);

/* Removes one element of a comma list header: the whole line where no element of it stays, else the
 * element with a comma. `element` is one that sip_list_next or sip_nameaddr_next (its `bytes`) took
 * off `header->value`. */
void sip_edits_remove_element(struct sip_edits *edits, const struct sip_header *header,
                              struct slice element);

/* Notes in a Via where it came from (18.2.1, RFC 3581 section 4): "received" is set to the IP
 * address `received` (no brackets; empty: it is left alone), a "rport" that is there to the port
 * `rport` (0: left alone). `received` must live until gathered; the digits of the port are made in
 * the arena. */
void sip_edits_mark_via(struct sip_edits *edits, struct arena *arena, const struct sip_via *via,
                        struct slice received, uint16_t rport);

/* Length of the result; 0 when `overflow`. */
size_t sip_edits_len(struct sip_edits *edits);
/* Writes the result: sip_edits_len bytes. */
void sip_edits_gather(struct sip_edits *edits, char *out);

/* ---- building ---- */

struct sip_reply {
    unsigned status;
    const char *reason;    /* NULL: the standard phrase of the status */
    struct slice to_tag;   /* added where the request's To has none and status is not 100 */
    struct slice headers;  /* whole further header lines with CRLF, or empty */
    struct slice received; /* IP put into ";received=" of the topmost Via, or empty */
    uint16_t rport;        /* fills the topmost Via's rport; 0: leaves it */
};

/* A response to `request`, for which sip_msg_can_answer holds (section 8.2.6): all Vias, From, To,
 * Call-ID, CSeq, in a 100 also Timestamp, in 101-299 also Record-Route; Content-Length 0. In the
 * arena; p == NULL on exhaustion. */
struct slice sip_reply_build(struct arena *arena, const struct sip_msg *request,
                             const struct sip_reply *reply);

/* The standard reason phrase, "Unknown" if there is none. */
const char *sip_reason(unsigned status);

/* The ACK for a non-2xx final response (17.1.1.3) and the CANCEL (9.1) for an INVITE as this proxy
 * sent it: `invite` is the parsed sent request. In the arena; p == NULL on exhaustion. */
struct slice sip_ack_build(struct arena *arena, const struct sip_msg *invite,
                           const struct sip_msg *response);
struct slice sip_cancel_build(struct arena *arena, const struct sip_msg *invite);

#endif
