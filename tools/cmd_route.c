/* junctor route, junctor status */
#include "tools/tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int64_t number(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static void hops_print(const json_t *hops)
{
    size_t i;
    json_t *hop;
    if (json_array_size(hops))
        puts("next hops, in this order:");
    json_array_foreach(hops, i, hop)
    {
        printf("  %s %s", tool_string(hop, "transport"), tool_string(hop, "address"));
        fputs("  ", stdout);
        tool_text_print(tool_string(hop, "host"));
        putchar('\n');
    }
}

static void route_print(const json_t *route)
{
    size_t i;
    json_t *step;
    tool_text_print(tool_string(route, "address"));
    putchar('\n');
    json_array_foreach(json_object_get(route, "steps"), i, step)
    {
        printf("%3zu. %s: ", i + 1, tool_string(step, "what"));
        tool_text_print(tool_string(step, "why"));
        putchar('\n');
    }
    hops_print(json_object_get(route, "next_hops"));
    fputs("verdict: ", stdout);
    tool_text_print(tool_string(route, "verdict"));
    putchar('\n');
}

static int route_get(struct tool *tool, struct client_answer *answer)
{
    char *path = tool_path("/v1/route", tool->operands[0]);
    int code = path ? tool_get(tool, path, answer) : TOOL_REFUSED;
    free(path);
    return code;
}

/* A call that would go nowhere is "not found", however well it is explained. */
int tool_route(struct tool *tool)
{
    struct client_answer answer;
    int code = route_get(tool, &answer);
    if (code)
        return code;
    if (tool->json)
        tool_json_print(answer.json);
    else
        route_print(answer.json);
    code = json_array_size(json_object_get(answer.json, "next_hops")) ? TOOL_DONE : TOOL_REFUSED;
    json_decref(answer.json);
    return code;
}

static void uptime_print(int64_t seconds)
{
    printf("%" PRId64 " d %" PRId64 " h %" PRId64 " min %" PRId64 " s", seconds / 86400,
           seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

static void store_print(const json_t *store)
{
    int64_t first = number(store, "first_sequence"), last = number(store, "last_sequence");
    printf("directory  %" PRId64 " domains, %" PRId64 " addresses, %" PRId64 " numbers, %" PRId64
           " peers, %" PRId64 " tokens; %" PRId64 " of %" PRId64 " KiB used\n",
           number(store, "domains"), number(store, "addresses"), number(store, "numbers"),
           number(store, "peers"), number(store, "tokens"), number(store, "map_used") / 1024,
           number(store, "map_size") / 1024);
    if (last < first)
        puts("journal    empty");
    else
        printf("journal    entries %" PRId64 " to %" PRId64 ", %" PRId64 " KiB; %" PRId64
               " cursors lost\n",
               first, last, number(store, "journal_bytes") / 1024, number(store, "cursors_lost"));
}

static void edge_print(const json_t *edge)
{
    if (!json_is_object(edge)) {
        puts("edge       none in this process");
        return;
    }
    printf("edge       %" PRId64 " workers, %" PRId64 " transactions, %" PRId64
           " connections, %" PRId64 " peers\n",
           number(edge, "workers"), number(edge, "transactions"), number(edge, "connections"),
           number(edge, "peers"));
    printf("traffic    %" PRId64 " requests: %" PRId64 " forwarded, %" PRId64 " refused; %" PRId64
           " responses, %" PRId64 " dropped, %" PRId64 " handed over\n",
           number(edge, "requests"), number(edge, "forwarded"), number(edge, "refused"),
           number(edge, "responses"), number(edge, "dropped"), number(edge, "handed_over"));
}

/* A line for each zone that is published. */
static void published_print(const json_t *zones)
{
    size_t i;
    json_t *zone;
    json_array_foreach(zones, i, zone)
    {
        printf("published  %s at %s: %s, entry %" PRId64 ", %" PRId64 " sets changed, %" PRId64
               " differ\n",
               tool_string(zone, "zone"), tool_string(zone, "primary"), tool_string(zone, "state"),
               number(zone, "sequence"), number(zone, "changed"), number(zone, "differing"));
        if (*tool_string(zone, "why")) {
            fputs("           ", stdout);
            tool_text_print(tool_string(zone, "why"));
            putchar('\n');
        }
    }
}

int tool_status(struct tool *tool)
{
    struct client_answer answer;
    int code = tool_get(tool, "/v1/status", &answer);
    if (code)
        return code;
    if (tool->json) {
        tool_json_print(answer.json);
    } else {
        printf("junctord   %s, up ", tool_string(answer.json, "version"));
        uptime_print(number(answer.json, "uptime_s"));
        putchar('\n');
        store_print(json_object_get(answer.json, "store"));
        edge_print(json_object_get(answer.json, "edge"));
        published_print(json_object_get(answer.json, "published"));
    }
    json_decref(answer.json);
    return TOOL_DONE;
}
