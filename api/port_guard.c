/* What protects an address from being ported: /v1/addresses/{address}/protection shows it,
 * .../recovery-key and .../freeze change it. Only its authority keeps that.
 *
 * A recovery key is set with an auth code, which it uses up, and works 14 days later: whoever has
 * taken an account over for an hour cannot take the address along. */
#include "api/ports.h"

#include "base/status.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what there is ---- */

/* An address that the caller may see, and its protection: an empty one where it has none yet. */
static int guard_find(struct api_call *call, struct store_record *record, struct store_guard *guard,
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

int api_protection_get(struct api_call *call)
{
    struct store_record record;
    struct store_guard guard;
    char key[API_MAX_KEY_TEXT];
    if (guard_find(call, &record, &guard, key))
        return -EPROTO;
    return api_call_reply(call, 200, api_guard_encode(&guard), guard.version);
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
    if (guard_find(call, &record, &guard, key) || guard_expect(call, &guard, key) ||
        api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    guard.frozen = api_json_bool(call->body, "frozen", false);
    return guard_submit(call, &guard, key);
}

/* ---- the recovery key ---- */

/* Lives in call->memory. */
struct key_order {
    struct store_command use, put;
};

static int key_decode(struct api_call *call, uint8_t key[STORE_HASH_LEN])
{
    return api_hex_take(call, "key", "an Ed25519 public key", key, STORE_HASH_LEN);
}

/* A code for one gaining domain is no code for this. */
static int code_check(struct api_call *call, const struct store_record *record,
                      const struct store_guard *guard, const char *key)
{
    uint8_t hash[STORE_HASH_LEN];
    if (api_token_hash(api_json_text(call->body, "code"), hash))
        return api_problem_from_status(&call->problem, STATUS_CRYPTO, key);
    bool is_good = record->has_auth && record->auth_until_ms > api_now_ms() && !*guard->code_for &&
                   CRYPTO_memcmp(hash, record->auth_hash, sizeof(hash)) == 0;
    if (is_good)
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_PROOF, "code",
                           "%s: the auth code is wrong, used, expired, or for one gaining domain "
                           "only",
                           key);
}

/* The key before stays in force until the new one is. */
static void key_set(struct store_guard *guard, const uint8_t key[STORE_HASH_LEN], uint64_t now_ms,
                    uint64_t delay_ms)
{
    guard->has_key = store_guard_key(guard, now_ms, guard->key);
    if (!guard->has_key)
        memset(guard->key, 0, sizeof(guard->key));
    guard->has_next_key = true;
    memcpy(guard->next_key, key, STORE_HASH_LEN);
    guard->next_key_ms = now_ms + delay_ms;
}

static void command_begin(struct api_call *call, struct store_command *command, enum store_op op,
                          uint64_t version)
{
    command->op = op;
    command->expected_version = version;
    command->time_ms = api_now_ms();
    command->dry_run = call->dry_run;
    snprintf(command->actor, sizeof(command->actor), "%s", call->actor);
}

/* The code is gone before the key is there: of two requests with one code only one goes on. */
static int key_do(struct api_call *call)
{
    const struct key_order *order = call->memory;
    struct store_verdict verdict;
    int status = store_submit(call->api->parts.store, &order->use, &verdict);
    if (!status && !verdict.status)
        status = store_submit(call->api->parts.store, &order->put, &verdict);
    return status ? status : verdict.status;
}

static int key_done(struct api_call *call, const struct store_verdict *verdict)
{
    const struct key_order *order = call->memory;
    if (verdict->status)
        return api_problem_from_status(&call->problem, verdict->status, call->name);
    return guard_answer(call, &order->put.guard);
}

static int key_order_fill(struct api_call *call, const struct store_record *record,
                          const struct store_guard *guard, const uint8_t key[STORE_HASH_LEN])
{
    struct key_order *order = call->memory = calloc(1, sizeof(*order));
    if (!order)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    command_begin(call, &order->use, STORE_GUARD_CODE, record->version);
    order->use.guard.address = record->address;
    command_begin(call, &order->put, STORE_GUARD_PUT, guard->version);
    order->put.guard = *guard;
    struct porting *porting = call->api->parts.porting;
    key_set(&order->put.guard, key, order->put.time_ms,
            porting ? porting_key_delay_ms(porting) : PORTING_KEY_DAYS * PORTING_DAY_MS);
    return 0;
}

int api_recovery_key_put(struct api_call *call)
{
    static const struct api_field fields[] = {
        {"key", JSON_STRING, API_REQUIRED},
        {"code", JSON_STRING, API_REQUIRED},
        {NULL, JSON_NULL, 0},
    };
    struct store_record record;
    struct store_guard guard;
    uint8_t key[STORE_HASH_LEN];
    char name[API_MAX_KEY_TEXT];
    if (guard_find(call, &record, &guard, name) || guard_expect(call, &guard, name) ||
        api_json_check(call->body, fields, false, &call->problem) || key_decode(call, key) ||
        code_check(call, &record, &guard, name) || key_order_fill(call, &record, &guard, key))
        return -EPROTO;
    return api_run(call, name, key_do, key_done);
}

/* Takes back a key that does not work yet. One that does is only ever replaced: whoever has the
 * account, but no auth code, must not be able to take it away. */
int api_recovery_key_delete(struct api_call *call)
{
    struct store_record record;
    struct store_guard guard;
    char key[API_MAX_KEY_TEXT];
    if (guard_find(call, &record, &guard, key) || guard_expect(call, &guard, key))
        return -EPROTO;
    if (!guard.has_next_key || guard.next_key_ms <= api_now_ms())
        return api_problem_set(&call->problem, API_PROBLEM_NO_RECORD, NULL,
                               "%s: has no recovery key that does not work yet", key);
    guard.has_next_key = false;
    guard.next_key_ms = 0;
    memset(guard.next_key, 0, sizeof(guard.next_key));
    return guard_submit(call, &guard, key);
}
