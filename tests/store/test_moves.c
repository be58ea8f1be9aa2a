/* A whole domain leaves for another operator, or arrives from one. */
#include "base/buf.h"
#include "base/status.h"
#include "store/internal.h"
#include "tests/store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALICE "alice@opa.example"
#define AWAY  "away@opa.example"

static struct store_command move_of(enum store_op op, enum store_domain_move move, const char *to)
{
    struct store_command command = {.op = op, .expected_version = STORE_ANY_VERSION};
    snprintf(command.actor, sizeof(command.actor), "test");
    snprintf(command.domain.name, sizeof(command.domain.name), "opa.example");
    command.domain.move = move;
    snprintf(command.domain.move_to, sizeof(command.domain.move_to), "%s", to);
    return command;
}

static int move(struct fixture *f, enum store_domain_move move, const char *to)
{
    struct store_command command = move_of(STORE_DOMAIN_MOVE, move, to);
    return fixture_submit(f, &command);
}

static int clear(struct fixture *f)
{
    struct store_command command = move_of(STORE_DOMAIN_CLEAR, STORE_MOVE_NONE, "");
    return fixture_submit(f, &command);
}

static struct store_route route_of(struct fixture *f, const char *text)
{
    struct store_address address = address_of(text);
    struct store_route route = {.domain_is_ours = false};
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_route(f->reader, &address, &route), 0);
    store_reader_end(f->reader);
    return route;
}

static void must_lead(struct fixture *f, const char *address, enum store_address_state state,
                      const char *hosting)
{
    struct store_route route = route_of(f, address);
    assert_true(route.address_found);
    assert_int_equal(route.state, state);
    assert_string_equal(route.hosting, hosting);
}

static int domain_setup(void **state)
{
    if (fixture_setup(state))
        return -1;
    struct fixture *f = *state;
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_address_add(f, ALICE), 0);
    struct store_command away =
        command_address(STORE_ADDRESS_ADD, AWAY, STORE_ADDRESS_PORTED_OUT, "opc.example");
    return fixture_submit(f, &away);
}

static void what_leaves_is_frozen(void **state)
{
    struct fixture *f = *state;
    struct store_command add =
        command_address(STORE_ADDRESS_ADD, "bob@opa.example", STORE_ADDRESS_HOSTED, "opa.example");
    struct store_command release =
        command_address(STORE_ADDRESS_RELEASE, ALICE, STORE_ADDRESS_HOSTED, "opa.example");
    struct store_command import = {.op = STORE_ADDRESS_IMPORT,
                                   .batch = {.records = &add.record, .count = 1}};
    assert_int_equal(move(f, STORE_MOVE_LEAVING, "opb.example"), 0);
    assert_int_equal(fixture_submit(f, &add), STATUS_FROZEN);
    assert_int_equal(fixture_submit(f, &release), STATUS_FROZEN);
    assert_int_equal(fixture_submit(f, &import), STATUS_FROZEN);
    must_lead(f, ALICE, STORE_ADDRESS_HOSTED, "opa.example");
    assert_int_equal(move(f, STORE_MOVE_NONE, ""), 0);
    assert_int_equal(fixture_submit(f, &add), 0);
}

static void what_is_gone_leads_on(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(move(f, STORE_MOVE_LEAVING, "opb.example"), 0);
    assert_int_equal(move(f, STORE_MOVE_GONE, ""), 0);
    must_lead(f, ALICE, STORE_ADDRESS_PORTED_OUT, "opb.example");
    must_lead(f, "nobody@opa.example", STORE_ADDRESS_PORTED_OUT, "opb.example");
    must_lead(f, AWAY, STORE_ADDRESS_PORTED_OUT, "opc.example");
    assert_int_equal(move(f, STORE_MOVE_LEAVING, ""), 0);
    must_lead(f, ALICE, STORE_ADDRESS_HOSTED, "opa.example");
    assert_false(route_of(f, "nobody@opa.example").address_found);
}

static void an_alias_is_led_on_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct store_command alias =
        command_address(STORE_ADDRESS_ADD, "a@opa.example", STORE_ADDRESS_ALIAS, "opa.example");
    alias.record.target = address_of(ALICE);
    assert_int_equal(fixture_submit(f, &alias), 0);
    assert_int_equal(move(f, STORE_MOVE_LEAVING, "opb.example"), 0);
    assert_true(route_of(f, "a@opa.example").aliased);
    assert_int_equal(move(f, STORE_MOVE_GONE, ""), 0);
    must_lead(f, "a@opa.example", STORE_ADDRESS_PORTED_OUT, "opb.example");
    assert_false(route_of(f, "a@opa.example").aliased);
}

static void an_alias_of_another_domain_follows(void **state)
{
    struct fixture *f = *state;
    struct store_command alias =
        command_address(STORE_ADDRESS_ADD, "a@opz.example", STORE_ADDRESS_ALIAS, "opz.example");
    alias.record.target = address_of(ALICE);
    assert_int_equal(fixture_domain_add(f, "opz.example"), 0);
    assert_int_equal(fixture_submit(f, &alias), 0);
    assert_int_equal(move(f, STORE_MOVE_LEAVING, "opb.example"), 0);
    assert_int_equal(move(f, STORE_MOVE_GONE, ""), 0);
    must_lead(f, "a@opz.example", STORE_ADDRESS_PORTED_OUT, "opb.example");
}

static void only_known_steps_are_taken(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(move(f, STORE_MOVE_GONE, "opb.example"), STATUS_STATE);
    assert_int_equal(move(f, STORE_MOVE_LEAVING, "opa.example"), STATUS_MALFORMED);
    assert_int_equal(move(f, STORE_MOVE_LEAVING, ""), STATUS_MALFORMED);
    assert_int_equal(move(f, STORE_MOVE_ARRIVING, ""), STATUS_INUSE);
    assert_int_equal(clear(f), STATUS_STATE);
    for (int i = 0; i < 2; i++)
        assert_int_equal(move(f, STORE_MOVE_LEAVING, "opb.example"), 0);
    assert_int_equal(move(f, STORE_MOVE_LEAVING, "opc.example"), STATUS_STATE);
    assert_int_equal(clear(f), STATUS_STATE);
    struct store_domain domain;
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_domain_get(f->reader, "opa.example", &domain), 0);
    store_reader_end(f->reader);
    assert_int_equal(domain.move, STORE_MOVE_LEAVING);
    assert_string_equal(domain.move_to, "opb.example");
}

static void a_guest_or_a_number_stands_against_it(void **state)
{
    struct fixture *f = *state;
    struct store_command guest =
        command_address(STORE_ADDRESS_ADD, "g@opz.example", STORE_ADDRESS_PORTED_IN, "opa.example");
    assert_int_equal(fixture_submit(f, &guest), 0);
    assert_int_equal(move(f, STORE_MOVE_LEAVING, "opb.example"), STATUS_INUSE);
    guest.op = STORE_ADDRESS_RELEASE;
    assert_int_equal(fixture_submit(f, &guest), 0);
    struct store_command number = {.op = STORE_NUMBER_ADD, .number = {.digits = "4930123"}};
    number.number.address = address_of(ALICE);
    assert_int_equal(fixture_submit(f, &number), 0);
    assert_int_equal(move(f, STORE_MOVE_LEAVING, "opb.example"), 0);
    assert_int_equal(move(f, STORE_MOVE_GONE, ""), 0);
    assert_int_equal(clear(f), STATUS_INUSE);
    must_lead(f, AWAY, STORE_ADDRESS_PORTED_OUT, "opc.example"); /* nothing of it went */
}

static void what_is_gone_can_be_cleared(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(move(f, STORE_MOVE_LEAVING, "opb.example"), 0);
    assert_int_equal(move(f, STORE_MOVE_GONE, ""), 0);
    assert_int_equal(clear(f), 0);
    assert_false(fixture_has(f, ALICE));
    assert_false(route_of(f, AWAY).domain_is_ours);
    assert_int_equal(clear(f), STATUS_NOTFOUND);
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0); /* without tombstones */
    assert_int_equal(fixture_address_add(f, ALICE), 0);
}

static void what_arrives_is_not_here_yet(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(move(f, STORE_MOVE_ARRIVING, ""), 0);
    assert_int_equal(fixture_address_add(f, ALICE), 0);
    struct store_route route = route_of(f, ALICE);
    assert_false(route.address_found || route.domain_is_ours);
    assert_int_equal(move(f, STORE_MOVE_NONE, ""), 0);
    must_lead(f, ALICE, STORE_ADDRESS_HOSTED, "opa.example");
}

/* Somebody released it not long ago: that nobody else gets it for a while is copied, too. */
static void a_tombstone_arrives_with_its_domain(void **state)
{
    struct fixture *f = *state;
    struct store_command bury =
        command_address(STORE_ADDRESS_ADD, ALICE, STORE_ADDRESS_TOMBSTONE, "opa.example");
    bury.record.until_ms = UINT64_C(1) << 60;
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_submit(f, &bury), STATUS_MALFORMED);
    assert_int_equal(move(f, STORE_MOVE_ARRIVING, ""), 0);
    assert_int_equal(fixture_submit(f, &bury), 0);
    assert_int_equal(move(f, STORE_MOVE_NONE, ""), 0);
    struct store_command again =
        command_address(STORE_ADDRESS_ADD, ALICE, STORE_ADDRESS_HOSTED, "opa.example");
    snprintf(again.record.owner, sizeof(again.record.owner), "somebody");
    assert_int_equal(fixture_submit(f, &again), STATUS_QUARANTINED);
}

static void a_changed_domain_stands_where_it_stood(void **state)
{
    struct fixture *f = *state;
    struct store_command put = command_domain(STORE_DOMAIN_PUT, "opa.example", "192.0.2.9");
    assert_int_equal(move(f, STORE_MOVE_LEAVING, "opb.example"), 0);
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_int_equal(move(f, STORE_MOVE_GONE, ""), 0);
    must_lead(f, ALICE, STORE_ADDRESS_PORTED_OUT, "opb.example");
}

static void a_step_is_the_same_from_the_log(void **state)
{
    struct store_command command = move_of(STORE_DOMAIN_MOVE, STORE_MOVE_LEAVING, "opb.example");
    struct store_command again;
    struct buf bytes;
    (void)state;
    buf_init(&bytes, SIZE_MAX);
    assert_int_equal(store_command_encode(&command, &bytes), 0);
    assert_int_equal(store_command_decode(buf_bytes(&bytes), NULL, &again), 0);
    assert_int_equal(again.op, STORE_DOMAIN_MOVE);
    assert_string_equal(again.domain.name, "opa.example");
    assert_int_equal(again.domain.move, STORE_MOVE_LEAVING);
    assert_string_equal(again.domain.move_to, "opb.example");
    buf_done(&bytes);
}

#define OF_DOMAIN(test) cmocka_unit_test_setup_teardown(test, domain_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OF_DOMAIN(what_leaves_is_frozen),
        OF_DOMAIN(what_is_gone_leads_on),
        OF_DOMAIN(an_alias_is_led_on_as_it_is),
        OF_DOMAIN(an_alias_of_another_domain_follows),
        OF_DOMAIN(only_known_steps_are_taken),
        OF_DOMAIN(a_guest_or_a_number_stands_against_it),
        OF_DOMAIN(what_is_gone_can_be_cleared),
        cmocka_unit_test_setup_teardown(what_arrives_is_not_here_yet, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_tombstone_arrives_with_its_domain, fixture_setup,
                                        fixture_teardown),
        OF_DOMAIN(a_changed_domain_stands_where_it_stood),
        cmocka_unit_test(a_step_is_the_same_from_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
