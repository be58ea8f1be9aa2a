/* Requests of the commands, and what becomes of refusals. */
#include "tools/tool.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int tool_fail(int code, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "junctor: %s\n", tool_text_clean(text));
    return code;
}

const char *tool_string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* ---- requests ---- */

int tool_connect(struct tool *tool)
{
    char why[CLIENT_MAX_WHY];
    if (tool->client || client_open(&tool->place, &tool->client, why) == 0)
        return TOOL_DONE;
    return tool_fail(TOOL_REFUSED, "%s", why);
}

int tool_try(struct tool *tool, const struct client_request *request, struct client_answer *answer,
             char why[CLIENT_MAX_WHY])
{
    for (int waits = 0;; waits++) {
        struct client_answer got;
        int status = client_call(tool->client, request, &got, why);
        if (status)
            return status;
        if (got.status != 429 || waits == TOOL_WAITS) {
            *answer = got;
            return 0;
        }
        json_decref(got.json);
        long wait_s = got.retry_after_s > 0 ? got.retry_after_s : 1;
        sleep((unsigned)(wait_s < TOOL_WAIT_MAX_S ? wait_s : TOOL_WAIT_MAX_S));
    }
}

int tool_ask(struct tool *tool, const struct client_request *request, struct client_answer *answer)
{
    char why[CLIENT_MAX_WHY];
    int code = tool_connect(tool);
    if (code)
        return code;
    int status = tool_try(tool, request, answer, why);
    if (status)
        return tool_fail(status == -ENOMEM ? TOOL_REFUSED : TOOL_UNREACHABLE, "%s", why);
    return TOOL_DONE;
}

int tool_refusal(struct tool *tool, const struct client_request *request,
                 const struct client_answer *answer)
{
    const char *detail = tool_string(answer->json, "detail");
    if (tool->json && answer->json) {
        json_dumpf(answer->json, stderr, JSON_INDENT(2));
        fputc('\n', stderr);
    } else if (*detail && answer->status == 401) {
        tool_fail(TOOL_REFUSED, "%s (the token in %s)", detail, tool->place.token_file);
    } else if (*detail) {
        tool_fail(TOOL_REFUSED, "%s", detail);
    } else {
        tool_fail(TOOL_REFUSED, "%s %s: HTTP status %ld", request->method, request->path,
                  answer->status);
    }
    return TOOL_REFUSED;
}

int tool_call(struct tool *tool, const struct client_request *request, struct client_answer *answer)
{
    struct client_answer got = {.json = NULL};
    int code = tool_ask(tool, request, &got);
    if (code)
        return code;
    if (got.status < 200 || got.status >= 300)
        code = tool_refusal(tool, request, &got);
    else if (request->dry_run && !got.dry_run)
        code = tool_fail(TOOL_REFUSED, "%s %s: the daemon does not know --dry-run: it was done",
                         request->method, request->path);
    if (code)
        json_decref(got.json);
    else
        *answer = got;
    return code;
}

int tool_get(struct tool *tool, const char *path, struct client_answer *answer)
{
    return tool_call(tool, &(struct client_request){.method = "GET", .path = path}, answer);
}

int tool_change(struct tool *tool, const char *method, const char *path, const char *if_match,
                json_t *body, struct client_answer *answer)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct client_request request = {.method = method,
                                     .path = path,
                                     .if_match = if_match,
                                     .body = text,
                                     .dry_run = tool_has(tool, OPT_DRY_RUN)};
    int code = body && !text ? tool_fail(TOOL_REFUSED, "out of memory")
                             : tool_call(tool, &request, answer);
    json_decref(body);
    free(text);
    return code;
}

char *tool_path(const char *folder, const char *name)
{
    char *escaped = client_escape(name), *path = NULL;
    if (escaped && asprintf(&path, "%s/%s", folder, escaped) < 0)
        path = NULL;
    free(escaped);
    if (!path)
        tool_fail(TOOL_REFUSED, "out of memory");
    return path;
}

char *tool_path_with(char *path, const char *name, const char *value)
{
    char *escaped = client_escape(value), *longer = NULL;
    if (path && escaped &&
        asprintf(&longer, "%s%s%s=%s", path, strchr(path, '?') ? "&" : "?", name, escaped) < 0)
        longer = NULL;
    free(escaped);
    if (path && !longer)
        tool_fail(TOOL_REFUSED, "out of memory");
    free(path);
    return longer;
}

/* ---- signals ---- */

static volatile sig_atomic_t interrupted;

static void interrupt_note(int number)
{
    (void)number;
    interrupted = 1;
}

void tool_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = interrupt_note};
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
}

bool tool_is_interrupted(void)
{
    return interrupted;
}
