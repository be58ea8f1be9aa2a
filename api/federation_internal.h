/* What the files of the federation API's transport share (private to them). */
#ifndef JUNCTOR_API_FEDERATION_INTERNAL_H
#define JUNCTOR_API_FEDERATION_INTERNAL_H

#include "api/federation.h"
#include "api/guard.h"
#include "api/rate.h"

#include "base/list.h"
#include "peering/judge.h"

#include <pthread.h>
#include <stdatomic.h>

#define FEDERATION_MAX_HOPS 8 /* addresses of one domain's federation API that are tried */

struct federation_certs;
struct federation_server;

struct federation_tally {
    pthread_mutex_t lock; /* guards what follows */
    size_t count;
    struct federation_count rows[FEDERATION_COUNTS_MAX];
};

struct federation {
    struct federation_conf conf;
    struct federation_parts parts;
    struct resolver_conf resolver;
    struct judge *judge;
    struct federation_server *server; /* NULL: nobody is served */
    atomic_bool closing;
    struct federation_tally tally;
    pthread_mutex_t lock; /* guards what follows */
    struct tls_context *context;
    struct federation_certs *certs;
};

/* With a reference each. */
struct tls_context *federation_context(struct federation *federation);
struct federation_certs *federation_certs(struct federation *federation);

/* The answer to a request: FEDERATION_SELF's, or what `handler` (may be NULL) says. */
void federation_answer(federation_handle_h *handler, void *arg,
                       const struct federation_request *request, struct federation_answer *answer);

/* ---- federation_tally.c ---- */

/* One more answer. `route` is a literal; NULL: none is known, nor looked at the method. */
void federation_tally_add(struct federation_tally *tally, const char *method, const char *route,
                          unsigned status);

/* ---- federation_tls.c: GnuTLS, which is libmicrohttpd's; only this file includes its headers ----
 */

/* Our certificates as GnuTLS has them. Returns 0, STATUS_NOTFOUND (there is none),
 * STATUS_MALFORMED or -ENOMEM with `why` (FEDERATION_MAX_WHY bytes). One reference. */
int federation_certs_load(const struct tls_conf *conf, struct federation_certs **certs, char *why);
struct federation_certs *federation_certs_ref(struct federation_certs *certs);
struct federation_certs *federation_certs_unref(struct federation_certs *certs); /* returns NULL */

/* What a TLS session of libmicrohttpd's needs of us; must live as long. */
struct federation_session {
    struct federation_certs *certs; /* referenced by its owner */
    const char *served;             /* the domain whose certificate was shown; NULL: none yet */
};
/* Before the handshake of `tls`, a gnutls_session_t: the client is asked for a certificate, of
 * whatever issuer. */
void federation_session_begin(void *tls, struct federation_session *session);
/* The same for one that is not to be: it gets no certificate, should its handshake have begun. */
void federation_session_refuse(void *tls);
/* After it: what the client has sent, at most JUDGE_MAX_CERTIFICATES + 1 certificates, valid as
 * long as the session. Returns how many; 0: none. */
size_t federation_session_chain(void *tls,
                                struct judge_certificate chain[JUDGE_MAX_CERTIFICATES + 1]);
/* The function that picks the certificate by SNI, for MHD_OPTION_HTTPS_CERT_CALLBACK, which takes
 * no type of its own. */
void *federation_cert_callback(void);
/* TLS 1.2 and 1.3, for MHD_OPTION_HTTPS_PRIORITIES. */
const char *federation_tls_priorities(void);

/* ---- federation_server.c ---- */

int federation_server_start(struct federation *federation, federation_handle_h *handler, void *arg,
                            char *why);
/* Cuts its connections and waits for the handlers. Accepts NULL. */
void federation_server_stop(struct federation_server *server);
void federation_server_bound(const struct federation_server *server, struct netaddr *bound);

/* ---- federation_line.c: who may be served now, and for how long ---- */

/* One accepted connection. */
struct federation_line {
    struct list link; /* in federation_lines */
    int fd;           /* libmicrohttpd's; open as long as this object is on the list */
    struct netaddr addr;
    struct api_source source;
    uint64_t deadline_ms; /* monotonic; 0: none, a handler is at work */
    bool proven, cut;
    struct federation_session session;
};

struct federation_lines {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t end;
    struct list list; /* in the order of their coming */
    struct api_rate *sources, *domains, *refusals;
    bool ends;
};

/* Returns 0 or -ENOMEM; done accepts what did not start. */
int federation_lines_init(struct federation_lines *lines);
void federation_lines_done(struct federation_lines *lines);
/* Cuts another or the new one where there are too many. */
void federation_line_add(struct federation_lines *lines, struct federation_line *line);
void federation_line_remove(struct federation_lines *lines, struct federation_line *line);
/* It is cut where that time is over; 0: it is not. */
void federation_line_within(struct federation_lines *lines, struct federation_line *line,
                            uint64_t ms);
void federation_line_proven(struct federation_lines *lines, struct federation_line *line);
/* Cuts those that are over their time, until federation_lines_end; on a thread of its own. */
void federation_lines_watch(struct federation_lines *lines);
void federation_lines_end(struct federation_lines *lines);
/* One more request of this source; of this domain; one more line in the log. */
bool federation_source_may(struct federation_lines *lines, const struct federation_line *line);
bool federation_domain_may(struct federation_lines *lines, const char *domain);
bool federation_log_may(struct federation_lines *lines);

/* ---- federation_find.c ---- */

struct federation_hop {
    struct netaddr addr; /* with port */
};
/* Where a domain's federation API is. Blocks for DNS. Returns 0 with *count hops in order, or as
 * federation_ask with `why` (FEDERATION_MAX_WHY bytes). */
int federation_find(const struct federation *federation, const char *domain,
                    struct federation_hop hops[FEDERATION_MAX_HOPS], size_t *count, char *why);

#endif
