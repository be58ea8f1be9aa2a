/* What the files of sip/ share and nobody else sees: character classes of the RFC 3261 grammar and
 * the scanners that every decoder is made of. A cursor never moves past its end and never reads a
 * byte there. */
#ifndef JUNCTOR_PEERING_SIP_INTERNAL_H
#define JUNCTOR_PEERING_SIP_INTERNAL_H

#include "base/chars.h"
#include "peering/sip/sip.h"

/* Sets of characters (section 25.1). "%" is in none of those where it starts an escape. */
enum sip_class {
    SIP_C_LWS = 1 << 0,     /* SP HT CR LF: a line break only ever occurs where a line is folded */
    SIP_C_TOKEN = 1 << 1,   /* token */
    SIP_C_USER = 1 << 2,    /* unreserved, user-unreserved */
    SIP_C_PASS = 1 << 3,    /* password */
    SIP_C_UPARAM = 1 << 4,  /* paramchar of a URI */
    SIP_C_UHDR = 1 << 5,    /* hname, hvalue and their "=" and "&" */
    SIP_C_HOST = 1 << 6,    /* hostname, IPv4address, and "_", which real hosts are named with */
    SIP_C_VALUE = 1 << 7,   /* unquoted value of a header parameter: what cannot end it */
    SIP_C_WORD = 1 << 8,    /* visible ASCII: Call-ID */
    SIP_C_DISPLAY = 1 << 9, /* unquoted display name; bytes over 127 are tolerated */
    SIP_C_OPAQUE = 1 << 10, /* a URI of a scheme that is not ours */
    SIP_C_TEL = 1 << 11,    /* telephone number with visual separators (RFC 3966) */
    SIP_C_QTEXT = 1 << 12   /* qdtext */
};

extern const uint16_t sip_class_of[256];

static inline bool sip_is(char c, unsigned classes)
{
    return (sip_class_of[(unsigned char)c] & classes) != 0;
}

/* The first byte of [p, end) that is not in the classes. */
static inline const char *sip_span(const char *p, const char *end, unsigned classes)
{
    while (p < end && sip_is(*p, classes))
        p++;
    return p;
}

static inline const char *sip_skip_lws(const char *p, const char *end)
{
    return sip_span(p, end, SIP_C_LWS);
}

/* As sip_span, with %HH escapes. */
const char *sip_span_escaped(const char *p, const char *end, unsigned classes);

/* The byte after a quoted string that starts at `p`, or NULL (unterminated, or a control character
 * in it). */
const char *sip_quoted_end(const char *p, const char *end);

/* ---- parameters of a header ---- */

struct sip_param_item {
    struct slice bytes; /* "name" or "name=value", without the ';' */
    struct slice name;
    struct slice value; /* empty where there is none; quotes kept */
};

/* Takes ";name=value" off the front, white space around the separators included.
 * Returns the byte after it; `p` itself where no parameter starts there; NULL where it is
 * malformed. */
const char *sip_param_next(const char *p, const char *end, struct sip_param_item *item);

/* ---- lists ---- */

/* What is left of a comma list of which an element ended at `p`, a comma or the end. Returns
 * whether another element follows the comma. */
bool sip_list_rest(const char *p, const char *end, struct slice *list);

/* ---- hosts ---- */

/* Takes a host off the front. Returns the byte after it, or NULL where there is none. */
const char *sip_host_next(const char *p, const char *end, struct slice *host,
                          enum sip_host_kind *kind);

/* Takes digits of a port, 1..65535, off the front. Returns the byte after them, or NULL. */
const char *sip_port_next(const char *p, const char *end, uint16_t *port);

/* ---- decoders that say what is wrong ---- */

enum sip_uri_fault {
    SIP_URI_OK,
    SIP_URI_SCHEME,
    SIP_URI_USER,
    SIP_URI_HOST,
    SIP_URI_PORT,
    SIP_URI_PARAMS,
    SIP_URI_HEADERS,
    SIP_URI_FAULT_COUNT
};

enum sip_uri_fault sip_uri_scan(struct slice text, struct sip_uri *uri);

enum sip_nameaddr_fault {
    SIP_NAMEADDR_OK,
    SIP_NAMEADDR_QUOTES,
    SIP_NAMEADDR_DISPLAY,
    SIP_NAMEADDR_BRACKETS,
    SIP_NAMEADDR_URI,
    SIP_NAMEADDR_PARAMS,
    SIP_NAMEADDR_FAULT_COUNT
};

/* Decodes one element up to `end` or a comma; *next is where it stopped. `tag`, which may be NULL,
 * is the value of its tag parameter: empty if there is none. */
enum sip_nameaddr_fault sip_nameaddr_scan(const char *p, const char *end,
                                          struct sip_nameaddr *nameaddr, struct slice *tag,
                                          const char **next);

enum sip_via_fault {
    SIP_VIA_OK,
    SIP_VIA_PROTOCOL,
    SIP_VIA_SENT_BY,
    SIP_VIA_PARAMS,
    SIP_VIA_FAULT_COUNT
};

/* As sip_nameaddr_scan. */
enum sip_via_fault sip_via_scan(const char *p, const char *end, struct sip_via *via,
                                const char **next);

/* ---- lines ---- */

/* The byte after the header line that starts at `p`, its continuation lines included, or NULL where
 * no line end has come. *clean becomes false where a CR or LF stands without the other: other
 * software may see a line end there where we see none, or the other way round. */
const char *sip_line_end(const char *p, const char *end, bool *clean);

/* Is [p, end) at the empty line that ends the header section? */
static inline bool sip_at_empty_line(const char *p, const char *end)
{
    return end - p >= 2 && p[0] == '\r' && p[1] == '\n';
}

/* Splits a line found by sip_line_end. Returns 0 or STATUS_MALFORMED. */
int sip_header_decode(struct slice line, struct sip_header *header);

/* Id of a header name, compact forms included. */
enum sip_header_id sip_header_id_of(struct slice name);

/* Decodes the start line, without its line end. Returns {0, NULL}, or what is wrong with it; status
 * 0 where it cannot be answered. */
struct sip_fault sip_start_line_decode(struct slice line, struct sip_msg *msg);

/* Value of a Content-Length header. Returns 0; -EINVAL not a number; -ERANGE no message is that
 * long. */
int sip_content_length_decode(struct slice value, size_t *len);

#endif
