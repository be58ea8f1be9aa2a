/* One worker: a thread with its own event loop and everything a message needs (design section 10;
 * private to peering/). */
#ifndef JUNCTOR_PEERING_WORKER_H
#define JUNCTOR_PEERING_WORKER_H

#include "base/ring.h"
#include "peering/peering.h"
#include "peering/proxy/proxy.h"
#include "peering/trust.h"

#include <stdatomic.h>
#include <uv.h>

#define WORKER_INBOX_SIZE   1048576 /* bytes on their way from one worker to one other */
#define WORKER_ARRIVED_SIZE 32768   /* bytes of addresses for edge_arrived_take */

/* What the edge wants. It waits until the worker has done it, so orders never queue. */
struct worker_order {
    enum {
        WORKER_RELOAD,
        WORKER_DRAIN,
        WORKER_PURGE,
        WORKER_CORES,
        WORKER_NOTICE,
        WORKER_WATCH,
        WORKER_PEERS,
        WORKER_VIEW,
        WORKER_STOP,
        WORKER_FINISH
    } what;
    /* WORKER_STOP ends everything but the inbox; once all workers have done that, nobody hands over
     * any more, and WORKER_FINISH ends the loop. */
    struct tls_context *tls; /* WORKER_RELOAD: the worker takes a reference of its own */
    const struct netprefix *allow;
    size_t allow_count;
    enum guard_peering peering;
    const char *name;        /* WORKER_PURGE */
    struct core_view *cores; /* WORKER_CORES: room for `core_max`; worker 0 fills it */
    size_t core_max, *core_count;
    const struct notice_words *notice; /* WORKER_NOTICE: worker 0 sends it */
    int *notice_status;
    struct watch_tap *const *taps; /* WORKER_WATCH: all that look from now on */
    size_t tap_count;
    struct watch_peers *peers; /* WORKER_PEERS: one for each worker */
    /* WORKER_VIEW: connections that prove `name` (NULL: all), `view_max` for each worker, and how
     * many there are of each */
    struct transport_view *views;
    size_t view_max, *view_counts;
};

/* struct resolver_stats as an array. */
#define WORKER_DNS_STATS (sizeof(struct resolver_stats) / sizeof(uint64_t))

struct worker {
    unsigned index, count;
    struct worker *team;         /* all workers, by index */
    struct board *board;         /* of all workers: which hops of cores are down */
    struct ring **inbox;         /* by sending worker; this worker reads */
    bool wake[EDGE_MAX_WORKERS]; /* got something from us in this turn */
    uv_thread_t thread;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_async_t async;
    _Atomic(const struct worker_order *) order; /* NULL: none; the control path's only */
    uv_sem_t done;                              /* posted when the order is carried out */
    struct proxy proxy;
    struct trust *trust; /* what the transport asks */
    struct proxy_counters counters;
    _Atomic size_t undecided, transactions, connections, peers; /* as of the last turn */
    _Atomic uint64_t dns[WORKER_DNS_STATS], copies_lost;
};

/* Makes a worker ready to run, in the control thread: memory, sockets, snapshot.
 * On failure everything is taken back and `why` gets a sentence. */
int worker_open(struct worker *worker, const struct edge_conf *conf, struct tls_context *tls,
                struct store *store, struct log *log, char why[EDGE_MAX_WHY]);
int worker_start(struct worker *worker); /* starts the thread */
/* Tells the first `count` workers of a team and returns when each has done it. One thread at a
 * time.
 */
void worker_order_all(struct worker *team, unsigned count, const struct worker_order *order);
/* The same, but the order is taken back from who has not begun with it when uv_hrtime() is
 * `until_ns`. Returns how many have done it. */
unsigned worker_ask_all(struct worker *team, unsigned count, const struct worker_order *order,
                        uint64_t until_ns);
/* After WORKER_FINISH: waits for the thread, frees everything. */
void worker_join(struct worker *worker);
/* For a worker that was opened and never started. */
void worker_close(struct worker *worker);

#endif
