/* May we talk to this peer at all, and how much (design sections 3.2 and 6)? Asked before anything
 * is looked up on its behalf. A request inside a dialog is no first contact, and what brings a call
 * to its end passes whatever else is refused; but a token is no way around the rest. */
#include "peering/proxy/plan.h"

#include "base/status.h"

#include <stdio.h>

static uint64_t now_ms(const struct proxy *proxy)
{
    return txn_layer_now_ms(proxy->txns);
}

bool policy_is_exempt(const struct transport_listener *listener, const struct netaddr *source,
                      void *arg)
{
    struct proxy *proxy = arg;
    proxy_advance(proxy);
    return listener->side == TRANSPORT_INSIDE && sources_known(proxy, source);
}

/* ---- the directory's word ---- */

static void check_mode(const struct proxy *proxy, const char *domain, bool listed,
                       struct refusal *refusal)
{
    char why[PROXY_WARNING_MAX];
    if (guard_mode_refusal(proxy->peering, listed, domain, why, sizeof(why)))
        refusal_set(refusal, 403, "%s", why);
}

/* Takes what the directory has of one domain into *grant. Returns whether it is blocked. */
static bool look_at(struct proxy *proxy, const char *domain, struct guard_grant *grant)
{
    struct store_reader *reader = proxy_reader(proxy);
    struct store_peer peer;
    if (!reader || store_peer_get(reader, domain, &peer) != 0)
        return false;
    if (!grant->listed)
        *grant = (struct guard_grant){true, peer.requests_per_s, peer.calls_max};
    return peer.blocked;
}

/* Whoever has proven several domains is blocked by one of them, and listed by one of them. */
static void look_at_all(struct proxy *proxy, const struct conn *conn, struct guard_grant *grant,
                        struct refusal *refusal)
{
    const char *domain;
    for (size_t i = 0; (domain = conn_identity(conn, i)); i++)
        if (look_at(proxy, domain, grant) && refusal->status == 0)
            refusal_set(refusal, 403, "%s is blocked here", domain);
    if (refusal->status == 0)
        check_mode(proxy, conn_proven_domain(conn), grant->listed, refusal);
    if (refusal->status)
        guard_count(proxy->guard, GUARD_PEERING);
}

void policy_to_peer(struct proxy *proxy, struct plan *plan)
{
    struct guard_grant grant = {.listed = false};
    if (plan->side != TRANSPORT_OUTSIDE || plan->refusal->status)
        return;
    if (look_at(proxy, plan->peer, &grant))
        refusal_set(plan->refusal, 403, "%s is blocked here (junctor peer show %s)", plan->peer,
                    plan->peer);
    else
        check_mode(proxy, plan->peer, grant.listed, plan->refusal);
    if (plan->refusal->status)
        guard_count(proxy->guard, GUARD_PEERING);
}

/* ---- budgets ---- */

/* RFC 3261 21.5.4: a 503 says that nothing more is to be sent here for Retry-After seconds, which
 * is what a peer over its whole budget shall hear. 403 would say that asking again is useless. */
static void refuse_budget(enum guard_rule rule, const char *domain, uint64_t wait_ms,
                          struct refusal *refusal)
{
    const char *what = rule == GUARD_PEER_REQUESTS ? "sends more requests per second than it may"
                       : rule == GUARD_FIRST_CONTACT
                           ? "is new here, and no more calls are taken from it before some are "
                             "answered"
                           : "has as many requests under way here as it may";
    uint64_t wait_s = (wait_ms + 999) / 1000;
    refusal_set(refusal, 503, "%s %s", domain, what);
    snprintf(refusal->headers, sizeof(refusal->headers), "Retry-After: %u\r\n",
             wait_s ? (unsigned)wait_s : 1);
}

/* The grant of whoever has proven a domain outside. Returns that domain, or "". */
static const char *grant_of(struct proxy *proxy, const struct origin *origin,
                            struct guard_grant *grant)
{
    const char *domain;
    *grant = (struct guard_grant){.listed = false};
    if (origin->listener->side != TRANSPORT_OUTSIDE || !origin->conn)
        return "";
    for (size_t i = 0; (domain = conn_identity(origin->conn, i)); i++)
        look_at(proxy, domain, grant);
    return conn_proven_domain(origin->conn);
}

/* May a peer send this that we would not talk to otherwise? (A CANCEL is answered by hop.) */
static bool ends_call(enum sip_method method)
{
    return method == SIP_ACK || method == SIP_BYE;
}

bool policy_never_refuses(const struct sip_msg *request)
{
    return ends_call(request->method) || slice_eq(request->method_text, SLICE("PRACK"));
}

/* One more request of this peer. What ends a call, or confirms that it rings, only counts. */
static enum guard_rule count_request(struct proxy *proxy, const struct sip_msg *request,
                                     bool in_dialog, const char *domain,
                                     const struct guard_grant *grant, uint64_t *wait_ms)
{
    uint64_t peer = guard_peer_key(proxy->guard, domain);
    struct guard_grant known = *grant;
    if (in_dialog && policy_never_refuses(request)) {
        guard_note_request(proxy->guard, peer, grant, now_ms(proxy));
        return GUARD_OK;
    }
    known.listed = grant->listed || in_dialog; /* no first contact: it was one when it began */
    return guard_request(proxy->guard, peer, &known, now_ms(proxy), wait_ms);
}

void policy_from_peer(struct proxy *proxy, const struct origin *origin,
                      const struct sip_msg *request, bool in_dialog, struct plan *plan)
{
    struct guard_grant grant;
    uint64_t wait_ms = 0;
    const char *domain = grant_of(proxy, origin, &grant);
    if (!domain[0])
        return;
    if (!in_dialog || !ends_call(request->method))
        look_at_all(proxy, origin->conn, &grant, plan->refusal);
    if (plan->refusal->status)
        return;
    enum guard_rule rule = count_request(proxy, request, in_dialog, domain, &grant, &wait_ms);
    if (rule == GUARD_OK && request->method != SIP_ACK)
        rule = guard_begin(proxy->guard, guard_peer_key(proxy->guard, domain), &grant,
                           now_ms(proxy), &plan->budget);
    if (rule != GUARD_OK)
        refuse_budget(rule, domain, wait_ms, plan->refusal);
}

void policy_answered_here(struct proxy *proxy, const struct origin *origin, struct refusal *refusal)
{
    struct guard_grant grant;
    uint64_t wait_ms;
    const char *domain = grant_of(proxy, origin, &grant);
    if (!domain[0])
        return;
    grant.listed = true; /* no first contact: others' calls cause an edge's probes */
    enum guard_rule rule = guard_request(proxy->guard, guard_peer_key(proxy->guard, domain), &grant,
                                         now_ms(proxy), &wait_ms);
    if (rule != GUARD_OK)
        refuse_budget(rule, domain, wait_ms, refusal);
}

void policy_cancelled(struct proxy *proxy, const struct origin *origin)
{
    struct guard_grant grant;
    const char *domain = grant_of(proxy, origin, &grant);
    if (domain[0])
        guard_note_request(proxy->guard, guard_peer_key(proxy->guard, domain), &grant,
                           now_ms(proxy));
}

/* A per-address budget is 480: the peer's other calls are welcome (design section 4). */
void policy_called(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                   struct plan *plan)
{
    struct store_address called;
    const char *domain = origin->conn ? conn_proven_domain(origin->conn) : "";
    if (origin->listener->side != TRANSPORT_OUTSIDE || !domain[0] || plan->refusal->status ||
        request->method != SIP_INVITE ||
        store_domain_canonical(request->uri.host, called.domain, NULL) != 0 ||
        store_user_canonical(request->uri.user, called.user, NULL) != 0)
        return;
    if (guard_called(proxy->guard, guard_peer_key(proxy->guard, domain), slice_of(called.user),
                     slice_of(called.domain), now_ms(proxy)) != GUARD_OK)
        refusal_set(plan->refusal, 480, "%s calls this address more often than it may", domain);
}

void policy_answered(struct proxy *proxy, const struct conn *conn)
{
    const char *domain = conn ? conn_proven_domain(conn) : "";
    if (domain[0])
        guard_answered(proxy->guard, domain, conn_peer_addr(conn), now_ms(proxy));
}
