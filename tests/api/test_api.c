/* Domains and addresses over the socket, as a client sees them. */
#include "tests/api/client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void domain_is_added_shown_and_deleted(void **state)
{
    const struct fixture *fixture = *state;
    struct response made, shown;
    http(fixture, POST("/v1/domains", OPA), &made);
    assert_int_equal(made.status, 201);
    assert_string_equal(made.etag, "\"1\"");
    assert_string_equal(made.location, "/v1/domains/opa.example");
    http(fixture, GET("/v1/domains/OPA.example"), &shown);
    assert_int_equal(shown.status, 200);
    assert_string_equal(shown.etag, "\"1\"");
    assert_string_equal(shown.type, "application/json");
    assert_true(json_equal(made.json, shown.json));
    assert_string_equal(text_of(shown.json, "unknown"), "reject");
    response_done(&made);
    response_done(&shown);
    struct request delete = {
        .method = "DELETE", .path = "/v1/domains/opa.example", .headers = "If-Match: \"1\""};
    expect_status(fixture, &delete, 204);
    expect_problem(fixture, GET("/v1/domains/opa.example"), 404, "no-such-record", "",
                   "opa.example: no such record");
    expect_problem(fixture, &delete, 404, "no-such-record", "", "opa.example");
}

static void records_change_only_as_they_were_seen(void **state)
{
    const struct fixture *fixture = *state;
    static const char body[] = "{\"cores\": [\"sip:127.0.21.3\"], \"unknown\": \"core\"}";
    add(fixture, "/v1/domains", OPA);
    struct request put = {.method = "PUT", .path = "/v1/domains/opa.example", .body = body};
    struct request delete = {.method = "DELETE", .path = "/v1/domains/opa.example"};
    expect_problem(fixture, &put, 428, "if-match-required", "If-Match", "opa.example: ");
    expect_problem(fixture, &delete, 428, "if-match-required", "If-Match", "opa.example: ");
    static const char *const others[] = {"If-Match: \"2\"",
                                         "If-Match: 1",
                                         "If-Match: W/\"1\"",
                                         "If-Match: \"x\"",
                                         "If-Match: \"\"",
                                         "If-Match: \"-1\"",
                                         "If-Match: \"01\"",
                                         "If-Match: \"2\", W/\"1\" , \"1,\"",
                                         "If-Match: \"2, 1",
                                         "If-Match: *, \"2\"",
                                         "If-Match: \"18446744073709551615\""};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        put.headers = delete.headers = others[i];
        expect_problem(fixture, &put, 412, "changed", "If-Match", "opa.example: changed");
        expect_problem(fixture, &delete, 412, "changed", "If-Match", "names: ");
    }
    assert_int_equal(last_sequence(fixture), 1);
    put.headers = "If-Match: W/\"1\",\"9\" ,, \"x,\",\"1\"";
    struct response changed;
    http(fixture, &put, &changed);
    assert_int_equal(changed.status, 200);
    assert_string_equal(changed.etag, "\"2\"");
    assert_string_equal(text_of(changed.json, "unknown"), "core");
    response_done(&changed);
    expect_problem(fixture, &put, 412, "changed", "If-Match",
                   "opa.example: changed in the meantime");
    delete.headers = "If-Match: *";
    expect_status(fixture, &delete, 204);
    put.headers = "If-Match: *";
    expect_status(fixture, &put, 404);
}

static void refused_bodies_change_nothing(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/domains", OPA);
    static const struct {
        const char *path, *body;
        long status;
        const char *type, *field, *detail;
    } table[] = {
        {"/v1/domains", "", 400, "malformed-json", "", "empty"},
        {"/v1/domains", "{", 400, "malformed-json", "", "line 1"},
        {"/v1/domains", "{\"name\": \"x.example\", \"name\": \"y.example\"}", 400, "malformed-json",
         "", "duplicate"},
        {"/v1/domains", "{\"name\": \"\xff\"}", 400, "malformed-json", "", "0xff"},
        {"/v1/domains", "{\"nam\": \"x.example\"}", 400, "invalid-field", "nam", "no such field"},
        {"/v1/domains", "{\"name\": \"x.example\", \"cores\": [\"x\"]}", 400, "invalid-field",
         "cores[0]", "SIP URI"},
        {"/v1/domains", OPA, 409, "exists", "", "opa.example: exists already"},
        {"/v1/addresses", "{\"address\": 1}", 400, "invalid-field", "address", "a string"},
        {"/v1/addresses", "{\"address\": \"bob@opx.example\"}", 400, "invalid-field", "address",
         "opx.example: is not one of our domains"},
        {"/v1/addresses", "{\"address\": \"b@opx.example\", \"hosting\": \"opy.example\"}", 400,
         "invalid-field", "hosting", "neither"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        expect_problem(fixture, POST(table[i].path, table[i].body), table[i].status, table[i].type,
                       table[i].field, table[i].detail);
    assert_int_equal(last_sequence(fixture), 1);
}

static void where_an_address_lives_decides_its_state(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/domains", OPA);
    add(fixture, "/v1/domains", OPB);
    static const struct {
        const char *body, *address, *state, *hosting;
    } table[] = {
        {"{\"address\": \"Alice@opa.example\"}", "alice@opa.example", "hosted", "opa.example"},
        {"{\"address\": \"bob@opa.example\", \"hosting\": \"OPA.example\"}", "bob@opa.example",
         "hosted", "opa.example"},
        {"{\"address\": \"carol@opa.example\", \"hosting\": \"opc.example\"}", "carol@opa.example",
         "ported-out", "opc.example"},
        {"{\"address\": \"dave@opc.example\", \"hosting\": \"opb.example\"}", "dave@opc.example",
         "ported-in", "opb.example"},
        {"{\"address\": \"eve@opa.example\", \"hosting\": \"opb.example\"}", "eve@opa.example",
         "ported-out", "opb.example"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct response response;
        http(fixture, POST("/v1/addresses", table[i].body), &response);
        assert_int_equal(response.status, 201);
        assert_string_equal(text_of(response.json, "address"), table[i].address);
        assert_string_equal(text_of(response.json, "state"), table[i].state);
        assert_string_equal(text_of(response.json, "hosting"), table[i].hosting);
        response_done(&response);
    }
    expect_problem(fixture, POST("/v1/addresses", "{\"address\": \"ALICE@opa.example\"}"), 409,
                   "exists", "", "alice@opa.example: exists already");
    struct request delete = {
        .method = "DELETE", .path = "/v1/domains/opb.example", .headers = "If-Match: *"};
    expect_problem(fixture, &delete, 409, "in-use", "", "opb.example: others still lead to it");
}

static void addresses_with_odd_characters_have_a_url(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/domains", OPA);
    struct response made, shown;
    http(fixture, POST("/v1/addresses", "{\"address\": \"a/b?c%25d&e+f@opa.example\"}"), &made);
    assert_int_equal(made.status, 201);
    assert_string_equal(made.location, "/v1/addresses/a%2Fb%3Fc%2525d%26e%2Bf%40opa.example");
    http(fixture, GET(made.location), &shown);
    assert_int_equal(shown.status, 200);
    assert_string_equal(text_of(shown.json, "address"), "a/b?c%25d&e+f@opa.example");
    assert_true(json_equal(made.json, shown.json));
    struct request delete = {
        .method = "DELETE", .path = made.location, .headers = "If-Match: \"2\""};
    expect_status(fixture, &delete, 204);
    expect_status(fixture, &delete, 412); /* the tombstone is another version */
    response_done(&made);
    response_done(&shown);
}

/* Follows `next` to the end; returns how many records came, in `pages` answers. */
static size_t pages_read(const struct fixture *fixture, const char *path, const char *list,
                         const char *key, size_t *pages)
{
    char url[1024], last[300] = "";
    size_t count = 0;
    snprintf(url, sizeof(url), "%s", path);
    for (*pages = 1;; ++*pages) {
        struct response response;
        http(fixture, GET(url), &response);
        assert_int_equal(response.status, 200);
        const json_t *records = json_object_get(response.json, list);
        size_t i;
        json_t *record;
        json_array_foreach(records, i, record)
        {
            assert_true(strcmp(last, text_of(record, key)) < 0); /* in order, none twice */
            snprintf(last, sizeof(last), "%s", text_of(record, key));
        }
        count += json_array_size(records);
        const char *next = text_of(response.json, "next");
        snprintf(url, sizeof(url), "%s&cursor=%s", path, next);
        bool end = *next == '\0';
        response_done(&response);
        if (end)
            return count;
    }
}

static void lists_come_in_pages_without_gap(void **state)
{
    const struct fixture *fixture = *state;
    size_t pages;
    assert_int_equal(pages_read(fixture, "/v1/addresses?limit=3", "addresses", "address", &pages),
                     0);
    assert_int_equal(pages, 1);
    for (int i = 0; i < 7; i++) {
        char body[200];
        snprintf(body, sizeof(body), "{\"name\": \"op%d.example\", \"cores\": [\"sip:192.0.2.1\"]}",
                 i);
        add(fixture, "/v1/domains", body);
        snprintf(body, sizeof(body), "{\"address\": \"user%d@op0.example\"}", i);
        add(fixture, "/v1/addresses", body);
    }
    add(fixture, "/v1/addresses", "{\"address\": \"zoe@op1.example\"}");
    static const struct {
        const char *path, *list, *key;
        size_t count, pages;
    } table[] = {
        {"/v1/domains?limit=3", "domains", "name", 7, 3},
        {"/v1/domains?limit=7", "domains", "name", 7, 1},
        {"/v1/domains?limit=1", "domains", "name", 7, 7},
        {"/v1/addresses?limit=3", "addresses", "address", 8, 3},
        {"/v1/addresses?limit=1000", "addresses", "address", 8, 1},
        {"/v1/addresses?limit=3&domain=OP0.example", "addresses", "address", 7, 3},
        {"/v1/addresses?limit=3&domain=op2.example", "addresses", "address", 0, 1},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        assert_int_equal(pages_read(fixture, table[i].path, table[i].list, table[i].key, &pages),
                         table[i].count);
        assert_int_equal(pages, table[i].pages);
    }
}

static void bad_query_parameters_are_named(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *path, *field;
    } table[] = {
        {"/v1/domains?limit=0", "limit"},
        {"/v1/domains?limit=1001", "limit"},
        {"/v1/domains?limit=ten", "limit"},
        {"/v1/domains?limit", "limit"},
        {"/v1/domains?limit=1&limit=2", "limit"},
        {"/v1/domains?domain=opa.example", "domain"},
        {"/v1/domains?cursor=a%20b", "cursor"},
        {"/v1/domains?cursor=%zz", "cursor"},
        {"/v1/addresses?cursor=opa.example", "cursor"},
        {"/v1/addresses?domain=a_b", "domain"},
        {"/v1/status?x=1", "x"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        expect_problem(fixture, GET(table[i].path), 400, "invalid-parameter", table[i].field,
                       table[i].field);
    expect_problem(fixture, GET("/v1/addresses?domain=Nope.example"), 404, "no-such-record",
                   "domain", "nope.example is not hosted here");
    expect_problem(fixture, GET("/v1/addresses/bob"), 400, "invalid-parameter", "address", "bob");
    expect_problem(fixture, GET("/v1/domains/a_b.example"), 400, "invalid-parameter", "name",
                   "a_b.example");
}

static void a_key_makes_a_post_happen_once(void **state)
{
    const struct fixture *fixture = *state;
    struct request opa = {
        .method = "POST", .path = "/v1/domains", .body = OPA, .headers = "Idempotency-Key: one"};
    struct response first, second;
    http(fixture, &opa, &first);
    http(fixture, &opa, &second);
    assert_int_equal(first.status, 201);
    assert_int_equal(second.status, 201);
    assert_string_equal(first.etag, second.etag);
    assert_true(json_equal(first.json, second.json));
    assert_int_equal(last_sequence(fixture), 1);
    response_done(&second);
    struct request opb = opa;
    opb.body = OPB;
    expect_problem(fixture, &opb, 422, "key-reused", "Idempotency-Key", "with another body");
    struct request put = {
        .method = "PUT", .path = "/v1/domains/opa.example", .body = OPA, .headers = "If-Match: *"};
    expect_status(fixture, &put, 200);
    http(fixture, &opa, &second); /* the answer of then */
    assert_int_equal(second.status, 201);
    assert_string_equal(first.etag, second.etag);
    assert_true(json_equal(first.json, second.json));
    response_done(&first);
    response_done(&second);
    opb.headers = "Idempotency-Key: two";
    expect_status(fixture, &opb, 201);
    opa.headers = "Idempotency-Key: three";
    expect_status(fixture, &opa, 409);
    expect_status(fixture, &opa, 409);
    struct request bob = {.method = "POST",
                          .path = "/v1/addresses",
                          .body = "{\"address\": \"bob@opb.example\"}",
                          .headers = "Idempotency-Key: one"};
    expect_status(fixture, &bob, 201); /* another path is another command */
    expect_status(fixture, &bob, 201);
    bob.body = "{\"address\": \"bill@opb.example\"}";
    expect_problem(fixture, &bob, 422, "key-reused", "Idempotency-Key", "with another body");
    assert_int_equal(last_sequence(fixture), 4);
}

#define CLIENTS 6
#define EACH    10

struct client {
    const struct fixture *fixture;
    pthread_t thread;
    int added;
};

static void *client_run(void *arg)
{
    struct client *client = arg;
    for (int i = 0; i < EACH; i++) {
        char body[100];
        snprintf(body, sizeof(body), "{\"address\": \"user%d@opa.example\"}", i);
        struct response response;
        http(client->fixture, POST("/v1/addresses", body), &response);
        client->added += response.status == 201;
        response_done(&response);
    }
    return NULL;
}

static void many_clients_at_once_add_each_address_once(void **state)
{
    const struct fixture *fixture = *state;
    add(fixture, "/v1/domains", OPA);
    struct client clients[CLIENTS] = {{.added = 0}};
    int added = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i].fixture = fixture;
        assert_int_equal(pthread_create(&clients[i].thread, NULL, client_run, &clients[i]), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        added += clients[i].added;
    }
    assert_int_equal(added, EACH);
    size_t pages;
    assert_int_equal(pages_read(fixture, "/v1/addresses?limit=4", "addresses", "address", &pages),
                     EACH);
}

static size_t warning_count(const json_t *domain, const char *says)
{
    const json_t *warnings = json_object_get(domain, "warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++)
        if (!strstr(json_string_value(json_array_get(warnings, i)), says))
            fail_msg("no %s in %s", says, json_string_value(json_array_get(warnings, i)));
    return json_array_size(warnings);
}

static void expect_warnings(const struct fixture *fixture, const struct request *request,
                            size_t count)
{
    struct response response;
    http(fixture, request, &response);
    assert_in_range(response.status, 200, 201);
    assert_int_equal(warning_count(response.json, "opa.example is hosted here but has no "
                                                  "certificate: calls to and from peers will fail"),
                     count);
    response_done(&response);
}

static void a_domain_without_certificate_is_warned_of(void **state)
{
    struct fixture *fixture = *state;
    struct tls_certificate_conf certificates[] = {{.domain = "opb.example"},
                                                  {.domain = "opa.example"}};
    struct tls_conf one = {.certificates = certificates, .certificate_count = 1};
    struct tls_conf both = {.certificates = certificates, .certificate_count = 2};
    struct request put = {
        .method = "PUT", .path = "/v1/domains/opa.example", .body = OPA, .headers = "If-Match: *"};
    api_stop(fixture->api);
    fixture->api = NULL;
    fixture_start(
        fixture,
        &(struct api_parts){.store = fixture->store, .resolver = &fixture->resolver, .tls = &one});
    expect_warnings(fixture, POST("/v1/domains", OPA), 1);
    expect_warnings(fixture, POST("/v1/domains", OPB), 0);
    expect_warnings(fixture, GET("/v1/domains/opa.example"), 1);
    expect_warnings(fixture, &put, 1);

    /* What a GET printed can be PUT, but not POSTed. */
    struct response shown;
    http(fixture, GET("/v1/domains/opa.example"), &shown);
    char *body = json_dumps(shown.json, 0);
    put.body = body;
    expect_warnings(fixture, &put, 1);
    expect_problem(fixture, POST("/v1/domains", body), 400, "invalid-field", "created", "created");
    free(body);
    response_done(&shown);

    assert_int_equal(api_certificates_set(fixture->api, &both), 0);
    expect_warnings(fixture, GET("/v1/domains/opa.example"), 0);
    assert_int_equal(api_certificates_set(fixture->api, &one), 0);
    expect_warnings(fixture, GET("/v1/domains/opa.example"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(domain_is_added_shown_and_deleted),
        TEST(records_change_only_as_they_were_seen),
        TEST(refused_bodies_change_nothing),
        TEST(where_an_address_lives_decides_its_state),
        TEST(addresses_with_odd_characters_have_a_url),
        TEST(lists_come_in_pages_without_gap),
        TEST(bad_query_parameters_are_named),
        TEST(a_key_makes_a_post_happen_once),
        TEST(many_clients_at_once_add_each_address_once),
        TEST(a_domain_without_certificate_is_warned_of),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
