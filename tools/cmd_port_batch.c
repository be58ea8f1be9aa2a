/* junctor port batch: many addresses move to a domain of ours. Each line of the file names one,
 * with its auth code. What has come already is left alone and what is under way is looked at, so
 * that the same command again goes on where the one before ended. */
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BATCH_LINE_MAX   2048
#define BATCH_ASKED_MAX  16 /* ports that wait for their authority's answer at once */
#define BATCH_LOOK_MS    100
#define BATCH_MEMBER_MAX 512
#define BATCH_ID_MAX     33
#define HERE             "here" /* it had come before the batch */

struct move {
    char address[BATCH_MEMBER_MAX]; /* "": none is here */
    char id[BATCH_ID_MAX];
};

struct batch {
    struct tool *tool;
    const char *gaining;
    FILE *in, *secrets; /* secrets NULL: they are not kept */
    const char *name;   /* of `in`, for people */
    unsigned line;
    struct move asked[BATCH_ASKED_MAX];
    size_t here, open, failed;
};

/* One line of the file, its words ended by NUL; `more` may be NULL. */
struct order {
    char *address, *code, *more;
};

/* ---- what is said of each ---- */

static bool is_here(const char *state)
{
    return strcmp(state, "committed") == 0 || strcmp(state, "completed") == 0 ||
           strcmp(state, HERE) == 0;
}

static bool is_under_way(const char *state)
{
    return strcmp(state, "requesting") == 0 || strcmp(state, "pending") == 0 ||
           strcmp(state, "waiting") == 0 || strcmp(state, "disputed") == 0 ||
           strcmp(state, "cancelling") == 0;
}

static void count(struct batch *batch, const char *state)
{
    if (is_here(state))
        batch->here++;
    else if (is_under_way(state))
        batch->open++;
    else
        batch->failed++;
}

/* `why` is words of the daemon, or ours. */
static void line_print(const struct batch *batch, const char *address, const char *state,
                       const char *why, const char *until)
{
    if (batch->tool->json) {
        json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "address", address, "state", state,
                                 "reason", why, "deadline", until);
        json_dumpf(line, stdout, JSON_COMPACT);
        json_decref(line);
    } else {
        tool_text_print(address);
        printf(" %s", state);
        if (*why) {
            printf(", ");
            tool_text_print(why);
        }
        if (*until)
            printf(", until %s", until);
    }
    putchar('\n');
    fflush(stdout);
}

static void outcome(struct batch *batch, const char *address, const char *state, const char *why,
                    const char *until)
{
    count(batch, state);
    line_print(batch, address, state, why, until);
}

/* ---- what is known of an address before it is asked for ---- */

static int look(struct batch *batch, char *path, struct client_answer *answer)
{
    int code = path ? tool_ask(batch->tool, &(struct client_request){.method = "GET", .path = path},
                               answer)
                    : TOOL_REFUSED;
    free(path);
    return code;
}

/* Has it come already? Then that was said. */
static int place_look(struct batch *batch, const char *address, bool *done)
{
    struct client_answer answer;
    int code = look(batch, tool_path("/v1/addresses", address), &answer);
    if (code)
        return code;
    const char *state = tool_string(answer.json, "state");
    *done = answer.status == 200 && strcmp(state, "prepared") != 0 &&
            strcasecmp(tool_string(answer.json, "hosting"), batch->gaining) == 0;
    if (*done)
        outcome(batch, address, HERE, "", "");
    json_decref(answer.json);
    return TOOL_DONE;
}

/* Is it under way? Then it is that port which is looked at. */
static int port_look(struct batch *batch, struct move *move)
{
    struct client_answer answer;
    char *path = tool_path_with(strdup("/v1/ports?role=gaining"), "address", move->address);
    int code = look(batch, path, &answer);
    if (code)
        return code;
    size_t i;
    json_t *port;
    json_array_foreach(json_object_get(answer.json, "ports"), i, port)
    {
        if (is_under_way(tool_string(port, "state")) &&
            strcasecmp(tool_string(port, "gaining"), batch->gaining) == 0)
            snprintf(move->id, sizeof(move->id), "%s", tool_string(port, "id"));
    }
    json_decref(answer.json);
    return TOOL_DONE;
}

/* ---- asking for it ---- */

static json_t *order_body(const struct batch *batch, const struct order *order)
{
    json_t *body = json_pack("{s:s, s:s, s:s}", "address", order->address, "gaining",
                             batch->gaining, "code", order->code);
    if (body && order->more)
        json_object_set_new(body, *order->address == '+' ? "to" : "owner",
                            json_string(order->more));
    return body;
}

static int secret_keep(struct batch *batch, const struct move *move, const char *secret)
{
    if (!batch->secrets || !*secret)
        return TOOL_DONE;
    if (fprintf(batch->secrets, "%s %s %s\n", move->id, secret, move->address) < 0 ||
        fflush(batch->secrets) || fdatasync(fileno(batch->secrets)))
        return tool_fail(TOOL_REFUSED, "%s: cannot be written: %s",
                         tool_value(batch->tool, OPT_UNDO_SECRETS), strerror(errno));
    return TOOL_DONE;
}

static int move_ask(struct batch *batch, const struct order *order, struct move *move)
{
    struct client_answer answer;
    json_t *body = order_body(batch, order);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text) {
        outcome(batch, order->address, "refused", "the line is not UTF-8 text", "");
        return TOOL_DONE;
    }
    int code = tool_ask(
        batch->tool, &(struct client_request){.method = "POST", .path = "/v1/ports", .body = text},
        &answer);
    explicit_bzero(text, strlen(text));
    free(text);
    if (code)
        return code;
    if (answer.status >= 200 && answer.status < 300) {
        snprintf(move->id, sizeof(move->id), "%s", tool_string(answer.json, "id"));
        code = secret_keep(batch, move, tool_string(answer.json, "undo_secret"));
    } else {
        outcome(batch, order->address, "refused", tool_string(answer.json, "detail"), "");
    }
    json_decref(answer.json);
    return code;
}

/* Ends with move->id set where an answer is to come. */
static int move_begin(struct batch *batch, const struct order *order, struct move *move)
{
    bool done = false;
    *move = (struct move){.id = ""};
    snprintf(move->address, sizeof(move->address), "%s", order->address);
    int code = place_look(batch, order->address, &done);
    if (!code && !done)
        code = port_look(batch, move);
    if (!code && !done && !*move->id)
        code = move_ask(batch, order, move);
    return code;
}

/* ---- the answers ---- */

/* Frees the place of a move whose authority has answered. */
static int move_look(struct batch *batch, struct move *move, bool *moved_on)
{
    struct client_answer answer;
    int code = look(batch, tool_path("/v1/ports", move->id), &answer);
    if (code)
        return code;
    const char *state = tool_string(answer.json, "state");
    if (answer.status != 200 || strcmp(state, "requesting") != 0) {
        outcome(batch, move->address, *state ? state : "unknown",
                tool_string(answer.json, *state ? "reason" : "detail"),
                is_under_way(state) ? tool_string(answer.json, "deadline") : "");
        *move->id = '\0';
        *moved_on = true;
    }
    json_decref(answer.json);
    return TOOL_DONE;
}

static struct move *move_free(struct batch *batch)
{
    for (size_t i = 0; i < BATCH_ASKED_MAX; i++)
        if (!*batch->asked[i].id)
            return &batch->asked[i];
    return NULL;
}

static size_t moves_asked(const struct batch *batch)
{
    size_t asked = 0;
    for (size_t i = 0; i < BATCH_ASKED_MAX; i++)
        asked += *batch->asked[i].id != '\0';
    return asked;
}

/* Until one was answered, or somebody interrupts. */
static int answers_wait(struct batch *batch)
{
    static const struct timespec pause = {.tv_nsec = BATCH_LOOK_MS * 1000000L};
    bool moved_on = false;
    while (!moved_on && !tool_is_interrupted()) {
        for (size_t i = 0; i < BATCH_ASKED_MAX; i++) {
            int code =
                *batch->asked[i].id ? move_look(batch, &batch->asked[i], &moved_on) : TOOL_DONE;
            if (code)
                return code;
        }
        if (!moved_on)
            nanosleep(&pause, NULL);
    }
    return TOOL_DONE;
}

/* ---- the file ---- */

/* False at a line that says nothing; *why where it is none of ours. */
static bool order_parse(char *text, struct order *order, const char **why)
{
    char *rest = NULL, *words[4];
    size_t words_read = 0;
    *why = NULL;
    for (char *word = strtok_r(text, " \t\r\n", &rest); word && words_read < 4;
         word = strtok_r(NULL, " \t\r\n", &rest))
        words[words_read++] = word;
    if (words_read == 0 || words[0][0] == '#')
        return false;
    if (words_read < 2 || words_read > 3 || strlen(words[0]) >= BATCH_MEMBER_MAX)
        *why = "it must be an address, its auth code, and perhaps whose it is";
    if (!*why)
        *order = (struct order){words[0], words[1], words_read > 2 ? words[2] : NULL};
    return true;
}

static int line_take(struct batch *batch, char *text)
{
    struct order order;
    const char *why;
    if (!strchr(text, '\n') && !feof(batch->in))
        return tool_fail(TOOL_REFUSED, "%s, line %u: is too long", batch->name, batch->line);
    if (!order_parse(text, &order, &why))
        return TOOL_DONE;
    if (!why)
        return move_begin(batch, &order, move_free(batch));
    batch->failed++;
    tool_fail(TOOL_REFUSED, "%s, line %u: %s", batch->name, batch->line, why);
    return TOOL_DONE;
}

static int lines_take(struct batch *batch)
{
    char text[BATCH_LINE_MAX];
    int code = TOOL_DONE;
    while (!code && !tool_is_interrupted() && fgets(text, sizeof(text), batch->in)) {
        batch->line++;
        code = line_take(batch, text);
        if (!code && !move_free(batch))
            code = answers_wait(batch);
    }
    explicit_bzero(text, sizeof(text));
    while (!code && !tool_is_interrupted() && moves_asked(batch))
        code = answers_wait(batch);
    if (!code && ferror(batch->in))
        code = tool_fail(TOOL_REFUSED, "%s: cannot be read", batch->name);
    return code;
}

static int summary(const struct batch *batch)
{
    size_t asked = moves_asked(batch);
    bool all = batch->open + batch->failed + asked == 0 && !tool_is_interrupted();
    tool_fail(TOOL_DONE, "%zu are at %s, %zu are under way, %zu failed%s", batch->here,
              batch->gaining, batch->open + asked, batch->failed,
              all ? "" : "; the same command again goes on");
    return all ? TOOL_DONE : TOOL_REFUSED;
}

/* Added to, so that no secret of a run before gets lost. */
static int secrets_open(struct batch *batch)
{
    const char *name = tool_value(batch->tool, OPT_UNDO_SECRETS);
    if (!name)
        return TOOL_DONE;
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    batch->secrets = fd < 0 ? NULL : fdopen(fd, "a");
    struct stat there;
    if (!batch->secrets || fstat(fd, &there))
        return tool_fail(TOOL_REFUSED, "%s: cannot be written: %s", name, strerror(errno));
    if (S_ISREG(there.st_mode) && there.st_mode & (S_IRWXG | S_IRWXO))
        return tool_fail(TOOL_REFUSED, "%s: others can read it: chmod 600 it first", name);
    return TOOL_DONE;
}

int tool_port_batch(struct tool *tool)
{
    const char *name = tool->operands[1];
    bool piped = strcmp(name, "-") == 0;
    struct batch batch = {.tool = tool,
                          .gaining = tool->operands[0],
                          .in = piped ? stdin : fopen(name, "re"),
                          .name = piped ? "standard input" : name};
    int code =
        batch.in ? secrets_open(&batch) : tool_fail(TOOL_REFUSED, "%s: %s", name, strerror(errno));
    tool_catch_interrupts();
    if (!code)
        code = lines_take(&batch);
    if (!code)
        code = summary(&batch);
    if (batch.secrets && fclose(batch.secrets) && !code)
        code = tool_fail(TOOL_REFUSED, "the undo secrets could not be written");
    if (batch.in && !piped)
        fclose(batch.in);
    return code;
}
