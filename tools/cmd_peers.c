/* junctor peers: what passes between us and each peer, or the connections with one. */
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct tool_column peers_columns[] = {
    {"PEER", "peer"},
    {"FROM IT", "in"},
    {"TO IT", "out"},
    {"ANSWERED", "answered"},
    {"FAILED", "failed"},
    {"REFUSED", "refused"},
    {"LAST MINUTE", "last_minute"},
    {"LAST", "last"},
};

static const struct tool_column connection_columns[] = {
    {"PEER", "peer"},
    {"IDENTITIES", "identities"},
    {"ADDRESS", "address"},
    {"OVER", "transport"},
    {"OPENED BY", "opened_by"},
    {"STATE", "state"},
    {"OUR DOMAIN", "our_domain"},
    {"SINCE", "since"},
};

static json_int_t way_sum(const json_t *way)
{
    const char *name;
    json_t *value;
    json_int_t sum = 0;
    json_object_foreach((json_t *)way, name, value)
    {
        sum += json_integer_value(value);
    }
    return sum;
}

static json_int_t of_both(const json_t *peer, const char *result)
{
    return json_integer_value(json_object_get(json_object_get(peer, "in"), result)) +
           json_integer_value(json_object_get(json_object_get(peer, "out"), result));
}

/* A row of the table; `name` where the record has none. */
static json_t *row_make(const json_t *peer, const char *name)
{
    const char *own = tool_string(peer, "peer");
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:O, s:O}", "peer", *own ? own : name, "in",
                     way_sum(json_object_get(peer, "in")), "out",
                     way_sum(json_object_get(peer, "out")), "answered", of_both(peer, "answered"),
                     "failed", of_both(peer, "failed"), "refused", of_both(peer, "refused"),
                     "last_minute", json_object_get(peer, "last_minute"), "last",
                     json_object_get(peer, "last"));
}

static void peers_print(const json_t *answer)
{
    struct tool_table table = {.columns = peers_columns};
    const json_t *other = json_object_get(answer, "other");
    json_t *rows = json_array(), *peer;
    size_t i;
    json_array_foreach(json_object_get(answer, "peers"), i, peer)
    {
        json_array_append_new(rows, row_make(peer, ""));
    }
    if (json_integer_value(json_object_get(other, "requests")) > 0)
        json_array_append_new(rows, row_make(other, "(others)"));
    tool_table_print(&table, rows);
    json_decref(rows);
}

/* What is printed may not be all. */
static void silent_print(const json_t *answer)
{
    json_int_t silent = json_integer_value(json_object_get(answer, "silent_workers"));
    if (silent > 0)
        fprintf(stderr,
                "junctor: %" JSON_INTEGER_FORMAT " workers of the edge were too busy to answer: "
                "their part is missing\n",
                silent);
}

static void connections_print(const json_t *answer)
{
    struct tool_table table = {.columns = connection_columns};
    const json_t *connections = json_object_get(answer, "connections");
    json_int_t total = json_integer_value(json_object_get(answer, "total"));
    tool_table_print(&table, connections);
    if (total > (json_int_t)json_array_size(connections))
        printf("(%zu of %" JSON_INTEGER_FORMAT " connections)\n", json_array_size(connections),
               total);
}

int tool_peers(struct tool *tool)
{
    struct client_answer answer;
    bool one = tool->operand_count > 0;
    char *path = strdup(one ? "/v1/connections?limit=1000" : "/v1/traffic");
    if (path && one)
        path = tool_path_with(path, "peer", tool->operands[0]);
    if (!path)
        return TOOL_REFUSED;
    int code = tool_get(tool, path, &answer);
    free(path);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else if (one)
        connections_print(answer.json);
    else
        peers_print(answer.json);
    silent_print(answer.json);
    json_decref(answer.json);
    return TOOL_DONE;
}
