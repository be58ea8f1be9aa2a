/* What a holder does at the host of his address while another operator is its authority:
 * opb.example hosts dan@opa.example, and asks opa.example, whose engine answers in the process. */
#include "tests/api/client.h"

#include "api/porting.h"
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAN   "/v1/addresses/dan@opa.example"
#define LOCK  "/federation/v1/addresses/dan%40opa.example/lock"
#define DAY_S 86400u

enum place { A, B, PLACES };
static const char *const domains[PLACES] = {"opa.example", "opb.example"};

enum fault { NONE, LOSE, LOSE_ANSWER };

struct world {
    struct fixture *at[PLACES];
    struct porting *engines[PLACES];
    enum fault fault; /* of what opb.example asks */
    unsigned asked;   /* how often it did */
};

/* ---- the network ---- */

static void deliver(struct world *w, const char *from, const char *method, const char *path,
                    const json_t *body, struct federation_answer *answer)
{
    char proven[1][256];
    const struct federation_request request = {.method = method,
                                               .path = path,
                                               .query = "",
                                               .proven = (const char(*)[256])proven,
                                               .proven_count = 1,
                                               .served = domains[A],
                                               .body = body};
    snprintf(proven[0], sizeof(proven[0]), "%s", from);
    if (porting_handle(w->engines[A], &request, answer))
        answer->status = 500;
}

static int ask(const char *from, const char *to, const char *method, const char *path,
               const json_t *body, struct federation_answer *answer, void *arg)
{
    struct world *w = arg;
    assert_string_equal(from, domains[B]);
    assert_string_equal(to, domains[A]);
    w->asked++;
    if (w->fault == LOSE)
        return -ETIMEDOUT;
    deliver(w, from, method, path, body, answer);
    return w->fault == LOSE_ANSWER ? -ETIMEDOUT : 0;
}

/* ---- the operators ---- */

static void operator_open(struct world *w, int place)
{
    const struct porting_conf conf = {.terms = {.grace = 3 * DAY_S, .freeze = 3 * DAY_S},
                                      .moved = 7 * DAY_S};
    void *state = NULL;
    fixture_setup(&state);
    struct fixture *fixture = w->at[place] = state;
    const struct porting_parts parts = {.store = fixture->store, .ask = ask, .ask_arg = w};
    assert_int_equal(porting_open(&conf, &parts, &w->engines[place]), 0);
    api_stop(fixture->api);
    fixture_start(fixture, &(struct api_parts){.store = fixture->store,
                                               .resolver = &fixture->resolver,
                                               .porting = w->engines[place]});
}

static int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    for (int i = 0; i < PLACES; i++)
        operator_open(w, i);
    add(w->at[A], "/v1/domains", OPA);
    add(w->at[B], "/v1/domains", OPB);
    for (int i = 0; i < PLACES; i++)
        add(w->at[i], "/v1/addresses",
            "{\"address\": \"dan@opa.example\", \"hosting\": \"opb.example\"}");
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < PLACES; i++) {
        void *fixture = w->at[i];
        api_stop(w->at[i]->api);
        w->at[i]->api = NULL;
        porting_stop(w->engines[i]);
        fixture_teardown(&fixture);
    }
    free(w);
    return 0;
}

/* ---- in few words ---- */

/* A member of the address as it is at one of them; "null", where it is that. */
static const char *member(struct world *w, int place, const char *name)
{
    static char text[256];
    struct response response;
    http(w->at[place], GET(DAN), &response);
    const json_t *value = json_object_get(response.json, name);
    const char *string = json_string_value(value);
    snprintf(text, sizeof(text), "%s",
             string                 ? string
             : json_is_true(value)  ? "true"
             : json_is_false(value) ? "false"
                                    : "null");
    response_done(&response);
    return text;
}

static void locked_are(struct world *w, const char *at_authority, const char *at_host)
{
    assert_string_equal(member(w, A, "locked"), at_authority);
    assert_string_equal(member(w, B, "locked"), at_host);
}

/* The authority answers whoever has proven this domain. */
static void expect_answer(struct world *w, const char *from, const char *method, const char *path,
                          json_t *body, unsigned status, const char *reason)
{
    struct federation_answer answer = {.status = 0};
    deliver(w, from, method, path, body, &answer);
    assert_int_equal(answer.status, status);
    assert_string_equal(text_of(answer.body, "reason"), reason);
    json_decref(answer.body);
    json_decref(body);
}

static void code_make(struct world *w, char code[TOKEN_MAX])
{
    struct response response;
    http(w->at[B], POST(DAN "/auth-code", "{}"), &response);
    assert_int_equal(response.status, 201);
    snprintf(code, TOKEN_MAX, "%s", text_of(response.json, "auth_code"));
    response_done(&response);
}

/* opc.example asks for it with this code. */
static void expect_port(struct world *w, const char *code, unsigned status, const char *reason)
{
    expect_answer(w, "opc.example", "POST", "/federation/v1/ports",
                  json_pack("{s:s, s:s, s:s, s:s, s:s}", "request",
                            "00000000000000000000000000000001", "kind", "code", "address",
                            "dan@opa.example", "gaining", "opc.example", "code", code),
                  status, reason);
}

/* ---- the lock ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        TEST(a_guests_lock_holds_at_its_authority),
        TEST(a_lock_that_the_authority_has_not_confirmed_is_none),
        TEST(what_is_refused_here_is_not_asked_there),
        TEST(only_the_host_that_the_record_names_locks),
        TEST(who_is_not_the_host_any_more_hears_it),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
