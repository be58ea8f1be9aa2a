/* One target of a request, as the files attempt*.c share it (private to them). */
#ifndef JUNCTOR_PEERING_PROXY_ATTEMPT_H
#define JUNCTOR_PEERING_PROXY_ATTEMPT_H

#include "base/timers.h"
#include "peering/proxy/context.h"

#include <stdbool.h>
#include <stdint.h>

/* In the arena of its context. */
struct attempt {
    struct context *context;
    struct netaddr addr; /* of its hop, as its transport and name are */
    enum sip_transport transport;
    const char *host;       /* NULL once it is settled, as `sent` is */
    const char *far_domain; /* what it must prove, whatever the context turns to later */
    const struct transport_listener *out;
    struct conn *conn; /* NULL for UDP */
    struct conn_watch watch;
    struct client client; /* its txn is NULL once it has ended */
    const struct sip_msg *sent;
    struct timer timer; /* first response, then timer C or the guard of a CANCEL */
    const struct transport_listener *udp; /* over TCP for its length alone (18.1.1): what it would
                                             have left by; else NULL */
    bool connected;                       /* the connection became ready */
    bool reused;                          /* the connection was open before */
    bool on_wire;                         /* the request was sent */
    uint64_t mark;                        /* on its connection, where it begins */
    bool provisional;                     /* a provisional response came */
    bool rang;                            /* and one that says more than 100 */
    bool cut_off;                         /* its connection has closed since */
    bool abandoned;                       /* the context does not wait any more */
    bool cancel_wanted, cancel_sent;
};

static inline struct proxy *attempt_proxy(const struct attempt *attempt)
{
    return attempt->context->proxy;
}

/* ---- attempt.c ---- */

/* A client transaction of the context has begun, or ended. */
void attempt_client_add(struct context *context, struct client *client);
void attempt_client_del(struct client *client);
/* May an answer to the request, its CANCEL or its ACK come from `source`, a struct origin? The
 * `accepts` of struct txn_client_user, whose arg is the attempt. */
bool attempt_may_answer(const void *source, void *arg);
/* The bytes of a request of ours as a message, index in the arena with room for `header_max` lines.
 * NULL on exhaustion. */
struct sip_msg *attempt_index(struct arena *arena, struct slice bytes, size_t header_max);
/* The request leaves for its target now. */
void attempt_note_sent(const struct attempt *attempt);
/* The calls to come shall avoid this hop for a while. */
void attempt_hop_failed(const struct attempt *attempt);
/* The one timer of the attempt: the first response, timer C, or the guard of a CANCEL. */
void attempt_start_timer(struct attempt *attempt, uint64_t after_ms);
/* The request is on the wire: how long is it waited for? */
void attempt_await_response(struct attempt *attempt);
/* It has come to nothing; the cause is noted. The context, if it still waits, goes on. May free
 * it. */
void attempt_fail(struct attempt *attempt);

/* ---- attempt_conn.c ---- */

/* Finds or opens the connection to the hop. Returns 0, or a negative status with the cause noted,
 * or the next try, by UDP, prepared. */
int attempt_connect(struct attempt *attempt);
/* Sends what a client transaction of the attempt wants sent: its `send`. */
void attempt_send(struct slice bytes, void *arg);
/* Sends the request, an ACK, which has no transaction; or the context waits for its connection, and
 * turns to another hop where that fails. Returns 0 or -ENOMEM. */
int attempt_start_ack(struct attempt *attempt);
/* It was sent, or is not waited for any more. */
void attempt_drop_ack(struct attempt *attempt);
/* May the target have the request, or a part of it? */
bool attempt_may_have_arrived(const struct attempt *attempt);
/* What becomes of the connection: a conn_watch_h whose arg is the attempt. */
void attempt_on_conn(struct conn *conn, enum conn_state state, const char *why, void *arg);

#endif
