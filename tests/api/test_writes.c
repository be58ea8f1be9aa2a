/* Changes: connections sleep while the store decides, and everybody who asked is answered. */
#include "api/http.h"
#include "tests/api/fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct timespec pause_10ms = {.tv_nsec = 10000000};

/* ---- a store that waits until it is told to go on ---- */

struct stall {
    struct store_submission submission;
    struct store_command command;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool reached, released, ended;
};

static void stall_set(struct stall *stall, bool *what)
{
    pthread_mutex_lock(&stall->lock);
    *what = true;
    pthread_cond_broadcast(&stall->changed);
    pthread_mutex_unlock(&stall->lock);
}

static void stall_await(struct stall *stall, const bool *what)
{
    pthread_mutex_lock(&stall->lock);
    while (!*what)
        pthread_cond_wait(&stall->changed, &stall->lock);
    pthread_mutex_unlock(&stall->lock);
}

/* In the store's writer: it stands still meanwhile. */
static void stall_done(struct store_submission *submission)
{
    struct stall *stall = submission->arg;
    stall_set(stall, &stall->reached);
    stall_await(stall, &stall->released);
    stall_set(stall, &stall->ended);
}

static void stall_begin(const struct fixture *fixture, struct stall *stall)
{
    memset(stall, 0, sizeof(*stall));
    pthread_mutex_init(&stall->lock, NULL);
    pthread_cond_init(&stall->changed, NULL);
    stall->command.op = STORE_CURSOR_DEL;
    stall->command.dry_run = true;
    stall->command.time_ms = api_now_ms();
    snprintf(stall->command.actor, sizeof(stall->command.actor), "test");
    snprintf(stall->command.cursor.name, sizeof(stall->command.cursor.name), "none");
    stall->submission.command = &stall->command;
    stall->submission.done = stall_done;
    stall->submission.arg = stall;
    assert_int_equal(store_submit_start(fixture->store, &stall->submission), 0);
    stall_await(stall, &stall->reached);
}

static void stall_end(struct stall *stall)
{
    stall_set(stall, &stall->released);
    stall_await(stall, &stall->ended);
}

static void submitted_await(const struct fixture *fixture, uint64_t count)
{
    struct api_counters counters;
    for (;;) {
        api_counters_read(fixture->api, &counters);
        if (counters.submitted >= count)
            return;
        nanosleep(&pause_10ms, NULL);
    }
}

/* ---- many at once ---- */

static void domain_post(int fd, unsigned i, const char *headers)
{
    char body[200], ask[500];
    snprintf(body, sizeof(body), "{\"name\": \"d%u.example\", \"cores\": [\"sip:192.0.2.1\"]}", i);
    snprintf(ask, sizeof(ask),
             "POST /v1/domains HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             headers, strlen(body), body);
    raw_send(fd, ask);
}

/* The status of the one answer; closes. */
static int answer_take(int fd)
{
    char answer[2000];
    raw_drain(fd, answer, sizeof(answer));
    close(fd);
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

#define WRITERS 64

/* They sleep on four threads, which go on serving others, and share a commit. */
static void sixty_four_writers_share_a_commit(void **state)
{
    struct fixture *fixture = *state;
    struct api_conf conf = fixture_conf_https(fixture);
    struct store_reader *snapshot, *reader;
    struct store_stats stats;
    struct stall stall;
    int fds[WRITERS];
    conf.max_connections = 2 * WRITERS;
    fixture_restart(fixture, &conf);
    assert_int_equal(store_reader_alloc(fixture->store, &snapshot), 0);
    assert_int_equal(store_reader_alloc(fixture->store, &reader), 0);
    stall_begin(fixture, &stall);
    assert_int_equal(store_reader_begin(snapshot), 0);
    for (unsigned i = 0; i < WRITERS; i++) {
        fds[i] = raw_connect(fixture, VIA_SOCKET, NULL);
        domain_post(fds[i], i, "");
    }
    submitted_await(fixture, WRITERS);
    expect_status(fixture, &(struct request){.method = "GET", .path = "/healthz"}, 200);
    expect_status(fixture, &(struct request){.method = "GET", .path = "/v1/domains"}, 200);
    stall_end(&stall);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(answer_take(fds[i]), 201);
    assert_int_equal(store_reader_begin(reader), 0);
    assert_int_equal(store_stats_get(reader, &stats), 0);
    assert_int_equal(stats.domains, WRITERS);
    assert_true(stats.oldest_reader >= 1); /* commits since the snapshot */
    assert_true(stats.oldest_reader <= 2);
    store_reader_end(reader);
    store_reader_end(snapshot);
    store_reader_free(reader);
    store_reader_free(snapshot);
}

static void requests_with_one_key_get_one_verdict(void **state)
{
    const struct fixture *fixture = *state;
    struct stall stall;
    int fds[8];
    stall_begin(fixture, &stall);
    for (int i = 0; i < 8; i++) {
        fds[i] = raw_connect(fixture, VIA_SOCKET, NULL);
        domain_post(fds[i], 1, "Idempotency-Key: same\r\n");
    }
    int other = raw_connect(fixture, VIA_SOCKET, NULL);
    submitted_await(fixture, 8);
    domain_post(other, 2, "Idempotency-Key: same\r\n");
    submitted_await(fixture, 9);
    stall_end(&stall);
    for (int i = 0; i < 8; i++)
        assert_int_equal(answer_take(fds[i]), 201);
    assert_int_equal(answer_take(other), 422); /* another body */
    assert_int_equal(last_sequence(fixture), 1);
}

static void a_dry_run_answers_and_keeps_nothing(void **state)
{
    const struct fixture *fixture = *state;
    struct request request = {.method = "POST", .path = "/v1/domains?dry_run=true", .body = OPA};
    struct response response;
    for (int i = 0; i < 2; i++) {
        http(fixture, &request, &response);
        assert_int_equal(response.status, 201);
        assert_string_equal(response.dry_run, "true");
        response_done(&response);
    }
    assert_int_equal(last_sequence(fixture), 0);
    request.path = "/v1/domains?dry_run=false";
    http(fixture, &request, &response);
    assert_int_equal(response.status, 201);
    assert_string_equal(response.dry_run, "");
    response_done(&response);
    request.path = "/v1/domains?dry_run=true";
    http(fixture, &request, &response); /* refused as it would be */
    assert_int_equal(response.status, 409);
    assert_string_equal(response.dry_run, "true");
    response_done(&response);
    request.path = "/v1/domains?dry_run=maybe";
    expect_problem(fixture, &request, 400, "invalid-parameter", "dry_run", "true or false");
    request = (struct request){.method = "GET", .path = "/v1/domains?dry_run=true"};
    expect_problem(fixture, &request, 400, "invalid-parameter", "dry_run", "no such parameter");
    request = (struct request){
        .method = "POST", .path = "/v1/backups?dry_run=true", .body = "{\"file\": \"/x\"}"};
    expect_problem(fixture, &request, 400, "invalid-parameter", "dry_run", "no such parameter");
}

/* ---- ends ---- */

static void who_left_meanwhile_harms_nobody(void **state)
{
    const struct fixture *fixture = *state;
    struct stall stall;
    stall_begin(fixture, &stall);
    for (unsigned i = 0; i < 8; i++) {
        int fd = raw_connect(fixture, VIA_SOCKET, NULL);
        domain_post(fd, i, "");
        submitted_await(fixture, i + 1);
        close(fd);
    }
    stall_end(&stall);
    while (last_sequence(fixture) < 8) /* what was submitted is done */
        nanosleep(&pause_10ms, NULL);
}

static void *stop_run(void *arg)
{
    api_stop(arg);
    return NULL;
}

/* Has the API closed its socket? */
static bool is_stopping(const struct fixture *fixture)
{
    struct response response;
    struct request request = {.method = "GET", .path = "/healthz", .via = VIA_HEALTH};
    CURLcode code = http_try(fixture, &request, &response);
    response_done(&response);
    return code != CURLE_OK;
}

static void a_stop_answers_what_was_submitted(void **state)
{
    struct fixture *fixture = *state;
    struct stall stall;
    pthread_t thread;
    int fds[8];
    stall_begin(fixture, &stall);
    for (unsigned i = 0; i < 8; i++) {
        fds[i] = raw_connect(fixture, VIA_SOCKET, NULL);
        domain_post(fds[i], i, "");
    }
    submitted_await(fixture, 8);
    assert_int_equal(pthread_create(&thread, NULL, stop_run, fixture->api), 0);
    while (!is_stopping(fixture))
        nanosleep(&pause_10ms, NULL);
    stall_end(&stall);
    for (int i = 0; i < 8; i++)
        assert_int_equal(answer_take(fds[i]), 201);
    pthread_join(thread, NULL);
    fixture->api = NULL;
}

/* The store takes longer than api_stop waits for slow clients. */
static void a_stop_waits_for_every_verdict(void **state)
{
    struct fixture *fixture = *state;
    const struct timespec longer = {.tv_sec = API_STOP_MS / 1000 + 1};
    struct stall stall;
    pthread_t thread;
    stall_begin(fixture, &stall);
    int fd = raw_connect(fixture, VIA_SOCKET, NULL);
    domain_post(fd, 1, "");
    submitted_await(fixture, 1);
    assert_int_equal(pthread_create(&thread, NULL, stop_run, fixture->api), 0);
    nanosleep(&longer, NULL);
    stall_end(&stall);
    assert_int_equal(answer_take(fd), 201);
    pthread_join(thread, NULL);
    fixture->api = NULL;
}

struct change {
    const struct fixture *fixture;
    const char *token;
    long status;
};

static void *change_run(void *arg)
{
    struct change *change = arg;
    struct request request = {.method = "POST",
                              .path = "/v1/domains",
                              .body = OPA,
                              .via = VIA_HTTPS,
                              .token = change->token};
    struct response response;
    if (http_try(change->fixture, &request, &response) == CURLE_OK)
        change->status = response.status;
    response_done(&response);
    return NULL;
}

static void a_change_under_way_outlives_its_certificate(void **state)
{
    struct fixture *fixture = *state;
    struct fixture before = *fixture;
    struct change change = {.fixture = &before,
                            .token = token_add(fixture, "admin0000001", STORE_SCOPE_ADMIN, "", 0)};
    struct stall stall;
    pthread_t thread;
    char why[API_MAX_WHY];
    stall_begin(fixture, &stall);
    assert_int_equal(pthread_create(&thread, NULL, change_run, &change), 0);
    submitted_await(fixture, 1);
    snprintf(fixture->certificate, sizeof(fixture->certificate), "%s/new.pem", fixture->folder);
    snprintf(fixture->key, sizeof(fixture->key), "%s/new.key", fixture->folder);
    fixture_pair_write(fixture->certificate, fixture->key);
    assert_int_equal(api_pair_reload(fixture->api, fixture->certificate, fixture->key, why), 0);
    stall_end(&stall);
    pthread_join(thread, NULL);
    assert_int_equal(change.status, 201);
}

/* ---- streams ---- */

#define FOLLOW "GET /v1/journal/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"

static void the_head_of_a_stream_is_its_headers(void **state)
{
    const struct fixture *fixture = *state;
    struct api_counters counters;
    char answer[2000];
    int fd = raw_connect(fixture, VIA_SOCKET, NULL);
    raw_send(fd, "HEAD /v1/journal/events HTTP/1.1\r\nHost: x\r\n\r\n");
    raw_drain(fd, answer, sizeof(answer)); /* it ends */
    close(fd);
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
    assert_non_null(strstr(answer, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(answer, "Connection: close\r\n"));
    assert_null(strstr(answer, "Content-Length")); /* nobody knows it */
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    api_counters_read(fixture->api, &counters);
    assert_int_equal(counters.streams, 0);
}

/* Reads until `text` has come. */
static void stream_await(int fd, const char *text)
{
    static char got[1 << 16];
    size_t len = 0;
    got[0] = '\0';
    while (!strstr(got, text)) {
        assert_true(len + 1 < sizeof(got));
        ssize_t more = recv(fd, got + len, sizeof(got) - len - 1, 0);
        if (more <= 0)
            fail_msg("no %s in: %s", text, got);
        len += (size_t)more;
        got[len] = '\0';
    }
}

static int stream_open(const struct fixture *fixture)
{
    int fd = raw_connect(fixture, VIA_SOCKET, NULL);
    raw_send(fd, FOLLOW);
    stream_await(fd, "\r\n\r\n"); /* the headers come before there is anything to tell */
    return fd;
}

static uint64_t streams_open(const struct fixture *fixture)
{
    struct api_counters counters;
    api_counters_read(fixture->api, &counters);
    return counters.streams;
}

static void domain_add(const struct fixture *fixture, unsigned i)
{
    char body[200];
    snprintf(body, sizeof(body), "{\"name\": \"d%u.example\", \"cores\": [\"sip:192.0.2.1\"]}", i);
    expect_status(fixture, &(struct request){.method = "POST", .path = "/v1/domains", .body = body},
                  201);
}

static void a_stream_tells_what_comes(void **state)
{
    const struct fixture *fixture = *state;
    int fd = stream_open(fixture);
    for (unsigned i = 0; i < 5; i++) {
        char name[32];
        domain_add(fixture, i);
        snprintf(name, sizeof(name), "d%u.example", i);
        stream_await(fd, name);
    }
    close(fd);
    for (unsigned i = 5; streams_open(fixture) > 0; i++) { /* noticed with the next event */
        domain_add(fixture, i);
        nanosleep(&pause_10ms, NULL);
    }
}

static void streams_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    int fds[API_MAX_STREAMS];
    for (int i = 0; i < API_MAX_STREAMS; i++)
        fds[i] = stream_open(fixture);
    expect_problem(fixture, &(struct request){.method = "GET", .path = "/v1/journal/events"}, 503,
                   "busy", "", "16 clients");
    domain_add(fixture, 1);
    for (int i = 0; i < API_MAX_STREAMS; i++) {
        stream_await(fds[i], "d1.example");
        close(fds[i]);
    }
    for (unsigned i = 2; streams_open(fixture) > 0; i++) {
        domain_add(fixture, i);
        nanosleep(&pause_10ms, NULL);
    }
    close(stream_open(fixture));
}

/* A client that reads nothing holds back neither changes nor other clients, and is cut. */
static void who_does_not_read_a_stream_is_cut(void **state)
{
    struct fixture *fixture = *state;
    struct api_conf conf = fixture_conf_https(fixture);
    conf.timeout_s = 1;
    fixture_restart(fixture, &conf);
    int deaf = stream_open(fixture);
    char body[600];
    for (unsigned i = 0; streams_open(fixture) > 0; i++) {
        snprintf(body, sizeof(body), "{\"name\": \"d%u.example\", \"cores\": [\"sip:192.0.2.1\"]}",
                 i);
        expect_status(
            fixture, &(struct request){.method = "POST", .path = "/v1/domains", .body = body}, 201);
    }
    close(deaf);
}

static void streams_end_with_the_api(void **state)
{
    struct fixture *fixture = *state;
    char rest[100];
    int fds[4];
    for (int i = 0; i < 4; i++)
        fds[i] = stream_open(fixture);
    api_stop(fixture->api);
    fixture->api = NULL;
    for (int i = 0; i < 4; i++) {
        raw_drain(fds[i], rest, sizeof(rest));
        assert_string_equal(rest, "0\r\n\r\n"); /* a whole answer, RFC 9112 section 7.1 */
        close(fds[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_https, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sixty_four_writers_share_a_commit),
        TEST(requests_with_one_key_get_one_verdict),
        TEST(a_dry_run_answers_and_keeps_nothing),
        TEST(who_left_meanwhile_harms_nobody),
        TEST(a_stop_answers_what_was_submitted),
        TEST(a_stop_waits_for_every_verdict),
        TEST(a_change_under_way_outlives_its_certificate),
        TEST(the_head_of_a_stream_is_its_headers),
        TEST(a_stream_tells_what_comes),
        TEST(streams_are_bounded),
        TEST(who_does_not_read_a_stream_is_cut),
        TEST(streams_end_with_the_api),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
