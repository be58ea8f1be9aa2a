/* The life of a worker: sleep in the loop, take messages in, run timers, send, sleep. */
#include "peering/worker.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_MAX_TRANSACTIONS 262144 /* each lasts half a minute: thousands of calls/s */
#define DEFAULT_TIMER_C_MS       185000 /* RFC 3261 16.6 step 11: more than three minutes of ringing */
#define TIMERS_PER_TRANSACTION   4

/* ---- inbox ---- */

/* A message on its way to its owner: this header, then its bytes. Or after it a struct told_news, a
 * struct failed_hop, or the beginning of a datagram that was lost. */
struct handed {
    enum { HANDED_MESSAGE, HANDED_NEWS, HANDED_FAILED, HANDED_LOST } what;
    int error; /* LOST */
    const struct transport_listener *listener;
    struct netaddr peer;
    struct proven proven;
};

static bool hand_over(unsigned owner, const struct origin *origin, const struct proven *proven,
                      struct slice bytes, void *arg)
{
    struct worker *self = arg;
    struct ring *ring = self->team[owner].inbox[self->index];
    struct handed *record = ring_reserve(ring, sizeof(*record) + bytes.len);
    if (!record)
        return false;
    *record = (struct handed){HANDED_MESSAGE, 0, origin->listener, origin->peer, *proven};
    memcpy(record + 1, bytes.p, bytes.len);
    ring_commit(ring, sizeof(*record) + bytes.len);
    self->wake[owner] = true;
    return true;
}

/* To all others, as far as their inboxes have room. */
static void spread(struct worker *self, int what, const void *bytes, size_t len)
{
    for (unsigned i = 0; i < self->count; i++) {
        struct ring *ring = i == self->index ? NULL : self->team[i].inbox[self->index];
        struct handed *record = ring ? ring_reserve(ring, sizeof(*record) + len) : NULL;
        if (!record)
            continue;
        record->what = what;
        memcpy(record + 1, bytes, len);
        ring_commit(ring, sizeof(*record) + len);
        self->wake[i] = true;
    }
}

static void tell(const struct told_news *news, void *arg)
{
    spread(arg, HANDED_NEWS, news, sizeof(*news));
}

static void tell_failed(const struct failed_hop *failed, void *arg)
{
    spread(arg, HANDED_FAILED, failed, sizeof(*failed));
}

static void tell_lost(unsigned owner, struct slice bytes, int error, void *arg)
{
    struct worker *self = arg;
    struct ring *ring = self->team[owner].inbox[self->index];
    struct handed *record = ring_reserve(ring, sizeof(*record) + bytes.len);
    if (!record)
        return;
    record->what = HANDED_LOST;
    record->error = error;
    memcpy(record + 1, bytes.p, bytes.len);
    ring_commit(ring, sizeof(*record) + bytes.len);
    self->wake[owner] = true;
}

static void read_news(struct worker *worker, const struct handed *record)
{
    struct told_news news;
    memcpy(&news, record + 1, sizeof(news));
    news_receive(&worker->proxy, &news);
}

static void read_failed(struct worker *worker, const struct handed *record)
{
    struct failed_hop failed;
    memcpy(&failed, record + 1, sizeof(failed));
    news_receive_failed(&worker->proxy, &failed);
}

static void read_record(struct worker *worker, const struct handed *record, size_t len)
{
    const struct slice bytes = {(const char *)(record + 1), len - sizeof(*record)};
    if (record->what == HANDED_NEWS)
        read_news(worker, record);
    else if (record->what == HANDED_FAILED)
        read_failed(worker, record);
    else if (record->what == HANDED_LOST)
        lost_receive(&worker->proxy, bytes, record->error);
    else
        proxy_receive_handed(&worker->proxy, record->listener, &record->peer, &record->proven,
                             bytes);
}

static void read_inbox(struct worker *worker)
{
    for (unsigned from = 0; from < worker->count; from++) {
        const struct handed *record;
        size_t len;
        while ((record = ring_peek(worker->inbox[from], &len))) {
            read_record(worker, record, len);
            ring_release(worker->inbox[from]);
        }
    }
}

/* One wake-up per turn and receiver, however much was handed over. */
static void wake_others(struct worker *worker)
{
    for (unsigned i = 0; i < worker->count; i++)
        if (worker->wake[i]) {
            worker->wake[i] = false;
            uv_async_send(&worker->team[i].async);
        }
}

/* ---- the loop ---- */

static void on_message(const struct transport_source *source, struct slice bytes, void *arg)
{
    struct worker *worker = arg;
    proxy_advance(&worker->proxy);
    proxy_receive(source, bytes, &worker->proxy);
}

static void on_lost(struct slice bytes, int error, void *arg)
{
    struct worker *worker = arg;
    proxy_advance(&worker->proxy);
    lost_receive(&worker->proxy, bytes, error);
}

static void on_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    proxy_advance(&worker->proxy);
    timers_run(worker->proxy.timers, uv_now(&worker->loop));
}

static void publish(struct worker *worker)
{
    struct transport_stats stats;
    union {
        struct resolver_stats stats;
        uint64_t numbers[WORKER_DNS_STATS];
    } dns;
    transport_stats_get(worker->proxy.transport, &stats);
    resolver_stats_get(worker->proxy.resolver, &dns.stats);
    for (size_t i = 0; i < WORKER_DNS_STATS; i++)
        atomic_store_explicit(&worker->dns[i], dns.numbers[i], memory_order_relaxed);
    atomic_store_explicit(&worker->copies_lost, worker->proxy.watch.hep.lost, memory_order_relaxed);
    atomic_store_explicit(&worker->undecided, worker->proxy.undecided, memory_order_relaxed);
    atomic_store_explicit(&worker->transactions, txn_layer_count(worker->proxy.txns),
                          memory_order_relaxed);
    atomic_store_explicit(&worker->connections, stats.connections, memory_order_relaxed);
    atomic_store_explicit(&worker->peers, stats.peers, memory_order_relaxed);
}

/* Before the loop sleeps. (The transport flushes in a handle of its own.) */
static void on_prepare(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    uint64_t now_ms = uv_now(&worker->loop), next_ms = timers_next_ms(worker->proxy.timers);
    proxy_end_batch(&worker->proxy);
    wake_others(worker);
    publish(worker);
    if (next_ms == UINT64_MAX)
        uv_timer_stop(&worker->timer);
    else
        uv_timer_start(&worker->timer, on_timer, next_ms > now_ms ? next_ms - now_ms : 0, 0);
}

/* ---- orders ---- */

static void close_handles(struct worker *worker)
{
    proxy_end_all(&worker->proxy);
    if (worker->proxy.transport) /* none where opening it failed; it may be asking DNS */
        transport_close(worker->proxy.transport);
    resolver_free(worker->proxy.resolver);
    uv_close((uv_handle_t *)&worker->timer, NULL);
    uv_close((uv_handle_t *)&worker->prepare, NULL);
}

static void carry_out(struct worker *worker, const struct worker_order *order)
{
    struct proxy *proxy = &worker->proxy;
    switch (order->what) {
    case WORKER_RELOAD:
        transport_set_tls(proxy->transport, order->tls);
        proxy->allow_count = order->allow_count;
        memcpy(proxy->allow, order->allow, order->allow_count * sizeof(*order->allow));
        proxy->peering = order->peering;
        return;
    case WORKER_DRAIN:
        if (!proxy->draining)
            transport_stop_accepting(proxy->transport);
        proxy->draining = true;
        return;
    case WORKER_PURGE:
        resolver_purge(proxy->resolver, order->name);
        return;
    case WORKER_CORES:
        if (worker->index == 0) /* who asks them */
            *order->core_count = cores_view(proxy, order->cores, order->core_max);
        return;
    case WORKER_NOTICE:
        if (worker->index == 0)
            *order->notice_status = notice_send(proxy, order->notice);
        return;
    case WORKER_WATCH:
        for (size_t i = 0; i < order->tap_count; i++)
            proxy->watch.taps[i] = order->taps[i];
        proxy->watch.tap_count = order->tap_count;
        return;
    case WORKER_PEERS:
        order->peers[worker->index] = proxy->watch.peers;
        return;
    case WORKER_VIEW:
        order->view_counts[worker->index] =
            transport_view_get(proxy->transport, order->name,
                               order->views + worker->index * order->view_max, order->view_max);
        return;
    case WORKER_STOP:
        close_handles(worker);
        return;
    case WORKER_FINISH:
        uv_close((uv_handle_t *)&worker->async, NULL);
        return;
    }
}

static void on_async(uv_async_t *async)
{
    struct worker *worker = async->data;
    const struct worker_order *order = atomic_exchange(&worker->order, NULL);
    if (!uv_is_closing((uv_handle_t *)&worker->timer)) {
        proxy_advance(&worker->proxy);
        read_inbox(worker);
    }
    if (order) {
        carry_out(worker, order);
        uv_sem_post(&worker->done);
    }
}

static void give_all(struct worker *team, unsigned count, const struct worker_order *order)
{
    for (unsigned i = 0; i < count; i++) {
        atomic_store(&team[i].order, order);
        uv_async_send(&team[i].async);
    }
}

void worker_order_all(struct worker *team, unsigned count, const struct worker_order *order)
{
    give_all(team, count, order);
    for (unsigned i = 0; i < count; i++)
        uv_sem_wait(&team[i].done);
}

/* Once begun it is soon done: only what is not begun can be taken back. */
static bool is_done_until(struct worker *worker, const struct worker_order *order,
                          uint64_t until_ns)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (uv_sem_trywait(&worker->done) != 0) {
        const struct worker_order *given = order;
        if (uv_hrtime() >= until_ns && atomic_compare_exchange_strong(&worker->order, &given, NULL))
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

unsigned worker_ask_all(struct worker *team, unsigned count, const struct worker_order *order,
                        uint64_t until_ns)
{
    unsigned done = 0;
    give_all(team, count, order);
    for (unsigned i = 0; i < count; i++)
        done += is_done_until(&team[i], order, until_ns);
    return done;
}

/* ---- start and end ---- */

static void free_memory(struct worker *worker)
{
    struct proxy *proxy = &worker->proxy;
    cores_free(proxy);
    hep_close(&proxy->watch.hep);
    trust_free(worker->trust);
    told_free(proxy->told);
    if (proxy->txns)
        txn_layer_free(proxy->txns);
    if (proxy->strangers.timers)
        log_limit_stop(&proxy->strangers);
    if (proxy->excess.timers)
        log_limit_stop(&proxy->excess);
    if (proxy->answers.timers)
        log_limit_stop(&proxy->answers);
    if (proxy->timers)
        timers_free(proxy->timers);
    arena_pool_free(proxy->pool);
    arena_pool_free(proxy->kept);
    if (proxy->reader)
        store_reader_free(proxy->reader);
    for (unsigned i = 0; worker->inbox && i < worker->count; i++)
        ring_free(worker->inbox[i]);
    free(worker->inbox);
    worker->inbox = NULL;
    ring_free(proxy->arrived);
}

static int alloc_memory(struct worker *worker, const struct edge_conf *conf, struct store *store)
{
    struct proxy *proxy = &worker->proxy;
    size_t max = conf->max_transactions ? conf->max_transactions : DEFAULT_MAX_TRANSACTIONS;
    worker->inbox = calloc(worker->count, sizeof(struct ring *));
    for (unsigned i = 0; worker->inbox && i < worker->count; i++)
        if (!(worker->inbox[i] = ring_alloc(WORKER_INBOX_SIZE)))
            return -ENOMEM;
    proxy->pool = arena_pool_alloc(PROXY_BLOCK_SIZE, 2 * max);
    proxy->kept = arena_pool_alloc(PROXY_KEPT_SIZE, 8 * max);
    proxy->told = told_alloc(TOLD_MAX);
    proxy->arrived = ring_alloc(WORKER_ARRIVED_SIZE);
    proxy->timers = timers_alloc(TIMERS_PER_TRANSACTION * max);
    if (!worker->inbox || !proxy->pool || !proxy->kept || !proxy->told || !proxy->timers ||
        !proxy->arrived)
        return -ENOMEM;
    log_limit_start(&proxy->strangers, proxy->log, proxy->timers, "proxy", "refusals to strangers");
    log_limit_start(&proxy->excess, proxy->log, proxy->timers, "proxy",
                    "refusals to peers over a budget");
    log_limit_start(&proxy->answers, proxy->log, proxy->timers, "proxy", "dropped answers");
    int status = hep_open(&proxy->watch.hep, &conf->hep_server, conf->hep_id);
    proxy->watch.hep.media_keys = conf->hep_media_keys;
    if (status != 0)
        return status;
    proxy->txns = txn_layer_alloc(proxy->timers, &conf->times, max);
    if (!proxy->txns)
        return -ENOMEM;
    return store_reader_alloc(store, &proxy->reader);
}

static void set_up_proxy(struct worker *worker, const struct edge_conf *conf, struct log *log)
{
    struct proxy *proxy = &worker->proxy;
    proxy->index = proxy->watch.worker = worker->index;
    proxy->watch.hep.fd = -1;
    proxy->workers = worker->count;
    proxy->loop = &worker->loop;
    proxy->transport_conf = &conf->transport;
    memcpy(proxy->allow, conf->allow, sizeof(proxy->allow));
    proxy->allow_count = conf->allow_count;
    memcpy(proxy->fail_over, conf->fail_over, sizeof(proxy->fail_over));
    proxy->fail_over_count = conf->fail_over_count;
    proxy->peering = conf->peering;
    proxy->first_response_ms = conf->first_response_ms ? conf->first_response_ms : 4000;
    proxy->cancel_guard_ms = 64 * conf->times.t1_ms;
    proxy->timer_c_ms = conf->timer_c_ms ? conf->timer_c_ms : DEFAULT_TIMER_C_MS;
    proxy->search_ms = conf->search_ms ? conf->search_ms : 12000;
    proxy->log = log;
    proxy->counters = &worker->counters;
    proxy->handover = hand_over;
    proxy->tell = tell;
    proxy->tell_lost = tell_lost;
    proxy->tell_failed = tell_failed;
    proxy->handover_arg = worker;
    list_init(&proxy->contexts);
    list_init(&proxy->asks);
    list_init(&proxy->notices);
}

static struct store_reader *reader_of(void *arg)
{
    return proxy_reader(arg);
}

/* Once transport and resolver are open. */
static int open_trust(struct worker *worker, char why[EDGE_MAX_WHY])
{
    struct proxy *proxy = &worker->proxy;
    const struct trust_conf conf = {.loop = &worker->loop,
                                    .timers = proxy->timers,
                                    .resolver = proxy->resolver,
                                    .reader = reader_of,
                                    .arg = proxy};
    worker->trust = trust_alloc(&conf);
    if (!worker->trust) {
        snprintf(why, EDGE_MAX_WHY, "worker %u: %s", worker->index, status_text(-ENOMEM));
        return -ENOMEM;
    }
    transport_set_trust(proxy->transport, trust_table(worker->trust));
    return 0;
}

static void init_handles(struct worker *worker)
{
    uv_timer_init(&worker->loop, &worker->timer);
    uv_prepare_init(&worker->loop, &worker->prepare);
    worker->timer.data = worker->prepare.data = worker;
    uv_prepare_start(&worker->prepare, on_prepare);
}

int worker_open(struct worker *worker, const struct edge_conf *conf, struct tls_context *tls,
                struct store *store, struct log *log, char why[EDGE_MAX_WHY])
{
    struct proxy *proxy = &worker->proxy;
    set_up_proxy(worker, conf, log);
    int status = alloc_memory(worker, conf, store);
    if (status != 0 || uv_loop_init(&worker->loop) != 0) {
        snprintf(why, EDGE_MAX_WHY, "worker %u: %s", worker->index,
                 status_text(status ? status : -ENOMEM));
        free_memory(worker);
        return status ? status : -ENOMEM;
    }
    uv_sem_init(&worker->done, 0);
    uv_async_init(&worker->loop, &worker->async, on_async);
    worker->async.data = worker;
    init_handles(worker);
    proxy_advance(&worker->proxy);
    status = transport_open(&worker->loop, proxy->timers, &conf->transport, tls, log, on_message,
                            worker, &proxy->transport, why);
    if (status == 0)
        transport_set_lost(proxy->transport, on_lost);
    if (status == 0)
        transport_set_guard(proxy->transport, proxy->guard, policy_is_exempt, proxy);
    if (status == 0 &&
        (status = resolver_alloc(&worker->loop, &conf->resolver, &proxy->resolver)) != 0)
        snprintf(why, EDGE_MAX_WHY, "resolver: %s", status_text(status));
    if (status == 0 && (status = cores_start(proxy, worker->board,
                                             worker->index == 0 ? conf->core_check_ms : 0)) != 0)
        snprintf(why, EDGE_MAX_WHY, "worker %u: %s", worker->index, status_text(status));
    if (status == 0)
        status = open_trust(worker, why);
    if (status != 0)
        worker_close(worker);
    return status;
}

/* Once the loop has ended. */
static void free_worker(struct worker *worker)
{
    uv_loop_close(&worker->loop);
    uv_sem_destroy(&worker->done);
    free_memory(worker);
}

void worker_close(struct worker *worker)
{
    close_handles(worker);
    uv_close((uv_handle_t *)&worker->async, NULL);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    free_worker(worker);
}

void worker_join(struct worker *worker)
{
    uv_thread_join(&worker->thread);
    free_worker(worker);
}

static void run(void *arg)
{
    struct worker *worker = arg;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
}

int worker_start(struct worker *worker)
{
    return uv_thread_create(&worker->thread, run, worker);
}
