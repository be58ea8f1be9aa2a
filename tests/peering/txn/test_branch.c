/* Branches we make, and the owner of a request. */
#include "peering/txn/txn.h"

#include "tests/peering/txn/message.h"
#include "tests/test.h"

#include <errno.h>
#include <string.h>

enum { WORKERS_MAX = 8 };

static const uint8_t owner_key[16] = "0123456789abcde";

struct world {
    struct timers *timers;
    struct txn_layer *layer;
    struct arena_pool *pool;
    struct arena *arena;
};

static int world_setup(void **state)
{
    static struct world world;
    world.timers = timers_alloc(1);
    world.layer = txn_layer_alloc(world.timers, &txn_times_default, 1);
    world.pool = arena_pool_alloc(65536, 0);
    world.arena = arena_alloc(world.pool, 0);
    *state = &world;
    return world.layer && world.arena ? 0 : -1;
}

static int world_teardown(void **state)
{
    struct world *world = *state;
    arena_free(world->arena);
    arena_pool_free(world->pool);
    txn_layer_free(world->layer);
    timers_free(world->timers);
    return 0;
}

static void branch_has_cookie_worker_and_sixteen_hex_digits(void **state)
{
    struct world *world = *state;
    char branch[TXN_BRANCH_MAX];
    txn_branch_make(world->layer, 0xa7, branch);
    assert_int_equal(strlen(branch), 7 + 4 + 16);
    assert_memory_equal(branch, "z9hG4bK00a7", 11);
    assert_int_equal(strspn(branch + 7, "0123456789abcdef"), 20);
    assert_true(sip_branch_is_rfc3261(slice_of(branch)));
}

static void branch_names_its_worker(void **state)
{
    struct world *world = *state;
    static const unsigned workers[] = {0, 1, 9, 10, 15, 16, 63, 255, 256, 4096, 65535};
    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        char branch[TXN_BRANCH_MAX];
        txn_branch_make(world->layer, workers[i], branch);
        unsigned worker = 99;
        assert_int_equal(txn_branch_worker(slice_of(branch), &worker), 0);
        assert_int_equal(worker, workers[i]);
    }
}

static void the_second_part_is_read_back(void **state)
{
    struct world *world = *state;
    static const uint64_t marks[] = {0, 1, 0x0123456789abcdef, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        char branch[TXN_BRANCH_MAX];
        uint64_t mark = 99;
        unsigned worker = 99;
        txn_branch_make(world->layer, 7, branch);
        assert_int_equal(txn_branch_loop(slice_of(branch), &mark), -EINVAL);
        assert_int_equal(mark, 99);
        txn_branch_add_loop(branch, marks[i]);
        assert_int_equal(txn_branch_loop(slice_of(branch), &mark), 0);
        assert_true(mark == marks[i]);
        assert_int_equal(txn_branch_worker(slice_of(branch), &worker), 0);
        assert_int_equal(worker, 7);
        branch[strlen(branch) - 1] = 'g';
        assert_int_equal(txn_branch_loop(slice_of(branch), &mark), -EINVAL);
    }
}

/* Also over several fillings of the layer's random store. */
static void branches_never_repeat(void **state)
{
    enum { COUNT = 1000 };
    struct world *world = *state;
    static char branches[COUNT][TXN_BRANCH_MAX];
    for (int i = 0; i < COUNT; i++) {
        txn_branch_make(world->layer, 1, branches[i]);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(branches[i], branches[j]);
    }
}

static void every_random_digit_varies(void **state)
{
    struct world *world = *state;
    char first[TXN_BRANCH_MAX], branch[TXN_BRANCH_MAX];
    bool varies[16] = {false};
    txn_branch_make(world->layer, 1, first);
    for (int i = 0; i < 100; i++) {
        txn_branch_make(world->layer, 1, branch);
        for (int digit = 0; digit < 16; digit++)
            varies[digit] |= branch[11 + digit] != first[11 + digit];
    }
    for (int digit = 0; digit < 16; digit++)
        assert_true(varies[digit]);
}

static void other_branches_name_no_worker(void **state)
{
    (void)state;
    static const char *const branches[] = {
        "",
        "z9hG4bK",
        "z9hG4bK0001",
        "z9hG4bK0001012345678abcde",    /* too short */
        "z9hG4bK00010123456789abcdef0", /* too long */
        "z9hG4bK00g10123456789abcdef",  /* no hex digit in the worker */
        "z9hG4bK00010123456789abcdeg",  /* no hex digit at the end */
        "z9hG4bK-0010123456789abcdef",
        "z9hg4bk00010123456789abcdef", /* the cookie has case */
        "a9hG4bK00010123456789abcdef",
    };
    for (size_t i = 0; i < COUNT_OF(branches); i++) {
        unsigned worker = 99;
        assert_int_equal(txn_branch_worker(slice_of(branches[i]), &worker), -EINVAL);
        assert_int_equal(worker, 99);
    }
    unsigned worker = 99;
    assert_int_equal(txn_branch_worker(slice_make(NULL, 0), &worker), -EINVAL);
}

static unsigned owner_of(struct world *world, const char *text, unsigned workers)
{
    const struct sip_msg *msg = message_of(world->arena, text);
    assert_non_null(msg);
    return txn_owner(msg, owner_key, workers);
}

static void invite_ack_and_cancel_have_one_owner(void **state)
{
    static const struct {
        const char *invite, *ack, *cancel;
    } calls[] = {
        {"INVITE", "ACK", "CANCEL"},
        {"INVITE branch=z9hG4bK-77", "ACK branch=z9hG4bK-77 to-tag=q", "CANCEL branch=z9hG4bK-77"},
        {"INVITE port=5070", "ACK port=5070", "CANCEL port=5070"},
        {"INVITE host=Client.Example", "ACK host=client.example", "CANCEL host=CLIENT.example"},
        {"INVITE host=[2001:db8::1]", "ACK host=[2001:db8::1]", "CANCEL host=[2001:DB8::1]"},
        {"INVITE branch=none", "ACK branch=none", "CANCEL branch=none"},
        {"INVITE branch=none host=a.example", "ACK branch=none host=a.example",
         "CANCEL branch=1 host=b.example"}, /* RFC 2543: Call-ID alone */
    };
    struct world *world = *state;
    for (unsigned workers = 1; workers <= WORKERS_MAX; workers++) {
        for (size_t i = 0; i < COUNT_OF(calls); i++) {
            unsigned owner = owner_of(world, calls[i].invite, workers);
            assert_in_range(owner, 0, workers - 1);
            assert_int_equal(owner, owner_of(world, calls[i].ack, workers));
            assert_int_equal(owner, owner_of(world, calls[i].cancel, workers));
        }
    }
}

/* Each of these parts alone must move requests to other workers: 4000 requests on 8 workers are 500
 * each; 5 standard deviations are 105. (Key and requests are fixed: the result never changes.) */
static void requests_spread_over_the_workers(void **state)
{
    enum { REQUESTS = 4000 };
    static const char *const forms[] = {"INVITE branch=z9hG4bK-%d", "INVITE host=h%d.example",
                                        "INVITE port=%d", "INVITE branch=none call-id=%d"};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        unsigned count[WORKERS_MAX] = {0};
        for (int n = 0; n < REQUESTS; n++) {
            struct arena *arena = arena_alloc(world->pool, 0);
            struct slice text = arena_printf(arena, forms[i], n + 1000);
            const struct sip_msg *msg = message_of(arena, text.p);
            assert_non_null(msg);
            count[txn_owner(msg, owner_key, WORKERS_MAX)]++;
            arena_free(arena);
        }
        for (int worker = 0; worker < WORKERS_MAX; worker++)
            assert_in_range(count[worker], 395, 605);
    }
}

static void another_key_gives_other_owners(void **state)
{
    struct world *world = *state;
    static const uint8_t other_key[16] = "another key 123";
    unsigned moved = 0;
    for (int n = 0; n < 100; n++) {
        struct slice text = arena_printf(world->arena, "INVITE branch=z9hG4bK-%d", n);
        const struct sip_msg *msg = message_of(world->arena, text.p);
        assert_non_null(msg);
        moved += txn_owner(msg, owner_key, WORKERS_MAX) != txn_owner(msg, other_key, WORKERS_MAX);
    }
    assert_in_range(moved, 50, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(branch_has_cookie_worker_and_sixteen_hex_digits,
                                        world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(branch_names_its_worker, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(the_second_part_is_read_back, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(branches_never_repeat, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(every_random_digit_varies, world_setup, world_teardown),
        cmocka_unit_test(other_branches_name_no_worker),
        cmocka_unit_test_setup_teardown(invite_ack_and_cancel_have_one_owner, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(requests_spread_over_the_workers, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(another_key_gives_other_owners, world_setup,
                                        world_teardown),
    };
    return cmocka_run_group_tests_name("branch", tests, NULL, NULL);
}
