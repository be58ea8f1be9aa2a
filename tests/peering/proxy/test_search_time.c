/* The span of a search, with an invented clock. */
#include "peering/proxy/search_time.h"
#include "tests/test.h"

struct span {
    struct timers *timers;
    struct search_time time;
    unsigned over;
};

static void on_over(void *arg)
{
    struct span *span = arg;
    span->over++;
}

static int set_up(void **state)
{
    static struct span span;
    span = (struct span){.timers = timers_alloc(4)};
    search_time_init(&span.time, 12000);
    *state = &span;
    return 0;
}

static int tear_down(void **state)
{
    struct span *span = *state;
    timers_free(span->timers);
    return 0;
}

static void run(struct span *span, uint64_t now_ms)
{
    assert_int_equal(search_time_run(&span->time, span->timers, now_ms, on_over, span), 0);
}

static void it_ends_when_its_span_is_over(void **state)
{
    struct span *span = *state;
    run(span, 1000);
    timers_run(span->timers, 12999);
    assert_int_equal(span->over, 0);
    timers_run(span->timers, 13000);
    assert_int_equal(span->over, 1);
}

static void what_is_waited_for_takes_nothing_of_it(void **state)
{
    struct span *span = *state;
    run(span, 1000);
    search_time_stop(&span->time, span->timers, 5000);
    search_time_stop(&span->time, span->timers, 9000);
    timers_run(span->timers, 100000);
    assert_int_equal(span->over, 0);
    run(span, 100000);
    timers_run(span->timers, 107999);
    assert_int_equal(span->over, 0);
    timers_run(span->timers, 108000);
    assert_int_equal(span->over, 1);
}

/* However often a target answers provisionally and then leads on. */
static void all_its_parts_are_one_span(void **state)
{
    struct span *span = *state;
    uint64_t now_ms = 0, searched_ms = 0;
    while (!span->over) {
        run(span, now_ms);
        now_ms += 700;
        searched_ms += 700;
        timers_run(span->timers, now_ms);
        search_time_stop(&span->time, span->timers, now_ms);
        now_ms += 30000;
    }
    assert_in_range(searched_ms, 12000, 12699);
}

static void one_that_runs_is_not_begun_again(void **state)
{
    struct span *span = *state;
    run(span, 0);
    run(span, 11000);
    timers_run(span->timers, 12000);
    assert_int_equal(span->over, 1);
}

static void nothing_left_is_over_at_once(void **state)
{
    struct span *span = *state;
    run(span, 0);
    search_time_stop(&span->time, span->timers, 50000); /* the loop was late */
    run(span, 60000);
    timers_run(span->timers, 60000);
    assert_int_equal(span->over, 1);
}

#define SPAN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPAN_TEST(it_ends_when_its_span_is_over), SPAN_TEST(what_is_waited_for_takes_nothing_of_it),
        SPAN_TEST(all_its_parts_are_one_span),    SPAN_TEST(one_that_runs_is_not_begun_again),
        SPAN_TEST(nothing_left_is_over_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
