#include "resolver/number_zone.h"

#include "base/chars.h"
#include "base/status.h"
#include "resolver/enum.h"
#include "resolver/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE "_address-porting._tcp."

/* The name of the number's first `count` digits in a tree; false where it is too long for one. */
static bool name_of(const char *digits, size_t count, const char *suffix,
                    char name[RESOLVER_NAME_MAX + 1])
{
    char prefix[STORE_NUMBER_MAX + 1];
    if (count == 0) {
        snprintf(name, RESOLVER_NAME_MAX + 1, "%s", suffix);
        return true;
    }
    snprintf(prefix, sizeof(prefix), "%.*s", (int)count, digits);
    return resolver_enum_name(prefix, suffix, name) == 0;
}

/* ---- ours ---- */

/* The longest of our domains that holds it in this tree, if it has more digits than *best. */
static int tree_search(struct store_reader *reader, const char *digits, const char *suffix,
                       int *best, char zone[STORE_DOMAIN_MAX + 1])
{
    char name[RESOLVER_NAME_MAX + 1];
    struct store_domain domain;
    for (int count = (int)strlen(digits); count > *best; count--) {
        if (!name_of(digits, (size_t)count, suffix, name))
            continue;
        int status = store_domain_get(reader, name, &domain);
        if (status == STATUS_NOTFOUND)
            continue;
        if (status == 0) {
            *best = count;
            memcpy(zone, domain.name, sizeof(domain.name));
        }
        return status;
    }
    return 0;
}

int resolver_number_zone_ours(const struct resolver_conf *conf, struct store_reader *reader,
                              const char *digits, char zone[STORE_DOMAIN_MAX + 1])
{
    int best = -1, status = 0;
    for (size_t i = 0; status == 0 && i < conf->suffix_count; i++)
        status = tree_search(reader, digits, conf->suffixes[i].name, &best, zone);
    return status == 0 && best < 0 ? STATUS_NOTFOUND : status;
}

bool resolver_is_in_tree(const char *tree, const char *domain)
{
    for (size_t count = 0; count <= STORE_NUMBER_MAX; count++) {
        if (strcmp(domain, tree) == 0)
            return true;
        if (!char_is_digit(domain[0]) || domain[1] != '.')
            return false;
        domain += 2;
    }
    return false;
}

bool resolver_is_number_zone(const struct resolver_conf *conf, const char *domain)
{
    for (size_t i = 0; i < conf->suffix_count; i++)
        if (resolver_is_in_tree(conf->suffixes[i].name, domain))
            return true;
    return false;
}

/* ---- in DNS ---- */

/* One search; freed where it ends. */
struct search {
    struct resolver *resolver;
    resolver_number_zone_h *done;
    void *arg;
    struct resolver_wait wait;
    char digits[STORE_NUMBER_MAX + 1];
    size_t suffix;
    int count; /* digits of the name that is asked */
    char zone[RESOLVER_NAME_MAX + 1];
    bool inside, answered; /* a question is being put; its answer is there */
    bool over;             /* with what follows */
    int status;
    char why[RESOLVER_WHY_MAX];
};

/* Does the answer count? Signed by whoever signs the zone, or of a tree that the configuration
 * trusts, and then not led out of it by an alias. */
static bool is_believed(const struct search *search, const struct resolver_outcome *outcome)
{
    const struct resolver_conf *conf = resolver_conf_get(search->resolver);
    const char *suffix = conf->suffixes[search->suffix].name;
    if (outcome->validated)
        return true;
    return conf->suffixes[search->suffix].trusted &&
           (!outcome->set || outcome->set->count == 0 || outcome->set->common >= strlen(suffix));
}

/* A target "." says that there is none. */
static bool names_a_host(const struct resolver_set *set)
{
    for (size_t i = 0; set && i < set->count; i++)
        if (set->records[i].srv.target[0] != '\0')
            return true;
    return false;
}

/* The name has the record, or it cannot be found out whether it has; else the next one is asked. */
static void outcome_take(struct search *search, const struct resolver_outcome *outcome)
{
    bool is_answered = outcome->status == 0 || outcome->status == STATUS_NXDOMAIN ||
                       outcome->status == STATUS_NODATA;
    search->over = true;
    if (!is_answered) {
        search->status = outcome->status;
        snprintf(search->why, sizeof(search->why),
                 "which ENUM zone holds +%s could not be found out: SRV " SERVICE "%s: %s",
                 search->digits, search->zone, outcome->cause ? outcome->cause : "no answer");
    } else if (!is_believed(search, outcome)) {
        search->status = STATUS_UNPROVEN;
        snprintf(search->why, sizeof(search->why),
                 "+%s cannot be ported here: what DNS says of " SERVICE
                 "%s is not validated, and its tree is not trusted (dns, enum-trusted)",
                 search->digits, search->zone);
    } else if (outcome->status || !names_a_host(outcome->set)) {
        search->over = false;
        search->count--;
    }
}

static void search_run(struct search *search);

static void on_outcome(const struct resolver_outcome *outcome, void *arg)
{
    struct search *search = arg;
    outcome_take(search, outcome);
    search->answered = true;
    if (!search->inside)
        search_run(search);
}

/* The next name that there is; false: there are no more. */
static bool name_next(struct search *search)
{
    const struct resolver_conf *conf = resolver_conf_get(search->resolver);
    while (search->suffix < conf->suffix_count) {
        for (; search->count >= 0; search->count--)
            if (name_of(search->digits, (size_t)search->count, conf->suffixes[search->suffix].name,
                        search->zone) &&
                strlen(SERVICE) + strlen(search->zone) <= RESOLVER_NAME_MAX)
                return true;
        search->suffix++;
        search->count = (int)strlen(search->digits);
    }
    return false;
}

static void none_found(struct search *search)
{
    const struct resolver_conf *conf = resolver_conf_get(search->resolver);
    search->over = true;
    search->status = STATUS_NOHOP;
    if (conf->suffix_count == 0)
        snprintf(search->why, sizeof(search->why),
                 "+%s cannot be ported here: no tree of ENUM is configured (dns, enum), and only "
                 "numbers in one can be ported",
                 search->digits);
    else
        snprintf(search->why, sizeof(search->why),
                 "+%s cannot be ported here: it is in no ENUM zone whose operator takes part, for "
                 "no zone above it in %s%s publishes SRV _address-porting._tcp",
                 search->digits, conf->suffixes[0].name,
                 conf->suffix_count > 1 ? " and the other trees that are configured" : "");
}

/* Until an answer is waited for, or the search has ended and is gone. */
static void search_run(struct search *search)
{
    char name[RESOLVER_NAME_MAX + 1];
    while (!search->over && name_next(search)) {
        snprintf(name, sizeof(name), SERVICE "%.*s", (int)(RESOLVER_NAME_MAX - strlen(SERVICE)),
                 search->zone);
        search->inside = true;
        search->answered = false;
        resolver_ask_trusted(search->resolver, name, RESOLVER_SRV, &search->wait, on_outcome,
                             search);
        search->inside = false;
        if (!search->answered)
            return;
    }
    if (!search->over)
        none_found(search);
    search->done(search->status, search->zone, search->why, search->arg);
    free(search);
}

int resolver_number_zone_find(struct resolver *resolver, const char *digits,
                              resolver_number_zone_h *done, void *arg)
{
    struct search *search = calloc(1, sizeof(*search));
    if (!search)
        return -ENOMEM;
    search->resolver = resolver;
    search->done = done;
    search->arg = arg;
    snprintf(search->digits, sizeof(search->digits), "%s", digits);
    search->count = (int)strlen(digits);
    search_run(search);
    return 0;
}
