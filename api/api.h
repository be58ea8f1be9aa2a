/* The REST API: the directory as JSON over HTTP/1.1, on the daemon's Unix socket, on HTTPS, and,
 * for probes and numbers only, on a plain HTTP listener.
 *
 * api_start makes the listening sockets and a few threads of libmicrohttpd's own; nothing here runs
 * on a SIP worker. The life of a request, POST /v1/addresses over HTTPS: the token is looked up in
 * the directory, the routes table finds handler and path parameter, the body is collected up to its
 * bound and decoded strictly, the handler fills a command, and the connection sleeps while the
 * store brings it on disk: no thread waits for the disk. Then the record is answered with its
 * version as ETag. Every refusal is a problem+json document (RFC 9457) with a stable `type`.
 *
 * Which resources there are is in api/routes.c and told by GET /v1/openapi.json. PUT, PATCH and
 * DELETE need If-Match with the record's ETag (428 without, 412 on a mismatch); POST may carry an
 * Idempotency-Key; ?dry_run=true on a change answers what would happen, and nothing is kept.
 *
 * Who: on the Unix socket root, the user the daemon runs as, and members of `group` are
 * administrators, everybody else is answered 403. On HTTPS a bearer token says who it is; a
 * stranger is answered 401 whatever he asks for under /v1, but for the description of the API. */
#ifndef JUNCTOR_API_API_H
#define JUNCTOR_API_API_H

#include "api/porting.h"
#include "api/publisher.h"
#include "base/log.h"
#include "base/netaddr.h"
#include "peering/peering.h"
#include "resolver/resolver.h"
#include "resolver/zone.h"
#include "store/store.h"

#include <sys/types.h>

#define API_MAX_WHY      400
#define API_MAX_BODY     65536 /* bytes of a request's body, unless its route takes more */
#define API_MAX_IMPORT   ((size_t)1 << 20) /* the body of /v1/import */
#define API_MAX_LIST     1000              /* records of one page of a list */
#define API_MAX_RESERVED 256               /* further reserved user parts */
#define API_MAX_RATE     100000            /* requests per second of one client */
#define API_THREADS      4                 /* requests served at once, per listener */
#define API_CONNECTIONS  64                /* open at once, by default */
#define API_TIMEOUT_S    15                /* of silence on a connection, by default */
#define API_REQUEST_S    60                /* for a whole request, by default */
#define API_MAX_STREAMS  16                /* clients that follow the journal at once */

struct api_conf {
    const char *socket;       /* path of the Unix socket, at most 107 bytes; its folder exists */
    mode_t mode;              /* of the socket file; 0: 0660 */
    gid_t group;              /* its members may talk too; (gid_t)-1: nobody else */
    unsigned max_connections; /* per listener; 0: API_CONNECTIONS; at least API_THREADS. One source
                                 address has at most a quarter of them; see api/http.h for what
                                 happens where all are taken */
    unsigned timeout_s;       /* 0: API_TIMEOUT_S */
    unsigned request_timeout_s; /* from a request's first line to the end of its answer; 0:
                                   API_REQUEST_S */

    struct netaddr listen;   /* HTTPS; AF_UNSPEC: not served. Port 0: any */
    const char *certificate; /* PEM files: the chain, the private key without passphrase; */
    const char *key;         /* both with `listen` */
    struct netaddr health;   /* plain HTTP: /healthz, /readyz and /metrics; AF_UNSPEC: not served */
    unsigned rate; /* requests per second of one client, twice as many in a burst; 0: no bound. Not
                      on the Unix socket */
    const char *const *reserved; /* user parts nobody may claim, besides RFC 2142's; canonical */
    size_t reserved_count;
};

/* What the API works on. All of it must outlive the API, but for `resolver` and the domains of
 * `tls`, and `zone`, which are copied. */
struct api_parts {
    struct store *store; /* in mode STORE_WRITER, else every change is refused */
    struct edge *edge;   /* NULL: the status has no edge part */
    void (*edge_stats)(const struct edge *edge, struct edge_stats *stats); /* edge_stats_get */
    void (*dns_purge)(struct edge *edge, const char *name); /* edge_dns_purge; NULL with `edge` */
    size_t (*cores_get)(struct edge *edge, struct core_view *cores, size_t max); /* edge_cores_get;
                                                                       NULL with `edge` */
    /* edge_listens; NULL: no core is refused for being the edge itself */
    bool (*listens)(const struct edge *edge, const struct netaddr *addr,
                    enum sip_transport transport);
    /* edge_peers_get and edge_connections_get; NULL: nobody is told of */
    int (*peers_get)(struct edge *edge, struct watch_peer *list, size_t max,
                     struct watch_peer *other, unsigned *silent);
    int (*connections_get)(struct edge *edge, const char *domain, struct transport_view *list,
                           size_t max, size_t *total, unsigned *silent);
    struct guard *guard;                  /* edge_guard; NULL with `edge`: there are no bans */
    const struct resolver_conf *resolver; /* how the edge looks calls up; at least one upstream */
    const struct tls_conf *tls;    /* whose certificates the edge has; NULL: unknown, no warnings */
    const struct zone_conf *zone;  /* what is to be published; NULL: nothing */
    struct receipt_keys *receipts; /* api/receipt.h; NULL: none are made */
    struct publisher *publisher;   /* NULL: none; stopped before the API is, and freed after it */
    struct porting *porting;       /* NULL: there are no ports; freed after the API */
    struct federation *federation; /* NULL: nobody asks; stopped after the API */
    struct mailer *mailer;         /* NULL: no mail is counted; freed after the API */
    struct log *log;               /* may be NULL */
};

struct api;

/* Opens the sockets and starts serving. The socket file of a dead daemon is replaced.
 * `why` gets a sentence that names the socket, address or file on failure. Any thread; does not
 * block. `conf` may go afterwards. Returns 0; -EADDRINUSE (somebody answers there), -ENAMETOOLONG,
 * -EEXIST (the path is no socket), STATUS_CRYPTO (certificate or key), STATUS_LIMIT (no reader slot
 * left in the store), -ENOMEM or another -errno. */
int api_start(const struct api_conf *conf, const struct api_parts *parts, struct api **api,
              char why[API_MAX_WHY]);

/* The edge has other certificates now. A hosted domain without one is warned of in the log, here,
 * at the start and when it is added, and in the answer about it. Not on two threads at once.
 * Returns 0 or -ENOMEM (the old ones stay). */
int api_certificates_set(struct api *api, const struct tls_conf *tls);

/* Something else is to be published now. Any thread. Returns 0 or -ENOMEM (the old stays). */
int api_zone_set(struct api *api, const struct zone_conf *zone);

/* Can these two files serve HTTPS? Returns 0, or STATUS_CRYPTO or -errno with `why`. */
int api_pair_check(const char *certificate, const char *key, char why[API_MAX_WHY]);
/* New connections get this certificate; those that are open finish what they are at. While
 * API_MAX_RETIRED (api/http.h) certificates before this one still have connections it waits until
 * one has none, and then is served by itself. Nothing happens where the files are as before, or
 * HTTPS is not served. Any thread. Returns 0, or with `why` and the old certificate still served:
 * STATUS_CRYPTO, -errno of a file or -ENOMEM. */
int api_pair_reload(struct api *api, const char *certificate, const char *key,
                    char why[API_MAX_WHY]);

/* From now on /readyz says no, so that whoever balances load sends nobody here. Any thread. */
void api_drain(struct api *api);

/* Where it listens, with the port that the kernel chose; AF_UNSPEC where it does not. */
void api_bound(const struct api *api, struct netaddr *https, struct netaddr *health);

/* Finishes the requests under way (at most API_STOP_MS, api/http.h, for slow clients; a route
 * explanation takes at most the lookup timeout; every change that was submitted has its verdict),
 * removes the socket file and frees everything. Blocks meanwhile. Accepts NULL. */
void api_stop(struct api *api);

#endif
