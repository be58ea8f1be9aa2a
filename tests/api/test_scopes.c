/* Who sees and changes what: an operator of opa.example, one of opb.example, users, strangers.
 * opa.example lets each owner claim two addresses, opb.example none. */
#include "tests/api/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPA_CLAIMS                                                                                 \
    "{\"name\": \"opa.example\", \"cores\": [\"sip:127.0.21.2\"], \"claims_per_owner\": 2}"
#define ALICE "/v1/addresses/alice@opa.example"
#define BOB   "/v1/addresses/bob@opb.example"

/* Tokens of the test that runs. */
static char op_a[TOKEN_MAX], op_b[TOKEN_MAX], user_1[TOKEN_MAX], user_2[TOKEN_MAX];

static int scopes_setup(void **state)
{
    fixture_setup_https(state);
    const struct fixture *fixture = *state;
    add(fixture, "/v1/domains", OPA_CLAIMS);
    add(fixture, "/v1/domains", OPB);
    add(fixture, "/v1/addresses", "{\"address\": \"alice@opa.example\", \"owner\": \"c-1\"}");
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opb.example\", \"owner\": \"c-2\"}");
    add(fixture, "/v1/addresses",
        "{\"address\": \"in@opz.example\", \"hosting\": \"opb.example\"}");
    add(fixture, "/v1/numbers", "{\"number\": \"+4911\", \"address\": \"alice@opa.example\"}");
    add(fixture, "/v1/numbers", "{\"number\": \"+4922\", \"address\": \"bob@opb.example\"}");
    token_make(fixture, "{\"scope\": \"operator\", \"domains\": [\"opa.example\"]}", op_a);
    token_make(fixture,
               "{\"scope\": \"operator\", \"domains\": [\"opb.example\", \"opx.example\"]}", op_b);
    token_make(fixture, "{\"scope\": \"user\", \"owner\": \"c-1\"}", user_1);
    token_make(fixture, "{\"scope\": \"user\", \"owner\": \"c-2\"}", user_2);
    return 0;
}

/* Both requests, alike but for one name, must be answered alike but for it. */
static void expect_alike(const struct fixture *fixture, const char *token,
                         const struct request *request, const char *name, const char *other)
{
    char path[300], body[600], *texts[2];
    struct response responses[2];
    struct request second = *request;
    snprintf(path, sizeof(path), "%s", request->path);
    text_replace(path, sizeof(path), name, other);
    snprintf(body, sizeof(body), "%s", request->body ? request->body : "");
    text_replace(body, sizeof(body), name, other);
    second.path = path;
    second.body = request->body ? body : NULL;
    http(fixture, as(token, request), &responses[0]);
    http(fixture, as(token, &second), &responses[1]);
    for (size_t i = 0; i < 2; i++) {
        texts[i] = responses[i].json ? json_dumps(responses[i].json, 0) : strdup("");
        response_done(&responses[i]);
    }
    char first[2048];
    snprintf(first, sizeof(first), "%s", texts[0]);
    text_replace(first, sizeof(first), name, other);
    assert_int_equal(responses[0].status, responses[1].status);
    assert_string_equal(first, texts[1]);
    assert_string_equal(responses[0].etag, responses[1].etag);
    free(texts[0]);
    free(texts[1]);
}

struct alike {
    const char *token;
    struct request request;
    const char *name, *other; /* one that is there, one that is not */
};

static void expect_all_alike(const struct fixture *fixture, const struct alike *table, size_t count)
{
    json_int_t sequence = last_sequence(fixture);
    for (size_t i = 0; i < count; i++)
        expect_alike(fixture, table[i].token, &table[i].request, table[i].name, table[i].other);
    assert_int_equal(last_sequence(fixture), sequence);
}

static void what_is_another_operators_looks_like_nothing(void **state)
{
    const struct fixture *fixture = *state;
    const struct alike table[] = {
        {op_a, *GET("/v1/domains/opb.example"), "opb", "opn"},
        {op_a, *PUT("/v1/domains/opb.example", ANY, OPB), "opb", "opn"},
        {op_a, *PUT("/v1/domains/opb.example", NULL, OPB), "opb", "opn"},
        {op_a, *GET(BOB), "bob", "nob"},
        {op_a, *PATCH(BOB, ANY, "{\"blocked\": true}"), "bob", "nob"},
        {op_a, *PATCH(BOB, "If-Match: \"4\"", "{\"x\": true}"), "bob", "nob"},
        {op_a, *DELETE(BOB, ANY), "bob", "nob"},
        {op_a, *DELETE(BOB "?purge=true", ANY), "bob", "nob"},
        {op_a, *POST(BOB "/auth-code", "{}"), "bob", "nob"},
        {op_a, *DELETE(BOB "/auth-code", ANY), "bob", "nob"},
        {op_a, *GET("/v1/addresses/in@opz.example"), "in@", "ni@"},
        {op_a, *GET("/v1/addresses?domain=opb.example"), "opb", "opn"},
        {op_a, *GET("/v1/addresses?domain=opb.example&cursor=a@opb.example"), "opb", "opn"},
        {op_a, *GET("/v1/addresses?domain=opz.example"), "opz", "opn"},
        {op_a, *GET("/v1/addresses?owner=c-2"), "c-2", "c-9"},
        {op_a, *POST("/v1/addresses", "{\"address\": \"new@opb.example\"}"), "opb", "opn"},
        {op_a, *POST("/v1/addresses", "{\"address\": \"bob@opb.example\"}"), "bob", "nob"},
        {op_a,
         *POST("/v1/addresses",
               "{\"address\": \"x@opa.example\", \"target\": \"bob@opb.example\"}"),
         "bob", "nob"},
        {op_a, *PATCH(ALICE "?dry_run=true", ANY, "{\"hosting\": \"opb.example\"}"), "opb", "opn"},
        {op_a,
         *PATCH(ALICE "?dry_run=true", ANY,
                "{\"hosting\": \"opb.example\", \"state\": \"ported-out\"}"),
         "opb", "opn"},
        {op_a,
         *PATCH(ALICE "?dry_run=true", ANY,
                "{\"hosting\": \"opb.example\", \"state\": \"hosted\"}"),
         "opb", "opn"},
        {op_a,
         *POST("/v1/addresses?dry_run=true",
               "{\"address\": \"new@opa.example\", \"hosting\": \"opb.example\"}"),
         "opb", "opn"},
        {op_a,
         *POST("/v1/addresses?dry_run=true",
               "{\"address\": \"new@opy.example\", \"hosting\": \"opb.example\"}"),
         "opb", "opn"},
        {op_a,
         *POST("/v1/import",
               "{\"addresses\": [{\"address\": \"bob@opb.example\"},"
               " {\"address\": \"x@opa.example\", \"target\": \"bob@opb.example\"}]}"),
         "bob", "nob"},
        {op_a,
         *POST("/v1/import/undo",
               "{\"addresses\": [{\"address\": \"bob@opb.example\", \"version\": 4}]}"),
         "bob", "nob"},
        {op_a, *GET("/v1/numbers/+4922"), "4922", "4999"},
        {op_a, *PUT("/v1/numbers/+4922", ANY, "{\"address\": \"alice@opa.example\"}"), "4922",
         "4999"},
        {op_a, *DELETE("/v1/numbers/+4922", ANY), "4922", "4999"},
        {op_a, *POST("/v1/numbers", "{\"number\": \"+4933\", \"address\": \"bob@opb.example\"}"),
         "bob", "nob"},
        {op_a, *GET("/v1/route/bob@opb.example"), "bob", "nob"},
        {op_a, *GET("/v1/route/+4922"), "4922", "4999"},
    };
    expect_all_alike(fixture, table, COUNT_OF(table));
}

static void what_is_another_users_looks_like_nothing(void **state)
{
    const struct fixture *fixture = *state;
    const struct alike table[] = {
        {user_1, *GET(BOB), "bob", "nob"},
        {user_1, *PATCH(BOB, ANY, "{\"locked\": true}"), "bob", "nob"},
        {user_1, *PATCH(BOB, ANY, "{\"blocked\": true}"), "bob", "nob"},
        {user_1, *DELETE(BOB, ANY), "bob", "nob"},
        {user_1, *POST(BOB "/auth-code", "{}"), "bob", "nob"},
        {user_2, *GET(ALICE), "alice", "nobod"},
        {user_1, *GET("/v1/addresses?domain=opb.example"), "opb", "opn"},
        {user_1, *GET("/v1/addresses?owner=c-2"), "c-2", "c-9"},
        {user_1, *POST("/v1/addresses", "{\"address\": \"bob@opb.example\"}"), "bob", "nob"},
        {user_2,
         *POST("/v1/addresses",
               "{\"address\": \"x@opa.example\", \"target\": \"alice@opa.example\"}"),
         "alice", "nobod"},
    };
    expect_all_alike(fixture, table, COUNT_OF(table));
}

/* What is served here of a foreign domain, for another operator, is explained as its authority's.
 */
static void a_route_tells_nothing_of_anothers_address(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const paths[] = {"/v1/route/in@opz.example", "/v1/route/no@opz.example"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct response response;
        http(fixture, as(op_a, GET(paths[i])), &response);
        assert_int_equal(response.status, 200);
        assert_string_equal(text_of(response.json, "rule"), "authority");
        assert_string_equal(text_of(response.json, "hosting"), "opz.example");
        assert_string_equal(text_of(response.json, "must_prove"), "opz.example");
        const json_t *step = json_array_get(json_object_get(response.json, "steps"), 1);
        assert_string_equal(text_of(step, "why"),
                            "the domain is not one of ours: its own authority answers for it");
        response_done(&response);
        http(fixture, as(op_b, GET(paths[i])), &response);
        assert_string_equal(text_of(response.json, "rule"), i == 0 ? "hosted" : "authority");
        response_done(&response);
    }
}

/* The route of `alias`, which leads to `hidden`, is that of "n" and `alias`, which leads to what
 * nobody here knows. */
static void expect_told_alike(const struct fixture *fixture, const char *token, const char *path,
                              const char *alias, const char *hidden, const char *absent)
{
    struct response responses[2];
    char other[100], texts[2][2048];
    snprintf(other, sizeof(other), "/v1/route/n%s", alias);
    http(fixture, as(token, GET(path)), &responses[0]);
    http(fixture, as(token, GET(other)), &responses[1]);
    for (size_t i = 0; i < 2; i++) {
        char *text = json_dumps(responses[i].json, 0);
        snprintf(texts[i], sizeof(texts[i]), "%s", text);
        free(text);
        response_done(&responses[i]);
    }
    text_replace(texts[0], sizeof(texts[0]), hidden, absent);
    text_replace(texts[0], sizeof(texts[0]), strchr(hidden, '@') + 1, strchr(absent, '@') + 1);
    text_replace(texts[0], sizeof(texts[0]), alias, other + strlen("/v1/route/"));
    assert_string_equal(texts[0], texts[1]);
}

/* Aliases, and numbers that lead to them, may lead to what is another operator's: which is then
 * told as a foreign target that nobody here knows is. */
static void a_route_ends_where_anothers_records_begin(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *alias, *number, *hidden, *absent;
    } table[] = {
        {"a1@opa.example", "+49101", "in@opz.example", "ni@opz.example"},   /* a guest of opb */
        {"a2@opa.example", "+49102", "bob@opb.example", "bob@opn.example"}, /* made by hand */
        {"a3@opa.example", "+49103", "b2@opb.example", "b2@opn.example"},   /* an alias itself */
        {"a4@opa.example", "+49104", "shut@opb.example", "shut@opn.example"},
    };
    add(fixture, "/v1/addresses",
        "{\"address\": \"b2@opb.example\", \"target\": \"bob@opb.example\"}");
    add(fixture, "/v1/addresses", "{\"address\": \"shut@opb.example\", \"blocked\": true}");
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char body[200], path[100];
        snprintf(body, sizeof(body), "{\"address\": \"%s\", \"target\": \"%s\"}", table[i].alias,
                 table[i].hidden);
        add(fixture, "/v1/addresses", body);
        snprintf(body, sizeof(body), "{\"number\": \"%s\", \"address\": \"%s\"}", table[i].number,
                 table[i].alias);
        add(fixture, "/v1/numbers", body);
        snprintf(body, sizeof(body), "{\"address\": \"n%s\", \"target\": \"%s\"}", table[i].alias,
                 table[i].absent);
        add(fixture, "/v1/addresses", body);
        snprintf(path, sizeof(path), "/v1/route/%s", table[i].alias);
        expect_told_alike(fixture, op_a, path, table[i].alias, table[i].hidden, table[i].absent);
        snprintf(path, sizeof(path), "/v1/route/%s", table[i].number);
        struct response response;
        http(fixture, as(op_a, GET(path)), &response);
        assert_string_equal(text_of(response.json, "rule"), "alias");
        assert_int_equal(json_array_size(json_object_get(response.json, "next_hops")), 0);
        response_done(&response);
    }
    struct response response;
    http(fixture, GET("/v1/route/a1@opa.example"), &response); /* an administrator sees it all */
    assert_string_equal(text_of(response.json, "rule"), "hosted");
    response_done(&response);
}

static size_t count_of(const struct fixture *fixture, const char *token, const char *path,
                       const char *list)
{
    struct response response;
    http(fixture, as(token, GET(path)), &response);
    if (response.status != 200)
        fail_msg("%s: %s", path, text_of(response.json, "detail"));
    size_t count = json_array_size(json_object_get(response.json, list));
    assert_true(json_is_null(json_object_get(response.json, "next")));
    response_done(&response);
    return count;
}

static void lists_show_ones_own(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *token, *path, *list;
        size_t count;
    } table[] = {
        {NULL, "/v1/domains", "domains", 2},
        {op_a, "/v1/domains", "domains", 1},
        {op_b, "/v1/domains?limit=1", "domains", 1},
        {NULL, "/v1/numbers", "numbers", 2},
        {op_a, "/v1/numbers?limit=1", "numbers", 1},
        {op_b, "/v1/numbers", "numbers", 1},
        {NULL, "/v1/addresses", "addresses", 3},
        {op_a, "/v1/addresses", "addresses", 1},
        {op_b, "/v1/addresses?domain=opb.example", "addresses", 1},
        {op_b, "/v1/addresses?domain=opz.example", "addresses", 1}, /* hosted at its own */
        {user_1, "/v1/addresses", "addresses", 1},
        {user_1, "/v1/addresses?state=hosted&domain=opa.example", "addresses", 1},
        {user_1, "/v1/addresses?domain=opb.example", "addresses", 0},
        {user_2, "/v1/addresses?owner=c-1", "addresses", 0},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (count_of(fixture, table[i].token, table[i].path, table[i].list) != table[i].count)
            fail_msg("row %zu: %s", i, table[i].path);
    expect_problem(fixture, as(op_b, GET("/v1/addresses")), 400, "invalid-parameter", "domain",
                   "name one of your domains");
}

/* Of a foreign domain each operator sees what it serves, in order and page by page; others' are not
 * looked at. */
static void guests_are_listed_to_who_serves_them(void **state)
{
    const struct fixture *fixture = *state;
    char both[TOKEN_MAX], path[300], seen[200] = "";
    token_make(fixture,
               "{\"scope\": \"operator\", \"domains\": [\"opb.example\", \"opa.example\"]}", both);
    static const char *const guests[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < COUNT_OF(guests); i++) {
        char body[200];
        snprintf(
            body, sizeof(body),
            "{\"address\": \"%s@opz.example\", \"hosting\": \"%s.example\", \"owner\": \"c-%zu\""
            "%s}",
            guests[i], i % 2 ? "opb" : "opa", i, i == 4 ? ", \"state\": \"prepared\"" : "");
        add(fixture, "/v1/addresses", body);
    }
    assert_int_equal(count_of(fixture, op_a, "/v1/addresses?domain=opz.example", "addresses"), 3);
    assert_int_equal(count_of(fixture, op_b, "/v1/addresses?domain=opz.example", "addresses"), 3);
    static const struct {
        const char *query;
        size_t count;
    } table[] = {{"owner=c-0", 1}, {"owner=c-1", 0}, {"state=prepared", 1}, {"state=moved", 0}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        snprintf(path, sizeof(path), "/v1/addresses?domain=opz.example&%s", table[i].query);
        assert_int_equal(count_of(fixture, op_a, path, "addresses"), table[i].count);
    }
    snprintf(path, sizeof(path), "/v1/addresses?domain=opz.example&limit=1");
    for (bool more = true; more;) {
        struct response response;
        http(fixture, as(both, GET(path)), &response);
        const json_t *one = json_array_get(json_object_get(response.json, "addresses"), 0);
        strncat(seen, text_of(one, "address"), strcspn(text_of(one, "address"), "@"));
        more = !json_is_null(json_object_get(response.json, "next"));
        snprintf(path, sizeof(path), "/v1/addresses?domain=opz.example&limit=1&cursor=%s",
                 text_of(response.json, "next"));
        response_done(&response);
    }
    assert_string_equal(seen, "abcdein");
}

/* A number follows who serves its address. */
static void a_number_may_lead_to_a_guest(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/addresses",
        "{\"address\": \"gus@opz.example\", \"hosting\": \"opa.example\"}");
    struct request post =
        *POST("/v1/numbers", "{\"number\": \"+4910\", \"address\": \"gus@opz.example\"}");
    expect_problem(fixture, as(op_b, &post), 400, "invalid-field", "address", "no such address");
    expect_status(fixture, as(op_a, &post), 201);
    expect_status(fixture, as(op_a, GET("/v1/numbers/+4910")), 200);
    expect_status(fixture, as(op_b, GET("/v1/numbers/+4910")), 404);
    assert_int_equal(count_of(fixture, op_a, "/v1/numbers", "numbers"), 2);
    assert_int_equal(count_of(fixture, op_b, "/v1/numbers", "numbers"), 1);
    expect_status(fixture, as(op_a, GET("/v1/route/+4910")), 200);
    expect_status(fixture,
                  PATCH("/v1/addresses/gus@opz.example", ANY, "{\"hosting\": \"opb.example\"}"),
                  200);
    expect_status(fixture, as(op_a, GET("/v1/numbers/+4910")), 404);
    expect_status(fixture, as(op_b, GET("/v1/numbers/+4910")), 200);
    assert_int_equal(count_of(fixture, op_a, "/v1/numbers", "numbers"), 1);
    assert_int_equal(count_of(fixture, op_b, "/v1/numbers", "numbers"), 2);
    expect_status(fixture, as(op_b, DELETE("/v1/numbers/+4910", ANY)), 204);
    assert_int_equal(count_of(fixture, op_b, "/v1/numbers", "numbers"), 1);
}

/* ---- what an operator may ---- */

static void an_operator_keeps_its_own_domain(void **state)
{
    const struct fixture *fixture = *state;
    expect_status(fixture,
                  as(op_a, PUT("/v1/domains/opa.example", ANY,
                               "{\"cores\": [\"sip:192.0.2.1\"], \"claims_per_owner\": 5}")),
                  200);
    expect_status(fixture, as(op_a, POST("/v1/addresses", "{\"address\": \"new@opa.example\"}")),
                  201);
    expect_status(fixture, as(op_a, PATCH(ALICE, ANY, "{\"owner\": \"c-3\", \"blocked\": true}")),
                  200);
    expect_status(fixture,
                  as(op_a, POST("/v1/addresses",
                                "{\"address\": \"n@opy.example\", \"hosting\": \"opa.example\"}")),
                  201);
    expect_status(
        fixture,
        as(op_a, PATCH("/v1/addresses/n@opy.example", ANY, "{\"hosting\": \"opb.example\"}")), 400);
    expect_status(fixture, as(op_a, DELETE("/v1/addresses/n@opy.example", ANY)), 204);
    expect_status(
        fixture,
        as(op_a, POST("/v1/import", "{\"addresses\": [{\"address\": \"i@opa.example\"}]}")), 200);
    expect_status(fixture, as(op_a, GET("/v1/addresses/i@opa.example")), 200);
    expect_status(fixture,
                  as(op_a, POST("/v1/numbers",
                                "{\"number\": \"+4944\", \"address\": \"alice@opa.example\"}")),
                  201);
    expect_status(fixture, as(op_a, GET("/v1/route/alice@opa.example")), 200);
    expect_status(fixture, as(op_a, GET("/v1/route/+4944")), 200);
    expect_status(fixture, as(op_a, DELETE("/v1/addresses/new@opa.example", ANY)), 204);
    expect_status(fixture, as(op_a, DELETE("/v1/addresses/new@opa.example?purge=true", ANY)), 204);
}

/* It is gone from here for its operator; the other one gets nothing by that. */
static void an_address_is_ported_to_another_operator_like_to_any(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    http(fixture, as(op_a, PATCH(ALICE, ANY, "{\"hosting\": \"opb.example\"}")), &response);
    assert_int_equal(response.status, 200);
    assert_string_equal(text_of(response.json, "state"), "ported-out");
    response_done(&response);
    http(fixture, as(op_a, GET("/v1/route/alice@opa.example")), &response);
    assert_string_equal(text_of(response.json, "rule"), "ported-out");
    assert_string_equal(text_of(response.json, "must_prove"), "opb.example");
    response_done(&response);
    expect_status(fixture, as(op_b, GET(ALICE)), 404);
    expect_status(fixture, as(op_b, DELETE(ALICE, ANY)), 404);
    http(fixture, GET("/v1/route/alice@opa.example"), &response); /* to an administrator both are */
    assert_string_equal(text_of(response.json, "rule"), "hosted");
    assert_string_equal(text_of(response.json, "hosting"), "opb.example");
    response_done(&response);
    expect_status(fixture, as(op_a, PATCH(ALICE, ANY, "{\"hosting\": null}")), 200);
    expect_status(fixture, PATCH(ALICE, ANY, "{\"hosting\": \"opb.example\"}"), 200);
}

static void what_a_scope_can_never_use_is_forbidden(void **state)
{
    const struct fixture *fixture = *state;
    const struct {
        const char *token;
        struct request request;
    } table[] = {
        {op_a, *POST("/v1/domains", OPB)},
        {op_a, *DELETE("/v1/domains/opa.example", ANY)},
        {op_a, *GET("/v1/peers")},
        {op_a, *GET("/v1/tokens")},
        {op_a, *GET("/v1/journal")},
        {op_a, *GET("/v1/journal/events")},
        {op_a, *GET("/v1/cursors")},
        {op_a, *GET("/v1/status")},
        {op_a, *POST("/v1/backups", "{\"file\": \"/tmp/x\"}")},
        {user_1, *GET("/v1/domains")},
        {user_1, *GET("/v1/domains/opa.example")},
        {user_1, *GET("/v1/numbers")},
        {user_1, *GET("/v1/route/alice@opa.example")},
        {user_1, *POST("/v1/import", "{\"addresses\": []}")},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        expect_problem(fixture, as(table[i].token, &table[i].request), 403, "forbidden", "",
                       table[i].request.path);
}

static void strangers_are_told_nothing(void **state)
{
    const struct fixture *fixture = *state;
    char forged[TOKEN_MAX];
    snprintf(forged, sizeof(forged), "%s", user_1);
    forged[TOKEN_MAX - 30] = forged[TOKEN_MAX - 30] == 'x' ? 'y' : 'x';
    const char *const tokens[] = {"", forged, "jct_nonsense"};
    const struct request requests[] = {*GET(ALICE), *GET("/v1/addresses/nobody@opa.example"),
                                       *GET("/v1/self"), *GET("/v1/domains"),
                                       *POST("/v1/addresses", "{\"address\": \"a@opa.example\"}")};
    for (size_t i = 0; i < COUNT_OF(requests); i++)
        expect_problem(fixture, as(tokens[i % COUNT_OF(tokens)], &requests[i]), 401, "unauthorized",
                       "", "");
}

/* ---- what a user may ---- */

static void a_user_claims_what_is_free(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    http(fixture, as(user_1, POST("/v1/addresses", "{\"address\": \"Carol@opa.example\"}")),
         &response);
    assert_int_equal(response.status, 201);
    assert_string_equal(text_of(response.json, "owner"), "c-1");
    assert_string_equal(text_of(response.json, "display"), "Carol@opa.example");
    response_done(&response);
    expect_problem(fixture,
                   as(user_2, POST("/v1/addresses", "{\"address\": \"carol@opa.example\"}")), 409,
                   "exists", "", "carol@opa.example");
    expect_problem(fixture, as(user_1, POST("/v1/addresses", "{\"address\": \"c3@opa.example\"}")),
                   409, "claim-limit", "", "c3@opa.example");
    expect_problem(fixture, as(user_2, POST("/v1/addresses", "{\"address\": \"x@opb.example\"}")),
                   403, "claim-denied", "address", "given by its operator only");
    expect_problem(fixture,
                   as(user_2, POST("/v1/addresses", "{\"address\": \"Postmaster@opa.example\"}")),
                   403, "claim-denied", "address", "'postmaster' is reserved");
    expect_problem(fixture, as(user_2, POST("/v1/addresses", "{\"address\": \"x@opq.example\"}")),
                   400, "invalid-field", "address",
                   "opq.example: is not one of our domains: addresses can be claimed in domains of "
                   "this operator only");
    static const char *const others[] = {"\"owner\": \"c-2\"", "\"hosting\": \"opc.example\"",
                                         "\"state\": \"hosted\"", "\"blocked\": false",
                                         "\"locked\": true"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        char body[200], field[20];
        snprintf(body, sizeof(body), "{\"address\": \"y@opa.example\", %s}", others[i]);
        snprintf(field, sizeof(field), "%.*s", (int)strcspn(others[i] + 1, "\""), others[i] + 1);
        expect_problem(fixture, as(user_2, POST("/v1/addresses", body)), 403, "forbidden", field,
                       "is the operator's to set");
    }
    expect_problem(fixture,
                   as(user_2, POST("/v1/addresses", "{\"address\": \"y@opa.example\", \"x\": 1}")),
                   400, "invalid-field", "x", "no such field");
}

static void the_operators_list_is_reserved_too(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"sales"};
    struct api_conf conf = fixture_conf_https(fixture);
    conf.reserved = names;
    conf.reserved_count = COUNT_OF(names);
    fixture_restart(fixture, &conf);
    expect_problem(fixture,
                   as(user_2, POST("/v1/addresses", "{\"address\": \"SALES@opa.example\"}")), 403,
                   "claim-denied", "address", "sales@opa.example: 'sales' is reserved");
    add(fixture, "/v1/addresses", "{\"address\": \"sales@opa.example\"}"); /* the operator may */
}

static void a_user_manages_his_own(void **state)
{
    const struct fixture *fixture = *state;
    expect_status(fixture, as(user_1, GET(ALICE)), 200);
    expect_status(fixture, as(user_1, PATCH(ALICE, ANY, "{\"display\": \"Alice@OPA.example\"}")),
                  200);
    expect_status(fixture, as(user_1, PATCH(ALICE, ANY, "{\"locked\": true}")), 200);
    expect_problem(fixture, as(user_1, DELETE("/v1/addresses/alice@opa.example", ANY)), 409,
                   "locked", "", "alice@opa.example");
    expect_status(fixture, as(user_1, PATCH(ALICE, ANY, "{\"locked\": false}")), 200);
    expect_problem(fixture, as(user_1, PATCH(ALICE, ANY, "{\"target\": \"x@opc.example\"}")), 403,
                   "forbidden", "target", "only that of an alias");
    expect_problem(fixture, as(user_1, PATCH(ALICE, ANY, "{\"blocked\": false}")), 403, "forbidden",
                   "blocked", "the operator's");
    expect_status(fixture, as(user_1, POST(ALICE "/auth-code", "{}")), 201);
    expect_status(fixture, as(user_1, DELETE(ALICE "/auth-code", ANY)), 204);
    expect_problem(fixture, as(user_1, DELETE(ALICE "?purge=true", ANY)), 403, "forbidden", "purge",
                   "only operators");
    expect_status(fixture, DELETE("/v1/numbers/+4911", ANY), 204);
    expect_status(fixture, as(user_1, DELETE(ALICE, ANY)), 204);
    expect_problem(fixture,
                   as(user_2, POST("/v1/addresses", "{\"address\": \"alice@opa.example\"}")), 409,
                   "quarantined", "", "alice@opa.example");
    expect_status(fixture,
                  as(user_1, POST("/v1/addresses", "{\"address\": \"alice@opa.example\"}")), 201);
}

static void a_users_aliases_lead_to_his_own_or_away(void **state)
{
    const struct fixture *fixture = *state;
    expect_status(fixture,
                  as(user_1, POST("/v1/addresses", "{\"address\": \"a@opa.example\","
                                                   " \"target\": \"alice@opa.example\"}")),
                  201);
    struct request patch = *PATCH("/v1/addresses/a@opa.example", ANY, "");
    patch.body = "{\"target\": \"x@opc.example\"}";
    expect_status(fixture, as(user_1, &patch), 200);
    patch.body = "{\"target\": \"bob@opb.example\"}";
    expect_problem(fixture, as(user_1, &patch), 400, "invalid-field", "target",
                   "bob@opb.example: there is no such address");
    patch.body = "{\"target\": null}";
    expect_problem(fixture, as(user_1, &patch), 403, "forbidden", "target", "only that of");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scopes_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_another_operators_looks_like_nothing),
        TEST(what_is_another_users_looks_like_nothing),
        TEST(a_route_tells_nothing_of_anothers_address),
        TEST(a_route_ends_where_anothers_records_begin),
        TEST(lists_show_ones_own),
        TEST(guests_are_listed_to_who_serves_them),
        TEST(a_number_may_lead_to_a_guest),
        TEST(an_operator_keeps_its_own_domain),
        TEST(an_address_is_ported_to_another_operator_like_to_any),
        TEST(what_a_scope_can_never_use_is_forbidden),
        TEST(strangers_are_told_nothing),
        TEST(a_user_claims_what_is_free),
        TEST(the_operators_list_is_reserved_too),
        TEST(a_user_manages_his_own),
        TEST(a_users_aliases_lead_to_his_own_or_away),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
