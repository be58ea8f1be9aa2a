/* junctor number ... */
#include "tools/tool.h"

static const struct tool_resource numbers = {
    .folder = "/v1/numbers",
    .list = "numbers",
    .key = "number",
    .columns = {{"NUMBER", "number"},
                {"ADDRESS", "address"},
                {"CREATED", "created"},
                {"ZONE", "zone"}},
    .settings = {{OPT_ZONE, "zone", SETTING_TEXT}},
    .fields = {{"number", "number"},
               {"address", "address"},
               {"zone", "zone"},
               {"created", "created"},
               {"version", "version"}},
};

static int with_address(struct tool *tool,
                        int (*command)(struct tool *, const struct tool_resource *, json_t *))
{
    json_t *extra = json_pack("{s:s}", "address", tool->operands[1]);
    if (!extra)
        return tool_fail(TOOL_USAGE, "the command line is not UTF-8 text");
    return command(tool, &numbers, extra);
}

int tool_number_add(struct tool *tool)
{
    return with_address(tool, tool_resource_add);
}

int tool_number_list(struct tool *tool)
{
    return tool_resource_list(tool, &numbers);
}

int tool_number_show(struct tool *tool)
{
    return tool_resource_show(tool, &numbers);
}

int tool_number_set(struct tool *tool)
{
    return with_address(tool, tool_resource_set);
}

int tool_number_del(struct tool *tool)
{
    return tool_resource_delete(tool, &numbers, "", "deleted");
}
