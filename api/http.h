/* HTTP, as libmicrohttpd speaks it: only the http*.c of this folder include microhttpd.h.
 *
 * A server is one MHD_Daemon with a few threads: one for each listener, and for HTTPS those of
 * earlier certificates until their connections have ended. All serve one request path (http.c);
 * what differs is `kind`. A thread of ours, the keeper, cuts connections that are over their
 * deadline, makes sleeping streams say something, and stops servers that have no connection left.
 *
 * Who may free what: connections are libmicrohttpd's, ours is told of their end (connection_event);
 * an exchange is freed in request_done, which is not called while its connection sleeps; a stream
 * when libmicrohttpd destroys its response. */
#ifndef JUNCTOR_API_HTTP_H
#define JUNCTOR_API_HTTP_H

#include "api/guard.h"
#include "api/internal.h"
#include "api/pair.h"

#include "base/list.h"
#include "base/log_limit.h"
#include "base/timers.h"

#include <microhttpd.h>

#define API_MAX_URL         8192  /* bytes, with its query */
#define API_MAX_HEADERS     64    /* lines */
#define API_MAX_HEADER_SIZE 16384 /* bytes of request line and headers */
/* Bytes of libmicrohttpd per connection: more than the bounds above, so that we, not it, answer
 * what is over them by less than this. What it cannot read at all it refuses itself, before we hear
 * of it, with a page of HTML and no problem document: a request line or header without form, a
 * Content-Length that is no number, a chunk that is none, and headers beyond this memory. It has no
 * hook for that; the status (400, 413, 414, 431) is right, and the connection ends. */
#define API_MEMORY 131072
/* A body over its bound, or of a refused request, is read on by so much, so that the client hears
 * the answer; then the connection is cut. */
#define API_DISCARD_MAX (16 * (size_t)API_MAX_BODY)
#define API_MAX_RETIRED 4   /* servers that finish what an earlier certificate began */
#define API_KEEPER_MS   250 /* how often the keeper looks */
/* How long api_stop waits for slow clients, after the last verdict. */
#define API_STOP_MS            5000
#define API_HEALTH_CONNECTIONS 16 /* of the health listener */
#define API_SOURCE_SHARE       4  /* one source address has at most this part of the connections */
/* The time for a TLS handshake and a whole request of a connection on which nobody has proved yet
 * who he is; less where api_conf.request_timeout_s is less. */
#define API_UNPROVEN_MS 10000
/* Where all connections of a network listener are taken, the oldest unproven one is cut for a new
 * one. So that this one comes to us at all, and while the other ends, libmicrohttpd takes more. */
#define API_SPARE_CONNECTIONS 16

struct api_server {
    struct api *api;
    enum api_listener_kind kind;
    struct MHD_Daemon *daemon;
    int fd;              /* the listening socket */
    int own_fd;          /* the daemon's own descriptor of it */
    bool quiesced;       /* accepts nothing more */
    atomic_bool retired; /* its certificate was replaced: it ends when its connections have */
    uint64_t retired_ms; /* when; monotonic */
    size_t connections;  /* guarded by api_http.lock */
};

/* One connection, from its acceptance to its end. */
struct api_connection {
    struct list link; /* api_http.connections */
    struct api_server *server;
    int fd; /* libmicrohttpd's; open as long as this object is on the list */
    struct netaddr addr;
    struct api_source source;
    uint64_t deadline_ms; /* monotonic; 0: none */
    bool proved;          /* a request on it was of somebody: with a good token, or locally */
    bool cut;             /* it is about to end */
};

/* What is logged of refusals, each kind at its own rate. */
enum api_refusal_kind { API_FORBIDDEN, API_FAILED, API_REFUSAL_KINDS };

struct api_http {
    uint64_t request_ms;
    unsigned timeout_s, max_connections;
    struct netaddr https, health;        /* as bound */
    pthread_mutex_t pair_lock;           /* taken before `lock`; guards these two and the end */
    uint8_t pair_digest[STORE_HASH_LEN]; /* of the certificate that is served */
    struct api_pair next;                /* waits until there is room for one more; else empty */
    pthread_t keeper;
    bool has_keeper;

    pthread_mutex_t refusals_lock; /* guards these two */
    struct timers *timers;
    struct log_limit refusals[API_REFUSAL_KINDS];

    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed; /* fewer exchanges or submissions */
    pthread_cond_t end;     /* the keeper shall end */
    struct api_server *servers[API_LISTENER_COUNT];
    struct api_server *retired[API_MAX_RETIRED];
    size_t retired_count;
    struct list connections;
    size_t exchanges; /* requests under way */
    size_t pending;   /* submissions whose `done` was not called yet */
    bool stopping;    /* streams end, answers close their connection */
    bool closed;      /* nothing may sleep any more */
    bool keeper_ends;
    struct list streams;
    size_t stream_count;
    uint64_t wakes; /* of streams so far */
};

/* ---- a request (http.c) ---- */

enum exchange_phase {
    EXCHANGE_NEW,     /* the request line is here */
    EXCHANGE_BODY,    /* headers are checked, the body comes */
    EXCHANGE_REFUSED, /* the same, and the body is thrown away: the problem is answered then */
    EXCHANGE_DECIDED /* the store has decided, for which the connection slept: the answer is made */
};

/* One request from its first line to the end of its response; libmicrohttpd keeps the pointer. */
struct api_exchange {
    struct api_call call;
    struct api_server *server;
    struct MHD_Connection *connection;
    enum exchange_phase phase;
    struct buf body;
    size_t discarded;
    size_t url_len;
    bool is_1_1; /* HTTP/1.1 */
    bool closes; /* the connection ends with the answer: where the request ends is in doubt */
    uint64_t began_us;
};

/* libmicrohttpd's callbacks; arg is the server. */
enum MHD_Result api_request_handle(void *arg, struct MHD_Connection *connection, const char *path,
                                   const char *method, const char *version, const char *data,
                                   size_t *len, void **memory);
void api_request_done(void *arg, struct MHD_Connection *connection, void **memory,
                      enum MHD_RequestTerminationCode code);
void *api_request_begin(void *arg, const char *url, struct MHD_Connection *connection);

/* Frees call->memory. */
void api_call_forget(struct api_call *call);

/* ---- headers (http_headers.c) ---- */

/* NULL where absent. */
const char *api_header_get(const struct api_exchange *exchange, const char *name);
/* Whoever sends them: may they be read at all? This and what follows: 0 or -EPROTO. */
int api_headers_check(struct api_exchange *exchange);
/* Those that handlers ask for. Needs the route. */
int api_headers_decode(struct api_exchange *exchange);
size_t api_body_max(const struct api_call *call);
int api_body_too_large(struct api_call *call);
/* Is the body that is announced too large? */
int api_length_check(struct api_exchange *exchange);
int api_media_type_check(struct api_exchange *exchange);
/* Will the client wait for the answer before it sends its body, or is that too long to be read, or
 * of unknown end? */
bool api_answers_at_once(const struct api_exchange *exchange);

/* ---- answers (http_send.c) ---- */

enum MHD_Result api_answer_send(struct api_exchange *exchange);
enum MHD_Result api_problem_send(struct api_exchange *exchange);

/* ---- refusals in the log (http_refusals.c) ---- */

/* Returns 0 or -ENOMEM; stop accepts what did not start. */
int api_refusals_start(struct api_http *http, struct log *log);
void api_refusals_stop(struct api_http *http);
/* Says how many were left out, when it is time. */
void api_refusals_tick(struct api_http *http);
void api_refusal_log(const struct api_call *call);

/* ---- changes (http_submit.c) ---- */

/* The connection sleeps from here until the store has decided; the request's next turn finds the
 * phase EXCHANGE_DECIDED. */
void api_submission_start(struct api_exchange *exchange);
/* That turn: as a handler. */
int api_submission_finish(struct api_exchange *exchange);

/* ---- streams (http_stream.c) ---- */

/* The response that sends call->stream, which it takes over. NULL without memory. */
struct MHD_Response *api_stream_response(struct api_exchange *exchange);
/* Gives back what api_call_stream took, where no response was made. */
void api_stream_drop(struct api_call *call);
/* Wakes all that sleep. store_watch_h. */
void api_streams_wake(uint64_t sequence, void *arg);
/* Wakes those that were silent for API_STREAM_TICK_MS. */
/* Wakes those that are ready, and those whose client is gone, to end. */
void api_streams_poll(struct api_http *http);
void api_streams_tick(struct api_http *http);

/* ---- connections (http_connection.c) ---- */

/* MHD_NotifyConnectionCallback; arg is the server. */
void api_connection_event(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code);
struct api_connection *api_connection_of(struct MHD_Connection *connection);
/* Its clock starts anew. 0: no deadline. */
void api_connection_deadline(struct api_http *http, struct api_connection *connection,
                             uint64_t timeout_ms);
/* The turns of its clock: a request began; its sender has proved who he is; it is here; it ended.
 */
void api_connection_began(struct api_http *http, struct api_connection *connection);
void api_connection_proved(struct api_http *http, struct api_connection *connection);
void api_connection_read(struct api_http *http, struct api_connection *connection);
void api_connection_ended(struct api_http *http, struct api_connection *connection);
/* Cuts those that are over their deadline. */
void api_connections_sweep(struct api *api);

/* ---- servers (http_server.c) ---- */

/* Serves `fd`, a listening socket, which is the server's from now on; on failure it is closed.
 * `pair` is NULL without TLS. Returns 0 or -ENOMEM. */
int api_server_start(struct api *api, enum api_listener_kind kind, int fd,
                     const struct api_pair *pair, struct api_server **server);
/* Accepts nothing more. */
void api_server_quiesce(struct api_server *server);
/* Ends its connections and frees it; nothing of it may sleep. Accepts NULL. */
void api_server_stop(struct api_server *server);

/* ---- all of it (http_service.c) ---- */

/* Starts every listener but the Unix socket, whose `fd` is taken over in any case. As api_start.
 * On failure api_http_stop is still to be called. */
int api_http_start(struct api *api, const struct api_conf *conf, int fd, char why[API_MAX_WHY]);
/* As api_stop. Accepts an API that does not serve. */
void api_http_stop(struct api *api);

#endif
