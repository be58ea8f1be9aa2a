#include "api/json.h"

#include <stdio.h>

static const char *type_text(json_type type)
{
    switch (type) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        return "null";
    }
    return "nothing known";
}

int api_json_parse(struct slice bytes, json_t **object, struct api_problem *problem)
{
    if (bytes.len == 0)
        return api_problem_set(problem, API_PROBLEM_MALFORMED, NULL, "the body is empty");
    json_error_t error;
    json_t *json = json_loadb(bytes.p, bytes.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!json)
        return api_problem_set(problem, API_PROBLEM_MALFORMED, NULL, "line %d, column %d: %s",
                               error.line, error.column, error.text);
    if (!json_is_object(json)) {
        const char *is = type_text(json_typeof(json));
        json_decref(json);
        return api_problem_set(problem, API_PROBLEM_MALFORMED, NULL,
                               "the body is %s; it must be an object", is);
    }
    *object = json;
    return 0;
}

static const struct api_field *field_find(const struct api_field *fields, size_t count,
                                          const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

int api_json_check(json_t *object, const struct api_field *fields, size_t count,
                   struct api_problem *problem)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        const struct api_field *field = field_find(fields, count, name);
        if (!field)
            return api_problem_set(problem, API_PROBLEM_FIELD, name,
                                   "%s: there is no such field here", name);
        if (json_typeof(value) != field->type)
            return api_problem_set(problem, API_PROBLEM_FIELD, name, "%s: is %s; it must be %s",
                                   name, type_text(json_typeof(value)), type_text(field->type));
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].required && !json_object_get(object, fields[i].name))
            return api_problem_set(problem, API_PROBLEM_FIELD, fields[i].name,
                                   "%s: the field is missing", fields[i].name);
    return 0;
}
