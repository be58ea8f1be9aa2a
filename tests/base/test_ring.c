#include "base/ring.h"

#include "tests/test.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define SIZE ((size_t)4096)

static void put(struct ring *ring, const void *bytes, size_t len)
{
    void *p = ring_reserve(ring, len);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 16, 0);
    memcpy(p, bytes, len);
    ring_commit(ring, len);
}

static void records_come_out_in_order(void **state)
{
    (void)state;
    struct ring *ring = ring_alloc(SIZE);
    size_t len = 99;
    assert_null(ring_peek(ring, &len));
    assert_int_equal(len, 99);
    put(ring, "one", 3);
    put(ring, "", 0);
    put(ring, "three", 5);
    assert_memory_equal(ring_peek(ring, &len), "one", 3);
    assert_int_equal(len, 3);
    assert_memory_equal(ring_peek(ring, &len), "one", 3); /* until it is released */
    ring_release(ring);
    assert_non_null(ring_peek(ring, &len));
    assert_int_equal(len, 0);
    ring_release(ring);
    assert_memory_equal(ring_peek(ring, &len), "three", 5);
    ring_release(ring);
    assert_null(ring_peek(ring, &len));
    assert_null(ring_free(ring));
    assert_null(ring_free(NULL));
}

static void reserved_is_not_seen_before_commit(void **state)
{
    (void)state;
    struct ring *ring = ring_alloc(SIZE);
    size_t len;
    char *p = ring_reserve(ring, 100);
    assert_null(ring_peek(ring, &len));
    memcpy(p, "short", 5);
    ring_commit(ring, 5);
    assert_memory_equal(ring_peek(ring, &len), "short", 5);
    assert_int_equal(len, 5);
    ring_release(ring);
    assert_non_null(ring_reserve(ring, 64)); /* given up: never committed */
    put(ring, "next", 4);
    assert_memory_equal(ring_peek(ring, &len), "next", 4);
    ring_release(ring);
    assert_null(ring_peek(ring, &len));
    ring_free(ring);
}

static void full_ring_refuses_until_the_reader_releases(void **state)
{
    (void)state;
    struct ring *ring = ring_alloc(SIZE);
    size_t len;
    size_t count = 0;
    void *p;
    while ((p = ring_reserve(ring, 100))) {
        memset(p, (int)count++, 100);
        ring_commit(ring, 100);
    }
    assert_in_range(count, SIZE / 128 - 1, SIZE / 116);
    assert_null(ring_reserve(ring, 100));
    const unsigned char *first = ring_peek(ring, &len);
    assert_int_equal(first[99], 0);
    assert_null(ring_reserve(ring, 100)); /* peeking frees nothing */
    ring_release(ring);
    assert_non_null(ring_reserve(ring, 100));
    ring_commit(ring, 100);
    for (size_t i = 1; i < count; i++) {
        const unsigned char *bytes = ring_peek(ring, &len);
        assert_int_equal(len, 100);
        assert_int_equal(bytes[0], i);
        ring_release(ring);
    }
    ring_free(ring);
}

static void quarter_of_the_ring_always_fits_an_empty_one(void **state)
{
    (void)state;
    struct ring *ring = ring_alloc(SIZE);
    size_t len;
    assert_null(ring_reserve(ring, SIZE / 4 + 1));
    assert_null(ring_reserve(ring, SIZE_MAX));
    for (size_t step = 0; step < SIZE; step += 16) { /* from every place of the ring */
        char *p = ring_reserve(ring, SIZE / 4);
        assert_non_null(p);
        memset(p, 'q', SIZE / 4);
        ring_commit(ring, SIZE / 4);
        const char *bytes = ring_peek(ring, &len);
        assert_int_equal(len, SIZE / 4);
        assert_int_equal(bytes[0], 'q');
        assert_int_equal(bytes[len - 1], 'q');
        ring_release(ring);
        put(ring, "", 0); /* on by 16 bytes */
        assert_non_null(ring_peek(ring, &len));
        ring_release(ring);
    }
    ring_free(ring);
}

static void bad_sizes_are_refused(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2048, 4095, 4097, 6000, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        assert_null(ring_alloc(sizes[i]));
}

/* Two threads: the records have every length and a content that follows from their number. */
enum { RECORDS = 200000 };

static size_t record_len(unsigned number)
{
    return 4 + (number * 2654435761U >> 8) % 1000;
}

static void *write_records(void *arg)
{
    struct ring *ring = arg;
    for (unsigned number = 0; number < RECORDS; number++) {
        size_t len = record_len(number);
        char *p;
        while (!(p = ring_reserve(ring, len + number % 16)))
            sched_yield();
        memset(p, (int)(number & 0xff), len);
        memcpy(p, &number, sizeof(number));
        ring_commit(ring, len);
    }
    return NULL;
}

static void nothing_is_lost_or_torn_between_two_threads(void **state)
{
    (void)state;
    struct ring *ring = ring_alloc(SIZE);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_records, ring), 0);
    unsigned bad = 0;
    for (unsigned number = 0; number < RECORDS; number++) {
        size_t len;
        const char *p;
        while (!(p = ring_peek(ring, &len)))
            sched_yield();
        unsigned got;
        memcpy(&got, p, sizeof(got));
        bad += got != number || len != record_len(number);
        for (size_t i = sizeof(got); i < len; i++)
            bad += p[i] != (char)(number & 0xff);
        ring_release(ring);
    }
    pthread_join(writer, NULL);
    assert_int_equal(bad, 0);
    size_t len;
    assert_null(ring_peek(ring, &len));
    ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_out_in_order),
        cmocka_unit_test(reserved_is_not_seen_before_commit),
        cmocka_unit_test(full_ring_refuses_until_the_reader_releases),
        cmocka_unit_test(quarter_of_the_ring_always_fits_an_empty_one),
        cmocka_unit_test(bad_sizes_are_refused),
        cmocka_unit_test(nothing_is_lost_or_torn_between_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
