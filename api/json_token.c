#include "api/json.h"

#include <errno.h>

static const char *const scope_names[] = {
    [STORE_SCOPE_ADMIN] = "admin",
    [STORE_SCOPE_OPERATOR] = "operator",
    [STORE_SCOPE_USER] = "user",
};
#define SCOPE_COUNT (sizeof(scope_names) / sizeof(scope_names[0]))

const char *api_scope_text(enum store_scope scope)
{
    return scope_names[scope];
}

/* Only the scope that a field is about has it, and that one needs it. */
static int scope_check(const json_t *object, const char *name, enum store_scope scope,
                       enum store_scope needs, struct api_problem *problem)
{
    bool is_there = json_object_get(object, name) != NULL;
    if (is_there == (scope == needs))
        return 0;
    return api_problem_set(problem, API_PROBLEM_FIELD, name,
                           is_there ? "%s: is for tokens of the scope %s only"
                                    : "%s: a token of the scope %s needs it",
                           name, scope_names[needs]);
}

static int domains_decode(const json_t *array, struct store_token *token,
                          struct api_problem *problem)
{
    size_t count = json_array_size(array);
    if (array && (count == 0 || count > STORE_TOKEN_DOMAINS_MAX))
        return api_problem_set(problem, API_PROBLEM_FIELD, "domains",
                               "domains: there are %zu; a token has 1 to %d", count,
                               STORE_TOKEN_DOMAINS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        char field[API_FIELD_MAX];
        struct store_fault fault;
        if (api_json_item(array, "domains", i, &text, field, problem))
            return -EPROTO;
        if (store_domain_canonical(text, token->domains[i], &fault))
            return api_problem_set(problem, API_PROBLEM_FIELD, field, "%.*s: %s", SLICE_ARG(text),
                                   fault.text);
        for (size_t k = 0; k < i; k++)
            if (strcmp(token->domains[k], token->domains[i]) == 0)
                return api_problem_set(problem, API_PROBLEM_FIELD, field,
                                       "%s: %s stands there twice", field, token->domains[i]);
    }
    token->domain_count = (unsigned)count;
    return 0;
}

static int until_decode(const json_t *object, uint64_t now_ms, uint64_t *until_ms,
                        struct api_problem *problem)
{
    unsigned days;
    if (json_object_get(object, "until") && json_object_get(object, "days"))
        return api_problem_set(problem, API_PROBLEM_FIELD, "days",
                               "days: only one of until and days may stand there");
    if (json_object_get(object, "days")) {
        if (api_json_number(object, "days", 1, API_TOKEN_DAYS_MAX, 0, &days, problem))
            return -EPROTO;
        *until_ms = now_ms + days * API_DAY_MS;
        return 0;
    }
    if (!json_is_string(json_object_get(object, "until")))
        return 0;
    if (api_time_decode(api_json_text(object, "until"), "until", until_ms, problem))
        return -EPROTO;
    if (*until_ms <= now_ms)
        return api_problem_set(problem, API_PROBLEM_FIELD, "until", "until: is in the past");
    return 0;
}

int api_token_decode(const json_t *object, uint64_t now_ms, struct store_token *token,
                     struct api_problem *problem)
{
    static const struct api_field fields[] = {
        {"scope", JSON_STRING, API_REQUIRED},
        {"owner", JSON_STRING, 0},
        {"domains", JSON_ARRAY, 0},
        {"note", JSON_STRING, 0},
        {"until", JSON_STRING, API_NULLABLE},
        {"days", JSON_INTEGER, 0},
        {NULL, JSON_NULL, 0},
    };
    struct store_token result = {.version = 0};
    size_t scope = STORE_SCOPE_USER;
    if (api_json_check(object, fields, false, problem) ||
        api_json_choice(object, "scope", scope_names, SCOPE_COUNT, &scope, problem))
        return -EPROTO;
    result.scope = (enum store_scope)scope;
    if (scope_check(object, "owner", result.scope, STORE_SCOPE_USER, problem) ||
        scope_check(object, "domains", result.scope, STORE_SCOPE_OPERATOR, problem) ||
        api_owner_decode(object, result.owner, problem) ||
        domains_decode(json_object_get(object, "domains"), &result, problem) ||
        api_json_note(object, "note", result.note, sizeof(result.note), problem) ||
        until_decode(object, now_ms, &result.until_ms, problem))
        return -EPROTO;
    *token = result;
    return 0;
}

json_t *api_names_encode(const char names[][STORE_DOMAIN_MAX + 1], size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, json_string(names[i]))) {
            json_decref(array);
            return NULL;
        }
    return array;
}

json_t *api_token_encode(const struct store_token *token)
{
    json_t *json =
        json_pack("{s:s, s:s, s:s?, s:o, s:s, s:o}", "id", token->id, "scope",
                  scope_names[token->scope], "owner", *token->owner ? token->owner : NULL,
                  "domains", api_names_encode(token->domains, token->domain_count), "note",
                  token->note, "until", api_time_encode(token->until_ms));
    return api_json_stamp(json, token->created_ms, token->version);
}
