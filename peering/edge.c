/* The control thread's view: workers started, told, counted, ended. */
#include "peering/worker.h"

#include "base/status.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct edge {
    struct edge_conf conf;
    unsigned started;  /* workers whose threads run */
    uv_mutex_t orders; /* held by whoever gives one; guards the taps too */
    struct board *board;
    struct budgets *budgets;
    struct watch_tap *taps[WATCH_MAX_TAPS];
    size_t tap_count;
    struct guard *guard;
    struct worker workers[];
};

static void order_all(struct edge *edge, const struct worker_order *order)
{
    uv_mutex_lock(&edge->orders);
    worker_order_all(edge->workers, edge->started, order);
    uv_mutex_unlock(&edge->orders);
}

/* What is only to be looked at is not waited for longer than EDGE_ASK_MS, however busy a worker or
 * whoever else gives orders. Returns how many workers did it. */
static unsigned ask_all(struct edge *edge, const struct worker_order *order)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    uint64_t until_ns = uv_hrtime() + EDGE_ASK_MS * UINT64_C(1000000);
    while (uv_mutex_trylock(&edge->orders) != 0) {
        if (uv_hrtime() >= until_ns)
            return 0;
        nanosleep(&pause, NULL);
    }
    unsigned done = worker_ask_all(edge->workers, edge->started, order, until_ns);
    uv_mutex_unlock(&edge->orders);
    return done;
}

static int draw(void *bytes, size_t len)
{
    return getrandom(bytes, len, 0) == (ssize_t)len ? 0 : STATUS_CRYPTO;
}

/* The first start of an edge makes the first key of its dialog tokens. */
static int ensure_token_key(struct store *store, char why[EDGE_MAX_WHY])
{
    struct store_reader *reader;
    struct store_command command = {.op = STORE_KEY_ADD, .expected_version = STORE_ANY_VERSION};
    struct store_verdict verdict = {.status = 0};
    struct timespec now;
    int status = store_reader_alloc(store, &reader);
    if (status == 0 && (status = store_reader_begin(reader)) == 0) {
        status = store_key_current(reader, &command.key);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    if (status == STATUS_NOTFOUND) {
        memset(&command.key, 0, sizeof(command.key));
        clock_gettime(CLOCK_REALTIME, &now);
        command.time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
        snprintf(command.actor, sizeof(command.actor), "junctord");
        status = draw(command.key.secret, sizeof(command.key.secret));
        if (status == 0)
            status = store_submit(store, &command, &verdict);
        if (status == 0)
            status = verdict.status;
    }
    if (status != 0)
        snprintf(why, EDGE_MAX_WHY, "no key for dialog tokens: %s", status_text(status));
    return status;
}

static int open_workers(struct edge *edge, struct tls_context *tls, struct store *store,
                        struct log *log, char why[EDGE_MAX_WHY])
{
    uint8_t owner_key[16], tag_key[16], board_key[16];
    if (draw(owner_key, sizeof(owner_key)) != 0 || draw(tag_key, sizeof(tag_key)) != 0 ||
        draw(board_key, sizeof(board_key)) != 0) {
        snprintf(why, EDGE_MAX_WHY, "the system gives no random numbers");
        return STATUS_CRYPTO;
    }
    edge->board = board_alloc(board_key);
    edge->budgets = budgets_alloc(owner_key);
    if (!edge->board || !edge->budgets) {
        snprintf(why, EDGE_MAX_WHY, "%s", status_text(-ENOMEM));
        return -ENOMEM;
    }
    for (unsigned i = 0; i < edge->conf.workers; i++) {
        struct worker *worker = &edge->workers[i];
        worker->index = i;
        worker->count = edge->conf.workers;
        worker->team = edge->workers;
        worker->board = edge->board;
        memcpy(worker->proxy.owner_key, owner_key, sizeof(owner_key));
        memcpy(worker->proxy.tag_key, tag_key, sizeof(tag_key));
        worker->proxy.budgets = edge->budgets;
        worker->proxy.guard = edge->guard;
        int status = worker_open(worker, &edge->conf, tls, store, log, why);
        if (status != 0) {
            while (i-- > 0)
                worker_close(&edge->workers[i]);
            return status;
        }
    }
    return 0;
}

static int start_workers(struct edge *edge, char why[EDGE_MAX_WHY])
{
    for (; edge->started < edge->conf.workers; edge->started++) {
        int status = worker_start(&edge->workers[edge->started]);
        if (status != 0) {
            snprintf(why, EDGE_MAX_WHY, "cannot start a thread: %s", status_text(status));
            return status;
        }
    }
    return 0;
}

static void log_doubt(const struct tls_context *tls, struct log *log)
{
    if (tls_context_doubt(tls)[0])
        log_write(log, LOG_ERROR, "edge", "%s", tls_context_doubt(tls));
}

static void edge_free(struct edge *edge)
{
    guard_free(edge->guard);
    board_free(edge->board);
    budgets_free(edge->budgets);
    uv_mutex_destroy(&edge->orders);
    free(edge);
}

static int open_guard(struct edge *edge, char why[EDGE_MAX_WHY])
{
    edge->guard = guard_alloc(&edge->conf.guard);
    if (!edge->guard)
        snprintf(why, EDGE_MAX_WHY, "%s", status_text(-ENOMEM));
    return edge->guard ? 0 : -ENOMEM;
}

int edge_start(const struct edge_conf *conf, struct store *store, struct log *log,
               struct edge **edge, char why[EDGE_MAX_WHY])
{
    struct tls_context *tls;
    if (conf->workers < 1 || conf->workers > EDGE_MAX_WORKERS) {
        snprintf(why, EDGE_MAX_WHY, "workers must be 1 to %d", EDGE_MAX_WORKERS);
        return -EINVAL;
    }
    int status = transport_probe(&conf->transport, why);
    if (status != 0 || (status = ensure_token_key(store, why)) != 0 ||
        (status = tls_context_load(&conf->tls, &tls, why)) != 0)
        return status;
    struct edge *new = calloc(1, sizeof(*new) + conf->workers * sizeof(struct worker));
    if (!new) {
        tls_context_unref(tls);
        snprintf(why, EDGE_MAX_WHY, "%s", status_text(-ENOMEM));
        return -ENOMEM;
    }
    log_doubt(tls, log);
    new->conf = *conf;
    new->conf.tls = (struct tls_conf){.anchors_file = NULL}; /* its strings are the caller's */
    uv_mutex_init(&new->orders);                             /* cannot fail */
    status = open_guard(new, why);
    if (status == 0)
        status = open_workers(new, tls, store, log, why);
    tls_context_unref(tls);
    if (status != 0) {
        edge_free(new);
        return status;
    }
    if (!trust_asks_dns(&conf->resolver))
        log_write(log, LOG_NOTICE, "edge",
                  "no upstream of the resolver is trusted: TLSA records are not asked for, and "
                  "trust anchors alone decide about peers");
    status = start_workers(new, why);
    if (status != 0) {
        edge_stop(new);
        return status;
    }
    *edge = new;
    return 0;
}

int edge_reload(struct edge *edge, const struct edge_conf *conf, char why[EDGE_MAX_WHY])
{
    struct tls_context *tls;
    int status = tls_context_load(&conf->tls, &tls, why);
    if (status != 0)
        return status;
    log_doubt(tls, edge->workers[0].proxy.log);
    const struct worker_order order = {.what = WORKER_RELOAD,
                                       .tls = tls,
                                       .allow = conf->allow,
                                       .allow_count = conf->allow_count,
                                       .peering = conf->peering};
    order_all(edge, &order);
    tls_context_unref(tls);
    return 0;
}

void edge_drain(struct edge *edge)
{
    const struct worker_order order = {.what = WORKER_DRAIN};
    order_all(edge, &order);
}

void edge_dns_purge(struct edge *edge, const char *name)
{
    const struct worker_order order = {.what = WORKER_PURGE, .name = name};
    order_all(edge, &order);
}

size_t edge_cores_get(struct edge *edge, struct core_view *cores, size_t max)
{
    size_t count = 0;
    const struct worker_order order = {
        .what = WORKER_CORES, .cores = cores, .core_max = max, .core_count = &count};
    ask_all(edge, &order);
    return count;
}

/* The lock of orders is held. */
static void order_taps(struct edge *edge)
{
    const struct worker_order order = {
        .what = WORKER_WATCH, .taps = edge->taps, .tap_count = edge->tap_count};
    worker_order_all(edge->workers, edge->started, &order);
}

int edge_tap_open(struct edge *edge, const struct watch_filter *filter, struct watch_tap **tap)
{
    int status = 0;
    struct watch_tap *made = watch_tap_alloc(filter, edge->conf.workers);
    if (!made)
        return -ENOMEM;
    uv_mutex_lock(&edge->orders);
    if (edge->tap_count == WATCH_MAX_TAPS) {
        status = STATUS_LIMIT;
    } else {
        edge->taps[edge->tap_count++] = made;
        order_taps(edge);
    }
    uv_mutex_unlock(&edge->orders);
    if (status != 0)
        made = watch_tap_free(made);
    *tap = made;
    return status;
}

void edge_tap_close(struct edge *edge, struct watch_tap *tap)
{
    uv_mutex_lock(&edge->orders);
    for (size_t i = 0; i < edge->tap_count; i++)
        if (edge->taps[i] == tap)
            edge->taps[i] = edge->taps[--edge->tap_count];
    order_taps(edge);
    uv_mutex_unlock(&edge->orders);
    watch_tap_free(tap);
}

int edge_peers_get(struct edge *edge, struct watch_peer *list, size_t max, struct watch_peer *other,
                   unsigned *silent)
{
    struct watch_peers *all = calloc(edge->conf.workers, sizeof(*all));
    if (!all)
        return -ENOMEM;
    const struct worker_order order = {.what = WORKER_PEERS, .peers = all};
    *silent = edge->started - ask_all(edge, &order);
    int count = watch_peers_merge(all, edge->conf.workers, list, max, other);
    free(all);
    return count;
}

int edge_connections_get(struct edge *edge, const char *domain, struct transport_view *list,
                         size_t max, size_t *total, unsigned *silent)
{
    size_t counts[EDGE_MAX_WORKERS] = {0}, n = 0;
    struct transport_view *all = calloc(edge->conf.workers * max, sizeof(*all));
    if (!all)
        return -ENOMEM;
    const struct worker_order order = {
        .what = WORKER_VIEW, .name = domain, .views = all, .view_max = max, .view_counts = counts};
    *silent = edge->started - ask_all(edge, &order);
    *total = 0;
    for (unsigned i = 0; i < edge->conf.workers; i++) {
        size_t some = counts[i] < max ? counts[i] : max;
        some = some < max - n ? some : max - n;
        memcpy(list + n, all + i * max, some * sizeof(*all));
        n += some;
        *total += counts[i];
    }
    free(all);
    return (int)n;
}

_Static_assert(EDGE_MESSAGE_MAX == NOTICE_TEXT_MAX, "the two are the same");

int edge_message(struct edge *edge, const char *domain, const struct store_address *address,
                 const char *text)
{
    const struct notice_words words = {.domain = domain, .address = address, .text = text};
    int status = 0;
    if (strnlen(text, EDGE_MESSAGE_MAX + 1) > EDGE_MESSAGE_MAX || !utf8_is_printable(text))
        return STATUS_MALFORMED;
    const struct worker_order order = {
        .what = WORKER_NOTICE, .notice = &words, .notice_status = &status};
    order_all(edge, &order);
    return status;
}

size_t edge_arrived_take(struct edge *edge, struct store_address *list, size_t max)
{
    size_t count = 0;
    for (unsigned i = 0; i < edge->conf.workers; i++) {
        struct ring *ring = edge->workers[i].proxy.arrived;
        const struct store_address *address;
        size_t len;
        while (count < max && (address = ring_peek(ring, &len))) {
            list[count++] = *address;
            ring_release(ring);
        }
    }
    return count;
}

bool edge_idle(const struct edge *edge)
{
    for (unsigned i = 0; i < edge->conf.workers; i++)
        if (atomic_load_explicit(&edge->workers[i].undecided, memory_order_relaxed))
            return false;
    return true;
}

void edge_stop(struct edge *edge)
{
    const struct worker_order stop = {.what = WORKER_STOP}, finish = {.what = WORKER_FINISH};
    if (!edge)
        return;
    order_all(edge, &stop);
    order_all(edge, &finish);
    for (unsigned i = 0; i < edge->conf.workers; i++)
        if (i < edge->started)
            worker_join(&edge->workers[i]);
        else
            worker_close(&edge->workers[i]);
    edge_free(edge);
}

/* One that is bound to all addresses of the machine may name one of them for others. */
static bool is_listener_at(const struct transport_listener *listener, const struct netaddr *addr)
{
    struct netaddr named;
    return netaddr_eq(&listener->bind, addr) ||
           (netaddr_from_ip(&named, slice_of(listener->advertise_host),
                            netaddr_port(&listener->bind)) == 0 &&
            netaddr_eq(&named, addr));
}

bool edge_listens(const struct edge *edge, const struct netaddr *addr, enum sip_transport transport)
{
    const struct transport_conf *conf = &edge->conf.transport;
    for (size_t i = 0; i < conf->listener_count; i++)
        if (conf->listeners[i].transport == transport && is_listener_at(&conf->listeners[i], addr))
            return true;
    return false;
}

struct guard *edge_guard(struct edge *edge)
{
    return edge->guard;
}

static void dns_stats_add(struct resolver_stats *stats, const struct worker *worker)
{
    union {
        struct resolver_stats stats;
        uint64_t numbers[WORKER_DNS_STATS];
    } sum = {*stats};
    for (size_t i = 0; i < WORKER_DNS_STATS; i++)
        sum.numbers[i] += atomic_load_explicit(&worker->dns[i], memory_order_relaxed);
    *stats = sum.stats;
}

static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void edge_stats_get(const struct edge *edge, struct edge_stats *stats)
{
    *stats = (struct edge_stats){.workers = edge->conf.workers};
    for (unsigned i = 0; i < edge->conf.workers; i++) {
        const struct worker *worker = &edge->workers[i];
        stats->transactions += atomic_load_explicit(&worker->transactions, memory_order_relaxed);
        stats->connections += atomic_load_explicit(&worker->connections, memory_order_relaxed);
        stats->peers += atomic_load_explicit(&worker->peers, memory_order_relaxed);
        stats->requests += counted(&worker->counters.requests);
        stats->forwarded += counted(&worker->counters.forwarded);
        stats->refused += counted(&worker->counters.refused);
        stats->responses += counted(&worker->counters.responses);
        stats->dropped += counted(&worker->counters.dropped);
        stats->handed_over += counted(&worker->counters.handed_over);
        stats->notices_taken += counted(&worker->counters.notices_taken);
        stats->notices_refused += counted(&worker->counters.notices_refused);
        stats->notices_lost += counted(&worker->counters.notices_lost);
        stats->copies_lost += counted(&worker->copies_lost);
        dns_stats_add(&stats->dns, worker);
    }
    guard_stats_get(edge->guard, uv_hrtime() / 1000000, &stats->guard);
}
