/* The inside of a transport: who owns what, and how a loop turn runs.
 *
 * A struct transport owns its listeners and, by one reference each, its connections. All work
 * happens in uv_poll callbacks and in transport_turn, which a uv_prepare calls before the loop
 * sleeps: it writes what was queued (listeners' datagrams, the `dirty` connections) and then tells
 * the watches of connections that were closed meanwhile. Closing (conn_close) is thus safe at any
 * point: it frees the socket and the keys at once, the rest later.
 *
 * The memory of a connection goes when its last reference does: the owner's, one of its uv_poll
 * until that handle is closed, and those of the layers above. The memory of the transport goes with
 * its last closed handle. */
#ifndef JUNCTOR_PEERING_TRANSPORT_INTERNAL_H
#define JUNCTOR_PEERING_TRANSPORT_INTERNAL_H

#include "base/buf.h"
#include "base/log_limit.h"
#include "base/table.h"
#include "peering/transport/transport.h"

#include <openssl/bio.h>
#include <sys/types.h>

#define UDP_BATCH                 32      /* datagrams per system call */
#define UDP_BATCHES_PER_TURN      4       /* then other sockets have their turn */
#define UDP_LOST_MAX              32      /* datagrams that did not arrive, told per turn */
#define UDP_LOST_BYTES            1024    /* of each: what names its transaction */
#define UDP_LOST_ROUNDS           8       /* what the telling sends is lost, and is told */
#define UDP_SOCKET_BUFFER         4194304 /* asked from the kernel, which may give less */
#define LISTENER_BACKLOG          512
#define LISTENER_ACCEPTS_PER_TURN 32
#define LISTENER_PAUSE_MS         100   /* no accepting after the process ran out of descriptors */
#define CONN_READ_SIZE            16384 /* one TLS record */
#define CONN_READS_PER_TURN       8     /* then other sockets have their turn */
#define CONN_MAX_READ             (SIP_MAX_HEADER + SIP_MAX_MESSAGE + CONN_READ_SIZE)
#define CONN_KEEP_BUFFER          65536 /* an empty buffer that grew past this is given back */
#define CONN_MAX_ALIASES          4     /* keys under which one accepted connection is found */
#define CONN_USER_TIMEOUT_MS      32000 /* unacknowledged bytes end the connection (Timer B) */
#define CONN_NAME_MAX             (256 + 4 + NETADDR_TEXT_MAX)

/* The beginning of a datagram that did not arrive. */
struct udp_lost {
    int error;
    size_t len;
    char bytes[UDP_LOST_BYTES];
};

/* Datagrams waiting for one sendmmsg. */
struct udp_queue {
    struct buf bytes;
    size_t count, sent; /* entries filled; of them already handed to the kernel */
    struct {
        size_t offset, len;
        struct netaddr to;
    } entry[UDP_BATCH];
    size_t lost_count;
    struct udp_lost lost[UDP_LOST_MAX]; /* to be told at the end of the turn */
};

struct listener {
    struct transport *transport;
    const struct transport_listener *conf;
    int fd; /* -1 once closed */
    uv_poll_t poll;
    uint16_t port;           /* bound: differs from conf->bind where that asks for port 0 */
    struct udp_queue *queue; /* UDP only */
    struct timer pause;      /* streams only */
};

struct transport {
    uv_loop_t *loop;
    struct timers *timers;
    const struct transport_conf *conf;
    unsigned connect_timeout_ms, idle_timeout_ms, message_timeout_ms;
    size_t max_connections;
    struct tls_context *tls;             /* NULL: no TLS */
    const struct transport_trust *trust; /* NULL: trust anchors decide, about all */
    struct log *log;
    transport_message_h *message;
    transport_lost_h *lost; /* NULL: nobody wants to know */
    void *arg;
    struct guard *guard;  /* NULL: everything is let through */
    unsigned ban_changes; /* of the guard, as of the last look at all connections */
    transport_exempt_h *exempt;
    void *exempt_arg;

    uv_prepare_t prepare;
    size_t handles; /* of libuv, not yet closed (those of connections are not counted) */
    struct listener listeners[TRANSPORT_MAX_LISTENERS];
    size_t listener_count;
    struct udp_batch *batch; /* where datagrams are received */
    BIO_METHOD *bio;

    struct list conns;             /* living connections */
    struct list unproven;          /* of them: accepted and guarded, without proof; oldest first */
    struct list dirty;             /* of them: with bytes to write this turn */
    struct list closing;           /* closed, watches not yet told */
    struct table *keys;            /* struct conn_entry */
    bool full;                     /* max_connections was met and said so in the log */
    struct log_limit fullness;     /* lines of that */
    struct log_limit strangers[2]; /* by side: lines about accepted connections without proof */
    struct log_limit bans;         /* lines of who is banned, which no flood of those drowns */
    struct transport_stats stats;
};

/* One key under which a connection is found. */
struct conn_entry {
    struct table_link link;
    struct list of_conn;
    struct conn *conn;
    struct conn_key key;
};

/* A SIP domain that the far side has proven. */
struct conn_identity {
    char domain[256];
    uint64_t until_ms; /* of the loop's clock: so long it was found to hold */
    bool by_keys;      /* DNS named the key; else a trust anchor vouches for it */
    bool lapsed;       /* and that is over, but DNS cannot be asked (verdict.c) */
};

struct conn {
    unsigned refs;
    struct transport *transport; /* NULL once that is closed */
    const struct transport_listener *listener;
    struct conn_key key; /* accepted: addr is the peer, far_domain the first proven domain */
    bool accepted;
    enum conn_state state;
    struct list link;       /* in transport->conns or ->closing */
    struct list dirty_link; /* in transport->dirty */
    struct list entries;    /* struct conn_entry */
    size_t entry_count;
    struct list watches;

    int fd;
    uv_poll_t poll;
    int polled;          /* events asked for now */
    unsigned reads_left; /* recv calls left in this turn; 0 after a short one */
    bool write_blocked, write_failed;
    bool heard; /* any byte of the application arrived */
    struct buf in, out;
    size_t scanned;             /* of sip_frame */
    size_t skipping;            /* bytes still to come that are passed over */
    struct timer timer;         /* connecting and handshake; then idle */
    struct timer message_timer; /* runs while a message is incomplete */
    uint64_t opened_ms, active_ms;

    /* gate.c */
    bool guarded;                  /* accepted from somebody the guard holds for */
    bool greeted;                  /* a whole message came */
    bool throttled;                /* nothing is read before `pause` is over */
    struct guard_slot *guard_slot; /* counts it until it has proven something; or NULL */
    uint64_t guard_peer;           /* whose budget its messages are; 0: nobody's */
    size_t first_bytes;            /* received before the first message was whole */
    uint64_t written;              /* bytes given to the socket, */
    uint64_t acked;                /* and of these, once it is closed, what may have arrived */
    uint64_t accepted_ms;
    struct timer pause;
    struct list unproven_link; /* in transport->unproven */

    struct tls_context *tls;
    SSL *ssl;                         /* NULL: plain TCP */
    int wake_at;                      /* bytes that must wait before we are woken; 0: one */
    bool ssl_wants_write;             /* to go on with handshake or read */
    bool ssl_write_wants_read;        /* to go on with a write */
    bool ssl_broken;                  /* a fatal error: no SSL_shutdown */
    struct conn_identity *identities; /* those that have lapsed come last */
    size_t identity_count;
    struct verdict *verdict;   /* while it is being found out who the far side is */
    uint64_t proof_ms;         /* until then it is known; 0: for as long as the connection lives */
    uint64_t renew_ms;         /* from then on it is found out anew, if somebody uses it */
    bool paused;               /* messages wait for that */
    char fault[128];           /* of the last failed read or write */
    char why[TLS_MAX_VERDICT]; /* the longest sentence of an end is that of a refusal */
};

/* ---- udp.c ---- */
struct udp_batch *udp_batch_alloc(void);
int udp_queue_open(struct listener *listener);
void udp_queue_close(struct listener *listener);
void udp_receive(struct listener *listener);
void udp_flush(struct listener *listener);

/* ---- udp_lost.c ---- */
/* The kernel keeps ICMP errors of this socket from now on. */
void udp_lost_listen(int fd, int family);
/* Takes them from it, a bounded number. */
void udp_lost_read(struct listener *listener);
/* This one did not arrive; `error` is an errno. */
void udp_lost_note(struct udp_queue *queue, struct slice bytes, int error);
/* Tells of all that were noted. Returns whether there were any. */
bool udp_lost_tell(struct listener *listener);

/* ---- listener.c ---- */
/* Returns 0 or -errno with a sentence in `why`. */
int listener_open(struct transport *transport, const struct transport_listener *conf, char *why);
void listener_close(struct listener *listener);

/* ---- gate.c: the guard's bounds, where there is one ---- */
struct gate_pass {
    bool guarded;
    struct guard_slot *slot;
};
/* May one more connection be open, if need be in place of one that has proven nothing? */
bool gate_makes_room(struct transport *transport, enum transport_side side);
/* May this address connect now? Says why not. */
bool gate_admits(struct listener *listener, const struct netaddr *peer, struct gate_pass *pass);
void gate_entered(struct conn *conn, const struct gate_pass *pass); /* takes the pass over */
void gate_left(struct conn *conn); /* it has ended or proven something; harmless twice */
/* The far side is to blame for the end of a connection that follows. */
void gate_failed(struct conn *conn, const char *what);
/* It has proven its identities. False where it is closed: its address is banned, or its peer has
 * too many. */
bool gate_proven(struct conn *conn);
void gate_check_bytes(struct conn *conn); /* closes it where it sent too much before a request */
/* Closes those that a ban shuts out, once after each change of the bans: the silent ones too. */
void gate_check_bans(struct transport *transport);
/* UINT64_MAX: there is no such time. */
uint64_t gate_first_request_by_ms(const struct conn *conn);
void gate_close_late(struct conn *conn);
/* A whole message was handed over; may pause it. */
void gate_message(struct conn *conn);

/* ---- transport.c ---- */
void transport_handle_closed(struct transport *transport);

/* ---- pool.c ---- */
/* The name of a key's far side in sentences: "opb.example at 192.0.2.1:5061" or "192.0.2.1:5060".
 */
const char *conn_key_name(const struct conn_key *key, char text[CONN_NAME_MAX]);
int pool_put(struct conn *conn, const struct conn_key *key);
void pool_remove_all(struct conn *conn);
/* A renewed verdict may have taken identities away: nothing meant for those finds it any more. */
void pool_remove_lost(struct conn *conn);

/* ---- conn.c: life of a connection ---- */
/* With the transport's reference, in no state's business yet; `fd` is the connection's from now on
 * (also on failure, where it is closed). NULL without memory. */
struct conn *conn_alloc(struct transport *transport, int fd, const struct conn_key *key,
                        const struct transport_listener *listener, enum conn_state state);
void conn_set_state(struct conn *conn, enum conn_state state);
/* Ends it with a sentence; harmless when it is closed already. Watches are told from the loop. */
void conn_close(struct conn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Logs what the far side did wrong: a warning, or for an accepted connection that proved nothing a
 * notice of which there are only so many. */
void conn_accuse(struct conn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
void conn_become_ready(struct conn *conn);
void conn_resume(struct conn *conn); /* what waited for a renewed verdict goes on */
void conn_tell_closed(struct conn *conn);
void conn_detach(struct conn *conn); /* the transport closes: no more callbacks, drops its ref */
const char *conn_name(const struct conn *conn, char text[CONN_NAME_MAX]);
/* NULL: it was not proven. */
const struct conn_identity *conn_identity_find(const struct conn *conn, const char *domain);
void conn_mark_active(struct conn *conn);

/* ---- conn_io.c: what happens on a connection's socket ---- */
void conn_start(struct conn *conn); /* polls and starts the deadline of its state */
void conn_poll_update(struct conn *conn);
void conn_flush(struct conn *conn);
void conn_read(struct conn *conn);
void conn_take(struct conn *conn); /* messages that have come, then reads on */

/* ---- handshake.c ---- */
/* Gives the connection its SSL object. Returns 0, STATUS_NOTFOUND (no certificate for our domain),
 * -ENOMEM. */
int conn_tls_attach(struct conn *conn);
void conn_handshake(struct conn *conn);

/* ---- verdict.c ---- */
/* The handshake is finished: enters CONN_VERDICT, and leaves it now or later. */
void verdict_begin(struct conn *conn);
/* Its time is over: decides with what is known. */
void verdict_late(struct conn *conn);
/* Is what was found out about the far side over? Then it is being found out anew, and conn_resume
 * follows; or the connection has ended. To be asked before anything new passes. */
bool verdict_is_over(struct conn *conn);
/* Nobody is asked any more. Harmless where nobody is. */
void verdict_drop(struct conn *conn);

/* ---- stream.c: reads and writes, plain and TLS alike ---- */
enum stream_result {
    STREAM_DONE,    /* *len bytes, at least one */
    STREAM_BLOCKED, /* wait for the socket */
    STREAM_EOF,     /* the far side has closed */
    STREAM_FAILED   /* conn->fault says why */
};
BIO_METHOD *stream_bio_alloc(void);
int stream_attach(struct conn *conn); /* puts the socket under conn->ssl; 0 or -ENOMEM */
enum stream_result stream_handshake(struct conn *conn);
enum stream_result stream_read(struct conn *conn, char *p, size_t size, size_t *len);
enum stream_result stream_write(struct conn *conn, struct slice bytes, size_t *len);
void stream_shutdown(struct conn *conn); /* says goodbye where TLS can, frees the SSL object */
/* Lower-case words for the common errors of connecting. */
const char *stream_errno_text(int error);

#endif
