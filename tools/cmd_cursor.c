/* junctor cursor ... */
#include "tools/tool.h"

static const struct tool_resource cursors = {
    .folder = "/v1/cursors",
    .list = "cursors",
    .key = "name",
    .columns = {{"NAME", "name"}, {"SEQUENCE", "sequence"}, {"LOST", "lost"}},
    .fields = {{"name", "name"}, {"sequence", "sequence"}, {"lost", "lost"}},
};

int tool_cursor_list(struct tool *tool)
{
    return tool_resource_list(tool, &cursors);
}

int tool_cursor_show(struct tool *tool)
{
    return tool_resource_show(tool, &cursors);
}

int tool_cursor_del(struct tool *tool)
{
    return tool_resource_delete(tool, &cursors, "", "deleted");
}
