/* One question to DNS, asked once for all who wait for it: attempt after attempt, upstream after
 * upstream, along CNAME records, until there is an answer or nobody is left to ask. */
#include "resolver/internal.h"

#include "base/status.h"
#include "base/table.h"
#include "resolver/packet.h"
#include "resolver/upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Owned by the table of questions; ends with question_finish or when the last waiter leaves. */
struct resolver_question {
    struct table_link hashed;
    struct resolver *resolver;
    struct list waits;
    char name[RESOLVER_NAME_MAX + 1];
    enum resolver_type type;

    /* What the answers so far add up to. */
    char asked[RESOLVER_NAME_MAX + 1]; /* the name, or the end of its CNAME chain */
    unsigned aliases;
    uint32_t ttl_s;
    bool validated;

    /* The attempts: upstreams in this order, those that were silent once more. */
    size_t order[RESOLVER_MAX_UPSTREAMS];
    bool gave_up[RESOLVER_MAX_UPSTREAMS]; /* answered that it cannot tell */
    size_t position;                      /* in `order`, of the next attempt */
    unsigned round;
    struct resolver_outcome failure; /* the most telling one */

    /* The attempt under way. */
    size_t upstream;
    bool tcp;
    struct resolver_query query;
    struct resolver_exchange *exchange;
    struct timer timer;
};

struct question_key {
    const char *name;
    enum resolver_type type;
};

static bool question_matches(const struct table_link *link, const void *key)
{
    const struct resolver_question *question =
        container_of(link, const struct resolver_question, hashed);
    const struct question_key *wanted = key;
    return question->type == wanted->type && strcmp(question->name, wanted->name) == 0;
}

static uint64_t question_hash(const struct table *table, const struct question_key *key)
{
    uint16_t type = (uint16_t)key->type;
    uint64_t hash = table_hash(table, slice_of(key->name));
    return table_hash_more(table, hash, slice_make((const char *)&type, sizeof(type)));
}

/* ---- the end ---- */

static void question_detach(struct resolver_question *question)
{
    timer_stop(question->resolver->timers, &question->timer);
    question->exchange = resolver_exchange_stop(question->exchange);
    table_remove(question->resolver->questions, &question->hashed);
}

/* Tells everybody. A waiter may meanwhile cancel others, ask anew or free the resolver. */
static void question_finish(struct resolver_question *question,
                            const struct resolver_outcome *outcome)
{
    question_detach(question);
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
    free(question);
}

static void question_answer(struct resolver_question *question, struct resolver_set *set)
{
    struct resolver *resolver = question->resolver;
    resolver_cache_put(resolver->cache, question->name, set, resolver_now_ms(resolver));
    struct resolver_outcome outcome = {.status = set->status, .set = set, .ttl_s = set->ttl_s};
    question_finish(question, &outcome);
    resolver_set_unref(set);
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

static void attempt_timed_out(void *arg)
{
    struct resolver_question *question = arg;
    struct resolver *resolver = question->resolver;
    resolver->stats.timeouts++;
    if (++resolver->upstreams[question->upstream].silent >= RESOLVER_SILENT_MAX)
        resolver->upstreams[question->upstream].down_until_ms =
            resolver_now_ms(resolver) + RESOLVER_DOWN_MS;
    question->exchange = resolver_exchange_stop(question->exchange);
    note_failure(question, -ETIMEDOUT, "no answer", 0);
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
    status = resolver_exchange_start(resolver->loop, addr, tcp, bytes, message_came, question,
                                     &question->exchange);
    if (status < 0) {
        timer_stop(resolver->timers, &question->timer);
        return status;
    }
    question->tcp = tcp;
    resolver->stats.questions++;
    return 0;
}

static int attempt_start(struct resolver_question *question)
{
    struct resolver_entropy entropy;
    int status = resolver_random(&entropy, sizeof(entropy));
    if (status < 0)
        return status;
    status = resolver_query_encode(question->asked, question->type, &entropy, &question->query);
    if (status < 0)
        return status;
    return attempt_send(question, false);
}

/* Asks the next upstream, or ends the question where none is left. */
static void question_next(struct resolver_question *question)
{
    size_t count = question->resolver->conf.upstream_count;
    for (; question->round < RESOLVER_ROUNDS; question->round++, question->position = 0) {
        while (question->position < count) {
            question->upstream = question->order[question->position++];
            if (question->gave_up[question->upstream])
                continue;
            int status = attempt_start(question);
            if (status == 0)
                return;
            give_up_upstream(question, "cannot be asked", status);
        }
    }
    struct resolver_outcome failure = question->failure;
    question_finish(question, &failure);
}

/* Begins the attempts for question->asked: upstreams in their configured order, but those that were
 * silent lately last. */
static void question_begin(struct resolver_question *question)
{
    const struct resolver *resolver = question->resolver;
    uint64_t now_ms = resolver_now_ms(resolver);
    size_t count = 0;
    for (int down = 0; down <= 1; down++)
        for (size_t i = 0; i < resolver->conf.upstream_count; i++)
            if ((resolver->upstreams[i].down_until_ms > now_ms) == down)
                question->order[count++] = i;
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
        struct resolver_outcome failure = question->failure;
        question_finish(question, &failure);
        return;
    }
    memcpy(question->asked, reply->alias, sizeof(question->asked));
    question_begin(question);
}

static void ask_over_tcp(struct resolver_question *question)
{
    int status = question->tcp ? -EMSGSIZE : attempt_send(question, true);
    if (status == 0)
        return;
    give_up_upstream(question, "truncated, and not to be had over TCP", status);
    question_next(question);
}

static void reply_came(struct resolver_question *question, struct resolver_reply *reply)
{
    struct resolver *resolver = question->resolver;
    bool trusted = resolver->conf.upstreams[question->upstream].trusted;
    resolver->stats.answers++;
    resolver->upstreams[question->upstream].silent = 0;
    resolver->upstreams[question->upstream].down_until_ms = 0;
    switch (reply->kind) {
    case RESOLVER_REPLY_ANSWER:
        reply->set->validated = question->validated && trusted && reply->authentic;
        if (reply->set->ttl_s > question->ttl_s)
            reply->set->ttl_s = question->ttl_s;
        question_answer(question, reply->set);
        return;
    case RESOLVER_REPLY_ALIAS:
        question->validated = question->validated && trusted && reply->authentic;
        if (question->ttl_s > reply->ttl_s)
            question->ttl_s = reply->ttl_s;
        follow_alias(question, reply);
        return;
    case RESOLVER_REPLY_TRUNCATED:
        ask_over_tcp(question);
        return;
    case RESOLVER_REPLY_FAILED:
        give_up_upstream(question, reply->cause, 0);
        question_next(question);
        return;
    }
}

/* What does not fit the question, or is no DNS message, changes nothing but a counter: the true
 * answer may still come. */
static bool message_came(int status, struct slice bytes, void *arg)
{
    struct resolver_question *question = arg;
    struct resolver_reply reply;
    if (status == 0) {
        if (!resolver_answer_matches(&question->query, bytes)) {
            question->resolver->stats.hostile++;
            return true;
        }
        status = resolver_answer_decode(&question->query, bytes, &reply);
        if (status == STATUS_MALFORMED) {
            question->resolver->stats.hostile++;
            return true;
        }
    }

    question->exchange = NULL; /* it stops by itself when this returns false */
    timer_stop(question->resolver->timers, &question->timer);
    if (status == 0) {
        reply_came(question, &reply);
        return false;
    }
    give_up_upstream(question, "no answer", status);
    question_next(question);
    return false;
}

/* ---- asking ---- */

static struct resolver_question *question_alloc(struct resolver *resolver,
                                                const struct question_key *key, uint64_t hash)
{
    struct resolver_question *question = calloc(1, sizeof(*question));
    if (!question)
        return NULL;
    question->resolver = resolver;
    question->type = key->type;
    memcpy(question->name, key->name, strlen(key->name) + 1);
    memcpy(question->asked, question->name, sizeof(question->asked));
    question->ttl_s = UINT32_MAX;
    question->validated = true;
    list_init(&question->waits);
    timer_init(&question->timer);
    if (table_put(resolver->questions, &question->hashed, hash) < 0) {
        free(question);
        return NULL;
    }
    return question;
}

static bool answer_from_cache(struct resolver *resolver, const struct question_key *key,
                              struct resolver_wait *wait)
{
    struct resolver_outcome outcome = {.cached = true};
    outcome.set = resolver_cache_get(resolver->cache, key->name, key->type,
                                     resolver_now_ms(resolver), &outcome.ttl_s);
    if (!outcome.set)
        return false;
    resolver->stats.cache_hits++;
    outcome.status = outcome.set->status;
    wait->handler(&outcome, wait->arg);
    return true;
}

void resolver_ask(struct resolver *resolver, const char *name, enum resolver_type type,
                  struct resolver_wait *wait, resolver_outcome_h *handler, void *arg)
{
    struct question_key key = {name, type};
    list_init(&wait->link);
    wait->question = NULL;
    wait->handler = handler;
    wait->arg = arg;
    if (answer_from_cache(resolver, &key, wait))
        return;

    uint64_t hash = question_hash(resolver->questions, &key);
    struct table_link *link = table_find(resolver->questions, hash, question_matches, &key);
    struct resolver_question *question;
    if (link) {
        question = container_of(link, struct resolver_question, hashed);
    } else {
        question = question_alloc(resolver, &key, hash);
        if (!question) {
            struct resolver_outcome failure = {.status = STATUS_SERVFAIL,
                                               .cause = "too many questions under way"};
            handler(&failure, arg);
            return;
        }
    }
    wait->question = question;
    list_append(&question->waits, &wait->link);
    if (!link)
        question_begin(question);
}

void resolver_wait_cancel(struct resolver_wait *wait)
{
    struct resolver_question *question = wait->question;
    list_remove(&wait->link);
    wait->question = NULL;
    if (!question || !list_is_empty(&question->waits))
        return;
    question_detach(question);
    free(question);
}

struct netaddr resolver_wait_upstream(const struct resolver_wait *wait)
{
    struct netaddr none;
    memset(&none, 0, sizeof(none));
    const struct resolver_question *question = wait->question;
    return question ? question->resolver->conf.upstreams[question->upstream].addr : none;
}
