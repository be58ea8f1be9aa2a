/* One target of a request: connect, send, wait for what comes back (RFC 3261 16.6 steps 8 to 11).
 */
#include "peering/proxy/attempt.h"
#include "peering/proxy/forward.h"

#include "base/status.h"

#include <errno.h>

/* Of the request, its CANCEL and its ACK alike. */
bool attempt_may_answer(const void *source, void *arg)
{
    const struct attempt *attempt = arg;
    const struct asked asked = {attempt->out->side, attempt->far_domain, attempt->conn,
                                &attempt->addr};
    return origin_may_answer(attempt_proxy(attempt), source, &asked);
}

void attempt_client_add(struct context *context, struct client *client)
{
    list_init(&client->link);
    list_append(&context->clients, &client->link);
}

void attempt_client_del(struct client *client)
{
    list_remove(&client->link);
    client->txn = NULL;
}

/* ---- waiting ---- */

void attempt_note_sent(const struct attempt *attempt)
{
    attempt->context->sent_ms = txn_layer_now_ms(attempt_proxy(attempt)->txns);
}

/* As far as it counts for whether calls to come avoid it. */
static struct resolver_hop hop_of(const struct attempt *attempt)
{
    return (struct resolver_hop){.addr = attempt->addr, .transport = (uint8_t)attempt->transport};
}

/* The calls to come shall know. */
void attempt_hop_failed(const struct attempt *attempt)
{
    const struct resolver_hop hop = hop_of(attempt);
    news_hop_failed(attempt_proxy(attempt), &hop, attempt->far_domain);
}

static void hop_worked(const struct attempt *attempt)
{
    const struct resolver_hop hop = hop_of(attempt);
    resolver_hop_worked(attempt_proxy(attempt)->resolver, &hop, attempt->far_domain);
}

static void on_timer(void *arg)
{
    struct attempt *attempt = arg;
    char text[NETADDR_TEXT_MAX];
    if (attempt->provisional && !attempt->cut_off && !attempt->cancel_sent) { /* timer C */
        attempt_cancel(attempt);
        return;
    }
    if (!attempt->abandoned)
        context_add_cause(attempt->context, "%s at %s: no %sresponse in time%s", attempt->host,
                          netaddr_format(&attempt->addr, text),
                          attempt->provisional ? "final " : "",
                          attempt->cut_off ? " after its connection closed" : "");
    if (!attempt->abandoned && (!attempt->provisional || attempt->cut_off))
        attempt_hop_failed(attempt);
    attempt_fail(attempt);
}

void attempt_start_timer(struct attempt *attempt, uint64_t after_ms)
{
    struct proxy *proxy = attempt_proxy(attempt);
    timer_start(proxy->timers, &attempt->timer, txn_layer_now_ms(proxy->txns) + after_ms, on_timer,
                attempt);
}

/* It is on the wire. A silent target holds up the search of an INVITE only while there is another
 * one to turn to. All else is answered but once, and that may take its time (RFC 4320): another
 * target would get it a second time, so timer F alone ends the wait. */
void attempt_await_response(struct attempt *attempt)
{
    if (attempt->sent->method != SIP_INVITE)
        context_search_waits(attempt->context);
    else if (context_has_more(attempt->context))
        attempt_start_timer(attempt, attempt_proxy(attempt)->first_response_ms);
}

/* The sent request as a message of its own, index in the arena. */
struct sip_msg *attempt_index(struct arena *arena, struct slice bytes, size_t header_max)
{
    struct sip_fault fault;
    struct sip_msg *msg = arena_zero(arena, sizeof(*msg));
    struct sip_header *headers = arena_get(arena, header_max * sizeof(*headers));
    if (!msg || !headers || sip_msg_parse(bytes, true, headers, header_max, msg, &fault) != 0)
        return NULL;
    return msg;
}

/* ---- the end of an attempt ---- */

static void on_ended(struct txn_client *txn, void *arg)
{
    struct attempt *attempt = arg;
    struct context *context = attempt->context;
    (void)txn;
    context_enter(context);
    timer_stop(context->proxy->timers, &attempt->timer);
    conn_watch_remove(&attempt->watch);
    attempt->conn = conn_unref(attempt->conn);
    attempt_client_del(&attempt->client);
    context_leave(context);
}

/* An INVITE may have arrived, and has where anything came back: its transaction stays, so that the
 * ringing is cancelled and a late 2xx passed on. Everything else ends here. */
void attempt_abandon(struct attempt *attempt)
{
    attempt->abandoned = true;
    if (attempt->sent->method == SIP_ACK) {
        attempt_drop_ack(attempt);
        return;
    }
    if (attempt->cancel_sent) /* its guard sees to the end */
        return;
    timer_stop(attempt_proxy(attempt)->timers, &attempt->timer);
    if (attempt->sent->method == SIP_INVITE && attempt_may_have_arrived(attempt) &&
        attempt->client.txn)
        attempt_cancel(attempt);
    else if (attempt->client.txn)
        txn_client_abort(attempt->client.txn);
}

void attempt_fail(struct attempt *attempt)
{
    struct context *context = attempt->context;
    bool waited_for = !attempt->abandoned;
    context_enter(context);
    if (waited_for && !attempt->cancel_sent)
        attempt_abandon(attempt);
    else if (attempt->client.txn) /* an INVITE that was cancelled in vain would wait for ever */
        txn_client_abort(attempt->client.txn);
    if (attempt->provisional) /* it rang for minutes: that was the search */
        context->search_over = true;
    if (waited_for)
        context_attempt_failed(context);
    context_leave(context);
}

/* ---- what comes back ---- */

static void on_provisional(struct attempt *attempt, unsigned status)
{
    bool first = !attempt->provisional;
    attempt->provisional = true;
    attempt->rang = attempt->rang || status > 100;
    attempt->cut_off = attempt->cut_off && status <= 100;
    if (attempt->cancel_wanted)
        attempt_cancel(attempt);
    else if (attempt->sent->method == SIP_INVITE && (first || status > 100))
        attempt_start_timer(attempt, attempt_proxy(attempt)->timer_c_ms); /* 16.7 step 2 */
    else if (attempt->sent->method != SIP_INVITE)
        timer_stop(attempt_proxy(attempt)->timers, &attempt->timer); /* timer F bounds the wait */
}

/* Does this answer lead to the next target? */
static bool leads_on(const struct proxy *proxy, unsigned status)
{
    bool listed = status == 503;
    for (size_t i = 0; !listed && i < proxy->fail_over_count; i++)
        listed = proxy->fail_over[i] == status;
    return listed;
}

static void turn_to_next(struct attempt *attempt, const struct sip_msg *response)
{
    struct context *context = attempt->context;
    char said[PROXY_SAID_MAX + 1];
    refusal_said(response, said);
    context_add_cause(context, "%s answered %u%s%s", attempt->host, response->status,
                      said[0] ? ": " : "", said);
    if (response->status == 503)
        context->answered_503 = true;
    else
        context_keep_response(context, response, attempt->conn);
    attempt->abandoned = true;
    context_attempt_failed(context);
}

/* What becomes of the connection from now on says nothing about this attempt. */
static void final_came(struct attempt *attempt)
{
    timer_stop(attempt_proxy(attempt)->timers, &attempt->timer);
    conn_watch_remove(&attempt->watch);
}

static void on_response(struct txn_client *txn, const struct sip_msg *response, void *arg)
{
    struct attempt *attempt = arg;
    struct context *context = attempt->context;
    (void)txn;
    context_enter(context);
    if (response->status < 200)
        on_provisional(attempt, response->status);
    else
        final_came(attempt);
    if (response->status == 503)
        attempt_hop_failed(attempt);
    else
        hop_worked(attempt);
    if (!attempt->abandoned && leads_on(context->proxy, response->status)) {
        turn_to_next(attempt, response);
    } else if (!attempt->abandoned || (response->status >= 200 && response->status < 300)) {
        context_response(context, attempt, response, attempt->conn);
    }
    context_leave(context);
}

static void on_timeout(struct txn_client *txn, void *arg)
{
    struct attempt *attempt = arg;
    (void)txn;
    if (attempt->abandoned)
        return;
    context_add_cause(attempt->context, "%s: no final response in time", attempt->host);
    if (attempt->sent->method != SIP_INVITE) /* it may have arrived, and nobody waits any more */
        attempt->context->search_over = true;
    else if (!attempt->provisional)
        attempt_hop_failed(attempt);
    attempt->abandoned = true;
    context_attempt_failed(attempt->context);
}

/* It was delivered, and what came back cannot be passed on: nobody else shall get it as well. */
static void answer_too_long(struct attempt *attempt)
{
    context_add_cause(attempt->context, "the answer of %s is longer than %d bytes", attempt->host,
                      SIP_MAX_MESSAGE);
    attempt->context->answer_too_long = attempt->context->search_over = true;
}

/* Of a datagram that is too long for the way there, a shorter one may still arrive. */
static void on_lost(struct txn_client *txn, int error, void *arg)
{
    struct attempt *attempt = arg;
    struct context *context = attempt->context;
    char text[NETADDR_TEXT_MAX];
    (void)txn;
    if (error != EMSGSIZE && error != EOVERFLOW)
        attempt_hop_failed(attempt);
    if (attempt->abandoned)
        return;
    if (error == EOVERFLOW)
        answer_too_long(attempt);
    else
        context_add_cause(context, "%s at %s: %s", attempt->host,
                          netaddr_format(&attempt->addr, text), status_text(-error));
    attempt->abandoned = true;
    context_attempt_failed(context);
}

/* Over a connection what was sent may have to be sent again on another one. */
int attempt_settle(struct attempt *attempt)
{
    if (attempt->client.txn && txn_client_settle(attempt->client.txn) != 0)
        return -EBUSY;
    attempt->sent = NULL;
    attempt->host = NULL;
    return 0;
}

/* ---- start ---- */

static bool is_ready(const struct attempt *attempt)
{
    return !attempt->conn || attempt->reused;
}

static int build_sent(struct attempt *attempt, const char *branch)
{
    struct context *context = attempt->context;
    struct forward forward = {
        .proxy = context->proxy,
        .arena = context->search->arena,
        .origin = &context->origin,
        .request = context->request,
        .plan = context->plan,
        .out = attempt->out,
        .transport = attempt->transport,
        .route_out = attempt->udp ? attempt->udp : attempt->out,
        .route_transport = attempt->udp ? SIP_UDP : attempt->transport,
        .branch = branch,
    };
    struct slice bytes = forward_request(&forward);
    if (bytes.p)
        attempt->sent = attempt_index(context->search->arena, bytes,
                                      context->request->header_count + PROXY_ADDED_LINES);
    return attempt->sent ? 0 : -ENOMEM;
}

static int start_client(struct attempt *attempt)
{
    struct context *context = attempt->context;
    const struct txn_client_user user = {.send = attempt_send,
                                         .response = on_response,
                                         .timeout = on_timeout,
                                         .lost = on_lost,
                                         .ended = on_ended,
                                         .accepts = attempt_may_answer,
                                         .arg = attempt};
    int status = txn_client_start(context->proxy->txns, context->arena, attempt->sent,
                                  attempt->conn != NULL, &user, &attempt->client.txn);
    if (status != 0)
        return status;
    attempt_client_add(context, &attempt->client);
    context->current = attempt;
    if (attempt->conn)
        conn_watch_add(attempt->conn, &attempt->watch, attempt_on_conn, attempt);
    if (is_ready(attempt))
        attempt_await_response(attempt);
    return 0;
}

/* Names us for this transport, and builds the request. */
static int build(struct attempt *attempt)
{
    struct context *context = attempt->context;
    struct proxy *proxy = context->proxy;
    char branch[TXN_BRANCH_MAX];
    attempt->out = transport_listener_for(proxy->transport, context->plan->side, attempt->transport,
                                          attempt->addr.sa.sa_family);
    if (!attempt->out) {
        context_add_cause(context, "no listener here for %s over %s towards %s",
                          sip_transport_name(attempt->transport),
                          attempt->addr.sa.sa_family == AF_INET6 ? "IPv6" : "IPv4", attempt->host);
        return -ENOENT;
    }
    txn_branch_make(proxy->txns,
                    proxy->workers * proxy_side_number(context->plan->side) + proxy->index, branch);
    txn_branch_add_loop(branch, loop_mark(proxy, &context->origin, context->request));
    int status = build_sent(attempt, branch);
    if (status != 0)
        context_add_cause(context, "the request could not be built");
    return status;
}

/* Section 18.1.1: too long for UDP, and TCP is worth trying. An ACK stays on UDP: nobody would tell
 * that it was lost with its connection. */
static bool wants_tcp(const struct attempt *attempt)
{
    const struct context *context = attempt->context;
    struct proxy *proxy = context->proxy;
    struct resolver_hop tcp = hop_of(attempt);
    tcp.transport = SIP_TCP;
    return attempt->transport == SIP_UDP && attempt->sent->method != SIP_ACK &&
           attempt->sent->bytes.len > SIP_SAFE_DATAGRAM && !context->fallen_back &&
           transport_listener_for(proxy->transport, context->plan->side, SIP_TCP,
                                  tcp.addr.sa.sa_family) &&
           !resolver_hop_is_avoided(proxy->resolver, &tcp, context_far_domain(context));
}

static int prepare(struct attempt *attempt)
{
    int status = build(attempt);
    if (status == 0 && wants_tcp(attempt)) {
        attempt->udp = attempt->out;
        attempt->transport = SIP_TCP;
        status = build(attempt);
    }
    if (status != 0)
        return status;
    if (attempt->transport != SIP_UDP)
        return attempt_connect(attempt);
    if (attempt->sent->bytes.len <= SIP_MAX_DATAGRAM)
        return 0;
    context_add_cause(attempt->context, "%s: the request is too long for UDP", attempt->host);
    return -EMSGSIZE;
}

int attempt_start(struct context *context, const struct resolver_hop *hop)
{
    struct attempt *attempt = arena_zero(context->arena, sizeof(*attempt));
    if (!attempt)
        return -ENOMEM;
    attempt->context = context;
    attempt->addr = hop->addr;
    attempt->transport = hop->transport;
    attempt->host = arena_text(context->search->arena, hop->host);
    attempt->far_domain = arena_text(context->arena, context_far_domain(context));
    if (!attempt->host || !attempt->far_domain)
        return -ENOMEM;
    timer_init(&attempt->timer);
    conn_watch_init(&attempt->watch);
    int status = prepare(attempt);
    if (status == 0 && is_ready(attempt))
        attempt_note_sent(attempt);
    if (status == 0)
        status =
            attempt->sent->method == SIP_ACK ? attempt_start_ack(attempt) : start_client(attempt);
    if (status != 0)
        attempt->conn = conn_unref(attempt->conn);
    return status;
}
