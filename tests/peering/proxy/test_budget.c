/* How many questions about foreign callers may be asked (design 3.4), on an invented clock. */
#include "peering/proxy/budget.h"
#include "tests/test.h"

#include <stdio.h>

#define VICTIM  "victim.example"
#define SECONDS 20

static const uint8_t key[16] = "sixteen octets..";

/* A thousand callers a second, each from a peer of its own, all of one victim's domain. */
static void a_thousand_callers_a_second_cause_at_most_ten_probes_a_second(void **state)
{
    struct budgets *budgets = budgets_alloc(key);
    uint64_t asked_ms[SECONDS * 10 + 10];
    size_t asked = 0;
    (void)state;
    for (uint64_t now_ms = 5000; now_ms < 5000 + SECONDS * 1000; now_ms++) {
        if (!budget_take(budgets, BUDGET_PROBES, VICTIM, now_ms))
            continue;
        assert_true(asked < COUNT_OF(asked_ms));
        asked_ms[asked++] = now_ms;
        budget_give(budgets, BUDGET_PROBES, VICTIM, false);
    }
    assert_true(asked > SECONDS); /* some go through */
    for (size_t i = 10; i < asked; i++)
        assert_true(asked_ms[i] - asked_ms[i - 10] >= 1000);
    budgets_free(budgets);
}

static void a_victim_that_does_not_answer_has_four_questions_at_most(void **state)
{
    struct budgets *budgets = budgets_alloc(key);
    int under_way = 0;
    (void)state;
    for (uint64_t now_ms = 5000; now_ms < 15000; now_ms += 100)
        under_way += budget_take(budgets, BUDGET_PROBES, VICTIM, now_ms);
    assert_int_equal(under_way, 4);
    budget_give(budgets, BUDGET_PROBES, VICTIM, false);
    assert_true(budget_take(budgets, BUDGET_PROBES, VICTIM, 15000));
    budgets_free(budgets);
}

static void a_peer_has_five_lookups_and_then_one_in_twelve_seconds(void **state)
{
    struct budgets *budgets = budgets_alloc(key);
    int taken = 0;
    (void)state;
    for (uint64_t now_ms = 1000000; now_ms < 1060000; now_ms += 10)
        if (budget_take(budgets, BUDGET_LOOKUPS, "peer.example", now_ms)) {
            taken++;
            budget_give(budgets, BUDGET_LOOKUPS, "peer.example", false);
        }
    assert_int_equal(taken, 5 + 4);
    assert_true(budget_take(budgets, BUDGET_LOOKUPS, "other.example", 1060000));
    budgets_free(budgets);
}

static void a_peer_asks_two_at_once_and_more_when_it_was_right(void **state)
{
    struct budgets *budgets = budgets_alloc(key);
    (void)state;
    assert_true(budget_take(budgets, BUDGET_LOOKUPS, "peer.example", 1000));
    assert_true(budget_take(budgets, BUDGET_LOOKUPS, "peer.example", 1000));
    assert_false(budget_take(budgets, BUDGET_LOOKUPS, "peer.example", 1000));
    budget_give(budgets, BUDGET_LOOKUPS, "peer.example", true);
    budget_give(budgets, BUDGET_LOOKUPS, "peer.example", true);
    for (int i = 0; i < 4; i++)
        assert_true(budget_take(budgets, BUDGET_LOOKUPS, "peer.example", 1000));
    assert_false(budget_take(budgets, BUDGET_LOOKUPS, "peer.example", 1000));
    budget_give(budgets, BUDGET_LOOKUPS, "peer.example", false);
    assert_false(budget_take(budgets, BUDGET_LOOKUPS, "peer.example", 1000));
    budgets_free(budgets);
}

/* A success gives its question back: an operator with many ported customers is not held up. */
static void who_is_always_right_is_never_refused(void **state)
{
    struct budgets *budgets = budgets_alloc(key);
    (void)state;
    for (uint64_t now_ms = 1000; now_ms < 11000; now_ms++) {
        assert_true(budget_take(budgets, BUDGET_LOOKUPS, "good.example", now_ms));
        budget_give(budgets, BUDGET_LOOKUPS, "good.example", true);
    }
    budgets_free(budgets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_callers_a_second_cause_at_most_ten_probes_a_second),
        cmocka_unit_test(a_victim_that_does_not_answer_has_four_questions_at_most),
        cmocka_unit_test(a_peer_has_five_lookups_and_then_one_in_twelve_seconds),
        cmocka_unit_test(a_peer_asks_two_at_once_and_more_when_it_was_right),
        cmocka_unit_test(who_is_always_right_is_never_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
