/* The CANCEL of an attempt (RFC 3261 9.1, 16.10). */
#include "peering/proxy/attempt.h"

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
    attempt_send(bytes, cancel->attempt);
}

static bool cancel_may_be_answered(const void *source, void *arg)
{
    const struct cancel *cancel = arg;
    return attempt_may_answer(source, cancel->attempt);
}

static void cancel_ended(struct txn_client *txn, void *arg)
{
    struct cancel *cancel = arg;
    struct context *context = cancel->attempt->context;
    (void)txn;
    context_enter(context);
    attempt_client_del(&cancel->client);
    context_leave(context);
}

static void send_cancel(struct attempt *attempt)
{
    struct context *context = attempt->context;
    struct cancel *cancel = arena_zero(context->arena, sizeof(*cancel));
    struct slice bytes = sip_cancel_build(context->search->arena, attempt->sent);
    struct sip_msg *request =
        bytes.p ? attempt_index(context->search->arena, bytes, SIP_MAX_HEADERS) : NULL;
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
        attempt_client_add(context, &cancel->client);
}

void attempt_cancel(struct attempt *attempt)
{
    attempt->cancel_wanted = true;
    if (attempt->cancel_sent || !attempt->client.txn)
        return;
    if (attempt->provisional) {
        attempt->cancel_sent = true;
        send_cancel(attempt);
        attempt_start_timer(attempt, attempt_proxy(attempt)->cancel_guard_ms);
    } else if (attempt->conn && !attempt->abandoned &&
               !(attempt->on_wire && conn_state_of(attempt->conn) == CONN_READY)) {
        attempt_fail(attempt);
    }
}
