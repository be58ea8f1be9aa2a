/* The connection of an attempt, and what leaves by it: opened, broken, gone before the answer
 * (RFC 3261 16.9, 18.1.1 and 18.4). */
#include "peering/proxy/attempt.h"

#include "base/status.h"

#include <stdio.h>

/* A connection to the hop, with a reference. */
static int connect_hop(struct attempt *attempt, struct conn **conn)
{
    const struct plan *plan = attempt->context->plan;
    struct conn_key key = {
        .side = plan->side, .transport = attempt->transport, .addr = attempt->addr};
    key.under_way = plan->in_dialog || attempt->on_wire;
    if (key.transport == SIP_TLS) {
        snprintf(key.our_domain, sizeof(key.our_domain), "%s", plan->hosted);
        snprintf(key.far_domain, sizeof(key.far_domain), "%s", attempt->far_domain);
        snprintf(key.far_host, sizeof(key.far_host), "%s", attempt->host);
    }
    return transport_connect(attempt_proxy(attempt)->transport, &key, conn);
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
    proxy_trace_sent(attempt_proxy(attempt), bytes, attempt->out, &attempt->addr, attempt->conn);
}

static bool put_on_wire(struct attempt *attempt)
{
    attempt->mark = conn_mark(attempt->conn);
    attempt->on_wire = conn_send(attempt->conn, attempt->sent->bytes) == 0;
    return attempt->on_wire;
}

/* The request waits with us while its connection is being opened (attempt_on_conn sends it): in the
 * connection's buffer it could not be taken back, and would ring where nobody calls any more. */
void attempt_send(struct slice bytes, void *arg)
{
    struct attempt *attempt = arg;
    bool sent;
    if (attempt->transport == SIP_UDP) {
        sent = transport_send_udp(attempt_proxy(attempt)->transport, attempt->out, &attempt->addr,
                                  bytes) == 0;
    } else if (!attempt->conn) { /* its INVITE has ended, and with it what is left to say */
        return;
    } else if (bytes.p != attempt->sent->bytes.p) {
        sent = send_further(attempt, bytes) == 0;
    } else {
        sent = conn_is_open(attempt->conn) && put_on_wire(attempt);
    }
    if (sent)
        trace_sent(attempt, bytes);
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
        context_add_cause(attempt->context, "%s at %s has not proven %s any more", attempt->host,
                          netaddr_format(&attempt->addr, text), attempt->far_domain);
        attempt_hop_failed(attempt);
    }
    attempt_fail(attempt);
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
        attempt_start_timer(attempt, attempt_proxy(attempt)->first_response_ms);
        return;
    }
    context_enter(context);
    context_add_cause(context, "%s", why);
    attempt_hop_failed(attempt);
    attempt_abandon(attempt);
    context_attempt_failed(context);
    context_leave(context);
}

bool attempt_may_have_arrived(const struct attempt *attempt)
{
    return !attempt->conn || attempt->provisional ||
           (attempt->on_wire && conn_may_have_got(attempt->conn, attempt->mark));
}

/* May it be delivered twice? A second INVITE can be told from a new call (8.2.2.2) and is
 * cancelled; OPTIONS changes nothing, and what a BYE ends has ended. A second MESSAGE is a text
 * that comes twice, and of what nobody knows anything may be true. */
static bool is_repeatable(const struct attempt *attempt)
{
    enum sip_method method = attempt->sent->method;
    return method == SIP_INVITE || method == SIP_OPTIONS || method == SIP_BYE;
}

static void on_ready(struct attempt *attempt)
{
    attempt->connected = true;
    attempt_note_sent(attempt);
    put_on_wire(attempt);
    trace_sent(attempt, attempt->sent->bytes);
    attempt_await_response(attempt);
}

/* A connection that was open before may have been dead without our knowing: once per request the
 * same transaction goes on over another one. Who has the request already takes this one for its
 * retransmission. */
static bool goes_on(struct attempt *attempt)
{
    struct context *context = attempt->context;
    struct conn *again;
    if (!attempt->reused || context->retried || attempt->cancel_wanted)
        return false;
    attempt->on_wire = false;
    if (connect_hop(attempt, &again) != 0)
        return false;
    context->retried = true;
    conn_unref(attempt->conn);
    attempt->conn = again;
    attempt->reused = attempt->connected = false;
    timer_stop(attempt_proxy(attempt)->timers, &attempt->timer);
    context_search_runs(context);
    conn_watch_add(again, &attempt->watch, attempt_on_conn, attempt);
    if (conn_is_open(again))
        on_ready(attempt);
    return true;
}

static void on_closed(struct attempt *attempt, const char *why)
{
    struct context *context = attempt->context;
    bool delivered = attempt_may_have_arrived(attempt) && !is_repeatable(attempt);
    if (attempt->abandoned) {
        if (attempt->sent->method != SIP_INVITE || !attempt_may_have_arrived(attempt))
            attempt_fail(attempt);
        return; /* else what rings later is cancelled, until timer B */
    }
    if (!delivered && goes_on(attempt))
        return;
    attempt_hop_failed(attempt);
    if (attempt->udp && !attempt->connected)
        context_fall_back(context);
    else
        context_add_cause(context, "%s%s", why, delivered ? "; it may have been delivered" : "");
    context->search_over = context->search_over || delivered;
    attempt_fail(attempt);
}

void attempt_on_conn(struct conn *conn, enum conn_state state, const char *why, void *arg)
{
    struct attempt *attempt = arg;
    if (state == CONN_READY && !is_proven(attempt, conn))
        turn_away(attempt);
    else if (state == CONN_READY)
        on_ready(attempt);
    else if (state != CONN_CLOSED || !attempt->client.txn)
        return;
    else if (attempt->provisional)
        lost_on_the_way(attempt, why);
    else
        on_closed(attempt, why);
}

/* ---- an ACK ---- */

static void send_ack(struct attempt *attempt)
{
    struct slice bytes = attempt->sent->bytes;
    if (attempt->conn)
        conn_send(attempt->conn, bytes);
    else
        transport_send_udp(attempt_proxy(attempt)->transport, attempt->out, &attempt->addr, bytes);
    trace_sent(attempt, bytes);
}

void attempt_drop_ack(struct attempt *attempt)
{
    conn_watch_remove(&attempt->watch);
    attempt->conn = conn_unref(attempt->conn);
}

static void ack_on_conn(struct conn *conn, enum conn_state state, const char *why, void *arg)
{
    struct attempt *attempt = arg;
    struct context *context = attempt->context;
    bool is_ready = state == CONN_READY;
    bool goes = is_ready && is_proven(attempt, conn);
    if (!is_ready && state != CONN_CLOSED)
        return;
    context_enter(context);
    if (goes) {
        attempt_note_sent(attempt);
        send_ack(attempt);
        context->current = NULL;
    } else {
        context_add_cause(context, "%s", is_ready ? "its domain is not proven any more" : why);
        attempt_hop_failed(attempt);
    }
    attempt_drop_ack(attempt);
    if (!goes)
        context_attempt_failed(context);
    context_leave(context);
}

/* A far side whose ACK is lost with a connection that does not come about ends the call: another
 * worker may know that the hop is dead, and we do not. */
int attempt_start_ack(struct attempt *attempt)
{
    struct context *context = attempt->context;
    if (!attempt->conn || conn_is_open(attempt->conn)) {
        send_ack(attempt);
        attempt_drop_ack(attempt);
        return 0;
    }
    int status = context_search_runs(context);
    if (status != 0)
        return status;
    context->current = attempt;
    conn_watch_add(attempt->conn, &attempt->watch, ack_on_conn, attempt);
    return 0;
}

/* ---- opening ---- */

int attempt_connect(struct attempt *attempt)
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
                          attempt->host, attempt->far_domain);
    else if (status != 0)
        context_add_cause(context, "%s: %s", attempt->host, status_text(status));
    if (status != 0)
        return status;
    attempt->reused = attempt->connected = conn_is_open(attempt->conn);
    return 0;
}
