#include "tests/store/port_words.h"

#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

const uint8_t code[STORE_HASH_LEN] = "the hash of an auth code";
const uint8_t secret[STORE_HASH_LEN] = "the hash of an undo secret";
const uint8_t key[STORE_HASH_LEN] = "a recovery key";

/* The clock is no further than the commands: else the store's own timer would be. */
int submit(struct fixture *f, const struct store_command *command)
{
    if (f->now_ms < command->time_ms)
        f->now_ms = command->time_ms;
    return fixture_submit(f, command);
}

struct store_port port_of(const char *gaining, const char *request, unsigned window_s)
{
    struct store_port port = {.kind = STORE_PORT_CODE,
                              .terms = {.window = window_s,
                                        .wait = 14 * DAY_S,
                                        .dispute = 14 * DAY_S,
                                        .grace = 3 * DAY_S,
                                        .freeze = 3 * DAY_S}};
    port.address = address_of(ALICE);
    snprintf(port.gaining, sizeof(port.gaining), "%s", gaining);
    snprintf(port.request, sizeof(port.request), "%s", request);
    assert_int_equal(store_port_id(gaining, request, port.id), 0);
    memcpy(port.undo_hash, secret, STORE_HASH_LEN);
    return port;
}

struct store_command order_of(enum store_op op, const struct store_port *port, uint64_t time_ms)
{
    struct store_command command = {
        .op = op, .expected_version = STORE_ANY_VERSION, .actor = "test", .time_ms = time_ms};
    command.order.port = *port;
    command.order.by = STORE_PORT_BY_GAINING;
    memcpy(command.order.proof, code, STORE_HASH_LEN);
    return command;
}

int step(struct fixture *f, const struct store_port *port, enum store_port_event event, unsigned by,
         uint64_t time_ms)
{
    struct store_command command = order_of(STORE_PORT_STEP, port, time_ms);
    command.order.event = event;
    command.order.by = by;
    return submit(f, &command);
}

int open_port(struct fixture *f, const struct store_port *port, uint64_t time_ms)
{
    struct store_command command = order_of(STORE_PORT_OPEN, port, time_ms);
    return submit(f, &command);
}

int tell(struct fixture *f, enum store_port_role role, const struct store_port *port,
         enum store_port_state state, uint64_t order, uint64_t time_ms)
{
    struct store_command command = order_of(STORE_PORT_TELL, port, time_ms);
    struct store_port *told = &command.order.port;
    told->role = role;
    told->state = state;
    told->order = order;
    if (state == STORE_PORT_COMMITTED)
        told->commit_order = order;
    command.order.moved = 7 * DAY_S;
    return submit(f, &command);
}

void pass(struct fixture *f, uint64_t time_ms)
{
    struct store_command command = {.op = STORE_EXPIRE,
                                    .actor = "timer",
                                    .time_ms = time_ms,
                                    .expected_version = STORE_ANY_VERSION};
    assert_int_equal(submit(f, &command), 0);
}

struct store_record record_get(struct fixture *f)
{
    struct store_address address = address_of(ALICE);
    struct store_record record = {.version = 0};
    assert_int_equal(store_reader_begin(f->reader), 0);
    int ret = store_address_get(f->reader, &address, &record);
    store_reader_end(f->reader);
    assert_true(ret == 0 || ret == STATUS_NOTFOUND);
    return record;
}

struct store_port port_get(struct fixture *f, enum store_port_role role, const char *id)
{
    struct store_port port = {.version = 0};
    assert_int_equal(store_reader_begin(f->reader), 0);
    int ret = store_port_get(f->reader, role, id, &port);
    store_reader_end(f->reader);
    assert_true(ret == 0 || ret == STATUS_NOTFOUND);
    return port;
}

void must_be(struct fixture *f, const struct store_port *port, enum store_port_state state,
             const char *hosting)
{
    struct store_port found = port_get(f, STORE_PORT_AUTHORITY, port->id);
    assert_string_equal(store_port_state_text(found.state), store_port_state_text(state));
    assert_string_equal(record_get(f).hosting, hosting);
}

void code_give(struct fixture *f, const char *gaining, uint64_t time_ms)
{
    struct store_command command = {.op = STORE_GUARD_CODE,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "test",
                                    .time_ms = time_ms};
    command.guard.address = address_of(ALICE);
    snprintf(command.guard.code_for, sizeof(command.guard.code_for), "%s", gaining);
    memcpy(command.guard.code_hash, code, STORE_HASH_LEN);
    command.guard.code_until_ms = time_ms + 7 * DAY_MS;
    assert_int_equal(submit(f, &command), 0);
}

void key_give(struct fixture *f, uint64_t from_ms)
{
    struct store_command command = {.op = STORE_GUARD_PUT,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "test",
                                    .time_ms = BEGIN_MS};
    command.guard.address = address_of(ALICE);
    command.guard.has_next_key = true;
    command.guard.next_key_ms = from_ms;
    memcpy(command.guard.next_key, key, STORE_HASH_LEN);
    assert_int_equal(submit(f, &command), 0);
}

/* The authority, with an auth code for any gaining domain. */
int authority_setup(void **state)
{
    if (fixture_setup(state))
        return -1;
    struct fixture *f = *state;
    f->now_ms = BEGIN_MS;
    assert_int_equal(fixture_domain_add(f, "opa.example"), 0);
    assert_int_equal(fixture_address_add(f, ALICE), 0);
    code_give(f, "", BEGIN_MS);
    return 0;
}

/* A host: of its own domains opb.example and opd.example. */
int host_setup(void **state)
{
    if (fixture_setup(state))
        return -1;
    struct fixture *f = *state;
    f->now_ms = BEGIN_MS;
    assert_int_equal(fixture_domain_add(f, "opb.example"), 0);
    assert_int_equal(fixture_domain_add(f, "opd.example"), 0);
    return 0;
}

struct store_command recovery(struct store_port *port, uint64_t time_ms)
{
    port->kind = STORE_PORT_RECOVERY;
    struct store_command command = order_of(STORE_PORT_OPEN, port, time_ms);
    command.order.by_key = true;
    memcpy(command.order.proof, key, STORE_HASH_LEN);
    return command;
}

void start(struct fixture *f, struct store_port *port)
{
    snprintf(port->owner, sizeof(port->owner), "holder-1");
    struct store_command command = order_of(STORE_PORT_START, port, BEGIN_MS);
    assert_int_equal(submit(f, &command), 0);
}
