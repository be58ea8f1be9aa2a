/* Intake: from received bytes to a transaction, a refusal, or silence. */
#include "peering/proxy/context.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static bool hand_over(struct proxy *proxy, unsigned owner, const struct origin *origin,
                      struct slice bytes)
{
    struct proven proven;
    origin_note_proven(proxy, origin->conn, &proven);
    return proxy->handover(owner, origin, &proven, bytes, proxy->handover_arg);
}

/* Only UDP requests have an owner: a stream's requests stay with the worker of the connection. */
static bool hand_over_request(struct proxy *proxy, const struct origin *origin,
                              const struct sip_msg *request)
{
    if (proxy->workers < 2 || origin->conn)
        return false;
    unsigned owner = txn_owner(request, proxy->owner_key, proxy->workers);
    if (owner == proxy->index)
        return false;
    if (hand_over(proxy, owner, origin, request->bytes))
        count(&proxy->counters->handed_over);
    else
        count(
            &proxy->counters->dropped); /* its inbox is full: UDP's retransmission will ask again */
    return true;
}

static bool is_for_many(struct slice ip)
{
    struct netaddr addr;
    if (netaddr_from_ip(&addr, ip, 0) != 0)
        return false;
    if (addr.sa.sa_family == AF_INET6)
        return addr.in6.sin6_addr.s6_addr[0] == 0xff;
    return IN_MULTICAST(ntohl(addr.in4.sin_addr.s_addr)) ||
           addr.in4.sin_addr.s_addr == INADDR_BROADCAST;
}

/* RFC 4475 3.3.10: no request comes from a broadcast or multicast address, so a response that is to
 * go back there was made up. Where it went would be up to elements behind us. */
static bool returns_to_many(const struct sip_msg *response)
{
    struct sip_via via;
    for (const struct sip_header *h = sip_msg_header(response, SIP_H_VIA, NULL); h;
         h = sip_msg_header(response, SIP_H_VIA, h)) {
        struct slice list = h->value;
        while (sip_via_next(&list, &via) == 0)
            if (is_for_many(via.received.len ? via.received : via.host))
                return true;
    }
    return false;
}

static void receive_response(struct proxy *proxy, const struct origin *origin,
                             const struct sip_msg *response)
{
    unsigned number, owner;
    if (txn_branch_worker(response->via.branch, &number) != 0 ||
        number / proxy->workers != proxy_side_number(origin->listener->side)) {
        count(&proxy->counters->dropped);
        return;
    }
    owner = number % proxy->workers;
    if (owner != proxy->index) {
        if (hand_over(proxy, owner, origin, response->bytes))
            count(&proxy->counters->handed_over);
        else
            count(&proxy->counters->dropped);
        return;
    }
    proxy_trace(proxy, "recv", response, origin->listener, &origin->peer, origin->conn);
    struct txn_client *txn = txn_client_find(proxy->txns, response);
    if (!txn || !txn_client_is_named(txn, response) || returns_to_many(response)) {
        count(&proxy->counters->dropped); /* stray (design section 4) */
        return;
    }
    if (!txn_client_accepts(txn, origin)) { /* who saw our Via further down may not answer for it */
        count(&proxy->counters->dropped);
        line_foreign_answer(proxy, origin, response);
        return;
    }
    count(&proxy->counters->responses);
    txn_client_receive(txn, response);
}

/* What comes over a stream stays with the worker of its connection. Where that broke, the CANCEL
 * comes over another one, perhaps to another worker, and nobody knows which has the INVITE: all are
 * told. Returns whether there are others. */
static bool tell_others(struct proxy *proxy, const struct origin *origin,
                        const struct sip_msg *cancel)
{
    if (!origin->conn)
        return false;
    for (unsigned i = 0; i < proxy->workers; i++)
        if (i != proxy->index)
            hand_over(proxy, i, origin, cancel->bytes);
    return proxy->workers > 1;
}

/* Was it another worker that took this in, and has answered it? */
static bool is_answered_elsewhere(const struct origin *origin)
{
    return !origin->conn && origin->listener->transport != SIP_UDP;
}

typedef struct txn_server *find_h(struct txn_layer *layer, const struct sip_msg *request,
                                  uint64_t realm);

/* What the source of this request may touch, and is found so, or NULL. */
static struct txn_server *find_server(struct proxy *proxy, const struct origin *origin,
                                      const struct sip_msg *request, find_h *find)
{
    uint64_t realms[TLS_MAX_IDENTITIES];
    unsigned count = origin_realms(proxy, origin, realms);
    struct txn_server *txn = NULL;
    for (unsigned i = 0; i < count && !txn; i++)
        txn = find(proxy->txns, request, realms[i]);
    return txn;
}

/* The INVITE that this CANCEL aims at, or NULL. Who sees a Via further down may not end the call
 * from there: it is for the side, and outside for the peer, that made it, by whichever connection
 * and worker it comes. */
static struct context *cancelled_by(struct proxy *proxy, const struct origin *origin,
                                    const struct sip_msg *cancel)
{
    struct txn_server *invite = find_server(proxy, origin, cancel, txn_server_find_cancelled);
    struct context *context = invite ? txn_server_arg(invite) : NULL;
    if (!context)
        return NULL;
    bool is_peers = (origin->conn && origin->conn == context->origin.conn) ||
                    origin_proves(proxy, origin, context_peer(context));
    return is_peers || origin->listener->side == TRANSPORT_INSIDE ? context : NULL;
}

/* No INVITE of this worker matches. Whatever the answer, the others are told: a peer may be over
 * its budget while one of them has its call, which must not ring on (9.2). */
static void answer_unmatched(struct proxy *proxy, const struct origin *origin,
                             const struct sip_msg *cancel)
{
    struct refusal answer = {.status = 0};
    bool told = tell_others(proxy, origin, cancel);
    policy_answered_here(proxy, origin, &answer);
    if (answer.status == 0 && told)
        refusal_set(&answer, 200, "%s", "");
    else if (answer.status == 0)
        refusal_set(&answer, 481, "no transaction here matches this CANCEL");
    proxy_refuse(proxy, origin, cancel, &answer);
}

/* Section 9.2 and 16.10: answered here, hop by hop. */
static void receive_cancel(struct proxy *proxy, const struct origin *origin,
                           const struct sip_msg *cancel)
{
    const struct refusal taken = {.status = 200};
    struct context *invite = cancelled_by(proxy, origin, cancel);
    if (invite && !is_answered_elsewhere(origin)) {
        policy_cancelled(proxy, origin);
        proxy_refuse(proxy, origin, cancel, &taken);
    } else if (!is_answered_elsewhere(origin)) {
        answer_unmatched(proxy, origin, cancel);
    }
    if (invite)
        context_cancel(invite);
}

/* Every option tag that a client asks of proxies (16.3 step 5) or of whom it asks (8.2.2.3) is one
 * that we do not have. */
static void check_required(const struct sip_msg *request, enum sip_header_id id, const char *name,
                           struct refusal *refusal)
{
    size_t used = 0;
    for (const struct sip_header *h = sip_msg_header(request, id, NULL); h;
         h = sip_msg_header(request, id, h)) {
        struct slice list = h->value, tag;
        while (sip_list_next(&list, &tag) == 0) {
            if (refusal->status == 0)
                refusal_set(refusal, 420, "this edge supports none of the extensions in %s", name);
            if (tag.len + 20 < sizeof(refusal->headers) - used)
                used += (size_t)snprintf(refusal->headers + used, sizeof(refusal->headers) - used,
                                         "%s%.*s", used ? ", " : "Unsupported: ", SLICE_ARG(tag));
        }
    }
    if (used)
        snprintf(refusal->headers + used, sizeof(refusal->headers) - used, "\r\n");
}

/* Would it be over the limits of all who are like us, once it has what we add? */
static bool has_no_room(const struct sip_msg *request)
{
    size_t head = (size_t)(request->headers_end - request->bytes.p);
    return head + PROXY_ADDED_MAX > SIP_MAX_HEADER ||
           request->bytes.len + PROXY_ADDED_MAX > SIP_MAX_MESSAGE ||
           request->header_count + PROXY_ADDED_LINES > SIP_MAX_HEADERS;
}

/* Section 16.3: what can be told from the request alone. */
static void validate(const struct proxy *proxy, const struct origin *origin,
                     const struct sip_msg *request, struct refusal *refusal)
{
    refusal->status = 0;
    if (request->uri.scheme == SIP_SCHEME_OTHER)
        refusal_set(refusal, 416, "the scheme %.*s is not routed here: only sip, sips and tel",
                    SLICE_ARG(request->uri.scheme_text));
    else if (request->has_max_forwards && request->max_forwards == 0)
        refusal_set(refusal, 483, "Max-Forwards has reached 0");
    else if (loop_is_closed(proxy, origin, request))
        refusal_set(refusal, 482, "this request has been here before, as it is");
    else if (has_no_room(request))
        refusal_set(refusal, 513, "the request is too long for what a proxy has to add to it");
    else
        check_required(request, SIP_H_PROXY_REQUIRE, "Proxy-Require", refusal);
}

/* OPTIONS without a user, for a name of ours, asks this edge itself (section 11, design 4). */
static bool is_for_us(struct proxy *proxy, const struct sip_msg *request)
{
    return request->method == SIP_OPTIONS && !request->uri.has_user &&
           (request->uri.scheme == SIP_SCHEME_SIP || request->uri.scheme == SIP_SCHEME_SIPS) &&
           proxy_is_us(proxy, &request->uri);
}

static void answer_probe(struct proxy *proxy, const struct origin *origin,
                         const struct sip_msg *request)
{
    struct refusal answer = {.status = 0};
    policy_answered_here(proxy, origin, &answer);
    if (answer.status == 0)
        admit_answer_probe(proxy, request, &answer);
    proxy_refuse(proxy, origin, request, &answer);
}

static void answer_options(struct proxy *proxy, const struct origin *origin,
                           const struct sip_msg *request)
{
    struct refusal answer = {.status = 0};
    policy_answered_here(proxy, origin, &answer);
    if (answer.status == 0)
        check_required(request, SIP_H_PROXY_REQUIRE, "Proxy-Require", &answer);
    if (answer.status == 0)
        check_required(request, SIP_H_REQUIRE, "Require", &answer);
    if (answer.status == 0 && proxy->draining)
        refusal_set(&answer, 480, "this edge is draining");
    else if (answer.status == 0)
        refusal_set(&answer, 200, "%s", "");
    proxy_refuse(proxy, origin, request, &answer);
}

/* Towards a source that nobody knows, OPTIONS and REGISTER get silence: they are what scanners
 * send, and an answer would tell them that somebody is here (design section 4). */
static bool is_silent(struct proxy *proxy, const struct origin *origin,
                      const struct sip_msg *request)
{
    return origin->listener->side == TRANSPORT_INSIDE &&
           (request->method == SIP_OPTIONS || request->method == SIP_REGISTER) &&
           !(origin->conn && conn_proven_domain(origin->conn)[0]) &&
           !sources_known(proxy, &origin->peer);
}

/* RFC 5923: a peer that says `alias` may be called back on the connection it opened. */
static void offer_alias(const struct origin *origin, const struct sip_msg *request,
                        const struct plan *plan)
{
    struct netaddr addr = origin->peer;
    if (origin->listener->side != TRANSPORT_OUTSIDE || !request->via.alias)
        return;
    netaddr_set_port(&addr, request->via.port ? request->via.port : 5061);
    conn_offer_alias(origin->conn, plan->peer, &addr);
}

struct routes {
    bool in_dialog;
    const struct sip_nameaddr *top, *next;
};

/* Phones register with their core (10.2), which takes what the edge hands it for admitted; and
 * neither REGISTER nor PUBLISH (RFC 3903 section 4) belongs into a dialog. */
static void refuse_method(const struct origin *origin, const struct sip_msg *request,
                          bool in_dialog, struct refusal *refusal)
{
    if (origin->listener->side != TRANSPORT_OUTSIDE)
        return;
    if (request->method == SIP_REGISTER)
        refusal_set(refusal, 403, "this edge is no registrar: phones register with their core");
    else if (in_dialog && slice_eq(request->method_text, SLICE("PUBLISH")))
        refusal_set(refusal, 403, "a PUBLISH inside a dialog is not passed on");
}

static void make_plan(struct proxy *proxy, const struct origin *origin,
                      const struct sip_msg *request, const struct routes *routes, struct plan *plan)
{
    policy_from_peer(proxy, origin, request, routes->in_dialog, plan);
    if (plan->refusal->status == 0)
        refuse_method(origin, request, routes->in_dialog, plan->refusal);
    if (plan->refusal->status)
        return;
    plan->in_dialog = routes->in_dialog;
    if (routes->in_dialog) {
        dialog_plan(proxy, origin, request, routes->top, routes->next, plan);
        return;
    }
    admit_plan(proxy, origin, request, routes->next, plan);
    policy_called(proxy, origin, request, plan);
    if (!plan->in_dns)
        policy_to_peer(proxy, plan);
}

static void receive_new_request(struct proxy *proxy, const struct origin *origin,
                                const struct sip_msg *request)
{
    struct sip_nameaddr top, next;
    struct refusal refusal = {.status = 0};
    struct plan plan = {.refusal = &refusal, .resolver = proxy->resolver};
    if (is_silent(proxy, origin, request)) {
        count(&proxy->counters->dropped);
        return;
    }
    int routes = dialog_routes(proxy, request, &plan.own_routes, &top, &next);
    bool in_dialog = routes == 0 && dialog_has_token(request, plan.own_routes, &top);
    if (routes == 0 && next.bytes.len == 0 && !in_dialog && is_for_us(proxy, request)) {
        answer_options(proxy, origin, request);
        return;
    }
    if (routes == 0 && next.bytes.len == 0 && !in_dialog && admit_is_probe(origin, request)) {
        answer_probe(proxy, origin, request);
        return;
    }
    validate(proxy, origin, request, plan.refusal);
    if (plan.refusal->status == 0 && routes != 0)
        refusal_set(plan.refusal, 400, "the Route header cannot be read");
    if (plan.refusal->status == 0)
        make_plan(proxy, origin, request, &(struct routes){in_dialog, &top, &next}, &plan);
    if (plan.refusal->status == 0) {
        offer_alias(origin, request, &plan);
        context_start(proxy, origin, request, &plan);
        return;
    }
    guard_release(plan.budget);
    if (request->method == SIP_ACK)
        count(&proxy->counters->dropped); /* an ACK is never answered (17.1.1.3) */
    else
        proxy_refuse(proxy, origin, request, plan.refusal);
}

static void match_request(struct proxy *proxy, const struct origin *origin,
                          const struct sip_msg *request)
{
    struct txn_server *txn = find_server(proxy, origin, request, txn_server_find);
    if (txn)
        txn_server_receive(txn, request);
    else if (request->method == SIP_ACK && proxy_is_own_ack(proxy, request))
        return;
    else if (request->method == SIP_CANCEL)
        receive_cancel(proxy, origin, request);
    else
        receive_new_request(proxy, origin, request);
}

static void receive_request(struct proxy *proxy, const struct origin *origin,
                            const struct sip_msg *request)
{
    proxy_trace(proxy, "recv", request, origin->listener, &origin->peer, origin->conn);
    count(&proxy->counters->requests);
    if (!dialog_is_strict(proxy, request)) {
        match_request(proxy, origin, request);
        return;
    }
    struct arena *arena = arena_alloc(proxy->pool, PROXY_CONTEXT_LIMIT);
    const struct sip_msg *loose = arena ? dialog_loosen(arena, request) : NULL;
    match_request(proxy, origin, loose ? loose : request);
    arena_free(arena);
}

/* An answer on a stream that is too long to be passed on: only its headers came here. It ends its
 * transaction all the same, or the sender would ask for it again. */
static void receive_too_long(struct proxy *proxy, const struct origin *origin,
                             const struct sip_msg *response)
{
    unsigned number;
    count(&proxy->counters->dropped);
    if (response->status < 200 || txn_branch_worker(response->via.branch, &number) != 0 ||
        number / proxy->workers != proxy_side_number(origin->listener->side))
        return;
    struct txn_client *txn = txn_client_find(proxy->txns, response);
    if (txn && txn_client_is_named(txn, response) && txn_client_accepts(txn, origin))
        txn_client_lost(txn, EOVERFLOW);
}

/* A message that cannot be parsed is answered where the sender can be told (section 16.3 step 1).
 */
static void receive_malformed(struct proxy *proxy, const struct origin *origin,
                              const struct sip_msg *msg, const struct sip_fault *fault)
{
    if (!msg->is_request && fault->status == 513 && origin->conn) {
        receive_too_long(proxy, origin, msg);
        return;
    }
    bool known = origin->listener->side == TRANSPORT_OUTSIDE || sources_known(proxy, &origin->peer);
    if (!msg->is_request && msg->status > 0 && known)
        line_dropped(proxy, origin, msg,
                     fault->reason); /* or the core seems not to answer at all */
    if (fault->status == 0 || !known || !sip_msg_can_answer(msg)) {
        count(&proxy->counters->dropped);
        return;
    }
    struct refusal refusal;
    refusal_set(&refusal, fault->status, "%s", fault->reason);
    proxy_refuse(proxy, origin, msg, &refusal);
}

static void receive(struct proxy *proxy, const struct origin *origin, struct slice bytes,
                    bool handed)
{
    struct sip_msg msg;
    struct sip_fault fault;
    bool stream = origin->conn != NULL;
    if (sip_msg_parse(bytes, stream, proxy->scratch, SIP_MAX_HEADERS, &msg, &fault) != 0)
        receive_malformed(proxy, origin, &msg, &fault);
    else if (!msg.is_request)
        receive_response(proxy, origin, &msg);
    else if (handed || !hand_over_request(proxy, origin, &msg))
        receive_request(proxy, origin, &msg);
}

void proxy_receive(const struct transport_source *source, struct slice bytes, void *arg)
{
    struct origin origin = {source->listener, source->peer, source->conn, NULL};
    receive(arg, &origin, bytes, false);
}

void proxy_receive_handed(struct proxy *proxy, const struct transport_listener *listener,
                          const struct netaddr *peer, const struct proven *proven,
                          struct slice bytes)
{
    struct origin origin = {listener, *peer, NULL, proven};
    receive(proxy, &origin, bytes, true);
}
