/* The lookup function with DNS (design section 3.1): directory, then numbers, then what foreign
 * domains publish. One question after the other; an answer from the cache is there at once, so a
 * search that the cache suffices for never leaves resolver_find. */
#include "resolver/internal.h"

#include "base/status.h"
#include "resolver/enum.h"
#include "resolver/explain.h"
#include "resolver/sipaddr.h"
#include "resolver/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIND_LEVELS_MAX                                                                            \
    6 /* names of one suffix at once: five records without flag in a row, as many                  \
         as RFC 6116 section 5.2.1 asks for */
#define FIND_QUESTIONS_MAX 24 /* of one search, whatever the records say */
#define FIND_EXPRESSIONS_MAX                                                                       \
    32 /* applied in one search, though all is in the cache: each may take part of a millisecond   \
        */

enum find_step {
    FIND_DIRECTORY, /* entered at the start, and with the address that a number led to */
    FIND_SUFFIX,    /* a number: the next suffix is to be asked */
    FIND_RULES,     /* ENUM answered, or a record led nowhere: the next record is to be tried */
    FIND_PARENT,    /* the TXT record of a foreign domain was asked */
    FIND_HOST,      /* its record of the one address was asked */
    FIND_END        /* `status` and `found` are final */
};

/* The records of one name of ENUM, and how far they were tried. */
struct level {
    struct resolver_set *set;
    size_t order[ENUM_RULES_MAX];
    size_t count, next;
};

/* Owned by the resolver's list of searches until it has ended or is cancelled; then spare. */
struct resolver_finding {
    struct list link;
    struct resolver *resolver;
    struct store_reader *reader;
    const struct resolver_directory *directory;
    resolver_find_h *done;
    struct resolver_teller teller; /* its arg is the user's */
    struct timer timer;            /* the deadline */
    enum find_step step;
    bool running;        /* inside finding_run: an answer is taken up there */
    const char *no_more; /* why no further questions are asked; NULL: they are */

    char digits[STORE_NUMBER_MAX + 1]; /* "": no number, or it has led to an address */
    size_t suffix;                     /* the next one */
    struct level levels[FIND_LEVELS_MAX];
    size_t depth;

    char name[RESOLVER_NAME_MAX + 1]; /* asked last */
    enum resolver_type type;
    struct resolver_wait wait;
    bool waiting;
    unsigned questions, expressions;
    struct resolver_outcome
        outcome; /* of the question asked last; its set is a reference of ours */

    int failure; /* status of the first question without answer, or 0; found.why tells it */
    int status;
    struct resolver_found found;
};

/* ---- asking ---- */

static void finding_run(struct resolver_finding *finding);

/* Which of the records do not count, and why. */
static void tell_refusals(const struct resolver_finding *finding)
{
    const struct resolver_set *set = finding->outcome.set;
    bool is_enum = finding->step == FIND_RULES;
    if (!set || finding->type != RESOLVER_NAPTR)
        return;
    for (size_t i = 0; i < set->count; i++) {
        const struct resolver_naptr *naptr = &set->records[i].naptr;
        const char *refusal =
            is_enum ? resolver_enum_refusal(naptr) : resolver_sipaddr_refusal(naptr);
        if (refusal)
            resolver_tell(&finding->teller, "NAPTR %u %u \"%s\" does not count: %s", naptr->order,
                          naptr->preference, naptr->service, refusal);
    }
}

/* Remembers why the first question without answer has none. */
static void note_failure(struct resolver_finding *finding)
{
    char text[RESOLVER_LINE_MAX / 2];
    if (finding->failure || finding->outcome.set)
        return;
    finding->failure = finding->outcome.status;
    snprintf(finding->found.why, sizeof(finding->found.why), "%s %s: %s",
             resolver_type_name(finding->type), finding->name,
             resolver_failure_text(&finding->outcome, text, sizeof(text)));
}

static void answered(const struct resolver_outcome *outcome, void *arg)
{
    struct resolver_finding *finding = arg;
    finding->waiting = false;
    finding->outcome = *outcome;
    if (outcome->set)
        resolver_set_ref(outcome->set);
    resolver_tell_outcome(&finding->teller, finding->name, finding->type, &finding->outcome);
    tell_refusals(finding);
    note_failure(finding);
    if (!finding->running)
        finding_run(finding);
}

static void deadline_passed(void *arg)
{
    struct resolver_finding *finding = arg;
    struct resolver_outcome outcome = {.status = -ETIMEDOUT,
                                       .cause = "no answer in time",
                                       .upstream = resolver_wait_upstream(&finding->wait)};
    finding->no_more = "not asked, for time is up";
    resolver_wait_cancel(&finding->wait);
    answered(&outcome, finding);
}

/* Asks for finding->name; `step` takes up the answer. */
static void ask(struct resolver_finding *finding, enum resolver_type type, enum find_step step)
{
    resolver_set_unref(finding->outcome.set);
    finding->outcome.set = NULL;
    finding->type = type;
    finding->step = step;
    if (!finding->no_more && finding->questions == FIND_QUESTIONS_MAX)
        finding->no_more = "not asked, after too many";
    if (finding->no_more) {
        const struct resolver_outcome outcome = {.status = STATUS_SERVFAIL,
                                                 .cause = finding->no_more};
        answered(&outcome, finding);
        return;
    }
    finding->questions++;
    finding->waiting = true;
    resolver_ask_trusted(finding->resolver, finding->name, type, &finding->wait, answered, finding);
}

static void end(struct resolver_finding *finding, int status)
{
    finding->step = FIND_END;
    finding->status = status;
}

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

static int number_look_up(struct resolver_finding *finding)
{
    struct store_address address;
    int status =
        finding->directory->number(finding->reader, finding->digits, &address, finding->teller.arg);
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
        ask(finding, RESOLVER_TXT, FIND_PARENT);
    else
        end(finding, 0);
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
        end(finding, 0);
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
        end(finding, status);
    }
}

/* ---- numbers in DNS ---- */

static void levels_drop(struct resolver_finding *finding)
{
    while (finding->depth > 0)
        resolver_set_unref(finding->levels[--finding->depth].set);
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
        end(finding, 0);
    } else if (finding->failure) {
        end(finding, finding->failure);
    } else {
        if (!at_domain)
            found->answer.rule = RESOLVER_NO_NUMBER;
        end(finding, 0);
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
        ask(finding, RESOLVER_NAPTR, FIND_RULES);
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
    levels_drop(finding);
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
        levels_drop(finding);
        number_leads_to(finding, &result.address, RESOLVER_NUMBER_ENUM);
    } else if (finding->depth == FIND_LEVELS_MAX) {
        resolver_tell(&finding->teller, "%s is not asked: too many names in a row", result.next);
    } else {
        memcpy(finding->name, result.next, sizeof(finding->name));
        ask(finding, RESOLVER_NAPTR, FIND_RULES);
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
    end(finding, 0);
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
        ask(finding, RESOLVER_NAPTR, FIND_HOST);
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
        end(finding, 0);
    }
}

/* ---- life ---- */

/* After this nothing in the resolver points at the search. */
static void finding_detach(struct resolver_finding *finding)
{
    timer_stop(finding->resolver->timers, &finding->timer);
    if (finding->waiting)
        resolver_wait_cancel(&finding->wait);
    finding->waiting = false;
    levels_drop(finding);
    resolver_set_unref(finding->outcome.set);
    finding->outcome.set = NULL;
    list_remove(&finding->link);
    finding->resolver->finding_count--;
}

static void finding_recycle(struct resolver_finding *finding)
{
    struct resolver *resolver = finding->resolver;
    if (resolver->spare_finding_count == RESOLVER_SPARES_MAX) {
        free(finding);
        return;
    }
    resolver->spare_finding_count++;
    list_append(&resolver->spare_findings, &finding->link);
}

static void finding_finish(struct resolver_finding *finding)
{
    finding_detach(finding);
    finding->done(finding->status, &finding->found, finding->teller.arg);
    finding_recycle(finding);
}

/* As far as it goes without waiting. */
static void finding_advance(struct resolver_finding *finding)
{
    finding->running = true;
    while (!finding->waiting && finding->step != FIND_END) {
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
    finding->running = false;
}

/* Something that it waited for has come. */
static void finding_run(struct resolver_finding *finding)
{
    finding_advance(finding);
    if (finding->step == FIND_END)
        finding_finish(finding);
}

static void finding_init(struct resolver_finding *finding, struct resolver *resolver)
{
    memset(finding, 0, sizeof(*finding));
    list_init(&finding->link);
    timer_init(&finding->timer);
    finding->resolver = resolver;
}

static struct resolver_finding *finding_alloc(struct resolver *resolver)
{
    if (resolver->closing || resolver->finding_count >= RESOLVER_FINDINGS_MAX)
        return NULL;
    struct list *spare = list_pop(&resolver->spare_findings);
    struct resolver_finding *finding =
        spare ? container_of(spare, struct resolver_finding, link) : malloc(sizeof(*finding));
    if (!finding)
        return NULL;
    resolver->spare_finding_count -= spare != NULL;
    finding_init(finding, resolver);
    list_append(&resolver->findings, &finding->link);
    resolver->finding_count++;
    return finding;
}

/* The caller gets the answer at once. */
static int finding_return(struct resolver_finding *finding, struct resolver_found *found)
{
    int status = finding->status;
    *found = finding->found;
    finding_detach(finding);
    finding_recycle(finding);
    return status;
}

static void finding_begin(struct resolver_finding *finding, const struct resolver_asked *asked,
                          const struct resolver_find_user *user)
{
    finding->reader = user->reader;
    finding->directory = user->directory ? user->directory : &resolver_whole_directory;
    finding->done = user->done;
    finding->teller = (struct resolver_teller){.trace = user->trace, .arg = user->arg};
    memcpy(finding->digits, asked->digits, sizeof(finding->digits));
    if (asked->digits[0] == '\0')
        finding->found.address = asked->address;
    finding_advance(finding);
}

/* The search of one who came when there were too many: nobody is asked, so it ends at once. Most
 * addresses have no record, and a call to the authority is better than none. */
static int find_without_dns(struct resolver *resolver, const struct resolver_asked *asked,
                            const struct resolver_find_user *user, struct resolver_found *found)
{
    struct resolver_finding finding;
    finding_init(&finding, resolver);
    finding.no_more = "not asked, for too many searches are under way";
    finding_begin(&finding, asked, user);
    resolver_set_unref(finding.outcome.set);
    *found = finding.found;
    return finding.status;
}

int resolver_find(struct resolver *resolver, const struct resolver_asked *asked,
                  const struct resolver_find_user *user, struct resolver_found *found,
                  struct resolver_finding **finding)
{
    struct resolver_finding *made = finding_alloc(resolver);
    if (!made)
        return find_without_dns(resolver, asked, user, found);
    finding_begin(made, asked, user);
    if (made->step == FIND_END)
        return finding_return(made, found);
    int status = resolver_timer_start(resolver, &made->timer, resolver->conf.lookup_timeout_ms,
                                      deadline_passed, made);
    if (status < 0) {
        finding_detach(made);
        finding_recycle(made);
        return find_without_dns(resolver, asked, user, found);
    }
    *finding = made;
    return -EINPROGRESS;
}

void resolver_find_cancel(struct resolver_finding *finding)
{
    finding_detach(finding);
    finding_recycle(finding);
}

void resolver_findings_end(struct resolver *resolver)
{
    struct list *link;
    while ((link = list_first(&resolver->findings))) {
        struct resolver_finding *finding = container_of(link, struct resolver_finding, link);
        finding->status = STATUS_CANCELLED;
        snprintf(finding->found.why, sizeof(finding->found.why), "the resolver is being closed");
        finding_finish(finding);
    }
}

void resolver_findings_free(struct resolver *resolver)
{
    list_each (link, next, &resolver->spare_findings)
        free(container_of(link, struct resolver_finding, link));
}
