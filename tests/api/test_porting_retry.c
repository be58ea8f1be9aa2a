/* Whoever waits for another operator sees why, and when he is tried again. One node, of
 * opb.example; the authority, opx.example, is another's. */
#include "api/porting_internal.h"
#include "base/status.h"
#include "tests/store/fixture.h"
#include "tests/test.h"

#include <string.h>

#define GONE    "opx.example: no way to it"
#define HOUR_MS ((uint64_t)3600 * 1000)

struct node {
    struct fixture store;
    struct porting *engine;
    uint64_t now_ms;
    bool is_there; /* the authority; then it answers `status` */
    unsigned status;
    const char *detail;
    unsigned asked;
};

static int ask(const char *from, const char *to, const char *method, const char *path,
               const json_t *body, struct federation_answer *answer, void *arg)
{
    struct node *node = arg;
    (void)from, (void)method, (void)path, (void)body;
    assert_string_equal(to, "opx.example");
    node->asked++;
    if (!node->is_there) {
        snprintf(answer->why, sizeof(answer->why), GONE);
        return -ETIMEDOUT;
    }
    answer->status = node->status;
    answer->body = json_pack("{s:s}", "detail", node->detail);
    return 0;
}

static uint64_t node_clock(void *arg)
{
    return ((struct node *)arg)->now_ms;
}

static int node_setup(void **state)
{
    struct node *node = calloc(1, sizeof(*node));
    const struct porting_conf conf = {.moved = 86400};
    node->now_ms = 1000000;
    fixture_make(&node->store, (size_t)1 << 24);
    fixture_open(&node->store);
    assert_int_equal(fixture_domain_add(&node->store, "opb.example"), 0);
    const struct porting_parts parts = {.store = node->store.store,
                                        .ask = ask,
                                        .ask_arg = node,
                                        .clock = node_clock,
                                        .clock_arg = node};
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

static struct store_port begin(struct node *node, const char *address)
{
    struct porting_wish wish = {.event = STORE_PORT_ASK,
                                .kind = STORE_PORT_CODE,
                                .address = address_of(address),
                                .gaining = "opb.example",
                                .code = "tr7k-9mzx"};
    struct porting_made made;
    struct store_port port = {.version = 0};
    struct api_problem problem;
    assert_int_equal(porting_begin(node->engine, &wish, &made, &problem), 0);
    assert_int_equal(porting_port_get(node->engine, STORE_PORT_GAINING, made.id, &port), 0);
    return port;
}

static void turn_after(struct node *node, uint64_t ms)
{
    node->now_ms += ms;
    porting_turn(node->engine);
}

static void expect_trouble(struct node *node, const struct store_port *port, const char *why,
                           uint64_t within_ms)
{
    struct porting_trouble trouble;
    assert_true(porting_trouble_get(node->engine, port, &trouble));
    assert_string_equal(trouble.why, why);
    assert_in_range(trouble.next_ms, node->now_ms + 1, node->now_ms + within_ms);
}

static void who_waits_for_nobody_has_no_trouble(void **state)
{
    struct node *node = *state;
    struct porting_trouble trouble;
    struct store_port port = begin(node, "ann@opx.example");
    assert_false(porting_trouble_get(node->engine, &port, &trouble));
}

static void an_authority_that_is_gone_is_named_and_tried_each_minute(void **state)
{
    struct node *node = *state;
    struct store_port port = begin(node, "ann@opx.example");
    turn_after(node, 0);
    expect_trouble(node, &port, GONE, PORTING_RETRY_MS);
    for (uint64_t s = 0; s < 1200; s++)
        turn_after(node, 1000);
    expect_trouble(node, &port, GONE, PORTING_DOMAIN_MAX_MS);
    /* Another port that waits for it sees the same before it was tried. */
    struct store_port other = begin(node, "bea@opx.example");
    expect_trouble(node, &other, GONE, PORTING_DOMAIN_MAX_MS);
    unsigned asked = node->asked;
    turn_after(node, PORTING_DOMAIN_MAX_MS);
    assert_int_equal(node->asked, asked + 1); /* for both of them */
}

static void an_answer_that_is_no_success_is_told_in_its_words(void **state)
{
    struct node *node = *state;
    struct store_port port = begin(node, "ann@opx.example");
    node->is_there = true;
    node->status = 503;
    node->detail = "its disk is full";
    turn_after(node, 0);
    expect_trouble(node, &port, "opx.example answers 503: its disk is full", PORTING_RETRY_MS);
    for (uint64_t s = 0; s < 3000; s++)
        turn_after(node, 1000);
    expect_trouble(node, &port, "opx.example answers 503: its disk is full", HOUR_MS);
}

static void what_was_told_is_no_trouble_any_more(void **state)
{
    struct node *node = *state;
    struct porting_trouble trouble;
    struct store_port port = begin(node, "ann@opx.example");
    turn_after(node, 0);
    node->is_there = true;
    node->status = 503;
    node->detail = "busy";
    turn_after(node, HOUR_MS / 60);
    expect_trouble(node, &port, "opx.example answers 503: busy", PORTING_RETRY_MS);
    port.owed = 0;
    assert_false(porting_trouble_get(node->engine, &port, &trouble));
}

static void the_holder_need_not_wait_to_give_it_up(void **state)
{
    struct node *node = *state;
    struct store_port port = begin(node, "ann@opx.example");
    struct porting_wish wish = {.event = STORE_PORT_CANCEL};
    struct api_problem problem;
    turn_after(node, 0);
    memcpy(wish.id, port.id, sizeof(wish.id));
    assert_int_equal(porting_begin(node->engine, &wish, NULL, &problem), 0);
    assert_int_equal(porting_port_get(node->engine, STORE_PORT_GAINING, port.id, &port), 0);
    assert_int_equal(port.state, STORE_PORT_CANCELLING);
    expect_trouble(node, &port, GONE, PORTING_RETRY_MS); /* of telling the authority that */
}

#define NODE_TEST(name) cmocka_unit_test_setup_teardown(name, node_setup, node_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(who_waits_for_nobody_has_no_trouble),
        NODE_TEST(an_authority_that_is_gone_is_named_and_tried_each_minute),
        NODE_TEST(an_answer_that_is_no_success_is_told_in_its_words),
        NODE_TEST(what_was_told_is_no_trouble_any_more),
        NODE_TEST(the_holder_need_not_wait_to_give_it_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
