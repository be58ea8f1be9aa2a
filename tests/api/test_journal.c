/* The journal as pages and as events, and backups. */
#include "tests/api/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int filled_setup(void **state)
{
    fixture_setup_https(state);
    const struct fixture *fixture = *state;
    add(fixture, "/v1/domains", OPA);
    add(fixture, "/v1/addresses", "{\"address\": \"alice@opa.example\"}");
    add(fixture, "/v1/addresses", "{\"address\": \"bob@opa.example\"}");
    return 0;
}

static void trim(const struct fixture *fixture, uint64_t sequence)
{
    struct store_command command = {.op = STORE_JOURNAL_TRIM,
                                    .expected_version = STORE_ANY_VERSION,
                                    .actor = "test",
                                    .sequence = sequence};
    struct store_verdict verdict;
    assert_int_equal(store_submit(fixture->store, &command, &verdict), 0);
    assert_int_equal(verdict.status, 0);
}

static void entries_tell_who_changed_what(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    char actor[32];
    expect_status(fixture, PATCH("/v1/addresses/bob@opa.example", ANY, "{\"owner\": \"c-1\"}"),
                  200);
    http(fixture, GET("/v1/journal?from=4"), &response);
    assert_int_equal(number_of(response.json, "first"), 1);
    assert_int_equal(number_of(response.json, "last"), 4);
    assert_true(json_is_null(json_object_get(response.json, "next")));
    const json_t *entries = json_object_get(response.json, "entries");
    assert_int_equal(json_array_size(entries), 1);
    const json_t *entry = json_array_get(entries, 0);
    snprintf(actor, sizeof(actor), "uid:%u", (unsigned)getuid());
    assert_int_equal(number_of(entry, "sequence"), 4);
    assert_string_equal(text_of(entry, "actor"), actor);
    assert_string_equal(text_of(entry, "what"), "address_put");
    assert_string_equal(text_of(entry, "kind"), "address");
    assert_string_equal(text_of(entry, "key"), "bob@opa.example");
    assert_true(json_is_null(json_object_get(json_object_get(entry, "before"), "owner")));
    assert_string_equal(text_of(json_object_get(entry, "after"), "owner"), "c-1");
    response_done(&response);
}

static void the_journal_comes_in_pages(void **state)
{
    const struct fixture *fixture = *state;
    json_int_t next = 1, count = 0;
    while (next) {
        struct response response;
        char path[64];
        snprintf(path, sizeof(path), "/v1/journal?limit=2&from=%d", (int)next);
        http(fixture, GET(path), &response);
        size_t i;
        json_t *entry;
        json_array_foreach(json_object_get(response.json, "entries"), i, entry)
            assert_int_equal(number_of(entry, "sequence"), ++count);
        next = number_of(response.json, "next");
        response_done(&response);
    }
    assert_int_equal(count, 3);
}

static void what_was_trimmed_is_gone(void **state)
{
    const struct fixture *fixture = *state;
    trim(fixture, 3);
    expect_problem(fixture, GET("/v1/journal?from=1"), 410, "trimmed", "from", "entry 1 is gone");
    expect_problem(fixture, GET("/v1/journal/events?from=2"), 410, "trimmed", "from",
                   "entry 2 is gone; the journal begins at 3");
    struct request last = *GET("/v1/journal/events");
    last.headers = "Last-Event-ID: 1";
    expect_status(fixture, &last, 410);
    last.headers = "Last-Event-ID: 99"; /* of another journal */
    expect_problem(fixture, &last, 410, "trimmed", "from", "there is no entry 99");
    last.headers = "Last-Event-ID: x";
    expect_problem(fixture, &last, 400, "invalid-header", "Last-Event-ID", "sequence number");
    expect_problem(fixture, GET("/v1/journal?from=x"), 400, "invalid-parameter", "from",
                   "sequence number");
    expect_status(fixture, GET("/v1/journal"), 200);
}

/* ---- events ---- */

struct stream {
    int fd;
    char text[65536];
    size_t len;
};

static void stream_open(const struct fixture *fixture, struct stream *stream, const char *path,
                        const char *header)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char request[512];
    *stream = (struct stream){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", fixture->socket);
    assert_int_equal(connect(stream->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: junctor\r\n%s\r\n", path,
                       header);
    assert_int_equal(write(stream->fd, request, (size_t)len), len);
}

/* Reads on until this text has come; the test's own time limit bounds it. */
static void stream_await(struct stream *stream, const char *text)
{
    while (!strstr(stream->text, text)) {
        ssize_t len =
            read(stream->fd, stream->text + stream->len, sizeof(stream->text) - 1 - stream->len);
        if (len <= 0)
            fail_msg("the stream ended before \"%s\": %s", text, stream->text);
        stream->len += (size_t)len;
        stream->text[stream->len] = '\0';
    }
}

static void events_begin_where_the_client_says(void **state)
{
    const struct fixture *fixture = *state;
    struct stream all, later, fresh;
    stream_open(fixture, &all, "/v1/journal/events?from=0", "");
    stream_await(&all, "id: 3\nevent: change\ndata: {\"sequence\":3,");
    assert_non_null(strstr(all.text, "text/event-stream"));
    assert_non_null(strstr(all.text, "id: 1\nevent: change\ndata: {\"sequence\":1,"));
    stream_open(fixture, &later, "/v1/journal/events?from=1", "Last-Event-ID: 2\r\n");
    stream_await(&later, "id: 3\n");
    assert_null(strstr(later.text, "id: 2\n"));
    stream_open(fixture, &fresh, "/v1/journal/events", "");
    stream_await(&fresh, "\r\n\r\n"); /* it has begun: what comes now is for it */
    add(fixture, "/v1/addresses", "{\"address\": \"carol@opa.example\"}");
    stream_await(&all, "id: 4\n");
    stream_await(&later, "carol@opa.example");
    stream_await(&fresh, "id: 4\n");
    assert_null(strstr(fresh.text, "id: 3\n"));
    close(all.fd);
    close(later.fd);
    close(fresh.fd);
}

static void many_events_all_come(void **state)
{
    const struct fixture *fixture = *state;
    struct stream stream;
    for (int i = 0; i < 100; i++) {
        char body[100];
        snprintf(body, sizeof(body), "{\"address\": \"u%d@opa.example\"}", i);
        add(fixture, "/v1/addresses", body);
    }
    stream_open(fixture, &stream, "/v1/journal/events?from=1", "");
    stream_await(&stream, "id: 103\n");
    for (int i = 1; i <= 103; i++) {
        char head[32];
        snprintf(head, sizeof(head), "id: %d\nevent: change\n", i);
        if (!strstr(stream.text, head))
            fail_msg("event %d is missing", i);
    }
    close(stream.fd);
}

/* ---- backups ---- */

static void a_backup_is_a_file_that_was_not_there(void **state)
{
    const struct fixture *fixture = *state;
    char file[128], body[200];
    struct response response;
    snprintf(file, sizeof(file), "%s/backup.mdb", fixture->folder);
    snprintf(body, sizeof(body), "{\"file\": \"%s\"}", file);
    http(fixture, POST("/v1/backups", body), &response);
    if (response.status != 201)
        fail_msg("%s", text_of(response.json, "detail"));
    assert_string_equal(text_of(response.json, "file"), file);
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(number_of(response.json, "bytes"), st.st_size);
    response_done(&response);
    expect_problem(fixture, POST("/v1/backups", body), 409, "exists", "file", file);
    expect_problem(fixture, POST("/v1/backups", "{\"file\": \"backup.mdb\"}"), 400, "invalid-field",
                   "file", "absolute path");
    expect_problem(fixture, POST("/v1/backups", "{\"file\": \"/nowhere/at/all/b.mdb\"}"), 400,
                   "invalid-field", "file", "/nowhere/at/all/b.mdb");
    expect_problem(fixture, POST("/v1/backups", "{}"), 400, "invalid-field", "file", "missing");
    expect_problem(fixture, POST("/v1/backups?dry_run=true", body), 400, "invalid-parameter",
                   "dry_run", "dry_run");
}

static void a_backup_is_the_business_of_this_machine(void **state)
{
    const struct fixture *fixture = *state;
    char token[TOKEN_MAX];
    token_make(fixture, "{\"scope\": \"admin\"}", token);
    struct request post = *POST("/v1/backups", "{\"file\": \"/tmp/never.mdb\"}");
    expect_problem(fixture, as(token, &post), 403, "forbidden", "", "/v1/backups");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, filled_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entries_tell_who_changed_what),
        TEST(the_journal_comes_in_pages),
        TEST(what_was_trimmed_is_gone),
        TEST(events_begin_where_the_client_says),
        TEST(many_events_all_come),
        TEST(a_backup_is_a_file_that_was_not_there),
        TEST(a_backup_is_the_business_of_this_machine),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
