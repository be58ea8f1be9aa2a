/* Requests that are repeated with their Idempotency-Key: the first answer comes again, whatever
 * happened in between, and nothing is judged or done a second time. */
#include "tests/api/client.h"

#include "api/internal.h"

#include <stdio.h>
#include <string.h>

#define KEY "Idempotency-Key: k"

static char op_a[TOKEN_MAX], op_b[TOKEN_MAX], user_1[TOKEN_MAX];

static int repeat_setup(void **state)
{
    fixture_setup_https(state);
    const struct fixture *fixture = *state;
    add(fixture, "/v1/domains",
        "{\"name\": \"opa.example\", \"cores\": [\"sip:127.0.21.2\"], \"claims_per_owner\": 2}");
    add(fixture, "/v1/domains", OPB);
    token_make(fixture, "{\"scope\": \"operator\", \"domains\": [\"opa.example\"]}", op_a);
    token_make(fixture, "{\"scope\": \"operator\", \"domains\": [\"opb.example\"]}", op_b);
    token_make(fixture, "{\"scope\": \"user\", \"owner\": \"c-1\"}", user_1);
    return 0;
}

static struct request keyed(const char *token, const char *path, const char *body)
{
    struct request request = *as(token, POST(path, body));
    request.headers = KEY;
    return request;
}

/* The same answer, down to its headers. */
static void expect_again(const struct fixture *fixture, const struct request *request,
                         const struct response *first)
{
    struct response again;
    http(fixture, request, &again);
    assert_int_equal(again.status, first->status);
    assert_true(json_equal(again.json, first->json));
    assert_string_equal(again.etag, first->etag);
    assert_string_equal(again.location, first->location);
    response_done(&again);
}

static void what_was_made_is_told_as_it_was_then(void **state)
{
    const struct fixture *fixture = *state;
    struct request post = keyed(op_a, "/v1/addresses", "{\"address\": \"Ann@opa.example\"}");
    struct response first;
    http(fixture, &post, &first);
    assert_int_equal(first.status, 201);
    expect_status(fixture, PATCH("/v1/addresses/ann@opa.example", ANY, "{\"blocked\": true}"), 200);
    expect_again(fixture, &post, &first);
    expect_status(fixture, DELETE("/v1/addresses/ann@opa.example", ANY), 204);
    expect_again(fixture, &post, &first);
    json_int_t sequence = last_sequence(fixture);
    post.path = "/v1/addresses?dry_run=true"; /* tells what the request would get */
    struct response tried;
    http(fixture, &post, &tried);
    assert_int_equal(tried.status, 201);
    assert_true(json_equal(tried.json, first.json));
    response_done(&tried);
    response_done(&first);
    assert_int_equal(last_sequence(fixture), sequence);
}

static void what_the_journal_lost_is_told_as_gone(void **state)
{
    const struct fixture *fixture = *state;
    struct request post = keyed(NULL, "/v1/addresses", "{\"address\": \"ann@opa.example\"}");
    struct response first;
    char done[40];
    http(fixture, &post, &first);
    snprintf(done, sizeof(done), "done as change %lld",
             (long long)number_of(first.json, "version"));
    response_done(&first);
    expect_status(fixture, DELETE("/v1/addresses/ann@opa.example", ANY), 204);
    expect_status(fixture, DELETE("/v1/addresses/ann@opa.example?purge=true", ANY), 204);
    expect_problem(fixture, &post, 410, "trimmed", "Idempotency-Key", done);
    post = keyed(NULL, "/v1/peers", "{\"domain\": \"opx.example\"}");
    expect_status(fixture, &post, 201);
    struct store_command trim = {.op = STORE_JOURNAL_TRIM,
                                 .actor = "test",
                                 .time_ms = api_now_ms(),
                                 .sequence = (uint64_t)last_sequence(fixture) + 1};
    struct store_verdict verdict;
    assert_int_equal(store_submit(fixture->store, &trim, &verdict), 0);
    assert_int_equal(verdict.status, 0);
    expect_problem(fixture, &post, 410, "trimmed", "Idempotency-Key", "is gone");
    expect_status(fixture, GET("/v1/peers/opx.example"), 200); /* though it is still there */
}

/* What a handler looks for in the directory may be gone, or be another's by now. */
static void nothing_is_judged_again(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/addresses", "{\"address\": \"to@opa.example\", \"owner\": \"c-1\"}");
    struct request posts[] = {
        keyed(op_a, "/v1/addresses",
              "{\"address\": \"al@opa.example\", \"target\": \"to@opa.example\"}"),
        keyed(user_1, "/v1/addresses", "{\"address\": \"mine@opa.example\"}"),
        keyed(op_a, "/v1/addresses",
              "{\"address\": \"in@opz.example\", \"hosting\": \"opa.example\"}"),
        keyed(op_a, "/v1/numbers", "{\"number\": \"+4930\", \"address\": \"to@opa.example\"}"),
        keyed(op_a, "/v1/import",
              "{\"addresses\": [{\"address\": \"i@opa.example\", \"target\":"
              " \"to@opa.example\"}]}"),
    };
    struct response firsts[COUNT_OF(posts)], code, again;
    posts[2].headers = "Idempotency-Key: another"; /* of the first one's client and path */
    for (size_t i = 0; i < COUNT_OF(posts); i++) {
        http(fixture, &posts[i], &firsts[i]);
        if (firsts[i].status != (i < 4 ? 201 : 200))
            fail_msg("%zu: %s", i, text_of(firsts[i].json, "detail"));
    }
    struct request make =
        keyed(user_1, "/v1/addresses/mine@opa.example/auth-code", "{\"days\": 3}");
    http(fixture, &make, &code);
    assert_int_equal(code.status, 201);
    static const char *const gone[] = {"addresses/al@opa.example",
                                       "addresses/mine@opa.example",
                                       "addresses/in@opz.example",
                                       "addresses/i@opa.example",
                                       "numbers/+4930",
                                       "addresses/to@opa.example"};
    for (size_t i = 0; i < COUNT_OF(gone); i++) {
        char path[100];
        snprintf(path, sizeof(path), "/v1/%s", gone[i]);
        expect_status(fixture, DELETE(path, ANY), 204);
    }
    expect_status(fixture, PUT("/v1/domains/opa.example", ANY, "{\"cores\": [\"sip:127.0.21.2\"]}"),
                  200);
    json_int_t sequence = last_sequence(fixture);
    for (size_t i = 0; i < COUNT_OF(posts); i++) {
        expect_again(fixture, &posts[i], &firsts[i]);
        response_done(&firsts[i]);
    }
    http(fixture, &make, &again);
    assert_int_equal(again.status, 201);
    assert_true(json_is_null(json_object_get(again.json, "auth_code")));
    assert_string_equal(text_of(again.json, "until"), text_of(code.json, "until"));
    response_done(&code);
    response_done(&again);
    assert_int_equal(last_sequence(fixture), sequence);
}

/* Also where the other body could not even be judged, and where nothing was changed at first. */
static void a_key_is_for_one_body(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *path, *first, *other;
        long status;
    } table[] = {
        {"/v1/addresses", "{\"address\": \"a@opa.example\"}", "{\"address\": \"a b\"}", 201},
        {"/v1/addresses/a@opa.example/auth-code", "{}", "{\"days\": 0}", 201},
        {"/v1/import", "{\"addresses\": [{\"address\": \"c@opa.example\"}]}", "{}", 200},
        {"/v1/import/undo",
         "{\"addresses\": [{\"address\": \"nobody@opb.example\", \"version\": 1}]}",
         "{\"addresses\": [{\"address\": \"a@opa.example\", \"version\": 1}]}", 200},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct request post = keyed(op_a, table[i].path, table[i].first);
        expect_status(fixture, &post, table[i].status);
        post.body = table[i].other;
        expect_problem(fixture, &post, 422, "key-reused", "Idempotency-Key", "with another body");
    }
}

static void a_repeated_undo_says_how_many_it_took_away(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    char body[200];
    http(fixture,
         as(op_a, POST("/v1/import", "{\"addresses\": [{\"address\": \"u@opa.example\"}]}")),
         &response);
    snprintf(body, sizeof(body),
             "{\"addresses\": [{\"address\": \"u@opa.example\", \"version\": %lld}]}",
             (long long)number_of(response.json, "sequence"));
    response_done(&response);
    struct request undo = keyed(op_b, "/v1/import/undo", body);
    http(fixture, &undo, &response); /* not its address */
    assert_int_equal(number_of(response.json, "removed"), 0);
    response_done(&response);
    undo = keyed(op_a, "/v1/import/undo", body);
    for (int i = 0; i < 2; i++) {
        http(fixture, &undo, &response);
        assert_int_equal(response.status, 200);
        assert_int_equal(number_of(response.json, "removed"), 1);
        response_done(&response);
    }
}

static void a_backup_is_never_written_twice(void **state)
{
    const struct fixture *fixture = *state;
    char body[150];
    snprintf(body, sizeof(body), "{\"file\": \"%s/backup.mdb\"}", fixture->folder);
    struct request post = keyed(NULL, "/v1/backups", body);
    expect_status(fixture, &post, 201);
    expect_problem(fixture, &post, 409, "exists", "file", "backup.mdb");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, repeat_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_made_is_told_as_it_was_then),
        TEST(what_the_journal_lost_is_told_as_gone),
        TEST(nothing_is_judged_again),
        TEST(a_key_is_for_one_body),
        TEST(a_repeated_undo_says_how_many_it_took_away),
        TEST(a_backup_is_never_written_twice),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
