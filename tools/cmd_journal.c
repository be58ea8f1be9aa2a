/* junctor journal: entries of the past, and as they come (server-sent events). */
#include "tools/events.h"
#include "tools/journal_words.h"
#include "tools/tool.h"

#include "base/list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOURNAL_LIMIT 100 /* entries shown where no number is given */
#define JOURNAL_EVENT_MAX                                                                          \
    (4 << 20)            /* octets of one event: both records and what is around them              \
                          */
#define JOURNAL_TRIES 60 /* seconds that a follower waits for its daemon to come back */

static const struct tool_column journal_columns[] = {
    {"SEQUENCE", "sequence"}, {"TIME", "time"},           {"ACTOR", "actor"}, {"WHAT", "what"},
    {"KEY", "key"},           {"DETAILS", JOURNAL_WORDS}, {NULL, NULL},
};

/* ---- the past ---- */

static int page_get(struct tool *tool, uint64_t from, uint64_t limit, struct client_answer *answer)
{
    char path[96];
    snprintf(path, sizeof(path), "/v1/journal?from=%" PRIu64 "&limit=%" PRIu64, from,
             limit < TOOL_PAGE ? limit : TOOL_PAGE);
    return tool_get(tool, path, answer);
}

static uint64_t sequence_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

/* Where the last `limit` entries begin. */
static int last_find(struct tool *tool, uint64_t limit, uint64_t *from)
{
    struct client_answer answer;
    int code = page_get(tool, 0, 1, &answer);
    if (code)
        return code;
    uint64_t first = sequence_of(answer.json, "first"), last = sequence_of(answer.json, "last");
    *from = last >= limit && last - limit + 1 > first ? last - limit + 1 : first;
    json_decref(answer.json);
    return TOOL_DONE;
}

static void entries_print(const struct tool *tool, struct tool_table *table, bool *started,
                          const json_t *entries)
{
    size_t i;
    json_t *entry;
    if (!tool->json) {
        json_array_foreach(entries, i, entry) journal_words_add(entry);
        tool_table_print(table, entries);
        return;
    }
    json_array_foreach(entries, i, entry)
    {
        fputs(*started ? ",\n" : "\n", stdout);
        json_dumpf(entry, stdout, JSON_COMPACT);
        *started = true;
    }
}

static int past_print(struct tool *tool, uint64_t from, uint64_t limit)
{
    struct tool_table table = {.columns = journal_columns};
    bool started = false, first = true;
    int code = TOOL_DONE;
    while (limit > 0) {
        struct client_answer answer;
        code = page_get(tool, from, limit, &answer);
        if (code)
            return code;
        const json_t *entries = json_object_get(answer.json, "entries");
        if (tool->json && first)
            fputs("{\"entries\": [", stdout);
        first = false;
        entries_print(tool, &table, &started, entries);
        size_t count = json_array_size(entries);
        limit -= count < limit ? count : limit;
        from = sequence_of(answer.json, "next");
        json_decref(answer.json);
        if (from == 0)
            break;
    }
    if (tool->json)
        puts(first ? "{\"entries\": []}" : (started ? "\n]}" : "]}"));
    return code;
}

/* ---- what comes: server-sent events ---- */

struct follower {
    struct events events;
    const struct tool *tool;
    struct tool_table table;
    char last_id[EVENTS_NAME_MAX]; /* of the last one printed */
    uint64_t left;                 /* entries to print */
};

static bool event_print(struct events *events, struct slice data)
{
    struct follower *follower = container_of(events, struct follower, events);
    json_t *entry = json_loadb(data.p, data.len, 0, NULL);
    if (entry && follower->tool->json) {
        json_dumpf(entry, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (entry) {
        json_t *entries = json_pack("[O]", entry);
        journal_words_add(entry);
        tool_table_print(&follower->table, entries);
        json_decref(entries);
    }
    if (entry) {
        memcpy(follower->last_id, events->id, sizeof(events->id));
        follower->left--;
        json_decref(entry);
    }
    return fflush(stdout) == 0 && follower->left > 0;
}

/* One connection. Returns as client_follow, its words in `why`. */
static int connection_follow(struct tool *tool, struct follower *follower, const char *path,
                             struct client_answer *answer, char why[CLIENT_MAX_WHY])
{
    events_restart(&follower->events);
    return client_follow(tool->client, path, *follower->last_id ? follower->last_id : NULL,
                         events_bytes, &follower->events, answer, why);
}

/* A connection that was there and got lost is made anew, after the last entry that was seen. */
static int follow(struct tool *tool, struct follower *follower, const char *path)
{
    char why[CLIENT_MAX_WHY];
    struct client_answer answer = {.json = NULL};
    bool was_there = false;
    for (int tries = 0; tries < JOURNAL_TRIES; tries++) {
        int status = connection_follow(tool, follower, path, &answer, why);
        if (follower->events.too_long)
            return tool_fail(TOOL_REFUSED, "the daemon sent an entry of over %d bytes",
                             JOURNAL_EVENT_MAX);
        if (status == 0 && answer.json) {
            int code = tool_refusal(tool, &(struct client_request){.method = "GET", .path = path},
                                    &answer);
            json_decref(answer.json);
            return code;
        }
        if (status == 0)
            return TOOL_DONE;
        if (status == -ECONNRESET) {
            was_there = true;
            tries = 0;
        } else if (!was_there) {
            break;
        }
        sleep(1);
    }
    return tool_fail(TOOL_UNREACHABLE, "%s", why);
}

static int future_print(struct tool *tool)
{
    struct follower follower = {.tool = tool,
                                .table = {.columns = journal_columns,
                                          .width = {8, 27, 18, 16}}}; /* as entries usually are */
    char path[64] = "/v1/journal/events";
    follower.left = tool_number(tool, OPT_LIMIT, UINT64_MAX);
    if (tool_has(tool, OPT_FROM))
        snprintf(path, sizeof(path), "/v1/journal/events?from=%" PRIu64,
                 tool_number(tool, OPT_FROM, 0));
    if (tool_connect(tool))
        return TOOL_REFUSED;
    events_init(&follower.events, JOURNAL_EVENT_MAX, event_print);
    int code = follower.left ? follow(tool, &follower, path) : TOOL_DONE;
    events_done(&follower.events);
    return code;
}

int tool_journal(struct tool *tool)
{
    if (tool_has(tool, OPT_FOLLOW))
        return future_print(tool);
    uint64_t limit = tool_number(tool, OPT_LIMIT, JOURNAL_LIMIT);
    uint64_t from = tool_number(tool, OPT_FROM, 0);
    int code = tool_has(tool, OPT_FROM) ? TOOL_DONE : last_find(tool, limit, &from);
    return code ? code : past_print(tool, from, limit);
}
