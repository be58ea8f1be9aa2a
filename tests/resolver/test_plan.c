/* Plans: how long they are kept, and how requests search through them. */
#include "resolver/internal.h"

#include "base/status.h"
#include "resolver/plan.h"
#include "tests/resolver/server.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define PATIENT_MS 20000 /* no lookup of a test needs nearly as long, however slow the machine */
#define STALE_S    86400 /* of the world in which stale answers are used */
#define SEED       0x6a756e63746f72U

struct world {
    uv_loop_t loop;
    struct server server;
    struct resolver *resolver;
    unsigned found;
    int status;
    char hops[1024]; /* of the plan that was found: "host=addr host=addr" */
};

static const struct server_rule no_rules[] = {{.name = NULL}};

#define SOA "example 60 SOA ns h 1 2 3 4 60"

static const struct server_rule opb_rules[] = {
    {"opb.example",
     "NAPTR",
     0,
     0,
     {"opb.example 300 NAPTR 10 10 s SIPS+D2T - _sips._tcp.o.example"},
     {NULL}},
    {"_sips._tcp.o.example",
     "SRV",
     0,
     0,
     {"_sips._tcp.o.example 200 SRV 20 0 5062 spare.o.example",
      "_sips._tcp.o.example 200 SRV 10 60 5061 edge.p.example"},
     {NULL}},
    {"edge.p.example", "A", 0, 0, {"edge.p.example 100 A 127.0.20.2"}, {NULL}},
    {"edge.p.example", "AAAA", 0, 0, {"edge.p.example 50 AAAA 2001:db8::2"}, {NULL}},
    {"spare.o.example", "A", 0, 0, {"spare.o.example 100 A 127.0.20.3"}, {NULL}},
    {"spare.o.example", "AAAA", 0, 0, {NULL}, {SOA}},
    {.name = NULL}};

#define OPB_HOPS                                                                                   \
    "edge.p.example=[2001:db8::2]:5061 edge.p.example=127.0.20.2:5061 "                            \
    "spare.o.example=127.0.20.3:5062"

/* ---- the world ---- */

static int world_open(void **state, unsigned stale_s)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world || uv_loop_init(&world->loop) < 0)
        return -1;
    server_start(&world->server, &world->loop, no_rules);
    struct resolver_conf conf = {.upstream_count = 1,
                                 .attempt_timeout_ms = PATIENT_MS,
                                 .lookup_timeout_ms = PATIENT_MS,
                                 .stale_s = stale_s};
    conf.upstreams[0].addr = world->server.addr;
    if (resolver_alloc(&world->loop, &conf, &world->resolver) < 0)
        return -1;
    world->resolver->lottery = SEED;
    return 0;
}

static int world_setup(void **state)
{
    return world_open(state, 0);
}

static int stale_world_setup(void **state)
{
    return world_open(state, STALE_S);
}

static int world_teardown(void **state)
{
    struct world *world = *state;
    resolver_free(world->resolver);
    server_stop(&world->server);
    while (uv_run(&world->loop, UV_RUN_DEFAULT) != 0)
        continue;
    int status = uv_loop_close(&world->loop);
    free(world);
    return status;
}

static struct resolver_target peer_of(const char *host)
{
    struct resolver_target target = {.profile = RESOLVER_PEER};
    snprintf(target.host, sizeof(target.host), "%s", host);
    return target;
}

static void hops_print(struct world *world, struct resolver_plan *plan)
{
    struct resolver_search search;
    struct resolver_hop hop;
    char addr[NETADDR_TEXT_MAX];
    size_t len = 0;
    world->hops[0] = '\0';
    resolver_search_begin(&search, world->resolver, plan, "");
    while (resolver_search_next(&search, &hop))
        len += (size_t)snprintf(world->hops + len, sizeof(world->hops) - len, "%s%s=%s",
                                len ? " " : "", hop.host, netaddr_format(&hop.addr, addr));
    resolver_search_done(&search);
}

static void found(int status, struct resolver_plan *plan, const char *why, void *arg)
{
    struct world *world = arg;
    (void)why;
    world->found++;
    world->status = status;
    if (plan)
        hops_print(world, plan);
    uv_stop(&world->loop);
}

static void find_start(struct world *world, const char *host)
{
    struct resolver_location *location;
    struct resolver_target target = peer_of(host);
    assert_int_equal(resolver_plan_find(world->resolver, &target, found, world, &location), 0);
}

static void find(struct world *world, const char *host)
{
    unsigned before = world->found;
    find_start(world, host);
    assert_int_equal(world->found, before); /* never from inside */
    while (world->found == before)
        uv_run(&world->loop, UV_RUN_ONCE);
}

static struct resolver_plan *plan_at_hand(struct world *world, const char *host)
{
    struct resolver_target target = peer_of(host);
    return resolver_plan_get(world->resolver, &target);
}

/* ---- from DNS ---- */

static void plan_once_found_is_at_hand(void **state)
{
    struct world *world = *state;
    world->server.rules = opb_rules;
    assert_null(plan_at_hand(world, "opb.example"));
    find(world, "OPB.example");
    assert_int_equal(world->status, 0);
    assert_string_equal(world->hops, OPB_HOPS);
    unsigned asked = world->server.asked;
    struct resolver_plan *plan = plan_at_hand(world, "opb.example");
    assert_non_null(plan);
    hops_print(world, plan);
    assert_string_equal(world->hops, OPB_HOPS);
    assert_int_equal(world->server.asked, asked);
    struct resolver_stats stats;
    resolver_stats_get(world->resolver, &stats);
    assert_int_equal(stats.plan_hits, 1);
    assert_int_equal(stats.plans, 1);
}

static void plan_of_one_target_is_no_others(void **state)
{
    struct world *world = *state;
    world->server.rules = opb_rules;
    find(world, "opb.example");
    struct resolver_target target = peer_of("opb.example");
    target.port = 5061;
    assert_null(resolver_plan_get(world->resolver, &target));
    target.port = 0;
    target.profile = RESOLVER_CORE;
    assert_null(resolver_plan_get(world->resolver, &target));
    snprintf(target.host, sizeof(target.host), "127.0.20.2");
    target.transport = RESOLVER_UDP;
    assert_int_equal(resolver_plan_get(world->resolver, &target)->hosts[0].transport, RESOLVER_UDP);
    target.transport = RESOLVER_TCP;
    assert_int_equal(resolver_plan_get(world->resolver, &target)->hosts[0].transport, RESOLVER_TCP);
}

/* RFC 2782: a host of weight 0 is drawn where the lot is 0, so it must be the first of its rank. */
static void hosts_of_weight_0_come_first_in_their_rank(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example", "NAPTR", 0, 0, {NULL}, {SOA}},
        {"_sips._tcp.o.example",
         "SRV",
         0,
         0,
         {"_sips._tcp.o.example 200 SRV 10 60000 5061 h.example",
          "_sips._tcp.o.example 200 SRV 10 60000 5062 h.example",
          "_sips._tcp.o.example 200 SRV 10 0 5063 h.example",
          "_sips._tcp.o.example 200 SRV 20 60000 5064 h.example",
          "_sips._tcp.o.example 200 SRV 20 0 5065 h.example"},
         {NULL}},
        {"h.example", "A", 0, 0, {"h.example 100 A 127.0.20.3"}, {NULL}},
        {"h.example", "AAAA", 0, 0, {NULL}, {SOA}},
        {.name = NULL}};
    static const uint16_t weights[] = {0, 60000, 60000, 0, 60000};
    struct world *world = *state;
    world->server.rules = rules;
    for (unsigned lookup = 0; lookup < 20; lookup++) { /* each draws anew who is added first */
        find(world, "o.example");
        struct resolver_plan *plan = plan_at_hand(world, "o.example");
        assert_int_equal(plan->host_count, COUNT_OF(weights));
        for (size_t i = 0; i < COUNT_OF(weights); i++)
            assert_int_equal(plan->hosts[i].weight, weights[i]);
        assert_int_equal(plan->hosts[0].rank_end, 3);
        resolver_purge(world->resolver, "o.example");
    }
}

static void plan_at_hand_needs_no_memory(void **state)
{
    struct world *world = *state;
    world->server.rules = opb_rules;
    find(world, "opb.example");
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 1000; i++) {
        struct resolver_search search;
        struct resolver_hop hop;
        resolver_search_begin(&search, world->resolver, plan_at_hand(world, "opb.example"), "");
        assert_true(resolver_search_next(&search, &hop));
        resolver_search_done(&search);
    }
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(after.uordblks, before.uordblks);
    assert_int_equal(after.fordblks, before.fordblks);
}

static void plan_lives_as_long_as_its_shortest_part(void **state)
{
    struct world *world = *state;
    world->server.rules = opb_rules;
    find(world, "opb.example");
    struct resolver_plan *plan = plan_at_hand(world, "opb.example");
    uint64_t now_ms =
        resolver_now_ms(world->resolver); /* of the loop turn that found it, or later */
    assert_in_range(plan->expires_ms, now_ms + 1, now_ms + 50000);
    world->resolver->ahead_ms = plan->expires_ms - now_ms - 1;
    assert_non_null(plan_at_hand(world, "opb.example"));
    world->resolver->ahead_ms++;
    assert_null(plan_at_hand(world, "opb.example"));
    assert_int_equal(resolver_plans_count(world->resolver->plans), 0);
}

static void absence_is_a_part_with_an_end_too(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example", "NAPTR", 0, 0, {NULL}, {"example 7 SOA ns h 1 2 3 4 9"}},
        {"_sips._tcp.o.example", "SRV", 0, DNS_AA | DNS_NXDOMAIN, {NULL}, {SOA}},
        {"o.example", "A", 0, 0, {"o.example 100 A 127.0.20.2"}, {NULL}},
        {"o.example", "AAAA", 0, 0, {NULL}, {SOA}},
        {.name = NULL}};
    struct world *world = *state;
    world->server.rules = rules;
    find(world, "o.example");
    assert_string_equal(world->hops, "o.example=127.0.20.2:5061");
    uint64_t now_ms = resolver_now_ms(world->resolver);
    assert_in_range(plan_at_hand(world, "o.example")->expires_ms, now_ms + 1, now_ms + 7000);
}

static void plan_of_failing_parts_is_soon_made_anew(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example", "NAPTR", 0, 0, {NULL}, {SOA}},
        {"_sips._tcp.o.example",
         "SRV",
         0,
         0,
         {"_sips._tcp.o.example 90 SRV 1 1 5061 e.example",
          "_sips._tcp.o.example 90 SRV 2 1 5061 sick.example"},
         {NULL}},
        {"e.example", "A", 0, 0, {"e.example 100 A 127.0.20.2"}, {NULL}},
        {"e.example", "AAAA", 0, 0, {NULL}, {SOA}},
        {"sick.example", "A", 0, DNS_RA | DNS_SERVFAIL, {NULL}, {NULL}},
        {"sick.example", "AAAA", 0, DNS_RA | DNS_SERVFAIL, {NULL}, {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    world->server.rules = rules;
    find(world, "o.example");
    assert_string_equal(world->hops, "e.example=127.0.20.2:5061");
    uint64_t now_ms = resolver_now_ms(world->resolver);
    assert_in_range(plan_at_hand(world, "o.example")->expires_ms, now_ms + 1,
                    now_ms + (uint64_t)RESOLVER_PLAN_PARTIAL_S * 1000);
}

static void failure_is_no_plan(void **state)
{
    struct world *world = *state;
    find(world, "opb.example"); /* refused */
    assert_int_equal(world->status, STATUS_SERVFAIL);
    assert_null(plan_at_hand(world, "opb.example"));
    world->server.rules = opb_rules;
    find(world, "opb.example");
    assert_int_equal(world->status, 0);
}

static void ip_address_is_a_plan_at_once(void **state)
{
    static const struct {
        struct resolver_target target;
        const char *hops;
    } cases[] = {
        {{RESOLVER_PEER, "192.0.2.7", 0, 0}, "192.0.2.7=192.0.2.7:5061"},
        {{RESOLVER_CORE, "192.0.2.7", 0, RESOLVER_UDP}, "192.0.2.7=192.0.2.7:5060"},
        {{RESOLVER_CORE, "192.0.2.7", 0, RESOLVER_TLS}, "192.0.2.7=192.0.2.7:5061"},
        {{RESOLVER_CORE, "2001:db8::7", 5070, RESOLVER_ANY}, "2001:db8::7=[2001:db8::7]:5070"},
    };
    struct world *world = *state;
    for (int again = 0; again <= 1; again++) {
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            struct resolver_plan *plan = resolver_plan_get(world->resolver, &cases[i].target);
            assert_non_null(plan);
            hops_print(world, plan);
            assert_string_equal(world->hops, cases[i].hops);
        }
        assert_int_equal(resolver_plans_count(world->resolver->plans), COUNT_OF(cases));
    }
    assert_int_equal(world->server.asked, 0);
}

static void purge_drops_plans_in_which_the_name_is(void **state)
{
    static const struct {
        const char *name;
        bool drops;
    } cases[] = {{"opb.example", true},       {"_sips._tcp.o.example", true},
                 {"edge.p.example", true},    {"o.example", true},
                 {"example", true},           {"pb.example", false},
                 {"x.edge.p.example", false}, {"q.example", false}};
    struct world *world = *state;
    world->server.rules = opb_rules;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        find(world, "opb.example");
        resolver_purge(world->resolver, cases[i].name);
        assert_int_equal(plan_at_hand(world, "opb.example") == NULL, cases[i].drops);
    }
}

/* Whose address comes back is asked for by its name. */
static void purge_of_a_host_without_address_drops_the_plan(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example", "NAPTR", 0, 0, {NULL}, {SOA}},
        {"_sips._tcp.o.example",
         "SRV",
         0,
         0,
         {"_sips._tcp.o.example 90 SRV 1 1 5061 e.example",
          "_sips._tcp.o.example 90 SRV 2 1 5061 gone.example"},
         {NULL}},
        {"e.example", "A", 0, 0, {"e.example 100 A 127.0.20.2"}, {NULL}},
        {"e.example", "AAAA", 0, 0, {NULL}, {SOA}},
        {"gone.example", "A", 0, 0, {NULL}, {SOA}},
        {"gone.example", "AAAA", 0, 0, {NULL}, {SOA}},
        {.name = NULL}};
    struct world *world = *state;
    world->server.rules = rules;
    find(world, "o.example");
    assert_non_null(plan_at_hand(world, "o.example"));
    resolver_purge(world->resolver, "gone.example");
    assert_null(plan_at_hand(world, "o.example"));
}

static void plan_begun_before_a_purge_is_not_kept(void **state)
{
    struct world *world = *state;
    world->server.rules = opb_rules;
    find_start(world, "opb.example");
    resolver_purge(world->resolver, "opb.example");
    while (world->found == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_string_equal(world->hops, OPB_HOPS);
    assert_null(plan_at_hand(world, "opb.example"));
}

/* ---- about to end, and ended ---- */

static void use(struct world *world, const char *host, int times)
{
    while (times-- > 0)
        assert_non_null(plan_at_hand(world, host));
}

/* Runs the loop until nothing is being asked or made. UV_RUN_ONCE would wait for a socket after a
 * timer's work. */
static void settle(struct world *world)
{
    while (!list_is_empty(&world->resolver->locations) ||
           table_count(world->resolver->questions) > 0)
        uv_run(&world->loop, UV_RUN_NOWAIT);
}

static void plan_in_use_is_renewed_before_it_ends(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example", "NAPTR", 0, 0, {"o.example 100 NAPTR 1 1 s SIPS+D2T - _s.o.example"}, {NULL}},
        {"_s.o.example", "SRV", 0, 0, {"_s.o.example 100 SRV 1 1 5061 e.example"}, {NULL}},
        {"e.example", "A", 0, 0, {"e.example 100 A 127.0.20.2"}, {NULL}},
        {"e.example", "AAAA", 0, 0, {"e.example 100 AAAA 2001:db8::2"}, {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    world->server.rules = rules;
    find(world, "o.example");
    assert_int_equal(world->server.asked, 4);
    use(world, "o.example", RESOLVER_POPULAR + 1);
    world->resolver->ahead_ms = 95000;
    use(world, "o.example", 1);
    settle(world);
    assert_int_equal(world->server.asked, 8);
    /* Its successor was made of the old answers still; now it gets its own. */
    use(world, "o.example", RESOLVER_POPULAR + 1);
    world->resolver->ahead_ms = 99700;
    use(world, "o.example", 1);
    settle(world);
    world->resolver->ahead_ms = 150000;
    use(world, "o.example", 1);
    assert_int_equal(world->server.asked, 8);
}

static void plan_hardly_used_is_not_renewed(void **state)
{
    struct world *world = *state;
    world->server.rules = opb_rules;
    find(world, "opb.example");
    use(world, "opb.example", RESOLVER_POPULAR - 1);
    world->resolver->ahead_ms = 48000;
    assert_false(plan_at_hand(world, "opb.example")->renewing);
    assert_true(plan_at_hand(world, "opb.example")->renewing); /* one use more */
}

static const struct server_rule silent_rules[] = {
    {"opb.example", "NAPTR", SERVER_SILENT, 0, {NULL}, {NULL}}, {.name = NULL}};

static void stale_plan_does_where_nobody_answers(void **state)
{
    struct world *world = *state;
    world->resolver->conf.stale_s = 3600;
    world->resolver->conf.stale_wait_ms = 20;
    world->server.rules = opb_rules;
    find(world, "opb.example");
    world->server.rules = silent_rules;
    world->resolver->ahead_ms = 400000; /* beyond every TTL */
    assert_null(plan_at_hand(world, "opb.example"));
    find(world, "opb.example");
    assert_int_equal(world->status, 0);
    assert_string_equal(world->hops, OPB_HOPS);
    use(world, "opb.example", 1); /* and the next call does not wait */
    assert_int_equal(world->resolver->stats.stale_hits, 2);
    world->resolver->ahead_ms += (uint64_t)RESOLVER_STALE_TTL_S * 1000;
    assert_null(plan_at_hand(world, "opb.example"));
    world->server.rules = no_rules; /* "refused" is no answer, either */
    find(world, "opb.example");
    assert_int_equal(world->status, 0);
    world->resolver->ahead_ms += 3600000;
    find(world, "opb.example");
    assert_int_equal(world->status, STATUS_SERVFAIL);
}

/* Nobody answers, each in its way. */
static const struct server_rule mute_rules[] = {
    {"o.example", "NAPTR", SERVER_SILENT, 0, {NULL}, {NULL}},
    {"_sips._tcp.o.example", "SRV", SERVER_SILENT, 0, {NULL}, {NULL}},
    {"e.example", "A", SERVER_SILENT, 0, {NULL}, {NULL}},
    {"e.example", "AAAA", SERVER_SILENT, 0, {NULL}, {NULL}},
    {"f.example", "A", SERVER_SILENT, 0, {NULL}, {NULL}},
    {"f.example", "AAAA", SERVER_SILENT, 0, {NULL}, {NULL}},
    {.name = NULL}};
static const struct server_rule *const dead_rules[] = {mute_rules, no_rules};

static void find_at(struct world *world, const char *host, uint64_t at_s, const char *hops)
{
    world->resolver->ahead_ms = at_s * 1000;
    find(world, host);
    assert_int_equal(world->status, hops ? 0 : STATUS_SERVFAIL);
    if (hops)
        assert_string_equal(world->hops, hops);
}

/* That there is no AAAA is never stale, so the plans that are made after it ended lack something.
 */
static void domain_with_ipv4_only_outlives_each_of_its_ttls(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example",
         "NAPTR",
         0,
         0,
         {"o.example 3600 NAPTR 1 1 s SIPS+D2T - _sips._tcp.o.example"},
         {NULL}},
        {"_sips._tcp.o.example",
         "SRV",
         0,
         0,
         {"_sips._tcp.o.example 1800 SRV 1 1 5061 e.example"},
         {NULL}},
        {"e.example", "A", 0, 0, {"e.example 300 A 192.0.2.1"}, {NULL}},
        {"e.example", "AAAA", 0, 0, {NULL}, {SOA}},
        {.name = NULL}};
    const char *hops = "e.example=192.0.2.1:5061";
    struct world *world = *state;
    world->resolver->conf.stale_wait_ms = 20;
    for (size_t i = 0; i < COUNT_OF(dead_rules); i++) {
        world->server.rules = rules;
        find_at(world, "o.example", 0, hops);
        world->server.rules = dead_rules[i];
        find_at(world, "o.example", 310, hops);
        find_at(world, "o.example", 2000, hops);
        find_at(world, "o.example", 3700, hops);
        find_at(world, "o.example", STALE_S, hops);
        world->server.rules = no_rules;
        find_at(world, "o.example", STALE_S + 300, NULL);
        world->resolver->ahead_ms = 0;
        resolver_purge(world->resolver, "example");
    }
}

static void plan_of_stale_answers_ends_with_them(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example",
         "NAPTR",
         0,
         0,
         {"o.example 86400 NAPTR 1 1 s SIPS+D2T - _sips._tcp.o.example"},
         {NULL}},
        {"_sips._tcp.o.example",
         "SRV",
         0,
         0,
         {"_sips._tcp.o.example 86400 SRV 1 1 5061 e.example"},
         {NULL}},
        {"e.example", "A", 0, 0, {"e.example 10 A 192.0.2.1"}, {NULL}},
        {"e.example", "AAAA", 0, 0, {"e.example 10 AAAA 2001:db8::1"}, {NULL}},
        {.name = NULL}};
    const char *hops = "e.example=[2001:db8::1]:5061 e.example=192.0.2.1:5061";
    struct world *world = *state;
    world->server.rules = rules;
    find_at(world, "o.example", 0, hops);
    world->server.rules = no_rules;
    find_at(world, "o.example", 20, hops);
    find_at(world, "o.example", STALE_S - 1, hops);
    find_at(world, "o.example", STALE_S + 9, hops);
    find_at(world, "o.example", STALE_S + 11, NULL);
}

static void plan_that_never_was_whole_is_used_stale_too(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example", "NAPTR", 0, 0, {NULL}, {SOA}},
        {"_sips._tcp.o.example",
         "SRV",
         0,
         0,
         {"_sips._tcp.o.example 90 SRV 1 1 5061 e.example",
          "_sips._tcp.o.example 90 SRV 2 1 5061 sick.example"},
         {NULL}},
        {"e.example", "A", 0, 0, {"e.example 100 A 127.0.20.2"}, {NULL}},
        {"e.example", "AAAA", 0, 0, {NULL}, {SOA}},
        {"sick.example", "A", 0, DNS_RA | DNS_SERVFAIL, {NULL}, {NULL}},
        {"sick.example", "AAAA", 0, DNS_RA | DNS_SERVFAIL, {NULL}, {NULL}},
        {.name = NULL}};
    struct world *world = *state;
    world->server.rules = rules;
    find_at(world, "o.example", 0, "e.example=127.0.20.2:5061");
    find_at(world, "o.example", 50, "e.example=127.0.20.2:5061");
    world->server.rules = no_rules;
    find_at(world, "o.example", 200, "e.example=127.0.20.2:5061");
}

/* The first host's address is at hand, so the lookup does not wait for the second one's. */
static void stale_address_is_used_by_a_lookup_in_haste(void **state)
{
    static const struct server_rule rules[] = {
        {"o.example",
         "NAPTR",
         0,
         0,
         {"o.example 3600 NAPTR 1 1 s SIPS+D2T - _sips._tcp.o.example"},
         {NULL}},
        {"_sips._tcp.o.example",
         "SRV",
         0,
         0,
         {"_sips._tcp.o.example 3600 SRV 1 1 5061 e.example",
          "_sips._tcp.o.example 3600 SRV 2 1 5061 f.example"},
         {NULL}},
        {"e.example", "A", 0, 0, {"e.example 3600 A 127.0.20.2"}, {NULL}},
        {"e.example", "AAAA", 0, 0, {NULL}, {SOA}},
        {"f.example", "A", 0, 0, {"f.example 100 A 127.0.20.3"}, {NULL}},
        {"f.example", "AAAA", 0, 0, {NULL}, {SOA}},
        {.name = NULL}};
    const char *hops = "e.example=127.0.20.2:5061 f.example=127.0.20.3:5061";
    struct world *world = *state;
    world->resolver->conf.stale_wait_ms = PATIENT_MS;
    world->server.rules = rules;
    find_at(world, "o.example", 0, hops);
    world->server.rules = mute_rules;
    find_at(world, "o.example", 200, hops);
}

static void lookup_out_of_time_goes_on_with_the_cache(void **state)
{
    static const struct server_rule mute[] = {
        {"_sips._tcp.o.example", "SRV", SERVER_SILENT, 0, {NULL}, {NULL}}, {.name = NULL}};
    struct world *world = *state;
    world->resolver->conf.stale_wait_ms = PATIENT_MS;
    world->server.rules = opb_rules;
    find_at(world, "opb.example", 0, OPB_HOPS);
    world->resolver->conf.lookup_timeout_ms = 20;
    struct resolver_target target = peer_of("opb.example");
    resolver_plan_forget(world->resolver, &target);
    world->server.rules = mute;
    find_at(world, "opb.example", 250, OPB_HOPS); /* NAPTR is fresh, SRV and addresses are not */
}

static void stale_plan_is_not_used_unless_configured(void **state)
{
    struct world *world = *state;
    world->server.rules = opb_rules;
    find(world, "opb.example");
    world->server.rules = no_rules;
    world->resolver->ahead_ms = 400000;
    find(world, "opb.example");
    assert_int_equal(world->status, STATUS_SERVFAIL);
}

static void stale_plan_ends_with_a_no(void **state)
{
    static const struct server_rule gone[] = {
        {"opb.example", "NAPTR", 0, DNS_AA | DNS_NXDOMAIN, {NULL}, {SOA}}, {.name = NULL}};
    struct world *world = *state;
    world->resolver->conf.stale_s = 3600;
    world->server.rules = opb_rules;
    find(world, "opb.example");
    world->server.rules = gone;
    world->resolver->ahead_ms = 400000;
    find(world, "opb.example");
    assert_int_equal(world->status, STATUS_NXDOMAIN);
    world->server.rules = no_rules;
    world->resolver->ahead_ms += 100000; /* that "no" has ended, too */
    find(world, "opb.example");
    assert_int_equal(world->status, STATUS_SERVFAIL);
}

static void purged_plan_is_not_used_stale(void **state)
{
    struct world *world = *state;
    world->resolver->conf.stale_s = 3600;
    world->server.rules = opb_rules;
    find(world, "opb.example");
    resolver_purge(world->resolver, "o.example");
    world->server.rules = no_rules;
    find(world, "opb.example");
    assert_int_equal(world->status, STATUS_SERVFAIL);
}

/* ---- made by hand ---- */

/* Host n has the address 192.0.2.n. */
static struct resolver_plan *plan_of(const char *domain, const struct resolver_plan_part *parts,
                                     size_t count)
{
    struct netaddr addrs[RESOLVER_MAX_TARGETS];
    struct resolver_plan_part filled[RESOLVER_MAX_TARGETS];
    struct resolver_target target = peer_of(domain);
    for (size_t i = 0; i < count; i++) {
        char ip[32];
        snprintf(ip, sizeof(ip), "192.0.2.%zu", i);
        assert_int_equal(netaddr_from_ip(&addrs[i], slice_of(ip), 5061), 0);
        filled[i] = parts[i];
        filled[i].host = "h.example";
        filled[i].addrs = &addrs[i];
        filled[i].addr_count = 1;
    }
    struct resolver_plan *plan = resolver_plan_make(&target, filled, count, NULL, 0);
    assert_non_null(plan);
    return plan;
}

static size_t host_of(const struct resolver_hop *hop)
{
    return ntohl(hop->addr.in4.sin_addr.s_addr) & 0xff;
}

/* The order in which one search finds the hosts. */
static size_t search_all(struct resolver *resolver, struct resolver_plan *plan,
                         size_t order[RESOLVER_MAX_TARGETS])
{
    struct resolver_search search;
    struct resolver_hop hop;
    size_t count = 0;
    resolver_search_begin(&search, resolver, plan, "");
    while (resolver_search_more(&search)) {
        assert_true(resolver_search_next(&search, &hop));
        order[count++] = host_of(&hop);
    }
    assert_false(resolver_search_next(&search, &hop));
    resolver_search_done(&search);
    return count;
}

static void search_goes_by_rank_and_takes_each_host_once(void **state)
{
    struct world *world = *state;
    struct resolver_plan_part parts[RESOLVER_MAX_TARGETS];
    size_t order[RESOLVER_MAX_TARGETS];
    for (unsigned i = 0; i < RESOLVER_MAX_TARGETS; i++)
        parts[i] =
            (struct resolver_plan_part){.weight = (uint16_t)(i % 3 ? 65535 : 0), .rank = i / 5};
    struct resolver_plan *plan = plan_of("o.example", parts, RESOLVER_MAX_TARGETS);
    for (int i = 0; i < 1000; i++) {
        unsigned seen = 0;
        assert_int_equal(search_all(world->resolver, plan, order), RESOLVER_MAX_TARGETS);
        for (size_t at = 0; at < RESOLVER_MAX_TARGETS; at++) {
            seen |= 1U << order[at];
            assert_int_equal(parts[order[at]].rank, at / 5);
        }
        assert_int_equal(seen, (1U << RESOLVER_MAX_TARGETS) - 1);
    }
    resolver_plan_unref(plan);
}

/* Pearson's statistic of `count` observations against weights. */
static double chi_square(const unsigned *seen, const double *expected, size_t count)
{
    double sum = 0, total = 0, of = 0;
    for (size_t i = 0; i < count; i++) {
        total += seen[i];
        of += expected[i];
    }
    for (size_t i = 0; i < count; i++) {
        double want = total * expected[i] / of;
        sum += (seen[i] - want) * (seen[i] - want) / want;
    }
    return sum;
}

/* RFC 2782: weights 0, 60, 30, 10 are drawn with 1, 60, 30, 10 of 101; then, 60 being gone, with 1,
 * 30, 10 of 41. The limits are passed once in 10,000 times by chance; the seeds are fixed. */
static void hosts_of_a_rank_are_drawn_by_weight(void **state)
{
    enum { SEEDS = 20, DRAWS = 20000 };
    static const struct resolver_plan_part parts[] = {
        {.weight = 0}, {.weight = 60}, {.weight = 30}, {.weight = 10}};
    static const double first_want[] = {1, 60, 30, 10}, second_want[] = {1, 30, 10};
    static const double even[] = {1, 1, 1, 1};
    struct world *world = *state;
    struct resolver_plan *plan = plan_of("o.example", parts, COUNT_OF(parts));
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        unsigned first[4] = {0}, second[4] = {0};
        world->resolver->lottery = seed;
        for (int i = 0; i < DRAWS; i++) {
            size_t order[RESOLVER_MAX_TARGETS] = {0};
            search_all(world->resolver, plan, order);
            first[order[0]]++;
            if (order[0] == 1)
                second[order[1]]++;
        }
        const unsigned rest[] = {second[0], second[2], second[3]};
        assert_int_equal(second[1], 0);
        assert_true(chi_square(first, first_want, 4) < 21.1);
        assert_true(chi_square(rest, second_want, 3) < 18.4);
        assert_true(chi_square(first, even, 4) > 1000); /* the statistic tells them apart */
    }
    resolver_plan_unref(plan);
}

static void search_is_bounded_in_hops(void **state)
{
    struct world *world = *state;
    struct netaddr addrs[RESOLVER_MAX_HOPS];
    struct resolver_target target = peer_of("o.example");
    for (size_t i = 0; i < COUNT_OF(addrs); i++)
        assert_int_equal(netaddr_from_ip(&addrs[i], SLICE("192.0.2.1"), 5061), 0);
    const struct resolver_plan_part parts[] = {
        {.host = "a.example", .addrs = addrs, .addr_count = RESOLVER_MAX_HOPS - 1},
        {.host = "b.example", .rank = 1, .addrs = addrs, .addr_count = RESOLVER_MAX_HOPS}};
    struct resolver_plan *plan = resolver_plan_make(&target, parts, 2, NULL, 0);
    struct resolver_search search;
    struct resolver_hop hop;
    resolver_search_begin(&search, world->resolver, plan, "");
    for (size_t i = 0; i < RESOLVER_MAX_HOPS; i++) {
        assert_true(resolver_search_next(&search, &hop));
        assert_string_equal(hop.host, i + 1 < RESOLVER_MAX_HOPS ? "a.example" : "b.example");
    }
    assert_false(resolver_search_more(&search));
    assert_false(resolver_search_next(&search, &hop));
    resolver_search_done(&search);
    resolver_plan_unref(plan);
}

static void search_not_begun_has_no_hops(void **state)
{
    struct resolver_search search = {NULL};
    struct resolver_hop hop;
    (void)state;
    assert_false(resolver_search_more(&search));
    assert_false(resolver_search_next(&search, &hop));
    resolver_search_done(&search);
}

static void search_outlives_the_plan_in_the_cache(void **state)
{
    struct world *world = *state;
    struct resolver_search search;
    struct resolver_hop hop;
    world->server.rules = opb_rules;
    find(world, "opb.example");
    resolver_search_begin(&search, world->resolver, plan_at_hand(world, "opb.example"), "");
    resolver_purge(world->resolver, "opb.example");
    assert_true(resolver_search_next(&search, &hop));
    assert_string_equal(hop.host, "edge.p.example");
    resolver_search_done(&search);
}

/* ---- past what failed ---- */

/* Makes the hop fail for those who search in opb.example. */
static void fail_host(struct world *world, struct resolver_plan *plan, size_t host)
{
    struct resolver_hop hop = {.transport = plan->hosts[host].transport};
    hop.addr = plan->addrs[plan->hosts[host].first];
    resolver_hop_failed(world->resolver, &hop, "opb.example");
}

static void assert_search(struct world *world, struct resolver_plan *plan, const char *domain,
                          const char *hops, const char *avoided)
{
    struct resolver_search search;
    struct resolver_hop hop;
    resolver_search_begin(&search, world->resolver, plan, domain);
    for (; *hops; hops++) {
        assert_true(resolver_search_next(&search, &hop));
        assert_int_equal(host_of(&hop), *hops - '0');
    }
    assert_false(resolver_search_next(&search, &hop));
    for (; *avoided; avoided++) {
        assert_true(resolver_search_more(&search));
        assert_true(resolver_search_next_avoided(&search, &hop));
        assert_int_equal(host_of(&hop), *avoided - '0');
    }
    assert_false(resolver_search_more(&search));
    assert_false(resolver_search_next_avoided(&search, &hop));
    resolver_search_done(&search);
}

static void hop_that_failed_comes_last(void **state)
{
    static const struct resolver_plan_part parts[] = {{.rank = 0, .transport = RESOLVER_TLS},
                                                      {.rank = 1, .transport = RESOLVER_TLS},
                                                      {.rank = 2, .transport = RESOLVER_TLS}};
    struct world *world = *state;
    struct resolver_plan *plan = plan_of("opb.example", parts, COUNT_OF(parts));
    assert_search(world, plan, "opb.example", "012", "");
    fail_host(world, plan, 0);
    assert_search(world, plan, "opb.example", "12", "0");
    assert_search(world, plan, "opc.example", "012", ""); /* who proves something else there */
    fail_host(world, plan, 1);
    fail_host(world, plan, 2);
    assert_search(world, plan, "opb.example", "", "012"); /* avoided is not refused */
    const struct resolver_hop hop = {.addr = plan->addrs[0], .transport = RESOLVER_TLS};
    assert_true(resolver_hop_is_avoided(world->resolver, &hop, "opb.example"));
    assert_false(resolver_hop_is_avoided(world->resolver, &hop, "opc.example"));
    resolver_hop_worked(world->resolver, &hop, "opb.example");
    assert_false(resolver_hop_is_avoided(world->resolver, &hop, "opb.example"));
    assert_search(world, plan, "opb.example", "0", "12");
    struct resolver_stats stats;
    resolver_stats_get(world->resolver, &stats);
    assert_int_equal(stats.avoided, 2);
    resolver_plan_unref(plan);
}

static void preferred_address_is_the_first_hop_and_comes_once(void **state)
{
    static const struct resolver_plan_part parts[] = {{.rank = 0, .transport = RESOLVER_TLS},
                                                      {.rank = 1, .transport = RESOLVER_TLS},
                                                      {.rank = 2, .transport = RESOLVER_TLS}};
    static const char *const orders[] = {"012", "102", "201"};
    struct world *world = *state;
    struct resolver_plan *plan = plan_of("opb.example", parts, COUNT_OF(parts));
    fail_host(world, plan, 1);
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        struct resolver_search search;
        struct resolver_hop hop;
        resolver_search_begin(&search, world->resolver, plan, "");
        resolver_search_prefer(&search, &plan->addrs[i]);
        for (const char *host = orders[i]; *host; host++) {
            assert_true(resolver_search_next(&search, &hop));
            assert_int_equal(host_of(&hop), *host - '0');
        }
        assert_false(resolver_search_more(&search));
        resolver_search_done(&search);
    }
    struct resolver_search search;
    struct resolver_hop hop;
    resolver_search_begin(&search, world->resolver, plan, "opb.example");
    resolver_search_prefer(&search, &plan->addrs[1]); /* though it failed */
    assert_true(resolver_search_next(&search, &hop));
    assert_int_equal(host_of(&hop), 1);
    assert_true(resolver_search_next(&search, &hop));
    assert_int_equal(host_of(&hop), 0);
    resolver_search_done(&search);
    resolver_plan_unref(plan);
}

static void address_elsewhere_is_not_preferred(void **state)
{
    static const struct resolver_plan_part parts[] = {{.rank = 0}, {.rank = 1}};
    struct world *world = *state;
    struct resolver_plan *plan = plan_of("opb.example", parts, COUNT_OF(parts));
    struct netaddr other;
    struct resolver_search search;
    struct resolver_hop hop;
    assert_int_equal(netaddr_from_ip(&other, SLICE("192.0.2.1"), 5070), 0);
    resolver_search_begin(&search, world->resolver, plan, "");
    resolver_search_prefer(&search, &other);
    assert_true(resolver_search_next(&search, &hop));
    assert_int_equal(host_of(&hop), 0);
    resolver_search_done(&search);
    resolver_plan_unref(plan);
}

static void rest_of_a_rank_shares_the_load_of_one_that_failed(void **state)
{
    enum { DRAWS = 20000 };
    static const struct resolver_plan_part parts[] = {
        {.weight = 60}, {.weight = 20}, {.weight = 20}};
    struct world *world = *state;
    struct resolver_plan *plan = plan_of("opb.example", parts, COUNT_OF(parts));
    unsigned first[3] = {0};
    fail_host(world, plan, 0);
    for (int i = 0; i < DRAWS; i++) {
        struct resolver_search search;
        struct resolver_hop hop;
        resolver_search_begin(&search, world->resolver, plan, "opb.example");
        assert_true(resolver_search_next(&search, &hop));
        first[host_of(&hop)]++;
        resolver_search_done(&search);
    }
    assert_int_equal(first[0], 0);
    assert_in_range(first[1], DRAWS * 0.48, DRAWS * 0.52);
    resolver_plan_unref(plan);
}

/* ---- the cache ---- */

static void keep(struct resolver_plans *plans, const char *domain, uint64_t expires_ms)
{
    static const struct resolver_plan_part part = {.weight = 1};
    struct resolver_plan *plan = plan_of(domain, &part, 1);
    plan->expires_ms = plan->ends_ms = expires_ms;
    resolver_plans_keep(plans, plan);
    resolver_plan_unref(plan);
}

static bool is_kept(struct resolver_plans *plans, const char *domain)
{
    struct resolver_target target = peer_of(domain);
    return resolver_plans_find(plans, &target, 1);
}

static void full_cache_drops_what_was_not_used_lately(void **state)
{
    static const char *const names[] = {"a.example", "b.example", "c.example", "d.example"};
    (void)state;
    struct resolver_plans *plans = resolver_plans_alloc(3);
    for (size_t i = 0; i < 3; i++)
        keep(plans, names[i], 1000);
    assert_true(is_kept(plans, "a.example"));
    keep(plans, names[3], 1000);
    assert_int_equal(resolver_plans_count(plans), 3);
    assert_false(is_kept(plans, "b.example"));
    assert_true(is_kept(plans, "a.example"));
    assert_true(is_kept(plans, "c.example"));
    assert_true(is_kept(plans, "d.example"));
    keep(plans, "e.example", 1000); /* all were used: one goes nevertheless */
    assert_int_equal(resolver_plans_count(plans), 3);
    resolver_plans_free(plans);
}

static void newer_plan_takes_the_place_of_the_older(void **state)
{
    (void)state;
    struct resolver_plans *plans = resolver_plans_alloc(3);
    keep(plans, "a.example", 1000);
    keep(plans, "a.example", 2000);
    struct resolver_target target = peer_of("a.example");
    assert_int_equal(resolver_plans_count(plans), 1);
    assert_non_null(resolver_plans_find(plans, &target, 1500));
    resolver_plans_free(plans);
}

static void host_without_address_is_left_out(void **state)
{
    (void)state;
    struct netaddr addr;
    struct resolver_target target = peer_of("o.example");
    assert_int_equal(netaddr_from_ip(&addr, SLICE("192.0.2.1"), 5061), 0);
    struct resolver_plan_part parts[] = {{.host = "a.example"},
                                         {.host = "b.example", .addrs = &addr, .addr_count = 1},
                                         {.host = "c.example"}};
    struct resolver_plan *plan = resolver_plan_make(&target, parts, 3, NULL, 0);
    assert_int_equal(plan->host_count, 1);
    assert_string_equal(plan->text + plan->hosts[0].name, "b.example");
    resolver_plan_unref(plan);
    parts[1].addr_count = 0;
    assert_null(resolver_plan_make(&target, parts, 3, NULL, 0));
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
#define STALE_TEST(name) cmocka_unit_test_setup_teardown(name, stale_world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(plan_once_found_is_at_hand),
        WORLD_TEST(plan_of_one_target_is_no_others),
        WORLD_TEST(hosts_of_weight_0_come_first_in_their_rank),
        WORLD_TEST(plan_at_hand_needs_no_memory),
        WORLD_TEST(plan_lives_as_long_as_its_shortest_part),
        WORLD_TEST(absence_is_a_part_with_an_end_too),
        WORLD_TEST(plan_of_failing_parts_is_soon_made_anew),
        WORLD_TEST(failure_is_no_plan),
        WORLD_TEST(ip_address_is_a_plan_at_once),
        WORLD_TEST(purge_drops_plans_in_which_the_name_is),
        WORLD_TEST(purge_of_a_host_without_address_drops_the_plan),
        WORLD_TEST(plan_begun_before_a_purge_is_not_kept),
        WORLD_TEST(plan_in_use_is_renewed_before_it_ends),
        WORLD_TEST(plan_hardly_used_is_not_renewed),
        WORLD_TEST(stale_plan_does_where_nobody_answers),
        STALE_TEST(domain_with_ipv4_only_outlives_each_of_its_ttls),
        STALE_TEST(plan_of_stale_answers_ends_with_them),
        STALE_TEST(plan_that_never_was_whole_is_used_stale_too),
        STALE_TEST(stale_address_is_used_by_a_lookup_in_haste),
        STALE_TEST(lookup_out_of_time_goes_on_with_the_cache),
        WORLD_TEST(stale_plan_is_not_used_unless_configured),
        WORLD_TEST(stale_plan_ends_with_a_no),
        WORLD_TEST(purged_plan_is_not_used_stale),
        WORLD_TEST(search_goes_by_rank_and_takes_each_host_once),
        WORLD_TEST(hosts_of_a_rank_are_drawn_by_weight),
        WORLD_TEST(search_is_bounded_in_hops),
        WORLD_TEST(search_not_begun_has_no_hops),
        WORLD_TEST(search_outlives_the_plan_in_the_cache),
        WORLD_TEST(hop_that_failed_comes_last),
        WORLD_TEST(preferred_address_is_the_first_hop_and_comes_once),
        WORLD_TEST(address_elsewhere_is_not_preferred),
        WORLD_TEST(rest_of_a_rank_shares_the_load_of_one_that_failed),
        cmocka_unit_test(full_cache_drops_what_was_not_used_lately),
        cmocka_unit_test(newer_plan_takes_the_place_of_the_older),
        cmocka_unit_test(host_without_address_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
