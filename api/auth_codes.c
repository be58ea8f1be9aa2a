/* /v1/addresses/{address}/auth-code: what proves, at another operator, that the holder of an
 * address wants to port it (RFC 9154). It is shown once; a new one replaces it. */
#include "api/records.h"

#include <errno.h>
#include <string.h>

static int days_decode(struct api_call *call, unsigned *days)
{
    static const struct api_field fields[] = {
        {"days", JSON_INTEGER, 0},
        {NULL, JSON_NULL, 0},
    };
    if (api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    return api_json_number(call->body, "days", 1, API_AUTH_DAYS_MAX, API_AUTH_DAYS, days,
                           &call->problem);
}

/* A repeated request hears when the first one's code ends. */
static int code_made(struct api_call *call, const struct store_verdict *verdict)
{
    const struct store_record *record = api_command_record(call);
    union store_any made;
    uint64_t until_ms = record->auth_until_ms;
    if (verdict->repeated) {
        int status = api_outcome_read(call, verdict->sequence, &made);
        if (status)
            return api_outcome_gone(call, status, verdict->sequence);
        until_ms = made.address.auth_until_ms;
    }
    return api_call_reply(call, 201,
                          json_pack("{s:o, s:o}", "auth_code", api_secret_encode(call, verdict),
                                    "until", api_time_encode(until_ms)),
                          0);
}

/* Whose code it is; a repeated request only names it. */
static int holder_find(struct api_call *call, struct store_record *record,
                       char key[API_MAX_KEY_TEXT])
{
    return call->repeated ? api_record_name(call, &api_kind_address, key)
                          : api_record_find(call, &api_kind_address, record, key);
}

int api_auth_code_post(struct api_call *call)
{
    struct store_record *record = api_command_record(call);
    char key[API_MAX_KEY_TEXT];
    unsigned days;
    if (holder_find(call, record, key) || days_decode(call, &days) ||
        api_auth_code_make(call, record->auth_hash))
        return -EPROTO;
    record->auth_until_ms = api_now_ms() + days * API_DAY_MS;
    call->command.op = STORE_ADDRESS_AUTH;
    call->command.expected_version = record->version;
    return api_submit(call, key, code_made);
}

int api_auth_code_delete(struct api_call *call)
{
    struct store_record *record = api_command_record(call);
    char key[API_MAX_KEY_TEXT];
    if (api_record_find(call, &api_kind_address, record, key) ||
        api_record_expect(call, record->version, key))
        return -EPROTO;
    if (!record->has_auth)
        return api_problem_set(&call->problem, API_PROBLEM_NO_RECORD, NULL, "%s: has no auth code",
                               key);
    record->auth_until_ms = 0;
    memset(record->auth_hash, 0, sizeof(record->auth_hash));
    call->command.op = STORE_ADDRESS_AUTH;
    return api_submit(call, key, NULL);
}
