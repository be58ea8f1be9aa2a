/* Single questions against a server in the same loop: what the cache answers, whom the rest is
 * asked, and what happens when nobody answers. Time is not waited for where the cache can be given
 * an answer that came in the past. */
#include "resolver/internal.h"

#include "base/status.h"
#include "tests/resolver/server.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS    2
#define PATIENT_MS 20000 /* no attempt of a test needs nearly as long, however slow the machine */
#define TTL_S      UINT64_C(10000) /* of what is put into the cache */
#define STALE_S    50000

struct asked {
    struct resolver_wait wait;
    unsigned calls;
    int status;
    bool cached, stale, validated;
    uint32_t ttl_s;
    size_t count;
    struct in_addr first;
    char cause[64];
    struct netaddr upstream;
};

struct world {
    uv_loop_t loop;
    struct server servers[SERVERS];
    struct resolver *resolver;
    bool stopped[SERVERS];
};

#define A_RULE(line)                                                                               \
    {                                                                                              \
        "o.example", "A", 0, DNS_RA | DNS_AD, {line},                                              \
        {                                                                                          \
            NULL                                                                                   \
        }                                                                                          \
    }

static const struct server_rule no_rules[] = {{.name = NULL}};
static const struct server_rule one_rules[] = {A_RULE("o.example 300 A 192.0.2.1"), {.name = NULL}};
static const struct server_rule two_rules[] = {A_RULE("o.example 300 A 192.0.2.2"), {.name = NULL}};
static const struct server_rule sick_rules[] = {
    {"o.example", "A", 0, DNS_RA | DNS_SERVFAIL, {NULL}, {NULL}}, {.name = NULL}};
static const struct server_rule silent_rules[] = {
    {"o.example", "A", SERVER_SILENT, 0, {NULL}, {NULL}},
    {"o.example", "NAPTR", SERVER_SILENT, 0, {NULL}, {NULL}},
    {.name = NULL}};
static const struct server_rule holding_rules[] = {
    {"o.example", "A", SERVER_HOLD, 0, {"o.example 300 A 192.0.2.1"}, {NULL}}, {.name = NULL}};

/* ---- the world ---- */

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world || uv_loop_init(&world->loop) < 0)
        return -1;
    for (size_t i = 0; i < SERVERS; i++)
        server_start(&world->servers[i], &world->loop, no_rules);
    return 0;
}

static void server_die(struct world *world, size_t number)
{
    server_stop(&world->servers[number]);
    world->stopped[number] = true;
}

/* Fails where a handle was left open. */
static int world_teardown(void **state)
{
    struct world *world = *state;
    resolver_free(world->resolver);
    for (size_t i = 0; i < SERVERS; i++)
        if (!world->stopped[i])
            server_stop(&world->servers[i]);
    while (uv_run(&world->loop, UV_RUN_DEFAULT) != 0)
        continue;
    int status = uv_loop_close(&world->loop);
    free(world);
    return status;
}

static struct resolver_conf world_conf(const struct world *world, size_t upstreams,
                                       unsigned attempt_ms)
{
    struct resolver_conf conf = {.upstream_count = upstreams,
                                 .attempt_timeout_ms = attempt_ms,
                                 .lookup_timeout_ms = PATIENT_MS,
                                 .ttl_min_s = 1,
                                 .stale_s = STALE_S,
                                 .stale_wait_ms = 50};
    for (size_t i = 0; i < upstreams; i++) {
        conf.upstreams[i].addr = world->servers[i].addr;
        conf.upstreams[i].trusted = true;
    }
    return conf;
}

/* The clock starts so late that things can have happened before. */
static void world_open_as(struct world *world, const struct resolver_conf *conf)
{
    assert_int_equal(resolver_alloc(&world->loop, conf, &world->resolver), 0);
    world->resolver->ahead_ms = 1000000000;
}

static void world_open(struct world *world, size_t upstreams, unsigned attempt_ms)
{
    struct resolver_conf conf = world_conf(world, upstreams, attempt_ms);
    world_open_as(world, &conf);
}

static struct resolver_stats stats_of(const struct world *world)
{
    struct resolver_stats stats;
    resolver_stats_get(world->resolver, &stats);
    return stats;
}

static void answered(const struct resolver_outcome *outcome, void *arg)
{
    struct asked *asked = arg;
    asked->calls++;
    asked->status = outcome->status;
    asked->cached = outcome->cached;
    asked->stale = outcome->stale;
    asked->validated = outcome->validated;
    asked->ttl_s = outcome->ttl_s;
    asked->count = outcome->set ? outcome->set->count : 0;
    if (asked->count > 0)
        asked->first = outcome->set->records[0].a;
    snprintf(asked->cause, sizeof(asked->cause), "%s", outcome->cause ? outcome->cause : "");
    asked->upstream = outcome->upstream;
}

static void start(struct world *world, struct asked *asked)
{
    memset(asked, 0, sizeof(*asked));
    resolver_ask(world->resolver, "o.example", RESOLVER_A, &asked->wait, answered, asked);
}

static void start_trusted(struct world *world, struct asked *asked)
{
    memset(asked, 0, sizeof(*asked));
    resolver_ask_trusted(world->resolver, "o.example", RESOLVER_A, &asked->wait, answered, asked);
}

static void wait_for(struct world *world, const struct asked *asked)
{
    while (asked->calls == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(asked->calls, 1);
}

static void wait_for_idle(struct world *world)
{
    while (stats_of(world).inflight > 0)
        uv_run(&world->loop, UV_RUN_ONCE);
}

/* Answers that come from memory come before resolver_ask returns. */
static struct asked ask(struct world *world)
{
    struct asked asked;
    start(world, &asked);
    wait_for(world, &asked);
    return asked;
}

static struct asked ask_trusted(struct world *world)
{
    struct asked asked;
    start_trusted(world, &asked);
    wait_for(world, &asked);
    return asked;
}

static void assert_first(const struct asked *asked, const char *ip)
{
    struct netaddr addr;
    assert_int_equal(netaddr_from_ip(&addr, slice_of(ip), 0), 0);
    assert_int_equal(asked->status, 0);
    assert_int_equal(asked->first.s_addr, addr.in4.sin_addr.s_addr);
}

/* Puts the answer 192.0.2.9 into the cache as if it had come `ago_s` ago. */
static void remember(struct world *world, enum resolver_type type, uint64_t ago_s)
{
    struct resolver_set *set = resolver_set_alloc(type, 1, 0);
    struct netaddr addr;
    assert_non_null(set);
    assert_int_equal(netaddr_from_ip(&addr, SLICE("192.0.2.9"), 0), 0);
    set->ttl_s = (uint32_t)TTL_S;
    set->trusted = set->validated = true;
    if (type == RESOLVER_A)
        set->records[set->count++].a = addr.in4.sin_addr;
    struct resolver_cache *cache = world->resolver->cache;
    resolver_cache_put(cache, "o.example", set, resolver_cache_age(cache),
                       resolver_now_ms(world->resolver) - ago_s * 1000);
    resolver_set_unref(set);
}

/* ---- stale answers ---- */

static void stale_answer_is_better_than_none(void **state)
{
    const struct {
        const struct server_rule *rules;
        unsigned attempt_ms;
    } cases[] = {{silent_rules, PATIENT_MS}, {silent_rules, 20}, {sick_rules, PATIENT_MS}};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        world->servers[0].rules = cases[i].rules;
        world_open(world, 1, cases[i].attempt_ms);
        remember(world, RESOLVER_A, 2 * TTL_S);
        struct asked asked = ask(world);
        assert_first(&asked, "192.0.2.9");
        assert_true(asked.stale && asked.cached);
        assert_false(asked.validated); /* it was, and proves nothing any more */
        assert_int_equal(asked.ttl_s, RESOLVER_STALE_TTL_S);
        assert_int_equal(stats_of(world).stale_hits, 1);
        resolver_free(world->resolver);
        world->resolver = NULL;
    }
}

static void fresh_answer_is_waited_for_a_moment(void **state)
{
    struct world *world = *state;
    struct resolver_conf conf = world_conf(world, 1, PATIENT_MS);
    conf.stale_wait_ms = PATIENT_MS;
    world->servers[0].rules = one_rules;
    world_open_as(world, &conf);
    remember(world, RESOLVER_A, 2 * TTL_S);
    struct asked asked = ask(world);
    assert_first(&asked, "192.0.2.1");
    assert_false(asked.stale);
    assert_true(asked.validated);
}

static void after_a_failure_stale_answers_come_at_once_and_ask_nobody(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = sick_rules;
    world_open(world, 1, PATIENT_MS);
    remember(world, RESOLVER_A, 2 * TTL_S);
    assert_true(ask(world).stale);
    assert_int_equal(world->servers[0].asked, 1);
    for (int i = 0; i < 100; i++) {
        struct asked asked;
        start(world, &asked);
        assert_int_equal(asked.calls, 1);
        assert_true(asked.stale);
    }
    assert_int_equal(world->servers[0].asked, 1);
    assert_int_equal(stats_of(world).stale_hits, 101);
}

static void late_answer_takes_the_place_of_the_stale_one(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = holding_rules;
    world_open(world, 1, PATIENT_MS);
    remember(world, RESOLVER_A, 2 * TTL_S);
    assert_true(ask(world).stale);
    struct asked asked;
    start(world, &asked); /* the question is still under way, and took too long already */
    assert_int_equal(asked.calls, 1);
    assert_true(asked.stale);
    assert_int_equal(world->servers[0].asked, 1);
    server_release(&world->servers[0]);
    wait_for_idle(world);
    asked = ask(world);
    assert_first(&asked, "192.0.2.1");
    assert_true(asked.cached && !asked.stale);
}

static void stale_answer_older_than_allowed_is_none(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = sick_rules;
    world_open(world, 1, PATIENT_MS);
    remember(world, RESOLVER_A, TTL_S + STALE_S);
    assert_int_equal(ask(world).status, STATUS_SERVFAIL);
}

static void what_proves_is_never_stale(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = silent_rules;
    world_open(world, 1, 20);
    remember(world, RESOLVER_A, 2 * TTL_S);
    assert_int_equal(ask_trusted(world).status, -ETIMEDOUT);
    remember(world, RESOLVER_NAPTR, 2 * TTL_S);
    struct asked asked = {.calls = 0};
    resolver_ask(world->resolver, "o.example", RESOLVER_NAPTR, &asked.wait, answered, &asked);
    wait_for(world, &asked);
    assert_int_equal(asked.status, -ETIMEDOUT);
}

static void stale_question_may_be_left(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = silent_rules;
    world_open(world, 1, PATIENT_MS);
    remember(world, RESOLVER_A, 2 * TTL_S);
    struct asked asked;
    start(world, &asked);
    assert_int_equal(asked.calls, 0);
    resolver_wait_cancel(&asked.wait);
    assert_int_equal(stats_of(world).inflight, 0);
    assert_true(ask(world).stale);
    assert_int_equal(asked.calls, 0);
}

/* ---- renewals ---- */

static void popular_answer_is_renewed_before_it_ends(void **state)
{
    struct world *world = *state;
    struct asked asked;
    world->servers[0].rules = one_rules;
    world_open(world, 1, PATIENT_MS);
    remember(world, RESOLVER_A, TTL_S - 500);
    for (int i = 0; i < 20; i++) {
        start(world, &asked);
        assert_int_equal(asked.calls, 1); /* nobody waits for the renewal */
        assert_first(&asked, "192.0.2.9");
    }
    assert_int_equal(stats_of(world).renewals, 1);
    wait_for_idle(world);
    assert_int_equal(world->servers[0].asked, 1);
    asked = ask(world);
    assert_first(&asked, "192.0.2.1");
    assert_true(asked.cached);
    assert_int_equal(stats_of(world).renewals, 1);
}

static void renewal_that_fails_is_not_tried_again_at_once(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = sick_rules;
    world_open(world, 1, PATIENT_MS);
    remember(world, RESOLVER_A, TTL_S - 500);
    for (int i = 0; i < 20; i++) {
        struct asked asked = ask(world);
        assert_first(&asked, "192.0.2.9");
        assert_false(asked.stale);
        wait_for_idle(world);
    }
    assert_int_equal(world->servers[0].asked, 1);
}

static void freeing_ends_a_renewal(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = silent_rules;
    world_open(world, 1, PATIENT_MS);
    remember(world, RESOLVER_A, TTL_S - 500);
    for (int i = 0; i < 20; i++)
        ask(world);
    assert_int_equal(stats_of(world).inflight, 1);
}

static void freeing_tells_those_who_wait(void **state)
{
    struct world *world = *state;
    struct asked asked;
    world->servers[0].rules = silent_rules;
    world_open(world, 1, PATIENT_MS);
    start(world, &asked);
    resolver_free(world->resolver);
    assert_int_equal(asked.calls, 1);
    assert_int_equal(asked.status, STATUS_CANCELLED);
    start(world, &asked); /* the memory is there until the loop has run */
    assert_int_equal(asked.status, STATUS_CANCELLED);
    world->resolver = NULL;
}

/* ---- TTL 0 ---- */

static void ttl_zero_serves_those_who_wait_and_no_one_else(void **state)
{
    static const struct server_rule rules[] = {A_RULE("o.example 0 A 192.0.2.1"), {.name = NULL}};
    struct world *world = *state;
    struct resolver_conf conf = world_conf(world, 1, PATIENT_MS);
    conf.ttl_min_s = 0;
    world->servers[0].rules = rules;
    world_open_as(world, &conf);
    struct asked together[10];
    for (size_t i = 0; i < COUNT_OF(together); i++)
        start(world, &together[i]);
    for (size_t i = 0; i < COUNT_OF(together); i++)
        wait_for(world, &together[i]);
    assert_int_equal(world->servers[0].asked, 1);
    assert_int_equal(together[9].ttl_s, 0);
    assert_int_equal(ask(world).status, 0);
    assert_int_equal(world->servers[0].asked, 2);
}

/* ---- trust ---- */

static void world_open_half_trusted(struct world *world)
{
    struct resolver_conf conf = world_conf(world, 2, 50);
    conf.upstreams[0].trusted = false;
    world_open_as(world, &conf);
}

static void proofs_are_asked_of_trusted_upstreams_only(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = one_rules;
    world->servers[1].rules = two_rules;
    world_open_half_trusted(world);
    struct asked asked = ask(world);
    assert_first(&asked, "192.0.2.1");
    assert_false(asked.validated);
    asked = ask_trusted(world); /* what the other one said does not count */
    assert_first(&asked, "192.0.2.2");
    assert_true(asked.validated);
    asked = ask(world); /* but the better answer serves all */
    assert_first(&asked, "192.0.2.2");
    assert_true(ask_trusted(world).cached);
    assert_int_equal(world->servers[0].asked, 1);
    assert_int_equal(world->servers[1].asked, 1);
}

static void proof_that_trusted_upstreams_cannot_give_is_not_sought_elsewhere(void **state)
{
    const struct server_rule *const rules[] = {sick_rules, silent_rules};
    struct world *world = *state;
    world->servers[0].rules = one_rules;
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        world->servers[1].rules = rules[i];
        world->servers[1].asked = 0;
        world_open_half_trusted(world);
        struct asked asked = ask_trusted(world);
        assert_int_equal(asked.status, i == 0 ? STATUS_SERVFAIL : -ETIMEDOUT);
        assert_true(netaddr_eq(&asked.upstream, &world->servers[1].addr));
        assert_int_equal(world->servers[1].asked, i == 0 ? 1 : RESOLVER_ROUNDS);
        assert_int_equal(world->servers[0].asked, 0);
        resolver_free(world->resolver);
        world->resolver = NULL;
    }
}

static void proof_is_not_used_beyond_the_ttl_that_it_came_with(void **state)
{
    static const struct server_rule rules[] = {A_RULE("o.example 2 A 192.0.2.1"), {.name = NULL}};
    struct world *world = *state;
    struct resolver_conf conf = world_conf(world, 1, PATIENT_MS);
    conf.ttl_min_s = 3600;
    world->servers[0].rules = rules;
    world_open_as(world, &conf);
    struct asked asked = ask_trusted(world);
    assert_true(asked.validated);
    assert_int_equal(asked.ttl_s, 2);
    asked = ask_trusted(world);
    assert_true(asked.cached);
    assert_in_range(asked.ttl_s, 1, 2);
    world->resolver->ahead_ms += 2000;
    asked = ask(world);
    assert_true(asked.cached);
    assert_false(asked.validated);
    assert_in_range(asked.ttl_s, 3590, 3598);
    asked = ask_trusted(world);
    assert_false(asked.cached);
    assert_true(asked.validated);
}

/* Each call to a foreign domain needs such an answer, or does without. */
static void nobody_waits_for_trusted_upstreams_that_are_down(void **state)
{
    struct world *world = *state;
    struct resolver_conf conf = world_conf(world, 2, 20);
    conf.upstreams[0].trusted = false;
    world->servers[0].rules = one_rules;
    world->servers[1].rules = silent_rules;
    world_open_as(world, &conf);
    for (unsigned i = 0; i < RESOLVER_SILENT_MAX; i += RESOLVER_ROUNDS)
        assert_int_equal(ask_trusted(world).status, -ETIMEDOUT);

    unsigned before = world->servers[1].asked;
    struct asked asked;
    for (unsigned i = 0; i < 3; i++) {
        start_trusted(world, &asked);
        assert_int_equal(asked.calls, 1); /* at once */
        assert_int_equal(asked.status, -ETIMEDOUT);
        assert_string_equal(asked.cause, "not asked, for no trusted upstream answered lately");
    }
    assert_int_equal(world->servers[1].asked, before);
    assert_int_equal(ask(world).status, 0); /* who needs no proof is answered */

    world->resolver->ahead_ms += RESOLVER_DOWN_MS; /* one tries it */
    world->servers[1].rules = two_rules;
    struct asked probe;
    start_trusted(world, &probe);
    start_trusted(world, &asked);
    assert_int_equal(asked.calls, 1);
    wait_for(world, &probe);
    assert_first(&probe, "192.0.2.2");
    assert_true(ask_trusted(world).cached);
    assert_int_equal(world->servers[1].asked, before + 1);
}

static void without_a_trusted_upstream_proofs_cannot_be_had(void **state)
{
    struct world *world = *state;
    struct resolver_conf conf = world_conf(world, 1, PATIENT_MS);
    conf.upstreams[0].trusted = false;
    world->servers[0].rules = one_rules;
    world_open_as(world, &conf);
    struct asked asked = ask_trusted(world);
    assert_int_equal(asked.status, STATUS_SERVFAIL);
    assert_string_equal(asked.cause, "no upstream is trusted");
    assert_int_equal(world->servers[0].asked, 0);
}

static void failure_of_one_upstream_does_not_unmake_the_proof_of_the_next(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = sick_rules;
    world->servers[1].rules = two_rules;
    world_open(world, 2, PATIENT_MS);
    struct asked asked = ask_trusted(world);
    assert_first(&asked, "192.0.2.2");
    assert_true(asked.validated);
}

/* ---- health ---- */

static void upstream_that_is_down_is_tried_by_one_question_now_and_then(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = silent_rules;
    world->servers[1].rules = one_rules;
    world_open(world, 2, 20);
    for (unsigned i = 0; i < RESOLVER_SILENT_MAX; i++) {
        assert_int_equal(ask(world).status, 0);
        resolver_purge(world->resolver, "o.example");
    }
    assert_int_equal(world->servers[0].asked, RESOLVER_SILENT_MAX);
    assert_int_equal(stats_of(world).upstreams_down, 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(ask(world).status, 0);
        resolver_purge(world->resolver, "o.example");
    }
    assert_int_equal(world->servers[0].asked, RESOLVER_SILENT_MAX);

    world->resolver->ahead_ms += RESOLVER_DOWN_MS;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(ask(world).status, 0);
        resolver_purge(world->resolver, "o.example");
    }
    assert_int_equal(world->servers[0].asked, RESOLVER_SILENT_MAX + 1);

    world->servers[0].rules = two_rules;
    world->resolver->ahead_ms += RESOLVER_DOWN_MS;
    struct asked asked = ask(world);
    assert_first(&asked, "192.0.2.2");
    assert_int_equal(stats_of(world).upstreams_down, 0);
}

static void upstream_that_refuses_packets_counts_as_down(void **state)
{
    struct world *world = *state;
    world->servers[1].rules = one_rules;
    world_open(world, 2, PATIENT_MS);
    server_die(world, 0);
    for (unsigned i = 0; i < RESOLVER_SILENT_MAX; i++) {
        assert_int_equal(ask(world).status, 0);
        resolver_purge(world->resolver, "o.example");
    }
    assert_int_equal(stats_of(world).upstreams_down, 1);
    assert_int_equal(stats_of(world).timeouts, 0);
    uint64_t questions = stats_of(world).questions;
    assert_int_equal(ask(world).status, 0);
    assert_int_equal(stats_of(world).questions, questions + 1);
}

/* What the owner of a domain publishes must not cost others their upstream. */
static void upstream_that_says_nothing_usable_does_not_count_as_down(void **state)
{
    static const struct {
        struct server_rule rules[2];
        int status;
        const char *cause;
        uint64_t timeouts;
    } cases[] = {
        {{A_RULE("o.example 300 CNAME a/b.evil.example"), {.name = NULL}},
         STATUS_SERVFAIL,
         "a CNAME to what is no host name",
         0},
        {{{"o.example", "A", SERVER_HEADER, DNS_REFUSED, {NULL}, {NULL}}, {.name = NULL}},
         STATUS_SERVFAIL,
         "REFUSED",
         0},
        {{{"o.example",
           "A",
           SERVER_SILENT | SERVER_WRONG_OWNER,
           0,
           {"o.example 300 A 192.0.2.1"},
           {NULL}},
          {.name = NULL}},
         -ETIMEDOUT,
         "no answer but malformed ones",
         (uint64_t)RESOLVER_SILENT_MAX * RESOLVER_ROUNDS},
    };
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        world->servers[0].rules = cases[i].rules;
        world_open(world, 1, 20);
        for (unsigned n = 0; n < RESOLVER_SILENT_MAX; n++) {
            struct asked asked = ask(world);
            assert_int_equal(asked.status, cases[i].status);
            assert_string_equal(asked.cause, cases[i].cause);
        }
        assert_int_equal(stats_of(world).timeouts, cases[i].timeouts);
        assert_int_equal(stats_of(world).upstreams_down, 0);
        resolver_free(world->resolver);
        world->resolver = NULL;
    }
}

/* Nor is what does not fit at all an answer, but whoever reads the failure should know of it. */
static void answers_that_do_not_fit_are_told_from_silence(void **state)
{
    static const struct server_rule rules[] = {{"o.example",
                                                "A",
                                                SERVER_SILENT | SERVER_WRONG_QUESTION,
                                                0,
                                                {"o.example 300 A 192.0.2.1"},
                                                {NULL}},
                                               {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = rules;
    world_open(world, 1, 20);
    struct asked asked = ask(world);
    assert_int_equal(asked.status, -ETIMEDOUT);
    assert_string_equal(asked.cause, "no answer that fits the question");
}

static void upstream_that_does_not_keep_the_case_of_letters_is_asked_over_tcp(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example", "A", SERVER_LOWER, 0, {"o.example 300 A 192.0.2.1"}, {NULL}}, {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = rules;
    world_open(world, 1, PATIENT_MS);
    for (int i = 0; i < 20; i++) { /* by chance all letters of a question are small */
        struct asked asked = ask(world);
        assert_int_equal(asked.status, 0);
        assert_first(&asked, "192.0.2.1");
        resolver_purge(world->resolver, "o.example");
    }
    unsigned over_tcp = world->servers[0].asked_tcp;
    assert_true(over_tcp > 0);
    assert_int_equal(stats_of(world).hostile, over_tcp);
    assert_int_equal(stats_of(world).timeouts, 0);
}

/* ---- answers in several messages ---- */

#define ALIAS_RULE(flags, from, line)                                                              \
    {                                                                                              \
        from, "A", 0, flags, {line},                                                               \
        {                                                                                          \
            NULL                                                                                   \
        }                                                                                          \
    }

static void each_message_on_the_way_must_be_validated(void **state)
{
    static const struct {
        unsigned first, second;
        bool validated;
    } cases[] = {{DNS_RA | DNS_AD, DNS_RA | DNS_AD, true},
                 {DNS_RA, DNS_RA | DNS_AD, false},
                 {DNS_RA | DNS_AD, DNS_RA, false}};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct server_rule rules[] = {
            ALIAS_RULE(cases[i].first, "o.example", "o.example 300 CNAME p.example"),
            ALIAS_RULE(cases[i].second, "p.example", "p.example 300 A 192.0.2.1"),
            {.name = NULL}};
        world->servers[0].rules = rules;
        world_open(world, 1, PATIENT_MS);
        struct asked asked = ask_trusted(world);
        assert_first(&asked, "192.0.2.1");
        assert_int_equal(asked.validated, cases[i].validated);
        resolver_free(world->resolver);
        world->resolver = NULL;
    }
}

static void each_message_on_the_way_must_be_of_a_trusted_upstream(void **state)
{
    static const struct server_rule untrusted[] = {
        ALIAS_RULE(DNS_RA | DNS_AD, "o.example", "o.example 300 CNAME p.example"), {.name = NULL}};
    static const struct server_rule trusted[] = {
        A_RULE("o.example 300 A 192.0.2.2"),
        ALIAS_RULE(DNS_RA | DNS_AD, "p.example", "p.example 300 A 192.0.2.1"),
        {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = untrusted;
    world->servers[1].rules = trusted;
    world_open_half_trusted(world);
    struct asked asked = ask(world);
    assert_first(&asked, "192.0.2.1");
    assert_false(asked.validated);
    asked = ask_trusted(world);
    assert_false(asked.cached);
    assert_first(&asked, "192.0.2.2");
}

static void smallest_ttl_of_all_messages_counts(void **state)
{
    static const struct {
        const char *first, *second;
    } cases[] = {{"o.example 5 CNAME p.example", "p.example 300 A 192.0.2.1"},
                 {"o.example 300 CNAME p.example", "p.example 5 A 192.0.2.1"}};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct server_rule rules[] = {ALIAS_RULE(DNS_RA, "o.example", cases[i].first),
                                            ALIAS_RULE(DNS_RA, "p.example", cases[i].second),
                                            {.name = NULL}};
        world->servers[0].rules = rules;
        world_open(world, 1, PATIENT_MS);
        assert_int_equal(ask(world).ttl_s, 5);
        resolver_free(world->resolver);
        world->resolver = NULL;
    }
}

static void aliases_are_bounded_over_all_messages(void **state)
{
    static const struct server_rule rules[] = {
        ALIAS_RULE(DNS_RA, "o.example", "o.example 300 CNAME p.example"),
        ALIAS_RULE(DNS_RA, "p.example", "p.example 300 CNAME o.example"),
        {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = rules;
    world_open(world, 1, PATIENT_MS);
    struct asked asked = ask(world);
    assert_int_equal(asked.status, STATUS_SERVFAIL);
    assert_string_equal(asked.cause, "a chain of too many CNAME records");
    assert_int_equal(world->servers[0].asked, 9); /* eight were followed */
}

static void answer_truncated_over_tcp_is_a_failure(void **state)
{
    static const struct server_rule rules[] = {
        ALIAS_RULE(DNS_RA | DNS_TC, "o.example", "o.example 300 A 192.0.2.1"), {.name = NULL}};
    struct world *world = *state;
    world->servers[0].rules = rules;
    world_open(world, 1, PATIENT_MS);
    struct asked asked = ask(world);
    assert_int_equal(asked.status, STATUS_SERVFAIL);
    assert_string_equal(asked.cause, "truncated, and not to be had over TCP");
    assert_int_equal(world->servers[0].asked_tcp, 1);
}

/* ---- too many ---- */

struct crowd {
    char names[RESOLVER_MAX_INFLIGHT][16];
    struct server_rule rules[RESOLVER_MAX_INFLIGHT + 2];
    struct asked asked[RESOLVER_MAX_INFLIGHT];
};

/* Questions that nobody answers, as many as there may be. */
static struct crowd *crowd_make(void)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    assert_non_null(crowd);
    for (size_t i = 0; i < COUNT_OF(crowd->names); i++) {
        snprintf(crowd->names[i], sizeof(crowd->names[i]), "n%zu.example", i);
        crowd->rules[i] =
            (struct server_rule){.name = crowd->names[i], .type = "A", .act = SERVER_SILENT};
    }
    crowd->rules[COUNT_OF(crowd->names)] = one_rules[0];
    return crowd;
}

static void crowd_ask(struct world *world, struct crowd *crowd)
{
    for (size_t i = 0; i < COUNT_OF(crowd->names); i++) {
        unsigned asked = world->servers[0].asked;
        resolver_ask(world->resolver, crowd->names[i], RESOLVER_A, &crowd->asked[i].wait, answered,
                     &crowd->asked[i]);
        while (world->servers[0].asked == asked) /* no socket takes in all of them */
            uv_run(&world->loop, UV_RUN_ONCE);
    }
    assert_int_equal(stats_of(world).inflight, RESOLVER_MAX_INFLIGHT);
}

static void oldest_question_makes_room_for_one_more(void **state)
{
    struct world *world = *state;
    struct crowd *crowd = crowd_make();
    world->servers[0].rules = crowd->rules;
    world_open(world, 1, PATIENT_MS);
    crowd_ask(world, crowd);
    struct asked asked = ask(world);
    assert_first(&asked, "192.0.2.1");
    wait_for(world, &crowd->asked[0]);
    assert_int_equal(crowd->asked[0].status, STATUS_SERVFAIL);
    assert_string_equal(crowd->asked[0].cause, "too many questions under way");
    assert_int_equal(crowd->asked[1].calls, 0);
    assert_int_equal(stats_of(world).inflight, RESOLVER_MAX_INFLIGHT - 1);
    resolver_free(world->resolver);
    world->resolver = NULL;
    for (size_t i = 0; i < COUNT_OF(crowd->asked); i++)
        assert_int_equal(crowd->asked[i].calls, 1);
    free(crowd);
}

static void question_that_makes_room_gets_the_stale_answer(void **state)
{
    struct world *world = *state;
    struct crowd *crowd = crowd_make();
    struct asked asked;
    crowd->rules[COUNT_OF(crowd->names)] = silent_rules[0];
    world->servers[0].rules = crowd->rules;
    world_open(world, 1, PATIENT_MS);
    world->resolver->conf.stale_wait_ms = PATIENT_MS;
    remember(world, RESOLVER_A, TTL_S + 1);
    start(world, &asked);
    crowd_ask(world, crowd);
    wait_for(world, &asked);
    assert_true(asked.stale);
    assert_first(&asked, "192.0.2.9");
    resolver_free(world->resolver);
    world->resolver = NULL;
    free(crowd);
}

static void question_that_makes_room_may_be_left(void **state)
{
    struct world *world = *state;
    struct crowd *crowd = crowd_make();
    struct asked asked;
    world->servers[0].rules = crowd->rules;
    world_open(world, 1, PATIENT_MS);
    crowd_ask(world, crowd);
    start(world, &asked);
    resolver_wait_cancel(&crowd->asked[0].wait);
    wait_for(world, &asked);
    assert_int_equal(crowd->asked[0].calls, 0);
    resolver_free(world->resolver);
    world->resolver = NULL;
    free(crowd);
}

/* ---- purge ---- */

static void purged_name_is_asked_anew(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = one_rules;
    world_open(world, 1, PATIENT_MS);
    ask(world);
    assert_true(ask(world).cached);
    resolver_purge(world->resolver, "other.example");
    assert_true(ask(world).cached);
    resolver_purge(world->resolver, "example");
    assert_false(ask(world).cached);
    assert_int_equal(world->servers[0].asked, 2);
}

static void answer_under_way_at_a_purge_is_not_kept(void **state)
{
    struct world *world = *state;
    world->servers[0].rules = holding_rules;
    world_open(world, 1, PATIENT_MS);
    struct asked asked;
    start(world, &asked);
    while (!world->servers[0].held)
        uv_run(&world->loop, UV_RUN_ONCE);
    resolver_purge(world->resolver, "o.example");
    server_release(&world->servers[0]);
    wait_for(world, &asked);
    assert_int_equal(asked.status, 0);
    world->servers[0].rules = two_rules;
    asked = ask(world);
    assert_first(&asked, "192.0.2.2");
}

static void question_asked_before_a_purge_is_not_joined(void **state)
{
    struct world *world = *state;
    struct asked before, after;
    world->servers[0].rules = holding_rules;
    world_open(world, 1, PATIENT_MS);
    start(world, &before);
    while (!world->servers[0].held)
        uv_run(&world->loop, UV_RUN_ONCE);
    resolver_purge(world->resolver, "example");
    world->servers[0].rules = two_rules;
    start(world, &after);
    wait_for(world, &after);
    assert_first(&after, "192.0.2.2");
    assert_int_equal(before.calls, 0);
    server_release(&world->servers[0]);
    wait_for(world, &before);
    assert_first(&before, "192.0.2.1");
    after = ask(world);
    assert_true(after.cached);
    assert_first(&after, "192.0.2.2");
}

static void question_asked_before_a_purge_may_be_left(void **state)
{
    struct world *world = *state;
    struct asked before, after;
    world->servers[0].rules = holding_rules;
    world_open(world, 1, PATIENT_MS);
    start(world, &before);
    resolver_purge(world->resolver, "o.example");
    start(world, &after);
    resolver_wait_cancel(&before.wait);
    resolver_free(world->resolver);
    world->resolver = NULL;
    assert_int_equal(before.calls, 0);
    assert_int_equal(after.status, STATUS_CANCELLED);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(stale_answer_is_better_than_none),
        WORLD_TEST(fresh_answer_is_waited_for_a_moment),
        WORLD_TEST(after_a_failure_stale_answers_come_at_once_and_ask_nobody),
        WORLD_TEST(late_answer_takes_the_place_of_the_stale_one),
        WORLD_TEST(stale_answer_older_than_allowed_is_none),
        WORLD_TEST(what_proves_is_never_stale),
        WORLD_TEST(stale_question_may_be_left),
        WORLD_TEST(popular_answer_is_renewed_before_it_ends),
        WORLD_TEST(renewal_that_fails_is_not_tried_again_at_once),
        WORLD_TEST(freeing_ends_a_renewal),
        WORLD_TEST(freeing_tells_those_who_wait),
        WORLD_TEST(ttl_zero_serves_those_who_wait_and_no_one_else),
        WORLD_TEST(proofs_are_asked_of_trusted_upstreams_only),
        WORLD_TEST(proof_that_trusted_upstreams_cannot_give_is_not_sought_elsewhere),
        WORLD_TEST(proof_is_not_used_beyond_the_ttl_that_it_came_with),
        WORLD_TEST(nobody_waits_for_trusted_upstreams_that_are_down),
        WORLD_TEST(without_a_trusted_upstream_proofs_cannot_be_had),
        WORLD_TEST(failure_of_one_upstream_does_not_unmake_the_proof_of_the_next),
        WORLD_TEST(upstream_that_is_down_is_tried_by_one_question_now_and_then),
        WORLD_TEST(upstream_that_refuses_packets_counts_as_down),
        WORLD_TEST(upstream_that_says_nothing_usable_does_not_count_as_down),
        WORLD_TEST(answers_that_do_not_fit_are_told_from_silence),
        WORLD_TEST(upstream_that_does_not_keep_the_case_of_letters_is_asked_over_tcp),
        WORLD_TEST(each_message_on_the_way_must_be_validated),
        WORLD_TEST(each_message_on_the_way_must_be_of_a_trusted_upstream),
        WORLD_TEST(smallest_ttl_of_all_messages_counts),
        WORLD_TEST(aliases_are_bounded_over_all_messages),
        WORLD_TEST(answer_truncated_over_tcp_is_a_failure),
        WORLD_TEST(oldest_question_makes_room_for_one_more),
        WORLD_TEST(question_that_makes_room_gets_the_stale_answer),
        WORLD_TEST(question_that_makes_room_may_be_left),
        WORLD_TEST(purged_name_is_asked_anew),
        WORLD_TEST(answer_under_way_at_a_purge_is_not_kept),
        WORLD_TEST(question_asked_before_a_purge_is_not_joined),
        WORLD_TEST(question_asked_before_a_purge_may_be_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
