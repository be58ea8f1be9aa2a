/* The check from end to end, and its findings. */
#include "resolver/check_internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- findings ---- */

struct check_finding *check_found(struct check_findings *findings, enum check_severity severity,
                                  const char *code, const char *what, ...)
{
    if (findings->count == CHECK_FINDINGS_MAX) {
        findings->left_out++;
        return NULL;
    }
    struct check_finding *finding = &findings->list[findings->count++];
    memset(finding, 0, sizeof(*finding));
    finding->severity = severity;
    finding->code = code;
    va_list args;
    va_start(args, what);
    vsnprintf(finding->what, sizeof(finding->what), what, args);
    va_end(args);
    return finding;
}

/* What did not fit is taken for the worst. */
bool check_has_errors(const struct check_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->list[i].severity == CHECK_ERROR)
            return true;
    return findings->left_out > 0;
}

/* ---- the whole ---- */

static int wanted_decode(struct check *check)
{
    char line[ZONE_LINE_MAX];
    check->wanted = ldns_rr_list_new();
    for (size_t i = 0; check->wanted && i < check->conf->wanted_count; i++) {
        ldns_rr *rr = NULL;
        if (ldns_rr_new_frm_str(&rr, zone_record_line(&check->conf->wanted[i], line), 0, NULL,
                                NULL) != LDNS_STATUS_OK)
            return STATUS_MALFORMED;
        ldns_rr2canonical(rr);
        if (!ldns_rr_list_push_rr(check->wanted, rr)) {
            ldns_rr_free(rr);
            return -ENOMEM;
        }
    }
    return check->wanted ? 0 : -ENOMEM;
}

/* Where the resolver leads to addresses all the same, callers find them too. */
static void no_server_found(struct check *check, const struct check_zone *zone)
{
    bool found = check->targets->count > 0 && check->targets->list[0].address_count > 0;
    struct check_finding *finding =
        check_found(check->findings, found ? CHECK_WARNING : CHECK_ERROR, "no-server",
                    zone ? "no name server of %s has an address that can be asked"
                         : "no zone is known that %s is in",
                    zone ? zone->apex : check->conf->domain);
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why), "%s",
                 found
                     ? "only what the resolver says could be looked at; who asks another one may "
                       "find nothing"
                     : "callers find nothing either; the zone above must delegate to servers that "
                       "exist");
}

static void late_found(struct check *check)
{
    struct check_finding *finding =
        check_found(check->findings, CHECK_ERROR, "time",
                    "the time for the check was over before everything was asked");
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why),
                 "it is not known whether callers get through, and they have less time; what is "
                 "slow is told above, else try again");
}

static void check_done(struct check *check)
{
    for (size_t i = 0; i < check->zone_count; i++)
        if (check->zones[i].keys)
            ldns_rr_list_deep_free(check->zones[i].keys);
    if (check->wanted)
        ldns_rr_list_deep_free(check->wanted);
    free(check);
}

static int check_run(struct check *check)
{
    struct check_zone *zone = NULL;
    int status = check->conf->wanted ? wanted_decode(check) : 0;
    if (status == 0)
        status = check_zone_of(check, check->conf->domain, &zone);
    if (status == 0)
        status = check_targets_find(check);
    if (status == 0 && zone)
        status = check_walkable(check, zone);
    if (status == 0)
        status = check_subjects(check);
    if (status == 0 && !check_is_late(check)) /* last: what is asked renews what a resolver knows */
        status = check_porting_find(check);
    if (status == 0 && (!zone || zone->server_count == 0))
        no_server_found(check, zone);
    if (status == 0 && check->late)
        late_found(check);
    return status;
}

int check_dns(const struct check_conf *conf, struct check_findings *findings,
              struct check_targets *targets)
{
    struct check *check = calloc(1, sizeof(*check));
    if (!check)
        return -ENOMEM;
    check->conf = conf;
    check->findings = findings;
    check->targets = targets;
    targets->count = targets->porting_count = 0;
    int status = check_run(check);
    check_done(check);
    return status;
}
