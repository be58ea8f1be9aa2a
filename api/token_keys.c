/* /v1/token-keys: the key of dialog tokens is changed before its day is over. */
#include "api/records.h"

#include "base/status.h"

#include <errno.h>
#include <sys/random.h>

/* The key's own name, and what it is, are told to nobody. */
static int key_changed(struct api_call *call, const struct store_verdict *verdict)
{
    return api_call_reply(call, 200, json_pack("{s:I}", "sequence", (json_int_t)verdict->sequence),
                          0);
}

int api_token_key_post(struct api_call *call)
{
    static const struct api_field fields[] = {{NULL, JSON_NULL, 0}};
    uint8_t *secret = call->command.key.secret;
    if (api_json_check(call->body, fields, false, &call->problem))
        return -EPROTO;
    if (getrandom(secret, STORE_KEY_LEN, 0) != STORE_KEY_LEN)
        return api_problem_from_status(&call->problem, STATUS_CRYPTO, "random numbers");
    call->command.op = STORE_KEY_ADD;
    call->command.expected_version = STORE_ANY_VERSION;
    return api_submit(call, "token key", key_changed);
}
