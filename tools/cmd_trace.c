/* junctor trace: what passes through the edge, as it passes, as a ladder. */
#include "tools/events.h"
#include "tools/tool.h"

#include "base/list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_EVENT_MAX (1 << 20)
#define TRACE_CALLS     64 /* calls that have a number each; the oldest gives its up */
#define TRACE_LANE      30 /* columns between two names of the ladder */
#define TRACE_LABEL     (TRACE_LANE - 6)

struct tracer {
    struct events events;
    const struct tool *tool;
    uint64_t left;  /* messages to print */
    uint64_t calls; /* that had a number so far */
    char *ids[TRACE_CALLS];
    bool titled;
};

/* ---- calls ---- */

/* Its number, from 1 on, in the order of appearance; *fresh: it has none yet. */
static uint64_t call_number(struct tracer *tracer, const char *id, bool *fresh)
{
    uint64_t first = tracer->calls > TRACE_CALLS ? tracer->calls - TRACE_CALLS : 0;
    *fresh = false;
    for (uint64_t n = first; n < tracer->calls; n++)
        if (strcmp(tracer->ids[n % TRACE_CALLS], id) == 0)
            return n + 1;
    char *copy = strdup(id);
    if (!copy)
        return 0;
    *fresh = true;
    free(tracer->ids[tracer->calls % TRACE_CALLS]);
    tracer->ids[tracer->calls % TRACE_CALLS] = copy;
    return ++tracer->calls;
}

/* ---- the ladder ---- */

static void title_print(struct tracer *tracer)
{
    if (!tracer->titled)
        printf("%-15s %5s  %-*s %-*s %s\n", "TIME", "CALL", TRACE_LANE, "core", TRACE_LANE, "edge",
               "peer");
    tracer->titled = true;
}

static void call_print(uint64_t number, const json_t *message)
{
    printf("%-15s %4" PRIu64 ".  ", "", number);
    tool_text_print(tool_string(message, "from"));
    fputs(" to ", stdout);
    tool_text_print(tool_string(message, "to"));
    fputs(", Call-ID ", stdout);
    tool_text_print(tool_string(message, "call_id"));
    putchar('\n');
}

/* "INVITE" or "180 Ringing"; of a response also to what it is one, unless that is an INVITE; of
 * either whether it was sent before. */
static void label_make(const json_t *message, char label[TRACE_LABEL + 1])
{
    const json_t *status = json_object_get(message, "status");
    const char *method = strchr(tool_string(message, "cseq"), ' ');
    const char *again = json_is_true(json_object_get(message, "again")) ? "again: " : "";
    char text[200];
    bool plain = !method || strcmp(method, " INVITE") == 0;
    if (json_is_integer(status))
        snprintf(text, sizeof(text), "%s%d %s%s%s%s", again, (int)json_integer_value(status),
                 tool_string(message, "reason"), plain ? "" : " (", plain ? "" : method + 1,
                 plain ? "" : ")");
    else
        snprintf(text, sizeof(text), "%s%s", again, tool_string(message, "method"));
    size_t len = 0;
    for (; text[len] && len < TRACE_LABEL; len++) /* one column each */
        label[len] = text[len] >= ' ' && text[len] <= '~' ? text[len] : '?';
    label[len] = '\0';
}

/* "|---- INVITE --->": TRACE_LANE columns and the bar before them. */
static void arrow_print(const char *label, bool right)
{
    static const char dashes[] = "------------------------------";
    int room = TRACE_LANE - 3 - (int)strlen(label); /* a head, and two spaces */
    int before = room / 2;
    printf("|%s%.*s %s %.*s%s", right ? "" : "<", before, dashes, label, room - before, dashes,
           right ? ">" : "");
}

static void lane_print(const json_t *message)
{
    bool sent = strcmp(tool_string(message, "way"), "sent") == 0;
    bool inside = strcmp(tool_string(message, "side"), "inside") == 0;
    char label[TRACE_LABEL + 1];
    label_make(message, label);
    if (!inside)
        printf("|%-*s", TRACE_LANE, "");
    arrow_print(label, inside != sent);
    if (inside)
        printf("|%-*s", TRACE_LANE, "");
    fputs("|  ", stdout);
}

static void far_print(const json_t *message)
{
    const char *peer = tool_string(message, "peer");
    if (*peer) {
        tool_text_print(peer);
        putchar(' ');
    }
    tool_text_print(tool_string(message, "transport"));
    putchar(':');
    tool_text_print(tool_string(message, "remote"));
    putchar('\n');
}

/* The message, indented; a line of it that would steer the terminal does not. */
static void full_print(const json_t *message)
{
    const char *text = tool_string(message, "message");
    while (*text) {
        size_t len = strcspn(text, "\n");
        char *line = strndup(text, len && text[len - 1] == '\r' ? len - 1 : len);
        fputs("    ", stdout);
        tool_text_print(line ? line : "");
        putchar('\n');
        free(line);
        text += len + (text[len] == '\n');
    }
    if (json_is_true(json_object_get(message, "cut")))
        puts("    ... (cut here)");
    putchar('\n');
}

static void rung_print(struct tracer *tracer, const json_t *message)
{
    const char *time = strchr(tool_string(message, "time"), 'T');
    bool fresh;
    uint64_t number = call_number(tracer, tool_string(message, "call_id"), &fresh);
    title_print(tracer);
    if (fresh)
        call_print(number, message);
    printf("%-15.15s %4" PRIu64 ".  ", time ? time + 1 : "", number);
    lane_print(message);
    far_print(message);
    if (tool_has(tracer->tool, OPT_FULL))
        full_print(message);
}

/* ---- what comes ---- */

static void event_print(struct tracer *tracer, const json_t *event)
{
    bool message = strcmp(tracer->events.name, "message") == 0;
    if (tracer->tool->json) {
        json_dumpf(event, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (message) {
        rung_print(tracer, event);
    } else {
        printf("%-15s        (%" JSON_INTEGER_FORMAT " messages came too fast to be shown)\n", "",
               json_integer_value(json_object_get(event, "dropped")));
    }
    tracer->left -= message;
}

static bool event_take(struct events *events, struct slice data)
{
    struct tracer *tracer = container_of(events, struct tracer, events);
    json_t *event = json_loadb(data.p, data.len, 0, NULL);
    if (event)
        event_print(tracer, event);
    json_decref(event);
    return fflush(stdout) == 0 && tracer->left > 0;
}

static int trace_follow(struct tool *tool, struct tracer *tracer, const char *path)
{
    struct client_answer answer = {.json = NULL};
    char why[CLIENT_MAX_WHY];
    int status =
        client_follow(tool->client, path, NULL, events_bytes, &tracer->events, &answer, why);
    if (tracer->events.too_long)
        return tool_fail(TOOL_REFUSED, "the daemon sent a message of over %d bytes",
                         TRACE_EVENT_MAX);
    if (status != 0)
        return tool_fail(TOOL_UNREACHABLE, "%s", why);
    if (!answer.json)
        return TOOL_DONE;
    int code = tool_refusal(tool, &(struct client_request){.method = "GET", .path = path}, &answer);
    json_decref(answer.json);
    return code;
}

int tool_trace(struct tool *tool)
{
    struct tracer tracer = {.tool = tool};
    char *path = strdup("/v1/trace");
    if (path && tool->operand_count > 0)
        path = tool_path_with(path, "match", tool->operands[0]);
    tracer.left = tool_number(tool, OPT_LIMIT, UINT64_MAX);
    if (!path || tool_connect(tool)) {
        free(path);
        return TOOL_REFUSED;
    }
    events_init(&tracer.events, TRACE_EVENT_MAX, event_take);
    int code = tracer.left ? trace_follow(tool, &tracer, path) : TOOL_DONE;
    events_done(&tracer.events);
    for (size_t i = 0; i < TRACE_CALLS; i++)
        free(tracer.ids[i]);
    free(path);
    return code;
}
