/* The outcome of a check, for people and for programs. */
#include "tools/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const severities[] = {
    [CHECK_NOTE] = "note", [CHECK_WARNING] = "warning", [CHECK_ERROR] = "error"};
static const char *const tlsa_states[] = {[CHECK_TLSA_NONE] = "none",
                                          [CHECK_TLSA_VALIDATED] = "validated",
                                          [CHECK_TLSA_UNSIGNED] = "unsigned",
                                          [CHECK_TLSA_UNKNOWN] = "unknown"};
static const char *const stages[] = {[PROBE_NO_ROUTE] = "not tried",
                                     [PROBE_CONNECT] = "no connection",
                                     [PROBE_HANDSHAKE] = "no TLS",
                                     [PROBE_JUDGED] = "TLS",
                                     [PROBE_OPTIONS] = "TLS, no answer to OPTIONS",
                                     [PROBE_ANSWERED] = "answered"};

static void line_print(const char *title, const char *text)
{
    if (!*text)
        return;
    printf("  %-8s", title);
    tool_text_print(text);
    putchar('\n');
}

static void finding_print(const struct check_finding *finding)
{
    printf("%s: ", severities[finding->severity]);
    tool_text_print(finding->what);
    printf(" [%s]\n", finding->code);
    line_print("where", finding->where);
    line_print("why", finding->why);
    line_print("remove", finding->remove);
    line_print("add", finding->add);
}

static void target_print(const struct check_outcome *outcome, size_t i)
{
    const struct check_target *target = &outcome->targets->list[i];
    char addr[NETADDR_TEXT_MAX];
    for (size_t k = 0; k < target->address_count; k++) {
        const struct probe_result *result = &outcome->reach->results[i][k];
        printf("%s  ", netaddr_format(&target->addresses[k], addr));
        tool_text_print(target->host);
        printf("  TLSA %s  %s", tlsa_states[target->tlsa_state],
               outcome->reach->tried[i][k] ? stages[result->stage] : "not tried");
        if (result->stage == PROBE_ANSWERED) {
            printf(" %u ", result->answer);
            tool_text_print(result->reason);
        }
        putchar('\n');
    }
}

static const char *verdict(const struct check_outcome *outcome)
{
    if (outcome->unknown)
        return "it is not known whether callers get through, for no OPTIONS was sent";
    return outcome->passes ? "callers get through" : "callers, or some of them, do not get through";
}

void check_print(const struct check_outcome *outcome)
{
    size_t counts[3] = {0};
    for (int severity = CHECK_ERROR; severity >= CHECK_NOTE; severity--) {
        for (size_t i = 0; i < outcome->findings->count; i++) {
            if ((int)outcome->findings->list[i].severity != severity)
                continue;
            finding_print(&outcome->findings->list[i]);
            counts[severity]++;
        }
    }
    for (size_t i = 0; i < outcome->targets->count; i++)
        target_print(outcome, i);
    if (outcome->findings->left_out)
        printf("%zu more findings are left out\n", outcome->findings->left_out);
    printf("%s: %s (%zu errors, %zu warnings, %zu notes)\n", outcome->domain, verdict(outcome),
           counts[CHECK_ERROR], counts[CHECK_WARNING], counts[CHECK_NOTE]);
}

/* ---- JSON ---- */

/* Bytes from DNS and from certificates are not always UTF-8. */
static json_t *text_json(const char *text)
{
    char *copy = strdup(text);
    json_t *json = copy ? json_string(tool_text_clean(copy)) : NULL;
    free(copy);
    return json;
}

static json_t *finding_json(const struct check_finding *finding)
{
    json_t *json =
        json_pack("{s:s, s:s}", "severity", severities[finding->severity], "code", finding->code);
    json_object_set_new(json, "what", text_json(finding->what));
    json_object_set_new(json, "where", text_json(finding->where));
    json_object_set_new(json, "why", text_json(finding->why));
    if (*finding->add)
        json_object_set_new(json, "add", text_json(finding->add));
    if (*finding->remove)
        json_object_set_new(json, "remove", text_json(finding->remove));
    return json;
}

static json_t *addresses_json(const struct check_outcome *outcome, size_t i)
{
    const struct check_target *target = &outcome->targets->list[i];
    json_t *list = json_array();
    char addr[NETADDR_TEXT_MAX];
    for (size_t k = 0; k < target->address_count; k++) {
        const struct probe_result *result = &outcome->reach->results[i][k];
        json_t *json =
            json_pack("{s:s, s:s}", "address", netaddr_format(&target->addresses[k], addr),
                      "came_to", outcome->reach->tried[i][k] ? stages[result->stage] : "not tried");
        if (result->stage == PROBE_ANSWERED)
            json_object_set_new(json, "answer", json_integer(result->answer));
        json_array_append_new(list, json);
    }
    return list;
}

void check_print_json(const struct check_outcome *outcome)
{
    json_t *findings = json_array(), *targets = json_array();
    for (size_t i = 0; i < outcome->findings->count; i++)
        json_array_append_new(findings, finding_json(&outcome->findings->list[i]));
    for (size_t i = 0; i < outcome->targets->count; i++) {
        const struct check_target *target = &outcome->targets->list[i];
        json_t *json =
            json_pack("{s:i, s:i, s:i, s:s, s:o}", "priority", target->priority, "weight",
                      target->weight, "port", target->port, "tlsa", tlsa_states[target->tlsa_state],
                      "addresses", addresses_json(outcome, i));
        json_object_set_new(json, "host", text_json(target->host));
        json_array_append_new(targets, json);
    }
    json_t *json =
        json_pack("{s:s, s:b, s:b, s:o, s:o, s:I}", "domain", outcome->domain, "passes",
                  outcome->passes, "asked", outcome->reach->asked, "findings", findings, "targets",
                  targets, "left_out", (json_int_t)outcome->findings->left_out);
    tool_json_print(json);
    json_decref(json);
}
