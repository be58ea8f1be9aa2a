/* junctor dns check */
#include "tools/check.h"

#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct check_command {
    struct tool *tool;
    struct check_place place;
    char domain[STORE_DOMAIN_MAX + 1];
    struct zone_record *wanted;
    size_t wanted_count;
    bool known; /* what should exist: the domain is ours */
    struct check_findings findings;
    struct check_targets targets;
    struct check_reach reach;
};

/* ---- what should exist, by the daemon ---- */

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

static void record_take(struct check_command *command, const json_t *json)
{
    struct zone_record *record = &command->wanted[command->wanted_count];
    if (!type_parse(tool_string(json, "type"), &record->type))
        return;
    record->ttl_s = (uint32_t)json_integer_value(json_object_get(json, "ttl"));
    snprintf(record->name, sizeof(record->name), "%s", tool_string(json, "name"));
    snprintf(record->data, sizeof(record->data), "%s", tool_string(json, "data"));
    command->wanted_count++;
}

static void records_take(struct check_command *command, const json_t *answer)
{
    size_t i;
    json_t *record, *warning;
    json_array_foreach(json_object_get(answer, "records"), i, record)
    {
        if (command->wanted_count < CHECK_WANTED_MAX)
            record_take(command, record);
    }
    json_array_foreach(json_object_get(answer, "warnings"), i, warning) check_found(
        &command->findings, CHECK_WARNING, "configuration", "%s", json_string_value(warning));
    command->known = true;
}

static void daemon_unasked(struct check_command *command, const char *why)
{
    struct check_finding *finding =
        check_found(&command->findings, CHECK_NOTE, "daemon",
                    "the daemon was not asked what should exist: %s", why);
    if (finding)
        snprintf(finding->why, sizeof(finding->why),
                 "the domain was looked at as another operator's: what is missing altogether, or "
                 "too much, is not seen");
}

/* Nothing here ends the check: most domains are not ours. */
static void wanted_ask(struct check_command *command)
{
    char why[CLIENT_MAX_WHY], limit[16];
    struct client_answer answer = {.json = NULL};
    snprintf(limit, sizeof(limit), "%d", TOOL_PAGE);
    char *path = tool_path("/v1/dns/records", command->domain);
    path = path ? tool_path_with(path, "limit", limit) : NULL;
    struct client_request request = {.method = "GET", .path = path, .timeout_s = 5};
    if (!path || tool_connect(command->tool))
        daemon_unasked(command, "it cannot be");
    else if (tool_try(command->tool, &request, &answer, why))
        daemon_unasked(command, why);
    else if (answer.status == 200)
        records_take(command, answer.json);
    else if (answer.status != 404)
        daemon_unasked(command, tool_string(answer.json, "detail"));
    if (*tool_string(answer.json, "next"))
        check_found(&command->findings, CHECK_NOTE, "sample",
                    "more than %d records should exist; the rest was not looked at", TOOL_PAGE);
    json_decref(answer.json);
    free(path);
}

/* ---- the check ---- */

static int check_all(struct check_command *command)
{
    int64_t start_ms = command->place.start_ms;
    wanted_ask(command);
    struct check_conf conf = {.domain = command->domain,
                              .resolver = command->place.resolver,
                              .trusted = command->place.trusted,
                              .port = command->place.port,
                              .deadline_ms = start_ms + CHECK_DNS_BUDGET_MS,
                              .now_s = (int64_t)time(NULL),
                              .wanted = command->known ? command->wanted : NULL,
                              .wanted_count = command->wanted_count};
    int status = check_dns(&conf, &command->findings, &command->targets);
    if (status == 0)
        status =
            check_targets_reach(&command->place, command->domain, &command->targets,
                                start_ms + CHECK_BUDGET_MS, &command->findings, &command->reach);
    return status;
}

static int check_tell(struct check_command *command)
{
    bool passes = command->reach.passed > 0 && !check_has_errors(&command->findings);
    struct check_outcome outcome = {.domain = command->domain,
                                    .findings = &command->findings,
                                    .targets = &command->targets,
                                    .reach = &command->reach,
                                    .passes = passes};
    if (command->tool->json)
        check_print_json(&outcome);
    else
        check_print(&outcome);
    return passes ? TOOL_DONE : TOOL_REFUSED;
}

static int check_run(struct check_command *command)
{
    struct store_fault fault;
    int code = check_place_choose(command->tool, false, &command->place);
    if (code)
        return code;
    if (store_domain_canonical(slice_of(command->tool->operands[0]), command->domain, &fault))
        return tool_fail(TOOL_REFUSED, "%s: %s", command->tool->operands[0], fault.text);
    command->wanted = calloc(CHECK_WANTED_MAX, sizeof(*command->wanted));
    command->findings.list = calloc(CHECK_FINDINGS_MAX, sizeof(*command->findings.list));
    if (!command->wanted || !command->findings.list || check_all(command))
        return tool_fail(TOOL_REFUSED, "out of memory");
    return check_tell(command);
}

int tool_dns_check(struct tool *tool)
{
    struct check_command *command = calloc(1, sizeof(*command));
    if (!command)
        return tool_fail(TOOL_REFUSED, "out of memory");
    command->tool = tool;
    signal(SIGPIPE, SIG_IGN); /* a far side that hangs up is a finding */
    int code = check_run(command);
    check_place_free(&command->place);
    free(command->findings.list);
    free(command->wanted);
    free(command);
    return code;
}
