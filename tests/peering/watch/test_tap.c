#include "tests/peering/watch/message.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char *text_of(char text[600], const char *call, const char *from)
{
    snprintf(text, 600,
             "MESSAGE sip:b@y.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\n"
             "From: <sip:%s>;tag=a\r\nTo: <sip:b@y.example>\r\nCall-ID: %s\r\n"
             "CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
             from, call);
    return text;
}

static void put(struct watch_tap *tap, unsigned worker, uint64_t time_us, const char *call,
                const char *from)
{
    struct message message;
    char text[600];
    const struct watch_hop hop = {.time_us = time_us, .peer = "opb.example"};
    watch_tap_put(tap, worker, &hop, message_read(&message, text_of(text, call, from)));
}

static struct watch_tap *tap_make(const char *match, unsigned workers)
{
    struct watch_filter filter;
    assert_int_equal(watch_filter_read(match, &filter, NULL), 0);
    struct watch_tap *tap = watch_tap_alloc(&filter, workers);
    assert_non_null(tap);
    return tap;
}

static void messages_of_all_workers_come_in_order(void **state)
{
    static const unsigned workers[] = {2, 0, 1, 2, 0};
    struct watch_tap *tap = tap_make("", 3);
    (void)state;
    assert_false(watch_tap_ready(tap));
    for (uint64_t i = 0; i < 5; i++)
        put(tap, workers[i], 100 + i, "c", "a@x.example");
    assert_true(watch_tap_ready(tap));
    for (uint64_t i = 0; i < 5; i++) {
        const struct watch_record *record = watch_tap_peek(tap);
        assert_non_null(record);
        assert_int_equal(record->hop.time_us, 100 + i);
        assert_int_equal(record->worker, workers[i]);
        assert_string_equal(record->peer, "opb.example");
        assert_memory_equal(record->bytes, "MESSAGE sip:b@y.example", 23);
        watch_tap_release(tap);
    }
    assert_null(watch_tap_peek(tap));
    watch_tap_free(tap);
}

/* Its 200 may name nobody that was looked for. */
static void a_call_that_has_fitted_is_shown_whole(void **state)
{
    struct watch_tap *tap = tap_make("a@x.example", 1);
    (void)state;
    put(tap, 0, 1, "one", "c@x.example");
    put(tap, 0, 2, "two", "a@x.example");
    put(tap, 0, 3, "two", "c@x.example");
    put(tap, 0, 4, "three", "c@x.example");
    assert_int_equal(watch_tap_peek(tap)->hop.time_us, 2);
    watch_tap_release(tap);
    assert_int_equal(watch_tap_peek(tap)->hop.time_us, 3);
    watch_tap_release(tap);
    assert_null(watch_tap_peek(tap));
    watch_tap_free(tap);
}

/* The same bytes elsewhere, or the other way, are another message. */
static void what_passes_again_is_marked(void **state)
{
    static const struct {
        const char *call, *remote;
        bool sent, again;
    } puts[] = {
        {"one", "192.0.2.1:5060", true, false},  {"one", "192.0.2.1:5060", true, true},
        {"two", "192.0.2.1:5060", true, false},  {"one", "192.0.2.2:5060", true, false},
        {"one", "192.0.2.1:5060", false, false}, {"one", "192.0.2.1:5060", true, true},
    };
    struct watch_tap *tap = tap_make("", 1);
    (void)state;
    for (size_t i = 0; i < sizeof(puts) / sizeof(puts[0]); i++) {
        struct message message;
        char text[600];
        struct watch_hop hop = {.sent = puts[i].sent, .peer = ""};
        assert_int_equal(netaddr_parse(&hop.remote, slice_of(puts[i].remote), 0), 0);
        text_of(text, puts[i].call, "a@x.example");
        watch_tap_put(tap, 0, &hop, message_read(&message, text));
        assert_int_equal(watch_tap_peek(tap)->again, puts[i].again);
        watch_tap_release(tap);
    }
    watch_tap_free(tap);
}

static void what_finds_no_room_is_counted_once(void **state)
{
    struct watch_tap *tap = tap_make("", 2);
    uint64_t kept = 0, puts = 2 * WATCH_RING_SIZE / 200;
    (void)state;
    for (uint64_t i = 0; i < puts; i++)
        put(tap, 1, i, "c", "a@x.example");
    for (; watch_tap_peek(tap); kept++)
        watch_tap_release(tap);
    assert_true(kept > 0 && kept < puts);
    assert_true(watch_tap_ready(tap));
    assert_int_equal(watch_tap_dropped(tap), puts - kept);
    assert_int_equal(watch_tap_dropped(tap), 0);
    assert_false(watch_tap_ready(tap));
    put(tap, 1, 7, "c", "a@x.example");
    assert_non_null(watch_tap_peek(tap));
    watch_tap_free(tap);
}

static void a_long_message_is_cut(void **state)
{
    struct watch_tap *tap = tap_make("", 1);
    struct message message;
    size_t len = (size_t)2 * WATCH_MESSAGE_MAX;
    char *text = calloc(1, len + 1), head[600];
    const struct watch_hop hop = {.peer = ""};
    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    text_of(head, "c", "a@x.example");
    size_t head_len = strlen(head) - strlen("Content-Length: 0\r\n\r\n");
    memcpy(text, head, head_len);
    memcpy(text + head_len, "\r\n", 2);
    watch_tap_put(tap, 0, &hop, message_read(&message, text));
    assert_int_equal(watch_tap_peek(tap)->len, WATCH_MESSAGE_MAX);
    assert_true(watch_tap_peek(tap)->cut);
    watch_tap_free(tap);
    free(text);
}

enum { MESSAGES = 20000 };

static void *write_many(void *arg)
{
    for (uint64_t i = 1; i <= MESSAGES; i++)
        put(arg, 0, i, "c", "a@x.example");
    return NULL;
}

/* Nothing is lost but what is counted, and nothing comes twice or torn. */
static void a_writer_never_waits_for_the_reader(void **state)
{
    struct watch_tap *tap = tap_make("", 1);
    uint64_t seen = 0, last = 0, dropped = 0;
    pthread_t writer;
    (void)state;
    assert_int_equal(pthread_create(&writer, NULL, write_many, tap), 0);
    for (bool joined = false; !joined || watch_tap_ready(tap);) {
        const struct watch_record *record = watch_tap_peek(tap);
        if (record) {
            assert_true(record->hop.time_us > last);
            last = record->hop.time_us;
            watch_tap_release(tap);
            seen++;
        }
        dropped += watch_tap_dropped(tap);
        if (!joined && seen + dropped >= MESSAGES)
            joined = pthread_join(writer, NULL) == 0;
    }
    assert_int_equal(seen + dropped, MESSAGES);
    watch_tap_free(tap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_all_workers_come_in_order),
        cmocka_unit_test(a_call_that_has_fitted_is_shown_whole),
        cmocka_unit_test(what_passes_again_is_marked),
        cmocka_unit_test(what_finds_no_room_is_counted_once),
        cmocka_unit_test(a_long_message_is_cut),
        cmocka_unit_test(a_writer_never_waits_for_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
