/* The called address: what the directory says of it, and what a peer is told of one that does not
 * live here (design sections 3.1, 3.2). */
#include "peering/proxy/called.h"

#include "base/status.h"
#include "peering/proxy/port_form.h"

#include <errno.h>
#include <stdio.h>

#define PORTED_OUT_EXPIRES_S 300 /* how long a peer may remember our redirect (design 3.3) */

/* bob%40opb.example@ours: whoever was redirected calls bob@opb.example here (design 3.2). */
static bool is_in_port_form(struct proxy *proxy, const struct sip_uri *uri,
                            const struct called *called)
{
    struct store_address inner;
    return port_form_address(uri, &inner) && proxy_hosts(proxy, called->address.domain);
}

bool called_look_up(struct proxy *proxy, const struct sip_uri *uri, struct called *called,
                    struct refusal *refusal)
{
    struct store_fault fault;
    struct store_reader *reader = proxy_reader(proxy);
    called->asked.user[0] = '\0';
    called->leads_here = false;
    if (!called_is_sip(uri)) {
        refusal_set(refusal, 404, "telephone numbers are not routed here");
        return false;
    }
    if (uri->host_kind != SIP_HOST_NAME) {
        refusal_set(refusal, 403, "%.*s is an IP address: it has no SIP domain identity to prove",
                    SLICE_ARG(uri->host));
        return false;
    }
    if (store_domain_canonical(uri->host, called->address.domain, &fault) != 0) {
        refusal_set(refusal, 404, "%s", fault.text);
        return false;
    }
    /* A user part that no directory could hold is still the authority's to judge. */
    called->has_address =
        uri->has_user && store_user_canonical(uri->user, called->address.user, &fault) == 0;
    if (!called->has_address)
        called->address.user[0] = '\0';
    called->in_port_form = is_in_port_form(proxy, uri, called);
    if (called->in_port_form)
        called->has_address = port_form_address(uri, &called->address);
    if (!reader || resolver_lookup(reader, &called->address, &called->answer) != 0) {
        refusal_set(refusal, 500, "the directory cannot be read");
        return false;
    }
    return true;
}

/* What the number leads to, where we serve it; else where its record stands. */
static int number_follow(struct store_reader *reader, const struct store_number *number,
                         struct called *called)
{
    struct store_address at_zone;
    snprintf(at_zone.user, sizeof(at_zone.user), "+%s", number->digits);
    snprintf(at_zone.domain, sizeof(at_zone.domain), "%s", number->zone);
    int status = resolver_lookup(reader, &at_zone, &called->answer);
    if (status)
        return status;
    called->asked = called->address;
    called->leads_here = called->answer.rule == RESOLVER_HOSTED;
    called->address = called->leads_here ? number->address : at_zone;
    return called->leads_here ? resolver_lookup(reader, &called->address, &called->answer) : 0;
}

bool called_follow_number(struct proxy *proxy, struct called *called, struct refusal *refusal)
{
    struct store_reader *reader = proxy_reader(proxy);
    char digits[STORE_NUMBER_MAX + 1];
    struct store_number number;
    if (!called->has_address || called->address.user[0] != '+' ||
        store_number_parse(slice_of(called->address.user), digits, NULL) != 0)
        return true;
    int status = reader ? store_number_get(reader, digits, &number) : -EIO;
    if (status == 0 && number.zone[0])
        status = number_follow(reader, &number, called);
    if (status == 0 || status == STATUS_NOTFOUND)
        return true;
    refusal_set(refusal, 500, "the directory cannot be read");
    return false;
}

void called_refuse_unknown(const struct sip_msg *request, struct refusal *refusal)
{
    if (request->method == SIP_REGISTER)
        refusal_set(refusal, 404, "this edge is no registrar: phones register with their core");
    else
        refusal_set(refusal, 404, "no such address: %.*s", SLICE_ARG(request->uri.bytes));
}

void called_redirect_ported(const struct sip_msg *request, const struct called *called,
                            struct refusal *refusal)
{
    bool sips = request->uri.scheme == SIP_SCHEME_SIPS;
    const struct store_address *asked = called->asked.user[0] ? &called->asked : &called->address;
    refusal_set(refusal, 302, "%s@%s is hosted by %s", asked->user, asked->domain,
                called->answer.hosting);
    int len = snprintf(refusal->headers, sizeof(refusal->headers),
                       "Contact: <%s:%s%%40%s@%s>;expires=%d\r\n", sips ? "sips" : "sip",
                       asked->user, asked->domain, called->answer.hosting, PORTED_OUT_EXPIRES_S);
    if (len < 0 || (size_t)len >= sizeof(refusal->headers))
        refusal_set(refusal, 480, "the address is hosted elsewhere under names too long to tell");
}

/* 302 with the plain address that an alias, or a number of ours, names: a redirect, no port data
 * (design 3.2). */
static void redirect_alias(const struct sip_msg *request, const struct called *called,
                           struct refusal *refusal)
{
    bool sips = request->uri.scheme == SIP_SCHEME_SIPS;
    const struct store_address *target =
        called->answer.route.aliased ? &called->answer.route.target : &called->address;
    const struct store_address *asked = called->leads_here ? &called->asked : &called->address;
    refusal_set(refusal, 302, "%s@%s is another name of %s@%s", asked->user, asked->domain,
                target->user, target->domain);
    int len = snprintf(refusal->headers, sizeof(refusal->headers), "Contact: <%s:%s@%s>\r\n",
                       sips ? "sips" : "sip", target->user, target->domain);
    if (len < 0 || (size_t)len >= sizeof(refusal->headers))
        refusal_set(refusal, 480, "the address has another name that is too long to tell");
}

bool called_is_served(const struct sip_msg *request, const struct called *called,
                      struct refusal *refusal)
{
    switch (called->answer.rule) {
    case RESOLVER_HOSTED:
    case RESOLVER_UNKNOWN_CORE:
        return true;
    case RESOLVER_PORTED_OUT:
    case RESOLVER_MOVED:
    case RESOLVER_ALIAS:
        if (called->answer.route.aliased || called->leads_here)
            redirect_alias(request, called, refusal);
        else
            called_redirect_ported(request, called, refusal);
        return false;
    case RESOLVER_UNKNOWN:
    case RESOLVER_BLOCKED:
    case RESOLVER_AUTHORITY:
    case RESOLVER_PUBLISHED:
    case RESOLVER_PSTN: /* asked for by our cores only */
    case RESOLVER_NO_NUMBER:
        called_refuse_unknown(request, refusal);
        return false;
    }
    return false;
}
