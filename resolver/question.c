/* One question to DNS, asked once for all who wait for it: attempt after attempt, upstream after
 * upstream, along CNAME records, until there is an answer or nobody is left to ask. */
#include "resolver/question.h"

#include "base/status.h"
#include "resolver/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool question_matches(const struct table_link *link, const void *key)
{
    const struct resolver_question *question =
        container_of(link, const struct resolver_question, hashed);
    const struct question_key *wanted = key;
    return question->type == wanted->type && question->trusted_only == wanted->trusted_only &&
           strcmp(question->name, wanted->name) == 0;
}

static uint64_t question_hash(const struct table *table, const struct question_key *key)
{
    uint16_t type = (uint16_t)key->type;
    uint64_t hash = table_hash(table, slice_of(key->name));
    return table_hash_more(table, hash, slice_make((const char *)&type, sizeof(type)));
}

struct resolver_question *question_find(const struct resolver *resolver,
                                        const struct question_key *key)
{
    struct table_link *link = table_find(
        resolver->questions, question_hash(resolver->questions, key), question_matches, key);
    return link ? container_of(link, struct resolver_question, hashed) : NULL;
}

/* ---- the beginning ---- */

struct resolver_question *question_alloc(struct resolver *resolver, const struct question_key *key)
{
    struct resolver_question *question = calloc(1, sizeof(*question));
    if (!question)
        return NULL;
    question->resolver = resolver;
    question->type = key->type;
    question->trusted_only = key->trusted_only;
    memcpy(question->name, key->name, strlen(key->name) + 1);
    memcpy(question->asked, question->name, sizeof(question->asked));
    question->ttl_s = UINT32_MAX;
    question->trusted = question->validated = true;
    question->common = strlen(question->name);
    question->cache_age = resolver_cache_age(resolver->cache);
    list_init(&question->waits);
    timer_init(&question->timer);
    timer_init(&question->stale_timer);
    if (table_put(resolver->questions, &question->hashed, question_hash(resolver->questions, key)) <
        0) {
        free(question);
        return NULL;
    }
    list_append(&resolver->asked, &question->link);
    return question;
}

void question_unlist(struct resolver_question *question)
{
    table_remove(question->resolver->questions, &question->hashed);
    list_remove(&question->link);
    list_append(&question->resolver->unlisted, &question->link);
}

/* ---- the end ---- */

static void question_detach(struct resolver_question *question)
{
    timer_stop(question->resolver->timers, &question->timer);
    timer_stop(question->resolver->timers, &question->stale_timer);
    question->exchange = resolver_exchange_stop(question->exchange);
    table_remove(question->resolver->questions, &question->hashed);
    list_remove(&question->link);
}

/* Tells everybody. A waiter may meanwhile cancel others, ask anew or free the resolver, and with it
 * a question that is not detached. */
static void question_tell(struct resolver_question *question,
                          const struct resolver_outcome *outcome)
{
    struct list waits;
    list_init(&waits);
    list_each (link, next, &question->waits) {
        list_remove(link);
        list_append(&waits, link);
        container_of(link, struct resolver_wait, link)->question = NULL;
    }
    struct list *link;
    while ((link = list_first(&waits))) {
        struct resolver_wait *wait = container_of(link, struct resolver_wait, link);
        list_remove(link);
        wait->handler(outcome, wait->arg);
    }
}

void question_free(struct resolver_question *question)
{
    question_detach(question);
    free(question);
}

static void question_finish(struct resolver_question *question,
                            const struct resolver_outcome *outcome)
{
    question_detach(question);
    question_tell(question, outcome);
    free(question);
}

static void question_answer(struct resolver_question *question, struct resolver_set *set)
{
    struct resolver *resolver = question->resolver;
    struct resolver_outcome outcome = {
        .status = set->status, .set = set, .validated = set->validated};
    outcome.ttl_s = resolver_cache_put(resolver->cache, question->name, set, question->cache_age,
                                       resolver_now_ms(resolver));
    if (question->trusted_only && set->ttl_s < outcome.ttl_s)
        outcome.ttl_s = set->ttl_s;
    question_finish(question, &outcome);
    resolver_set_unref(set);
}

struct resolver_outcome resolver_outcome_of_cached(const struct resolver_cached *cached)
{
    return (struct resolver_outcome){.status = cached->set->status,
                                     .set = cached->set,
                                     .ttl_s = cached->ttl_s,
                                     .validated = cached->set->validated && cached->proves_s > 0,
                                     .cached = true,
                                     .stale = cached->stale,
                                     .ends_ms = cached->ends_ms};
}

/* Where the cache has an answer past its TTL: those who wait get that. Returns whether it has. */
static bool question_tell_stale(struct resolver_question *question)
{
    struct resolver *resolver = question->resolver;
    struct resolver_cached cached;
    if (question->trusted_only ||
        !resolver_cache_get(resolver->cache, question->name, question->type,
                            resolver_now_ms(resolver), &cached))
        return false;
    for (struct list *link = question->waits.next; link != &question->waits; link = link->next)
        resolver->stats.stale_hits++;
    struct resolver_outcome outcome = resolver_outcome_of_cached(&cached);
    resolver_set_ref(cached.set);
    question_tell(question, &outcome);
    resolver_set_unref(cached.set);
    return true;
}

void question_fail(struct resolver_question *question)
{
    struct resolver *resolver = question->resolver;
    struct resolver_outcome failure = question->failure;
    resolver->stats.failures++;
    resolver_cache_failed(resolver->cache, question->name, question->type,
                          resolver_now_ms(resolver));
    question_detach(question);
    if (!question_tell_stale(question))
        question_tell(question, &failure);
    free(question);
}

void question_stale_due(void *arg)
{
    struct resolver_question *question = arg;
    question->for_cache = question->stale_told = true;
    question_tell_stale(question);
}

/* ---- attempts ---- */

static void question_next(struct resolver_question *question);

/* Remembers why an attempt led nowhere. That a server said something tells more than silence. */
static void note_failure(struct resolver_question *question, int status, const char *cause,
                         int io_error)
{
    if (question->failure.status == STATUS_SERVFAIL && status != STATUS_SERVFAIL)
        return;
    question->failure.status = status;
    question->failure.cause = cause;
    question->failure.io_error = io_error;
    question->failure.upstream = question->resolver->conf.upstreams[question->upstream].addr;
}

static void give_up_upstream(struct resolver_question *question, const char *cause, int io_error)
{
    question->gave_up[question->upstream] = true;
    note_failure(question, STATUS_SERVFAIL, cause, io_error);
}

static const char *silence_text(const struct resolver_question *question)
{
    if (question->heard)
        return "no answer but malformed ones";
    return question->misfit ? "no answer that fits the question" : "no answer";
}

static void attempt_timed_out(void *arg)
{
    struct resolver_question *question = arg;
    struct resolver *resolver = question->resolver;
    resolver->stats.timeouts++;
    if (!question->heard)
        resolver_upstream_silent(resolver, question->upstream);
    question->exchange = resolver_exchange_stop(question->exchange);
    note_failure(question, -ETIMEDOUT, silence_text(question), 0);
    question_next(question);
}

static bool message_came(int status, struct slice bytes, void *arg);

/* Sends the encoded query. Returns 0 or -errno. */
static int attempt_send(struct resolver_question *question, bool tcp)
{
    struct resolver *resolver = question->resolver;
    const struct netaddr *addr = &resolver->conf.upstreams[question->upstream].addr;
    struct slice bytes = slice_make((const char *)question->query.wire, question->query.len);
    int status = resolver_timer_start(resolver, &question->timer, resolver->conf.attempt_timeout_ms,
                                      attempt_timed_out, question);
    if (status < 0)
        return status;
    status = resolver_exchange_start(resolver->net, addr, tcp, bytes, message_came, question,
                                     &question->exchange);
    if (status < 0) {
        timer_stop(resolver->timers, &question->timer);
        return status;
    }
    question->tcp = tcp;
    question->heard = question->misfit = false;
    resolver->stats.questions++;
    return 0;
}

static int attempt_start(struct resolver_question *question)
{
    struct resolver *resolver = question->resolver;
    if (resolver->entropy_left == 0) {
        int status = resolver_random(resolver->entropy, sizeof(resolver->entropy));
        if (status < 0)
            return status;
        resolver->entropy_left = RESOLVER_ENTROPY_AHEAD;
    }
    int status =
        resolver_query_encode(question->asked, question->type,
                              &resolver->entropy[--resolver->entropy_left], &question->query);
    if (status < 0)
        return status;
    return attempt_send(question, false);
}

/* Asks the next upstream, or ends the question where none is left. */
static void question_next(struct resolver_question *question)
{
    for (; question->round < RESOLVER_ROUNDS; question->round++, question->position = 0) {
        while (question->position < question->order_count) {
            question->upstream = question->order[question->position++];
            if (question->gave_up[question->upstream])
                continue;
            int status = attempt_start(question);
            if (status == 0)
                return;
            give_up_upstream(question, "cannot be asked", status);
        }
    }
    question_fail(question);
}

void question_begin(struct resolver_question *question)
{
    question->order_count =
        resolver_upstreams_order(question->resolver, question->trusted_only, question->order);
    if (question->order_count == 0)
        question->failure =
            (struct resolver_outcome){.status = STATUS_SERVFAIL, .cause = "no upstream is trusted"};
    memset(question->gave_up, 0, sizeof(question->gave_up));
    question->position = 0;
    question->round = 0;
    question_next(question);
}

/* ---- answers ---- */

static void follow_alias(struct resolver_question *question, const struct resolver_reply *reply)
{
    question->aliases += reply->aliases;
    if (question->aliases > RESOLVER_ALIASES_MAX) {
        note_failure(question, STATUS_SERVFAIL, "a chain of too many CNAME records", 0);
        question_fail(question);
        return;
    }
    memcpy(question->asked, reply->alias, sizeof(question->asked));
    question_begin(question);
}

/* `why` is the failure where that is not possible. */
static void ask_over_tcp(struct resolver_question *question, const char *why)
{
    int status = question->tcp ? -EMSGSIZE : attempt_send(question, true);
    if (status == 0)
        return;
    give_up_upstream(question, why, status);
    question_next(question);
}

static void reply_came(struct resolver_question *question, struct resolver_reply *reply)
{
    struct resolver *resolver = question->resolver;
    bool trusted = resolver->conf.upstreams[question->upstream].trusted;
    resolver->stats.answers++;
    resolver_upstream_answered(resolver, question->upstream);
    if (reply->kind == RESOLVER_REPLY_ANSWER || reply->kind == RESOLVER_REPLY_ALIAS) {
        question->trusted = question->trusted && trusted;
        question->validated = question->validated && trusted && reply->authentic;
        if (question->common > reply->common)
            question->common = reply->common;
    }
    switch (reply->kind) {
    case RESOLVER_REPLY_ANSWER:
        reply->set->aliased = question->aliases + reply->aliases > 0;
        reply->set->trusted = question->trusted;
        reply->set->validated = question->validated;
        reply->set->common = question->common;
        if (reply->set->ttl_s > question->ttl_s)
            reply->set->ttl_s = question->ttl_s;
        question_answer(question, reply->set);
        return;
    case RESOLVER_REPLY_ALIAS:
        if (question->ttl_s > reply->ttl_s)
            question->ttl_s = reply->ttl_s;
        follow_alias(question, reply);
        return;
    case RESOLVER_REPLY_TRUNCATED:
        ask_over_tcp(question, "truncated, and not to be had over TCP");
        return;
    case RESOLVER_REPLY_FAILED:
        give_up_upstream(question, reply->cause, 0);
        question_next(question);
        return;
    }
}

/* An upstream that does not keep the case of letters, or a forger who guessed all else. Over TCP
 * the former does and the latter cannot. */
static void case_lost(struct resolver_question *question)
{
    question->resolver->stats.hostile++;
    question->exchange = NULL;
    timer_stop(question->resolver->timers, &question->timer);
    ask_over_tcp(question, "an answer in other letters, and none to be had over TCP");
}

/* What does not fit the question, or is no DNS message, changes nothing but a counter: the true
 * answer may still come. */
static bool message_came(int status, struct slice bytes, void *arg)
{
    struct resolver_question *question = arg;
    struct resolver_reply reply;
    if (status == 0) {
        enum resolver_fit fit = resolver_answer_fit(&question->query, bytes);
        if (fit == RESOLVER_FIT_NONE) {
            question->resolver->stats.hostile++;
            question->misfit = true;
            return true;
        }
        if (fit == RESOLVER_FIT_CASE && !question->tcp) {
            case_lost(question);
            return false;
        }
        status = resolver_answer_decode(&question->query, bytes, &reply);
        if (status == STATUS_MALFORMED) {
            question->resolver->stats.hostile++;
            question->heard = true;
            return true;
        }
    }

    question->exchange = NULL; /* it stops by itself when this returns false */
    timer_stop(question->resolver->timers, &question->timer);
    if (status == 0) {
        reply_came(question, &reply);
        return false;
    }
    if (!question->tcp)
        resolver_upstream_silent(question->resolver, question->upstream);
    give_up_upstream(question, "no answer", status);
    question_next(question);
    return false;
}

/* ---- the end of all ---- */

void resolver_questions_end(struct resolver *resolver)
{
    static const struct resolver_outcome cancelled = {.status = STATUS_CANCELLED,
                                                      .cause = "the resolver is being closed"};
    struct list *link;
    while ((link = list_pop(&resolver->asked)) || (link = list_pop(&resolver->unlisted)))
        question_finish(container_of(link, struct resolver_question, link), &cancelled);
}
