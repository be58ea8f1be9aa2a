/* What is this node's own: cursors of the journal's readers, sums of usage. */
#include "base/status.h"
#include "tests/store/bare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a list has told so far. */
struct names {
    char text[200];
};

/* ---- cursors ---- */

static int cursor_put(struct bare *bare, const char *name, uint64_t sequence)
{
    struct store_cursor cursor = {.sequence = sequence};
    snprintf(cursor.name, sizeof(cursor.name), "%s", name);
    return store_cursor_write(&bare->txn, &cursor);
}

static void assert_cursor(struct bare *bare, const char *name, uint64_t sequence, bool lost)
{
    struct store_cursor cursor;
    assert_int_equal(store_cursor_get(&bare->reader, name, &cursor), 0);
    assert_string_equal(cursor.name, name);
    assert_true(cursor.sequence == sequence);
    assert_int_equal(cursor.lost, lost);
}

static void cursors_are_read_as_written_until_removed(void **state)
{
    struct bare *bare = *state;
    struct store_cursor cursor = {.name = "old", .sequence = 5, .lost = true};
    assert_int_equal(store_cursor_get(&bare->reader, "publisher", &cursor), STATUS_NOTFOUND);
    assert_int_equal(cursor_put(bare, "publisher", UINT64_MAX), 0);
    assert_cursor(bare, "publisher", UINT64_MAX, false);
    assert_int_equal(cursor_put(bare, "publisher", 0), 0);
    assert_cursor(bare, "publisher", 0, false);
    assert_int_equal(store_cursor_write(&bare->txn, &cursor), 0);
    assert_cursor(bare, "old", 5, true);
    assert_int_equal(store_cursor_remove(&bare->txn, "publisher"), 0);
    assert_int_equal(store_cursor_remove(&bare->txn, "publisher"), STATUS_NOTFOUND);
    assert_int_equal(store_cursor_read(&bare->txn, "publisher", &cursor), STATUS_NOTFOUND);
    assert_int_equal(store_cursor_read(&bare->txn, "", &cursor), STATUS_NOTFOUND);
}

static void names_of_cursors_are_plain(void **state)
{
    static const char *const good[] = {"p", "publisher", "replica-2.opa_example", "X"};
    static const char *const bad[] = {"", "a b", "a/b", "a\n", "\xc3\xa4", "a@b"};
    struct store_cursor cursor = {.sequence = 0};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        snprintf(cursor.name, sizeof(cursor.name), "%s", good[i]);
        assert_int_equal(store_cursor_check(&cursor), 0);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(cursor.name, sizeof(cursor.name), "%s", bad[i]);
        assert_int_equal(store_cursor_check(&cursor), STATUS_MALFORMED);
    }
    memset(cursor.name, 'a', sizeof(cursor.name));
    assert_int_equal(store_cursor_check(&cursor), STATUS_MALFORMED);
    cursor.name[STORE_CURSOR_NAME_MAX] = '\0';
    assert_int_equal(store_cursor_check(&cursor), 0);
}

static void there_is_room_for_64_cursors(void **state)
{
    struct bare *bare = *state;
    char name[16];
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        assert_int_equal(cursor_put(bare, name, 1), 0);
    }
    assert_int_equal(cursor_put(bare, "one-more", 1), STATUS_LIMIT);
    assert_int_equal(cursor_put(bare, "c7", 2), 0); /* an old one still moves */
    assert_int_equal(store_cursors_lose(&bare->txn, 9), 0);
    assert_cursor(bare, "c7", 2, true);
    assert_int_equal(store_cursor_remove(&bare->txn, "c7"), 0);
    assert_int_equal(cursor_put(bare, "one-more", 1), 0);
}

static void the_slowest_cursor_that_is_not_lost_holds_the_journal(void **state)
{
    struct bare *bare = *state;
    struct store_cursor lost = {.name = "lost", .sequence = 1, .lost = true};
    uint64_t low = 0;
    assert_int_equal(store_cursors_low(&bare->txn, &low), 0);
    assert_true(low == UINT64_MAX);
    assert_int_equal(store_cursor_write(&bare->txn, &lost), 0);
    assert_int_equal(store_cursors_low(&bare->txn, &low), 0);
    assert_true(low == UINT64_MAX);
    assert_int_equal(cursor_put(bare, "a", 30), 0);
    assert_int_equal(cursor_put(bare, "b", 20), 0);
    assert_int_equal(cursor_put(bare, "c", 25), 0);
    assert_int_equal(store_cursors_low(&bare->txn, &low), 0);
    assert_true(low == 20);
}

static void whoever_misses_a_trimmed_entry_is_lost(void **state)
{
    struct bare *bare = *state;
    uint64_t count = 9;
    assert_int_equal(cursor_put(bare, "start", 0), 0);
    assert_int_equal(cursor_put(bare, "late", 8), 0);
    assert_int_equal(cursor_put(bare, "just", 9), 0);
    assert_int_equal(cursor_put(bare, "ahead", 10), 0);
    assert_int_equal(cursor_put(bare, "end", UINT64_MAX), 0);
    assert_int_equal(store_cursors_lose(&bare->txn, 0), 0);
    assert_int_equal(store_cursors_lose(&bare->txn, 1), 0);
    assert_cursor(bare, "start", 0, false);
    assert_int_equal(store_cursors_lost(&bare->txn, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(store_cursors_lose(&bare->txn, 10), 0);
    assert_int_equal(store_cursors_lost(&bare->txn, &count), 0);
    assert_int_equal(count, 2);
    assert_cursor(bare, "start", 0, true);
    assert_cursor(bare, "late", 8, true);
    assert_cursor(bare, "just", 9, false);
    assert_cursor(bare, "ahead", 10, false);
    assert_cursor(bare, "end", UINT64_MAX, false);
}

static bool cursor_add(const struct store_cursor *cursor, void *arg)
{
    struct names *names = arg;
    size_t len = strlen(names->text);
    snprintf(names->text + len, sizeof(names->text) - len, "%s ", cursor->name);
    return strcmp(cursor->name, "b") != 0;
}

static void cursors_are_listed_by_name_until_told_to_stop(void **state)
{
    struct bare *bare = *state;
    struct names names = {""};
    assert_int_equal(cursor_put(bare, "c", 1), 0);
    assert_int_equal(cursor_put(bare, "a", 1), 0);
    assert_int_equal(store_cursor_list(&bare->reader, cursor_add, &names), 0);
    assert_string_equal(names.text, "a c ");
    assert_int_equal(cursor_put(bare, "b", 1), 0);
    names.text[0] = '\0';
    assert_int_equal(store_cursor_list(&bare->reader, cursor_add, &names), 0);
    assert_string_equal(names.text, "a b ");
}

static void damaged_cursors_are_corrupt(void **state)
{
    static const struct slice values[] = {
        {"", 0},       {"\1", 1},       {"\1\5", 2},     {"\2\5\0", 3},
        {"\1\5\2", 3}, {"\1\5\0\0", 4}, {"\1\x80\0", 3},
    };
    struct bare *bare = *state;
    struct store_cursor cursor = {.name = "as before"};
    struct names names = {""};
    uint64_t low = 3;
    for (size_t i = 0; i < COUNT(values); i++) {
        assert_int_equal(store_put(&bare->txn, TABLE_CURSORS, SLICE("a"), values[i]), 0);
        assert_int_equal(store_cursor_get(&bare->reader, "a", &cursor), STATUS_CORRUPT);
        assert_int_equal(store_cursors_low(&bare->txn, &low), STATUS_CORRUPT);
        assert_int_equal(store_cursors_lose(&bare->txn, 9), STATUS_CORRUPT);
        assert_int_equal(store_cursor_list(&bare->reader, cursor_add, &names), STATUS_CORRUPT);
    }
    assert_string_equal(cursor.name, "as before");
    assert_true(low == 3);
}

/* ---- usage ---- */

static struct store_usage usage_make(uint64_t period, const char *node, const char *peer)
{
    struct store_usage usage = {
        .period = period, .attempts = 1, .answers = 2, .seconds = 3, .bytes = 4};
    snprintf(usage.node, sizeof(usage.node), "%s", node);
    snprintf(usage.peer, sizeof(usage.peer), "%s", peer);
    return usage;
}

static void usage_put(struct bare *bare, uint64_t period, const char *node, const char *peer)
{
    struct store_usage usage = usage_make(period, node, peer);
    assert_int_equal(store_usage_check(&usage), 0);
    assert_int_equal(store_usage_write(&bare->txn, &usage), 0);
}

static bool usage_copy(const struct store_usage *usage, void *arg)
{
    *(struct store_usage *)arg = *usage;
    return false;
}

static void usage_adds_up_and_stays_at_the_top(void **state)
{
    struct bare *bare = *state;
    struct store_usage sums, usage = usage_make(3600, "edge-1", "opb.example");
    assert_int_equal(store_usage_write(&bare->txn, &usage), 0);
    usage.bytes = UINT64_MAX - 4;
    assert_int_equal(store_usage_write(&bare->txn, &usage), 0);
    assert_int_equal(store_usage_list(&bare->reader, 0, 1, usage_copy, &sums), 0);
    assert_true(sums.period == 3600);
    assert_string_equal(sums.node, "edge-1");
    assert_string_equal(sums.peer, "opb.example");
    assert_true(sums.attempts == 2 && sums.answers == 4 && sums.seconds == 6);
    assert_true(sums.bytes == UINT64_MAX);

    usage.attempts = usage.answers = usage.seconds = UINT64_MAX;
    for (int i = 0; i < 2; i++)
        assert_int_equal(store_usage_write(&bare->txn, &usage), 0);
    assert_int_equal(store_usage_list(&bare->reader, 0, 1, usage_copy, &sums), 0);
    assert_true(sums.attempts == UINT64_MAX && sums.answers == UINT64_MAX);
    assert_true(sums.seconds == UINT64_MAX && sums.bytes == UINT64_MAX);
}

static bool usage_name(const struct store_usage *usage, void *arg)
{
    struct names *names = arg;
    size_t len = strlen(names->text);
    snprintf(names->text + len, sizeof(names->text) - len, "%u/%s/%s ", (unsigned)usage->period,
             usage->node, usage->peer);
    return strcmp(usage->peer, "stop.example") != 0;
}

static void usage_is_listed_by_period_node_and_peer(void **state)
{
    static const struct {
        uint64_t period;
        size_t max;
        const char *names;
    } lists[] = {
        {0, 9, "255/n/a 256/m/b 256/n/a 256/n/b 256/n-2/a 512/n/stop.example "},
        {256, 2, "256/m/b 256/n/a "},
        {257, 9, "512/n/stop.example "},
        {513, 9, "65536/n/a "},
        {UINT64_MAX, 9, ""},
        {0, 0, ""},
    };
    struct bare *bare = *state;
    usage_put(bare, 65536, "n", "a");
    usage_put(bare, 512, "n", "stop.example");
    usage_put(bare, 256, "n-2", "a");
    usage_put(bare, 256, "n", "b");
    usage_put(bare, 256, "n", "a");
    usage_put(bare, 256, "m", "b");
    usage_put(bare, 255, "n", "a");
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct names names = {""};
        assert_int_equal(
            store_usage_list(&bare->reader, lists[i].period, lists[i].max, usage_name, &names), 0);
        assert_string_equal(names.text, lists[i].names);
    }
}

static void usage_is_of_a_node_and_a_peer_with_canonical_names(void **state)
{
    static const struct {
        const char *node, *peer;
    } bad[] = {
        {"", "opb.example"},       {"a b", "opb.example"}, {"edge\n", "opb.example"},
        {"edge-1", "Opb.example"}, {"edge-1", ""},         {"edge-1", "opb.example."},
    };
    struct store_usage usage;
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        usage = usage_make(0, bad[i].node, bad[i].peer);
        assert_int_equal(store_usage_check(&usage), STATUS_MALFORMED);
    }
    usage = usage_make(0, "", "opb.example");
    memset(usage.node, 'n', sizeof(usage.node));
    assert_int_equal(store_usage_check(&usage), STATUS_MALFORMED);
    usage.node[STORE_OWNER_MAX] = '\0';
    assert_int_equal(store_usage_check(&usage), 0);
}

static void damaged_usage_is_corrupt(void **state)
{
    static const struct {
        struct slice key, value;
    } records[] = {
        {{"\0\0\0\0\0\0\1\0n\0a", 11}, {"\2\1\1\1\1", 5}},
        {{"\0\0\0\0\0\0\1\0n\0a", 11}, {"\1\1\1\1", 4}},
        {{"\0\0\0\0\0\0\1\0n\0a", 11}, {"\1\1\1\1\1\1", 6}},
        {{"\0\0\0\0\0\0\1", 7}, {"\1\1\1\1\1", 5}},
        {{"n\0a", 3}, {"\1\1\1\1\1", 5}},
        {{"\0\0\0\0\0\0\1\0n", 9}, {"\1\1\1\1\1", 5}},
        {{"\0\0\0\0\0\0\1\0\0a", 10}, {"\1\1\1\1\1", 5}},
        {{"\0\0\0\0\0\0\1\0n\0a\0", 12}, {"\1\1\1\1\1", 5}},
    };
    struct bare *bare = *state;
    struct store_usage usage = usage_make(256, "n", "a");
    for (size_t i = 0; i < COUNT(records); i++) {
        struct names names = {""};
        assert_int_equal(store_put(&bare->txn, TABLE_USAGE, records[i].key, records[i].value), 0);
        assert_int_equal(store_usage_list(&bare->reader, 0, 9, usage_name, &names), STATUS_CORRUPT);
        if (i < 3) /* under its proper key */
            assert_int_equal(store_usage_write(&bare->txn, &usage), STATUS_CORRUPT);
        assert_int_equal(store_del(&bare->txn, TABLE_USAGE, records[i].key), 0);
    }
}

#define TABLES(test) cmocka_unit_test_setup_teardown(test, bare_setup, bare_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLES(cursors_are_read_as_written_until_removed),
        cmocka_unit_test(names_of_cursors_are_plain),
        TABLES(there_is_room_for_64_cursors),
        TABLES(the_slowest_cursor_that_is_not_lost_holds_the_journal),
        TABLES(whoever_misses_a_trimmed_entry_is_lost),
        TABLES(cursors_are_listed_by_name_until_told_to_stop),
        TABLES(damaged_cursors_are_corrupt),
        TABLES(usage_adds_up_and_stays_at_the_top),
        TABLES(usage_is_listed_by_period_node_and_peer),
        cmocka_unit_test(usage_is_of_a_node_and_a_peer_with_canonical_names),
        TABLES(damaged_usage_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
