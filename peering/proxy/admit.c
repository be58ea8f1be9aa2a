/* Requests outside a dialog: the trust rule (design section 2) and the LUF (sections 3.1, 3.2). Who
 * a peer's caller is may have to be found out first: verify.c. */
#include "peering/proxy/identity.h"
#include "peering/proxy/plan.h"

#include "base/status.h"
#include "peering/proxy/called.h"

#include <stdio.h>

/* ---- whereto ---- */

void plan_keep_tls(const struct sip_msg *request, struct plan *plan)
{
    size_t kept = 0;
    if (request->uri.scheme != SIP_SCHEME_SIPS)
        return;
    for (size_t i = 0; i < plan->target_count; i++) {
        struct resolver_target *target = &plan->targets[i];
        if (target->transport == RESOLVER_ANY) { /* what DNS says about TLS, and no more */
            target->profile = RESOLVER_PEER;
            target->transport = SIP_TLS;
        }
        if (target->transport == SIP_TLS)
            plan->targets[kept++] = *target;
    }
    plan->target_count = kept;
    if (kept == 0)
        refusal_set(plan->refusal, 480, "sips: needs a core next hop over TLS, and %s has none",
                    plan->hosted);
}

/* Is this the next hop that the URI names? */
static bool is_named_by(const struct resolver_target *target, const struct sip_uri *uri)
{
    return slice_eq_nocase(uri->host, slice_of(target->host)) &&
           (target->port ? target->port : 5060) == (uri->port ? uri->port : 5060);
}

void plan_core_targets(struct plan *plan, const struct store_domain *domain,
                       const struct sip_uri *next)
{
    plan->target_count = resolver_core_targets(plan->resolver, domain, plan->targets);
    for (size_t i = 1; next && i < plan->target_count; i++)
        if (is_named_by(&plan->targets[i], next)) {
            struct resolver_target named = plan->targets[i];
            memmove(&plan->targets[1], &plan->targets[0], i * sizeof(named));
            plan->targets[0] = named;
            return;
        }
}

/* The address by which others know whom an alias names. */
static const struct store_address *called_name(const struct called *called)
{
    return called->answer.route.aliased ? &called->answer.route.target : &called->address;
}

static void plan_core(const struct sip_msg *request, const struct called *called, struct plan *plan)
{
    const struct store_domain *core = &called->answer.route.core;
    plan->side = TRANSPORT_INSIDE;
    if (called->answer.rule == RESOLVER_HOSTED || called->leads_here)
        plan->called = *called_name(called);
    plan->renamed = plan->renamed || called->leads_here;
    snprintf(plan->hosted, sizeof(plan->hosted), "%s", core->name);
    plan_core_targets(plan, core, NULL);
    plan_keep_tls(request, plan);
}

static void plan_peer(const char *domain, uint16_t port, struct plan *plan)
{
    plan->side = TRANSPORT_OUTSIDE;
    snprintf(plan->hosted, sizeof(plan->hosted), "%s", plan->caller_group);
    snprintf(plan->peer, sizeof(plan->peer), "%s", domain);
    plan->targets[0] = (struct resolver_target){.profile = RESOLVER_PEER, .port = port};
    snprintf(plan->targets[0].host, sizeof(plan->targets[0].host), "%s", domain);
    plan->target_count = 1;
}

/* ---- from the core (3.1) ---- */

/* May this core call under a number: is it one that we serve? Then `route` is that of whom it leads
 * to. */
static int caller_number(struct store_reader *reader, const struct store_address *caller,
                         struct store_route *route)
{
    char digits[STORE_NUMBER_MAX + 1];
    struct resolver_number number;
    if (!route->domain_is_ours || route->address_found || caller->user[0] != '+' ||
        store_number_parse(slice_of(caller->user), digits, NULL) != 0)
        return 0;
    int status = resolver_number_get(reader, digits, &number);
    if (status == STATUS_NOTFOUND || (status == 0 && !number.is_here))
        return 0;
    return status ? status : store_route(reader, &number.leads_to, route);
}

static bool hosted_here(const struct store_route *route)
{
    if (route->address_found)
        return !route->blocked &&
               (route->state == STORE_ADDRESS_HOSTED || route->state == STORE_ADDRESS_PORTED_IN);
    return route->domain_is_ours && route->core.unknown == STORE_UNKNOWN_CORE;
}

/* The caller must be an address that this core hosts, and the source one of its core's. */
static void admit_core_caller(struct proxy *proxy, const struct origin *origin,
                              const struct sip_msg *request, struct plan *plan)
{
    struct store_reader *reader = proxy_reader(proxy);
    struct store_address caller;
    struct store_route route;
    struct sip_uri uri;
    char ip[NETADDR_TEXT_MAX];
    if (!identity_is_anonymous(&request->from.uri) ||
        !identity_asserted(proxy, request, NULL, &uri))
        uri = request->from.uri;
    bool named = called_is_sip(&uri) && uri.host_kind == SIP_HOST_NAME &&
                 store_domain_canonical(uri.host, caller.domain, NULL) == 0 &&
                 store_user_canonical(uri.user, caller.user, NULL) == 0;
    if (named && (!reader || store_route(reader, &caller, &route) != 0 ||
                  caller_number(reader, &caller, &route) != 0)) {
        refusal_set(plan->refusal, 500, "the directory cannot be read");
        return;
    }
    if (identity_is_anonymous(&uri)) {
        refusal_set(plan->refusal, 403,
                    "an anonymous caller must be named in P-Asserted-Identity by the core");
        return;
    }
    if (!named || !hosted_here(&route)) {
        refusal_set(plan->refusal, 403,
                    "the caller %.*s is not an address hosted here: add it to the directory; to "
                    "forward a call, let the core answer 302 or call anew as its own user",
                    SLICE_ARG(uri.bytes));
        return;
    }
    if (!admit_source_is_core(proxy, origin, &route.core)) {
        refusal_set(plan->refusal, 403,
                    "%s is not a core of %s: give it as a core of the domain, or list it in allow",
                    netaddr_format_ip(&origin->peer, ip), route.core.name);
        return;
    }
    snprintf(plan->caller_group, sizeof(plan->caller_group), "%s", route.core.name);
}

void admit_not_found_out(const struct sip_msg *request, const char *why, struct refusal *refusal)
{
    refusal_set(refusal, 480, "where %.*s leads could not be found out: %s",
                SLICE_ARG(request->uri.bytes), why);
}

/* To whoever serves an address of a foreign domain: what its authority told lately counts before
 * what the directory and DNS say. */
static void plan_foreign(struct proxy *proxy, const struct sip_msg *request,
                         const struct called *called, struct plan *plan)
{
    const struct store_address *whom = called_name(called);
    bool is_direct = called->answer.rule == RESOLVER_AUTHORITY && !plan->renamed;
    struct told told;
    uint64_t age_ms;
    if (whom->user[0]) {
        plan->whom = *whom;
        plan->whom_port = is_direct ? request->uri.port : 0;
    }
    if (whom->user[0] &&
        told_get(proxy->told, whom, txn_layer_now_ms(proxy->txns), &told, &age_ms) &&
        told.host[0] && !proxy_hosts(proxy, told.host))
        plan_peer(told.host, 0, plan);
    else
        plan_peer(called->answer.hosting, is_direct ? request->uri.port : 0, plan);
    if (called->answer.route.aliased)
        plan->called = called->answer.route.target;
}

/* Where a request from the core goes, once it is known where the called address lives.
 * why_unknown    why DNS could not tell more; NULL where that is all there is */
static void plan_found(struct proxy *proxy, const struct sip_msg *request,
                       const struct called *called, const char *why_unknown, struct plan *plan)
{
    switch (called->answer.rule) {
    case RESOLVER_HOSTED:
    case RESOLVER_UNKNOWN_CORE:
        if (strcmp(called->answer.route.core.name, plan->caller_group) != 0)
            plan_core(request, called, plan);
        else if (why_unknown)
            admit_not_found_out(request, why_unknown, plan->refusal);
        else
            refusal_set(plan->refusal, 404, "%.*s is served by the core that asks",
                        SLICE_ARG(request->uri.bytes));
        return;
    case RESOLVER_UNKNOWN:
    case RESOLVER_BLOCKED:
        called_refuse_unknown(request, plan->refusal);
        return;
    case RESOLVER_PSTN:
        if (strcmp(called->answer.route.core.name, plan->caller_group) != 0) {
            plan_core(request, called, plan);
            return;
        }
        refusal_set(plan->refusal, 404,
                    "%.*s leads to no address, and to the telephone network leads the core that "
                    "asks",
                    SLICE_ARG(request->uri.bytes));
        return;
    case RESOLVER_NO_NUMBER:
        refusal_set(plan->refusal, 404, "%.*s leads to no address", SLICE_ARG(request->uri.bytes));
        return;
    case RESOLVER_PORTED_OUT: /* we are its authority */
        plan_peer(called->answer.hosting, 0, plan);
        if (called->answer.route.aliased)
            plan->called = called->answer.route.target;
        return;
    case RESOLVER_MOVED:
    case RESOLVER_ALIAS:
    case RESOLVER_PUBLISHED:
    case RESOLVER_AUTHORITY:
        plan_foreign(proxy, request, called, plan);
        return;
    }
}

void admit_found(struct proxy *proxy, const struct sip_msg *request,
                 const struct resolver_found *found, struct plan *plan)
{
    struct called called = {
        .address = found->address, .has_address = true, .answer = found->answer};
    plan->renamed = found->number_by != RESOLVER_NUMBER_NONE;
    if (plan->renamed)
        plan->called = found->address;
    plan_found(proxy, request, &called, found->unknown ? found->why : NULL, plan);
}

static void plan_number(const struct sip_msg *request, struct plan *plan)
{
    struct store_fault fault;
    plan->in_dns = store_number_parse(request->uri.user, plan->asked.digits, &fault) == 0;
    if (!plan->in_dns)
        refusal_set(plan->refusal, 404, "%.*s: %s", SLICE_ARG(request->uri.bytes), fault.text);
}

static void plan_from_core(struct proxy *proxy, const struct origin *origin,
                           const struct sip_msg *request, struct plan *plan)
{
    struct called called;
    admit_core_caller(proxy, origin, request, plan);
    if (plan->refusal->status)
        return;
    if (request->uri.scheme == SIP_SCHEME_TEL) {
        plan_number(request, plan);
        return;
    }
    if (!called_look_up(proxy, &request->uri, &called, plan->refusal))
        return;
    if (called.in_port_form)
        plan->called = called.address;
    plan->in_dns = called.has_address && resolver_find_needs_dns(resolver_conf_get(proxy->resolver),
                                                                 &called.address, &called.answer);
    if (plan->in_dns)
        plan->asked.address = called.address;
    else
        plan_found(proxy, request, &called, NULL, plan);
}

/* ---- from a peer (3.2, 3.4) ---- */

/* The caller that From names: known to be this peer's, known not to be, or to be found out. */
static void admit_named_caller(struct proxy *proxy, const struct origin *origin,
                               const struct sip_msg *request, struct plan *plan)
{
    const struct sip_uri *from = &request->from.uri;
    struct verified verified;
    switch (verify_known(proxy, origin->conn, from, &verified)) {
    case VERIFY_YES:
        memcpy(plan->peer, verified.host, sizeof(plan->peer));
        return;
    case VERIFY_NO:
        verify_refuse(origin->conn, from, verified.why, plan->refusal);
        return;
    case VERIFY_OPEN:
        plan->verify = true;
        plan->caller = verified.caller;
        snprintf(plan->peer, sizeof(plan->peer), "%s", conn_proven_domain(origin->conn));
        return;
    }
}

/* The domain this peer speaks for in this request, as far as that is known. */
static void admit_peer_caller(struct proxy *proxy, const struct origin *origin,
                              const struct sip_msg *request, struct plan *plan)
{
    const char *proven = conn_proven_domain(origin->conn);
    struct sip_uri asserted;
    struct verified verified;
    if (!identity_is_anonymous(&request->from.uri)) {
        admit_named_caller(proxy, origin, request, plan);
    } else if (identity_asserted(proxy, request, origin->conn, &asserted) &&
               verify_known(proxy, origin->conn, &asserted, &verified) == VERIFY_YES) {
        memcpy(plan->peer, verified.host, sizeof(plan->peer));
    } else {
        snprintf(plan->peer, sizeof(plan->peer), "%s", proven);
        snprintf(plan->assert_identity, sizeof(plan->assert_identity), "%s", proven);
    }
}

static void plan_from_peer(struct proxy *proxy, const struct origin *origin,
                           const struct sip_msg *request, struct plan *plan)
{
    struct called called;
    if (!called_look_up(proxy, &request->uri, &called, plan->refusal) ||
        !called_follow_number(proxy, &called, plan->refusal))
        return;
    if (called.answer.rule == RESOLVER_AUTHORITY)
        arrive_plan(proxy, request, &called.address, plan);
    if (plan->refusal->status)
        return;
    admit_peer_caller(proxy, origin, request, plan);
    if (plan->refusal->status)
        return;
    if ((plan->verify || plan->arrives) && request->method == SIP_ACK) /* it waits for nobody */
        refusal_set(plan->refusal, 403, "an ACK comes from a caller who is known");
    else if (!plan->arrives && called_is_served(request, &called, plan->refusal))
        plan_core(request, &called, plan);
}

void admit_in_dialog(struct proxy *proxy, const struct sip_msg *request, bool has_route,
                     struct refusal *refusal)
{
    char domain[STORE_DOMAIN_MAX + 1];
    struct called called;
    const struct sip_uri *uri = &request->uri;
    bool is_ours = called_is_sip(uri) && uri->host_kind == SIP_HOST_NAME && uri->has_user &&
                   store_domain_canonical(uri->host, domain, NULL) == 0 &&
                   proxy_hosts(proxy, domain);
    if (called_is_sip(uri) && !is_ours)
        return;
    if (!called_look_up(proxy, uri, &called, refusal) ||
        !called_follow_number(proxy, &called, refusal))
        return;
    if (!has_route || called.answer.rule == RESOLVER_BLOCKED)
        called_is_served(request, &called, refusal);
}

bool admit_is_probe(const struct origin *origin, const struct sip_msg *request)
{
    const struct sip_uri *from = &request->from.uri;
    return origin->conn && origin->listener->side == TRANSPORT_OUTSIDE &&
           request->method == SIP_OPTIONS && request->uri.has_user &&
           called_is_sip(&request->uri) && request->to_tag.len == 0 && !from->has_user &&
           identity_is_proven(origin->conn, from);
}

void admit_answer_probe(struct proxy *proxy, const struct sip_msg *request, struct refusal *answer)
{
    struct called called;
    if (!called_look_up(proxy, &request->uri, &called, answer) ||
        !called_follow_number(proxy, &called, answer))
        return;
    switch (called.answer.rule) {
    case RESOLVER_PORTED_OUT:
    case RESOLVER_MOVED:
        if (!called.answer.route.aliased && !called.leads_here) {
            called_redirect_ported(request, &called, answer);
            return;
        }
        break;
    case RESOLVER_AUTHORITY:
        refusal_set(answer, 403, "%s is not hosted here, and this edge does not relay",
                    called.address.domain);
        return;
    case RESOLVER_HOSTED:
    case RESOLVER_ALIAS:
    case RESOLVER_BLOCKED:
    case RESOLVER_UNKNOWN_CORE:
    case RESOLVER_UNKNOWN:
    case RESOLVER_PUBLISHED:
    case RESOLVER_NO_NUMBER:
    case RESOLVER_PSTN:
        break;
    }
    refusal_set(answer, 200, "%s", "");
}

/* Stale data proves no identity (design section 2). */
static void refuse_unproven(const struct origin *origin, struct refusal *refusal)
{
    const char *held = origin->conn ? conn_proven_domain(origin->conn) : "";
    if (held[0])
        refusal_set(refusal, 403,
                    "whether DNS still names the key of %s cannot be found out now, so this "
                    "connection proves nothing; calls in progress go on",
                    held);
    else
        refusal_set(refusal, 403, "this connection has proven no SIP domain");
}

void admit_plan(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                const struct sip_nameaddr *next, struct plan *plan)
{
    if (proxy->draining) {
        refusal_set(plan->refusal, 503, "this edge is draining");
        snprintf(plan->refusal->headers, sizeof(plan->refusal->headers), "Retry-After: 10\r\n");
    } else if (next->bytes.len) {
        refusal_set(plan->refusal, 403, "a preloaded Route beyond this edge is not followed");
    } else if (sip_uri_param(&request->uri, "maddr", NULL)) {
        refusal_set(plan->refusal, 403, "maddr in the Request-URI is not followed here");
    } else if (origin->listener->side == TRANSPORT_INSIDE) {
        plan_from_core(proxy, origin, request, plan);
    } else if (origin->conn && conn_proves(origin->conn, conn_proven_domain(origin->conn))) {
        plan_from_peer(proxy, origin, request, plan);
    } else {
        refuse_unproven(origin, plan->refusal);
    }
}
