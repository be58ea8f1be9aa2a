/* Numbers, peers, tokens and cursors: made, shown, listed, replaced and deleted alike. */
#include "tests/api/client.h"

#include <stdio.h>
#include <string.h>

static int bob_setup(void **state)
{
    fixture_setup_https(state);
    const struct fixture *fixture = *state;
    add(fixture, "/v1/domains", OPA);
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\"}");
    return 0;
}

/* ---- one way for all kinds ---- */

struct kind {
    const char *list, *plural, *body, *path, *key, *name;
    const char *put; /* a body that replaces the record; NULL: it has none */
    const char *member, *before, *after;
};

static const struct kind kinds[] = {
    {"/v1/domains", "domains", OPB, "/v1/domains/opb.example", "name", "opb.example",
     "{\"cores\": [\"sip:192.0.2.1\"], \"unknown\": \"core\", \"claims_per_owner\": 3}", "unknown",
     "reject", "core"},
    {"/v1/numbers", "numbers", "{\"number\": \"+49 30 1234\", \"address\": \"Bob@opa.example\"}",
     "/v1/numbers/+49301234", "number", "+49301234", "{\"address\": \"bob@opa.example\"}",
     "address", "bob@opa.example", "bob@opa.example"},
    {"/v1/peers", "peers", "{\"domain\": \"OPZ.example\"}", "/v1/peers/opz.example", "domain",
     "opz.example", "{\"tariff\": \"night\"}", "tariff", "", "night"},
};

static void records_are_made_shown_listed_replaced_and_deleted(void **state)
{
    const struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const struct kind *kind = &kinds[i];
        struct response made, shown, list, changed;
        char match[64];
        http(fixture, POST(kind->list, kind->body), &made);
        if (made.status != 201)
            fail_msg("%s: %s", kind->body, text_of(made.json, "detail"));
        assert_string_equal(text_of(made.json, kind->key), kind->name);
        assert_string_equal(text_of(made.json, kind->member), kind->before);
        http(fixture, GET(made.location), &shown);
        assert_true(json_equal(made.json, shown.json));
        assert_string_equal(made.etag, shown.etag);
        http(fixture, GET(kind->list), &list);
        const json_t *records = json_object_get(list.json, kind->plural);
        assert_true(json_equal(json_array_get(records, json_array_size(records) - 1), shown.json));
        assert_true(json_is_null(json_object_get(list.json, "next")));
        expect_problem(fixture, POST(kind->list, kind->body), 409, "exists", "", kind->name);
        expect_status(fixture, PUT(kind->path, NULL, kind->put), 428);
        expect_status(fixture, PUT(kind->path, "If-Match: \"1\"", kind->put), 412);
        char tried[100];
        snprintf(match, sizeof(match), "If-Match: %s", made.etag);
        snprintf(tried, sizeof(tried), "%s?dry_run=true", kind->path);
        http(fixture, PUT(tried, match, kind->put), &changed);
        assert_string_equal(text_of(changed.json, "created"), text_of(made.json, "created"));
        assert_null(json_object_get(changed.json, "version"));
        response_done(&changed);
        http(fixture, PUT(kind->path, match, kind->put), &changed);
        assert_int_equal(changed.status, 200);
        assert_string_equal(text_of(changed.json, kind->member), kind->after);
        assert_string_equal(text_of(changed.json, "created"), text_of(made.json, "created"));
        assert_string_not_equal(changed.etag, made.etag);
        char *printed = json_dumps(changed.json, 0);
        expect_status(fixture, PUT(kind->path, ANY, printed), 200);
        free(printed);
        expect_status(fixture, DELETE(kind->path, match), 412);
        expect_status(fixture, DELETE(kind->path, ANY), 204);
        expect_problem(fixture, GET(kind->path), 404, "no-such-record", "", kind->name);
        expect_status(fixture, PUT(kind->path, ANY, kind->put), 404);
        response_done(&made);
        response_done(&shown);
        response_done(&list);
        response_done(&changed);
    }
}

static void dry_runs_of_records_keep_nothing(void **state)
{
    const struct fixture *fixture = *state;
    json_int_t sequence = last_sequence(fixture);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct response response;
        char path[64];
        snprintf(path, sizeof(path), "%s?dry_run=true", kinds[i].list);
        http(fixture, POST(path, kinds[i].body), &response);
        assert_int_equal(response.status, 201);
        assert_string_equal(text_of(response.json, kinds[i].key), kinds[i].name);
        assert_null(json_object_get(response.json, "version"));
        response_done(&response);
        expect_status(fixture, GET(kinds[i].path), 404);
    }
    assert_int_equal(last_sequence(fixture), sequence);
}

static void a_key_makes_a_record_once(void **state)
{
    const struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct request post = *POST(kinds[i].list, kinds[i].body);
        struct response first, second;
        post.headers = "Idempotency-Key: k";
        http(fixture, &post, &first);
        http(fixture, &post, &second);
        assert_int_equal(second.status, 201);
        assert_true(json_equal(first.json, second.json));
        assert_string_equal(first.etag, second.etag);
        assert_string_equal(first.location, second.location);
        response_done(&second);
        expect_status(fixture, DELETE(kinds[i].path, ANY), 204);
        http(fixture, &post, &second); /* whatever became of it */
        assert_int_equal(second.status, 201);
        assert_true(json_equal(first.json, second.json));
        assert_string_equal(first.etag, second.etag);
        assert_string_equal(first.location, second.location);
        response_done(&first);
        response_done(&second);
    }
}

static void names_in_the_path_are_checked(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *path, *field;
    } table[] = {
        {"/v1/numbers/030", "number"},     {"/v1/numbers/+0301234", "number"},
        {"/v1/peers/a_b", "domain"},       {"/v1/tokens/short", "id"},
        {"/v1/tokens/ABCDEFGHIJKL", "id"}, {"/v1/cursors/a%20b", "name"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        expect_problem(fixture, GET(table[i].path), 400, "invalid-parameter", table[i].field, ": ");
    expect_status(fixture, GET("/v1/numbers/+49%2830%29-12.34"), 404); /* another way to write it */
    expect_status(fixture, GET("/v1/numbers?cursor=49"), 400);
    expect_status(fixture, GET("/v1/cursors?cursor=a%20b"), 400);
}

/* ---- numbers ---- */

static void a_number_leads_to_an_address_that_is_there(void **state)
{
    const struct fixture *fixture = *state;
    expect_problem(fixture,
                   POST("/v1/numbers", "{\"number\": \"+491\", \"address\": \"eve@opa.example\"}"),
                   400, "invalid-field", "address", "eve@opa.example: there is no such address");
    add(fixture, "/v1/numbers", "{\"number\": \"+4912\", \"address\": \"bob@opa.example\"}");
    expect_problem(fixture, DELETE("/v1/addresses/bob@opa.example", ANY), 409, "in-use", "",
                   "bob@opa.example");
    expect_problem(fixture, PUT("/v1/numbers/+4912", ANY, "{\"address\": \"eve@opa.example\"}"),
                   400, "invalid-field", "address", "eve@opa.example");
    expect_status(fixture, DELETE("/v1/numbers/+4912", ANY), 204);
    expect_status(fixture, DELETE("/v1/addresses/bob@opa.example", ANY), 204);
    expect_problem(fixture,
                   POST("/v1/numbers", "{\"number\": \"+4912\", \"address\": \"bob@opa.example\"}"),
                   400, "invalid-field", "address", "bob@opa.example: there is no such address");
}

static void numbers_come_in_pages(void **state)
{
    const struct fixture *fixture = *state;
    size_t count = 0, pages = 0;
    for (int i = 0; i < 7; i++) {
        char body[100];
        snprintf(body, sizeof(body), "{\"number\": \"+4930%d\", \"address\": \"bob@opa.example\"}",
                 i);
        add(fixture, "/v1/numbers", body);
    }
    char path[100] = "/v1/numbers?limit=3";
    for (bool more = true; more; pages++) {
        struct response response;
        http(fixture, GET(path), &response);
        count += json_array_size(json_object_get(response.json, "numbers"));
        const char *next = text_of(response.json, "next");
        more = *next != '\0';
        snprintf(path, sizeof(path), "/v1/numbers?limit=3&cursor=%%2B%s", more ? next + 1 : "");
        response_done(&response);
    }
    assert_int_equal(count, 7);
    assert_int_equal(pages, 3);
}

/* ---- tokens ---- */

static void a_token_is_shown_once(void **state)
{
    const struct fixture *fixture = *state;
    struct request post = *POST(
        "/v1/tokens", "{\"scope\": \"operator\", \"domains\": [\"OPA.example\"], \"days\": 1}");
    struct response first, second, shown;
    post.headers = "Idempotency-Key: t";
    http(fixture, &post, &first);
    assert_int_equal(first.status, 201);
    const char *text = text_of(first.json, "token"), *id = text_of(first.json, "id");
    assert_int_equal(strlen(text), 60);
    assert_int_equal(strncmp(text, "jct_", 4), 0);
    assert_int_equal(strncmp(text + 4, id, 12), 0);
    http(fixture, &post, &second);
    assert_int_equal(second.status, 201);
    assert_string_equal(text_of(second.json, "id"), id);
    assert_string_equal(second.location, first.location);
    assert_true(json_is_null(json_object_get(second.json, "token")));
    http(fixture, GET(first.location), &shown);
    assert_null(json_object_get(shown.json, "token"));
    json_object_del(first.json, "token");
    assert_true(json_equal(first.json, shown.json));
    expect_status(fixture, DELETE(first.location, ANY), 204);
    response_done(&second);
    http(fixture, &post, &second); /* a revoked one too */
    assert_string_equal(text_of(second.json, "id"), id);
    assert_true(json_is_null(json_object_get(second.json, "token")));
    response_done(&first);
    response_done(&second);
    response_done(&shown);
    http(fixture, POST("/v1/tokens?dry_run=true", "{\"scope\": \"admin\"}"), &first);
    assert_int_equal(first.status, 201);
    assert_true(json_is_null(json_object_get(first.json, "token")));
    response_done(&first);
    expect_problem(fixture, POST("/v1/tokens", "{\"scope\": \"user\"}"), 400, "invalid-field",
                   "owner", "needs it");
}

static void a_token_ends_at_once_when_it_is_revoked(void **state)
{
    const struct fixture *fixture = *state;
    char token[TOKEN_MAX], path[64];
    token_make(fixture, "{\"scope\": \"admin\", \"note\": \"for a while\"}", token);
    expect_status(fixture, as(token, GET("/v1/self")), 200);
    snprintf(path, sizeof(path), "/v1/tokens/%.12s", token + 4);
    expect_status(fixture, DELETE(path, ANY), 204);
    expect_status(fixture, as(token, GET("/v1/self")), 401);
}

/* ---- cursors ---- */

static void cursor_put(const struct fixture *fixture, const char *name, uint64_t sequence)
{
    struct store_command command = {.op = STORE_CURSOR_PUT,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "publisher",
                                    .cursor.sequence = sequence};
    struct store_verdict verdict;
    snprintf(command.cursor.name, sizeof(command.cursor.name), "%s", name);
    assert_int_equal(store_submit(fixture->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

static void cursors_are_seen_and_taken_away(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    cursor_put(fixture, "publisher", 2);
    cursor_put(fixture, "replica.1", 1);
    http(fixture, GET("/v1/cursors?limit=1"), &response);
    json_t *expected = json_pack("{s:[{s:s, s:i, s:b}], s:s}", "cursors", "name", "publisher",
                                 "sequence", 2, "lost", 0, "next", "publisher");
    assert_true(json_equal(response.json, expected));
    json_decref(expected);
    response_done(&response);
    http(fixture, GET("/v1/cursors?cursor=publisher"), &response);
    assert_int_equal(json_array_size(json_object_get(response.json, "cursors")), 1);
    response_done(&response);
    http(fixture, GET("/v1/cursors/replica.1"), &response);
    assert_string_equal(response.etag, "\"1\"");
    response_done(&response);
    expect_status(fixture, DELETE("/v1/cursors/replica.1", "If-Match: \"2\""), 412);
    expect_status(fixture, DELETE("/v1/cursors/replica.1", "If-Match: \"1\""), 204);
    expect_status(fixture, GET("/v1/cursors/replica.1"), 404);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bob_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_are_made_shown_listed_replaced_and_deleted),
        TEST(dry_runs_of_records_keep_nothing),
        TEST(a_key_makes_a_record_once),
        TEST(names_in_the_path_are_checked),
        TEST(a_number_leads_to_an_address_that_is_there),
        TEST(numbers_come_in_pages),
        TEST(a_token_is_shown_once),
        TEST(a_token_ends_at_once_when_it_is_revoked),
        TEST(cursors_are_seen_and_taken_away),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
