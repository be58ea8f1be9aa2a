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

/* ---- what is looked at ---- */

struct subjects {
    struct check_subject list[CHECK_SUBJECTS_MAX];
    size_t count;
    size_t samples, sampled_of; /* records of single addresses: looked at, and of how many */
    bool overflow;
};

static void subject_add(struct subjects *subjects, const char *name, ldns_rr_type type, bool sample)
{
    for (size_t i = 0; i < subjects->count; i++)
        if (subjects->list[i].type == type && strcmp(subjects->list[i].name, name) == 0)
            return;
    if (subjects->count == CHECK_SUBJECTS_MAX) {
        subjects->overflow = true;
        return;
    }
    struct check_subject *subject = &subjects->list[subjects->count++];
    *subject = (struct check_subject){.type = type, .sample = sample};
    snprintf(subject->name, sizeof(subject->name), "%s", name);
}

static bool is_of_an_address(const struct check_conf *conf, const struct zone_record *record)
{
    return record->type == ZONE_NAPTR && strcmp(record->name, conf->domain) != 0;
}

static void subjects_of_wanted(const struct check_conf *conf, struct subjects *subjects)
{
    size_t addresses = 0, seen = 0;
    for (size_t i = 0; i < conf->wanted_count; i++)
        addresses += is_of_an_address(conf, &conf->wanted[i]);
    size_t step = addresses / CHECK_SAMPLE_MAX + 1;
    for (size_t i = 0; i < conf->wanted_count; i++) {
        const struct zone_record *record = &conf->wanted[i];
        bool sample = is_of_an_address(conf, record);
        if (sample && seen++ % step != 0)
            continue;
        subject_add(subjects, record->name, (ldns_rr_type)record->type, sample);
        subjects->samples += sample;
    }
    subjects->sampled_of = addresses;
}

/* What a caller asks, whether it should be there or not. */
static void subjects_of_callers(const struct check *check, struct subjects *subjects)
{
    char name[ZONE_NAME_MAX + 32];
    subject_add(subjects, check->conf->domain, LDNS_RR_TYPE_NAPTR, false);
    snprintf(name, sizeof(name), "_sips._tcp.%s", check->conf->domain);
    if (strlen(name) <= ZONE_NAME_MAX)
        subject_add(subjects, name, LDNS_RR_TYPE_SRV, false);
    for (size_t i = 0; i < check->targets->count; i++) {
        const struct check_target *target = &check->targets->list[i];
        subject_add(subjects, target->host, LDNS_RR_TYPE_A, false);
        subject_add(subjects, target->host, LDNS_RR_TYPE_AAAA, false);
        snprintf(name, sizeof(name), "_%u._tcp.%s", target->port, target->host);
        if (strlen(name) <= ZONE_NAME_MAX)
            subject_add(subjects, name, LDNS_RR_TYPE_TLSA, false);
    }
}

static void subjects_found(struct check *check, const struct subjects *subjects)
{
    if (subjects->overflow)
        check_found(check->findings, CHECK_NOTE, "limit",
                    "only the first %d record sets were looked at", CHECK_SUBJECTS_MAX);
    if (subjects->samples < subjects->sampled_of)
        check_found(check->findings, CHECK_NOTE, "sample",
                    "of %zu records of single addresses %zu were looked at", subjects->sampled_of,
                    subjects->samples);
}

/* ---- the servers, one set after the other ---- */

static int subject_views(struct check *check, const struct check_subject *subject,
                         struct check_view *views, struct check_view *resolver)
{
    int status = check_view_resolver(check, subject->name, subject->type, resolver);
    for (size_t i = 0; i < check->server_count && status == 0; i++)
        status =
            check_view_server(check, &check->servers[i], subject->name, subject->type, &views[i]);
    return status;
}

static int subject_judge(struct check *check, const struct check_subject *subject)
{
    struct check_view views[CHECK_SERVERS_MAX] = {{.set = NULL}};
    struct check_view resolver = {.set = NULL};
    int status = subject_views(check, subject, views, &resolver);
    if (status == 0) {
        check_compare(check, subject, views, &resolver);
        for (size_t i = 0; i < check->server_count; i++)
            if (views[i].kind == CHECK_VIEW_RECORDS && views[i].set)
                check_signatures(check, subject, &check->servers[i], &views[i]);
    }
    for (size_t i = 0; i < check->server_count; i++)
        check_view_done(&views[i]);
    check_view_done(&resolver);
    return status;
}

static int subjects_judge(struct check *check)
{
    struct subjects *subjects = calloc(1, sizeof(*subjects));
    int status = subjects ? 0 : -ENOMEM;
    if (!subjects)
        return status;
    subjects_of_wanted(check->conf, subjects);
    subjects_of_callers(check, subjects);
    subjects_found(check, subjects);
    for (size_t i = 0; i < subjects->count && status == 0; i++)
        if (check_is_below(subjects->list[i].name, check->apex))
            status = subject_judge(check, &subjects->list[i]);
    free(subjects);
    return status;
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

static void no_server_found(struct check *check)
{
    struct check_finding *finding =
        check_found(check->findings, CHECK_ERROR, "no-server",
                    *check->apex ? "no name server of %s has an address that can be asked"
                                 : "no zone is known that %s is in",
                    *check->apex ? check->apex : check->conf->domain);
    if (finding)
        snprintf(finding->why, sizeof(finding->why),
                 "callers find nothing either; the zone above must delegate to servers that exist");
}

static int zone_judge(struct check *check)
{
    int status = check_servers_judge(check);
    if (status == 0)
        status = check_dnssec(check);
    return status ? status : subjects_judge(check);
}

static void check_done(struct check *check)
{
    if (check->keys)
        ldns_rr_list_deep_free(check->keys);
    if (check->wanted)
        ldns_rr_list_deep_free(check->wanted);
    free(check);
}

static int check_run(struct check *check)
{
    int status = check->conf->wanted ? wanted_decode(check) : 0;
    if (status == 0)
        status = check_servers_find(check, check->conf->domain);
    if (status == 0)
        status = check_targets_find(check);
    if (status == 0 && check->server_count > 0)
        status = zone_judge(check);
    if (status == 0 && check->server_count == 0)
        no_server_found(check);
    if (status == 0 && check->late)
        check_found(check->findings, CHECK_ERROR, "time",
                    "the time for the check was over before everything was asked");
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
    targets->count = 0;
    int status = check_run(check);
    check_done(check);
    return status;
}
