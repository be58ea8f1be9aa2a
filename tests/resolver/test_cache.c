#include "resolver/cache.h"

#include "base/status.h"
#include "tests/test.h"

#include <stdio.h>

enum { MAX = 4, STALE_S = 1000 };

static const struct resolver_cache_conf conf = {
    .max = MAX, .ttl_min_s = 1, .ttl_max_s = 86400, .stale_s = STALE_S};

static int cache_setup(void **state)
{
    *state = resolver_cache_alloc(&conf);
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
    resolver_cache_put(cache, name, set, resolver_cache_age(cache), now_ms);
    resolver_set_unref(set);
}

/* The fresh answer, or NULL. */
static struct resolver_set *get(struct resolver_cache *cache, const char *name,
                                enum resolver_type type, uint64_t now_ms, uint32_t *ttl_s)
{
    struct resolver_cached cached;
    if (!resolver_cache_get(cache, name, type, now_ms, &cached) || cached.stale)
        return NULL;
    *ttl_s = cached.ttl_s;
    return cached.set;
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
    };
    struct resolver_cache *cache = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const uint64_t now_ms = 1000000;
        uint64_t dies_ms = now_ms + (uint64_t)cases[i].lives_s * 1000;
        uint32_t ttl_s;
        put(cache, "opb.example", RESOLVER_A, cases[i].status, cases[i].ttl_s, now_ms);
        struct resolver_set *set = get(cache, "opb.example", RESOLVER_A, now_ms, &ttl_s);
        assert_non_null(set);
        assert_int_equal(set->status, cases[i].status);
        assert_int_equal(ttl_s, cases[i].lives_s);
        assert_non_null(get(cache, "opb.example", RESOLVER_A, dies_ms - 1, &ttl_s));
        assert_int_equal(ttl_s, 1);
        assert_null(get(cache, "opb.example", RESOLVER_A, dies_ms, &ttl_s));
        resolver_cache_purge(cache, "");
    }
}

/* It came without SOA (RFC 2308 section 5). */
static void absence_without_ttl_is_not_kept(void **state)
{
    struct resolver_cache *cache = *state;
    put(cache, "opb.example", RESOLVER_A, STATUS_NXDOMAIN, 0, 0);
    put(cache, "opb.example", RESOLVER_SRV, STATUS_NODATA, 0, 0);
    assert_int_equal(resolver_cache_count(cache), 0);
}

static void name_and_type_together_are_the_key(void **state)
{
    struct resolver_cache *cache = *state;
    uint32_t ttl_s;
    put(cache, "opb.example", RESOLVER_A, 0, 60, 0);
    assert_null(get(cache, "opb.example", RESOLVER_AAAA, 0, &ttl_s));
    assert_null(get(cache, "pb.example", RESOLVER_A, 0, &ttl_s));
    assert_null(get(cache, "opb.exampl", RESOLVER_A, 0, &ttl_s));
    put(cache, "opb.example", RESOLVER_AAAA, STATUS_NODATA, 60, 0);
    assert_int_equal(get(cache, "opb.example", RESOLVER_AAAA, 0, &ttl_s)->status, STATUS_NODATA);
    assert_int_equal(get(cache, "opb.example", RESOLVER_A, 0, &ttl_s)->status, 0);
}

static void newer_answer_takes_the_place_of_the_older(void **state)
{
    struct resolver_cache *cache = *state;
    uint32_t ttl_s;
    put(cache, "opb.example", RESOLVER_A, STATUS_NXDOMAIN, 3000, 0);
    put(cache, "opb.example", RESOLVER_A, 0, 10, 5000);
    assert_int_equal(resolver_cache_count(cache), 1);
    assert_int_equal(get(cache, "opb.example", RESOLVER_A, 5000, &ttl_s)->status, 0);
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
    assert_non_null(get(cache, "n0.example", RESOLVER_A, 0, &ttl_s));
    put(cache, "new.example", RESOLVER_A, 0, 60, 0);
    assert_int_equal(resolver_cache_count(cache), MAX);
    assert_null(get(cache, "n1.example", RESOLVER_A, 0, &ttl_s));
    assert_non_null(get(cache, "n0.example", RESOLVER_A, 0, &ttl_s));
    assert_non_null(get(cache, "new.example", RESOLVER_A, 0, &ttl_s));
}

static void set_in_use_outlives_its_place_in_the_cache(void **state)
{
    struct resolver_cache *cache = *state;
    uint32_t ttl_s;
    put(cache, "opb.example", RESOLVER_NAPTR, 0, 60, 0);
    struct resolver_set *set =
        resolver_set_ref(get(cache, "opb.example", RESOLVER_NAPTR, 0, &ttl_s));
    assert_null(get(cache, "opb.example", RESOLVER_NAPTR, 60000, &ttl_s));
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

/* ---- beyond the TTL ---- */

static void old_records_are_kept_where_they_only_lead_a_call(void **state)
{
    static const struct {
        enum resolver_type type;
        int status;
        bool kept;
    } cases[] = {
        {RESOLVER_SRV, 0, true},
        {RESOLVER_A, 0, true},
        {RESOLVER_AAAA, 0, true},
        {RESOLVER_NAPTR, 0, false},
        {RESOLVER_TXT, 0, false},
        {RESOLVER_TLSA, 0, false},
        {RESOLVER_SRV, STATUS_NODATA, false}, /* an old "none" must not be taken for "none" */
        {RESOLVER_A, STATUS_NXDOMAIN, false},
    };
    struct resolver_cache *cache = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct resolver_cached cached;
        put(cache, "opb.example", cases[i].type, cases[i].status, 60, 0);
        assert_true(resolver_cache_get(cache, "opb.example", cases[i].type, 59999, &cached));
        assert_false(cached.stale);
        bool kept = resolver_cache_get(cache, "opb.example", cases[i].type, 60000, &cached);
        assert_int_equal(kept, cases[i].kept);
        if (!kept)
            continue;
        assert_true(cached.stale && cached.recheck);
        assert_int_equal(cached.ttl_s, RESOLVER_STALE_TTL_S);
        uint64_t last_ms = 60000 + STALE_S * 1000 - 1;
        assert_true(resolver_cache_get(cache, "opb.example", cases[i].type, last_ms, &cached));
        assert_false(resolver_cache_get(cache, "opb.example", cases[i].type, last_ms + 1, &cached));
    }
}

static void popular_answer_is_to_be_renewed_in_the_last_tenth_of_its_time(void **state)
{
    struct resolver_cache *cache = *state;
    struct resolver_cached cached;
    put(cache, "opb.example", RESOLVER_NAPTR, 0, 100, 0);
    for (int i = 0; i < RESOLVER_POPULAR; i++) {
        assert_true(resolver_cache_get(cache, "opb.example", RESOLVER_NAPTR, 95000, &cached));
        assert_false(cached.recheck); /* not so popular yet */
    }
    assert_true(resolver_cache_get(cache, "opb.example", RESOLVER_NAPTR, 89999, &cached));
    assert_false(cached.recheck);
    assert_true(resolver_cache_get(cache, "opb.example", RESOLVER_NAPTR, 90000, &cached));
    assert_true(cached.recheck);
    assert_false(cached.failed);
}

static void after_a_failure_it_is_not_rechecked_for_a_while(void **state)
{
    struct resolver_cache *cache = *state;
    struct resolver_cached cached;
    put(cache, "opb.example", RESOLVER_A, 0, 100, 0);
    resolver_cache_failed(cache, "opb.example", RESOLVER_A, 200000);
    resolver_cache_failed(cache, "other.example", RESOLVER_A, 200000); /* nothing is kept of it */
    uint64_t again_ms = 200000 + RESOLVER_RECHECK_MS;
    assert_true(resolver_cache_get(cache, "opb.example", RESOLVER_A, again_ms - 1, &cached));
    assert_true(cached.stale && cached.failed && !cached.recheck);
    assert_true(resolver_cache_get(cache, "opb.example", RESOLVER_A, again_ms, &cached));
    assert_true(cached.stale && cached.failed && cached.recheck);
    put(cache, "opb.example", RESOLVER_A, 0, 100, again_ms);
    assert_true(resolver_cache_get(cache, "opb.example", RESOLVER_A, again_ms, &cached));
    assert_false(cached.stale || cached.failed || cached.recheck);
}

static void ttl_zero_is_not_kept_without_a_floor(void **state)
{
    (void)state;
    struct resolver_cache_conf bare = {.max = MAX, .ttl_max_s = 50};
    struct resolver_cache *cache = resolver_cache_alloc(&bare);
    uint32_t ttl_s;
    put(cache, "opb.example", RESOLVER_A, 0, 0, 0);
    assert_int_equal(resolver_cache_count(cache), 0);
    put(cache, "opb.example", RESOLVER_A, 0, 1000, 0);
    assert_non_null(get(cache, "opb.example", RESOLVER_A, 49999, &ttl_s));
    assert_null(get(cache, "opb.example", RESOLVER_A, 50000, &ttl_s));
    resolver_cache_free(cache);
}

/* Few of the largest sets must not take the memory of many usual ones. */
static void memory_is_bounded_too(void **state)
{
    struct resolver_cache *cache = *state;
    char name[32];
    for (unsigned i = 0; i < MAX; i++) {
        struct resolver_set *set = resolver_set_alloc(RESOLVER_NAPTR, 4, 2000);
        assert_non_null(set);
        set->ttl_s = 60;
        snprintf(name, sizeof(name), "d%u.example", i);
        resolver_cache_put(cache, name, set, resolver_cache_age(cache), 0);
        resolver_set_unref(set);
        assert_in_range(resolver_cache_octets(cache), 2000, MAX * RESOLVER_ANSWER_OCTETS);
    }
    uint32_t ttl_s;
    assert_true(resolver_cache_count(cache) < MAX);
    assert_non_null(get(cache, name, RESOLVER_NAPTR, 0, &ttl_s));
    assert_null(get(cache, "d0.example", RESOLVER_NAPTR, 0, &ttl_s));
    resolver_cache_purge(cache, "");
    put(cache, "small.example", RESOLVER_A, 0, 60, 0);
    assert_non_null(get(cache, "small.example", RESOLVER_A, 0, &ttl_s));
}

/* ---- purges ---- */

static void purge_takes_a_name_and_all_below_it(void **state)
{
    struct resolver_cache *cache = *state;
    uint32_t ttl_s;
    put(cache, "opb.example", RESOLVER_NAPTR, 0, 60, 0);
    put(cache, "opb.example", RESOLVER_A, STATUS_NODATA, 60, 0);
    put(cache, "edge.opb.example", RESOLVER_A, 0, 60, 0);
    put(cache, "hopb.example", RESOLVER_A, 0, 60, 0);
    resolver_cache_purge(cache, "opb.example");
    assert_null(get(cache, "opb.example", RESOLVER_NAPTR, 1, &ttl_s));
    assert_null(get(cache, "opb.example", RESOLVER_A, 1, &ttl_s));
    assert_null(get(cache, "edge.opb.example", RESOLVER_A, 1, &ttl_s));
    assert_non_null(get(cache, "hopb.example", RESOLVER_A, 1, &ttl_s));
    put(cache, "opb.example", RESOLVER_NAPTR, 0, 60, 2);
    assert_non_null(get(cache, "opb.example", RESOLVER_NAPTR, 2, &ttl_s));
}

static void stale_answer_is_purged_too(void **state)
{
    struct resolver_cache *cache = *state;
    struct resolver_cached cached;
    put(cache, "opb.example", RESOLVER_A, 0, 60, 0);
    resolver_cache_purge(cache, "opb.example");
    assert_false(resolver_cache_get(cache, "opb.example", RESOLVER_A, 70000, &cached));
}

static void answer_to_a_question_older_than_the_purge_is_not_kept(void **state)
{
    struct resolver_cache *cache = *state;
    uint32_t ttl_s;
    uint64_t asked = resolver_cache_age(cache);
    resolver_cache_purge(cache, "opb.example");
    struct resolver_set *set = resolver_set_alloc(RESOLVER_A, 0, 0);
    assert_non_null(set);
    set->ttl_s = 60;
    resolver_cache_put(cache, "opb.example", set, asked, 0);
    assert_null(get(cache, "opb.example", RESOLVER_A, 0, &ttl_s));
    resolver_cache_put(cache, "opc.example", set, asked, 0);
    assert_non_null(get(cache, "opc.example", RESOLVER_A, 0, &ttl_s));
    resolver_set_unref(set);
}

static void each_of_many_purges_counts(void **state)
{
    struct resolver_cache *cache = *state;
    uint32_t ttl_s;
    for (int purges = 1; purges <= 2 * RESOLVER_PURGES_MAX; purges++) {
        put(cache, "first.example", RESOLVER_A, 0, 60, 0);
        put(cache, "other.example", RESOLVER_A, 0, 60, 0);
        resolver_cache_purge(cache, "first.example");
        for (int i = 1; i < purges; i++)
            resolver_cache_purge(cache, "x.example");
        assert_null(get(cache, "first.example", RESOLVER_A, 0, &ttl_s));
        bool remembered = purges <= RESOLVER_PURGES_MAX;
        assert_int_equal(get(cache, "other.example", RESOLVER_A, 0, &ttl_s) != NULL, remembered);
    }
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, cache_setup, cache_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(answer_lives_as_long_as_its_ttl_within_bounds),
        CACHE_TEST(absence_without_ttl_is_not_kept),
        CACHE_TEST(memory_is_bounded_too),
        CACHE_TEST(name_and_type_together_are_the_key),
        CACHE_TEST(newer_answer_takes_the_place_of_the_older),
        CACHE_TEST(full_cache_forgets_what_was_used_least_recently),
        CACHE_TEST(set_in_use_outlives_its_place_in_the_cache),
        CACHE_TEST(thousand_names_keep_the_bound),
        CACHE_TEST(old_records_are_kept_where_they_only_lead_a_call),
        CACHE_TEST(popular_answer_is_to_be_renewed_in_the_last_tenth_of_its_time),
        CACHE_TEST(after_a_failure_it_is_not_rechecked_for_a_while),
        cmocka_unit_test(ttl_zero_is_not_kept_without_a_floor),
        CACHE_TEST(purge_takes_a_name_and_all_below_it),
        CACHE_TEST(stale_answer_is_purged_too),
        CACHE_TEST(answer_to_a_question_older_than_the_purge_is_not_kept),
        CACHE_TEST(each_of_many_purges_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
