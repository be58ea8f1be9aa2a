/* One key at one name, and is what leads there proven? For a roll-over. */
#include "resolver/check_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_key(const ldns_rr *rr, const uint8_t key[ZONE_KEY_LEN])
{
    static const uint8_t head[] = {3, 1, 1};
    for (size_t i = 0; i < sizeof(head); i++)
        if (ldns_rr_rd_count(rr) != 4 || ldns_rdf2native_int8(ldns_rr_rdf(rr, i)) != head[i])
            return false;
    const ldns_rdf *data = ldns_rr_rdf(rr, 3);
    return ldns_rdf_size(data) == ZONE_KEY_LEN &&
           memcmp(ldns_rdf_data(data), key, ZONE_KEY_LEN) == 0;
}

/* Is it in the set? The TTL of a set without it counts as well: that is what callers remember. */
static bool key_find(const struct check_view *view, const uint8_t key[ZONE_KEY_LEN],
                     struct check_key *result)
{
    bool found = false;
    for (size_t i = 0; view->set && i < ldns_rr_list_rr_count(view->set); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(view->set, i);
        if (ldns_rr_ttl(rr) > result->ttl_s)
            result->ttl_s = ldns_rr_ttl(rr);
        found = found || has_key(rr, key);
    }
    return found;
}

static void missing_at(const struct check_server *server, const struct check_view *view,
                       struct check_key *result)
{
    char who[CHECK_WHO_MAX];
    if (!result->everywhere)
        return;
    result->everywhere = false;
    snprintf(result->missing, sizeof(result->missing), "%s%s%.90s", check_server_text(server, who),
             *view->cause ? ": " : "", view->cause);
}

/* A host without IPv6 asks a server of both kinds over IPv4, and has asked it then. */
static bool was_asked(const struct check_zone *zone, const char *name)
{
    for (size_t i = 0; i < zone->server_count; i++)
        if (!zone->servers[i].no_way && strcmp(zone->servers[i].name, name) == 0)
            return true;
    return false;
}

static int servers_ask(struct check *check, struct check_zone *zone, const char *name,
                       const uint8_t key[ZONE_KEY_LEN], struct check_key *result)
{
    static const struct check_view nothing = {.cause = "this host has no way there"};
    struct check_view views[CHECK_SERVERS_MAX];
    int status = check_view_servers(check, zone, name, LDNS_RR_TYPE_TLSA, views);
    result->everywhere = zone->server_count > 0;
    if (zone->server_count == 0)
        snprintf(result->missing, sizeof(result->missing), "no server of its zone was found");
    for (size_t i = 0; i < zone->server_count && status == 0; i++)
        if (!zone->servers[i].no_way && !key_find(&views[i], key, result))
            missing_at(&zone->servers[i], &views[i], result);
    for (size_t i = 0; i < zone->server_count && status == 0; i++)
        if (!was_asked(zone, zone->servers[i].name))
            missing_at(&zone->servers[i], &nothing, result);
    check_views_done(views, zone->server_count);
    return status;
}

static int resolver_ask(struct check *check, const char *name, const uint8_t key[ZONE_KEY_LEN],
                        struct check_key *result)
{
    struct check_view view;
    int status = check_view_resolver(check, name, LDNS_RR_TYPE_TLSA, &view);
    if (status == 0)
        result->validated = key_find(&view, key, result) && view.authentic;
    check_view_done(&view);
    return status;
}

static struct check *check_make(const struct check_conf *conf, struct check_findings *nobody_reads)
{
    struct check *check = calloc(1, sizeof(*check));
    if (!check)
        return NULL;
    nobody_reads->count = CHECK_FINDINGS_MAX;
    check->conf = conf;
    check->findings = nobody_reads;
    return check;
}

int check_key_served(const struct check_conf *conf, const char *name,
                     const uint8_t key[ZONE_KEY_LEN], struct check_key *result)
{
    struct check_findings findings = {.list = NULL};
    struct check *check = check_make(conf, &findings);
    struct check_zone *zone = calloc(1, sizeof(*zone));
    int status = check && zone ? 0 : -ENOMEM;
    memset(result, 0, sizeof(*result));
    if (status == 0)
        status = check_zone_find(check, name, CHECK_NOTE, zone);
    if (status == 0)
        status = servers_ask(check, zone, name, key, result);
    if (status == 0)
        status = resolver_ask(check, name, key, result);
    free(zone);
    free(check);
    return status;
}

int check_service_proven(const struct check_conf *conf, bool *proven)
{
    static const ldns_rr_type types[] = {LDNS_RR_TYPE_NAPTR, LDNS_RR_TYPE_SRV};
    struct check_findings findings = {.list = NULL};
    struct check *check = check_make(conf, &findings);
    char names[2][ZONE_NAME_MAX + 32];
    int status = check ? 0 : -ENOMEM;
    snprintf(names[0], sizeof(names[0]), "%s", conf->domain);
    snprintf(names[1], sizeof(names[1]), "_sips._tcp.%s", conf->domain);
    *proven = true;
    for (size_t i = 0; i < 2 && status == 0; i++) {
        struct check_view view;
        status = check_view_resolver(check, names[i], types[i], &view);
        *proven = *proven && view.authentic;
        check_view_done(&view);
    }
    free(check);
    return status;
}
