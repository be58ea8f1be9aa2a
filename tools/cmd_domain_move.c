/* junctor domain move: a whole domain goes to another operator. Each step is a command of its own,
 * at the old or the new edge, and may be repeated; docs/porting-operators.md has their order. */
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPY_VERSION  1
#define COPY_LINE_MAX 16384
#define COPY_BATCH    500 /* records sent at once */
#define COPY_TURNS    10  /* aliases come after what they lead to */

/* Where POST or GET goes: "/v1/domains/NAME/WHAT". free() it. */
static char *path_of(const struct tool *tool, const char *what)
{
    char *domain = tool_path("/v1/domains", tool->operands[0]), *path = NULL;
    if (domain && asprintf(&path, "%s/%s", domain, what) < 0)
        path = NULL;
    free(domain);
    return path;
}

static int ask(struct tool *tool, const char *method, const char *what, json_t *body,
               struct client_answer *answer)
{
    char *path = path_of(tool, what);
    if (!path)
        json_decref(body);
    int code = path ? tool_change(tool, method, path, NULL, body, answer) : TOOL_REFUSED;
    free(path);
    return code;
}

/* ---- where it stands ---- */

static const char *next_of(const char *move)
{
    static const struct {
        const char *move, *next;
    } all[] = {
        {"none", "it does not move. domain move DOMAIN leave --to OTHER begins"},
        {"leaving", "nothing of it can be changed. From then on: copy here, take and arrive at the "
                    "new edge, go here"},
        {"gone", "its callers are led on. When DNS names the new edge, and not before then: clear"},
        {"arriving", "it is copied to here. When all is here: arrive"},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i].move, move) == 0)
            return all[i].next;
    return "";
}

/* Where it stands now; tool->operands[0] is the domain. */
static int stand_read(struct tool *tool, struct client_answer *answer)
{
    char *path = path_of(tool, "move");
    int code = path ? tool_get(tool, path, answer) : TOOL_REFUSED;
    free(path);
    return code;
}

/* Two words lead to the same place, from different ones: who has mistaken the edge, or repeats a
 * step that was long ago, must not take back another. */
static int stand_check(struct tool *tool, const char *word, const char *from, const char *to)
{
    struct client_answer answer;
    int code = stand_read(tool, &answer);
    if (code)
        return code;
    const char *move = tool_string(answer.json, "move");
    if (strcmp(move, from) != 0 && strcmp(move, to) != 0)
        code =
            tool_fail(TOOL_REFUSED, "%s: its move stands at \"%s\" here, where %s is no step: %s",
                      tool->operands[0], move, word, next_of(move));
    json_decref(answer.json);
    return code;
}

static int stand_print(struct tool *tool)
{
    struct client_answer answer;
    int code = stand_read(tool, &answer);
    if (code)
        return code;
    const char *move = tool_string(answer.json, "move"), *to = tool_string(answer.json, "move_to");
    const char *safe = tool_string(answer.json, "safe_from");
    if (tool->json) {
        tool_json_print(answer.json);
    } else {
        tool_text_print(tool->operands[0]);
        printf(" %s%s%s", move, *to ? " to " : "", to);
        if (*safe)
            printf(" since %s, safe from %s", tool_string(answer.json, "since"), safe);
        printf(": %s\n", next_of(move));
    }
    json_decref(answer.json);
    return TOOL_DONE;
}

static int step(struct tool *tool, const char *from, const char *move)
{
    struct client_answer answer;
    const char *to = tool_value(tool, OPT_MOVE_TO);
    int code = stand_check(tool, tool->operands[1], from, move);
    if (code)
        return code;
    json_t *body = json_pack("{s:s, s:s*}", "move", move, "move_to", to);
    code = ask(tool, "POST", "move", body, &answer);
    if (code)
        return code;
    tool_warnings_print(answer.json);
    json_decref(answer.json);
    return stand_print(tool);
}

static int leave(struct tool *tool)
{
    return step(tool, "none", "leaving");
}

static int stay(struct tool *tool)
{
    return step(tool, "leaving", "none");
}

static int arrive(struct tool *tool)
{
    return step(tool, "arriving", "none");
}

static int go(struct tool *tool)
{
    return step(tool, "leaving", "gone");
}

static int back(struct tool *tool)
{
    return step(tool, "gone", "leaving");
}

/* ---- the copy goes out ---- */

static int output_fail(const char *name)
{
    return tool_fail(TOOL_REFUSED, "%s: cannot be written: %s", name, strerror(errno));
}

static uint64_t page_write(const json_t *records, FILE *out)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        json_dumpf(record, out, JSON_COMPACT);
        fputc('\n', out);
    }
    return json_array_size(records);
}

static int pages_write(struct tool *tool, const char *path, FILE *out, uint64_t *count)
{
    char *cursor = NULL;
    int code;
    do {
        struct client_answer answer;
        code = tool_page_get(tool, path, cursor, &answer);
        free(cursor);
        cursor = NULL;
        if (code)
            break;
        *count += page_write(json_object_get(answer.json, "records"), out);
        const char *next = tool_page_next(&answer);
        cursor = *next ? strdup(next) : NULL;
        json_decref(answer.json);
    } while (cursor);
    free(cursor);
    return code;
}

/* A copy that was cut has no last line. */
static int copy_write(struct tool *tool, FILE *out, uint64_t *count)
{
    char *path = path_of(tool, "copy");
    fprintf(out, "{\"junctor\":\"domain\",\"version\":%d}\n", COPY_VERSION);
    int code = path ? pages_write(tool, path, out, count) : TOOL_REFUSED;
    fprintf(out, "{\"records\":%" PRIu64 "}\n", *count);
    free(path);
    return code;
}

/* Nobody else may read it: it has hashes of auth codes. */
static int copy(struct tool *tool)
{
    uint64_t count = 0;
    const char *name = tool_value(tool, OPT_OUTPUT);
    if (!name)
        return tool_fail(TOOL_USAGE, "domain move: --output FILE is missing: where the copy goes");
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (!out)
        return output_fail(name);
    int code = copy_write(tool, out, &count);
    bool failed = fflush(out) || ferror(out) || fsync(fd);
    if (fclose(out) || failed)
        code = code ? code : output_fail(name);
    if (code) {
        unlink(name);
        return code;
    }
    tool_fail(TOOL_DONE, "%" PRIu64 " records of %s copied to %s", count, tool->operands[0], name);
    return TOOL_DONE;
}

/* ---- and comes in ---- */

struct taking {
    struct tool *tool;
    FILE *in;
    uint64_t line, records, waiting; /* of this turn */
    json_t *batch;
    bool ended; /* its last line was read */
};

static int wrong(const struct taking *taking, const char *what)
{
    return tool_fail(TOOL_REFUSED, "standard input, line %" PRIu64 ": %s", taking->line, what);
}

static int batch_send(struct taking *taking)
{
    struct client_answer answer;
    if (json_array_size(taking->batch) == 0)
        return TOOL_DONE;
    json_t *body = json_pack("{s:O}", "records", taking->batch);
    int code = ask(taking->tool, "POST", "copy", body, &answer);
    if (code)
        return code;
    taking->waiting += (uint64_t)json_integer_value(json_object_get(answer.json, "waiting"));
    json_decref(answer.json);
    json_array_clear(taking->batch);
    return TOOL_DONE;
}

static int record_take(struct taking *taking, json_t *record)
{
    taking->records++;
    if (json_array_append_new(taking->batch, record))
        return tool_fail(TOOL_REFUSED, "out of memory");
    return json_array_size(taking->batch) < COPY_BATCH ? TOOL_DONE : batch_send(taking);
}

static int end_take(struct taking *taking, json_t *end)
{
    uint64_t records = (uint64_t)json_integer_value(json_object_get(end, "records"));
    json_decref(end);
    taking->ended = true;
    return records == taking->records ? batch_send(taking)
                                      : wrong(taking, "the copy has not all of its records");
}

static int line_take(struct taking *taking, const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(json)) {
        json_decref(json);
        return wrong(taking, "is no JSON object");
    }
    if (taking->line == 1) {
        bool is_copy = strcmp(tool_string(json, "junctor"), "domain") == 0 &&
                       json_integer_value(json_object_get(json, "version")) == COPY_VERSION;
        json_decref(json);
        return is_copy ? TOOL_DONE
                       : wrong(taking, "is no copy of a domain that this junctor knows");
    }
    if (taking->ended) {
        json_decref(json);
        return wrong(taking, "stands behind the end of the copy");
    }
    return json_object_get(json, "records") ? end_take(taking, json) : record_take(taking, json);
}

/* All of it, from its first line to its last. */
static int turn(struct taking *taking)
{
    char text[COPY_LINE_MAX];
    int code = TOOL_DONE;
    rewind(taking->in);
    taking->line = taking->records = taking->waiting = 0;
    taking->ended = false;
    while (!code && fgets(text, sizeof(text), taking->in)) {
        taking->line++;
        code = strchr(text, '\n') ? line_take(taking, text) : wrong(taking, "is too long, or cut");
    }
    explicit_bzero(text, sizeof(text));
    if (code || taking->ended)
        return code;
    return wrong(taking, "the copy is cut: its last line is missing");
}

static int turns(struct taking *taking)
{
    int code = turn(taking);
    for (int i = 1; !code && taking->waiting && i < COPY_TURNS; i++)
        code = turn(taking);
    if (!code && taking->waiting)
        return tool_fail(TOOL_REFUSED, "%" PRIu64 " aliases lead to addresses that are not there",
                         taking->waiting);
    return code;
}

static int take(struct tool *tool)
{
    struct taking taking = {.tool = tool, .in = stdin};
    if (lseek(STDIN_FILENO, 0, SEEK_CUR) < 0)
        return tool_fail(TOOL_USAGE,
                         "domain move: the copy is read from standard input, which must "
                         "be the file: domain move DOMAIN take < FILE");
    struct client_answer answer;
    int code = ask(tool, "POST", "move", json_pack("{s:s}", "move", "arriving"), &answer);
    if (code)
        return code;
    json_decref(answer.json);
    taking.batch = json_array();
    code = turns(&taking);
    json_decref(taking.batch);
    if (!code)
        tool_fail(TOOL_DONE, "%" PRIu64 " records of %s are here", taking.records,
                  tool->operands[0]);
    return code;
}

/* ---- the end ---- */

static int clear(struct tool *tool)
{
    bool done = false;
    while (!done) {
        struct client_answer answer;
        int code = ask(tool, "POST", "clear", json_object(), &answer);
        if (code)
            return code;
        done = json_is_true(json_object_get(answer.json, "done")) || tool_has(tool, OPT_DRY_RUN);
        json_decref(answer.json);
    }
    tool_done_print(tool, tool->operands[0], "cleared");
    return TOOL_DONE;
}

int tool_domain_move(struct tool *tool)
{
    static const struct {
        const char *name;
        tool_command_h *run;
    } steps[] = {{"leave", leave},   {"stay", stay}, {"copy", copy},   {"take", take},
                 {"arrive", arrive}, {"go", go},     {"return", back}, {"clear", clear}};
    if (tool->operand_count < 2)
        return stand_print(tool);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (strcmp(tool->operands[1], steps[i].name) == 0)
            return steps[i].run(tool);
    return tool_fail(TOOL_USAGE, "domain move: no such step");
}
