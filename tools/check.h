/* What junctor dns check and junctor cert next share, and the parts of the former. */
#ifndef JUNCTOR_TOOLS_CHECK_H
#define JUNCTOR_TOOLS_CHECK_H

#include "peering/probe.h"
#include "resolver/check.h"
#include "tools/conf.h"
#include "tools/tool.h"

#include <stdint.h>

#define CHECK_BUDGET_MS     15000 /* for the whole check */
#define CHECK_DNS_BUDGET_MS 9000  /* of that, for questions to DNS */
#define CHECK_CONNECT_MS    3000  /* for connection and handshake with one address */
#define CHECK_SEARCH_MS     12000 /* so long an edge tries the targets of a call (peering.h) */
#define CHECK_HANDSHAKE_MS  3000  /* and waits for one that does not speak TLS (conn.h) */
#define CHECK_RESPONSE_MS   4000  /* or, once it does, does not respond; nor does the check */

/* ---- check_place.c: whom to ask, and who we are ---- */

struct check_place {
    struct junctord_conf *conf; /* NULL: there is none that can be read */
    char why[CONF_MAX_WHY];     /* no certificate of ours can be shown; "": one can */
    struct netaddr resolver;
    bool trusted;     /* its word on DNSSEC counts */
    uint16_t port;    /* of name servers */
    int64_t start_ms; /* when the choice began */
};

/* By options, else by the configuration: of several upstreams the first that answers, and none that
 * the edge does not trust where it trusts others. `must`: the configuration must be readable; else
 * only where --config names it. Its certificates are left as they are with `must`, however unfit;
 * without, those that cannot be shown are left out. Returns an exit code; check_place_free in any
 * case. */
int check_place_choose(const struct tool *tool, bool must, struct check_place *place);
void check_place_free(struct check_place *place);

/* ---- check_wanted.c: what should exist, by the daemon ---- */

struct check_wanted {
    bool known;                  /* the domain is ours */
    struct zone_record *records; /* the caller's, of CHECK_WANTED_MAX */
    size_t count;
    char *hosted[CHECK_HOSTED_MAX]; /* user parts of some addresses that live here */
    size_t hosted_count;
};

/* Blocks for some seconds at most. check_wanted_free in any case, which frees the records too. */
void check_wanted_ask(struct tool *tool, const char *domain, struct check_findings *findings,
                      struct check_wanted *wanted);
void check_wanted_free(struct check_wanted *wanted);

/* ---- check_targets.c: each address of each target ---- */

struct check_reach {
    struct probe_result results[CHECK_TARGETS_MAX][CHECK_ADDRESSES_MAX];
    bool tried[CHECK_TARGETS_MAX][CHECK_ADDRESSES_MAX];
    bool passes[CHECK_TARGETS_MAX][CHECK_ADDRESSES_MAX]; /* callers get through to it */
    size_t passed;                                       /* how many of them do */
    bool asked; /* with OPTIONS; else none of them is known to take calls */
};

/* Connects to all, in order, until the time is over; says what hinders callers. `ours`: the domain
 * is. Returns 0 or -ENOMEM. */
int check_targets_reach(const struct check_place *place, const char *domain, bool ours,
                        const struct check_targets *targets, int64_t deadline_ms,
                        struct check_findings *findings, struct check_reach *reach);

/* ---- check_porting.c ---- */

/* Connects to each address of the federation API that DNS leads to, until the time is over; says
 * what hinders other operators there. Calls do not depend on it, so nothing of it is an error. */
void check_porting_reach(struct tls_context *tls, const char *domain,
                         const struct check_targets *targets, int64_t deadline_ms,
                         struct check_findings *findings);

/* ---- check_verdict.c: one address of one target ---- */

struct check_visit {
    const char *domain;
    bool ours; /* the domain is */
    const struct check_target *target;
    const struct netaddr *addr;
    const struct probe_result *result;
    struct check_findings *findings;
    bool fatal[CHECK_FINDINGS_MAX]; /* findings that keep callers from an address */
};

/* `fatal`: it keeps callers from this address. */
struct check_finding *check_visit_found(struct check_visit *visit, bool fatal, const char *code,
                                        const char *what, const char *why);
/* Says what hinders callers. Pure but for the findings and the calendar. Returns whether they get
 * through here. */
bool check_visit_judge(struct check_visit *visit);

/* ---- check_print.c ---- */

struct check_outcome {
    const char *domain;
    const struct check_findings *findings;
    const struct check_targets *targets;
    const struct check_reach *reach;
    bool passes;  /* callers get through */
    bool unknown; /* nothing hinders them, but nobody was asked */
};

void check_print(const struct check_outcome *outcome);
void check_print_json(const struct check_outcome *outcome);

#endif
