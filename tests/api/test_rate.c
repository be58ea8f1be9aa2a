/* Token buckets, and who may guess how often. Time is passed in. */
#include "api/guard.h"
#include "api/rate.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#define SECOND ((uint64_t)1000000)
#define START  (1000 * SECOND)

static void a_bucket_has_its_burst_and_fills_again(void **state)
{
    (void)state;
    struct api_rate *rate = api_rate_alloc(10, 3, SECOND);
    uint64_t wait_us;
    for (int i = 0; i < 3; i++)
        assert_true(api_rate_take(rate, SLICE("a"), START, &wait_us));
    assert_false(api_rate_take(rate, SLICE("a"), START, &wait_us));
    assert_int_equal(wait_us, SECOND);
    assert_false(api_rate_take(rate, SLICE("a"), START + SECOND / 4, &wait_us));
    assert_int_equal(wait_us, SECOND - SECOND / 4);
    assert_true(api_rate_take(rate, SLICE("b"), START, &wait_us)); /* each has its own */
    assert_true(api_rate_take(rate, SLICE("a"), START + SECOND, &wait_us));
    assert_false(api_rate_take(rate, SLICE("a"), START + SECOND, &wait_us));
    for (int i = 0; i < 3; i++) /* never more than the burst, however long it waited */
        assert_true(api_rate_take(rate, SLICE("a"), START + 1000 * SECOND, &wait_us));
    assert_false(api_rate_take(rate, SLICE("a"), START + 1000 * SECOND, &wait_us));
    api_rate_free(rate);
}

static void what_is_given_back_can_be_taken_again(void **state)
{
    (void)state;
    struct api_rate *rate = api_rate_alloc(10, 2, SECOND);
    uint64_t wait_us;
    api_rate_give(rate, SLICE("nobody"));
    assert_int_equal(api_rate_count(rate), 0);
    for (int i = 0; i < 100; i++) {
        assert_true(api_rate_take(rate, SLICE("a"), START, &wait_us));
        api_rate_give(rate, SLICE("a"));
    }
    assert_int_equal(api_rate_count(rate), 1);
    assert_true(api_rate_take(rate, SLICE("a"), START, &wait_us));
    assert_true(api_rate_take(rate, SLICE("a"), START, &wait_us));
    assert_false(api_rate_take(rate, SLICE("a"), START, &wait_us));
    api_rate_free(rate);
}

static void a_full_table_forgets_the_one_used_longest_ago(void **state)
{
    (void)state;
    struct api_rate *rate = api_rate_alloc(3, 1, SECOND);
    uint64_t wait_us;
    assert_true(api_rate_take(rate, SLICE("a"), START, &wait_us));
    assert_true(api_rate_take(rate, SLICE("b"), START, &wait_us));
    assert_true(api_rate_take(rate, SLICE("c"), START, &wait_us));
    assert_false(api_rate_take(rate, SLICE("a"), START, &wait_us)); /* used, if in vain */
    assert_true(api_rate_take(rate, SLICE("d"), START, &wait_us));
    assert_int_equal(api_rate_count(rate), 3);
    assert_false(api_rate_take(rate, SLICE("a"), START, &wait_us)); /* known, and still empty */
    assert_true(api_rate_take(rate, SLICE("b"), START, &wait_us));
    api_rate_free(rate);
}

static void keys_are_bounded(void **state)
{
    (void)state;
    struct api_rate *rate = api_rate_alloc(3, 1, SECOND);
    char key[API_RATE_KEY_MAX + 1] = "";
    uint64_t wait_us;
    assert_true(api_rate_take(rate, slice_make(key, API_RATE_KEY_MAX), START, &wait_us));
    assert_false(api_rate_take(rate, slice_make(key, sizeof(key)), START, &wait_us));
    api_rate_free(rate);
}

/* ---- the guard ---- */

static struct api_source source_of(const char *ip)
{
    struct netaddr addr;
    assert_int_equal(netaddr_from_ip(&addr, slice_of(ip), 0), 0);
    return api_source_of(&addr);
}

static bool same_source(const char *a, const char *b)
{
    struct api_source x = source_of(a), y = source_of(b);
    return x.len == y.len && memcmp(x.key, y.key, x.len) == 0;
}

static void a_source_is_an_address_or_a_site(void **state)
{
    (void)state;
    assert_true(same_source("192.0.2.1", "192.0.2.1"));
    assert_false(same_source("192.0.2.1", "192.0.2.2"));
    assert_true(same_source("192.0.2.1", "::ffff:192.0.2.1"));
    assert_true(same_source("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
    assert_false(same_source("2001:db8:1:2::1", "2001:db8:1:3::1"));
}

/* One wrong token. Returns whether it is told so. */
static bool guess(struct api_guard *guard, const char *ip, const char *id, uint64_t now_us)
{
    struct api_source source = source_of(ip);
    unsigned wait_s = 0;
    bool may = api_guard_failed(guard, &source, id, now_us, &wait_s);
    assert_int_equal(may, wait_s == 0);
    return may;
}

static void many_ids_give_one_source_no_more_guesses(void **state)
{
    (void)state;
    struct api_guard *guard = api_guard_alloc(0);
    unsigned told = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof(id), "id%u", i);
        told += guess(guard, "192.0.2.1", id, START);
    }
    assert_int_equal(told, API_GUARD_SOURCE_BURST);
    assert_false(guess(guard, "192.0.2.1", "", START)); /* nor texts that are no tokens */
    assert_true(guess(guard, "192.0.2.1", "new", START + API_GUARD_SOURCE_WAIT_S * SECOND));
    assert_true(guess(guard, "192.0.2.2", "new", START));
    api_guard_free(guard);
}

static void many_sources_give_no_more_guesses_at_one_id(void **state)
{
    (void)state;
    struct api_guard *guard = api_guard_alloc(0);
    unsigned told = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char ip[32];
        snprintf(ip, sizeof(ip), "10.0.%u.%u", i / 256, i % 256);
        told += guess(guard, ip, "target", START);
    }
    assert_int_equal(told, API_GUARD_TOKEN_BURST);
    assert_true(guess(guard, "10.0.0.1", "other", START));
    api_guard_free(guard);
}

/* A refused attempt at a busy id must not cost its source what it has for others. */
static void what_was_put_off_costs_nothing(void **state)
{
    (void)state;
    struct api_guard *guard = api_guard_alloc(0);
    for (int i = 0; i < API_GUARD_TOKEN_BURST; i++)
        assert_true(guess(guard, "192.0.2.1", "target", START));
    for (int i = 0; i < 1000; i++)
        assert_false(guess(guard, "192.0.2.2", "target", START));
    for (int i = 0; i < API_GUARD_SOURCE_BURST; i++)
        assert_true(guess(guard, "192.0.2.2", "", START));
    api_guard_free(guard);
}

static void requests_are_bounded_per_client(void **state)
{
    (void)state;
    struct api_guard *guard = api_guard_alloc(5), *none = api_guard_alloc(0);
    struct api_source a = source_of("192.0.2.1"), b = source_of("192.0.2.2");
    unsigned wait_s = 0;
    for (int i = 0; i < 10; i++)
        assert_true(api_guard_request(guard, &a, "", START, &wait_s));
    assert_false(api_guard_request(guard, &a, "", START, &wait_s));
    assert_int_equal(wait_s, 1);
    assert_true(api_guard_request(guard, &b, "", START, &wait_s));
    for (int i = 0; i < 10; i++) /* a token's are its own, wherever it comes from */
        assert_true(api_guard_request(guard, i % 2 ? &a : &b, "token:x", START, &wait_s));
    assert_false(api_guard_request(guard, &b, "token:x", START, &wait_s));
    assert_true(api_guard_request(guard, &b, "token:x", START + SECOND / 5, &wait_s));
    for (int i = 0; i < 1000; i++)
        assert_true(api_guard_request(none, &a, "", START, &wait_s));
    api_guard_free(guard);
    api_guard_free(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_has_its_burst_and_fills_again),
        cmocka_unit_test(what_is_given_back_can_be_taken_again),
        cmocka_unit_test(a_full_table_forgets_the_one_used_longest_ago),
        cmocka_unit_test(keys_are_bounded),
        cmocka_unit_test(a_source_is_an_address_or_a_site),
        cmocka_unit_test(many_ids_give_one_source_no_more_guesses),
        cmocka_unit_test(many_sources_give_no_more_guesses_at_one_id),
        cmocka_unit_test(what_was_put_off_costs_nothing),
        cmocka_unit_test(requests_are_bounded_per_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
