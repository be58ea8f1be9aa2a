/* junctor core list */
#include "tools/tool.h"

static const struct tool_column columns[TOOL_MAX_COLUMNS] = {
    {"CORE", "core"},   {"DOMAIN", "domain"}, {"ADDRESS", "address"}, {"STATE", "state"},
    {"SINCE", "since"}, {"ANSWER", "answer"}, {"WHY", "why"},
};

int tool_core_list(struct tool *tool)
{
    struct tool_table table = {.columns = columns};
    struct client_answer answer;
    int code = tool_get(tool, "/v1/cores", &answer);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        tool_table_print(&table, json_object_get(answer.json, "cores"));
    json_decref(answer.json);
    return TOOL_DONE;
}
