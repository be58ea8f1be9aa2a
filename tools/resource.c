/* What is alike for domains, addresses, numbers, peers, tokens and cursors. */
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int not_text(json_t *body)
{
    json_decref(body);
    return tool_fail(TOOL_USAGE, "the command line is not UTF-8 text");
}

/* ---- what the options set ---- */

/* An empty text alone makes an empty list. */
static json_t *list_make(const struct tool *tool, enum tool_option option)
{
    json_t *list = json_array();
    for (size_t i = 0; i < tool->given_count; i++) {
        const struct tool_given *given = &tool->given[i];
        if (given->option != option || *given->text == '\0')
            continue;
        if (json_array_append_new(list, json_string(given->text))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *setting_make(const struct tool *tool, const struct tool_setting *setting)
{
    const char *text = tool_value(tool, setting->option);
    switch (setting->kind) {
    case SETTING_TEXT:
        return *text ? json_string(text) : json_null();
    case SETTING_NONE:
        return *text && strcmp(text, "none") != 0 ? json_string(text) : json_null();
    case SETTING_STRING:
        return json_string(text);
    case SETTING_NUMBER:
        return json_integer((json_int_t)tool_number(tool, setting->option, 0));
    case SETTING_YES_NO:
        return json_boolean(strcmp(text, "yes") == 0);
    case SETTING_LIST:
        return list_make(tool, setting->option);
    }
    return NULL;
}

int tool_settings_take(const struct tool *tool, const struct tool_resource *resource, json_t *body)
{
    int count = 0;
    for (const struct tool_setting *setting = resource->settings; setting->key; setting++) {
        if (!tool_has(tool, setting->option))
            continue;
        if (json_object_set_new(body, setting->key, setting_make(tool, setting)))
            return -tool_fail(TOOL_USAGE, "the command line is not UTF-8 text");
        count++;
    }
    return count;
}

/* ---- add, show, list ---- */

int tool_resource_post(struct tool *tool, const struct tool_resource *resource, json_t *extra,
                       struct client_answer *answer)
{
    json_t *body = extra ? extra : json_object();
    if (tool->operand_count > 0 &&
        json_object_set_new(body, resource->key, json_string(tool->operands[0])))
        return not_text(body);
    int count = tool_settings_take(tool, resource, body);
    if (count < 0) {
        json_decref(body);
        return -count;
    }
    return tool_change(tool, "POST", resource->folder, NULL, body, answer);
}

static void change_print(const struct tool *tool, const struct tool_resource *resource,
                         const json_t *record, const char *done)
{
    if (tool->json) {
        tool_json_print(record);
        return;
    }
    tool_done_print(tool, tool_string(record, resource->key), done);
    tool_warnings_print(record);
}

int tool_resource_add(struct tool *tool, const struct tool_resource *resource, json_t *extra)
{
    struct client_answer answer;
    int code = tool_resource_post(tool, resource, extra, &answer);
    if (code)
        return code;
    change_print(tool, resource, answer.json, "added");
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_resource_get(struct tool *tool, const struct tool_resource *resource,
                      struct client_answer *answer)
{
    char *path = tool_path(resource->folder, tool->operands[0]);
    int code = path ? tool_get(tool, path, answer) : TOOL_REFUSED;
    free(path);
    return code;
}

int tool_resource_show(struct tool *tool, const struct tool_resource *resource)
{
    struct client_answer answer;
    int code = tool_resource_get(tool, resource, &answer);
    if (code)
        return code;
    tool_record_print(tool, resource, answer.json);
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_resource_list(struct tool *tool, const struct tool_resource *resource)
{
    return tool_list_print(tool, resource, resource->folder);
}

/* ---- set ---- */

const char *tool_if_match(const struct tool *tool, const struct client_answer *seen,
                          char text[TOOL_ETAG_MAX])
{
    const char *version = tool_value(tool, OPT_IF_VERSION);
    if (version)
        snprintf(text, TOOL_ETAG_MAX, "\"%s\"", version);
    else
        snprintf(text, TOOL_ETAG_MAX, "%s", seen->etag);
    return text;
}

/* What a PUT starts from: the record as it is, without what only the daemon says. */
static json_t *record_settable(const struct tool_resource *resource, const json_t *record)
{
    json_t *body = json_object();
    json_object_set(body, resource->key, json_object_get(record, resource->key));
    for (const struct tool_setting *setting = resource->settings; setting->key; setting++) {
        json_t *value = json_object_get(record, setting->key);
        if (value)
            json_object_set(body, setting->key, value);
    }
    return body;
}

static int record_change(struct tool *tool, const struct tool_resource *resource,
                         const struct client_answer *seen, json_t *changes,
                         struct client_answer *answer)
{
    char etag[TOOL_ETAG_MAX];
    char *path = tool_path(resource->folder, tool_string(seen->json, resource->key));
    json_t *body = resource->patch ? json_incref(changes) : record_settable(resource, seen->json);
    if (!path || (!resource->patch && json_object_update(body, changes))) {
        json_decref(body);
        free(path);
        return TOOL_REFUSED;
    }
    int code = tool_change(tool, resource->patch ? "PATCH" : "PUT", path,
                           tool_if_match(tool, seen, etag), body, answer);
    free(path);
    return code;
}

static int record_set(struct tool *tool, const struct tool_resource *resource, json_t *changes)
{
    struct client_answer seen, answer;
    int code = tool_resource_get(tool, resource, &seen);
    if (code)
        return code;
    code = record_change(tool, resource, &seen, changes, &answer);
    json_decref(seen.json);
    if (code)
        return code;
    change_print(tool, resource, answer.json, "changed");
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_resource_set(struct tool *tool, const struct tool_resource *resource, json_t *extra)
{
    json_t *changes = extra ? extra : json_object();
    int count = tool_settings_take(tool, resource, changes);
    int code;
    if (count < 0)
        code = -count;
    else if (count == 0 && !extra)
        code = tool_fail(TOOL_USAGE, "nothing to change is named");
    else
        code = record_set(tool, resource, changes);
    json_decref(changes);
    return code;
}

/* ---- delete ---- */

/* At the version that was seen, so that what somebody else just changed is not lost. */
static int record_delete(struct tool *tool, const char *folder, const char *name, const char *etag,
                         const char *query)
{
    char *base = tool_path(folder, name), *path = NULL;
    struct client_answer answer = {.json = NULL};
    if (base && asprintf(&path, "%s%s", base, query) < 0)
        path = NULL;
    free(base);
    if (!path)
        return TOOL_REFUSED;
    int code = tool_change(tool, "DELETE", path, etag, NULL, &answer);
    if (code == TOOL_DONE)
        json_decref(answer.json);
    free(path);
    return code;
}

void tool_gone_print(const struct tool *tool, const struct tool_resource *resource,
                     const json_t *seen, const char *done)
{
    if (tool->json)
        tool_json_print(seen);
    else
        tool_done_print(tool, tool_string(seen, resource->key), done);
}

int tool_seen_delete(struct tool *tool, const struct tool_resource *resource,
                     const struct client_answer *seen, const char *query, const char *done)
{
    char etag[TOOL_ETAG_MAX];
    const char *name = tool_string(seen->json, resource->key);
    int code = record_delete(tool, resource->folder, name, tool_if_match(tool, seen, etag), query);
    if (code == TOOL_DONE)
        tool_gone_print(tool, resource, seen->json, done);
    return code;
}

int tool_resource_delete(struct tool *tool, const struct tool_resource *resource, const char *query,
                         const char *done)
{
    struct client_answer seen = {.json = NULL};
    int code = tool_resource_get(tool, resource, &seen);
    if (code)
        return code;
    code = tool_seen_delete(tool, resource, &seen, query, done);
    json_decref(seen.json);
    return code;
}
