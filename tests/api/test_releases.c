/* A holder gives up, at the host of his address, what another operator is the authority of. */
#include "tests/api/guest_world.h"

#include "api/internal.h"

#include <stdio.h>
#include <string.h>

#define FREE "/federation/v1/addresses/dan%40opa.example/release"

static const char *free_body(const char *code)
{
    static char body[128];
    snprintf(body, sizeof(body), "{\"code\": \"%s\"}", code);
    return body;
}

static json_t *free_ask(const char *code)
{
    return json_pack("{s:s}", "code", code);
}

static void states_are(struct world *w, const char *at_authority, const char *at_host)
{
    assert_string_equal(member(w, A, "state"), at_authority);
    assert_string_equal(member(w, B, "state"), at_host);
}

static void a_guest_is_released_by_its_authority_and_then_here(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX];
    code_make(w, code);
    expect_status(w->at[B], POST(DAN "/release?dry_run=true", free_body(code)), 204);
    states_are(w, "ported-out", "ported-in");
    expect_status(w->at[B], POST(DAN "/release", free_body(code)), 204);
    assert_string_equal(member(w, A, "state"), "tombstone");
    expect_problem(w->at[B], GET(DAN), 404, "no-such-record", "", "");
}

static void without_its_holders_code_no_guest_is_released(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX];
    expect_problem(w->at[B], DELETE(DAN, ANY), 403, "bad-proof", "", "opa.example");
    expect_problem(w->at[B], POST(DAN "/release", free_body("guess")), 403, "bad-proof", "code",
                   "dan@opa.example");
    assert_int_equal(w->asked, 0);
    code_make_for(w, "{\"for\": \"opc.example\"}", code);
    expect_problem(w->at[B], POST(DAN "/release", free_body(code)), 403, "bad-proof", "",
                   "bad-code");
    expect_answer(w, HOST, "POST", FREE, NULL, 403, "bad-code");
    states_are(w, "ported-out", "ported-in");
}

static void a_release_whose_answer_was_lost_is_done_with_the_next_try(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX];
    code_make(w, code);
    w->fault = LOSE;
    expect_status(w->at[B], POST(DAN "/release", free_body(code)), 503);
    states_are(w, "ported-out", "ported-in");
    w->fault = LOSE_ANSWER;
    expect_status(w->at[B], POST(DAN "/release", free_body(code)), 503);
    states_are(w, "tombstone", "ported-in");
    w->fault = NONE;
    expect_status(w->at[B], POST(DAN "/release", free_body(code)), 204);
    expect_status(w->at[B], GET(DAN), 404);
}

static void a_release_is_confirmed_again_to_its_host_alone(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX];
    code_make(w, code);
    expect_answer(w, "opc.example", "POST", FREE, free_ask(code), 403, "not-the-host");
    expect_answer(w, HOST, "POST", FREE, free_ask(code), 200, "");
    for (int i = 0; i < 2; i++)
        expect_answer(w, HOST, "POST", FREE, free_ask(code), 200, "");
    expect_answer(w, "opc.example", "POST", FREE, free_ask(code), 403, "not-the-host");
    /* somebody has it again, elsewhere */
    expect_status(w->at[A], DELETE(DAN "?purge=true", ANY), 204);
    add(w->at[A], "/v1/addresses", "{\"address\": \"dan@opa.example\"}");
    expect_answer(w, HOST, "POST", FREE, free_ask(code), 403, "not-the-host");
    assert_string_equal(member(w, A, "state"), "hosted");
}

/* Nothing of the address is left, but that it was ported there. */
static void without_quarantine_a_ports_host_is_known_all_the_same(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX];
    expect_status(w->at[A],
                  PUT("/v1/domains/opa.example", ANY,
                      "{\"cores\": [\"sip:127.0.21.2:5060;transport=udp\"], "
                      "\"quarantine_days\": 0}"),
                  200);
    code_make(w, code);
    expect_port(w, code, 200, "");
    struct store_command command = {.op = STORE_GUARD_CODE,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "test",
                                    .time_ms = api_now_ms()};
    struct store_verdict verdict;
    store_address_parse(SLICE("dan@opa.example"), &command.guard.address, NULL);
    command.guard.code_until_ms = api_now_ms() + PORTING_DAY_MS;
    assert_int_equal(api_token_hash(SLICE("code"), command.guard.code_hash), 0);
    assert_int_equal(store_submit(w->at[A]->store, &command, &verdict), 0);
    for (int i = 0; i < 2; i++)
        expect_answer(w, "opc.example", "POST", FREE, free_ask("code"), 200, "");
    expect_status(w->at[A], GET(DAN), 404);
    expect_answer(w, "opd.example", "POST", FREE, free_ask("code"), 403, "not-the-host");
}

static void what_holds_an_address_at_home_holds_it_for_its_host(void **state)
{
    struct world *w = *state;
    const char *alias = "{\"address\": \"d@opa.example\", \"target\": \"dan@opa.example\"}";
    char code[TOKEN_MAX];
    code_make(w, code);
    expect_status(w->at[B], PATCH(DAN, ANY, "{\"locked\": true}"), 200);
    w->asked = 0;
    expect_problem(w->at[B], POST(DAN "/release", free_body(code)), 409, "locked", "", "");
    assert_int_equal(w->asked, 0);
    expect_answer(w, HOST, "POST", FREE, free_ask(code), 409, "locked");
    expect_status(w->at[B], PATCH(DAN, ANY, "{\"locked\": false}"), 200);
    add(w->at[A], "/v1/addresses", alias);
    expect_problem(w->at[B], POST(DAN "/release", free_body(code)), 409, "in-use", "",
                   "must go first");
    expect_status(w->at[A], DELETE("/v1/addresses/d@opa.example", ANY), 204);
    states_are(w, "ported-out", "ported-in");
}

static void a_port_under_way_ends_first(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX];
    window_set(w, 3600);
    code_make(w, code);
    expect_port(w, code, 200, "");
    expect_problem(w->at[B], POST(DAN "/release", free_body(code)), 409, "port-pending", "",
                   "port-pending");
    states_are(w, "ported-out", "ported-in");
}

/* The authority names no host any more, or cannot be asked: its operator ends what is left here. */
static void an_operator_drops_a_guest_without_asking(void **state)
{
    struct world *w = *state;
    expect_status(w->at[A], PATCH(DAN, ANY, "{\"hosting\": \"opc.example\"}"), 200);
    expect_status(w->at[B], DELETE(DAN "?purge=true", ANY), 204);
    assert_int_equal(w->asked, 0);
    expect_status(w->at[B], GET(DAN), 404);
    assert_string_equal(member(w, A, "hosting"), "opc.example");
}

static void at_home_the_code_releases_too(void **state)
{
    struct world *w = *state;
    struct response response;
    char code[TOKEN_MAX];
    const char *eve = "/v1/addresses/eve@opa.example/release";
    add(w->at[A], "/v1/addresses", "{\"address\": \"eve@opa.example\"}");
    http(w->at[A], POST("/v1/addresses/eve@opa.example/auth-code", "{}"), &response);
    snprintf(code, sizeof(code), "%s", text_of(response.json, "auth_code"));
    response_done(&response);
    expect_problem(w->at[A], POST(eve, free_body("guess")), 403, "bad-proof", "code", "");
    struct request post = *POST(eve, free_body(code));
    post.headers = "Idempotency-Key: k";
    for (int i = 0; i < 2; i++)
        expect_status(w->at[A], &post, 204);
    assert_string_equal(member_at(w, A, "/v1/addresses/eve@opa.example", "state"), "tombstone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_world_setup, guest_world_teardown)
        TEST(a_guest_is_released_by_its_authority_and_then_here),
        TEST(without_its_holders_code_no_guest_is_released),
        TEST(a_release_whose_answer_was_lost_is_done_with_the_next_try),
        TEST(a_release_is_confirmed_again_to_its_host_alone),
        TEST(without_quarantine_a_ports_host_is_known_all_the_same),
        TEST(what_holds_an_address_at_home_holds_it_for_its_host),
        TEST(a_port_under_way_ends_first),
        TEST(an_operator_drops_a_guest_without_asking),
        TEST(at_home_the_code_releases_too),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
