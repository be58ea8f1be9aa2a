/* junctor ban ... */
#include "tools/tool.h"

static const struct tool_resource bans = {
    .folder = "/v1/bans",
    .list = "bans",
    .key = "source",
    .columns = {{"SOURCE", "source"},
                {"UNTIL", "until"},
                {"AUTOMATIC", "automatic"},
                {"REASON", "reason"}},
    .settings = {{OPT_SECONDS, "seconds", SETTING_NUMBER}, {OPT_REASON, "reason", SETTING_STRING}},
};

int tool_ban_add(struct tool *tool)
{
    return tool_resource_add(tool, &bans, NULL);
}

int tool_ban_list(struct tool *tool)
{
    return tool_resource_list(tool, &bans);
}

int tool_ban_del(struct tool *tool)
{
    return tool_resource_delete(tool, &bans, "", "banned no more");
}
