/* Ports over the REST API: who sees and moves which, and what protects an address. One node is all
 * three operators here; the engine's turns are the test's. */
#include "tests/api/client.h"

#include "api/porting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOB        "/v1/addresses/bob@opa.example"
#define CODE       BOB "/auth-code"
#define CHECK      BOB "/port-check"
#define PUBLIC_KEY "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define DAY_S      86400u
#define TURNS      8 /* in which all that is owed in one node is paid */

static char op_a[TOKEN_MAX], op_b[TOKEN_MAX], user_1[TOKEN_MAX], user_2[TOKEN_MAX];
static struct porting *engine;

/* What another operator was asked last. */
static struct {
    char from[64], to[64], path[128], only[64];
    size_t hash_len;
    bool is_down;
} asked;

static int ask(const char *from_domain, const char *to_domain, const char *method, const char *path,
               const json_t *body, struct federation_answer *answer, void *arg)
{
    (void)arg;
    snprintf(asked.from, sizeof(asked.from), "%s", from_domain);
    snprintf(asked.to, sizeof(asked.to), "%s", to_domain);
    snprintf(asked.path, sizeof(asked.path), "%s %s", method, path);
    snprintf(asked.only, sizeof(asked.only), "%s", text_of(body, "for"));
    asked.hash_len = strlen(text_of(body, "hash"));
    answer->status = 200;
    return asked.is_down ? -ETIMEDOUT : 0;
}

static void engine_open(struct fixture *fixture)
{
    const struct porting_conf conf = {.terms = {.window = DAY_S,
                                                .wait = 14 * DAY_S,
                                                .dispute = 14 * DAY_S,
                                                .grace = 3 * DAY_S,
                                                .freeze = 3 * DAY_S},
                                      .moved = 7 * DAY_S};
    const struct porting_parts parts = {.store = fixture->store, .ask = ask};
    assert_int_equal(porting_open(&conf, &parts, &engine), 0);
}

static int ports_setup(void **state)
{
    fixture_setup_https(state);
    struct fixture *fixture = *state;
    struct api_conf conf = fixture_conf_https(fixture);
    struct api_parts parts = {.store = fixture->store, .resolver = &fixture->resolver};
    char why[API_MAX_WHY] = "";
    memset(&asked, 0, sizeof(asked));
    engine_open(fixture);
    parts.porting = engine;
    api_stop(fixture->api);
    assert_int_equal(api_start(&conf, &parts, &fixture->api, why), 0);
    api_bound(fixture->api, &fixture->https, &fixture->health);
    add(fixture, "/v1/domains", OPA);
    add(fixture, "/v1/domains", OPB);
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\", \"owner\": \"c-1\"}");
    token_make(fixture, "{\"scope\": \"operator\", \"domains\": [\"opa.example\"]}", op_a);
    token_make(fixture, "{\"scope\": \"operator\", \"domains\": [\"opb.example\"]}", op_b);
    token_make(fixture, "{\"scope\": \"user\", \"owner\": \"c-1\"}", user_1);
    token_make(fixture, "{\"scope\": \"user\", \"owner\": \"c-2\"}", user_2);
    return 0;
}

static int ports_teardown(void **state)
{
    struct fixture *fixture = *state;
    api_stop(fixture->api);
    fixture->api = NULL;
    porting_stop(engine);
    return fixture_teardown(state);
}

/* ---- in few words ---- */

static void turns(void)
{
    for (int i = 0; i < TURNS; i++)
        porting_turn(engine);
}

static void code_make(const struct fixture *fixture, const char *body, char code[TOKEN_MAX])
{
    struct response response;
    http(fixture, as(user_1, POST(CODE, body)), &response);
    assert_int_equal(response.status, 201);
    snprintf(code, TOKEN_MAX, "%s", text_of(response.json, "auth_code"));
    response_done(&response);
}

struct made {
    char path[300], secret[TOKEN_MAX];
};

/* Nobody has been told of it yet. */
static struct made port_ask(const struct fixture *fixture, const char *path, const char *body)
{
    struct response response;
    struct made made;
    http(fixture, as(user_1, POST(path, body)), &response);
    if (response.status != 201)
        fail_msg("%s: %s", body, text_of(response.json, "detail"));
    assert_string_equal(response.location + strlen("/v1/ports/"), text_of(response.json, "id"));
    snprintf(made.path, sizeof(made.path), "%s", response.location);
    snprintf(made.secret, sizeof(made.secret), "%s", text_of(response.json, "undo_secret"));
    response_done(&response);
    return made;
}

static struct made port_begin(const struct fixture *fixture, const char *path, const char *body)
{
    struct made made = port_ask(fixture, path, body);
    turns();
    return made;
}

/* A port of bob to opb.example, with a code that was made with `with`; nobody was told yet. */
static struct made ask_for_bob(const struct fixture *fixture, const char *with)
{
    char code[TOKEN_MAX], body[256];
    code_make(fixture, with, code);
    snprintf(body, sizeof(body),
             "{\"address\": \"Bob@opa.example\", \"gaining\": \"opb.example\", \"code\": \"%s\"}",
             code);
    return port_ask(fixture, "/v1/ports", body);
}

static struct made port_of_bob(const struct fixture *fixture, const char *with)
{
    struct made made = ask_for_bob(fixture, with);
    turns();
    return made;
}

static void expect_state(const struct fixture *fixture, const char *token, const char *path,
                         const char *state, const char *reason)
{
    struct response response;
    http(fixture, as(token, GET(path)), &response);
    assert_int_equal(response.status, 200);
    assert_string_equal(text_of(response.json, "state"), state);
    assert_string_equal(text_of(response.json, "reason"), reason);
    response_done(&response);
}

static const char *below(const char *path, const char *name)
{
    static char text[320];
    snprintf(text, sizeof(text), "%s/%s", path, name);
    return text;
}

static size_t listed(const struct fixture *fixture, const char *token, const char *query)
{
    struct response response;
    char path[160];
    snprintf(path, sizeof(path), "/v1/ports%s", query);
    http(fixture, as(token, GET(path)), &response);
    assert_int_equal(response.status, 200);
    size_t count = json_array_size(json_object_get(response.json, "ports"));
    response_done(&response);
    return count;
}

/* ---- a port's way ---- */

/* The authority knows of it, and the losing host, of the same node, not yet. */
static void an_approval_too_early_says_so(void **state)
{
    const struct fixture *fixture = *state;
    struct made port = ask_for_bob(fixture, "{\"for\": \"opb.example\"}");
    porting_turn(engine);
    expect_problem(fixture, as(op_a, POST(below(port.path, "approve"), "{}")), 503, "busy", "",
                   "has not reached the host that would lose the address yet");
    expect_problem(fixture, as(op_b, POST(below(port.path, "approve"), "{}")), 404,
                   "no-such-record", "", "");
    turns();
    expect_status(fixture, as(op_a, POST(below(port.path, "approve"), "{}")), 200);
}

static void an_approved_port_moves_and_its_secret_takes_it_back(void **state)
{
    const struct fixture *fixture = *state;
    struct made port = port_of_bob(fixture, "{\"for\": \"opb.example\"}");
    expect_state(fixture, user_1, port.path, "pending", "");
    expect_problem(fixture, as(op_b, POST(below(port.path, "approve"), "{}")), 404,
                   "no-such-record", "", "");
    expect_status(fixture, as(op_a, POST(below(port.path, "approve"), "{}")), 200);
    turns();
    expect_state(fixture, op_b, port.path, "committed", "");
    struct response bob;
    http(fixture, GET(BOB), &bob);
    assert_string_equal(text_of(bob.json, "hosting"), "opb.example");
    response_done(&bob);
    char body[128];
    snprintf(body, sizeof(body), "{\"secret\": \"%s\"}", port.secret);
    port_begin(fixture, below(port.path, "undo"), body);
    expect_state(fixture, user_1, port.path, "undone", "by-holder");
    http(fixture, GET(BOB), &bob);
    assert_string_equal(text_of(bob.json, "hosting"), "opa.example");
    response_done(&bob);
}

/* Each refusal has the type and the words of what stands in the way. */
static void a_refusal_says_what_stands_in_the_way(void **state)
{
    const struct fixture *fixture = *state;
    struct made port = port_of_bob(fixture, "{}");
    const char *again = "{\"address\": \"bob@opa.example\", \"gaining\": \"opb.example\", "
                        "\"code\": \"x\"}";
    expect_problem(fixture, as(user_1, POST("/v1/ports", again)), 409, "port-pending", "address",
                   "another port of it is under way");
    expect_problem(fixture, as(op_a, POST(below(port.path, "allow"), "{}")), 409, "port-state", "",
                   "not in a state in which this can happen");
    expect_status(fixture, as(op_a, POST(below(port.path, "approve"), "{}")), 200);
    turns();
    expect_problem(fixture, as(op_a, POST(below(port.path, "reject"), "{}")), 409, "port-state", "",
                   "not in a state in which this can happen");
    expect_problem(fixture, as(user_1, POST(below(port.path, "cancel"), "{}")), 409, "port-state",
                   "", "a committed port can be undone");
    expect_problem(fixture, as(user_1, POST("/v1/ports", again)), 409, "exists", "address",
                   "opb.example hosts it already");
}

static void the_holder_gives_it_up(void **state)
{
    const struct fixture *fixture = *state;
    struct made port = port_of_bob(fixture, "{}");
    expect_problem(fixture, as(user_2, POST(below(port.path, "cancel"), "{}")), 404,
                   "no-such-record", "", "");
    expect_status(fixture, as(user_1, POST(below(port.path, "cancel"), "{}")), 200);
    turns();
    expect_state(fixture, user_1, port.path, "cancelled", "by-holder");
}

static void the_old_host_refuses_with_a_reason(void **state)
{
    const struct fixture *fixture = *state;
    struct made port = port_of_bob(fixture, "{}");
    expect_problem(fixture, as(user_1, POST(below(port.path, "reject"), "{}")), 403, "forbidden",
                   "", "");
    expect_problem(fixture, as(op_a, POST(below(port.path, "reject"), "{\"reason\": \"odd\"}")),
                   400, "invalid-field", "reason", "none of");
    expect_problem(fixture,
                   as(op_a, POST(below(port.path, "reject"), "{\"reason\": \"bad-code\"}")), 400,
                   "invalid-field", "reason", "none of"); /* its authority's to say */
    expect_status(fixture, as(op_a, POST(below(port.path, "reject"), "{\"reason\": \"fraud\"}")),
                  200);
    turns();
    expect_state(fixture, user_1, port.path, "rejected", "fraud");
}

static void a_code_for_another_host_is_no_code(void **state)
{
    const struct fixture *fixture = *state;
    struct made port = port_of_bob(fixture, "{\"for\": \"opc.example\"}");
    expect_state(fixture, user_1, port.path, "refused", "bad-code");
}

/* Wrong codes count against the host, whoever of its users gave them. */
static void no_user_tries_as_many_codes_as_his_host_may(void **state)
{
    const struct fixture *fixture = *state;
    const char *body = "{\"address\": \"bob@opa.example\", \"gaining\": \"opb.example\", "
                       "\"code\": \"guess\"}";
    for (int i = 0; i < 5; i++) {
        expect_status(fixture, as(user_1, POST("/v1/ports", body)), 201);
        turns();
    }
    expect_problem(fixture, as(user_1, POST("/v1/ports", body)), 429, "rate-limited", "",
                   "too many ports: try again in");
    expect_status(fixture, as(user_2, POST("/v1/ports", body)), 201);
    turns();
    expect_status(fixture, as(op_b, POST("/v1/ports", body)), 201);
}

static void a_guests_code_is_left_at_its_authority(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    const char *code = "/v1/addresses/dave@far.example/auth-code";
    add(fixture, "/v1/addresses",
        "{\"address\": \"dave@far.example\", \"hosting\": \"opb.example\"}");
    asked.is_down = true;
    expect_status(fixture, as(op_b, POST(code, "{}")), 503);
    http(fixture, GET("/v1/addresses/dave@far.example"), &response);
    assert_true(json_is_null(json_object_get(response.json, "auth_until")));
    response_done(&response);
    asked.is_down = false;
    expect_status(fixture, as(op_b, POST(code, "{\"for\": \"opc.example\"}")), 201);
    assert_string_equal(asked.from, "opb.example");
    assert_string_equal(asked.to, "far.example");
    assert_string_equal(asked.path, "PUT /federation/v1/addresses/dave%40far.example/auth-code");
    assert_string_equal(asked.only, "opc.example");
    assert_int_equal(asked.hash_len, 64);
    asked.path[0] = '\0';
    expect_status(fixture, as(op_b, DELETE(code, ANY)), 204);
    assert_string_not_equal(asked.path, "");
}

static void the_same_key_begins_no_second_port(void **state)
{
    const struct fixture *fixture = *state;
    char code[TOKEN_MAX], body[256];
    code_make(fixture, "{}", code);
    snprintf(body, sizeof(body),
             "{\"address\": \"bob@opa.example\", \"gaining\": \"opb.example\", \"code\": \"%s\"}",
             code);
    struct request post = *as(user_1, POST("/v1/ports", body));
    struct response first, again;
    post.headers = "Idempotency-Key: k";
    http(fixture, &post, &first);
    http(fixture, &post, &again);
    assert_int_equal(again.status, 201);
    assert_string_equal(text_of(again.json, "id"), text_of(first.json, "id"));
    assert_true(json_is_null(json_object_get(again.json, "undo_secret")));
    response_done(&first);
    response_done(&again);
    assert_int_equal(listed(fixture, NULL, "?role=gaining"), 1);
}

static void what_cannot_begin_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *token, *body;
        long status;
        const char *type, *field;
    } table[] = {
        {user_1,
         "{\"address\": \"bob@opa.example\", \"gaining\": \"opz.example\", \"code\": \"x\"}", 400,
         "invalid-field", "gaining"},
        {op_a, "{\"address\": \"bob@opa.example\", \"gaining\": \"opb.example\", \"code\": \"x\"}",
         400, "invalid-field", "gaining"},
        {user_1, "{\"address\": \"bob@opa.example\", \"gaining\": \"opb.example\", \"code\": \"\"}",
         400, "invalid-field", "code"},
        {user_1,
         "{\"address\": \"bob@opa.example\", \"gaining\": \"opb.example\", \"code\": \"x\", "
         "\"owner\": \"c-2\"}",
         403, "forbidden", "owner"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        expect_problem(fixture, as(table[i].token, POST("/v1/ports", table[i].body)),
                       table[i].status, table[i].type, table[i].field, "");
    assert_int_equal(listed(fixture, NULL, ""), 0);
}

/* ---- who sees what ---- */

static void each_sees_his_own_roles(void **state)
{
    const struct fixture *fixture = *state;
    struct made port = port_of_bob(fixture, "{}");
    assert_int_equal(listed(fixture, NULL, ""), 3);
    assert_int_equal(listed(fixture, NULL, "?role=losing&state=pending"), 1);
    assert_int_equal(listed(fixture, NULL, "?state=refused"), 0);
    assert_int_equal(listed(fixture, NULL, "?address=bob@opa.example"), 3);
    assert_int_equal(listed(fixture, NULL, "?address=ann@opa.example"), 0);
    assert_int_equal(listed(fixture, op_a, ""), 2);
    assert_int_equal(listed(fixture, op_b, ""), 1);
    assert_int_equal(listed(fixture, user_1, ""), 3);
    assert_int_equal(listed(fixture, user_2, ""), 0);
    expect_problem(fixture, as(user_2, GET(port.path)), 404, "no-such-record", "", "");
    expect_problem(fixture, GET("/v1/ports/xyz"), 400, "invalid-parameter", "id", "32");
    struct response response;
    http(fixture, as(op_b, GET(port.path)), &response);
    assert_string_equal(text_of(response.json, "role"), "gaining");
    assert_true(number_of(response.json, "left") > 0);
    response_done(&response);
    http(fixture, as(op_a, GET(port.path)), &response);
    assert_string_equal(text_of(response.json, "role"), "authority");
    assert_true(number_of(response.json, "left") > 0);
    response_done(&response);
}

static void pages_go_over_all_of_them(void **state)
{
    const struct fixture *fixture = *state;
    port_of_bob(fixture, "{}");
    static const char *const queries[] = {"", "&address=bob@opa.example"};
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        char path[200], next[80] = "";
        size_t count = 0;
        do {
            struct response response;
            snprintf(path, sizeof(path), "/v1/ports?limit=1%s%s%s", queries[i],
                     *next ? "&cursor=" : "", next);
            http(fixture, GET(path), &response);
            assert_int_equal(response.status, 200);
            count += json_array_size(json_object_get(response.json, "ports"));
            snprintf(next, sizeof(next), "%s", text_of(response.json, "next"));
            response_done(&response);
        } while (*next && count < 9);
        assert_int_equal(count, 3);
    }
}

static void its_events_end_behind_the_last_state(void **state)
{
    const struct fixture *fixture = *state;
    struct made port = port_of_bob(fixture, "{}");
    char request[400], text[4096];
    int fd = raw_connect(fixture, VIA_SOCKET, NULL);
    snprintf(request, sizeof(request),
             "GET %s/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", port.path);
    raw_send(fd, request);
    expect_status(fixture, as(op_a, POST(below(port.path, "reject"), "{}")), 200);
    size_t len = raw_drain(fd, text, sizeof(text) - 1); /* to the end of the stream */
    text[len < sizeof(text) - 1 ? len : sizeof(text) - 1] = '\0';
    assert_non_null(strstr(text, "event: state\ndata: {"));
    assert_non_null(strstr(text, "\"state\":\"rejected\""));
    close(fd);
}

static bool route_says(const struct fixture *fixture, const char *what, const char *why)
{
    struct response response;
    bool found = false;
    size_t i;
    json_t *item;
    http(fixture, as(op_a, GET("/v1/route/bob@opa.example")), &response);
    json_array_foreach(json_object_get(response.json, "steps"), i, item)
    {
        found = found || (strcmp(text_of(item, "what"), what) == 0 &&
                          strstr(text_of(item, "why"), why) != NULL);
    }
    response_done(&response);
    return found;
}

static void a_route_names_the_port_that_led_there(void **state)
{
    const struct fixture *fixture = *state;
    struct made port = port_of_bob(fixture, "{}");
    assert_true(route_says(fixture, "port",
                           "to opb.example is pending: its host may approve or reject it, else it "
                           "moves then, until 2"));
    expect_status(fixture, as(op_a, POST(below(port.path, "approve"), "{}")), 200);
    assert_true(route_says(fixture, "ported", "authority opa.example names opb.example since 2"));
    assert_true(route_says(fixture, "ported", "), grace until 2"));
    assert_true(route_says(fixture, "ported", "Z, undo possible"));
    assert_false(route_says(fixture, "port", "nothing has moved yet"));
    turns(); /* both hosts have heard of it */
    expect_status(
        fixture,
        as(op_a, PATCH("/v1/addresses/bob@opa.example", ANY, "{\"hosting\": \"opx.example\"}")),
        200);
    assert_false(route_says(fixture, "ported", "")); /* it was no port that led it there */
}

/* ---- before a port ---- */

static bool found_ok(const json_t *check, const char *what)
{
    size_t i;
    json_t *finding;
    json_array_foreach(json_object_get(check, "findings"), i, finding)
    {
        if (strcmp(text_of(finding, "what"), what) == 0)
            return json_is_true(json_object_get(finding, "ok"));
    }
    fail_msg("nothing is said of %s", what);
    return false;
}

static void checked(const struct fixture *fixture, const char *token, struct response *response)
{
    http(fixture, as(token, POST(CHECK, "{\"gaining\": \"opb.example\"}")), response);
    assert_int_equal(response->status, 200);
}

static void a_check_says_what_stands_against_it(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    char code[TOKEN_MAX];
    add(fixture, "/v1/addresses",
        "{\"address\": \"sales@opa.example\", \"target\": \"bob@opa.example\"}");
    add(fixture, "/v1/numbers", "{\"number\": \"+49301\", \"address\": \"bob@opa.example\"}");
    checked(fixture, user_1, &response);
    assert_false(found_ok(response.json, "auth-code"));
    assert_true(found_ok(response.json, "lock"));
    assert_true(json_is_false(json_object_get(response.json, "possible")));
    const json_t *aliases = json_object_get(response.json, "aliases");
    assert_string_equal(json_string_value(json_array_get(aliases, 0)), "sales@opa.example");
    const json_t *numbers = json_object_get(response.json, "numbers");
    assert_string_equal(json_string_value(json_array_get(numbers, 0)), "+49301");
    response_done(&response);
    code_make(fixture, "{}", code);
    checked(fixture, user_1, &response);
    assert_true(json_is_true(json_object_get(response.json, "possible")));
    response_done(&response);
    expect_status(fixture, PATCH(BOB, ANY, "{\"locked\": true}"), 200);
    expect_status(fixture, PUT(BOB "/freeze", ANY, "{\"frozen\": true}"), 200);
    checked(fixture, user_1, &response);
    assert_false(found_ok(response.json, "lock"));
    assert_false(found_ok(response.json, "freeze"));
    response_done(&response);
}

static void a_check_tells_others_nothing_of_the_address(void **state)
{
    const struct fixture *fixture = *state;
    struct response known, unknown;
    expect_status(fixture, PATCH(BOB, ANY, "{\"locked\": true}"), 200);
    checked(fixture, user_2, &known);
    http(fixture,
         as(user_2,
            POST("/v1/addresses/no1@opa.example/port-check", "{\"gaining\": \"opb.example\"}")),
         &unknown);
    char *texts[] = {json_dumps(known.json, JSON_SORT_KEYS),
                     json_dumps(unknown.json, JSON_SORT_KEYS)};
    for (char *at; (at = strstr(texts[1], "no1@")) != NULL;)
        memcpy(at, "bob@", 4);
    assert_string_equal(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
    response_done(&known);
    response_done(&unknown);
}

/* ---- what protects it ---- */

static void a_frozen_address_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    expect_problem(fixture, as(user_1, PUT(BOB "/freeze", ANY, "{\"frozen\": true}")), 403,
                   "forbidden", "", "");
    expect_problem(fixture, as(op_b, PUT(BOB "/freeze", ANY, "{\"frozen\": true}")), 404,
                   "no-such-record", "", "");
    expect_status(fixture, as(op_a, PUT(BOB "/freeze", ANY, "{\"frozen\": true}")), 200);
    struct made port = port_of_bob(fixture, "{}");
    expect_state(fixture, user_1, port.path, "refused", "frozen");
    expect_status(fixture, as(op_a, PUT(BOB "/freeze", ANY, "{\"frozen\": false}")), 200);
    port = port_of_bob(fixture, "{}");
    expect_state(fixture, user_1, port.path, "pending", "");
}

static void key_put(const struct fixture *fixture, const char *code, long status)
{
    char body[256];
    snprintf(body, sizeof(body), "{\"key\": \"" PUBLIC_KEY "\", \"code\": \"%s\"}", code);
    expect_status(fixture, as(user_1, PUT(BOB "/recovery-key", ANY, body)), status);
}

static void a_recovery_key_takes_a_code_and_waits(void **state)
{
    const struct fixture *fixture = *state;
    char code[TOKEN_MAX];
    struct response response;
    key_put(fixture, "wrong", 403);
    code_make(fixture, "{\"for\": \"opb.example\"}", code);
    key_put(fixture, code, 403);
    code_make(fixture, "{}", code);
    key_put(fixture, "wrong", 403);
    key_put(fixture, code, 200);
    key_put(fixture, code, 403); /* it is used up */
    http(fixture, as(user_1, GET(BOB "/protection")), &response);
    assert_true(json_is_null(json_object_get(response.json, "recovery_key")));
    assert_string_equal(text_of(response.json, "next_recovery_key"), PUBLIC_KEY);
    assert_string_not_equal(text_of(response.json, "next_recovery_key_from"), "");
    response_done(&response);
    expect_status(fixture, as(user_1, DELETE(BOB "/recovery-key", ANY)), 200);
    expect_problem(fixture, as(user_1, DELETE(BOB "/recovery-key", ANY)), 404, "no-such-record", "",
                   "does not work yet");
    expect_problem(fixture,
                   as(user_1, PUT(BOB "/recovery-key", ANY,
                                  "{\"key\": \"x\", \"code\": "
                                  "\"x\"}")),
                   400, "invalid-field", "key", "Ed25519");
}

#define PORTS_TEST(name) cmocka_unit_test_setup_teardown(name, ports_setup, ports_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PORTS_TEST(an_approval_too_early_says_so),
        PORTS_TEST(an_approved_port_moves_and_its_secret_takes_it_back),
        PORTS_TEST(a_refusal_says_what_stands_in_the_way),
        PORTS_TEST(the_holder_gives_it_up),
        PORTS_TEST(the_old_host_refuses_with_a_reason),
        PORTS_TEST(a_code_for_another_host_is_no_code),
        PORTS_TEST(no_user_tries_as_many_codes_as_his_host_may),
        PORTS_TEST(a_guests_code_is_left_at_its_authority),
        PORTS_TEST(the_same_key_begins_no_second_port),
        PORTS_TEST(what_cannot_begin_is_refused),
        PORTS_TEST(each_sees_his_own_roles),
        PORTS_TEST(pages_go_over_all_of_them),
        PORTS_TEST(its_events_end_behind_the_last_state),
        PORTS_TEST(a_route_names_the_port_that_led_there),
        PORTS_TEST(a_check_says_what_stands_against_it),
        PORTS_TEST(a_check_tells_others_nothing_of_the_address),
        PORTS_TEST(a_frozen_address_is_refused),
        PORTS_TEST(a_recovery_key_takes_a_code_and_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
