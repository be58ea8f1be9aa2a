/* Route explanations and the status. */
#include "api/internal.h"
#include "tests/api/client.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void directory_fill(const struct fixture *fixture)
{
    expect_status(fixture, POST("/v1/domains", OPA), 201);
    expect_status(fixture,
                  POST("/v1/domains", "{\"name\": \"opb.example\", \"unknown\": \"core\","
                                      " \"cores\": [\"sip:127.0.22.2:5070;transport=tcp\","
                                      " \"sip:127.0.22.3;transport=tls\"]}"),
                  201);
    expect_status(fixture, POST("/v1/addresses", "{\"address\": \"alice@opa.example\"}"), 201);
    expect_status(
        fixture,
        POST("/v1/addresses", "{\"address\": \"carol@opa.example\", \"hosting\": \"opc.example\"}"),
        201);
}

/* Is there a step of this kind that says this? */
static bool step_says(const json_t *walk, const char *what, const char *why)
{
    size_t i;
    json_t *step;
    json_array_foreach(json_object_get(walk, "steps"), i,
                       step) if (strcmp(text_of(step, "what"), what) == 0 &&
                                 strstr(text_of(step, "why"), why)) return true;
    return false;
}

#define OWN "; a call from that core itself is answered 404, it must route its own addresses"

static void each_rule_is_explained(void **state)
{
    const struct fixture *fixture = *state;
    directory_fill(fixture);
    static const struct {
        const char *path, *address, *rule, *hosting;
        size_t hops;
        const char *prove, *verdict;
    } table[] = {
        {"/v1/route/Alice@OPA.example", "alice@opa.example", "hosted", "opa.example", 1, "",
         "goes to the core of opa.example" OWN},
        {"/v1/route/nobody@opa.example", "nobody@opa.example", "unknown", "", 0, "",
         "refused: nobody@opa.example does not exist at opa.example"},
        {"/v1/route/nobody@opb.example", "nobody@opb.example", "unknown-core", "opb.example", 2, "",
         "goes to the core of opb.example" OWN},
        {"/v1/route/carol@opa.example", "carol@opa.example", "ported-out", "opc.example", 0,
         "opc.example", "no way there: NAPTR opc.example: no answer"},
        {"/v1/route/dave@opd.example", "dave@opd.example", "authority", "opd.example", 0,
         "opd.example", "no way there: NAPTR opd.example: no answer"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct response response;
        http(fixture, GET(table[i].path), &response);
        assert_int_equal(response.status, 200);
        assert_string_equal(text_of(response.json, "address"), table[i].address);
        assert_string_equal(text_of(response.json, "rule"), table[i].rule);
        assert_string_equal(text_of(response.json, "hosting"), table[i].hosting);
        assert_string_equal(text_of(response.json, "must_prove"), table[i].prove);
        assert_int_equal(json_array_size(json_object_get(response.json, "next_hops")),
                         table[i].hops);
        assert_non_null(strstr(text_of(response.json, "verdict"), table[i].verdict));
        assert_true(step_says(response.json, "address", table[i].address));
        assert_true(step_says(response.json, "directory", "the "));
        bool elsewhere = strcmp(table[i].rule, "ported-out") == 0;
        assert_int_equal(step_says(response.json, "directory", "; the hosting domain is "),
                         elsewhere);
        assert_int_equal(
            step_says(response.json, "directory", "; the hosting domain is opc.example"),
            elsewhere);
        response_done(&response);
    }
}

static void next_hops_are_in_order_of_preference(void **state)
{
    const struct fixture *fixture = *state;
    directory_fill(fixture);
    struct response response;
    http(fixture, GET("/v1/route/x@opb.example"), &response);
    json_t *expected = json_pack("[{s:s, s:s, s:s}, {s:s, s:s, s:s}]", "transport", "tcp",
                                 "address", "127.0.22.2:5070", "host", "127.0.22.2", "transport",
                                 "tls", "address", "127.0.22.3:5061", "host", "127.0.22.3");
    assert_true(json_equal(json_object_get(response.json, "next_hops"), expected));
    json_decref(expected);
    assert_false(step_says(response.json, "certificate", "")); /* our own core proves nothing */
    response_done(&response);
}

static void who_may_call_under_the_address_is_told(void **state)
{
    const struct fixture *fixture = *state;
    directory_fill(fixture);
    static const struct {
        const char *path, *says;
    } table[] = {
        {"/v1/route/alice@opa.example", "no peer may call as alice@opa.example"},
        {"/v1/route/nobody@opa.example", "no peer may call as nobody@opa.example"},
        {"/v1/route/carol@opa.example",
         "only a peer that has proven opc.example may call as carol@opa.example"},
        {"/v1/route/dave@opd.example",
         "a peer that has proven opd.example may call as dave@opd.example; another one only if "
         "opd.example names it"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct response response;
        http(fixture, GET(table[i].path), &response);
        if (!step_says(response.json, "caller", table[i].says))
            fail_msg("%s", table[i].path);
        response_done(&response);
    }
}

static void silence_of_dns_is_bounded_and_named(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    http(fixture, GET("/v1/route/bob@opb.example"), &response);
    assert_int_equal(response.status, 200);
    assert_true(step_says(response.json, "dns", "NAPTR opb.example"));
    assert_false(step_says(response.json, "certificate", ""));
    response_done(&response);
    expect_problem(fixture, GET("/v1/route/bob"), 400, "invalid-parameter", "address", "bob: ");
}

static void explanations_are_bounded(void **state)
{
    const struct fixture *fixture = *state;
    for (int i = 0; i < API_MAX_WALKS; i++)
        assert_true(api_walk_begin(fixture->api));
    assert_false(api_walk_begin(fixture->api));
    struct response response;
    http(fixture, GET("/v1/route/bob@opb.example"), &response);
    assert_int_equal(response.status, 503);
    assert_string_equal(response.retry, "1");
    assert_string_equal(text_of(response.json, "type"), "urn:junctor:problem:busy");
    response_done(&response);
    expect_status(fixture, GET("/healthz"), 200);
    api_walk_end(fixture->api);
    expect_status(fixture, GET("/v1/route/bob@opb.example"), 200);
    expect_status(fixture, GET("/v1/route/bob@opb.example"), 200); /* each gives its turn back */
    for (int i = 1; i < API_MAX_WALKS; i++)
        api_walk_end(fixture->api);
}

/* Sends a question on, and waits until it is one to DNS. */
static int walk_start(const struct fixture *fixture)
{
    char question[512];
    int fd = raw_connect(fixture, VIA_SOCKET, NULL);
    raw_send(fd, "GET /v1/route/bob@opb.example HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    struct pollfd fds[] = {{.fd = fixture->silent, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    assert_true(poll(fds, 2, -1) > 0);
    assert_int_equal(fds[1].revents, 0); /* not answered yet */
    assert_true(recv(fixture->silent, question, sizeof(question), 0) > 0);
    return fd;
}

/* "There is no such name", to every question, until each client has his answer. */
static void questions_answer(const struct fixture *fixture, const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct pollfd wait[] = {{.fd = fixture->silent, .events = POLLIN},
                                {.fd = fds[i], .events = POLLIN}};
        while (poll(wait, 2, -1) > 0 && !wait[1].revents) {
            struct sockaddr_in from;
            socklen_t from_len = sizeof(from);
            uint8_t text[512];
            ssize_t len = recvfrom(fixture->silent, text, sizeof(text), 0, (struct sockaddr *)&from,
                                   &from_len);
            assert_true(len > 12);
            text[2] |= 0x80;
            text[3] = 0x83;
            sendto(fixture->silent, text, (size_t)len, 0, (const struct sockaddr *)&from, from_len);
        }
        char answer[4000];
        raw_drain(fds[i], answer, sizeof(answer));
        assert_memory_equal(answer, "HTTP/1.1 200", 12);
        close(fds[i]);
    }
}

/* More of them than there are threads, and nobody else waits, whichever thread has him. */
static void explanations_take_no_thread_from_anybody(void **state)
{
    struct fixture *fixture = *state;
    int fds[API_THREADS + 2];
    CURL *others[4 * API_THREADS];
    struct request request = *GET("/healthz");
    fixture->resolver.attempt_timeout_ms = 2000;
    fixture->resolver.lookup_timeout_ms = 10000;
    api_stop(fixture->api);
    fixture_start(fixture,
                  &(struct api_parts){.store = fixture->store, .resolver = &fixture->resolver});
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        request.keep = others[i] = curl_easy_init();
        expect_status(fixture, &request, 200);
    }
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = walk_start(fixture);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        request.keep = others[i];
        expect_status(fixture, &request, 200);
        curl_easy_cleanup(others[i]);
    }
    questions_answer(fixture, fds, COUNT_OF(fds));
}

static void what_a_record_says_is_told(void **state)
{
    const struct fixture *fixture = *state;
    directory_fill(fixture);
    static const char *const bodies[] = {
        "{\"address\": \"a@opa.example\", \"target\": \"al@opb.example\"}",
        "{\"address\": \"away@opa.example\", \"target\": \"x@opd.example\"}",
        "{\"address\": \"gone@opa.example\"}",
        "{\"address\": \"shut@opa.example\", \"blocked\": true}",
        "{\"address\": \"soon@opd.example\", \"state\": \"prepared\", \"hosting\":"
        " \"opa.example\"}",
        "{\"address\": \"left@opd.example\", \"state\": \"moved\", \"hosting\":"
        " \"ope.example\"}",
    };
    add(fixture, "/v1/addresses",
        "{\"address\": \"al@opb.example\", \"target\": \"alice@opa.example\"}");
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        add(fixture, "/v1/addresses", bodies[i]);
    expect_status(fixture, DELETE("/v1/addresses/gone@opa.example", ANY), 204);
    add(fixture, "/v1/numbers", "{\"number\": \"+4930\", \"address\": \"a@opa.example\"}");
    static const struct {
        const char *path, *rule, *what, *why, *verdict;
    } table[] = {
        {"/v1/route/+49-30", "hosted", "number", "+4930 leads to a@opa.example",
         "goes to the core of opa.example"},
        {"/v1/route/a@opa.example", "hosted", "alias",
         "al@opb.example is another name of alice@opa.example", "goes to the core of opa.example"},
        {"/v1/route/away@opa.example", "alias", "alias",
         "away@opa.example is another name of x@opd.example", "no way there: NAPTR opd.example"},
        {"/v1/route/gone@opa.example", "blocked", "released",
         "gone@opa.example was released; nobody but its last owner gets it before 2",
         "refused: gone@opa.example is blocked, or was released"},
        {"/v1/route/shut@opa.example", "blocked", "blocked",
         "shut@opa.example is blocked: it is not called and calls nobody",
         "refused: shut@opa.example is blocked"},
        {"/v1/route/soon@opd.example", "authority", "prepared",
         "soon@opd.example is prepared at opa.example", "no way there: NAPTR opd.example"},
        {"/v1/route/left@opd.example", "moved", "directory", "the hosting domain is ope.example",
         "no way there: NAPTR ope.example"},
        {"/v1/route/left@opd.example", "moved", "moved",
         "left@opd.example was served here, and moved to ope.example",
         "no way there: NAPTR ope.example"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct response response;
        http(fixture, GET(table[i].path), &response);
        assert_int_equal(response.status, 200);
        assert_string_equal(text_of(response.json, "rule"), table[i].rule);
        if (!step_says(response.json, table[i].what, table[i].why))
            fail_msg("%s: no step says \"%s\"", table[i].path, table[i].why);
        if (!strstr(text_of(response.json, "verdict"), table[i].verdict))
            fail_msg("%s: %s", table[i].path, text_of(response.json, "verdict"));
        response_done(&response);
    }
    expect_problem(fixture, GET("/v1/route/+4931"), 404, "no-such-record", "", "+4931");
    expect_problem(fixture, GET("/v1/route/+0"), 400, "invalid-parameter", "number", "+0: ");
}

/* The API never looks into an edge: any pointer will do here. */
static void stats_tell(const struct edge *edge, struct edge_stats *stats)
{
    (void)edge;
    *stats = (struct edge_stats){.workers = 2,
                                 .transactions = 3,
                                 .connections = 4,
                                 .peers = 5,
                                 .requests = 6,
                                 .forwarded = 7,
                                 .refused = 8,
                                 .responses = 9,
                                 .dropped = 10,
                                 .handed_over = 11};
}

static void status_counts_directory_and_edge(void **state)
{
    struct fixture *fixture = *state;
    directory_fill(fixture);
    struct response response;
    http(fixture, GET("/v1/status"), &response);
    assert_true(*text_of(response.json, "version") != '\0');
    assert_true(json_is_integer(json_object_get(response.json, "uptime_s")));
    const json_t *store = json_object_get(response.json, "store");
    assert_int_equal(json_integer_value(json_object_get(store, "domains")), 2);
    assert_int_equal(json_integer_value(json_object_get(store, "addresses")), 2);
    assert_int_equal(json_integer_value(json_object_get(store, "last_sequence")), 4);
    static const char *const figures[] = {
        "numbers",       "peers",        "tokens",        "verdicts", "log_first",
        "log_last",      "map_used",     "map_size",      "readers",  "oldest_reader",
        "journal_bytes", "cursors_lost", "first_sequence"};
    for (size_t i = 0; i < COUNT_OF(figures); i++)
        assert_true(json_is_integer(json_object_get(store, figures[i])));
    assert_int_equal(strlen(text_of(store, "store_time")), 27);
    assert_true(json_is_null(json_object_get(response.json, "edge")));
    response_done(&response);

    api_stop(fixture->api);
    fixture->api = NULL;
    fixture_start(fixture, &(struct api_parts){.store = fixture->store,
                                               .resolver = &fixture->resolver,
                                               .edge = (struct edge *)fixture,
                                               .edge_stats = stats_tell});
    http(fixture, GET("/v1/status"), &response);
    json_t *expected =
        json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "workers", 2,
                  "transactions", 3, "connections", 4, "peers", 5, "requests", 6, "forwarded", 7,
                  "refused", 8, "responses", 9, "dropped", 10, "handed_over", 11);
    assert_true(json_equal(json_object_get(response.json, "edge"), expected));
    json_decref(expected);
    response_done(&response);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_rule_is_explained),
        TEST(next_hops_are_in_order_of_preference),
        TEST(who_may_call_under_the_address_is_told),
        TEST(silence_of_dns_is_bounded_and_named),
        TEST(what_a_record_says_is_told),
        TEST(explanations_are_bounded),
        TEST(explanations_take_no_thread_from_anybody),
        TEST(status_counts_directory_and_edge),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
