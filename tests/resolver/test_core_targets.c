#include "resolver/resolver.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

#define DRAWS 10000

static struct resolver *resolver;

static void domain_begin(struct store_domain *domain, bool ranked)
{
    memset(domain, 0, sizeof(*domain));
    domain->ranked = ranked;
}

static void core_add(struct store_domain *domain, const char *host, unsigned priority,
                     unsigned weight)
{
    struct store_core *core = &domain->cores[domain->core_count++];
    snprintf(core->host, sizeof(core->host), "%s", host);
    core->port = 5070;
    core->transport = RESOLVER_TCP;
    core->priority = (uint16_t)priority;
    core->weight = (uint16_t)weight;
}

/* "a b c": the hosts in the order in which they are tried. */
static const char *order_of(struct resolver *lottery, const struct store_domain *domain)
{
    static char text[STORE_CORES_MAX * 20];
    struct resolver_target targets[STORE_CORES_MAX];
    size_t count = resolver_core_targets(lottery, domain, targets), used = 0;
    assert_int_equal(count, domain->core_count);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.16s", i ? " " : "",
                                 targets[i].host);
    return text;
}

static void cores_without_ranks_are_tried_as_they_are_listed(void **state)
{
    struct store_domain domain;
    (void)state;
    domain_begin(&domain, false);
    core_add(&domain, "c", 0, 0);
    core_add(&domain, "a", 0, 0);
    core_add(&domain, "b", 0, 0);
    for (int i = 0; i < 100; i++)
        assert_string_equal(order_of(resolver, &domain), "c a b");
}

static void a_lower_priority_is_tried_first(void **state)
{
    struct store_domain domain;
    (void)state;
    domain_begin(&domain, true);
    core_add(&domain, "third", 30, 65535);
    core_add(&domain, "first", 10, 0);
    core_add(&domain, "second", 20, 1);
    for (int i = 0; i < 100; i++)
        assert_string_equal(order_of(resolver, &domain), "first second third");
}

static void a_target_says_where_the_core_is(void **state)
{
    struct store_domain domain;
    struct resolver_target targets[STORE_CORES_MAX];
    (void)state;
    domain_begin(&domain, true);
    core_add(&domain, "core.opa.example", 1, 1);
    assert_int_equal(resolver_core_targets(resolver, &domain, targets), 1);
    assert_int_equal(targets[0].profile, RESOLVER_CORE);
    assert_string_equal(targets[0].host, "core.opa.example");
    assert_int_equal(targets[0].port, 5070);
    assert_int_equal(targets[0].transport, RESOLVER_TCP);
}

/* RFC 2782: three quarters of the calls for the one, a quarter for the other. */
static void cores_of_one_priority_share_calls_by_weight(void **state)
{
    struct store_domain domain;
    int heavy = 0;
    (void)state;
    domain_begin(&domain, true);
    core_add(&domain, "last", 11, 9000);
    core_add(&domain, "light", 10, 1000);
    core_add(&domain, "heavy", 10, 3000);
    for (int i = 0; i < DRAWS; i++) {
        const char *order = order_of(resolver, &domain);
        heavy += strcmp(order, "heavy light last") == 0;
        if (strcmp(order, "heavy light last") != 0)
            assert_string_equal(order, "light heavy last");
    }
    /* 7,500 are expected; the bounds are 11 standard deviations away. */
    assert_in_range(heavy, 7000, 8000);
}

static void cores_without_weight_share_calls_evenly(void **state)
{
    struct store_domain domain;
    int first[3] = {0};
    (void)state;
    domain_begin(&domain, true);
    core_add(&domain, "0", 10, 0);
    core_add(&domain, "1", 10, 0);
    core_add(&domain, "2", 10, 0);
    for (int i = 0; i < DRAWS; i++)
        first[order_of(resolver, &domain)[0] - '0']++;
    for (int i = 0; i < 3; i++) /* 3,333 are expected; the bounds are 10 standard deviations away */
        assert_in_range(first[i], 2850, 3820);
}

static void where_nobody_draws_the_heavier_comes_first(void **state)
{
    struct store_domain domain;
    (void)state;
    domain_begin(&domain, true);
    core_add(&domain, "zero", 10, 0);
    core_add(&domain, "light", 10, 1);
    core_add(&domain, "heavy", 10, 2);
    core_add(&domain, "before", 9, 0);
    assert_string_equal(order_of(NULL, &domain), "before heavy light zero");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cores_without_ranks_are_tried_as_they_are_listed),
        cmocka_unit_test(a_lower_priority_is_tried_first),
        cmocka_unit_test(a_target_says_where_the_core_is),
        cmocka_unit_test(cores_of_one_priority_share_calls_by_weight),
        cmocka_unit_test(cores_without_weight_share_calls_evenly),
        cmocka_unit_test(where_nobody_draws_the_heavier_comes_first),
    };
    struct resolver_conf conf = {.upstream_count = 1};
    uv_loop_t loop;
    if (uv_loop_init(&loop) || netaddr_from_ip(&conf.upstreams[0].addr, SLICE("127.0.0.1"), 53) ||
        resolver_alloc(&loop, &conf, &resolver))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    resolver_free(resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) ? 1 : failed;
}
