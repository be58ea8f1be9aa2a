/* The response context: one server transaction, its targets in turn, one answer (RFC 3261 16.6 to
 * 16.10; RFC 3263 4.3 for the turn to the next target). */
#include "peering/proxy/context.h"
#include "peering/proxy/forward.h"

#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- its life ---- */

void context_mark_decided(struct context *context)
{
    if (context->undecided)
        context->proxy->undecided--;
    context->undecided = false;
    guard_release(context->plan->budget);
    context->plan->budget = NULL;
}

static void context_free(struct context *context)
{
    list_remove(&context->link);
    context_search_free(context);
    conn_unref(context->origin.conn);
    arena_free(context->arena);
}

void context_enter(struct context *context)
{
    if (context->busy++ == 0)
        proxy_advance(context->proxy);
}

/* Is something other than the end of its transactions waited for? */
static bool is_under_way(const struct context *context)
{
    const struct search *search = context->search;
    return search &&
           (search->finding || search->verify.under_way || search->location || context->current);
}

void context_leave(struct context *context)
{
    if (--context->busy > 0 || is_under_way(context))
        return;
    if (!context->server && list_is_empty(&context->clients))
        context_free(context);
    else if (context->search && context->final_sent)
        context_settle(context);
}

static void lookups_stop(struct context *context)
{
    if (!context->search)
        return;
    find_stop(context);
    verify_stop(context);
    arrive_stop(context);
    if (context->search->location)
        resolver_locate_cancel(context->search->location);
    context->search->location = NULL;
}

/* Whoever sent it hears nothing. */
static void end_unanswered(struct context *context, const char *why)
{
    if (!context->final_sent)
        line_decided(context, 0, "failed", why);
    context->final_sent = true;
    txn_server_abort(context->server);
}

void context_abort(struct context *context)
{
    context_enter(context);
    lookups_stop(context);
    if (context->server)
        end_unanswered(context, "the edge ended before there was an answer");
    if (context->current && context->method == SIP_ACK)
        attempt_abandon(context->current);
    context->current = NULL;
    struct list *first;
    while ((first = list_first(&context->clients)))
        txn_client_abort(container_of(first, struct client, link)->txn);
    context_leave(context);
}

/* ---- answers ---- */

static void send_down(struct slice bytes, void *arg)
{
    struct context *context = arg;
    proxy_send_response(context->proxy, &context->origin, context->reply_port, bytes);
}

/* A 2xx to an INVITE goes back whatever was said before, for somebody has picked up (16.7 steps 5
 * and 9). `result` and `why` are for the log. */
static void respond(struct context *context, unsigned status, struct slice bytes,
                    const char *result, const char *why)
{
    bool picked_up = context->method == SIP_INVITE && status >= 200 && status < 300;
    if (status >= 200 && context->server && !context->final_sent) {
        line_decided(context, status, result, why);
        context->final_sent = true;
        context_mark_decided(context);
        context_search_waits(context);
    }
    int done = context->server ? txn_server_respond(context->server, status, bytes) : -EALREADY;
    if (done == -EALREADY && picked_up)
        send_down(bytes, context);
}

static void answer(struct context *context, const struct refusal *answer, const char *result,
                   const char *why)
{
    struct slice bytes = proxy_answer_build(context->proxy, context->search->arena,
                                            &context->origin, context->request, answer);
    if (bytes.p)
        respond(context, answer->status, bytes, result, why);
    else if (context->server)
        end_unanswered(context, "no memory even for an answer: the sender asks again");
}

const char *context_far_domain(const struct context *context)
{
    const struct plan *plan = context->plan;
    return plan->side == TRANSPORT_OUTSIDE ? plan->peer : plan->hosted;
}

/* No target is left. Never 503 towards a core: that would take the whole edge out of service. */
static void give_up(struct context *context)
{
    const char *why = context->causes ? context->causes : "no target could be tried";
    bool late = context->search_over && context->request->method == SIP_INVITE;
    struct refusal refusal;
    if (context->final_sent || !context->server || redirect_lost(context))
        return;
    if (context->cancelled) {
        refusal_set(&refusal, 487, "%s", "");
        answer(context, &refusal, "cancelled", context->causes ? context->causes : "");
        return;
    }
    if (context->kept_status) {
        respond(context, context->kept_status, context->kept_bytes, "answered", "");
        return;
    }
    if (context->answer_too_long)
        refusal_set(&refusal, 502, "the answer of %s is longer than %d bytes",
                    context_far_domain(context), SIP_MAX_MESSAGE);
    else if (context->origin.listener->side == TRANSPORT_OUTSIDE) /* names of cores stay inside */
        refusal_set(&refusal, late ? 408 : 480,
                    context->answered_503 ? "the core of %s answered 503"
                                          : "the core of %s does not answer",
                    context->plan->hosted);
    else
        refusal_set(&refusal, late ? 408 : 480, "%s", why);
    answer(context, &refusal, "failed", why);
}

void context_add_cause(struct context *context, const char *format, ...)
{
    va_list args;
    if (!context->causes)
        context->causes = arena_zero(context->search->arena, PROXY_WARNING_MAX);
    if (!context->causes)
        return;
    size_t used = strlen(context->causes);
    if (used && used + 2 < PROXY_WARNING_MAX) {
        memcpy(context->causes + used, "; ", 3);
        used += 2;
    }
    va_start(args, format);
    vsnprintf(context->causes + used, PROXY_WARNING_MAX - used, format, args);
    va_end(args);
}

/* ---- targets in turn ---- */

static void try_next(struct context *context);

/* The search in the target turned to last. */
static void search_begin(struct context *context, struct resolver_plan *found)
{
    struct resolver_search *search = &context->search->searches[context->search->target_next - 1];
    resolver_search_begin(search, context->proxy->resolver, found, context_far_domain(context));
    if (context->plan->dialog_addr.sa.sa_family != AF_UNSPEC)
        resolver_search_prefer(search, &context->plan->dialog_addr);
}

static void located(int status, struct resolver_plan *found, const char *why, void *arg)
{
    struct context *context = arg;
    context_enter(context);
    context->search->location = NULL;
    if (status == 0)
        search_begin(context, found);
    else
        context_add_cause(context, "%s", why);
    try_next(context);
    context_leave(context);
}

/* Returns whether hops may be there now; else `located` will go on. */
static bool turn_to_next_target(struct context *context)
{
    struct resolver *resolver = context->proxy->resolver;
    const struct resolver_target *target = &context->plan->targets[context->search->target_next++];
    struct resolver_plan *found = resolver_plan_get(resolver, target);
    if (found) {
        search_begin(context, found);
        return true;
    }
    int status = resolver_plan_find(resolver, target, located, context, &context->search->location);
    if (status == 0)
        return false;
    context_add_cause(context, "%s: %s", target->host, status_text(status));
    return true;
}

/* The hops of the target turned to last; of all targets, once there is no other to turn to, those
 * that were passed over because they failed lately. */
static bool next_hop(struct context *context)
{
    size_t turned_to = context->search->target_next;
    bool again = context->hop_again;
    context->hop_again = false;
    if (again)
        return true;
    context->fallen_back = false;
    if (turned_to > 0 &&
        resolver_search_next(&context->search->searches[turned_to - 1], &context->search->hop))
        return true;
    if (turned_to < context->plan->target_count && !context->plan->in_order)
        return false;
    for (size_t i = 0; i < turned_to; i++)
        if (resolver_search_next_avoided(&context->search->searches[i], &context->search->hop))
            return true;
    return false;
}

static void try_next(struct context *context)
{
    while (!context->final_sent && !context->cancelled && !context->search_over) {
        if (next_hop(context)) {
            context->tries++;
            if (attempt_start(context, &context->search->hop) == 0)
                return;
        } else if (context->search->target_next < context->plan->target_count) {
            if (!turn_to_next_target(context))
                return;
        } else {
            break;
        }
    }
    give_up(context);
}

bool context_retry_hop(struct context *context)
{
    if (context->retried)
        return false;
    context->retried = context->hop_again = true;
    return true;
}

void context_fall_back(struct context *context)
{
    context->fallen_back = context->hop_again = true;
}

void context_try_targets(struct context *context)
{
    try_next(context);
}

void context_admitted(struct context *context)
{
    if (context->plan->in_dns)
        find_start(context);
    else if (context->plan->arrives)
        arrive_start(context);
    else
        try_next(context);
}

void context_refuse(struct context *context, const struct refusal *refusal)
{
    if (context->server && !context->final_sent) {
        answer(context, refusal, "refused", refusal->warning);
    }
}

bool context_has_more(const struct context *context)
{
    bool more = context->hop_again || context->search->target_next < context->plan->target_count;
    for (size_t i = 0; !more && i < context->search->target_next; i++)
        more = resolver_search_more(&context->search->searches[i]);
    return more;
}

void context_attempt_failed(struct context *context)
{
    context_enter(context);
    context->current = NULL;
    if (!context->final_sent)
        context_search_runs(context); /* a provisional response had stopped it */
    try_next(context);
    context_leave(context);
}

/* Design section 4: the whole search takes at most so long. */
static void on_search_timer(void *arg)
{
    struct context *context = arg;
    context_enter(context);
    context->search_over = true;
    if (context->search->finding)
        context_add_cause(context, "where the address leads was not found out in time");
    if (context->search->verify.under_way)
        context_add_cause(context, "the caller could not be verified in time");
    lookups_stop(context);
    if (context->current) {
        context_add_cause(context, "%s: no response in time", context->search->hop.host);
        attempt_abandon(context->current);
        context->current = NULL;
    }
    give_up(context);
    context_leave(context);
}

int context_search_runs(struct context *context)
{
    struct proxy *proxy = context->proxy;
    return search_time_run(&context->search->time, proxy->timers, txn_layer_now_ms(proxy->txns),
                           on_search_timer, context);
}

/* ---- responses ---- */

/* The response as it goes back. */
static struct slice pass_back(struct context *context, const struct sip_msg *response,
                              const struct conn *conn)
{
    bool from_peer = context_side(context) == TRANSPORT_OUTSIDE;
    bool to_peer = context->origin.listener->side == TRANSPORT_OUTSIDE;
    return forward_response(context->proxy, context_scratch(context), response,
                            from_peer ? conn : NULL, to_peer ? context_peer(context) : NULL);
}

/* Section 16.7 step 6: the lowest class counts, and in it the first. */
void context_keep_response(struct context *context, const struct sip_msg *response,
                           const struct conn *conn)
{
    if (context->kept_status && context->kept_status / 100 <= response->status / 100)
        return;
    struct slice bytes = pass_back(context, response, conn);
    if (!bytes.p)
        return;
    context->kept_status = response->status;
    context->kept_bytes = bytes;
}

/* Every fork may send provisional responses and 2xx (16.7 step 5), and repeat them, but not without
 * end; the first 2xx has room in any case. 100 is hop by hop. */
static bool is_passed_on(struct context *context, const struct sip_msg *response)
{
    bool is_provisional = response->status < 200;
    size_t *passed = is_provisional ? &context->provisional_bytes : &context->success_bytes;
    if (response->status >= 300)
        return true;
    *passed += response->bytes.len;
    return response->status > 100 &&
           *passed <= (is_provisional ? CONTEXT_PROVISIONAL_MAX : CONTEXT_SUCCESS_MAX);
}

void context_response(struct context *context, struct attempt *attempt,
                      const struct sip_msg *response, const struct conn *conn)
{
    context_enter(context);
    context_search_waits(context);
    if (context->first_ms == 0)
        context->first_ms = txn_layer_now_ms(context->proxy->txns);
    if (response->status >= 200) {
        struct attempt *current = context->current;
        context->current = NULL;
        context->answered = attempt;
        if (current && current != attempt) /* a late 2xx of an earlier target wins (16.7 step 10) */
            attempt_abandon(current);
    }
    if (response->status >= 300 && redirect_take(context, response)) {
        context_leave(context);
        return;
    }
    if (response->status >= 200 && response->status < 300 && context->method == SIP_INVITE &&
        !context->final_sent) /* once per call */
        policy_answered(context->proxy,
                        context_side(context) == TRANSPORT_OUTSIDE ? conn : context->origin.conn);
    if (is_passed_on(context, response)) {
        struct slice bytes = pass_back(context, response, conn);
        if (bytes.p)
            respond(context, response->status, bytes, context->cancelled ? "cancelled" : "answered",
                    "");
        else if (response->status >= 200) {
            context_add_cause(context, "the response could not be passed on");
            give_up(context);
        }
    }
    context_leave(context);
}

void context_cancel(struct context *context)
{
    if (context->cancelled || context->final_sent)
        return;
    context_enter(context);
    context->cancelled = true;
    lookups_stop(context);
    if (context->current)
        attempt_cancel(context->current);
    else
        give_up(context);
    context_leave(context);
}

/* ---- start ---- */

static void on_server_ended(struct txn_server *txn, void *arg)
{
    struct context *context = arg;
    (void)txn;
    context_enter(context);
    context->server = NULL;
    context_leave(context);
}

static struct context *context_alloc(struct proxy *proxy, const struct origin *origin,
                                     const struct sip_msg *request, const struct plan *plan)
{
    struct arena *arena = arena_alloc(proxy->kept, PROXY_CONTEXT_LIMIT);
    struct context *context = arena ? arena_zero(arena, sizeof(*context)) : NULL;
    if (context)
        context->proxy = proxy;
    if (!context || context_search_begin(context, request, plan) != 0) {
        arena_free(arena);
        return NULL;
    }
    context->arena = arena;
    context->method = request->method;
    context->reply_port = proxy_reply_port(origin, &request->via);
    context->origin = *origin;
    context->origin.proven = NULL; /* lasts for the call only, and requests here need none */
    context->started_ms = txn_layer_now_ms(proxy->txns);
    if (origin->conn)
        conn_ref(origin->conn);
    list_init(&context->link);
    list_init(&context->clients);
    list_append(&proxy->contexts, &context->link);
    return context;
}

static int start_server(struct context *context)
{
    struct proxy *proxy = context->proxy;
    const struct txn_server_user user = {
        .send = send_down, .ended = on_server_ended, .arg = context};
    uint64_t realms[TLS_MAX_IDENTITIES];
    origin_realms(proxy, &context->origin, realms);
    const struct txn_source source = {realms[0], context->origin.conn != NULL};
    int status = context_search_runs(context);
    if (status == 0)
        status = txn_server_start(proxy->txns, context->arena, context->request, &source, &user,
                                  &context->server);
    return status;
}

void context_start(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                   const struct plan *plan)
{
    struct context *context = context_alloc(proxy, origin, request, plan);
    if (context)
        context_enter(context);
    if (!context || (request->method != SIP_ACK && start_server(context) != 0)) {
        struct refusal refusal;
        refusal_set(&refusal, 503, "this edge is at its limit");
        snprintf(refusal.headers, sizeof(refusal.headers), "Retry-After: 5\r\n");
        if (request->method != SIP_ACK)
            proxy_refuse(proxy, origin, request, &refusal);
        if (context)
            context_leave(context);
        else
            guard_release(plan->budget);
        return;
    }
    context->undecided = request->method != SIP_ACK;
    proxy->undecided += context->undecided;
    atomic_fetch_add_explicit(&proxy->counters->forwarded, 1, memory_order_relaxed);
    if (request->method == SIP_INVITE) {
        struct refusal trying;
        refusal_set(&trying, 100, "%s", "");
        answer(context, &trying, "", "");
    }
    if (context->plan->verify)
        verify_start(context);
    else
        context_admitted(context);
    context_leave(context);
}
