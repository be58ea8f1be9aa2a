/* junctor dns purge */
#include "tools/tool.h"

#include <stdlib.h>

static int purge_ask(struct tool *tool, const char *body, struct client_answer *answer)
{
    return tool_call(
        tool, &(struct client_request){.method = "POST", .path = "/v1/dns/purge", .body = body},
        answer);
}

int tool_dns_purge(struct tool *tool)
{
    struct client_answer answer;
    json_t *body = json_pack("{s:s}", "name", tool->operands[0]);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int code = text ? purge_ask(tool, text, &answer)
                    : tool_fail(TOOL_REFUSED, "the name is not UTF-8 text");
    free(text);
    json_decref(body);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        tool_done_print(tool, tool_string(answer.json, "name"), "forgotten");
    json_decref(answer.json);
    return TOOL_DONE;
}
