/* Numbers that an ENUM zone holds: the address "+digits@zone" has their record, is ported, and
 * takes along what the number table says. */
#include "base/status.h"
#include "resolver/resolver.h"
#include "tests/store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DIGITS  "4930111"
#define OURS    "9.4.e164.example"   /* a domain of ours */
#define THEIRS  "9.4.e164.elsewhere" /* another operator's */
#define DAY_MS  ((uint64_t)24 * 3600 * 1000)
#define BEGIN   ((uint64_t)1000 * 1000)
#define REQUEST "000102030405060708090a0b0c0d0e0f"

static struct store_command number_command(enum store_op op, const char *target, const char *zone)
{
    struct store_command command = {.op = op,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "test",
                                    .time_ms = BEGIN,
                                    .claim = true};
    snprintf(command.number.digits, sizeof(command.number.digits), "%s", DIGITS);
    command.number.address = address_of(target);
    snprintf(command.number.zone, sizeof(command.number.zone), "%s", zone);
    return command;
}

static int number_add(struct fixture *f, const char *target, const char *zone)
{
    struct store_command command = number_command(STORE_NUMBER_ADD, target, zone);
    return fixture_submit(f, &command);
}

static struct store_record record_get(struct fixture *f, const char *text)
{
    struct store_address address = address_of(text);
    struct store_record record = {.version = 0};
    assert_int_equal(store_reader_begin(f->reader), 0);
    int ret = store_address_get(f->reader, &address, &record);
    store_reader_end(f->reader);
    assert_true(ret == 0 || ret == STATUS_NOTFOUND);
    return record;
}

static int number_get(struct fixture *f, struct store_number *number)
{
    assert_int_equal(store_reader_begin(f->reader), 0);
    int ret = store_number_get(f->reader, DIGITS, number);
    store_reader_end(f->reader);
    return ret;
}

static struct store_command order_of(enum store_op op, const char *zone, const char *gaining)
{
    struct store_command command = {
        .op = op, .expected_version = STORE_ANY_VERSION, .actor = "test", .time_ms = BEGIN};
    struct store_port *port = &command.order.port;
    snprintf(port->address.user, sizeof(port->address.user), "+%s", DIGITS);
    snprintf(port->address.domain, sizeof(port->address.domain), "%s", zone);
    snprintf(port->gaining, sizeof(port->gaining), "%s", gaining);
    snprintf(port->request, sizeof(port->request), "%s", REQUEST);
    assert_int_equal(store_port_id(gaining, REQUEST, port->id), 0);
    command.order.moved = 7 * 24 * 3600;
    return command;
}

static int tell(struct fixture *f, enum store_port_role role, const char *gaining,
                enum store_port_state state, uint64_t order)
{
    struct store_command command = order_of(STORE_PORT_TELL, THEIRS, gaining);
    struct store_port *port = &command.order.port;
    port->role = role;
    port->state = state;
    port->order = order;
    port->commit_order = state == STORE_PORT_COMMITTED ? order : 0;
    return fixture_submit(f, &command);
}

/* Its record at that moment, and where the resolver finds it. */
static int placed(struct fixture *f, struct resolver_number *number)
{
    assert_int_equal(store_reader_begin(f->reader), 0);
    int ret = resolver_number_get(f->reader, DIGITS, number);
    store_reader_end(f->reader);
    return ret;
}

static int world_setup(void **state)
{
    int failed = fixture_setup(state);
    struct fixture *f = *state;
    if (failed)
        return failed;
    if (fixture_domain_add(f, "opa.example") || fixture_domain_add(f, OURS))
        return -1;
    return fixture_address_add(f, "alice@opa.example") | fixture_address_add(f, "anna@opa.example");
}

static void a_zone_holds_numbers_with_its_first_digits(void **state)
{
    (void)state;
    assert_true(store_number_fits(DIGITS, "9.4.e164.arpa"));
    assert_true(store_number_fits(DIGITS, "e164.opa.example"));
    assert_true(store_number_fits(DIGITS, "1.1.1.0.3.9.4.e164.arpa"));
    assert_false(store_number_fits(DIGITS, "4.9.e164.arpa"));
    assert_false(store_number_fits(DIGITS, "2.1.1.1.0.3.9.4.e164.arpa"));
}

static void a_number_of_our_zone_gets_its_address_there(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(number_add(f, "alice@opa.example", OURS), 0);
    struct store_record record = record_get(f, "+" DIGITS "@" OURS);
    assert_int_equal(record.state, STORE_ADDRESS_PORTED_OUT);
    assert_string_equal(record.hosting, "opa.example");
}

static void a_number_of_anothers_zone_is_hosted_here(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(number_add(f, "alice@opa.example", THEIRS), 0);
    struct store_record record = record_get(f, "+" DIGITS "@" THEIRS);
    assert_int_equal(record.state, STORE_ADDRESS_PORTED_IN);
    assert_string_equal(record.hosting, "opa.example");
}

static void a_zone_that_cannot_hold_it_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_number number;
    assert_int_equal(number_add(f, "alice@opa.example", "1.e164.example"), STATUS_MALFORMED);
    assert_int_equal(number_get(f, &number), STATUS_NOTFOUND);
}

static void what_is_assigned_already_stays_where_it_is(void **state)
{
    struct fixture *f = *state;
    struct store_command command = command_address(STORE_ADDRESS_ADD, "+" DIGITS "@" OURS,
                                                   STORE_ADDRESS_PORTED_OUT, "opc.example");
    struct resolver_number number;
    assert_int_equal(fixture_submit(f, &command), 0);
    assert_int_equal(number_add(f, "alice@opa.example", OURS), 0);
    assert_string_equal(record_get(f, "+" DIGITS "@" OURS).hosting, "opc.example");
    assert_int_equal(placed(f, &number), 0);
    assert_false(number.is_here);
    assert_string_equal(number.leads_to.user, "+" DIGITS);
    assert_string_equal(number.leads_to.domain, "opc.example");
}

static void a_released_number_is_nobodys_until_its_quarantine_is_over(void **state)
{
    struct fixture *f = *state;
    struct store_command put = command_domain(STORE_DOMAIN_PUT, OURS, "192.0.2.1");
    put.domain.quarantine_days = 90;
    assert_int_equal(fixture_submit(f, &put), 0);
    assert_int_equal(number_add(f, "alice@opa.example", OURS), 0);
    struct store_command release =
        command_address(STORE_ADDRESS_RELEASE, "+" DIGITS "@" OURS, STORE_ADDRESS_HOSTED, OURS);
    struct store_number number;
    assert_int_equal(fixture_submit(f, &release), 0);
    assert_int_equal(number_get(f, &number), STATUS_NOTFOUND);
    assert_int_equal(number_add(f, "alice@opa.example", OURS), STATUS_QUARANTINED);
    assert_int_equal(number_get(f, &number), STATUS_NOTFOUND);
}

static int start(struct fixture *f, const char *target)
{
    struct store_command command = order_of(STORE_PORT_START, THEIRS, "opa.example");
    command.order.target = address_of(target);
    return fixture_submit(f, &command);
}

static void a_prepared_number_leads_nowhere_until_it_comes(void **state)
{
    struct fixture *f = *state;
    struct resolver_number number;
    assert_int_equal(start(f, "anna@opa.example"), 0);
    assert_int_equal(record_get(f, "+" DIGITS "@" THEIRS).state, STORE_ADDRESS_PREPARED);
    assert_int_equal(placed(f, &number), STATUS_NOTFOUND);
    assert_int_equal(tell(f, STORE_PORT_GAINING, "opa.example", STORE_PORT_COMMITTED, 7), 0);
    assert_int_equal(placed(f, &number), 0);
    assert_true(number.is_here);
    assert_string_equal(number.leads_to.user, "anna");
}

static void what_led_the_number_elsewhere_waits_too(void **state)
{
    struct fixture *f = *state;
    struct resolver_number number;
    assert_int_equal(number_add(f, "alice@opa.example", ""), 0);
    assert_int_equal(placed(f, &number), 0);
    assert_int_equal(start(f, "anna@opa.example"), 0);
    assert_int_equal(placed(f, &number), STATUS_NOTFOUND);
}

static void of_a_port_that_came_to_nothing_no_number_is_left(void **state)
{
    struct fixture *f = *state;
    struct store_number number;
    assert_int_equal(start(f, "anna@opa.example"), 0);
    assert_int_equal(tell(f, STORE_PORT_GAINING, "opa.example", STORE_PORT_REJECTED, 7), 0);
    assert_int_equal(number_get(f, &number), STATUS_NOTFOUND);
    assert_int_equal(record_get(f, "+" DIGITS "@" THEIRS).version, 0);
}

static void a_port_to_nobody_is_refused_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_number number;
    assert_int_equal(start(f, "nobody@opa.example"), STATUS_NOTFOUND);
    assert_int_equal(number_get(f, &number), STATUS_NOTFOUND);
    assert_int_equal(record_get(f, "+" DIGITS "@" THEIRS).version, 0);
}

static void a_number_that_left_leads_on_and_is_forgotten_in_time(void **state)
{
    struct fixture *f = *state;
    struct resolver_number number;
    struct store_number entry;
    assert_int_equal(number_add(f, "alice@opa.example", THEIRS), 0);
    assert_int_equal(tell(f, STORE_PORT_LOSING, "opc.example", STORE_PORT_COMMITTED, 7), 0);
    assert_int_equal(placed(f, &number), 0);
    assert_false(number.is_here);
    assert_string_equal(number.leads_to.domain, "opc.example");
    struct store_command expire = {.op = STORE_EXPIRE,
                                   .actor = "timer",
                                   .expected_version = STORE_ANY_VERSION,
                                   .time_ms = BEGIN + 8 * DAY_MS};
    f->now_ms = expire.time_ms;
    assert_int_equal(fixture_submit(f, &expire), 0);
    assert_int_equal(number_get(f, &entry), STATUS_NOTFOUND);
    assert_int_equal(record_get(f, "+" DIGITS "@" THEIRS).version, 0);
}

/* Another's domain that looks the same cannot move it. */
static void only_its_own_zone_moves_a_number(void **state)
{
    struct fixture *f = *state;
    struct resolver_number number;
    assert_int_equal(number_add(f, "alice@opa.example", OURS), 0);
    assert_int_equal(tell(f, STORE_PORT_LOSING, "opc.example", STORE_PORT_COMMITTED, 7), 0);
    assert_int_equal(placed(f, &number), 0);
    assert_true(number.is_here);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_zone_holds_numbers_with_its_first_digits),
        TEST(a_number_of_our_zone_gets_its_address_there),
        TEST(a_number_of_anothers_zone_is_hosted_here),
        TEST(a_zone_that_cannot_hold_it_is_refused),
        TEST(what_is_assigned_already_stays_where_it_is),
        TEST(a_released_number_is_nobodys_until_its_quarantine_is_over),
        TEST(a_prepared_number_leads_nowhere_until_it_comes),
        TEST(what_led_the_number_elsewhere_waits_too),
        TEST(of_a_port_that_came_to_nothing_no_number_is_left),
        TEST(a_port_to_nobody_is_refused_and_leaves_nothing),
        TEST(a_number_that_left_leads_on_and_is_forgotten_in_time),
        TEST(only_its_own_zone_moves_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
