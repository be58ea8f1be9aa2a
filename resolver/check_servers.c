/* Are the servers of a zone fit, and of one mind? */
#include "resolver/check_internal.h"

#include <stdio.h>
#include <string.h>

/* Someone answers here: then it is the server that is wrong, not the way there. */
static bool any_answers(const struct check_zone *zone, const struct check_view *views)
{
    for (size_t i = 0; i < zone->server_count; i++)
        if (check_view_answered(&views[i]))
            return true;
    return false;
}

static void lame_found(struct check *check, const struct check_zone *zone,
                       const struct check_server *server, const struct check_view *view,
                       bool others)
{
    bool lame = view->kind == CHECK_VIEW_LAME || check_view_answered(view);
    struct check_finding *finding =
        check_found(check->findings, CHECK_WARNING, lame ? "lame" : "silent",
                    lame ? "does not serve %s although the zone names it as its server: %s"
                         : "cannot be asked about %s: %s",
                    zone->apex, *view->cause ? view->cause : "it has no SOA record");
    if (!finding)
        return;
    check_server_text(server, finding->where);
    snprintf(finding->why, sizeof(finding->why), "%s",
             lame || others
                 ? "callers who ask it wait, and ask another one; load the zone there, or take its "
                   "NS record out, here and at the parent"
                 : "no server of the zone answers this host: is it kept from asking them (port 53, "
                   "UDP and TCP)? Only what the resolver says was looked at");
    if (lame || others)
        snprintf(finding->remove, sizeof(finding->remove), "%s. IN NS %s.", zone->apex,
                 server->name);
}

/* This host's fault, not the server's. */
static void unasked_found(struct check *check, const struct check_zone *zone,
                          const struct check_server *server, const struct check_view *view)
{
    struct check_finding *finding = check_found(
        check->findings, CHECK_NOTE, "server-no-route",
        "was not asked about %s, this host has no way there: %s", zone->apex, view->cause);
    if (!finding)
        return;
    check_server_text(server, finding->where);
    snprintf(finding->why, sizeof(finding->why),
             "callers elsewhere may have one; what is wrong there is not found from here");
}

static bool serial_take(struct check_server *server, const struct check_view *view)
{
    const ldns_rr *soa = check_view_count(view) == 1 ? ldns_rr_list_rr(view->set, 0) : NULL;
    const ldns_rdf *serial = soa && ldns_rr_rd_count(soa) == 7 ? ldns_rr_rdf(soa, 2) : NULL;
    if (!serial || ldns_rdf_size(serial) != 4)
        return false;
    server->serial = ldns_rdf2native_int32(serial);
    return true;
}

/* RFC 1982: is `a` before `b`? */
static bool serial_before(uint32_t a, uint32_t b)
{
    return a != b && b - a < UINT32_C(0x80000000);
}

static const struct check_server *newest_find(const struct check_zone *zone)
{
    const struct check_server *newest = NULL;
    for (size_t i = 0; i < zone->server_count; i++)
        if (!zone->servers[i].silent &&
            (!newest || serial_before(newest->serial, zone->servers[i].serial)))
            newest = &zone->servers[i];
    return newest;
}

static void serials_compare(struct check *check, const struct check_zone *zone)
{
    const struct check_server *newest = newest_find(zone);
    char who[CHECK_WHO_MAX];
    for (size_t i = 0; i < zone->server_count; i++) {
        const struct check_server *server = &zone->servers[i];
        if (server->silent || server->serial == newest->serial)
            continue;
        struct check_finding *finding = check_found(
            check->findings, CHECK_WARNING, "serial", "has serial %u of %s, but %s has %u",
            server->serial, zone->apex, check_server_text(newest, who), newest->serial);
        if (finding) {
            check_server_text(server, finding->where);
            snprintf(finding->why, sizeof(finding->why),
                     "it tells callers what was right before; see that it is notified and may "
                     "transfer the zone, if this lasts longer than a transfer takes");
        }
    }
}

int check_servers_judge(struct check *check, struct check_zone *zone)
{
    struct check_view views[CHECK_SERVERS_MAX];
    int status = check_view_servers(check, zone, zone->apex, LDNS_RR_TYPE_SOA, views);
    bool others = any_answers(zone, views);
    for (size_t i = 0; i < zone->server_count && status == 0; i++) {
        struct check_server *server = &zone->servers[i];
        if (serial_take(server, &views[i]))
            continue;
        if (views[i].kind != CHECK_VIEW_UNASKED)
            lame_found(check, zone, server, &views[i], others);
        else if (server->no_way)
            unasked_found(check, zone, server, &views[i]);
        server->silent = true;
    }
    check_views_done(views, zone->server_count);
    if (status == 0)
        serials_compare(check, zone);
    return status;
}
