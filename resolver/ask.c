/* Asking: at once from the cache, else by a question, which is joined where it is under way. */
#include "resolver/question.h"

#include "base/status.h"
#include "resolver/health.h"

#include <string.h>

/* Asks for the cache's sake, unless it is under way. Where there is no room it is left undone. */
static void renew(struct resolver *resolver, const struct question_key *key)
{
    struct resolver_question *question = question_find(resolver, key);
    if (question || !(question = question_alloc(resolver, key)))
        return;
    resolver->stats.renewals++;
    question->for_cache = true;
    question->stale_told = true;
    question_begin(question);
}

/* Is this answer good enough now? A stale one is where an answer was waited for in vain before. */
static bool is_good(const struct resolver *resolver, const struct question_key *key,
                    const struct resolver_cached *cached)
{
    if (key->trusted_only)
        return cached->set->trusted && cached->proves_s > 0;
    if (!cached->stale || cached->failed)
        return true;
    const struct resolver_question *question = question_find(resolver, key);
    return question && question->stale_told;
}

/* Answers at once where the cache can. Else *stale tells whether it has something for later. */
static bool answer_from_cache(struct resolver *resolver, const struct question_key *key,
                              struct resolver_wait *wait, bool *stale)
{
    struct resolver_cached cached;
    if (!resolver_cache_get(resolver->cache, key->name, key->type, resolver_now_ms(resolver),
                            &cached))
        return false;
    *stale = cached.stale && !key->trusted_only;
    if (!is_good(resolver, key, &cached))
        return false;
    if (cached.stale)
        resolver->stats.stale_hits++;
    else
        resolver->stats.cache_hits++;
    struct resolver_outcome outcome = resolver_outcome_of_cached(&cached);
    if (key->trusted_only)
        outcome.ttl_s = cached.proves_s;
    resolver_set_ref(cached.set);
    if (cached.recheck)
        renew(resolver, key);
    wait->handler(&outcome, wait->arg);
    resolver_set_unref(cached.set);
    return true;
}

static void refuse(const struct resolver_wait *wait, int status, const char *cause)
{
    struct resolver_outcome outcome = {.status = status, .cause = cause};
    wait->handler(&outcome, wait->arg);
}

/* From the loop, for who waits for it may do anything. */
static void question_dropped(void *arg)
{
    struct resolver_question *question = arg;
    question->failure = (struct resolver_outcome){.status = STATUS_SERVFAIL,
                                                  .cause = "too many questions under way"};
    question_fail(question);
}

/* Where all places are taken the oldest question ends: it is one of those that nobody answers, and
 * they must not hold up the others. It gives up its place at once. */
static void question_make_room(struct resolver *resolver)
{
    if (table_count(resolver->questions) < RESOLVER_MAX_INFLIGHT)
        return;
    struct resolver_question *oldest =
        container_of(list_first(&resolver->asked), struct resolver_question, link);
    if (resolver_timer_start(resolver, &oldest->timer, 0, question_dropped, oldest) < 0)
        return;
    oldest->exchange = resolver_exchange_stop(oldest->exchange);
    question_unlist(oldest);
}

/* The same question under way, or NULL. One that was asked before its name was purged goes on for
 * those who wait for it, and no longer stands in the way of a new one. */
static struct resolver_question *question_to_join(struct resolver *resolver,
                                                  const struct question_key *key)
{
    struct resolver_question *question = question_find(resolver, key);
    if (!question || !resolver_cache_is_purged(resolver->cache, key->name, question->cache_age))
        return question;
    question_unlist(question);
    return NULL;
}

static void ask(struct resolver *resolver, const struct question_key *key,
                struct resolver_wait *wait)
{
    bool stale = false;
    list_init(&wait->link);
    wait->question = NULL;
    if (resolver->closing) {
        refuse(wait, STATUS_CANCELLED, "the resolver is being closed");
        return;
    }
    if (answer_from_cache(resolver, key, wait, &stale))
        return;
    /* What proves has nothing stale to be told meanwhile: each call would wait as long as all
     * attempts take, and most go on without an answer. */
    if (key->trusted_only && resolver_trusted_are_down(resolver)) {
        refuse(wait, -ETIMEDOUT, "not asked, for no trusted upstream answered lately");
        return;
    }

    struct resolver_question *question = question_to_join(resolver, key);
    bool begins = !question;
    if (begins)
        question_make_room(resolver);
    if (begins && !(question = question_alloc(resolver, key))) {
        refuse(wait, STATUS_SERVFAIL, "too many questions under way");
        return;
    }
    wait->question = question;
    list_append(&question->waits, &wait->link);
    if (stale && !timer_is_running(&question->stale_timer))
        resolver_timer_start(resolver, &question->stale_timer, resolver->conf.stale_wait_ms,
                             question_stale_due, question);
    if (begins)
        question_begin(question);
}

void resolver_ask(struct resolver *resolver, const char *name, enum resolver_type type,
                  struct resolver_wait *wait, resolver_outcome_h *handler, void *arg)
{
    struct question_key key = {name, type, false};
    wait->handler = handler;
    wait->arg = arg;
    ask(resolver, &key, wait);
}

void resolver_ask_trusted(struct resolver *resolver, const char *name, enum resolver_type type,
                          struct resolver_wait *wait, resolver_outcome_h *handler, void *arg)
{
    struct question_key key = {name, type, true};
    wait->handler = handler;
    wait->arg = arg;
    ask(resolver, &key, wait);
}

void resolver_wait_cancel(struct resolver_wait *wait)
{
    struct resolver_question *question = wait->question;
    list_remove(&wait->link);
    wait->question = NULL;
    if (!question || question->for_cache || !list_is_empty(&question->waits))
        return;
    question_free(question);
}

bool resolver_stale_answer(struct resolver *resolver, const char *name, enum resolver_type type,
                           struct resolver_outcome *outcome)
{
    struct resolver_cached cached;
    if (!resolver_cache_get(resolver->cache, name, type, resolver_now_ms(resolver), &cached))
        return false;
    *outcome = resolver_outcome_of_cached(&cached);
    resolver->stats.stale_hits += cached.stale;
    return true;
}

struct netaddr resolver_wait_upstream(const struct resolver_wait *wait)
{
    struct netaddr none;
    memset(&none, 0, sizeof(none));
    const struct resolver_question *question = wait->question;
    return question ? question->resolver->conf.upstreams[question->upstream].addr : none;
}
