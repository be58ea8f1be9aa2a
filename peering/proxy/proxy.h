/* The proxy of one worker: what happens to each SIP message (RFC 3261 section 16; private to
 * peering/).
 *
 * The way of a request, one file per step:
 *   intake.c   parse, hand over to the owning worker, match transactions, refuse what is malformed
 *   loop.c     has this request been here before, as it is?
 *   dialog.c   Route headers and dialog tokens: is it inside a dialog, and where does that lead?
 *   policy.c   may we talk to this peer, and how much of it is in its budgets?
 *   admit.c    may this source speak for this caller, and is the called address ours to route?
 *   verify.c   who the caller is, where the peer has not proven it: asks DNS, then the authority
 *   find.c     where DNS knows more than the directory: whom a number names, who serves an address
 *   context.c  the response context: one server transaction, its targets in turn, the best answer
 *   redirect.c port data in a redirect is followed, every other one is not
 *   attempt.c  one target: build (forward.c), connect, send, wait
 *   refuse.c   stateless answers
 *   news.c     what an authority told one worker, all workers know
 *   lost.c     a datagram that did not arrive: whose request was it?
 *   line.c     one line of the log for each request that was decided
 * And beside it:
 *   origin.c   what the source of a message has proven: may it answer, or cancel?
 *   sources.c  which sources are cores?
 *   cores.c    where the cores' names lead, and how the cores are (core_check.c, board.c)
 * Everything of one request lives in the arena of its context. */
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

/* What is counted; read by other threads, written by the worker only. */
struct proxy_counters {
    _Atomic uint64_t requests, forwarded, refused, responses, dropped, handed_over;
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

struct board;
struct cores;

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
    struct log *log;
    struct log_limit strangers; /* lines of refusals to whom nobody knows */
    struct log_limit answers;   /* and of answers by whom was not asked */
    struct proxy_counters *counters;
    struct told_table *told;
    struct budgets *budgets; /* shared by all workers */
    struct list asks;        /* questions to authorities under way */
    size_t ask_count;
    struct watch watch;
    size_t undecided;     /* requests that wait for their final response */
    struct list contexts; /* every living one, for the end of the worker */

    proxy_handover_h *handover;
    proxy_tell_h *tell;
    proxy_lost_h *tell_lost;
    void *handover_arg;

    struct cores *cores;                        /* what is known of our own; cores.h */
    bool reading;                               /* the reader is begun; proxy_end_batch ends it */
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

/* Sends a response back where its request came from (18.2.2, RFC 3581), to its very port where Via
 * could not be read; over a stream whose connection is gone, over a new one to the Via's sent-by
 * port. */
void proxy_send_response(struct proxy *proxy, const struct origin *origin,
                         const struct sip_via *via, struct slice bytes);

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

/* ---- line.c ---- */

/* A request was refused without state. Of strangers there are only so many lines. */
void line_refused(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                  const struct refusal *refusal);
/* A response came from where the request had not gone, and was dropped. */
void line_foreign_answer(struct proxy *proxy, const struct origin *origin,
                         const struct sip_msg *response);

/* ---- where a request goes: made by dialog.c or admit.c, followed by context.c ---- */

#define PLAN_MAX_TARGETS STORE_CORES_MAX

struct plan {
    struct refusal *refusal;           /* status 0: forward; the caller keeps it */
    struct resolver *resolver;         /* draws among the cores of one rank; NULL: none is drawn */
    enum transport_side side;          /* towards core or peer */
    char hosted[STORE_DOMAIN_MAX + 1]; /* our domain on the outgoing side of this request: picks
                                          certificate and core group */
    char caller_group[STORE_DOMAIN_MAX + 1]; /* inside origin: the core group it came from */
    char peer[STORE_DOMAIN_MAX + 1]; /* the proven peer domain of this dialog; "" core to core */
    struct store_address called; /* outside a dialog, towards a core or for an alias: the address in
                                    canonical form that is asked for; user "": as it came */
    bool renamed;                /* `called` is the whole Request-URI: a number has led to it */
    bool in_dns;                 /* DNS is asked before there are targets: for `asked` */
    struct resolver_asked asked;
    struct store_address whom; /* outside a dialog, towards a peer that is not in our own directory
                                  as its host: whose authority may redirect; else user "" */
    uint16_t whom_port;        /* where that authority is asked; 0: DNS knows */
    bool verify;               /* the peer must be found to speak for this `caller` first */
    struct resolver_asked caller;               /* then: an address or a number */
    char assert_identity[STORE_DOMAIN_MAX + 1]; /* P-Asserted-Identity to add towards the core for
                                                   an anonymous caller; "" for none */
    struct guard_slot *budget; /* of the peer it came from: counts it as under way; or NULL */
    size_t own_routes;         /* topmost Route values that are ours and are removed */
    bool strict_next; /* the first Route value that stays is a strict router's (16.6 step 6) */
    bool in_dialog;
    bool in_order; /* a dialog's: the first target comes first even if it failed lately */
    struct netaddr dialog_addr; /* then, where the core's element that has it may be found by its
                                   address; else AF_UNSPEC */
    size_t target_count;
    struct resolver_target targets[PLAN_MAX_TARGETS]; /* last: a context keeps only those in use */
};

/* loop.c */
/* The second part of the branches that this request gets here. */
uint64_t loop_mark(const struct proxy *proxy, const struct origin *origin,
                   const struct sip_msg *request);
/* Has it been forwarded here before, with nothing changed that leads it? */
bool loop_is_closed(const struct proxy *proxy, const struct origin *origin,
                    const struct sip_msg *request);

/* dialog.c */
/* Does this request come from a strict router, with the Record-Route value that we gave it as
 * Request-URI (16.4)? */
bool dialog_is_strict(struct proxy *proxy, const struct sip_msg *request);
/* The same request as a loose router would have sent it: the last Route value is its Request-URI,
 * and our value the first Route. In the arena; NULL on exhaustion or where Route is malformed. */
const struct sip_msg *dialog_loosen(struct arena *arena, const struct sip_msg *request);
/* How many of the topmost Route values are ours; *next is the first that is not (bytes empty if
 * there is none). Returns 0 or STATUS_MALFORMED. */
int dialog_routes(struct proxy *proxy, const struct sip_msg *request, size_t *own,
                  struct sip_nameaddr *top, struct sip_nameaddr *next);
/* Does this request carry a dialog token of ours in its topmost Route (and a To tag)? */
bool dialog_has_token(const struct sip_msg *request, size_t own, const struct sip_nameaddr *top);
/* The plan for a request inside a dialog. */
void dialog_plan(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                 const struct sip_nameaddr *top, const struct sip_nameaddr *next,
                 struct plan *plan);

/* admit.c */
/* The plan for a request outside a dialog: the trust rule and the LUF. */
void admit_plan(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                const struct sip_nameaddr *next, struct plan *plan);
/* Refuses what a peer asks for inside a dialog of an address of ours that it would not reach
 * outside either. A Request-URI there is a Contact, which names a phone or gateway however its core
 * likes, and is the core's to judge; only an address of a hosted domain is in the directory. With
 * `has_route` another element of the core follows, which may have made that name up: then what is
 * blocked is refused, and no more. */
void admit_in_dialog(struct proxy *proxy, const struct sip_msg *request, bool has_route,
                     struct refusal *refusal);
/* Is this another edge's question where one of our addresses lives (design 3.4)? */
bool admit_is_probe(const struct origin *origin, const struct sip_msg *request);
/* Its answer, from the directory alone: nobody is asked, nothing is forwarded. */
void admit_answer_probe(struct proxy *proxy, const struct sip_msg *request, struct refusal *answer);
/* Completes a plan with `in_dns`, now that whom it is for has been found (design 3.1). */
void admit_found(struct proxy *proxy, const struct sip_msg *request,
                 const struct resolver_found *found, struct plan *plan);
/* Refuses what could not be found out: for the caller not "no such address", and for a core no 503,
 * which would take the whole edge out of service. */
void admit_not_found_out(const struct sip_msg *request, const char *why, struct refusal *refusal);
/* policy.c */
/* Is whoever connects one of our cores? A transport_exempt_h whose arg is the proxy. */
bool policy_is_exempt(const struct transport_listener *listener, const struct netaddr *source,
                      void *arg);
/* Refuses what the peer that sends it may not send now; else plan->budget counts it. Nothing for
 * what comes from the inside. */
void policy_from_peer(struct proxy *proxy, const struct origin *origin,
                      const struct sip_msg *request, bool in_dialog, struct plan *plan);
/* Refuses what is answered here at once, and keeps no state (a probe, OPTIONS, the CANCEL of
 * nothing), where the peer that sends it is over its requests per second, among which it counts. */
void policy_answered_here(struct proxy *proxy, const struct origin *origin,
                          struct refusal *refusal);
/* The CANCEL of a call came: it counts too, but is never refused. */
void policy_cancelled(struct proxy *proxy, const struct origin *origin);
/* Does this, inside a dialog, end a call (ACK, BYE) or bring it to where it can be ended (PRACK)?
 * Then it counts in its peer's budgets, but passes whatever that has spent. */
bool policy_never_refuses(const struct sip_msg *request);
/* Refuses an INVITE by a peer that calls this address too often. */
void policy_called(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                   struct plan *plan);
/* Refuses a plan that leads, outside a dialog, to a peer we do not talk to. */
void policy_to_peer(struct proxy *proxy, struct plan *plan);
/* A call of, or to, the peer of this connection was answered. NULL and cores: nothing. */
void policy_answered(struct proxy *proxy, const struct conn *conn);

/* Is this source one of the domain's core next hops, by address, where its name leads,
 * or by its certificate, or allowed
 * by configuration? (sources.c) */
bool admit_source_is_core(const struct proxy *proxy, const struct origin *origin,
                          const struct store_domain *domain);
/* Is this source a core of any hosted domain, or allowed by configuration? */
bool sources_known(struct proxy *proxy, const struct netaddr *peer);
/* A sips: request reaches a core over TLS only (design section 5, profile core): drops the other
 * targets, or refuses. */
void plan_keep_tls(const struct sip_msg *request, struct plan *plan);
/* The targets of a domain's core in the order of their ranks, the one that `next` names (if any)
 * first. */
void plan_core_targets(struct plan *plan, const struct store_domain *domain,
                       const struct sip_uri *next);

/* ---- context.c ---- */

struct attempt;

/* What redirects did to a request. */
struct redirect {
    bool asked_again;                  /* the authority was, after a host that was of no use */
    char failed[STORE_DOMAIN_MAX + 1]; /* that host */
    unsigned failed_status;            /* what it answered; 0: it was not reached */
};

/* The search for who a caller is. */
struct verify {
    struct resolver_finding *finding; /* DNS is asked */
    struct ask_wait wait;             /* the authority is asked */
    bool under_way;
    char peer[STORE_DOMAIN_MAX + 1]; /* whose budget pays, whatever it proves meanwhile */
};

/* A client transaction of a context, on its list until it has ended. */
struct client {
    struct list link;
    struct txn_client *txn;
};

/* Everything about one request on its way (RFC 3261 16: the response context). Lives in its own
 * arena; freed when its transactions have ended and nothing is under way. */
struct context {
    struct list link;
    struct proxy *proxy;
    struct arena *arena;
    struct origin origin; /* holds a reference to the connection */
    const struct sip_msg *request;
    struct plan *plan;
    struct txn_server *server; /* NULL for an ACK, and once it has ended */
    unsigned busy;             /* calls into this context on the stack: not freed under them */
    struct list clients;       /* struct client: client transactions that have not ended */

    struct verify verify;
    struct redirect redirect;
    struct resolver_finding *finding;   /* a search under way, before there are targets */
    size_t target_next;                 /* of plan.targets: the first not turned to yet */
    struct resolver_location *location; /* a lookup under way */
    struct resolver_search *searches;   /* one for each target turned to */
    struct resolver_hop hop;            /* the one tried last */
    struct attempt *current;            /* NULL: none waits for an answer */
    bool hop_again;                     /* it is to be tried once more: a reused connection broke */
    bool retried;                       /* this happened already */
    bool fallen_back;                   /* it is tried over UDP whatever the length: TCP failed */

    struct search_time search_time;
    bool undecided;       /* counted in proxy->undecided */
    bool answered_503;    /* one of the targets did */
    bool answer_too_long; /* the last one's was */
    bool search_over, cancelled, final_sent;
    uint64_t started_ms; /* of the worker's clock; and when it left for the hop tried last, and when
                            anything came back first; 0: not yet */
    uint64_t sent_ms, first_ms;
    unsigned tries; /* hops turned to */
    size_t provisional_bytes;
    unsigned kept_status;    /* of the best answer that led on to another target; 0: none did */
    struct slice kept_bytes; /* as it would go back */
    char *causes;            /* why targets failed, for the Warning; NULL: none did */
};

#define CONTEXT_PROVISIONAL_MAX 262144 /* bytes of provisional responses passed on per request */

/* line.c: it has its final answer. `result`: one word; `why` may be empty. */
void line_decided(const struct context *context, unsigned status, const char *result,
                  const char *why);

/* Takes a request that no transaction was found for; copies what it keeps. */
void context_start(struct proxy *proxy, const struct origin *origin, const struct sip_msg *request,
                   const struct plan *plan);
/* The CANCEL of this INVITE came. */
void context_cancel(struct context *context);
/* Ends everything of it now, without a word. */
void context_abort(struct context *context);

/* Around every call from outside that may end the context: between the two it stays valid, and the
 * transactions know what time it is. */
void context_enter(struct context *context);
void context_leave(struct context *context);

/* The search has begun, or goes on with what is left of its time. Returns 0 or -ENOMEM. */
int context_search_runs(struct context *context);
/* It stands still: what is waited for now has a limit of its own. Harmless when it does already. */
void context_search_waits(struct context *context);
/* Nothing is asked any more of whatever was turned to so far. */
void context_searches_drop(struct context *context);
/* The targets of the plan in turn, from the first. */
void context_try_targets(struct context *context);
/* Answers with what was found to be the matter. */
void context_refuse(struct context *context, const struct refusal *refusal);

/* verify.c: the backward check (design 3.4), then the targets or the refusal. */
void verify_start(struct context *context);
void verify_stop(struct context *context);

enum verify_verdict {
    VERIFY_YES, /* the peer speaks for it */
    VERIFY_NO,  /* it does not */
    VERIFY_OPEN /* somebody must be asked */
};
struct verified {
    struct resolver_asked caller;    /* OPEN: whom to ask about */
    char host[STORE_DOMAIN_MAX + 1]; /* YES: the domain that serves it, proven by the connection */
    char why[PROXY_WARNING_MAX / 2]; /* NO: which rule says so */
};
/* As far as it is known without asking anybody: may this connection speak for the address of this
 * URI (From, P-Asserted-Identity)? */
enum verify_verdict verify_known(struct proxy *proxy, const struct conn *conn,
                                 const struct sip_uri *uri, struct verified *verified);
/* The 403 for a caller that is not verified; `conn` has proven what it names. */
void verify_refuse(const struct conn *conn, const struct sip_uri *caller, const char *why,
                   struct refusal *refusal);
/* The canonical address of a sip: or sips: URI. Returns whether it has one. */
bool verify_address(const struct sip_uri *uri, struct store_address *address);
/* What stands in a token for the name in this URI: of an address or a number its canonical form,
 * else the URI as it is, but for parameters. Returns 0 or STATUS_CRYPTO. */
int verify_name(const struct sip_uri *uri, uint8_t name[TOKEN_SPEAKER_LEN]);

/* redirect.c (design 3.3) */
/* A failure came from the target: is it for us to deal with? Then the context goes on elsewhere or
 * was answered, and the response is not passed on. */
bool redirect_take(struct context *context, const struct sip_msg *response);
/* No target of this peer could be reached: is another to be turned to? Then the context goes on. */
bool redirect_lost(struct context *context);

/* find.c: asks DNS, then goes on with the targets or the refusal. */
void find_start(struct context *context);
void find_stop(struct context *context);

/* attempt.c reports to its context: */
/* What the far side of a hop must prove; "" where nothing. */
const char *context_far_domain(const struct context *context);
/* The hop tried last gets a second chance, once per request. Returns whether it does. */
bool context_retry_hop(struct context *context);
/* The hop tried last, over UDP, did not take TCP: it is tried again, without. */
void context_fall_back(struct context *context);
/* Notes why a target failed, for the Warning of the final answer. */
void context_add_cause(struct context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Is there another target to turn to? The last one has all that is left of the search. */
bool context_has_more(const struct context *context);
/* The current target is given up; the next one is tried. */
void context_attempt_failed(struct context *context);
/* A final response that leads to the next target, but goes back where none has a better one. */
void context_keep_response(struct context *context, const struct sip_msg *response,
                           const struct conn *conn);
/* A response to pass on; a final one ends the search. `conn`: where it came from, NULL for UDP. */
void context_response(struct context *context, const struct attempt *attempt,
                      const struct sip_msg *response, const struct conn *conn);

/* ---- attempt.c ---- */

/* Tries one next hop: builds the request, connects where needed, sends. An ACK is only sent; for
 * others context->current is set and the outcome reported later, never from inside this call.
 * Returns 0, or a negative status with the cause noted. */
int attempt_start(struct context *context, const struct resolver_hop *hop);
/* The INVITE shall be cancelled: now, or as soon as a provisional response allows (9.1). */
void attempt_cancel(struct attempt *attempt);
/* The context waits for it no longer. An INVITE that may have arrived is cancelled as soon as it
 * can be. */
void attempt_abandon(struct attempt *attempt);

/* ---- forward.c ---- */

struct forward {
    struct proxy *proxy;
    struct arena *arena;
    const struct origin *origin;
    const struct sip_msg *request;
    const struct plan *plan;
    const struct transport_listener *out; /* names us in Via */
    enum sip_transport transport;
    const struct transport_listener *route_out; /* and in Record-Route: where TCP is used for the */
    enum sip_transport route_transport;         /* length alone, the dialog goes on by UDP */
    const char *branch;
};

/* The request as it goes out, gathered in the arena. p == NULL on exhaustion or without a token
 * key. */
struct slice forward_request(const struct forward *forward);
/* The response as it goes back: topmost Via removed, identities cleaned where it comes from a peer
 * (else NULL) or goes to one (its domain; else NULL). p == NULL on exhaustion, or where no Via
 * would be left (16.7 step 3). */
struct slice forward_response(struct proxy *proxy, struct arena *arena,
                              const struct sip_msg *response, const struct conn *from_peer,
                              const char *to_peer);
/* Does a request of this method get Record-Route? */
bool forward_records_route(enum sip_method method);

/* identity.c: edits that remove what a peer may not assert (each P-Asserted-Identity that does not
 * pass verify_known), or not be told: `peer` keeps P-Asserted-Identity only if it is marked as
 * trusting ours, and the message has no Privacy: id (design 3.5, RFC 3325 section 5 and 7). */
void identity_clean_from_peer(struct proxy *proxy, struct sip_edits *edits,
                              const struct sip_msg *msg, const struct conn *conn);
void identity_clean_to_peer(struct proxy *proxy, struct sip_edits *edits, const struct sip_msg *msg,
                            const char *peer);
/* Does the connection prove the domain of this URI? */
bool identity_is_proven(const struct conn *conn, const struct sip_uri *uri);
/* Does it hold it (conn_holds)? That is enough for what a dialog under way began with. */
bool identity_is_held(const struct conn *conn, const struct sip_uri *uri);
/* RFC 3323 4.1.1.3: a From that names nobody. */
bool identity_is_anonymous(const struct sip_uri *from);
/* The first sip: or sips: URI that P-Asserted-Identity names; from a peer (conn is not NULL) only
 * where it stays, being verified. */
bool identity_asserted(struct proxy *proxy, const struct sip_msg *msg, const struct conn *conn,
                       struct sip_uri *uri);

#endif
