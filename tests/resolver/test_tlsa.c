/* The keys of a server by DNS: which records count, what an answer means, and whole questions. */
#include "resolver/internal.h"
#include "resolver/tlsa.h"

#include "base/status.h"
#include "tests/resolver/server.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENT_MS 20000 /* no question of a test needs nearly as long on any machine */
#define AUTHENTIC  (DNS_AA | DNS_AD)
#define NAME       "_5061._tcp.edge.opb.example"
#define SOA                                                                                        \
    {                                                                                              \
        "opb.example 60 SOA ns h 1 2 3 4 60"                                                       \
    }
#define HASH "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* ---- pure ---- */

static void names_have_port_and_host(void **state)
{
    char name[RESOLVER_NAME_MAX + 1], host[RESOLVER_NAME_MAX + 1];
    (void)state;
    assert_int_equal(resolver_tlsa_name("Edge.opb.example", 5061, name), 0);
    assert_string_equal(name, NAME);
    assert_int_equal(resolver_tlsa_name("", 5061, name), -EINVAL);
    assert_int_equal(resolver_tlsa_name("a b", 5061, name), -EINVAL);
    for (size_t i = 0; i < RESOLVER_NAME_MAX; i++)
        host[i] = i % 2 ? '.' : 'a';
    host[RESOLVER_NAME_MAX] = '\0';
    assert_int_equal(resolver_tlsa_name(host, 65535, name), STATUS_LIMIT);
    assert_int_equal(resolver_tlsa_name(host + 12, 65535, name), 0);
    assert_int_equal(strlen(name), RESOLVER_NAME_MAX);
}

static void records_that_cannot_prove_a_key_are_refused(void **state)
{
    static const struct {
        uint8_t usage, selector, matching;
        size_t len;
        bool usable;
    } cases[] = {
        {3, 1, 1, 32, true},  {3, 0, 1, 32, true},    {2, 0, 1, 32, true},  {2, 1, 2, 64, true},
        {3, 1, 0, 91, true},  {3, 0, 2, 64, true},    {0, 1, 1, 32, false}, {1, 1, 1, 32, false},
        {4, 1, 1, 32, false}, {255, 1, 1, 32, false}, {3, 2, 1, 32, false}, {3, 255, 1, 32, false},
        {3, 1, 3, 32, false}, {3, 1, 255, 32, false}, {3, 1, 1, 31, false}, {3, 1, 1, 33, false},
        {3, 1, 1, 0, false},  {3, 1, 2, 32, false},   {3, 1, 0, 0, false},
    };
    static const char data[100];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resolver_tlsa record = {cases[i].usage, cases[i].selector, cases[i].matching,
                                       slice_make(data, cases[i].len)};
        if ((resolver_tlsa_refusal(&record) == NULL) != cases[i].usable)
            fail_msg("%d %d %d, %zu octets", cases[i].usage, cases[i].selector, cases[i].matching,
                     cases[i].len);
    }
}

/* ---- whole questions ---- */

struct world {
    uv_loop_t loop;
    struct server server;
    struct resolver *resolver;
    struct resolver_conf conf;
    struct resolver_keys_asking *asking;
    unsigned calls;
    struct resolver_keys keys;
    uint8_t data[64]; /* of the first key */
    char trace[4096];
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

/* Fails where a handle was left open. */
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

static void answered(const struct resolver_keys *keys, void *arg)
{
    struct world *world = arg;
    world->calls++;
    world->keys = *keys;
    if (keys->count && keys->keys[0].data.len <= sizeof(world->data))
        memcpy(world->data, keys->keys[0].data.p, keys->keys[0].data.len);
    uv_stop(&world->loop); /* UV_RUN_ONCE would wait for a socket after a timer's work */
}

static void traced(const char *line, void *arg)
{
    struct world *world = arg;
    size_t len = strlen(world->trace);
    snprintf(world->trace + len, sizeof(world->trace) - len, "%s\n", line);
}

static void serve(struct world *world, const struct server_rule *rules)
{
    resolver_free(world->resolver);
    world->resolver = NULL;
    world->server.rules = rules;
    assert_int_equal(resolver_alloc(&world->loop, &world->conf, &world->resolver), 0);
}

static void start(struct world *world)
{
    const struct resolver_key_place place = {.host = "edge.opb.example", .port = 5061};
    world->calls = 0;
    world->trace[0] = '\0';
    assert_int_equal(
        resolver_keys(world->resolver, &place, answered, traced, world, &world->asking), 0);
    assert_int_equal(world->calls, 0); /* never from inside */
}

static void expect(struct world *world, const struct server_rule *rules,
                   enum resolver_keys_verdict verdict, size_t count)
{
    if (rules)
        serve(world, rules);
    start(world);
    while (world->calls == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(world->calls, 1);
    if (world->keys.verdict != verdict || world->keys.count != count)
        fail_msg("verdict %d, %zu keys, %s\n%s", world->keys.verdict, world->keys.count,
                 world->keys.why, world->trace);
    assert_int_equal(world->keys.why[0] != '\0', verdict == RESOLVER_KEYS_UNKNOWN);
    assert_non_null(strstr(world->trace, resolver_keys_text(verdict)));
}

static void validated_records_are_told_apart(void **state)
{
    static const struct server_rule usable[] = {
        {NAME,
         "TLSA",
         0,
         AUTHENTIC,
         {NAME " 60 TLSA 1 1 1 " HASH, NAME " 60 TLSA 3 1 1 " HASH, NAME " 60 TLSA 2 0 1 " HASH,
          NAME " 60 TLSA 3 1 1 0011"},
         {0}},
        {.name = NULL}};
    static const struct server_rule unusable[] = {
        {NAME, "TLSA", 0, AUTHENTIC, {NAME " 60 TLSA 1 1 1 " HASH}, {0}}, {.name = NULL}};
    struct world *world = *state;
    expect(world, usable, RESOLVER_KEYS_USABLE, 2);
    assert_int_equal(world->keys.keys[0].usage, 3);
    assert_int_equal(world->keys.keys[0].data.len, 32);
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(world->data[i], i);
    assert_int_equal(world->keys.ttl_s, 60);
    assert_non_null(strstr(world->trace, "TLSA 1 1 1 is passed over: usages 0 and 1"));
    assert_non_null(strstr(world->trace, "TLSA 3 1 1 is passed over: its data is not as long"));
    expect(world, NULL, RESOLVER_KEYS_USABLE, 2); /* from the cache */
    assert_int_equal(world->server.asked, 1);
    expect(world, unusable, RESOLVER_KEYS_UNUSABLE, 0);
}

static void none_is_told_from_unsigned_and_unknown(void **state)
{
    static const struct server_rule nxdomain[] = {
        {NAME, "TLSA", 0, AUTHENTIC | DNS_NXDOMAIN, {NULL}, SOA}, {.name = NULL}};
    static const struct server_rule nodata[] = {{NAME, "TLSA", 0, AUTHENTIC, {NULL}, SOA},
                                                {.name = NULL}};
    static const struct server_rule unsigned_none[] = {
        {NAME, "TLSA", 0, DNS_AA | DNS_NXDOMAIN, {NULL}, SOA}, {.name = NULL}};
    static const struct server_rule unsigned_records[] = {
        {NAME, "TLSA", 0, DNS_AA, {NAME " 60 TLSA 3 1 1 " HASH}, {0}}, {.name = NULL}};
    static const struct server_rule servfail[] = {{NAME, "TLSA", 0, DNS_SERVFAIL, {NULL}, {0}},
                                                  {.name = NULL}};
    struct world *world = *state;
    expect(world, nxdomain, RESOLVER_KEYS_NONE, 0);
    expect(world, nodata, RESOLVER_KEYS_NONE, 0);
    expect(world, unsigned_none, RESOLVER_KEYS_UNSIGNED, 0);
    expect(world, unsigned_records, RESOLVER_KEYS_UNSIGNED, 0);
    expect(world, servfail, RESOLVER_KEYS_UNKNOWN, 0);
    assert_non_null(strstr(world->keys.why, "TLSA " NAME ": SERVFAIL from 127.0.0.1:"));
}

static void who_is_not_trusted_proves_nothing(void **state)
{
    static const struct server_rule usable[] = {
        {NAME, "TLSA", 0, AUTHENTIC, {NAME " 60 TLSA 3 1 1 " HASH}, {0}}, {.name = NULL}};
    struct world *world = *state;
    world->conf.upstreams[0].trusted = false;
    expect(world, usable, RESOLVER_KEYS_UNKNOWN, 0);
}

static void of_many_records_some_are_kept(void **state)
{
    struct server_rule rules[] = {{NAME, "TLSA", 0, AUTHENTIC, {0}, {0}}, {.name = NULL}};
    struct world *world = *state;
    for (int i = 0; i < 30; i++)
        rules[0].answer[i] = NAME " 60 TLSA 3 1 1 " HASH;
    expect(world, rules, RESOLVER_KEYS_USABLE, RESOLVER_MAX_KEYS);
}

static const struct server_rule silent[] = {{NAME, "TLSA", SERVER_SILENT, 0, {NULL}, {0}},
                                            {.name = NULL}};

static void silence_is_unknown(void **state)
{
    struct world *world = *state;
    world->conf.lookup_timeout_ms = 30;
    expect(world, silent, RESOLVER_KEYS_UNKNOWN, 0);
    assert_non_null(strstr(world->keys.why, "no answer in time from 127.0.0.1:"));
}

static void a_cancelled_question_is_silent(void **state)
{
    struct world *world = *state;
    serve(world, silent);
    start(world);
    resolver_keys_cancel(world->asking); /* before it begins */
    start(world);
    while (world->server.asked == 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    resolver_keys_cancel(world->asking);
    assert_int_equal(world->calls, 0);
    struct resolver_stats stats;
    resolver_stats_get(world->resolver, &stats);
    assert_int_equal(stats.inflight, 0);
}

static void strangers_leave_the_others_room(void **state)
{
    struct world *world = *state;
    struct resolver_key_place place = {
        .host = "edge.opb.example", .port = 5061, .is_stranger = true};
    struct resolver_keys_asking *asked[RESOLVER_MAX_KEYS_ASKED], *more = NULL;
    size_t count = 0;
    serve(world, silent);
    while (count < RESOLVER_MAX_STRANGERS)
        assert_int_equal(
            resolver_keys(world->resolver, &place, answered, NULL, world, &asked[count++]), 0);
    assert_int_equal(resolver_keys(world->resolver, &place, answered, NULL, world, &more), -EAGAIN);
    place.is_stranger = false;
    while (count < RESOLVER_MAX_KEYS_ASKED)
        assert_int_equal(
            resolver_keys(world->resolver, &place, answered, NULL, world, &asked[count++]), 0);
    assert_int_equal(resolver_keys(world->resolver, &place, answered, NULL, world, &more), -EAGAIN);
    resolver_keys_cancel(asked[0]);
    place.is_stranger = true;
    assert_int_equal(resolver_keys(world->resolver, &place, answered, NULL, world, &asked[0]), 0);
    for (size_t i = 0; i < count; i++)
        resolver_keys_cancel(asked[i]);
}

static void the_resolvers_end_ends_questions(void **state)
{
    struct world *world = *state;
    serve(world, silent);
    start(world);
    resolver_free(world->resolver);
    world->resolver = NULL;
    assert_int_equal(world->calls, 1);
    assert_int_equal(world->keys.verdict, RESOLVER_KEYS_UNKNOWN);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_port_and_host),
        cmocka_unit_test(records_that_cannot_prove_a_key_are_refused),
        WORLD_TEST(validated_records_are_told_apart),
        WORLD_TEST(none_is_told_from_unsigned_and_unknown),
        WORLD_TEST(who_is_not_trusted_proves_nothing),
        WORLD_TEST(of_many_records_some_are_kept),
        WORLD_TEST(silence_is_unknown),
        WORLD_TEST(a_cancelled_question_is_silent),
        WORLD_TEST(strangers_leave_the_others_room),
        WORLD_TEST(the_resolvers_end_ends_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
