/* Telephone numbers, and cursors of the journal. */
#include "api/json.h"

#include <errno.h>

static int zone_decode(const json_t *object, struct store_number *number,
                       struct api_problem *problem)
{
    struct slice text = api_json_text(object, "zone");
    struct store_fault fault;
    if (!text.len)
        return 0;
    if (store_domain_canonical(text, number->zone, &fault))
        return api_problem_set(problem, API_PROBLEM_FIELD, "zone", "zone: %s", fault.text);
    if (store_number_fits(number->digits, number->zone))
        return 0;
    return api_problem_set(problem, API_PROBLEM_FIELD, "zone",
                           "zone: %s holds numbers with other first digits than +%s", number->zone,
                           number->digits);
}

int api_number_decode(const json_t *object, const char *digits, struct store_number *number,
                      struct api_problem *problem)
{
    static const struct api_field fields[] = {
        {"number", JSON_STRING, 0},
        {"address", JSON_STRING, API_REQUIRED},
        {"zone", JSON_STRING, API_NULLABLE},
        {"created", JSON_STRING, API_PRINTED},
        {"version", JSON_INTEGER, API_PRINTED},
        {NULL, JSON_NULL, 0},
    };
    struct store_number result = {.version = 0};
    if (api_json_check(object, fields, digits != NULL, problem) ||
        api_json_key(object, "number", digits, store_number_parse, result.digits, problem) ||
        api_address_field(object, "address", &result.address, problem) ||
        zone_decode(object, &result, problem))
        return -EPROTO;
    *number = result;
    return 0;
}

json_t *api_number_encode(const struct store_number *number)
{
    char address[API_ADDRESS_TEXT_MAX];
    return api_json_stamp(json_pack("{s:s+, s:s, s:o}", "number", "+", number->digits, "address",
                                    api_address_format(&number->address, address), "zone",
                                    number->zone[0] ? json_string(number->zone) : json_null()),
                          number->created_ms, number->version);
}

json_t *api_cursor_encode(const struct store_cursor *cursor)
{
    return json_pack("{s:s, s:I, s:b}", "name", cursor->name, "sequence",
                     (json_int_t)cursor->sequence, "lost", cursor->lost);
}
