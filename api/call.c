/* What handlers ask of a request: its query parameters, its condition, its answer. */
#include "api/internal.h"

#include "base/slice.h"
#include "base/status.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define LIST_DEFAULT 100

const char *api_call_arg(const struct api_call *call, const char *name)
{
    for (size_t i = 0; i < call->arg_count; i++)
        if (strcmp(call->args[i].name, name) == 0)
            return call->args[i].value;
    return NULL;
}

int api_call_limit(struct api_call *call, size_t *limit)
{
    const char *text = api_call_arg(call, "limit");
    uint64_t value = LIST_DEFAULT;
    if (text && (slice_to_u64(slice_of(text), API_MAX_LIST, &value) || value == 0))
        return api_problem_set(&call->problem, API_PROBLEM_PARAMETER, "limit",
                               "limit: is '%.40s'; it must be 1 to %d", text, API_MAX_LIST);
    *limit = (size_t)value;
    return 0;
}

/* Is `tag` in a list of entity tags (RFC 9110 section 8.8.3)? Compared strongly: a weak one is no
 * match. What is behind a fault of the list is not looked at. */
static bool tags_have(struct slice list, struct slice tag)
{
    for (;;) {
        while (list.len && memchr(" \t,", list.p[0], 3))
            list = slice_skip(list, 1);
        bool is_weak = slice_starts_with(list, SLICE("W/"));
        struct slice quoted = slice_skip(list, is_weak ? 2 : 0);
        if (!slice_starts_with(quoted, SLICE("\"")))
            return false;
        size_t end = slice_find(slice_skip(quoted, 1), '"') + 2;
        if (end > quoted.len)
            return false;
        if (!is_weak && slice_eq(slice_make(quoted.p, end), tag))
            return true;
        list = slice_skip(quoted, end);
    }
}

int api_call_expects(struct api_call *call, uint64_t version, const char *key, bool *any)
{
    char tag[24];
    if (!call->if_match)
        return api_problem_set(&call->problem, API_PROBLEM_NO_IF_MATCH, "If-Match",
                               "%s: send the ETag of the record you saw as If-Match", call->param);
    struct slice list = slice_trim(slice_of(call->if_match));
    *any = slice_eq(list, SLICE("*"));
    snprintf(tag, sizeof(tag), "\"%" PRIu64 "\"", version);
    if (*any || tags_have(list, slice_of(tag)))
        return 0;
    return api_problem_set(&call->problem, API_PROBLEM_CHANGED, "If-Match",
                           "%s: changed in the meantime, or never had the ETag that If-Match "
                           "names: %.64s",
                           key, call->if_match);
}

int api_call_reply(struct api_call *call, unsigned status, json_t *reply, uint64_t version)
{
    if (!reply)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    call->status = status;
    call->reply = reply;
    call->version = version;
    return 0;
}

int api_call_reply_text(struct api_call *call, const char *type, char *text, size_t len)
{
    if (!text)
        return api_problem_set(&call->problem, API_PROBLEM_BUSY, NULL, "out of memory");
    call->status = 200;
    call->text = text;
    call->text_len = len;
    call->type = type;
    return 0;
}

int api_command_id(const struct api_call *call, uint8_t id[32])
{
    const char *const parts[] = {call->actor, call->method, call->path, call->idempotency_key};
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    for (size_t i = 0; ok && i < sizeof(parts) / sizeof(parts[0]); i++)
        ok = EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]) + 1);
    ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL);
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return STATUS_CRYPTO;
    memcpy(id, digest, 32);
    return 0;
}

int api_run(struct api_call *call, const char *name, api_work_h *work, api_then_h *then)
{
    snprintf(call->name, sizeof(call->name), "%s", name);
    call->work = work;
    call->then = then;
    call->then_always = true;
    return API_PENDING;
}

int api_submit(struct api_call *call, const char *name, api_then_h *then)
{
    struct store_command *command = &call->command;
    snprintf(call->name, sizeof(call->name), "%s", name);
    call->then = then;
    if (call->repeated)
        return api_repeat_answer(call);
    command->time_ms = api_now_ms();
    command->dry_run = call->dry_run;
    snprintf(command->actor, sizeof(command->actor), "%s", call->actor);
    memcpy(command->body_hash, call->body_hash, sizeof(command->body_hash));
    if (call->idempotency_key && api_command_id(call, command->id))
        return api_problem_set(&call->problem, API_PROBLEM_INTERNAL, NULL,
                               "%s: the request cannot be hashed", name);
    return API_PENDING;
}
