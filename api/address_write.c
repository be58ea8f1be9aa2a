/* New addresses and claims, and changes by merge patch. */
#include "api/guests.h"
#include "api/records.h"

#include "base/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int address_made(struct api_call *call, const struct store_verdict *verdict)
{
    return api_record_made(call, &api_kind_address, verdict);
}

/* `before` where somebody is to hear of the change by mail, else NULL. */
static int change_end(struct api_call *call, const struct store_verdict *verdict,
                      const struct store_record *before)
{
    if (before && !call->dry_run)
        porting_notify_changed(call->api->parts.porting, before, &call->command.record);
    return api_record_changed(call, &api_kind_address, verdict);
}

static int address_changed(struct api_call *call, const struct store_verdict *verdict)
{
    return change_end(call, verdict, call->memory);
}

static int guest_changed(struct api_call *call, const struct store_verdict *verdict)
{
    return change_end(call, verdict, api_errand_kept(call));
}

/* A user may say these only; `names` ends with NULL. After what the fields are was checked. */
static int user_fields_check(struct api_call *call, const char *const *names)
{
    const char *name;
    json_t *value;
    if (!(call->who.bits & API_USER))
        return 0;
    json_object_foreach(call->body, name, value)
    {
        size_t i = 0;
        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!names[i])
            return api_problem_set(&call->problem, API_PROBLEM_FORBIDDEN, name,
                                   "%s: is the operator's to set", name);
    }
    return 0;
}

/* ---- claims ---- */

/* What a user may not claim for himself, whether it is free or not: the store would tell first that
 * somebody has it. */
static int claim_check(struct api_call *call, const struct store_address *address)
{
    struct store_domain domain;
    if (api_user_is_reserved(call->api, address->user))
        return api_problem_set(&call->problem, API_PROBLEM_DENIED, "address",
                               "%s@%s: '%s' is reserved for the operator (RFC 2142, and the list "
                               "in its configuration)",
                               address->user, address->domain, address->user);
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = store_domain_get(call->reader, address->domain, &domain);
        store_reader_end(call->reader);
    }
    if (status)
        return api_problem_from_status(&call->problem, status, address->domain);
    if (domain.claims_per_owner)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_DENIED, "address",
                           "%s@%s: addresses of %s are given by its operator only", address->user,
                           address->domain, address->domain);
}

static int claim_prepare(struct api_call *call, struct store_record *record)
{
    if (!(call->who.bits & API_USER))
        return 0;
    call->command.claim = true;
    memcpy(record->owner, call->who.owner, sizeof(record->owner));
    return claim_check(call, &record->address);
}

/* Its authority knows nothing of it yet. */
static int guest_check(struct api_call *call, const struct store_record *record)
{
    if (!record->locked || !api_is_guest(call, record->state))
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_FIELD, "locked",
                           "locked: its authority keeps the lock: add the address, then lock it");
}

/* Judged once: the first request's verdict stands. */
static int new_judge(struct api_call *call, struct api_address_body *body)
{
    if (call->repeated)
        return 0;
    if (api_address_place(call, body, !body->has_state, false, &call->problem))
        return -EPROTO;
    return guest_check(call, &body->record) ? -EPROTO : claim_prepare(call, &body->record);
}

int api_address_post(struct api_call *call)
{
    static const char *const user_fields[] = {"address", "target", "notify", NULL};
    struct api_address_body body;
    char key[API_MAX_KEY_TEXT];
    if (api_address_decode(call->body, &body, &call->problem) ||
        user_fields_check(call, user_fields) || new_judge(call, &body))
        return -EPROTO;
    call->command.op = STORE_ADDRESS_ADD;
    call->command.expected_version = STORE_ANY_VERSION;
    call->command.record = body.record;
    return api_submit(call, api_address_format(&body.record.address, key), address_made);
}

/* ---- changes ---- */

/* A user may send his alias elsewhere, but not make one of an address or the reverse. */
static int patch_place(struct api_call *call, struct api_address_body *body,
                       enum store_address_state before)
{
    if (!body->moves && !body->has_state)
        return 0;
    if (api_address_place(call, body, !body->has_state, false, &call->problem))
        return -EPROTO;
    if (!(call->who.bits & API_USER) || body->record.state == before)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_FORBIDDEN, "target",
                           "target: only that of an alias is yours to change");
}

/* An auth code is its owner's: the store drops it with him. */
static void auth_follow(const struct store_record *before, struct store_record *record)
{
    if (strcmp(before->owner, record->owner) == 0)
        return;
    record->has_auth = false;
    record->auth_until_ms = 0;
}

/* Keeps the record as it was for whoever was told at its mail address. */
static int notify_keep(struct api_call *call, const struct store_record *before,
                       const struct store_record *record)
{
    if (!call->api->parts.porting || strcmp(before->notify, record->notify) == 0)
        return 0;
    struct store_record *kept = call->memory = malloc(sizeof(*kept));
    if (!kept)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    *kept = *before;
    return 0;
}

/* Would the address be shown as it is now? A tombstone is not there to be changed. */
static bool is_unchanged(const struct store_record *before, const struct store_record *record)
{
    json_t *old = api_address_encode(before), *new = api_address_encode(record);
    bool is_same = before->state != STORE_ADDRESS_TOMBSTONE && old && json_equal(old, new);
    json_decref(old);
    json_decref(new);
    return is_same;
}

/* What the authority of a guest does first. Its lock holds only there: that is asked even where it
 * is known here already, for the two may have come apart. With another owner the auth code of the
 * one before ends; his recovery key does not, or a host that refuses to let go could end it.
 * Returns whether there is something to do. */
static bool errand_find(const struct api_call *call, const struct store_record *before,
                        const struct store_record *record, struct porting_errand *errand)
{
    bool locks = json_object_get(call->body, "locked") != NULL;
    bool withdraws = before->has_auth && !record->has_auth;
    *errand = (struct porting_errand){.kind = withdraws ? PORTING_ERRAND_CODE : PORTING_ERRAND_LOCK,
                                      .address = before->address,
                                      .locked = record->locked};
    memcpy(errand->hosting, before->hosting, sizeof(errand->hosting));
    return (locks || withdraws) && api_is_guest(call, before->state);
}

/* One errand is one request. */
static int errand_check(struct api_call *call, const struct porting_errand *errand)
{
    if (errand->kind == PORTING_ERRAND_LOCK || !json_object_get(call->body, "locked"))
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_FIELD, "locked",
                           "locked: its authority is told of one thing at a time: first of the "
                           "owner, then of the lock");
}

int api_address_patch(struct api_call *call)
{
    static const char *const user_fields[] = {"locked", "target", "display", "notify", NULL};
    struct api_address_body body = {.moves = false};
    struct store_record *record = &body.record;
    struct porting_errand errand;
    char key[API_MAX_KEY_TEXT];
    if (api_record_find(call, &api_kind_address, record, key) ||
        api_record_expect(call, record->version, key))
        return -EPROTO;
    struct store_record before = *record;
    if (api_address_merge(call->body, &body, &call->problem) ||
        user_fields_check(call, user_fields) || patch_place(call, &body, before.state))
        return -EPROTO;
    auth_follow(&before, record);
    bool asks = errand_find(call, &before, record, &errand);
    if (!asks && is_unchanged(&before, record))
        return api_call_reply(call, 200, api_address_encode(&before),
                              call->dry_run ? 0 : before.version);
    if ((asks && errand_check(call, &errand)) || notify_keep(call, &before, record))
        return -EPROTO;
    call->command.op = STORE_ADDRESS_PUT;
    call->command.record = *record;
    return asks ? api_errand_submit(call, key, &errand, guest_changed)
                : api_submit(call, key, address_changed);
}
