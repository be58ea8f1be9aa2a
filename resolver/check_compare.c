/* What the servers of a zone have, against what should be there and against each other. */
#include "resolver/check_internal.h"

#include "resolver/address_label.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static bool has_answered(const struct check_view *view)
{
    return view->kind == CHECK_VIEW_RECORDS || view->kind == CHECK_VIEW_NXDOMAIN;
}

static bool belongs(const ldns_rr *rr, const struct check_subject *subject)
{
    char owner[ZONE_NAME_MAX + 1];
    return ldns_rr_get_type(rr) == subject->type && check_name(ldns_rr_owner(rr), owner) == 0 &&
           strcmp(owner, subject->name) == 0;
}

static const char *type_text(const struct check_subject *subject, char text[16])
{
    char *name = ldns_rr_type2str(subject->type);
    snprintf(text, 16, "%s", name ? name : "?");
    free(name);
    return text;
}

/* What follows from a record that is not there, or should not be. */
static const char *missing_why(const struct check_subject *subject)
{
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
    bool vital = subject->type == LDNS_RR_TYPE_SRV || subject->type == LDNS_RR_TYPE_A ||
                 subject->type == LDNS_RR_TYPE_AAAA;
    return vital ? CHECK_ERROR : CHECK_WARNING;
}

static enum check_severity extra_severity(const struct check_subject *subject)
{
    return subject->sample ? CHECK_ERROR : CHECK_WARNING;
}

/* ---- against what should be ---- */

static void missing_find(struct check *check, const struct check_subject *subject,
                         const ldns_rr *wanted, const struct check_view *views, bool *any)
{
    struct who who = {.count = 0};
    char type[16];
    for (size_t i = 0; i < check->server_count; i++)
        if (has_answered(&views[i]) && !check_list_find(views[i].set, wanted))
            who_add(&who, &check->servers[i]);
    *any = *any || who.count > 0;
    if (who.count == 0)
        return;
    struct check_finding *finding = check_found(
        check->findings, missing_severity(subject), "missing",
        "%s lacks a %s record that should be there", subject->name, type_text(subject, type));
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "%s", who.text);
    snprintf(finding->why, sizeof(finding->why), "%s", missing_why(subject));
    check_line(wanted, finding->add);
}

static void ttl_find(struct check *check, const struct check_subject *subject,
                     const ldns_rr *wanted, const struct check_view *views)
{
    for (size_t i = 0; i < check->server_count; i++) {
        const ldns_rr *seen =
            has_answered(&views[i]) ? check_list_find(views[i].set, wanted) : NULL;
        char type[16];
        if (!seen || ldns_rr_ttl(seen) == ldns_rr_ttl(wanted))
            continue;
        struct check_finding *finding = check_found(
            check->findings, CHECK_NOTE, "ttl", "the %s records of %s have a TTL of %u s, not %u s",
            type_text(subject, type), subject->name, ldns_rr_ttl(seen), ldns_rr_ttl(wanted));
        if (finding) {
            check_server_text(&check->servers[i], finding->where);
            snprintf(finding->why, sizeof(finding->why),
                     "a change is seen by all callers after that time, not after the configured "
                     "one");
            check_line(seen, finding->remove);
            check_line(wanted, finding->add);
        }
        return;
    }
}

/* Records that some server has and that should not be; each is told once. `replaced`: others of
 * this set are missing, so this one is likely an older one. */
static void extra_find(struct check *check, const struct check_subject *subject,
                       const struct check_view *views, bool replaced)
{
    ldns_rr_list *told = ldns_rr_list_new(); /* of records that the views own */
    for (size_t i = 0; told && i < check->server_count; i++) {
        for (size_t j = 0; has_answered(&views[i]) && j < ldns_rr_list_rr_count(views[i].set);
             j++) {
            ldns_rr *rr = ldns_rr_list_rr(views[i].set, j);
            struct who who = {.count = 0};
            char type[16];
            if (!belongs(rr, subject) || check_list_find(check->wanted, rr) ||
                check_list_find(told, rr))
                continue;
            for (size_t k = i; k < check->server_count; k++)
                if (has_answered(&views[k]) && check_list_find(views[k].set, rr))
                    who_add(&who, &check->servers[k]);
            ldns_rr_list_push_rr(told, rr);
            struct check_finding *finding =
                check_found(check->findings, extra_severity(subject), replaced ? "stale" : "extra",
                            "%s has %s %s record that should not be there", subject->name,
                            replaced ? "an old" : "a", type_text(subject, type));
            if (finding) {
                snprintf(finding->where, sizeof(finding->where), "%s", who.text);
                snprintf(finding->why, sizeof(finding->why), "%s", extra_why(subject));
                check_line(rr, finding->remove);
            }
        }
    }
    ldns_rr_list_free(told);
}

static void wanted_compare(struct check *check, const struct check_subject *subject,
                           const struct check_view *views)
{
    bool missing = false;
    for (size_t i = 0; i < ldns_rr_list_rr_count(check->wanted); i++) {
        const ldns_rr *wanted = ldns_rr_list_rr(check->wanted, i);
        if (!belongs(wanted, subject))
            continue;
        missing_find(check, subject, wanted, views, &missing);
        ttl_find(check, subject, wanted, views);
    }
    extra_find(check, subject, views, missing);
}

/* ---- against each other ---- */

/* A record that one server has and another has not. Where it is known what should be there, that
 * has been said as missing or extra. */
static void servers_compare(struct check *check, const struct check_subject *subject,
                            const struct check_view *views)
{
    for (size_t i = 0; i < check->server_count; i++) {
        for (size_t k = 0; k < check->server_count; k++) {
            size_t count = has_answered(&views[i]) && has_answered(&views[k])
                               ? ldns_rr_list_rr_count(views[i].set)
                               : 0;
            for (size_t j = 0; j < count; j++) {
                const ldns_rr *rr = ldns_rr_list_rr(views[i].set, j);
                char who[CHECK_WHO_MAX], type[16];
                if (check_list_find(views[k].set, rr))
                    continue;
                struct check_finding *finding = check_found(
                    check->findings, CHECK_ERROR, "contradictory",
                    "%s has a %s record at %s, but not here", subject->name,
                    type_text(subject, type), check_server_text(&check->servers[i], who));
                if (finding) {
                    check_server_text(&check->servers[k], finding->where);
                    snprintf(finding->why, sizeof(finding->why),
                             "whether a call comes through depends on which server is asked; add "
                             "it here, or take it out there");
                    check_line(rr, finding->add);
                }
                return;
            }
        }
    }
}

/* ---- against what callers still believe ---- */

static bool served_by_any(const struct check *check, const struct check_view *views,
                          const ldns_rr *rr, bool *answered)
{
    for (size_t i = 0; i < check->server_count; i++) {
        *answered = *answered || has_answered(&views[i]);
        if (has_answered(&views[i]) && check_list_find(views[i].set, rr))
            return true;
    }
    return false;
}

static void resolver_compare(struct check *check, const struct check_subject *subject,
                             const struct check_view *views, const struct check_view *resolver)
{
    for (size_t i = 0; resolver->set && i < ldns_rr_list_rr_count(resolver->set); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(resolver->set, i);
        bool answered = false;
        char addr[NETADDR_TEXT_MAX], type[16];
        if (served_by_any(check, views, rr, &answered) || !answered)
            continue;
        struct check_finding *finding = check_found(
            check->findings, CHECK_WARNING, "stale",
            "a %s record of %s is still remembered, but no server of the zone has it any more",
            type_text(subject, type), subject->name);
        if (finding) {
            snprintf(finding->where, sizeof(finding->where), "the resolver %s",
                     netaddr_format(&check->conf->resolver, addr));
            snprintf(finding->why, sizeof(finding->why),
                     "callers may use it for another %u s; nothing is to be done but to wait",
                     ldns_rr_ttl(rr));
        }
    }
}

static void alias_find(struct check *check, const struct check_subject *subject,
                       const struct check_view *views)
{
    for (size_t i = 0; i < check->server_count; i++) {
        char type[16];
        if (!*views[i].alias)
            continue;
        struct check_finding *finding =
            check_found(check->findings, CHECK_WARNING, "alias",
                        "%s is an alias (CNAME), where its %s records should stand", subject->name,
                        type_text(subject, type));
        if (finding) {
            check_server_text(&check->servers[i], finding->where);
            snprintf(finding->why, sizeof(finding->why),
                     "the target of an SRV record must not be an alias (RFC 2782), and callers "
                     "differ in what they then do; put the records at the name itself");
            snprintf(finding->remove, sizeof(finding->remove), "%s", views[i].alias);
        }
        return;
    }
}

void check_compare(struct check *check, const struct check_subject *subject,
                   const struct check_view *views, const struct check_view *resolver)
{
    if (check->conf->wanted)
        wanted_compare(check, subject, views);
    else
        servers_compare(check, subject, views);
    alias_find(check, subject, views);
    resolver_compare(check, subject, views, resolver);
}
