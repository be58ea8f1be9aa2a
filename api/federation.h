/* The federation API's transport: operators ask each other over HTTPS with mutual TLS (design
 * section 9), both sides proven as SIP peers are (section 6, peering/judge.h).
 *
 * The life of a request to us: a thread of its connection finishes the handshake, with the
 * certificate of the domain that SNI names; what the client showed is judged; then `handler` gets
 * the request with the domains that were proven. Where none was, it does not hear of it: the answer
 * is 403 with the identity that was seen and what is missing. A request of ours: the target's SRV
 * records `_address-porting._tcp.DOMAIN`, one connection after the other in their order, the
 * judgement inside of the handshake, before any byte of HTTP. */
#ifndef JUNCTOR_API_FEDERATION_H
#define JUNCTOR_API_FEDERATION_H

#include "base/log.h"
#include "base/netaddr.h"
#include "peering/peering.h"
#include "resolver/resolver.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEDERATION_MAX_WHY         640
#define FEDERATION_MAX_BODY        65536 /* bytes, of requests and of answers */
#define FEDERATION_MAX_PATH        2048  /* bytes of a path, and of a query */
#define FEDERATION_CONNECTIONS     64    /* accepted at once; each has a thread */
#define FEDERATION_SOURCE_SHARE    4     /* one source address has at most this part of them */
#define FEDERATION_HANDSHAKE_MS    10000 /* until somebody has proven who he is */
#define FEDERATION_REQUEST_MS      20000 /* a whole request, and from one to the next */
#define FEDERATION_RATE_PER_MINUTE 600   /* requests of one proven domain, and of one source */
#define FEDERATION_CONNECT_MS      5000  /* one target of an outgoing request */
#define FEDERATION_ASK_MS          20000 /* all of an outgoing request */
#define FEDERATION_SERVICE         "_address-porting._tcp"

#define FEDERATION_SELF       "/federation/v1/self"
#define FEDERATION_COUNTS_MAX 64 /* rows of federation_counts_get */

struct federation;

/* The section `federation` of junctord.conf. */
struct federation_conf {
    struct netaddr listen; /* AF_UNSPEC: nobody is served; asking works all the same. Port 0: any */
    char advertise_host[STORE_DOMAIN_MAX +
                        1];  /* what the SRV records name; "": none are published */
    uint16_t advertise_port; /* 0: the port of `listen` */
};

/* All of it must outlive the federation, but for `tls`, which is read. */
struct federation_parts {
    struct store *store;                  /* peers: blocked, pins, and who is listed */
    const struct resolver_conf *resolver; /* at least one upstream */
    const struct tls_conf *tls;           /* certificates of our domains, trust anchors, CRLs */
    enum guard_peering peering;           /* whom we talk to */
    struct guard *guard; /* whose bans hold here too (edge_guard); NULL: there are none */
    struct log *log;     /* may be NULL */
};

/* One request of another operator. All of it is valid during the handler only. */
struct federation_request {
    const char *method;        /* "GET", "POST", "PUT" or "DELETE" */
    const char *path;          /* as it came, still escaped: "/federation/v1/ports/1" */
    const char *query;         /* as it came, behind "?"; "" where there was none */
    const char (*proven)[256]; /* the domains that the client has proven, canonical */
    size_t proven_count;       /* at least 1 */
    const char *served;        /* our domain whose certificate was shown */
    const json_t *body;        /* an object; NULL where there was none */
};

/* Zero it before. */
struct federation_answer {
    unsigned status; /* HTTP; 0: there was none (federation_ask only) */
    json_t *body;    /* owned by whoever reads the answer; NULL: none. A problem for 4xx and 5xx */
    char why[FEDERATION_MAX_WHY]; /* federation_ask: a sentence for people where it failed */
    const char *route;            /* of a handler: the pattern that the path fitted, a literal, for
                                     federation_counts_get; NULL: none did */
};

/* Answers a request: fills status and body; a body with a status of 400 and more is sent as
 * application/problem+json. On a thread of the request's own, so it may wait for the store.
 * Returns 0, or a negative status that becomes 500 (503 for -EAGAIN and STATUS_CLOSED). */
typedef int federation_handle_h(void *arg, const struct federation_request *request,
                                struct federation_answer *answer);

bool federation_proves(const struct federation_request *request, const char *domain);

/* Fills `answer` with a problem (RFC 9457): its reason is a stable word of store_port_reason_text
 * or of one's own, and the detail a sentence. Returns 0 or -ENOMEM. */
int federation_refuse(struct federation_answer *answer, unsigned status, const char *reason,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Makes it able to ask; nobody is served yet. `why` (FEDERATION_MAX_WHY bytes) gets a sentence on
 * failure. Returns 0, -ENOMEM, STATUS_MALFORMED or -errno of a file. */
int federation_start(const struct federation_conf *conf, const struct federation_parts *parts,
                     struct federation **federation, char *why);
/* Opens the listener, if one is configured, and hands what comes to `handler`, but for
 * FEDERATION_SELF, which tells a peer whom he has proven to be. NULL: there is nothing else. Once.
 * Returns 0,
 * -errno (the address cannot be bound), STATUS_NOTFOUND (there is no certificate to serve with). */
int federation_serve(struct federation *federation, federation_handle_h *handler, void *arg,
                     char *why);
/* Other certificates, trust anchors and CRLs from now on; open connections end as they began.
 * Returns 0, or a status with `why` and everything as it was. Any thread. */
int federation_reload(struct federation *federation, const struct tls_conf *tls,
                      enum guard_peering peering, char *why);
/* Nobody is served any more when it returns, every handler has ended, and every federation_ask ends
 * soon with 0 and "ending". Accepts NULL. */
void federation_close(struct federation *federation);
/* Frees it; nobody may be inside. Closes it before where that was not done. Accepts NULL. */
void federation_stop(struct federation *federation);

/* Where it listens, with the port that the kernel chose; AF_UNSPEC where it does not. */
void federation_bound(const struct federation *federation, struct netaddr *bound);

/* Is this one of the domains that we have a certificate for? */
bool federation_is_ours(struct federation *federation, const char *domain);

/* Asks `to_domain` in the name of `from_domain`, one of ours with a certificate. `path` is escaped;
 * `body` may be NULL. Blocks, at most FEDERATION_ASK_MS and what DNS takes: for threads that may
 * wait, several at once. Returns 0 where there was an answer over HTTP (answer->status, and its
 * body where it was JSON), else with answer->why: STATUS_NOTFOUND (no certificate for from_domain),
 * STATUS_NOHOP (to_domain publishes no FEDERATION_SERVICE, or says that it has none),
 * STATUS_UNPROVEN (whoever answered is not to_domain), STATUS_CLOSED (federation_close), -EPROTO
 * (no answer of ours: too large, no JSON), -ETIMEDOUT, -ECONNREFUSED, -ENOMEM. */
int federation_ask(struct federation *federation, const char *from_domain, const char *to_domain,
                   const char *method, const char *path, const json_t *body,
                   struct federation_answer *answer);
/* The ENUM zone that holds a number (resolver/number_zone.h), by what DNS says. Blocks for DNS.
 * `why` (FEDERATION_MAX_WHY bytes) gets a sentence on failure. Returns 0, or as
 * resolver_number_zone_h. */
int federation_number_zone(struct federation *federation, const char *digits,
                           char zone[STORE_DOMAIN_MAX + 1], char *why);
/* What other operators have asked since the start: requests of one method and route. Routes are
 * patterns, never paths. */
struct federation_count {
    const char *method, *route; /* literals */
    uint64_t answers[6];        /* by the first digit of the status */
};
/* Copies them in the order of their first requests. What was refused before a handler saw it is of
 * route "none"; what finds no row, of "other". Any thread. Returns how many. */
size_t federation_counts_get(struct federation *federation,
                             struct federation_count list[FEDERATION_COUNTS_MAX]);
/* Frees its body and zeroes it. Accepts a zeroed one. */
void federation_answer_done(struct federation_answer *answer);

#endif
