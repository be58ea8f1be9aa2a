/* Ports at their authority and at both hosts: what may happen, what follows, what is refused. */
#include "base/status.h"
#include "store/internal.h"
#include "tests/store/files.h"
#include "tests/store/fixture.h"
#include "tests/store/port_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- the authority ---- */

static void without_a_window_it_is_committed_at_once(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    must_be(f, &port, STORE_PORT_COMMITTED, "opb.example");
    struct store_record record = record_get(f);
    assert_int_equal(record.state, STORE_ADDRESS_PORTED_OUT);
    assert_false(record.has_auth);
    struct store_port found = port_get(f, STORE_PORT_AUTHORITY, port.id);
    assert_string_equal(found.losing, "opa.example");
    assert_int_equal(found.owed, STORE_PORT_OWES_GAINING | STORE_PORT_OWES_LOSING);
    assert_int_equal(found.commit_order, BEGIN_MS); /* comparable with another authority's */
}

static void asked_again_it_is_the_same_port(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    uint64_t version = port_get(f, STORE_PORT_AUTHORITY, port.id).version;
    assert_int_equal(open_port(f, &port, BEGIN_MS + 1), 0);
    assert_int_equal(port_get(f, STORE_PORT_AUTHORITY, port.id).version, version);
    port.kind = STORE_PORT_RECOVERY;
    assert_int_equal(open_port(f, &port, BEGIN_MS + 2), STATUS_MISMATCH);
}

static void a_window_ends_with_the_commit(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, DAY_S);
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    must_be(f, &port, STORE_PORT_PENDING, "opa.example");
    pass(f, BEGIN_MS + DAY_MS - 1);
    must_be(f, &port, STORE_PORT_PENDING, "opa.example");
    pass(f, BEGIN_MS + DAY_MS);
    must_be(f, &port, STORE_PORT_COMMITTED, "opb.example");
}

static void the_losing_host_may_approve_or_reject_and_nobody_else(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, DAY_S);
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    assert_int_equal(step(f, &port, STORE_PORT_APPROVE, STORE_PORT_BY_GAINING, BEGIN_MS),
                     STATUS_STATE);
    assert_int_equal(step(f, &port, STORE_PORT_REJECT, STORE_PORT_BY_OPERATOR, BEGIN_MS),
                     STATUS_STATE);
    assert_int_equal(step(f, &port, STORE_PORT_REJECT, STORE_PORT_BY_LOSING, BEGIN_MS), 0);
    must_be(f, &port, STORE_PORT_REJECTED, "opa.example");
    struct store_port other = port_of("opb.example", REQUEST_B, DAY_S);
    assert_int_equal(open_port(f, &other, BEGIN_MS), STATUS_PROOF); /* the code is used up */
    code_give(f, "", BEGIN_MS);
    assert_int_equal(open_port(f, &other, BEGIN_MS), 0);
    assert_int_equal(step(f, &other, STORE_PORT_APPROVE, STORE_PORT_BY_LOSING, BEGIN_MS), 0);
    must_be(f, &other, STORE_PORT_COMMITTED, "opb.example");
}

static void codes_are_checked(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    struct store_command command = order_of(STORE_PORT_OPEN, &port, BEGIN_MS);
    command.order.proof[0] ^= 1;
    assert_int_equal(submit(f, &command), STATUS_PROOF);
    assert_int_equal(open_port(f, &port, BEGIN_MS + 7 * DAY_MS), STATUS_PROOF); /* expired */
    code_give(f, "opc.example", BEGIN_MS + 7 * DAY_MS);
    assert_int_equal(open_port(f, &port, BEGIN_MS + 7 * DAY_MS), STATUS_PROOF); /* for another */
    assert_int_equal(record_get(f).state, STORE_ADDRESS_HOSTED);
    port = port_of("opc.example", REQUEST_A, 0);
    assert_int_equal(open_port(f, &port, BEGIN_MS + 7 * DAY_MS), 0);
}

static void a_lock_holds(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    struct store_command command =
        command_address(STORE_ADDRESS_PUT, ALICE, STORE_ADDRESS_HOSTED, "opa.example");
    command.record.locked = true;
    assert_int_equal(submit(f, &command), 0);
    assert_int_equal(open_port(f, &port, BEGIN_MS), STATUS_LOCKED);
}

static void a_second_port_waits_for_the_first_and_then_for_the_freeze(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, DAY_S);
    struct store_port other = port_of("opc.example", REQUEST_B, 0);
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    assert_int_equal(open_port(f, &other, BEGIN_MS), STATUS_PROOF);
    pass(f, BEGIN_MS + DAY_MS);
    code_give(f, "", BEGIN_MS + DAY_MS);
    assert_int_equal(open_port(f, &other, BEGIN_MS + 4 * DAY_MS - 1), STATUS_FROZEN);
    assert_int_equal(open_port(f, &other, BEGIN_MS + 4 * DAY_MS), 0);
    must_be(f, &other, STORE_PORT_COMMITTED, "opc.example");
    assert_string_equal(port_get(f, STORE_PORT_AUTHORITY, other.id).losing, "opb.example");
}

static void an_undo_takes_it_back_once(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    struct store_port undo = port_of("opa.example", REQUEST_B, 0);
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    undo.kind = STORE_PORT_UNDO;
    memcpy(undo.undoes, port.id, sizeof(undo.undoes));
    struct store_command command = order_of(STORE_PORT_OPEN, &undo, BEGIN_MS + 1);
    assert_int_equal(submit(f, &command), STATUS_PROOF);
    memcpy(command.order.proof, secret, STORE_HASH_LEN);
    assert_int_equal(submit(f, &command), 0);
    must_be(f, &undo, STORE_PORT_COMPLETED, "opa.example");
    must_be(f, &port, STORE_PORT_UNDONE, "opa.example");
    assert_int_equal(record_get(f).state, STORE_ADDRESS_HOSTED);
    struct store_port again = port_of("opb.example", REQUEST_B, 0);
    again.kind = STORE_PORT_UNDO;
    memcpy(again.undoes, undo.id, sizeof(again.undoes));
    command.order.port = again;
    assert_int_equal(submit(f, &command), STATUS_STATE);
}

static void an_undo_comes_in_its_time_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    struct store_port undo = port_of("opa.example", REQUEST_B, 0);
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    pass(f, BEGIN_MS + 3 * DAY_MS);
    must_be(f, &port, STORE_PORT_COMPLETED, "opb.example");
    undo.kind = STORE_PORT_UNDO;
    memcpy(undo.undoes, port.id, sizeof(undo.undoes));
    struct store_command command = order_of(STORE_PORT_OPEN, &undo, BEGIN_MS + 3 * DAY_MS);
    memcpy(command.order.proof, secret, STORE_HASH_LEN);
    assert_int_equal(submit(f, &command), STATUS_STATE);
}

/* Whoever comes back to a host by another port cannot be thrown out with what belongs to the first.
 */
static void an_undo_is_of_the_last_commit(void **state)
{
    static const char *const way[] = {"opb.example", "opc.example", "opb.example"};
    static const char *const requests[] = {REQUEST_A, REQUEST_A, REQUEST_B};
    struct fixture *f = *state;
    struct store_port ports[3], undo = port_of("opa.example", REQUEST_B, 0);
    for (unsigned i = 0; i < 3; i++) {
        ports[i] = port_of(way[i], requests[i], 0);
        ports[i].terms.freeze = 0;
        code_give(f, "", BEGIN_MS + i);
        assert_int_equal(open_port(f, &ports[i], BEGIN_MS + i), 0);
    }
    undo.kind = STORE_PORT_UNDO;
    memcpy(undo.undoes, ports[0].id, sizeof(undo.undoes));
    struct store_command command = order_of(STORE_PORT_OPEN, &undo, BEGIN_MS + DAY_MS);
    memcpy(command.order.proof, secret, STORE_HASH_LEN);
    assert_int_equal(submit(f, &command), STATUS_STATE);
    must_be(f, &ports[0], STORE_PORT_COMMITTED, "opb.example");
}

static void a_recovery_waits_and_a_new_key_first_ripens(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    struct store_command command = recovery(&port, BEGIN_MS + DAY_MS);
    key_give(f, BEGIN_MS + 14 * DAY_MS);
    assert_int_equal(submit(f, &command), STATUS_PROOF);
    command = recovery(&port, BEGIN_MS + 14 * DAY_MS);
    assert_int_equal(submit(f, &command), 0);
    must_be(f, &port, STORE_PORT_WAITING, "opa.example");
    pass(f, BEGIN_MS + 28 * DAY_MS);
    must_be(f, &port, STORE_PORT_COMMITTED, "opb.example");
}

/* How often were the hosts reminded, when are they next, and are they owed it? */
static void must_remind(struct fixture *f, const char *id, uint32_t reminder, uint64_t next_ms,
                        bool is_owed)
{
    struct store_port port = port_get(f, STORE_PORT_AUTHORITY, id);
    assert_int_equal(port.state, STORE_PORT_WAITING);
    assert_int_equal(port.reminder, reminder);
    assert_int_equal(port.remind_ms, next_ms);
    assert_int_equal(port.owed, is_owed ? STORE_PORT_OWES_GAINING | STORE_PORT_OWES_LOSING : 0u);
}

static void who_waits_is_told_each_day_and_no_missed_day_twice(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    uint64_t begin_ms = BEGIN_MS + 2;
    port.terms.remind = DAY_S;
    struct store_command command = recovery(&port, begin_ms);
    struct store_command paid = order_of(STORE_PORT_PAID, &port, begin_ms);
    paid.order.paid = STORE_PORT_OWES_GAINING | STORE_PORT_OWES_LOSING;
    key_give(f, BEGIN_MS + 1);
    assert_int_equal(submit(f, &command), 0);
    must_remind(f, port.id, 0, begin_ms + DAY_MS, true);
    assert_int_equal(submit(f, &paid), 0);
    pass(f, begin_ms + DAY_MS - 1);
    must_remind(f, port.id, 0, begin_ms + DAY_MS, false);
    pass(f, begin_ms + DAY_MS);
    must_remind(f, port.id, 1, begin_ms + 2 * DAY_MS, true);
    assert_int_equal(submit(f, &paid), 0);
    pass(f, begin_ms + DAY_MS + HOUR_MS);
    must_remind(f, port.id, 1, begin_ms + 2 * DAY_MS, false);
    pass(f, begin_ms + 5 * DAY_MS + HOUR_MS); /* nobody was there for days */
    must_remind(f, port.id, 2, begin_ms + 6 * DAY_MS, true);
    for (uint64_t day = 6; day < 14; day++)
        pass(f, begin_ms + day * DAY_MS);
    must_remind(f, port.id, 10, 0, true); /* the end is told as such */
    pass(f, begin_ms + 14 * DAY_MS);
    must_be(f, &port, STORE_PORT_COMMITTED, "opb.example");
    struct store_fault fault;
    fixture_close(f);
    assert_int_equal(store_verify(file_in(f, "data.mdb"), &fault), 0);
    fixture_open(f);
}

static void a_host_owes_its_holder_each_reminder_once(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opc.example", REQUEST_A, 0);
    struct store_command paid = order_of(STORE_PORT_PAID, &port, BEGIN_MS);
    port.kind = STORE_PORT_RECOVERY;
    memcpy(port.losing, "opb.example", sizeof("opb.example"));
    paid.order.port.role = STORE_PORT_LOSING;
    paid.order.paid = STORE_PORT_OWES_HOLDER;
    for (uint32_t reminder = 0; reminder < 3; reminder++) {
        port.reminder = reminder;
        for (unsigned twice = 0; twice < 2; twice++) {
            uint64_t order = 5 + 2 * reminder + twice;
            assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_WAITING, order, BEGIN_MS),
                             0);
            assert_int_equal(port_get(f, STORE_PORT_LOSING, port.id).owed,
                             twice ? 0 : STORE_PORT_OWES_HOLDER);
            assert_int_equal(submit(f, &paid), 0);
        }
    }
    assert_int_equal(port_get(f, STORE_PORT_LOSING, port.id).reminder, 2);
}

static void notify_set(struct fixture *f, const char *mail)
{
    struct store_command put = {.op = STORE_ADDRESS_PUT,
                                .time_ms = BEGIN_MS,
                                .expected_version = STORE_ANY_VERSION,
                                .record = record_get(f)};
    snprintf(put.record.notify, sizeof(put.record.notify), "%s", mail);
    assert_int_equal(submit(f, &put), 0);
}

/* The losing host of them tells, if it is one of ours; where both hosts are others' the authority
 * does. */
static void one_record_of_a_port_owes_a_mail(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    notify_set(f, "alice@mail.example");
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    assert_false(port_get(f, STORE_PORT_AUTHORITY, port.id).owed & STORE_PORT_OWES_MAIL);
    memcpy(port.losing, "opa.example", sizeof("opa.example"));
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMMITTED, 5, BEGIN_MS), 0);
    assert_int_equal(port_get(f, STORE_PORT_LOSING, port.id).owed,
                     STORE_PORT_OWES_HOLDER | STORE_PORT_OWES_MAIL);

    struct store_port next = port_of("opc.example", REQUEST_B, 0);
    code_give(f, "", BEGIN_MS + 4 * DAY_MS);
    assert_int_equal(open_port(f, &next, BEGIN_MS + 4 * DAY_MS), 0);
    assert_true(port_get(f, STORE_PORT_AUTHORITY, next.id).owed & STORE_PORT_OWES_MAIL);
    struct store_command paid = order_of(STORE_PORT_PAID, &next, BEGIN_MS + 4 * DAY_MS);
    paid.order.port.role = STORE_PORT_AUTHORITY;
    paid.order.paid = STORE_PORT_OWES_MAIL;
    assert_int_equal(submit(f, &paid), 0);
    assert_int_equal(port_get(f, STORE_PORT_AUTHORITY, next.id).owed,
                     STORE_PORT_OWES_GAINING | STORE_PORT_OWES_LOSING);
}

static void nobody_is_owed_a_mail_who_has_no_address(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    memcpy(port.losing, "opa.example", sizeof("opa.example"));
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMMITTED, 5, BEGIN_MS), 0);
    assert_int_equal(port_get(f, STORE_PORT_LOSING, port.id).owed, STORE_PORT_OWES_HOLDER);
}

static void the_holder_or_the_operator_may_object_too(void **state)
{
    struct fixture *f = *state;
    static const unsigned parties[] = {STORE_PORT_BY_OWNER, STORE_PORT_BY_OPERATOR};
    key_give(f, BEGIN_MS + 1);
    for (size_t i = 0; i < sizeof(parties) / sizeof(parties[0]); i++) {
        struct store_port port = port_of("opb.example", i ? REQUEST_B : REQUEST_A, 0);
        struct store_command command = recovery(&port, BEGIN_MS + 2);
        assert_int_equal(submit(f, &command), 0);
        assert_int_equal(step(f, &port, STORE_PORT_OBJECT, STORE_PORT_BY_GAINING, BEGIN_MS + 3),
                         STATUS_STATE);
        assert_int_equal(step(f, &port, STORE_PORT_OBJECT, parties[i], BEGIN_MS + 3), 0);
        assert_true(port_get(f, STORE_PORT_AUTHORITY, port.id).owed & STORE_PORT_OWES_OPERATOR);
        assert_int_equal(step(f, &port, STORE_PORT_REJECT, STORE_PORT_BY_OPERATOR, BEGIN_MS + 4),
                         0);
        assert_false(port_get(f, STORE_PORT_AUTHORITY, port.id).owed & STORE_PORT_OWES_OPERATOR);
    }
}

static void a_move_ends_the_lock(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    struct store_command command = recovery(&port, BEGIN_MS + 2);
    struct store_command lock = {.op = STORE_ADDRESS_PUT,
                                 .expected_version = STORE_ANY_VERSION,
                                 .actor = "test",
                                 .time_ms = BEGIN_MS + 2};
    key_give(f, BEGIN_MS + 1);
    lock.record = record_get(f);
    lock.record.locked = true;
    assert_int_equal(submit(f, &lock), 0);
    assert_true(record_get(f).locked);
    assert_int_equal(submit(f, &command), 0);
    pass(f, BEGIN_MS + 2 + 14 * DAY_MS);
    must_be(f, &port, STORE_PORT_COMMITTED, "opb.example");
    assert_false(record_get(f).locked);
}

static void an_objection_is_decided_by_the_operator_else_the_key_wins(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    struct store_command command = recovery(&port, BEGIN_MS + 2);
    key_give(f, BEGIN_MS + 1);
    assert_int_equal(submit(f, &command), 0);
    assert_int_equal(step(f, &port, STORE_PORT_OBJECT, STORE_PORT_BY_LOSING, BEGIN_MS + 3), 0);
    must_be(f, &port, STORE_PORT_DISPUTED, "opa.example");
    assert_int_equal(step(f, &port, STORE_PORT_REJECT, STORE_PORT_BY_LOSING, BEGIN_MS + 3),
                     STATUS_STATE);
    pass(f, BEGIN_MS + 3 + 14 * DAY_MS);
    must_be(f, &port, STORE_PORT_COMMITTED, "opb.example");
}

static void a_release_ends_a_recovery_and_waits_for_a_port_by_code(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, DAY_S);
    struct store_port other = port_of("opb.example", REQUEST_B, 0);
    struct store_command release =
        command_address(STORE_ADDRESS_RELEASE, ALICE, STORE_ADDRESS_HOSTED, "opa.example");
    key_give(f, BEGIN_MS + 1);
    assert_int_equal(open_port(f, &port, BEGIN_MS + 1), 0);
    assert_int_equal(submit(f, &release), STATUS_PORTING);
    assert_int_equal(step(f, &port, STORE_PORT_CANCEL, STORE_PORT_BY_GAINING, BEGIN_MS + 1), 0);
    struct store_command command = recovery(&other, BEGIN_MS + 2);
    assert_int_equal(submit(f, &command), 0);
    assert_int_equal(submit(f, &release), 0);
    struct store_port found = port_get(f, STORE_PORT_AUTHORITY, other.id);
    assert_int_equal(found.state, STORE_PORT_CANCELLED);
    assert_int_equal(found.reason, STORE_PORT_RELEASED);
    struct store_guard guard;
    struct store_address address = address_of(ALICE);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_guard_get(f->reader, &address, &guard), STATUS_NOTFOUND);
    store_reader_end(f->reader);
}

static void what_was_cancelled_before_it_came_does_not_come(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    memcpy(port.losing, "opc.example", sizeof("opc.example")); /* so the peer says */
    assert_int_equal(step(f, &port, STORE_PORT_CANCEL, STORE_PORT_BY_GAINING, BEGIN_MS), 0);
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    must_be(f, &port, STORE_PORT_CANCELLED, "opa.example");
    assert_string_equal(port_get(f, STORE_PORT_AUTHORITY, port.id).losing, "");
    assert_true(record_get(f).has_auth);
    pass(f, BEGIN_MS + DAY_MS - 1);
    assert_int_not_equal(port_get(f, STORE_PORT_AUTHORITY, port.id).version, 0);
    pass(f, BEGIN_MS + DAY_MS);
    assert_int_equal(port_get(f, STORE_PORT_AUTHORITY, port.id).version, 0);
}

static void what_is_over_goes_after_ninety_days(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    pass(f, BEGIN_MS + 3 * DAY_MS);
    pass(f, BEGIN_MS + 93 * DAY_MS - 1);
    assert_int_not_equal(port_get(f, STORE_PORT_AUTHORITY, port.id).version, 0);
    pass(f, BEGIN_MS + 93 * DAY_MS);
    assert_int_equal(port_get(f, STORE_PORT_AUTHORITY, port.id).version, 0);
    assert_string_equal(record_get(f).hosting, "opb.example");
}

/* ---- the hosts ---- */

static void the_gaining_host_prepares_and_serves(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    start(f, &port);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PREPARED);
    assert_int_equal(port_get(f, STORE_PORT_GAINING, port.id).owed, STORE_PORT_OWES_AUTHORITY);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_PENDING, 7, BEGIN_MS), 0);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PREPARED);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_COMMITTED, 9, BEGIN_MS), 0);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PORTED_IN);
    assert_string_equal(record_get(f).owner, "holder-1");
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_PENDING, 7, BEGIN_MS),
                     0); /* late */
    assert_int_equal(port_get(f, STORE_PORT_GAINING, port.id).state, STORE_PORT_COMMITTED);
}

static void who_begins_again_begins_no_second_port(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    start(f, &port);
    uint64_t version = port_get(f, STORE_PORT_GAINING, port.id).version;
    struct store_command again = order_of(STORE_PORT_START, &port, BEGIN_MS);
    assert_int_equal(submit(f, &again), 0);
    assert_int_equal(port_get(f, STORE_PORT_GAINING, port.id).version, version);
    again.order.port.address.user[0] = 'b';
    assert_int_equal(submit(f, &again), STATUS_MISMATCH);
}

static void a_port_that_fails_leaves_nothing_prepared(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    start(f, &port);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_REFUSED, 0, BEGIN_MS), 0);
    assert_int_equal(record_get(f).version, 0);
    assert_int_equal(port_get(f, STORE_PORT_GAINING, port.id).state, STORE_PORT_REFUSED);
}

static void who_missed_the_commit_hears_that_it_was_undone(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    start(f, &port);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_UNDONE, 9, BEGIN_MS), 0);
    assert_int_equal(record_get(f).version, 0);
    assert_int_equal(port_get(f, STORE_PORT_GAINING, port.id).state, STORE_PORT_UNDONE);
}

static void a_refusal_that_comes_late_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    start(f, &port);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_COMMITTED, 9, BEGIN_MS), 0);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_REFUSED, 0, BEGIN_MS), 0);
    assert_int_equal(port_get(f, STORE_PORT_GAINING, port.id).state, STORE_PORT_COMMITTED);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PORTED_IN);
}

/* The authority was restored from a backup, or somebody told in its name what needs no receipt. */
static void a_decision_is_news_to_an_open_port_whatever_its_order(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    start(f, &port);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_PENDING, 900, BEGIN_MS), 0);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_COMMITTED, 9, BEGIN_MS), 0);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PORTED_IN);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_UNDONE, 8, BEGIN_MS), 0);
    assert_int_equal(port_get(f, STORE_PORT_GAINING, port.id).state, STORE_PORT_COMMITTED);
}

static void who_gives_up_asks_the_authority_and_obeys_it(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    start(f, &port);
    pass(f, BEGIN_MS + HOUR_MS);
    struct store_port found = port_get(f, STORE_PORT_GAINING, port.id);
    assert_int_equal(found.state, STORE_PORT_CANCELLING);
    assert_int_equal(found.reason, STORE_PORT_NO_ANSWER);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_PENDING, 7, BEGIN_MS + HOUR_MS),
                     0);
    assert_int_equal(port_get(f, STORE_PORT_GAINING, port.id).state, STORE_PORT_CANCELLING);
    assert_int_equal(
        tell(f, STORE_PORT_GAINING, &port, STORE_PORT_COMMITTED, 9, BEGIN_MS + HOUR_MS), 0);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PORTED_IN);
}

static void who_cannot_give_up_does_not_try_for_ever(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    uint64_t end_ms = BEGIN_MS + HOUR_MS + 7 * DAY_MS;
    start(f, &port);
    pass(f, BEGIN_MS + HOUR_MS);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_PENDING, 7, BEGIN_MS + DAY_MS),
                     0);
    pass(f, end_ms - 1);
    assert_int_equal(port_get(f, STORE_PORT_GAINING, port.id).state, STORE_PORT_CANCELLING);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PREPARED);
    pass(f, end_ms);
    struct store_port found = port_get(f, STORE_PORT_GAINING, port.id);
    assert_int_equal(found.state, STORE_PORT_CANCELLED);
    assert_int_equal(found.reason, STORE_PORT_NO_ANSWER);
    assert_int_equal(found.owed, STORE_PORT_OWES_HOLDER);
    assert_int_equal(record_get(f).version, 0);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_COMMITTED, 9, end_ms + 1), 0);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PORTED_IN);
}

static void the_losing_host_leads_on(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opc.example", REQUEST_A, 0);
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, ALICE, STORE_ADDRESS_PORTED_IN, "opb.example");
    assert_int_equal(submit(f, &command), 0);
    memcpy(port.losing, "opb.example", sizeof("opb.example"));
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_PENDING, 5, BEGIN_MS), 0);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PORTED_IN);
    command.op = STORE_ADDRESS_RELEASE;
    assert_int_equal(submit(f, &command), STATUS_PORTING);
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMMITTED, 6, BEGIN_MS), 0);
    struct store_record record = record_get(f);
    assert_int_equal(record.state, STORE_ADDRESS_MOVED);
    assert_string_equal(record.hosting, "opc.example");
    assert_int_equal(record.until_ms, BEGIN_MS + 7 * DAY_MS);
}

/* Who asks for it back, in vain, neither ends that nor becomes the one an undo gives it to. */
static void the_losing_host_leads_on_after_it_asked_in_vain(void **state)
{
    struct fixture *f = *state;
    struct store_port lost = port_of("opc.example", REQUEST_A, 0);
    struct store_port again = port_of("opb.example", REQUEST_B, 0);
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, ALICE, STORE_ADDRESS_PORTED_IN, "opb.example");
    snprintf(command.record.owner, sizeof(command.record.owner), "holder-0");
    assert_int_equal(submit(f, &command), 0);
    memcpy(lost.losing, "opb.example", sizeof("opb.example"));
    lost.committed_ms = BEGIN_MS;
    assert_int_equal(tell(f, STORE_PORT_LOSING, &lost, STORE_PORT_COMMITTED, 6, BEGIN_MS), 0);
    start(f, &again);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PREPARED);
    assert_int_equal(tell(f, STORE_PORT_GAINING, &again, STORE_PORT_REFUSED, 0, BEGIN_MS), 0);
    struct store_record record = record_get(f);
    assert_int_equal(record.state, STORE_ADDRESS_MOVED);
    assert_string_equal(record.hosting, "opc.example");
    assert_string_equal(record.owner, "holder-0");
    assert_int_equal(record.until_ms, BEGIN_MS + 7 * DAY_MS);
}

static bool port_count(const struct store_port *port, void *arg)
{
    (void)port;
    ++*(unsigned *)arg;
    return true;
}

static unsigned ports_of_alice(struct fixture *f)
{
    const struct store_record record = record_get(f);
    unsigned count = 0;
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(
        store_port_address_list(f->reader, &record.address, SIZE_MAX, port_count, &count), 0);
    store_reader_end(f->reader);
    return count;
}

static void an_authority_that_makes_ports_up_does_not_fill_the_store(void **state)
{
    struct fixture *f = *state;
    struct store_port port, first = {.id = ""};
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, ALICE, STORE_ADDRESS_PORTED_IN, "opb.example");
    char request[STORE_PORT_ID_LEN + 1];
    assert_int_equal(submit(f, &command), 0);
    for (unsigned i = 0; i <= STORE_PORT_TOLD_MAX; i++) {
        snprintf(request, sizeof(request), "%032x", i);
        port = port_of("opc.example", request, 0);
        memcpy(port.losing, "opb.example", sizeof("opb.example"));
        assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_PENDING, 5 + i, BEGIN_MS), 0);
        if (i == 0)
            first = port;
    }
    assert_int_equal(ports_of_alice(f), STORE_PORT_TOLD_MAX);
    assert_int_equal(port_get(f, STORE_PORT_LOSING, first.id).version, 0);
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMMITTED, 999, BEGIN_MS), 0);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_MOVED); /* what is true still counts */
}

static void the_receipt_key_that_was_seen_first_stays(void **state)
{
    static const uint8_t other[STORE_HASH_LEN] = "another receipt key";
    struct fixture *f = *state;
    struct store_port port = port_of("opc.example", REQUEST_A, 0);
    memcpy(port.losing, "opb.example", sizeof("opb.example"));
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_PENDING, 5, BEGIN_MS), 0);
    memcpy(port.key_seen, key, STORE_HASH_LEN); /* it could not be read before */
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_PENDING, 6, BEGIN_MS), 0);
    memcpy(port.key_seen, other, STORE_HASH_LEN);
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMMITTED, 7, BEGIN_MS), 0);
    assert_memory_equal(port_get(f, STORE_PORT_LOSING, port.id).key_seen, key, STORE_HASH_LEN);

    port = port_of("opb.example", REQUEST_B, 0);
    memcpy(port.key_seen, key, STORE_HASH_LEN);
    struct store_command command = order_of(STORE_PORT_START, &port, BEGIN_MS);
    command.order.port.address.user[0] = 'b';
    assert_int_equal(submit(f, &command), 0);
    assert_memory_equal(port_get(f, STORE_PORT_GAINING, port.id).key_seen, key, STORE_HASH_LEN);
}

static void the_last_receipt_is_kept(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opc.example", REQUEST_A, 0);
    memcpy(port.losing, "opb.example", sizeof("opb.example"));
    memset(port.receipt, 'a', STORE_PORT_RECEIPT_MAX); /* as long as one may be */
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMMITTED, 5, BEGIN_MS), 0);
    assert_string_equal(port_get(f, STORE_PORT_LOSING, port.id).receipt, port.receipt);
    snprintf(port.receipt, sizeof(port.receipt), "a.newer.one");
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMPLETED, 6, BEGIN_MS), 0);
    assert_string_equal(port_get(f, STORE_PORT_LOSING, port.id).receipt, "a.newer.one");
    port.receipt[0] = '\0'; /* nothing takes it away */
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMPLETED, 7, BEGIN_MS), 0);
    assert_string_equal(port_get(f, STORE_PORT_LOSING, port.id).receipt, "a.newer.one");
}

static void a_commit_that_is_told_late_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_port first = port_of("opb.example", REQUEST_A, 0);
    struct store_port second = port_of("opc.example", REQUEST_B, 0);
    start(f, &first);
    assert_int_equal(tell(f, STORE_PORT_LOSING, &second, STORE_PORT_COMMITTED, 20, BEGIN_MS), 0);
    assert_string_equal(record_get(f).hosting, "opc.example");
    assert_int_equal(tell(f, STORE_PORT_GAINING, &first, STORE_PORT_COMMITTED, 10, BEGIN_MS), 0);
    assert_string_equal(record_get(f).hosting, "opc.example");
    assert_int_equal(record_get(f).state, STORE_ADDRESS_MOVED);
}

static void between_two_domains_of_one_host_it_stays_served(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opd.example", REQUEST_A, 0);
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, ALICE, STORE_ADDRESS_PORTED_IN, "opb.example");
    assert_int_equal(submit(f, &command), 0);
    start(f, &port);
    assert_string_equal(record_get(f).hosting, "opb.example");
    assert_int_equal(tell(f, STORE_PORT_GAINING, &port, STORE_PORT_COMMITTED, 3, BEGIN_MS), 0);
    assert_int_equal(tell(f, STORE_PORT_LOSING, &port, STORE_PORT_COMMITTED, 3, BEGIN_MS), 0);
    assert_int_equal(record_get(f).state, STORE_ADDRESS_PORTED_IN);
    assert_string_equal(record_get(f).hosting, "opd.example");
}

/* ---- both ---- */

static bool count(const struct store_port *port, void *arg)
{
    (void)port;
    ++*(unsigned *)arg;
    return true;
}

static void ports_are_listed_by_address_and_by_what_they_owe(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, 0);
    struct store_command paid = order_of(STORE_PORT_PAID, &port, BEGIN_MS);
    unsigned of_address = 0, owed = 0, all = 0;
    assert_int_equal(open_port(f, &port, BEGIN_MS), 0);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_port_address_list(f->reader, &port.address, 10, count, &of_address), 0);
    assert_int_equal(store_port_owed_list(f->reader, 10, count, &owed), 0);
    assert_int_equal(store_port_list(f->reader, NULL, 10, count, &all), 0);
    store_reader_end(f->reader);
    assert_int_equal(of_address + owed + all, 3);
    paid.order.paid = STORE_PORT_OWES_GAINING | STORE_PORT_OWES_LOSING;
    assert_int_equal(submit(f, &paid), 0);
    assert_int_equal(store_reader_begin(f->reader), 0);
    assert_int_equal(store_port_owed_list(f->reader, 10, count, &owed), 0);
    store_reader_end(f->reader);
    assert_int_equal(owed, 1);
}

static void a_command_of_a_port_is_the_same_from_the_log(void **state)
{
    struct fixture *f = *state;
    struct store_port port = port_of("opb.example", REQUEST_A, DAY_S);
    struct store_command command = order_of(STORE_PORT_OPEN, &port, BEGIN_MS), decoded;
    struct buf bytes;
    (void)f;
    buf_init(&bytes, SIZE_MAX);
    assert_int_equal(store_command_encode(&command, &bytes), 0);
    assert_int_equal(store_command_decode(buf_bytes(&bytes), NULL, &decoded), 0);
    assert_memory_equal(decoded.order.proof, code, STORE_HASH_LEN);
    assert_memory_equal(decoded.order.port.undo_hash, secret, STORE_HASH_LEN);
    assert_string_equal(decoded.order.port.id, port.id);
    assert_int_equal(decoded.order.port.terms.window, DAY_S);
    assert_int_equal(decoded.order.by, STORE_PORT_BY_GAINING);
    buf_done(&bytes);
}

#define AT_AUTHORITY(test) cmocka_unit_test_setup_teardown(test, authority_setup, fixture_teardown)
#define AT_HOST(test)      cmocka_unit_test_setup_teardown(test, host_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_AUTHORITY(without_a_window_it_is_committed_at_once),
        AT_AUTHORITY(asked_again_it_is_the_same_port),
        AT_AUTHORITY(a_window_ends_with_the_commit),
        AT_AUTHORITY(the_losing_host_may_approve_or_reject_and_nobody_else),
        AT_AUTHORITY(codes_are_checked),
        AT_AUTHORITY(a_lock_holds),
        AT_AUTHORITY(a_second_port_waits_for_the_first_and_then_for_the_freeze),
        AT_AUTHORITY(an_undo_takes_it_back_once),
        AT_AUTHORITY(an_undo_comes_in_its_time_or_not_at_all),
        AT_AUTHORITY(an_undo_is_of_the_last_commit),
        AT_AUTHORITY(a_recovery_waits_and_a_new_key_first_ripens),
        AT_AUTHORITY(who_waits_is_told_each_day_and_no_missed_day_twice),
        AT_AUTHORITY(one_record_of_a_port_owes_a_mail),
        AT_AUTHORITY(nobody_is_owed_a_mail_who_has_no_address),
        AT_AUTHORITY(the_holder_or_the_operator_may_object_too),
        AT_AUTHORITY(a_move_ends_the_lock),
        AT_HOST(a_host_owes_its_holder_each_reminder_once),
        AT_AUTHORITY(an_objection_is_decided_by_the_operator_else_the_key_wins),
        AT_AUTHORITY(a_release_ends_a_recovery_and_waits_for_a_port_by_code),
        AT_AUTHORITY(what_was_cancelled_before_it_came_does_not_come),
        AT_AUTHORITY(what_is_over_goes_after_ninety_days),
        AT_HOST(the_gaining_host_prepares_and_serves),
        AT_HOST(who_begins_again_begins_no_second_port),
        AT_HOST(a_port_that_fails_leaves_nothing_prepared),
        AT_HOST(who_missed_the_commit_hears_that_it_was_undone),
        AT_HOST(a_refusal_that_comes_late_changes_nothing),
        AT_HOST(a_decision_is_news_to_an_open_port_whatever_its_order),
        AT_HOST(who_gives_up_asks_the_authority_and_obeys_it),
        AT_HOST(who_cannot_give_up_does_not_try_for_ever),
        AT_HOST(the_losing_host_leads_on),
        AT_HOST(the_losing_host_leads_on_after_it_asked_in_vain),
        AT_HOST(an_authority_that_makes_ports_up_does_not_fill_the_store),
        AT_HOST(the_last_receipt_is_kept),
        AT_HOST(the_receipt_key_that_was_seen_first_stays),
        AT_HOST(a_commit_that_is_told_late_changes_nothing),
        AT_HOST(between_two_domains_of_one_host_it_stays_served),
        AT_AUTHORITY(ports_are_listed_by_address_and_by_what_they_owe),
        AT_AUTHORITY(a_command_of_a_port_is_the_same_from_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
