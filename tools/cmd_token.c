/* junctor token ..., junctor self */
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>

static const struct tool_resource tokens = {
    .folder = "/v1/tokens",
    .list = "tokens",
    .key = "id",
    .columns = {{"ID", "id"},
                {"SCOPE", "scope"},
                {"OWNER", "owner"},
                {"DOMAINS", "domains"},
                {"UNTIL", "until"},
                {"NOTE", "note"}},
    .fields = {{"id", "id"},
               {"scope", "scope"},
               {"owner", "owner"},
               {"domains", "domains"},
               {"note", "note"},
               {"created", "created"},
               {"until", "until"},
               {"version", "version"}},
    .settings = {{OPT_SCOPE, "scope", SETTING_TEXT},
                 {OPT_OWNER, "owner", SETTING_TEXT},
                 {OPT_DOMAIN, "domains", SETTING_LIST},
                 {OPT_NOTE, "note", SETTING_STRING},
                 {OPT_UNTIL, "until", SETTING_TEXT},
                 {OPT_DAYS, "days", SETTING_NUMBER}},
};

static const struct tool_resource self = {
    .fields = {{"scope", "scope"},
               {"actor", "actor"},
               {"owner", "owner"},
               {"domains", "domains"},
               {"until", "until"}},
};

static int token_print(const struct tool *tool, const json_t *made)
{
    const char *id = tool_string(made, "id"), *secret = tool_string(made, "token");
    if (tool->json) {
        tool_json_print(made);
        return TOOL_DONE;
    }
    if (tool_has(tool, OPT_DRY_RUN)) {
        printf("a token of scope %s would be made\n", tool_string(made, "scope"));
        return TOOL_DONE;
    }
    if (*secret == '\0')
        return tool_fail(TOOL_REFUSED,
                         "token %s was made, but its text got lost with the connection: delete it "
                         "and make another",
                         id);
    puts(secret);
    if (!tool_has(tool, OPT_QUIET))
        tool_fail(TOOL_DONE,
                  "this is token %s; it is not shown again: keep it in a file that only you may "
                  "read (umask 077)",
                  id);
    return TOOL_DONE;
}

/* A token for a domain that is not there is good for nothing, until that is added. */
static int domains_warn(struct tool *tool)
{
    int code = TOOL_DONE;
    for (size_t i = 0; code == TOOL_DONE && i < tool->given_count; i++) {
        struct client_answer answer;
        if (tool->given[i].option != OPT_DOMAIN || *tool->given[i].text == '\0')
            continue;
        char *path = tool_path("/v1/domains", tool->given[i].text);
        struct client_request request = {.method = "GET", .path = path};
        code = path ? tool_ask(tool, &request, &answer) : TOOL_REFUSED;
        free(path);
        if (code)
            break;
        if (answer.status == 404)
            tool_fail(TOOL_DONE, "warning: %s is not one of your domains", tool->given[i].text);
        json_decref(answer.json);
    }
    return code;
}

int tool_token_add(struct tool *tool)
{
    struct client_answer answer;
    int code = tool_resource_post(tool, &tokens, NULL, &answer);
    if (code)
        return code;
    code = token_print(tool, answer.json);
    json_decref(answer.json);
    return code ? code : domains_warn(tool);
}

int tool_token_list(struct tool *tool)
{
    return tool_resource_list(tool, &tokens);
}

int tool_token_show(struct tool *tool)
{
    return tool_resource_show(tool, &tokens);
}

int tool_token_del(struct tool *tool)
{
    return tool_resource_delete(tool, &tokens, "", "revoked");
}

int tool_self(struct tool *tool)
{
    struct client_answer answer;
    int code = tool_get(tool, "/v1/self", &answer);
    if (code)
        return code;
    tool_record_print(tool, &self, answer.json);
    json_decref(answer.json);
    return TOOL_DONE;
}
