/* Secrets that are shown once. They are drawn before the command, which has only their hash. */
#include "api/records.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Crockford's 32 characters: none can be taken for another of them. */
#define CODE_ALPHABET "0123456789abcdefghjkmnpqrstvwxyz"
#define CODE_GROUPS   7 /* of four characters: 140 bits; RFC 9154 section 4.1 asks for 128 */

#define ID_ALPHABET     "abcdefghijklmnopqrstuvwxyz0123456789"
#define SECRET_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define SECRET_LEN      43 /* as many as base64url makes of 32 bytes */

int api_random_text(const char *alphabet, size_t count, char *out)
{
    size_t size = strlen(alphabet), len = 0;
    while (len < count) {
        unsigned char draw[32];
        if (getrandom(draw, sizeof(draw), 0) != (ssize_t)sizeof(draw))
            return STATUS_CRYPTO;
        for (size_t i = 0; i < sizeof(draw) && len < count; i++)
            if (draw[i] < 256 / size * size) /* what is above would favour the first ones */
                out[len++] = alphabet[draw[i] % size];
    }
    out[len] = '\0';
    return 0;
}

static int secret_failed(struct api_call *call, int status)
{
    return api_problem_from_status(&call->problem, status, "random numbers");
}

int api_auth_code_make(struct api_call *call, uint8_t hash[STORE_HASH_LEN])
{
    char *out = call->secret;
    int status = 0;
    for (int group = 0; !status && group < CODE_GROUPS; group++) {
        if (group)
            *out++ = '-';
        status = api_random_text(CODE_ALPHABET, 4, out);
        out += 4;
    }
    if (!status)
        status = api_token_hash(slice_of(call->secret), hash);
    return status ? secret_failed(call, status) : 0;
}

int api_token_make(struct api_call *call, struct store_token *token)
{
    char secret[SECRET_LEN + 1];
    int status = api_random_text(ID_ALPHABET, STORE_TOKEN_ID_LEN, token->id);
    if (!status)
        status = api_random_text(SECRET_ALPHABET, SECRET_LEN, secret);
    if (!status) {
        snprintf(call->secret, sizeof(call->secret), "jct_%s_%s", token->id, secret);
        status = api_token_hash(slice_of(call->secret), token->hash);
    }
    explicit_bzero(secret, sizeof(secret));
    return status ? secret_failed(call, status) : 0;
}

json_t *api_secret_encode(const struct api_call *call, const struct store_verdict *verdict)
{
    bool is_good = !verdict->repeated && !call->dry_run;
    return is_good ? json_string(call->secret) : json_null();
}
