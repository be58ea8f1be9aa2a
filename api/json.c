#include "api/json.h"

#include "base/log.h"
#include "base/utf8.h"

#include <stdio.h>
#include <time.h>

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

/* The parser's words, but where they are those of its own options. */
static const char *fault_text(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "\\u0000 is not allowed in a text";
    default:
        return error->text;
    }
}

int api_json_parse(struct slice bytes, json_t **object, struct api_problem *problem)
{
    if (bytes.len == 0)
        return api_problem_set(problem, API_PROBLEM_MALFORMED, NULL, "the body is empty");
    json_error_t error;
    json_t *json = json_loadb(bytes.p, bytes.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!json)
        return api_problem_set(problem, API_PROBLEM_MALFORMED, NULL, "line %d, column %d: %s",
                               error.line, error.column, fault_text(&error));
    if (!json_is_object(json)) {
        const char *is = type_text(json_typeof(json));
        json_decref(json);
        return api_problem_set(problem, API_PROBLEM_MALFORMED, NULL,
                               "the body is %s; it must be an object", is);
    }
    *object = json;
    return 0;
}

/* ---- fields ---- */

static const struct api_field *field_find(const struct api_field *fields, const char *name,
                                          bool is_put)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0 && (is_put || !(fields->flags & API_PRINTED)))
            return fields;
    return NULL;
}

static bool type_fits(const struct api_field *field, const json_t *value)
{
    if (json_is_null(value))
        return field->flags & API_NULLABLE;
    if (field->type == JSON_TRUE)
        return json_is_boolean(value);
    return json_typeof(value) == field->type;
}

static int field_missing(struct api_problem *problem, const char *name)
{
    return api_problem_set(problem, API_PROBLEM_FIELD, name, "%s: the field is missing", name);
}

int api_json_check(const json_t *object, const struct api_field *fields, bool is_put,
                   struct api_problem *problem)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        const struct api_field *field = field_find(fields, name, is_put);
        if (!field)
            return api_problem_set(problem, API_PROBLEM_FIELD, name,
                                   "%s: there is no such field here", name);
        if (!type_fits(field, value))
            return api_problem_set(problem, API_PROBLEM_FIELD, name, "%s: is %s; it must be %s%s",
                                   name, type_text(json_typeof(value)), type_text(field->type),
                                   field->flags & API_NULLABLE ? " or null" : "");
    }
    for (; fields->name; fields++)
        if ((fields->flags & API_REQUIRED) && !json_object_get(object, fields->name))
            return field_missing(problem, fields->name);
    return 0;
}

struct slice api_json_text(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value))
        return SLICE("");
    return slice_make(json_string_value(value), json_string_length(value));
}

bool api_json_bool(const json_t *object, const char *name, bool absent)
{
    const json_t *value = json_object_get(object, name);
    return json_is_boolean(value) ? json_is_true(value) : absent;
}

int api_json_number(const json_t *object, const char *name, unsigned min, unsigned max,
                    unsigned absent, unsigned *value, struct api_problem *problem)
{
    const json_t *json = json_object_get(object, name);
    json_int_t number = json_is_integer(json) ? json_integer_value(json) : absent;
    if (number < min || number > max)
        return api_problem_set(problem, API_PROBLEM_FIELD, name,
                               "%s: is %" JSON_INTEGER_FORMAT "; it must be %u to %u", name, number,
                               min, max);
    *value = (unsigned)number;
    return 0;
}

int api_json_choice(const json_t *object, const char *name, const char *const *texts, size_t count,
                    size_t *index, struct api_problem *problem)
{
    const char *text = json_string_value(json_object_get(object, name));
    char known[API_DETAIL_MAX / 2] = "";
    if (!text)
        return 0;
    for (size_t i = 0, len = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0) {
            *index = i;
            return 0;
        }
        const char *before = i == 0 ? "" : i + 1 < count ? ", " : " or ";
        len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", before, texts[i]);
    }
    return api_problem_set(problem, API_PROBLEM_FIELD, name, "%s: is '%.128s'; it must be %s", name,
                           text, known);
}

int api_json_item(const json_t *array, const char *name, size_t i, struct slice *text,
                  char field[API_FIELD_MAX], struct api_problem *problem)
{
    const json_t *item = json_array_get(array, i);
    snprintf(field, API_FIELD_MAX, "%s[%zu]", name, i);
    if (!json_is_string(item))
        return api_problem_set(problem, API_PROBLEM_FIELD, field, "%s: must be a string", field);
    *text = slice_make(json_string_value(item), json_string_length(item));
    return 0;
}

int api_json_note(const json_t *object, const char *name, char *out, size_t size,
                  struct api_problem *problem)
{
    struct slice text = api_json_text(object, name);
    if (slice_to_cstr(text, out, size))
        return api_problem_set(problem, API_PROBLEM_FIELD, name,
                               "%s: is %zu bytes long; at most %zu are kept", name, text.len,
                               size - 1);
    if (!utf8_is_printable(out))
        return api_problem_set(problem, API_PROBLEM_FIELD, name,
                               "%s: has a control character, or another that does not print", name);
    return 0;
}

int api_json_key(const json_t *object, const char *name, const char *key,
                 api_canonical_h *canonical, char *out, struct api_problem *problem)
{
    struct slice text = api_json_text(object, name);
    struct store_fault fault;
    if (!json_object_get(object, name)) {
        if (!key)
            return field_missing(problem, name);
        memcpy(out, key, strlen(key) + 1);
        return 0;
    }
    if (canonical(text, out, &fault))
        return api_problem_set(problem, API_PROBLEM_FIELD, name, "%.*s: %s", SLICE_ARG(text),
                               fault.text);
    if (key && strcmp(key, out) != 0)
        return api_problem_set(problem, API_PROBLEM_FIELD, name,
                               "%.*s: the URL names %s; a record cannot be renamed",
                               SLICE_ARG(text), key);
    return 0;
}

/* ---- times ---- */

json_t *api_time_encode(uint64_t ms)
{
    char text[LOG_TIME_MAX];
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    return ms ? json_string(log_time_format(time, text)) : json_null();
}

json_t *api_json_stamp(json_t *record, uint64_t created_ms, uint64_t version)
{
    int failed = 0;
    if (record && created_ms)
        failed = json_object_set_new(record, "created", api_time_encode(created_ms));
    if (record && version && !failed)
        failed = json_object_set_new(record, "version", json_integer((json_int_t)version));
    if (!failed)
        return record;
    json_decref(record);
    return NULL;
}
