/* What the files of this folder share: the API object and one request on its way. */
#ifndef JUNCTOR_API_INTERNAL_H
#define JUNCTOR_API_INTERNAL_H

#include "api/api.h"
#include "api/problem.h"

#include "base/buf.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#define API_MAX_PARAM  2048 /* bytes of a decoded path or query parameter */
#define API_MAX_ARGS   8    /* query parameters of one request */
#define API_MAX_ROUTES 96   /* rows of the table of routes */
#define API_MAX_KEY    255  /* bytes of an Idempotency-Key */
#define API_MAX_SECRET 80   /* a token or auth code as it is shown, with terminator */
#define API_READERS    (2 * API_THREADS + 2) /* requests that read the directory at once */
/* Route explanations that wait for DNS at once, each on a thread of its own: a connection stays
 * with the thread of libmicrohttpd that accepted it, and would wait for whatever that one waits
 * for. */
#define API_MAX_WALKS 16

struct api_certificates;
struct api_kind;
struct api_http;
struct api_guard;
struct api_tally;
struct zone_conf;

/* ---- the object ---- */

struct api {
    struct api_parts parts;
    struct resolver_conf resolver;
    gid_t group;
    char *reserved[API_MAX_RESERVED];
    size_t reserved_count;
    struct api_http *http;   /* listeners, connections and streams (api/http.h) */
    struct api_guard *guard; /* who has asked and failed how often (api/guard.h) */
    struct api_tally *tally; /* what api_counters_read tells */
    char socket[108];
    struct stat socket_stat;  /* to remove only the file we made */
    uint64_t started_ms;      /* monotonic */
    uint64_t started_unix_ms; /* Unix time */
    atomic_bool draining;
    _Atomic uint64_t ready_until_ms; /* the directory was proven writable not long before */
    atomic_flag copying;             /* a backup is being made */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t reader_back;
    struct store_reader *readers[API_READERS];
    size_t reader_count; /* not lent */
    unsigned walks;
    struct api_certificates *certificates; /* NULL: not known */
    struct zone_conf *zone;                /* never changed once it is here; NULL: not known */
};

uint64_t api_monotonic_ms(void);
uint64_t api_monotonic_us(void);
uint64_t api_now_ms(void); /* Unix time */

/* A reader for a short time: whoever has one waits for nobody who needs another. Waits where all
 * are lent. */
struct store_reader *api_reader_lend(struct api *api);
void api_reader_return(struct api *api, struct store_reader *reader);

/* At most API_MAX_WALKS between begin and end. Returns whether this one may go on. */
bool api_walk_begin(struct api *api);
void api_walk_end(struct api *api);

/* ---- numbers ---- */

enum api_listener_kind {
    API_ON_SOCKET, /* the Unix socket */
    API_ON_HTTPS,
    API_ON_HEALTH, /* plain HTTP, for probes */
    API_LISTENER_COUNT
};

/* Upper bounds of the histogram of durations, in microseconds; one more bucket is for the rest. */
#define API_DURATIONS(X)                                                                           \
    X(1000)                                                                                        \
    X(2500)                                                                                        \
    X(5000)                                                                                        \
    X(10000) X(25000) X(50000) X(100000) X(250000) X(500000) X(1000000) X(2500000) X(10000000)
#define API_DURATION_COUNT 13 /* the bounds above and the rest */
extern const uint64_t api_duration_bounds_us[API_DURATION_COUNT - 1];

struct api_route_counters {
    uint64_t answers[6];                    /* by the first digit of the HTTP status; 0 is unused */
    uint64_t durations[API_DURATION_COUNT]; /* of answers, each in its bucket only */
    uint64_t duration_us;                   /* their sum */
};

struct api_counters {
    size_t route_count;
    /* By row of api_route_at; the one at route_count is for what found no route. */
    struct api_route_counters routes[API_MAX_ROUTES + 1];
    uint64_t auth_failures;                   /* tokens that were none, or not good any more */
    uint64_t auth_slowed;                     /* the same, put off after too many of them */
    uint64_t rate_limited;                    /* requests over their client's rate */
    uint64_t connections[API_LISTENER_COUNT]; /* open now */
    uint64_t accepted[API_LISTENER_COUNT];    /* since the start */
    uint64_t cut[API_LISTENER_COUNT];         /* by us: see api/http.h */
    uint64_t streams;                         /* open now */
    uint64_t submitted;                       /* changes that were handed to the store */
};
/* Lock-free; the numbers are of slightly different moments. */
void api_counters_read(const struct api *api, struct api_counters *counters);

/* ---- warnings ---- */

#define API_WARNING_MAX (2 * STORE_DOMAIN_MAX + 200) /* the domain stands in it twice */

/* Why calls of this hosted domain will fail; "" where nothing is known against it. Returns `why`.
 */
const char *api_domain_warning(struct api *api, const char *domain, char why[API_WARNING_MAX]);
/* Puts the domain's warning, if any, into its record as "warnings". Returns the record, NULL (and
 * frees it) without memory. Accepts NULL. */
json_t *api_domain_warn(struct api *api, const char *domain, json_t *record);
void api_certificates_free(struct api_certificates *certificates); /* accepts NULL */

/* ---- the sockets ---- */

/* A listening socket at `path`; the file of a dead daemon is replaced. As api_start. */
int api_listen(const struct api_conf *conf, int *fd, struct stat *made, char why[API_MAX_WHY]);
/* A listening TCP socket; `what` names the setting in *why. Returns 0 or -errno. */
int api_listen_tcp(const struct netaddr *addr, const char *what, int *fd, char why[API_MAX_WHY]);

/* Who is at the other end of a connection. */
struct api_peer {
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary */
    size_t group_count;
};
/* Root, the user `self`, and members of `group` (unless (gid_t)-1) may talk. */
bool api_peer_may_talk(const struct api_peer *peer, uid_t self, gid_t group);
/* The same for a connected socket; *uid is the peer's. False, too, where the kernel does not say.
 */
bool api_socket_may_talk(int fd, gid_t group, uid_t *uid);

/* ---- who asks ---- */

/* Bits of a route's `scopes`: who may ever use it, and two things besides. */
enum api_scope_bit {
    API_ADMIN = 1,
    API_OPERATOR = 2,
    API_USER = 4,
    API_LOCAL = 8,   /* an administrator on the Unix socket */
    API_ANYONE = 16, /* needs no token */
    API_HEALTH = 32, /* also on the health listener, for anyone there */
    API_ALL = API_ADMIN | API_OPERATOR | API_USER, /* any token */

    API_LARGE = 64,      /* its body may have API_MAX_IMPORT bytes */
    API_NO_DRY_RUN = 128 /* it is not GET, but takes no dry_run */
};

struct api_principal {
    unsigned bits; /* of enum api_scope_bit, who it is; 0: nobody */
    enum store_scope scope;
    bool local;                      /* by the Unix socket */
    char owner[STORE_OWNER_MAX + 1]; /* USER: whose addresses; else "" */
    char domains[STORE_TOKEN_DOMAINS_MAX][STORE_DOMAIN_MAX + 1]; /* OPERATOR */
    unsigned domain_count;
    uint64_t until_ms; /* of the token; 0: until revoked */
};

struct api_call;

/* May it see and change what belongs to this domain? Administrators all, operators their own,
 * users none. `domain` is canonical. */
bool api_may_domain(const struct api_call *call, const char *domain);
bool api_principal_has(const struct api_principal *who, const char *domain);
/* The same for an address: operators where its domain is theirs, or the one that serves it as a
 * guest of a foreign one; users where they are its owner. */
bool api_may_record(const struct api_call *call, const struct store_record *record);
/* The problem that a missing record is, about `name`: what lies outside of one's scope does not
 * exist. Returns -EPROTO. */
int api_not_yours(struct api_call *call, const char *name);
/* Is the user part one that nobody may claim: RFC 2142's, or of api_conf? `user` is canonical. */
bool api_user_is_reserved(const struct api *api, const char *user);

/* The token's text: "jct_", its id, "_", 43 characters of base64url (32 random bytes). */
#define API_TOKEN_LEN (4 + STORE_TOKEN_ID_LEN + 1 + 43)
/* SHA-256 of the whole text, as it is stored. Returns 0 or STATUS_CRYPTO. */
int api_token_hash(struct slice text, uint8_t hash[STORE_HASH_LEN]);
/* The id in a text that has a token's form; false where it has not. */
bool api_token_id(struct slice text, char id[STORE_TOKEN_ID_LEN + 1]);

/* ---- a request ---- */

struct api_arg {
    char name[16];
    char value[API_MAX_PARAM];
};

/* Makes the answer after the command was applied. verdict->status is 0; with call->then_always also
 * why it was refused, or could not even be judged. A reader is lent for its time. As api_handler_h,
 * but it cannot submit again. */
typedef int api_then_h(struct api_call *call, const struct store_verdict *verdict);

/* See api_run. Returns 0 or a status. */
typedef int api_work_h(struct api_call *call);

/* ---- an answer that does not end ---- */

#define API_STREAM_BUFFER  65536 /* bytes that wait for one client */
#define API_STREAM_TICK_MS 15000 /* silence after which a stream says something */

struct api_stream;
/* Appends what there is to say, whole events, as far as `out` has room; what does not fit waits for
 * the next call. Appends nothing where there is nothing new: the stream then sleeps until the
 * journal grows or API_STREAM_TICK_MS have passed, after which `tick` is set for one call. Must not
 * block. On a thread of libmicrohttpd. Returns 0, or a negative status to end the stream once `out`
 * is sent. */
typedef int api_stream_h(struct api_stream *stream, struct store_reader *reader, struct buf *out);

/* Sent at the pace of its client; nothing else waits for it. A client that takes nothing for
 * api_conf.timeout_s is cut. */
struct api_stream {
    const char *type; /* Content-Type; a literal */
    api_stream_h *more;
    bool (*ready)(void *arg); /* is there something to say, that the journal does not tell? Asked
                                 every API_KEEPER_MS while it sleeps, must not block; NULL: no */
    void (*free)(void *arg);  /* the stream has ended; NULL: nothing to free */
    void *arg;
    bool tick; /* nothing was sent for API_STREAM_TICK_MS: append a comment */
};

/* One request. `reader` is lent for the time of the handler. */
struct api_call {
    struct api *api;
    const struct api_route *route; /* NULL: none was found */
    struct store_reader *reader;
    struct api_principal who;
    char actor[STORE_ACTOR_MAX + 1];
    const char *method;
    const char *path;
    const char *if_match;        /* NULL where absent */
    const char *idempotency_key; /* POST; NULL where absent */
    const char *last_event_id;   /* NULL where absent */
    char param[API_MAX_PARAM];   /* the {...} of the pattern, unescaped */
    struct api_arg args[API_MAX_ARGS];
    size_t arg_count;
    json_t *body;  /* an object, where the route takes one; for the time of the handler */
    bool dry_run;  /* a change is only tried; ?dry_run=true */
    bool repeated; /* its key was used, for the same: `submission` has the verdict, and the handler
                      judges nothing that depends on the directory */

    /* A change: see api_submit. */
    struct store_command command;
    bool then_always; /* `then` is called whatever becomes of it */
    void *memory;     /* what the command points to; free()d once `then` was called, or
                         at the end of the call */
    void (*memory_done)(void *memory); /* called before that; NULL: nothing else to free */
    char secret[API_MAX_SECRET];       /* made by the handler, shown by `then`; wiped at the end */

    /* The handler's answer. */
    unsigned status;
    json_t *reply; /* owned by the call; NULL: no body, or `text` */
    char *text;    /* the same, of another type than JSON */
    size_t text_len;
    const char *type;         /* Content-Type of `text`; a literal */
    struct api_stream stream; /* `more` is NULL: none */
    uint64_t version;         /* for the ETag; 0: none */
    char location[API_MAX_PARAM];
    unsigned retry_after_s;     /* 0: none, but for 503 */
    struct api_problem problem; /* where the handler fails */

    /* Between api_submit and the answer. */
    struct store_submission submission;
    api_then_h *then;
    api_work_h *work;              /* in place of the command; NULL: none */
    char name[API_DETAIL_MAX / 2]; /* what the command is about, for problems */
    uint8_t body_hash[STORE_HASH_LEN];
};

/* Answers a call: 0 with status and reply set, -EPROTO with the problem, or what api_submit
 * returned. */
typedef int api_handler_h(struct api_call *call);

enum api_method { API_GET, API_POST, API_PUT, API_PATCH, API_DELETE, API_METHOD_COUNT };
const char *api_method_text(enum api_method method); /* "GET" */

struct api_route {
    enum api_method method;
    const char *pattern; /* one segment may be a {parameter} */
    const char *args;    /* allowed query parameters, separated by spaces; every route that changes
                            a record takes dry_run besides */
    api_handler_h *handler;
    unsigned scopes;             /* of enum api_scope_bit */
    const struct api_kind *kind; /* for the handlers that all records share (api/records.h) */
};

/* The rows of the table, in its order; NULL past its end. */
const struct api_route *api_route_at(size_t index);

/* Finds the route of a raw (still escaped) path and decodes its parameter into `param`. HEAD counts
 * as GET. Returns 0, or -EPROTO: no such resource, a method that does not work here, a parameter
 * that is badly escaped or too long. */
int api_route_find(const char *method, const char *path, const struct api_route **route,
                   char param[API_MAX_PARAM], struct api_problem *problem);
/* "GET, POST": the methods of a path, for Allow. Returns `text`. */
#define API_METHODS_TEXT 40
const char *api_route_methods(const char *path, char text[API_METHODS_TEXT]);
bool api_route_has_arg(const struct api_route *route, const char *name);
/* Does it change something? All but GET. */
bool api_route_writes(const struct api_route *route);

/* Undoes %HH. Returns 0, -EINVAL (bad escape, or a NUL byte) or -ERANGE. */
int api_url_unescape(const char *raw, char *out, size_t size);
/* Escapes all but RFC 3986's unreserved characters; what does not fit is cut. Returns `out`. */
const char *api_url_escape(const char *text, char *out, size_t size);

/* The value of a query parameter, or NULL. */
const char *api_call_arg(const struct api_call *call, const char *name);
/* "limit": 1..API_MAX_LIST, 100 where absent. */
int api_call_limit(struct api_call *call, size_t *limit);
/* If-Match (RFC 9110 section 13.1.1) against the version of the record `key`: one of its entity
 * tags must be that, or it is "*", as *any tells. */
int api_call_expects(struct api_call *call, uint64_t version, const char *key, bool *any);
/* Takes over `reply`; NULL means that memory ran out. */
int api_call_reply(struct api_call *call, unsigned status, json_t *reply, uint64_t version);

/* Takes over `text`, which was malloc()ed; NULL means that memory ran out. `type` is a literal. */
int api_call_reply_text(struct api_call *call, const char *type, char *text, size_t len);
/* Takes over stream->arg. At most API_MAX_STREAMS at once, else a problem. Status 200. */
int api_call_stream(struct api_call *call, const struct api_stream *stream);

/* The end of a handler that changes something: `return api_submit(call, name, then);`. The handler
 * has filled op, record, expected_version and claim of call->command; actor, time, ids and dry_run
 * are filled in here. The connection sleeps until the store has decided; then either the status is
 * made a problem about `name` (copied), or `then` is called, or, where that is NULL, the answer is
 * 204. Returns API_PENDING, or what api_repeat_answer does for a repeated request (which has a
 * `then`), or -EPROTO. */
#define API_PENDING 1
int api_submit(struct api_call *call, const char *name, api_then_h *then);
/* The same for what takes long and is no command: `work` runs on a thread of its own, without a
 * reader, and `then` gets what it returned as the verdict's status. No deadline cuts it short. */
int api_run(struct api_call *call, const char *name, api_work_h *work, api_then_h *then);
/* The id of a command: SHA-256 over actor, method, path and key, each ended by NUL. Returns 0 or
 * STATUS_CRYPTO. */
int api_command_id(const struct api_call *call, uint8_t id[32]);
/* Before the handler: sets call->repeated where the key's command has a verdict. Returns 0 or
 * -EPROTO: the key was used for another body. */
int api_repeat_find(struct api_call *call);
/* The end of such a handler: the answer, without the store. As api_handler_h. */
int api_repeat_answer(struct api_call *call);

/* ---- handlers: those of records are in api/records.h ---- */

/* What the edge knows of the next hops of cores, to be freed; NULL without memory. None where no
 * edge runs in this process. Waits for the edge's workers, milliseconds. */
struct core_view *api_cores_read(const struct api_parts *parts, size_t *count);
const char *api_core_state_text(enum core_state state); /* "up", "down", "unknown" */
api_handler_h api_walk_get, api_status_get, api_health_get, api_ready_get, api_self_get;
api_handler_h api_metrics_get, api_openapi_get, api_keys_get;
api_handler_h api_bans_get, api_ban_get, api_ban_post, api_ban_delete;
api_handler_h api_token_key_post, api_receipt_key_get, api_receipt_key_post;

#endif
