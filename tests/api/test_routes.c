#include "api/records.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

static void each_path_finds_its_handler(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        api_handler_h *handler;
        const char *param;
        const struct api_kind *kind;
    } table[] = {
        {"GET", "/v1/domains", api_records_get, "", &api_kind_domain},
        {"HEAD", "/v1/domains", api_records_get, "", &api_kind_domain},
        {"POST", "/v1/domains", api_domain_post, "", NULL},
        {"GET", "/v1/domains/opa.example", api_record_get, "opa.example", &api_kind_domain},
        {"PUT", "/v1/domains/opa.example", api_record_put, "opa.example", &api_kind_domain},
        {"DELETE", "/v1/domains/opa.example", api_record_delete, "opa.example", &api_kind_domain},
        {"GET", "/v1/addresses", api_addresses_get, "", NULL},
        {"POST", "/v1/addresses", api_address_post, "", NULL},
        {"GET", "/v1/addresses/bob%40opb.example", api_record_get, "bob@opb.example",
         &api_kind_address},
        {"PATCH", "/v1/addresses/bob@opb.example", api_address_patch, "bob@opb.example", NULL},
        {"DELETE", "/v1/addresses/a%2Fb%2525@opb.example", api_address_delete, "a/b%25@opb.example",
         NULL},
        {"POST", "/v1/addresses/bob@opb.example/auth-code", api_auth_code_post, "bob@opb.example",
         NULL},
        {"GET", "/v1/numbers/+4930", api_record_get, "+4930", &api_kind_number},
        {"DELETE", "/v1/bans/2001:db8::%2F32", api_ban_delete, "2001:db8::/32", NULL},
        {"GET", "/v1/cursors/x", api_record_get, "x", &api_kind_cursor},
        {"GET", "/v1/journal/events", api_events_get, "", NULL},
        {"GET", "/v1/route/%2B43@opb.example", api_walk_get, "+43@opb.example", NULL},
        {"GET", "/v1/status", api_status_get, "", NULL},
        {"GET", "/healthz", api_health_get, "", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct api_route *route;
        char param[API_MAX_PARAM];
        struct api_problem problem;
        if (api_route_find(table[i].method, table[i].path, &route, param, &problem))
            fail_msg("%s %s: %s", table[i].method, table[i].path, problem.detail);
        assert_ptr_equal(route->handler, table[i].handler);
        assert_ptr_equal(route->kind, table[i].kind);
        assert_string_equal(param, table[i].param);
    }
}

static void wrong_paths_and_methods_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        enum api_problem_kind kind;
    } table[] = {
        {"GET", "/", API_PROBLEM_NO_RESOURCE},
        {"GET", "", API_PROBLEM_NO_RESOURCE},
        {"GET", "/v1", API_PROBLEM_NO_RESOURCE},
        {"GET", "/v1/domains/", API_PROBLEM_NO_RESOURCE},
        {"GET", "/v1/domainsx", API_PROBLEM_NO_RESOURCE},
        {"GET", "/v1/domains/opa.example/x", API_PROBLEM_NO_RESOURCE},
        {"GET", "/v1/domains/../status", API_PROBLEM_NO_RESOURCE},
        {"GET", "/v2/domains", API_PROBLEM_NO_RESOURCE},
        {"GET", "/v1/addresses/a/b@opb.example", API_PROBLEM_NO_RESOURCE},
        {"PUT", "/v1/domains", API_PROBLEM_METHOD},
        {"PATCH", "/v1/domains/opa.example", API_PROBLEM_METHOD},
        {"get", "/v1/status", API_PROBLEM_METHOD},
        {"PUT", "/v1/addresses/bob@opb.example", API_PROBLEM_METHOD},
        {"GET", "/v1/addresses/bob%4", API_PROBLEM_PARAMETER},
        {"GET", "/v1/addresses/bob%zz", API_PROBLEM_PARAMETER},
        {"GET", "/v1/addresses/bob%00@opb.example", API_PROBLEM_PARAMETER},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct api_route *route;
        char param[API_MAX_PARAM];
        struct api_problem problem;
        if (!api_route_find(table[i].method, table[i].path, &route, param, &problem))
            fail_msg("%s %s: is found", table[i].method, table[i].path);
        assert_int_equal(problem.kind, table[i].kind);
    }
}

static void parameters_too_long_are_refused(void **state)
{
    (void)state;
    char path[API_MAX_PARAM + 64] = "/v1/domains/", param[API_MAX_PARAM];
    const struct api_route *route;
    struct api_problem problem;
    memset(path + strlen(path), 'a', API_MAX_PARAM - 1);
    assert_int_equal(api_route_find("GET", path, &route, param, &problem), 0);
    assert_int_equal(strlen(param), API_MAX_PARAM - 1);
    path[strlen(path)] = 'a'; /* the rest is zero */
    assert_int_equal(api_route_find("GET", path, &route, param, &problem), -EPROTO);
    assert_int_equal(problem.kind, API_PROBLEM_PARAMETER);
}

static void methods_of_a_path_are_listed(void **state)
{
    (void)state;
    char text[40];
    assert_string_equal(api_route_methods("/v1/domains", text), "GET, POST");
    assert_string_equal(api_route_methods("/v1/domains/x", text), "GET, PUT, DELETE");
    assert_string_equal(api_route_methods("/v1/addresses/x", text), "GET, PATCH, DELETE");
    assert_string_equal(api_route_methods("/nothing", text), "");
}

static void query_parameters_are_whole_words(void **state)
{
    (void)state;
    const struct api_route route = {.args = "domain cursor limit"};
    assert_true(api_route_has_arg(&route, "domain"));
    assert_true(api_route_has_arg(&route, "cursor"));
    assert_true(api_route_has_arg(&route, "limit"));
    assert_false(api_route_has_arg(&route, "lim"));
    assert_false(api_route_has_arg(&route, "omain"));
    assert_false(api_route_has_arg(&route, ""));
    assert_false(api_route_has_arg(&route, "domain cursor"));
    const struct api_route none = {.args = ""};
    assert_false(api_route_has_arg(&none, "domain"));
}

static void escape_and_unescape_are_inverse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *escaped;
    } table[] = {
        {"bob@opb.example", "bob%40opb.example"},
        {"a/b?c#d%25+e&f", "a%2Fb%3Fc%23d%2525%2Be%26f"},
        {"-._~AZaz09", "-._~AZaz09"},
        {"\xc3\xbc", "%C3%BC"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char out[64];
        assert_string_equal(api_url_escape(table[i].text, out, sizeof(out)), table[i].escaped);
        assert_int_equal(api_url_unescape(table[i].escaped, out, sizeof(out)), 0);
        assert_string_equal(out, table[i].text);
    }
    char small[7];
    assert_string_equal(api_url_escape("@@@", small, sizeof(small)), "%40%40");
}

static void only_root_self_and_the_group_may_talk(void **state)
{
    (void)state;
    static const gid_t groups[] = {7, 50};
    static const struct {
        struct api_peer peer;
        gid_t group;
        bool may;
    } table[] = {
        {{.uid = 0, .gid = 0}, (gid_t)-1, true},
        {{.uid = 1000, .gid = 5}, (gid_t)-1, true}, /* the daemon's own user */
        {{.uid = 1001, .gid = 1000}, (gid_t)-1, false},
        {{.uid = 1001, .gid = 50}, 50, true},
        {{.uid = 1001, .gid = 51}, 50, false},
        {{.uid = 1001, .gid = 51, .groups = groups, .group_count = 2}, 50, true},
        {{.uid = 1001, .gid = 51, .groups = groups, .group_count = 1}, 50, false},
        {{.uid = 1001, .gid = (gid_t)-1}, (gid_t)-1, false},
        {{.uid = (uid_t)-1, .gid = 51}, 50, false},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++)
        assert_int_equal(api_peer_may_talk(&table[i].peer, 1000, table[i].group), table[i].may);
}

static void command_id_depends_on_every_part(void **state)
{
    (void)state;
    static const struct api_call calls[] = {
        {.actor = "uid:0", .method = "POST", .path = "/v1/domains", .idempotency_key = "k"},
        {.actor = "uid:1", .method = "POST", .path = "/v1/domains", .idempotency_key = "k"},
        {.actor = "uid:0", .method = "PUT", .path = "/v1/domains", .idempotency_key = "k"},
        {.actor = "uid:0", .method = "POST", .path = "/v1/addresses", .idempotency_key = "k"},
        {.actor = "uid:0", .method = "POST", .path = "/v1/domains", .idempotency_key = "l"},
        {.actor = "uid:0", .method = "POST", .path = "/v1/domain", .idempotency_key = "sk"},
    };
    uint8_t ids[COUNT_OF(calls)][32], again[32];
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        assert_int_equal(api_command_id(&calls[i], ids[i]), 0);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(ids[i], ids[j], 32);
    }
    assert_int_equal(api_command_id(&calls[0], again), 0);
    assert_memory_equal(ids[0], again, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_finds_its_handler),
        cmocka_unit_test(wrong_paths_and_methods_are_told_apart),
        cmocka_unit_test(parameters_too_long_are_refused),
        cmocka_unit_test(methods_of_a_path_are_listed),
        cmocka_unit_test(query_parameters_are_whole_words),
        cmocka_unit_test(escape_and_unescape_are_inverse),
        cmocka_unit_test(only_root_self_and_the_group_may_talk),
        cmocka_unit_test(command_id_depends_on_every_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
