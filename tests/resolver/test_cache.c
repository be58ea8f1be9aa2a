#include "resolver/cache.h"

#include "base/status.h"
#include "tests/test.h"

#include <stdio.h>

enum { MAX = 4 };

static int cache_setup(void **state)
{
    *state = resolver_cache_alloc(MAX);
    return *state ? 0 : -1;
}

static int cache_teardown(void **state)
{
    return resolver_cache_free(*state) ? -1 : 0;
}

/* Puts a set of its own, as question.c does: the cache's reference is the only one left. */
static void put(struct resolver_cache *cache, const char *name, enum resolver_type type, int status,
                uint32_t ttl_s, uint64_t now_ms)
{
    struct resolver_set *set = resolver_set_alloc(type, 0, 0);
    assert_non_null(set);
    set->status = status;
    set->ttl_s = ttl_s;
    resolver_cache_put(cache, name, set, now_ms);
    resolver_set_unref(set);
}

static void answer_lives_as_long_as_its_ttl_within_bounds(void **state)
{
    static const struct {
        int status;
        uint32_t ttl_s, lives_s;
    } cases[] = {
        {0, 300, 300},
        {0, 0, 1}, /* floor */
        {0, 86400, 86400},
        {0, 86401, 86400}, /* a day at most */
        {0, UINT32_MAX, 86400},
        {STATUS_NXDOMAIN, 60, 60},
        {STATUS_NODATA, 3601, 3600}, /* an hour at most for "there is none" */
        {STATUS_NXDOMAIN, 0, 1},
    };
    struct resolver_cache *cache = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const uint64_t now_ms = 1000000;
        uint64_t dies_ms = now_ms + (uint64_t)cases[i].lives_s * 1000;
        uint32_t ttl_s;
        put(cache, "opb.example", RESOLVER_A, cases[i].status, cases[i].ttl_s, now_ms);
        struct resolver_set *set =
            resolver_cache_get(cache, "opb.example", RESOLVER_A, now_ms, &ttl_s);
        assert_non_null(set);
        assert_int_equal(set->status, cases[i].status);
        assert_int_equal(ttl_s, cases[i].lives_s);
        assert_non_null(resolver_cache_get(cache, "opb.example", RESOLVER_A, dies_ms - 1, &ttl_s));
        assert_int_equal(ttl_s, 1);
        assert_null(resolver_cache_get(cache, "opb.example", RESOLVER_A, dies_ms, &ttl_s));
        assert_int_equal(resolver_cache_count(cache), 0);
    }
}

static void name_and_type_together_are_the_key(void **state)
{
    struct resolver_cache *cache = *state;
    uint32_t ttl_s;
    put(cache, "opb.example", RESOLVER_A, 0, 60, 0);
    assert_null(resolver_cache_get(cache, "opb.example", RESOLVER_AAAA, 0, &ttl_s));
    assert_null(resolver_cache_get(cache, "pb.example", RESOLVER_A, 0, &ttl_s));
    assert_null(resolver_cache_get(cache, "opb.exampl", RESOLVER_A, 0, &ttl_s));
    put(cache, "opb.example", RESOLVER_AAAA, STATUS_NODATA, 60, 0);
    assert_int_equal(resolver_cache_get(cache, "opb.example", RESOLVER_AAAA, 0, &ttl_s)->status,
                     STATUS_NODATA);
    assert_int_equal(resolver_cache_get(cache, "opb.example", RESOLVER_A, 0, &ttl_s)->status, 0);
}

static void newer_answer_takes_the_place_of_the_older(void **state)
{
    struct resolver_cache *cache = *state;
    uint32_t ttl_s;
    put(cache, "opb.example", RESOLVER_A, STATUS_NXDOMAIN, 3000, 0);
    put(cache, "opb.example", RESOLVER_A, 0, 10, 5000);
    assert_int_equal(resolver_cache_count(cache), 1);
    assert_int_equal(resolver_cache_get(cache, "opb.example", RESOLVER_A, 5000, &ttl_s)->status, 0);
    assert_int_equal(ttl_s, 10);
}

static void full_cache_forgets_what_was_used_least_recently(void **state)
{
    struct resolver_cache *cache = *state;
    uint32_t ttl_s;
    char name[32];
    for (int i = 0; i < MAX; i++) {
        snprintf(name, sizeof(name), "n%d.example", i);
        put(cache, name, RESOLVER_A, 0, 60, 0);
    }
    assert_non_null(resolver_cache_get(cache, "n0.example", RESOLVER_A, 0, &ttl_s));
    put(cache, "new.example", RESOLVER_A, 0, 60, 0);
    assert_int_equal(resolver_cache_count(cache), MAX);
    assert_null(resolver_cache_get(cache, "n1.example", RESOLVER_A, 0, &ttl_s));
    assert_non_null(resolver_cache_get(cache, "n0.example", RESOLVER_A, 0, &ttl_s));
    assert_non_null(resolver_cache_get(cache, "new.example", RESOLVER_A, 0, &ttl_s));
}

static void set_in_use_outlives_its_place_in_the_cache(void **state)
{
    struct resolver_cache *cache = *state;
    uint32_t ttl_s;
    put(cache, "opb.example", RESOLVER_A, 0, 60, 0);
    struct resolver_set *set =
        resolver_set_ref(resolver_cache_get(cache, "opb.example", RESOLVER_A, 0, &ttl_s));
    assert_null(resolver_cache_get(cache, "opb.example", RESOLVER_A, 60000, &ttl_s));
    assert_int_equal(set->refs, 1);
    assert_int_equal(set->ttl_s, 60);
    assert_null(resolver_set_unref(set));
}

static void thousand_names_keep_the_bound(void **state)
{
    struct resolver_cache *cache = *state;
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n%d.example", i);
        put(cache, name, RESOLVER_SRV, 0, 60, (uint64_t)i);
        assert_true(resolver_cache_count(cache) <= MAX);
    }
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, cache_setup, cache_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(answer_lives_as_long_as_its_ttl_within_bounds),
        CACHE_TEST(name_and_type_together_are_the_key),
        CACHE_TEST(newer_answer_takes_the_place_of_the_older),
        CACHE_TEST(full_cache_forgets_what_was_used_least_recently),
        CACHE_TEST(set_in_use_outlives_its_place_in_the_cache),
        CACHE_TEST(thousand_names_keep_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
