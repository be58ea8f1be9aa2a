/* What the servers of a zone have, against what should be there and against each other. */
#include "resolver/check_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Which servers something holds for. */
struct who {
    char text[CHECK_WHERE_MAX];
    size_t count;
};

static void who_add(struct who *who, const struct check_server *server)
{
    char text[CHECK_WHO_MAX];
    size_t used = strlen(who->text);
    snprintf(who->text + used, sizeof(who->text) - used, "%s%s", who->count ? ", " : "",
             check_server_text(server, text));
    who->count++;
}

static bool belongs(const ldns_rr *rr, const struct check_subject *subject)
{
    char owner[ZONE_NAME_MAX + 1];
    return ldns_rr_get_type(rr) == subject->type && check_name(ldns_rr_owner(rr), owner) == 0 &&
           strcmp(owner, subject->name) == 0;
}

const char *check_type_text(ldns_rr_type type, char text[16])
{
    char *name = ldns_rr_type2str(type);
    snprintf(text, 16, "%s", name ? name : "?");
    free(name);
    return text;
}

/* What follows from a record that is not there, or should not be. */
static const char *missing_why(const struct check_subject *subject)
{
    if (check_is_of_porting(subject))
        return "other operators do not find the federation API: no address moves to or from them";
    if (check_is_of_receipts(subject))
        return "other operators cannot hold the key that signs receipts of ports against DNS: they "
               "take whatever key the federation API shows them";
    switch (subject->type) {
    case LDNS_RR_TYPE_SRV:
        return "callers are led nowhere, or to other servers only";
    case LDNS_RR_TYPE_A:
    case LDNS_RR_TYPE_AAAA:
        return "callers cannot find this address of the edge";
    case LDNS_RR_TYPE_TLSA:
        return "where other TLSA records are there, callers refuse a server with this key; where "
               "there are none, only those believe it who know the CA of its certificate";
    case LDNS_RR_TYPE_NAPTR:
        return subject->sample ? "callers ask the domain itself, and are redirected: one round "
                                 "trip more for each call"
                               : "callers find the SRV records only by guessing their name";
    default:
        return "callers do not look for the records of single addresses";
    }
}

static const char *extra_why(const struct check_subject *subject)
{
    if (check_is_of_porting(subject))
        return "some other operators are led where no federation API of this configuration answers";
    if (check_is_of_receipts(subject))
        return "it names a receipt key that the daemon does not have: whoever has that key makes "
               "receipts in the name of the domain; junctor receipt-key show tells which there are";
    switch (subject->type) {
    case LDNS_RR_TYPE_SRV:
    case LDNS_RR_TYPE_A:
    case LDNS_RR_TYPE_AAAA:
        return "some callers are led where no edge of this configuration answers";
    case LDNS_RR_TYPE_TLSA:
        return "whoever has this key is believed as the edge";
    case LDNS_RR_TYPE_NAPTR:
        return subject->sample ? "callers are led to an operator who no longer has the address"
                               : "callers may be led past the SRV records that are right";
    default:
        return "it says what nobody meant to say";
    }
}

/* Without these no call comes; the rest has something to fall back on. */
static enum check_severity missing_severity(const struct check_subject *subject)
{
    bool vital = (subject->type == LDNS_RR_TYPE_SRV && !check_is_of_porting(subject)) ||
                 subject->type == LDNS_RR_TYPE_A || subject->type == LDNS_RR_TYPE_AAAA;
    return vital ? CHECK_ERROR : CHECK_WARNING;
}

static enum check_severity extra_severity(const struct check_subject *subject)
{
    return subject->sample ? CHECK_ERROR : CHECK_WARNING;
}

/* ---- against what should be ---- */

static bool is_same_data(const ldns_rr *a, const ldns_rr *b)
{
    if (ldns_rr_get_type(a) != ldns_rr_get_type(b) || ldns_rr_rd_count(a) != ldns_rr_rd_count(b))
        return false;
    for (size_t i = 0; i < ldns_rr_rd_count(a); i++)
        if (ldns_rdf_compare(ldns_rr_rdf(a, i), ldns_rr_rdf(b, i)) != 0)
            return false;
    return true;
}

/* Behind an alias the record has another name. */
static bool has_record(const struct check_view *view, const ldns_rr *wanted)
{
    for (size_t i = 0; *view->alias && i < check_view_count(view); i++)
        if (is_same_data(ldns_rr_list_rr(view->set, i), wanted))
            return true;
    return check_list_find(view->set, wanted) != NULL;
}

static void missing_find(struct check *check, const struct check_zone *zone,
                         const struct check_subject *subject, const ldns_rr *wanted,
                         const struct check_view *views, bool *any)
{
    struct who who = {.count = 0};
    char type[16];
    for (size_t i = 0; i < zone->server_count; i++)
        if (check_view_answered(&views[i]) && !has_record(&views[i], wanted))
            who_add(&who, &zone->servers[i]);
    *any = *any || who.count > 0;
    if (who.count == 0)
        return;
    struct check_finding *finding =
        check_found(check->findings, missing_severity(subject), "missing",
                    "%s lacks a %s record that should be there", subject->name,
                    check_type_text(subject->type, type));
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "%s", who.text);
    snprintf(finding->why, sizeof(finding->why), "%s", missing_why(subject));
    check_line(wanted, finding->add);
    for (size_t i = 0; i < zone->server_count && !*finding->remove;
         i++) /* it cannot stand beside */
        snprintf(finding->remove, sizeof(finding->remove), "%s", views[i].alias);
}

static void ttl_find(struct check *check, const struct check_zone *zone,
                     const struct check_subject *subject, const ldns_rr *wanted,
                     const struct check_view *views)
{
    for (size_t i = 0; i < zone->server_count; i++) {
        const ldns_rr *seen =
            check_view_answered(&views[i]) ? check_list_find(views[i].set, wanted) : NULL;
        char type[16];
        if (!seen || ldns_rr_ttl(seen) == ldns_rr_ttl(wanted))
            continue;
        struct check_finding *finding = check_found(
            check->findings, CHECK_NOTE, "ttl", "the %s records of %s have a TTL of %u s, not %u s",
            check_type_text(subject->type, type), subject->name, ldns_rr_ttl(seen),
            ldns_rr_ttl(wanted));
        if (finding) {
            check_server_text(&zone->servers[i], finding->where);
            snprintf(finding->why, sizeof(finding->why),
                     "a change is seen by all callers after that time, not after the configured "
                     "one");
            check_line(seen, finding->remove);
            check_line(wanted, finding->add);
        }
        return;
    }
}

/* A domain may offer other services by NAPTR, or SIP by other transports; those are not ours. */
static bool is_ours(const ldns_rr *rr, const struct check_subject *subject)
{
    static const char service[] = "SIPS+D2T";
    if (subject->type != LDNS_RR_TYPE_NAPTR || subject->sample)
        return true;
    const ldns_rdf *rdf = ldns_rr_rd_count(rr) == 6 ? ldns_rr_rdf(rr, 3) : NULL;
    return rdf && ldns_rdf_size(rdf) == sizeof(service) &&
           strncasecmp((const char *)ldns_rdf_data(rdf) + 1, service, sizeof(service) - 1) == 0;
}

/* `replaced`: others of this set are missing, so this one is likely an older one. */
static void extra_found(struct check *check, const struct check_subject *subject, const ldns_rr *rr,
                        const struct who *who, bool replaced)
{
    char type[16];
    struct check_finding *finding =
        check_found(check->findings, extra_severity(subject), replaced ? "stale" : "extra",
                    "%s has %s %s record that should not be there", subject->name,
                    replaced ? "an old" : "a", check_type_text(subject->type, type));
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "%s", who->text);
    snprintf(finding->why, sizeof(finding->why), "%s", extra_why(subject));
    check_line(rr, finding->remove);
}

/* Which servers, from the one at `from` on, have the record? */
static struct who who_has(const struct check_zone *zone, const struct check_view *views,
                          size_t from, const ldns_rr *rr)
{
    struct who who = {.count = 0};
    for (size_t i = from; i < zone->server_count; i++)
        if (check_view_answered(&views[i]) && check_list_find(views[i].set, rr))
            who_add(&who, &zone->servers[i]);
    return who;
}

/* Records that some server has and that should not be; each is told once. */
static void extra_find(struct check *check, const struct check_zone *zone,
                       const struct check_subject *subject, const ldns_rr_list *wanted,
                       const struct check_view *views, bool replaced)
{
    ldns_rr_list *told = ldns_rr_list_new(); /* of records that the views own */
    for (size_t i = 0; told && i < zone->server_count; i++) {
        for (size_t j = 0; j < check_view_count(&views[i]); j++) {
            ldns_rr *rr = ldns_rr_list_rr(views[i].set, j);
            if (!belongs(rr, subject) || !is_ours(rr, subject) || check_list_find(wanted, rr) ||
                check_list_find(told, rr) || ldns_rr_list_rr_count(told) == CHECK_SET_MAX)
                continue;
            struct who who = who_has(zone, views, i, rr);
            ldns_rr_list_push_rr(told, rr);
            extra_found(check, subject, rr, &who, replaced);
        }
    }
    ldns_rr_list_free(told);
}

static void wanted_compare(struct check *check, const struct check_zone *zone,
                           const struct check_subject *subject, const struct check_view *views)
{
    bool missing = false;
    ldns_rr_list *wanted = ldns_rr_list_new(); /* of records that the check owns */
    for (size_t i = 0; wanted && i < ldns_rr_list_rr_count(check->wanted); i++) {
        ldns_rr *rr = ldns_rr_list_rr(check->wanted, i);
        if (!belongs(rr, subject))
            continue;
        ldns_rr_list_push_rr(wanted, rr);
        missing_find(check, zone, subject, rr, views, &missing);
        ttl_find(check, zone, subject, rr, views);
    }
    extra_find(check, zone, subject, wanted, views, missing);
    ldns_rr_list_free(wanted);
}

/* ---- what cannot be compared ---- */

static enum check_severity unanswered_severity(const struct check_subject *subject)
{
    if (check_is_of_porting(subject))
        return CHECK_WARNING;
    switch (subject->type) {
    case LDNS_RR_TYPE_SRV:
    case LDNS_RR_TYPE_A:
    case LDNS_RR_TYPE_AAAA:
    case LDNS_RR_TYPE_TLSA:
        return CHECK_ERROR;
    case LDNS_RR_TYPE_NAPTR:
        return subject->sample ? CHECK_WARNING : CHECK_ERROR;
    default:
        return CHECK_WARNING;
    }
}

/* Servers that have the zone, as they tell its SOA record, but do not answer this question. */
static void unanswered_find(struct check *check, const struct check_zone *zone,
                            const struct check_subject *subject, const struct check_view *views)
{
    for (size_t i = 0; i < zone->server_count; i++) {
        const struct check_server *server = &zone->servers[i];
        bool typed = server->dropped == subject->type && server->dropped_count >= CHECK_DROPPED_MAX;
        const char *left = server->silent ? "; nothing more was asked of it"
                           : typed        ? "; nothing more of this type was asked of it"
                                          : "";
        char type[16];
        if (views[i].kind != CHECK_VIEW_LAME && views[i].kind != CHECK_VIEW_SILENT)
            continue;
        struct check_finding *finding =
            check_found(check->findings, unanswered_severity(subject), "unanswered",
                        "does not say what %s records %s has: %s%s",
                        check_type_text(subject->type, type), subject->name, views[i].cause, left);
        if (!finding)
            continue;
        check_server_text(server, finding->where);
        snprintf(
            finding->why, sizeof(finding->why),
            "it serves the zone, so callers ask it, and those who get no answer in time do not "
            "call; is there something between that lets some questions through only?");
    }
}

static bool is_too_long(struct check *check, const struct check_zone *zone,
                        const struct check_subject *subject, const struct check_view *views,
                        const struct check_view *resolver)
{
    const struct check_view *longest = resolver;
    struct who who = {.count = 0};
    char type[16];
    for (size_t i = 0; i < zone->server_count; i++) {
        if (views[i].left_out == 0)
            continue;
        longest = views[i].left_out > longest->left_out ? &views[i] : longest;
        who_add(&who, &zone->servers[i]);
    }
    if (longest->left_out == 0)
        return false;
    struct check_finding *finding = check_found(
        check->findings, CHECK_WARNING, "limit",
        "%s has %zu %s records; sets with more than %d are not compared", subject->name,
        longest->left_out + CHECK_SET_MAX, check_type_text(subject->type, type), CHECK_SET_MAX);
    if (who.count == 0)
        check_at_resolver(check, finding);
    else if (finding)
        snprintf(finding->where, sizeof(finding->where), "%s", who.text);
    if (finding)
        snprintf(finding->why, sizeof(finding->why),
                 "nobody needs so many; callers may not take them all, and each answer comes over "
                 "TCP");
    return true;
}

void check_compare(struct check *check, const struct check_zone *zone,
                   const struct check_subject *subject, const struct check_view *views,
                   const struct check_view *resolver)
{
    bool of_zone = subject->type == LDNS_RR_TYPE_NS || subject->type == LDNS_RR_TYPE_DNSKEY;
    unanswered_find(check, zone, subject, views);
    if (subject->type == LDNS_RR_TYPE_SOA || is_too_long(check, zone, subject, views, resolver))
        return; /* serials are compared apart */
    bool known = check->conf->wanted && check_is_below(subject->name, check->conf->domain);
    if (known && !of_zone) /* of a target elsewhere it is not known what should be there */
        wanted_compare(check, zone, subject, views);
    else
        check_differ(check, zone, subject, views);
    check_alias(check, zone, subject, views, resolver);
    check_remembered(check, zone, subject, views, resolver);
}
