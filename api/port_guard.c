/* What protects an address from being ported: /v1/addresses/{address}/protection shows it,
 * .../recovery-key and .../freeze change it. Only its authority keeps that: the host of a guest
 * leaves the key there.
 *
 * A recovery key is set with an auth code, which it uses up, and works 14 days later: whoever has
 * taken an account over for an hour cannot take the address along. */
#include "api/guests.h"
#include "api/ports.h"
#include "api/protection.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what there is ---- */

int api_guard_find(struct api_call *call, struct store_record *record, struct store_guard *guard,
                   char key[API_MAX_KEY_TEXT])
{
    if (api_record_find(call, &api_kind_address, record, key))
        return -EPROTO;
    *guard = (struct store_guard){.address = record->address};
    int status = store_reader_begin(call->reader);
    if (!status) {
        status = store_guard_get(call->reader, &record->address, guard);
        store_reader_end(call->reader);
    }
    if (status && status != STATUS_NOTFOUND)
        return api_problem_from_status(&call->problem, status, key);
    return 0;
}

static int guests_guard_done(struct api_call *call, const struct store_verdict *verdict)
{
    (void)verdict;
    return api_call_reply(call, 200, api_guard_encode(&api_errand_done(call)->guard), 0);
}

/* What its authority knows of it. */
static int guests_guard_get(struct api_call *call, const struct store_record *record,
                            const char *key)
{
    struct porting_errand errand = {.kind = PORTING_ERRAND_SHOW, .address = record->address};
    memcpy(errand.hosting, record->hosting, sizeof(errand.hosting));
    return api_errand_run(call, key, &errand, guests_guard_done);
}

int api_protection_get(struct api_call *call)
{
    struct store_record record;
    struct store_guard guard;
    char key[API_MAX_KEY_TEXT];
    if (api_guard_find(call, &record, &guard, key))
        return -EPROTO;
    if (api_is_guest_here(call, record.state))
        return guests_guard_get(call, &record, key);
    return api_call_reply(call, 200, api_guard_encode(&guard), guard.version);
}

int api_code_check(struct api_call *call, const struct store_record *record,
                   const struct store_guard *guard, struct slice code, const char *key)
{
    if (api_code_is_good(record, guard, code, api_now_ms()))
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_PROOF, "code",
                           "%s: the auth code is wrong, used, expired, or for one gaining domain "
                           "only",
                           key);
}

/* Answers with what is there now; a dry run with what would be. */
static int guard_answer(struct api_call *call, const struct store_guard *ordered)
{
    struct store_guard guard = *ordered;
    guard.version = 0;
    if (!call->dry_run) {
        int status = store_reader_begin(call->reader);
        if (!status) {
            status = store_guard_get(call->reader, &ordered->address, &guard);
            store_reader_end(call->reader);
        }
        if (status)
            return api_problem_from_status(&call->problem, status, call->name);
    }
    return api_call_reply(call, 200, api_guard_encode(&guard), guard.version);
}

/* It is written whole, so it must be what was read, even for "*". */
static int guard_expect(struct api_call *call, const struct store_guard *guard, const char *key)
{
    bool any;
    call->command.expected_version = guard->version;
    return api_call_expects(call, guard->version, key, &any);
}

static int guard_changed(struct api_call *call, const struct store_verdict *verdict)
{
    (void)verdict;
    return guard_answer(call, &call->command.guard);
}

static int guard_submit(struct api_call *call, const struct store_guard *guard, const char *key)
{
    call->command.op = STORE_GUARD_PUT;
    call->command.guard = *guard;
    return api_submit(call, key, guard_changed);
}

/* ---- the operator's freeze ---- */

int api_freeze_put(struct api_call *call)
{
    static const struct api_field fields[] = {
        {"frozen", JSON_TRUE, API_REQUIRED},
        {NULL, JSON_NULL, 0},
    };
    struct store_record record;
    struct store_guard guard;
    char key[API_MAX_KEY_TEXT];
    if (api_guard_find(call, &record, &guard, key) || guard_expect(call, &guard, key) ||
        api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    guard.frozen = api_json_bool(call->body, "frozen", false);
    return guard_submit(call, &guard, key);
}

/* ---- the recovery key ---- */

/* Lives in call->memory. */
struct key_work {
    struct api_key_order order;
    char hosting[STORE_DOMAIN_MAX + 1]; /* whose holder is told; "": nobody's */
};

/* What a key is left with. */
struct key_body {
    uint8_t key[STORE_HASH_LEN];
    struct slice code;
};

static int key_decode(struct api_call *call, struct key_body *body)
{
    static const struct api_field fields[] = {
        {"key", JSON_STRING, API_REQUIRED},
        {"code", JSON_STRING, API_REQUIRED},
        {NULL, JSON_NULL, 0},
    };
    if (api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    body->code = api_json_text(call->body, "code");
    return api_hex_take(call, "key", "an Ed25519 public key", body->key, STORE_HASH_LEN);
}

static uint64_t key_delay_ms(const struct api_call *call)
{
    struct porting *porting = call->api->parts.porting;
    return porting ? porting_key_delay_ms(porting) : PORTING_KEY_DAYS * PORTING_DAY_MS;
}

static void command_begin(const struct api_call *call, struct store_command *command)
{
    command->time_ms = api_now_ms();
    command->dry_run = call->dry_run;
    snprintf(command->actor, sizeof(command->actor), "%s", call->actor);
}

static int key_do(struct api_call *call)
{
    const struct key_work *work = call->memory;
    struct store_verdict verdict;
    int status = store_submit(call->api->parts.store, &work->order.use, &verdict);
    if (!status && !verdict.status)
        status = store_submit(call->api->parts.store, &work->order.put, &verdict);
    return status ? status : verdict.status;
}

/* Its holder hears of it, whoever left it. */
static void holder_tell(struct api_call *call, const char *hosting,
                        const struct store_address *address, uint64_t from_ms)
{
    if (call->api->parts.porting && !call->dry_run && *hosting && from_ms)
        porting_key_left(call->api->parts.porting, hosting, address, from_ms);
}

static int key_done(struct api_call *call, const struct store_verdict *verdict)
{
    const struct key_work *work = call->memory;
    const struct store_guard *guard = &work->order.put.guard;
    if (verdict->status)
        return api_problem_from_status(&call->problem, verdict->status, call->name);
    holder_tell(call, work->hosting, &guard->address, guard->next_key_ms);
    return guard_answer(call, guard);
}

static int key_submit(struct api_call *call, const struct store_record *record,
                      const struct store_guard *guard, const struct key_body *body,
                      const char *name)
{
    struct key_work *work = call->memory = calloc(1, sizeof(*work));
    if (!work)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    api_key_order_fill(&work->order, record, guard, body->key, api_now_ms(), key_delay_ms(call));
    command_begin(call, &work->order.use);
    command_begin(call, &work->order.put);
    if (record->state == STORE_ADDRESS_HOSTED)
        memcpy(work->hosting, record->hosting, sizeof(work->hosting));
    return api_run(call, name, key_do, key_done);
}

/* ---- of a guest: its authority keeps it ---- */

/* What is known here of what the authority keeps now. */
static int guests_key_done(struct api_call *call, const struct store_verdict *verdict)
{
    const struct porting_errand *errand = api_errand_done(call);
    struct store_guard guard = {.address = errand->address, .has_next_key = errand->code[0] != 0};
    (void)verdict;
    if (guard.has_next_key) {
        memcpy(guard.next_key, errand->key, sizeof(guard.next_key));
        guard.next_key_ms = errand->from_ms;
        holder_tell(call, errand->hosting, &errand->address, errand->from_ms);
    }
    return api_call_reply(call, 200, api_guard_encode(&guard), 0);
}

static struct porting_errand key_errand(const struct store_record *record)
{
    struct porting_errand errand = {.kind = PORTING_ERRAND_KEY, .address = record->address};
    memcpy(errand.hosting, record->hosting, sizeof(errand.hosting));
    return errand;
}

/* The code is used up there, and then here. */
static int guests_key_submit(struct api_call *call, const struct store_record *record,
                             const struct key_body *body, const char *name)
{
    struct porting_errand errand = key_errand(record);
    memcpy(errand.key, body->key, sizeof(errand.key));
    slice_to_cstr(body->code, errand.code, sizeof(errand.code)); /* a good one has room */
    errand.from_ms = api_now_ms() + key_delay_ms(call);
    call->command.op = STORE_ADDRESS_AUTH;
    call->command.expected_version = record->version;
    call->command.record = *record;
    call->command.record.auth_until_ms = 0;
    memset(call->command.record.auth_hash, 0, STORE_HASH_LEN);
    return api_errand_submit(call, name, &errand, guests_key_done);
}

/* ---- both ---- */

int api_recovery_key_put(struct api_call *call)
{
    struct store_record record;
    struct store_guard guard;
    struct key_body body;
    char name[API_MAX_KEY_TEXT];
    if (api_guard_find(call, &record, &guard, name) || guard_expect(call, &guard, name) ||
        key_decode(call, &body) || api_code_check(call, &record, &guard, body.code, name))
        return -EPROTO;
    return api_is_guest(call, record.state) ? guests_key_submit(call, &record, &body, name)
                                            : key_submit(call, &record, &guard, &body, name);
}

int api_recovery_key_delete(struct api_call *call)
{
    struct store_record record;
    struct store_guard guard;
    char key[API_MAX_KEY_TEXT];
    if (api_guard_find(call, &record, &guard, key) || guard_expect(call, &guard, key))
        return -EPROTO;
    if (api_is_guest(call, record.state)) {
        const struct porting_errand errand = key_errand(&record);
        return api_errand_run(call, key, &errand, guests_key_done);
    }
    if (!api_key_is_new(&guard, api_now_ms()))
        return api_problem_set(&call->problem, API_PROBLEM_NO_RECORD, NULL,
                               "%s: has no recovery key that does not work yet", key);
    api_key_take_back(&guard);
    return guard_submit(call, &guard, key);
}
