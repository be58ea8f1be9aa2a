/* What the files of this folder share: the API object and one request on its way. */
#ifndef JUNCTOR_API_INTERNAL_H
#define JUNCTOR_API_INTERNAL_H

#include "api/api.h"
#include "api/problem.h"

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#define API_MAX_PARAM 2048 /* bytes of a decoded path or query parameter */
#define API_MAX_ARGS  3    /* query parameters of one request */
#define API_MAX_WALKS                                                                              \
    (API_THREADS - 1) /* route explanations at once: one thread stays free for                     \
                         everything else while they wait for DNS */

struct MHD_Daemon;
struct api_certificates;

/* ---- the object ---- */

struct api {
    struct api_parts parts;
    struct resolver_conf resolver;
    gid_t group;
    struct MHD_Daemon *daemon;
    char socket[108];
    struct stat socket_stat; /* to remove only the file we made */
    uint64_t started_ms;     /* monotonic */

    pthread_mutex_t lock; /* guards what follows */
    struct store_reader *readers[API_THREADS];
    size_t reader_count; /* not lent */
    unsigned walks;
    struct api_certificates *certificates; /* NULL: not known */
};

uint64_t api_monotonic_ms(void);
uint64_t api_now_ms(void); /* Unix time */

/* A reader for the time of one request; there are as many as threads. NULL: none is left. */
struct store_reader *api_reader_lend(struct api *api);
void api_reader_return(struct api *api, struct store_reader *reader);

/* At most API_MAX_WALKS between begin and end. Returns whether this one may go on. */
bool api_walk_begin(struct api *api);
void api_walk_end(struct api *api);

/* ---- warnings ---- */

#define API_WARNING_MAX (2 * STORE_DOMAIN_MAX + 200) /* the domain stands in it twice */

/* Why calls of this hosted domain will fail; "" where nothing is known against it. Returns `why`.
 */
const char *api_domain_warning(struct api *api, const char *domain, char why[API_WARNING_MAX]);
/* Puts the domain's warning, if any, into its record as "warnings". Returns the record, NULL (and
 * frees it) without memory. Accepts NULL. */
json_t *api_domain_warn(struct api *api, const char *domain, json_t *record);
void api_certificates_free(struct api_certificates *certificates); /* accepts NULL */

/* ---- the socket ---- */

/* A listening socket at `path`; the file of a dead daemon is replaced. As api_start. */
int api_listen(const struct api_conf *conf, int *fd, struct stat *made, char why[API_MAX_WHY]);

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

/* ---- a request ---- */

struct api_arg {
    char name[16];
    char value[API_MAX_PARAM];
};

/* One request. `reader` is lent for the time of the handler. */
struct api_call {
    struct api *api;
    const struct api_route *route;
    struct store_reader *reader;
    char actor[STORE_ACTOR_MAX + 1];
    const char *method;
    const char *path;
    const char *if_match;        /* NULL where absent */
    const char *idempotency_key; /* NULL where absent */
    char param[API_MAX_PARAM];   /* the {...} of the pattern, unescaped */
    struct api_arg args[API_MAX_ARGS];
    size_t arg_count;
    json_t *body; /* an object, where the route takes one */

    /* The handler's answer. */
    unsigned status;
    json_t *reply;    /* owned by the call; NULL: no body */
    uint64_t version; /* for the ETag; 0: none */
    char location[API_MAX_PARAM];
    struct api_problem problem; /* where the handler fails */
};

/* Answers a call: 0 with status and reply set, or -EPROTO with the problem. */
typedef int api_handler_h(struct api_call *call);

enum api_method { API_GET, API_POST, API_PUT, API_DELETE, API_METHOD_COUNT };

struct api_route {
    enum api_method method;
    const char *pattern; /* the last segment may be a {parameter} */
    const char *args;    /* allowed query parameters, separated by spaces */
    api_handler_h *handler;
};

/* Finds the route of a raw (still escaped) path and decodes its parameter into `param`. HEAD counts
 * as GET. Returns 0, or -EPROTO: no such resource, a method that does not work here, a parameter
 * that is badly escaped or too long. */
int api_route_find(const char *method, const char *path, const struct api_route **route,
                   char param[API_MAX_PARAM], struct api_problem *problem);
/* "GET, POST": the methods of a path, for Allow. Returns `text`. */
const char *api_route_methods(const char *path, char text[40]);
bool api_route_has_arg(const struct api_route *route, const char *name);

/* Undoes %HH. Returns 0, -EINVAL (bad escape, or a NUL byte) or -ERANGE. */
int api_url_unescape(const char *raw, char *out, size_t size);
/* Escapes all but RFC 3986's unreserved characters; what does not fit is cut. Returns `out`. */
const char *api_url_escape(const char *text, char *out, size_t size);

/* The value of a query parameter, or NULL. */
const char *api_call_arg(const struct api_call *call, const char *name);
/* "limit": 1..API_MAX_LIST, 100 where absent. */
int api_call_limit(struct api_call *call, size_t *limit);
/* If-Match (RFC 9110 section 13.1.1): one of our entity tags, or "*". */
int api_call_expected(struct api_call *call, uint64_t *version);
/* Takes over `reply`; NULL means that memory ran out. */
int api_call_reply(struct api_call *call, unsigned status, json_t *reply, uint64_t version);

/* Submits with actor, time and command id filled in. Returns 0 with the record's new version, or
 * -EPROTO with a problem about `name`. */
int api_submit(struct api_call *call, struct store_command *command, const char *name,
               uint64_t *version);
/* The id of a command: SHA-256 over actor, method, path and key, each ended by NUL. Returns 0 or
 * STATUS_CRYPTO. */
int api_command_id(const struct api_call *call, uint8_t id[32]);

/* ---- handlers ---- */

api_handler_h api_domains_get, api_domains_post;
api_handler_h api_domain_get, api_domain_put, api_domain_delete;
api_handler_h api_addresses_get, api_addresses_post;
api_handler_h api_address_get, api_address_delete;
api_handler_h api_walk_get, api_status_get, api_health_get;

#endif
