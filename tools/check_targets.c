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
#define CERTIFICATE_SOON                                                                           \
    1209600 /* s, 14 days: who renews later than that has no time for mistakes */

/* One address of one target, while it is looked at. */
struct visit {
    const char *domain;
    const struct check_target *target;
    const struct netaddr *addr;
    const struct probe_result *result;
    struct check_findings *findings;
    bool fatal[CHECK_FINDINGS_MAX]; /* findings that keep callers from an address */
};

static struct check_finding *visit_found(struct visit *visit, bool fatal, const char *code,
                                         const char *what, const char *why)
{
    char addr[NETADDR_TEXT_MAX];
    struct check_finding *finding = check_found(visit->findings, CHECK_WARNING, code, "%s", what);
    if (!finding)
        return NULL;
    visit->fatal[finding - visit->findings->list] = fatal;
    snprintf(finding->where, sizeof(finding->where), "%s (%s)", visit->target->host,
             netaddr_format(visit->addr, addr));
    snprintf(finding->why, sizeof(finding->why), "%s", why);
    return finding;
}

/* The record that names the key that is served. */
static void tlsa_suggest(const struct visit *visit, struct check_finding *finding)
{
    uint32_t ttl_s = visit->target->tlsa_ttl_s ? visit->target->tlsa_ttl_s : 3600;
    if (!finding)
        return;
    int len = snprintf(finding->add, sizeof(finding->add), "_%u._tcp.%s. %u IN TLSA 3 1 1 ",
                       visit->target->port, visit->target->host, ttl_s);
    for (size_t i = 0; i < TLS_KEY_HASH_LEN && len > 0 && (size_t)len + 3 < sizeof(finding->add);
         i++)
        len += snprintf(finding->add + len, sizeof(finding->add) - (size_t)len, "%02x",
                        visit->result->key_hash[i]);
}

/* ---- who is it? ---- */

/* Those of usages that count between peers (design section 6). */
static size_t tlsa_usable(const struct check_target *target)
{
    size_t count = 0;
    for (size_t i = 0; i < target->tlsa_count; i++)
        count += (target->tlsa[i].usage == 2 || target->tlsa[i].usage == 3) &&
                 target->tlsa[i].selector <= 1 && target->tlsa[i].matching <= 2;
    return count;
}

static void tlsa_ending(struct visit *visit)
{
    const struct probe_result *result = visit->result;
    if (!result->tlsa_matches || result->tlsa_lasts)
        return;
    tlsa_suggest(visit, visit_found(visit, false, "tlsa-ending",
                                    "the TLSA records match this very certificate, not its key",
                                    "they stop matching when the certificate is renewed, even "
                                    "with the same key, and callers then refuse it"));
}

/* Returns whether callers believe it. */
static bool tlsa_judge(struct visit *visit)
{
    const struct probe_result *result = visit->result;
    const struct check_target *target = visit->target;
    bool decides = target->tlsa_state == CHECK_TLSA_VALIDATED && tlsa_usable(target) > 0;
    if (target->tlsa_state == CHECK_TLSA_UNKNOWN)
        return false;
    if (tlsa_usable(target) > 0 && !result->tlsa_matches)
        tlsa_suggest(visit,
                     visit_found(visit, decides, "tlsa-mismatch",
                                 "no TLSA record matches the key that is served here",
                                 decides ? "callers refuse it, whatever CA its certificate has"
                                         : "it counts for nothing now, as the zone is not "
                                           "validated; once it is, callers refuse it"));
    tlsa_ending(visit);
    return decides ? result->tlsa_matches : result->anchored;
}

static void certificate_judge(struct visit *visit, bool believed)
{
    const struct probe_result *result = visit->result;
    if (!result->anchored)
        visit_found(visit, !believed, "certificate", result->verdict,
                    believed
                        ? "the TLSA records prove it; callers who do not look at them refuse it"
                        : "callers refuse it");
    int64_t left_s = result->expires_s - (int64_t)time(NULL);
    if (left_s > 0 && left_s < CERTIFICATE_SOON) {
        char what[96];
        snprintf(what, sizeof(what), "the certificate expires within %d days",
                 (int)(left_s / 86400) + 1);
        visit_found(visit, false, "certificate-expiring", what,
                    tlsa_usable(visit->target) == 1
                        ? "renew it; a new key needs its TLSA record first (junctor cert next), "
                          "else callers refuse it"
                        : "callers refuse it then; renew it");
    }
}

/* ---- does it answer? ---- */

static bool is_refusal(unsigned status)
{
    return status >= 500 || status == 401 || status == 403 || status == 407 || status == 480;
}

static bool answer_judge(struct visit *visit)
{
    const struct probe_result *result = visit->result;
    char what[TLS_MAX_VERDICT + 64];
    if (result->stage == PROBE_OPTIONS) {
        snprintf(what, sizeof(what), "OPTIONS sip:%.253s got no answer: %.128s", visit->domain,
                 result->why);
        visit_found(visit, true, "options", what,
                    "calls would not be answered either; does it take our certificate (its "
                    "operator's log says), and is it SIP that listens there?");
    } else if (result->stage == PROBE_ANSWERED && is_refusal(result->answer)) {
        snprintf(what, sizeof(what), "OPTIONS sip:%.253s was answered %u %s", visit->domain,
                 result->answer, result->reason);
        visit_found(visit, true, "options", what,
                    "it takes no calls from here now; its operator's log says why");
    } else {
        return true;
    }
    return false;
}

/* Returns whether callers get through here. */
static bool result_judge(struct visit *visit)
{
    const struct probe_result *result = visit->result;
    char what[TLS_MAX_VERDICT + 64];
    switch (result->stage) {
    case PROBE_NO_ROUTE:
        snprintf(what, sizeof(what), "was not tried, this host has no way there: %s", result->why);
        visit_found(visit, true, "no-route", what, "callers elsewhere may have one");
        return false;
    case PROBE_CONNECT:
        snprintf(what, sizeof(what), "takes no connection: %s", result->why);
        visit_found(visit, true, "unreachable", what,
                    "callers try the next target; is the edge up, the address right, the port "
                    "open in the firewall?");
        return false;
    case PROBE_HANDSHAKE:
        snprintf(what, sizeof(what), "TLS fails: %s", result->why);
        visit_found(visit, true, "handshake", what,
                    "callers try the next target; is it TLS that listens there, and does it take "
                    "our certificate?");
        return false;
    case PROBE_JUDGED:
    case PROBE_OPTIONS:
    case PROBE_ANSWERED:
        break;
    }
    bool believed = tlsa_judge(visit);
    certificate_judge(visit, believed);
    return answer_judge(visit) && believed;
}

/* ---- all of them ---- */

static void tlsa_list(const struct check_target *target, struct probe_tlsa list[CHECK_TLSA_MAX])
{
    for (size_t i = 0; i < target->tlsa_count; i++) {
        const struct check_tlsa *tlsa = &target->tlsa[i];
        list[i] =
            (struct probe_tlsa){tlsa->usage, tlsa->selector, tlsa->matching, tlsa->data, tlsa->len};
    }
}

static bool visit_run(struct visit *visit, struct probe_conf *conf, int64_t deadline_ms,
                      struct probe_result *result)
{
    struct probe_tlsa list[CHECK_TLSA_MAX];
    int64_t now_ms = waiting_now_ms();
    if (now_ms >= deadline_ms) {
        visit_found(visit, true, "time", "was not tried, the time for the check was over",
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
    conf->answer_until_ms = now_ms + CHECK_CONNECT_MS + CHECK_ANSWER_MS;
    if (conf->answer_until_ms > deadline_ms)
        conf->answer_until_ms = deadline_ms;
    probe_run(conf, result);
    conf->tlsa = NULL; /* the list is ours */
    conf->tlsa_count = 0;
    return result_judge(visit);
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
static void severities_settle(struct visit *visit, size_t from, size_t passed)
{
    for (size_t i = from; i < visit->findings->count && passed == 0; i++)
        if (visit->fatal[i])
            visit->findings->list[i].severity = CHECK_ERROR;
}

static void targets_visit(struct visit *visit, struct probe_conf *conf,
                          const struct check_targets *targets, int64_t deadline_ms,
                          struct check_reach *reach)
{
    for (size_t i = 0; i < targets->count; i++) {
        visit->target = &targets->list[i];
        for (size_t k = 0; k < visit->target->address_count; k++) {
            visit->addr = &visit->target->addresses[k];
            visit->result = &reach->results[i][k];
            reach->tried[i][k] = true;
            reach->passed += visit_run(visit, conf, deadline_ms, &reach->results[i][k]);
        }
    }
}

int check_targets_reach(const struct check_place *place, const char *domain,
                        const struct check_targets *targets, int64_t deadline_ms,
                        struct check_findings *findings, struct check_reach *reach)
{
    char why[TLS_MAX_WHY];
    struct visit visit = {.domain = domain, .findings = findings};
    struct probe_conf conf = {.our_domain = domain_choose(place, domain), .far_domain = domain};
    size_t from = findings->count;
    memset(reach, 0, sizeof(*reach));
    if (tls_load(place, &conf.tls, why)) {
        check_found(findings, CHECK_ERROR, "tls", "%s", why);
        return 0;
    }
    if (*place->why) {
        struct check_finding *finding =
            check_found(findings, CHECK_NOTE, "no-certificate",
                        "no certificate of ours was shown and no OPTIONS sent: %s", place->why);
        if (finding)
            snprintf(finding->why, sizeof(finding->why),
                     "edges answer OPTIONS only to proven peers; --config names the daemon's "
                     "configuration, which must be readable, and so must a certificate and its "
                     "key");
    }
    targets_visit(&visit, &conf, targets, deadline_ms, reach);
    severities_settle(&visit, from, reach->passed);
    tls_context_unref(conf.tls);
    return 0;
}
