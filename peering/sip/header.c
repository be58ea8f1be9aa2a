#include "peering/sip/internal.h"

#include "base/status.h"

#include <errno.h>

const char *sip_line_end(const char *p, const char *end, bool *clean)
{
    for (;;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        if (newline == NULL)
            return NULL;
        if (newline == p || newline[-1] != '\r' ||
            memchr(p, '\r', (size_t)(newline - 1 - p)) != NULL)
            *clean = false;
        p = newline + 1;
        if (p == end || !char_is_blank(*p))
            return p;
    }
}

/* header-name HCOLON value; HCOLON = *( SP / HTAB ) ":" SWS */
int sip_header_decode(struct slice line, struct sip_header *header)
{
    const char *end = slice_end(line);
    const char *after = sip_span(line.p, end, SIP_C_TOKEN);
    const char *colon = after;

    while (colon < end && char_is_blank(*colon))
        colon++;
    if (after == line.p || colon == end || *colon != ':')
        return STATUS_MALFORMED;

    const char *value = sip_skip_lws(colon + 1, end);
    while (end > value && sip_is(end[-1], SIP_C_LWS))
        end--;
    header->line = line;
    header->name = slice_between(line.p, after);
    header->value = slice_between(value, end);
    header->id = sip_header_id_of(header->name);
    return 0;
}

static enum sip_header_id compact_id_of(char c)
{
    switch (char_lower(c)) {
    case 'v':
        return SIP_H_VIA;
    case 'f':
        return SIP_H_FROM;
    case 't':
        return SIP_H_TO;
    case 'i':
        return SIP_H_CALL_ID;
    case 'm':
        return SIP_H_CONTACT;
    case 'l':
        return SIP_H_CONTENT_LENGTH;
    case 'c':
        return SIP_H_CONTENT_TYPE;
    default:
        return SIP_H_OTHER;
    }
}

/* `id` if the name is `wanted` (of the same length, lower case), else SIP_H_OTHER. A name is a
 * token: setting the bit of lower case turns no other character of a token into a letter or a
 * hyphen. */
static enum sip_header_id id_if(struct slice name, const char *wanted, enum sip_header_id id)
{
    for (size_t i = 0; i < name.len; i++)
        if ((name.p[i] | 0x20) != wanted[i])
            return SIP_H_OTHER;
    return id;
}

static enum sip_header_id id_of_12(struct slice name)
{
    switch (name.p[0] | 0x20) {
    case 'm':
        return id_if(name, "max-forwards", SIP_H_MAX_FORWARDS);
    case 'r':
        return id_if(name, "record-route", SIP_H_RECORD_ROUTE);
    default:
        return id_if(name, "content-type", SIP_H_CONTENT_TYPE);
    }
}

static enum sip_header_id id_of_7(struct slice name)
{
    switch (name.p[0] | 0x20) {
    case 'c':
        if ((name.p[1] | 0x20) == 'a')
            return id_if(name, "call-id", SIP_H_CALL_ID);
        return id_if(name, "contact", SIP_H_CONTACT);
    case 'r':
        return id_if(name, "require", SIP_H_REQUIRE);
    default:
        return id_if(name, "privacy", SIP_H_PRIVACY);
    }
}

enum sip_header_id sip_header_id_of(struct slice name)
{
    switch (name.len) {
    case 1:
        return compact_id_of(name.p[0]);
    case 2:
        return id_if(name, "to", SIP_H_TO);
    case 3:
        return id_if(name, "via", SIP_H_VIA);
    case 4:
        if ((name.p[0] | 0x20) == 'f')
            return id_if(name, "from", SIP_H_FROM);
        return id_if(name, "cseq", SIP_H_CSEQ);
    case 5:
        return id_if(name, "route", SIP_H_ROUTE);
    case 7:
        return id_of_7(name);
    case 11:
        return id_if(name, "retry-after", SIP_H_RETRY_AFTER);
    case 12:
        return id_of_12(name);
    case 13:
        return id_if(name, "proxy-require", SIP_H_PROXY_REQUIRE);
    case 14:
        return id_if(name, "content-length", SIP_H_CONTENT_LENGTH);
    case 15:
        return id_if(name, "remote-party-id", SIP_H_REMOTE_PARTY_ID);
    case 19:
        return id_if(name, "p-asserted-identity", SIP_H_P_ASSERTED_IDENTITY);
    case 20:
        return id_if(name, "p-preferred-identity", SIP_H_P_PREFERRED_IDENTITY);
    default:
        return SIP_H_OTHER;
    }
}

int sip_content_length_decode(struct slice value, size_t *len)
{
    uint64_t decoded;
    int status = slice_to_u64(value, SIP_MAX_MESSAGE, &decoded);
    if (status == 0)
        *len = (size_t)decoded;
    return status;
}

const struct sip_header *sip_msg_header(const struct sip_msg *msg, enum sip_header_id id,
                                        const struct sip_header *prev)
{
    const struct sip_header *header = prev == NULL ? msg->headers : prev + 1;
    const struct sip_header *end = msg->headers + msg->header_count;

    for (; header < end; header++)
        if (header->id == id)
            return header;
    return NULL;
}

/* Compact forms of headers without an id (the registry of RFC 3968). 0: there is none. */
static char compact_form_of(struct slice name)
{
    static const struct {
        struct slice name;
        char compact;
    } forms[] = {
        {{"Accept-Contact", 14}, 'a'},
        {{"Referred-By", 11}, 'b'},
        {{"Request-Disposition", 19}, 'd'},
        {{"Content-Encoding", 16}, 'e'},
        {{"Reject-Contact", 14}, 'j'},
        {{"Supported", 9}, 'k'},
        {{"Identity-Info", 13}, 'n'},
        {{"Event", 5}, 'o'},
        {{"Refer-To", 8}, 'r'},
        {{"Subject", 7}, 's'},
        {{"Allow-Events", 12}, 'u'},
        {{"Session-Expires", 15}, 'x'},
        {{"Identity", 8}, 'y'},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (slice_eq_nocase(forms[i].name, name))
            return forms[i].compact;
    return 0;
}

const struct sip_header *sip_msg_header_named(const struct sip_msg *msg, const char *name)
{
    struct slice wanted = slice_of(name);
    char compact = compact_form_of(wanted);

    for (size_t i = 0; i < msg->header_count; i++) {
        const struct sip_header *header = &msg->headers[i];
        if (slice_eq_nocase(header->name, wanted) ||
            (header->name.len == 1 && compact != 0 && char_lower(header->name.p[0]) == compact))
            return header;
    }
    return NULL;
}
