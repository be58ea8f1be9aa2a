/* The lookup function with DNS (design section 3.1): directory, then numbers, then what foreign
 * domains publish. One question after the other. */
#include "resolver/finding.h"

#include "base/status.h"
#include "resolver/number_zone.h"
#include "resolver/sipaddr.h"
#include "resolver/zone.h"

#include <stdio.h>
#include <string.h>

#define FIND_EXPRESSIONS_MAX                                                                       \
    32 /* applied in one search, though all is in the cache: each may take part of a millisecond   \
        */

/* ---- the directory ---- */

/* A user part that is a telephone number. */
static bool is_number(const char *user, char digits[STORE_NUMBER_MAX + 1])
{
    return user[0] == '+' && store_number_parse(slice_of(user), digits, NULL) == 0;
}

/* Is the address one of our domain that only number table and ENUM may know? */
static bool is_unknown_number(const struct store_address *address,
                              const struct resolver_answer *answer,
                              char digits[STORE_NUMBER_MAX + 1])
{
    return (answer->rule == RESOLVER_UNKNOWN || answer->rule == RESOLVER_UNKNOWN_CORE) &&
           is_number(address->user, digits);
}

/* The foreign address whose domain may publish who serves it, or NULL. */
static const struct store_address *foreign_address(const struct store_address *address,
                                                   const struct resolver_answer *answer)
{
    const struct store_address *foreign = NULL;
    if (answer->rule == RESOLVER_ALIAS)
        foreign = &answer->route.target;
    else if (answer->rule == RESOLVER_AUTHORITY)
        foreign = address;
    return foreign && foreign->user[0] != '\0' ? foreign : NULL;
}

bool resolver_find_needs_dns(const struct resolver_conf *conf, const struct store_address *address,
                             const struct resolver_answer *answer)
{
    char digits[STORE_NUMBER_MAX + 1];
    return is_unknown_number(address, answer, digits) ||
           (conf->address_records && foreign_address(address, answer));
}

/* The address that a number leads to: the search goes on with it. */
static void number_leads_to(struct resolver_finding *finding, const struct store_address *address,
                            enum resolver_number_by by)
{
    resolver_tell(&finding->teller, "+%s leads to %s@%s", finding->digits, address->user,
                  address->domain);
    finding->found.address = *address;
    finding->found.number_by = by;
    finding->digits[0] = '\0';
    finding->failure = 0; /* of another tree, and made good */
    finding->found.why[0] = '\0';
    finding->step = FIND_DIRECTORY;
}

/* A number of an ENUM zone of ours: what the zone says of it our directory knows first. */
static int zone_look_up(struct resolver_finding *finding, struct store_address *address)
{
    struct resolver_answer answer;
    struct store_address at_zone;
    int status = resolver_number_zone_ours(&finding->resolver->conf, finding->reader,
                                           finding->digits, at_zone.domain);
    if (status)
        return status;
    snprintf(at_zone.user, sizeof(at_zone.user), "+%s", finding->digits);
    status = resolver_lookup(finding->reader, &at_zone, &answer);
    if (status)
        return status;
    if (answer.rule != RESOLVER_HOSTED && answer.rule != RESOLVER_PORTED_OUT)
        return STATUS_NOTFOUND;
    *address = at_zone;
    memcpy(address->domain, answer.hosting, sizeof(address->domain));
    return 0;
}

static int number_look_up(struct resolver_finding *finding)
{
    struct store_address address;
    int status =
        finding->directory->number(finding->reader, finding->digits, &address, finding->teller.arg);
    if (status == STATUS_NOTFOUND)
        status = zone_look_up(finding, &address);
    if (status == 0) {
        number_leads_to(finding, &address, RESOLVER_NUMBER_TABLE);
    } else if (status == STATUS_NOTFOUND) {
        finding->step = FIND_SUFFIX;
        status = 0;
    }
    return status;
}

static void parent_ask(struct resolver_finding *finding, const char *domain)
{
    if (resolver_sipaddr_parent(domain, finding->name) == 0)
        resolver_finding_ask(finding, RESOLVER_TXT, FIND_PARENT);
    else
        resolver_finding_end(finding, 0);
}

static int address_look_up(struct resolver_finding *finding)
{
    struct resolver_found *found = &finding->found;
    int status = finding->directory->lookup(finding->reader, &found->address, &found->answer,
                                            finding->teller.arg);
    if (status < 0)
        return status;
    const struct store_address *foreign = foreign_address(&found->address, &found->answer);
    if (found->number_by == RESOLVER_NUMBER_NONE &&
        is_unknown_number(&found->address, &found->answer, finding->digits))
        return number_look_up(finding);
    if (finding->resolver->conf.address_records && foreign)
        parent_ask(finding, foreign->domain);
    else
        resolver_finding_end(finding, 0);
    return 0;
}

static void directory_step(struct resolver_finding *finding)
{
    int status = store_reader_begin(finding->reader);
    if (status == 0) {
        status = finding->digits[0] ? number_look_up(finding) : address_look_up(finding);
        store_reader_end(finding->reader);
    }
    if (status < 0) {
        snprintf(finding->found.why, sizeof(finding->found.why), "the directory: %s",
                 status_text(status));
        resolver_finding_end(finding, status);
    }
}

/* ---- numbers in DNS ---- */

/* Where a core for the telephone network is configured, the number goes there (design section
 * 3.1). */
static bool pstn_take(struct resolver_finding *finding)
{
    const char *pstn = finding->resolver->conf.pstn;
    struct resolver_answer *answer = &finding->found.answer;
    if (pstn[0] == '\0' || store_reader_begin(finding->reader) < 0)
        return false;
    int status = finding->directory->domain(finding->reader, pstn, finding->teller.arg);
    if (status == 0)
        status = store_domain_get(finding->reader, pstn, &answer->route.core);
    store_reader_end(finding->reader);
    if (status < 0) {
        resolver_tell(&finding->teller, "%s, which would take it, is not in the directory", pstn);
        return false;
    }
    answer->rule = RESOLVER_PSTN;
    memcpy(answer->hosting, pstn, strlen(pstn) + 1);
    return true;
}

/* The number leads to no address, or that could not be found out. */
static void number_end(struct resolver_finding *finding)
{
    struct resolver_found *found = &finding->found;
    bool at_domain = found->address.domain[0] != '\0';
    resolver_tell(&finding->teller, "+%s is in no number table here and in no tree of ENUM%s",
                  finding->digits, finding->failure ? " that could be asked" : "");
    if (at_domain && found->answer.rule == RESOLVER_UNKNOWN_CORE) {
        found->unknown = finding->failure != 0; /* the core may know */
        resolver_finding_end(finding, 0);
    } else if (finding->failure) {
        resolver_finding_end(finding, finding->failure);
    } else {
        if (!pstn_take(finding) && !at_domain)
            found->answer.rule = RESOLVER_NO_NUMBER;
        resolver_finding_end(finding, 0);
    }
}

static void suffix_step(struct resolver_finding *finding)
{
    const struct resolver_conf *conf = &finding->resolver->conf;
    if (finding->suffix == conf->suffix_count) {
        number_end(finding);
        return;
    }
    const char *suffix = conf->suffixes[finding->suffix++].name;
    if (resolver_enum_name(finding->digits, suffix, finding->name) == 0)
        resolver_finding_ask(finding, RESOLVER_NAPTR, FIND_RULES);
}

/* Why this answer does not count, or NULL where it does. A forged one would change whom a call
 * reaches (design section 2). Only what is in a trusted tree may go without validation, not what an
 * alias or a record of the tree leads to elsewhere. */
static const char *disbelief(const struct resolver_finding *finding)
{
    const struct resolver_conf *conf = &finding->resolver->conf;
    const char *suffix = conf->suffixes[finding->suffix - 1].name;
    if (finding->outcome.validated)
        return NULL;
    if (!conf->suffixes[finding->suffix - 1].trusted ||
        !resolver_name_is_within(finding->name, suffix))
        return "it is not validated, and its tree is not trusted";
    return finding->outcome.set->common < strlen(suffix)
               ? "it is not validated, and an alias leads out of the trusted tree"
               : NULL;
}

/* Puts the records that were answered on top of those still to be tried. */
static void level_push(struct resolver_finding *finding)
{
    struct resolver_set *set = finding->outcome.set;
    if (!set || set->count == 0)
        return;
    const char *why_not = disbelief(finding);
    if (why_not) {
        resolver_tell(&finding->teller, "%s does not count: %s", finding->name, why_not);
        return;
    }
    struct level *level = &finding->levels[finding->depth++];
    finding->outcome.set = NULL;
    level->set = set;
    level->count = resolver_enum_order(set, level->order);
    level->next = 0;
}

/* The records have too many expressions: it is not found out whether a further one would do. */
static void give_up_rules(struct resolver_finding *finding)
{
    resolver_finding_levels_drop(finding);
    resolver_tell(&finding->teller, "no further record is tried, after %d expressions",
                  FIND_EXPRESSIONS_MAX);
    if (finding->failure)
        return;
    finding->failure = STATUS_SERVFAIL;
    snprintf(finding->found.why, sizeof(finding->found.why),
             "the records of +%s have more than the %d expressions that are tried", finding->digits,
             FIND_EXPRESSIONS_MAX);
}

/* Tries one record. */
static void rule_apply(struct resolver_finding *finding, const struct resolver_naptr *naptr)
{
    struct enum_result result;
    if (naptr->regexp.len > 0 && finding->expressions == FIND_EXPRESSIONS_MAX) {
        give_up_rules(finding);
        return;
    }
    finding->expressions += naptr->regexp.len > 0;
    const char *fault = resolver_enum_apply(naptr, finding->digits, &result);
    if (fault) {
        resolver_tell(&finding->teller, "NAPTR %u %u \"%s\" is passed over: %s", naptr->order,
                      naptr->preference, naptr->service, fault);
    } else if (result.next[0] == '\0') {
        resolver_finding_levels_drop(finding);
        number_leads_to(finding, &result.address, RESOLVER_NUMBER_ENUM);
    } else if (finding->depth == FIND_LEVELS_MAX) {
        resolver_tell(&finding->teller, "%s is not asked: too many names in a row", result.next);
    } else {
        memcpy(finding->name, result.next, sizeof(finding->name));
        resolver_finding_ask(finding, RESOLVER_NAPTR, FIND_RULES);
    }
}

static void rules_step(struct resolver_finding *finding)
{
    level_push(finding);
    resolver_set_unref(finding->outcome.set);
    finding->outcome.set = NULL;
    while (finding->depth > 0) {
        struct level *level = &finding->levels[finding->depth - 1];
        if (level->next < level->count) {
            rule_apply(finding, &level->set->records[level->order[level->next++]].naptr);
            return;
        }
        finding->depth--;
        level->set = resolver_set_unref(level->set);
    }
    finding->step = FIND_SUFFIX;
}

/* ---- what foreign domains publish ---- */

/* Nothing better is known than the authority, which redirects if need be. */
static void authority_end(struct resolver_finding *finding)
{
    finding->found.unknown = finding->failure != 0;
    resolver_finding_end(finding, 0);
}

static void parent_step(struct resolver_finding *finding)
{
    const struct resolver_set *set = finding->outcome.set;
    const struct store_address *foreign =
        foreign_address(&finding->found.address, &finding->found.answer);
    bool published = set && resolver_sipaddr_published(set);
    if (published && !finding->outcome.validated)
        resolver_tell(&finding->teller, "%s is not validated: its address records do not count",
                      finding->name);
    if (published && finding->outcome.validated && zone_address_name(foreign, finding->name) == 0)
        resolver_finding_ask(finding, RESOLVER_NAPTR, FIND_HOST);
    else
        authority_end(finding);
}

/* Do we serve this domain? Then the record is of no use: our directory has not got the address, so
 * the authority is asked (design section 8). */
static bool is_ours(struct resolver_finding *finding, const char *domain)
{
    if (store_reader_begin(finding->reader) < 0)
        return false;
    bool ours = finding->directory->domain(finding->reader, domain, finding->teller.arg) == 0;
    store_reader_end(finding->reader);
    return ours;
}

static void host_step(struct resolver_finding *finding)
{
    const struct resolver_set *set = finding->outcome.set;
    struct resolver_answer *answer = &finding->found.answer;
    char hosting[STORE_DOMAIN_MAX + 1];
    if (!set || resolver_sipaddr_hosting(set, hosting) != 0) {
        authority_end(finding);
    } else if (!finding->outcome.validated) {
        resolver_tell(&finding->teller, "%s does not count: it is not validated", finding->name);
        authority_end(finding);
    } else if (is_ours(finding, hosting)) {
        resolver_tell(&finding->teller,
                      "it names %s, which is ours, but our directory does not have the address",
                      hosting);
        authority_end(finding);
    } else {
        answer->rule = RESOLVER_PUBLISHED;
        memcpy(answer->hosting, hosting, sizeof(hosting));
        resolver_finding_end(finding, 0);
    }
}

/* ---- steps ---- */

void resolver_finding_step(struct resolver_finding *finding)
{
    switch (finding->step) {
    case FIND_DIRECTORY:
        directory_step(finding);
        break;
    case FIND_SUFFIX:
        suffix_step(finding);
        break;
    case FIND_RULES:
        rules_step(finding);
        break;
    case FIND_PARENT:
        parent_step(finding);
        break;
    case FIND_HOST:
        host_step(finding);
        break;
    case FIND_END:
        break;
    }
}
