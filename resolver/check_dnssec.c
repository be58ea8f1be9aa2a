/* Is a zone signed, is there a chain to its keys, and what does it tell besides? (RFC 4035, 5155)
 */
#include "resolver/check_internal.h"

#include "base/waiting.h"

#include <stdio.h>
#include <string.h>

/* What is asked to find out whether a zone is signed. */
struct keys {
    struct check_view resolver;                 /* DNSKEY */
    struct check_view views[CHECK_SERVERS_MAX]; /* DNSKEY, of each server */
    struct check_view ds;                       /* only asked where the resolver proves nothing */
};

/* ---- findings ---- */

static struct check_finding *chain_found(struct check *check, enum check_severity severity,
                                         const char *code, const char *what, const char *apex,
                                         const char *why)
{
    struct check_finding *finding = check_found(check->findings, severity, code, what, apex);
    if (finding)
        snprintf(finding->why, sizeof(finding->why), "%s", why);
    return finding;
}

static void unsigned_found(struct check *check, const struct check_zone *zone)
{
    struct check_finding *finding =
        chain_found(check, CHECK_NOTE, "unsigned", "%s is not signed (DNSSEC)", zone->apex,
                    "calls work where callers know the CA of the certificate; TLSA and _sipaddr "
                    "records count only in a signed zone");
    if (finding)
        snprintf(finding->where, sizeof(finding->where), "every server of %s", zone->apex);
}

/* For want of time: that is told once, at the end. */
static void unknown_found(struct check *check, const struct check_zone *zone,
                          const struct check_view *view, const char *type)
{
    bool bogus = view->kind == CHECK_VIEW_BOGUS;
    if (view->kind == CHECK_VIEW_UNASKED)
        return;
    struct check_finding *finding =
        bogus ? check_found(check->findings, CHECK_ERROR, "dnssec-bogus",
                            "the %s records of %s do not validate (DNSSEC)", type, zone->apex)
              : check_found(check->findings, CHECK_WARNING, "dnssec-unknown",
                            "whether %s is signed (DNSSEC) could not be found out: its %s records "
                            "are not told: %s",
                            zone->apex, type, view->cause);
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why), "%s",
                 bogus ? "every caller whose resolver validates takes the zone for forged; sign it "
                         "anew, and see that the DS record at the parent is of a key that signs"
                       : "callers whose resolver fares no better do not know whether the records "
                         "are forged, and do not call");
}

static void too_many_found(struct check *check, const struct check_zone *zone, size_t count)
{
    struct check_finding *finding =
        check_found(check->findings, CHECK_WARNING, "dnssec-keys",
                    "%s has %zu DNSKEY records; with more than %d, signatures are not held against "
                    "them",
                    zone->apex, count, CHECK_KEYS_MAX);
    check_at_resolver(check, finding);
    if (finding)
        snprintf(finding->why, sizeof(finding->why),
                 "resolvers that bound their work (CVE-2023-50387) may refuse the zone; take out "
                 "the keys that sign nothing");
}

/* The key that the parent should point to: the one with the SEP flag. */
static void ds_suggest(const ldns_rr_list *keys, struct check_finding *finding)
{
    for (size_t i = 0; finding && keys && i < ldns_rr_list_rr_count(keys); i++) {
        const ldns_rr *key = ldns_rr_list_rr(keys, i);
        if (ldns_rr_rd_count(key) != 4 ||
            !(ldns_rdf2native_int16(ldns_rr_dnskey_flags(key)) & LDNS_KEY_SEP_KEY))
            continue;
        ldns_rr *ds = ldns_key_rr2ds(key, LDNS_SHA256);
        if (ds)
            check_line(ds, finding->add);
        ldns_rr_free(ds);
        return;
    }
}

static void at_parent(const struct check_zone *zone, struct check_finding *finding)
{
    if (finding)
        snprintf(finding->where, sizeof(finding->where), "the zone above %s", zone->apex);
}

/* ---- the keys ---- */

/* The first answer of a server with keys, or NULL. */
static struct check_view *served_keys(const struct check_zone *zone, struct keys *keys)
{
    for (size_t i = 0; i < zone->server_count; i++)
        if (check_view_count(&keys->views[i]) > 0)
            return &keys->views[i];
    return NULL;
}

static void keys_take(struct check *check, struct check_zone *zone, struct check_view *view)
{
    size_t count = ldns_rr_list_rr_count(view->set) + view->left_out;
    if (count > CHECK_KEYS_MAX) {
        too_many_found(check, zone, count);
        return;
    }
    zone->keys = view->set;
    view->set = NULL;
}

static bool matches_ds(const ldns_rr_list *keys, const ldns_rr_list *ds)
{
    size_t count = ldns_rr_list_rr_count(keys);
    for (size_t i = 0; i < count && i < CHECK_KEYS_MAX; i++)
        for (size_t k = 0; k < ldns_rr_list_rr_count(ds) && k < CHECK_KEYS_MAX; k++)
            if (ldns_rr_compare_ds(ldns_rr_list_rr(keys, i), ldns_rr_list_rr(ds, k)))
                return true;
    return false;
}

static void ds_mismatch(struct check *check, const struct check_zone *zone, struct keys *keys)
{
    const struct check_view *served = served_keys(zone, keys);
    struct check_finding *finding = chain_found(
        check, CHECK_ERROR, "ds-mismatch",
        served ? "no DS record of %s at its parent is of a key that the zone has"
               : "%s has DS records at its parent, but no keys (DNSKEY)",
        zone->apex,
        served ? "every caller whose resolver validates takes the whole zone for forged; hand this "
                 "to the registrar, and take the old record out when resolvers have forgotten it"
               : "every caller whose resolver validates takes the whole zone for forged; sign it, "
                 "or have the registrar take the DS records out");
    at_parent(zone, finding);
    if (!finding)
        return;
    if (served)
        ds_suggest(served->set, finding);
    check_line(ldns_rr_list_rr(keys->ds.set, 0), finding->remove);
}

/* What the resolver does not believe is believed where the parent names a key of it. */
static void bogus_keys_find(struct check *check, struct check_zone *zone, struct keys *keys)
{
    bool any = false;
    for (size_t i = 0; i < zone->server_count && !zone->keys; i++) {
        struct check_view *view = &keys->views[i];
        any = any || check_view_answered(view);
        if (check_view_count(view) > 0 && matches_ds(view->set, keys->ds.set))
            keys_take(check, zone, view);
    }
    if (any && !zone->keys)
        ds_mismatch(check, zone, keys);
}

static void keys_find(struct check *check, struct check_zone *zone, struct keys *keys)
{
    struct check_view *served = served_keys(zone, keys);
    bool answered = check_view_answered(&keys->resolver);
    zone->validated = zone->validated || keys->resolver.authentic;
    zone->is_signed =
        check_view_count(&keys->resolver) > 0 || served || keys->resolver.kind == CHECK_VIEW_BOGUS;
    if (check_view_count(&keys->resolver) > 0)
        keys_take(check, zone, &keys->resolver);
    else if (answered && served) /* it remembers that there were none */
        keys_take(check, zone, served);
    else if (check_view_count(&keys->ds) > 0)
        bogus_keys_find(check, zone, keys);
    else if (answered && !zone->validated)
        unsigned_found(check, zone);
    else if (!answered)
        unknown_found(check, zone, &keys->resolver, "DNSKEY");
}

/* ---- the chain to them ---- */

/* It is signed, but the resolver does not say that it validated it, or is not believed. */
static void blind_found(struct check *check, const struct check_zone *zone)
{
    bool trusted = check->conf->trusted;
    check_at_resolver(
        check,
        chain_found(check, CHECK_WARNING, "resolver-blind",
                    trusted ? "the resolver does not say that it validated %s, which is signed and "
                              "has a DS record"
                            : "the resolver does not say that it validated %s, which is signed",
                    zone->apex,
                    trusted ? "TLSA and _sipaddr records count for nothing where nobody validates; "
                              "switch validation on there, or name another one with --resolver"
                            : "the configuration does not trust it, so neither the edge nor this "
                              "check counts what it validates: TLSA and _sipaddr records count for "
                              "nothing; trusted, in section dns, names those that count"));
}

static void chain_judge(struct check *check, struct check_zone *zone, const struct keys *keys)
{
    if (!check->conf->trusted || check_view_count(&keys->ds) > 0) {
        blind_found(check, zone);
    } else if (check_view_answered(&keys->ds)) {
        struct check_finding *finding =
            chain_found(check, CHECK_WARNING, "ds-missing",
                        "%s is signed, but its parent has no DS record for it", zone->apex,
                        "nobody can validate the zone: its TLSA and _sipaddr records count for "
                        "nothing; hand this to the registrar");
        at_parent(zone, finding);
        ds_suggest(zone->keys, finding);
        zone->insecure = true;
    } else {
        unknown_found(check, zone, &keys->ds, "DS");
    }
}

static int keys_ask(struct check *check, struct check_zone *zone, struct keys *keys)
{
    int status = check_view_resolver(check, zone->apex, LDNS_RR_TYPE_DNSKEY, &keys->resolver);
    if (status == 0)
        status = check_view_servers(check, zone, zone->apex, LDNS_RR_TYPE_DNSKEY, keys->views);
    bool proven = zone->validated || keys->resolver.authentic;
    bool keyless = check_view_answered(&keys->resolver) && !served_keys(zone, keys) &&
                   check_view_count(&keys->resolver) == 0;
    if (status == 0 && !proven && !keyless)
        status = check_view_resolver(check, zone->apex, LDNS_RR_TYPE_DS, &keys->ds);
    return status;
}

int check_dnssec(struct check *check, struct check_zone *zone)
{
    struct keys keys;
    memset(&keys, 0, sizeof(keys));
    int status = keys_ask(check, zone, &keys);
    bool known = check_view_answered(&keys.resolver);
    if (status == 0)
        keys_find(check, zone, &keys);
    if (status == 0 && known && zone->is_signed && !zone->validated)
        chain_judge(check, zone, &keys);
    check_view_done(&keys.resolver);
    check_views_done(keys.views, zone->server_count);
    check_view_done(&keys.ds);
    return status;
}

/* ---- what it tells besides ---- */

static void walkable_found(struct check *check, const struct check_zone *zone, bool sipaddr)
{
    struct check_finding *finding =
        check_found(check->findings, sipaddr ? CHECK_WARNING : CHECK_NOTE, "walkable",
                    "every name of %s can be listed by anybody (NSEC)", zone->apex);
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "every server of %s", zone->apex);
    snprintf(finding->why, sizeof(finding->why), "%s",
             sipaddr ? "the names under _sipaddr are hashes of user parts: who lists them knows "
                       "how many addresses were ported out and where to, and can try out likely "
                       "names at leisure, without a question to us; sign with NSEC3, or with "
                       "answers made for each question (RFC 4470)"
                     : "nothing private is in it now, as it has no _sipaddr records; sign with "
                       "NSEC3 before it has");
}

static int proof_of_absence(struct check *check, struct check_zone *zone, bool *tells)
{
    char name[2 * ZONE_NAME_MAX];
    struct check_view views[CHECK_SERVERS_MAX];
    snprintf(name, sizeof(name), "no-such-name-%x.%s", (unsigned)waiting_now_ms() & 0xffffU,
             zone->apex);
    int status = check_view_servers(check, zone, name, LDNS_RR_TYPE_TXT, views);
    for (size_t i = 0; i < zone->server_count; i++)
        *tells = *tells || views[i].nsec;
    check_views_done(views, zone->server_count);
    return status;
}

/* A name that nobody has: what comes as proof of that? Also asks whether there are names worth
 * hiding. */
int check_walkable(struct check *check, struct check_zone *zone)
{
    char name[2 * ZONE_NAME_MAX];
    bool tells = false, sipaddr = false;
    int status = zone->is_signed ? proof_of_absence(check, zone, &tells) : 0;
    snprintf(name, sizeof(name), "_sipaddr.%s", check->conf->domain);
    if (status || !tells)
        return status;
    if (strlen(name) <= ZONE_NAME_MAX) {
        struct check_view view;
        status = check_view_resolver(check, name, LDNS_RR_TYPE_TXT, &view);
        sipaddr = check_view_count(&view) > 0;
        check_view_done(&view);
    }
    walkable_found(check, zone, sipaddr);
    return status;
}
