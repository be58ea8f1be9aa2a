#include "peering/watch/peers.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

#define MINUTE 60000ull

static struct watch_peers *peers_make(size_t count)
{
    struct watch_peers *peers = calloc(count, sizeof(*peers));
    assert_non_null(peers);
    return peers;
}

static void workers_are_merged_and_the_busiest_come_first(void **state)
{
    struct watch_peers *peers = peers_make(2);
    struct watch_peer list[2], other;
    (void)state;
    watch_peers_count(&peers[0], "b.example", WATCH_IN, WATCH_ANSWERED, MINUTE);
    watch_peers_count(&peers[1], "b.example", WATCH_OUT, WATCH_FAILED, 2 * MINUTE);
    watch_peers_count(&peers[1], "a.example", WATCH_IN, WATCH_REFUSED, MINUTE);
    watch_peers_count(&peers[0], "c.example", WATCH_IN, WATCH_DECLINED, MINUTE);
    assert_int_equal(watch_peers_merge(peers, 2, list, 2, &other), 2);
    assert_string_equal(list[0].name, "b.example");
    assert_int_equal(list[0].requests[WATCH_IN][WATCH_ANSWERED], 1);
    assert_int_equal(list[0].requests[WATCH_OUT][WATCH_FAILED], 1);
    assert_int_equal(list[0].last_ms, 2 * MINUTE);
    assert_string_equal(list[1].name, "a.example");
    assert_int_equal(other.requests[WATCH_IN][WATCH_DECLINED], 1);
    free(peers);
}

/* However many names there are: the table is bounded, and no request is lost from the sum. */
static void the_least_used_give_way_and_stay_in_the_sum(void **state)
{
    enum { NAMES = 5000, LIST = 100 };
    struct watch_peers *peers = peers_make(1);
    struct watch_peer *list = calloc(LIST, sizeof(*list)), other;
    char name[32];
    (void)state;
    assert_non_null(list);
    for (unsigned i = 0; i < 50; i++)
        watch_peers_count(peers, "good.example", WATCH_IN, WATCH_ANSWERED, MINUTE);
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "n%u.example", i);
        watch_peers_count(peers, name, WATCH_IN, WATCH_ANSWERED, MINUTE);
    }
    assert_int_equal(watch_peers_merge(peers, 1, list, LIST, &other), LIST);
    assert_string_equal(list[0].name, "good.example");
    uint64_t sum = watch_peer_total(&other);
    for (size_t i = 0; i < LIST; i++)
        sum += watch_peer_total(&list[i]);
    assert_int_equal(sum, NAMES + 50);
    free(list);
    free(peers);
}

static void domains_that_were_never_reached_push_no_peer_out(void **state)
{
    enum { NAMES = 5000, LIST = 100 };
    struct watch_peers *peers = peers_make(1);
    struct watch_peer *list = calloc(LIST, sizeof(*list)), other;
    char name[32];
    (void)state;
    assert_non_null(list);
    watch_peers_count(peers, "called.example", WATCH_OUT, WATCH_DECLINED, MINUTE);
    watch_peers_count(peers, "caller.example", WATCH_IN, WATCH_REFUSED, MINUTE);
    for (unsigned i = 0; i < NAMES * 2; i++) {
        snprintf(name, sizeof(name), "n%u.example", i / 2);
        watch_peers_count(peers, name, WATCH_OUT, WATCH_FAILED, MINUTE);
    }
    assert_int_equal(watch_peers_merge(peers, 1, list, LIST, &other), LIST);
    assert_string_equal(list[0].name, "called.example");
    assert_string_equal(list[1].name, "caller.example");
    free(list);
    free(peers);
}

static void the_rate_is_that_of_the_last_whole_minute(void **state)
{
    struct watch_peers *peers = peers_make(1);
    struct watch_peer list[1], other;
    (void)state;
    for (unsigned i = 0; i < 7; i++)
        watch_peers_count(peers, "a.example", WATCH_IN, WATCH_ANSWERED, 10 * MINUTE + i);
    watch_peers_count(peers, "a.example", WATCH_IN, WATCH_ANSWERED, 11 * MINUTE);
    assert_int_equal(watch_peers_merge(peers, 1, list, 1, &other), 1);
    assert_int_equal(watch_peer_rate(list, 11 * MINUTE + 1), 7);
    assert_int_equal(watch_peer_rate(list, 12 * MINUTE), 1);
    assert_int_equal(watch_peer_rate(list, 13 * MINUTE), 0);
    free(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_are_merged_and_the_busiest_come_first),
        cmocka_unit_test(the_least_used_give_way_and_stay_in_the_sum),
        cmocka_unit_test(domains_that_were_never_reached_push_no_peer_out),
        cmocka_unit_test(the_rate_is_that_of_the_last_whole_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
