/* What should exist in DNS, by the daemon. Nothing here ends the check: most domains are not ours,
 * and the check needs no daemon. */
#include "tools/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_S 2 /* for one answer of the daemon; the check has better to do than to wait */

/* ---- records ---- */

static bool type_parse(const char *name, enum zone_type *type)
{
    static const enum zone_type types[] = {ZONE_A,   ZONE_TXT,   ZONE_AAAA,
                                           ZONE_SRV, ZONE_NAPTR, ZONE_TLSA};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(zone_type_name(types[i]), name) == 0) {
            *type = types[i];
            return true;
        }
    }
    return false;
}

static void record_take(struct check_wanted *wanted, const json_t *json)
{
    struct zone_record *record = &wanted->records[wanted->count];
    if (!type_parse(tool_string(json, "type"), &record->type))
        return;
    record->ttl_s = (uint32_t)json_integer_value(json_object_get(json, "ttl"));
    snprintf(record->name, sizeof(record->name), "%s", tool_string(json, "name"));
    snprintf(record->data, sizeof(record->data), "%s", tool_string(json, "data"));
    wanted->count++;
}

static void told(struct check_finding *finding, const char *why)
{
    if (!finding)
        return;
    snprintf(finding->where, sizeof(finding->where), "the daemon");
    snprintf(finding->why, sizeof(finding->why), "%s", why);
}

static void records_take(const json_t *answer, struct check_findings *findings,
                         struct check_wanted *wanted)
{
    size_t i;
    json_t *record, *warning;
    json_array_foreach(json_object_get(answer, "records"), i, record)
    {
        if (wanted->count < CHECK_WANTED_MAX)
            record_take(wanted, record);
    }
    json_array_foreach(json_object_get(answer, "warnings"), i, warning)
    {
        told(
            check_found(findings, CHECK_WARNING, "configuration", "%s", json_string_value(warning)),
            "its configuration does not say all that DNS should; junctor dns records tells the "
            "same");
    }
    if (*tool_string(answer, "next"))
        told(check_found(findings, CHECK_NOTE, "sample",
                         "more than %d records should exist; the rest was not looked at",
                         TOOL_PAGE),
             "what is wrong with the others is not found; junctor dns records shows all of them");
    wanted->known = true;
}

/* ---- asking ---- */

static void unasked(struct check_findings *findings, const char *why)
{
    told(check_found(findings, CHECK_NOTE, "daemon",
                     "the daemon was not asked what should exist: %s", why),
         "the domain was looked at as another operator's: what is missing altogether, or too much, "
         "is not seen");
}

/* Without waiting where the daemon is busy. Returns the answer with status 200, which the caller
 * gives back; else NULL, and *why: "" where it does not know the domain. */
static json_t *daemon_ask(struct tool *tool, const char *path, char why[CLIENT_MAX_WHY])
{
    struct client_answer answer = {.json = NULL};
    struct client_request request = {.method = "GET", .path = path, .timeout_s = ANSWER_S};
    snprintf(why, CLIENT_MAX_WHY, "it cannot be");
    if (!path || tool_connect(tool) || client_call(tool->client, &request, &answer, why))
        return NULL;
    if (answer.status == 200)
        return answer.json;
    snprintf(why, CLIENT_MAX_WHY, "%s",
             answer.status == 404   ? ""
             : answer.status == 429 ? "it is asked too much just now"
                                    : tool_string(answer.json, "detail"));
    json_decref(answer.json);
    return NULL;
}

/* ---- addresses that live here ---- */

/* Some of them, from all over the first page. */
static void hosted_take(const json_t *answer, struct check_wanted *wanted)
{
    const json_t *list = json_object_get(answer, "addresses");
    size_t count = json_array_size(list), step = count / CHECK_HOSTED_MAX + 1;
    for (size_t i = 0; i < count && wanted->hosted_count < CHECK_HOSTED_MAX; i += step) {
        const char *address = tool_string(json_array_get(list, i), "address");
        const char *at = strrchr(address, '@');
        char *user = at ? strndup(address, (size_t)(at - address)) : NULL;
        if (user)
            wanted->hosted[wanted->hosted_count++] = user;
    }
}

static void hosted_ask(struct tool *tool, const char *domain, const char *limit,
                       struct check_wanted *wanted)
{
    char why[CLIENT_MAX_WHY];
    char *path = strdup("/v1/addresses");
    path = path ? tool_path_with(path, "domain", domain) : NULL;
    path = path ? tool_path_with(path, "state", "hosted") : NULL;
    path = path ? tool_path_with(path, "limit", limit) : NULL;
    json_t *answer = daemon_ask(tool, path, why);
    if (answer)
        hosted_take(answer, wanted);
    json_decref(answer);
    free(path);
}

void check_wanted_ask(struct tool *tool, const char *domain, struct check_findings *findings,
                      struct check_wanted *wanted)
{
    char why[CLIENT_MAX_WHY], limit[16];
    snprintf(limit, sizeof(limit), "%d", TOOL_PAGE);
    char *path = tool_path("/v1/dns/records", domain);
    path = path ? tool_path_with(path, "limit", limit) : NULL;
    json_t *answer = daemon_ask(tool, path, why);
    if (answer) {
        records_take(answer, findings, wanted);
        hosted_ask(tool, domain, limit, wanted);
    } else if (*why) {
        unasked(findings, why);
    }
    json_decref(answer);
    free(path);
}

void check_wanted_free(struct check_wanted *wanted)
{
    for (size_t i = 0; i < wanted->hosted_count; i++)
        free(wanted->hosted[i]);
    free(wanted->records);
}
