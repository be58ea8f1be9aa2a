/* Hops that failed: avoided, tested, restored. */
#include "resolver/avoid.h"

#include "resolver/internal.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static struct resolver_avoid *avoid;
static struct netaddr edge;

static int setup(void **state)
{
    (void)state;
    avoid = resolver_avoid_alloc();
    return avoid ? netaddr_from_ip(&edge, SLICE("192.0.2.1"), 5061) : -1;
}

static int teardown(void **state)
{
    (void)state;
    resolver_avoid_free(avoid);
    return 0;
}

static const struct resolver_avoid_key key = {&edge, RESOLVER_TLS, "opb.example"};

static bool is_avoided(uint64_t now_ms)
{
    return resolver_avoid_is(avoid, &key, now_ms);
}

static void failed_hop_is_avoided_for_a_while(void **state)
{
    (void)state;
    assert_false(is_avoided(1000));
    resolver_avoid_failed(avoid, &key, 1000);
    assert_true(is_avoided(1000));
    assert_true(is_avoided(1000 + RESOLVER_AVOID_MS - 1));
    assert_false(is_avoided(1000 + RESOLVER_AVOID_MS));
}

static void failure_is_news_where_it_was_not_avoided_and_at_the_end_of_a_test(void **state)
{
    (void)state;
    assert_true(resolver_avoid_failed(avoid, &key, 0));
    assert_false(resolver_avoid_failed(avoid, &key, 1));
    assert_false(is_avoided(RESOLVER_AVOID_MS)); /* the test */
    assert_true(resolver_avoid_failed(avoid, &key, RESOLVER_AVOID_MS));
    assert_false(resolver_avoid_failed(avoid, &key, RESOLVER_AVOID_MS));
}

static void one_request_tests_it_and_the_others_go_on_avoiding_it(void **state)
{
    (void)state;
    resolver_avoid_failed(avoid, &key, 0);
    assert_false(is_avoided(RESOLVER_AVOID_MS)); /* the test */
    assert_true(is_avoided(RESOLVER_AVOID_MS));
    assert_true(is_avoided(RESOLVER_AVOID_MS + RESOLVER_AVOID_TEST_MS - 1));
}

static void test_that_works_restores_it(void **state)
{
    (void)state;
    resolver_avoid_failed(avoid, &key, 0);
    assert_false(is_avoided(RESOLVER_AVOID_MS));
    resolver_avoid_worked(avoid, &key);
    assert_false(is_avoided(RESOLVER_AVOID_MS));
    assert_false(is_avoided(RESOLVER_AVOID_MS));
    assert_int_equal(resolver_avoid_count(avoid), 0);
}

static void test_that_is_never_heard_of_is_made_again(void **state)
{
    uint64_t now_ms = RESOLVER_AVOID_MS;
    (void)state;
    resolver_avoid_failed(avoid, &key, 0);
    assert_false(is_avoided(now_ms));
    now_ms += RESOLVER_AVOID_TEST_MS;
    assert_false(is_avoided(now_ms));
    assert_true(is_avoided(now_ms));
}

static void each_failed_test_doubles_the_time_up_to_a_bound(void **state)
{
    uint64_t now_ms = 0, wait_ms = RESOLVER_AVOID_MS;
    (void)state;
    resolver_avoid_failed(avoid, &key, now_ms);
    for (int i = 0; i < 10; i++) {
        assert_true(is_avoided(now_ms + wait_ms - 1));
        assert_false(is_avoided(now_ms + wait_ms));
        now_ms += wait_ms;
        resolver_avoid_failed(avoid, &key, now_ms);
        wait_ms = wait_ms < RESOLVER_AVOID_LONG_MS ? 2 * wait_ms : wait_ms;
    }
    assert_int_equal(wait_ms, RESOLVER_AVOID_LONG_MS);
}

static void many_requests_that_meet_one_failure_count_once(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 500; i++)
        resolver_avoid_failed(avoid, &key, i);
    assert_false(is_avoided(RESOLVER_AVOID_MS));
}

static void failure_of_long_ago_is_forgotten(void **state)
{
    uint64_t now_ms = RESOLVER_AVOID_MS + RESOLVER_AVOID_STALE_MS;
    (void)state;
    resolver_avoid_failed(avoid, &key, 0);
    assert_false(is_avoided(now_ms));
    assert_false(is_avoided(now_ms)); /* not only for a test */
}

static void other_hops_are_not_concerned(void **state)
{
    struct netaddr port, ip, six;
    (void)state;
    assert_int_equal(netaddr_from_ip(&port, SLICE("192.0.2.1"), 5062), 0);
    assert_int_equal(netaddr_from_ip(&ip, SLICE("192.0.2.2"), 5061), 0);
    assert_int_equal(netaddr_from_ip(&six, SLICE("2001:db8::1"), 5061), 0);
    const struct resolver_avoid_key others[] = {
        {&port, RESOLVER_TLS, "opb.example"}, {&ip, RESOLVER_TLS, "opb.example"},
        {&six, RESOLVER_TLS, "opb.example"},  {&edge, RESOLVER_TCP, "opb.example"},
        {&edge, RESOLVER_TLS, "opc.example"}, /* it may prove this one */
    };
    resolver_avoid_failed(avoid, &key, 0);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(resolver_avoid_is(avoid, &others[i], 1));
    assert_true(is_avoided(1));
}

static void without_tls_the_domain_does_not_matter(void **state)
{
    const struct resolver_avoid_key one = {&edge, RESOLVER_UDP, "opb.example"};
    const struct resolver_avoid_key other = {&edge, RESOLVER_UDP, "opc.example"};
    (void)state;
    resolver_avoid_failed(avoid, &one, 0);
    assert_true(resolver_avoid_is(avoid, &other, 1));
}

static void memory_is_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= RESOLVER_AVOID_MAX; i++) {
        struct netaddr addr;
        const struct resolver_avoid_key hop = {&addr, RESOLVER_UDP, ""};
        assert_int_equal(netaddr_from_ip(&addr, SLICE("192.0.2.1"), (uint16_t)(1000 + i)), 0);
        resolver_avoid_failed(avoid, &hop, i);
    }
    assert_int_equal(resolver_avoid_count(avoid), RESOLVER_AVOID_MAX);
    struct netaddr first;
    const struct resolver_avoid_key oldest = {&first, RESOLVER_UDP, ""};
    assert_int_equal(netaddr_from_ip(&first, SLICE("192.0.2.1"), 1000), 0);
    assert_false(resolver_avoid_is(avoid, &oldest, RESOLVER_AVOID_MAX));
    netaddr_set_port(&first, 1001);
    assert_true(resolver_avoid_is(avoid, &oldest, RESOLVER_AVOID_MAX));
}

#define AVOID_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AVOID_TEST(failed_hop_is_avoided_for_a_while),
        AVOID_TEST(failure_is_news_where_it_was_not_avoided_and_at_the_end_of_a_test),
        AVOID_TEST(one_request_tests_it_and_the_others_go_on_avoiding_it),
        AVOID_TEST(test_that_works_restores_it),
        AVOID_TEST(test_that_is_never_heard_of_is_made_again),
        AVOID_TEST(each_failed_test_doubles_the_time_up_to_a_bound),
        AVOID_TEST(many_requests_that_meet_one_failure_count_once),
        AVOID_TEST(failure_of_long_ago_is_forgotten),
        AVOID_TEST(other_hops_are_not_concerned),
        AVOID_TEST(without_tls_the_domain_does_not_matter),
        AVOID_TEST(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
