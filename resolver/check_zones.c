/* The zone that a name is in, and who serves it. */
#include "resolver/check_internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 16 /* labels of an alias taken off until a name is no alias */

const char *check_server_text(const struct check_server *server, char text[CHECK_WHO_MAX])
{
    char addr[NETADDR_TEXT_MAX];
    snprintf(text, CHECK_WHO_MAX, "%s (%s)", server->name, netaddr_format_ip(&server->addr, addr));
    return text;
}

void check_at_resolver(const struct check *check, struct check_finding *finding)
{
    char addr[NETADDR_TEXT_MAX];
    if (finding)
        snprintf(finding->where, sizeof(finding->where), "the resolver %s",
                 netaddr_format(&check->conf->resolver, addr));
}

/* What the resolver could not find out about the zone, as a finding. */
static void resolver_failed(struct check *check, enum check_severity severity, const char *name,
                            const char *type, const struct check_view *view)
{
    bool bogus = view->kind == CHECK_VIEW_BOGUS;
    struct check_finding *finding =
        check_found(check->findings, severity, bogus ? "dnssec-bogus" : "resolver",
                    bogus ? "the %s records of %s do not validate (DNSSEC)"
                          : "the %s records of %s could not be found out: %s",
                    type, name, view->cause);
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why), "%s",
                 bogus ? "every caller whose resolver validates takes the domain for forged; sign "
                         "the zone anew, and see that the DS record at the parent is of a key that "
                         "signs"
                       : "callers find no way, if their resolver fares no better; is it up, and "
                         "may this host ask it? (--resolver names another)");
}

/* ---- the apex ---- */

/* The zone's name from an SOA record, which stands at the apex or comes with "there is none". */
static bool apex_take(const struct check_view *view, const char *name, char apex[ZONE_NAME_MAX + 1])
{
    const ldns_rr *soa =
        view->set && ldns_rr_list_rr_count(view->set) > 0 ? ldns_rr_list_rr(view->set, 0) : NULL;
    if (soa && check_name(ldns_rr_owner(soa), apex) == 0 && strcmp(apex, name) == 0)
        return true;
    apex[0] = '\0';
    if (*view->soa && check_is_below(name, view->soa))
        snprintf(apex, ZONE_NAME_MAX + 1, "%s", view->soa);
    return *apex != '\0';
}

/* What comes for an alias tells of the zone that it leads to; the alias itself stands in the zone
 * of the name above it, for no zone begins with an alias. */
static int apex_find(struct check *check, const char *name, enum check_severity severity,
                     struct check_zone *zone)
{
    for (int i = 0; i < LABELS_MAX && name && *name; i++) {
        struct check_view view;
        int status = check_view_resolver(check, name, LDNS_RR_TYPE_SOA, &view);
        bool is_alias = *view.alias != '\0';
        if (status == 0 && !is_alias) {
            apex_take(&view, name, zone->apex);
            zone->validated = view.authentic;
        }
        bool failed = view.kind == CHECK_VIEW_SILENT || view.kind == CHECK_VIEW_BOGUS;
        if (status == 0 && failed && !check->failure_told)
            resolver_failed(check, severity, name, "SOA", &view);
        check->failure_told = check->failure_told || failed;
        check_view_done(&view);
        if (status || !is_alias)
            return status;
        name = strchr(name, '.');
        name = name ? name + 1 : NULL;
    }
    return 0;
}

/* ---- the servers ---- */

static void server_add(struct check *check, struct check_zone *zone, const char *name,
                       const ldns_rr *rr, size_t *left_out)
{
    struct check_server server;
    const ldns_rdf *ip = ldns_rr_rd_count(rr) == 1 ? ldns_rr_rdf(rr, 0) : NULL;
    memset(&server, 0, sizeof(server));
    if (ip && ldns_rr_get_type(rr) == LDNS_RR_TYPE_A && ldns_rdf_size(ip) == 4) {
        server.addr.in4.sin_family = AF_INET;
        memcpy(&server.addr.in4.sin_addr, ldns_rdf_data(ip), 4);
    } else if (ip && ldns_rr_get_type(rr) == LDNS_RR_TYPE_AAAA && ldns_rdf_size(ip) == 16) {
        server.addr.in6.sin6_family = AF_INET6;
        memcpy(&server.addr.in6.sin6_addr, ldns_rdf_data(ip), 16);
    } else {
        return;
    }
    netaddr_set_port(&server.addr, check->conf->port);
    snprintf(server.name, sizeof(server.name), "%s", name);
    if (zone->server_count < CHECK_SERVERS_MAX)
        zone->servers[zone->server_count++] = server;
    else
        ++*left_out;
}

static void address_missing(struct check *check, const struct check_zone *zone, const char *name)
{
    bool within = check_is_below(name, zone->apex);
    struct check_finding *finding =
        check_found(check->findings, CHECK_WARNING, "lame",
                    "%s, a name server of %s, has no address", name, zone->apex);
    check_at_resolver(check, finding);
    if (!finding)
        return;
    snprintf(finding->why, sizeof(finding->why), "nobody can ask it%s",
             within ? "; give it an A or AAAA record, or take its NS record out" : "");
    snprintf(finding->remove, sizeof(finding->remove), "%s. IN NS %s.", zone->apex, name);
}

/* Addresses of one server. A host without IPv6 can still judge what IPv4 says. */
static int addresses_find(struct check *check, struct check_zone *zone, const char *name,
                          size_t *left_out)
{
    static const ldns_rr_type types[] = {LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA};
    size_t found = 0;
    bool known = true;
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        struct check_view view;
        int status = check_view_resolver(check, name, types[t], &view);
        size_t count = view.set ? ldns_rr_list_rr_count(view.set) : 0; /* also bogus ones */
        known = known && view.set;
        for (size_t i = 0; status == 0 && i < count; i++, found++)
            server_add(check, zone, name, ldns_rr_list_rr(view.set, i), left_out);
        check_view_done(&view);
        if (status)
            return status;
    }
    if (found == 0 && known)
        address_missing(check, zone, name);
    return 0;
}

static void servers_left_out(struct check *check, const struct check_zone *zone, size_t left_out)
{
    if (left_out == 0)
        return;
    struct check_finding *finding = check_found(
        check->findings, CHECK_NOTE, "limit", "%s has %zu addresses of name servers; %d are asked",
        zone->apex, left_out + CHECK_SERVERS_MAX, CHECK_SERVERS_MAX);
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why),
                 "what is wrong at the others is not found; callers ask them too");
}

int check_zone_find(struct check *check, const char *name, enum check_severity severity,
                    struct check_zone *zone)
{
    struct check_view view;
    size_t left_out = 0;
    int status = apex_find(check, name, severity, zone);
    if (status || !*zone->apex)
        return status;
    status = check_view_resolver(check, zone->apex, LDNS_RR_TYPE_NS, &view);
    size_t count = view.set ? ldns_rr_list_rr_count(view.set) : 0; /* bogus ones may be asked too */
    for (size_t i = 0; status == 0 && i < count; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(view.set, i);
        char server[ZONE_NAME_MAX + 1];
        if (ldns_rr_rd_count(rr) == 1 && check_name(ldns_rr_rdf(rr, 0), server) == 0)
            status = addresses_find(check, zone, server, &left_out);
    }
    if (status == 0 && view.kind == CHECK_VIEW_SILENT)
        resolver_failed(check, severity, zone->apex, "NS", &view);
    check_view_done(&view);
    servers_left_out(check, zone, left_out);
    return status;
}

/* ---- each zone once ---- */

static void zones_full(struct check *check, const char *apex)
{
    struct check_finding *finding =
        check_found(check->findings, CHECK_NOTE, "limit",
                    "the servers of %s were not asked: the records lead to more than %d zones",
                    apex, CHECK_ZONES_MAX);
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why),
                 "only what the resolver says of it is looked at");
}

static int zone_take(struct check *check, const char *name, struct check_zone *found,
                     struct check_zone **zone)
{
    enum check_severity severity = check->zone_count == 0 ? CHECK_ERROR : CHECK_WARNING;
    int status = check_zone_find(check, name, severity, found);
    for (size_t i = 0; i < check->zone_count && status == 0; i++)
        if (strcmp(check->zones[i].apex, found->apex) == 0)
            *zone = &check->zones[i];
    if (status || *zone || !*found->apex)
        return status;
    if (check->zone_count == CHECK_ZONES_MAX) {
        zones_full(check, found->apex);
        return 0;
    }
    *zone = &check->zones[check->zone_count++];
    **zone = *found;
    status = check_servers_judge(check, *zone);
    return status ? status : check_dnssec(check, *zone);
}

int check_zone_of(struct check *check, const char *name, struct check_zone **zone)
{
    *zone = NULL;
    for (size_t i = 0; i < check->home_count; i++) {
        if (strcmp(check->homes[i].name, name) == 0) {
            *zone = check->homes[i].zone;
            return 0;
        }
    }
    struct check_zone *found = calloc(1, sizeof(*found));
    int status = found ? zone_take(check, name, found, zone) : -ENOMEM;
    free(found);
    if (status == 0 && check->home_count < CHECK_SUBJECTS_MAX) {
        struct check_home *home = &check->homes[check->home_count++];
        snprintf(home->name, sizeof(home->name), "%s", name);
        home->zone = *zone;
    }
    return status;
}
