/* Do callers get through to one address of one target, and do they believe who answers there? */
#include "tools/check.h"

#include "base/hex.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CERTIFICATE_SOON                                                                           \
    1209600 /* s, 14 days: who renews later than that has no time for mistakes */

struct check_finding *check_visit_found(struct check_visit *visit, bool fatal, const char *code,
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

static bool is_served(const struct check_visit *visit)
{
    for (size_t i = 0; i < visit->target->served_count; i++)
        if (memcmp(visit->target->served[i], visit->result->key_hash, TLS_KEY_HASH_LEN) == 0)
            return true;
    return false;
}

/* The record that names the key that is served; where all servers have it, it takes but time. */
static void tlsa_suggest(const struct check_visit *visit, struct check_finding *finding)
{
    uint32_t ttl_s = visit->target->tlsa_ttl_s ? visit->target->tlsa_ttl_s : 3600;
    if (!finding)
        return;
    if (is_served(visit)) {
        snprintf(finding->why, sizeof(finding->why),
                 "every name server has its record by now, but callers who remember the older ones "
                 "refuse it for another %u s; nothing is to be done but to wait",
                 visit->target->tlsa_until_s);
        return;
    }
    char key[HEX_LEN(TLS_KEY_HASH_LEN) + 1];
    snprintf(finding->add, sizeof(finding->add), "_%u._tcp.%s. %u IN TLSA 3 1 1 %s",
             visit->target->port, visit->target->host, ttl_s,
             hex_encode(visit->result->key_hash, TLS_KEY_HASH_LEN, key));
}

/* ---- who is it? ---- */

static size_t tlsa_usable(const struct check_target *target)
{
    size_t count = 0;
    for (size_t i = 0; i < target->tlsa_count; i++)
        count += target->tlsa[i].usable;
    return count;
}

static void tlsa_ending(struct check_visit *visit)
{
    const struct probe_result *result = visit->result;
    if (!result->tlsa_matches || result->tlsa_lasts)
        return;
    tlsa_suggest(visit,
                 check_visit_found(visit, false, "tlsa-ending",
                                   "the TLSA records match this very certificate, not its key",
                                   "they stop matching when the certificate is renewed, even "
                                   "with the same key, and callers then refuse it"));
}

static void tlsa_unmatched(struct check_visit *visit, bool decides)
{
    if (visit->target->tlsa_left_out) {
        check_visit_found(visit, decides, "limit",
                          "there are more TLSA records than are looked at, and none of these "
                          "matches the key that is served here",
                          "whether callers believe it is not known; nobody needs so many");
        return;
    }
    tlsa_suggest(visit,
                 check_visit_found(visit, decides, "tlsa-mismatch",
                                   "no TLSA record matches the key that is served here",
                                   decides ? "callers refuse it, whatever CA its certificate has"
                                           : "it counts for nothing now, as nothing proves it "
                                             "(DNSSEC); once something does, callers refuse it"));
}

static bool is_within(const char *host, const char *domain)
{
    size_t len = strlen(host), domain_len = strlen(domain);
    return len >= domain_len && strcmp(host + len - domain_len, domain) == 0 &&
           (len == domain_len || host[len - domain_len - 1] == '.');
}

/* Within the domain the records that should exist are known; elsewhere the key that is served tells
 * what they should be. */
static void tlsa_lacking(struct check_visit *visit)
{
    const struct check_target *target = visit->target;
    if (!visit->ours || !target->proven || target->tlsa_state != CHECK_TLSA_NONE ||
        is_within(target->host, visit->domain))
        return;
    tlsa_suggest(visit, check_visit_found(visit, false, "missing",
                                          "no TLSA record names the key that is served here",
                                          "only callers who know the CA of its certificate believe "
                                          "it; the record belongs into the zone of that host"));
}

/* Returns whether callers believe it. */
static bool tlsa_judge(struct check_visit *visit)
{
    const struct probe_result *result = visit->result;
    const struct check_target *target = visit->target;
    bool decides = target->tlsa_state == CHECK_TLSA_VALIDATED && tlsa_usable(target) > 0;
    if (target->tlsa_state == CHECK_TLSA_UNKNOWN) {
        check_visit_found(visit, true, "tlsa-unknown",
                          "whether there are TLSA records could not be found out",
                          "callers refuse what might be forged, whatever CA its certificate has");
        return false;
    }
    if (tlsa_usable(target) > 0 && !result->tlsa_matches)
        tlsa_unmatched(visit, decides);
    tlsa_ending(visit);
    tlsa_lacking(visit);
    return decides ? result->tlsa_matches : result->anchored;
}

static void certificate_judge(struct check_visit *visit, bool believed)
{
    const struct probe_result *result = visit->result;
    if (!result->anchored)
        check_visit_found(
            visit, !believed, "certificate", result->verdict,
            believed
                ? "the TLSA records prove it to callers who look at them; others refuse it, and "
                  "junctord itself does not look at them yet"
                : "callers refuse it");
    int64_t left_s = result->expires_s - (int64_t)time(NULL);
    if (left_s > 0 && left_s < CERTIFICATE_SOON) {
        char what[96];
        snprintf(what, sizeof(what), "the certificate expires within %d days",
                 (int)(left_s / 86400) + 1);
        check_visit_found(
            visit, false, "certificate-expiring", what,
            tlsa_usable(visit->target) == 1
                ? "renew it; a new key needs its TLSA record first (junctor cert next), "
                  "else callers refuse it"
                : "callers refuse it then; renew it");
    }
}

/* ---- does it answer? ---- */

/* What an answer to OPTIONS lets expect of a call. */
enum answer {
    ANSWER_TAKES,    /* or it is about this one request only, as 405 and 483 are */
    ANSWER_DOUBTFUL, /* nothing follows from it */
    ANSWER_REFUSES
};

static enum answer answer_class(unsigned status)
{
    static const unsigned about_this_one[] = {405, 406, 415, 481, 483, 486, 488};
    static const unsigned refusals[] = {401, 403, 404, 407, 408, 410, 421, 480, 494};
    if (status < 300)
        return ANSWER_TAKES;
    if (status < 400 || status >= 500)
        return ANSWER_REFUSES;
    for (size_t i = 0; i < sizeof(about_this_one) / sizeof(about_this_one[0]); i++)
        if (status == about_this_one[i])
            return ANSWER_TAKES;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (status == refusals[i])
            return ANSWER_REFUSES;
    return ANSWER_DOUBTFUL;
}

static bool answer_judge(struct check_visit *visit)
{
    const struct probe_result *result = visit->result;
    char what[TLS_MAX_VERDICT + 64];
    if (result->stage == PROBE_JUDGED)
        return true; /* nobody was asked */
    if (result->stage == PROBE_OPTIONS) {
        snprintf(what, sizeof(what), "OPTIONS sip:%.253s got no answer: %.128s", visit->domain,
                 result->why);
        check_visit_found(visit, true, "options", what,
                          "calls would not be answered either; does it take our certificate (its "
                          "operator's log says), and is it SIP that listens there?");
        return false;
    }
    enum answer answer = answer_class(result->answer);
    if (answer == ANSWER_TAKES)
        return true;
    snprintf(what, sizeof(what), "OPTIONS sip:%.253s was answered %u %s", visit->domain,
             result->answer, result->reason);
    check_visit_found(visit, answer == ANSWER_REFUSES, "options", what,
                      answer == ANSWER_REFUSES
                          ? "it takes no calls from here now; its operator's log says why"
                          : "it answers, but whether it takes calls does not follow from that");
    return answer != ANSWER_REFUSES;
}

/* Returns whether callers get through here. */
bool check_visit_judge(struct check_visit *visit)
{
    const struct probe_result *result = visit->result;
    char what[TLS_MAX_VERDICT + 64];
    switch (result->stage) {
    case PROBE_NO_ROUTE:
        snprintf(what, sizeof(what), "was not tried, this host has no way there: %s", result->why);
        check_visit_found(visit, true, "no-route", what, "callers elsewhere may have one");
        return false;
    case PROBE_CONNECT:
        snprintf(what, sizeof(what), "takes no connection: %s", result->why);
        check_visit_found(
            visit, true, "unreachable", what,
            "callers try the next target; is the edge up, the address right, the port "
            "open in the firewall?");
        return false;
    case PROBE_HANDSHAKE:
        snprintf(what, sizeof(what), "TLS fails: %s", result->why);
        check_visit_found(
            visit, true, "handshake", what,
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
