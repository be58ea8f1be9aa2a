/* One question to one hop of a core: OPTIONS, which every SIP element answers in some way (RFC 3261
 * section 11). Any final answer but 503 says that calls can go there. */
#include "peering/proxy/cores.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>

#define CHECK_HEADERS_MAX 16

/* Lives in its own arena until its transaction has ended. */
struct core_check {
    struct list link;
    struct core_hop *hop; /* NULL: told, or nobody wants to know any more */
    struct proxy *proxy;
    struct arena *arena;
    struct resolver_hop to;
    const struct transport_listener *out;
    struct conn *conn; /* NULL for UDP */
    struct conn_watch watch;
    struct txn_client *txn;
    const struct sip_msg *sent;
    struct timer timer; /* patience; once it is told, the end */
};

static void check_free(struct core_check *check)
{
    timer_stop(check->proxy->timers, &check->timer);
    conn_watch_remove(&check->watch);
    conn_unref(check->conn);
    list_remove(&check->link);
    arena_free(check->arena);
}

static void tell(struct core_check *check, unsigned status, const char *why)
{
    struct core_hop *hop = check->hop;
    check->hop = NULL;
    if (hop)
        core_checked(hop, status, why);
}

/* Not from inside a callback of the transaction or the connection, which are in use there. */
static void end(void *arg)
{
    struct core_check *check = arg;
    txn_client_abort(check->txn);
}

static void finish(struct core_check *check, unsigned status, const char *why)
{
    struct proxy *proxy = check->proxy;
    tell(check, status, why);
    timer_start(proxy->timers, &check->timer, txn_layer_now_ms(proxy->txns), end, check);
}

static void on_patience_ended(void *arg)
{
    struct core_check *check = arg;
    tell(check, 0, "no answer in time");
    end(check);
}

void core_check_stop(struct core_check *check)
{
    check->hop = NULL;
    end(check);
}

void core_checks_stop(struct cores *cores)
{
    struct list *link;
    while ((link = list_first(&cores->checks)))
        core_check_stop(container_of(link, struct core_check, link));
}

/* ---- the transaction ---- */

static void send_up(struct slice bytes, void *arg)
{
    struct core_check *check = arg;
    if (!check->conn)
        transport_send_udp(check->proxy->transport, check->out, &check->to.addr, bytes);
    else if (conn_state_of(check->conn) == CONN_READY)
        conn_send(check->conn, bytes);
    else
        return;
    proxy_trace_sent(check->proxy, bytes, check->out, &check->to.addr, check->conn);
}

static void on_response(struct txn_client *txn, const struct sip_msg *response, void *arg)
{
    (void)txn;
    if (response->status >= 200)
        finish(arg, response->status, "");
}

static void on_timeout(struct txn_client *txn, void *arg)
{
    (void)txn;
    tell(arg, 0, "no answer in time");
}

static void on_lost(struct txn_client *txn, int error, void *arg)
{
    (void)txn;
    tell(arg, 0, status_text(-error));
}

static void on_ended(struct txn_client *txn, void *arg)
{
    (void)txn;
    check_free(arg);
}

static bool may_answer(const void *source, void *arg)
{
    const struct core_check *check = arg;
    const struct asked asked = {TRANSPORT_INSIDE, "", check->conn, &check->to.addr};
    return origin_may_answer(check->proxy, source, &asked);
}

static void on_conn(struct conn *conn, enum conn_state state, const char *why, void *arg)
{
    struct core_check *check = arg;
    (void)conn; /* it is the check's */
    if (state == CONN_READY)
        send_up(check->sent->bytes, check);
    else if (state == CONN_CLOSED)
        finish(check, 0, why);
}

/* ---- start ---- */

static struct slice request_text(struct core_check *check)
{
    static const char *const parameter[] = {
        [SIP_UDP] = "udp", [SIP_TCP] = "tcp", [SIP_TLS] = "tls", [SIP_SCTP] = "sctp"};
    struct proxy *proxy = check->proxy;
    const struct transport_listener *out = check->out;
    char branch[TXN_BRANCH_MAX], token[TXN_BRANCH_MAX], to[NETADDR_TEXT_MAX], port[8] = "";
    unsigned worker = proxy->workers * proxy_side_number(TRANSPORT_INSIDE) + proxy->index;
    txn_branch_make(proxy->txns, worker, branch);
    txn_branch_make(proxy->txns, worker, token);
    if (out->advertise_port)
        snprintf(port, sizeof(port), ":%u", out->advertise_port);
    netaddr_format(&check->to.addr, to);
    return arena_printf(
        check->arena,
        "OPTIONS sip:%s;transport=%s SIP/2.0\r\n"
        "Via: SIP/2.0/%s %s%s;branch=%s%s\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:%s%s>;tag=%s\r\n"
        "To: <sip:%s>\r\n"
        "Call-ID: %s\r\n"
        "CSeq: 1 OPTIONS\r\n"
        "Contact: <sip:%s%s;transport=%s>\r\n"
        "Content-Length: 0\r\n\r\n",
        to, parameter[check->to.transport],
        sip_transport_name((enum sip_transport)check->to.transport), out->advertise_host, port,
        branch, check->to.transport == SIP_UDP ? ";rport" : "", out->advertise_host, port, token,
        to, branch, out->advertise_host, port, parameter[check->to.transport]);
}

static int request_build(struct core_check *check)
{
    struct sip_fault fault;
    struct slice bytes = request_text(check);
    struct sip_msg *msg = arena_zero(check->arena, sizeof(*msg));
    struct sip_header *headers = arena_get(check->arena, CHECK_HEADERS_MAX * sizeof(*headers));
    if (!bytes.p || !msg || !headers ||
        sip_msg_parse(bytes, true, headers, CHECK_HEADERS_MAX, msg, &fault) != 0)
        return -ENOMEM;
    check->sent = msg;
    return 0;
}

static int check_connect(struct core_check *check)
{
    struct conn_key key = {.side = TRANSPORT_INSIDE,
                           .transport = (enum sip_transport)check->to.transport,
                           .addr = check->to.addr};
    if (check->to.transport == SIP_UDP)
        return 0;
    if (key.transport == SIP_TLS) { /* as a call would */
        snprintf(key.our_domain, sizeof(key.our_domain), "%s", check->hop->place->domain);
        snprintf(key.far_domain, sizeof(key.far_domain), "%s", check->hop->place->domain);
    }
    return transport_connect(check->proxy->transport, &key, &check->conn);
}

static int check_send(struct core_check *check, unsigned wait_ms)
{
    struct proxy *proxy = check->proxy;
    const struct txn_client_user user = {.send = send_up,
                                         .response = on_response,
                                         .timeout = on_timeout,
                                         .lost = on_lost,
                                         .ended = on_ended,
                                         .accepts = may_answer,
                                         .arg = check};
    int status = timer_start(proxy->timers, &check->timer, txn_layer_now_ms(proxy->txns) + wait_ms,
                             on_patience_ended, check);
    if (status == 0)
        status = txn_client_start(proxy->txns, check->arena, check->sent, check->conn != NULL,
                                  &user, &check->txn);
    if (status == 0 && check->conn)
        conn_watch_add(check->conn, &check->watch, on_conn, check);
    return status;
}

static struct core_check *check_alloc(struct core_hop *hop)
{
    struct proxy *proxy = hop->place->cores->proxy;
    struct arena *arena = arena_alloc(proxy->pool, PROXY_CONTEXT_LIMIT);
    struct core_check *check = arena ? arena_zero(arena, sizeof(*check)) : NULL;
    if (!check) {
        arena_free(arena);
        return NULL;
    }
    check->hop = hop;
    check->proxy = proxy;
    check->arena = arena;
    check->to = hop->hop;
    list_init(&check->link);
    list_append(&hop->place->cores->checks, &check->link);
    timer_init(&check->timer);
    conn_watch_init(&check->watch);
    return check;
}

void core_check_start(struct core_hop *hop, unsigned wait_ms)
{
    struct proxy *proxy = hop->place->cores->proxy;
    struct core_check *check;
    const struct transport_listener *out =
        transport_listener_for(proxy->transport, TRANSPORT_INSIDE,
                               (enum sip_transport)hop->hop.transport, hop->hop.addr.sa.sa_family);
    if (!out) {
        core_checked(hop, 0, "no inside listener here has its transport and address family");
        return;
    }
    check = check_alloc(hop);
    if (!check)
        return;
    check->out = out;
    hop->check = check;
    int status = request_build(check);
    if (status == 0)
        status = check_connect(check);
    if (status == 0)
        status = check_send(check, wait_ms);
    if (status == 0)
        return;
    if (status == -ENOMEM || status == STATUS_LIMIT)
        hop->check = NULL; /* this edge is at its limit, which says nothing about the core */
    else
        tell(check, 0,
             status == STATUS_NOTFOUND ? "this edge has no certificate for the domain"
                                       : status_text(status));
    check_free(check);
}
