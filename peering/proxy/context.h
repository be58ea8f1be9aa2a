/* One request on its way, from its plan to its final answer (RFC 3261 16.6 to 16.10): the response
 * context, its attempts, and what may come before and between them (private to peering/). */
#ifndef JUNCTOR_PEERING_PROXY_CONTEXT_H
#define JUNCTOR_PEERING_PROXY_CONTEXT_H

#include "base/arena.h"
#include "base/list.h"
#include "peering/proxy/plan.h"

#include <stdbool.h>
#include <stdint.h>

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

/* What a context has until it is settled: all that finds somebody who answers, and the messages
 * themselves. In an arena of its own, which is given back then. */
struct search {
    struct arena *arena;
    struct verify verify;
    struct ask_wait arrival; /* the authority is asked whether `called` is ours by now */
    struct redirect redirect;
    struct resolver_finding *finding;   /* a search under way, before there are targets */
    size_t target_next;                 /* of plan.targets: the first not turned to yet */
    struct resolver_location *location; /* a lookup under way */
    struct resolver_search *searches;   /* one for each target turned to */
    struct resolver_hop hop;            /* the one tried last */
    struct search_time time;
};

/* Everything about one request on its way (RFC 3261 16: the response context). Freed when its
 * transactions have ended and nothing is under way. Once the answer has gone it is settled as soon
 * as possible (settle.c): for half a minute more it only tells repeated messages from new ones, and
 * a busy edge has very many of those. */
struct context {
    struct list link;
    struct proxy *proxy;
    struct arena *arena;  /* of what lasts as long as its transactions; it lives there itself */
    struct origin origin; /* holds a reference to the connection */
    enum sip_method method;
    enum transport_side side; /* as its plan said, once that is gone: where it went, and the peer */
    const char *peer;
    uint16_t reply_port;       /* of its sender */
    struct txn_server *server; /* NULL for an ACK, and once it has ended */
    unsigned busy;             /* calls into this context on the stack: not freed under them */
    struct list clients;       /* struct client: client transactions that have not ended */

    /* NULL once it is settled: */
    struct search *search;
    const struct sip_msg *request;
    struct plan *plan;
    struct attempt *current;  /* NULL: none waits for an answer */
    struct attempt *answered; /* whose final answer went back; NULL: none did */

    bool hop_again;       /* the hop tried last is to be tried once more */
    bool retried;         /* this happened already */
    bool fallen_back;     /* it is tried over UDP whatever the length: TCP failed */
    bool undecided;       /* counted in proxy->undecided */
    bool answered_503;    /* one of the targets did */
    bool answer_too_long; /* the last one's was */
    bool search_over, cancelled, final_sent;
    uint64_t started_ms; /* of the worker's clock; and when it left for the hop tried last, and when
                            anything came back first; 0: not yet */
    uint64_t sent_ms, first_ms;
    unsigned tries; /* hops turned to */
    size_t provisional_bytes, success_bytes;
    unsigned kept_status;    /* of the best answer that led on to another target; 0: none did */
    struct slice kept_bytes; /* as it would go back */
    char *causes;            /* why targets failed, for the Warning; NULL: none did */
};

/* For what is needed as long as the context, or only now. */
static inline struct arena *context_scratch(const struct context *context)
{
    return context->search ? context->search->arena : context->arena;
}

/* Bytes of responses passed on per request: provisional ones, and 2xx. The latter is enough for a
 * dozen forks that repeat theirs until the ACK comes (13.3.1.4), and of the longest 2xx for one. */
#define CONTEXT_PROVISIONAL_MAX 262144
#define CONTEXT_SUCCESS_MAX     1048576

/* line.c: it has its final answer, or ends without one (`status` 0). `result`: one word; `why` may
 * be empty. */
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
/* The targets of the plan in turn, from the first. */
void context_try_targets(struct context *context);
/* The caller is known: what else must be found out, then the targets. */
void context_admitted(struct context *context);
/* Answers with what was found to be the matter. */
void context_refuse(struct context *context, const struct refusal *refusal);

/* verify.c: the backward check (design 3.4), then the targets or the refusal. */
void verify_start(struct context *context);
void verify_stop(struct context *context);

/* redirect.c (design 3.3) */
/* A failure came from the target: is it for us to deal with? Then the context goes on elsewhere or
 * was answered, and the response is not passed on. */
bool redirect_take(struct context *context, const struct sip_msg *response);
/* No target of this peer could be reached: is another to be turned to? Then the context goes on. */
bool redirect_lost(struct context *context);

/* arrive.c (design section 8) */
/* Asks the authority where that is not known, then the targets or the refusal. */
void arrive_start(struct context *context);
void arrive_stop(struct context *context);
/* The authority leads a request of our own core to `host`, ours: is the address prepared for it?
 * Then the context goes on to its core, or was answered. */
bool arrive_turn(struct context *context, const char *host);

/* find.c: asks DNS, then goes on with the targets or the refusal. */
void find_start(struct context *context);
void find_stop(struct context *context);

/* attempt.c reports to its context: */
/* What the far side of a hop must prove; "" where nothing. Not once it is settled. */
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
void context_response(struct context *context, struct attempt *attempt,
                      const struct sip_msg *response, const struct conn *conn);

/* The request has its final answer, or ends without: it does not count as under way any more. */
void context_mark_decided(struct context *context);

/* ---- search.c ---- */

/* Copies the request and its plan, and makes ready to search. Returns 0 or -ENOMEM. */
int context_search_begin(struct context *context, const struct sip_msg *request,
                         const struct plan *plan);
/* It stands still: what is waited for now has a limit of its own. Harmless when it does already. */
void context_search_waits(struct context *context);
/* Nothing is asked any more of whatever was turned to so far. */
void context_searches_drop(struct context *context);
/* The search begins anew, with room in the plan for any targets. Returns 0 or -ENOMEM. */
int context_replan(struct context *context);
/* Nobody is searched any more, and the messages are forgotten. Harmless where they are. */
void context_search_free(struct context *context);

/* ---- settle.c ---- */

/* Gives back what is of use only until a request is answered, where it is, and nothing but its
 * transactions' timers is waited for. Harmless where not, and without memory. */
void context_settle(struct context *context);
/* Where it goes, or went; and the peer of the dialog, "" between cores. */
enum transport_side context_side(const struct context *context);
const char *context_peer(const struct context *context);

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
/* Its final answer has gone back: gives back what only a request under way needs. Returns 0, or
 * -EBUSY where it cannot. */
int attempt_settle(struct attempt *attempt);

#endif
