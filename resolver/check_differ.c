/* What servers and resolver say, against each other. Pure but for the findings. */
#include "resolver/check_internal.h"

#include <stdio.h>
#include <string.h>

#define REMEMBERED_MAX 4 /* findings of one set: the others say the same */

/* ---- servers against each other ---- */

/* A record of `has` that `lacks` has not, or NULL. */
static const ldns_rr *difference(const struct check_view *has, const struct check_view *lacks)
{
    for (size_t i = 0; i < check_view_count(has); i++)
        if (!check_list_find(lacks->set, ldns_rr_list_rr(has->set, i)))
            return ldns_rr_list_rr(has->set, i);
    return NULL;
}

static void differ_found(struct check *check, const struct check_subject *subject,
                         const ldns_rr *rr, const struct check_server *has,
                         const struct check_server *lacks)
{
    bool of_zone = subject->type == LDNS_RR_TYPE_NS || subject->type == LDNS_RR_TYPE_DNSKEY;
    char who[CHECK_WHO_MAX], type[16];
    struct check_finding *finding =
        check_found(check->findings, of_zone ? CHECK_WARNING : CHECK_ERROR, "contradictory",
                    "%s has a %s record at %s, but not here", subject->name,
                    check_type_text(subject->type, type), check_server_text(has, who));
    if (!finding)
        return;
    check_server_text(lacks, finding->where);
    snprintf(finding->why, sizeof(finding->why),
             "whether a call comes through depends on which server is asked; add it here, or take "
             "it out there");
    check_line(rr, finding->add);
}

/* All are held against the first one that answers: where none differs from it, none differs from
 * another. One difference is told; the next check finds the next. */
void check_differ(struct check *check, const struct check_zone *zone,
                  const struct check_subject *subject, const struct check_view *views)
{
    size_t first = 0;
    while (first < zone->server_count && !check_view_answered(&views[first]))
        first++;
    for (size_t i = first + 1; i < zone->server_count; i++) {
        if (!check_view_answered(&views[i]))
            continue;
        const ldns_rr *here = difference(&views[i], &views[first]);
        const ldns_rr *there = difference(&views[first], &views[i]);
        if (there)
            differ_found(check, subject, there, &zone->servers[first], &zone->servers[i]);
        else if (here)
            differ_found(check, subject, here, &zone->servers[i], &zone->servers[first]);
        if (here || there)
            return;
    }
}

/* ---- against what callers still believe ---- */

static bool served_by_any(const struct check_zone *zone, const struct check_view *views,
                          const ldns_rr *rr)
{
    for (size_t i = 0; i < zone->server_count; i++)
        if (check_view_answered(&views[i]) && check_list_find(views[i].set, rr))
            return true;
    return false;
}

static void record_remembered(struct check *check, const struct check_subject *subject,
                              const ldns_rr *rr)
{
    char type[16];
    struct check_finding *finding =
        check_found(check->findings, CHECK_WARNING, "stale",
                    "a %s record of %s is still remembered, but no server of the zone has it any "
                    "more",
                    check_type_text(subject->type, type), subject->name);
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why),
                 "callers may use it for another %u s; nothing is to be done but to wait",
                 ldns_rr_ttl(rr));
}

static void nothing_remembered(struct check *check, const struct check_subject *subject)
{
    char type[16];
    struct check_finding *finding = check_found(
        check->findings, CHECK_WARNING, "stale",
        "that there are no %s records of %s is still remembered, but the servers of the zone have "
        "some",
        check_type_text(subject->type, type), subject->name);
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why),
                 "callers may believe it for as long as the zone's SOA record says (its last "
                 "number, in seconds); nothing is to be done but to wait");
}

void check_remembered(struct check *check, const struct check_zone *zone,
                      const struct check_subject *subject, const struct check_view *views,
                      const struct check_view *resolver)
{
    bool any_answer = false, all_have = true;
    for (size_t i = 0; i < zone->server_count; i++) {
        any_answer = any_answer || check_view_answered(&views[i]);
        all_have = all_have && (!check_view_answered(&views[i]) || check_view_count(&views[i]) > 0);
    }
    if (!any_answer || !check_view_answered(resolver) || *resolver->alias)
        return;
    size_t told = 0;
    for (size_t i = 0; i < check_view_count(resolver) && told < REMEMBERED_MAX; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(resolver->set, i);
        if (served_by_any(zone, views, rr))
            continue;
        record_remembered(check, subject, rr);
        told++;
    }
    if (check_view_count(resolver) == 0 && all_have)
        nothing_remembered(check, subject);
}

/* ---- aliases ---- */

static bool is_srv_target(const struct check *check, const char *name)
{
    for (size_t i = 0; check->from_srv && i < check->targets->count; i++)
        if (strcmp(check->targets->list[i].host, name) == 0)
            return true;
    return false;
}

/* The record that takes the alias's place: with its name, and the rest of `rr`. */
static void alias_replace(const struct check_subject *subject, const ldns_rr *rr,
                          struct check_finding *finding)
{
    char line[ZONE_LINE_MAX];
    const char *rest = strchr(check_line(rr, line), ' ');
    if (rest)
        snprintf(finding->add, sizeof(finding->add), "%.253s.%.320s", subject->name, rest);
}

static void alias_found(struct check *check, const struct check_subject *subject, const char *alias,
                        const ldns_rr *rr, const char *where)
{
    char type[16];
    struct check_finding *finding =
        check_found(check->findings, CHECK_WARNING, "alias",
                    "%s is an alias (CNAME), where its %s records should stand", subject->name,
                    check_type_text(subject->type, type));
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "%s", where);
    snprintf(finding->why, sizeof(finding->why),
             "the target of an SRV record must not be an alias (RFC 2782), and callers differ in "
             "what they then do; put the addresses at the name itself, or name in the SRV record "
             "the host that the alias leads to");
    snprintf(finding->remove, sizeof(finding->remove), "%s", alias);
    alias_replace(subject, rr, finding);
}

/* Only where there are records behind it: what leads nowhere is found as unresolved. TLSA records
 * may well stand behind an alias (RFC 7671 section 7). */
void check_alias(struct check *check, const struct check_zone *zone,
                 const struct check_subject *subject, const struct check_view *views,
                 const struct check_view *resolver)
{
    bool is_address = subject->type == LDNS_RR_TYPE_A || subject->type == LDNS_RR_TYPE_AAAA;
    const struct check_view *view = resolver;
    char where[CHECK_WHO_MAX], addr[NETADDR_TEXT_MAX];
    if (!is_address || !is_srv_target(check, subject->name))
        return;
    snprintf(where, sizeof(where), "the resolver %s", netaddr_format(&check->conf->resolver, addr));
    const char *alias = resolver->alias;
    for (size_t i = 0; zone && i < zone->server_count; i++) {
        if (!*views[i].alias)
            continue;
        alias = views[i].alias;
        view = check_view_count(&views[i]) > 0 ? &views[i] : resolver;
        check_server_text(&zone->servers[i], where);
        break;
    }
    for (size_t i = 0; *alias && i < check_view_count(view); i++)
        alias_found(check, subject, alias, ldns_rr_list_rr(view->set, i), where);
}
