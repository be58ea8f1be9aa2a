/* Everything that a client can make large, deep, many or slow has its bound. */
#include "api/http.h"
#include "api/json_depth.h"
#include "tests/api/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void the_url_is_bounded(void **state)
{
    const struct fixture *fixture = *state;
    static char path[API_MAX_URL + 2];
    memset(path, 'a', sizeof(path) - 1);
    memcpy(path, "/v1/domains?cursor=", 19);
    struct request request = {.method = "GET", .path = path};
    expect_problem(fixture, &request, 414, "url-too-long", "", "8192");
    path[API_MAX_URL] = '\0';
    expect_problem(fixture, &request, 400, "invalid-parameter", "cursor", "too long");
}

static void headers_are_bounded(void **state)
{
    const struct fixture *fixture = *state;
    static char headers[API_MAX_HEADER_SIZE + 200];
    struct request request = {.method = "GET", .path = "/healthz", .headers = headers};
    size_t len = 0;
    for (int i = 0; i < API_MAX_HEADERS - 2; i++) /* curl sends two of its own */
        len += (size_t)snprintf(headers + len, sizeof(headers) - len, "x%d: y\n", i);
    expect_status(fixture, &request, 200);
    snprintf(headers + len, sizeof(headers) - len, "one-more: y\n");
    expect_problem(fixture, &request, 431, "too-many-headers", "", "65 headers");

    static char value[API_MAX_HEADER_SIZE + 1], ask[API_MAX_HEADER_SIZE + 200];
    char answer[2000];
    memset(value, 'y', API_MAX_HEADER_SIZE);
    snprintf(ask, sizeof(ask),
             "GET /healthz HTTP/1.1\r\nConnection: close\r\nx: %s\r\nHost: x\r\n\r\n", value);
    int fd = raw_connect(fixture, VIA_SOCKET, NULL);
    raw_send(fd, ask);
    raw_drain(fd, answer, sizeof(answer));
    close(fd);
    assert_memory_equal(answer, "HTTP/1.1 431", 12);
    assert_non_null(strstr(answer, "application/problem+json"));
}

#define ASK  "POST /v1/domains HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
#define NEXT "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

/* What a server before this one could take for the next request is never answered as one. */
static void a_request_of_two_ends_is_refused_and_the_last(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const asks[] = {
        ASK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
        ASK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" NEXT,
        ASK "Content-Length: 2\r\nContent-Length: 38\r\n\r\n{}" NEXT,
        ASK "Content-Length: 0\r\ncontent-length: 38\r\n\r\n" NEXT,
        ASK "Transfer-Encoding: gzip\r\n\r\n" NEXT,
        ASK "Content-Length : 5\r\n\r\n" NEXT,
        ASK "Transfer-Encoding\t: chunked\r\n\r\n" NEXT,
        ASK "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
        "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
    };
    for (size_t i = 0; i < COUNT_OF(asks); i++) {
        char answer[2000];
        int fd = raw_connect(fixture, VIA_SOCKET, NULL);
        raw_send(fd, asks[i]);
        raw_drain(fd, answer, sizeof(answer));
        close(fd);
        if (strncmp(answer, "HTTP/1.1 400", 12) != 0 || strstr(answer + 1, "HTTP/1.1 "))
            fail_msg("%s is answered %s", asks[i], answer);
        assert_non_null(strstr(answer, "Connection: close"));
        assert_non_null(strstr(answer, "urn:junctor:problem:invalid-header"));
    }
}

/* These never reach us: what libmicrohttpd answers has the right status, and is the last. */
static void what_is_no_http_is_refused_and_the_last(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const asks[] = {
        ASK "Content-Length: -1\r\n\r\n" NEXT,
        ASK "Content-Length: 99999999999999999999999\r\n\r\n" NEXT,
        ASK "Content-Length: two\r\n\r\n" NEXT,
        ASK "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" NEXT,
        ASK "no colon\r\n\r\n" NEXT,
    };
    for (size_t i = 0; i < COUNT_OF(asks); i++) {
        char answer[2000];
        int fd = raw_connect(fixture, VIA_SOCKET, NULL);
        raw_send(fd, asks[i]);
        raw_drain(fd, answer, sizeof(answer));
        close(fd);
        bool refused = strncmp(answer, "HTTP/1.1 4", 10) == 0 || !*answer;
        if (!refused || strstr(answer, "HTTP/1.1 2"))
            fail_msg("%s is answered %s", asks[i], answer);
    }
    assert_int_equal(last_sequence(fixture), 0);
}

/* Far more than libmicrohttpd itself has room for. */
static void endless_headers_are_cut(void **state)
{
    const struct fixture *fixture = *state;
    char answer[100];
    int fd = raw_connect(fixture, VIA_SOCKET, NULL);
    raw_send(fd, "GET /healthz HTTP/1.1\r\n");
    ssize_t sent = 1;
    for (size_t total = 0; sent > 0; total += (size_t)sent) {
        assert_true(total < 100 * (size_t)API_MEMORY);
        sent = send(fd, "x: y\r\n", 6, MSG_NOSIGNAL);
    }
    raw_drain(fd, answer, sizeof(answer));
    close(fd);
    expect_status(fixture, &(struct request){.method = "GET", .path = "/healthz"}, 200);
}

/* ---- bodies ---- */

static void an_import_may_be_larger_than_other_bodies(void **state)
{
    const struct fixture *fixture = *state;
    static char body[API_MAX_IMPORT + 2];
    memset(body, ' ', sizeof(body) - 1);
    struct request request = {.method = "POST", .path = "/v1/import", .body = body};
    expect_problem(fixture, &request, 413, "body-too-large", "", "1048576");
    body[API_MAX_IMPORT] = '\0';
    expect_problem(fixture, &request, 400, "malformed-json", "", "");
    request.path = "/v1/domains";
    expect_problem(fixture, &request, 413, "body-too-large", "", "65536");
}

static void depth_is_bounded_and_its_place_named(void **state)
{
    const struct fixture *fixture = *state;
    struct request request = {.method = "POST", .path = "/v1/domains"};
    request.body = "{\"name\": \"[[[[[[[[[[[[\\\"{{{{{{{{{{{\",\n  \"cores\": [[[[[[[[1]]]]]]]]}";
    expect_problem(fixture, &request, 400, "malformed-json", "", "line 2, column 19: too deep");
    request.body = "{\"name\": \"[[[[[[[[[[[[\\\"{{{{{{{{{{{\", \"cores\": [[[[[[[1]]]]]]]}";
    expect_status(fixture, &request, 400);
    request.body = "]]]]]]{{{{{{{{{{{{";
    expect_status(fixture, &request, 400);
    static char deep[API_MAX_BODY + 1];
    memset(deep, '[', API_MAX_BODY);
    request.body = deep;
    expect_problem(fixture, &request, 400, "malformed-json", "", "line 1, column 9: too deep");
    assert_int_equal(last_sequence(fixture), 0);
}

/* Each of these would be a hundred times as large once it is parsed. */
static void values_are_counted_before_they_are_parsed(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const items[] = {"{},", "[],", "1,", "\"\",", "{\"x\":[]},", "null ,"};
    static char body[API_MAX_IMPORT + 1];
    struct request request = {.method = "POST", .path = "/v1/import", .body = body};
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        size_t len = (size_t)snprintf(body, sizeof(body), "{\"addresses\":[");
        for (int j = 0; j < API_JSON_VALUES; j++)
            len += (size_t)snprintf(body + len, sizeof(body) - len, "%s", items[i]);
        snprintf(body + len - 1, sizeof(body) - len + 1, "]}");
        expect_problem(fixture, &request, 400, "malformed-json", "", "too much: at most 16000");
    }
    assert_int_equal(last_sequence(fixture), 0);
}

static void the_largest_import_has_room_for_every_field(void **state)
{
    const struct fixture *fixture = *state;
    static char body[API_MAX_IMPORT + 1];
    size_t len = (size_t)snprintf(body, sizeof(body), "{\"keep_going\": false, \"addresses\": [");
    for (int i = 0; i < STORE_IMPORT_MAX; i++)
        len += (size_t)snprintf(body + len, sizeof(body) - len,
                                "%s{\"address\": \"user%d@opa.example\", \"hosting\": "
                                "\"opa.example\", \"owner\": \"o,w[n{er\", \"target\": null, "
                                "\"state\": \"hosted\", \"blocked\": false, \"locked\": true}",
                                i ? ", " : "", i);
    snprintf(body + len, sizeof(body) - len, "]}");
    struct request request = {.method = "POST", .path = "/v1/domains", .body = OPA};
    struct response response;
    expect_status(fixture, &request, 201);
    request.path = "/v1/import";
    request.body = body;
    http(fixture, &request, &response);
    if (response.status != 200)
        fail_msg("%s", text_of(response.json, "detail"));
    assert_int_equal(json_integer_value(json_object_get(response.json, "added")), STORE_IMPORT_MAX);
    response_done(&response);
}

static void what_is_no_json_changes_nothing(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *body, *type, *field;
    } table[] = {
        {"{\"name\": \"opa.example\", \"name\": \"opb.example\", \"cores\": [\"sip:192.0.2.1\"]}",
         "malformed-json", ""},
        {"{\"name\": \"op\xff.example\", \"cores\": [\"sip:192.0.2.1\"]}", "malformed-json", ""},
        {"{\"name\": \"opa.example\", \"cores\": [\"sip:192.0.2.1\"]", "malformed-json", ""},
        {"{\"name\": \"opa.example\", \"cores\": [\"sip:192.0.2.1\"]} x", "malformed-json", ""},
        {"[]", "malformed-json", ""},
        {"", "malformed-json", ""},
        {"{\"name\": 7, \"cores\": [\"sip:192.0.2.1\"]}", "invalid-field", "name"},
        {"{\"name\": \"opa.example\", \"cores\": [\"sip:192.0.2.1\"], \"size\": 1}",
         "invalid-field", "size"},
        {"{\"name\": \"a\\u0000b\", \"cores\": [\"sip:192.0.2.1\"]}", "malformed-json", ""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct request request = {.method = "POST", .path = "/v1/domains", .body = table[i].body};
        expect_problem(fixture, &request, 400, table[i].type, table[i].field, "");
    }
    assert_int_equal(last_sequence(fixture), 0);
}

static void an_idempotency_key_is_bounded(void **state)
{
    const struct fixture *fixture = *state;
    char headers[API_MAX_KEY + 40] = "Idempotency-Key: ";
    memset(headers + strlen(headers), 'k', API_MAX_KEY + 1);
    struct request request = {
        .method = "POST", .path = "/v1/domains", .body = OPA, .headers = headers};
    expect_problem(fixture, &request, 400, "invalid-header", "Idempotency-Key", "256 bytes");
    request.headers = "Idempotency-Key;"; /* curl's way to say that it is empty */
    expect_problem(fixture, &request, 400, "invalid-header", "Idempotency-Key", "0 bytes");
    headers[strlen(headers) - 1] = '\0';
    request.headers = headers;
    expect_status(fixture, &request, 201);
}

static void a_refused_request_is_read_to_its_end(void **state)
{
    const struct fixture *fixture = *state;
    static char body[60000];
    memset(body, 'x', sizeof(body) - 1);
    struct request request = {.method = "POST",
                              .path = "/v1/domains",
                              .body = body,
                              .headers = "Expect:",
                              .via = VIA_HTTPS,
                              .keep = curl_easy_init()};
    for (int i = 0; i < 5; i++) /* on one connection, which stays in order */
        expect_problem(fixture, &request, 401, "unauthorized", "", "token");
    long connects;
    curl_easy_getinfo(request.keep, CURLINFO_NUM_CONNECTS, &connects);
    assert_int_equal(connects, 0); /* the last one used an earlier one's */
    curl_easy_cleanup(request.keep);
}

/* ---- slow clients: each is cut, however long it would go on ---- */

/* Silence never ends a connection here; only the deadline of a request does. */
static void impatient_start(struct fixture *fixture)
{
    struct api_conf conf = fixture_conf_https(fixture);
    conf.request_timeout_s = 1;
    conf.timeout_s = 3600;
    fixture_restart(fixture, &conf);
}

static uint64_t cuts(const struct fixture *fixture, enum api_listener_kind kind)
{
    struct api_counters counters;
    api_counters_read(fixture->api, &counters);
    return counters.cut[kind];
}

/* One byte after the other until the far side has closed. */
static void trickle(int fd, char byte)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    char got;
    while (send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &got, 1, MSG_DONTWAIT) < 0)
        nanosleep(&pause, NULL);
    close(fd);
}

static void who_trickles_is_cut_wherever_he_is(void **state)
{
    struct fixture *fixture = *state;
    impatient_start(fixture);
    static const struct {
        enum via via;
        enum api_listener_kind kind;
        const char *begin;
        char byte;
    } table[] = {
        {VIA_SOCKET, API_ON_SOCKET, "", 'G'}, /* the request line */
        {VIA_SOCKET, API_ON_SOCKET, "GET /healthz HTTP/1.1\r\nx: ", 'y'},
        {VIA_SOCKET, API_ON_SOCKET,
         "POST /v1/domains HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
         "Content-Length: 60000\r\n\r\n",
         ' '},
        {VIA_SOCKET, API_ON_SOCKET,
         "POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", ' '},
        {VIA_HEALTH, API_ON_HEALTH, "GET /healthz HTTP/1.1\r\nx: ", 'y'},
        {VIA_HTTPS, API_ON_HTTPS, "\x16\x03\x01\x02\x00\x01", 'x'}, /* a TLS handshake */
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        uint64_t before = cuts(fixture, table[i].kind);
        int fd = raw_connect(fixture, table[i].via, NULL);
        raw_send(fd, table[i].begin);
        trickle(fd, table[i].byte);
        if (table[i].via != VIA_HTTPS) /* there, GnuTLS may have had enough before */
            assert_true(cuts(fixture, table[i].kind) > before);
    }
    assert_int_equal(last_sequence(fixture), 0);
}

/* The answer is larger than what the kernel keeps for him. */
static void who_takes_no_answer_is_cut(void **state)
{
    struct fixture *fixture = *state;
    expect_status(fixture, &(struct request){.method = "POST", .path = "/v1/domains", .body = OPA},
                  201);
    for (int i = 0; i < 1000; i++) {
        char body[600];
        snprintf(body, sizeof(body), "{\"address\": \"%0128d@opa.example\"}", i);
        expect_status(fixture,
                      &(struct request){.method = "POST", .path = "/v1/addresses", .body = body},
                      201);
    }
    impatient_start(fixture);
    char rest[16];
    int fd = raw_connect(fixture, VIA_SOCKET, NULL);
    for (int i = 0; i < 20; i++)
        raw_send(fd, "GET /v1/addresses?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n");
    const struct timespec pause = {.tv_nsec = 20000000};
    while (cuts(fixture, API_ON_SOCKET) == 0)
        nanosleep(&pause, NULL);
    raw_drain(fd, rest, sizeof(rest)); /* ends, for the connection has */
    close(fd);
}

static void who_is_silent_is_cut(void **state)
{
    struct fixture *fixture = *state;
    struct api_conf conf = fixture_conf_https(fixture);
    char rest[16];
    conf.timeout_s = 1;
    fixture_restart(fixture, &conf);
    for (enum via via = VIA_SOCKET; via <= VIA_HEALTH; via++) {
        int fd = raw_connect(fixture, via, NULL);
        raw_drain(fd, rest, sizeof(rest));
        close(fd);
    }
}

/* ---- connections ---- */

static bool is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) <= 0;
}

static uint64_t open_now(const struct fixture *fixture, enum api_listener_kind kind)
{
    struct api_counters counters;
    api_counters_read(fixture->api, &counters);
    return counters.connections[kind];
}

/* An API for so many connections, a quarter of which is 4. */
#define PLACES 16

static void places_start(struct fixture *fixture)
{
    struct api_conf conf = fixture_conf_https(fixture);
    conf.max_connections = PLACES;
    fixture_restart(fixture, &conf);
}

static void open_await(const struct fixture *fixture, enum api_listener_kind kind, uint64_t count)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    while (open_now(fixture, kind) != count)
        nanosleep(&pause, NULL);
}

static void one_source_has_a_quarter_of_the_connections(void **state)
{
    struct fixture *fixture = *state;
    places_start(fixture);
    static const struct {
        enum via via;
        enum api_listener_kind kind;
    } table[] = {{VIA_HTTPS, API_ON_HTTPS}, {VIA_HEALTH, API_ON_HEALTH}};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        int fds[PLACES / 4];
        for (int j = 0; j < PLACES / 4; j++)
            fds[j] = raw_connect(fixture, table[i].via, "127.0.0.2");
        open_await(fixture, table[i].kind, PLACES / 4);
        int more = raw_connect(fixture, table[i].via, "127.0.0.2");
        assert_true(is_closed(more));
        close(more);
        struct request request = {
            .method = "GET", .path = "/healthz", .via = table[i].via, .source = "127.0.0.3"};
        expect_status(fixture, &request, 200);
        assert_int_equal(cuts(fixture, table[i].kind), 1);
        for (int j = 0; j < PLACES / 4; j++)
            close(fds[j]);
        open_await(fixture, table[i].kind, 0);
        request.source = "127.0.0.2";
        expect_status(fixture, &request, 200);
        open_await(fixture, table[i].kind, 0);
    }
}

/* So many, each source as many as it may have. */
static void crowd_connect(const struct fixture *fixture, int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        char source[32];
        uint64_t before = open_now(fixture, API_ON_HTTPS);
        snprintf(source, sizeof(source), "127.0.3.%d", 1 + i / (PLACES / 4));
        fds[i] = raw_connect(fixture, VIA_HTTPS, source);
        open_await(fixture, API_ON_HTTPS, before + 1); /* in this order */
    }
}

static void who_proves_nothing_keeps_nobody_out(void **state)
{
    struct fixture *fixture = *state;
    places_start(fixture);
    struct request request = {.method = "GET", .path = "/v1/self", .via = VIA_HTTPS};
    request.token = token_add(fixture, "admin0000001", STORE_SCOPE_ADMIN, "", 0);
    request.keep = curl_easy_init();
    expect_status(fixture, &request, 200); /* the oldest of all, and proved */
    int fds[PLACES - 1];
    crowd_connect(fixture, fds, PLACES - 1);
    struct request fresh = request;
    fresh.keep = NULL;
    fresh.source = "127.0.0.9";
    for (int i = 0; i < 3; i++) { /* each takes the place of one */
        expect_status(fixture, &fresh, 200);
        assert_true(is_closed(fds[i]));
        open_await(fixture, API_ON_HTTPS, PLACES - 1); /* it has ended */
        int more = raw_connect(fixture, VIA_HTTPS, "127.0.0.8");
        open_await(fixture, API_ON_HTTPS, PLACES);
        assert_int_equal(recv(more, &(char){0}, 1, MSG_DONTWAIT), -1);
        close(fds[i]);
        fds[i] = more;
    }
    expect_status(fixture, &request, 200); /* while who is known stays */
    long connects;
    curl_easy_getinfo(request.keep, CURLINFO_NUM_CONNECTS, &connects);
    assert_int_equal(connects, 0);
    curl_easy_cleanup(request.keep);
    for (int i = 0; i < PLACES - 1; i++)
        close(fds[i]);
}

/* Both trickle the same; the daemon waits longer for the one that it knows. */
static void who_proves_nothing_is_waited_for_less(void **state)
{
    struct fixture *fixture = *state;
    struct api_conf conf = fixture_conf_https(fixture);
    conf.request_timeout_s = 3600;
    conf.timeout_s = 3600;
    fixture_restart(fixture, &conf);
    char answer[1000], byte;
    int known = raw_connect(fixture, VIA_SOCKET, NULL);
    raw_send(known, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(recv(known, answer, sizeof(answer), 0) > 0);
    raw_send(known, "GET /healthz HTTP/1.1\r\nx: ");
    static const struct {
        enum via via;
        const char *begin;
    } table[] = {
        {VIA_SOCKET, "GET /healthz HTTP/1.1\r\nx: "},
        {VIA_HEALTH, "GET /healthz HTTP/1.1\r\nx: "},
        {VIA_HEALTH, "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"},
        {VIA_HTTPS, "\x16\x03\x01\x02"}, /* a TLS handshake */
    };
    int fds[COUNT_OF(table)];
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        fds[i] = raw_connect(fixture, table[i].via, NULL);
        raw_send(fds[i], table[i].begin);
    }
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        assert_true(is_closed(fds[i]));
        close(fds[i]);
    }
    assert_int_equal(recv(known, &byte, 1, MSG_DONTWAIT), -1);
    raw_send(known, "y\r\nHost: x\r\n\r\n");
    assert_true(recv(known, answer, sizeof(answer), 0) > 0);
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
    close(known);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_https, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_url_is_bounded),
        TEST(headers_are_bounded),
        TEST(a_request_of_two_ends_is_refused_and_the_last),
        TEST(what_is_no_http_is_refused_and_the_last),
        TEST(endless_headers_are_cut),
        TEST(an_import_may_be_larger_than_other_bodies),
        TEST(depth_is_bounded_and_its_place_named),
        TEST(values_are_counted_before_they_are_parsed),
        TEST(the_largest_import_has_room_for_every_field),
        TEST(what_is_no_json_changes_nothing),
        TEST(an_idempotency_key_is_bounded),
        TEST(a_refused_request_is_read_to_its_end),
        TEST(who_trickles_is_cut_wherever_he_is),
        TEST(who_takes_no_answer_is_cut),
        TEST(who_is_silent_is_cut),
        TEST(one_source_has_a_quarter_of_the_connections),
        TEST(who_proves_nothing_keeps_nobody_out),
        TEST(who_proves_nothing_is_waited_for_less),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
