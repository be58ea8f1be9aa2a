/* What a host makes of operators that say what is not theirs to say: each may speak of the
 * addresses of its own domain, and be as wrong about them as it likes, but never of another's, and
 * it can bring nobody what he has not asked for. */
#include "api/porting.h"
#include "api/porting_internal.h"
#include "base/status.h"
#include "tests/store/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REQUEST "00112233445566778899aabbccddeeff"
#define OTHER   "ffeeddccbbaa99887766554433221100"

/* One node, which hosts opb.example and opc.example. */
struct node {
    struct fixture store;
    struct porting *engine;
};

static uint64_t node_clock(void *arg)
{
    const struct node *node = arg;
    return atomic_load(&node->store.now_ms);
}

static int node_setup(void **state)
{
    struct node *node = calloc(1, sizeof(*node));
    const struct porting_conf conf = {.terms = {.grace = 60, .freeze = 60}, .moved = 60};
    assert_non_null(node);
    fixture_make(&node->store, (size_t)64 << 20);
    fixture_open(&node->store);
    assert_int_equal(fixture_domain_add(&node->store, "opb.example"), 0);
    assert_int_equal(fixture_domain_add(&node->store, "opc.example"), 0);
    const struct porting_parts parts = {
        .store = node->store.store, .clock = node_clock, .clock_arg = node};
    assert_int_equal(porting_open(&conf, &parts, &node->engine), 0);
    *state = node;
    return 0;
}

static int node_teardown(void **state)
{
    struct node *node = *state;
    porting_stop(node->engine);
    fixture_remove(&node->store);
    free(node);
    return 0;
}

/* ---- what is said ---- */

/* Takes the body. Returns the status of the answer. */
static unsigned say(struct node *node, const char *from, const char *to, const char *method,
                    const char *path, json_t *body)
{
    char proven[1][256];
    struct federation_answer answer = {.status = 0};
    const struct federation_request request = {.method = method,
                                               .path = path,
                                               .query = "",
                                               .proven = (const char(*)[256])proven,
                                               .proven_count = 1,
                                               .served = to,
                                               .body = body};
    snprintf(proven[0], sizeof(proven[0]), "%s", from);
    assert_int_equal(porting_handle(node->engine, &request, &answer), 0);
    json_decref(answer.body);
    json_decref(body);
    return answer.status;
}

/* `from` tells `to` that a port which `to` may know has come to this. */
static unsigned tell(struct node *node, const char *from, const char *to, const char *request,
                     const char *address, const char *gaining, const char *losing,
                     const char *state)
{
    char id[STORE_PORT_ID_LEN + 1], path[100];
    assert_int_equal(store_port_id(gaining, request, id), 0);
    snprintf(path, sizeof(path), "/federation/v1/ports/%s", id);
    return say(node, from, to, "PUT", path,
               json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s}", "id", id, "request",
                         request, "kind", "code", "state", state, "address", address, "gaining",
                         gaining, "losing", losing, "order", 1000, "commit_order", 1000,
                         "committed", "2026-11-26T00:00:00Z"));
}

/* ---- what there is ---- */

static struct store_record record_of(struct node *node, const char *address)
{
    struct store_address parsed = address_of(address);
    struct store_record record = {.version = 0};
    assert_int_equal(store_reader_begin(node->store.reader), 0);
    store_address_get(node->store.reader, &parsed, &record);
    store_reader_end(node->store.reader);
    return record;
}

static bool port_visit(const struct store_port *port, void *arg)
{
    (void)port;
    ++*(unsigned *)arg;
    return true;
}

static unsigned ports_count(struct node *node)
{
    unsigned count = 0;
    assert_int_equal(store_reader_begin(node->store.reader), 0);
    store_port_list(node->store.reader, NULL, SIZE_MAX, port_visit, &count);
    store_reader_end(node->store.reader);
    return count;
}

static enum store_port_state state_of(struct node *node, enum store_port_role role,
                                      const char *gaining, const char *request)
{
    struct store_port port = {.state = STORE_PORT_STATE_COUNT};
    char id[STORE_PORT_ID_LEN + 1];
    assert_int_equal(store_port_id(gaining, request, id), 0);
    assert_int_equal(store_reader_begin(node->store.reader), 0);
    store_port_get(node->store.reader, role, id, &port);
    store_reader_end(node->store.reader);
    return port.state;
}

/* ann@opa.example is asked for by opb.example. */
static void ask_for(struct node *node, const char *address, const char *request)
{
    struct porting_wish wish = {.event = STORE_PORT_ASK, .kind = STORE_PORT_CODE};
    struct porting_made made;
    struct api_problem problem;
    wish.address = address_of(address);
    snprintf(wish.gaining, sizeof(wish.gaining), "opb.example");
    snprintf(wish.code, sizeof(wish.code), "code");
    snprintf(wish.request, sizeof(wish.request), "%s", request);
    if (porting_begin(node->engine, &wish, &made, &problem))
        fail_msg("%s", problem.detail);
}

/* ann@opa.example is served by opb.example. */
static void bring(struct node *node, const char *request)
{
    ask_for(node, "ann@opa.example", request);
    assert_int_equal(tell(node, "opa.example", "opb.example", request, "ann@opa.example",
                          "opb.example", "opa.example", "committed"),
                     200);
    assert_int_equal(record_of(node, "ann@opa.example").state, STORE_ADDRESS_PORTED_IN);
}

/* ---- tests ---- */

/* Whoever loses an address knows the id of its port, and is the authority of addresses himself. */
static void an_authority_decides_no_port_of_anothers_address(void **state)
{
    struct node *node = *state;
    static const char *const states[] = {"committed", "cancelled", "rejected", "pending"};
    ask_for(node, "ann@opa.example", REQUEST);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        assert_int_equal(tell(node, "evil.example", "opb.example", REQUEST, "x@evil.example",
                              "opb.example", "evil.example", states[i]),
                         404);
        assert_int_equal(record_of(node, "ann@opa.example").state, STORE_ADDRESS_PREPARED);
        assert_int_equal(state_of(node, STORE_PORT_GAINING, "opb.example", REQUEST),
                         STORE_PORT_REQUESTING);
    }
    assert_int_equal(tell(node, "evil.example", "opb.example", REQUEST, "ann@opa.example",
                          "opb.example", "evil.example", "committed"),
                     403);
}

/* Nor does the gaining host take an address that way which nobody has decided on yet. */
static void an_authority_takes_no_address_from_its_host(void **state)
{
    struct node *node = *state;
    bring(node, REQUEST);
    assert_int_equal(tell(node, "opa.example", "opb.example", OTHER, "ann@opa.example",
                          "evil.example", "opb.example", "pending"),
                     200);
    assert_int_equal(tell(node, "evil.example", "opb.example", OTHER, "x@evil.example",
                          "evil.example", "opb.example", "committed"),
                     404);
    assert_int_equal(record_of(node, "ann@opa.example").state, STORE_ADDRESS_PORTED_IN);
    assert_int_equal(state_of(node, STORE_PORT_LOSING, "evil.example", OTHER), STORE_PORT_PENDING);
}

static void the_store_holds_the_same(void **state)
{
    struct node *node = *state;
    struct store_command command = {.op = STORE_PORT_TELL,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "evil.example",
                                    .time_ms = node_clock(node)};
    struct store_port *told = &command.order.port;
    ask_for(node, "ann@opa.example", REQUEST);
    *told = (struct store_port){.role = STORE_PORT_GAINING,
                                .kind = STORE_PORT_CODE,
                                .state = STORE_PORT_COMMITTED,
                                .address = address_of("x@evil.example"),
                                .order = 1000};
    snprintf(told->request, sizeof(told->request), REQUEST);
    snprintf(told->gaining, sizeof(told->gaining), "opb.example");
    assert_int_equal(store_port_id(told->gaining, told->request, told->id), 0);
    assert_int_equal(fixture_submit(&node->store, &command), STATUS_MISMATCH);
    assert_int_equal(record_of(node, "ann@opa.example").state, STORE_ADDRESS_PREPARED);
}

static void nobody_is_brought_what_he_has_not_asked_for(void **state)
{
    struct node *node = *state;
    assert_int_equal(tell(node, "evil.example", "opb.example", REQUEST, "x@evil.example",
                          "opb.example", "evil.example", "committed"),
                     404);
    assert_int_equal(tell(node, "evil.example", "opb.example", REQUEST, "x@evil.example",
                          "opc.example", "opb.example", "committed"),
                     404);
    assert_int_equal(record_of(node, "x@evil.example").version, 0);
    assert_int_equal(ports_count(node), 0);
}

/* Nor by way of another domain of the same node. */
static void the_losing_host_alone_brings_nothing_to_another_of_ours(void **state)
{
    struct node *node = *state;
    bring(node, REQUEST);
    assert_int_equal(tell(node, "opa.example", "opb.example", OTHER, "ann@opa.example",
                          "opc.example", "opb.example", "committed"),
                     200);
    assert_string_equal(record_of(node, "ann@opa.example").hosting, "opb.example");
}

/* An undo is followed by whoever had the address before; by no other of the authority's. */
static void an_undo_brings_back_its_own_address_only(void **state)
{
    struct node *node = *state;
    char id[STORE_PORT_ID_LEN + 1], undone[STORE_PORT_ID_LEN + 1], path[100];
    static const struct {
        const char *from, *address;
        unsigned status;
    } rows[] = {{"evil.example", "x@evil.example", 404}, {"opa.example", "ann@opa.example", 200}};
    bring(node, REQUEST);
    assert_int_equal(tell(node, "opa.example", "opb.example", OTHER, "ann@opa.example",
                          "opd.example", "opb.example", "committed"),
                     200);
    assert_int_equal(store_port_id("opb.example", OTHER, id), 0);
    assert_int_equal(store_port_id("opd.example", OTHER, undone), 0);
    snprintf(path, sizeof(path), "/federation/v1/ports/%s", id);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(say(node, rows[i].from, "opb.example", "PUT", path,
                             json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s}",
                                       "request", OTHER, "kind", "undo", "state", "completed",
                                       "address", rows[i].address, "gaining", "opb.example",
                                       "losing", "opd.example", "undoes", undone, "order", 2000,
                                       "commit_order", 2000, "committed", "2026-11-26T00:00:00Z")),
                         rows[i].status);
    assert_int_equal(record_of(node, "x@evil.example").version, 0);
    assert_int_equal(record_of(node, "ann@opa.example").state, STORE_ADDRESS_PORTED_IN);
}

/* ---- at the authority ---- */

/* One of ours that opx.example serves. */
static void lend(struct node *node, const char *address)
{
    struct store_command command =
        command_address(STORE_ADDRESS_ADD, address, STORE_ADDRESS_PORTED_OUT, "opx.example");
    command.time_ms = node_clock(node);
    assert_int_equal(fixture_submit(&node->store, &command), 0);
}

static unsigned deposit(struct node *node, const char *from, json_t *body)
{
    return say(node, from, "opb.example", "PUT",
               "/federation/v1/addresses/bob%40opb.example/auth-code", body);
}

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* What is malformed must not be taken for less than it was meant to be. */
static void a_code_is_left_as_it_was_meant_or_not_at_all(void **state)
{
    struct node *node = *state;
    const char *until = "1970-01-12T00:00:00Z", *never = "9999-01-01T00:00:00Z";
    lend(node, "bob@opb.example");
    assert_int_equal(
        deposit(node, "opx.example",
                json_pack("{s:s, s:s, s:s}", "hash", HASH, "until", until, "for", "opc.example")),
        200);
    json_t *const wrong[] = {
        NULL,
        json_object(),
        json_pack("{s:s, s:s, s:i}", "hash", HASH, "until", until, "for", 5),
        json_pack("{s:s, s:s, s:[s]}", "hash", HASH, "until", until, "for", "opc.example"),
        json_pack("{s:s, s:s, s:s}", "hash", HASH, "until", until, "for", "o..c"),
        json_pack("{s:s, s:i}", "hash", HASH, "until", 7),
        json_pack("{s:s, s:b}", "hash", HASH, "until", 0),
        json_pack("{s:s, s:s}", "hash", HASH, "until", never),
        json_pack("{s:s}", "until", until),
        json_pack("{s:s, s:s}", "hash", "00", "until", until),
    };
    uint64_t version = record_of(node, "bob@opb.example").version;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(deposit(node, "opx.example", wrong[i]), 400);
        assert_int_equal(record_of(node, "bob@opb.example").version, version);
    }
    assert_int_equal(deposit(node, "opc.example", json_pack("{s:n}", "until")), 403);
    assert_true(record_of(node, "bob@opb.example").has_auth);
    assert_int_equal(deposit(node, "opx.example", json_pack("{s:n}", "until")), 200);
    assert_false(record_of(node, "bob@opb.example").has_auth);
}

/* What was cancelled before it came is remembered for a day; nobody fills the store with that. */
static void what_never_came_is_cancelled_so_often_only(void **state)
{
    struct node *node = *state;
    for (unsigned i = 0; i <= PORTING_VAIN_BURST; i++) {
        char request[STORE_PORT_ID_LEN + 1], id[STORE_PORT_ID_LEN + 1], path[100];
        snprintf(request, sizeof(request), "%032x", i);
        assert_int_equal(store_port_id("opx.example", request, id), 0);
        snprintf(path, sizeof(path), "/federation/v1/ports/%s/cancel", id);
        assert_int_equal(say(node, "opx.example", "opb.example", "POST", path,
                             json_pack("{s:s, s:s, s:s, s:s}", "request", request, "kind", "code",
                                       "address", "bob@opb.example", "gaining", "opx.example")),
                         i < PORTING_VAIN_BURST ? 200 : 429);
    }
    assert_int_equal(ports_count(node), PORTING_VAIN_BURST);
}

/* Names cost a stranger nothing: he does not fill our metrics with them. */
static void wrong_codes_are_counted_by_name_of_so_many_only(void **state)
{
    struct node *node = *state;
    struct porting_stats stats;
    assert_int_equal(fixture_address_add(&node->store, "bob@opb.example"), 0);
    for (unsigned i = 0; i < PORTING_STATS_PEERS + 8; i++) {
        char request[STORE_PORT_ID_LEN + 1], peer[32];
        snprintf(request, sizeof(request), "%032x", i);
        snprintf(peer, sizeof(peer), "op%u.example", i);
        for (unsigned times = 0; times < 2; times++)
            assert_int_equal(
                say(node, peer, "opb.example", "POST", "/federation/v1/ports",
                    json_pack("{s:s, s:s, s:s, s:s, s:s}", "request", request, "kind", "code",
                              "address", "bob@opb.example", "gaining", peer, "code", "wrong")),
                403);
    }
    porting_stats_get(node->engine, &stats);
    assert_int_equal(stats.wrong_proofs, 2 * (PORTING_STATS_PEERS + 8));
    assert_int_equal(stats.wrong_count, PORTING_STATS_PEERS);
    assert_string_equal(stats.wrong[0].peer, "op0.example");
    assert_int_equal(stats.wrong[0].count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, node_setup, node_teardown)
        TEST(an_authority_decides_no_port_of_anothers_address),
        TEST(an_authority_takes_no_address_from_its_host),
        TEST(the_store_holds_the_same),
        TEST(nobody_is_brought_what_he_has_not_asked_for),
        TEST(the_losing_host_alone_brings_nothing_to_another_of_ours),
        TEST(an_undo_brings_back_its_own_address_only),
        TEST(a_code_is_left_as_it_was_meant_or_not_at_all),
        TEST(what_never_came_is_cancelled_so_often_only),
        TEST(wrong_codes_are_counted_by_name_of_so_many_only),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
