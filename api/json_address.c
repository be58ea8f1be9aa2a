#include "api/json.h"

#include "base/log.h"

#include <stdio.h>
#include <time.h>

const char *api_address_format(const struct store_address *address, char text[API_ADDRESS_TEXT_MAX])
{
    snprintf(text, API_ADDRESS_TEXT_MAX, "%s@%s", address->user, address->domain);
    return text;
}

static struct slice string_of(json_t *value)
{
    return slice_make(json_string_value(value), json_string_length(value));
}

/* What is kept for display is what was typed, without the scheme. */
static int display_decode(struct slice typed, char display[STORE_DISPLAY_MAX + 1],
                          struct api_problem *problem)
{
    if (slice_starts_with_nocase(typed, SLICE("sip:")))
        typed = slice_skip(typed, strlen("sip:"));
    if (slice_to_cstr(typed, display, STORE_DISPLAY_MAX + 1) == 0)
        return 0;
    return api_problem_set(problem, API_PROBLEM_FIELD, "address",
                           "address: is %zu bytes long; at most %d are kept", typed.len,
                           STORE_DISPLAY_MAX);
}

int api_address_decode(json_t *object, struct store_record *record, struct api_problem *problem)
{
    static const struct api_field fields[] = {
        {"address", JSON_STRING, true},
        {"hosting", JSON_STRING, false},
    };
    struct store_record result = {.version = 0};
    int status = api_json_check(object, fields, sizeof(fields) / sizeof(fields[0]), problem);
    if (status)
        return status;
    struct slice address = string_of(json_object_get(object, "address"));
    struct store_fault fault;
    if (store_address_parse(address, &result.address, &fault))
        return api_problem_set(problem, API_PROBLEM_FIELD, "address", "%.*s: %s",
                               SLICE_ARG(address), fault.text);
    status = display_decode(address, result.display, problem);
    if (status)
        return status;
    json_t *hosting = json_object_get(object, "hosting");
    if (hosting && store_domain_canonical(string_of(hosting), result.hosting, &fault))
        return api_problem_set(problem, API_PROBLEM_FIELD, "hosting", "%s: %s",
                               json_string_value(hosting), fault.text);
    *record = result;
    return 0;
}

json_t *api_address_encode(const struct store_record *record)
{
    char address[API_ADDRESS_TEXT_MAX], created[LOG_TIME_MAX];
    struct timespec time = {.tv_sec = (time_t)(record->created_ms / 1000),
                            .tv_nsec = (long)(record->created_ms % 1000) * 1000000};
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I}", "address", api_address_format(&record->address, address),
        "state", store_address_state_text(record->state), "hosting", record->hosting, "display", record->display,
        "created", log_time_format(time, created), "version", (json_int_t)record->version);
}
