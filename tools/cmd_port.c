/* junctor port ...: an address moves to another host. */
#include "tools/events.h"
#include "tools/port_key.h"
#include "tools/tool.h"

#include "base/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_EVENT_MAX  65536
#define PORT_SECRET_MAX 130 /* of a line with a code, its end included */

static const struct tool_resource ports = {
    .folder = "/v1/ports",
    .list = "ports",
    .key = "id",
    .columns = {{"ID", "id"},
                {"ROLE", "role"},
                {"ADDRESS", "address"},
                {"GAINING", "gaining"},
                {"STATE", "state"},
                {"REASON", "reason"},
                {"DEADLINE", "deadline"}},
    .fields = {{"id", "id"},
               {"role", "role"},
               {"kind", "kind"},
               {"address", "address"},
               {"gaining", "gaining"},
               {"losing", "losing"},
               {"state", "state"},
               {"reason", "reason"},
               {"deadline", "deadline"},
               {"committed", "committed"},
               {"undoes", "undoes"},
               {"owner", "owner"},
               {"still to be told", "owes"},
               {"last error", "last_error"},
               {"next try", "next_try"},
               {"receipt", "receipt"},
               {"created", "created"},
               {"version", "version"}},
    .settings = {{OPT_OWNER, "owner", SETTING_TEXT},
                 {OPT_REASON, "reason", SETTING_TEXT},
                 {OPT_TO, "to", SETTING_TEXT}},
};

/* A code from standard input: others can read command lines. */
int tool_secret_read(const char *what, char *secret, size_t size)
{
    if (!fgets(secret, (int)size, stdin))
        secret[0] = '\0';
    secret[strcspn(secret, "\r\n")] = '\0';
    if (*secret)
        return TOOL_DONE;
    return tool_fail(TOOL_USAGE, "standard input: has no %s; it is read from there, one line",
                     what);
}

/* ---- looking ---- */

int tool_port_list(struct tool *tool)
{
    char *path = strdup(ports.folder);
    if (path && tool->operand_count > 0)
        path = tool_path_with(path, "address", tool->operands[0]);
    if (path && tool_has(tool, OPT_PORT_STATE))
        path = tool_path_with(path, "state", tool_value(tool, OPT_PORT_STATE));
    if (path && tool_has(tool, OPT_ROLE))
        path = tool_path_with(path, "role", tool_value(tool, OPT_ROLE));
    int code = path ? tool_list_print(tool, &ports, path) : TOOL_REFUSED;
    free(path);
    return code;
}

int tool_port_show(struct tool *tool)
{
    return tool_resource_show(tool, &ports);
}

int tool_port_receipt(struct tool *tool)
{
    struct client_answer answer;
    char *record = tool_path(ports.folder, tool->operands[0]), *path = NULL;
    int code = TOOL_REFUSED;
    if (record && asprintf(&path, "%s/receipt", record) >= 0)
        code = tool_get(tool, path, &answer);
    free(path);
    free(record);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        puts(tool_string(answer.json, "receipt"));
    json_decref(answer.json);
    return TOOL_DONE;
}

static void lines_print(const char *title, const json_t *texts)
{
    size_t i;
    json_t *text;
    json_array_foreach(texts, i, text)
    {
        printf("%-9s  ", title);
        tool_text_print(json_string_value(text));
        putchar('\n');
    }
}

static void check_print(const json_t *check)
{
    size_t i;
    json_t *finding;
    json_array_foreach(json_object_get(check, "findings"), i, finding)
    {
        bool ok = json_is_true(json_object_get(finding, "ok"));
        printf("%-9s  %s  ", tool_string(finding, "what"), ok ? "ok " : "NO ");
        tool_text_print(tool_string(finding, "why"));
        putchar('\n');
    }
    lines_print("alias", json_object_get(check, "aliases"));
    lines_print("number", json_object_get(check, "numbers"));
    lines_print("stays", json_object_get(check, "stays"));
}

int tool_port_check(struct tool *tool)
{
    struct client_answer answer;
    char *record = tool_path("/v1/addresses", tool->operands[0]), *path = NULL;
    json_t *body = json_object();
    if (tool->operand_count > 1)
        json_object_set_new(body, "gaining", json_string(tool->operands[1]));
    if (!record || asprintf(&path, "%s/port-check", record) < 0) {
        free(record);
        json_decref(body);
        return TOOL_REFUSED;
    }
    int code = tool_change(tool, "POST", path, NULL, body, &answer);
    free(path);
    free(record);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        check_print(answer.json);
    code = json_is_true(json_object_get(answer.json, "possible")) ? TOOL_DONE : TOOL_REFUSED;
    json_decref(answer.json);
    return code;
}

/* ---- watching ---- */

struct watcher {
    struct tool *tool;
    struct events events;
    bool ended; /* the last state was told */
};

static bool is_last(const char *state)
{
    static const char *const last[] = {"completed", "undone", "rejected", "cancelled", "refused"};
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
        if (strcmp(state, last[i]) == 0)
            return true;
    return false;
}

static void state_print(const json_t *port)
{
    const char *reason = tool_string(port, "reason"), *deadline = tool_string(port, "deadline");
    printf("%s", tool_string(port, "state"));
    if (*reason)
        printf(", %s", reason);
    if (*deadline)
        printf(", until %s", deadline);
    putchar('\n');
}

static bool state_take(struct events *events, struct slice data)
{
    struct watcher *watcher = container_of(events, struct watcher, events);
    json_t *port = json_loadb(data.p, data.len, 0, NULL);
    if (port && watcher->tool->json) {
        json_dumpf(port, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (port) {
        state_print(port);
    }
    watcher->ended = port && is_last(tool_string(port, "state"));
    json_decref(port);
    return fflush(stdout) == 0 && !watcher->ended;
}

static int watch_follow(struct watcher *watcher, const char *path)
{
    struct client_answer answer = {.json = NULL};
    char why[CLIENT_MAX_WHY];
    int status = client_follow(watcher->tool->client, path, NULL, events_bytes, &watcher->events,
                               &answer, why);
    if (watcher->ended)
        return TOOL_DONE;
    if (status != 0)
        return tool_fail(TOOL_UNREACHABLE, "%s", why);
    if (!answer.json)
        return TOOL_DONE;
    int code = tool_refusal(watcher->tool, &(struct client_request){.method = "GET", .path = path},
                            &answer);
    json_decref(answer.json);
    return code;
}

int tool_port_watch(struct tool *tool)
{
    struct watcher watcher = {.tool = tool};
    char *record = tool_path(ports.folder, tool->operands[0]), *path = NULL;
    int code = TOOL_REFUSED;
    if (record && asprintf(&path, "%s/events", record) >= 0 && !tool_connect(tool)) {
        events_init(&watcher.events, PORT_EVENT_MAX, state_take);
        code = watch_follow(&watcher, path);
        events_done(&watcher.events);
    }
    free(path);
    free(record);
    return code;
}

/* ---- moving ---- */

/* The id alone on standard output; the undo secret on standard error, with what it is for. */
static int made_print(const struct tool *tool, const json_t *made)
{
    const char *id = tool_string(made, "id"), *secret = tool_string(made, "undo_secret");
    if (tool->json) {
        tool_json_print(made);
        return TOOL_DONE;
    }
    puts(id);
    if (*secret)
        tool_fail(TOOL_DONE,
                  "the undo secret is %s; it takes the address back until grace ends, at either "
                  "host, and is not shown again",
                  secret);
    return TOOL_DONE;
}

static int made_ask(struct tool *tool, const char *path, json_t *body)
{
    struct client_answer answer;
    int code = tool_change(tool, "POST", path, NULL, body, &answer);
    if (code)
        return code;
    code = made_print(tool, answer.json);
    json_decref(answer.json);
    return code;
}

/* Adds what proves the holder's will: a line of standard input, or the signature of his key. */
static int proof_take(struct tool *tool, const char *member, const char *what, json_t *body)
{
    char secret[PORT_SECRET_MAX];
    if (port_key_is_given(tool))
        return port_key_prove(tool, strcmp(member, "secret") == 0, body);
    int code = tool_secret_read(what, secret, sizeof(secret));
    if (code)
        return code;
    if (json_object_set_new(body, member, json_string(secret)))
        code = tool_fail(TOOL_USAGE, "the %s is not UTF-8 text", what);
    explicit_bzero(secret, sizeof(secret));
    return code;
}

int tool_port_start(struct tool *tool)
{
    json_t *body =
        json_pack("{s:s, s:s}", "address", tool->operands[0], "gaining", tool->operands[1]);
    int code = !body || tool_settings_take(tool, &ports, body) < 0
                   ? tool_fail(TOOL_USAGE, "the command line is not UTF-8 text")
                   : proof_take(tool, "code", "auth code", body);
    if (code == TOOL_DONE)
        return made_ask(tool, ports.folder, body);
    json_decref(body);
    return code;
}

static char *step_path(const struct tool *tool, const char *step)
{
    char *record = tool_path(ports.folder, tool->operands[0]), *path = NULL;
    if (record && asprintf(&path, "%s/%s", record, step) < 0)
        path = NULL;
    free(record);
    return path;
}

int tool_port_undo(struct tool *tool)
{
    json_t *body = json_object();
    char *path = step_path(tool, "undo");
    int code = body && path ? proof_take(tool, "secret", "undo secret", body) : TOOL_REFUSED;
    if (code == TOOL_DONE)
        code = made_ask(tool, path, body);
    else
        json_decref(body);
    free(path);
    return code;
}

static int step(struct tool *tool, const char *name, const char *done)
{
    struct client_answer answer;
    char *path = step_path(tool, name);
    json_t *body = json_object();
    if (!path || tool_settings_take(tool, &ports, body) < 0) {
        json_decref(body);
        free(path);
        return TOOL_REFUSED;
    }
    int code = tool_change(tool, "POST", path, NULL, body, &answer);
    free(path);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        tool_done_print(tool, tool_string(answer.json, "id"), done);
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_port_cancel(struct tool *tool)
{
    return step(tool, "cancel", "cancelled");
}

int tool_port_approve(struct tool *tool)
{
    return step(tool, "approve", "approved");
}

int tool_port_reject(struct tool *tool)
{
    return step(tool, "reject", "rejected");
}

int tool_port_object(struct tool *tool)
{
    return step(tool, "object", "objected to");
}

int tool_port_allow(struct tool *tool)
{
    return step(tool, "allow", "allowed");
}
