/* The edge: SIP workers that connect our core with peers.
 *
 * edge_start makes `workers` threads, each with its own event loop, sockets, connections,
 * transactions, timers and DNS cache; they share nothing on a message's path but the store. A
 * message that belongs to another worker goes there through an inbox. The functions below are
 * called from the control thread (main), unless they say "any thread"; they never touch a worker's
 * memory but give it an order and wait until it has carried that out. */
#ifndef JUNCTOR_PEERING_PEERING_H
#define JUNCTOR_PEERING_PEERING_H

#include "base/log.h"
#include "base/netaddr.h"
#include "peering/guard/guard.h"
#include "peering/proxy/core_view.h"
#include "peering/transport/tls.h"
#include "peering/transport/transport.h"
#include "peering/txn/txn.h"
#include "peering/watch/watch.h"
#include "resolver/resolver.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDGE_MAX_WORKERS   64
#define EDGE_MAX_ALLOW     64
#define EDGE_MAX_WHY       400
#define EDGE_MAX_FAIL_OVER 16

struct edge_conf {
    unsigned workers; /* 1..EDGE_MAX_WORKERS */
    struct transport_conf transport;
    struct tls_conf tls;
    struct resolver_conf resolver;
    struct txn_times times;
    struct netprefix allow[EDGE_MAX_ALLOW]; /* sources, besides the cores' next hops, that may
                                               send to inside listeners as any hosted domain */
    size_t allow_count;
    uint16_t fail_over[EDGE_MAX_FAIL_OVER]; /* answers that lead to the next target, 400 to 599,
                                               besides 503 */
    size_t fail_over_count;
    unsigned first_response_ms; /* per target: 0: 4000 */
    unsigned search_ms;         /* all targets of a request: 0: 12000 */
    unsigned timer_c_ms;        /* an INVITE that rings for so long is cancelled; 0: 185000 */
    struct netaddr
        hep_server;      /* gets a copy of every message (peering/watch/hep.h); AF_UNSPEC: none */
    unsigned hep_id;     /* tells us from its other sources */
    bool hep_media_keys; /* it gets the keys of media in SDP too */
    size_t max_transactions; /* per worker; 0: 262144 */
    unsigned core_check_ms;  /* between two OPTIONS to each next hop of a core, which worker 0
                                sends; 0: none are sent */
    struct guard_conf guard; /* of all workers together */
    enum guard_peering peering;
};

struct edge;

/* Opens all sockets and starts the workers. `conf` is copied except for the strings in `tls`, which
 * are used during the call only. `store` and `log` must outlive the edge. `why` gets a sentence on
 * failure. Returns 0 or a negative status; nothing runs on failure. */
int edge_start(const struct edge_conf *conf, struct store *store, struct log *log,
               struct edge **edge, char why[EDGE_MAX_WHY]);

/* Takes new certificates, trust anchors, allow list and peering; live connections stay. The rest of
 * `conf` needs a restart and is not looked at. Returns 0, or a status with the old configuration
 * untouched and `why` saying what is wrong with the new. */
int edge_reload(struct edge *edge, const struct edge_conf *conf, char why[EDGE_MAX_WHY]);

/* Stops accepting: new connections are refused, OPTIONS to the edge is answered 480, requests
 * outside dialogs 503 with Retry-After. All of that holds when this returns. */
void edge_drain(struct edge *edge);
/* Has every request got its final response? (Transactions that only repeat one may still run.) */
bool edge_idle(const struct edge *edge);

/* Every worker forgets what DNS said of a name and of all names below it; `name` is what
 * resolver_purge_name made. Any thread; waits for the workers, milliseconds. */
void edge_dns_purge(struct edge *edge, const char *name);

/* How long those wait who only look at what workers have. */
#define EDGE_ASK_MS 1000

/* Copies what is known of the next hops of all cores, at most `max`; nothing where the worker that
 * knows is busy for EDGE_ASK_MS. Any thread. Returns how many. */
size_t edge_cores_get(struct edge *edge, struct core_view *cores, size_t max);
/* Is this, IP address and port, where one of its listeners takes this transport, as far as the
 * configuration names an address? Any thread. */
bool edge_listens(const struct edge *edge, const struct netaddr *addr,
                  enum sip_transport transport);
/* Who is shut out, and why others were. As long as the edge. */
struct guard *edge_guard(struct edge *edge);

/* Begins to look at the messages that fit; see peering/watch/watch.h. Both from any thread; they
 * wait for the workers, milliseconds. At most WATCH_MAX_TAPS at once. Returns 0, STATUS_LIMIT,
 * -ENOMEM.
 */
int edge_tap_open(struct edge *edge, const struct watch_filter *filter, struct watch_tap **tap);
/* Ends that, and frees the tap. */
void edge_tap_close(struct edge *edge, struct watch_tap *tap);

/* The `max` busiest peers of all workers and the sum of the others; see watch_peers_merge. Any
 * thread. *silent: so many workers were busy for EDGE_ASK_MS, and are not counted. Returns how
 * many, or -ENOMEM. */
int edge_peers_get(struct edge *edge, struct watch_peer *list, size_t max, struct watch_peer *other,
                   unsigned *silent);

/* The connections of all workers, at most `max`; with `domain` (canonical) those that prove it.
 * *total: all there are. As edge_peers_get. */
int edge_connections_get(struct edge *edge, const char *domain, struct transport_view *list,
                         size_t max, size_t *total, unsigned *silent);

/* Sends a SIP MESSAGE (RFC 3428) to an address that we serve, at the core of `domain`, our hosting
 * domain, which it is from as well (From <sip:DOMAIN>). `text` is one line of printable UTF-8 of at
 * most EDGE_MESSAGE_MAX bytes. Tried at one target of the core after the other; what comes of it is
 * logged, and nothing is kept for later. Any thread but a worker's; waits for the workers,
 * milliseconds. Returns 0 (it is on its way), STATUS_NOTFOUND (the domain is not ours, or its core
 * has no next hop), STATUS_LIMIT (64 are), STATUS_MALFORMED (the text) or -ENOMEM. */
#define EDGE_MESSAGE_MAX 500
int edge_message(struct edge *edge, const char *domain, const struct store_address *address,
                 const char *text);

/* The addresses that stand as prepared here and that their authority told us, asked for the sake of
 * a call, to be ours by now: each call went to our core at once, and whoever follows ports asks the
 * authority for the rest. Takes out at most `max`, the same address perhaps several times. A worker
 * keeps some 80; what finds no room is told again by the next call. One thread at a time, any but a
 * worker's; waits for nobody. Returns how many. */
size_t edge_arrived_take(struct edge *edge, struct store_address *list, size_t max);

/* Ends the workers and frees everything. Accepts NULL. */
void edge_stop(struct edge *edge);

struct edge_stats {
    unsigned workers;
    size_t transactions, connections, peers;
    uint64_t requests, forwarded, refused, responses, dropped, handed_over;
    uint64_t copies_lost; /* that the capture server did not get */
    /* of edge_message: the core took it, refused it, or did not answer */
    uint64_t notices_taken, notices_refused, notices_lost;
    struct resolver_stats dns;
    struct guard_stats guard;
};
void edge_stats_get(const struct edge *edge, struct edge_stats *stats); /* any thread */

#endif
