/* The zone that a name is in, and who serves it. */
#include "resolver/check_internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *check_server_text(const struct check_server *server, char text[CHECK_WHO_MAX])
{
    char addr[NETADDR_TEXT_MAX];
    snprintf(text, CHECK_WHO_MAX, "%s (%s)", server->name, netaddr_format_ip(&server->addr, addr));
    return text;
}

static void resolver_where(const struct check *check, struct check_finding *finding)
{
    char addr[NETADDR_TEXT_MAX];
    if (finding)
        snprintf(finding->where, sizeof(finding->where), "the resolver %s",
                 netaddr_format(&check->conf->resolver, addr));
}

/* What the resolver could not find out about the zone, as a finding. */
static void resolver_failed(struct check *check, const char *name, const char *type,
                            const struct check_view *view)
{
    bool bogus = view->kind == CHECK_VIEW_BOGUS;
    struct check_finding *finding =
        check_found(check->findings, CHECK_ERROR, bogus ? "dnssec-bogus" : "resolver",
                    bogus ? "the %s records of %s do not validate (DNSSEC)"
                          : "the %s records of %s could not be found out: %s",
                    type, name, view->cause);
    resolver_where(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why), "%s",
                 bogus ? "every caller whose resolver validates takes the domain for forged; sign "
                         "the zone anew, and see that the DS record at the parent is of a key that "
                         "signs"
                       : "callers find no way, if their resolver fares no better; is it up, and "
                         "may this host ask it? (--resolver names another)");
}

/* The zone's name from an SOA record, which stands at the apex or comes with "there is none". */
static int apex_find(struct check *check, const char *name)
{
    struct check_view view;
    int status = check_view_resolver(check, name, LDNS_RR_TYPE_SOA, &view);
    const ldns_rr *soa =
        view.set && ldns_rr_list_rr_count(view.set) > 0 ? ldns_rr_list_rr(view.set, 0) : NULL;
    if (status == 0 && soa && check_name(ldns_rr_owner(soa), check->apex) == 0 &&
        strcmp(check->apex, name) == 0)
        status = 0;
    else if (status == 0 && *view.soa && check_is_below(name, view.soa))
        snprintf(check->apex, sizeof(check->apex), "%s", view.soa);
    else
        check->apex[0] = '\0';
    check->zone_secure = view.authentic;
    if (status == 0 && (view.kind == CHECK_VIEW_SILENT || view.kind == CHECK_VIEW_BOGUS))
        resolver_failed(check, name, "SOA", &view);
    check_view_done(&view);
    return status;
}

static void server_add(struct check *check, const char *name, const ldns_rr *rr)
{
    struct check_server *server = &check->servers[check->server_count];
    const ldns_rdf *ip = ldns_rr_rd_count(rr) == 1 ? ldns_rr_rdf(rr, 0) : NULL;
    if (!ip || check->server_count == CHECK_SERVERS_MAX)
        return;
    memset(server, 0, sizeof(*server));
    if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_A && ldns_rdf_size(ip) == 4) {
        server->addr.in4.sin_family = AF_INET;
        memcpy(&server->addr.in4.sin_addr, ldns_rdf_data(ip), 4);
    } else if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_AAAA && ldns_rdf_size(ip) == 16) {
        server->addr.in6.sin6_family = AF_INET6;
        memcpy(&server->addr.in6.sin6_addr, ldns_rdf_data(ip), 16);
    } else {
        return;
    }
    netaddr_set_port(&server->addr, check->conf->port);
    snprintf(server->name, sizeof(server->name), "%s", name);
    check->server_count++;
}

/* Addresses of one server. A host without IPv6 can still judge what IPv4 says. */
static int addresses_find(struct check *check, const char *name)
{
    static const ldns_rr_type types[] = {LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA};
    size_t before = check->server_count;
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        struct check_view view;
        int status = check_view_resolver(check, name, types[t], &view);
        for (size_t i = 0; status == 0 && view.set && i < ldns_rr_list_rr_count(view.set); i++)
            server_add(check, name, ldns_rr_list_rr(view.set, i));
        check_view_done(&view);
        if (status)
            return status;
    }
    if (check->server_count > before || check->server_count == CHECK_SERVERS_MAX)
        return 0;
    struct check_finding *finding =
        check_found(check->findings, CHECK_WARNING, "lame",
                    "%s, a name server of %s, has no address", name, check->apex);
    resolver_where(check, finding);
    if (finding) {
        snprintf(finding->why, sizeof(finding->why), "nobody can ask it");
        if (check_is_below(name, check->apex))
            snprintf(finding->add, sizeof(finding->add), "%s. 3600 IN A ADDRESS", name);
        else
            snprintf(finding->remove, sizeof(finding->remove), "%s. IN NS %s.", check->apex, name);
    }
    return 0;
}

int check_servers_find(struct check *check, const char *name)
{
    struct check_view view;
    int status = apex_find(check, name);
    if (status || !*check->apex)
        return status;
    status = check_view_resolver(check, check->apex, LDNS_RR_TYPE_NS, &view);
    for (size_t i = 0; status == 0 && view.set && i < ldns_rr_list_rr_count(view.set); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(view.set, i);
        char server[ZONE_NAME_MAX + 1];
        if (ldns_rr_rd_count(rr) == 1 && check_name(ldns_rr_rdf(rr, 0), server) == 0)
            status = addresses_find(check, server);
        if (check->server_count == CHECK_SERVERS_MAX)
            break;
    }
    if (status == 0 && view.kind == CHECK_VIEW_SILENT)
        resolver_failed(check, check->apex, "NS", &view);
    check_view_done(&view);
    return status;
}

/* ---- are they fit, and of one mind? ---- */

static void lame_found(struct check *check, const struct check_server *server,
                       const struct check_view *view)
{
    bool lame = view->kind == CHECK_VIEW_LAME;
    struct check_finding *finding =
        check_found(check->findings, CHECK_WARNING, lame ? "lame" : "silent",
                    lame ? "does not serve %s although the zone names it as its server: %s"
                         : "cannot be asked about %s: %s",
                    check->apex, *view->cause ? view->cause : "it has no SOA record");
    if (!finding)
        return;
    check_server_text(server, finding->where);
    snprintf(finding->why, sizeof(finding->why),
             "callers who ask it wait, and ask another one; load the zone there, or take its NS "
             "record out, here and at the parent");
    snprintf(finding->remove, sizeof(finding->remove), "%s. IN NS %s.", check->apex, server->name);
}

static bool serial_take(struct check_server *server, const struct check_view *view)
{
    const ldns_rr *soa =
        view->set && ldns_rr_list_rr_count(view->set) == 1 ? ldns_rr_list_rr(view->set, 0) : NULL;
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

static void serials_compare(struct check *check)
{
    const struct check_server *newest = NULL;
    char who[CHECK_WHO_MAX];
    for (size_t i = 0; i < check->server_count; i++)
        if (!check->servers[i].silent &&
            (!newest || serial_before(newest->serial, check->servers[i].serial)))
            newest = &check->servers[i];
    for (size_t i = 0; i < check->server_count; i++) {
        const struct check_server *server = &check->servers[i];
        if (server->silent || server->serial == newest->serial)
            continue;
        struct check_finding *finding = check_found(
            check->findings, CHECK_WARNING, "serial", "has serial %u of %s, but %s has %u",
            server->serial, check->apex, check_server_text(newest, who), newest->serial);
        if (finding) {
            check_server_text(server, finding->where);
            snprintf(finding->why, sizeof(finding->why),
                     "it tells callers what was right before; see that it is notified and may "
                     "transfer the zone, if this lasts longer than a transfer takes");
        }
    }
}

int check_servers_judge(struct check *check)
{
    for (size_t i = 0; i < check->server_count; i++) {
        struct check_server *server = &check->servers[i];
        struct check_view view;
        int status = check_view_server(check, server, check->apex, LDNS_RR_TYPE_SOA, &view);
        if (status == 0 && !serial_take(server, &view)) {
            lame_found(check, server, &view);
            server->silent = true;
        }
        check_view_done(&view);
        if (status)
            return status;
    }
    serials_compare(check);
    return 0;
}
