/* Client transactions: RFC 3261 section 17.1, INVITE with RFC 6026's Accepted state. */
#include "peering/txn/internal.h"

#include "base/list.h"
#include "base/status.h"

#include <errno.h>

struct txn_client { /* lives in the user's arena */
    struct txn_layer *layer;
    struct arena *arena;
    const struct sip_msg *request; /* NULL once it is settled */
    struct slice branch, method;   /* what responses are matched by: of CSeq */
    struct slice host;             /* and they name us so */
    uint16_t port;
    bool invite;
    struct txn_client_user user;
    struct table_link link; /* in layer->clients until TERMINATED */
    struct txn_wait wait;
    enum txn_client_state state;
    bool reliable;
    struct slice ack; /* INVITE: to the failure, made once */
};

const char *txn_client_state_text(enum txn_client_state state)
{
    switch (state) {
    case TXN_CLIENT_CALLING:
        return "Calling";
    case TXN_CLIENT_TRYING:
        return "Trying";
    case TXN_CLIENT_PROCEEDING:
        return "Proceeding";
    case TXN_CLIENT_COMPLETED:
        return "Completed";
    case TXN_CLIENT_ACCEPTED:
        return "Accepted";
    case TXN_CLIENT_TERMINATED:
        return "Terminated";
    }
    return "?";
}

/* ---- matching (section 17.1.3): branch and CSeq method, so that a CANCEL differs from its INVITE,
 * whose branch it has ---- */

struct key {
    struct slice branch, method;
};

static uint64_t key_hash(const struct table *table, const struct key *key)
{
    return table_hash_more(table, table_hash(table, key->branch), key->method);
}

static struct key key_of(const struct sip_msg *msg)
{
    return (struct key){msg->via.branch, msg->cseq_method_text};
}

static bool client_match(const struct table_link *link, const void *arg)
{
    const struct txn_client *txn = container_of(link, struct txn_client, link);
    const struct key *key = arg;
    return slice_eq(txn->branch, key->branch) && slice_eq(txn->method, key->method);
}

struct txn_client *txn_client_find_sent(struct txn_layer *layer, struct slice branch,
                                        struct slice method)
{
    const struct key key = {branch, method};
    const struct table_link *link =
        table_find(layer->clients, key_hash(layer->clients, &key), client_match, &key);
    return link ? container_of(link, struct txn_client, link) : NULL;
}

struct txn_client *txn_client_find(struct txn_layer *layer, const struct sip_msg *response)
{
    return txn_client_find_sent(layer, response->via.branch, response->cseq_method_text);
}

/* ---- the machine ---- */

/* The only place that changes the state; it also sets the state's timers. */
static void client_enter(struct txn_client *txn, enum txn_client_state state)
{
    struct txn_layer *layer = txn->layer;
    const struct txn_times *times = &layer->times;
    unsigned long_ms = 64 * times->t1_ms;
    struct txn_wait *wait = &txn->wait;

    txn->state = state;
    switch (state) {
    case TXN_CLIENT_CALLING:
    case TXN_CLIENT_TRYING:
        if (!txn->reliable)
            txn_wait_resend_after(layer, wait, times->t1_ms); /* A, E */
        txn_wait_end_after(layer, wait, long_ms);             /* B, F */
        return;
    case TXN_CLIENT_PROCEEDING:
        if (txn->invite) /* else E and F go on */
            txn_wait_never(layer, wait);
        return;
    case TXN_CLIENT_COMPLETED: {
        unsigned rest_ms = txn->invite ? long_ms : times->t4_ms;
        txn_wait_resend_never(layer, wait);
        txn_wait_end_after(layer, wait, txn->reliable ? 0 : rest_ms); /* D, K */
        return;
    }
    case TXN_CLIENT_ACCEPTED:
        txn_wait_resend_never(layer, wait);
        txn_wait_end_after(layer, wait, long_ms); /* M */
        return;
    case TXN_CLIENT_TERMINATED:
        txn_wait_stop(layer, wait);
        table_remove(layer->clients, &txn->link);
        return;
    }
}

static void client_end(struct txn_client *txn)
{
    bool is_answered = txn->state == TXN_CLIENT_COMPLETED || txn->state == TXN_CLIENT_ACCEPTED;
    client_enter(txn, TXN_CLIENT_TERMINATED);
    if (!is_answered)
        txn->user.timeout(txn, txn->user.arg);
    txn->user.ended(txn, txn->user.arg);
}

/* Timer A doubles for as long as B lets it (17.1.1.2); timer E doubles up to T2 and is T2 once a
 * provisional response came (17.1.2.2). */
static unsigned next_interval_ms(const struct txn_client *txn)
{
    unsigned doubled_ms = 2 * txn->wait.interval_ms;
    if (txn->invite)
        return doubled_ms;
    unsigned t2_ms = txn->layer->times.t2_ms;
    return txn->state == TXN_CLIENT_PROCEEDING ? t2_ms : txn_min(doubled_ms, t2_ms);
}

static void client_timer(void *arg)
{
    struct txn_client *txn = arg;
    if (txn_wait_is_end(txn->layer, &txn->wait)) {
        client_end(txn);
        return;
    }
    txn_wait_resend_after(txn->layer, &txn->wait, next_interval_ms(txn));
    txn->user.send(txn->request->bytes, txn->user.arg);
}

int txn_client_start(struct txn_layer *layer, struct arena *arena, const struct sip_msg *request,
                     bool reliable, const struct txn_client_user *user, struct txn_client **txn)
{
    if (txn_layer_is_full(layer))
        return STATUS_LIMIT;
    struct txn_client *client = arena_zero(arena, sizeof(*client));
    if (!client || txn_wait_start(layer, &client->wait, client_timer, client) < 0)
        return -ENOMEM;
    const struct key key = key_of(request);
    int status = table_put(layer->clients, &client->link, key_hash(layer->clients, &key));
    if (status < 0) {
        txn_wait_stop(layer, &client->wait);
        return status;
    }
    client->layer = layer;
    client->arena = arena;
    client->request = request;
    client->branch = key.branch;
    client->method = key.method;
    client->host = request->via.host;
    client->port = request->via.port;
    client->invite = request->method == SIP_INVITE;
    client->user = *user;
    client->reliable = reliable;
    client_enter(client, client->invite ? TXN_CLIENT_CALLING : TXN_CLIENT_TRYING);
    *txn = client;
    client->user.send(request->bytes, client->user.arg);
    return 0;
}

/* The ACK to a failure (17.1.1.3). Without memory it is left out; the next retransmission of the
 * failure tries again. */
static void client_ack(struct txn_client *txn, const struct sip_msg *response)
{
    if (txn->ack.len == 0)
        txn->ack = sip_ack_build(txn->arena, txn->request, response);
    if (txn->ack.len > 0)
        txn->user.send(txn->ack, txn->user.arg);
}

/* A response before the final one, or the final one. The call up is the last step: the user may end
 * the transaction in it. */
static void client_answered(struct txn_client *txn, const struct sip_msg *response)
{
    if (response->status < 200) {
        client_enter(txn, TXN_CLIENT_PROCEEDING);
    } else if (txn->invite && response->status < 300) {
        client_enter(txn, TXN_CLIENT_ACCEPTED);
    } else {
        client_enter(txn, TXN_CLIENT_COMPLETED);
        if (txn->invite)
            client_ack(txn, response);
    }
    txn->user.response(txn, response, txn->user.arg);
}

void txn_client_receive(struct txn_client *txn, const struct sip_msg *response)
{
    unsigned status = response->status;
    switch (txn->state) {
    case TXN_CLIENT_CALLING:
    case TXN_CLIENT_TRYING:
    case TXN_CLIENT_PROCEEDING:
        client_answered(txn, response);
        return;
    case TXN_CLIENT_COMPLETED:
        if (txn->invite && status >= 300)
            client_ack(txn, response);
        return;
    case TXN_CLIENT_ACCEPTED:
        if (status >= 200 && status < 300)
            txn->user.response(txn, response, txn->user.arg);
        return;
    case TXN_CLIENT_TERMINATED:
        return;
    }
}

bool txn_client_accepts(const struct txn_client *txn, const void *source)
{
    return !txn->user.accepts || txn->user.accepts(source, txn->user.arg);
}

void txn_client_lost(struct txn_client *txn, int error)
{
    bool is_open = txn->state == TXN_CLIENT_CALLING || txn->state == TXN_CLIENT_TRYING ||
                   txn->state == TXN_CLIENT_PROCEEDING;
    if (!is_open)
        return;
    client_enter(txn, TXN_CLIENT_TERMINATED);
    if (txn->user.lost)
        txn->user.lost(txn, error, txn->user.arg);
    else
        txn->user.timeout(txn, txn->user.arg);
    txn->user.ended(txn, txn->user.arg);
}

bool txn_client_is_named(const struct txn_client *txn, const struct sip_msg *response)
{
    return slice_eq_nocase(txn->host, response->via.host) && txn->port == response->via.port;
}

/* Over a stream a failure is the end at once. */
int txn_client_settle(struct txn_client *txn)
{
    bool is_answered =
        txn->state == TXN_CLIENT_ACCEPTED || (txn->state == TXN_CLIENT_COMPLETED && !txn->reliable);
    if (!txn->request)
        return 0;
    if (!is_answered || (txn->invite && txn->state == TXN_CLIENT_COMPLETED && txn->ack.len == 0))
        return -EBUSY;
    struct slice branch = arena_copy(txn->arena, txn->branch);
    struct slice method = arena_copy(txn->arena, txn->method);
    struct slice host = arena_copy(txn->arena, txn->host);
    if (!branch.p || !method.p || !host.p)
        return -ENOMEM;
    txn->branch = branch;
    txn->method = method;
    txn->host = host;
    txn->request = NULL;
    return 0;
}

enum txn_client_state txn_client_state_of(const struct txn_client *txn)
{
    return txn->state;
}

const struct sip_msg *txn_client_request(const struct txn_client *txn)
{
    return txn->request;
}

void txn_client_abort(struct txn_client *txn)
{
    if (txn->state == TXN_CLIENT_TERMINATED)
        return;
    client_enter(txn, TXN_CLIENT_TERMINATED);
    txn->user.ended(txn, txn->user.arg);
}
