/* What a guard lets through, with a clock of the test's own. */
#include "tests/test.h"

#include "base/status.h"
#include "peering/guard/guard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HOUR_MS UINT64_C(3600000)

static const struct guard_conf conf = {
    .source_connections = 3,
    .source_handshakes = 5,
    .source_failures = 4,
    .source_excess_s = 3,
    .first_request_ms = 1000,
    .ban_s = 600,
    .peer_requests = 10,
    .peer_messages = 30,
    .peer_transactions = 2,
    .peer_connections = 2,
    .first_contact = 6,
    .called_calls = 3,
};

struct place {
    struct guard *guard;
    uint64_t now_ms;
};

static int set_up(void **state)
{
    static struct place place;
    place = (struct place){guard_alloc(&conf), 1000000};
    *state = &place;
    return place.guard ? 0 : -1;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    guard_free(place->guard);
    return 0;
}

static struct netaddr addr(const char *text)
{
    struct netaddr result;
    assert_int_equal(netaddr_from_ip(&result, slice_of(text), 4711), 0);
    return result;
}

static struct netprefix prefix(const char *text)
{
    struct netprefix result;
    assert_int_equal(netprefix_parse(&result, slice_of(text)), 0);
    return result;
}

static enum guard_rule connects(struct place *place, const char *from, struct guard_slot **slot)
{
    struct netaddr source = addr(from);
    return guard_accept(place->guard, &source, place->now_ms, slot);
}

/* One that ends at once. */
static enum guard_rule touches(struct place *place, const char *from)
{
    struct guard_slot *slot;
    enum guard_rule rule = connects(place, from, &slot);
    if (rule == GUARD_OK)
        guard_release(slot);
    return rule;
}

static bool fails(struct place *place, const char *from)
{
    struct netaddr source = addr(from);
    return guard_failed(place->guard, &source, "the test says so", place->now_ms);
}

static void answered(struct place *place, const char *domain, const char *at)
{
    struct netaddr source = addr(at);
    guard_answered(place->guard, domain, &source, place->now_ms);
}

static bool is_good(struct place *place, const char *domain, const char *at)
{
    struct netaddr source = addr(at);
    return guard_is_good(place->guard, &source, domain, place->now_ms);
}

static void ban(struct place *place, const char *source, unsigned seconds)
{
    struct guard_ban made = {
        .source = prefix(source), .left_ms = seconds * UINT64_C(1000), .reason = "by hand"};
    assert_int_equal(guard_ban_add(place->guard, &made, place->now_ms), 0);
}

/* ---- sources ---- */

static void a_source_has_so_many_connections_at_once(void **state)
{
    struct place *place = *state;
    struct guard_slot *slots[3], *more;
    for (int i = 0; i < 3; i++)
        assert_int_equal(connects(place, "192.0.2.1", &slots[i]), GUARD_OK);
    assert_int_equal(connects(place, "192.0.2.1", &more), GUARD_SOURCE_CONNECTIONS);
    assert_int_equal(touches(place, "192.0.2.2"), GUARD_OK);
    guard_release(slots[1]);
    assert_int_equal(connects(place, "192.0.2.1", &more), GUARD_OK);
    guard_release(more);
    guard_release(slots[0]);
    guard_release(slots[2]);
}

static void a_64_is_one_source_and_a_mapped_address_is_its_ipv4_one(void **state)
{
    struct place *place = *state;
    struct guard_slot *slots[3];
    assert_int_equal(connects(place, "2001:db8::1", &slots[0]), GUARD_OK);
    assert_int_equal(connects(place, "2001:db8::2", &slots[1]), GUARD_OK);
    assert_int_equal(connects(place, "2001:db8::ffff:0:0:3", &slots[2]), GUARD_OK);
    assert_int_equal(touches(place, "2001:db8:0:0:1::1"), GUARD_SOURCE_CONNECTIONS);
    assert_int_equal(touches(place, "2001:db8:0:1::1"), GUARD_OK);
    for (int i = 0; i < 3; i++)
        guard_release(slots[i]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(connects(place, i == 1 ? "::ffff:192.0.2.1" : "192.0.2.1", &slots[i]),
                         GUARD_OK);
    assert_int_equal(touches(place, "::ffff:192.0.2.1"), GUARD_SOURCE_CONNECTIONS);
    for (int i = 0; i < 3; i++)
        guard_release(slots[i]);
}

static void a_source_has_so_many_handshakes_a_second(void **state)
{
    struct place *place = *state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK);
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_SOURCE_HANDSHAKES);
    place->now_ms += 200;
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK);
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_SOURCE_HANDSHAKES);
    place->now_ms += 10000;
    for (int i = 0; i < 10; i++)
        assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK);
}

static void failures_are_a_ban_for_a_while(void **state)
{
    struct place *place = *state;
    for (int i = 0; i < 4; i++)
        assert_false(fails(place, "192.0.2.1"));
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK);
    assert_true(fails(place, "192.0.2.1"));
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_BANNED);
    assert_int_equal(touches(place, "192.0.2.2"), GUARD_OK);
    assert_false(fails(place, "192.0.2.1")); /* it is one already */
    place->now_ms += 599999;
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_BANNED);
    place->now_ms += 1;
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK);
}

static void a_failure_now_and_then_is_no_ban(void **state)
{
    struct place *place = *state;
    for (int i = 0; i < 100; i++) {
        assert_false(fails(place, "192.0.2.1"));
        place->now_ms += 15000;
    }
}

static void a_ban_and_a_flood_do_not_keep_out_who_is_in_good_standing_there(void **state)
{
    struct place *place = *state;
    struct guard_slot *slots[3];
    answered(place, "opb.example", "192.0.2.1");
    ban(place, "192.0.2.0/24", 3600);
    assert_int_equal(touches(place, "192.0.2.2"), GUARD_BANNED);
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK); /* who it is is not known yet */
    assert_true(is_good(place, "opb.example", "192.0.2.1"));
    assert_false(is_good(place, "evil.example", "192.0.2.1"));
    assert_false(is_good(place, "opb.example", "192.0.2.2"));
    for (int i = 0; i < 3; i++)
        assert_int_equal(connects(place, "192.0.2.1", &slots[i]), GUARD_OK);
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK); /* another allowance */
    for (int i = 0; i < 3; i++)
        guard_release(slots[i]);
}

static void good_standing_ends_after_hours_without_calls(void **state)
{
    struct place *place = *state;
    answered(place, "opb.example", "192.0.2.1");
    ban(place, "192.0.2.1", 100 * 3600);
    place->now_ms += GUARD_STANDING_MS - HOUR_MS;
    answered(place, "opb.example", "192.0.2.1");
    place->now_ms += 2 * HOUR_MS;
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK);
    place->now_ms += GUARD_STANDING_MS;
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_BANNED);
    assert_false(is_good(place, "opb.example", "192.0.2.1"));
}

/* More sources than there are slots: what is held stays counted, and the good stay known. */
static void a_flood_of_sources_forgets_neither_the_held_nor_the_good(void **state)
{
    struct place *place = *state;
    struct guard_slot *slots[3], *more;
    answered(place, "opb.example", "192.0.2.1");
    for (int i = 0; i < 3; i++)
        assert_int_equal(connects(place, "192.0.2.9", &slots[i]), GUARD_OK);
    for (unsigned i = 0; i < 4U * GUARD_MAX_SOURCES; i++) {
        struct netaddr source = addr("10.0.0.0");
        source.in4.sin_addr.s_addr += i << 8;
        place->now_ms += i % 2;
        assert_int_equal(guard_accept(place->guard, &source, place->now_ms, &more), GUARD_OK);
        guard_release(more);
    }
    assert_int_equal(touches(place, "192.0.2.9"), GUARD_SOURCE_CONNECTIONS);
    ban(place, "192.0.2.1", 60);
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK);
    for (int i = 0; i < 3; i++)
        guard_release(slots[i]);
}

/* ---- peers ---- */

static enum guard_rule requests(struct place *place, const char *domain,
                                const struct guard_grant *grant)
{
    uint64_t wait_ms;
    uint64_t peer = guard_peer_key(place->guard, domain);
    enum guard_rule rule = guard_request(place->guard, peer, grant, place->now_ms, &wait_ms);
    assert_true((rule == GUARD_OK) == (wait_ms == 0));
    return rule;
}

static const struct guard_grant listed = {.listed = true}, stranger = {.listed = false};

static void a_peer_has_so_many_requests_a_second(void **state)
{
    struct place *place = *state;
    const struct guard_grant more = {.listed = true, .requests = 50};
    for (int i = 0; i < 20; i++)
        assert_int_equal(requests(place, "opb.example", &listed), GUARD_OK);
    assert_int_equal(requests(place, "opb.example", &listed), GUARD_PEER_REQUESTS);
    assert_int_equal(requests(place, "opc.example", &listed), GUARD_OK);
    place->now_ms += 100;
    assert_int_equal(requests(place, "opb.example", &listed), GUARD_OK);
    assert_int_equal(requests(place, "opb.example", &listed), GUARD_PEER_REQUESTS);
    for (int i = 0; i < 100; i++)
        assert_int_equal(requests(place, "opd.example", &more), GUARD_OK);
    assert_int_equal(requests(place, "opd.example", &more), GUARD_PEER_REQUESTS);
}

static void what_cannot_be_refused_counts_too(void **state)
{
    struct place *place = *state;
    struct guard_stats stats;
    uint64_t peer = guard_peer_key(place->guard, "opb.example");
    for (int i = 0; i < 100; i++) /* more than there is room for: no debt */
        guard_note_request(place->guard, peer, &listed, place->now_ms);
    guard_stats_get(place->guard, place->now_ms, &stats);
    assert_int_equal(stats.refused[GUARD_PEER_REQUESTS], 0);
    assert_int_equal(requests(place, "opb.example", &listed), GUARD_PEER_REQUESTS);
    place->now_ms += 100;
    assert_int_equal(requests(place, "opb.example", &listed), GUARD_OK);
}

static void a_first_contact_is_small_and_grows_with_answers(void **state)
{
    struct place *place = *state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(requests(place, "new.example", &stranger), GUARD_OK);
    assert_int_equal(requests(place, "new.example", &stranger), GUARD_FIRST_CONTACT);
    answered(place, "new.example", "192.0.2.1");
    for (int i = 0; i < 6; i++)
        assert_int_equal(requests(place, "new.example", &stranger), GUARD_OK);
    assert_int_equal(requests(place, "new.example", &stranger), GUARD_FIRST_CONTACT);
    for (int i = 1; i < GUARD_KNOWN_AFTER; i++)
        answered(place, "new.example", "192.0.2.1");
    for (int i = 0; i < 600; i++) {
        place->now_ms += 100;
        assert_int_equal(requests(place, "new.example", &stranger), GUARD_OK);
    }
}

static void a_peer_has_so_many_transactions_at_once(void **state)
{
    struct place *place = *state;
    uint64_t peer = guard_peer_key(place->guard, "opb.example");
    const struct guard_grant one = {.listed = true, .transactions = 1};
    struct guard_slot *slots[3];
    for (int i = 0; i < 2; i++)
        assert_int_equal(guard_begin(place->guard, peer, &listed, place->now_ms, &slots[i]),
                         GUARD_OK);
    assert_int_equal(guard_begin(place->guard, peer, &listed, place->now_ms, &slots[2]),
                     GUARD_PEER_TRANSACTIONS);
    assert_null(slots[2]);
    guard_release(slots[0]);
    assert_int_equal(guard_begin(place->guard, peer, &one, place->now_ms, &slots[2]),
                     GUARD_PEER_TRANSACTIONS);
    guard_release(slots[1]);
    assert_int_equal(guard_begin(place->guard, peer, &one, place->now_ms, &slots[0]), GUARD_OK);
    guard_release(slots[0]);
}

static void a_peer_has_so_many_connections_at_once(void **state)
{
    struct place *place = *state;
    uint64_t peer = guard_peer_key(place->guard, "opb.example");
    uint64_t other = guard_peer_key(place->guard, "opc.example");
    struct guard_slot *slots[4];
    for (int i = 0; i < 2; i++)
        assert_int_equal(guard_join(place->guard, peer, place->now_ms, &slots[i]), GUARD_OK);
    assert_int_equal(guard_join(place->guard, peer, place->now_ms, &slots[2]),
                     GUARD_PEER_CONNECTIONS);
    assert_null(slots[2]);
    assert_int_equal(guard_join(place->guard, other, place->now_ms, &slots[3]), GUARD_OK);
    guard_release(slots[0]);
    assert_int_equal(guard_join(place->guard, peer, place->now_ms, &slots[0]), GUARD_OK);
    for (int i = 0; i < 4; i++)
        guard_release(slots[i]);
}

static void a_peer_calls_one_address_so_often_a_minute(void **state)
{
    struct place *place = *state;
    uint64_t b = guard_peer_key(place->guard, "opb.example");
    uint64_t c = guard_peer_key(place->guard, "opc.example");
    const struct slice alice = SLICE("alice"), al = SLICE("al"), domain = SLICE("opa.example"),
                       other = SLICE("iceopa.example");
    for (int i = 0; i < 3; i++)
        assert_int_equal(guard_called(place->guard, b, alice, domain, place->now_ms), GUARD_OK);
    assert_int_equal(guard_called(place->guard, b, alice, domain, place->now_ms), GUARD_CALLED);
    assert_int_equal(guard_called(place->guard, c, alice, domain, place->now_ms), GUARD_OK);
    assert_int_equal(guard_called(place->guard, b, al, other, place->now_ms), GUARD_OK);
    place->now_ms += 20000;
    assert_int_equal(guard_called(place->guard, b, alice, domain, place->now_ms), GUARD_OK);
}

static void messages_over_the_budget_wait(void **state)
{
    struct place *place = *state;
    uint64_t peer = guard_peer_key(place->guard, "opb.example");
    const struct guard_grant many = {.listed = true, .requests = 20};
    for (int i = 0; i < 60; i++)
        assert_int_equal(guard_message(place->guard, peer, place->now_ms), 0);
    unsigned wait_ms = guard_message(place->guard, peer, place->now_ms);
    assert_in_range(wait_ms, 33, 34);
    place->now_ms += wait_ms;
    assert_int_equal(guard_message(place->guard, peer, place->now_ms), 0);
    peer = guard_peer_key(place->guard, "big.example");
    assert_int_equal(requests(place, "big.example", &many), GUARD_OK);
    for (int i = 0; i < 400; i++)
        assert_int_equal(guard_message(place->guard, peer, place->now_ms), 0);
    assert_true(guard_message(place->guard, peer, place->now_ms) > 0);
}

static bool exceeds(struct place *place, const char *from)
{
    struct netaddr source = addr(from);
    enum guard_rule rule = GUARD_OK;
    while (rule == GUARD_OK)
        rule = touches(place, from);
    assert_int_equal(rule, GUARD_SOURCE_HANDSHAKES);
    return guard_exceeded(place->guard, &source, rule, place->now_ms);
}

static void who_exceeds_its_budgets_second_after_second_is_banned(void **state)
{
    struct place *place = *state;
    static struct guard_ban bans[GUARD_MAX_BANS];
    struct guard_stats stats;
    for (int i = 0; i < 100; i++) /* one burst is no ban */
        assert_false(exceeds(place, "192.0.2.1"));
    for (int second = 1; second < 3; second++) {
        place->now_ms += 1000;
        assert_false(exceeds(place, "192.0.2.1"));
    }
    assert_int_equal(touches(place, "192.0.2.2"), GUARD_OK);
    place->now_ms += 1000;
    assert_true(exceeds(place, "192.0.2.1"));
    assert_false(guard_exceeded(place->guard, &(struct netaddr){.sa.sa_family = AF_INET},
                                GUARD_SOURCE_HANDSHAKES, place->now_ms)); /* never seen */
    assert_int_equal(guard_ban_list(place->guard, bans, place->now_ms), 1);
    assert_true(bans[0].automatic);
    assert_string_equal(bans[0].reason,
                        "in more than 3 seconds of a minute more than 5 new connections");
    assert_int_equal(bans[0].left_ms, 600000);
    guard_stats_get(place->guard, place->now_ms, &stats);
    assert_int_equal(stats.bans_made, 1);
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_BANNED);
    answered(place, "opb.example", "192.0.2.1");
    assert_true(is_good(place, "opb.example", "192.0.2.1"));
    place->now_ms += 1000;
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK); /* it may be the good one */
}

static void who_exceeds_them_now_and_then_is_not_banned(void **state)
{
    struct place *place = *state;
    for (int i = 0; i < 100; i++) {
        assert_false(exceeds(place, "192.0.2.1"));
        place->now_ms += 20000; /* three times a minute */
    }
}

/* ---- bans ---- */

static void bans_are_listed_replaced_taken_back_and_end(void **state)
{
    struct place *place = *state;
    static struct guard_ban bans[GUARD_MAX_BANS];
    unsigned changes = guard_ban_changes(place->guard);
    struct netprefix source = prefix("2001:db8::/32");
    struct guard_ban one;
    ban(place, "2001:db8::/32", 50);
    ban(place, "192.0.2.0/24", 60);
    ban(place, "192.0.2.0/25", 70);
    ban(place, "192.0.2.0/24", 80);
    assert_true(guard_ban_changes(place->guard) != changes);
    assert_int_equal(guard_ban_list(place->guard, bans, place->now_ms), 3);
    assert_int_equal(bans[0].source.bits, 24);
    assert_int_equal(bans[0].left_ms, 80000);
    assert_string_equal(bans[0].reason, "by hand");
    assert_int_equal(bans[1].source.bits, 25);
    assert_int_equal(bans[2].source.bits, 32);
    assert_true(bans[0].version > bans[1].version);
    assert_int_equal(guard_ban_get(place->guard, &source, place->now_ms, &one), 0);
    assert_int_equal(one.left_ms, 50000);
    assert_int_equal(touches(place, "2001:db8:5::1"), GUARD_BANNED);
    assert_int_equal(guard_ban_remove(place->guard, &source, place->now_ms), 0);
    assert_int_equal(guard_ban_remove(place->guard, &source, place->now_ms), STATUS_NOTFOUND);
    assert_int_equal(guard_ban_get(place->guard, &source, place->now_ms, &one), STATUS_NOTFOUND);
    assert_int_equal(touches(place, "2001:db8:5::1"), GUARD_OK);
    place->now_ms += 75000;
    assert_int_equal(guard_ban_list(place->guard, bans, place->now_ms), 1);
    place->now_ms += 5000;
    assert_int_equal(guard_ban_list(place->guard, bans, place->now_ms), 0);
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK);
}

static void there_are_only_so_many_bans_and_those_of_people_stay(void **state)
{
    struct place *place = *state;
    char text[32];
    for (unsigned i = 0; i < GUARD_MAX_BANS - 1; i++) {
        snprintf(text, sizeof(text), "10.0.%u.%u", i / 256, i % 256);
        ban(place, text, 3600);
    }
    for (int source = 1; source <= 2; source++)
        for (int i = 0; i < 5; i++)
            assert_int_equal(fails(place, source == 1 ? "192.0.2.1" : "192.0.2.2"), i == 4);
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_OK);
    assert_int_equal(touches(place, "192.0.2.2"), GUARD_BANNED);
    ban(place, "198.51.100.1", 60);
    assert_int_equal(touches(place, "192.0.2.2"), GUARD_OK);
    struct guard_ban more = {.source = prefix("198.51.100.2"), .left_ms = 1};
    assert_int_equal(guard_ban_add(place->guard, &more, place->now_ms), STATUS_LIMIT);
    more.left_ms = 0;
    assert_int_equal(guard_ban_add(place->guard, &more, place->now_ms), -EINVAL);
    more.left_ms = GUARD_MAX_BAN_S * UINT64_C(1000) + 1;
    assert_int_equal(guard_ban_add(place->guard, &more, place->now_ms), -EINVAL);
}

static void what_is_refused_is_counted(void **state)
{
    struct place *place = *state;
    struct guard_stats stats;
    ban(place, "192.0.2.1", 60);
    assert_int_equal(touches(place, "192.0.2.1"), GUARD_BANNED);
    for (int i = 0; i < 5; i++)
        fails(place, "192.0.2.2");
    guard_count(place->guard, GUARD_PEERING);
    guard_stats_get(place->guard, place->now_ms, &stats);
    assert_int_equal(stats.refused[GUARD_BANNED], 1);
    assert_int_equal(stats.refused[GUARD_PEERING], 1);
    assert_int_equal(stats.failures, 5);
    assert_int_equal(stats.bans_made, 1);
    assert_int_equal(stats.bans, 2);
    for (int i = 0; i < GUARD_RULE_COUNT; i++)
        assert_non_null(guard_rule_name((enum guard_rule)i));
}

static void a_bound_of_zero_is_none(void **state)
{
    static const struct guard_conf open = {.ban_s = 0};
    struct place place = {guard_alloc(&open), 1000};
    struct guard_slot *slots[100];
    (void)state;
    uint64_t peer = guard_peer_key(place.guard, "opb.example");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(connects(&place, "192.0.2.1", &slots[i]), GUARD_OK);
        assert_false(fails(&place, "192.0.2.1"));
        assert_int_equal(requests(&place, "opb.example", &stranger), GUARD_OK);
        assert_int_equal(guard_message(place.guard, peer, place.now_ms), 0);
        assert_int_equal(
            guard_called(place.guard, peer, SLICE("a"), SLICE("opa.example"), place.now_ms),
            GUARD_OK);
        guard_release(slots[i]);
        assert_int_equal(guard_begin(place.guard, peer, &stranger, place.now_ms, &slots[i]),
                         GUARD_OK);
    }
    for (int i = 0; i < 100; i++)
        guard_release(slots[i]);
    guard_free(place.guard);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_source_has_so_many_connections_at_once),
        TEST(a_64_is_one_source_and_a_mapped_address_is_its_ipv4_one),
        TEST(a_source_has_so_many_handshakes_a_second),
        TEST(failures_are_a_ban_for_a_while),
        TEST(a_failure_now_and_then_is_no_ban),
        TEST(a_ban_and_a_flood_do_not_keep_out_who_is_in_good_standing_there),
        TEST(good_standing_ends_after_hours_without_calls),
        TEST(a_flood_of_sources_forgets_neither_the_held_nor_the_good),
        TEST(a_peer_has_so_many_requests_a_second),
        TEST(what_cannot_be_refused_counts_too),
        TEST(a_first_contact_is_small_and_grows_with_answers),
        TEST(a_peer_has_so_many_transactions_at_once),
        TEST(a_peer_has_so_many_connections_at_once),
        TEST(a_peer_calls_one_address_so_often_a_minute),
        TEST(messages_over_the_budget_wait),
        TEST(who_exceeds_its_budgets_second_after_second_is_banned),
        TEST(who_exceeds_them_now_and_then_is_not_banned),
        TEST(bans_are_listed_replaced_taken_back_and_end),
        TEST(there_are_only_so_many_bans_and_those_of_people_stay),
        TEST(what_is_refused_is_counted),
        TEST(a_bound_of_zero_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
