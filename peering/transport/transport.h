/* Sockets and connections of one worker: UDP, TCP and TLS, inside and outside.
 *
 * A struct transport belongs to one worker's event loop and is used from that thread only. It
 * receives in batches (recvmmsg), frames streams (sip_frame), answers keep-alives, and hands every
 * whole message to one handler together with where it came from. What is sent during one loop turn
 * leaves together before the loop sleeps: UDP as one sendmmsg, each connection as one write.
 *
 * A TLS connection between edges carries messages only after the verdict (RFC 5922, design section
 * 6): the handshake records, tls_judge decides, and conn_proves says which SIP domains the far side
 * proved. A connection is found again only under its key (our domain, far domain, transport
 * target); an accepted one is used backward (RFC 5923) only after conn_offer_alias.
 *
 * Connections are reference counted; a closed one stays valid as memory until its last reference
 * goes. Every failure has a sentence for people, such as "opb.example: certificate names
 * sip.opb.example, but the SIP domain opb.example is required (RFC 5922); add URI:sip:opb.example
 * to its subjectAltName". */
#ifndef JUNCTOR_PEERING_TRANSPORT_TRANSPORT_H
#define JUNCTOR_PEERING_TRANSPORT_TRANSPORT_H

#include "base/list.h"
#include "base/log.h"
#include "base/netaddr.h"
#include "base/slice.h"
#include "base/timers.h"
#include "peering/guard/guard.h"
#include "peering/sip/sip.h"
#include "peering/transport/tls.h"
#include "peering/transport/trust.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define TRANSPORT_MAX_LISTENERS 16
#define TRANSPORT_MAX_WHY       400     /* bytes of a failure's sentence */
#define CONN_MAX_WRITE          1048576 /* bytes waiting on one connection; more closes it */

enum transport_side {
    TRANSPORT_INSIDE, /* towards our own core */
    TRANSPORT_OUTSIDE /* towards peers */
};

struct transport_listener {
    enum transport_side side;
    enum sip_transport transport;
    struct netaddr bind;
    char advertise_host[256]; /* for Via and the inside Record-Route; IPv6 in brackets */
    uint16_t advertise_port;  /* 0: leave the port out */
};

struct transport_conf {
    struct transport_listener listeners[TRANSPORT_MAX_LISTENERS];
    size_t listener_count;
    unsigned connect_timeout_ms; /* connect and handshake together; 0: 3000 */
    unsigned idle_timeout_ms;    /* a connection without traffic is closed; 0: 600000 */
    unsigned message_timeout_ms; /* a message begun must be complete by then; 0: 10000 */
    size_t max_connections;      /* per worker; 0: 8192 */
};

struct transport;
struct conn;

/* Where a message came from. Valid during the handler only; `conn` may be kept with conn_ref. */
struct transport_source {
    const struct transport_listener *listener; /* the listener, or for a connection we opened the
                                                  listener of the same side that names us */
    struct netaddr peer;
    struct conn *conn; /* NULL for UDP */
};

/* One whole message, bytes valid during the call. Or, where a connection is about to be closed for
 * lost framing, what there is of the header section: sip_msg_parse refuses it, and an answer that
 * is sent from inside the call still leaves. */
typedef void transport_message_h(const struct transport_source *source, struct slice bytes,
                                 void *arg);

/* A datagram of ours has not arrived: the kernel did not take it, or an ICMP error came for it (RFC
 * 3261 18.4). That may be one of another worker's, for the kernel tells any of the sockets that
 * share the port. `bytes`: its beginning, as far as it is known; `error`: an errno. Called from the
 * loop, never from inside transport_send_udp or transport_flush. */
typedef void transport_lost_h(struct slice bytes, int error, void *arg);

/* Are the addresses of all listeners free? The workers' sockets share them by SO_REUSEPORT, so
 * without this a second process of the same user would quietly take part of the traffic.
 * Returns 0, or -errno (-EADDRINUSE) with a sentence in `why` (TRANSPORT_MAX_WHY bytes). */
int transport_probe(const struct transport_conf *conf, char *why);

/* Opens sockets for every listener: with SO_REUSEPORT, so that each worker has its own.
 * `timers` is the worker's set, run by the worker with uv_now(loop) as its clock. `tls` is
 * referenced; it may be NULL where nothing uses TLS. `conf` must outlive it.
 * `why` (TRANSPORT_MAX_WHY bytes) gets a sentence on failure, such as "udp:192.0.2.1:5060: cannot
 * bind: Cannot assign requested address". Returns 0, -errno. */
int transport_open(uv_loop_t *loop, struct timers *timers, const struct transport_conf *conf,
                   struct tls_context *tls, struct log *log, transport_message_h *message,
                   void *arg, struct transport **transport, char *why);
/* Who wants to know of what is lost; `arg` is that of the messages. */
void transport_set_lost(struct transport *transport, transport_lost_h *lost);
/* For draining: closes the sockets that listen for connections, so new ones are refused.
 * Connections that are up, outgoing ones and the UDP sockets go on. */
void transport_stop_accepting(struct transport *transport);
/* Flushes, closes everything; memory goes when the loop has run its close callbacks. Watches are
 * taken off without being called; connections that are still referenced are CONN_CLOSED. Not from
 * inside a message handler or a watch. */
void transport_close(struct transport *transport);
/* What outside connections must prove besides a chain to a trust anchor; before the first one.
 * `trust` must outlive the transport. Without it trust anchors decide. */
void transport_set_trust(struct transport *transport, const struct transport_trust *trust);
/* Whom the guard does not hold for: our own cores. */
typedef bool transport_exempt_h(const struct transport_listener *listener,
                                const struct netaddr *source, void *arg);
/* From now on who connects is held to the guard's bounds, and peers to their messages: over that
 * budget a connection is read later. The guard must outlive the transport; `exempt` may be NULL. */
void transport_set_guard(struct transport *transport, struct guard *guard,
                         transport_exempt_h *exempt, void *arg);
/* New connections use this context from now on; live ones are not touched, but for
 * their trust anchors when their verdict is renewed. */
void transport_set_tls(struct transport *transport, struct tls_context *tls);
/* Writes what is queued now instead of before the loop sleeps. */
void transport_flush(struct transport *transport);

/* The first listener of this side and transport, or NULL. With `family` AF_INET/AF_INET6 one of
 * that family is preferred; for SIP_UDP there is no other, since its socket sends. */
const struct transport_listener *transport_listener_for(const struct transport *transport,
                                                        enum transport_side side,
                                                        enum sip_transport via, int family);

/* The port this listener is bound to: the kernel's choice where `bind` asks for port 0. 0 for a
 * listener that is not of this transport. */
uint16_t transport_bound_port(const struct transport *transport,
                              const struct transport_listener *listener);

/* Sends one datagram from that listener's socket. The bytes are copied. Returns 0, -EMSGSIZE,
 * -ENOENT (no such UDP listener); transport_lost_h tells of what the kernel does not take. */
int transport_send_udp(struct transport *transport, const struct transport_listener *listener,
                       const struct netaddr *to, struct slice bytes);

/* ---- connections ---- */

enum conn_state {
    CONN_CONNECTING, /* entered by transport_connect; left when TCP is up, or fails */
    CONN_HANDSHAKE,  /* TLS: left when the handshake ends */
    CONN_VERDICT,    /* TLS: who is it? left with the judgement (no byte is parsed before) */
    CONN_READY,      /* messages flow */
    CONN_CLOSED      /* final */
};

/* What identifies an outgoing connection (design section 6). */
struct conn_key {
    enum transport_side side;
    enum sip_transport transport; /* SIP_TCP or SIP_TLS */
    struct netaddr addr;
    char our_domain[256]; /* picks the client certificate; "" for plain TCP, or to show none */
    char far_domain[256]; /* what the far certificate must prove; "" for plain TCP only */
    /* Not part of what finds it: the name in DNS that led to `addr`, for its TLSA records; "" where
     * none did, and any server of far_domain may be there. */
    char far_host[256];
    bool under_way; /* nor this: it is for a dialog or transaction under way (conn_holds) */
};

/* The connection with this key: a living one, an accepted one offered as alias, or a new one being
 * opened. `*conn` comes with a reference. It leaves from the IP that a listener of the same side
 * and family is bound to, so that a core or peer knows us by it. What goes wrong while it is being
 * opened, even at once, is told to the watches; whoever waits for CONN_READY must ask conn_proves
 * then, for a verdict may be renewed meanwhile. Returns 0; STATUS_LIMIT (max_connections);
 * STATUS_UNPROVEN (the connection is up, but what it proved has lapsed: conn_holds);
 * STATUS_NOTFOUND (no certificate for our_domain); -EINVAL (a key without address, port or, for
 * TLS, far_domain); -ENOENT (the side has no listener to name us by); other -errno. */
int transport_connect(struct transport *transport, const struct conn_key *key, struct conn **conn);

struct conn *conn_ref(struct conn *conn);
struct conn *conn_unref(struct conn *conn); /* returns NULL; accepts NULL */

enum conn_state conn_state_of(const struct conn *conn);
/* May a request be sent on it now? It is CONN_READY, and what it has proven is not over; where that
 * is being found out anew, watches added meanwhile are told CONN_READY afterwards. */
bool conn_is_open(const struct conn *conn);
bool conn_is_accepted(const struct conn *conn);
enum sip_transport conn_transport(const struct conn *conn);
enum transport_side conn_side(const struct conn *conn);
const struct netaddr *conn_peer_addr(const struct conn *conn);

/* Did the far side prove this SIP domain? Only ever true in CONN_READY over TLS. */
bool conn_proves(const struct conn *conn, const char *domain);
/* Did it, or was it proven by keys in DNS until their TTL was over and DNS could not be asked any
 * more? Such an identity has lapsed: stale data proves nothing (design section 2), so nothing new
 * is admitted for it, and conn_proves says no. But it is the same connection with the same key, and
 * so what belongs to dialogs and transactions under way goes on, for an hour at most. What a trust
 * anchor vouches for does not lapse in that time: its chain is judged anew, without DNS. */
bool conn_holds(const struct conn *conn, const char *domain);
/* The first proven domain for logs and tokens of connections with one; "" if none. One that has
 * lapsed only where no other is left. */
const char *conn_proven_domain(const struct conn *conn);
/* The proven domains one by one, that one first; NULL past the last. */
const char *conn_identity(const struct conn *conn, size_t index);
/* All of them for people, as far as they fit: "opa.example, sip.opa.example"; "" if none. */
const char *conn_proven_text(const struct conn *conn, char *text, size_t size);
/* Our domain on this connection: the key's, or the domain of the certificate we served. */
const char *conn_our_domain(const struct conn *conn);

/* Queues bytes (copied); while the connection is being opened they wait. Returns 0,
 * STATUS_CLOSED, or -ENOBUFS (too much waiting: the connection is closed). */
int conn_send(struct conn *conn, struct slice bytes);

/* Before a message is sent: its place among what is sent. */
uint64_t conn_mark(const struct conn *conn);
/* May the far side have the message of that mark, or a part of it? Of a closed connection it has
 * not what its TCP never acknowledged, and nothing where a TLS connection that we opened closed
 * without a word: so does who refuses our certificate under TLS 1.3. */
bool conn_may_have_got(const struct conn *conn, uint64_t mark);

/* The accepted connection may serve requests towards `far_domain` at `addr` (RFC 5923: source IP
 * and the Via's sent-by port). Ignored unless conn_proves(conn, far_domain). */
void conn_offer_alias(struct conn *conn, const char *far_domain, const struct netaddr *addr);

/* Tells when a connection becomes ready or closed. `why` is a sentence for people on close. Called
 * from the loop, never from inside transport_connect, conn_send or transport_flush. A watch is
 * taken off by itself before its CONN_CLOSED call. One added to a connection that is closed already
 * is still told so; one added to an open connection is not told CONN_READY. */
typedef void conn_watch_h(struct conn *conn, enum conn_state state, const char *why, void *arg);
struct conn_watch { /* private; embed; clear with conn_watch_init */
    struct list link;
    conn_watch_h *handler;
    void *arg;
    bool waits; /* for CONN_READY */
};
void conn_watch_init(struct conn_watch *watch);
void conn_watch_add(struct conn *conn, struct conn_watch *watch, conn_watch_h *handler, void *arg);
void conn_watch_remove(struct conn_watch *watch); /* harmless when not added */

/* A connection as others see it. */
struct transport_view {
    enum transport_side side;
    enum sip_transport transport;
    bool accepted;
    const char *state;    /* "connecting", "handshake", "verdict", "ready" */
    struct netaddr addr;  /* of the far side */
    char our_domain[256]; /* "" where none was shown */
    char proven[256];     /* the first proven domain; "" for none */
    char identities[600]; /* all of them, a space between two, as far as there is room */
    uint64_t open_ms;     /* for how long */
    uint64_t idle_ms;     /* since the last byte that counted */
};
/* The living connections, at most `max`; with `domain` those that prove it only. Returns how many
 * there are. */
size_t transport_view_get(const struct transport *transport, const char *domain,
                          struct transport_view *views, size_t max);

struct transport_stats {
    size_t connections, peers; /* open; of them TLS with a proven domain */
    uint64_t received, sent;   /* messages */
    uint64_t writes;           /* system calls that sent something */
    uint64_t handshakes;       /* finished ones */
    uint64_t refused;          /* verdicts against the far side, and connections over the limit */
};
void transport_stats_get(const struct transport *transport, struct transport_stats *stats);

#endif
