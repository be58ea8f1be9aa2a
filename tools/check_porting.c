/* Do other operators reach the federation API where DNS leads them, and do they believe it? Calls
 * do not depend on it. */
#include "tools/check.h"

#include "base/waiting.h"

#include <stdio.h>
#include <string.h>

struct porting_visit {
    const struct check_porting *porting;
    const struct netaddr *addr;
    const struct probe_result *result;
    bool decides; /* TLSA records do */
    struct check_findings *findings;
};

static void found(const struct porting_visit *visit, enum check_severity severity, const char *code,
                  const char *what, const char *why)
{
    char addr[NETADDR_TEXT_MAX];
    struct check_finding *finding = check_found(visit->findings, severity, code, "%s", what);
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "%s (%s)", visit->porting->host,
             netaddr_format(visit->addr, addr));
    snprintf(finding->why, sizeof(finding->why), "%s", why);
}

/* An operator has one key for all that it does between operators (peering/judge.h). */
static void key_judge(const struct porting_visit *visit)
{
    const struct probe_result *result = visit->result;
    if (visit->decides ? result->tlsa_matches : result->anchored)
        return;
    found(
        visit, CHECK_WARNING, "porting-certificate",
        visit->decides ? "the federation API shows a key that no TLSA record of the SIP service "
                         "matches"
                       : result->verdict,
        "other operators refuse it, so no address moves to or from the domain; the federation API "
        "is to show the certificate of the domain that SIP peers are shown");
}

static void visit_judge(const struct porting_visit *visit)
{
    const struct probe_result *result = visit->result;
    char what[TLS_MAX_VERDICT + 64];
    switch (result->stage) {
    case PROBE_NO_ROUTE:
        snprintf(what, sizeof(what), "was not tried, this host has no way there: %.500s",
                 result->why);
        found(visit, CHECK_NOTE, "no-route", what, "other operators may have one");
        return;
    case PROBE_CONNECT:
        snprintf(what, sizeof(what), "the federation API takes no connection: %.500s", result->why);
        found(visit, CHECK_WARNING, "porting-unreachable", what,
              "no address moves to or from the domain while other operators do not reach it; does "
              "section federation listen there, is the port open in the firewall?");
        return;
    case PROBE_HANDSHAKE:
        snprintf(what, sizeof(what), "the federation API: TLS fails: %.500s", result->why);
        found(
            visit, CHECK_WARNING, "porting-handshake", what,
            "no address moves to or from the domain; is it the federation API that listens there, "
            "and has it a certificate for the domain?");
        return;
    case PROBE_JUDGED:
    case PROBE_OPTIONS:
    case PROBE_ANSWERED:
        break;
    }
    key_judge(visit);
}

/* Those of all SIP targets that count. */
static size_t tlsa_collect(const struct check_targets *targets,
                           struct tls_tlsa list[CHECK_TLSA_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < targets->count; i++) {
        const struct check_target *target = &targets->list[i];
        for (size_t k = 0; k < target->tlsa_count && count < CHECK_TLSA_MAX; k++) {
            const struct check_tlsa *tlsa = &target->tlsa[k];
            if (target->tlsa_state == CHECK_TLSA_VALIDATED && tlsa->usable)
                list[count++] = (struct tls_tlsa){tlsa->usage, tlsa->selector, tlsa->matching,
                                                  tlsa->data, tlsa->len};
        }
    }
    return count;
}

static void address_visit(struct porting_visit *visit, struct probe_conf *conf, int64_t deadline_ms)
{
    struct probe_result result;
    int64_t now_ms = waiting_now_ms(), until_ms = now_ms + CHECK_CONNECT_MS;
    if (now_ms >= deadline_ms) {
        found(visit, CHECK_NOTE, "time", "was not tried, the time for the check was over",
              "it is not known whether other operators reach the federation API here");
        return;
    }
    conf->target = *visit->addr;
    conf->connect_until_ms = until_ms < deadline_ms ? until_ms : deadline_ms;
    visit->result = &result;
    probe_run(conf, &result);
    visit_judge(visit);
    visit->result = NULL; /* it ends here */
}

void check_porting_reach(struct tls_context *tls, const char *domain,
                         const struct check_targets *targets, int64_t deadline_ms,
                         struct check_findings *findings)
{
    struct tls_tlsa list[CHECK_TLSA_MAX];
    struct probe_conf conf = {.tls = tls,
                              .our_domain = "",
                              .far_domain = domain,
                              .tlsa = list,
                              .tlsa_count = tlsa_collect(targets, list)};
    struct porting_visit visit = {.decides = conf.tlsa_count > 0, .findings = findings};
    for (size_t i = 0; i < targets->porting_count; i++) {
        visit.porting = &targets->porting[i];
        for (size_t k = 0; k < visit.porting->address_count; k++) {
            visit.addr = &visit.porting->addresses[k];
            address_visit(&visit, &conf, deadline_ms);
        }
    }
}
