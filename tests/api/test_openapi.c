/* The description of the API against the table of routes and the table of problems. */
#include "api/internal.h"
#include "api/openapi.h"

#include "tests/test.h"

#include "config.h"

#include <string.h>

#define PROBLEM_PREFIX "urn:junctor:problem:"

static json_t *document;

static int document_load(void **state)
{
    (void)state;
    json_error_t error;
    document = json_loadb(api_openapi_text, api_openapi_len, JSON_REJECT_DUPLICATES, &error);
    if (!document)
        print_error("openapi.json:%d: %s\n", error.line, error.text);
    return document ? 0 : -1;
}

static int document_free(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* {"$ref": "#/components/KIND/NAME"} -> what it names; anything else is itself. */
static const json_t *resolved(const json_t *object)
{
    char kind[32], name[64];
    const char *place = text_at(object, "$ref");
    if (!*place)
        return object;
    if (sscanf(place, "#/components/%31[a-zA-Z]/%63[a-zA-Z]", kind, name) != 2)
        fail_msg("%s: is no reference to a component", place);
    const json_t *components = json_object_get(document, "components");
    const json_t *found = json_object_get(json_object_get(components, kind), name);
    if (!found)
        fail_msg("%s: is not there", place);
    return found;
}

static const char *const methods[API_METHOD_COUNT] = {
    [API_GET] = "get",     [API_POST] = "post",     [API_PUT] = "put",
    [API_PATCH] = "patch", [API_DELETE] = "delete",
};

/* The operation of a route, or NULL. */
static const json_t *operation_of(const struct api_route *route)
{
    const json_t *path = json_object_get(json_object_get(document, "paths"), route->pattern);
    return json_object_get(path, methods[route->method]);
}

/* The parameter of an operation, its path's included, or NULL. */
static const json_t *parameter_of(const struct api_route *route, const char *in, const char *name)
{
    const json_t *path = json_object_get(json_object_get(document, "paths"), route->pattern);
    const json_t *lists[] = {json_object_get(path, "parameters"),
                             json_object_get(operation_of(route), "parameters")};
    size_t i;
    const json_t *item;
    for (size_t list = 0; list < COUNT_OF(lists); list++) {
        json_array_foreach(lists[list], i, item)
        {
            const json_t *found = resolved(item);
            if (strcmp(text_at(found, "in"), in) == 0 &&
                (!name || strcmp(text_at(found, "name"), name) == 0))
                return found;
        }
    }
    return NULL;
}

typedef void route_check_h(const struct api_route *route);

static void each_route(route_check_h *check)
{
    const struct api_route *route;
    size_t count = 0;
    for (; (route = api_route_at(count)) != NULL; count++) {
        if (!operation_of(route))
            fail_msg("%s %s: is not described", methods[route->method], route->pattern);
        check(route);
    }
    assert_true(count > 0);
}

/* ---- what the routes must find in the document ---- */

static void it_is_of_this_version_and_in_ascii(void **state)
{
    (void)state;
    assert_string_equal(text_at(document, "openapi"), "3.1.0");
    assert_string_equal(text_at(json_object_get(document, "info"), "version"), PACKAGE_VERSION);
    assert_int_equal(strlen(api_openapi_text), api_openapi_len);
    for (size_t i = 0; i < api_openapi_len; i++)
        assert_true((unsigned char)api_openapi_text[i] < 0x80);
}

static bool route_exists(const char *method, const char *pattern)
{
    const struct api_route *route;
    for (size_t i = 0; (route = api_route_at(i)) != NULL; i++)
        if (strcmp(methods[route->method], method) == 0 && strcmp(route->pattern, pattern) == 0)
            return true;
    return false;
}

static void what_is_described_is_a_route(void **state)
{
    (void)state;
    const char *pattern, *method;
    json_t *path, *operation;
    json_object_foreach(json_object_get(document, "paths"), pattern, path)
    {
        json_object_foreach(path, method, operation)
        {
            if (strcmp(method, "parameters") != 0 && !route_exists(method, pattern))
                fail_msg("%s %s: is described, but no route", method, pattern);
        }
    }
}

static void has_an_id_and_answers(const struct api_route *route)
{
    const json_t *operation = operation_of(route);
    assert_string_not_equal(text_at(operation, "operationId"), "");
    assert_string_not_equal(text_at(operation, "summary"), "");
    assert_true(json_object_size(json_object_get(operation, "responses")) > 1);
}

static void each_route_is_described(void **state)
{
    (void)state;
    each_route(has_an_id_and_answers);
}

static void has_its_path_parameter(const struct api_route *route)
{
    const json_t *parameter = parameter_of(route, "path", NULL);
    const char *brace = strchr(route->pattern, '{');
    if (!brace) {
        assert_null(parameter);
        return;
    }
    const char *name = text_at(parameter, "name");
    assert_int_equal(strcspn(brace + 1, "}"), strlen(name));
    assert_memory_equal(brace + 1, name, strlen(name));
    assert_true(json_is_true(json_object_get(parameter, "required")));
}

static void path_parameters_agree(void **state)
{
    (void)state;
    each_route(has_its_path_parameter);
}

static bool takes(const struct api_route *route, const char *name)
{
    if (strcmp(name, "dry_run") == 0)
        return api_route_writes(route) && !(route->scopes & API_NO_DRY_RUN);
    return api_route_has_arg(route, name);
}

static void has_its_query_parameters(const struct api_route *route)
{
    char args[256], *rest = args;
    snprintf(args, sizeof(args), "%s%s", route->args, takes(route, "dry_run") ? " dry_run" : "");
    for (const char *name; (name = strtok_r(rest, " ", &rest)) != NULL;)
        if (!parameter_of(route, "query", name))
            fail_msg("%s %s: %s is not described", methods[route->method], route->pattern, name);
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(operation_of(route), "parameters"), i, item)
    {
        const json_t *parameter = resolved(item);
        const char *name = text_at(parameter, "name");
        if (strcmp(text_at(parameter, "in"), "query") == 0 && !takes(route, name))
            fail_msg("%s %s: %s is no parameter", methods[route->method], route->pattern, name);
    }
}

static void query_parameters_agree(void **state)
{
    (void)state;
    each_route(has_its_query_parameters);
}

static void has_its_headers(const struct api_route *route)
{
    bool conditional = route->method != API_GET && route->method != API_POST;
    bool repeatable = route->method == API_POST && !(route->scopes & API_LOCAL);
    assert_int_equal(parameter_of(route, "header", "If-Match") != NULL, conditional);
    assert_int_equal(parameter_of(route, "header", "Idempotency-Key") != NULL, repeatable);
}

static void preconditions_and_keys_are_described(void **state)
{
    (void)state;
    each_route(has_its_headers);
}

static unsigned scope_of(const char *name)
{
    static const struct {
        const char *name;
        unsigned bit;
    } table[] = {{"admin", API_ADMIN}, {"operator", API_OPERATOR}, {"user", API_USER}};
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].bit;
    fail_msg("%s: is no scope", name);
    return 0;
}

/* No requirement: anyone, or the Unix socket alone. Else each requirement is one scope. */
static void has_its_scopes(const struct api_route *route)
{
    const json_t *operation = operation_of(route);
    const json_t *requirements = json_object_get(operation, "security");
    bool local = json_is_true(json_object_get(operation, "x-junctor-local"));
    unsigned scopes = 0;
    assert_true(json_is_array(requirements));
    size_t i;
    json_t *requirement;
    json_array_foreach(requirements, i, requirement)
    {
        const json_t *roles = json_object_get(requirement, "bearer");
        assert_int_equal(json_array_size(roles), 1);
        scopes |= scope_of(json_string_value(json_array_get(roles, 0)));
    }
    if (scopes == 0)
        scopes = local ? API_LOCAL : API_ANYONE;
    if (json_is_true(json_object_get(operation, "x-junctor-health-listener")))
        scopes |= API_HEALTH;
    if (scopes != (route->scopes & (API_ALL | API_LOCAL | API_ANYONE | API_HEALTH)))
        fail_msg("%s %s: scopes 0x%x, described 0x%x", methods[route->method], route->pattern,
                 route->scopes, scopes);
}

static void scopes_agree(void **state)
{
    (void)state;
    each_route(has_its_scopes);
}

/* ---- problems ---- */

static const json_t *problem_types(void)
{
    const json_t *components = json_object_get(document, "components");
    const json_t *problem = json_object_get(json_object_get(components, "schemas"), "Problem");
    const json_t *type = json_object_get(json_object_get(problem, "properties"), "type");
    return json_object_get(type, "enum");
}

static void each_problem_type_is_described(void **state)
{
    (void)state;
#define PROBLEM_TYPE(name, status, type, title) PROBLEM_PREFIX type,
    static const char *const types[] = {API_PROBLEM_LIST(PROBLEM_TYPE)};
#undef PROBLEM_TYPE
    const json_t *described = problem_types();
    assert_int_equal(json_array_size(described), COUNT_OF(types));
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        size_t at;
        const json_t *item;
        bool found = false;
        json_array_foreach(described, at, item) found =
            found || strcmp(json_string_value(item), types[i]) == 0;
        if (!found)
            fail_msg("%s: is not described", types[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_of_this_version_and_in_ascii),
        cmocka_unit_test(each_route_is_described),
        cmocka_unit_test(what_is_described_is_a_route),
        cmocka_unit_test(path_parameters_agree),
        cmocka_unit_test(query_parameters_agree),
        cmocka_unit_test(preconditions_and_keys_are_described),
        cmocka_unit_test(scopes_agree),
        cmocka_unit_test(each_problem_type_is_described),
    };
    return cmocka_run_group_tests(tests, document_load, document_free);
}
