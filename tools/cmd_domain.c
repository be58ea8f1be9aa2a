/* junctor domain ... */
#include "tools/tool.h"

static const struct tool_resource domains = {
    .folder = "/v1/domains",
    .list = "domains",
    .key = "name",
    .columns = {{"NAME", "name"}, {"UNKNOWN", "unknown"}, {"CORES", "cores"}},
    .fields = {{"name", "name"},
               {"cores", "cores"},
               {"unknown", "unknown"},
               {"claims", "claims_per_owner"},
               {"quarantine", "quarantine_days"},
               {"address records", "address_records"},
               {"port redirects", "port_redirects"},
               {"created", "created"},
               {"version", "version"}},
    .settings = {{OPT_CORE, "cores", SETTING_LIST},
                 {OPT_UNKNOWN, "unknown", SETTING_TEXT},
                 {OPT_CLAIMS, "claims_per_owner", SETTING_NUMBER},
                 {OPT_QUARANTINE, "quarantine_days", SETTING_NUMBER},
                 {OPT_ADDRESS_RECORDS, "address_records", SETTING_YES_NO},
                 {OPT_PORT_REDIRECTS, "port_redirects", SETTING_YES_NO}},
};

int tool_domain_add(struct tool *tool)
{
    return tool_resource_add(tool, &domains, NULL);
}

int tool_domain_list(struct tool *tool)
{
    return tool_resource_list(tool, &domains);
}

int tool_domain_show(struct tool *tool)
{
    return tool_resource_show(tool, &domains);
}

int tool_domain_set(struct tool *tool)
{
    return tool_resource_set(tool, &domains, NULL);
}

int tool_domain_del(struct tool *tool)
{
    return tool_resource_delete(tool, &domains, "", "deleted");
}
