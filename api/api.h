/* The REST API on the daemon's Unix socket: the directory as JSON over HTTP/1.1.
 *
 * api_start makes the listening socket and a few threads of libmicrohttpd's own; nothing here runs
 * on a SIP worker. The life of a request, POST /v1/addresses: the peer's credentials are checked
 * (SO_PEERCRED), the body is collected up to its bound, the routes table finds handler and path
 * parameter, the body is decoded strictly, the handler submits a command to the store and waits
 * until it is on disk, and the record is answered with its version as ETag. Every refusal is a
 * problem+json document (RFC 9457) with a stable `type`.
 *
 *   GET POST        /v1/domains                 list (cursor, limit), add
 *   GET PUT DELETE  /v1/domains/{name}          show, replace, delete
 *   GET POST        /v1/addresses               list (domain, cursor, limit), add
 *   GET DELETE      /v1/addresses/{address}     show, delete
 *   GET             /v1/route/{address}         the steps a call from the inside would take
 *   GET             /v1/status                  version, uptime, store and edge in numbers
 *   GET             /healthz                    200 while the directory can be read
 *
 * The list of a domain that is not hosted here and has no address here is 404.
 * A domain that is shown, added or replaced has "warnings", a list of sentences, where something
 * about it will make calls fail.
 *
 * PUT and DELETE need If-Match with the record's ETag (428 without, 412 on a mismatch); POST may
 * carry an Idempotency-Key. Who may talk: root, the user the daemon runs as, and members of
 * `group`; everybody else is answered 403. */
#ifndef JUNCTOR_API_API_H
#define JUNCTOR_API_API_H

#include "base/log.h"
#include "peering/peering.h"
#include "resolver/resolver.h"
#include "store/store.h"

#include <sys/types.h>

#define API_MAX_WHY     400
#define API_MAX_BODY    65536 /* bytes of a request's body */
#define API_MAX_LIST    1000  /* records of one page of a list */
#define API_THREADS     4     /* requests served at once */
#define API_CONNECTIONS 64    /* open at once, by default */
#define API_TIMEOUT_S   15    /* of silence on a connection, by default */

struct api_conf {
    const char *socket;       /* path of the Unix socket, at most 107 bytes; its folder exists */
    mode_t mode;              /* of the socket file; 0: 0660 */
    gid_t group;              /* its members may talk too; (gid_t)-1: nobody else */
    unsigned max_connections; /* 0: API_CONNECTIONS; at least API_THREADS */
    unsigned timeout_s;       /* 0: API_TIMEOUT_S */
};

/* What the API works on. All of it must outlive the API, but for `resolver` and the domains of
 * `tls`, which are copied. */
struct api_parts {
    struct store *store;     /* in mode STORE_WRITER, else every change is refused */
    const struct edge *edge; /* NULL: the status has no edge part */
    void (*edge_stats)(const struct edge *edge, struct edge_stats *stats); /* edge_stats_get */
    const struct resolver_conf *resolver; /* how the edge looks calls up; at least one upstream */
    const struct tls_conf *tls; /* whose certificates the edge has; NULL: unknown, no warnings */
    struct log *log;            /* may be NULL */
};

struct api;

/* Opens the socket and starts serving. The socket file of a dead daemon is replaced.
 * `why` gets a sentence that names the socket on failure. Any thread; does not block.
 * Returns 0; -EADDRINUSE (a live daemon answers there), -ENAMETOOLONG, -EEXIST (the path is no
 * socket), STATUS_LIMIT (no reader slot left in the store), -ENOMEM or another -errno. */
int api_start(const struct api_conf *conf, const struct api_parts *parts, struct api **api,
              char why[API_MAX_WHY]);

/* The edge has other certificates now. A hosted domain without one is warned of in the log, here,
 * at the start and when it is added, and in the answer about it. Not on two threads at once.
 * Returns 0 or -ENOMEM (the old ones stay). */
int api_certificates_set(struct api *api, const struct tls_conf *tls);

/* Finishes the requests under way (a route explanation takes at most the lookup timeout), removes
 * the socket file and frees everything. Blocks meanwhile. Accepts NULL. */
void api_stop(struct api *api);

#endif
