/* junctor address protection, freeze, unfreeze: what keeps an address from being ported. */
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>

static const struct tool_resource protection = {
    .key = "address",
    .fields = {{"address", "address"},
               {"frozen by its operator", "frozen"},
               {"frozen by a port until", "frozen_until"},
               {"auth code is for", "code_for"},
               {"recovery key", "recovery_key"},
               {"next recovery key", "next_recovery_key"},
               {"works from", "next_recovery_key_from"}},
};

/* What of the address the first operand names; NULL without memory. */
static char *part_path(const struct tool *tool, const char *part)
{
    char *record = tool_path("/v1/addresses", tool->operands[0]), *path = NULL;
    if (record && asprintf(&path, "%s/%s", record, part) < 0)
        path = NULL;
    free(record);
    return path;
}

int tool_address_protection(struct tool *tool)
{
    struct client_answer answer;
    char *path = part_path(tool, "protection");
    int code = path ? tool_get(tool, path, &answer) : TOOL_REFUSED;
    free(path);
    if (code)
        return code;
    tool_record_print(tool, &protection, answer.json);
    json_decref(answer.json);
    return TOOL_DONE;
}

static int frozen_set(struct tool *tool, bool frozen)
{
    struct client_answer answer;
    char *path = part_path(tool, "freeze");
    int code =
        path ? tool_change(tool, "PUT", path, "*", json_pack("{s:b}", "frozen", frozen), &answer)
             : TOOL_REFUSED;
    free(path);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        tool_done_print(tool, tool_string(answer.json, "address"),
                        frozen ? "frozen" : "not frozen any more");
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_address_freeze(struct tool *tool)
{
    return frozen_set(tool, true);
}

int tool_address_unfreeze(struct tool *tool)
{
    return frozen_set(tool, false);
}
