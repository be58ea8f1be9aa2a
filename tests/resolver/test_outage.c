/* An upstream dies in the middle of 500 lookups a second. Nothing here looks at how long anything
 * takes: a slow machine makes fewer lookups. */
#include "resolver/internal.h"

#include "tests/resolver/server.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#define SERVERS    2
#define DOMAINS    25
#define LOOKUPS    1500
#define DEATH_AT   500
#define PACE_MS    2
#define RECORDS    4     /* of a domain */
#define HASTE_MS   20    /* for each lookup */
#define PATIENT_MS 20000 /* no lookup needs nearly as long, however slow the machine */

enum death { CLOSED, SILENT, SICK };

struct world {
    uv_loop_t loop;
    struct server servers[SERVERS];
    bool stopped;
    struct resolver *resolver;
    uv_timer_t pace;
    void (*lookup)(struct world *world, unsigned number);
    enum death death;
    unsigned started, done, failed;
    char why[400]; /* of the first failure */
    struct server_rule rules[LOOKUPS + 1];
    char texts[LOOKUPS][3][128]; /* that the rules point to */
    struct resolver_wait waits[LOOKUPS];
};

/* ---- the world ---- */

static const struct server_rule no_rules[] = {{.name = NULL}};
static const struct server_rule sick_rules[] = {
    {"d0.example", "A", 0, DNS_SERVFAIL, {NULL}, {NULL}}, {.name = NULL}};

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world || uv_loop_init(&world->loop) < 0)
        return -1;
    for (size_t i = 0; i < SERVERS; i++)
        server_start(&world->servers[i], &world->loop, no_rules);
    uv_timer_init(&world->loop, &world->pace);
    world->pace.data = world;
    return 0;
}

/* Fails where a handle was left open. */
static int world_teardown(void **state)
{
    struct world *world = *state;
    resolver_free(world->resolver);
    for (size_t i = world->stopped; i < SERVERS; i++)
        server_stop(&world->servers[i]);
    uv_close((uv_handle_t *)&world->pace, NULL);
    while (uv_run(&world->loop, UV_RUN_DEFAULT) != 0)
        continue;
    int status = uv_loop_close(&world->loop);
    free(world);
    return status;
}

static void rule_add(struct world *world, size_t number, const char *name, const char *type,
                     const char *record)
{
    char *texts[3] = {world->texts[number][0], world->texts[number][1], world->texts[number][2]};
    snprintf(texts[0], sizeof(world->texts[0][0]), "%s", name);
    snprintf(texts[1], sizeof(world->texts[0][0]), "%s", type);
    snprintf(texts[2], sizeof(world->texts[0][0]), "%s %s", name, record);
    world->rules[number] = (struct server_rule){texts[0], texts[1], 0, 0, {texts[2]}, {NULL}};
}

/* The NAPTR records live for `naptr_s`; the others end within the test again and again. Every other
 * domain has IPv4 only. */
static void domains_make(struct world *world, unsigned naptr_s)
{
    for (unsigned i = 0; i < DOMAINS; i++) {
        char name[64], record[128];
        size_t at = (size_t)i * RECORDS;
        snprintf(name, sizeof(name), "d%u.example", i);
        snprintf(record, sizeof(record), "%u NAPTR 1 1 s SIPS+D2T - _sips._tcp.%s", naptr_s, name);
        rule_add(world, at, name, "NAPTR", record);
        snprintf(name, sizeof(name), "_sips._tcp.d%u.example", i);
        snprintf(record, sizeof(record), "1 SRV 1 1 5061 edge.d%u.example", i);
        rule_add(world, at + 1, name, "SRV", record);
        snprintf(name, sizeof(name), "edge.d%u.example", i);
        rule_add(world, at + 2, name, "A", "1 A 192.0.2.1");
        rule_add(world, at + 3, name, "AAAA", "1 AAAA 2001:db8::1");
        if (i % 2 == 0)
            world->rules[at + 3] = (struct server_rule){
                world->texts[at + 3][0], "AAAA", 0, 0, {NULL}, {"example 1 SOA ns h 1 2 3 4 1"}};
    }
}

static void names_make(struct world *world)
{
    for (unsigned i = 0; i < LOOKUPS; i++) {
        char name[64];
        snprintf(name, sizeof(name), "n%u.example", i);
        rule_add(world, i, name, "A", "300 A 192.0.2.1");
    }
}

static void world_open(struct world *world, size_t upstreams)
{
    struct resolver_conf conf = {.upstream_count = upstreams,
                                 .attempt_timeout_ms = 200,
                                 .lookup_timeout_ms = PATIENT_MS,
                                 .ttl_min_s = 1,
                                 .stale_s = 86400,
                                 .stale_wait_ms = 100};
    for (size_t i = 0; i < upstreams; i++) {
        conf.upstreams[i].addr = world->servers[i].addr;
        conf.upstreams[i].trusted = true;
        world->servers[i].rules = world->rules;
    }
    assert_int_equal(resolver_alloc(&world->loop, &conf, &world->resolver), 0);
}

/* ---- the lookups ---- */

static void ended(struct world *world, int status, const char *why)
{
    if (status != 0 && world->failed++ == 0)
        snprintf(world->why, sizeof(world->why), "%d, %s", status, why);
    world->done++;
}

static void located(int status, const struct resolver_hop *hops, size_t count, const char *why,
                    void *arg)
{
    (void)hops, (void)count;
    ended(arg, status, why);
}

static void lookup_domain(struct world *world, unsigned number)
{
    struct resolver_target target = {.profile = RESOLVER_PEER};
    struct resolver_location *location;
    snprintf(target.host, sizeof(target.host), "d%u.example", number % DOMAINS);
    assert_int_equal(resolver_locate(world->resolver, &target, located, NULL, world, &location), 0);
}

static void found(int status, struct resolver_plan *plan, const char *why, void *arg)
{
    (void)plan;
    ended(arg, status, why);
}

/* As a call does. Of the outage many seconds pass, so that everything ends that was kept. */
static void lookup_plan(struct world *world, unsigned number)
{
    if (number >= DEATH_AT)
        world->resolver->ahead_ms += HASTE_MS;
    struct resolver_target target = {.profile = RESOLVER_PEER};
    struct resolver_location *location;
    snprintf(target.host, sizeof(target.host), "d%u.example", number % DOMAINS);
    if (resolver_plan_get(world->resolver, &target))
        ended(world, 0, "");
    else
        assert_int_equal(resolver_plan_find(world->resolver, &target, found, world, &location), 0);
}

static void answered(const struct resolver_outcome *outcome, void *arg)
{
    ended(arg, outcome->status, outcome->cause ? outcome->cause : "");
}

static void lookup_name(struct world *world, unsigned number)
{
    resolver_ask(world->resolver, world->rules[number].name, RESOLVER_A, &world->waits[number],
                 answered, world);
}

static void first_server_dies(struct world *world)
{
    struct server *server = &world->servers[0];
    switch (world->death) {
    case CLOSED:
        server_stop(server);
        world->stopped = true;
        return;
    case SILENT:
        uv_udp_recv_stop(&server->udp);
        return;
    case SICK:
        server->rules = sick_rules;
        return;
    }
}

static void pace_due(uv_timer_t *pace)
{
    struct world *world = pace->data;
    if (world->started == DEATH_AT)
        first_server_dies(world);
    world->lookup(world, world->started++);
    if (world->started == LOOKUPS)
        uv_timer_stop(pace);
}

static void run(struct world *world, void (*lookup)(struct world *world, unsigned number))
{
    world->lookup = lookup;
    uv_timer_start(&world->pace, pace_due, 0, PACE_MS);
    while (world->done < LOOKUPS)
        uv_run(&world->loop, UV_RUN_ONCE);
    if (world->failed > 0)
        fail_msg("%u of %u failed, the first with %s", world->failed, world->done, world->why);
}

/* ---- the tests ---- */

static void no_call_fails_that_had_an_answer(struct world *world, enum death death)
{
    struct resolver_stats stats;
    world->death = death;
    domains_make(world, 3600); /* they outlive the test: nothing but a plan does without */
    world_open(world, 1);
    run(world, lookup_domain);
    resolver_stats_get(world->resolver, &stats);
    assert_true(stats.failures > 0);
}

static void no_call_fails_that_had_a_plan(struct world *world, enum death death)
{
    struct resolver_stats stats;
    world->death = death;
    domains_make(world, 2);
    world_open(world, 1);
    run(world, lookup_plan);
    resolver_stats_get(world->resolver, &stats);
    assert_true(stats.failures > 0);
}

static void closed_upstream_fails_no_call_that_had_a_plan(void **state)
{
    no_call_fails_that_had_a_plan(*state, CLOSED);
}

static void silent_upstream_fails_no_call_that_had_a_plan(void **state)
{
    no_call_fails_that_had_a_plan(*state, SILENT);
}

static void sick_upstream_fails_no_call_that_had_a_plan(void **state)
{
    no_call_fails_that_had_a_plan(*state, SICK);
}

static void closed_upstream_fails_no_call_that_had_an_answer(void **state)
{
    no_call_fails_that_had_an_answer(*state, CLOSED);
}

static void silent_upstream_fails_no_call_that_had_an_answer(void **state)
{
    no_call_fails_that_had_an_answer(*state, SILENT);
}

static void sick_upstream_fails_no_call_that_had_an_answer(void **state)
{
    no_call_fails_that_had_an_answer(*state, SICK);
}

/* Names that nobody asked before: the second upstream has to do. */
static void the_next_upstream_takes_over(struct world *world, enum death death)
{
    world->death = death;
    names_make(world);
    world_open(world, 2);
    run(world, lookup_name);
    assert_int_equal(world->resolver->stats.failures, 0);
    assert_true(world->servers[1].asked >= LOOKUPS - DEATH_AT);
}

static void next_upstream_takes_over_from_a_closed_one(void **state)
{
    the_next_upstream_takes_over(*state, CLOSED);
}

static void next_upstream_takes_over_from_a_silent_one(void **state)
{
    the_next_upstream_takes_over(*state, SILENT);
}

static void next_upstream_takes_over_from_a_sick_one(void **state)
{
    the_next_upstream_takes_over(*state, SICK);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(closed_upstream_fails_no_call_that_had_an_answer),
        WORLD_TEST(silent_upstream_fails_no_call_that_had_an_answer),
        WORLD_TEST(sick_upstream_fails_no_call_that_had_an_answer),
        WORLD_TEST(closed_upstream_fails_no_call_that_had_a_plan),
        WORLD_TEST(silent_upstream_fails_no_call_that_had_a_plan),
        WORLD_TEST(sick_upstream_fails_no_call_that_had_a_plan),
        WORLD_TEST(next_upstream_takes_over_from_a_closed_one),
        WORLD_TEST(next_upstream_takes_over_from_a_silent_one),
        WORLD_TEST(next_upstream_takes_over_from_a_sick_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
