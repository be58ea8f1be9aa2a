/* Who may talk over HTTPS: tokens, scopes, strangers and guessers, and what the health listener
 * serves. */
#include "api/guard.h"
#include "api/internal.h"
#include "tests/api/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GET(p)                                                                                     \
    {                                                                                              \
        .method = "GET", .path = (p), .via = VIA_HTTPS                                             \
    }

#define ID_ADMIN    "admin0000001"
#define ID_OPERATOR "operator0001"
#define ID_USER     "user00000001"

/* Copies of texts that token_add made. */
static char admin[API_TOKEN_LEN + 1], operator[API_TOKEN_LEN + 1], user[API_TOKEN_LEN + 1];

static void token_make(const struct fixture *fixture, char text[API_TOKEN_LEN + 1], const char *id,
                       enum store_scope scope, const char *who)
{
    snprintf(text, API_TOKEN_LEN + 1, "%s", token_add(fixture, id, scope, who, 0));
}

static void tokens_make(const struct fixture *fixture)
{
    token_make(fixture, admin, ID_ADMIN, STORE_SCOPE_ADMIN, "");
    token_make(fixture, operator, ID_OPERATOR, STORE_SCOPE_OPERATOR, "opa.example");
    token_make(fixture, user, ID_USER, STORE_SCOPE_USER, "alice");
}

static void expect_as(const struct fixture *fixture, const char *token, const char *method,
                      const char *path, long status)
{
    struct request request = {.method = method, .path = path, .via = VIA_HTTPS, .token = token};
    expect_status(fixture, &request, status);
}

static void a_token_says_who_it_is(void **state)
{
    const struct fixture *fixture = *state;
    tokens_make(fixture);
    const struct {
        const char *token, *scope, *actor, *owner;
        size_t domains;
    } table[] = {
        {admin, "admin", "token:" ID_ADMIN, "", 0},
        {operator, "operator", "token:" ID_OPERATOR, "", 1},
        {user, "user", "token:" ID_USER, "alice", 0},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct request request = GET("/v1/self");
        struct response response;
        request.token = table[i].token;
        http(fixture, &request, &response);
        assert_int_equal(response.status, 200);
        assert_string_equal(text_of(response.json, "scope"), table[i].scope);
        assert_string_equal(text_of(response.json, "actor"), table[i].actor);
        assert_string_equal(text_of(response.json, "owner"), table[i].owner);
        assert_int_equal(json_array_size(json_object_get(response.json, "domains")),
                         table[i].domains);
        response_done(&response);
    }
    struct response response;
    http(fixture, &(struct request){.method = "GET", .path = "/v1/self"}, &response);
    assert_string_equal(text_of(response.json, "scope"), "admin");
    assert_memory_equal(text_of(response.json, "actor"), "uid:", 4);
    response_done(&response);
}

/* Every route there is, by what its row says of scopes: used, or 403, and never 401. */
static void each_scope_reaches_its_routes_only(void **state)
{
    const struct fixture *fixture = *state;
    tokens_make(fixture);
    const struct {
        const char *token;
        unsigned bit;
    } table[] = {{admin, API_ADMIN}, {operator, API_OPERATOR }, {user, API_USER}};
    for (size_t i = 0; api_route_at(i); i++) {
        const struct api_route *route = api_route_at(i);
        if (strcmp(route->pattern, "/v1/journal/events") == 0 ||
            strcmp(route->pattern, "/v1/trace") == 0 || strcmp(route->pattern, "/metrics") == 0)
            continue; /* two never end, the third is no JSON */
        for (size_t j = 0; j < COUNT_OF(table); j++) {
            char path[200];
            const char *brace = strchr(route->pattern, '{');
            size_t fixed = brace ? (size_t)(brace - route->pattern) : strlen(route->pattern);
            snprintf(path, sizeof(path), "%.*s%s%s", (int)fixed, route->pattern, brace ? "x" : "",
                     brace ? strchr(brace, '}') + 1 : "");
            struct request request = {.method = api_method_text(route->method),
                                      .path = path,
                                      .via = VIA_HTTPS,
                                      .token = table[j].token};
            struct response response;
            http(fixture, &request, &response);
            bool may = route->scopes & (table[j].bit | API_ANYONE);
            bool forbidden =
                strcmp(text_of(response.json, "type"), "urn:junctor:problem:forbidden") == 0;
            if (may == forbidden || (!may && response.status != 403))
                fail_msg("%s %s is answered %ld", request.method, path, response.status);
            assert_int_not_equal(response.status, 401);
            response_done(&response);
        }
    }
}

static void backups_are_for_the_socket_only(void **state)
{
    const struct fixture *fixture = *state;
    tokens_make(fixture);
    struct request request = {.method = "POST",
                              .path = "/v1/backups",
                              .body = "{\"file\": \"/nowhere/x\"}",
                              .via = VIA_HTTPS,
                              .token = admin};
    expect_problem(fixture, &request, 403, "forbidden", "", "over the network");
}

/* The API of the fixture over again, with a log. */
static void logged_start(struct fixture *fixture, struct log *log)
{
    struct api_conf conf = fixture_conf_https(fixture);
    struct api_parts parts = {.store = fixture->store, .resolver = &fixture->resolver, .log = log};
    char why[API_MAX_WHY];
    api_stop(fixture->api);
    assert_int_equal(api_start(&conf, &parts, &fixture->api, why), 0);
    api_bound(fixture->api, &fixture->https, &fixture->health);
}

#define REFUSED 100

static void who_may_not_cannot_flood_the_log(void **state)
{
    struct fixture *fixture = *state;
    FILE *file = tmpfile();
    assert_non_null(file);
    struct log *log = log_alloc(fileno(file), LOG_INFO);
    logged_start(fixture, log);
    tokens_make(fixture);
    for (int i = 0; i < REFUSED; i++)
        expect_as(fixture, user, "GET", "/v1/status", 403);
    api_stop(fixture->api);
    fixture->api = NULL;
    log_free(log);
    unsigned told = 0, more = 0;
    char line[1000];
    rewind(file);
    while (fgets(line, sizeof(line), file)) {
        const char *limit = strstr(line, "requests forbidden: and ");
        told += strstr(line, "status=403") != NULL;
        more += limit ? (unsigned)atoi(limit + strlen("requests forbidden: and ")) : 0;
    }
    fclose(file);
    assert_true(more > 0);
    assert_int_equal(told + more, REFUSED); /* and each is told or counted */
}

/* ---- strangers ---- */

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "BREW"};

static void strangers_learn_nothing_under_v1(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const paths[] = {
        "/v1",          "/v1/",
        "/v1/domains",  "/v1/domains/opa.example",
        "/v1/status",   "/v1/nothing",
        "/v1/a/b/c/d",  "/v1/addresses/bob%40opa.example",
        "/v1/tokens",   "/v1/domains?no_such=1&dry_run=maybe",
        "/v1/backups",  "/v1/journal/events",
        "/v1/numbers/", "/v1/addresses/bob%zz",
    };
    char first[2000] = "";
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        for (size_t j = 0; j < COUNT_OF(methods); j++) {
            struct request request = GET(paths[i]);
            struct response response;
            request.method = methods[j];
            request.body = strncmp(methods[j], "P", 1) == 0 ? "no json at all" : NULL;
            request.type = "text/plain";
            bool head = strcmp(methods[j], "HEAD") == 0;
            http(fixture, &request, &response);
            if (response.status != 401)
                fail_msg("%s %s is answered %ld", methods[j], paths[i], response.status);
            assert_string_equal(response.auth, "Bearer");
            assert_string_equal(response.allow, "");
            char *text = head ? NULL : json_dumps(response.json, JSON_SORT_KEYS);
            if (text && !*first)
                snprintf(first, sizeof(first), "%s", text);
            if (text)
                assert_string_equal(text, first);
            free(text);
            response_done(&response);
        }
    }
}

static void open_routes_need_no_token(void **state)
{
    const struct fixture *fixture = *state;
    expect_as(fixture, NULL, "GET", "/healthz", 200);
    expect_as(fixture, NULL, "GET", "/readyz", 200);
    expect_as(fixture, "no-token-at-all", "GET", "/healthz", 200);
    expect_as(fixture, NULL, "GET", "/nothing", 404);
}

static void bad_tokens_are_all_answered_alike(void **state)
{
    const struct fixture *fixture = *state;
    char wrong[API_TOKEN_LEN + 1], unknown[API_TOKEN_LEN + 1], expired[API_TOKEN_LEN + 1],
        revoked[API_TOKEN_LEN + 1], none[2000] = "";
    tokens_make(fixture);
    snprintf(expired, sizeof(expired), "%s",
             token_add(fixture, "expired00001", STORE_SCOPE_ADMIN, "", api_now_ms() - 1));
    token_make(fixture, revoked, "revoked00001", STORE_SCOPE_ADMIN, "");
    token_remove(fixture, "revoked00001");
    memcpy(wrong, admin, sizeof(wrong));
    wrong[API_TOKEN_LEN - 1] ^= 1;
    memcpy(unknown, admin, sizeof(unknown));
    memcpy(unknown + 4, "unknown00001", 12);
    char longer[API_TOKEN_LEN + 2];
    snprintf(longer, sizeof(longer), "%sx", admin);
    const char *const bad[] = {NULL, wrong, unknown, expired, revoked, longer, "", "x"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct request request = GET("/v1/self");
        struct response response;
        request.token = bad[i];
        http(fixture, &request, &response);
        assert_int_equal(response.status, 401);
        assert_string_equal(response.auth, "Bearer");
        char *text = json_dumps(response.json, JSON_SORT_KEYS);
        if (i == 0)
            snprintf(none, sizeof(none), "%s", text);
        assert_string_equal(text, none);
        free(text);
        response_done(&response);
    }
    expect_as(fixture, admin, "GET", "/v1/self", 200);
}

static void a_token_is_good_until_its_time(void **state)
{
    const struct fixture *fixture = *state;
    uint64_t until_ms = api_now_ms() + 3600000;
    const char *token = token_add(fixture, "until0000001", STORE_SCOPE_ADMIN, "", until_ms);
    struct request request = GET("/v1/self");
    struct response response;
    request.token = token;
    http(fixture, &request, &response);
    assert_int_equal(response.status, 200);
    assert_true(*text_of(response.json, "until") != '\0');
    response_done(&response);
}

/* On one connection, so that nothing is remembered with it. */
static void revocation_acts_at_once(void **state)
{
    const struct fixture *fixture = *state;
    tokens_make(fixture);
    struct request request = GET("/v1/self");
    request.token = admin;
    request.keep = curl_easy_init();
    for (int i = 0; i < 3; i++)
        expect_status(fixture, &request, 200);
    token_remove(fixture, ID_ADMIN);
    expect_status(fixture, &request, 401);
    curl_easy_cleanup(request.keep);
}

/* ---- a token that ends while its request comes ---- */

/* A body that the client sends once its headers were read, and after `before`. */
struct late_body {
    const struct fixture *fixture;
    void (*before)(const struct late_body *body);
    uint64_t until_ms;
    size_t sent;
};

static size_t late_body_read(char *out, size_t size, size_t count, void *arg)
{
    struct late_body *body = arg;
    size_t left = strlen(OPA) - body->sent;
    size_t len = left < size * count ? left : size * count;
    if (body->sent == 0)
        body->before(body);
    memcpy(out, OPA + body->sent, len);
    body->sent += len;
    return len;
}

static size_t answer_forget(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes, (void)arg;
    return size * count;
}

/* The client waits for "100 Continue", thus for the headers to be judged, as long as it takes. */
static long late_body_post(struct late_body *body, const char *token)
{
    char url[128], text[NETADDR_TEXT_MAX], line[128];
    long status = 0;
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof(url), "https://%s/v1/domains",
             netaddr_format(&body->fixture->https, text));
    snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
    struct curl_slist *headers = curl_slist_append(NULL, "Expect: 100-continue");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, line);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CAINFO, body->fixture->certificate);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_EXPECT_100_TIMEOUT_MS, 3600000L);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(OPA));
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, late_body_read);
    curl_easy_setopt(curl, CURLOPT_READDATA, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_forget);
    assert_int_equal(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

static void nothing_happens(const struct late_body *body)
{
    (void)body;
}

static void admin_is_revoked(const struct late_body *body)
{
    token_remove(body->fixture, ID_ADMIN);
}

static void time_is_over(const struct late_body *body)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    while (api_now_ms() < body->until_ms)
        nanosleep(&pause, NULL);
}

static void a_token_must_be_good_until_its_request_is_here(void **state)
{
    const struct fixture *fixture = *state;
    struct late_body good = {.fixture = fixture, .before = nothing_happens};
    struct late_body revoked = {.fixture = fixture, .before = admin_is_revoked};
    struct late_body late = {.fixture = fixture, .before = time_is_over};
    tokens_make(fixture);
    assert_int_equal(late_body_post(&revoked, admin), 401);
    late.until_ms = api_now_ms() + 3000;
    assert_int_equal(late_body_post(&late, token_add(fixture, "until0000001", STORE_SCOPE_ADMIN, "",
                                                     late.until_ms)),
                     401);
    assert_int_equal(
        late_body_post(&good, token_add(fixture, "admin0000002", STORE_SCOPE_ADMIN, "", 0)), 201);
}

/* ---- guessing ---- */

static void guess_text(char text[API_TOKEN_LEN + 1], const char *id)
{
    snprintf(text, API_TOKEN_LEN + 1, "jct_%s_%043d", id, 0);
}

static long guess_at(const struct fixture *fixture, const char *source, const char *id,
                     struct response *response)
{
    char text[API_TOKEN_LEN + 1];
    struct request request = GET("/v1/self");
    guess_text(text, id);
    request.token = text;
    request.source = source;
    http(fixture, &request, response);
    response_done(response);
    return response->status;
}

static void many_ids_from_one_source_are_slowed(void **state)
{
    const struct fixture *fixture = *state;
    tokens_make(fixture);
    struct response response = {.status = 0};
    long status = 401;
    unsigned tried = 0;
    for (; status == 401 && tried < 1000; tried++) {
        char id[32];
        snprintf(id, sizeof(id), "guess%07u", tried);
        status = guess_at(fixture, "127.0.0.2", id, &response);
    }
    assert_int_equal(status, 429);
    assert_true(tried > API_GUARD_SOURCE_BURST);
    assert_true(atoi(response.retry) >= 1);
    assert_true(atoi(response.retry) <= API_GUARD_SOURCE_WAIT_S);
    struct request request = GET("/v1/self");
    request.token = admin;
    request.source = "127.0.0.3";
    expect_status(fixture, &request, 200); /* elsewhere, nobody notices */
    request.source = "127.0.0.2";
    expect_status(fixture, &request, 200); /* nor who sits next to the guesser and needs no guess */
    struct api_counters counters;
    api_counters_read(fixture->api, &counters);
    assert_true(counters.auth_failures >= API_GUARD_SOURCE_BURST);
    assert_true(counters.auth_slowed >= 1);
}

static void one_id_from_many_sources_is_slowed(void **state)
{
    const struct fixture *fixture = *state;
    tokens_make(fixture);
    struct request request = GET("/v1/self");
    struct response response = {.status = 0};
    long status = 401;
    unsigned tried = 0;
    for (; status == 401 && tried < 200; tried++) {
        char source[32];
        snprintf(source, sizeof(source), "127.0.2.%u", 1 + tried);
        status = guess_at(fixture, source, ID_ADMIN, &response);
    }
    assert_int_equal(status, 429);
    assert_true(tried > API_GUARD_TOKEN_BURST);
    request.token = admin;
    request.source = "127.0.1.1";
    expect_status(fixture, &request, 200); /* its owner is not locked out, wherever he comes from */
    request.token = user;
    request.source = "127.0.2.1";
    expect_status(fixture, &request, 200); /* and every other token, wherever */
}

/* ---- rate ---- */

static void requests_over_the_rate_are_answered_429(void **state)
{
    struct fixture *fixture = *state;
    struct api_conf conf = fixture_conf_https(fixture);
    conf.rate = 1;
    fixture_restart(fixture, &conf);
    tokens_make(fixture);
    struct request request = GET("/v1/self");
    struct response response = {.status = 200};
    request.token = admin;
    for (int i = 0; response.status == 200 && i < 1000; i++) {
        http(fixture, &request, &response);
        response_done(&response);
    }
    assert_int_equal(response.status, 429);
    assert_string_equal(response.retry, "1");
    expect_as(fixture, user, "GET", "/v1/self", 200); /* each client has its own */
    for (int i = 0; i < 20; i++)
        expect_status(fixture, &(struct request){.method = "GET", .path = "/v1/self"}, 200);
    struct request health = {.method = "GET", .path = "/healthz", .via = VIA_HEALTH};
    response.status = 200;
    for (int i = 0; response.status == 200 && i < 1000; i++) {
        http(fixture, &health, &response);
        response_done(&response);
    }
    assert_int_equal(response.status, 429); /* strangers by their address */
    health.source = "127.0.0.2";
    expect_status(fixture, &health, 200);
}

/* ---- the health listener ---- */

static void the_health_listener_serves_probes_only(void **state)
{
    const struct fixture *fixture = *state;
    tokens_make(fixture);
    for (size_t i = 0; api_route_at(i); i++) {
        const struct api_route *route = api_route_at(i);
        struct request request = {
            .method = "GET", .path = route->pattern, .via = VIA_HEALTH, .token = admin};
        struct response response;
        if (route->method != API_GET || strchr(route->pattern, '{') ||
            strcmp(route->pattern, "/metrics") == 0)
            continue;
        http(fixture, &request, &response);
        assert_int_equal(response.status, route->scopes & API_HEALTH ? 200 : 404);
        response_done(&response);
    }
}

static void readiness_ends_with_the_drain(void **state)
{
    const struct fixture *fixture = *state;
    struct request ready = {.method = "GET", .path = "/readyz", .via = VIA_HEALTH};
    struct request alive = {.method = "GET", .path = "/healthz", .via = VIA_HEALTH};
    struct response response;
    expect_status(fixture, &ready, 200);
    api_drain(fixture->api);
    http(fixture, &ready, &response);
    assert_int_equal(response.status, 503);
    assert_string_equal(text_of(response.json, "status"), "draining");
    assert_true(*text_of(response.json, "why") != '\0');
    response_done(&response);
    expect_status(fixture, &alive, 200);
}

static void who_cannot_write_is_not_ready(void **state)
{
    struct fixture *fixture = *state;
    char path[96];
    snprintf(path, sizeof(path), "%s/store", fixture->folder);
    api_stop(fixture->api);
    fixture->api = NULL;
    store_close(fixture->store);
    struct store_conf conf = {.path = path, .map_size = (size_t)256 << 20};
    struct store_fault fault;
    assert_int_equal(store_open(&conf, STORE_READER, &fixture->store, &fault), 0);
    struct api_conf api = fixture_conf_https(fixture);
    fixture_restart(fixture, &api);
    struct request ready = {.method = "GET", .path = "/readyz", .via = VIA_HEALTH};
    struct request alive = {.method = "GET", .path = "/healthz", .via = VIA_HEALTH};
    struct response response;
    http(fixture, &ready, &response);
    assert_int_equal(response.status, 503);
    assert_string_equal(text_of(response.json, "status"), "directory");
    response_done(&response);
    expect_status(fixture, &alive, 200);
    struct request add = {.method = "POST", .path = "/v1/domains", .body = OPA};
    expect_problem(fixture, &add, 503, "read-only", "", "opa.example");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_https, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_says_who_it_is),
        TEST(each_scope_reaches_its_routes_only),
        TEST(backups_are_for_the_socket_only),
        TEST(who_may_not_cannot_flood_the_log),
        TEST(strangers_learn_nothing_under_v1),
        TEST(open_routes_need_no_token),
        TEST(bad_tokens_are_all_answered_alike),
        TEST(a_token_is_good_until_its_time),
        TEST(revocation_acts_at_once),
        TEST(a_token_must_be_good_until_its_request_is_here),
        TEST(many_ids_from_one_source_are_slowed),
        TEST(one_id_from_many_sources_is_slowed),
        TEST(requests_over_the_rate_are_answered_429),
        TEST(the_health_listener_serves_probes_only),
        TEST(readiness_ends_with_the_drain),
        TEST(who_cannot_write_is_not_ready),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
