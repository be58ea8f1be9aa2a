/* Where the records lead, as a peer follows them (design section 5, profile peer): NAPTR SIPS+D2T,
 * else SRV _sips._tcp, else the domain's own addresses. */
#include "resolver/check_internal.h"

#include "base/status.h"
#include "resolver/tlsa.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TLS_PORT 5061

static struct check_finding *found_for_callers(struct check *check, enum check_severity severity,
                                               const char *code, const char *what, const char *why)
{
    struct check_finding *finding = check_found(check->findings, severity, code, "%s", what);
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why), "%s", why);
    return finding;
}

/* Says it where callers get no answer. */
static bool has_view(struct check *check, enum check_severity severity, const char *name,
                     const char *type, const struct check_view *view)
{
    char what[CHECK_WHAT_MAX];
    if (view->kind == CHECK_VIEW_BOGUS) {
        snprintf(what, sizeof(what), "the %s records of %s do not validate (DNSSEC)", type, name);
        found_for_callers(check, severity, "dnssec-bogus", what,
                          "every caller whose resolver validates takes them for forged; sign the "
                          "zone anew, on each of its servers");
    } else if (!check_view_answered(view)) {
        snprintf(what, sizeof(what), "the %s records of %s could not be found out: %s", type, name,
                 view->cause);
        found_for_callers(check, severity, "resolver", what,
                          "callers do not know whether there are any, and do not call");
    }
    return check_view_answered(view);
}

/* Records of a server that answers, in place of none. What proves the view stays as it is. */
static int view_renew(struct check *check, struct check_zone *zone, const char *name,
                      ldns_rr_type type, struct check_view *view)
{
    struct check_view views[CHECK_SERVERS_MAX];
    int status = check_view_servers(check, zone, name, type, views);
    for (size_t i = 0; i < zone->server_count && status == 0; i++) {
        if (check_view_count(&views[i]) == 0)
            continue;
        ldns_rr_list *none = view->set;
        view->set = views[i].set;
        view->left_out = views[i].left_out;
        view->kind = CHECK_VIEW_RECORDS;
        views[i].set = none;
        break;
    }
    check_views_done(views, zone->server_count);
    return status;
}

/* What callers find. Where the resolver knows of none, it may only remember that there were none:
 * then what the servers have is what counts, and that it remembers too long is found elsewhere. */
int check_view_find(struct check *check, const char *name, ldns_rr_type type,
                    struct check_view *view)
{
    struct check_zone *zone;
    int status = check_view_resolver(check, name, type, view);
    if (status || !check_view_answered(view) || check_view_count(view) > 0 || *view->alias)
        return status;
    status = check_zone_of(check, name, &zone);
    return status == 0 && zone ? view_renew(check, zone, name, type, view) : status;
}

/* ---- NAPTR ---- */

static bool rdf_is(const ldns_rr *rr, size_t at, const char *text)
{
    const ldns_rdf *rdf = ldns_rr_rdf(rr, at);
    size_t len = strlen(text);
    return rdf && ldns_rdf_size(rdf) == len + 1 && ldns_rdf_data(rdf)[0] == len &&
           strncasecmp((const char *)ldns_rdf_data(rdf) + 1, text, len) == 0;
}

static uint32_t naptr_rank(const ldns_rr *rr)
{
    return (uint32_t)ldns_rdf2native_int16(ldns_rr_rdf(rr, 0)) << 16 |
           ldns_rdf2native_int16(ldns_rr_rdf(rr, 1));
}

/* RFC 3403 section 4.1: of those that lead to SRV records over TLS. */
static const ldns_rr *best_naptr(const struct check_view *view)
{
    const ldns_rr *best = NULL;
    for (size_t i = 0; i < check_view_count(view); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(view->set, i);
        if (ldns_rr_rd_count(rr) == 6 && rdf_is(rr, 2, "s") && rdf_is(rr, 3, "SIPS+D2T") &&
            (!best || naptr_rank(rr) < naptr_rank(best)))
            best = rr;
    }
    return best;
}

/* How callers come to the SRV records. */
struct way {
    bool known;  /* else callers get no answer */
    bool named;  /* by NAPTR */
    bool proven; /* nobody on the way could have chosen other names (RFC 7673 section 3.1) */
};

/* The name of the SRV records: what the best usable NAPTR says, else the usual one. */
static int service_find(struct check *check, struct way *way)
{
    const char *domain = check->conf->domain;
    char usual[2 * ZONE_NAME_MAX];
    struct check_view view;
    int status = check_view_find(check, domain, LDNS_RR_TYPE_NAPTR, &view);
    way->known = status == 0 && has_view(check, CHECK_ERROR, domain, "NAPTR", &view);
    const ldns_rr *best = way->known ? best_naptr(&view) : NULL;
    way->named = best && check_name(ldns_rr_rdf(best, 5), check->service) == 0;
    snprintf(usual, sizeof(usual), "_sips._tcp.%s", domain);
    if (!way->named)
        snprintf(check->service, sizeof(check->service), "%.253s",
                 strlen(usual) <= ZONE_NAME_MAX ? usual : "");
    way->proven = view.authentic || strcmp(check->service, usual) == 0;
    check_view_done(&view);
    return status;
}

/* ---- SRV ---- */

static uint16_t srv_number(const ldns_rr *rr, size_t at)
{
    return ldns_rdf2native_int16(ldns_rr_rdf(rr, at));
}

/* An SRV record of a view. */
struct srv {
    const ldns_rr *rr;
};

/* By priority; of the same, the more likely one first. */
static int srv_order(const void *a, const void *b)
{
    const ldns_rr *left = ((const struct srv *)a)->rr, *right = ((const struct srv *)b)->rr;
    int by_priority = (int)srv_number(left, 0) - (int)srv_number(right, 0);
    int by_weight = (int)srv_number(right, 1) - (int)srv_number(left, 1);
    return by_priority ? by_priority : by_weight ? by_weight : ldns_rr_compare(left, right);
}

static void target_add(struct check *check, const ldns_rr *rr)
{
    struct check_targets *targets = check->targets;
    struct check_target *target = &targets->list[targets->count];
    memset(target, 0, sizeof(*target));
    target->priority = srv_number(rr, 0);
    target->weight = srv_number(rr, 1);
    target->port = srv_number(rr, 2);
    if (check_name(ldns_rr_rdf(rr, 3), target->host) == 0 && *target->host)
        targets->count++;
}

static void limit_found(struct check *check, const char *name, size_t count, const char *what,
                        int max)
{
    char text[CHECK_WHAT_MAX];
    snprintf(text, sizeof(text), "%s has %zu %s; the first %d are looked at", name, count, what,
             max);
    found_for_callers(check, CHECK_NOTE, "limit", text,
                      "callers do not try so many either; what is wrong with the others is not "
                      "found");
}

/* The best ones, in order. */
static void targets_add(struct check *check, const struct check_view *view)
{
    struct srv list[CHECK_SET_MAX];
    size_t count = 0;
    for (size_t i = 0; i < check_view_count(view); i++)
        if (ldns_rr_rd_count(ldns_rr_list_rr(view->set, i)) == 4)
            list[count++].rr = ldns_rr_list_rr(view->set, i);
    qsort(list, count, sizeof(list[0]), srv_order);
    for (size_t i = 0; i < count && check->targets->count < CHECK_TARGETS_MAX; i++)
        target_add(check, list[i].rr);
    if (count + view->left_out > CHECK_TARGETS_MAX)
        limit_found(check, check->service, count + view->left_out, "SRV records",
                    CHECK_TARGETS_MAX);
}

/* Without SRV records the domain is its own target. */
static void domain_is_target(struct check *check, const struct way *way)
{
    struct check_target *target = &check->targets->list[check->targets->count++];
    char what[CHECK_WHAT_MAX];
    memset(target, 0, sizeof(*target));
    target->port = TLS_PORT;
    snprintf(target->host, sizeof(target->host), "%s", check->conf->domain);
    if (check->conf->wanted) /* what is missing is told */
        return;
    snprintf(what, sizeof(what), "%s publishes no SIP service over TLS: %s has no SRV records%s",
             check->conf->domain, *check->service ? check->service : "_sips._tcp below it",
             way->named ? "" : ", and no NAPTR record names others");
    found_for_callers(check, CHECK_WARNING, "no-records", what,
                      "callers try the addresses of the domain itself, on port 5061: does the "
                      "domain take calls at all?");
}

static void no_service(struct check *check)
{
    char what[CHECK_WHAT_MAX];
    snprintf(what, sizeof(what), "%s says that there is no SIP service (SRV target \".\")",
             check->service);
    found_for_callers(check, CHECK_ERROR, "no-service", what, "callers do not even try");
}

static int services_find(struct check *check, struct way *way)
{
    struct check_view view;
    if (!*check->service) {
        domain_is_target(check, way);
        return 0;
    }
    int status = check_view_find(check, check->service, LDNS_RR_TYPE_SRV, &view);
    if (status == 0 && has_view(check, CHECK_ERROR, check->service, "SRV", &view)) {
        check->from_srv = check_view_count(&view) > 0;
        way->proven = way->proven && view.authentic;
        if (check->from_srv)
            targets_add(check, &view);
        else
            domain_is_target(check, way);
        if (check->targets->count == 0)
            no_service(check);
    }
    check_view_done(&view);
    return status;
}

/* ---- addresses and TLSA of a target ---- */

size_t check_address_add(const ldns_rr *rr, uint16_t port, struct netaddr *list, size_t count)
{
    const ldns_rdf *ip = ldns_rr_rd_count(rr) == 1 ? ldns_rr_rdf(rr, 0) : NULL;
    char text[INET6_ADDRSTRLEN];
    struct netaddr addr;
    int family = ldns_rr_get_type(rr) == LDNS_RR_TYPE_A ? AF_INET : AF_INET6;
    if (!ip || ldns_rdf_size(ip) != (family == AF_INET ? 4U : 16U) ||
        !inet_ntop(family, ldns_rdf_data(ip), text, sizeof(text)) ||
        netaddr_from_ip(&addr, slice_of(text), port) != 0 || count == CHECK_ADDRESSES_MAX)
        return count;
    for (size_t i = 0; i < count; i++)
        if (netaddr_eq(&list[i], &addr))
            return count;
    list[count] = addr;
    return count + 1;
}

/* Loopback is no mistake where everything is on this host, name servers too. */
static void scope_judge(struct check *check, const struct check_target *target,
                        const struct netaddr *addr)
{
    const char *refusal = check_scope_refusal(addr);
    char what[CHECK_WHAT_MAX], text[NETADDR_TEXT_MAX];
    bool laboratory = true;
    for (size_t i = 0; check->zone_count > 0 && i < check->zones[0].server_count; i++)
        laboratory = laboratory && check_is_loopback(&check->zones[0].servers[i].addr);
    if (!refusal || (check_is_loopback(addr) && laboratory))
        return;
    snprintf(what, sizeof(what), "the address %s of %s is not for everybody: %s",
             netaddr_format_ip(addr, text), target->host, refusal);
    struct check_finding *finding =
        found_for_callers(check, CHECK_WARNING, "private-address", what,
                          "callers elsewhere do not get through to it, though this host may; "
                          "publish the address that they reach");
    if (finding)
        snprintf(finding->remove, sizeof(finding->remove), "%s. IN %s %s", target->host,
                 addr->sa.sa_family == AF_INET ? "A" : "AAAA", text);
}

static int addresses_find(struct check *check, struct check_target *target)
{
    static const ldns_rr_type types[] = {LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA};
    static const char *const names[] = {"A", "AAAA"};
    size_t count = 0;
    bool known = true;
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        struct check_view view;
        int status = check_view_find(check, target->host, types[t], &view);
        known =
            status == 0 && has_view(check, CHECK_WARNING, target->host, names[t], &view) && known;
        for (size_t i = 0; i < check_view_count(&view); i++)
            target->address_count = check_address_add(ldns_rr_list_rr(view.set, i), target->port,
                                                      target->addresses, target->address_count);
        count += check_view_count(&view) + view.left_out;
        target->proven = target->proven && (view.authentic || check_view_count(&view) == 0);
        check_view_done(&view);
        if (status)
            return status;
    }
    if (count > CHECK_ADDRESSES_MAX)
        limit_found(check, target->host, count, "addresses", CHECK_ADDRESSES_MAX);
    for (size_t i = 0; i < target->address_count; i++)
        scope_judge(check, target, &target->addresses[i]);
    if (target->address_count > 0 || !known)
        return 0;
    char what[CHECK_WHAT_MAX];
    snprintf(what, sizeof(what), "%s, to which the records lead, has no address", target->host);
    found_for_callers(check, CHECK_WARNING, "unresolved", what,
                      "callers who choose this target lose its share of the time, or the call; "
                      "give it an A or AAAA record of the edge, or take out what leads there");
    return 0;
}

static void tlsa_add(struct check_target *target, const ldns_rr *rr)
{
    struct check_tlsa *tlsa = &target->tlsa[target->tlsa_count];
    if (ldns_rr_rd_count(rr) != 4 || target->tlsa_count == CHECK_TLSA_MAX)
        return;
    size_t len = ldns_rdf_size(ldns_rr_rdf(rr, 3));
    tlsa->usage = ldns_rdf2native_int8(ldns_rr_rdf(rr, 0));
    tlsa->selector = ldns_rdf2native_int8(ldns_rr_rdf(rr, 1));
    tlsa->matching = ldns_rdf2native_int8(ldns_rr_rdf(rr, 2));
    if (len == 0 || len > sizeof(tlsa->data))
        return;
    memcpy(tlsa->data, ldns_rdf_data(ldns_rr_rdf(rr, 3)), len);
    tlsa->len = len;
    struct resolver_tlsa record = {.usage = tlsa->usage,
                                   .selector = tlsa->selector,
                                   .matching = tlsa->matching,
                                   .data = slice_make((const char *)tlsa->data, len)};
    tlsa->usable = !resolver_tlsa_refusal(&record);
    target->tlsa_until_s = ldns_rr_ttl(rr);
    target->tlsa_count++;
}

/* `proven`: the way to the target is; else TLSA records prove nothing, whatever they are. */
static enum check_tlsa_state tlsa_state(const struct check_view *view, bool proven)
{
    if (check_view_answered(view) && check_view_count(view) == 0)
        return CHECK_TLSA_NONE;
    if (!check_view_answered(view))
        return proven ? CHECK_TLSA_UNKNOWN : CHECK_TLSA_NONE;
    return view->authentic && proven ? CHECK_TLSA_VALIDATED : CHECK_TLSA_UNSIGNED;
}

static int tlsa_find(struct check *check, struct check_target *target)
{
    char name[RESOLVER_NAME_MAX + 1];
    struct check_view view;
    if (resolver_tlsa_name(target->host, target->port, name))
        return 0;
    int status = check_view_resolver(check, name, LDNS_RR_TYPE_TLSA, &view);
    if (status == 0 && (target->proven || view.kind == CHECK_VIEW_BOGUS))
        has_view(check, CHECK_WARNING, name, "TLSA", &view);
    if (status == 0)
        target->tlsa_state = tlsa_state(&view, target->proven);
    for (size_t i = 0; i < check_view_count(&view); i++)
        tlsa_add(target, ldns_rr_list_rr(view.set, i));
    target->tlsa_left_out = view.left_out > 0;
    check_view_done(&view);
    return status;
}

/* What keeps callers from one target is bad; from all of them, fatal. */
static void severities_settle(struct check *check, size_t from)
{
    static const char *const codes[] = {"unresolved", "resolver", "dnssec-bogus"};
    for (size_t i = 0; i < check->targets->count; i++)
        if (check->targets->list[i].address_count > 0)
            return;
    for (size_t i = from; i < check->findings->count; i++)
        for (size_t k = 0; k < sizeof(codes) / sizeof(codes[0]); k++)
            if (strcmp(check->findings->list[i].code, codes[k]) == 0)
                check->findings->list[i].severity = CHECK_ERROR;
}

int check_targets_find(struct check *check)
{
    struct way way = {.known = false};
    int status = service_find(check, &way);
    if (status == 0 && way.known)
        status = services_find(check, &way);
    size_t from = check->findings->count;
    for (size_t i = 0; i < check->targets->count && status == 0; i++) {
        struct check_target *target = &check->targets->list[i];
        target->proven = way.proven;
        status = addresses_find(check, target);
        if (status == 0)
            status = tlsa_find(check, target);
    }
    severities_settle(check, from);
    return status;
}

/* ---- what the servers say of the keys ---- */

static bool served_by_all(const struct check_zone *zone, const struct check_view *views,
                          const ldns_rr *rr)
{
    for (size_t i = 0; i < zone->server_count; i++)
        if (check_view_answered(&views[i]) && !check_list_find(views[i].set, rr))
            return false;
    return true;
}

static void served_add(struct check_target *target, const ldns_rr *rr)
{
    static const uint8_t head[] = {3, 1, 1};
    bool fits = ldns_rr_rd_count(rr) == 4 && target->served_count < CHECK_TLSA_MAX &&
                ldns_rdf_size(ldns_rr_rdf(rr, 3)) == ZONE_KEY_LEN;
    for (size_t i = 0; i < sizeof(head); i++)
        fits = fits && ldns_rdf2native_int8(ldns_rr_rdf(rr, i)) == head[i];
    if (fits)
        memcpy(target->served[target->served_count++], ldns_rdf_data(ldns_rr_rdf(rr, 3)),
               ZONE_KEY_LEN);
}

static void target_serve(struct check_target *target, const struct check_zone *zone,
                         const struct check_view *views)
{
    const struct check_view *first = NULL;
    for (size_t i = 0; i < zone->server_count && !first; i++)
        first = check_view_count(&views[i]) > 0 ? &views[i] : NULL;
    for (size_t i = 0; first && i < check_view_count(first); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(first->set, i);
        target->tlsa_ttl_s = ldns_rr_ttl(rr);
        if (served_by_all(zone, views, rr))
            served_add(target, rr);
    }
}

void check_targets_serve(struct check *check, const struct check_zone *zone,
                         const struct check_subject *subject, const struct check_view *views)
{
    char name[RESOLVER_NAME_MAX + 1];
    for (size_t i = 0; i < check->targets->count; i++) {
        struct check_target *target = &check->targets->list[i];
        if (subject->type == LDNS_RR_TYPE_TLSA &&
            resolver_tlsa_name(target->host, target->port, name) == 0 &&
            strcmp(name, subject->name) == 0)
            target_serve(target, zone, views);
    }
}
