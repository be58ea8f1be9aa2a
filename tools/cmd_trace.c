/* junctor trace: what passes through the edge, as it passes, as a ladder. */
#include "tools/events.h"
#include "tools/tool.h"

#include "base/list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TRACE_EVENT_MAX (1 << 20)
#define TRACE_CALLS     64 /* calls that have a number each; the oldest gives its up */
#define TRACE_LABEL     25 /* columns of what stands on an arrow, at most */
#define TRACE_NARROW    20 /* columns left for who is at the far end, where there are few in all */

/* Where things stand in a line, in columns. */
struct layout {
    int time; /* of a time of day */
    int lane; /* between two bars of the ladder */
    int far;  /* left for who is at the far end; 0: as many as it takes */
};

static const struct layout wide = {.time = 15, .lane = 30};

struct tracer {
    struct events events;
    const struct tool *tool;
    uint64_t left;  /* messages to print */
    uint64_t calls; /* that had a number so far */
    char *ids[TRACE_CALLS];
    struct layout layout;
    int titled; /* the lane of the title that was printed last; 0: none was */
};

/* ---- the terminal ---- */

/* What comes before the ladder: "TIME  CALL.  ". */
static int prefix(const struct layout *layout)
{
    return layout->time + 8;
}

/* What the ladder takes: two lanes and three bars. */
static int ladder(const struct layout *layout)
{
    return 2 * layout->lane + 3;
}

/* The ladder narrows with the terminal, at any time; what is no terminal gets the widest. */
static struct layout layout_now(void)
{
    struct winsize size;
    struct layout narrow = {.time = 12, .lane = 10, .far = TRACE_NARROW};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return wide;
    int columns = size.ws_col;
    if (columns > prefix(&wide) + ladder(&wide) + 2 * TRACE_NARROW)
        return wide;
    while (narrow.lane < wide.lane &&
           prefix(&narrow) + ladder(&narrow) + 2 + 2 + TRACE_NARROW <= columns)
        narrow.lane++;
    int left = columns - prefix(&narrow) - ladder(&narrow) - 2;
    narrow.far = left > TRACE_NARROW ? left : TRACE_NARROW;
    return narrow;
}

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
    const struct layout *layout = &tracer->layout;
    if (tracer->titled != layout->lane)
        printf("%-*s %5s  %-*s %-*s %s\n", layout->time, "TIME", "CALL", layout->lane, "core",
               layout->lane, "edge", "peer");
    tracer->titled = layout->lane;
}

static void call_print(const struct layout *layout, uint64_t number, const json_t *message)
{
    printf("%-*s %4" PRIu64 ".  ", layout->time, "", number);
    tool_text_print(tool_string(message, "from"));
    fputs(" to ", stdout);
    tool_text_print(tool_string(message, "to"));
    if (layout->far)
        printf(",\n%-*sCall-ID ", prefix(layout), "");
    else
        fputs(", Call-ID ", stdout);
    tool_text_print(tool_string(message, "call_id"));
    putchar('\n');
}

/* "INVITE" or "180 Ringing"; of a response also to what it is one, unless that is an INVITE; of
 * either whether it was sent before. */
static void label_make(const json_t *message, size_t max, char label[TRACE_LABEL + 1])
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
    for (; text[len] && len < max; len++) /* one column each */
        label[len] = text[len] >= ' ' && text[len] <= '~' ? text[len] : '?';
    label[len] = '\0';
}

/* "|---- INVITE --->": a lane and the bar before it. */
static void arrow_print(int lane, const char *label, bool right)
{
    static const char dashes[] = "------------------------------";
    int room = lane - 3 - (int)strlen(label); /* a head, and two spaces */
    int before = room / 2;
    printf("|%s%.*s %s %.*s%s", right ? "" : "<", before, dashes, label, room - before, dashes,
           right ? ">" : "");
}

static void lane_print(int lane, const json_t *message)
{
    bool sent = strcmp(tool_string(message, "way"), "sent") == 0;
    bool inside = strcmp(tool_string(message, "side"), "inside") == 0;
    char label[TRACE_LABEL + 1];
    label_make(message, (size_t)lane - 5, label);
    if (!inside)
        printf("|%-*s", lane, "");
    arrow_print(lane, label, inside != sent);
    if (inside)
        printf("|%-*s", lane, "");
    fputs("|  ", stdout);
}

/* Name and place; where there is room for one only, the name if it has one. */
static void far_print(const struct layout *layout, const json_t *message)
{
    const char *peer = tool_string(message, "peer");
    char text[400];
    if (*peer && layout->far)
        snprintf(text, sizeof(text), "%s", peer);
    else
        snprintf(text, sizeof(text), "%s%s%s:%s", peer, *peer ? " " : "",
                 tool_string(message, "transport"), tool_string(message, "remote"));
    if (layout->far && strlen(text) > (size_t)layout->far)
        text[layout->far] = '\0'; /* domains and addresses are ASCII */
    tool_text_print(text);
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
    tracer->layout = layout_now();
    title_print(tracer);
    if (fresh)
        call_print(&tracer->layout, number, message);
    printf("%-*.*s %4" PRIu64 ".  ", tracer->layout.time, tracer->layout.time, time ? time + 1 : "",
           number);
    lane_print(tracer->layout.lane, message);
    far_print(&tracer->layout, message);
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
        printf("%-*s(%" JSON_INTEGER_FORMAT " messages came too fast to be shown)\n",
               prefix(&tracer->layout), "", json_integer_value(json_object_get(event, "dropped")));
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
    struct tracer tracer = {.tool = tool, .layout = wide};
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
