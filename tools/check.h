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
#define CHECK_ANSWER_MS     3000  /* and for the answer to OPTIONS after that */

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

/* ---- check_targets.c: each address of each target ---- */

struct check_reach {
    struct probe_result results[CHECK_TARGETS_MAX][CHECK_ADDRESSES_MAX];
    bool tried[CHECK_TARGETS_MAX][CHECK_ADDRESSES_MAX];
    size_t passed; /* addresses that callers get through to */
};

/* Connects to all, in order, until the time is over; says what hinders callers. Returns 0 or
 * -ENOMEM. */
int check_targets_reach(const struct check_place *place, const char *domain,
                        const struct check_targets *targets, int64_t deadline_ms,
                        struct check_findings *findings, struct check_reach *reach);

/* ---- check_print.c ---- */

struct check_outcome {
    const char *domain;
    const struct check_findings *findings;
    const struct check_targets *targets;
    const struct check_reach *reach;
    bool passes; /* callers get through */
};

void check_print(const struct check_outcome *outcome);
void check_print_json(const struct check_outcome *outcome);

#endif
