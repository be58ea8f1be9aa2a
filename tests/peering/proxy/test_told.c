/* What authorities told, remembered for a while and within bounds. */
#include "peering/proxy/told.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static struct store_address address(unsigned number)
{
    struct store_address made;
    memset(&made, 0, sizeof(made));
    snprintf(made.user, sizeof(made.user), "user%u", number);
    snprintf(made.domain, sizeof(made.domain), "opb.example");
    return made;
}

static const struct told ported = {.host = "opc.example"}, stayed = {.unknown = false};

static void it_is_known_until_its_time_is_over(void **state)
{
    struct told_table *table = told_alloc(4);
    struct store_address bob = address(1), eve = address(2);
    struct told told;
    uint64_t age_ms;
    (void)state;
    told_put(table, &bob, &ported, 10, 1000);
    assert_true(told_get(table, &bob, 10999, &told, &age_ms));
    assert_string_equal(told.host, "opc.example");
    assert_int_equal(age_ms, 9999);
    assert_false(told_get(table, &bob, 11000, &told, &age_ms));
    assert_false(told_get(table, &eve, 1000, &told, &age_ms));
    told_free(table);
}

static void what_is_told_later_counts(void **state)
{
    struct told_table *table = told_alloc(4);
    struct store_address bob = address(1);
    struct told told;
    uint64_t age_ms;
    (void)state;
    told_put(table, &bob, &ported, 10, 1000);
    told_put(table, &bob, &stayed, 10, 2000);
    assert_true(told_get(table, &bob, 2500, &told, &age_ms));
    assert_string_equal(told.host, "");
    assert_int_equal(age_ms, 500);
    told_put(table, &bob, &ported, 0, 3000); /* expires=0: not to be remembered at all */
    assert_false(told_get(table, &bob, 3000, &told, &age_ms));
    told_forget(table, &bob);
    told_free(table);
}

/* It holds for that peer, and while anything is told of the address, be it told anew. */
static void who_was_refused_is_known_for_a_while(void **state)
{
    struct told_table *table = told_alloc(4);
    struct store_address bob = address(1), eve = address(2);
    (void)state;
    told_refused_put(table, &bob, "opd.example", 1000); /* nothing is told of it */
    assert_false(told_refused_get(table, &bob, "opd.example", 1000, 500));
    told_put(table, &bob, &ported, 10, 1000);
    assert_false(told_refused_get(table, &bob, "opd.example", 1000, 500));
    told_refused_put(table, &bob, "opd.example", 1000);
    told_put(table, &bob, &stayed, 10, 1400);
    assert_true(told_refused_get(table, &bob, "opd.example", 1499, 500));
    assert_false(told_refused_get(table, &bob, "opd.example", 1500, 500));
    assert_false(told_refused_get(table, &bob, "ope.example", 1400, 500));
    assert_false(told_refused_get(table, &eve, "opd.example", 1400, 500));
    told_forget(table, &bob);
    told_put(table, &eve, &ported, 10, 1400); /* in the place of bob's */
    assert_false(told_refused_get(table, &eve, "opd.example", 1400, 500));
    told_free(table);
}

static void a_full_table_forgets_what_it_was_told_first(void **state)
{
    struct told_table *table = told_alloc(100);
    struct told told;
    uint64_t age_ms;
    (void)state;
    for (unsigned i = 0; i < 999; i++) {
        struct store_address one = address(i);
        told_put(table, &one, &ported, 60, i);
        if (i % 3 == 0)
            told_forget(table, &one);
    }
    unsigned known = 0;
    for (unsigned i = 0; i < 999; i++) {
        struct store_address one = address(i);
        known += told_get(table, &one, 1000, &told, &age_ms);
    }
    assert_int_equal(known, 100);
    struct store_address last = address(998), gone = address(500);
    assert_true(told_get(table, &last, 1000, &told, &age_ms));
    assert_false(told_get(table, &gone, 1000, &told, &age_ms));
    told_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_known_until_its_time_is_over),
        cmocka_unit_test(what_is_told_later_counts),
        cmocka_unit_test(who_was_refused_is_known_for_a_while),
        cmocka_unit_test(a_full_table_forgets_what_it_was_told_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
