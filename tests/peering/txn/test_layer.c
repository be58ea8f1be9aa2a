/* What the scenarios cannot say: limits, memory, and a user that ends transactions from inside
 * their callbacks. */
#include "peering/txn/txn.h"

#include "base/status.h"
#include "tests/peering/txn/message.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TXN_MAX = 4 };

struct world {
    struct arena_pool *pool;
    struct timers *timers;
    struct txn_layer *layer;
    struct arena *arena;
    unsigned sent, responses, timeouts, ended;
    bool abort_in_response, abort_in_timeout;
    struct slice last_sent;
    uint64_t realm; /* of the servers started */
};

static void world_open(struct world *world, size_t timers_max)
{
    *world = (struct world){.pool = arena_pool_alloc(32768, 0), .timers = timers_alloc(timers_max)};
    world->layer = txn_layer_alloc(world->timers, &txn_times_default, TXN_MAX);
    world->arena = arena_alloc(world->pool, 0);
    assert_non_null(world->layer);
    assert_non_null(world->arena);
}

static void world_close(struct world *world)
{
    arena_free(world->arena);
    assert_int_equal(arena_pool_in_use(world->pool), 0);
    arena_pool_free(world->pool);
    assert_int_equal(txn_layer_count(world->layer), 0);
    txn_layer_free(world->layer);
    assert_int_equal(timers_next_ms(world->timers), UINT64_MAX);
    timers_free(world->timers);
}

static void on_send(struct slice bytes, void *arg)
{
    struct world *world = arg;
    world->sent++;
    world->last_sent = bytes;
}

static void on_server_ended(struct txn_server *txn, void *arg)
{
    struct world *world = arg;
    assert_int_equal(txn_server_state_of(txn), TXN_SERVER_TERMINATED);
    world->ended++;
}

static void on_response(struct txn_client *txn, const struct sip_msg *response, void *arg)
{
    struct world *world = arg;
    assert_false(response->is_request);
    world->responses++;
    if (world->abort_in_response)
        txn_client_abort(txn);
}

static void on_timeout(struct txn_client *txn, void *arg)
{
    struct world *world = arg;
    world->timeouts++;
    if (world->abort_in_timeout)
        txn_client_abort(txn);
}

/* The arena goes at once: what the machine touches afterwards is poisoned. */
static void on_client_ended(struct txn_client *txn, void *arg)
{
    struct world *world = arg;
    assert_int_equal(txn_client_state_of(txn), TXN_CLIENT_TERMINATED);
    world->ended++;
    world->arena = arena_free(world->arena);
}

static int start_server(struct world *world, struct arena *arena, const char *text,
                        struct txn_server **txn)
{
    const struct txn_server_user user = {.send = on_send, .ended = on_server_ended, .arg = world};
    const struct txn_source source = {.realm = world->realm};
    return txn_server_start(world->layer, arena, message_of(world->arena, text), &source, &user,
                            txn);
}

static int start_client(struct world *world, struct arena *arena, const char *text,
                        struct txn_client **txn)
{
    const struct txn_client_user user = {.send = on_send,
                                         .response = on_response,
                                         .timeout = on_timeout,
                                         .ended = on_client_ended,
                                         .arg = world};
    return txn_client_start(world->layer, arena, message_of(world->arena, text), false, &user, txn);
}

static void receive(struct world *world, struct txn_client *client, const char *text)
{
    struct arena *arena = arena_alloc(world->pool, 0);
    const struct sip_msg *msg = message_of(arena, text);
    assert_non_null(msg);
    txn_client_receive(client, msg);
    arena_free(arena);
}

/* Servers and clients count together. */
static void no_more_transactions_than_the_limit(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 100);
    struct txn_server *servers[TXN_MAX - 1], *refused_server = NULL;
    struct txn_client *client, *refused_client = NULL;
    assert_int_equal(start_client(&world, world.arena, "INVITE", &client), 0);
    for (int i = 0; i < TXN_MAX - 1; i++) {
        char text[64];
        snprintf(text, sizeof(text), "INVITE branch=z9hG4bK-%d", i);
        assert_int_equal(txn_layer_count(world.layer), i + 1);
        assert_int_equal(start_server(&world, world.arena, text, &servers[i]), 0);
    }
    assert_int_equal(txn_layer_count(world.layer), TXN_MAX);
    assert_int_equal(start_server(&world, world.arena, "MESSAGE", &refused_server), STATUS_LIMIT);
    assert_int_equal(start_client(&world, world.arena, "MESSAGE", &refused_client), STATUS_LIMIT);
    assert_null(refused_server);
    assert_null(refused_client);
    assert_int_equal(world.sent, 1);

    txn_server_abort(servers[0]);
    assert_int_equal(start_server(&world, world.arena, "MESSAGE", &servers[0]), 0);
    for (int i = 0; i < TXN_MAX - 1; i++)
        txn_server_abort(servers[i]);
    txn_client_abort(client);
    assert_int_equal(world.ended, TXN_MAX + 1);
    world_close(&world);
}

static void a_start_without_a_timer_leaves_nothing_behind(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1);
    struct txn_server *server, *refused_server = NULL;
    struct txn_client *refused_client = NULL;
    assert_int_equal(start_server(&world, world.arena, "OPTIONS", &server), 0);
    assert_int_equal(start_server(&world, world.arena, "MESSAGE", &refused_server), -ENOMEM);
    assert_int_equal(start_client(&world, world.arena, "MESSAGE", &refused_client), -ENOMEM);
    assert_null(refused_server);
    assert_null(refused_client);
    assert_int_equal(txn_layer_count(world.layer), 1);
    assert_int_equal(world.sent, 0);
    txn_server_abort(server);
    world_close(&world);
}

static void a_start_without_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 100);
    struct arena *small = arena_alloc(world.pool, 16);
    struct txn_server *server = NULL;
    struct txn_client *client = NULL;
    assert_int_equal(start_server(&world, small, "INVITE", &server), -ENOMEM);
    assert_int_equal(start_client(&world, small, "INVITE", &client), -ENOMEM);
    assert_null(server);
    assert_null(client);
    assert_int_equal(world.sent, 0);
    arena_free(small);
    world_close(&world);
}

/* A full timer set is full for newcomers only. */
static void timers_of_a_running_transaction_never_lack_a_place(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 1);
    struct txn_server *server;
    assert_int_equal(start_server(&world, world.arena, "INVITE", &server), 0);
    assert_int_equal(txn_server_respond(server, 486, SLICE("486")), 0);
    for (uint64_t ms = 0; ms <= 32000; ms += 500) {
        txn_layer_advance(world.layer, ms);
        timers_run(world.timers, ms);
    }
    assert_int_equal(world.sent, 11); /* one, and timer G's ten */
    assert_int_equal(world.ended, 1);
    world_close(&world);
}

static void zero_timers_end_in_the_next_timers_run_not_before(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 100);
    const struct txn_server_user user = {.send = on_send, .ended = on_server_ended, .arg = &world};
    struct txn_server *server;
    const struct txn_source source = {.reliable = true};
    assert_int_equal(txn_server_start(world.layer, world.arena, message_of(world.arena, "BYE"),
                                      &source, &user, &server),
                     0);
    txn_layer_advance(world.layer, 77);
    assert_int_equal(txn_server_respond(server, 200, SLICE("200")), 0);
    assert_int_equal(world.ended, 0);
    assert_int_equal(txn_server_state_of(server), TXN_SERVER_COMPLETED);
    assert_int_equal(timers_next_ms(world.timers), 77);
    timers_run(world.timers, 77);
    assert_int_equal(world.ended, 1);
    world_close(&world);
}

static void the_user_may_abort_in_response(void **state)
{
    (void)state;
    static const char *const responses[] = {"180 INVITE", "200 INVITE", "486 INVITE"};
    for (size_t i = 0; i < COUNT_OF(responses); i++) {
        struct world world;
        world_open(&world, 100);
        world.abort_in_response = true;
        struct txn_client *client;
        assert_int_equal(start_client(&world, world.arena, "INVITE", &client), 0);
        receive(&world, client, responses[i]);
        assert_int_equal(world.responses, 1);
        assert_int_equal(world.ended, 1);
        world_close(&world);
    }
}

static void a_further_2xx_may_end_it_too(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 100);
    struct txn_client *client;
    assert_int_equal(start_client(&world, world.arena, "INVITE", &client), 0);
    receive(&world, client, "200 INVITE to-tag=a");
    world.abort_in_response = true;
    receive(&world, client, "200 INVITE to-tag=b");
    assert_int_equal(world.ended, 1);
    world_close(&world);
}

static void an_abort_in_timeout_ends_it_once(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 100);
    world.abort_in_timeout = true;
    struct txn_client *client;
    assert_int_equal(start_client(&world, world.arena, "INVITE", &client), 0);
    txn_layer_advance(world.layer, 32000);
    timers_run(world.timers, 32000);
    assert_int_equal(world.timeouts, 1);
    assert_int_equal(world.ended, 1);
    world_close(&world);
}

static void the_ack_is_made_once_and_repeated_byte_for_byte(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 100);
    struct txn_client *client;
    assert_int_equal(start_client(&world, world.arena, "INVITE", &client), 0);
    receive(&world, client, "486 INVITE to-tag=x");
    struct slice first = world.last_sent;
    assert_true(slice_starts_with(first, SLICE("ACK sip:bob@opb.example SIP/2.0\r\n")));
    receive(&world, client, "486 INVITE to-tag=x");
    assert_int_equal(world.sent, 3);
    assert_ptr_equal(world.last_sent.p, first.p);
    assert_int_equal(world.last_sent.len, first.len);
    txn_client_abort(client);
    world_close(&world);
}

static void what_is_repeated_is_what_was_sent(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 100);
    struct txn_client *client;
    assert_int_equal(start_client(&world, world.arena, "INVITE", &client), 0);
    struct slice bytes = txn_client_request(client)->bytes;
    assert_ptr_equal(world.last_sent.p, bytes.p);
    world.last_sent = slice_make(NULL, 0);
    txn_layer_advance(world.layer, 500);
    timers_run(world.timers, 500);
    assert_ptr_equal(world.last_sent.p, bytes.p);
    assert_int_equal(world.last_sent.len, bytes.len);
    txn_client_abort(client);
    world_close(&world);
}

static void shorter_times_are_kept_to(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 100);
    txn_layer_free(world.layer);
    const struct txn_times times = {.t1_ms = 1, .t2_ms = 4, .t4_ms = 5};
    world.layer = txn_layer_alloc(world.timers, &times, TXN_MAX);
    struct txn_client *client;
    assert_int_equal(start_client(&world, world.arena, "OPTIONS", &client), 0);
    for (uint64_t ms = 0; ms <= 64; ms++) {
        assert_int_equal(world.ended, 0);
        txn_layer_advance(world.layer, ms);
        timers_run(world.timers, ms);
    }
    assert_int_equal(world.sent, 18); /* at 0, 1, 3, 7, 11 ... 63 */
    assert_int_equal(world.timeouts, 1);
    assert_int_equal(world.ended, 1);
    world_close(&world);
}

static struct txn_server *find(struct world *world, const char *text, uint64_t realm)
{
    return txn_server_find(world->layer, message_of(world->arena, text), realm);
}

/* What a peer further down learns from a Via is of no use to it. */
static void nobody_touches_a_transaction_of_another_realm(void **state)
{
    (void)state;
    static const char *const branches[] = {"branch=z9hG4bK-1", "branch=old"};
    for (size_t i = 0; i < COUNT_OF(branches); i++) {
        struct world world;
        struct txn_server *core, *peer;
        char invite[64], ack[64], cancel[64];
        world_open(&world, 100);
        snprintf(invite, sizeof(invite), "INVITE %s", branches[i]);
        snprintf(ack, sizeof(ack), "ACK %s", branches[i]);
        snprintf(cancel, sizeof(cancel), "CANCEL %s", branches[i]);
        world.realm = 1ull << 32;
        assert_int_equal(start_server(&world, world.arena, invite, &core), 0);
        assert_ptr_equal(find(&world, invite, 1ull << 32), core);
        assert_null(find(&world, invite, 0));
        assert_null(find(&world, ack, 0));
        assert_null(txn_server_find_cancelled(world.layer, message_of(world.arena, cancel), 1));
        world.realm = 1;
        assert_int_equal(start_server(&world, world.arena, invite, &peer), 0);
        assert_ptr_equal(find(&world, invite, 1), peer);
        assert_ptr_equal(find(&world, invite, 1ull << 32), core);
        assert_ptr_equal(txn_server_find_cancelled(world.layer, message_of(world.arena, cancel), 1),
                         peer);
        txn_server_abort(core);
        txn_server_abort(peer);
        world_close(&world);
    }
}

/* The request's memory is used for something else meanwhile. */
static void overwrite(struct world *world, struct arena *messages)
{
    enum { SIZE = 16384 };
    arena_free(messages);
    struct arena *others = arena_alloc(world->pool, 0);
    memset(arena_get(others, SIZE), '?', SIZE);
    arena_free(others);
}

static void a_settled_server_repeats_its_answer_without_its_request(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 100);
    struct arena *messages = arena_alloc(world.pool, 0);
    const struct txn_server_user user = {.send = on_send, .ended = on_server_ended, .arg = &world};
    const struct txn_source source = {.realm = 0};
    struct txn_server *server;
    assert_int_equal(txn_server_start(world.layer, world.arena, message_of(messages, "BYE"),
                                      &source, &user, &server),
                     0);
    assert_int_equal(txn_server_settle(server), -EBUSY); /* it is not answered */
    assert_int_equal(txn_server_respond(server, 200, arena_copy(messages, SLICE("answer"))), 0);
    assert_int_equal(txn_server_settle(server), 0);
    assert_int_equal(txn_server_settle(server), 0);
    assert_null(txn_server_request(server));
    overwrite(&world, messages);
    const struct sip_msg *again = message_of(world.arena, "BYE");
    assert_ptr_equal(txn_server_find(world.layer, again, 0), server);
    txn_server_receive(server, again);
    assert_int_equal(world.sent, 2);
    assert_true(slice_eq(world.last_sent, SLICE("answer")));
    txn_server_abort(server);
    world_close(&world);
}

static void a_settled_client_takes_further_2xx_without_its_request(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, 100);
    struct arena *messages = arena_alloc(world.pool, 0);
    const struct txn_client_user user = {
        .send = on_send, .response = on_response, .ended = on_client_ended, .arg = &world};
    struct txn_client *client;
    assert_int_equal(txn_client_start(world.layer, world.arena, message_of(messages, "INVITE"),
                                      false, &user, &client),
                     0);
    assert_int_equal(txn_client_settle(client), -EBUSY);
    receive(&world, client, "180 INVITE");
    assert_int_equal(txn_client_settle(client), -EBUSY); /* it may have to be cancelled */
    receive(&world, client, "200 INVITE");
    assert_int_equal(txn_client_settle(client), 0);
    assert_null(txn_client_request(client));
    overwrite(&world, messages);
    const struct sip_msg *again = message_of(world.arena, "200 INVITE");
    assert_ptr_equal(txn_client_find(world.layer, again), client);
    assert_true(txn_client_is_named(client, again));
    txn_client_receive(client, again);
    assert_int_equal(world.responses, 3);
    txn_client_abort(client);
    world_close(&world);
}

static void states_have_their_names(void **state)
{
    (void)state;
    assert_string_equal(txn_server_state_text(TXN_SERVER_TRYING), "Trying");
    assert_string_equal(txn_server_state_text(TXN_SERVER_PROCEEDING), "Proceeding");
    assert_string_equal(txn_server_state_text(TXN_SERVER_COMPLETED), "Completed");
    assert_string_equal(txn_server_state_text(TXN_SERVER_CONFIRMED), "Confirmed");
    assert_string_equal(txn_server_state_text(TXN_SERVER_ACCEPTED), "Accepted");
    assert_string_equal(txn_server_state_text(TXN_SERVER_TERMINATED), "Terminated");
    assert_string_equal(txn_client_state_text(TXN_CLIENT_CALLING), "Calling");
    assert_string_equal(txn_client_state_text(TXN_CLIENT_TRYING), "Trying");
    assert_string_equal(txn_client_state_text(TXN_CLIENT_PROCEEDING), "Proceeding");
    assert_string_equal(txn_client_state_text(TXN_CLIENT_COMPLETED), "Completed");
    assert_string_equal(txn_client_state_text(TXN_CLIENT_ACCEPTED), "Accepted");
    assert_string_equal(txn_client_state_text(TXN_CLIENT_TERMINATED), "Terminated");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_transactions_than_the_limit),
        cmocka_unit_test(a_start_without_a_timer_leaves_nothing_behind),
        cmocka_unit_test(a_start_without_memory_leaves_nothing_behind),
        cmocka_unit_test(timers_of_a_running_transaction_never_lack_a_place),
        cmocka_unit_test(zero_timers_end_in_the_next_timers_run_not_before),
        cmocka_unit_test(the_user_may_abort_in_response),
        cmocka_unit_test(a_further_2xx_may_end_it_too),
        cmocka_unit_test(an_abort_in_timeout_ends_it_once),
        cmocka_unit_test(the_ack_is_made_once_and_repeated_byte_for_byte),
        cmocka_unit_test(what_is_repeated_is_what_was_sent),
        cmocka_unit_test(shorter_times_are_kept_to),
        cmocka_unit_test(nobody_touches_a_transaction_of_another_realm),
        cmocka_unit_test(a_settled_server_repeats_its_answer_without_its_request),
        cmocka_unit_test(a_settled_client_takes_further_2xx_without_its_request),
        cmocka_unit_test(states_have_their_names),
    };
    return cmocka_run_group_tests_name("transaction layer", tests, NULL, NULL);
}
