/* junctor dns sync */
#include "tools/tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int64_t number(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static void set_print(char mark, const json_t *set, int64_t ttl)
{
    size_t i;
    json_t *data;
    json_array_foreach(set, i, data)
    {
        printf("    %c %" PRId64 " ", mark, ttl);
        tool_text_print(json_string_value(data));
        putchar('\n');
    }
}

/* Zone files' marks of a difference: what is served goes, what should be comes. */
static void row_print(const json_t *row, bool dry_run)
{
    static const struct {
        const char *action, *done, *would;
    } words[] = {
        {"add", "added", "would be added"},
        {"replace", "replaced", "would be replaced"},
        {"remove", "removed", "would be removed"},
        {"differs", "was changed by somebody else, left alone (--force replaces it)",
         "was changed by somebody else, would be left alone (--force replaces it)"},
        {"refused", "the primary does not allow it (the daemon's log says why)", "refused"},
    };
    const char *action = tool_string(row, "action"), *said = action;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].action, action) == 0)
            said = dry_run ? words[i].would : words[i].done;
    tool_text_print(tool_string(row, "name"));
    printf(" %s: %s\n", tool_string(row, "type"), said);
    set_print('-', json_object_get(row, "served"), number(row, "served_ttl"));
    set_print('+', json_object_get(row, "wanted"), number(row, "wanted_ttl"));
}

static void report_print(const json_t *report, bool dry_run)
{
    const json_t *rows = json_object_get(report, "sets");
    int64_t told = (int64_t)json_array_size(rows);
    int64_t changed = number(report, "changed"), differing = number(report, "differing");
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) row_print(row, dry_run);
    if (told < changed + differing)
        printf("... and %" PRId64 " more\n", changed + differing - told);
    tool_text_print(tool_string(report, "domain"));
    printf(": %" PRId64 " sets compared, %" PRId64 " %s, %" PRId64 " changed by somebody else\n",
           number(report, "looked_at"), changed, dry_run ? "would be changed" : "changed",
           differing);
}

/* What somebody else changed is a refusal: the primary does not serve what it should. */
int tool_dns_sync(struct tool *tool)
{
    struct client_answer answer;
    json_t *body = json_pack("{s:s, s:b}", "domain", tool->operands[0], "force",
                             (int)tool_has(tool, OPT_FORCE));
    if (!body)
        return tool_fail(TOOL_USAGE, "the domain is not UTF-8");
    int code = tool_change(tool, "POST", "/v1/dns/sync", NULL, body, &answer);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        report_print(answer.json, tool_has(tool, OPT_DRY_RUN));
    code = number(answer.json, "differing") > 0 ? TOOL_REFUSED : TOOL_DONE;
    json_decref(answer.json);
    return code;
}
