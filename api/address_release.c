/* How addresses go: DELETE, and /v1/addresses/{address}/release with the holder's auth code,
 * without which another operator releases none of his. */
#include "api/guests.h"
#include "api/ports.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- with the holder's proof ---- */

static int address_released(struct api_call *call, const struct store_verdict *verdict)
{
    (void)verdict;
    call->status = 204;
    return 0;
}

static int guest_release(struct api_call *call, const struct store_record *record,
                         struct slice code, const char *key)
{
    struct porting_errand errand = {.kind = PORTING_ERRAND_RELEASE, .address = record->address};
    memcpy(errand.hosting, record->hosting, sizeof(errand.hosting));
    slice_to_cstr(code, errand.code, sizeof(errand.code)); /* a good one has room */
    return api_errand_submit(call, key, &errand, address_released);
}

int api_release_post(struct api_call *call)
{
    static const struct api_field fields[] = {
        {"code", JSON_STRING, API_REQUIRED},
        {NULL, JSON_NULL, 0},
    };
    struct store_record record;
    struct store_guard guard;
    char key[API_MAX_KEY_TEXT];
    if (call->repeated)
        return api_record_name(call, &api_kind_address, key)
                   ? -EPROTO
                   : api_submit(call, key, address_released);
    if (api_guard_find(call, &record, &guard, key) ||
        api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    struct slice code = api_json_text(call->body, "code");
    if (api_code_check(call, &record, &guard, code, key))
        return -EPROTO;
    call->command.op = STORE_ADDRESS_RELEASE;
    call->command.expected_version = record.version;
    call->command.record = record;
    return api_is_guest(call, record.state) ? guest_release(call, &record, code, key)
                                            : api_submit(call, key, address_released);
}

/* ---- without ---- */

static int purge_take(struct api_call *call, bool *purges)
{
    const char *purge = api_call_arg(call, "purge");
    if (purge && strcmp(purge, "true") != 0 && strcmp(purge, "false") != 0)
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "purge",
                               "purge: is '%.40s'; it must be true or false", purge);
    *purges = purge && strcmp(purge, "true") == 0;
    if (*purges && (call->who.bits & API_USER))
        return api_problem_set(&call->problem, API_PROBLEM_FORBIDDEN, "purge",
                               "purge: only operators may end a quarantine, or serve an address no "
                               "more that its authority has not released");
    return 0;
}

/* "purge=true": not the address but its tombstone, which ends at once. Of a guest the entry here
 * goes, and its authority is not asked: that may be gone, or name another host by now. */
int api_address_delete(struct api_call *call)
{
    struct store_record *record = api_command_record(call);
    char key[API_MAX_KEY_TEXT];
    bool purges = false;
    if (purge_take(call, &purges) || api_record_find(call, &api_kind_address, record, key) ||
        api_record_expect(call, record->version, key))
        return -EPROTO;
    if (api_is_guest_here(call, record->state) && !purges)
        return api_problem_set(&call->problem, API_PROBLEM_PROOF, NULL,
                               "%s: its authority, %s, releases it with an auth code only: POST it "
                               "to .../release",
                               key, record->address.domain);
    call->command.op = purges ? STORE_ADDRESS_PURGE : STORE_ADDRESS_RELEASE;
    return api_submit(call, key, NULL);
}
