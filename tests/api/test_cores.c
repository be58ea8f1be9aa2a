#include "tests/api/client.h"

#include "resolver/resolver.h"
#include "tests/test.h"

#include <string.h>
#include <unistd.h>

/* What an edge would know of four next hops; the API never looks into an edge. */
static size_t cores_tell(struct edge *edge, struct core_view *cores, size_t max)
{
    static const enum core_state states[] = {CORE_UP, CORE_DOWN, CORE_UNKNOWN, CORE_UNKNOWN};
    (void)edge;
    assert_true(max >= COUNT_OF(states));
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        struct core_view *core = &cores[i];
        *core = (struct core_view){.domain = "opa.example",
                                   .domains = (unsigned)i + 1,
                                   .core = {.host = "core.opa.example", .transport = RESOLVER_ANY},
                                   .transport = RESOLVER_TCP,
                                   .state = states[i]};
        if (i < 3)
            netaddr_from_ip(&core->addr, i ? SLICE("2001:db8::1") : SLICE("192.0.2.1"), 5070);
    }
    cores[0].status = 404;
    cores[0].since_ms = 1000;
    snprintf(cores[1].why, CORE_WHY_MAX, "no answer in time");
    snprintf(cores[3].why, CORE_WHY_MAX, "core.opa.example: there is no such name");
    return COUNT_OF(states);
}

static void edge_set(struct fixture *fixture)
{
    api_stop(fixture->api);
    fixture->api = NULL;
    fixture_start(fixture, &(struct api_parts){.store = fixture->store,
                                               .resolver = &fixture->resolver,
                                               .edge = (struct edge *)fixture,
                                               .cores_get = cores_tell});
}

static void cores_are_told_as_the_edge_knows_them(void **state)
{
    struct fixture *fixture = *state;
    struct response response;
    edge_set(fixture);
    http(fixture, &(struct request){.method = "GET", .path = "/v1/cores"}, &response);
    assert_int_equal(response.status, 200);
    json_t *list = json_object_get(response.json, "cores");
    assert_int_equal(json_array_size(list), 4);
    const json_t *up = json_array_get(list, 0), *down = json_array_get(list, 1),
                 *lost = json_array_get(list, 3);
    assert_string_equal(text_of(up, "core"), "sip:core.opa.example");
    assert_string_equal(text_of(up, "address"), "192.0.2.1:5070");
    assert_string_equal(text_of(up, "transport"), "tcp");
    assert_string_equal(text_of(up, "state"), "up");
    assert_string_equal(text_of(up, "since"), "1970-01-01T00:00:01.000000Z");
    assert_int_equal(json_integer_value(json_object_get(up, "answer")), 404);
    assert_true(json_is_null(json_object_get(up, "why")));
    assert_string_equal(text_of(down, "state"), "down");
    assert_string_equal(text_of(down, "why"), "no answer in time");
    assert_true(json_is_null(json_object_get(down, "answer")));
    assert_string_equal(text_of(lost, "state"), "unknown");
    assert_true(json_is_null(json_object_get(lost, "address")));
    response_done(&response);
}

static void those_that_are_asked_are_metrics(void **state)
{
    static char text[1 << 20];
    struct fixture *fixture = *state;
    edge_set(fixture);
    int fd = raw_connect(fixture, VIA_SOCKET, NULL);
    raw_send(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    size_t len = raw_drain(fd, text, sizeof(text) - 1);
    assert_true(len > 0 && len < sizeof(text));
    text[len] = '\0';
    close(fd);
    assert_non_null(strstr(text, "junctor_core_up{domain=\"opa.example\",core=\"core.opa.example\","
                                 "address=\"192.0.2.1:5070\",transport=\"tcp\"} 1\n"));
    assert_non_null(strstr(text, "address=\"[2001:db8::1]:5070\",transport=\"tcp\"} 0\n"));
    assert_null(strstr(text, "junctor_core_up{domain=\"opa.example\",core=\"core.opa.example\","
                             "address=\"none\""));
}

static void without_an_edge_there_are_none(void **state)
{
    struct fixture *fixture = *state;
    struct response response;
    http(fixture, &(struct request){.method = "GET", .path = "/v1/cores"}, &response);
    assert_int_equal(response.status, 200);
    assert_int_equal(json_array_size(json_object_get(response.json, "cores")), 0);
    response_done(&response);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cores_are_told_as_the_edge_knows_them),
        TEST(those_that_are_asked_are_metrics),
        TEST(without_an_edge_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
