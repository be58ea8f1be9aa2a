/* Do callers get through to the targets that DNS names, and do they believe who answers there? */
#include "tools/check.h"

#include "base/waiting.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SYSTEM_ANCHORS "/etc/ssl/certs/ca-certificates.crt"
/* ---- all of them ---- */

static void tlsa_list(const struct check_target *target, struct tls_tlsa list[CHECK_TLSA_MAX])
{
    for (size_t i = 0; i < target->tlsa_count; i++) {
        const struct check_tlsa *tlsa = &target->tlsa[i];
        list[i] =
            (struct tls_tlsa){tlsa->usage, tlsa->selector, tlsa->matching, tlsa->data, tlsa->len};
    }
}

static bool visit_run(struct check_visit *visit, struct probe_conf *conf, int64_t deadline_ms,
                      struct probe_result *result)
{
    struct tls_tlsa list[CHECK_TLSA_MAX];
    int64_t now_ms = waiting_now_ms();
    if (now_ms >= deadline_ms) {
        check_visit_found(visit, true, "time", "was not tried, the time for the check was over",
                          "it is not known whether callers get through here");
        return false;
    }
    tlsa_list(visit->target, list);
    conf->tlsa = list;
    conf->tlsa_count = visit->target->tlsa_count;
    conf->target = *visit->addr;
    conf->connect_until_ms = now_ms + CHECK_CONNECT_MS;
    if (conf->connect_until_ms > deadline_ms)
        conf->connect_until_ms = deadline_ms;
    conf->answer_until_ms = now_ms + CHECK_RESPONSE_MS;
    if (conf->answer_until_ms > deadline_ms)
        conf->answer_until_ms = deadline_ms;
    probe_run(conf, result);
    conf->tlsa = NULL; /* the list is ours */
    conf->tlsa_count = 0;
    return check_visit_judge(visit);
}

/* Without a configuration of ours: the system's CAs, and no certificate. */
static int tls_load(const struct check_place *place, struct tls_context **tls, char *why)
{
    struct tls_conf system = {.anchors_file =
                                  access(SYSTEM_ANCHORS, R_OK) == 0 ? SYSTEM_ANCHORS : NULL};
    return tls_context_load(place->conf ? &place->conf->edge.tls : &system, tls, why);
}

/* Whose certificate we show: not the domain's own, where there is another one. */
static const char *domain_choose(const struct check_place *place, const char *domain)
{
    const struct tls_conf *tls = place->conf ? &place->conf->edge.tls : NULL;
    if (!tls || tls->certificate_count == 0)
        return "";
    for (size_t i = 0; i < tls->certificate_count; i++)
        if (strcmp(tls->certificates[i].domain, domain) != 0)
            return tls->certificates[i].domain;
    return tls->certificates[0].domain;
}

/* What keeps callers from one address is bad; from all of them, fatal. */
static void severities_settle(struct check_visit *visit, size_t from, size_t passed)
{
    for (size_t i = from; i < visit->findings->count && passed == 0; i++)
        if (visit->fatal[i])
            visit->findings->list[i].severity = CHECK_ERROR;
}

static void targets_visit(struct check_visit *visit, struct probe_conf *conf,
                          const struct check_targets *targets, int64_t deadline_ms,
                          struct check_reach *reach)
{
    for (size_t i = 0; i < targets->count; i++) {
        visit->target = &targets->list[i];
        for (size_t k = 0; k < visit->target->address_count; k++) {
            visit->addr = &visit->target->addresses[k];
            visit->result = &reach->results[i][k];
            reach->tried[i][k] = true;
            reach->passes[i][k] = visit_run(visit, conf, deadline_ms, &reach->results[i][k]);
            reach->passed += reach->passes[i][k];
        }
    }
}

/* ---- do callers have the time? ---- */

struct delay {
    unsigned lost_ms; /* on targets that say nothing, before the first that takes the call */
    size_t target;    /* that one */
    bool found;
};

/* Targets of one priority come in any order, so that all that say nothing may come first. */
static struct delay delay_worst(const struct check_targets *targets,
                                const struct check_reach *reach)
{
    struct delay delay = {.lost_ms = 0};
    for (size_t i = 0; i < targets->count; i++) {
        const struct check_target *target = &targets->list[i];
        if (delay.found && target->priority != targets->list[delay.target].priority)
            break;
        for (size_t k = 0; k < target->address_count; k++) {
            if (reach->passes[i][k] && !delay.found) {
                delay.found = true;
                delay.target = i;
            }
            if (reach->results[i][k].timed_out)
                delay.lost_ms += reach->results[i][k].stage == PROBE_OPTIONS ? CHECK_RESPONSE_MS
                                                                             : CHECK_HANDSHAKE_MS;
        }
    }
    return delay;
}

static void delay_judge(const struct check_targets *targets, const struct check_reach *reach,
                        struct check_findings *findings)
{
    struct delay delay = delay_worst(targets, reach);
    if (!delay.found || delay.lost_ms < CHECK_SEARCH_MS)
        return;
    struct check_finding *finding =
        check_found(findings, CHECK_ERROR, "slow",
                    "callers may lose %u s on targets that do not answer before they come to %s",
                    delay.lost_ms / 1000, targets->list[delay.target].host);
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "%s", targets->list[delay.target].host);
    snprintf(finding->why, sizeof(finding->why),
             "an edge gives a call up after %d s; take the SRV records of the silent targets out, "
             "or give them a higher number as priority",
             CHECK_SEARCH_MS / 1000);
}

/* ---- the whole ---- */

static void unasked_found(const struct check_place *place, struct check_findings *findings)
{
    struct check_finding *finding =
        check_found(findings, CHECK_WARNING, "no-certificate",
                    "no certificate of ours was shown and no OPTIONS sent: %s",
                    *place->why ? place->why : "the configuration names none");
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "this host");
    snprintf(finding->why, sizeof(finding->why),
             "edges answer OPTIONS only to proven peers, so whether calls are taken is not known; "
             "--config names the daemon's configuration, which must be readable, and so must a "
             "certificate and its key");
}

static void tls_failed(const char *why, struct check_findings *findings)
{
    struct check_finding *finding = check_found(findings, CHECK_ERROR, "tls", "%s", why);
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "this host");
    snprintf(finding->why, sizeof(finding->why),
             "no target could be tried; certificate, key and trust anchors of the configuration "
             "must be readable here");
}

int check_targets_reach(const struct check_place *place, const char *domain, bool ours,
                        const struct check_targets *targets, int64_t deadline_ms,
                        struct check_findings *findings, struct check_reach *reach)
{
    char why[TLS_MAX_WHY];
    struct check_visit visit = {.domain = domain, .ours = ours, .findings = findings};
    struct probe_conf conf = {.our_domain = domain_choose(place, domain), .far_domain = domain};
    size_t from = findings->count;
    memset(reach, 0, sizeof(*reach));
    if (tls_load(place, &conf.tls, why)) {
        tls_failed(why, findings);
        return 0;
    }
    reach->asked = *conf.our_domain != '\0';
    if (!reach->asked)
        unasked_found(place, findings);
    targets_visit(&visit, &conf, targets, deadline_ms, reach);
    severities_settle(&visit, from, reach->passed);
    delay_judge(targets, reach, findings);
    check_porting_reach(conf.tls, domain, targets, deadline_ms, findings);
    tls_context_unref(conf.tls);
    return 0;
}
