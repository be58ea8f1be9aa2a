/* /v1/addresses/{address}/auth-code: what proves, at another operator, that the holder of an
 * address wants to port it (RFC 9154). It is shown once; a new one replaces it. It is good for any
 * gaining domain, or for the one that was named. */
#include "api/guests.h"
#include "api/records.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* `only` gets the gaining domain that it is to be good for; "": any. */
static int body_decode(struct api_call *call, unsigned *days, char only[STORE_DOMAIN_MAX + 1])
{
    static const struct api_field fields[] = {
        {"days", JSON_INTEGER, 0},
        {"for", JSON_STRING, 0},
        {NULL, JSON_NULL, 0},
    };
    struct store_fault fault;
    only[0] = '\0';
    if (api_json_check(call->body, fields, false, &call->problem) ||
        api_json_number(call->body, "days", 1, API_AUTH_DAYS_MAX, API_AUTH_DAYS, days,
                        &call->problem))
        return -EPROTO;
    struct slice text = api_json_text(call->body, "for");
    if (text.len && store_domain_canonical(text, only, &fault))
        return api_problem_set(&call->problem, API_PROBLEM_FIELD, "for", "for: %s", fault.text);
    return 0;
}

static uint64_t *until_of(struct api_call *call)
{
    return call->command.op == STORE_GUARD_CODE ? &call->command.guard.code_until_ms
                                                : &call->command.record.auth_until_ms;
}

/* Its holder hears of it, whoever asked for it. */
static void holder_tell(struct api_call *call)
{
    const struct store_command *command = &call->command;
    bool is_bound = command->op == STORE_GUARD_CODE;
    const struct store_address *address =
        is_bound ? &command->guard.address : &command->record.address;
    struct porting *porting = call->api->parts.porting;
    struct store_record record;
    if (!porting || store_reader_begin(call->reader))
        return;
    int status = store_address_get(call->reader, address, &record);
    store_reader_end(call->reader);
    if (status == 0 && record.hosting[0])
        porting_code_made(porting, record.hosting, address,
                          is_bound ? command->guard.code_for : "");
}

/* A repeated request hears when the first one's code ends. */
static int code_made(struct api_call *call, const struct store_verdict *verdict)
{
    union store_any made;
    uint64_t until_ms = *until_of(call);
    if (verdict->repeated) {
        int status = api_outcome_read(call, verdict->sequence, &made);
        if (status)
            return api_outcome_gone(call, status, verdict->sequence);
        until_ms = made.address.auth_until_ms;
    } else {
        holder_tell(call);
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

/* The whole command but its secret: bound codes are kept beside what protects the address. */
static void order_fill(struct api_call *call, const struct store_record *record, const char *only,
                       uint64_t until_ms)
{
    struct store_command *command = &call->command;
    command->expected_version = record->version;
    if (!*only) {
        command->op = STORE_ADDRESS_AUTH;
        command->record = *record;
    } else {
        command->op = STORE_GUARD_CODE;
        command->guard = (struct store_guard){.address = record->address};
        snprintf(command->guard.code_for, sizeof(command->guard.code_for), "%s", only);
    }
    *until_of(call) = until_ms;
}

/* Ends a handler whose command is filled. The authority of a guest has its code first: one that is
 * known here only is good for nothing. */
static int code_submit(struct api_call *call, enum store_address_state state, const char *key,
                       const char *only, api_then_h *then)
{
    const struct store_record *record = &call->command.record;
    if (!api_is_guest(call, state))
        return api_submit(call, key, then);
    struct porting_errand errand = {
        .kind = PORTING_ERRAND_CODE, .address = record->address, .until_ms = record->auth_until_ms};
    memcpy(errand.hosting, record->hosting, sizeof(errand.hosting));
    memcpy(errand.hash, record->auth_hash, sizeof(errand.hash));
    snprintf(errand.only, sizeof(errand.only), "%s", only);
    return api_errand_submit(call, key, &errand, then);
}

/* ---- handlers ---- */

int api_auth_code_post(struct api_call *call)
{
    struct store_record record = {.version = 0};
    char key[API_MAX_KEY_TEXT], only[STORE_DOMAIN_MAX + 1];
    unsigned days;
    if (holder_find(call, &record, key) || body_decode(call, &days, only))
        return -EPROTO;
    bool is_foreign = api_is_guest(call, record.state); /* then its authority binds it */
    order_fill(call, &record, is_foreign ? "" : only, api_now_ms() + days * API_DAY_MS);
    bool is_bound = call->command.op == STORE_GUARD_CODE;
    if (api_auth_code_make(call, is_bound ? call->command.guard.code_hash
                                          : call->command.record.auth_hash))
        return -EPROTO;
    return code_submit(call, record.state, key, only, code_made);
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
    return code_submit(call, record->state, key, "", NULL);
}
