/* Random numbers that come again with the seed: splitmix64 (Steele, Lea, Flood 2014). Every random
 * test tells its seed first, and takes one from the environment: JUNCTOR_TEST_SEED=N. */
#ifndef JUNCTOR_TESTS_STORE_DICE_H
#define JUNCTOR_TESTS_STORE_DICE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_u64(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 to sides - 1. */
static inline unsigned dice_roll(struct dice *dice, unsigned sides)
{
    return (unsigned)(dice_u64(dice) % sides);
}

static inline bool dice_percent(struct dice *dice, unsigned percent)
{
    return dice_roll(dice, 100) < percent;
}

static inline void dice_fill(struct dice *dice, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)dice_u64(dice);
}

/* The seed of this run, told on standard output as a TAP comment. */
static inline uint64_t dice_seed(const char *test)
{
    const char *given = getenv("JUNCTOR_TEST_SEED");
    uint64_t seed =
        given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
    printf("# %s: JUNCTOR_TEST_SEED=%llu\n", test, (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

#endif
