/* Requests of the commands, and what becomes of refusals. */
#include "tools/tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int tool_fail(int code, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    fprintf(stderr, "junctor: %s\n", text);
    return code;
}

const char *tool_string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int tool_call(struct tool *tool, const struct client_request *request, struct client_answer *answer)
{
    struct client_answer got;
    char why[CLIENT_MAX_WHY];
    int status = client_call(tool->client, request, &got, why);
    if (status)
        return tool_fail(status == -ENOMEM ? TOOL_REFUSED : TOOL_UNREACHABLE, "%s", why);
    if (got.status >= 200 && got.status < 300) {
        *answer = got;
        return TOOL_DONE;
    }
    const char *detail = tool_string(got.json, "detail");
    if (tool->json && got.json) {
        json_dumpf(got.json, stderr, JSON_INDENT(2));
        fputc('\n', stderr);
    } else if (*detail) {
        tool_fail(TOOL_REFUSED, "%s", detail);
    } else {
        tool_fail(TOOL_REFUSED, "%s %s: HTTP status %ld", request->method, request->path,
                  got.status);
    }
    json_decref(got.json);
    return TOOL_REFUSED;
}

/* `folder` and the escaped name; free() it. NULL without memory. */
static char *record_path(const char *folder, const char *name)
{
    char *escaped = client_escape(name), *path = NULL;
    if (escaped && asprintf(&path, "%s%s", folder, escaped) < 0)
        path = NULL;
    free(escaped);
    return path;
}

int tool_get(struct tool *tool, const char *folder, const char *name, struct client_answer *answer)
{
    char *path = record_path(folder, name);
    if (!path)
        return tool_fail(TOOL_REFUSED, "out of memory");
    int code = tool_call(tool, &(struct client_request){.method = "GET", .path = path}, answer);
    free(path);
    return code;
}

int tool_post(struct tool *tool, const char *path, json_t *body, struct client_answer *answer)
{
    if (!body)
        return tool_fail(TOOL_USAGE, "the command line is not UTF-8 text");
    struct client_request request = {.method = "POST", .path = path, .body = body};
    int code = tool_call(tool, &request, answer);
    json_decref(body);
    return code;
}

/* Deletes at the version that was seen, so that what somebody else just changed is not lost. */
static int record_delete(struct tool *tool, const char *folder, const char *name, const char *etag)
{
    char *path = record_path(folder, name);
    if (!path)
        return tool_fail(TOOL_REFUSED, "out of memory");
    struct client_request request = {.method = "DELETE", .path = path, .if_match = etag};
    struct client_answer answer = {.json = NULL};
    int code = tool_call(tool, &request, &answer);
    if (code == TOOL_DONE)
        json_decref(answer.json);
    free(path);
    return code;
}

int tool_delete(struct tool *tool, const char *folder, const char *key)
{
    struct client_answer seen = {.json = NULL};
    int code = tool_get(tool, folder, tool->operands[0], &seen);
    if (code)
        return code;
    const char *name = tool_string(seen.json, key);
    code = record_delete(tool, folder, name, seen.etag);
    if (code == TOOL_DONE && tool->json) {
        tool_json_print(seen.json);
    } else if (code == TOOL_DONE) {
        tool_text_print(name);
        puts(" deleted");
    }
    json_decref(seen.json);
    return code;
}
