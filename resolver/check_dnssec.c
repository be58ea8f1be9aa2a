/* Is what the zone says proven, for how long, and what does it tell besides? (RFC 4035, 5155) */
#include "resolver/check_internal.h"

#include "base/waiting.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TIME_TEXT 32

/* ---- signatures ---- */

/* Times of signatures are serial numbers of 32 bits (RFC 4034 section 3.1.5); the one next to now
 * is meant. */
static int64_t time_near(uint32_t time, int64_t now_s)
{
    return now_s + (int32_t)(time - (uint32_t)now_s);
}

static const char *time_text(int64_t time_s, char text[TIME_TEXT])
{
    time_t time = (time_t)time_s;
    struct tm parts;
    if (!gmtime_r(&time, &parts) || strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(text, TIME_TEXT, "an unreadable time");
    return text;
}

static struct check_finding *signature_found(struct check *check,
                                             const struct check_subject *subject,
                                             const struct check_server *server,
                                             enum check_severity severity, const char *code,
                                             const char *what)
{
    char *type = ldns_rr_type2str(subject->type);
    struct check_finding *finding =
        check_found(check->findings, severity, code, "the %s records of %s %s", type ? type : "",
                    subject->name, what);
    free(type);
    if (finding)
        check_server_text(server, finding->where);
    return finding;
}

/* When the set is no longer proven: of several signatures the last one counts. 0: none. */
static int64_t proven_until(const struct check_view *view, int64_t now_s)
{
    int64_t until_s = 0;
    size_t count = ldns_rr_list_rr_count(view->signatures);
    for (size_t i = 0; i < count && i < CHECK_SIGNATURES; i++) {
        const ldns_rr *signature = ldns_rr_list_rr(view->signatures, i);
        int64_t from_s =
            time_near(ldns_rdf2native_int32(ldns_rr_rrsig_inception(signature)), now_s);
        int64_t to_s = time_near(ldns_rdf2native_int32(ldns_rr_rrsig_expiration(signature)), now_s);
        if (from_s <= now_s && to_s > until_s)
            until_s = to_s;
    }
    return until_s;
}

/* How many signatures times keys are tried is bounded: each try costs (CVE-2023-50387). */
static bool signatures_fit(const struct check *check, const struct check_view *view)
{
    size_t count = ldns_rr_list_rr_count(view->signatures);
    for (size_t i = 0; i < count && i < CHECK_SIGNATURES; i++) {
        const ldns_rr *signature = ldns_rr_list_rr(view->signatures, i);
        if (ldns_verify_rrsig_keylist_notime(view->set, signature, check->keys, NULL) ==
            LDNS_STATUS_OK)
            return true;
    }
    return false;
}

void check_signatures(struct check *check, const struct check_subject *subject,
                      const struct check_server *server, const struct check_view *view)
{
    char when[TIME_TEXT], what[96];
    struct check_finding *finding = NULL;
    if (!check->keys || ldns_rr_list_rr_count(view->set) == 0 || *view->alias)
        return;
    int64_t now_s = check->conf->now_s, until_s = proven_until(view, now_s);
    if (ldns_rr_list_rr_count(view->signatures) == 0) {
        finding = signature_found(check, subject, server, CHECK_ERROR, "signature-missing",
                                  "have no signature (RRSIG), though the zone is signed");
    } else if (until_s <= now_s) {
        snprintf(what, sizeof(what), "have no signature that is valid now%s%s",
                 until_s ? ": it ended at " : "", until_s ? time_text(until_s, when) : "");
        finding = signature_found(check, subject, server, CHECK_ERROR, "signature-expired", what);
    } else if (!signatures_fit(check, view)) {
        finding = signature_found(check, subject, server, CHECK_ERROR, "signature-wrong",
                                  "have a signature that no key of the zone made");
    } else if (until_s - now_s < CHECK_SOON_S) {
        snprintf(what, sizeof(what), "have a signature that ends at %s", time_text(until_s, when));
        finding =
            signature_found(check, subject, server, CHECK_WARNING, "signature-expiring", what);
    }
    if (!finding)
        return;
    snprintf(finding->why, sizeof(finding->why), "%s",
             finding->severity == CHECK_ERROR
                 ? "every caller whose resolver validates takes the records for forged; sign the "
                   "zone anew and load it here"
                 : "from then on callers whose resolver validates find nothing; see that the zone "
                   "is signed anew in time, and that this server gets it");
}

/* ---- the keys, and the chain to them ---- */

/* Those of the first server that has some. */
static int keys_find(struct check *check)
{
    for (size_t i = 0; i < check->server_count && !check->keys; i++) {
        struct check_view view;
        int status =
            check_view_server(check, &check->servers[i], check->apex, LDNS_RR_TYPE_DNSKEY, &view);
        size_t count = view.set ? ldns_rr_list_rr_count(view.set) : 0;
        if (status == 0 && count > 0 && count <= CHECK_KEYS_MAX) {
            check->keys = view.set;
            view.set = NULL;
        } else if (status == 0 && count > 0) {
            check_found(check->findings, CHECK_WARNING, "dnssec-keys",
                        "%s has %zu DNSKEY records; signatures are not looked at with more than %d",
                        check->apex, count, CHECK_KEYS_MAX);
        }
        check_view_done(&view);
        if (status)
            return status;
    }
    return 0;
}

/* The key that the parent should point to: the one with the SEP flag. */
static void ds_suggest(const struct check *check, struct check_finding *finding)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(check->keys); i++) {
        const ldns_rr *key = ldns_rr_list_rr(check->keys, i);
        if (ldns_rr_rd_count(key) != 4 ||
            !(ldns_rdf2native_int16(ldns_rr_dnskey_flags(key)) & LDNS_KEY_SEP_KEY))
            continue;
        ldns_rr *ds = ldns_key_rr2ds(key, LDNS_SHA256);
        if (ds)
            check_line(ds, finding->add);
        ldns_rr_free(ds);
        return;
    }
}

static int chain_judge(struct check *check)
{
    struct check_view view;
    char addr[NETADDR_TEXT_MAX];
    int status = check_view_resolver(check, check->apex, LDNS_RR_TYPE_DS, &view);
    bool delegated =
        !check->conf->trusted || (status == 0 && view.set && ldns_rr_list_rr_count(view.set) > 0);
    check_view_done(&view);
    if (status)
        return status;
    struct check_finding *finding =
        delegated
            ? check_found(check->findings, CHECK_WARNING, "resolver-blind",
                          "the resolver does not say that it validated %s, which is signed%s",
                          check->apex, check->conf->trusted ? " and has a DS record" : "")
            : check_found(check->findings, CHECK_WARNING, "ds-missing",
                          "%s is signed, but its parent has no DS record for it", check->apex);
    if (!finding)
        return 0;
    if (!delegated) {
        snprintf(finding->where, sizeof(finding->where), "the zone above %s", check->apex);
        ds_suggest(check, finding);
    } else {
        snprintf(finding->where, sizeof(finding->where), "the resolver %s",
                 netaddr_format(&check->conf->resolver, addr));
    }
    snprintf(finding->why, sizeof(finding->why), "%s",
             delegated && !check->conf->trusted
                 ? "the configuration does not trust it, so neither the edge nor this check counts "
                   "what it validates: TLSA and _sipaddr records count for nothing; trusted, in "
                   "section dns, names those that count"
             : delegated ? "TLSA and _sipaddr records count for nothing where nobody validates; "
                           "switch validation on there, or name another one with --resolver"
                         : "nobody can validate the zone: its TLSA and _sipaddr records count for "
                           "nothing; hand this to the registrar");
    return 0;
}

static void unsigned_found(struct check *check)
{
    struct check_finding *finding = check_found(check->findings, CHECK_NOTE, "unsigned",
                                                "%s is not signed (DNSSEC)", check->apex);
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "every server of %s", check->apex);
    snprintf(finding->why, sizeof(finding->why),
             "calls work where callers know the CA of the certificate; TLSA and _sipaddr records "
             "count only in a signed zone");
}

/* ---- what it tells besides ---- */

static void walkable_found(struct check *check, bool sipaddr)
{
    struct check_finding *finding =
        check_found(check->findings, sipaddr ? CHECK_WARNING : CHECK_NOTE, "walkable",
                    "every name of %s can be listed by anybody (NSEC)", check->apex);
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "every server of %s", check->apex);
    snprintf(finding->why, sizeof(finding->why), "%s",
             sipaddr ? "the names under _sipaddr are hashes of user parts: who lists them knows "
                       "how many addresses were ported out and where to, and can try out likely "
                       "names at leisure, without a question to us; sign with NSEC3, or with "
                       "answers made for each question (RFC 4470)"
                     : "nothing private is in it now, as it has no _sipaddr records; sign with "
                       "NSEC3 before it has");
}

/* A name that nobody has: what comes as proof of that? Also asks whether there are names worth
 * hiding. */
static int walkable_judge(struct check *check)
{
    char name[2 * ZONE_NAME_MAX];
    bool walkable = false, sipaddr = false;
    struct check_view view;
    for (size_t i = 0; i < check->server_count && !walkable; i++) {
        snprintf(name, sizeof(name), "no-such-name-%x.%s", (unsigned)waiting_now_ms() & 0xffffU,
                 check->apex);
        int status = check_view_server(check, &check->servers[i], name, LDNS_RR_TYPE_TXT, &view);
        walkable = view.nsec;
        check_view_done(&view);
        if (status)
            return status;
    }
    if (!walkable)
        return 0;
    snprintf(name, sizeof(name), "_sipaddr.%s", check->conf->domain);
    int status = strlen(name) > ZONE_NAME_MAX
                     ? 0
                     : check_view_resolver(check, name, LDNS_RR_TYPE_TXT, &view);
    if (strlen(name) <= ZONE_NAME_MAX) {
        sipaddr = view.set && ldns_rr_list_rr_count(view.set) > 0;
        check_view_done(&view);
    }
    walkable_found(check, sipaddr);
    return status;
}

int check_dnssec(struct check *check)
{
    int status = keys_find(check);
    if (status)
        return status;
    if (!check->keys) {
        unsigned_found(check);
        return 0;
    }
    if (!check->zone_secure)
        status = chain_judge(check);
    return status ? status : walkable_judge(check);
}
