/* junctor domain ... */
#include "tools/tool.h"

#include <stdio.h>

static const struct tool_column domain_columns[] = {
    {"NAME", "name"},
    {"UNKNOWN", "unknown"},
    {"CORES", "cores"},
};

static const struct tool_column domain_fields[] = {
    {"name", "name"},
    {"cores", "cores"},
    {"unknown", "unknown"},
    {"version", "version"},
};

static json_t *domain_body(const struct tool *tool)
{
    json_t *cores = json_array();
    for (int i = 0; i < tool->core_count; i++) {
        if (json_array_append_new(cores, json_string(tool->cores[i]))) {
            json_decref(cores);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o, s:s*}", "name", tool->operands[0], "cores", cores, "unknown",
                     tool->unknown);
}

/* What the daemon has to say against the domain, on standard error. */
static void warnings_print(const json_t *record)
{
    size_t i;
    json_t *warning;
    json_array_foreach(json_object_get(record, "warnings"), i, warning)
        tool_fail(TOOL_DONE, "warning: %s", json_string_value(warning));
}

int tool_domain_add(struct tool *tool)
{
    struct client_answer answer;
    if (tool->core_count == 0)
        return tool_fail(TOOL_USAGE, "domain add: where is the domain's core? Name it with --core, "
                                     "like --core \"sip:192.0.2.1:5060;transport=udp\"");
    int code = tool_post(tool, "/v1/domains", domain_body(tool), &answer);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        printf("%s added\n", tool_string(answer.json, "name"));
    if (!tool->json)
        warnings_print(answer.json);
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_domain_list(struct tool *tool)
{
    return tool_list_print(tool, &(struct tool_list){.path = "/v1/domains",
                                                     .list = "domains",
                                                     .columns = domain_columns,
                                                     .column_count = sizeof(domain_columns) /
                                                                     sizeof(domain_columns[0])});
}

int tool_domain_show(struct tool *tool)
{
    struct client_answer answer;
    int code = tool_get(tool, "/v1/domains/", tool->operands[0], &answer);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        tool_record_print(answer.json, domain_fields,
                          sizeof(domain_fields) / sizeof(domain_fields[0]));
    if (!tool->json)
        warnings_print(answer.json);
    json_decref(answer.json);
    return TOOL_DONE;
}

int tool_domain_del(struct tool *tool)
{
    return tool_delete(tool, "/v1/domains/", "name");
}
