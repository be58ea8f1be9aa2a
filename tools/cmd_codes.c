/* junctor address auth-codes: all that is hosted here of a domain can go to another operator. */
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct codes {
    struct tool *tool;
    FILE *out;
    const char *name; /* of the file; NULL: standard output */
    size_t made, refused;
};

static int output_failed(const struct codes *codes)
{
    return tool_fail(TOOL_REFUSED, "%s: cannot be written: %s",
                     codes->name ? codes->name : "standard output", strerror(errno));
}

/* Aliases stay at their domain; what is ported out has its codes made elsewhere. */
static bool is_to_go(const struct codes *codes, const json_t *record)
{
    const char *state = tool_string(record, "state");
    return (strcmp(state, "hosted") == 0 || strcmp(state, "ported-in") == 0) &&
           strcasecmp(tool_string(record, "hosting"), tool_value(codes->tool, OPT_FOR)) != 0;
}

static int code_ask(struct codes *codes, const char *address, struct client_answer *answer)
{
    char *record = tool_path("/v1/addresses", address), *path = NULL;
    json_t *body = json_pack("{s:s}", "for", tool_value(codes->tool, OPT_FOR));
    if (body && tool_has(codes->tool, OPT_DAYS))
        json_object_set_new(body, "days",
                            json_integer((json_int_t)tool_number(codes->tool, OPT_DAYS, 0)));
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int code = TOOL_REFUSED;
    if (record && text && asprintf(&path, "%s/auth-code", record) >= 0)
        code = tool_ask(codes->tool,
                        &(struct client_request){.method = "POST", .path = path, .body = text},
                        answer);
    json_decref(body);
    free(text);
    free(path);
    free(record);
    return code;
}

static int code_write(struct codes *codes, const char *address)
{
    struct client_answer answer;
    int code = code_ask(codes, address, &answer);
    if (code)
        return code;
    const char *secret = tool_string(answer.json, "auth_code");
    if (answer.status == 201 && *secret) {
        codes->made++;
        if (fprintf(codes->out, "%s %s\n", address, secret) < 0)
            code = output_failed(codes);
    } else {
        const char *why = tool_string(answer.json, "detail");
        codes->refused++;
        tool_fail(TOOL_REFUSED, "%s: no code was made: %s", address,
                  *why ? why : "its answer got lost");
    }
    json_decref(answer.json);
    return code;
}

static int page_write(struct codes *codes, const json_t *page)
{
    size_t i;
    json_t *record;
    json_array_foreach(json_object_get(page, "addresses"), i, record)
    {
        int code =
            is_to_go(codes, record) ? code_write(codes, tool_string(record, "address")) : TOOL_DONE;
        if (!code && tool_is_interrupted())
            code = tool_fail(TOOL_REFUSED, "interrupted");
        if (code)
            return code;
    }
    return TOOL_DONE;
}

static int pages_write(struct codes *codes, const char *path)
{
    char *cursor = NULL;
    int code;
    do {
        struct client_answer answer;
        code = tool_page_get(codes->tool, path, cursor, &answer);
        free(cursor);
        cursor = NULL;
        if (code)
            break;
        code = page_write(codes, answer.json);
        const char *next = tool_page_next(&answer);
        cursor = *next ? strdup(next) : NULL;
        json_decref(answer.json);
    } while (cursor && code == TOOL_DONE);
    free(cursor);
    return code;
}

/* A new file, so that nobody who could read an old one of that name reads the codes. */
static int output_open(struct codes *codes)
{
    int fd = codes->name ? open(codes->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    codes->out = codes->name ? (fd < 0 ? NULL : fdopen(fd, "w")) : stdout;
    return codes->out ? TOOL_DONE : output_failed(codes);
}

static int output_close(struct codes *codes, int code)
{
    if (!code && (fflush(codes->out) || (codes->name && fsync(fileno(codes->out)))))
        code = output_failed(codes);
    if (codes->name) {
        fclose(codes->out);
        if (code)
            unlink(codes->name);
    }
    return code;
}

int tool_address_codes(struct tool *tool)
{
    const char *name = tool_value(tool, OPT_OUTPUT);
    struct codes codes = {.tool = tool, .name = name && strcmp(name, "-") != 0 ? name : NULL};
    char *path = tool_path_with(strdup("/v1/addresses"), "domain", tool->operands[0]);
    int code = path ? output_open(&codes) : TOOL_REFUSED;
    if (!code) {
        tool_catch_interrupts();
        code = output_close(&codes, pages_write(&codes, path));
    }
    free(path);
    if (code)
        return code;
    tool_fail(TOOL_DONE, "%zu codes for %s, none of which is shown again%s", codes.made,
              tool_value(tool, OPT_FOR), codes.refused ? "; see above for the others" : "");
    return codes.refused ? TOOL_REFUSED : TOOL_DONE;
}
