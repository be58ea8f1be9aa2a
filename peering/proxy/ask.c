#include "peering/proxy/ask.h"

#include "base/status.h"
#include "peering/proxy/budget.h"
#include "peering/proxy/port_form.h"
#include "peering/proxy/proxy.h"

#include <errno.h>
#include <stdio.h>

#define ASK_HEADERS_MAX  16 /* of the request that is made here */
#define ASK_MEMORY_LIMIT 65536

/* One question under way; lives in its own arena, on proxy->asks until it is answered. */
struct ask {
    struct list link;
    struct proxy *proxy;
    struct arena *arena;
    struct store_address address;
    char our_domain[STORE_DOMAIN_MAX + 1];
    struct list waits;
    struct resolver_location *location; /* a lookup under way */
    struct resolver_search search;
    struct resolver_hop hop;
    const struct transport_listener *out;
    struct conn *conn;
    struct conn_watch watch;
    const struct sip_msg *sent; /* over this connection; NULL: not yet */
    struct txn_client *txn;
    struct timer timer; /* the limit; or none is left, and this is said from the loop */
    bool reused;        /* the connection was ready before */
    bool again;         /* the hop had its second chance, on a new connection */
};

/* ---- the end ---- */

static void conn_drop(struct ask *ask)
{
    conn_watch_remove(&ask->watch);
    if (ask->txn)
        txn_client_abort(ask->txn);
    ask->conn = conn_unref(ask->conn);
    ask->sent = NULL;
}

static void ask_free(struct ask *ask)
{
    struct proxy *proxy = ask->proxy;
    list_remove(&ask->link);
    proxy->ask_count--;
    timer_stop(proxy->timers, &ask->timer);
    if (ask->location)
        resolver_locate_cancel(ask->location);
    conn_drop(ask);
    resolver_search_done(&ask->search);
    arena_free(ask->arena);
}

static void ask_finish(struct ask *ask, const struct told *told, unsigned for_s)
{
    struct proxy *proxy = ask->proxy;
    const struct told_news news = {ask->address, *told, for_s};
    bool is_success = false;
    struct list *link;
    news_spread(proxy, &news);
    list_remove(&ask->link); /* whoever waits from now on waits for another answer */
    while ((link = list_pop(&ask->waits))) {
        struct ask_wait *wait = container_of(link, struct ask_wait, link);
        is_success = wait->handler(told, wait->arg) || is_success;
    }
    budget_give(proxy->budgets, BUDGET_PROBES, ask->address.domain, is_success);
    log_write(proxy->log, LOG_INFO, "proxy", "asked %s where %s@%s lives: %s%s",
              ask->address.domain, ask->address.user, ask->address.domain,
              told->unknown   ? "no answer that tells"
              : told->host[0] ? "hosted by "
                              : "not ported",
              told->host);
    ask_free(ask);
}

static void on_limit(void *arg)
{
    static const struct told unknown = {.unknown = true};
    ask_finish(arg, &unknown, TOLD_UNKNOWN_S);
}

static void end_soon(struct ask *ask)
{
    struct proxy *proxy = ask->proxy;
    timer_start(proxy->timers, &ask->timer, txn_layer_now_ms(proxy->txns), on_limit, ask);
}

/* ---- the answer ---- */

/* What a final response says (design 3.4). Other software knows no port data: whatever shows that
 * it dealt with the request shows that it has no redirect for it. */
static unsigned judge(const struct sip_msg *response, const struct store_address *address,
                      struct told *told)
{
    struct port_form form;
    unsigned status = response->status;
    *told = (struct told){.unknown = false};
    if (port_form_read(response, address, false, &form)) {
        if (strcmp(form.host, address->domain) != 0)
            memcpy(told->host, form.host, sizeof(told->host));
        return form.for_s;
    }
    told->unknown = (status >= 300 && status < 400) || status == 401 || status == 403 ||
                    status == 407 || status >= 500;
    return told->unknown ? TOLD_UNKNOWN_S : TOLD_DEFAULT_S;
}

static void on_response(struct txn_client *txn, const struct sip_msg *response, void *arg)
{
    struct ask *ask = arg;
    struct told told;
    (void)txn;
    resolver_hop_worked(ask->proxy->resolver, &ask->hop, ask->address.domain);
    if (response->status < 200)
        return;
    unsigned for_s = judge(response, &ask->address, &told);
    ask_finish(ask, &told, for_s);
}

static void on_timeout(struct txn_client *txn, void *arg)
{
    (void)txn, (void)arg; /* the limit comes first; else `ended` tells */
}

static void on_ended(struct txn_client *txn, void *arg)
{
    struct ask *ask = arg;
    (void)txn;
    ask->txn = NULL;
}

static void send_up(struct slice bytes, void *arg)
{
    struct ask *ask = arg;
    conn_send(ask->conn, bytes);
}

/* Port data comes from the authority itself. */
static bool may_answer(const void *source, void *arg)
{
    const struct ask *ask = arg;
    const struct asked asked = {TRANSPORT_OUTSIDE, ask->address.domain, ask->conn, &ask->hop.addr};
    return origin_may_answer(ask->proxy, source, &asked);
}

/* ---- sending ---- */

static const struct sip_msg *build(struct ask *ask)
{
    struct proxy *proxy = ask->proxy;
    const char *user = ask->address.user, *domain = ask->address.domain;
    char branch[TXN_BRANCH_MAX], tag[TXN_BRANCH_MAX], port[8] = "";
    struct sip_fault fault;
    txn_branch_make(proxy->txns,
                    proxy->workers * proxy_side_number(TRANSPORT_OUTSIDE) + proxy->index, branch);
    txn_branch_make(proxy->txns, proxy->index, tag);
    if (ask->out->advertise_port)
        snprintf(port, sizeof(port), ":%u", ask->out->advertise_port);
    struct slice bytes = arena_printf(
        ask->arena,
        "OPTIONS sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/TLS %s%s;branch=%s;alias\r\n"
        "Max-Forwards: 0\r\nFrom: <sip:%s>;tag=%s\r\nTo: <sip:%s@%s>\r\nCall-ID: %s@%s\r\n"
        "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        user, domain, ask->out->advertise_host, port, branch, ask->our_domain, tag + 11, user,
        domain, branch + 11, ask->our_domain);
    struct sip_msg *msg = arena_zero(ask->arena, sizeof(*msg));
    struct sip_header *headers = arena_get(ask->arena, ASK_HEADERS_MAX * sizeof(*headers));
    if (!bytes.p || !msg || !headers ||
        sip_msg_parse(bytes, true, headers, ASK_HEADERS_MAX, msg, &fault) != 0)
        return NULL;
    return msg;
}

static void send_question(struct ask *ask)
{
    const struct txn_client_user user = {.send = send_up,
                                         .response = on_response,
                                         .timeout = on_timeout,
                                         .ended = on_ended,
                                         .accepts = may_answer,
                                         .arg = ask};
    ask->sent = build(ask);
    if (!ask->sent ||
        txn_client_start(ask->proxy->txns, ask->arena, ask->sent, true, &user, &ask->txn) != 0) {
        ask->sent = NULL;
        end_soon(ask);
        return;
    }
    proxy_trace(ask->proxy, "sent", ask->sent, ask->out, &ask->hop.addr, ask->conn);
}

static void try_hops(struct ask *ask);

static void on_conn(struct conn *conn, enum conn_state state, const char *why, void *arg)
{
    struct ask *ask = arg;
    (void)why;
    proxy_advance(ask->proxy);
    /* A renewed verdict may have taken away what we called for, and with it the way here. */
    bool unproven = state == CONN_READY && !conn_proves(conn, ask->address.domain);
    if (state == CONN_READY && !unproven && !ask->sent)
        send_question(ask);
    if (state != CONN_CLOSED && !unproven)
        return;
    bool once_more = (ask->reused || unproven) && !ask->again;
    if (!once_more)
        news_hop_failed(ask->proxy, &ask->hop, ask->address.domain);
    conn_drop(ask);
    ask->again = once_more;
    try_hops(ask);
}

static int try_hop(struct ask *ask)
{
    struct proxy *proxy = ask->proxy;
    struct conn_key key = {.side = TRANSPORT_OUTSIDE, .transport = SIP_TLS, .addr = ask->hop.addr};
    snprintf(key.our_domain, sizeof(key.our_domain), "%s", ask->our_domain);
    snprintf(key.far_domain, sizeof(key.far_domain), "%s", ask->address.domain);
    snprintf(key.far_host, sizeof(key.far_host), "%s", ask->hop.host);
    ask->out = transport_listener_for(proxy->transport, TRANSPORT_OUTSIDE, SIP_TLS,
                                      ask->hop.addr.sa.sa_family);
    int status = ask->out ? transport_connect(proxy->transport, &key, &ask->conn) : -ENOENT;
    if (status != 0)
        return status;
    ask->reused = conn_is_open(ask->conn); /* else on_conn tells when it may be used */
    conn_watch_add(ask->conn, &ask->watch, on_conn, ask);
    if (ask->reused)
        send_question(ask);
    return 0;
}

/* The next hop, or the one that broke, until one takes the question. */
static void try_hops(struct ask *ask)
{
    while (ask->again || resolver_search_next(&ask->search, &ask->hop) ||
           resolver_search_next_avoided(&ask->search, &ask->hop)) {
        int status = try_hop(ask);
        if (status == 0)
            return;
        ask->again = false;
    }
    end_soon(ask);
}

/* ---- the start ---- */

static void search(struct ask *ask, struct resolver_plan *plan)
{
    resolver_search_begin(&ask->search, ask->proxy->resolver, plan, ask->address.domain);
    try_hops(ask);
}

static void located(int status, struct resolver_plan *plan, const char *why, void *arg)
{
    struct ask *ask = arg;
    (void)why;
    ask->location = NULL;
    proxy_advance(ask->proxy);
    if (status == 0)
        search(ask, plan);
    else
        end_soon(ask);
}

static struct ask *ask_alloc(struct proxy *proxy, const struct store_address *address,
                             const char *our_domain)
{
    struct arena *arena = arena_alloc(proxy->pool, ASK_MEMORY_LIMIT);
    struct ask *ask = arena ? arena_zero(arena, sizeof(*ask)) : NULL;
    if (!ask) {
        arena_free(arena);
        return NULL;
    }
    ask->proxy = proxy;
    ask->arena = arena;
    ask->address = *address;
    snprintf(ask->our_domain, sizeof(ask->our_domain), "%s", our_domain);
    list_init(&ask->waits);
    list_init(&ask->link);
    timer_init(&ask->timer);
    conn_watch_init(&ask->watch);
    if (timer_start(proxy->timers, &ask->timer, txn_layer_now_ms(proxy->txns) + ASK_LIMIT_MS,
                    on_limit, ask) != 0) {
        arena_free(arena);
        return NULL;
    }
    list_append(&proxy->asks, &ask->link);
    proxy->ask_count++;
    return ask;
}

static void ask_begin(struct ask *ask)
{
    struct resolver_target target = {.profile = RESOLVER_PEER};
    memcpy(target.host, ask->address.domain, sizeof(target.host));
    struct resolver_plan *plan = resolver_plan_get(ask->proxy->resolver, &target);
    if (plan)
        search(ask, plan);
    else if (resolver_plan_find(ask->proxy->resolver, &target, located, ask, &ask->location) != 0)
        end_soon(ask);
}

static struct ask *ask_find(struct proxy *proxy, const struct store_address *address)
{
    list_each (link, next, &proxy->asks) {
        struct ask *ask = container_of(link, struct ask, link);
        if (strcmp(ask->address.user, address->user) == 0 &&
            strcmp(ask->address.domain, address->domain) == 0)
            return ask;
    }
    return NULL;
}

void ask_wait_init(struct ask_wait *wait)
{
    list_init(&wait->link);
}

int ask_authority(struct proxy *proxy, const struct store_address *address, const char *our_domain,
                  struct ask_wait *wait, ask_told_h *handler, void *arg)
{
    uint64_t now_ms = txn_layer_now_ms(proxy->txns);
    struct ask *ask = ask_find(proxy, address);
    bool is_new = !ask;
    if (is_new && (proxy->ask_count == ASK_MAX ||
                   !budget_take(proxy->budgets, BUDGET_PROBES, address->domain, now_ms)))
        return STATUS_LIMIT;
    if (is_new && !(ask = ask_alloc(proxy, address, our_domain))) {
        budget_give(proxy->budgets, BUDGET_PROBES, address->domain, false);
        return -ENOMEM;
    }
    wait->handler = handler;
    wait->arg = arg;
    list_append(&ask->waits, &wait->link);
    if (is_new)
        ask_begin(ask);
    return 0;
}

void ask_cancel(struct ask_wait *wait)
{
    list_remove(&wait->link);
}

void ask_end_all(struct proxy *proxy)
{
    struct list *first;
    while ((first = list_first(&proxy->asks))) {
        struct ask *ask = container_of(first, struct ask, link);
        while (list_pop(&ask->waits))
            continue;
        budget_give(proxy->budgets, BUDGET_PROBES, ask->address.domain, false);
        ask_free(ask);
    }
}
