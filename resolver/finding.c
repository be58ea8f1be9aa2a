/* The life of a search for an address: finding.h. An answer from the cache is there at once, so a
 * search that the cache suffices for never leaves resolver_find. */
#include "resolver/finding.h"

#include "base/status.h"
#include "resolver/sipaddr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIND_QUESTIONS_MAX 24 /* of one search, whatever the records say */

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

/* What is fresh in the cache, and as an answer to a trusted question would be. */
static void look_up(struct resolver_finding *finding)
{
    struct resolver_outcome outcome;
    if (!resolver_stale_answer(finding->resolver, finding->name, finding->type, &outcome) ||
        outcome.stale || !outcome.validated)
        outcome = (struct resolver_outcome){.status = STATUS_SERVFAIL, .cause = "not asked"};
    answered(&outcome, finding);
}

void resolver_finding_ask(struct resolver_finding *finding, enum resolver_type type,
                          enum find_step step)
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
    if (finding->known_only) {
        look_up(finding);
        return;
    }
    finding->waiting = true;
    resolver_ask_trusted(finding->resolver, finding->name, type, &finding->wait, answered, finding);
}

void resolver_finding_end(struct resolver_finding *finding, int status)
{
    finding->step = FIND_END;
    finding->status = status;
}

void resolver_finding_levels_drop(struct resolver_finding *finding)
{
    while (finding->depth > 0)
        resolver_set_unref(finding->levels[--finding->depth].set);
}

/* ---- life ---- */

/* After this nothing in the resolver points at the search. */
static void finding_detach(struct resolver_finding *finding)
{
    timer_stop(finding->resolver->timers, &finding->timer);
    if (finding->waiting)
        resolver_wait_cancel(&finding->wait);
    finding->waiting = false;
    resolver_finding_levels_drop(finding);
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
    while (!finding->waiting && finding->step != FIND_END)
        resolver_finding_step(finding);
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
    finding->known_only = user->known_only;
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
    while ((link = list_pop(&resolver->findings))) {
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
