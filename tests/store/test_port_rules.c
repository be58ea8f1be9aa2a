/* What else may be done to an address while it moves: every change of the directory against every
 * state of a port at the authority and at both hosts. */
#include "base/status.h"
#include "tests/store/port_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BOB  "bob@opa.example"
#define NICK "nick@opa.example"
#define LONG (200 * DAY_MS) /* whatever a port waits for, it is over */

/* ---- the states ---- */

enum stage {
    NOTHING, /* no port at all: a rule that refuses here says nothing of ports */
    ASKED,   /* authority: pending, waiting, disputed, committed */
    WAITS,
    DISPUTED,
    MOVED,
    REQUESTING, /* gaining host */
    PENDING,
    CANCELLING,
    ARRIVED,
    LEAVING, /* losing host: pending, waiting, committed */
    CONTESTED,
    LEFT,
    STAGE_COUNT
};
static const char *const stages[STAGE_COUNT] = {
    "no port",
    "authority, pending",
    "authority, waiting",
    "authority, disputed",
    "authority, committed",
    "gaining host, requesting",
    "gaining host, pending",
    "gaining host, cancelling",
    "gaining host, committed",
    "losing host, pending",
    "losing host, waiting",
    "losing host, committed",
};

static bool is_at_authority(enum stage stage)
{
    return stage <= MOVED;
}

static enum store_port_role role_of(enum stage stage)
{
    return is_at_authority(stage) ? STORE_PORT_AUTHORITY
           : stage <= ARRIVED     ? STORE_PORT_GAINING
                                  : STORE_PORT_LOSING;
}

static struct store_command command_at(enum store_op op)
{
    return (struct store_command){
        .op = op, .expected_version = STORE_ANY_VERSION, .actor = "test", .time_ms = BEGIN_MS};
}

/* Imports it, or takes that back; the verdict on it. */
static int batch_do(struct fixture *f, enum store_op op, const struct store_record *record)
{
    int status = -1;
    struct store_command command = command_at(op);
    command.batch = (struct store_batch){
        .records = record, .count = 1, .keep_going = true, .statuses = &status};
    assert_int_equal(submit(f, &command), 0);
    return status;
}

static void import(struct fixture *f, enum store_address_state state, const char *hosting)
{
    struct store_command command = command_address(STORE_ADDRESS_ADD, ALICE, state, hosting);
    assert_int_equal(batch_do(f, STORE_ADDRESS_IMPORT, &command.record), 0);
}

static void authority_reach(struct fixture *f, enum stage stage, struct store_port *port)
{
    *port = port_of("opb.example", REQUEST_A, stage == MOVED ? 0 : DAY_S);
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_address_add(f, BOB), 0);
    import(f, STORE_ADDRESS_HOSTED, "opa.example");
    if (stage == NOTHING)
        return;
    if (stage == ASKED || stage == MOVED) {
        code_give(f, "", BEGIN_MS);
        assert_int_equal(open_port(f, port, BEGIN_MS), 0);
        return;
    }
    struct store_command command = recovery(port, BEGIN_MS + 1);
    key_give(f, BEGIN_MS + 1);
    assert_int_equal(submit(f, &command), 0);
    if (stage == DISPUTED)
        assert_int_equal(step(f, port, STORE_PORT_OBJECT, STORE_PORT_BY_LOSING, BEGIN_MS + 2), 0);
}

static void gaining_reach(struct fixture *f, enum stage stage, struct store_port *port)
{
    *port = port_of("opb.example", REQUEST_A, DAY_S);
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    start(f, port);
    if (stage == PENDING)
        assert_int_equal(tell(f, STORE_PORT_GAINING, port, STORE_PORT_PENDING, 3, BEGIN_MS), 0);
    if (stage == ARRIVED)
        assert_int_equal(tell(f, STORE_PORT_GAINING, port, STORE_PORT_COMMITTED, 3, BEGIN_MS), 0);
    port->role = STORE_PORT_GAINING;
    if (stage == CANCELLING)
        assert_int_equal(step(f, port, STORE_PORT_CANCEL, STORE_PORT_BY_GAINING, BEGIN_MS), 0);
}

static void losing_reach(struct fixture *f, enum stage stage, struct store_port *port)
{
    *port = port_of("opc.example", REQUEST_A, DAY_S);
    snprintf(port->losing, sizeof(port->losing), "opb.example");
    port->committed_ms = BEGIN_MS;
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    import(f, STORE_ADDRESS_PORTED_IN, "opb.example");
    enum store_port_state state = stage == LEAVING     ? STORE_PORT_PENDING
                                  : stage == CONTESTED ? STORE_PORT_WAITING
                                                       : STORE_PORT_COMMITTED;
    assert_int_equal(tell(f, STORE_PORT_LOSING, port, state, 3, BEGIN_MS), 0);
}

static void stage_reach(struct fixture *f, enum stage stage, struct store_port *port)
{
    f->now_ms = BEGIN_MS;
    switch (role_of(stage)) {
    case STORE_PORT_AUTHORITY:
        authority_reach(f, stage, port);
        break;
    case STORE_PORT_GAINING:
        gaining_reach(f, stage, port);
        break;
    default:
        losing_reach(f, stage, port);
    }
}

/* ---- what is done ---- */

/* Does it, in one command or several; the verdict of the last. */
typedef int act_h(struct fixture *f, enum stage stage);

static int record_do(struct fixture *f, enum store_op op)
{
    struct store_command command = command_at(op);
    command.record.address = address_of(ALICE);
    return submit(f, &command);
}

static struct store_command put_begin(struct fixture *f)
{
    struct store_command command = command_at(STORE_ADDRESS_PUT);
    command.record = record_get(f);
    return command;
}

static int release(struct fixture *f, enum stage stage)
{
    (void)stage;
    return record_do(f, STORE_ADDRESS_RELEASE);
}

static int purge(struct fixture *f, enum stage stage)
{
    (void)stage;
    return record_do(f, STORE_ADDRESS_PURGE);
}

static int add_again(struct fixture *f, enum stage stage)
{
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, ALICE,
                        is_at_authority(stage) ? STORE_ADDRESS_HOSTED : STORE_ADDRESS_PORTED_IN,
                        is_at_authority(stage) ? "opa.example" : "opb.example");
    return submit(f, &command);
}

static int block(struct fixture *f, enum stage stage)
{
    struct store_command command = put_begin(f);
    (void)stage;
    command.record.blocked = true;
    return submit(f, &command);
}

static int unblock(struct fixture *f, enum stage stage)
{
    assert_int_equal(block(f, stage), 0);
    struct store_command command = put_begin(f);
    command.record.blocked = false;
    return submit(f, &command);
}

static int lock(struct fixture *f, enum stage stage)
{
    struct store_command command = put_begin(f);
    (void)stage;
    command.record.locked = true;
    return submit(f, &command);
}

static int spell(struct fixture *f, enum stage stage)
{
    struct store_command command = put_begin(f);
    (void)stage;
    snprintf(command.record.display, sizeof(command.record.display), "Alice@opa.example");
    return submit(f, &command);
}

static int make_alias(struct fixture *f, enum stage stage)
{
    struct store_command command = put_begin(f);
    (void)stage;
    command.record.state = STORE_ADDRESS_ALIAS;
    command.record.until_ms = 0;
    command.record.target = address_of(BOB);
    snprintf(command.record.hosting, sizeof(command.record.hosting), "opa.example");
    return submit(f, &command);
}

static struct store_command alias_at(enum stage stage)
{
    bool own = is_at_authority(stage);
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, own ? NICK : "nick@opb.example", STORE_ADDRESS_ALIAS,
                        own ? "opa.example" : "opb.example");
    command.record.target = address_of(ALICE);
    return command;
}

static int alias_to_it(struct fixture *f, enum stage stage)
{
    struct store_command command = alias_at(stage);
    return submit(f, &command);
}

static int alias_gone(struct fixture *f, enum stage stage)
{
    struct store_command command = alias_at(stage);
    assert_int_equal(submit(f, &command), 0);
    command.op = STORE_ADDRESS_RELEASE;
    return submit(f, &command);
}

static int new_owner(struct fixture *f, enum stage stage)
{
    struct store_command command = put_begin(f);
    (void)stage;
    snprintf(command.record.owner, sizeof(command.record.owner), "somebody-else");
    return submit(f, &command);
}

static int move_by_hand(struct fixture *f, enum stage stage)
{
    struct store_command command = put_begin(f);
    command.record.state = is_at_authority(stage) ? STORE_ADDRESS_PORTED_OUT : STORE_ADDRESS_MOVED;
    snprintf(command.record.hosting, sizeof(command.record.hosting), "opx.example");
    return submit(f, &command);
}

static int make_code(struct fixture *f, enum stage stage)
{
    struct store_command command = command_at(STORE_ADDRESS_AUTH);
    (void)stage;
    command.record.address = address_of(ALICE);
    command.record.auth_until_ms = BEGIN_MS + DAY_MS;
    return submit(f, &command);
}

static int operators_freeze(struct fixture *f, enum stage stage)
{
    struct store_command command = command_at(STORE_GUARD_PUT);
    (void)stage;
    command.guard.address = address_of(ALICE);
    command.guard.frozen = true;
    return submit(f, &command);
}

static int undo_import(struct fixture *f, enum stage stage)
{
    struct store_record record = record_get(f);
    (void)stage;
    return batch_do(f, STORE_ADDRESS_UNDO, &record);
}

static int domain_gone(struct fixture *f, enum stage stage)
{
    struct store_command command = command_at(STORE_DOMAIN_DEL);
    snprintf(command.domain.name, sizeof(command.domain.name), "%s",
             is_at_authority(stage) ? "opa.example" : "opb.example");
    return submit(f, &command);
}

/* ---- the rules ---- */

#define YES   0
#define PORT  STATUS_PORTING
#define NONE  STATUS_NOTFOUND
#define USED  STATUS_INUSE
#define THERE STATUS_EXISTS
#define OTHER STATUS_CONFLICT /* it is not as it was imported */

/* Whose act it is: holders may what their token lets them (api/address_write.c), and that is less
 * than what is here; the store makes no difference between them while a port is under way. */
static const struct rule {
    const char *what;
    act_h *act;
    int verdicts[STAGE_COUNT];
} rules[] = {
    /*                     none   pend  wait  disp  comm    ask   pend  canc  comm   pend  wait comm
     */
    {"release", release, {YES, PORT, YES, YES, YES, PORT, PORT, PORT, YES, PORT, PORT, PORT}},
    {"purge", purge, {NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, YES, PORT, PORT, NONE}},
    {"allocate",
     add_again,
     {THERE, THERE, THERE, THERE, THERE, THERE, THERE, THERE, THERE, THERE, THERE, THERE}},
    {"block", block, {YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES}},
    {"unblock", unblock, {YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES}},
    {"lock", lock, {YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES}},
    {"spell otherwise", spell, {YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES}},
    {"make it an alias",
     make_alias,
     {YES, PORT, PORT, PORT, YES, NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"an alias to it", alias_to_it, {YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES}},
    {"no alias any more", alias_gone, {YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES}},
    {"a new owner", new_owner, {YES, PORT, YES, YES, YES, PORT, PORT, PORT, YES, PORT, PORT, PORT}},
    {"another host by hand",
     move_by_hand,
     {YES, PORT, PORT, PORT, YES, PORT, PORT, PORT, YES, PORT, PORT, PORT}},
    {"an auth code",
     make_code,
     {YES, PORT, PORT, PORT, YES, PORT, PORT, PORT, YES, PORT, PORT, YES}},
    {"freeze",
     operators_freeze,
     {YES, YES, YES, YES, YES, NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"undo its import",
     undo_import,
     {YES, PORT, PORT, PORT, OTHER, PORT, PORT, PORT, OTHER, PORT, PORT, PORT}},
    {"delete its domain",
     domain_gone,
     {USED, USED, USED, USED, USED, USED, USED, USED, USED, USED, USED, USED}},
};

/* What was refused left both as they were. */
static void nothing_may_have_changed(struct fixture *f, enum stage stage,
                                     const struct store_port *before, uint64_t version)
{
    if (port_get(f, role_of(stage), before->id).version != before->version ||
        record_get(f).version != version)
        fail_msg("%s: a refusal changed something", stages[stage]);
}

static void rule_hold(const struct rule *rule, enum stage stage)
{
    struct store_port port;
    void *state;
    assert_int_equal(fixture_setup(&state), 0);
    struct fixture *f = state;
    stage_reach(f, stage, &port);
    uint64_t version = record_get(f).version;
    struct store_port before = port_get(f, role_of(stage), port.id);
    memcpy(before.id, port.id, sizeof(before.id));
    int status = rule->act(f, stage);
    if (status != rule->verdicts[stage])
        fail_msg("%s (%s): %d, not %d", rule->what, stages[stage], status, rule->verdicts[stage]);
    if (status)
        nothing_may_have_changed(f, stage, &before, version);
    for (unsigned times = 0; times < 4; times++)
        pass(f, BEGIN_MS + (times + 1) * LONG); /* and nothing of it stops the store */
    assert_int_equal(fixture_teardown(&state), 0);
}

static void every_rule_holds_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        for (int stage = 0; stage < STAGE_COUNT; stage++)
            rule_hold(&rules[i], (enum stage)stage);
}

/* ---- what ends with the address, or with its owner ---- */

static int undo_by_secret(struct fixture *f, const struct store_port *port, uint64_t time_ms)
{
    struct store_port undo = port_of("opa.example", REQUEST_B, 0);
    undo.kind = STORE_PORT_UNDO;
    memcpy(undo.undoes, port->id, sizeof(undo.undoes));
    struct store_command command = order_of(STORE_PORT_OPEN, &undo, time_ms);
    memcpy(command.order.proof, secret, STORE_HASH_LEN);
    return submit(f, &command);
}

static void who_lost_the_address_takes_no_port_back(void **state)
{
    struct fixture *f = *state;
    struct store_port port;
    stage_reach(f, MOVED, &port);
    assert_int_equal(new_owner(f, MOVED), 0);
    struct store_port found = port_get(f, STORE_PORT_AUTHORITY, port.id);
    assert_int_equal(found.state, STORE_PORT_COMPLETED);
    assert_int_equal(found.reason, STORE_PORT_RELEASED);
    assert_int_equal(undo_by_secret(f, &port, BEGIN_MS + 20), STATUS_STATE);
    assert_string_equal(record_get(f).hosting, "opb.example");
}

static void a_recovery_ends_with_the_owner(void **state)
{
    struct fixture *f = *state;
    struct store_port port;
    stage_reach(f, DISPUTED, &port);
    assert_int_equal(new_owner(f, DISPUTED), 0);
    assert_int_equal(port_get(f, STORE_PORT_AUTHORITY, port.id).state, STORE_PORT_CANCELLED);
}

static void with_its_import_goes_what_protected_it(void **state)
{
    struct fixture *f = *state;
    struct store_address address = address_of(ALICE);
    struct store_guard guard;
    struct store_port port;
    stage_reach(f, NOTHING, &port);
    key_give(f, BEGIN_MS + 1);
    assert_int_equal(undo_import(f, NOTHING), 0);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_guard_get(f->reader, &address, &guard), STATUS_NOTFOUND);
    store_reader_end(f->reader);
}

/* ---- what cannot be ported ---- */

static void a_tombstone_and_an_alias_do_not_move(void **state)
{
    struct fixture *f = *state;
    struct store_command domain = command_domain(STORE_DOMAIN_PUT, "opa.example", "192.0.2.1");
    struct store_port port;
    stage_reach(f, NOTHING, &port);
    code_give(f, "", BEGIN_MS);
    domain.domain.quarantine_days = 30;
    assert_int_equal(submit(f, &domain), 0);
    assert_int_equal(release(f, NOTHING), 0);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_TOMBSTONE);
    assert_int_equal(open_port(f, &port, BEGIN_MS + 20), STATUS_NOTFOUND);
    struct store_command alias = alias_at(NOTHING);
    alias.record.target = address_of(BOB);
    assert_int_equal(submit(f, &alias), 0);
    port.address = address_of(NICK);
    assert_int_equal(open_port(f, &port, BEGIN_MS + 21), STATUS_NOTFOUND);
}

static void aliases_stay_at_the_authority_and_lead_on(void **state)
{
    struct fixture *f = *state;
    struct store_address nick = address_of(NICK);
    struct store_route route;
    struct store_port port;
    stage_reach(f, ASKED, &port);
    assert_int_equal(alias_to_it(f, ASKED), 0);
    pass(f, BEGIN_MS + DAY_MS);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_route(f->reader, &nick, &route), 0);
    store_reader_end(f->reader);
    assert_true(route.address_found);
    assert_int_equal(route.state, STORE_ADDRESS_PORTED_OUT);
    assert_string_equal(route.hosting, "opb.example");
    assert_string_equal(route.target.user, "alice");
}

/* ---- at the hosts ---- */

static void the_old_host_leads_on_until_the_port_cannot_be_undone(void **state)
{
    struct fixture *f = *state;
    struct store_port port;
    uint64_t grace_ms = BEGIN_MS + 20 * DAY_MS;
    stage_reach(f, LEAVING, &port);
    port.deadline_ms = grace_ms; /* longer than we lead callers on */
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMMITTED, 4, BEGIN_MS), 0);
    assert_int_equal(record_get(f).until_ms, grace_ms);
    assert_int_equal(release(f, LEFT), STATUS_PORTING);
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMPLETED, 5, grace_ms - 1), 0);
    assert_int_equal(release(f, LEFT), 0);
}

static void no_authority_makes_us_lead_on_for_ever(void **state)
{
    struct fixture *f = *state;
    struct store_port port;
    stage_reach(f, LEAVING, &port);
    port.deadline_ms = BEGIN_MS + 1000 * DAY_MS;
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMMITTED, 4, BEGIN_MS), 0);
    assert_int_equal(record_get(f).until_ms, BEGIN_MS + 31 * DAY_MS);
}

static void between_two_domains_of_one_host_lock_and_code_end(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opd.example", REQUEST_A, 0);
    assert_int_equal(fixture_domain_add(f, "opd.example"), 0);
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    import(f, STORE_ADDRESS_PORTED_IN, "opb.example");
    assert_int_equal(make_code(f, LEAVING), 0);
    assert_int_equal(lock(f, LEAVING), 0);
    start(f, &port);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_COMMITTED, 3, BEGIN_MS), 0);
    assert_string_equal(record_get(f).hosting, "opd.example");
    assert_false(record_get(f).locked);
    assert_false(record_get(f).has_auth);
}

/* Its authority is ours too, or another domain of ours has it still: nothing is prepared that would
 * show that the domain is needed. */
static void a_domain_that_awaits_an_address_stays(void **state)
{
    struct fixture *f = *state;
    struct store_port port;
    stage_reach(f, NOTHING, &port);
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    start(f, &port);
    assert_int_equal(domain_gone(f, PENDING), STATUS_INUSE);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_REFUSED, 0, BEGIN_MS), 0);
    assert_int_equal(domain_gone(f, PENDING), 0);
}

static void a_domain_to_which_an_address_may_come_back_stays(void **state)
{
    struct fixture *f = *state;
    struct store_port port;
    stage_reach(f, LEFT, &port);
    assert_int_equal(domain_gone(f, LEFT), STATUS_INUSE);
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMPLETED, 4, BEGIN_MS), 0);
    assert_int_equal(domain_gone(f, LEFT), 0);
}

/* Who was given the address anew did not ask for the port. */
static void a_port_home_that_is_told_late_finds_another_holder(void **state)
{
    struct fixture *f = *state;
    struct store_port out, home = port_of("opa.example", REQUEST_B, 0);
    stage_reach(f, MOVED, &out);
    pass(f, BEGIN_MS + 4 * DAY_MS);
    code_give(f, "", BEGIN_MS + 4 * DAY_MS);
    snprintf(home.owner, sizeof(home.owner), "holder-1");
    struct store_command begin = order_of(STORE_PORT_START, &home, BEGIN_MS + 4 * DAY_MS);
    assert_int_equal(submit(f, &begin), 0);
    assert_int_equal(open_port(f, &home, BEGIN_MS + 4 * DAY_MS), 0);
    home.committed_ms = BEGIN_MS + 4 * DAY_MS;
    assert_int_equal(release(f, MOVED), 0);
    struct store_command again =
        command_address(STORE_ADDRESS_ADD, ALICE, STORE_ADDRESS_HOSTED, "opa.example");
    again.time_ms = BEGIN_MS + 5 * DAY_MS;
    assert_int_equal(submit(f, &again), 0);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &home, STORE_PORT_COMMITTED, 99, again.time_ms),
                     0);
    assert_string_equal(record_get(f).owner, "");
}

/* ---- numbers ---- */

#define ZONE   "e164.opa.example"
#define DIGITS "4930123456"

static struct store_command number_at(enum store_op op, const char *zone)
{
    struct store_command command = command_at(op);
    snprintf(command.number.digits, sizeof(command.number.digits), DIGITS);
    snprintf(command.number.zone, sizeof(command.number.zone), "%s", zone);
    command.number.address = address_of("carol@opb.example");
    return command;
}

/* The gaining host waits for the number. */
static void number_start(struct fixture *f, struct store_port *port)
{
    f->now_ms = BEGIN_MS;
    *port = port_of("opb.example", REQUEST_A, DAY_S);
    port->address = address_of("+" DIGITS "@" ZONE);
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    assert_int_equal(fixture_address_add(f, "carol@opb.example"), 0);
    struct store_command command = order_of(STORE_PORT_START, port, BEGIN_MS);
    command.order.target = address_of("carol@opb.example");
    assert_int_equal(submit(f, &command), 0);
}

static void a_number_that_moves_keeps_its_entry_and_its_zone(void **state)
{
    struct fixture *f = *state;
    struct store_port port;
    number_start(f, &port);
    struct store_command del = number_at(STORE_NUMBER_DEL, ZONE);
    struct store_command zone = number_at(STORE_NUMBER_PUT, "e164.opx.example");
    struct store_command target = number_at(STORE_NUMBER_PUT, ZONE);
    assert_int_equal(submit(f, &del), STATUS_PORTING);
    assert_int_equal(submit(f, &zone), STATUS_PORTING);
    assert_int_equal(submit(f, &target), 0); /* whom it leads to is his own business */
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_COMMITTED, 3, BEGIN_MS), 0);
    assert_int_equal(submit(f, &del), 0);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_holds_in_every_state),
        FRESH(who_lost_the_address_takes_no_port_back),
        FRESH(a_recovery_ends_with_the_owner),
        FRESH(with_its_import_goes_what_protected_it),
        FRESH(a_tombstone_and_an_alias_do_not_move),
        FRESH(aliases_stay_at_the_authority_and_lead_on),
        FRESH(the_old_host_leads_on_until_the_port_cannot_be_undone),
        FRESH(no_authority_makes_us_lead_on_for_ever),
        FRESH(between_two_domains_of_one_host_lock_and_code_end),
        FRESH(a_domain_that_awaits_an_address_stays),
        FRESH(a_domain_to_which_an_address_may_come_back_stays),
        FRESH(a_port_home_that_is_told_late_finds_another_holder),
        FRESH(a_number_that_moves_keeps_its_entry_and_its_zone),
    };
    fixture_in_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
