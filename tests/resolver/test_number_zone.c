/* Which ENUM zone holds a number: one name above it after the other, and what DNS says counts only
 * where it is validated or its tree is trusted. */
#include "resolver/number_zone.h"

#include "base/status.h"
#include "tests/resolver/server.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENT_MS 20000 /* no search of a test needs nearly as long, however slow the machine */
#define AUTHENTIC  (DNS_AA | DNS_AD)
#define NONE       (DNS_AA | DNS_AD | DNS_NXDOMAIN)
#define SRV(name)  "_address-porting._tcp." name
#define SOA        "e164.example 60 SOA ns h 1 2 3 4 60"

struct world {
    uv_loop_t loop;
    struct server server;
    struct resolver *resolver;
    struct resolver_conf conf;
    unsigned calls;
    int status;
    char zone[STORE_DOMAIN_MAX + 1], why[RESOLVER_WHY_MAX];
};

static const struct server_rule no_rules[] = {{.name = NULL}};

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world || uv_loop_init(&world->loop) < 0)
        return -1;
    server_start(&world->server, &world->loop, no_rules);
    world->conf = (struct resolver_conf){
        .upstream_count = 1, .attempt_timeout_ms = PATIENT_MS, .lookup_timeout_ms = PATIENT_MS};
    world->conf.upstreams[0].addr = world->server.addr;
    world->conf.upstreams[0].trusted = true;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *world = *state;
    resolver_free(world->resolver);
    server_stop(&world->server);
    while (uv_run(&world->loop, UV_RUN_DEFAULT) != 0) /* a late uv_stop ends it once */
        continue;
    int status = uv_loop_close(&world->loop);
    free(world);
    return status;
}

static void add_tree(struct world *world, const char *name, bool trusted)
{
    size_t i = world->conf.suffix_count++;
    snprintf(world->conf.suffixes[i].name, sizeof(world->conf.suffixes[i].name), "%s", name);
    world->conf.suffixes[i].trusted = trusted;
}

static void on_zone(int status, const char *zone, const char *why, void *arg)
{
    struct world *world = arg;
    world->calls++;
    world->status = status;
    snprintf(world->zone, sizeof(world->zone), "%s", status ? "" : zone);
    snprintf(world->why, sizeof(world->why), "%s", why);
    uv_stop(&world->loop);
}

static int find(struct world *world, const char *digits, const struct server_rule *rules)
{
    world->server.rules = rules;
    world->calls = 0;
    if (!world->resolver)
        assert_int_equal(resolver_alloc(&world->loop, &world->conf, &world->resolver), 0);
    assert_int_equal(resolver_number_zone_find(world->resolver, digits, on_zone, world), 0);
    while (world->calls == 0)
        uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(world->calls, 1);
    return world->status;
}

static void the_closest_zone_that_takes_part_is_found(void **state)
{
    static const struct server_rule rules[] = {
        {SRV("0.3.9.4.e164.example"), "SRV", 0, NONE, {NULL}, {SOA}},
        {SRV("3.9.4.e164.example"), "SRV", 0, AUTHENTIC, {NULL}, {SOA}},
        {SRV("9.4.e164.example"),
         "SRV",
         0,
         AUTHENTIC,
         {SRV("9.4.e164.example") " 60 SRV 0 0 8444 edge.opb.example."},
         {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    add_tree(world, "e164.example", false);
    assert_int_equal(find(world, "4930", rules), 0);
    assert_string_equal(world->zone, "9.4.e164.example");
    unsigned asked = world->server.asked;
    assert_int_equal(find(world, "4930", no_rules), 0); /* from the cache, at once */
    assert_int_equal(world->server.asked, asked);
}

static void the_tree_itself_may_be_the_zone(void **state)
{
    static const struct server_rule rules[] = {
        {SRV("0.3.9.4.e164.example"), "SRV", 0, NONE, {NULL}, {NULL}},
        {SRV("3.9.4.e164.example"), "SRV", 0, NONE, {NULL}, {NULL}},
        {SRV("9.4.e164.example"), "SRV", 0, NONE, {NULL}, {NULL}},
        {SRV("4.e164.example"),
         "SRV",
         0,
         AUTHENTIC,
         {SRV("4.e164.example") " 60 SRV 0 0 0 ."},
         {NULL}},
        {SRV("e164.example"),
         "SRV",
         0,
         AUTHENTIC,
         {SRV("e164.example") " 60 SRV 0 0 8444 edge.opb.example."},
         {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    add_tree(world, "e164.example", false);
    assert_int_equal(find(world, "4930", rules), 0);
    assert_string_equal(world->zone, "e164.example");
}

static void what_is_not_validated_does_not_count(void **state)
{
    static const struct server_rule rules[] = {
        {SRV("0.3.9.4.e164.example"), "SRV", 0, NONE, {NULL}, {NULL}},
        {SRV("3.9.4.e164.example"),
         "SRV",
         0,
         DNS_AA,
         {SRV("3.9.4.e164.example") " 60 SRV 0 0 8444 edge.evil.example."},
         {NULL}},
        {SRV("9.4.e164.example"),
         "SRV",
         0,
         AUTHENTIC,
         {SRV("9.4.e164.example") " 60 SRV 0 0 8444 edge.opb.example."},
         {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    add_tree(world, "e164.example", false);
    assert_int_equal(find(world, "4930", rules), STATUS_UNPROVEN);
    assert_non_null(
        strstr(world->why, "_address-porting._tcp.3.9.4.e164.example is not validated"));
}

/* Somebody may hide the zone that holds it, to have its parent asked. */
static void nor_does_that_there_is_none(void **state)
{
    static const struct server_rule rules[] = {
        {SRV("0.3.9.4.e164.example"), "SRV", 0, DNS_AA | DNS_NXDOMAIN, {NULL}, {NULL}},
        {SRV("3.9.4.e164.example"),
         "SRV",
         0,
         AUTHENTIC,
         {SRV("3.9.4.e164.example") " 60 SRV 0 0 8444 edge.opb.example."},
         {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    add_tree(world, "e164.example", false);
    assert_int_equal(find(world, "4930", rules), STATUS_UNPROVEN);
}

static void in_a_trusted_tree_it_counts(void **state)
{
    static const struct server_rule rules[] = {
        {SRV("0.3.9.4.e164.example"), "SRV", 0, DNS_AA | DNS_NXDOMAIN, {NULL}, {NULL}},
        {SRV("3.9.4.e164.example"),
         "SRV",
         0,
         DNS_AA,
         {SRV("3.9.4.e164.example") " 60 SRV 0 0 8444 edge.opb.example."},
         {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    add_tree(world, "e164.example", true);
    assert_int_equal(find(world, "4930", rules), 0);
    assert_string_equal(world->zone, "3.9.4.e164.example");
}

static void what_cannot_be_found_out_ends_it(void **state)
{
    static const struct server_rule rules[] = {
        {SRV("0.3.9.4.e164.example"), "SRV", 0, AUTHENTIC | DNS_SERVFAIL, {NULL}, {NULL}},
        {SRV("3.9.4.e164.example"),
         "SRV",
         0,
         AUTHENTIC,
         {SRV("3.9.4.e164.example") " 60 SRV 0 0 8444 edge.opb.example."},
         {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    add_tree(world, "e164.example", false);
    assert_int_equal(find(world, "4930", rules), STATUS_SERVFAIL);
}

static void where_none_takes_part_it_says_so(void **state)
{
    static const struct server_rule rules[] = {
        {SRV("1.9.4.e164.example"), "SRV", 0, NONE, {NULL}, {NULL}},
        {SRV("9.4.e164.example"), "SRV", 0, NONE, {NULL}, {NULL}},
        {SRV("4.e164.example"), "SRV", 0, NONE, {NULL}, {NULL}},
        {SRV("e164.example"), "SRV", 0, NONE, {NULL}, {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    add_tree(world, "e164.example", false);
    assert_int_equal(find(world, "491", rules), STATUS_NOHOP);
    assert_non_null(strstr(world->why, "+491 cannot be ported here"));
}

static void without_a_tree_nobody_is_asked(void **state)
{
    struct world *world = *state;
    assert_int_equal(find(world, "4930", no_rules), STATUS_NOHOP);
    assert_int_equal(world->server.asked, 0);
    assert_non_null(strstr(world->why, "no tree of ENUM is configured"));
}

static void zones_of_a_tree_are_known_by_their_labels(void **state)
{
    struct world *world = *state;
    add_tree(world, "e164.example", false);
    assert_true(resolver_is_number_zone(&world->conf, "e164.example"));
    assert_true(resolver_is_number_zone(&world->conf, "9.4.e164.example"));
    assert_false(resolver_is_number_zone(&world->conf, "94.e164.example"));
    assert_false(resolver_is_number_zone(&world->conf, "sip.e164.example"));
    assert_false(resolver_is_number_zone(&world->conf, "9.4.e164.other"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_closest_zone_that_takes_part_is_found),
        TEST(the_tree_itself_may_be_the_zone),
        TEST(what_is_not_validated_does_not_count),
        TEST(nor_does_that_there_is_none),
        TEST(in_a_trusted_tree_it_counts),
        TEST(what_cannot_be_found_out_ends_it),
        TEST(where_none_takes_part_it_says_so),
        TEST(without_a_tree_nobody_is_asked),
        TEST(zones_of_a_tree_are_known_by_their_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
