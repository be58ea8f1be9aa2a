/* junctor peer ... */
#include "tools/tool.h"

static const struct tool_resource peers = {
    .folder = "/v1/peers",
    .list = "peers",
    .key = "domain",
    .columns = {{"DOMAIN", "domain"},
                {"BLOCKED", "blocked"},
                {"TRUSTS-IDENTITY", "trusts_identity"},
                {"REQUESTS/S", "requests_per_s"},
                {"CALLS", "calls_max"},
                {"TARIFF", "tariff"}},
    .fields = {{"domain", "domain"},
               {"blocked", "blocked"},
               {"trusts identity", "trusts_identity"},
               {"requests per s", "requests_per_s"},
               {"calls at once", "calls_max"},
               {"pins", "pins"},
               {"tariff", "tariff"},
               {"created", "created"},
               {"version", "version"}},
    .settings = {{OPT_BLOCKED, "blocked", SETTING_YES_NO},
                 {OPT_TRUSTS_IDENTITY, "trusts_identity", SETTING_YES_NO},
                 {OPT_REQUESTS, "requests_per_s", SETTING_NUMBER},
                 {OPT_CALLS, "calls_max", SETTING_NUMBER},
                 {OPT_PIN, "pins", SETTING_LIST},
                 {OPT_TARIFF, "tariff", SETTING_STRING}},
};

int tool_peer_add(struct tool *tool)
{
    return tool_resource_add(tool, &peers, NULL);
}

int tool_peer_list(struct tool *tool)
{
    return tool_resource_list(tool, &peers);
}

int tool_peer_show(struct tool *tool)
{
    return tool_resource_show(tool, &peers);
}

int tool_peer_set(struct tool *tool)
{
    return tool_resource_set(tool, &peers, NULL);
}

int tool_peer_del(struct tool *tool)
{
    return tool_resource_delete(tool, &peers, "", "deleted");
}
