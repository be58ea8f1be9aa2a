/* The record sets that count, one after the other, in whatever zone each is. */
#include "resolver/check_internal.h"

#include "resolver/address_label.h"
#include "resolver/tlsa.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Addresses that live here have no record; one that came back may have kept it. */
static void subjects_of_hosted(const struct check_conf *conf, struct subjects *subjects)
{
    char name[2 * ZONE_NAME_MAX], label[RESOLVER_LABEL_LEN + 1];
    for (size_t i = 0; conf->wanted && i < conf->hosted_count && i < CHECK_HOSTED_MAX; i++) {
        snprintf(name, sizeof(name), "%s._sipaddr.%s",
                 resolver_address_label(conf->hosted[i], label), conf->domain);
        if (strlen(name) <= ZONE_NAME_MAX)
            subject_add(subjects, name, LDNS_RR_TYPE_NAPTR, true);
    }
}

/* What a caller asks, whether it should be there or not. */
static void subjects_of_callers(const struct check *check, struct subjects *subjects)
{
    char name[RESOLVER_NAME_MAX + 1];
    subject_add(subjects, check->conf->domain, LDNS_RR_TYPE_NAPTR, false);
    if (*check->service)
        subject_add(subjects, check->service, LDNS_RR_TYPE_SRV, false);
    for (size_t i = 0; i < check->targets->count; i++) {
        const struct check_target *target = &check->targets->list[i];
        subject_add(subjects, target->host, LDNS_RR_TYPE_A, false);
        subject_add(subjects, target->host, LDNS_RR_TYPE_AAAA, false);
        if (resolver_tlsa_name(target->host, target->port, name) == 0)
            subject_add(subjects, name, LDNS_RR_TYPE_TLSA, false);
    }
}

/* What every answer rests on. */
static void subjects_of_zones(const struct check *check, struct subjects *subjects)
{
    static const ldns_rr_type types[] = {LDNS_RR_TYPE_SOA, LDNS_RR_TYPE_NS, LDNS_RR_TYPE_DNSKEY};
    for (size_t i = 0; i < check->zone_count; i++)
        for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
            if (types[t] != LDNS_RR_TYPE_DNSKEY || check->zones[i].is_signed)
                subject_add(subjects, check->zones[i].apex, types[t], false);
}

static void subjects_found(struct check *check, const struct subjects *subjects)
{
    static const char why[] = "what is wrong with the others is not found";
    struct check_finding *finding = NULL;
    if (subjects->overflow)
        finding = check_found(check->findings, CHECK_NOTE, "limit",
                              "only the first %d record sets were looked at", CHECK_SUBJECTS_MAX);
    else if (subjects->samples < subjects->sampled_of)
        finding = check_found(check->findings, CHECK_NOTE, "sample",
                              "of %zu records of single addresses %zu were looked at",
                              subjects->sampled_of, subjects->samples);
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "every server of %s", check->conf->domain);
    snprintf(finding->why, sizeof(finding->why), "%s", why);
}

/* ---- the servers, one set after the other ---- */

static int subject_judge(struct check *check, struct check_zone *zone,
                         const struct check_subject *subject)
{
    struct check_view views[CHECK_SERVERS_MAX];
    struct check_view resolver;
    int status = check_view_resolver(check, subject->name, subject->type, &resolver);
    memset(views, 0, sizeof(views));
    if (status == 0)
        status = check_view_servers(check, zone, subject->name, subject->type, views);
    if (status == 0) {
        check_compare(check, zone, subject, views, &resolver);
        check_targets_serve(check, zone, subject, views);
        for (size_t i = 0; i < zone->server_count; i++)
            check_signatures(check, zone, subject, &zone->servers[i], &views[i]);
    }
    check_views_done(views, zone->server_count);
    check_view_done(&resolver);
    return status;
}

/* Where nobody else can be asked, the resolver still tells of an alias. */
static int alias_judge(struct check *check, const struct check_subject *subject)
{
    struct check_view resolver;
    if (subject->type != LDNS_RR_TYPE_A && subject->type != LDNS_RR_TYPE_AAAA)
        return 0;
    int status = check_view_resolver(check, subject->name, subject->type, &resolver);
    if (status == 0)
        check_alias(check, NULL, subject, NULL, &resolver);
    check_view_done(&resolver);
    return status;
}

/* Records of single addresses stand beside each other: one question for their zone is enough. */
int check_subject_look(struct check *check, const struct check_subject *subject)
{
    const char *home = subject->sample ? strchr(subject->name, '.') : NULL;
    struct check_zone *zone;
    int status = check_zone_of(check, home ? home + 1 : subject->name, &zone);
    if (status == 0 && zone)
        return subject_judge(check, zone, subject);
    return status ? status : alias_judge(check, subject);
}

int check_subjects(struct check *check)
{
    struct subjects *subjects = calloc(1, sizeof(*subjects));
    int status = subjects ? 0 : -ENOMEM;
    if (!subjects)
        return status;
    subjects_of_callers(check, subjects);
    subjects_of_hosted(check->conf, subjects);
    subjects_of_wanted(check->conf, subjects);
    for (size_t i = 0; i < subjects->count && status == 0 && !check_is_late(check); i++)
        status = check_subject_look(check, &subjects->list[i]);
    size_t looked = subjects->count; /* by now all zones are known */
    subjects_of_zones(check, subjects);
    subjects_found(check, subjects);
    for (size_t i = looked; i < subjects->count && status == 0 && !check_is_late(check); i++)
        status = check_subject_look(check, &subjects->list[i]);
    free(subjects);
    return status;
}
