/* The request as it leaves, the response as it returns: edits on the received bytes (RFC 3261 16.6,
 * 16.7). Bodies and end-to-end headers are never touched. */
#include "peering/proxy/forward.h"
#include "peering/proxy/identity.h"

#include "base/status.h"

#include <stdio.h>

#define MAX_FORWARDS_DEFAULT "70"

/* Section 16.6 step 4. ACK, BYE and CANCEL have a route set already; the others here make no
 * dialog. In-dialog requests get it again, for a NOTIFY may come before the 2xx that it belongs
 * to. */
bool forward_records_route(enum sip_method method)
{
    switch (method) {
    case SIP_INVITE:
    case SIP_METHOD_OTHER:
        return true;
    case SIP_ACK:
    case SIP_BYE:
    case SIP_CANCEL:
    case SIP_OPTIONS:
    case SIP_REGISTER:
    case SIP_MESSAGE:
        return false;
    }
    return false;
}

/* The first Route value that is not ours; false where there is none. */
static bool next_route(const struct forward *forward, struct sip_nameaddr *next)
{
    size_t ours = forward->plan->own_routes;
    for (const struct sip_header *h = sip_msg_header(forward->request, SIP_H_ROUTE, NULL); h;
         h = sip_msg_header(forward->request, SIP_H_ROUTE, h)) {
        struct slice list = h->value;
        while (sip_nameaddr_next(&list, next) == 0)
            if (ours-- == 0)
                return true;
    }
    return false;
}

/* ---- Record-Route ---- */

/* Section 16.6 step 4: a sips: URI leads the request, as Request-URI or in Route. */
static bool is_led_by_sips(const struct forward *forward)
{
    struct sip_nameaddr next;
    return forward->request->uri.scheme == SIP_SCHEME_SIPS ||
           (next_route(forward, &next) && next.uri.scheme == SIP_SCHEME_SIPS);
}

static bool is_of(const struct sip_uri *uri, const char *domain)
{
    char host[STORE_DOMAIN_MAX + 1];
    return (uri->scheme == SIP_SCHEME_SIP || uri->scheme == SIP_SCHEME_SIPS) &&
           store_domain_canonical(uri->host, host, NULL) == 0 && strcmp(host, domain) == 0;
}

/* The token for one end of the dialog: the one the request goes to, or the one it came from. */
static void make_token(const struct forward *forward, bool towards, struct token *token)
{
    const struct plan *plan = forward->plan;
    const struct sip_uri *name = towards ? &forward->request->to.uri : &forward->request->from.uri;
    bool core_to_core = !plan->peer[0];
    bool swap = core_to_core && !towards;
    *token = (struct token){.side = towards ? plan->side : forward->origin->listener->side,
                            .caller = !towards};
    snprintf(token->hosted, sizeof(token->hosted), "%s", swap ? plan->caller_group : plan->hosted);
    if (core_to_core)
        snprintf(token->peer_core, sizeof(token->peer_core), "%s",
                 swap ? plan->hosted : plan->caller_group);
    else
        snprintf(token->peer, sizeof(token->peer), "%s", plan->peer);
    token->has_speaker = token->side == TRANSPORT_OUTSIDE && !is_of(name, token->peer) &&
                         !identity_is_anonymous(name) && verify_name(name, token->speaker) == 0;
}

/* The whole header line: a hosted domain as host towards peers, the listener's name inside. */
static struct slice route_line(const struct forward *forward, bool towards,
                               const struct store_key *key)
{
    static const char *const parameter[] = {[SIP_UDP] = ";transport=udp",
                                            [SIP_TCP] = ";transport=tcp",
                                            [SIP_TLS] = ";transport=tls",
                                            [SIP_SCTP] = ";transport=sctp"};
    const struct sip_msg *request = forward->request;
    const struct transport_listener *listener =
        towards ? forward->route_out : forward->origin->listener;
    enum sip_transport transport =
        towards ? forward->route_transport : origin_transport(forward->origin);
    bool sips = transport == SIP_TLS && is_led_by_sips(forward);
    struct token token;
    char text[TOKEN_TEXT_MAX], port[8] = "";
    make_token(forward, towards, &token);
    int len = token_encode(&token, key, request->call_id, request->from_tag, text);
    if (len < 0)
        return (struct slice){NULL, 0};
    if (token.side == TRANSPORT_INSIDE && listener->advertise_port)
        snprintf(port, sizeof(port), ":%u", listener->advertise_port);
    return arena_printf(forward->arena, "Record-Route: <%s:%.*s@%s%s%s;lr>\r\n",
                        sips ? "sips" : "sip", len, text,
                        token.side == TRANSPORT_OUTSIDE ? token.hosted : listener->advertise_host,
                        port, sips ? "" : parameter[transport]);
}

/* Two values, so that each end sees a name and a transport it can use; the one the request goes to
 * is topmost. */
static int add_record_route(const struct forward *forward, struct sip_edits *edits)
{
    struct store_reader *reader = proxy_reader(forward->proxy);
    struct store_key key;
    const char *at = slice_end(forward->request->start_line);
    if (!reader || store_key_current(reader, &key) != 0)
        return STATUS_CRYPTO;
    sip_edits_insert(edits, at, route_line(forward, true, &key));
    sip_edits_insert(edits, at, route_line(forward, false, &key));
    return 0;
}

/* ---- the other steps of 16.6 ---- */

static void add_via(const struct forward *forward, struct sip_edits *edits)
{
    const struct transport_listener *out = forward->out;
    bool udp = forward->transport == SIP_UDP;
    bool alias = forward->plan->side == TRANSPORT_OUTSIDE; /* RFC 5923 */
    char port[8] = "";
    if (out->advertise_port)
        snprintf(port, sizeof(port), ":%u", out->advertise_port);
    sip_edits_insert(edits, slice_end(forward->request->start_line),
                     arena_printf(forward->arena, "Via: SIP/2.0/%s %s%s;branch=%s%s%s\r\n",
                                  sip_transport_name(forward->transport), out->advertise_host, port,
                                  forward->branch, udp ? ";rport" : "", alias ? ";alias" : ""));
}

/* Section 18.2.1 and RFC 3581: note where the request really came from, where its sender asks or
 * its sent-by says otherwise. */
static void mark_received(const struct forward *forward, struct sip_edits *edits)
{
    const struct sip_via *via = &forward->request->via;
    const struct netaddr *peer = &forward->origin->peer;
    char ip[NETADDR_TEXT_MAX];
    struct slice source = slice_of(netaddr_format_ip(peer, ip));
    if (via->has_rport || !slice_eq(via->host, source))
        sip_edits_mark_via(edits, forward->arena, via, arena_copy(forward->arena, source),
                           via->has_rport ? netaddr_port(peer) : 0);
}

/* The core knows its people by their canonical addresses (design 3.2); parameters stay as they are,
 * but those of a number (user=phone) have no meaning for the address that it led to. */
static void name_called(const struct forward *forward, struct sip_edits *edits)
{
    const struct store_address *called = &forward->plan->called;
    const struct sip_uri *uri = &forward->request->uri;
    if (!called->user[0])
        return;
    if (forward->plan->renamed) {
        const char *scheme = uri->scheme == SIP_SCHEME_SIPS ? "sips" : "sip";
        sip_edits_replace(
            edits, forward->request->uri_text,
            arena_printf(forward->arena, "%s:%s@%s", scheme, called->user, called->domain));
        return;
    }
    if (!slice_eq(uri->user, slice_of(called->user)))
        sip_edits_replace(edits, uri->user, slice_of(called->user));
    if (!slice_eq(uri->host, slice_of(called->domain)))
        sip_edits_replace(edits, uri->host, slice_of(called->domain));
}

static void count_down(const struct forward *forward, struct sip_edits *edits)
{
    const struct sip_msg *request = forward->request;
    const struct sip_header *h = sip_msg_header(request, SIP_H_MAX_FORWARDS, NULL);
    if (h)
        sip_edits_replace(edits, h->value,
                          arena_printf(forward->arena, "%u", request->max_forwards - 1));
    else
        sip_edits_insert(edits, request->headers_end,
                         SLICE("Max-Forwards: " MAX_FORWARDS_DEFAULT "\r\n"));
}

static void remove_routes(const struct forward *forward, size_t left, struct sip_edits *edits)
{
    for (const struct sip_header *h = sip_msg_header(forward->request, SIP_H_ROUTE, NULL);
         h && left; h = sip_msg_header(forward->request, SIP_H_ROUTE, h)) {
        struct slice list = h->value;
        struct sip_nameaddr route;
        const char *end = h->value.p;
        bool all = true;
        while (sip_nameaddr_next(&list, &route) == 0) {
            if (left == 0) {
                all = false;
                end = route.bytes.p;
                break;
            }
            left--;
        }
        if (all)
            sip_edits_remove(edits, h->line);
        else
            sip_edits_remove(edits, slice_between(h->value.p, end));
    }
}

/* Section 16.6 step 6: a strict router wants its own URI as Request-URI, and will find ours at the
 * end of Route. */
static void route_strictly(const struct forward *forward, struct sip_edits *edits)
{
    const struct sip_msg *request = forward->request;
    const struct sip_header *last = NULL, *h = NULL;
    struct sip_nameaddr next;
    remove_routes(forward, forward->plan->own_routes + 1, edits);
    while ((h = sip_msg_header(request, SIP_H_ROUTE, h)))
        last = h;
    if (!last || !next_route(forward, &next))
        return;
    sip_edits_replace(edits, request->uri_text, next.uri.bytes);
    sip_edits_insert(
        edits, slice_end(last->line),
        arena_printf(forward->arena, "Route: <%.*s>\r\n", SLICE_ARG(request->uri.bytes)));
}

static void adjust_identity(const struct forward *forward, struct sip_edits *edits)
{
    const struct plan *plan = forward->plan;
    if (forward->origin->listener->side == TRANSPORT_OUTSIDE)
        identity_clean_from_peer(forward->proxy, edits, forward->request, forward->origin->conn);
    if (plan->side == TRANSPORT_OUTSIDE)
        identity_clean_to_peer(forward->proxy, edits, forward->request, plan->peer);
    else if (plan->assert_identity[0])
        sip_edits_insert(edits, forward->request->headers_end,
                         arena_printf(forward->arena, "P-Asserted-Identity: <sip:%s>\r\n",
                                      plan->assert_identity));
}

static struct slice gather(struct arena *arena, struct sip_edits *edits)
{
    size_t len = sip_edits_len(edits);
    char *out = len ? arena_get(arena, len) : NULL;
    if (!out)
        return (struct slice){NULL, 0};
    sip_edits_gather(edits, out);
    return slice_make(out, len);
}

struct slice forward_request(const struct forward *forward)
{
    const struct sip_msg *request = forward->request;
    struct sip_edits edits;
    sip_edits_init(&edits, request->bytes);
    name_called(forward, &edits);
    add_via(forward, &edits);
    if (forward_records_route(request->method) && add_record_route(forward, &edits) != 0)
        return (struct slice){NULL, 0};
    mark_received(forward, &edits);
    count_down(forward, &edits);
    if (forward->plan->strict_next)
        route_strictly(forward, &edits);
    else
        remove_routes(forward, forward->plan->own_routes, &edits);
    adjust_identity(forward, &edits);
    if (!request->has_content_length)
        sip_edits_insert(
            &edits, request->headers_end,
            arena_printf(forward->arena, "Content-Length: %zu\r\n", request->body.len));
    return gather(forward->arena, &edits);
}

static bool is_for_us_alone(const struct sip_msg *response)
{
    const struct sip_header *first = sip_msg_header(response, SIP_H_VIA, NULL);
    return slice_end(response->via.bytes) == slice_end(first->value) &&
           !sip_msg_header(response, SIP_H_VIA, first);
}

struct slice forward_response(struct proxy *proxy, struct arena *arena,
                              const struct sip_msg *response, const struct conn *from_peer,
                              const char *to_peer)
{
    struct sip_edits edits;
    if (is_for_us_alone(response))
        return (struct slice){NULL, 0};
    sip_edits_init(&edits, response->bytes);
    sip_edits_remove_element(&edits, sip_msg_header(response, SIP_H_VIA, NULL),
                             response->via.bytes);
    if (from_peer)
        identity_clean_from_peer(proxy, &edits, response, from_peer);
    if (to_peer)
        identity_clean_to_peer(proxy, &edits, response, to_peer);
    if (!response->has_content_length)
        sip_edits_insert(&edits, response->headers_end,
                         arena_printf(arena, "Content-Length: %zu\r\n", response->body.len));
    return gather(arena, &edits);
}
