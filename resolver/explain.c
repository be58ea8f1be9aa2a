#include "resolver/explain.h"

#include "base/hex.h"
#include "base/status.h"
#include "resolver/service.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

void resolver_tell(const struct resolver_teller *teller, const char *format, ...)
{
    if (!teller->trace)
        return;
    char line[RESOLVER_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    teller->trace(line, teller->arg);
}

const char *resolver_failure_text(const struct resolver_outcome *outcome, char *text, size_t size)
{
    char upstream[NETADDR_TEXT_MAX];
    bool known = outcome->upstream.sa.sa_family != AF_UNSPEC;
    snprintf(text, size, "%s%s%s%s%s", outcome->cause, known ? " from " : "",
             known ? netaddr_format(&outcome->upstream, upstream) : "",
             outcome->io_error ? ": " : "",
             outcome->io_error ? status_text(outcome->io_error) : "");
    return text;
}

/* The bytes as text, cut where they are too many; what is not printable becomes '?'. */
static const char *printable(struct slice bytes, char *text, size_t size)
{
    size_t len = bytes.len < size - 1 ? bytes.len : size - 1;
    for (size_t i = 0; i < len; i++)
        text[i] = bytes.p[i] >= ' ' && bytes.p[i] < 0x7f ? bytes.p[i] : '?';
    text[len] = '\0';
    return text;
}

static void tell_tlsa(const struct resolver_teller *teller, const char *name,
                      const struct resolver_tlsa *tlsa, const char *tags)
{
    char hex[2 * 64 + 1] = ""; /* SHA-512 and shorter ones whole */
    size_t len = tlsa->data.len < sizeof(hex) / 2 ? tlsa->data.len : sizeof(hex) / 2;
    hex_encode(tlsa->data.p, len, hex);
    resolver_tell(teller, "TLSA %s: %u %u %u %s %s", name, tlsa->usage, tlsa->selector,
                  tlsa->matching, hex, tags);
}

static void tell_naptr(const struct resolver_teller *teller, const char *name,
                       const struct resolver_naptr *naptr, const char *tags)
{
    const char *refusal = teller->services ? resolver_naptr_refusal(naptr, teller->services) : NULL;
    char regexp[RESOLVER_LINE_MAX / 4];
    resolver_tell(
        teller, "NAPTR %s: %u %u \"%s\" \"%s\" %s%s%s%s %s%s%s", name, naptr->order,
        naptr->preference, naptr->flags, naptr->service, naptr->regexp.len > 0 ? "\"" : "",
        printable(naptr->regexp, regexp, sizeof(regexp)), naptr->regexp.len > 0 ? "\" " : "",
        naptr->replacement[0] ? naptr->replacement : ".", tags, refusal ? " ignored: " : "",
        refusal ? refusal : "");
}

static void tell_record(const struct resolver_teller *teller, const char *name,
                        enum resolver_type type, const struct resolver_record *record,
                        const char *tags)
{
    char ip[INET6_ADDRSTRLEN], text[RESOLVER_LINE_MAX / 4];
    switch (type) {
    case RESOLVER_A:
        inet_ntop(AF_INET, &record->a, ip, sizeof(ip));
        resolver_tell(teller, "A %s: %s %s", name, ip, tags);
        return;
    case RESOLVER_AAAA:
        inet_ntop(AF_INET6, &record->aaaa, ip, sizeof(ip));
        resolver_tell(teller, "AAAA %s: %s %s", name, ip, tags);
        return;
    case RESOLVER_SRV:
        resolver_tell(teller, "SRV %s: %u %u %u %s %s", name, record->srv.priority,
                      record->srv.weight, record->srv.port,
                      record->srv.target[0] ? record->srv.target : ".", tags);
        return;
    case RESOLVER_NAPTR:
        tell_naptr(teller, name, &record->naptr, tags);
        return;
    case RESOLVER_TXT:
        resolver_tell(teller, "TXT %s: \"%s\" %s", name,
                      printable(record->txt.text, text, sizeof(text)), tags);
        return;
    case RESOLVER_TLSA:
        tell_tlsa(teller, name, &record->tlsa, tags);
        return;
    }
}

void resolver_tell_outcome(const struct resolver_teller *teller, const char *name,
                           enum resolver_type type, const struct resolver_outcome *outcome)
{
    if (!teller->trace)
        return;
    if (!outcome->set) {
        char text[RESOLVER_LINE_MAX];
        resolver_tell(teller, "%s %s: %s", resolver_type_name(type), name,
                      resolver_failure_text(outcome, text, sizeof(text)));
        return;
    }

    char tags[64];
    snprintf(tags, sizeof(tags), "(%s%sTTL %u)",
             outcome->stale    ? "stale, "
             : outcome->cached ? "cached, "
                               : "",
             outcome->validated ? "validated, " : "", outcome->ttl_s);
    if (outcome->status == STATUS_NXDOMAIN)
        resolver_tell(teller, "%s %s: NXDOMAIN, there is no such name %s", resolver_type_name(type),
                      name, tags);
    else if (outcome->status == STATUS_NODATA)
        resolver_tell(teller, "%s %s: none %s", resolver_type_name(type), name, tags);
    else if (outcome->set->count == 0)
        resolver_tell(teller, "%s %s: none that can be used %s", resolver_type_name(type), name,
                      tags);
    for (size_t i = 0; i < outcome->set->count; i++)
        tell_record(teller, name, type, &outcome->set->records[i], tags);
}

void resolver_tell_hop(const struct resolver_teller *teller, size_t place,
                       const struct resolver_hop *hop)
{
    char addr[NETADDR_TEXT_MAX];
    resolver_tell(teller, "%zu. %s %s (%s)", place, resolver_transport_name(hop->transport),
                  netaddr_format(&hop->addr, addr), hop->host);
}
