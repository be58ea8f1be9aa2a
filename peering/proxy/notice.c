#include "peering/proxy/notice.h"

#include "base/status.h"
#include "peering/proxy/plan.h"

#include <errno.h>
#include <stdio.h>

#define NOTICE_HEADERS_MAX  16 /* of the request that is made here */
#define NOTICE_MEMORY_LIMIT 65536

/* One on its way; lives in its own arena, on proxy->notices. What a transaction or a connection
 * reports is acted on from the timer, not inside of them. */
struct notice {
    struct list link;
    struct proxy *proxy;
    struct arena *arena;
    struct store_address address;
    char domain[STORE_DOMAIN_MAX + 1];
    struct slice text;
    struct resolver_target targets[PLAN_MAX_TARGETS];
    size_t target_count, target_next;
    struct resolver_location *location; /* a lookup under way */
    struct resolver_search search;      /* in the target turned to last */
    struct resolver_hop hop;
    const struct transport_listener *out;
    struct conn *conn; /* NULL for UDP */
    struct conn_watch watch;
    struct txn_client *txn;
    const struct sip_msg *sent; /* to this hop; NULL: not yet */
    struct timer timer;         /* patience with the hop, or there is something to do now */
    uint64_t until_ms;          /* the whole of it */
    unsigned status;            /* of the last final answer; 0: there was none */
    bool over;                  /* it was one that is not tried elsewhere */
};

static void hop_drop(struct notice *notice)
{
    conn_watch_remove(&notice->watch);
    if (notice->txn)
        txn_client_abort(notice->txn);
    notice->conn = conn_unref(notice->conn);
    notice->sent = NULL;
}

static void notice_free(struct notice *notice)
{
    struct proxy *proxy = notice->proxy;
    list_remove(&notice->link);
    proxy->notice_count--;
    timer_stop(proxy->timers, &notice->timer);
    if (notice->location)
        resolver_locate_cancel(notice->location);
    hop_drop(notice);
    resolver_search_done(&notice->search);
    arena_free(notice->arena);
}

static void finish(struct notice *notice)
{
    bool is_taken = notice->status >= 200 && notice->status < 300;
    struct proxy_counters *counters = notice->proxy->counters;
    atomic_fetch_add_explicit(is_taken         ? &counters->notices_taken
                              : notice->status ? &counters->notices_refused
                                               : &counters->notices_lost,
                              1, memory_order_relaxed);
    log_write(notice->proxy->log, is_taken ? LOG_INFO : LOG_WARNING, "proxy",
              "message to %s@%s by the core of %s: %s (%u)", notice->address.user,
              notice->address.domain, notice->domain,
              is_taken         ? "taken"
              : notice->status ? "refused"
                               : "no answer",
              notice->status);
    notice_free(notice);
}

static void try_next(struct notice *notice);

static void on_timer(void *arg)
{
    struct notice *notice = arg;
    hop_drop(notice);
    if (notice->over)
        finish(notice);
    else
        try_next(notice);
}

static int wait_ms(struct notice *notice, uint64_t ms)
{
    struct proxy *proxy = notice->proxy;
    return timer_start(proxy->timers, &notice->timer, txn_layer_now_ms(proxy->txns) + ms, on_timer,
                       notice);
}

/* ---- the transaction ---- */

static void send_up(struct slice bytes, void *arg)
{
    struct notice *notice = arg;
    if (notice->conn)
        conn_send(notice->conn, bytes);
    else
        transport_send_udp(notice->proxy->transport, notice->out, &notice->hop.addr, bytes);
}

/* What says that another server may take it (RFC 3261 21.5.4), and that nothing was reached, leads
 * on. */
static void on_response(struct txn_client *txn, const struct sip_msg *response, void *arg)
{
    struct notice *notice = arg;
    (void)txn;
    if (response->status < 200)
        return;
    notice->status = response->status;
    notice->over = response->status != 503 && response->status != 408;
    wait_ms(notice, 0);
}

static void on_timeout(struct txn_client *txn, void *arg)
{
    (void)txn;
    wait_ms(arg, 0);
}

static void on_ended(struct txn_client *txn, void *arg)
{
    struct notice *notice = arg;
    (void)txn;
    notice->txn = NULL;
}

static struct slice request_text(struct notice *notice)
{
    struct proxy *proxy = notice->proxy;
    const struct store_address *to = &notice->address;
    enum sip_transport transport = (enum sip_transport)notice->hop.transport;
    char branch[TXN_BRANCH_MAX], tag[TXN_BRANCH_MAX], port[8] = "";
    unsigned worker = proxy->workers * proxy_side_number(TRANSPORT_INSIDE) + proxy->index;
    txn_branch_make(proxy->txns, worker, branch);
    txn_branch_make(proxy->txns, worker, tag);
    if (notice->out->advertise_port)
        snprintf(port, sizeof(port), ":%u", notice->out->advertise_port);
    return arena_printf(
        notice->arena,
        "MESSAGE sip:%s@%s SIP/2.0\r\n"
        "Via: SIP/2.0/%s %s%s;branch=%s%s\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:%s>;tag=%s\r\n"
        "To: <sip:%s@%s>\r\n"
        "Call-ID: %s@%s\r\n"
        "CSeq: 1 MESSAGE\r\n"
        "Content-Type: text/plain;charset=UTF-8\r\n"
        "Content-Length: %zu\r\n\r\n%.*s",
        to->user, to->domain, sip_transport_name(transport), notice->out->advertise_host, port,
        branch, transport == SIP_UDP ? ";rport" : "", notice->domain, tag + 11, to->user,
        to->domain, branch + 11, notice->domain, notice->text.len, SLICE_ARG(notice->text));
}

static const struct sip_msg *build(struct notice *notice)
{
    struct sip_fault fault;
    struct slice bytes = request_text(notice);
    struct sip_msg *msg = arena_zero(notice->arena, sizeof(*msg));
    struct sip_header *headers = arena_get(notice->arena, NOTICE_HEADERS_MAX * sizeof(*headers));
    if (!bytes.p || !msg || !headers ||
        sip_msg_parse(bytes, true, headers, NOTICE_HEADERS_MAX, msg, &fault) != 0)
        return NULL;
    return msg;
}

static int send_message(struct notice *notice)
{
    struct proxy *proxy = notice->proxy;
    const struct txn_client_user user = {.send = send_up,
                                         .response = on_response,
                                         .timeout = on_timeout,
                                         .ended = on_ended,
                                         .arg = notice};
    notice->sent = build(notice);
    int status = notice->sent ? txn_client_start(proxy->txns, notice->arena, notice->sent,
                                                 notice->conn != NULL, &user, &notice->txn)
                              : -ENOMEM;
    if (status == 0)
        proxy_trace(proxy, "sent", notice->sent, notice->out, &notice->hop.addr, notice->conn);
    return status;
}

/* ---- next hops ---- */

static void on_conn(struct conn *conn, enum conn_state state, const char *why, void *arg)
{
    struct notice *notice = arg;
    (void)conn, (void)why;
    proxy_advance(notice->proxy);
    bool is_lost = state == CONN_CLOSED;
    if (state == CONN_READY && !notice->sent)
        is_lost = send_message(notice) != 0;
    if (is_lost)
        wait_ms(notice, 0);
}

static int hop_connect(struct notice *notice)
{
    struct conn_key key = {.side = TRANSPORT_INSIDE,
                           .transport = (enum sip_transport)notice->hop.transport,
                           .addr = notice->hop.addr};
    if (key.transport == SIP_UDP)
        return 0;
    if (key.transport == SIP_TLS) { /* as a call would */
        snprintf(key.our_domain, sizeof(key.our_domain), "%s", notice->domain);
        snprintf(key.far_domain, sizeof(key.far_domain), "%s", notice->domain);
        snprintf(key.far_host, sizeof(key.far_host), "%s", notice->hop.host);
    }
    int status = transport_connect(notice->proxy->transport, &key, &notice->conn);
    if (status == 0)
        conn_watch_add(notice->conn, &notice->watch, on_conn, notice);
    return status;
}

static int try_hop(struct notice *notice)
{
    struct proxy *proxy = notice->proxy;
    notice->out = transport_listener_for(proxy->transport, TRANSPORT_INSIDE,
                                         (enum sip_transport)notice->hop.transport,
                                         notice->hop.addr.sa.sa_family);
    int status = notice->out ? wait_ms(notice, proxy->first_response_ms) : -ENOENT;
    if (status == 0)
        status = hop_connect(notice);
    if (status == 0 && (!notice->conn || conn_is_open(notice->conn)))
        status = send_message(notice);
    if (status != 0)
        hop_drop(notice);
    return status;
}

static void search_begin(struct notice *notice, struct resolver_plan *plan)
{
    resolver_search_begin(&notice->search, notice->proxy->resolver, plan, notice->domain);
}

static void located(int status, struct resolver_plan *plan, const char *why, void *arg)
{
    struct notice *notice = arg;
    (void)why;
    notice->location = NULL;
    proxy_advance(notice->proxy);
    if (status == 0)
        search_begin(notice, plan);
    wait_ms(notice, 0);
}

/* Returns whether hops may be there now; else `located` will go on. */
static bool turn_to_next_target(struct notice *notice)
{
    struct resolver *resolver = notice->proxy->resolver;
    const struct resolver_target *target = &notice->targets[notice->target_next++];
    resolver_search_done(&notice->search);
    memset(&notice->search, 0, sizeof(notice->search));
    struct resolver_plan *plan = resolver_plan_get(resolver, target);
    if (plan)
        search_begin(notice, plan);
    return plan || resolver_plan_find(resolver, target, located, notice, &notice->location) != 0;
}

static bool next_hop(struct notice *notice)
{
    return notice->target_next > 0 && (resolver_search_next(&notice->search, &notice->hop) ||
                                       resolver_search_next_avoided(&notice->search, &notice->hop));
}

static void try_next(struct notice *notice)
{
    while (txn_layer_now_ms(notice->proxy->txns) < notice->until_ms) {
        if (next_hop(notice)) {
            if (try_hop(notice) == 0)
                return;
        } else if (notice->target_next == notice->target_count) {
            break;
        } else if (!turn_to_next_target(notice)) {
            return;
        }
    }
    finish(notice);
}

/* ---- the start ---- */

static struct notice *notice_alloc(struct proxy *proxy, const struct notice_words *words)
{
    struct arena *arena = arena_alloc(proxy->pool, NOTICE_MEMORY_LIMIT);
    struct notice *notice = arena ? arena_zero(arena, sizeof(*notice)) : NULL;
    struct slice text = notice ? arena_printf(arena, "%s", words->text) : SLICE("");
    if (!notice || !text.p) {
        arena_free(arena);
        return NULL;
    }
    notice->proxy = proxy;
    notice->arena = arena;
    notice->address = *words->address;
    notice->text = text;
    notice->until_ms = txn_layer_now_ms(proxy->txns) + NOTICE_LIMIT_MS;
    list_init(&notice->link);
    timer_init(&notice->timer);
    conn_watch_init(&notice->watch);
    return notice;
}

int notice_send(struct proxy *proxy, const struct notice_words *words)
{
    struct store_reader *reader = proxy_reader(proxy);
    struct store_domain domain;
    int status = reader ? store_domain_get(reader, words->domain, &domain) : STATUS_CORRUPT;
    if (status)
        return status;
    if (proxy->notice_count == NOTICE_MAX)
        return STATUS_LIMIT;
    struct notice *notice = notice_alloc(proxy, words);
    if (!notice)
        return -ENOMEM;
    memcpy(notice->domain, domain.name, sizeof(domain.name));
    notice->target_count = resolver_core_targets(proxy->resolver, &domain, notice->targets);
    status = notice->target_count ? wait_ms(notice, 0) : STATUS_NOTFOUND;
    if (status) {
        arena_free(notice->arena);
        return status;
    }
    list_append(&proxy->notices, &notice->link);
    proxy->notice_count++;
    return 0;
}

void notice_end_all(struct proxy *proxy)
{
    struct list *first;
    while ((first = list_first(&proxy->notices)))
        notice_free(container_of(first, struct notice, link));
}
