/* Route headers and dialog tokens (design section 4; RFC 3261 16.4, 16.6 step 6, 12.2). */
#include "peering/proxy/forward.h"
#include "peering/proxy/identity.h"
#include "peering/proxy/plan.h"

#include "base/status.h"

#include <stdio.h>
#include <time.h>

int dialog_routes(struct proxy *proxy, const struct sip_msg *request, size_t *own,
                  struct sip_nameaddr *top, struct sip_nameaddr *next)
{
    size_t seen = 0;
    *own = 0;
    *top = *next = (struct sip_nameaddr){.bytes = {NULL, 0}};
    for (const struct sip_header *h = sip_msg_header(request, SIP_H_ROUTE, NULL); h;
         h = sip_msg_header(request, SIP_H_ROUTE, h)) {
        struct slice list = h->value;
        struct sip_nameaddr route;
        int status;
        while ((status = sip_nameaddr_next(&list, &route)) == 0) {
            if (seen++ == 0)
                *top = route;
            if (!proxy_is_us(proxy, &route.uri)) {
                *next = route;
                return 0;
            }
            ++*own;
        }
        if (status != STATUS_NOTFOUND)
            return STATUS_MALFORMED;
    }
    return 0;
}

/* ---- strict routers (RFC 2543) ---- */

bool dialog_is_strict(struct proxy *proxy, const struct sip_msg *request)
{
    uint32_t key_id;
    return request->to_tag.len > 0 && request->uri.has_user &&
           token_key_id(request->uri.user, &key_id) == 0 &&
           sip_msg_header(request, SIP_H_ROUTE, NULL) && proxy_is_us(proxy, &request->uri);
}

/* The last value of all Route headers, and the header that it stands in. */
static int last_route(const struct sip_msg *request, const struct sip_header **header,
                      struct sip_nameaddr *last)
{
    *header = NULL;
    for (const struct sip_header *h = sip_msg_header(request, SIP_H_ROUTE, NULL); h;
         h = sip_msg_header(request, SIP_H_ROUTE, h)) {
        struct slice list = h->value;
        int status;
        while ((status = sip_nameaddr_next(&list, last)) == 0)
            *header = h;
        if (status != STATUS_NOTFOUND)
            return status;
    }
    return *header ? 0 : STATUS_NOTFOUND;
}

/* A message of its own in the arena; NULL on exhaustion. */
static const struct sip_msg *reindex(struct arena *arena, struct sip_edits *edits,
                                     size_t header_max)
{
    struct sip_fault fault;
    size_t len = sip_edits_len(edits);
    struct sip_msg *msg = arena_zero(arena, sizeof(*msg));
    struct sip_header *headers = arena_get(arena, header_max * sizeof(*headers));
    char *bytes = len ? arena_get(arena, len) : NULL;
    if (!msg || !headers || !bytes)
        return NULL;
    sip_edits_gather(edits, bytes);
    /* as a datagram, for one may lack Content-Length */
    bool good = sip_msg_parse(slice_make(bytes, len), false, headers, header_max, msg, &fault) == 0;
    return good ? msg : NULL;
}

const struct sip_msg *dialog_loosen(struct arena *arena, const struct sip_msg *request)
{
    const struct sip_header *header;
    struct sip_nameaddr last;
    struct sip_edits edits;
    if (last_route(request, &header, &last) != 0)
        return NULL;
    sip_edits_init(&edits, request->bytes);
    sip_edits_replace(&edits, request->uri_text, last.uri.bytes);
    sip_edits_insert(&edits, slice_end(request->start_line),
                     arena_printf(arena, "Route: <%.*s>\r\n", SLICE_ARG(request->uri.bytes)));
    sip_edits_remove_element(&edits, header, last.bytes);
    return reindex(arena, &edits, request->header_count + 1);
}

bool dialog_has_token(const struct sip_msg *request, size_t own, const struct sip_nameaddr *top)
{
    return request->to_tag.len > 0 && own > 0 && top->uri.has_user;
}

static uint64_t unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int read_token(struct proxy *proxy, const struct sip_msg *request, struct slice text,
                      struct token *token)
{
    struct store_reader *reader = proxy_reader(proxy);
    struct store_key key;
    uint32_t key_id;
    const struct slice tags[2] = {request->from_tag, request->to_tag};
    int status = token_key_id(text, &key_id);
    if (status == 0)
        status = reader ? store_key_get(reader, key_id, &key) : -EIO;
    if (status == 0)
        status = token_decode(text, &key, unix_ms(), request->call_id, tags, token);
    return status;
}

/* The side that a token names must be the side it comes from, and a peer must be the token's. */
static void check_side(struct proxy *proxy, const struct origin *origin, const struct token *token,
                       const struct store_domain *hosted, struct refusal *refusal)
{
    char text[NETADDR_TEXT_MAX];
    if (origin->listener->side != token->side)
        refusal_set(refusal, 403, "this dialog's token is not valid from this side");
    else if (token->side == TRANSPORT_OUTSIDE &&
             !(origin->conn && conn_holds(origin->conn, token->peer)))
        refusal_set(refusal, 403, "this dialog is with %s, which this connection has not proven",
                    token->peer);
    else if (token->side == TRANSPORT_INSIDE && !admit_source_is_core(proxy, origin, hosted))
        refusal_set(refusal, 403, "%s is not a core of %s", netaddr_format_ip(&origin->peer, text),
                    token->hosted);
}

/* Is this how the peer's side has been named since the dialog began? */
static bool is_speaker(const struct token *token, const struct sip_uri *from)
{
    uint8_t name[TOKEN_SPEAKER_LEN];
    return token->has_speaker && verify_name(from, name) == 0 &&
           memcmp(name, token->speaker, sizeof(name)) == 0;
}

/* Whom the peer named by From, in this dialog: itself, whoever it was admitted as or our side
 * dialled (12.2.1.1), or another that it is known to speak for (RFC 4916); nobody is asked. */
static bool may_speak(struct proxy *proxy, const struct origin *origin, const struct token *token,
                      const struct sip_uri *from)
{
    struct verified verified;
    return identity_is_anonymous(from) || is_speaker(token, from) ||
           (identity_is_held(origin->conn, from) && !verify_names_two(from)) ||
           verify_known(proxy, origin->conn, from, &verified) == VERIFY_YES;
}

/* The HMAC does not cover From. What was called ends the call, and confirms an answer, under
 * whatever name: a BYE that is refused leaves the call running, and one that is not shows nobody
 * that name. */
static void check_speaker(struct proxy *proxy, const struct origin *origin,
                          const struct sip_msg *request, const struct token *token,
                          struct refusal *refusal)
{
    const struct sip_uri *from = &request->from.uri;
    bool shows_nobody = request->method == SIP_BYE || request->method == SIP_ACK;
    if (token->side != TRANSPORT_OUTSIDE || (!token->caller && shows_nobody) ||
        may_speak(proxy, origin, token, from))
        return;
    if (token->caller)
        refusal_set(refusal, 403, "the caller %.*s could not be verified: this dialog is with %s",
                    SLICE_ARG(from->bytes), token->peer);
    else
        refusal_set(refusal, 403,
                    "%.*s was not called in this dialog, and %s is not known to speak for it",
                    SLICE_ARG(from->bytes), token->peer);
}

/* A token leads to the core it was made for, but not to whomever the Request-URI names there. What
 * brings a call to its end is never refused. */
static void check_called(struct proxy *proxy, const struct origin *origin,
                         const struct sip_msg *request, bool has_route, struct plan *plan)
{
    if (policy_never_refuses(request))
        return;
    admit_in_dialog(proxy, request, has_route, plan->refusal);
    policy_called(proxy, origin, request, plan);
}

/* From the core: to whatever the route set names next, which must prove the dialog's peer. An IP
 * address there has no name that DNS could vouch for: it says which of the peer's hosts is meant,
 * and nobody can so send us to an address that its domain does not lead to. */
static void plan_to_peer(const struct sip_msg *request, const struct sip_nameaddr *next,
                         const struct token *token, struct plan *plan)
{
    const struct sip_uri *uri = next->bytes.len ? &next->uri : &request->uri;
    struct resolver_target *target = &plan->targets[0];
    *target = (struct resolver_target){.profile = RESOLVER_PEER, .port = uri->port};
    bool good = uri->scheme == SIP_SCHEME_SIP || uri->scheme == SIP_SCHEME_SIPS;
    if (good && uri->host_kind == SIP_HOST_NAME)
        good = store_domain_canonical(uri->host, target->host, NULL) == 0;
    else if (good)
        good = netaddr_from_ip(&plan->dialog_addr, uri->host, uri->port ? uri->port : 5061) == 0;
    if (good && uri->host_kind != SIP_HOST_NAME) {
        snprintf(target->host, sizeof(target->host), "%s", token->peer);
        target->port = 0;
    }
    if (!good) {
        refusal_set(plan->refusal, 404, "%.*s does not lead anywhere", SLICE_ARG(uri->bytes));
        return;
    }
    plan->side = TRANSPORT_OUTSIDE;
    plan->target_count = 1;
    snprintf(plan->peer, sizeof(plan->peer), "%s", token->peer);
    snprintf(plan->hosted, sizeof(plan->hosted), "%s", token->hosted);
    snprintf(plan->caller_group, sizeof(plan->caller_group), "%s", token->hosted);
}

/* To the core that the next Route names or, where the route set ends here, the Request-URI: in a
 * group of several the one that has the dialog. */
static void plan_to_core(const struct sip_msg *request, const struct sip_nameaddr *next,
                         const struct store_domain *group, struct plan *plan)
{
    const struct sip_uri *uri = next->bytes.len ? &next->uri : &request->uri;
    plan->side = TRANSPORT_INSIDE;
    plan->in_order = true;
    netaddr_from_ip(&plan->dialog_addr, uri->host, uri->port ? uri->port : 5060); /* or a name */
    snprintf(plan->hosted, sizeof(plan->hosted), "%s", group->name);
    plan_core_targets(plan, group, uri);
    plan_keep_tls(request, plan);
}

void dialog_plan(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                 const struct sip_nameaddr *top, const struct sip_nameaddr *next, struct plan *plan)
{
    struct store_reader *reader = proxy_reader(proxy);
    struct store_domain hosted, other;
    struct token token;
    if (read_token(proxy, request, top->uri.user, &token) != 0) {
        refusal_set(plan->refusal, 403, "the dialog token in Route is not valid for this dialog");
        return;
    }
    if (store_domain_get(reader, token.hosted, &hosted) != 0) {
        refusal_set(plan->refusal, 403, "%s is not hosted here any more", token.hosted);
        return;
    }
    plan->strict_next = next->bytes.len > 0 && !sip_uri_param(&next->uri, "lr", NULL);
    check_side(proxy, origin, &token, &hosted, plan->refusal);
    if (plan->refusal->status == 0)
        check_speaker(proxy, origin, request, &token, plan->refusal);
    if (plan->refusal->status)
        return;
    if (token.side == TRANSPORT_OUTSIDE) {
        check_called(proxy, origin, request, next->bytes.len > 0, plan);
        snprintf(plan->peer, sizeof(plan->peer), "%s", token.peer);
        if (plan->refusal->status == 0)
            plan_to_core(request, next, &hosted, plan);
    } else if (token.peer[0]) {
        plan_to_peer(request, next, &token, plan);
    } else if (store_domain_get(reader, token.peer_core, &other) == 0) {
        snprintf(plan->caller_group, sizeof(plan->caller_group), "%s", token.hosted);
        plan_to_core(request, next, &other, plan);
    } else {
        refusal_set(plan->refusal, 403, "%s is not hosted here any more", token.peer_core);
    }
}
