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

bool check_view_answered(const struct check_view *view)
{
    return view->kind == CHECK_VIEW_RECORDS || view->kind == CHECK_VIEW_NXDOMAIN;
}

size_t check_view_count(const struct check_view *view)
{
    return check_view_answered(view) && view->set ? ldns_rr_list_rr_count(view->set) : 0;
}

void check_views_done(struct check_view *views, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_view_done(&views[i]);
}

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

static bool is_signature_of(const ldns_rr *rr, ldns_rr_type type)
{
    return ldns_rr_get_type(rr) == LDNS_RR_TYPE_RRSIG && ldns_rr_rd_count(rr) == 9 &&
           ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr)) == type;
}

/* Both lists are bounded: an answer may hold thousands of records. */
static int records_take(const ldns_rr_list *answer, const char *name, ldns_rr_type type,
                        struct check_view *view)
{
    int status = 0;
    for (size_t i = 0; i < ldns_rr_list_rr_count(answer) && status == 0; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(answer, i);
        bool is_record = ldns_rr_get_type(rr) == type;
        ldns_rr_list *list = is_record ? view->set : view->signatures;
        size_t max = is_record ? CHECK_SET_MAX : CHECK_SIGNATURES;
        if (!(is_record || is_signature_of(rr, type)) || !is_owned_by(rr, name))
            continue;
        if (ldns_rr_list_rr_count(list) < max)
            status = keep(list, rr);
        else
            view->left_out += is_record;
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

static bool has_no_way(int status)
{
    return status == -ENETUNREACH || status == -EADDRNOTAVAIL || status == -EAFNOSUPPORT;
}

/* What became of asking, where there is no answer. */
static void failure_take(int status, struct check_view *view)
{
    if (status == -ETIMEDOUT)
        cause_set(view, CHECK_VIEW_SILENT, "no answer");
    else if (status == STATUS_LIMIT)
        cause_set(view, CHECK_VIEW_UNASKED, "no time was left to ask");
    else if (has_no_way(status))
        cause_set(view, CHECK_VIEW_UNASKED, status_text(status));
    else
        cause_set(view, CHECK_VIEW_SILENT,
                  status == STATUS_MALFORMED ? "an answer that is no DNS message"
                                             : status_text(status));
}

/* ---- the resolver ---- */

static int resolver_ask(struct check *check, struct check_question *question)
{
    question->server = &check->conf->resolver;
    question->once = check->failures > 0;
    int status = check_ask_all(check, question, 1);
    if (status == 0 && question->status != STATUS_LIMIT)
        check->failures = question->status == 0 ? 0 : check->failures + 1;
    return status;
}

/* SERVFAIL without, but not with CD: it could find out, and does not believe it. */
static int resolver_doubt(struct check *check, const char *name, ldns_rr_type type,
                          struct check_view *view)
{
    struct check_question question = {
        .name = name, .type = type, .flags = CHECK_ASK_RECURSIVE | CHECK_ASK_UNCHECKED};
    int status = resolver_ask(check, &question);
    if (status)
        return status;
    if (question.status) {
        failure_take(question.status, view);
        return 0;
    }
    ldns_pkt_rcode rcode = ldns_pkt_get_rcode(question.answer);
    if (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN) {
        status = view_fill(question.answer, name, type, view);
        view->kind = CHECK_VIEW_BOGUS;
        view->authentic = false;
    } else {
        rcode_cause(question.answer, CHECK_VIEW_SILENT, view);
    }
    ldns_pkt_free(question.answer);
    return status;
}

static int resolver_answer_take(struct check *check, const struct check_question *question,
                                struct check_view *view)
{
    switch (ldns_pkt_get_rcode(question->answer)) {
    case LDNS_RCODE_NXDOMAIN:
        view->kind = CHECK_VIEW_NXDOMAIN;
        return view_fill(question->answer, question->name, question->type, view);
    case LDNS_RCODE_NOERROR:
        return view_fill(question->answer, question->name, question->type, view);
    case LDNS_RCODE_SERVFAIL:
        return resolver_doubt(check, question->name, question->type, view);
    default:
        rcode_cause(question->answer, CHECK_VIEW_SILENT, view);
        return 0;
    }
}

int check_view_resolver(struct check *check, const char *name, ldns_rr_type type,
                        struct check_view *view)
{
    struct check_question question = {.name = name, .type = type, .flags = CHECK_ASK_RECURSIVE};
    memset(view, 0, sizeof(*view));
    if (check->failures >= CHECK_FAILURES_MAX) {
        cause_set(view, CHECK_VIEW_SILENT, "it did not answer before");
        return 0;
    }
    int status = resolver_ask(check, &question);
    if (status)
        return status;
    if (question.status) {
        failure_take(question.status, view);
        return 0;
    }
    status = resolver_answer_take(check, &question, view);
    view->authentic = view->authentic && check->conf->trusted;
    ldns_pkt_free(question.answer);
    return status;
}

/* ---- the servers ---- */

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

static void failure_count(struct check_server *server, ldns_rr_type type)
{
    server->failed = true;
    server->failures++;
    server->dropped_count = server->dropped == type ? server->dropped_count + 1 : 1;
    server->dropped = type;
}

static bool is_given_up(const struct check_server *server, ldns_rr_type type)
{
    return server->silent ||
           (server->dropped == type && server->dropped_count >= CHECK_DROPPED_MAX);
}

static int server_view_take(struct check_server *server, const struct check_question *question,
                            struct check_view *view)
{
    if (question->status == 0) {
        int status = server_answer_take(question->answer, question->name, question->type, view);
        server->failures = 0;
        ldns_pkt_free(question->answer);
        return status;
    }
    failure_take(question->status, view);
    server->no_way = has_no_way(question->status);
    if (view->kind == CHECK_VIEW_SILENT)
        failure_count(server, question->type);
    if (server->failures >= CHECK_FAILURES_MAX || server->no_way)
        server->silent = true;
    return 0;
}

int check_view_servers(struct check *check, struct check_zone *zone, const char *name,
                       ldns_rr_type type, struct check_view views[CHECK_SERVERS_MAX])
{
    struct check_question questions[CHECK_SERVERS_MAX];
    size_t asked[CHECK_SERVERS_MAX], count = 0;
    memset(views, 0, CHECK_SERVERS_MAX * sizeof(*views));
    for (size_t i = 0; i < zone->server_count; i++) {
        const struct check_server *server = &zone->servers[i];
        if (is_given_up(server, type)) {
            cause_set(&views[i], CHECK_VIEW_UNASKED, "it did not answer before");
            continue;
        }
        questions[count] = (struct check_question){
            .server = &server->addr, .name = name, .type = type, .once = server->failed};
        asked[count++] = i;
    }
    int status = check_ask_all(check, questions, count);
    for (size_t i = 0; i < count && status == 0; i++)
        status = server_view_take(&zone->servers[asked[i]], &questions[i], &views[asked[i]]);
    return status;
}
