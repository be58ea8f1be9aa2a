/* Where a request goes: dialog.c and admit.c make the plan, policy.c says whether it may be
 * followed, context.c follows it (private to peering/). */
#ifndef JUNCTOR_PEERING_PROXY_PLAN_H
#define JUNCTOR_PEERING_PROXY_PLAN_H

#include "peering/proxy/proxy.h"
#include "resolver/resolver.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

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
    struct resolver_asked caller; /* then: an address or a number */
    bool arrives; /* `called` is about to come to us: its authority must say first that it has */
    char assert_identity[STORE_DOMAIN_MAX + 1]; /* P-Asserted-Identity to add towards the core for
                                                   an anonymous caller; "" for none */
    struct guard_slot *budget; /* of the peer it came from: counts it as under way; or NULL */
    size_t own_routes;         /* topmost Route values that are ours and are removed */
    bool strict_next; /* the first Route value that stays is a strict router's (16.6 step 6) */
    bool in_dialog;
    bool in_order; /* a dialog's: the first target comes first even if it failed lately */
    struct netaddr dialog_addr; /* a dialog's: the host of the core or peer that has it, if the
                                   route set gives its address; else AF_UNSPEC */
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

/* arrive.c (design section 8) */
/* Is this address prepared here, for `hosting`, which is ours? */
bool arrive_expected(struct proxy *proxy, const struct store_address *address,
                     struct store_domain *hosting);
/* The plan for a peer's request to an address of a foreign domain: with `arrives`, or refused. */
void arrive_plan(struct proxy *proxy, const struct sip_msg *request,
                 const struct store_address *address, struct plan *plan);

#endif
