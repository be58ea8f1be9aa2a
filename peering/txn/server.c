/* Server transactions: RFC 3261 section 17.2, INVITE with RFC 6026's Accepted state. */
#include "peering/txn/internal.h"

#include "base/list.h"
#include "base/status.h"

#include <errno.h>

struct txn_server { /* lives in the user's arena */
    struct txn_layer *layer;
    struct arena *arena;
    const struct sip_msg *request;     /* NULL once it is settled */
    struct slice method, branch, host; /* what an RFC 3261 request is matched by */
    uint16_t port;
    bool invite;
    struct txn_server_user user;
    struct table_link link; /* in layer->servers until TERMINATED */
    struct txn_wait wait;
    enum txn_server_state state;
    struct txn_source source;
    struct slice response;    /* the last one, for retransmission; empty if none */
    struct slice failure_tag; /* RFC 2543 INVITE: To tag of the failure, which its ACK repeats */
};

const char *txn_server_state_text(enum txn_server_state state)
{
    switch (state) {
    case TXN_SERVER_TRYING:
        return "Trying";
    case TXN_SERVER_PROCEEDING:
        return "Proceeding";
    case TXN_SERVER_COMPLETED:
        return "Completed";
    case TXN_SERVER_CONFIRMED:
        return "Confirmed";
    case TXN_SERVER_ACCEPTED:
        return "Accepted";
    case TXN_SERVER_TERMINATED:
        return "Terminated";
    }
    return "?";
}

/* ---- matching (section 17.2.3) ---- */

struct server_key {
    const struct sip_msg *request;
    uint64_t realm;
    struct slice method; /* of the transaction looked for */
};

/* An ACK belongs to the INVITE's transaction. */
static struct server_key key_of(const struct sip_msg *request, uint64_t realm)
{
    struct slice method = request->method == SIP_ACK ? SLICE("INVITE") : request->method_text;
    return (struct server_key){request, realm, method};
}

static uint64_t hash_number(const struct table *table, uint64_t hash, uint32_t number)
{
    const char bytes[4] = {(char)(number >> 24), (char)(number >> 16), (char)(number >> 8),
                           (char)number};
    return table_hash_more(table, hash, slice_make(bytes, sizeof(bytes)));
}

/* Over everything that a sender can choose and a match compares (but for To tags), so that nobody
 * can fill one bucket. */
static uint64_t key_hash(const struct table *table, const struct server_key *key)
{
    const struct sip_msg *request = key->request;
    const struct sip_via *via = &request->via;
    uint64_t hash = table_hash(table, key->method);
    hash = hash_number(table, hash, (uint32_t)(key->realm >> 32));
    hash = hash_number(table, hash, (uint32_t)key->realm);
    if (sip_branch_is_rfc3261(via->branch)) {
        hash = table_hash_more(table, hash, via->branch);
        char lower[TXN_LOWER];
        for (struct slice host = via->host; host.len > 0;)
            hash = table_hash_more(table, hash, txn_lower_next(&host, lower));
        return hash_number(table, hash, via->port);
    }
    hash = table_hash_more(table, hash, request->call_id);
    hash = table_hash_more(table, hash, request->from_tag);
    hash = table_hash_more(table, hash, request->uri_text);
    hash = table_hash_more(table, hash, via->bytes);
    return hash_number(table, hash, request->cseq);
}

static bool matches_branch(const struct txn_server *txn, const struct sip_via *via)
{
    return slice_eq(txn->branch, via->branch) && txn->port == via->port &&
           slice_eq_nocase(txn->host, via->host);
}

/* Request-URI and Via are compared byte for byte: a retransmission is a copy. */
static bool matches_rfc2543(const struct txn_server *txn, const struct sip_msg *request)
{
    const struct sip_msg *first = txn->request;
    struct slice to_tag = request->method == SIP_ACK ? txn->failure_tag : first->to_tag;
    return first->cseq == request->cseq && slice_eq(to_tag, request->to_tag) &&
           slice_eq(first->call_id, request->call_id) &&
           slice_eq(first->from_tag, request->from_tag) &&
           slice_eq(first->uri_text, request->uri_text) &&
           slice_eq(first->via.bytes, request->via.bytes);
}

static bool server_match(const struct table_link *link, const void *arg)
{
    const struct txn_server *txn = container_of(link, struct txn_server, link);
    const struct server_key *key = arg;
    if (txn->source.realm != key->realm || !slice_eq(txn->method, key->method))
        return false;
    if (sip_branch_is_rfc3261(key->request->via.branch))
        return matches_branch(txn, &key->request->via);
    return txn->request && matches_rfc2543(txn, key->request);
}

static struct txn_server *server_find(const struct txn_layer *layer, const struct server_key *key)
{
    const struct table_link *link =
        table_find(layer->servers, key_hash(layer->servers, key), server_match, key);
    return link ? container_of(link, struct txn_server, link) : NULL;
}

struct txn_server *txn_server_find(struct txn_layer *layer, const struct sip_msg *request,
                                   uint64_t realm)
{
    struct server_key key = key_of(request, realm);
    struct txn_server *txn = server_find(layer, &key);
    /* The ACK to a 2xx goes to the user (RFC 6026 7.1), also where its sender kept the branch. */
    if (txn && request->method == SIP_ACK && txn->state == TXN_SERVER_ACCEPTED)
        return NULL;
    return txn;
}

struct txn_server *txn_server_find_cancelled(struct txn_layer *layer, const struct sip_msg *cancel,
                                             uint64_t realm)
{
    struct server_key key = {cancel, realm, SLICE("INVITE")};
    return server_find(layer, &key);
}

/* ---- the machine ---- */

/* The only place that changes the state; it also sets the state's timers. */
static void server_enter(struct txn_server *txn, enum txn_server_state state)
{
    struct txn_layer *layer = txn->layer;
    const struct txn_times *times = &layer->times;
    unsigned long_ms = 64 * times->t1_ms;
    struct txn_wait *wait = &txn->wait;

    txn->state = state;
    switch (state) {
    case TXN_SERVER_TRYING:
    case TXN_SERVER_PROCEEDING:
        return;
    case TXN_SERVER_COMPLETED:
        if (!txn->invite) {
            txn_wait_end_after(layer, wait, txn->source.reliable ? 0 : long_ms); /* J */
            return;
        }
        if (!txn->source.reliable)
            txn_wait_resend_after(layer, wait, times->t1_ms); /* G */
        txn_wait_end_after(layer, wait, long_ms);             /* H */
        return;
    case TXN_SERVER_CONFIRMED:
        txn_wait_resend_never(layer, wait);
        txn_wait_end_after(layer, wait, txn->source.reliable ? 0 : times->t4_ms); /* I */
        return;
    case TXN_SERVER_ACCEPTED:
        txn_wait_end_after(layer, wait, long_ms); /* L */
        return;
    case TXN_SERVER_TERMINATED:
        txn_wait_stop(layer, wait);
        table_remove(layer->servers, &txn->link);
        return;
    }
}

static void server_terminate(struct txn_server *txn)
{
    server_enter(txn, TXN_SERVER_TERMINATED);
    txn->user.ended(txn, txn->user.arg);
}

static void server_timer(void *arg)
{
    struct txn_server *txn = arg;
    if (txn_wait_is_end(txn->layer, &txn->wait)) {
        server_terminate(txn);
        return;
    }
    unsigned interval_ms = txn_min(2 * txn->wait.interval_ms, txn->layer->times.t2_ms);
    txn_wait_resend_after(txn->layer, &txn->wait, interval_ms); /* G */
    txn->user.send(txn->response, txn->user.arg);
}

int txn_server_start(struct txn_layer *layer, struct arena *arena, const struct sip_msg *request,
                     const struct txn_source *source, const struct txn_server_user *user,
                     struct txn_server **txn)
{
    if (txn_layer_is_full(layer))
        return STATUS_LIMIT;
    struct txn_server *server = arena_zero(arena, sizeof(*server));
    if (!server || txn_wait_start(layer, &server->wait, server_timer, server) < 0)
        return -ENOMEM;
    struct server_key key = key_of(request, source->realm);
    int status = table_put(layer->servers, &server->link, key_hash(layer->servers, &key));
    if (status < 0) {
        txn_wait_stop(layer, &server->wait);
        return status;
    }
    server->layer = layer;
    server->arena = arena;
    server->request = request;
    server->method = request->method_text;
    server->branch = request->via.branch;
    server->host = request->via.host;
    server->port = request->via.port;
    server->invite = request->method == SIP_INVITE;
    server->user = *user;
    server->source = *source;
    server_enter(server, server->invite ? TXN_SERVER_PROCEEDING : TXN_SERVER_TRYING);
    *txn = server;
    return 0;
}

void txn_server_receive(struct txn_server *txn, const struct sip_msg *request)
{
    bool is_ack = request->method == SIP_ACK;
    switch (txn->state) {
    case TXN_SERVER_PROCEEDING:
    case TXN_SERVER_COMPLETED:
        if (is_ack && txn->state == TXN_SERVER_COMPLETED)
            server_enter(txn, TXN_SERVER_CONFIRMED);
        else if (!is_ack && txn->response.len > 0)
            txn->user.send(txn->response, txn->user.arg);
        return;
    case TXN_SERVER_TRYING:
    case TXN_SERVER_CONFIRMED:
    case TXN_SERVER_ACCEPTED: /* the UAS core repeats its 2xx itself (13.3.1.4) */
    case TXN_SERVER_TERMINATED:
        return;
    }
}

/* RFC 2543 matching of the ACK wants the To tag of the failure (17.2.3). */
static struct slice failure_tag(struct slice response)
{
    struct sip_msg msg;
    struct sip_fault fault;
    struct sip_header headers[SIP_MAX_HEADERS];
    if (sip_msg_parse(response, false, headers, SIP_MAX_HEADERS, &msg, &fault) < 0)
        return slice_make(NULL, 0);
    return msg.to_tag;
}

/* Which state does a response with this status lead to? -EALREADY where none is due any more. */
static int state_after(const struct txn_server *txn, unsigned status, enum txn_server_state *state)
{
    bool is_success = status >= 200 && status < 300;
    switch (txn->state) {
    case TXN_SERVER_TRYING:
    case TXN_SERVER_PROCEEDING:
        if (status < 200)
            *state = TXN_SERVER_PROCEEDING;
        else
            *state = txn->invite && is_success ? TXN_SERVER_ACCEPTED : TXN_SERVER_COMPLETED;
        return 0;
    case TXN_SERVER_ACCEPTED:
        *state = TXN_SERVER_ACCEPTED;
        return is_success ? 0 : -EALREADY;
    case TXN_SERVER_COMPLETED:
    case TXN_SERVER_CONFIRMED:
    case TXN_SERVER_TERMINATED:
        return -EALREADY;
    }
    return -EALREADY;
}

int txn_server_respond(struct txn_server *txn, unsigned status, struct slice bytes)
{
    enum txn_server_state state;
    int result = state_after(txn, status, &state);
    if (result < 0)
        return result;

    txn->response = bytes;
    if (txn->invite && status >= 300 && !sip_branch_is_rfc3261(txn->request->via.branch))
        txn->failure_tag = failure_tag(bytes);
    if (state != txn->state) /* a further 2xx does not prolong timer L */
        server_enter(txn, state);
    txn->user.send(bytes, txn->user.arg);
    return 0;
}

/* Its answer may be asked for again only where a failure or the answer to another method went out:
 * a 2xx to an INVITE is repeated by who sent it. */
int txn_server_settle(struct txn_server *txn)
{
    bool is_answered = txn->state == TXN_SERVER_ACCEPTED || txn->state == TXN_SERVER_COMPLETED ||
                       txn->state == TXN_SERVER_CONFIRMED;
    bool repeats = txn->state == TXN_SERVER_COMPLETED;
    if (!txn->request)
        return 0;
    if (!is_answered || !sip_branch_is_rfc3261(txn->branch))
        return -EBUSY;
    struct slice method = arena_copy(txn->arena, txn->method);
    struct slice branch = arena_copy(txn->arena, txn->branch);
    struct slice host = arena_copy(txn->arena, txn->host);
    struct slice response = arena_copy(txn->arena, repeats ? txn->response : SLICE(""));
    if (!method.p || !branch.p || !host.p || !response.p)
        return -ENOMEM;
    txn->method = method;
    txn->branch = branch;
    txn->host = host;
    txn->response = response;
    txn->request = NULL;
    return 0;
}

enum txn_server_state txn_server_state_of(const struct txn_server *txn)
{
    return txn->state;
}

const struct sip_msg *txn_server_request(const struct txn_server *txn)
{
    return txn->request;
}

void *txn_server_arg(const struct txn_server *txn)
{
    return txn->user.arg;
}

void txn_server_abort(struct txn_server *txn)
{
    if (txn->state != TXN_SERVER_TERMINATED)
        server_terminate(txn);
}
