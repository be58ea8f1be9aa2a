/* GET /v1/dns/records/{domain}. */
#include "tests/api/client.h"

#include <stdio.h>
#include <string.h>

static const struct zone_conf at_edge = {
    .ttl_s = 3600,
    .address_ttl_s = 300,
    .address_records = true,
    .targets = {{.host = "edge.opa.example", .port = 5061}},
    .target_count = 1,
    .keys = {{0x11}},
    .key_count = 1,
};

static int setup(void **state)
{
    if (fixture_setup(state))
        return -1;
    const struct fixture *fixture = *state;
    if (api_zone_set(fixture->api, &at_edge))
        return -1;
    expect_status(fixture, POST("/v1/domains", OPA), 201);
    return 0;
}

static void add_addresses(const struct fixture *fixture, const char *users, const char *hosting)
{
    for (const char *user = users; *user; user++) {
        char body[200];
        snprintf(body, sizeof(body), "{\"address\": \"%c@opa.example\", \"hosting\": \"%s\"}",
                 *user, hosting);
        expect_status(fixture, POST("/v1/addresses", body), 201);
    }
}

static void assert_record(const json_t *records, size_t i, const char *name, const char *type,
                          json_int_t ttl, const char *data)
{
    const json_t *record = json_array_get(records, i);
    assert_non_null(record);
    assert_string_equal(text_of(record, "name"), name);
    assert_string_equal(text_of(record, "type"), type);
    assert_int_equal(json_integer_value(json_object_get(record, "ttl")), ttl);
    assert_string_equal(text_of(record, "data"), data);
    assert_int_equal(json_object_size(record), 4);
}

static void the_records_are_those_of_the_domain(void **state)
{
    struct fixture *fixture = *state;
    struct response response;
    add_addresses(fixture, "x", "opc.example");
    http(fixture, GET("/v1/dns/records/OPA.example"), &response);
    assert_int_equal(response.status, 200);
    const json_t *records = json_object_get(response.json, "records");
    assert_int_equal(json_array_size(records), 5);
    assert_record(records, 0, "opa.example", "NAPTR", 3600,
                  "10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.opa.example.");
    assert_record(records, 1, "_sips._tcp.opa.example", "SRV", 3600,
                  "10 10 5061 edge.opa.example.");
    assert_record(records, 2, "_sipaddr.opa.example", "TXT", 3600, "\"v=sipaddr1\"");
    assert_record(records, 3, "_5061._tcp.edge.opa.example", "TLSA", 3600,
                  "3 1 1 "
                  "1100000000000000000000000000000000000000000000000000000000000000");
    assert_record(records, 4,
                  "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717._sipaddr.opa.example",
                  "NAPTR", 300, "10 10 \"\" \"SIP+host\" \"\" opc.example.");
    assert_true(json_is_null(json_object_get(response.json, "next")));
    response_done(&response);
}

/* Follows `next` to the end; returns how many records there were on pages after the first. */
static size_t pages_follow(const struct fixture *fixture, const char *limit, size_t *first)
{
    char path[400] = "/v1/dns/records/opa.example?limit=";
    size_t count = 0;
    *first = 0;
    snprintf(path + strlen(path), 8, "%s", limit);
    for (;;) {
        struct response response;
        http(fixture, GET(path), &response);
        assert_int_equal(response.status, 200);
        size_t here = json_array_size(json_object_get(response.json, "records"));
        *(*first == 0 ? first : &count) += here;
        const char *next = json_string_value(json_object_get(response.json, "next"));
        snprintf(path, sizeof(path), "/v1/dns/records/opa.example?limit=%s&cursor=%s", limit,
                 next ? next : "");
        bool is_last = !next;
        response_done(&response);
        if (is_last)
            return count;
    }
}

static void pages_have_all_of_them_once(void **state)
{
    struct fixture *fixture = *state;
    size_t first;
    add_addresses(fixture, "abcdefg", "opc.example");
    add_addresses(fixture, "hijk", "opa.example"); /* served here: no records */
    assert_int_equal(pages_follow(fixture, "100", &first), 0);
    assert_int_equal(first, 4 + 7);
    assert_int_equal(pages_follow(fixture, "6", &first), 5);
    assert_int_equal(first, 4 + 2);
    /* the records of the domain itself stay together, and the walk goes on all the same */
    assert_int_equal(pages_follow(fixture, "1", &first), 6);
    assert_int_equal(first, 4 + 1);
}

static const char *warning_of(const struct fixture *fixture, const char *path,
                              struct response *response)
{
    http(fixture, GET(path), response);
    assert_int_equal(response->status, 200);
    const json_t *warnings = json_object_get(response->json, "warnings");
    const char *text = json_string_value(json_array_get(warnings, 0));
    return text ? text : "";
}

static void what_the_configuration_lacks_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct zone_conf zone = at_edge;
    struct response response;
    assert_non_null(strstr(warning_of(fixture, "/v1/dns/records/opa.example", &response),
                           "edge.opa.example: its IP addresses are not known"));
    response_done(&response);
    zone.target_count = 0;
    assert_int_equal(api_zone_set(fixture->api, &zone), 0);
    assert_non_null(strstr(warning_of(fixture, "/v1/dns/records/opa.example", &response),
                           "no outside listener is known by a host name"));
    response_done(&response);
    struct netaddr addr;
    assert_int_equal(netaddr_from_ip(&addr, SLICE("192.0.2.1"), 0), 0);
    assert_int_equal(zone_target_add(&zone, "edge.net.example", 5061, &addr, 1), 0);
    assert_int_equal(api_zone_set(fixture->api, &zone), 0);
    assert_non_null(strstr(warning_of(fixture, "/v1/dns/records/opa.example", &response),
                           "edge.net.example: is in none of our domains"));
    response_done(&response);
    assert_string_equal(warning_of(fixture, "/v1/dns/records/net.example", &response), "");
    response_done(&response);
}

static void bad_requests_are_refused(void **state)
{
    struct fixture *fixture = *state;
    expect_problem(fixture, GET("/v1/dns/records/a%20b"), 400, "invalid-parameter", "domain",
                   "a b: ");
    expect_problem(fixture, GET("/v1/dns/records/none.example"), 404, "no-such-record", "",
                   "none.example");
    expect_problem(fixture, GET("/v1/dns/records/none.example?cursor=a@none.example"), 404,
                   "no-such-record", "", "none.example");
    expect_problem(fixture, GET("/v1/dns/records/opa.example?cursor=x"), 400, "invalid-parameter",
                   "cursor", "cursor: ");
    expect_problem(fixture, GET("/v1/dns/records/opa.example?cursor=a@opb.example"), 400,
                   "invalid-parameter", "cursor", "cursor: ");
    expect_problem(fixture, GET("/v1/dns/records/opa.example?limit=0"), 400, "invalid-parameter",
                   "limit", "limit: ");
    static const char long_domain[] =
        "{\"cores\": [\"sip:127.0.0.1\"], \"name\": "
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}";
    char path[400] = "/v1/dns/records/";
    expect_status(fixture, POST("/v1/domains", long_domain), 201);
    const char *begin = strstr(long_domain, "\"aaa") + 1;
    snprintf(path + strlen(path), sizeof(path) - strlen(path), "%.*s", (int)strcspn(begin, "\""),
             begin);
    expect_problem(fixture, GET(path), 400, "invalid-parameter", "domain", "longer than the 253");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_records_are_those_of_the_domain, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(pages_have_all_of_them_once, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_the_configuration_lacks_is_told, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(bad_requests_are_refused, setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
