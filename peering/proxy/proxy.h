/* The proxy of one worker: what happens to each SIP message (RFC 3261 section 16; private to
 * peering/).
 *
 * The way of a request, one file per step:
 *   intake.c   parse, hand over to the owning worker, match transactions, refuse what is malformed
 *   loop.c     has this request been here before, as it is?
 *   dialog.c   Route headers and dialog tokens: is it inside a dialog, and where does that lead?
 *   policy.c   may we talk to this peer, and how much of it is in its budgets?
 *   admit.c    may this source speak for this caller, and is the called address ours to route?
 *   called.c   what the directory says of the called address, and what peers are told
 *   verify.c   who the caller is, where the peer has not proven it: asks DNS, then the authority
 *   arrive.c   an address that is about to come to us: has it been committed?
 *   find.c     where DNS knows more than the directory: whom a number names, who serves an address
 *   context.c  the response context: one server transaction, its targets in turn, the best answer
 *   search.c   what it has until it is answered
 *   settle.c   what is left of it then, for as long as something may be repeated
 *   redirect.c port data in a redirect is followed, every other one is not
 *   attempt.c  one target: build (forward.c), connect and send (attempt_conn.c), wait, and end it
 *              (attempt_cancel.c)
 *   refuse.c   stateless answers
 *   news.c     what an authority told one worker, all workers know
 *   lost.c     a datagram that did not arrive: whose request was it?
 *   line.c     one line of the log for each request that was decided
 * And beside it:
 *   origin.c   what the source of a message has proven: may it answer, or cancel?
 *   sources.c  which sources are cores?
 *   notice.c   a word of ours to somebody whom we serve
 *   cores.c    where the cores' names lead, and how the cores are (core_check.c, board.c)
 * Everything of one request lives in the two arenas of its context: one for what its transactions
 * need to their end, one for what is given back once it is answered.
 * Further headers: plan.h where a request goes, context.h its way there, forward.h what is written,
 * identity.h who speaks for whom. */
#ifndef JUNCTOR_PEERING_PROXY_PROXY_H
#define JUNCTOR_PEERING_PROXY_PROXY_H

#include "base/arena.h"
#include "base/list.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/timers.h"
#include "peering/guard/guard.h"
#include "peering/proxy/core_view.h"
#include "peering/proxy/ask.h"
#include "peering/proxy/budget.h"
#include "peering/proxy/origin.h"
#include "peering/proxy/search_time.h"
#include "peering/proxy/notice.h"
#include "peering/proxy/told.h"
#include "peering/proxy/token.h"
#include "peering/sip/sip.h"
#include "peering/transport/transport.h"
#include "peering/txn/txn.h"
#include "peering/watch/watch.h"
#include "resolver/resolver.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes that a request may grow by on its way through: two Record-Routes with the longest tokens
 * and names, a Via, an identity. 60 kB of content must pass through both edges of a call. */
#define PROXY_ADDED_MAX 3072
#define PROXY_ADDED_LINES                                                                          \
    6 /* header lines, likewise: Via, two Record-Routes, Max-Forwards,                             \
         Content-Length, an identity */
#define PROXY_MAX_ALLOW     64
#define PROXY_MAX_FAIL_OVER 16
#define PROXY_WARNING_MAX   600        /* bytes of a Warning's text */
#define PROXY_SAID_MAX      160        /* of these, what the far side said in its own */
#define PROXY_CONTEXT_LIMIT (4u << 20) /* bytes of memory one request may use */
#define PROXY_BLOCK_SIZE    16384      /* what an ordinary call needs, in one piece */
#define PROXY_KEPT_SIZE     512        /* bytes of the blocks of what outlives the answer */

/* What is counted; read by other threads, written by the worker only. */
struct proxy_counters {
    _Atomic uint64_t requests, forwarded, refused, responses, dropped, handed_over;
    _Atomic uint64_t notices_taken, notices_refused, notices_lost; /* messages of our own */
};

/* Gives a message that belongs to worker `owner` to it, with what is known of where it came from
 * but for the connection; false where its inbox is full. */
typedef bool proxy_handover_h(unsigned owner, const struct origin *origin,
                              const struct proven *proven, struct slice bytes, void *arg);

/* Tells worker `owner` that a datagram of its own has not arrived; nobody hears where its inbox is
 * full. */
typedef void proxy_lost_h(unsigned owner, struct slice bytes, int error, void *arg);

/* Gives what an authority told to all other workers, as far as their inboxes have room. */
typedef void proxy_tell_h(const struct told_news *news, void *arg);

/* A hop that failed, and what it had to prove. */
struct failed_hop {
    struct resolver_hop hop;
    char domain[STORE_DOMAIN_MAX + 1];
};
/* Tells all other workers of it, likewise. */
typedef void proxy_failed_h(const struct failed_hop *failed, void *arg);

struct board;
struct cores;
struct ring;

struct proxy {
    unsigned index, workers;
    const struct transport_conf *transport_conf;
    struct netprefix allow[PROXY_MAX_ALLOW];
    size_t allow_count;
    uint16_t fail_over[PROXY_MAX_FAIL_OVER]; /* answers that lead on, besides 503 */
    size_t fail_over_count;
    unsigned first_response_ms, search_ms, timer_c_ms;
    unsigned cancel_guard_ms; /* 64*T1: an answer to our CANCEL comes by then (9.1) */
    uint8_t owner_key[16];    /* shared by all workers: who owns a UDP request, struct proven */
    uint8_t tag_key[16];      /* stateless To tags */
    bool draining;

    uv_loop_t *loop;
    struct timers *timers;
    struct transport *transport;
    struct resolver *resolver;
    struct store_reader *reader;
    struct guard *guard; /* shared by all workers */
    enum guard_peering peering;
    struct txn_layer *txns;
    struct arena_pool *pool;
    struct arena_pool *kept; /* of what outlives the answer, in small blocks */
    struct log *log;
    struct log_limit strangers; /* lines of refusals to whom nobody knows */
    struct log_limit excess;    /* of those of peers over a budget */
    struct log_limit answers;   /* and of answers that are dropped */
    struct proxy_counters *counters;
    struct told_table *told;
    struct budgets *budgets; /* shared by all workers */
    struct list asks;        /* questions to authorities under way */
    size_t ask_count;
    struct list notices; /* messages of our own under way; notice.h */
    size_t notice_count;
    struct watch watch;
    size_t undecided;     /* requests that wait for their final response */
    struct list contexts; /* every living one, for the end of the worker */

    proxy_handover_h *handover;
    proxy_tell_h *tell;
    proxy_lost_h *tell_lost;
    proxy_failed_h *tell_failed;
    void *handover_arg;

    struct ring *arrived; /* struct store_address: what arrive.c found to be ours by now */
    struct cores *cores;  /* what is known of our own; cores.h */
    bool reading;         /* the reader is begun; proxy_end_batch ends it */
    struct sip_header scratch[SIP_MAX_HEADERS]; /* index of the message being taken in */
};

/* Our branches name the worker and the side: worker + workers * this. Who sees a branch further
 * down can then not answer for a peer by a datagram to an inside listener. */
static inline unsigned proxy_side_number(enum transport_side side)
{
    return side == TRANSPORT_OUTSIDE ? 1 : 0;
}

/* ---- worker.c calls these ---- */

/* Takes in one message: a transport_message_h whose arg is the proxy. */
void proxy_receive(const struct transport_source *source, struct slice bytes, void *arg);
/* The same for a message that another worker handed over (UDP, a response, a CANCEL), with what its
 * connection had proven there. */
void proxy_receive_handed(struct proxy *proxy, const struct transport_listener *listener,
                          const struct netaddr *peer, const struct proven *proven,
                          struct slice bytes);
/* A datagram that began so has not arrived, of this worker or of another, which is told; `error` is
 * an errno. */
void lost_receive(struct proxy *proxy, struct slice bytes, int error);
/* Remembers, or forgets, what another worker was told. */
void news_receive(struct proxy *proxy, const struct told_news *news);
/* A hop failed at another worker: this one avoids it too. */
void news_receive_failed(struct proxy *proxy, const struct failed_hop *failed);
/* Before the loop sleeps: ends the read snapshot of this turn. */
void proxy_end_batch(struct proxy *proxy);
/* Which hops of cores are down, for all workers of an edge to see. `key` is random. NULL without
 * memory. */
struct board *board_alloc(const uint8_t key[16]);
struct board *board_free(struct board *board); /* accepts NULL; returns NULL */
/* Begins to look up the names of cores, and to ask them how they are, when the loop runs.
 * check_ms   between two checks of a next hop; 0: this worker asks nobody
 * Returns 0 or -ENOMEM. proxy_end_all stops it. */
int cores_start(struct proxy *proxy, struct board *board, unsigned check_ms);
void cores_free(struct proxy *proxy);
/* Copies what is known of at most `max` next hops of cores. Returns how many. */
size_t cores_view(const struct proxy *proxy, struct core_view *views, size_t max);
/* Ends every context, and the checks of cores, without a word, for the worker's end. */
void proxy_end_all(struct proxy *proxy);

/* policy.c */
/* Is whoever connects one of our cores? A transport_exempt_h whose arg is the proxy. */
bool policy_is_exempt(const struct transport_listener *listener, const struct netaddr *source,
                      void *arg);

/* ---- shared by the steps ---- */

/* Tells the transactions what time it is: first thing in whatever the loop calls. */
void proxy_advance(struct proxy *proxy);

/* The worker's snapshot of the directory, begun on first use in a loop turn; NULL where the store
 * cannot be read. */
struct store_reader *proxy_reader(struct proxy *proxy);

/* The host part of a URI is this edge: an advertised name, a bound address, or a hosted domain. */
bool proxy_is_us(struct proxy *proxy, const struct sip_uri *uri);

/* Is this domain, in canonical form, one of our directory's? */
bool proxy_hosts(struct proxy *proxy, const char *domain);

/* Shows a message that passed to whoever looks: a debug line (direction is "recv" or "sent"), and
 * the taps. */
void proxy_trace(struct proxy *proxy, const char *direction, const struct sip_msg *msg,
                 const struct transport_listener *listener, const struct netaddr *remote,
                 const struct conn *conn);

/* The same of a message that was sent, from its bytes: the first time and each time again. Costs
 * one comparison while nobody looks. */
void proxy_trace_sent(struct proxy *proxy, struct slice bytes,
                      const struct transport_listener *listener, const struct netaddr *remote,
                      const struct conn *conn);

/* The port to which a response goes (18.2.2, RFC 3581): over UDP the very port of its source where
 * that asks for it, or Via could not be read; else the sent-by port, over a stream whose connection
 * is gone too. */
uint16_t proxy_reply_port(const struct origin *origin, const struct sip_via *via);
/* Sends a response back where its request came from; over a stream whose connection is gone, over a
 * new one to that port. */
void proxy_send_response(struct proxy *proxy, const struct origin *origin, uint16_t port,
                         struct slice bytes);

/* refuse.c: a decision that nothing is forwarded. `warning` is a sentence for the other side, or
 * empty; `headers` further header lines. */
struct refusal {
    unsigned status; /* 0: nothing is refused */
    char warning[PROXY_WARNING_MAX];
    char headers[256];
};
void refusal_set(struct refusal *refusal, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The text of a response's first Warning (20.43), with '?' for what is not printable; empty where
 * there is none. */
void refusal_said(const struct sip_msg *response, char said[PROXY_SAID_MAX + 1]);

/* Answers without keeping state (8.2.7). */
void proxy_refuse(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                  const struct refusal *refusal);
/* The answer's bytes, in the arena; p == NULL on exhaustion. */
struct slice proxy_answer_build(struct proxy *proxy, struct arena *arena,
                                const struct origin *origin, const struct sip_msg *request,
                                const struct refusal *answer);
/* Is this the ACK to a stateless answer of ours? */
bool proxy_is_own_ack(const struct proxy *proxy, const struct sip_msg *ack);

/* ---- news.c ---- */

/* Remembers what an authority told, or forgets it and what DNS said of the address, here and at the
 * other workers. That it told nothing does not replace whom it named before. */
void news_spread(struct proxy *proxy, const struct told_news *news);
/* A hop failed, which all workers avoid from now on: one that has a connection there would send an
 * ACK into it and never know. `domain` as for resolver_hop_failed. */
void news_hop_failed(struct proxy *proxy, const struct resolver_hop *hop, const char *domain);

/* ---- line.c ---- */

/* A request was refused without state. Of strangers, and of peers over a
 * budget, there are only so many lines. */
void line_refused(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                  const struct refusal *refusal);
/* A response was dropped, and why. There are only so many such lines. */
void line_dropped(struct proxy *proxy, const struct origin *origin, const struct sip_msg *response,
                  const char *why);
/* One that came from where the request had not gone. */
void line_foreign_answer(struct proxy *proxy, const struct origin *origin,
                         const struct sip_msg *response);

#endif
