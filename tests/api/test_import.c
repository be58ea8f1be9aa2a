/* Many addresses at once, and the way back. */
#include "api/records.h"
#include "tests/api/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int domains_setup(void **state)
{
    fixture_setup(state);
    const struct fixture *fixture = *state;
    add(fixture, "/v1/domains", OPA);
    add(fixture, "/v1/domains", OPB);
    return 0;
}

static void import(const struct fixture *fixture, const char *body, struct response *response)
{
    http(fixture, POST("/v1/import", body), response);
    if (response->status != 200)
        fail_msg("%s", text_of(response->json, "detail"));
}

static void expect_refused(const struct response *response, size_t i, json_int_t index,
                           const char *type, const char *detail)
{
    char urn[100];
    const json_t *row = json_array_get(json_object_get(response->json, "refused"), i);
    snprintf(urn, sizeof(urn), "urn:junctor:problem:%s", type);
    assert_int_equal(number_of(row, "index"), index);
    assert_string_equal(text_of(row, "type"), urn);
    if (!strstr(text_of(row, "detail"), detail))
        fail_msg("no \"%s\" in \"%s\"", detail, text_of(row, "detail"));
}

static void addresses_are_added_in_one_command(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    import(fixture,
           "{\"addresses\": [{\"address\": \"Alice@opa.example\", \"owner\": \"c-1\"},"
           " {\"address\": \"a@opb.example\", \"target\": \"alice@opa.example\"},"
           " {\"address\": \"p@opa.example\", \"hosting\": \"opc.example\"}]}",
           &response);
    assert_int_equal(number_of(response.json, "added"), 3);
    assert_int_equal(number_of(response.json, "sequence"), 5);
    assert_int_equal(json_array_size(json_object_get(response.json, "refused")), 0);
    response_done(&response);
    http(fixture, GET("/v1/addresses/alice@opa.example"), &response);
    assert_string_equal(text_of(response.json, "display"), "Alice@opa.example");
    assert_string_equal(response.etag, "\"3\"");
    response_done(&response);
}

/* The third cannot be read, the fourth has no domain of ours, the fifth is there already, the sixth
 * names nobody. */
#define MIXED                                                                                      \
    "\"addresses\": [{\"address\": \"a@opa.example\"}, {\"address\": \"b@opa.example\"},"          \
    " {\"address\": \"c\"}, {\"address\": \"d@opx.example\"}, {\"address\": \"A@opa.example\"},"   \
    " {\"address\": \"f@opb.example\", \"target\": \"nobody@opa.example\"}, 7]"

static void what_is_refused_is_told_one_by_one(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    import(fixture, "{" MIXED ", \"keep_going\": true}", &response);
    assert_int_equal(number_of(response.json, "added"), 2);
    assert_int_equal(number_of(response.json, "sequence"), 4);
    assert_int_equal(json_array_size(json_object_get(response.json, "refused")), 5);
    expect_refused(&response, 0, 2, "invalid-field", "c: ");
    expect_refused(&response, 1, 3, "invalid-field", "opx.example: is not one of our domains");
    expect_refused(&response, 2, 6, "invalid-field", "must be an object");
    expect_refused(&response, 3, 4, "exists", "a@opa.example");
    expect_refused(&response, 4, 5, "invalid-field", "nobody@opa.example: there is no such");
    static const char *const fields[] = {"address", "address", "addresses", "", "target"};
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        assert_string_equal(
            text_of(json_array_get(json_object_get(response.json, "refused"), i), "field"),
            fields[i]);
    response_done(&response);
}

static void one_refused_address_refuses_them_all(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    import(fixture, "{" MIXED "}", &response);
    assert_int_equal(number_of(response.json, "added"), 0);
    assert_true(json_is_null(json_object_get(response.json, "sequence")));
    assert_int_equal(json_array_size(json_object_get(response.json, "refused")), 3);
    response_done(&response);
    import(fixture,
           "{\"addresses\": [{\"address\": \"a@opa.example\"}, {\"address\": \"a@opa.example\"},"
           " {\"address\": \"b@opa.example\"}]}",
           &response);
    assert_int_equal(number_of(response.json, "added"), 0);
    assert_int_equal(json_array_size(json_object_get(response.json, "refused")), 1);
    expect_refused(&response, 0, 1, "exists", "a@opa.example");
    response_done(&response);
    assert_int_equal(last_sequence(fixture), 2);
}

static void a_repeated_import_happens_once(void **state)
{
    const struct fixture *fixture = *state;
    struct response first, second;
    struct request post = *POST("/v1/import", "{" MIXED ", \"keep_going\": true}");
    post.headers = "Idempotency-Key: i";
    http(fixture, &post, &first);
    http(fixture, &post, &second);
    assert_int_equal(second.status, 200);
    assert_int_equal(number_of(second.json, "added"), 2);
    assert_int_equal(number_of(second.json, "sequence"), number_of(first.json, "sequence"));
    assert_true(json_is_null(json_object_get(second.json, "refused")));
    response_done(&first);
    response_done(&second);
    post.body = "{\"addresses\": [{\"address\": \"x@opa.example\"}]}";
    expect_status(fixture, &post, 422);
    post.headers = "Idempotency-Key: j";
    http(fixture, &post, &first);
    http(fixture, &post, &second);
    assert_true(json_equal(first.json, second.json));
    response_done(&first);
    response_done(&second);
}

static void bad_imports_are_refused_whole(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *path, *body, *field, *detail;
    } table[] = {
        {"/v1/import", "{}", "addresses", "missing"},
        {"/v1/import", "{\"addresses\": []}", "addresses", "it takes 1 to 1000"},
        {"/v1/import", "{\"addresses\": {}}", "addresses", "must be an array"},
        {"/v1/import", "{\"addresses\": [{}], \"keep_going\": 1}", "keep_going", "true or false"},
        {"/v1/import", "{\"addresses\": [{}], \"x\": 1}", "x", "no such field"},
        {"/v1/import/undo", "{\"addresses\": [{\"address\": \"a@opa.example\"}]}",
         "addresses[0].version", "missing"},
        {"/v1/import/undo", "{\"addresses\": [{\"address\": \"a\", \"version\": 1}]}",
         "addresses[0].address", "a: "},
        {"/v1/import/undo", "{\"addresses\": [1]}", "addresses", "must be an object"},
        {"/v1/import/undo", "{\"addresses\": [], \"keep_going\": true}", "keep_going",
         "no such field"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        expect_problem(fixture, POST(table[i].path, table[i].body), 400, "invalid-field",
                       table[i].field, table[i].detail);
}

/* A body of `count` addresses; the caller frees it. */
static char *many(size_t count, const char *members)
{
    char *body = malloc(count * 100 + 100), *end = body;
    assert_non_null(body);
    end += sprintf(end, "{\"addresses\": [");
    for (size_t i = 0; i < count; i++)
        end +=
            sprintf(end, "%s{\"address\": \"user-%05zu@opa.example\"%s}", i ? "," : "", i, members);
    sprintf(end, "]}");
    return body;
}

static void as_many_as_the_bound_fit_and_can_be_undone(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    char *body = many(STORE_IMPORT_MAX + 1, "");
    expect_problem(fixture, POST("/v1/import", body), 400, "invalid-field", "addresses",
                   "there are 1001");
    free(body);
    body = many(STORE_IMPORT_MAX, ", \"blocked\": true, \"owner\": \"c-1\"");
    import(fixture, body, &response);
    assert_int_equal(number_of(response.json, "added"), STORE_IMPORT_MAX);
    free(body);
    response_done(&response);
    expect_status(fixture,
                  PATCH("/v1/addresses/user-00001@opa.example", ANY, "{\"blocked\": false}"), 200);
    http(fixture,
         POST("/v1/import/undo",
              "{\"addresses\": [{\"address\": \"user-00000@opa.example\", \"version\": 3},"
              " {\"address\": \"user-00001@opa.example\", \"version\": 4},"
              " {\"address\": \"user-00002@opa.example\", \"version\": 5},"
              " {\"address\": \"nobody@opa.example\", \"version\": 5}]}"),
         &response);
    assert_int_equal(response.status, 200);
    assert_int_equal(number_of(response.json, "removed"), 2); /* one was changed since */
    response_done(&response);
    expect_status(fixture, GET("/v1/addresses/user-00000@opa.example"), 404);
    expect_status(fixture, GET("/v1/addresses/user-00001@opa.example"), 200);
}

/* Looking for few among many takes several pages, each of bounded work; they may be empty. */
static void a_filtered_list_looks_at_so_many_at_once(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    for (int i = 0; i < API_MAX_SCAN / STORE_IMPORT_MAX; i++) {
        char *body = many(STORE_IMPORT_MAX, "");
        for (char *p = body; (p = strstr(p, "user-")); p += 5)
            p[4] = (char)('a' + i);
        import(fixture, body, &response);
        assert_int_equal(number_of(response.json, "added"), STORE_IMPORT_MAX);
        response_done(&response);
        free(body);
    }
    add(fixture, "/v1/addresses",
        "{\"address\": \"zoe@opa.example\", \"target\": \"x@opx.example\"}");
    http(fixture, GET("/v1/addresses?state=alias"), &response);
    assert_int_equal(json_array_size(json_object_get(response.json, "addresses")), 0);
    char path[400];
    snprintf(path, sizeof(path), "/v1/addresses?state=alias&cursor=%s",
             text_of(response.json, "next"));
    assert_string_equal(text_of(response.json, "next"), "userj00999@opa.example");
    response_done(&response);
    http(fixture, GET(path), &response);
    assert_int_equal(json_array_size(json_object_get(response.json, "addresses")), 1);
    assert_true(json_is_null(json_object_get(response.json, "next")));
    response_done(&response);
}

static void a_dry_run_of_an_import_judges_all_of_it(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    json_int_t sequence = last_sequence(fixture);
    http(fixture, POST("/v1/import?dry_run=true", "{" MIXED ", \"keep_going\": true}"), &response);
    assert_int_equal(number_of(response.json, "added"), 2);
    assert_true(json_is_null(json_object_get(response.json, "sequence")));
    assert_int_equal(json_array_size(json_object_get(response.json, "refused")), 5);
    response_done(&response);
    assert_int_equal(last_sequence(fixture), sequence);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, domains_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(addresses_are_added_in_one_command),
        TEST(what_is_refused_is_told_one_by_one),
        TEST(one_refused_address_refuses_them_all),
        TEST(a_repeated_import_happens_once),
        TEST(bad_imports_are_refused_whole),
        TEST(as_many_as_the_bound_fit_and_can_be_undone),
        TEST(a_filtered_list_looks_at_so_many_at_once),
        TEST(a_dry_run_of_an_import_judges_all_of_it),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
