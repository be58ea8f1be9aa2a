/* One question under way (private to the resolver: question.c asks it, ask.c has people wait for
 * it). */
#ifndef JUNCTOR_RESOLVER_QUESTION_H
#define JUNCTOR_RESOLVER_QUESTION_H

#include "base/table.h"
#include "resolver/internal.h"
#include "resolver/packet.h"
#include "resolver/upstream.h"

/* Owned by the table of questions; ends with question_finish, or when the last waiter leaves one
 * that is asked for the waiters' sake only. */
struct resolver_question {
    struct table_link hashed; /* unless it is unlisted */
    struct list link;         /* in one of the resolver's lists */
    struct resolver *resolver;
    struct list waits;
    char name[RESOLVER_NAME_MAX + 1];
    enum resolver_type type;
    bool trusted_only; /* for those who want no other answer */
    bool for_cache;    /* goes on without waiters */
    bool stale_told;   /* took so long that a stale answer was given, and is to all who come */
    struct timer stale_timer;
    uint64_t cache_age; /* at the start */

    /* What the answers so far add up to. */
    char asked[RESOLVER_NAME_MAX + 1]; /* the name, or the end of its CNAME chain */
    unsigned aliases;
    uint32_t ttl_s;
    bool trusted, validated;
    size_t common; /* octets at the end of all names on the way */

    /* The attempts: upstreams in this order, those that were silent once more. */
    size_t order[RESOLVER_MAX_UPSTREAMS];
    size_t order_count;
    bool gave_up[RESOLVER_MAX_UPSTREAMS]; /* answered that it cannot tell */
    size_t position;                      /* in `order`, of the next attempt */
    unsigned round;
    struct resolver_outcome failure; /* the most telling one */

    /* The attempt under way. */
    size_t upstream;
    bool tcp;
    bool heard;  /* something came that is to this question, but is no answer */
    bool misfit; /* something came that is not */
    struct resolver_query query;
    struct resolver_exchange *exchange;
    struct timer timer;
};

struct question_key {
    const char *name;
    enum resolver_type type;
    bool trusted_only;
};

/* The one under way for a name and type, for all who may use its answer; NULL: there is none. */
struct resolver_question *question_find(const struct resolver *resolver,
                                        const struct question_key *key);
/* In the table, nothing asked yet: question_begin. NULL without memory. */
struct resolver_question *question_alloc(struct resolver *resolver, const struct question_key *key);
/* Begins the attempts for question->asked. It may be over when this returns. */
void question_begin(struct resolver_question *question);
/* It goes on or ends for those who wait for it, and nobody else joins them. */
void question_unlist(struct resolver_question *question);
/* Nobody could answer: tells those who wait, by a stale answer if there is one; frees it. */
void question_fail(struct resolver_question *question);
/* A timer's: the answer takes long, and the old one is better than none in time. It goes on. */
void question_stale_due(void *arg);
/* Nobody waits any more: ends and frees it without a word. */
void question_free(struct resolver_question *question);

/* What those who asked are told of an answer of the cache; its set stays the cache's. */
struct resolver_outcome resolver_outcome_of_cached(const struct resolver_cached *cached);

#endif
