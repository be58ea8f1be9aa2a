/* junctor token-key rotate */
#include "tools/tool.h"

int tool_token_key_rotate(struct tool *tool)
{
    struct client_answer answer;
    int code = tool_change(tool, "POST", "/v1/token-keys", NULL, json_object(), &answer);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        tool_done_print(tool, "the key of dialog tokens", "changed");
    json_decref(answer.json);
    return TOOL_DONE;
}
