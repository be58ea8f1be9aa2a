/* junctor address ... */
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct tool_column address_columns[] = {
    {"ADDRESS", "address"},
    {"STATE", "state"},
    {"HOSTING", "hosting"},
    {"CREATED", "created"},
};

static const struct tool_column address_fields[] = {
    {"address", "address"}, {"state", "state"},     {"hosting", "hosting"},
    {"display", "display"}, {"created", "created"}, {"version", "version"},
};

static void address_added_print(const json_t *record)
{
    const char *address = tool_string(record, "address");
    const char *domain = strchr(address, '@');
    const char *hosting = tool_string(record, "hosting");
    tool_text_print(address);
    if (domain && strcmp(domain + 1, hosting) == 0)
        puts(" added");
    else
        printf(" added, %s, hosting domain %s\n", tool_string(record, "state"), hosting);
}

int tool_address_add(struct tool *tool)
{
    struct client_answer answer;
    json_t *body = json_pack("{s:s, s:s*}", "address", tool->operands[0], "hosting", tool->hosting);
    int code = tool_post(tool, "/v1/addresses", body, &answer);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        address_added_print(answer.json);
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_address_list(struct tool *tool)
{
    char *path = NULL, *domain = NULL;
    if (tool->operand_count > 0) {
        domain = client_escape(tool->operands[0]);
        if (!domain || asprintf(&path, "/v1/addresses?domain=%s", domain) < 0)
            path = NULL;
        free(domain);
        if (!path)
            return tool_fail(TOOL_REFUSED, "out of memory");
    }
    struct tool_list list = {.path = path ? path : "/v1/addresses",
                             .list = "addresses",
                             .columns = address_columns,
                             .column_count = sizeof(address_columns) / sizeof(address_columns[0])};
    int code = tool_list_print(tool, &list);
    free(path);
    return code;
}

int tool_address_show(struct tool *tool)
{
    struct client_answer answer;
    int code = tool_get(tool, "/v1/addresses/", tool->operands[0], &answer);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        tool_record_print(answer.json, address_fields,
                          sizeof(address_fields) / sizeof(address_fields[0]));
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_address_del(struct tool *tool)
{
    return tool_delete(tool, "/v1/addresses/", "address");
}
