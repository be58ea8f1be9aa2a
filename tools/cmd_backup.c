/* junctor backup, junctor restore */
#include "tools/tool.h"

#include "base/status.h"
#include "store/store.h"
#include "tools/offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The daemon's folder is another than ours. */
static char *absolute(const char *file)
{
    char *folder = getcwd(NULL, 0), *path = NULL;
    if (*file == '/')
        path = strdup(file);
    else if (folder && asprintf(&path, "%s/%s", folder, file) < 0)
        path = NULL;
    free(folder);
    return path;
}

static int backup_ask(struct tool *tool, const char *body, struct client_answer *answer)
{
    return tool_call(tool,
                     &(struct client_request){.method = "POST",
                                              .path = "/v1/backups",
                                              .body = body,
                                              .timeout_s = CLIENT_LONG_TIMEOUT_S},
                     answer);
}

static void backup_print(const struct tool *tool, const json_t *made)
{
    if (tool->json) {
        tool_json_print(made);
        return;
    }
    char done[64] = "written";
    json_int_t bytes = json_integer_value(json_object_get(made, "bytes"));
    if (bytes > 0)
        snprintf(done, sizeof(done), "written, %" JSON_INTEGER_FORMAT " bytes", bytes);
    tool_done_print(tool, tool_string(made, "file"), done);
}

int tool_backup(struct tool *tool)
{
    struct client_answer answer;
    char *path = absolute(tool->operands[0]);
    json_t *body = path ? json_pack("{s:s}", "file", path) : NULL;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int code = text ? backup_ask(tool, text, &answer)
                    : tool_fail(TOOL_REFUSED, "the name of the file is not UTF-8 text");
    free(text);
    json_decref(body);
    free(path);
    if (code)
        return code;
    backup_print(tool, answer.json);
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_restore(struct tool *tool)
{
    struct store_conf conf;
    struct store_fault fault = {.text = ""};
    int code = offline_conf(tool, &conf);
    if (code)
        return code;
    const char *file = tool->operands[0];
    int status = store_restore(file, &conf, tool_has(tool, OPT_REPLACE), &fault);
    if (status)
        return offline_fail(status, &fault, file,
                            "; --replace puts the backup in its place all the same");
    if (tool->json) {
        json_t *done = json_pack("{s:s, s:s}", "file", file, "store", conf.path);
        tool_json_print(done);
        json_decref(done);
    } else {
        tool_text_print(file);
        printf(" restored to ");
        tool_text_print(conf.path);
        putchar('\n');
    }
    return TOOL_DONE;
}
