/* What the way to a hop is worth: whether TLSA records of its host may count (RFC 7673). */
#include "resolver/internal.h"

#include "base/status.h"
#include "tests/resolver/server.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENT_MS 20000
#define HURRIED_MS 50
#define STALE_S    86400
#define SOA        "example 60 SOA ns h 1 2 3 4 60"
#define AD         (DNS_RA | DNS_AD)

struct world {
    uv_loop_t loop;
    struct server servers[2];
    struct resolver *resolver;
    bool found;
    struct resolver_plan_host_view host; /* the first one */
    uint32_t left_s;
};

/* Two domains: one by NAPTR and SRV, one by its addresses. What is in `lacking` has no AD bit. */
struct zone {
    struct server_rule rules[8];
};

static void zone_make(struct zone *zone, const char *lacking)
{
    const struct server_rule rules[] = {
        {"o.example",
         "NAPTR",
         0,
         AD,
         {"o.example 99 NAPTR 1 1 s SIPS+D2T - _sips._tcp.o.example"},
         {NULL}},
        {"_sips._tcp.o.example",
         "SRV",
         0,
         AD,
         {"_sips._tcp.o.example 99 SRV 1 1 5062 e.example"},
         {NULL}},
        {"e.example", "A", 0, AD, {"e.example 99 A 127.0.20.2"}, {NULL}},
        {"e.example", "AAAA", 0, AD, {NULL}, {SOA}},
        {"p.example", "NAPTR", 0, AD, {NULL}, {SOA}},
        {"_sips._tcp.p.example", "SRV", 0, AD, {NULL}, {SOA}},
        {"p.example", "A", 0, AD, {"p.example 99 A 127.0.20.3"}, {NULL}},
        {.name = NULL}};
    memcpy(zone->rules, rules, sizeof(rules));
    for (struct server_rule *rule = zone->rules; rule->name; rule++)
        if (lacking && strcmp(rule->type, lacking) == 0)
            rule->flags = DNS_RA;
}

static int world_set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world || uv_loop_init(&world->loop) < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(world->servers); i++)
        server_start(&world->servers[i], &world->loop, NULL);
    return 0;
}

static int world_tear_down(void **state)
{
    struct world *world = *state;
    resolver_free(world->resolver);
    for (size_t i = 0; i < COUNT_OF(world->servers); i++)
        server_stop(&world->servers[i]);
    while (uv_run(&world->loop, UV_RUN_DEFAULT) != 0)
        continue;
    int status = uv_loop_close(&world->loop);
    free(world);
    return status;
}

/* The upstreams are asked in this order. */
static void world_open(struct world *world, const bool trusted[], size_t count)
{
    struct resolver_conf conf = {.upstream_count = count,
                                 .attempt_timeout_ms = count > 1 ? HURRIED_MS : PATIENT_MS,
                                 .lookup_timeout_ms = PATIENT_MS,
                                 .stale_s = STALE_S};
    for (size_t i = 0; i < count; i++) {
        conf.upstreams[i].addr = world->servers[i].addr;
        conf.upstreams[i].trusted = trusted[i];
    }
    resolver_free(world->resolver);
    world->resolver = NULL;
    assert_int_equal(resolver_alloc(&world->loop, &conf, &world->resolver), 0);
}

static void look(struct world *world, struct resolver_plan *plan)
{
    assert_int_equal(resolver_plan_hosts(plan, &world->host, 1), 1);
    world->left_s = resolver_plan_left_s(world->resolver, plan);
}

static void found(int status, struct resolver_plan *plan, const char *why, void *arg)
{
    struct world *world = arg;
    world->found = true;
    if (status != 0)
        fail_msg("%s", why);
    look(world, plan);
    uv_stop(&world->loop);
}

static enum resolver_path path_to(struct world *world, const char *domain)
{
    struct resolver_target target = {.profile = RESOLVER_PEER};
    struct resolver_location *location;
    snprintf(target.host, sizeof(target.host), "%s", domain);
    world->found = false;
    assert_int_equal(resolver_plan_find(world->resolver, &target, found, world, &location), 0);
    while (!world->found)
        uv_run(&world->loop, UV_RUN_ONCE);
    return (enum resolver_path)world->host.path;
}

static void way_is_validated_where_each_step_is(void **state)
{
    static const char *const steps[] = {"NAPTR", "SRV", "A"};
    struct world *world = *state;
    struct zone zone;
    for (size_t i = 0; i <= COUNT_OF(steps); i++) {
        bool all = i == COUNT_OF(steps);
        zone_make(&zone, all ? NULL : steps[i]);
        world->servers[0].rules = zone.rules;
        world_open(world, (const bool[]){true}, 1);
        enum resolver_path wanted = all ? RESOLVER_PATH_VALIDATED : RESOLVER_PATH_UNSIGNED;
        assert_int_equal(path_to(world, "o.example"), wanted);
        assert_int_equal(world->host.port, 5062);
        assert_in_range(world->left_s, 50, 60); /* of the AAAA set that is not there */
        assert_int_equal(path_to(world, "p.example"), wanted); /* also that there is no SRV */
        assert_int_equal(world->host.port, 5061);
    }
}

/* An address that is not used makes nothing worse. */
static void set_without_addresses_does_not_count(void **state)
{
    struct world *world = *state;
    struct zone zone;
    zone_make(&zone, "AAAA");
    world->servers[0].rules = zone.rules;
    world_open(world, (const bool[]){true}, 1);
    assert_int_equal(path_to(world, "o.example"), RESOLVER_PATH_VALIDATED);
}

static void nothing_is_known_from_upstreams_that_are_not_trusted(void **state)
{
    struct world *world = *state;
    struct zone zone;
    zone_make(&zone, NULL);
    world->servers[0].rules = zone.rules;
    world_open(world, (const bool[]){false}, 1);
    assert_int_equal(path_to(world, "o.example"), RESOLVER_PATH_UNKNOWN);
    assert_int_equal(path_to(world, "p.example"), RESOLVER_PATH_UNKNOWN);
}

/* Else whoever forges what the first one says would have CAs decide. */
static void trusted_upstreams_say_the_way_and_others_only_where_they_cannot(void **state)
{
    static const struct server_rule none[] = {{.name = NULL}};
    struct world *world = *state;
    struct zone zone;
    zone_make(&zone, NULL);
    world->servers[0].rules = zone.rules;
    world->servers[1].rules = zone.rules;
    world_open(world, (const bool[]){false, true}, 2);
    assert_int_equal(path_to(world, "o.example"), RESOLVER_PATH_VALIDATED);
    assert_int_equal(world->servers[0].asked, 0);
    world->servers[1].rules = none;
    world_open(world, (const bool[]){false, true}, 2);
    assert_int_equal(path_to(world, "o.example"), RESOLVER_PATH_UNKNOWN);
    assert_true(world->servers[0].asked > 0);
}

static void what_is_past_its_ttl_leads_and_proves_nothing(void **state)
{
    static const struct server_rule none[] = {{.name = NULL}};
    struct world *world = *state;
    struct zone zone;
    zone_make(&zone, NULL);
    world->servers[0].rules = zone.rules;
    world_open(world, (const bool[]){true}, 1);
    assert_int_equal(path_to(world, "o.example"), RESOLVER_PATH_VALIDATED);
    world->servers[0].rules = none;
    assert_int_equal(path_to(world, "o.example"), RESOLVER_PATH_VALIDATED); /* of the cache */
    world->resolver->ahead_ms = 100000;
    assert_int_equal(path_to(world, "o.example"), RESOLVER_PATH_UNKNOWN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(way_is_validated_where_each_step_is),
        TEST(set_without_addresses_does_not_count),
        TEST(nothing_is_known_from_upstreams_that_are_not_trusted),
        TEST(trusted_upstreams_say_the_way_and_others_only_where_they_cannot),
        TEST(what_is_past_its_ttl_leads_and_proves_nothing),
    };
    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
