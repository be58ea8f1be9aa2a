/* What the states of an address do to calls: aliases are followed, nobody reaches or uses what is
 * blocked or released. */
#include "tests/peering/proxy/stand.h"

#include <stdio.h>
#include <string.h>

static void submit(struct stand *stand, struct store_command *command)
{
    struct store_verdict verdict;
    command->expected_version = STORE_ANY_VERSION;
    assert_int_equal(store_submit(stand->store, command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

/* A command about user@two.example, or of whatever domain `user` names. */
static struct store_command about(enum store_op op, const char *text)
{
    struct store_command command = {.op = op};
    struct store_record *record = &command.record;
    assert_int_equal(store_address_parse(slice_of(text), &record->address, NULL), 0);
    snprintf(record->hosting, sizeof(record->hosting), "%s", record->address.domain);
    return command;
}

static void an_alias_call_asks_the_core_for_its_target(void **state)
{
    struct stand *stand = *state;
    struct store_command alias = about(STORE_ADDRESS_ADD, "robert@two.example");
    char text[8192];
    alias.record.state = STORE_ADDRESS_ALIAS;
    assert_int_equal(store_address_parse(SLICE("bob@two.example"), &alias.record.target, NULL), 0);
    submit(stand, &alias);
    struct call call = invite("sip:Robert@two.example;user=ip");
    send_request(stand, &stand->a, &call);
    expect(&stand->b1, "INVITE sip:bob@two.example;user=ip SIP/2.0", text);
    answer(stand, &stand->b1, text, "486 Busy Here");
    expect(&stand->a, "SIP/2.0 486", text);
}

static void nobody_reaches_what_is_blocked_or_released(void **state)
{
    struct stand *stand = *state;
    struct store_command block = about(STORE_ADDRESS_PUT, "bob@two.example");
    const struct call first = {"INVITE", "sip:bob@two.example", .id = "blocked"};
    const struct call second = {"INVITE", "sip:bob@two.example", .id = "released"};
    block.record.blocked = true;
    submit(stand, &block);
    expect_refusal(stand, &first, "SIP/2.0 404", "no such address");
    struct store_command release = about(STORE_ADDRESS_RELEASE, "bob@two.example");
    submit(stand, &release);
    expect_refusal(stand, &second, "SIP/2.0 404", "no such address");
    expect_nothing(&stand->b1);
}

static void a_blocked_address_calls_nobody(void **state)
{
    struct stand *stand = *state;
    struct store_command block = about(STORE_ADDRESS_PUT, "alice@one.example");
    const struct call call = {"INVITE", "sip:bob@two.example", .id = "caller"};
    block.record.blocked = true;
    submit(stand, &block);
    expect_refusal(stand, &call, "SIP/2.0 403", "not an address hosted here");
    expect_nothing(&stand->b1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAND_TEST(an_alias_call_asks_the_core_for_its_target),
        STAND_TEST(nobody_reaches_what_is_blocked_or_released),
        STAND_TEST(a_blocked_address_calls_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
