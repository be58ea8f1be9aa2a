/* What DNS says about the keys of a domain: where its servers are, whether that counts, and the
 * keys of all of them. */
#include "tests/test.h"

#include "base/status.h"
#include "peering/trust.h"
#include "tests/resolver/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENT_MS 20000
#define SOA        "example 60 SOA ns h 1 2 3 4 60"
#define AD         (DNS_RA | DNS_AD)
#define OURS       "0101010101010101010101010101010101010101010101010101010101010101"
#define OTHER      "0202020202020202020202020202020202020202020202020202020202020202"

/* o.example has two servers, p.example no SRV record. The rules of the first server's keys, of the
 * second's, and of p.example's are the test's. */
enum { SRV, FIRST_A, FIRST_KEYS = 4, SECOND_KEYS, P_KEYS, RULES = 14 };

struct world {
    uv_loop_t loop;
    uv_timer_t tick;
    struct timers *timers;
    struct server server;
    struct server_rule rules[RULES + 1];
    struct resolver *resolver;
    struct trust *trust;
    unsigned looked_at; /* records */
    bool answered;
    enum trust_say say;
    uint32_t ttl_s;
    char why[256];
};

static void rules_make(struct world *world)
{
    const struct server_rule rules[RULES + 1] = {
        {"_sips._tcp.o.example",
         "SRV",
         0,
         AD,
         {"_sips._tcp.o.example 99 SRV 1 1 5061 e.example",
          "_sips._tcp.o.example 99 SRV 2 1 5062 f.example"},
         {NULL}},
        {"e.example", "A", 0, AD, {"e.example 99 A 127.0.20.2"}, {NULL}},
        {"f.example", "A", 0, AD, {"f.example 99 A 127.0.20.3"}, {NULL}},
        {"p.example", "A", 0, AD, {"p.example 99 A 127.0.20.4"}, {NULL}},
        {"_5061._tcp.e.example", "TLSA", 0, AD, {NULL}, {SOA}},
        {"_5062._tcp.f.example", "TLSA", 0, AD, {NULL}, {SOA}},
        {"_5061._tcp.p.example", "TLSA", 0, AD, {NULL}, {SOA}},
        {"o.example", "NAPTR", 0, AD, {NULL}, {SOA}},
        {"p.example", "NAPTR", 0, AD, {NULL}, {SOA}},
        {"_sips._tcp.p.example", "SRV", 0, AD, {NULL}, {SOA}},
        {"none.example", "NAPTR", 0, DNS_AA | DNS_NXDOMAIN, {NULL}, {SOA}},
        {"e.example", "AAAA", 0, AD, {NULL}, {SOA}},
        {"f.example", "AAAA", 0, AD, {NULL}, {SOA}},
        {"p.example", "AAAA", 0, AD, {NULL}, {SOA}},
        {.name = NULL}};
    memcpy(world->rules, rules, sizeof(rules));
    world->server.rules = world->rules;
}

static struct store_reader *no_reader(void *arg)
{
    (void)arg;
    return NULL;
}

static void open_trust(struct world *world, bool trusted)
{
    struct resolver_conf conf = {
        .upstream_count = 1, .attempt_timeout_ms = PATIENT_MS, .lookup_timeout_ms = PATIENT_MS};
    conf.upstreams[0].addr = world->server.addr;
    conf.upstreams[0].trusted = trusted;
    trust_free(world->trust);
    resolver_free(world->resolver);
    assert_int_equal(resolver_alloc(&world->loop, &conf, &world->resolver), 0);
    const struct trust_conf trust = {.loop = &world->loop,
                                     .timers = world->timers,
                                     .resolver = world->resolver,
                                     .reader = no_reader};
    world->trust = trust_alloc(&trust);
    assert_non_null(world->trust);
}

static void on_tick(uv_timer_t *tick)
{
    const struct world *world = tick->data;
    timers_run(world->timers, uv_now(&world->loop));
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world || uv_loop_init(&world->loop) < 0)
        return -1;
    world->timers = timers_alloc((size_t)2 * TRUST_MAX_ASKED);
    uv_timer_init(&world->loop, &world->tick);
    world->tick.data = world;
    uv_timer_start(&world->tick, on_tick, 1, 1);
    rules_make(world);
    server_start(&world->server, &world->loop, world->rules);
    open_trust(world, true);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    trust_free(world->trust);
    resolver_free(world->resolver);
    server_stop(&world->server);
    uv_close((uv_handle_t *)&world->tick, NULL);
    while (uv_run(&world->loop, UV_RUN_DEFAULT) != 0)
        continue;
    int status = uv_loop_close(&world->loop);
    timers_free(world->timers);
    free(world);
    return status;
}

static bool fits(const struct tls_tlsa *tlsa, void *arg)
{
    struct world *world = arg;
    world->looked_at++;
    return tlsa->len > 0 && tlsa->data[0] == 1;
}

static void done(const struct trust_answer *answer, void *arg)
{
    struct world *world = arg;
    assert_false(world->answered);
    world->answered = true;
    world->say = answer->say;
    world->ttl_s = answer->ttl_s;
    snprintf(world->why, sizeof(world->why), "%s", answer->why);
}

static struct trust_asking *ask(struct world *world, const char *domain, const char *host,
                                uint16_t port)
{
    const struct transport_trust *table = trust_table(world->trust);
    const struct trust_question question = {
        .domain = domain, .host = host, .port = port, .fits = fits, .done = done, .arg = world};
    struct trust_asking *asking = NULL;
    world->answered = false;
    world->looked_at = 0;
    assert_int_equal(table->ask(&question, &asking, table->arg), 0);
    assert_false(world->answered); /* never from inside */
    return asking;
}

static enum trust_say say_of(struct world *world, const char *domain, const char *host,
                             uint16_t port)
{
    ask(world, domain, host, port);
    while (!world->answered)
        uv_run(&world->loop, UV_RUN_ONCE);
    return world->say;
}

static void keys(struct world *world, int rule, const char *record)
{
    world->rules[rule].answer[0] = record;
    world->rules[rule].authority[0] = record ? NULL : SOA;
}

static void one_server_that_has_the_key_is_enough_for_a_caller(void **state)
{
    struct world *world = *state;
    keys(world, SECOND_KEYS, "_5062._tcp.f.example 30 TLSA 3 1 1 " OURS);
    assert_int_equal(say_of(world, "o.example", "", 0), TRUST_FITS);
    assert_in_range(world->ttl_s, 20, 30);
}

static void server_called_must_have_its_own_key(void **state)
{
    struct world *world = *state;
    keys(world, FIRST_KEYS, "_5061._tcp.e.example 30 TLSA 3 1 1 " OTHER);
    keys(world, SECOND_KEYS, "_5062._tcp.f.example 30 TLSA 3 1 1 " OURS);
    assert_int_equal(say_of(world, "o.example", "f.example", 5062), TRUST_FITS);
    assert_int_equal(world->looked_at, 1);
    assert_int_equal(say_of(world, "o.example", "e.example", 5061), TRUST_MISFITS);
    assert_int_equal(world->looked_at, 1);
    assert_int_equal(say_of(world, "o.example", "gone.example", 5061), TRUST_FITS); /* any */
}

static void keys_of_one_server_are_reason_enough_to_want_one(void **state)
{
    struct world *world = *state;
    keys(world, FIRST_KEYS, "_5061._tcp.e.example 30 TLSA 3 1 1 " OTHER);
    assert_int_equal(say_of(world, "o.example", "", 0), TRUST_MISFITS);
}

static void anchors_decide_where_there_are_no_keys(void **state)
{
    struct world *world = *state;
    assert_int_equal(say_of(world, "o.example", "", 0), TRUST_ANCHORS);
    assert_in_range(world->ttl_s, 50, 60);
    assert_int_equal(say_of(world, "none.example", "", 0), TRUST_ANCHORS);
    assert_in_range(world->ttl_s, 1, 60);
}

static void keys_behind_records_that_are_not_signed_do_not_count(void **state)
{
    static const int steps[] = {SRV, FIRST_A};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        rules_make(world);
        world->rules[steps[i]].flags = DNS_RA;
        keys(world, FIRST_KEYS, "_5061._tcp.e.example 30 TLSA 3 1 1 " OTHER);
        open_trust(world, true);
        assert_int_equal(say_of(world, "o.example", "e.example", 5061), TRUST_ANCHORS);
        assert_int_equal(world->looked_at, 0);
    }
}

static void domain_without_srv_has_its_keys_at_its_own_name(void **state)
{
    struct world *world = *state;
    keys(world, P_KEYS, "_5061._tcp.p.example 30 TLSA 3 1 1 " OURS);
    assert_int_equal(say_of(world, "p.example", "p.example", 5061), TRUST_FITS);
    assert_int_equal(say_of(world, "p.example", "", 0), TRUST_FITS);
}

static void what_cannot_be_asked_is_unknown(void **state)
{
    struct world *world = *state;
    world->rules[FIRST_KEYS].flags = DNS_RA | DNS_SERVFAIL;
    assert_int_equal(say_of(world, "o.example", "", 0), TRUST_UNKNOWN);
    assert_int_equal(world->ttl_s, 0);
    assert_non_null(strstr(world->why, "_5061._tcp.e.example"));
    keys(world, SECOND_KEYS, "_5062._tcp.f.example 30 TLSA 3 1 1 " OTHER);
    assert_int_equal(say_of(world, "o.example", "", 0), TRUST_UNKNOWN); /* it may be the first's */
    assert_int_equal(say_of(world, "refused.example", "", 0), TRUST_UNKNOWN);
    assert_non_null(strstr(world->why, "refused.example"));
}

static void without_a_trusted_upstream_dns_is_not_asked(void **state)
{
    struct world *world = *state;
    assert_non_null(trust_table(world->trust)->ask);
    open_trust(world, false);
    assert_null(trust_table(world->trust)->ask);
}

static void question_can_be_cancelled_at_each_step(void **state)
{
    struct world *world = *state;
    for (unsigned turns = 0; turns < 30; turns++) {
        open_trust(world, true);
        struct trust_asking *asking = ask(world, "o.example", "", 0);
        for (unsigned i = 0; i < turns && !world->answered; i++)
            uv_run(&world->loop, UV_RUN_ONCE);
        if (!world->answered)
            trust_table(world->trust)->cancel(asking);
        bool before = world->answered;
        for (unsigned i = 0; i < 5; i++)
            uv_run(&world->loop, UV_RUN_ONCE);
        assert_int_equal(world->answered, before);
    }
}

static int ask_many(struct world *world, bool is_stranger, struct trust_asking **asked, size_t max)
{
    const struct transport_trust *table = trust_table(world->trust);
    const struct trust_question question = {.domain = "o.example",
                                            .host = "",
                                            .fits = fits,
                                            .done = done,
                                            .arg = world,
                                            .is_stranger = is_stranger};
    size_t count = 0;
    while (count < max && table->ask(&question, &asked[count], table->arg) == 0)
        count++;
    return (int)count;
}

static void strangers_leave_the_others_room(void **state)
{
    struct world *world = *state;
    const struct transport_trust *table = trust_table(world->trust);
    struct trust_asking *strangers[TRUST_MAX_ASKED], *others[TRUST_MAX_ASKED];
    const int half = TRUST_MAX_ASKED / 2;
    assert_int_equal(ask_many(world, true, strangers, TRUST_MAX_ASKED), half);
    assert_int_equal(ask_many(world, false, others, TRUST_MAX_ASKED), half);
    table->cancel(others[0]);
    table->cancel(strangers[0]);
    assert_int_equal(ask_many(world, true, strangers, 2), 1); /* one of them has gone */
    assert_int_equal(ask_many(world, false, others, 2), 1);
    for (int i = 0; i < half; i++) {
        table->cancel(strangers[i]);
        table->cancel(others[i]);
    }
}

static void directory_that_cannot_be_read_says_nothing(void **state)
{
    struct world *world = *state;
    const struct transport_trust *table = trust_table(world->trust);
    struct trust_peer peer;
    assert_true(table->peer("o.example", &peer, table->arg) < 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_server_that_has_the_key_is_enough_for_a_caller),
        TEST(server_called_must_have_its_own_key),
        TEST(keys_of_one_server_are_reason_enough_to_want_one),
        TEST(anchors_decide_where_there_are_no_keys),
        TEST(keys_behind_records_that_are_not_signed_do_not_count),
        TEST(domain_without_srv_has_its_keys_at_its_own_name),
        TEST(what_cannot_be_asked_is_unknown),
        TEST(without_a_trusted_upstream_dns_is_not_asked),
        TEST(question_can_be_cancelled_at_each_step),
        TEST(strangers_leave_the_others_room),
        TEST(directory_that_cannot_be_read_says_nothing),
    };
    return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
