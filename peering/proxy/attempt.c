/* One target of a request: connect, send, wait for what comes back (RFC 3261 16.6 steps 8 to 11).
 */
#include "peering/proxy/proxy.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>

struct attempt {
    struct context *context;
    struct resolver_hop hop;
    const char *far_domain; /* what it must prove, whatever the context turns to later */
    const struct transport_listener *out;
    struct conn *conn; /* NULL for UDP */
    struct conn_watch watch;
    struct client client; /* its txn is NULL once it has ended */
    const struct sip_msg *sent;
    struct timer timer; /* first response, then timer C or the guard of a CANCEL */
    const struct transport_listener *udp; /* over TCP for its length alone (18.1.1): what it would
                                             have left by; else NULL */
    bool connected;                       /* the connection became ready */
    bool reused;                          /* the connection was open before */
    bool on_wire;                         /* the request was sent */
    bool provisional;                     /* a provisional response came */
    bool rang;                            /* and one that says more than 100 */
    bool cut_off;                         /* its connection has closed since */
    bool abandoned;                       /* the context does not wait any more */
    bool cancel_wanted, cancel_sent;
};

static struct proxy *proxy_of(const struct attempt *attempt)
{
    return attempt->context->proxy;
}

/* Of the request, its CANCEL and its ACK alike. */
static bool may_answer(const void *source, void *arg)
{
    const struct attempt *attempt = arg;
    const struct asked asked = {attempt->out->side, attempt->far_domain, attempt->conn,
                                &attempt->hop.addr};
    return origin_may_answer(proxy_of(attempt), source, &asked);
}

static void client_add(struct context *context, struct client *client)
{
    list_init(&client->link);
    list_append(&context->clients, &client->link);
}

static void client_del(struct client *client)
{
    list_remove(&client->link);
    client->txn = NULL;
}

/* ---- sending ---- */

/* A connection to the hop, with a reference. */
static int connect_hop(struct attempt *attempt, struct conn **conn)
{
    const struct plan *plan = attempt->context->plan;
    struct conn_key key = {
        .side = plan->side, .transport = attempt->hop.transport, .addr = attempt->hop.addr};
    key.under_way = plan->in_dialog || attempt->on_wire;
    if (key.transport == SIP_TLS) {
        snprintf(key.our_domain, sizeof(key.our_domain), "%s", plan->hosted);
        snprintf(key.far_domain, sizeof(key.far_domain), "%s", attempt->far_domain);
        snprintf(key.far_host, sizeof(key.far_host), "%s", attempt->hop.host);
    }
    return transport_connect(proxy_of(attempt)->transport, &key, conn);
}

/* ACK and CANCEL must arrive also where the connection broke after the INVITE was sent on it: they
 * go to the same address on a new one (18.1.1). */
static int send_further(struct attempt *attempt, struct slice bytes)
{
    struct conn *again;
    if (conn_state_of(attempt->conn) == CONN_CLOSED && connect_hop(attempt, &again) == 0) {
        conn_unref(attempt->conn);
        attempt->conn = again;
    }
    return conn_send(attempt->conn, bytes);
}

static void trace_sent(const struct attempt *attempt, struct slice bytes)
{
    proxy_trace_sent(proxy_of(attempt), bytes, attempt->out, &attempt->hop.addr, attempt->conn);
}

/* The request waits with us while its connection is being opened (on_conn sends it): in the
 * connection's buffer it could not be taken back, and would ring where nobody calls any more. */
static void send_up(struct slice bytes, void *arg)
{
    struct attempt *attempt = arg;
    bool sent;
    if (attempt->hop.transport == SIP_UDP) {
        sent = transport_send_udp(proxy_of(attempt)->transport, attempt->out, &attempt->hop.addr,
                                  bytes) == 0;
    } else if (!attempt->conn) { /* its INVITE has ended, and with it what is left to say */
        return;
    } else if (bytes.p != attempt->sent->bytes.p) {
        sent = send_further(attempt, bytes) == 0;
    } else {
        sent = conn_is_open(attempt->conn) && conn_send(attempt->conn, bytes) == 0;
        attempt->on_wire = sent;
    }
    if (sent)
        trace_sent(attempt, bytes);
}

static void send_ack(struct attempt *attempt)
{
    struct slice bytes = attempt->sent->bytes;
    if (attempt->conn)
        conn_send(attempt->conn, bytes);
    else
        transport_send_udp(proxy_of(attempt)->transport, attempt->out, &attempt->hop.addr, bytes);
    trace_sent(attempt, bytes);
}

static void note_sent(const struct attempt *attempt)
{
    attempt->context->sent_ms = txn_layer_now_ms(proxy_of(attempt)->txns);
}

/* The calls to come shall know. */
static void hop_failed(const struct attempt *attempt)
{
    resolver_hop_failed(proxy_of(attempt)->resolver, &attempt->hop, attempt->far_domain);
}

static void hop_worked(const struct attempt *attempt)
{
    resolver_hop_worked(proxy_of(attempt)->resolver, &attempt->hop, attempt->far_domain);
}

static void fail(struct attempt *attempt);

static void on_timer(void *arg)
{
    struct attempt *attempt = arg;
    char text[NETADDR_TEXT_MAX];
    if (attempt->provisional && !attempt->cut_off && !attempt->cancel_sent) { /* timer C */
        attempt_cancel(attempt);
        return;
    }
    if (!attempt->abandoned)
        context_add_cause(attempt->context, "%s at %s: no %sresponse in time%s", attempt->hop.host,
                          netaddr_format(&attempt->hop.addr, text),
                          attempt->provisional ? "final " : "",
                          attempt->cut_off ? " after its connection closed" : "");
    if (!attempt->abandoned && (!attempt->provisional || attempt->cut_off))
        hop_failed(attempt);
    fail(attempt);
}

static void start_timer(struct attempt *attempt, uint64_t after_ms)
{
    struct proxy *proxy = proxy_of(attempt);
    timer_start(proxy->timers, &attempt->timer, txn_layer_now_ms(proxy->txns) + after_ms, on_timer,
                attempt);
}

/* It is on the wire. A silent target holds up the search of an INVITE only while there is another
 * one to turn to. All else is answered but once, and that may take its time (RFC 4320): another
 * target would get it a second time, so timer F alone ends the wait. */
static void await_response(struct attempt *attempt)
{
    if (attempt->sent->method != SIP_INVITE)
        context_search_waits(attempt->context);
    else if (context_has_more(attempt->context))
        start_timer(attempt, proxy_of(attempt)->first_response_ms);
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
    client_del(&attempt->client);
    context_leave(context);
}

/* An INVITE may have arrived, and has where anything came back: its transaction stays, so that the
 * ringing is cancelled and a late 2xx passed on. Everything else ends here. */
void attempt_abandon(struct attempt *attempt)
{
    attempt->abandoned = true;
    if (attempt->cancel_sent) /* its guard sees to the end */
        return;
    timer_stop(proxy_of(attempt)->timers, &attempt->timer);
    bool may_have_arrived = !attempt->conn || attempt->provisional ||
                            (attempt->on_wire && conn_state_of(attempt->conn) == CONN_READY);
    if (attempt->sent->method == SIP_INVITE && may_have_arrived && attempt->client.txn)
        attempt_cancel(attempt);
    else if (attempt->client.txn)
        txn_client_abort(attempt->client.txn);
}

static void fail(struct attempt *attempt)
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

/* ---- CANCEL (sections 9.1, 16.10) ---- */

static void cancel_response(struct txn_client *txn, const struct sip_msg *response, void *arg)
{
    (void)txn, (void)response, (void)arg; /* the INVITE's own answer is what counts */
}

static void cancel_timeout(struct txn_client *txn, void *arg)
{
    (void)txn, (void)arg; /* the guard timer ends the wait */
}

struct cancel {
    struct attempt *attempt; /* in the same arena; its connection lives as long as its INVITE */
    struct client client;
};

static void cancel_send(struct slice bytes, void *arg)
{
    struct cancel *cancel = arg;
    send_up(bytes, cancel->attempt);
}

static bool cancel_may_be_answered(const void *source, void *arg)
{
    const struct cancel *cancel = arg;
    return may_answer(source, cancel->attempt);
}

static void cancel_ended(struct txn_client *txn, void *arg)
{
    struct cancel *cancel = arg;
    struct context *context = cancel->attempt->context;
    (void)txn;
    context_enter(context);
    client_del(&cancel->client);
    context_leave(context);
}

/* The sent request as a message of its own, index in the arena. */
static struct sip_msg *index_sent(struct arena *arena, struct slice bytes, size_t header_max)
{
    struct sip_fault fault;
    struct sip_msg *msg = arena_zero(arena, sizeof(*msg));
    struct sip_header *headers = arena_get(arena, header_max * sizeof(*headers));
    if (!msg || !headers || sip_msg_parse(bytes, true, headers, header_max, msg, &fault) != 0)
        return NULL;
    return msg;
}

static void send_cancel(struct attempt *attempt)
{
    struct context *context = attempt->context;
    struct cancel *cancel = arena_zero(context->arena, sizeof(*cancel));
    struct slice bytes = sip_cancel_build(context->arena, attempt->sent);
    struct sip_msg *request = bytes.p ? index_sent(context->arena, bytes, SIP_MAX_HEADERS) : NULL;
    if (!cancel || !request)
        return;
    cancel->attempt = attempt;
    const struct txn_client_user user = {.send = cancel_send,
                                         .response = cancel_response,
                                         .timeout = cancel_timeout,
                                         .ended = cancel_ended,
                                         .accepts = cancel_may_be_answered,
                                         .arg = cancel};
    if (txn_client_start(context->proxy->txns, context->arena, request, attempt->conn != NULL,
                         &user, &cancel->client.txn) == 0)
        client_add(context, &cancel->client);
}

void attempt_cancel(struct attempt *attempt)
{
    attempt->cancel_wanted = true;
    if (attempt->cancel_sent || !attempt->client.txn)
        return;
    if (attempt->provisional) {
        attempt->cancel_sent = true;
        send_cancel(attempt);
        start_timer(attempt, proxy_of(attempt)->cancel_guard_ms);
    } else if (attempt->conn && !attempt->abandoned &&
               !(attempt->on_wire && conn_state_of(attempt->conn) == CONN_READY)) {
        fail(attempt);
    }
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
        start_timer(attempt, proxy_of(attempt)->timer_c_ms); /* 16.7 step 2 */
    else if (attempt->sent->method != SIP_INVITE)
        timer_stop(proxy_of(attempt)->timers, &attempt->timer); /* timer F bounds the wait */
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
    context_add_cause(context, "%s answered %u%s%s", attempt->hop.host, response->status,
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
    timer_stop(proxy_of(attempt)->timers, &attempt->timer);
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
        hop_failed(attempt);
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
    context_add_cause(attempt->context, "%s: no final response in time", attempt->hop.host);
    if (attempt->sent->method != SIP_INVITE) /* it may have arrived, and nobody waits any more */
        attempt->context->search_over = true;
    else if (!attempt->provisional)
        hop_failed(attempt);
    attempt->abandoned = true;
    context_attempt_failed(attempt->context);
}

/* It was delivered, and what came back cannot be passed on: nobody else shall get it as well. */
static void answer_too_long(struct attempt *attempt)
{
    context_add_cause(attempt->context, "the answer of %s is longer than %d bytes",
                      attempt->hop.host, SIP_MAX_MESSAGE);
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
        hop_failed(attempt);
    if (attempt->abandoned)
        return;
    if (error == EOVERFLOW)
        answer_too_long(attempt);
    else
        context_add_cause(context, "%s at %s: %s", attempt->hop.host,
                          netaddr_format(&attempt->hop.addr, text), status_text(-error));
    attempt->abandoned = true;
    context_attempt_failed(context);
}

/* While we waited for a verdict to be renewed it may have taken away what we called for. */
static bool is_proven(const struct attempt *attempt, const struct conn *conn)
{
    const struct plan *plan = attempt->context->plan;
    if (plan->side == TRANSPORT_INSIDE)
        return true;
    return plan->in_dialog ? conn_holds(conn, attempt->far_domain)
                           : conn_proves(conn, attempt->far_domain);
}

static void turn_away(struct attempt *attempt)
{
    char text[NETADDR_TEXT_MAX];
    if (!attempt->abandoned && !context_retry_hop(attempt->context)) {
        context_add_cause(attempt->context, "%s at %s has not proven %s any more",
                          attempt->hop.host, netaddr_format(&attempt->hop.addr, text),
                          attempt->far_domain);
        hop_failed(attempt);
    }
    fail(attempt);
}

/* The connection closed after a provisional response. What rang may answer on a connection of its
 * own (18.2.2), and has the time of a first response for it; of a core that has only taken note of
 * the request nobody can say whether it is there still. */
static void lost_on_the_way(struct attempt *attempt, const char *why)
{
    struct context *context = attempt->context;
    if (attempt->sent->method != SIP_INVITE || attempt->abandoned || attempt->cancel_sent)
        return; /* timer F, or the guard of the CANCEL, ends it */
    if (attempt->rang) {
        attempt->cut_off = true;
        start_timer(attempt, proxy_of(attempt)->first_response_ms);
        return;
    }
    context_enter(context);
    context_add_cause(context, "%s", why);
    hop_failed(attempt);
    attempt_abandon(attempt);
    context_attempt_failed(context);
    context_leave(context);
}

static void on_conn(struct conn *conn, enum conn_state state, const char *why, void *arg)
{
    struct attempt *attempt = arg;
    if (state == CONN_READY && !is_proven(attempt, conn)) {
        turn_away(attempt);
        return;
    }
    if (state == CONN_READY) {
        attempt->connected = true;
        note_sent(attempt);
        attempt->on_wire = conn_send(conn, attempt->sent->bytes) == 0;
        trace_sent(attempt, attempt->sent->bytes);
        await_response(attempt);
    }
    if (state != CONN_CLOSED || !attempt->client.txn)
        return;
    if (attempt->provisional) {
        lost_on_the_way(attempt, why);
        return;
    }
    /* One that was open before may have been dead without our knowing. */
    if (attempt->udp && !attempt->connected && !attempt->abandoned) {
        hop_failed(attempt);
        context_fall_back(attempt->context);
    } else if (!attempt->abandoned && (!attempt->reused || !context_retry_hop(attempt->context))) {
        context_add_cause(attempt->context, "%s", why);
        hop_failed(attempt);
    }
    fail(attempt);
}

/* ---- start ---- */

static bool is_ready(const struct attempt *attempt)
{
    return !attempt->conn || attempt->reused;
}

static int connect_attempt(struct attempt *attempt)
{
    struct context *context = attempt->context;
    int status = connect_hop(attempt, &attempt->conn);
    if (status != 0 && attempt->udp)
        context_fall_back(context);
    else if (status == STATUS_NOTFOUND)
        context_add_cause(context, "this edge has no certificate for %s", context->plan->hosted);
    else if (status == STATUS_UNPROVEN)
        context_add_cause(context,
                          "%s: whether DNS still names the key of %s cannot be found out now",
                          attempt->hop.host, attempt->far_domain);
    else if (status != 0)
        context_add_cause(context, "%s: %s", attempt->hop.host, status_text(status));
    if (status != 0)
        return status;
    attempt->reused = attempt->connected = conn_is_open(attempt->conn);
    return 0;
}

static int build_sent(struct attempt *attempt, const char *branch)
{
    struct context *context = attempt->context;
    struct forward forward = {
        .proxy = context->proxy,
        .arena = context->arena,
        .origin = &context->origin,
        .request = context->request,
        .plan = context->plan,
        .out = attempt->out,
        .transport = attempt->hop.transport,
        .route_out = attempt->udp ? attempt->udp : attempt->out,
        .route_transport = attempt->udp ? SIP_UDP : attempt->hop.transport,
        .branch = branch,
    };
    struct slice bytes = forward_request(&forward);
    if (bytes.p)
        attempt->sent =
            index_sent(context->arena, bytes, context->request->header_count + PROXY_ADDED_LINES);
    return attempt->sent ? 0 : -ENOMEM;
}

static int start_client(struct attempt *attempt)
{
    struct context *context = attempt->context;
    const struct txn_client_user user = {.send = send_up,
                                         .response = on_response,
                                         .timeout = on_timeout,
                                         .lost = on_lost,
                                         .ended = on_ended,
                                         .accepts = may_answer,
                                         .arg = attempt};
    int status = txn_client_start(context->proxy->txns, context->arena, attempt->sent,
                                  attempt->conn != NULL, &user, &attempt->client.txn);
    if (status != 0)
        return status;
    client_add(context, &attempt->client);
    context->current = attempt;
    if (attempt->conn)
        conn_watch_add(attempt->conn, &attempt->watch, on_conn, attempt);
    if (is_ready(attempt))
        await_response(attempt);
    return 0;
}

/* Names us for this transport, and builds the request. */
static int build(struct attempt *attempt)
{
    struct context *context = attempt->context;
    struct proxy *proxy = context->proxy;
    char branch[TXN_BRANCH_MAX];
    attempt->out = transport_listener_for(proxy->transport, context->plan->side,
                                          attempt->hop.transport, attempt->hop.addr.sa.sa_family);
    if (!attempt->out) {
        context_add_cause(context, "no listener here for %s over %s towards %s",
                          sip_transport_name(attempt->hop.transport),
                          attempt->hop.addr.sa.sa_family == AF_INET6 ? "IPv6" : "IPv4",
                          attempt->hop.host);
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
    struct resolver_hop tcp = attempt->hop;
    tcp.transport = SIP_TCP;
    return attempt->hop.transport == SIP_UDP && attempt->sent->method != SIP_ACK &&
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
        attempt->hop.transport = SIP_TCP;
        status = build(attempt);
    }
    if (status != 0)
        return status;
    if (attempt->hop.transport != SIP_UDP)
        return connect_attempt(attempt);
    if (attempt->sent->bytes.len <= SIP_MAX_DATAGRAM)
        return 0;
    context_add_cause(attempt->context, "%s: the request is too long for UDP", attempt->hop.host);
    return -EMSGSIZE;
}

int attempt_start(struct context *context, const struct resolver_hop *hop)
{
    struct attempt *attempt = arena_zero(context->arena, sizeof(*attempt));
    if (!attempt)
        return -ENOMEM;
    attempt->context = context;
    attempt->hop = *hop;
    attempt->far_domain = arena_printf(context->arena, "%s", context_far_domain(context)).p;
    if (!attempt->far_domain)
        return -ENOMEM;
    timer_init(&attempt->timer);
    conn_watch_init(&attempt->watch);
    int status = prepare(attempt);
    if (status == 0 && (is_ready(attempt) || attempt->sent->method == SIP_ACK))
        note_sent(attempt);
    if (status == 0 && attempt->sent->method == SIP_ACK)
        send_ack(attempt);
    else if (status == 0)
        status = start_client(attempt);
    if (status != 0 || attempt->sent->method == SIP_ACK)
        attempt->conn = conn_unref(attempt->conn);
    return status;
}
