#include "base/gate.h"

#include "tests/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#define THREADS 16
#define ROUNDS  2000

struct crowd {
    struct gate gate;
    atomic_int round; /* how many are begun */
    atomic_int done[THREADS];
};

struct member {
    struct crowd *crowd;
    int number;
    pthread_t thread;
};

static void *member_main(void *arg)
{
    const struct member *member = arg;
    struct crowd *crowd = member->crowd;
    unsigned seen;
    for (int round = 1; round <= ROUNDS; round++) {
        while (seen = gate_look(&crowd->gate), atomic_load(&crowd->round) < round)
            gate_wait(&crowd->gate, seen);
        atomic_store(&crowd->done[member->number], round);
    }
    return NULL;
}

static bool everybody_did(struct crowd *crowd, int round)
{
    for (int i = 0; i < THREADS; i++)
        if (atomic_load(&crowd->done[i]) < round)
            return false;
    return true;
}

/* A wake that is lost would leave its thread behind, and the test would never end. */
static void whoever_waits_is_woken_each_time(void **state)
{
    (void)state;
    struct crowd crowd = {.round = 0};
    struct member members[THREADS];
    for (int i = 0; i < THREADS; i++) {
        members[i] = (struct member){.crowd = &crowd, .number = i};
        assert_int_equal(pthread_create(&members[i].thread, NULL, member_main, &members[i]), 0);
    }
    for (int round = 1; round <= ROUNDS; round++) {
        atomic_store(&crowd.round, round);
        gate_open(&crowd.gate);
        while (!everybody_did(&crowd, round))
            sched_yield();
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(members[i].thread, NULL);
    assert_true(everybody_did(&crowd, ROUNDS));
}

static void what_was_opened_since_the_look_does_not_wait(void **state)
{
    (void)state;
    struct gate gate = {0};
    unsigned seen = gate_look(&gate);
    gate_open(&gate);
    gate_wait(&gate, seen); /* returns */
    assert_int_not_equal(gate_look(&gate), seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_waits_is_woken_each_time),
        cmocka_unit_test(what_was_opened_since_the_look_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
