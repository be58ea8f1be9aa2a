#include "resolver/resolver.h"

#include "base/status.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world {
    char path[64];
    struct store *store;
    struct store_reader *reader;
};

static void submit(struct world *world, struct store_command *command)
{
    struct store_verdict verdict;
    command->expected_version = STORE_ANY_VERSION;
    snprintf(command->actor, sizeof(command->actor), "%s", "test");
    assert_int_equal(store_submit(world->store, command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

static void add_domain(struct world *world, const char *name, enum store_unknown_policy unknown)
{
    struct store_command command = {.op = STORE_DOMAIN_ADD};
    snprintf(command.domain.name, sizeof(command.domain.name), "%s", name);
    command.domain.unknown = unknown;
    command.domain.core_count = 1;
    command.domain.quarantine_days = STORE_QUARANTINE_DAYS;
    snprintf(command.domain.cores[0].host, sizeof(command.domain.cores[0].host), "%s", "127.0.0.1");
    submit(world, &command);
}

static void add_address(struct world *world, const char *user, const char *domain,
                        enum store_address_state state, const char *hosting)
{
    struct store_command command = {.op = STORE_ADDRESS_ADD};
    snprintf(command.record.address.user, sizeof(command.record.address.user), "%s", user);
    snprintf(command.record.address.domain, sizeof(command.record.address.domain), "%s", domain);
    command.record.state = state;
    snprintf(command.record.hosting, sizeof(command.record.hosting), "%s", hosting);
    snprintf(command.record.display, sizeof(command.record.display), "%s@%s", user, domain);
    submit(world, &command);
}

/* user@opa.example as another name of `target`. */
static void add_alias(struct world *world, const char *user, const char *target)
{
    struct store_command command = {.op = STORE_ADDRESS_ADD};
    struct store_record *record = &command.record;
    snprintf(record->address.user, sizeof(record->address.user), "%s", user);
    snprintf(record->address.domain, sizeof(record->address.domain), "opa.example");
    snprintf(record->hosting, sizeof(record->hosting), "opa.example");
    record->state = STORE_ADDRESS_ALIAS;
    assert_int_equal(store_address_parse(slice_of(target), &record->target, NULL), 0);
    submit(world, &command);
}

static int world_setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    *state = world;
    if (!world)
        return -1;
    test_folder_make(world->path, sizeof(world->path));
    struct store_conf conf = {.path = world->path, .map_size = 16 << 20};
    struct store_fault fault;
    if (store_open(&conf, STORE_WRITER, &world->store, &fault) < 0)
        return -1;
    add_domain(world, "opa.example", STORE_UNKNOWN_REJECT);
    add_domain(world, "open.example", STORE_UNKNOWN_CORE);
    add_address(world, "alice", "opa.example", STORE_ADDRESS_HOSTED, "opa.example");
    add_address(world, "carol", "opa.example", STORE_ADDRESS_PORTED_OUT, "opc.example");
    add_address(world, "dora", "opb.example", STORE_ADDRESS_PORTED_IN, "opa.example");
    add_address(world, "emil", "opb.example", STORE_ADDRESS_MOVED, "opd.example");
    add_address(world, "fred", "opb.example", STORE_ADDRESS_PREPARED, "opa.example");
    add_alias(world, "al", "alice@opa.example");
    add_alias(world, "caro", "carol@opa.example");
    add_alias(world, "bobby", "bob@opb.example");
    add_address(world, "gone", "opa.example", STORE_ADDRESS_HOSTED, "opa.example");
    struct store_command release = {.op = STORE_ADDRESS_RELEASE};
    snprintf(release.record.address.user, sizeof(release.record.address.user), "gone");
    snprintf(release.record.address.domain, sizeof(release.record.address.domain), "opa.example");
    submit(world, &release);
    return store_reader_alloc(world->store, &world->reader);
}

static int world_teardown(void **state)
{
    struct world *world = *state;
    char command[128];
    store_reader_free(world->reader);
    store_close(world->store);
    snprintf(command, sizeof(command), "rm -rf %s", world->path);
    int status = system(command); /* NOLINT(bugprone-command-processor): a path of our own */
    free(world);
    return status;
}

static void directory_decides_who_hosts_an_address(void **state)
{
    static const struct {
        const char *user, *domain;
        enum resolver_rule rule;
        const char *hosting;
        bool aliased;
    } cases[] = {
        {"alice", "opa.example", RESOLVER_HOSTED, "opa.example", false},
        {"carol", "opa.example", RESOLVER_PORTED_OUT, "opc.example", false},
        {"dora", "opb.example", RESOLVER_HOSTED, "opa.example", false}, /* ported in */
        {"emil", "opb.example", RESOLVER_MOVED, "opd.example", false},
        {"fred", "opb.example", RESOLVER_AUTHORITY, "opb.example", false}, /* not yet ours */
        {"al", "opa.example", RESOLVER_HOSTED, "opa.example", true},
        {"caro", "opa.example", RESOLVER_PORTED_OUT, "opc.example", true},
        {"bobby", "opa.example", RESOLVER_ALIAS, "opb.example", true},
        {"gone", "opa.example", RESOLVER_BLOCKED, "", false},
        {"nobody", "opa.example", RESOLVER_UNKNOWN, "", false},
        {"nobody", "open.example", RESOLVER_UNKNOWN_CORE, "open.example", false},
        {"bob", "opb.example", RESOLVER_AUTHORITY, "opb.example", false},
        {"alice", "sub.opa.example", RESOLVER_AUTHORITY, "sub.opa.example", false},
    };
    struct world *world = *state;
    assert_int_equal(store_reader_begin(world->reader), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_address address;
        struct resolver_answer answer;
        snprintf(address.user, sizeof(address.user), "%s", cases[i].user);
        snprintf(address.domain, sizeof(address.domain), "%s", cases[i].domain);
        assert_int_equal(resolver_lookup(world->reader, &address, &answer), 0);
        assert_int_equal(answer.rule, cases[i].rule);
        assert_string_equal(answer.hosting, cases[i].hosting);
        if (answer.rule == RESOLVER_HOSTED)
            assert_string_equal(answer.route.core.name, "opa.example");
        assert_int_equal(answer.route.aliased, cases[i].aliased);
    }
    store_reader_end(world->reader);
}

static void each_rule_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int a = RESOLVER_HOSTED; a <= RESOLVER_NO_NUMBER; a++)
        for (int b = RESOLVER_HOSTED; b < a; b++)
            assert_string_not_equal(resolver_rule_text((enum resolver_rule)a),
                                    resolver_rule_text((enum resolver_rule)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(directory_decides_who_hosts_an_address, world_setup,
                                        world_teardown),
        cmocka_unit_test(each_rule_has_a_sentence_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
