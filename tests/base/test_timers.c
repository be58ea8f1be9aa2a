#include "base/timers.h"

#include "tests/test.h"

#include <errno.h>

enum { TIMERS_MAX = 1000 };

struct world {
    struct timers *timers;
    int ran[4 * TIMERS_MAX]; /* numbers of the timers in the order they ran */
    size_t count;
};

struct alarm {
    struct timer timer;
    struct world *world;
    int number;
    struct alarm *start; /* what the handler starts ... */
    uint64_t start_ms;   /* ... and for when */
    struct alarm *stop;
};

static int world_setup(void **state)
{
    static struct world world;
    world = (struct world){.timers = timers_alloc(TIMERS_MAX)};
    *state = &world;
    return world.timers ? 0 : -1;
}

static int world_teardown(void **state)
{
    struct world *world = *state;
    return timers_free(world->timers) ? -1 : 0;
}

static void alarm_ring(void *arg)
{
    struct alarm *alarm = arg;
    struct world *world = alarm->world;
    assert_false(timer_is_running(&alarm->timer));
    world->ran[world->count++] = alarm->number;
    if (alarm->start)
        timer_start(world->timers, &alarm->start->timer, alarm->start_ms, alarm_ring, alarm->start);
    if (alarm->stop)
        timer_stop(world->timers, &alarm->stop->timer);
}

static void alarm_set(struct world *world, struct alarm *alarm, int number, uint64_t due_ms)
{
    alarm->world = world;
    alarm->number = number;
    assert_int_equal(timer_start(world->timers, &alarm->timer, due_ms, alarm_ring, alarm), 0);
    assert_true(timer_is_running(&alarm->timer));
}

static void expect_ran(struct world *world, const int *numbers, size_t count)
{
    assert_int_equal(world->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(world->ran[i], numbers[i]);
    world->count = 0;
}

#define EXPECT_RAN(world, ...)                                                                     \
    expect_ran(world, (const int[]){__VA_ARGS__}, COUNT_OF(((const int[]){__VA_ARGS__})))

static void timers_run_when_due_and_not_before(void **state)
{
    struct world *world = *state;
    struct alarm a = {0};
    assert_true(timers_next_ms(world->timers) == UINT64_MAX);
    alarm_set(world, &a, 1, 500);
    assert_int_equal(timers_next_ms(world->timers), 500);
    timers_run(world->timers, 499);
    assert_int_equal(world->count, 0);
    timers_run(world->timers, 500);
    EXPECT_RAN(world, 1);
    timers_run(world->timers, 5000);
    assert_int_equal(world->count, 0);
    assert_true(timers_next_ms(world->timers) == UINT64_MAX);
}

static void oldest_runs_first_and_ties_in_order_of_start(void **state)
{
    struct world *world = *state;
    struct alarm a[6] = {0};
    alarm_set(world, &a[0], 0, 300);
    alarm_set(world, &a[1], 1, 100);
    alarm_set(world, &a[2], 2, 200);
    alarm_set(world, &a[3], 3, 100);
    alarm_set(world, &a[4], 4, 0);
    alarm_set(world, &a[5], 5, 200);
    timers_run(world->timers, 1000);
    EXPECT_RAN(world, 4, 1, 3, 2, 5, 0);
}

static void restart_moves_the_timer_both_ways(void **state)
{
    struct world *world = *state;
    struct alarm a[3] = {0};
    alarm_set(world, &a[0], 0, 100);
    alarm_set(world, &a[1], 1, 200);
    alarm_set(world, &a[2], 2, 300);
    alarm_set(world, &a[0], 0, 250);
    alarm_set(world, &a[2], 2, 50);
    timers_run(world->timers, 1000);
    EXPECT_RAN(world, 2, 1, 0);
    alarm_set(world, &a[0], 0, 2000);
    alarm_set(world, &a[1], 1, 2000);
    alarm_set(world, &a[0], 0, 2000); /* started anew: behind the other one now */
    timers_run(world->timers, 2000);
    EXPECT_RAN(world, 1, 0);
}

static void stopped_timers_do_not_run(void **state)
{
    struct world *world = *state;
    struct alarm a[3] = {0};
    timer_stop(world->timers, &a[0].timer);
    for (int i = 0; i < 3; i++)
        alarm_set(world, &a[i], i, 100);
    timer_stop(world->timers, &a[1].timer);
    timer_stop(world->timers, &a[1].timer);
    assert_false(timer_is_running(&a[1].timer));
    timers_run(world->timers, 100);
    EXPECT_RAN(world, 0, 2);
}

static void what_a_handler_starts_runs_at_once_if_due(void **state)
{
    struct world *world = *state;
    struct alarm late = {.world = world, .number = 3};
    struct alarm due = {.world = world, .number = 2, .start = &late, .start_ms = 101};
    struct alarm first = {.start = &due, .start_ms = 100};
    alarm_set(world, &first, 1, 50);
    timers_run(world->timers, 100);
    EXPECT_RAN(world, 1, 2);
    assert_int_equal(timers_next_ms(world->timers), 101);
    timers_run(world->timers, 101);
    EXPECT_RAN(world, 3);
}

static void handler_may_stop_another_and_start_itself(void **state)
{
    struct world *world = *state;
    struct alarm b = {0};
    struct alarm a = {.stop = &b};
    a.start = &a;
    a.start_ms = 600;
    alarm_set(world, &a, 1, 100);
    alarm_set(world, &b, 2, 100);
    timers_run(world->timers, 100);
    EXPECT_RAN(world, 1);
    timers_run(world->timers, 599);
    assert_int_equal(world->count, 0);
    a.start = NULL;
    timers_run(world->timers, 600);
    EXPECT_RAN(world, 1);
}

static void bound_on_running_timers_holds(void **state)
{
    struct world *world = *state;
    static struct alarm alarms[TIMERS_MAX + 1];
    for (int i = 0; i < TIMERS_MAX; i++)
        alarm_set(world, &alarms[i], i, (uint64_t)i);
    struct timer *extra = &alarms[TIMERS_MAX].timer;
    timer_init(extra);
    assert_int_equal(timer_start(world->timers, extra, 5, alarm_ring, NULL), -ENOMEM);
    assert_false(timer_is_running(extra));
    alarm_set(world, &alarms[7], 7, 5000); /* a restart needs no room */
    timer_stop(world->timers, &alarms[8].timer);
    alarm_set(world, &alarms[TIMERS_MAX], TIMERS_MAX, 6000);
}

/* Against the plain way of doing it: look at all of them. */
static void random_starts_and_stops_run_in_order(void **state)
{
    struct world *world = *state;
    static struct alarm alarms[TIMERS_MAX];
    unsigned random = 42;
    uint64_t now_ms = 0;
    for (int round = 0; round < 20000; round++) {
        random = random * 1103515245 + 12345;
        struct alarm *alarm = &alarms[(random >> 8) % TIMERS_MAX];
        random = random * 1103515245 + 12345;
        if ((random >> 8) % 4 == 0)
            timer_stop(world->timers, &alarm->timer);
        else
            alarm_set(world, alarm, (int)(alarm - alarms), now_ms + (random >> 8) % 300);
        if (round % 8 != 0)
            continue;

        now_ms += 10;
        size_t due = 0;
        uint64_t next_ms = UINT64_MAX;
        for (size_t i = 0; i < TIMERS_MAX; i++) {
            const struct timer *timer = &alarms[i].timer;
            if (!timer_is_running(timer))
                continue;
            due += timer->due_ms <= now_ms;
            if (timer->due_ms < next_ms)
                next_ms = timer->due_ms;
        }
        assert_true(timers_next_ms(world->timers) == next_ms);
        timers_run(world->timers, now_ms);
        assert_int_equal(world->count, due);
        for (size_t i = 1; i < world->count; i++) {
            const struct timer *a = &alarms[world->ran[i - 1]].timer;
            const struct timer *b = &alarms[world->ran[i]].timer;
            assert_true(a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->order < b->order));
        }
        world->count = 0;
    }
}

static void freeing_the_set_stops_its_timers(void **state)
{
    (void)state;
    struct world world = {.timers = timers_alloc(2)};
    struct alarm a = {0};
    alarm_set(&world, &a, 1, 100);
    assert_null(timers_free(world.timers));
    assert_false(timer_is_running(&a.timer));
    assert_null(timers_free(NULL));
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(timers_run_when_due_and_not_before),
        WORLD_TEST(oldest_runs_first_and_ties_in_order_of_start),
        WORLD_TEST(restart_moves_the_timer_both_ways),
        WORLD_TEST(stopped_timers_do_not_run),
        WORLD_TEST(what_a_handler_starts_runs_at_once_if_due),
        WORLD_TEST(handler_may_stop_another_and_start_itself),
        WORLD_TEST(bound_on_running_timers_holds),
        WORLD_TEST(random_starts_and_stops_run_in_order),
        cmocka_unit_test(freeing_the_set_stops_its_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
