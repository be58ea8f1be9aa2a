/* Requests of other operators are counted by route, and nobody makes as many rows as he likes. */
#include "api/federation_internal.h"
#include "tests/test.h"

#include <string.h>

static int tally_setup(void **state)
{
    struct federation *federation = calloc(1, sizeof(*federation));
    pthread_mutex_init(&federation->tally.lock, NULL);
    *state = federation;
    return 0;
}

static int tally_teardown(void **state)
{
    free(*state);
    return 0;
}

static uint64_t counted(struct federation *federation, const char *method, const char *route,
                        unsigned digit)
{
    struct federation_count list[FEDERATION_COUNTS_MAX];
    size_t count = federation_counts_get(federation, list);
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].method, method) == 0 && strcmp(list[i].route, route) == 0)
            return list[i].answers[digit];
    return 0;
}

static void each_route_has_its_classes(void **state)
{
    struct federation *federation = *state;
    struct federation_tally *tally = &federation->tally;
    federation_tally_add(tally, "POST", "/ports", 200);
    federation_tally_add(tally, "POST", "/ports", 403);
    federation_tally_add(tally, "POST", "/ports", 409);
    federation_tally_add(tally, "GET", "/ports", 200);
    federation_tally_add(tally, NULL, NULL, 403);
    federation_tally_add(tally, "PUT", NULL, 404);
    assert_int_equal(counted(federation, "POST", "/ports", 2), 1);
    assert_int_equal(counted(federation, "POST", "/ports", 4), 2);
    assert_int_equal(counted(federation, "GET", "/ports", 2), 1);
    assert_int_equal(counted(federation, "any", "none", 4), 2);
}

static void methods_of_the_clients_own_are_one(void **state)
{
    struct federation *federation = *state;
    federation_tally_add(&federation->tally, "BREW", "/ports", 405);
    federation_tally_add(&federation->tally, "WHEN", "/ports", 405);
    assert_int_equal(counted(federation, "other", "/ports", 4), 2);
}

static void the_rows_are_bounded(void **state)
{
    struct federation *federation = *state;
    static char routes[2 * FEDERATION_COUNTS_MAX][16];
    struct federation_count list[FEDERATION_COUNTS_MAX];
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        snprintf(routes[i], sizeof(routes[i]), "/%zu", i);
        federation_tally_add(&federation->tally, "GET", routes[i], 200);
    }
    assert_int_equal(federation_counts_get(federation, list), FEDERATION_COUNTS_MAX);
    assert_int_equal(counted(federation, "other", "other", 2), FEDERATION_COUNTS_MAX + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, tally_setup, tally_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_route_has_its_classes),
        TEST(methods_of_the_clients_own_are_one),
        TEST(the_rows_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
