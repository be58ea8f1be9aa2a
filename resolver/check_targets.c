/* Where the records lead, as a peer follows them (design section 5, profile peer): NAPTR SIPS+D2T,
 * else SRV _sips._tcp, else the domain's own addresses. */
#include "resolver/check_internal.h"

#include "base/status.h"

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
    char addr[NETADDR_TEXT_MAX];
    struct check_finding *finding = check_found(check->findings, severity, code, "%s", what);
    if (finding) {
        snprintf(finding->where, sizeof(finding->where), "the resolver %s",
                 netaddr_format(&check->conf->resolver, addr));
        snprintf(finding->why, sizeof(finding->why), "%s", why);
    }
    return finding;
}

/* Says it where callers get no answer. */
static bool has_view(struct check *check, const char *name, const char *type,
                     const struct check_view *view)
{
    char what[CHECK_WHAT_MAX];
    if (view->kind == CHECK_VIEW_BOGUS) {
        snprintf(what, sizeof(what), "the %s records of %s do not validate (DNSSEC)", type, name);
        found_for_callers(check, CHECK_ERROR, "dnssec-bogus", what,
                          "every caller whose resolver validates takes them for forged; sign the "
                          "zone anew, on each of its servers");
    } else if (view->kind == CHECK_VIEW_SILENT) {
        snprintf(what, sizeof(what), "the %s records of %s could not be found out: %s", type, name,
                 view->cause);
        found_for_callers(check, CHECK_ERROR, "resolver", what,
                          "callers do not know whether there are any, and do not call");
    }
    return view->kind == CHECK_VIEW_RECORDS || view->kind == CHECK_VIEW_NXDOMAIN;
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

/* The name of the SRV records: what the best usable NAPTR says, else the usual one. */
static int service_find(struct check *check, char service[ZONE_NAME_MAX + 1], bool *known)
{
    const char *domain = check->conf->domain;
    struct check_view view;
    int status = check_view_resolver(check, domain, LDNS_RR_TYPE_NAPTR, &view);
    const ldns_rr *best = NULL;
    *known = status == 0 && has_view(check, domain, "NAPTR", &view);
    for (size_t i = 0; *known && i < ldns_rr_list_rr_count(view.set); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(view.set, i);
        if (ldns_rr_rd_count(rr) == 6 && rdf_is(rr, 2, "s") && rdf_is(rr, 3, "SIPS+D2T") &&
            (!best || naptr_rank(rr) < naptr_rank(best)))
            best = rr;
    }
    if (!best || check_name(ldns_rr_rdf(best, 5), service))
        snprintf(service, ZONE_NAME_MAX + 1, "_sips._tcp.%.242s", domain);
    check_view_done(&view);
    return status;
}

/* ---- SRV ---- */

static int target_order(const void *a, const void *b)
{
    const struct check_target *left = a, *right = b;
    return (left->priority > right->priority) - (left->priority < right->priority);
}

static void target_add(struct check *check, const ldns_rr *rr)
{
    struct check_targets *targets = check->targets;
    struct check_target *target = &targets->list[targets->count];
    if (ldns_rr_rd_count(rr) != 4)
        return;
    memset(target, 0, sizeof(*target));
    target->priority = ldns_rdf2native_int16(ldns_rr_rdf(rr, 0));
    target->weight = ldns_rdf2native_int16(ldns_rr_rdf(rr, 1));
    target->port = ldns_rdf2native_int16(ldns_rr_rdf(rr, 2));
    if (check_name(ldns_rr_rdf(rr, 3), target->host) == 0 && *target->host)
        targets->count++;
}

/* Without SRV records the domain is its own target. */
static void domain_is_target(struct check *check)
{
    struct check_target *target = &check->targets->list[check->targets->count++];
    memset(target, 0, sizeof(*target));
    target->port = TLS_PORT;
    snprintf(target->host, sizeof(target->host), "%s", check->conf->domain);
}

static void no_service(struct check *check, const char *service)
{
    char what[CHECK_WHAT_MAX];
    snprintf(what, sizeof(what), "%s says that there is no SIP service (SRV target \".\")",
             service);
    found_for_callers(check, CHECK_ERROR, "no-service", what, "callers do not even try");
}

static int services_find(struct check *check, const char *service)
{
    struct check_view view;
    int status = check_view_resolver(check, service, LDNS_RR_TYPE_SRV, &view);
    if (status == 0 && has_view(check, service, "SRV", &view)) {
        size_t count = ldns_rr_list_rr_count(view.set);
        for (size_t i = 0; i < count && check->targets->count < CHECK_TARGETS_MAX; i++)
            target_add(check, ldns_rr_list_rr(view.set, i));
        if (count > CHECK_TARGETS_MAX)
            check_found(check->findings, CHECK_NOTE, "limit",
                        "%s has %zu SRV records; the first %d are looked at", service, count,
                        CHECK_TARGETS_MAX);
        if (count == 0)
            domain_is_target(check);
        else if (check->targets->count == 0)
            no_service(check, service);
        qsort(check->targets->list, check->targets->count, sizeof(check->targets->list[0]),
              target_order);
    }
    check_view_done(&view);
    return status;
}

/* ---- addresses and TLSA of a target ---- */

static void address_add(struct check_target *target, const ldns_rr *rr)
{
    struct netaddr *addr = &target->addresses[target->address_count];
    const ldns_rdf *ip = ldns_rr_rd_count(rr) == 1 ? ldns_rr_rdf(rr, 0) : NULL;
    char text[INET6_ADDRSTRLEN];
    int family = ldns_rr_get_type(rr) == LDNS_RR_TYPE_A ? AF_INET : AF_INET6;
    if (!ip || ldns_rdf_size(ip) != (family == AF_INET ? 4U : 16U) ||
        target->address_count == CHECK_ADDRESSES_MAX)
        return;
    if (inet_ntop(family, ldns_rdf_data(ip), text, sizeof(text)) &&
        netaddr_from_ip(addr, slice_of(text), target->port) == 0)
        target->address_count++;
}

static int addresses_find(struct check *check, struct check_target *target)
{
    static const ldns_rr_type types[] = {LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA};
    static const char *const names[] = {"A", "AAAA"};
    char what[CHECK_WHAT_MAX];
    bool known = true;
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        struct check_view view;
        int status = check_view_resolver(check, target->host, types[t], &view);
        bool answered = status == 0 && has_view(check, target->host, names[t], &view);
        for (size_t i = 0; answered && i < ldns_rr_list_rr_count(view.set); i++)
            address_add(target, ldns_rr_list_rr(view.set, i));
        known = known && answered;
        check_view_done(&view);
        if (status)
            return status;
    }
    if (target->address_count > 0 || !known)
        return 0;
    snprintf(what, sizeof(what), "%s, to which the records lead, has no address", target->host);
    struct check_finding *finding =
        found_for_callers(check, CHECK_ERROR, "unresolved", what,
                          "callers who choose this target lose its share of the time, or the call");
    if (finding)
        snprintf(finding->add, sizeof(finding->add), "%s. 3600 IN A ADDRESS", target->host);
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
    target->tlsa_ttl_s = ldns_rr_ttl(rr);
    target->tlsa_count++;
}

static enum check_tlsa_state tlsa_state(const struct check_view *view, bool known)
{
    if (!known)
        return CHECK_TLSA_UNKNOWN;
    if (ldns_rr_list_rr_count(view->set) == 0)
        return CHECK_TLSA_NONE;
    return view->authentic ? CHECK_TLSA_VALIDATED : CHECK_TLSA_UNSIGNED;
}

static int tlsa_find(struct check *check, struct check_target *target)
{
    char name[ZONE_NAME_MAX + 32];
    struct check_view view;
    snprintf(name, sizeof(name), "_%u._tcp.%s", target->port, target->host);
    if (strlen(name) > ZONE_NAME_MAX)
        return 0;
    int status = check_view_resolver(check, name, LDNS_RR_TYPE_TLSA, &view);
    bool known = status == 0 && has_view(check, name, "TLSA", &view);
    if (status == 0)
        target->tlsa_state = tlsa_state(&view, known);
    for (size_t i = 0; known && i < ldns_rr_list_rr_count(view.set); i++)
        tlsa_add(target, ldns_rr_list_rr(view.set, i));
    check_view_done(&view);
    return status;
}

int check_targets_find(struct check *check)
{
    char service[ZONE_NAME_MAX + 1];
    bool known;
    int status = service_find(check, service, &known);
    if (status == 0 && known)
        status = services_find(check, service);
    for (size_t i = 0; i < check->targets->count && status == 0; i++) {
        status = addresses_find(check, &check->targets->list[i]);
        if (status == 0)
            status = tlsa_find(check, &check->targets->list[i]);
    }
    return status;
}
