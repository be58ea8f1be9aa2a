/* One worker: a thread with its own event loop and everything a message needs (design section 10;
 * private to peering/). */
#ifndef JUNCTOR_PEERING_WORKER_H
#define JUNCTOR_PEERING_WORKER_H

#include "base/ring.h"
#include "peering/peering.h"
#include "peering/proxy/proxy.h"

#include <stdatomic.h>
#include <uv.h>

#define WORKER_INBOX_SIZE 1048576 /* bytes on their way from one worker to one other */

/* What the control thread wants; taken by the worker at its next turn. */
struct worker_orders {
    bool drain, reload;
    bool stop;               /* end everything but the inbox, then post `quiet` */
    bool finish;             /* all workers are quiet, nobody hands over any more: end */
    struct tls_context *tls; /* reload: owned until taken */
    struct netprefix allow[EDGE_MAX_ALLOW];
    size_t allow_count;
};

struct worker {
    unsigned index, count;
    struct worker *team;         /* all workers, by index */
    struct ring **inbox;         /* by sending worker; this worker reads */
    bool wake[EDGE_MAX_WORKERS]; /* got something from us in this turn */
    uv_thread_t thread;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_async_t async;
    uv_sem_t quiet;
    uv_mutex_t orders_lock; /* the control path's only */
    struct worker_orders orders;
    struct proxy proxy;
    struct proxy_counters counters;
    _Atomic size_t undecided, transactions, connections, peers; /* as of the last turn */
};

/* Makes a worker ready to run, in the control thread: memory, sockets, snapshot.
 * On failure everything is taken back and `why` gets a sentence. */
int worker_open(struct worker *worker, const struct edge_conf *conf, struct tls_context *tls,
                struct store *store, struct log *log, char why[EDGE_MAX_WHY]);
int worker_start(struct worker *worker); /* starts the thread */
/* Control thread: gives orders; `orders->tls` (if any) changes hands. */
void worker_order(struct worker *worker, const struct worker_orders *orders);
/* After an order to stop: waits until it hands nothing over any more. */
void worker_wait_quiet(struct worker *worker);
/* After an order to finish: waits for the thread, frees everything. */
void worker_join(struct worker *worker);
/* For a worker that was opened and never started. */
void worker_close(struct worker *worker);

#endif
