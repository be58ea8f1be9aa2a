/* Numbers where addresses are named: one that an ENUM zone holds is the address "+digits@zone", and
 * whoever names it by its digits alone means that (design section 8). */
#include "api/number_place.h"

#include "base/status.h"
#include "resolver/number_zone.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool api_text_is_number(const char *text)
{
    struct slice given = slice_of(text);
    return (text[0] == '+' || slice_starts_with_nocase(given, SLICE("tel:"))) &&
           slice_find(given, '@') == given.len;
}

static int zone_read(struct api_call *call, const char *digits, char zone[STORE_DOMAIN_MAX + 1])
{
    struct store_number number;
    int status = store_number_get(call->reader, digits, &number);
    if (status == 0 && number.zone[0]) {
        memcpy(zone, number.zone, sizeof(number.zone));
        return 0;
    }
    if (status && status != STATUS_NOTFOUND)
        return status;
    return resolver_number_zone_ours(&call->api->resolver, call->reader, digits, zone);
}

int api_number_place(struct api_call *call, const char *digits, struct store_address *address)
{
    struct store_address placed = {.user = ""};
    int status = store_reader_begin(call->reader);
    if (status)
        return status;
    status = zone_read(call, digits, placed.domain);
    store_reader_end(call->reader);
    if (status)
        return status;
    snprintf(placed.user, sizeof(placed.user), "+%s", digits);
    *address = placed;
    return 0;
}

int api_number_name(struct api_call *call, const char *text, const char *name,
                    struct store_address *address)
{
    char digits[STORE_NUMBER_MAX + 1];
    struct store_fault fault;
    if (store_number_parse(slice_of(text), digits, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, name, "%.512s: %s", text,
                               fault.text);
    int status = api_number_place(call, digits, address);
    if (status == STATUS_NOTFOUND)
        return api_problem_set(
            &call->problem, API_PROBLEM_NO_RECORD, NULL,
            "+%s: is in no ENUM zone of ours, and was not ported here; only such "
            "numbers can be ported (junctor number set +%s ADDRESS --zone APEX)",
            digits, digits);
    return status ? api_problem_from_status(&call->problem, status, text) : 0;
}

bool api_address_is_number(const struct api *api, const struct store_address *address)
{
    char digits[STORE_NUMBER_MAX + 1];
    return store_zone_number_digits(address, digits) &&
           resolver_is_number_zone(&api->resolver, address->domain);
}
