/* What a holder leaves at the host of his address while another operator is its authority: a lock,
 * a recovery key. */
#include "tests/api/guest_world.h"

#include "api/internal.h"
#include "api/json.h"

#include <stdio.h>
#include <string.h>

#define LOCK  "/federation/v1/addresses/dan%40opa.example/lock"
#define LEAVE "/federation/v1/addresses/dan%40opa.example/recovery-key"
#define KEY   "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

/* ---- the lock ---- */

static void locked_are(struct world *w, const char *at_authority, const char *at_host)
{
    assert_string_equal(member(w, A, "locked"), at_authority);
    assert_string_equal(member(w, B, "locked"), at_host);
}

static void a_guests_lock_holds_at_its_authority(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX];
    code_make(w, code);
    expect_status(w->at[B], PATCH(DAN, ANY, "{\"locked\": true}"), 200);
    locked_are(w, "true", "true");
    expect_port(w, code, 409, "locked");
    expect_status(w->at[B], PATCH(DAN, ANY, "{\"locked\": false}"), 200);
    locked_are(w, "false", "false");
    expect_port(w, code, 200, "");
}

static void a_lock_that_the_authority_has_not_confirmed_is_none(void **state)
{
    struct world *w = *state;
    w->fault = LOSE;
    expect_problem(w->at[B], PATCH(DAN, ANY, "{\"locked\": true}"), 503, "busy", "",
                   "opa.example cannot be asked");
    locked_are(w, "false", "false");
    w->fault = LOSE_ANSWER;
    expect_status(w->at[B], PATCH(DAN, ANY, "{\"locked\": true}"), 503);
    locked_are(w, "true", "false");
    w->fault = NONE; /* whichever the holder wants now, they come together again */
    expect_status(w->at[B], PATCH(DAN, ANY, "{\"locked\": false}"), 200);
    locked_are(w, "false", "false");
    w->fault = LOSE_ANSWER;
    expect_status(w->at[B], PATCH(DAN, ANY, "{\"locked\": true}"), 503);
    w->fault = NONE;
    expect_status(w->at[B], PATCH(DAN, ANY, "{\"locked\": true}"), 200);
    locked_are(w, "true", "true");
}

static void what_is_refused_here_is_not_asked_there(void **state)
{
    struct world *w = *state;
    expect_status(w->at[B], PATCH(DAN, ANY, "{\"locked\": true}"), 200);
    w->asked = 0;
    expect_problem(w->at[B], PATCH(DAN, ANY, "{\"locked\": false, \"owner\": \"c-1\"}"), 409,
                   "locked", "", "dan@opa.example");
    expect_status(w->at[B], PATCH(DAN "?dry_run=true", ANY, "{\"locked\": false}"), 200);
    assert_int_equal(w->asked, 0);
    locked_are(w, "true", "true");
    expect_problem(w->at[B],
                   POST("/v1/addresses", "{\"address\": \"eve@opa.example\", "
                                         "\"hosting\": \"opb.example\", \"locked\": true}"),
                   400, "invalid-field", "locked", "its authority");
}

static void only_the_host_that_the_record_names_locks(void **state)
{
    struct world *w = *state;
    const char *unknown = "/federation/v1/addresses/eve%40opa.example/lock";
    expect_answer(w, "opc.example", "PUT", LOCK, json_pack("{s:b}", "locked", 1), 403,
                  "not-the-host");
    expect_answer(w, "opb.example", "PUT", unknown, json_pack("{s:b}", "locked", 1), 403,
                  "not-the-host");
    expect_answer(w, "opb.example", "PUT", LOCK, json_pack("{s:s}", "locked", "yes"), 400,
                  "malformed");
    expect_answer(w, "opb.example", "PUT", LOCK, NULL, 400, "malformed");
    expect_answer(w, "opb.example", "POST", LOCK, NULL, 405, "method");
    locked_are(w, "false", "false");
}

static void who_is_not_the_host_any_more_hears_it(void **state)
{
    struct world *w = *state;
    expect_status(w->at[A], PATCH(DAN, ANY, "{\"hosting\": \"opc.example\"}"), 200);
    expect_problem(w->at[B], PATCH(DAN, ANY, "{\"locked\": true}"), 403, "forbidden", "",
                   "not-the-host");
    locked_are(w, "false", "false");
}

/* ---- the recovery key ---- */

static const char *key_body(const char *code)
{
    static char body[256];
    snprintf(body, sizeof(body), "{\"key\": \"%s\", \"code\": \"%s\"}", KEY, code);
    return body;
}

static void a_guests_key_is_left_at_its_authority_and_its_holder_told(void **state)
{
    struct world *w = *state;
    struct response response;
    char code[TOKEN_MAX], words[80];
    code_make(w, code);
    http(w->at[B], PUT(DAN "/recovery-key", ANY, key_body(code)), &response);
    assert_int_equal(response.status, 200);
    assert_string_equal(text_of(response.json, "next_recovery_key"), KEY);
    const char *from = text_of(response.json, "next_recovery_key_from");
    assert_string_equal(guard_member(w, "next_recovery_key_from"), from);
    assert_string_equal(guard_member(w, "next_recovery_key"), KEY);
    assert_string_equal(guard_member(w, "recovery_key"), "null");
    assert_string_equal(member(w, A, "auth_until"), "null");
    assert_string_equal(member(w, B, "auth_until"), "null");
    porting_turn(w->engines[B]);
    snprintf(words, sizeof(words), "a recovery key was left for it, which can move it from %.10s",
             from);
    assert_non_null(strstr(w->told, words));
    assert_non_null(strstr(w->told, "at opb.example."));
    response_done(&response);
    w->asked = 0; /* it is used up, which is known here */
    expect_problem(w->at[B], PUT(DAN "/recovery-key", ANY, key_body(code)), 403, "bad-proof",
                   "code", "dan@opa.example");
    assert_int_equal(w->asked, 0);
}

static void a_key_waits_fourteen_days(void **state)
{
    struct world *w = *state;
    struct response response;
    uint64_t from_ms, now_ms = api_now_ms();
    char code[TOKEN_MAX];
    struct api_problem problem;
    code_make(w, code);
    http(w->at[B], PUT(DAN "/recovery-key", ANY, key_body(code)), &response);
    const char *from = text_of(response.json, "next_recovery_key_from");
    assert_int_equal(api_time_decode(slice_of(from), "from", &from_ms, &problem), 0);
    assert_in_range(from_ms, now_ms + 14 * PORTING_DAY_MS, api_now_ms() + 14 * PORTING_DAY_MS);
    response_done(&response);
}

static void a_key_whose_answer_was_lost_is_left_with_the_next_try(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX], from[64];
    code_make(w, code);
    w->fault = LOSE_ANSWER;
    expect_status(w->at[B], PUT(DAN "/recovery-key", ANY, key_body(code)), 503);
    snprintf(from, sizeof(from), "%s", guard_member(w, "next_recovery_key_from"));
    assert_string_not_equal(from, "null");
    assert_string_not_equal(member(w, B, "auth_until"), "null");
    w->fault = NONE;
    expect_status(w->at[B], PUT(DAN "/recovery-key", ANY, key_body(code)), 200);
    assert_string_equal(guard_member(w, "next_recovery_key_from"), from);
    assert_string_equal(member(w, B, "auth_until"), "null");
}

static void a_code_for_one_gaining_domain_leaves_no_key(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX];
    code_make_for(w, "{\"for\": \"opc.example\"}", code);
    expect_problem(w->at[B], PUT(DAN "/recovery-key", ANY, key_body(code)), 403, "bad-proof", "",
                   "bad-code");
    assert_string_equal(guard_member(w, "next_recovery_key"), "null");
    expect_port(w, code, 200, ""); /* and is as good as before */
}

static json_t *key_leave(const char *code)
{
    return json_pack("{s:s, s:s}", "key", KEY, "code", code);
}

static void wrong_codes_of_a_host_count_with_those_of_ports(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX];
    code_make(w, code);
    for (int i = 0; i < PORTING_WRONG_BURST; i++)
        expect_answer(w, HOST, "PUT", LEAVE, key_leave("guess"), 403, "bad-code");
    expect_answer(w, HOST, "PUT", LEAVE, key_leave(code), 429, "too-many-wrong-proofs");
    expect_port_to(w, HOST, code, 429, "too-many-wrong-proofs");
    expect_port(w, code, 200, "");
}

static void only_the_host_leaves_a_key(void **state)
{
    struct world *w = *state;
    char code[TOKEN_MAX];
    code_make(w, code);
    expect_answer(w, "opc.example", "PUT", LEAVE, key_leave(code), 403, "not-the-host");
    expect_answer(w, "opc.example", "PUT", LEAVE, json_pack("{s:n}", "key"), 403, "not-the-host");
    expect_answer(w, HOST, "PUT", LEAVE, json_pack("{s:s}", "key", "ab"), 400, "malformed");
    expect_answer(w, HOST, "PUT", LEAVE, NULL, 400, "malformed");
    expect_answer(w, HOST, "PUT", LEAVE, json_pack("{s:s}", "key", KEY), 403, "bad-code");
    assert_string_equal(guard_member(w, "next_recovery_key"), "null");
}

static void a_guests_key_is_taken_back_until_it_works(void **state)
{
    struct world *w = *state;
    struct store_verdict verdict;
    char code[TOKEN_MAX];
    code_make(w, code);
    expect_status(w->at[B], PUT(DAN "/recovery-key", ANY, key_body(code)), 200);
    expect_status(w->at[B], DELETE(DAN "/recovery-key?dry_run=true", ANY), 200);
    assert_string_equal(guard_member(w, "next_recovery_key"), KEY);
    for (int i = 0; i < 2; i++) /* again, for nothing */
        expect_status(w->at[B], DELETE(DAN "/recovery-key", ANY), 200);
    assert_string_equal(guard_member(w, "next_recovery_key"), "null");
    struct store_command command = {.op = STORE_GUARD_PUT,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "test",
                                    .time_ms = api_now_ms()};
    assert_int_equal(store_address_parse(SLICE("dan@opa.example"), &command.guard.address, NULL),
                     0);
    command.guard.has_next_key = true;
    command.guard.next_key_ms = api_now_ms() - 1;
    assert_int_equal(store_submit(w->at[A]->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
    expect_problem(w->at[B], DELETE(DAN "/recovery-key", ANY), 409, "in-use", "", "key-works");
}

/* ---- what protects it ---- */

#define SHOW "/federation/v1/addresses/dan%40opa.example/protection"

static void what_protects_a_guest_is_shown_as_its_authority_has_it(void **state)
{
    static const char *const names[] = {
        "frozen",       "frozen_until",      "code_for",
        "recovery_key", "next_recovery_key", "next_recovery_key_from"};
    struct world *w = *state;
    char code[TOKEN_MAX], at_authority[80];
    code_make(w, code);
    expect_status(w->at[B], PUT(DAN "/recovery-key", ANY, key_body(code)), 200);
    expect_status(w->at[A], PUT(DAN "/freeze", ANY, "{\"frozen\": true}"), 200);
    code_make_for(w, "{\"for\": \"opc.example\"}", code);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(at_authority, sizeof(at_authority), "%s", guard_member(w, names[i]));
        assert_string_equal(member_at(w, B, DAN "/protection", names[i]), at_authority);
    }
    assert_string_equal(member_at(w, B, DAN "/protection", "next_recovery_key"), KEY);
    assert_string_equal(member_at(w, B, DAN "/protection", "frozen"), "true");
    assert_string_equal(member_at(w, B, DAN "/protection", "code_for"), "opc.example");
    expect_answer(w, "opc.example", "GET", SHOW, NULL, 403, "not-the-host");
    w->fault = LOSE;
    expect_problem(w->at[B], GET(DAN "/protection"), 503, "busy", "", "cannot be asked");
    w->fault = GARBLE;
    expect_problem(w->at[B], GET(DAN "/protection"), 503, "busy", "", "not understood");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_world_setup, guest_world_teardown)
        TEST(a_guests_lock_holds_at_its_authority),
        TEST(a_lock_that_the_authority_has_not_confirmed_is_none),
        TEST(what_is_refused_here_is_not_asked_there),
        TEST(only_the_host_that_the_record_names_locks),
        TEST(who_is_not_the_host_any_more_hears_it),
        TEST(a_guests_key_is_left_at_its_authority_and_its_holder_told),
        TEST(a_key_waits_fourteen_days),
        TEST(a_key_whose_answer_was_lost_is_left_with_the_next_try),
        TEST(a_code_for_one_gaining_domain_leaves_no_key),
        TEST(wrong_codes_of_a_host_count_with_those_of_ports),
        TEST(only_the_host_leaves_a_key),
        TEST(a_guests_key_is_taken_back_until_it_works),
        TEST(what_protects_a_guest_is_shown_as_its_authority_has_it),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
