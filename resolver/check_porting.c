/* What moves of addresses rest on (design section 8): SRV _address-porting._tcp leads to the
 * federation API, TXT _sipaddr-key has the hashes of the keys that sign receipts. */
#include "resolver/check_internal.h"

#include <stdio.h>
#include <string.h>

#define PORTING  "_address-porting._tcp."
#define RECEIPTS "_sipaddr-key."

static bool has_label(const struct check_subject *subject, ldns_rr_type type, const char *label)
{
    return subject->type == type && strncmp(subject->name, label, strlen(label)) == 0;
}

bool check_is_of_porting(const struct check_subject *subject)
{
    return has_label(subject, LDNS_RR_TYPE_SRV, PORTING);
}

bool check_is_of_receipts(const struct check_subject *subject)
{
    return has_label(subject, LDNS_RR_TYPE_TXT, RECEIPTS);
}

/* Calls do not depend on any of it. */
static void found(struct check *check, const char *code, const char *what, const char *why)
{
    struct check_finding *finding = check_found(check->findings, CHECK_WARNING, code, "%s", what);
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why), "%s", why);
}

static void bogus_judge(struct check *check, const char *name, const char *type,
                        const struct check_view *view)
{
    char what[CHECK_WHAT_MAX];
    if (view->kind != CHECK_VIEW_BOGUS)
        return;
    snprintf(what, sizeof(what), "the %s records of %s do not validate (DNSSEC)", type, name);
    found(check, "dnssec-bogus", what,
          "other operators whose resolvers validate take them for forged: no address moves to or "
          "from the domain; sign the zone anew, on each of its servers");
}

/* What is there though nothing of it should be, and so was not looked at with what should. */
static int unwanted_look(struct check *check, const char *name, ldns_rr_type type,
                         const struct check_view *view)
{
    const struct check_conf *conf = check->conf;
    struct check_subject subject = {.type = type};
    if (!conf->wanted || check_view_count(view) == 0)
        return 0;
    for (size_t i = 0; i < conf->wanted_count; i++)
        if ((ldns_rr_type)conf->wanted[i].type == type && strcmp(conf->wanted[i].name, name) == 0)
            return 0;
    snprintf(subject.name, sizeof(subject.name), "%s", name);
    return check_subject_look(check, &subject);
}

/* ---- where the federation API is ---- */

static int addresses_find(struct check *check, struct check_porting *porting)
{
    static const ldns_rr_type types[] = {LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA};
    char what[CHECK_WHAT_MAX];
    bool known = true;
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        struct check_view view;
        int status = check_view_find(check, porting->host, types[t], &view);
        known = known && check_view_answered(&view);
        for (size_t i = 0; i < check_view_count(&view); i++)
            porting->address_count = check_address_add(ldns_rr_list_rr(view.set, i), porting->port,
                                                       porting->addresses, porting->address_count);
        check_view_done(&view);
        if (status)
            return status;
    }
    if (porting->address_count > 0 || !known)
        return 0;
    snprintf(what, sizeof(what), "%s, where the federation API should be, has no address",
             porting->host);
    found(check, "porting-unresolved", what,
          "other operators do not reach it there; give it an A or AAAA record, or take out the SRV "
          "record that leads there");
    return 0;
}

static void srv_take(const ldns_rr *rr, struct check_targets *targets)
{
    struct check_porting *porting = &targets->porting[targets->porting_count];
    if (targets->porting_count == CHECK_PORTING_MAX || ldns_rr_rd_count(rr) != 4)
        return;
    *porting = (struct check_porting){.port = ldns_rdf2native_int16(ldns_rr_rdf(rr, 2))};
    if (check_name(ldns_rr_rdf(rr, 3), porting->host) == 0 && *porting->host)
        targets->porting_count++;
}

static int api_find(struct check *check)
{
    struct check_targets *targets = check->targets;
    char name[ZONE_NAME_MAX + sizeof(PORTING)];
    struct check_view view;
    snprintf(name, sizeof(name), PORTING "%s", check->conf->domain);
    if (strlen(name) > ZONE_NAME_MAX)
        return 0;
    int status = check_view_find(check, name, LDNS_RR_TYPE_SRV, &view);
    bogus_judge(check, name, "SRV", &view);
    if (status == 0)
        status = unwanted_look(check, name, LDNS_RR_TYPE_SRV, &view);
    for (size_t i = 0; i < check_view_count(&view); i++)
        srv_take(ldns_rr_list_rr(view.set, i), targets);
    check_view_done(&view);
    for (size_t i = 0; i < targets->porting_count && status == 0; i++)
        status = addresses_find(check, &targets->porting[i]);
    return status;
}

/* ---- are the hashes proven? ---- */

/* A resolver that is not trusted tells nothing of that, which is found elsewhere. */
static int hashes_judge(struct check *check)
{
    char name[ZONE_NAME_MAX + sizeof(RECEIPTS)], what[CHECK_WHAT_MAX];
    struct check_view view;
    snprintf(name, sizeof(name), RECEIPTS "%s", check->conf->domain);
    if (strlen(name) > ZONE_NAME_MAX)
        return 0;
    int status = check_view_resolver(check, name, LDNS_RR_TYPE_TXT, &view);
    bogus_judge(check, name, "TXT", &view);
    if (status == 0)
        status = unwanted_look(check, name, LDNS_RR_TYPE_TXT, &view);
    if (check->conf->trusted && check_view_count(&view) > 0 && !view.authentic) {
        snprintf(what, sizeof(what), "nothing proves the TXT records of %s (DNSSEC)", name);
        found(check, "unproven-keys", what,
              "whoever forges an answer names a receipt key of his own, so the records are of no "
              "worth; sign the zone, and give its parent a DS record");
    }
    check_view_done(&view);
    return status;
}

int check_porting_find(struct check *check)
{
    int status = api_find(check);
    return status ? status : hashes_judge(check);
}
