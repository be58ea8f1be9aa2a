/* What one party, the resolver or a server of the zone, has under a name. */
#include "resolver/check_internal.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ALIASES_MAX 8

/* ---- records as text ---- */

int check_name(const ldns_rdf *dname, char name[ZONE_NAME_MAX + 1])
{
    char *text = ldns_rdf2str(dname);
    size_t len = text ? strlen(text) : 0;
    if (len > 0 && text[len - 1] == '.')
        text[--len] = '\0';
    bool fits = text && len <= ZONE_NAME_MAX;
    if (fits) {
        for (size_t i = 0; i <= len; i++)
            name[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + ('a' - 'A') : text[i]);
    }
    free(text);
    return fits ? 0 : STATUS_MALFORMED;
}

const char *check_line(const ldns_rr *rr, char line[ZONE_LINE_MAX])
{
    char *text = ldns_rr2str(rr);
    line[0] = '\0';
    if (text) {
        size_t len = strcspn(text, "\n");
        snprintf(line, ZONE_LINE_MAX, "%.*s", (int)len, text);
        for (char *p = line; *p; p++)
            *p = *p == '\t' ? ' ' : *p;
    }
    free(text);
    return line;
}

bool check_is_below(const char *name, const char *zone)
{
    size_t len = strlen(name), zone_len = strlen(zone);
    if (zone_len == 0)
        return true;
    return len >= zone_len && strcmp(name + len - zone_len, zone) == 0 &&
           (len == zone_len || name[len - zone_len - 1] == '.');
}

const ldns_rr *check_list_find(const ldns_rr_list *list, const ldns_rr *rr)
{
    for (size_t i = 0; list && i < ldns_rr_list_rr_count(list); i++)
        if (ldns_rr_compare(ldns_rr_list_rr(list, i), rr) == 0)
            return ldns_rr_list_rr(list, i);
    return NULL;
}

/* ---- what an answer says ---- */

void check_view_done(struct check_view *view)
{
    if (view->set)
        ldns_rr_list_deep_free(view->set);
    if (view->signatures)
        ldns_rr_list_deep_free(view->signatures);
    memset(view, 0, sizeof(*view));
}

static int keep(ldns_rr_list *list, const ldns_rr *rr)
{
    ldns_rr *copy = ldns_rr_clone(rr);
    if (!copy)
        return -ENOMEM;
    ldns_rr2canonical(copy);
    if (ldns_rr_list_push_rr(list, copy))
        return 0;
    ldns_rr_free(copy);
    return -ENOMEM;
}

static bool is_owned_by(const ldns_rr *rr, const char *name)
{
    char owner[ZONE_NAME_MAX + 1];
    return ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN && check_name(ldns_rr_owner(rr), owner) == 0 &&
           strcmp(owner, name) == 0;
}

/* The name at the end of the CNAME records in the answer; the first of them is kept. */
static void aliases_follow(const ldns_rr_list *answer, ldns_rr_type type, char *name,
                           struct check_view *view)
{
    for (int hops = 0; hops < ALIASES_MAX && type != LDNS_RR_TYPE_CNAME; hops++) {
        const ldns_rr *alias = NULL;
        for (size_t i = 0; i < ldns_rr_list_rr_count(answer) && !alias; i++) {
            const ldns_rr *rr = ldns_rr_list_rr(answer, i);
            if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME && is_owned_by(rr, name))
                alias = rr;
        }
        if (!alias || ldns_rr_rd_count(alias) != 1)
            return;
        if (!*view->alias)
            check_line(alias, view->alias);
        if (check_name(ldns_rr_rdf(alias, 0), name))
            return;
    }
}

static int records_take(const ldns_rr_list *answer, const char *name, ldns_rr_type type,
                        struct check_view *view)
{
    int status = 0;
    for (size_t i = 0; i < ldns_rr_list_rr_count(answer) && status == 0; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(answer, i);
        if (!is_owned_by(rr, name))
            continue;
        if (ldns_rr_get_type(rr) == type)
            status = keep(view->set, rr);
        else if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_RRSIG && ldns_rr_rd_count(rr) == 9 &&
                 ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr)) == type)
            status = keep(view->signatures, rr);
    }
    return status;
}

/* A next name of "\000.NAME" is made for each question, and tells of no other name (RFC 4470). */
static bool nsec_tells(const ldns_rr *rr)
{
    const ldns_rdf *next = ldns_rr_rd_count(rr) > 0 ? ldns_rr_rdf(rr, 0) : NULL;
    return next && ldns_rdf_size(next) > 2 &&
           !(ldns_rdf_data(next)[0] == 1 && ldns_rdf_data(next)[1] == 0);
}

static void authority_take(const ldns_rr_list *authority, struct check_view *view)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(authority); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(authority, i);
        if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA)
            check_name(ldns_rr_owner(rr), view->soa);
        else if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_NSEC && nsec_tells(rr))
            view->nsec = true;
    }
}

static int view_fill(const ldns_pkt *packet, const char *asked, ldns_rr_type type,
                     struct check_view *view)
{
    char name[ZONE_NAME_MAX + 1];
    snprintf(name, sizeof(name), "%s", asked);
    view->set = ldns_rr_list_new();
    view->signatures = ldns_rr_list_new();
    if (!view->set || !view->signatures)
        return -ENOMEM;
    view->authentic = ldns_pkt_ad(packet);
    aliases_follow(ldns_pkt_answer(packet), type, name, view);
    authority_take(ldns_pkt_authority(packet), view);
    return records_take(ldns_pkt_answer(packet), name, type, view);
}

static void cause_set(struct check_view *view, enum check_view_kind kind, const char *cause)
{
    view->kind = kind;
    snprintf(view->cause, sizeof(view->cause), "%s", cause);
}

static void rcode_cause(const ldns_pkt *packet, enum check_view_kind kind, struct check_view *view)
{
    char *text = ldns_pkt_rcode2str(ldns_pkt_get_rcode(packet));
    cause_set(view, kind, text ? text : "an unknown answer code");
    free(text);
}

/* What became of asking, where there is no answer. */
static int failure_take(int status, struct check_view *view)
{
    if (status == -ENOMEM)
        return status;
    view->no_route = status == -ENETUNREACH || status == -EADDRNOTAVAIL || status == -EAFNOSUPPORT;
    if (status == -ETIMEDOUT)
        cause_set(view, CHECK_VIEW_SILENT, "no answer");
    else if (status == STATUS_LIMIT)
        cause_set(view, CHECK_VIEW_SILENT, "no time was left to ask");
    else
        cause_set(view, CHECK_VIEW_SILENT,
                  status == STATUS_MALFORMED ? "an answer that is no DNS message"
                                             : status_text(status));
    return 0;
}

/* ---- the two parties ---- */

/* SERVFAIL without, but not with CD: it could find out, and does not believe it. */
static int resolver_doubt(struct check *check, const char *name, ldns_rr_type type,
                          struct check_view *view)
{
    ldns_pkt *packet = NULL;
    int status = check_ask(check, &check->conf->resolver, name, type,
                           CHECK_ASK_RECURSIVE | CHECK_ASK_UNCHECKED, &packet);
    if (status)
        return failure_take(status, view);
    ldns_pkt_rcode rcode = ldns_pkt_get_rcode(packet);
    if (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN) {
        status = view_fill(packet, name, type, view);
        view->kind = CHECK_VIEW_BOGUS;
        view->authentic = false;
    } else {
        rcode_cause(packet, CHECK_VIEW_SILENT, view);
    }
    ldns_pkt_free(packet);
    return status;
}

int check_view_resolver(struct check *check, const char *name, ldns_rr_type type,
                        struct check_view *view)
{
    ldns_pkt *packet = NULL;
    memset(view, 0, sizeof(*view));
    int status = check_ask(check, &check->conf->resolver, name, type, CHECK_ASK_RECURSIVE, &packet);
    if (status)
        return failure_take(status, view);
    switch (ldns_pkt_get_rcode(packet)) {
    case LDNS_RCODE_NXDOMAIN:
    case LDNS_RCODE_NOERROR:
        view->kind = ldns_pkt_get_rcode(packet) == LDNS_RCODE_NXDOMAIN ? CHECK_VIEW_NXDOMAIN
                                                                       : CHECK_VIEW_RECORDS;
        status = view_fill(packet, name, type, view);
        break;
    case LDNS_RCODE_SERVFAIL:
        status = resolver_doubt(check, name, type, view);
        break;
    default:
        rcode_cause(packet, CHECK_VIEW_SILENT, view);
    }
    view->authentic = view->authentic && check->conf->trusted;
    ldns_pkt_free(packet);
    return status;
}

/* A referral, or an answer out of somebody's cache, is no answer of a server of the zone. */
static int server_answer_take(const ldns_pkt *packet, const char *name, ldns_rr_type type,
                              struct check_view *view)
{
    ldns_pkt_rcode rcode = ldns_pkt_get_rcode(packet);
    if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN) {
        rcode_cause(packet, CHECK_VIEW_LAME, view);
        return 0;
    }
    if (!ldns_pkt_aa(packet)) {
        cause_set(view, CHECK_VIEW_LAME, "an answer without authority");
        return 0;
    }
    view->kind = rcode == LDNS_RCODE_NXDOMAIN ? CHECK_VIEW_NXDOMAIN : CHECK_VIEW_RECORDS;
    return view_fill(packet, name, type, view);
}

int check_view_server(struct check *check, struct check_server *server, const char *name,
                      ldns_rr_type type, struct check_view *view)
{
    ldns_pkt *packet = NULL;
    memset(view, 0, sizeof(*view));
    if (server->silent) {
        cause_set(view, CHECK_VIEW_SILENT, "it did not answer before");
        return 0;
    }
    int status = check_ask(check, &server->addr, name, type, 0, &packet);
    if (status) {
        server->silent = true;
        return failure_take(status, view);
    }
    status = server_answer_take(packet, name, type, view);
    ldns_pkt_free(packet);
    return status;
}
