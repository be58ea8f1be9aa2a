/* The start line (section 7.1, 7.2). */
#include "peering/sip/internal.h"

#include "base/status.h"

static const char *const uri_reasons[SIP_URI_FAULT_COUNT] = {
    [SIP_URI_SCHEME] = "Request-URI is not a URI",
    [SIP_URI_USER] = "Request-URI: the user part is empty or has a character or escape that is not "
                     "allowed there",
    [SIP_URI_HOST] =
        "Request-URI: the host is not a domain name, an IPv4 address or an IPv6 address "
        "in brackets",
    [SIP_URI_PORT] = "Request-URI: the port is not a number from 1 to 65535",
    [SIP_URI_PARAMS] = "Request-URI: a parameter is malformed",
    [SIP_URI_HEADERS] = "Request-URI: the headers after '?' are malformed",
};

/* SIP-Version = "SIP" "/" 1*DIGIT "." 1*DIGIT */
static bool is_version(struct slice text)
{
    if (!slice_starts_with_nocase(text, SLICE("SIP/")))
        return false;
    const char *p = text.p + sizeof("SIP/") - 1;
    const char *end = slice_end(text);
    const char *dot = p;
    while (dot < end && char_is_digit(*dot))
        dot++;
    if (dot == p || dot == end || *dot != '.')
        return false;
    for (p = dot + 1; p < end && char_is_digit(*p); p++)
        ;
    return p == end && p > dot + 1;
}

static struct sip_fault version_fault(struct slice version)
{
    if (slice_eq_nocase(version, SLICE("SIP/2.0")))
        return (struct sip_fault){0, NULL};
    if (is_version(version))
        return (struct sip_fault){505, "the SIP version is not 2.0"};
    if (slice_find(version, ' ') < version.len)
        return (struct sip_fault){400, "request line: white space in or after the Request-URI"};
    return (struct sip_fault){400, "request line: the SIP version is missing"};
}

static struct sip_fault request_uri_decode(struct sip_msg *msg)
{
    if (msg->uri_text.len == 0)
        return (struct sip_fault){400, "request line: more than one space after the method"};
    if (msg->uri_text.p[0] == '<')
        return (struct sip_fault){400, "Request-URI is in angle brackets"};
    enum sip_uri_fault fault = sip_uri_scan(msg->uri_text, &msg->uri);
    if (fault != SIP_URI_OK)
        return (struct sip_fault){400, uri_reasons[fault]};
    /* Section 19.1.1: not allowed in a Request-URI, and a danger to whoever obeys them. */
    if (msg->uri.headers.len > 0)
        return (struct sip_fault){400, "Request-URI carries header fields after '?'"};
    return (struct sip_fault){0, NULL};
}

/* Request-Line = Method SP Request-URI SP SIP-Version */
static struct sip_fault request_line_decode(struct slice line, struct sip_msg *msg)
{
    const char *end = slice_end(line);
    const char *method_end = sip_span(line.p, end, SIP_C_TOKEN);

    if (method_end == line.p || method_end == end || *method_end != ' ')
        return (struct sip_fault){0, "neither a request line nor a status line"};
    msg->is_request = true;
    msg->method_text = slice_between(line.p, method_end);
    msg->method = sip_method_of(msg->method_text);

    struct slice rest = slice_between(method_end + 1, end);
    msg->uri_text = slice_make(rest.p, slice_find(rest, ' '));
    struct sip_fault uri_fault = request_uri_decode(msg);
    struct sip_fault fault = version_fault(slice_skip(rest, msg->uri_text.len + 1));
    return fault.status == 0 || msg->uri_text.len == 0 ? uri_fault : fault;
}

/* Status-Line = SIP-Version SP Status-Code SP Reason-Phrase; the space before an empty phrase is
 * often forgotten. */
static struct sip_fault status_line_decode(struct slice line, struct sip_msg *msg)
{
    if (!slice_starts_with_nocase(line, SLICE("SIP/2.0 ")))
        return (struct sip_fault){0, "status line: the SIP version is not 2.0"};
    const char *p = line.p + sizeof("SIP/2.0 ") - 1;
    const char *end = slice_end(line);
    const char *after = p;
    while (after < end && char_is_digit(*after))
        after++;
    if (after - p != 3 || *p < '1' || *p > '6' || (after < end && *after != ' '))
        return (struct sip_fault){0, "status line: the code is not a number from 100 to 699"};
    msg->status = (unsigned)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
    msg->reason = after == end ? slice_make(end, 0) : slice_between(after + 1, end);
    return (struct sip_fault){0, NULL};
}

struct sip_fault sip_start_line_decode(struct slice line, struct sip_msg *msg)
{
    if (memchr(line.p, '\0', line.len) != NULL)
        return (struct sip_fault){0, "start line: a NUL byte"};
    if (slice_starts_with_nocase(line, SLICE("SIP/")))
        return status_line_decode(line, msg);
    return request_line_decode(line, msg);
}
