/* The signatures of record sets: are they there, in time, and of the zone's keys? (RFC 4035) */
#include "resolver/check_internal.h"

#include <stdio.h>
#include <time.h>

#define TIME_TEXT 32

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

static struct check_finding *signature_found(struct check *check, const struct check_zone *zone,
                                             const struct check_subject *subject,
                                             const struct check_server *server,
                                             enum check_severity severity, const char *code,
                                             const char *what)
{
    char type[16];
    if (zone->insecure && severity == CHECK_ERROR)
        severity = CHECK_WARNING;
    struct check_finding *finding =
        check_found(check->findings, severity, code, "the %s records of %s %s",
                    check_type_text(subject->type, type), subject->name, what);
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
static bool signatures_fit(const struct check_zone *zone, const struct check_view *view)
{
    size_t count = ldns_rr_list_rr_count(view->signatures);
    for (size_t i = 0; i < count && i < CHECK_SIGNATURES; i++) {
        const ldns_rr *signature = ldns_rr_list_rr(view->signatures, i);
        if (ldns_verify_rrsig_keylist_notime(view->set, signature, zone->keys, NULL) ==
            LDNS_STATUS_OK)
            return true;
    }
    return false;
}

static const char *signature_why(const struct check_zone *zone, enum check_severity severity)
{
    if (zone->insecure)
        return "nothing above the zone names its keys, so nobody looks now; once something does, "
               "callers take the records for forged";
    return severity == CHECK_ERROR
               ? "every caller whose resolver validates takes the records for forged; sign the "
                 "zone anew and load it here"
               : "from then on callers whose resolver validates find nothing; see that the zone "
                 "is signed anew in time, and that this server gets it";
}

void check_signatures(struct check *check, const struct check_zone *zone,
                      const struct check_subject *subject, const struct check_server *server,
                      const struct check_view *view)
{
    char when[TIME_TEXT], what[96];
    const char *code = NULL;
    enum check_severity severity = CHECK_ERROR;
    if (!zone->is_signed || check_view_count(view) == 0 || view->left_out > 0 || *view->alias)
        return;
    int64_t now_s = check->conf->now_s, until_s = proven_until(view, now_s);
    if (ldns_rr_list_rr_count(view->signatures) == 0) {
        code = "signature-missing";
        snprintf(what, sizeof(what), "have no signature (RRSIG), though the zone is signed");
    } else if (until_s <= now_s) {
        code = "signature-expired";
        snprintf(what, sizeof(what), "have no signature that is valid now%s%s",
                 until_s ? ": it ended at " : "", until_s ? time_text(until_s, when) : "");
    } else if (zone->keys && !signatures_fit(zone, view)) {
        code = "signature-wrong";
        snprintf(what, sizeof(what), "have a signature that no key of the zone made");
    } else if (until_s - now_s < CHECK_SOON_S) {
        code = "signature-expiring";
        severity = CHECK_WARNING;
        snprintf(what, sizeof(what), "have a signature that ends at %s", time_text(until_s, when));
    }
    struct check_finding *finding =
        code ? signature_found(check, zone, subject, server, severity, code, what) : NULL;
    if (finding)
        snprintf(finding->why, sizeof(finding->why), "%s", signature_why(zone, severity));
}
