/* junctor dns check */
#include "tools/check.h"

#include "base/waiting.h"
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
    struct check_wanted wanted;
    struct check_findings findings;
    struct check_targets targets;
    struct check_reach reach;
};

/* ---- the check ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int check_all(struct check_command *command)
{
    int64_t end_ms = command->place.start_ms + CHECK_BUDGET_MS;
    const struct check_wanted *wanted = &command->wanted;
    check_wanted_ask(command->tool, command->domain, &command->findings, &command->wanted);
    int64_t dns_end_ms = sooner(waiting_now_ms() + CHECK_DNS_BUDGET_MS, end_ms - CHECK_CONNECT_MS);
    struct check_conf conf = {.domain = command->domain,
                              .resolver = command->place.resolver,
                              .trusted = command->place.trusted,
                              .port = command->place.port,
                              .deadline_ms = dns_end_ms,
                              .now_s = (int64_t)time(NULL),
                              .wanted = wanted->known ? wanted->records : NULL,
                              .wanted_count = wanted->count,
                              .hosted = (const char *const *)wanted->hosted,
                              .hosted_count = wanted->hosted_count};
    int status = check_dns(&conf, &command->findings, &command->targets);
    if (status == 0)
        status =
            check_targets_reach(&command->place, command->domain, wanted->known, &command->targets,
                                end_ms, &command->findings, &command->reach);
    return status;
}

static int check_tell(struct check_command *command)
{
    bool clean = command->reach.passed > 0 && !check_has_errors(&command->findings);
    struct check_outcome outcome = {.domain = command->domain,
                                    .findings = &command->findings,
                                    .targets = &command->targets,
                                    .reach = &command->reach,
                                    .passes = clean && command->reach.asked,
                                    .unknown = clean && !command->reach.asked};
    if (command->tool->json)
        check_print_json(&outcome);
    else
        check_print(&outcome);
    return outcome.passes ? TOOL_DONE : TOOL_REFUSED;
}

static int check_run(struct check_command *command)
{
    struct store_fault fault;
    int code = check_place_choose(command->tool, false, &command->place);
    if (code)
        return code;
    if (store_domain_canonical(slice_of(command->tool->operands[0]), command->domain, &fault))
        return tool_fail(TOOL_REFUSED, "%s: %s", command->tool->operands[0], fault.text);
    command->wanted.records = calloc(CHECK_WANTED_MAX, sizeof(*command->wanted.records));
    command->findings.list = calloc(CHECK_FINDINGS_MAX, sizeof(*command->findings.list));
    if (!command->wanted.records || !command->findings.list || check_all(command))
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
    check_wanted_free(&command->wanted);
    free(command);
    return code;
}
