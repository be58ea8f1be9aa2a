/* What holds for every resource: methods, bodies, who may talk, and the socket itself. */
#include "tests/api/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void wrong_method_names_the_right_ones(void **state)
{
    const struct fixture *fixture = *state;
    struct response response;
    http(fixture, &(struct request){.method = "PATCH", .path = "/v1/domains/opa.example"},
         &response);
    assert_int_equal(response.status, 405);
    assert_string_equal(response.allow, "GET, PUT, DELETE");
    response_done(&response);
    expect_problem(fixture, GET("/v1/nothing"), 404, "no-such-resource", "", "/v1/nothing");
}

static void head_is_get_without_body(void **state)
{
    const struct fixture *fixture = *state;
    expect_status(fixture, POST("/v1/domains", OPA), 201);
    struct response response;
    http(fixture, &(struct request){.method = "HEAD", .path = "/v1/domains/opa.example"},
         &response);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.etag, "\"1\"");
    assert_null(response.json);
}

static void bodies_are_bounded(void **state)
{
    const struct fixture *fixture = *state;
    static char body[API_MAX_BODY + 2];
    memset(body, ' ', sizeof(body) - 1);
    memcpy(body, OPA, strlen(OPA));
    struct request chunked = *POST("/v1/domains", body);
    chunked.headers = "Transfer-Encoding: chunked";
    expect_problem(fixture, POST("/v1/domains", body), 413, "body-too-large", "", "65536");
    expect_problem(fixture, &chunked, 413, "body-too-large", "", "65536");
    assert_int_equal(last_sequence(fixture), 0);
    body[API_MAX_BODY] = '\0';
    expect_status(fixture, POST("/v1/domains", body), 201);
    expect_status(fixture, &chunked, 409);
}

/* Nothing of the body is ever sent: the announcement is enough. */
static void a_body_announced_too_large_is_not_awaited(void **state)
{
    const struct fixture *fixture = *state;
    static const char ask[] = "POST /v1/domains HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                              "Content-Type: application/json\r\nContent-Length: 65537\r\n\r\n";
    char line[16] = "";
    int fd = raw_connect(fixture, VIA_SOCKET, NULL);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, ask, sizeof(ask) - 1), sizeof(ask) - 1);
    assert_true(read(fd, line, sizeof(line) - 1) > 12);
    assert_memory_equal(line, "HTTP/1.1 413", 12);
    close(fd);
}

static void only_json_is_read(void **state)
{
    const struct fixture *fixture = *state;
    struct request request = *POST("/v1/domains", OPA);
    request.type = "application/x-www-form-urlencoded";
    expect_problem(fixture, &request, 415, "not-json", "Content-Type", "x-www-form-urlencoded");
    request.type = "application/jsonp";
    expect_status(fixture, &request, 415);
    assert_int_equal(last_sequence(fixture), 0);
    request.type = "Application/JSON ; charset=utf-8";
    expect_status(fixture, &request, 201);
}

static void only_utf8_is_read(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const bad[] = {
        "application/json; charset=utf-16", "application/json;charset=\"iso-8859-1\"",
        "application/json; x=y; CharSet = latin1", "application/json; charset",
        "application/json;charset=utf-8;charset=utf-7"};
    static const char *const good[] = {"application/json;", "application/json; charset=\"UTF-8\"",
                                       "application/json; x; y=charset ; charset=utf-8"};
    struct request request = *POST("/v1/domains", OPA);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        request.type = bad[i];
        expect_problem(fixture, &request, 415, "not-json", "Content-Type", "must be utf-8");
    }
    assert_int_equal(last_sequence(fixture), 0);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        request.type = good[i];
        expect_status(fixture, &request, i == 0 ? 201 : 409);
    }
}

static void a_host_is_named_once(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        const char *ask, *status;
    } table[] = {
        {"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "400"},
        {"GET /healthz HTTP/1.1\r\nConnection: close\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
        {"GET /healthz HTTP/1.1\r\nConnection: close\r\nHost:\r\n\r\n", "200"},
        {"GET /healthz HTTP/1.0\r\n\r\n", "200"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char answer[2000];
        int fd = raw_connect(fixture, VIA_SOCKET, NULL);
        raw_send(fd, table[i].ask);
        raw_drain(fd, answer, sizeof(answer));
        close(fd);
        if (strncmp(answer + strlen("HTTP/1.1 "), table[i].status, 3) != 0)
            fail_msg("%s is answered %s", table[i].ask, answer);
    }
}

static void health_is_answered(void **state)
{
    struct response response;
    http(*state, GET("/healthz"), &response);
    assert_int_equal(response.status, 200);
    assert_string_equal(text_of(response.json, "status"), "ok");
    response_done(&response);
}

/* ---- who may talk ---- */

static int stranger_connect(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&sun, sizeof(sun))) {
        close(fd);
        return -1;
    }
    return fd;
}

/* In a child without rights: the HTTP status that it is answered, or a small number that says how
 * far it got. */
static int stranger_ask(const char *path)
{
    char line[64] = "";
    if (setgid(65534) || setuid(65534))
        return 1;
    int fd = stranger_connect(path);
    if (fd < 0)
        return 2;
    static const char ask[] = "GET /v1/domains HTTP/1.1\r\nHost: x\r\n\r\n";
    if (write(fd, ask, sizeof(ask) - 1) != (ssize_t)sizeof(ask) - 1)
        return 3;
    if (read(fd, line, sizeof(line) - 1) < 12)
        return 4;
    close(fd);
    return atoi(line + strlen("HTTP/1.1 "));
}

/* Exit codes have 8 bits: the status less 300. */
static int stranger_status(const char *path)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(stranger_ask(path) - 300);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return (int)(signed char)WEXITSTATUS(status) + 300;
}

static void strangers_are_answered_403(void **state)
{
    const struct fixture *fixture = *state;
    if (geteuid() != 0)
        skip(); /* only root can become somebody else */
    assert_int_equal(chmod(fixture->socket, 0666), 0);
    assert_int_equal(stranger_status(fixture->socket), 403);
    expect_status(fixture, GET("/v1/domains"), 200);
}

static void the_group_may_talk(void **state)
{
    struct fixture *fixture = *state;
    if (geteuid() != 0)
        skip();
    api_stop(fixture->api);
    fixture->api = NULL;
    struct api_conf conf = {.socket = fixture->socket, .group = 65534, .mode = 0660};
    struct api_parts parts = {.store = fixture->store, .resolver = &fixture->resolver};
    char why[API_MAX_WHY];
    assert_int_equal(api_start(&conf, &parts, &fixture->api, why), 0);
    struct stat st;
    assert_int_equal(stat(fixture->socket, &st), 0);
    assert_int_equal(st.st_gid, 65534);
    assert_int_equal(stranger_status(fixture->socket) / 100, 2);
}

/* ---- the socket ---- */

static int start_at(const struct fixture *fixture, const char *path, mode_t mode, struct api **api,
                    char why[API_MAX_WHY])
{
    struct api_conf conf = {.socket = path, .group = (gid_t)-1, .mode = mode};
    struct api_parts parts = {.store = fixture->store, .resolver = &fixture->resolver};
    return api_start(&conf, &parts, api, why);
}

static void socket_is_for_owner_and_group_and_goes_away(void **state)
{
    struct fixture *fixture = *state;
    struct stat st;
    assert_int_equal(stat(fixture->socket, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    api_stop(fixture->api);
    assert_int_equal(stat(fixture->socket, &st), -1);
    char why[API_MAX_WHY];
    assert_int_equal(start_at(fixture, fixture->socket, 0600, &fixture->api, why), 0);
    assert_int_equal(stat(fixture->socket, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_live_socket_is_not_taken(void **state)
{
    const struct fixture *fixture = *state;
    char why[API_MAX_WHY] = "";
    struct api *second = NULL;
    assert_int_equal(start_at(fixture, fixture->socket, 0, &second, why), -EADDRINUSE);
    assert_null(second);
    assert_non_null(strstr(why, fixture->socket));
    assert_non_null(strstr(why, "a running daemon answers there"));
    expect_status(fixture, GET("/healthz"), 200);
}

static void a_dead_socket_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    api_stop(fixture->api);
    fixture->api = NULL;
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", fixture->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
    close(fd); /* as a killed daemon leaves it */
    fixture_start(fixture,
                  &(struct api_parts){.store = fixture->store, .resolver = &fixture->resolver});
    expect_status(fixture, GET("/healthz"), 200);
}

static void other_things_at_the_path_are_left_alone(void **state)
{
    const struct fixture *fixture = *state;
    char path[200], why[API_MAX_WHY] = "";
    struct api *api = NULL;
    snprintf(path, sizeof(path), "%s/file", fixture->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(start_at(fixture, path, 0, &api, why), -EEXIST);
    assert_non_null(strstr(why, path));
    assert_int_equal(access(path, F_OK), 0);
    snprintf(path, sizeof(path), "%s/nowhere/api.sock", fixture->folder);
    assert_int_equal(start_at(fixture, path, 0, &api, why), -ENOENT);
    assert_non_null(strstr(why, path));
    memset(path, 'x', 150);
    path[150] = '\0';
    assert_int_equal(start_at(fixture, path, 0, &api, why), -ENAMETOOLONG);
    assert_non_null(strstr(why, "150 bytes"));
    assert_null(api);
}

static void another_daemons_socket_is_not_removed(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(unlink(fixture->socket), 0);
    char why[API_MAX_WHY];
    struct api *second;
    assert_int_equal(start_at(fixture, fixture->socket, 0, &second, why), 0);
    api_stop(fixture->api);
    fixture->api = second;
    expect_status(fixture, GET("/healthz"), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wrong_method_names_the_right_ones),
        TEST(head_is_get_without_body),
        TEST(bodies_are_bounded),
        TEST(a_body_announced_too_large_is_not_awaited),
        TEST(only_json_is_read),
        TEST(only_utf8_is_read),
        TEST(a_host_is_named_once),
        TEST(health_is_answered),
        TEST(strangers_are_answered_403),
        TEST(the_group_may_talk),
        TEST(socket_is_for_owner_and_group_and_goes_away),
        TEST(a_live_socket_is_not_taken),
        TEST(a_dead_socket_is_replaced),
        TEST(other_things_at_the_path_are_left_alone),
        TEST(another_daemons_socket_is_not_removed),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
