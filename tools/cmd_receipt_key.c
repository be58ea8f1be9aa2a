/* junctor receipt-key ...: by which key receipts of ports are signed. */
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>

/* The TXT records that DNS is to have, as a zone file has them; what is first there signs. */
static void keys_print(const json_t *answer)
{
    size_t i;
    json_t *key;
    json_array_foreach(json_object_get(answer, "keys"), i, key)
    {
        printf("%s. TXT \"%s\"", tool_string(answer, "name"), tool_string(key, "txt"));
        puts(json_is_true(json_object_get(key, "signs")) ? " ; signs" : "");
    }
}

static int show(const struct tool *tool, const struct client_answer *answer)
{
    if (tool->json)
        tool_json_print(answer->json);
    else
        keys_print(answer->json);
    json_decref(answer->json);
    return TOOL_DONE;
}

int tool_receipt_key_show(struct tool *tool)
{
    struct client_answer answer;
    char *path = tool_path("/v1/receipt-keys", tool->operands[0]);
    int code = path ? tool_get(tool, path, &answer) : TOOL_REFUSED;
    free(path);
    return code ? code : show(tool, &answer);
}

int tool_receipt_key_rotate(struct tool *tool)
{
    struct client_answer answer;
    char *path = tool_path("/v1/receipt-keys", tool->operands[0]);
    int code = path ? tool_change(tool, "POST", path, NULL, json_object(), &answer) : TOOL_REFUSED;
    free(path);
    if (code)
        return code;
    if (!json_is_true(json_object_get(answer.json, "published")))
        tool_fail(TOOL_DONE, "%s: is in no zone that the daemon keeps; put these records there",
                  tool->operands[0]);
    return show(tool, &answer);
}
